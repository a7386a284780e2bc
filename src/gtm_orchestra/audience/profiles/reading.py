"""The signals of one dataset with their cuts, as clauses that profiles are put together from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.contracts import Threshold
from gtm_orchestra.audience.profiles.signals import Kind, Signal, Stage, stage_of, stage_rank
from gtm_orchestra.audience.profiles.thresholds import (
    Cut,
    RecencyCuts,
    deep_cut,
    new_cut,
    recency_cuts,
    upper_cut,
)
from gtm_orchestra.audience.wording import in_days, next_step, tokens_of
from gtm_orchestra.conditions.english import attribute_label as _label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.audience.profiles.distributions import Distribution

__all__ = ["Clause", "Milestone", "Reading", "StageValues", "find_stages", "read"]

_GENERAL = frozenset(
    {"session", "sessions", "login", "logged", "active", "activity", "seen", "order", "orders"}
)
_REACH = (0.02, 0.95)


@dataclass(frozen=True)
class Clause:
    """One statement of a profile.

    Attributes:
        condition: In the condition language.
        says: How a marketer says it.
        thresholds: The cuts in it.
        lasts_days: For how long it stays true without anything new; None for ever.
    """

    condition: Mapping[str, Any]
    says: str
    thresholds: tuple[Threshold, ...]
    lasts_days: float | None = None


@dataclass(frozen=True)
class StageValues:
    """Which values of which attribute mean a lifecycle stage, and how many people have one of them."""

    attribute: str
    values: tuple[str, ...]
    people: int


@dataclass(frozen=True)
class Milestone:
    """A step that people take or have not taken yet."""

    signal: Signal
    reached: int
    step: str


@dataclass(frozen=True)
class Reading:
    """What can be said about the people of one dataset."""

    as_of: datetime
    people: int
    distributions: Mapping[str, Distribution]
    stages: Mapping[Stage, StageValues]
    recency: Mapping[Kind, Signal]
    depth: Mapping[Kind, Signal]
    tenure: Signal | None = None
    trial_start: Signal | None = None
    value: Signal | None = None
    size: Signal | None = None
    intent: Signal | None = None
    milestones: tuple[Milestone, ...] = ()
    recency_cuts: Mapping[Kind, RecencyCuts] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What people here mostly do: order, use, or respond."""
        present = [*self.depth, *(signal.kind for signal in self.recency.values() if signal.kind is not None)]
        return present[0] if present else "response"

    @property
    def noun(self) -> str:
        """What the people are called where no lifecycle stage names them."""
        if "orders" in self.depth or any(signal.kind == "orders" for signal in self.recency.values()):
            return "shoppers"
        counted = any(signal.event is not None for signal in (*self.depth.values(), *self.recency.values()))
        return "users" if counted or self.milestones else "contacts"

    def in_stage(self, *stages: Stage) -> Clause | None:
        """Return "has one of these lifecycle stages", for those that one attribute tells apart."""
        known = [self.stages[stage] for stage in stages if stage in self.stages]
        if not known:
            return None
        attribute = known[0].attribute
        values = sorted(value for part in known if part.attribute == attribute for value in part.values)
        people = sum(part.people for part in known if part.attribute == attribute)
        condition: dict[str, Any] = {attribute: values[0] if len(values) == 1 else {"$in": values}}
        shown = " or ".join(filter(None, (", ".join(values[:-1]), values[-1])))
        threshold = Threshold(
            attribute=attribute,
            operator="$eq" if len(values) == 1 else "$in",
            value=shown,
            evidence=f"{people:,} of {self.people:,} people have it",
        )
        return Clause(condition, f"{_label(attribute)} is {shown}", (threshold,))

    def active(self, kind: Kind) -> Clause | None:
        """Return "was there lately"."""
        return self._within(self.recency.get(kind), self._recency_cut(kind, "active"))

    def quiet(self, kind: Kind, *, never: bool = True) -> Clause | None:
        """Return "has not been there lately", by default or never at all."""
        return self._beyond(self.recency.get(kind), self._recency_cut(kind, "active"), never=never)

    def dormant(self, kind: Kind, *, never: bool = False) -> Clause | None:
        """Return "has been away for long", or never was there at all if `never` says so."""
        cut = self._recency_cut(kind, "dormant")
        return self._beyond(self.recency.get(kind), cut, never=never)

    def fading(self, kind: Kind) -> Clause | None:
        """Return "away longer than usual, not yet for long"."""
        quiet = self.quiet(kind, never=False)
        back = self._within(self.recency.get(kind), self._recency_cut(kind, "dormant"))
        if quiet is None or back is None:
            return None
        condition = _joined(quiet.condition, back.condition)
        says = f"{quiet.says.removesuffix(' ago')} and {back.says[back.says.index('at most') :]}"
        return Clause(condition, says, (*quiet.thresholds, *back.thresholds), back.lasts_days)

    def never(self, kind: Kind) -> Clause | None:
        """Return "has never been seen", where a missing value says so, or a count of zero does."""
        signal = self.recency.get(kind)
        if signal is not None and signal.never_is_null:
            missing = self.people - self.distributions[signal.attribute].filled
            threshold = _threshold(
                signal, "$exists", "false", f"{missing:,} of {self.people:,} people have no value"
            )
            return Clause(
                {signal.attribute: {"$exists": False}}, f"no {_label(signal.attribute)}", (threshold,)
            )
        return self.none(kind)

    def tells_never(self, kind: Kind) -> bool:
        """Return whether "never" can be told from "not lately", which a count within a window cannot."""
        recency, depth = self.recency.get(kind), self.depth.get(kind)
        return bool(recency and recency.never_is_null) or bool(depth and depth.window_days is None)

    def new(self) -> Clause | None:
        """Return "started lately"."""
        cut = self.cuts.get(self.tenure.attribute) if self.tenure else None
        return self._within(self.tenure, cut)

    def settled(self) -> Clause | None:
        """Return "did not start lately"."""
        cut = self.cuts.get(self.tenure.attribute) if self.tenure else None
        return self._beyond(self.tenure, cut, never=False)

    def begun(self, kind: Kind) -> Clause | None:
        """Return "has had the time to go quiet": the trial, or else the person, began before that."""
        cut = self._recency_cut(kind, "active")
        return self._beyond(self.trial_start or self.tenure, cut, never=False)

    def deep(self, kind: Kind) -> Clause | None:
        """Return "among the most engaged quarter"."""
        return self._from(self.depth.get(kind))

    def high_value(self) -> Clause | None:
        """Return "among the quarter that brings most money"."""
        return self._from(self.value)

    def large(self) -> Clause | None:
        """Return "in an account of the largest quarter"."""
        return self._from(self.size)

    def intends(self) -> Clause | None:
        """Return "shows interest in buying more than most do"."""
        return self._from(self.intent)

    def none(self, kind: Kind) -> Clause | None:
        """Return "not once"."""
        return self._counted(self.depth.get(kind), "$eq", 0)

    def once(self, kind: Kind) -> Clause | None:
        """Return "exactly once"."""
        return self._counted(self.depth.get(kind), "$eq", 1)

    def repeatedly(self, kind: Kind) -> Clause | None:
        """Return "at least twice"."""
        return self._counted(self.depth.get(kind), "$gte", 2)

    def reached(self, milestone: Milestone) -> Clause:
        """Return "has taken this step"."""
        return self._step(milestone, taken=True)

    def not_reached(self, milestone: Milestone) -> Clause:
        """Return "has not taken this step yet"."""
        return self._step(milestone, taken=False)

    def _recency_cut(self, kind: Kind, which: str) -> Cut | None:
        cuts = self.recency_cuts.get(kind)
        if cuts is None:
            return None
        return cuts.active if which == "active" else cuts.dormant

    def _within(self, signal: Signal | None, cut: Cut | None) -> Clause | None:
        if signal is None or cut is None:
            return None
        operator, value = ("$gte", self._day(cut)) if signal.type == "timestamp" else ("$lte", cut.value)
        threshold = _threshold(signal, operator, value, cut.evidence)
        says = f"{_since(signal)} at most {in_days(cut.value)} ago"
        return Clause({signal.attribute: {operator: value}}, says, (threshold,), cut.value)

    def _beyond(self, signal: Signal | None, cut: Cut | None, *, never: bool) -> Clause | None:
        if signal is None or cut is None:
            return None
        operator, value = ("$lt", self._day(cut)) if signal.type == "timestamp" else ("$gt", cut.value)
        threshold = _threshold(signal, operator, value, cut.evidence)
        says = f"{_since(signal)} more than {in_days(cut.value)} ago"
        condition: dict[str, Any] = {signal.attribute: {operator: value}}
        if never and signal.never_is_null:
            condition = {"$or": [condition, {signal.attribute: {"$exists": False}}]}
            says += " or never"
        return Clause(condition, says, (threshold,))

    def _from(self, signal: Signal | None) -> Clause | None:
        cut = self.cuts.get(signal.attribute) if signal is not None else None
        if signal is None or cut is None:
            return None
        threshold = _threshold(signal, "$gte", cut.value, cut.evidence)
        says = f"{_label(signal.attribute)} at least {cut.value:,}"
        return Clause({signal.attribute: {"$gte": cut.value}}, says, (threshold,), signal.window_days)

    def _counted(self, signal: Signal | None, operator: str, value: int) -> Clause | None:
        if signal is None:
            return None
        distribution = self.distributions[signal.attribute]
        zero = distribution.filled - distribution.positive
        people = {0: zero, 1: distribution.once}.get(value, distribution.positive - distribution.once)
        threshold = _threshold(
            signal, operator, value, f"{people:,} of {distribution.filled:,} people with a value"
        )
        condition = {signal.attribute: value if operator == "$eq" else {operator: value}}
        says = f"{_label(signal.attribute)} {'at least ' if operator == '$gte' else ''}{value}"
        return Clause(condition, says, (threshold,), signal.window_days if value else None)

    def _step(self, milestone: Milestone, *, taken: bool) -> Clause:
        signal = milestone.signal
        people = milestone.reached if taken else self.people - milestone.reached
        evidence = f"{people:,} of {self.people:,} people"
        says = f"{'has' if taken else 'no'} {_label(signal.attribute)}"
        condition: dict[str, Any]
        if signal.type == "timestamp" or signal.measure == "days_since_last":
            condition = {signal.attribute: {"$exists": taken}}
            return Clause(condition, says, (_threshold(signal, "$exists", str(taken).lower(), evidence),))
        if signal.type == "boolean":
            condition = {signal.attribute: taken}
            return Clause(condition, says, (_threshold(signal, "$eq", str(taken).lower(), evidence),))
        condition = {signal.attribute: {"$gte": 1} if taken else 0}
        says = f"{_label(signal.attribute)}: {'at least 1' if taken else 'none'}"
        threshold = _threshold(signal, "$gte" if taken else "$eq", int(taken), evidence)
        return Clause(condition, says, (threshold,), signal.window_days if taken else None)

    def _day(self, cut: Cut) -> str:
        return (self.as_of - timedelta(days=cut.value)).strftime("%Y-%m-%dT%H:%M:%SZ")


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
) -> Reading:
    """Return what can be said about the people, with one signal chosen for each thing to say.

    Of several signals the broadest wins (any event before one event), then the fullest, then by name.
    """
    usable = [
        signal for signal in signals if signal.role == "stage" or distributions[signal.attribute].filled
    ]

    def best(role: str, kind: Kind | None = None) -> Signal | None:
        fitting = [signal for signal in usable if signal.role == role and kind in (None, signal.kind)]
        return min(fitting, key=lambda signal: _preference(signal, distributions), default=None)

    kinds: tuple[Kind, ...] = ("orders", "usage", "response")
    fallback = best("recency")
    recency = {kind: signal for kind in kinds if (signal := best("recency", kind) or fallback) is not None}
    depth = {kind: signal for kind in kinds if (signal := best("depth", kind)) is not None}
    tenure, trial_start, value, size, intent = (
        best(role) for role in ("tenure", "trial_start", "value", "size", "intent")
    )
    main: Kind = next(iter(depth), (fallback.kind if fallback else None) or "response")
    cuts: dict[str, Cut | None] = {
        signal.attribute: deep_cut(distributions[signal.attribute])
        for signal in (*depth.values(), intent)
        if signal is not None
    }
    for signal in (value, size):
        if signal is not None:
            cuts[signal.attribute] = upper_cut(distributions[signal.attribute])
    if tenure is not None:
        cuts[tenure.attribute] = new_cut(distributions[tenure.attribute], main)
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
        value=value,
        size=size,
        intent=intent,
        milestones=_milestones(usable, distributions, people),
        recency_cuts={kind: band for kind, band in bands.items() if band is not None},
        cuts={attribute: cut for attribute, cut in cuts.items() if cut is not None},
    )


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
            by_step.setdefault(step, []).append(Milestone(signal, reached, step))
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
    return (breadth, measured, signal.of_account, -filled, signal.attribute)


def _threshold(signal: Signal, operator: str, value: float | str, evidence: str) -> Threshold:
    return Threshold(attribute=signal.attribute, operator=operator, value=value, evidence=evidence)


def _since(signal: Signal) -> str:
    """Return what the time of a signal is the time of."""
    if signal.role == "trial_start":
        return "trial started"
    if signal.role == "tenure":
        return "joined"
    return "last order" if signal.kind == "orders" else "last seen"


def _joined(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Return one statement about one attribute out of two."""
    ((attribute, operators),) = left.items()
    return {attribute: {**operators, **right[attribute]}}
