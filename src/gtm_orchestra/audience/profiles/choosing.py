"""Which of many signals says a thing best, which values name a lifecycle, and which steps are a funnel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gtm_orchestra.audience.profiles.reading import Group, Milestone, Reading, StageValues, shown_amount
from gtm_orchestra.audience.profiles.signals import Kind, Signal, Stage, stage_of, stage_rank
from gtm_orchestra.audience.profiles.thresholds import (
    Cut,
    deep_cut,
    ending_cut,
    new_cut,
    recency_cuts,
    upper_cut,
)
from gtm_orchestra.audience.wording import next_step, past_step, tokens_of
from gtm_orchestra.warehouse.proposals.names import words as header_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gtm_orchestra.audience.profiles.distributions import Distribution

__all__ = ["find_stages", "read"]

_GENERAL = frozenset(
    {"session", "sessions", "login", "logged", "active", "activity", "seen", "order", "orders"}
)
_REACH = (0.02, 0.95)
_STAFF = frozenset(
    {"guest", "guests", "gast", "gaste", "invite", "invites", "invitado", "visitor", "visitors"}
    | {"staff", "employee", "employees", "internal", "intern", "mitarbeiter", "personal", "test"}
)
_LARGEST_GROUP = 0.4


def find_stages(
    signals: Sequence[Signal], values: Mapping[str, Mapping[str, int]]
) -> dict[Stage, StageValues]:
    """Return which attribute and values tell each lifecycle stage.

    An attribute counts only if its values name at least two stages and cover half of those with a value.
    """
    found: dict[Stage, StageValues] = {}
    ranked = sorted(
        (signal for signal in signals if signal.role == "stage"),
        key=lambda signal: (stage_rank(signal.attribute), signal.attribute),
    )
    for signal in ranked:
        groups: dict[Stage, dict[str, int]] = {}
        counts = values.get(signal.attribute, {})
        for value, people in counts.items():
            stage = stage_of(value)
            if stage is not None:
                groups.setdefault(stage, {})[value] = people
        named = sum(sum(group.values()) for group in groups.values())
        bare = {value.lower() for group in groups.values() for value in group} <= {
            "active",
            "inactive",
            "closed",
        }
        if len(groups) < 2 or 2 * named < sum(counts.values()) or bare:  # noqa: PLR2004 - two make a difference
            continue
        for stage, group in groups.items():
            found.setdefault(stage, StageValues(signal.attribute, tuple(sorted(group)), sum(group.values())))
    return found


def read(
    signals: Sequence[Signal],
    *,
    as_of: datetime,
    people: int,
    distributions: Mapping[str, Distribution],
    values: Mapping[str, Mapping[str, int]],
    currency: str = "",
    subscribers: bool = False,
) -> Reading:
    """Return what can be said about the people, with one signal chosen for each thing to say.

    Of several signals the broadest wins (any event before one event), then the fullest, then by name.

    Args:
        signals: What each attribute says.
        as_of: The moment that ages are counted from.
        people: In scope.
        distributions: By attribute, of every signal but lifecycles and groups.
        values: By attribute, people per value of every lifecycle and group.
        currency: Of amounts whose name says none.
        subscribers: Whether the initiative reaches people by e-mail, under a consent that is on record.
    """
    usable = [
        signal
        for signal in signals
        if signal.role in {"stage", "group"} or distributions[signal.attribute].filled
    ]

    def best(role: str, kind: Kind | None = None) -> Signal | None:
        fitting = [signal for signal in usable if signal.role == role and kind in (None, signal.kind)]
        return min(fitting, key=lambda signal: _preference(signal, distributions), default=None)

    kinds: tuple[Kind, ...] = ("orders", "usage", "response")
    fallback = best("recency")
    # Whoever signed in has not ordered: only other uses may stand in for each other.
    stand_in = {kind: fallback if kind != "orders" else None for kind in kinds}
    recency = {
        kind: signal for kind in kinds if (signal := best("recency", kind) or stand_in[kind]) is not None
    }
    depth = {kind: signal for kind in kinds if (signal := best("depth", kind)) is not None}
    ever = [signal for signal in usable if signal.role == "depth" and signal.lifetime]
    lifetime = {
        kind: min(fitting, key=lambda signal: _preference(signal, distributions))
        for kind in kinds
        if (fitting := [signal for signal in ever if signal.kind == kind])
    }
    tenure, trial_start, trial_end, value, size, intent, guest = (
        best(role) for role in ("tenure", "trial_start", "trial_end", "value", "size", "intent", "guest")
    )
    main: Kind = next(iter(depth), (fallback.kind if fallback else None) or "response")
    cuts = _cuts([*depth.values(), intent, value, size, tenure, trial_end], main, distributions, currency)
    bands = {
        kind: recency_cuts(distributions[signal.attribute], signal.kind or kind)
        for kind, signal in recency.items()
    }
    return Reading(
        as_of=as_of,
        people=people,
        distributions=distributions,
        stages=find_stages(usable, values),
        recency=recency,
        depth=depth,
        tenure=tenure,
        trial_start=trial_start,
        trial_end=trial_end,
        lifetime=lifetime,
        groups=_groups(usable, values, people),
        currency=currency,
        subscribers=subscribers,
        value=value,
        size=size,
        intent=intent,
        guest=guest,
        deals={
            state: signal
            for state, role in (("open", "open_deals"), ("won", "won_deals"), ("lost", "lost_deals"))
            if (signal := best(role)) is not None and not signal.of_account
        },
        milestones=_milestones(usable, distributions, people),
        recency_cuts={kind: band for kind, band in bands.items() if band is not None},
        cuts=cuts,
    )


def _cuts(
    signals: Sequence[Signal | None], kind: Kind, distributions: Mapping[str, Distribution], currency: str
) -> dict[str, Cut]:
    """Return by attribute where a signal parts people in two; those without values part nobody."""
    cuts: dict[str, Cut | None] = {}
    for signal in signals:
        if signal is None:
            continue
        distribution = distributions[signal.attribute]
        if signal.role in {"value", "size"}:
            show = partial(shown_amount, signal, currency=currency)
            cuts[signal.attribute] = upper_cut(distribution, show=show)
        elif signal.role == "tenure":
            cuts[signal.attribute] = new_cut(distribution, kind)
        elif signal.role == "trial_end":
            cuts[signal.attribute] = ending_cut(distribution)
        else:
            cuts[signal.attribute] = deep_cut(distribution)
    return {attribute: cut for attribute, cut in cuts.items() if cut is not None}


def _groups(
    signals: Sequence[Signal], values: Mapping[str, Mapping[str, int]], people: int
) -> tuple[Group, ...]:
    """Return the customer groups that stand out: no staff, and not what most people are."""
    found = [
        Group(signal.attribute, value, count)
        for signal in signals
        if signal.role == "group"
        for value, count in values.get(signal.attribute, {}).items()
        if count <= _LARGEST_GROUP * people and not _STAFF & set(header_words(value))
    ]
    return tuple(sorted(found, key=lambda group: (-group.people, group.attribute, group.value)))


def _milestones(
    signals: Sequence[Signal], distributions: Mapping[str, Distribution], people: int
) -> tuple[Milestone, ...]:
    """Return the steps that some have taken and some have not, the most frequent first: a funnel."""
    by_step: dict[str, list[Milestone]] = {}
    for signal in signals:
        if signal.role != "milestone":
            continue
        distribution = distributions[signal.attribute]
        by_presence = signal.type == "timestamp" or signal.measure == "days_since_last"
        reached = distribution.filled if by_presence else distribution.positive
        step = next_step(signal.event or signal.attribute)
        if people and _REACH[0] <= reached / people <= _REACH[1]:
            done = past_step(signal.event or signal.attribute)
            by_step.setdefault(step, []).append(Milestone(signal, reached, step, done))
    # "Ever" says more than "within a window", and a longer window more than a shorter one.
    chosen = [
        min(group, key=lambda milestone: (-(milestone.signal.window_days or 1e9), milestone.signal.attribute))
        for group in by_step.values()
    ]
    return tuple(sorted(chosen, key=lambda milestone: (-milestone.reached, milestone.signal.attribute)))


def _preference(signal: Signal, distributions: Mapping[str, Distribution]) -> tuple[object, ...]:
    words = set(tokens_of(signal.event or ""))
    breadth = 0 if signal.event == "*" else 1 if words & _GENERAL else 2 if signal.event else 3
    measured = {"distinct_days": 0, "days_since_last": 0, "count": 1}.get(signal.measure or "", 2)
    filled = distributions[signal.attribute].filled
    if signal.role == "tenure":
        return (-filled, signal.attribute)
    if signal.role == "value":
        return (not signal.lifetime, signal.of_account, -filled, signal.attribute)
    return (breadth, measured, signal.of_account, -filled, signal.attribute)
