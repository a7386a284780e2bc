"""The answer: per channel go or blocked-because, in one sentence, at a glance, and what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from gtm_orchestra.audience.activation import PLACE_WORDS
from gtm_orchestra.config import CHANNELS, Channel
from gtm_orchestra.reports.wording import (
    CHANNEL_LABELS,
    age,
    decider,
    moment,
    people,
    percent,
    sentence_inside,
    sign_off_people,
    words,
)

if TYPE_CHECKING:
    from gtm_orchestra.audience.contracts import Activation, ChannelReach, TableFact
    from gtm_orchestra.reports.material import Material

__all__ = [
    "UNSIGNED",
    "ChannelAnswer",
    "Glance",
    "at_a_glance",
    "channel_answers",
    "effects_line",
    "go_label",
    "headline",
    "next_steps",
    "not_understood",
    "scope_words",
    "signers",
    "staleness",
    "verdict",
]

Status = Literal["GO", "BLOCKED", "LEFT OUT"]
_AT_A_GLANCE = 3

# The same words whether it is signed or not: the sign-off binds these bytes, so they cannot tell of it.
UNSIGNED = (
    "Draft until signed; the sign-off is recorded beside this file in sign-off.json "
    "and by `gtm approvals list`."
)


@dataclass(frozen=True)
class ChannelAnswer:
    """One row of the answer. `why` and `mend` are empty on a channel that may go.

    Attributes:
        reachable: People, in words; within the constraints, where there are any about people.
        counted: What that figure leaves out or not, where the request has constraints; else empty.
        condition: What has to be built before a channel may go; empty where nothing has to be.
    """

    channel: Channel
    label: str
    status: Status
    reachable: str
    counted: str
    condition: str
    profiles: tuple[str, ...]
    system: str
    why: str
    mend: str
    decides: str


@dataclass(frozen=True)
class Glance:
    """One of the questions a reader comes with, its answer, and the section that says more."""

    question: str
    answer: str
    anchor: str


def signers(material: Material) -> str:
    """Return who signs this plan, by name."""
    return sign_off_people(material.inputs.get("approvers") or (), material.config, material.as_of)


def channel_answers(material: Material) -> tuple[ChannelAnswer, ...]:
    """Return the answer for every channel that was asked for or looked at, in the fixed order of channels."""
    reach = {c.channel: c for c in material.consent.channels}
    asked = {*material.inputs.get("channels", ()), *material.objectives.channels, *reach}
    return tuple(
        _looked_at(material, reach[channel]) if channel in reach else _left_out(material, channel)
        for channel in CHANNELS
        if channel in asked
    )


def _excluding(material: Material, channel: Channel) -> str:
    texts = [c.text for c in material.objectives.constraints if channel in c.excluded_channels]
    return words(repr(text) for text in texts)


def _left_out(material: Material, channel: Channel) -> ChannelAnswer:
    asked = _excluding(material, channel)
    return ChannelAnswer(
        channel=channel,
        label=CHANNEL_LABELS[channel],
        status="LEFT OUT",
        reachable="not counted",
        counted="",
        condition="",
        profiles=(),
        system="",
        why=f"The constraints say {asked}." if asked else "It was not looked at.",
        mend="Drop the constraint and run again." if asked else f"Add [channels.{channel}] to gtm.toml.",
        decides=signers(material),
    )


def _looked_at(material: Material, reach: ChannelReach) -> ChannelAnswer:
    asked = _excluding(material, reach.channel)
    here = [a for a in material.activation.activations if a.channel == reach.channel]
    usable = tuple(a.profile_id for a in here if a.go)
    status: Status = "LEFT OUT" if asked else "GO" if reach.go and usable else "BLOCKED"
    why, mend, role = "", "", ""
    if asked:
        why, mend = f"The constraints say {asked}.", "Drop the constraint and run again."
    elif not reach.go:
        why, mend, role = reach.why, reach.mend, reach.decides
    elif not usable:
        why, mend = _no_profile(here), "Remove the blockers in the activation section and run again."
    names = {p.profile_id: p.name for p in material.profiles.profiles}
    reachable, counted = _reachable(material, reach)
    return ChannelAnswer(
        channel=reach.channel,
        label=CHANNEL_LABELS[reach.channel],
        status=status,
        reachable=reachable,
        counted=counted,
        condition=_condition(here) if status == "GO" else "",
        profiles=tuple(names.get(profile_id, profile_id) for profile_id in usable) if status == "GO" else (),
        system=reach.system,
        why=why,
        mend=mend,
        decides=decider(role, material.config, material.as_of) if role else signers(material),
    )


def scope_words(material: Material) -> str:
    """Return the constraints on people as they were written, or nothing."""
    return words(repr(c.text) for c in material.objectives.constraints if c.eligibility)


def _reachable(material: Material, reach: ChannelReach) -> tuple[str, str]:
    """Return whom a channel reaches within the constraints, and what that leaves out."""
    minimum, scope = material.minimum, scope_words(material)
    everyone = people(reach.reachable, minimum)
    if not scope:
        return everyone, ""
    if reach.channel not in material.profiles.reachable:
        return everyone, f"before {scope}"
    within = material.profiles.reachable[reach.channel]
    shown = f"fewer than {minimum:,}" if within is None else people(within, minimum)
    return shown, f"within {scope}; {everyone} before it"


def _condition(here: list[Activation]) -> str:
    """Return what "go" hangs on where a channel decides without the attributes of its profiles."""
    waiting = [a for a in here if a.go and a.missing_at]
    if not waiting:
        return ""
    missing = sorted({name for a in waiting for name in a.missing_at})
    some = len(waiting) < sum(a.go for a in here)
    who = f"{len(waiting)} of them need" if some else "they need"
    exist = "exists" if len(missing) == 1 else "exist"
    where = PLACE_WORDS[waiting[0].decided_at]
    return (
        f"{who} {_named(missing)} {exist} in batch only, not {where}, where this channel decides. Until a "
        "batch job passes on who is in which profile, everyone sees the fallback; visitors who are not "
        "recognised always do."
    )


def _named(attributes: list[str]) -> str:
    """Return the start of a clause on attributes: by name while few are missing, else by number."""
    few = len(attributes) <= _AT_A_GLANCE
    return f"{words(attributes)}, which" if few else f"{len(attributes)} attributes that"


def go_label(activation: Activation) -> str:
    """Return whether a profile may be used on a channel, with what that hangs on."""
    if not activation.go:
        return "BLOCKED"
    return "GO, once passed on from batch" if activation.missing_at else "GO"


def _no_profile(here: list[Activation]) -> str:
    blockers = [blocker for activation in here for blocker in activation.blockers]
    if not blockers:
        return "No profile is mapped to this channel."
    # What stops most profiles is the cause; among equals the first, as each lists the broadest first.
    common = min(blockers, key=lambda b: (-blockers.count(b), blockers.index(b)))
    return f"{common[:1].upper()}{common[1:].rstrip('.')}."


def headline(material: Material) -> str:
    """Return the answer in one sentence with figures, for the end of the command."""
    answers = channel_answers(material)
    going = [a for a in answers if a.status == "GO"]
    able = ", ".join(_able(a) for a in going)
    start = f"{len(going)} of {len(answers)} channels can be personalised for {material.initiative!r}"
    if any(a.counted.startswith("within ") for a in going):
        start += f", within {scope_words(material)}"
    stopped = [
        f"{a.label} is {'left out' if a.status == 'LEFT OUT' else 'blocked'} because {_because(a)}"
        for a in answers
        if a.status != "GO"
    ]
    return "; ".join([f"{start}: {able}" if able else start, *stopped]) + "."


def _able(answer: ChannelAnswer) -> str:
    early = f", {answer.counted}" if answer.counted.startswith("before ") else ""
    later = ", once profiles are passed on from batch" if answer.condition else ""
    return f"{answer.label} ({answer.reachable} people{early}{later})"


def _because(answer: ChannelAnswer) -> str:
    return sentence_inside(answer.why)


def verdict(material: Material) -> str:
    """Return the first sentence of the report: what can be personalised, and what cannot."""
    answers = channel_answers(material)
    going = [a.label for a in answers if a.status == "GO"]
    blocked = [a.label for a in answers if a.status == "BLOCKED"]
    left_out = [a.label for a in answers if a.status == "LEFT OUT"]
    parts = []
    if going and not blocked and not left_out:
        parts.append(f"{'All channels' if len(going) > 1 else words(going)} can be personalised")
    elif going:
        parts.append(f"{words(going)} can be personalised")
    else:
        parts.append("No channel can be personalised yet")
    if blocked:
        parts.append(f"{words(blocked)} {'are' if len(blocked) > 1 else 'is'} blocked")
    if left_out:
        parts.append(f"{words(left_out)} {'were' if len(left_out) > 1 else 'was'} left out as asked")
    return "; ".join(parts) + "."


def staleness(table: TableFact) -> str:
    """Return since when a source is stale and by how much, or '' for a fresh one."""
    if not table.stale or table.newest is None or table.freshness_sla_hours is None:
        return "no row with a time" if table.stale else ""
    since = table.newest + timedelta(hours=table.freshness_sla_hours)
    old = age(table.age_hours) if table.age_hours is not None else "older"
    return (
        f"no new rows since {moment(table.newest)}: {old} old, {age(table.freshness_sla_hours)} allowed, "
        f"so stale since {moment(since)}"
    )


def not_understood(material: Material) -> tuple[tuple[str, str], ...]:
    """Return what was not understood or could not be mapped, each with what could be done."""
    goals = material.objectives
    left = [(repr(c.text), c.effect) for c in goals.constraints if not c.understood]
    if goals.timeline is not None and not goals.timeline.understood:
        left.append((repr(goals.timeline.text), goals.timeline.effect))
    left += [(f"the metric {m.asked!r}", m.missing) for m in goals.metrics if not m.mapped]
    return tuple(left)


def at_a_glance(material: Material) -> tuple[Glance, ...]:
    """Return the questions a first-time reader comes with, each with its answer in figures."""
    stale = [
        f"{t.table if t.table == t.role else f'{t.table} ({t.role})'}: {staleness(t)}"
        for t in material.inventory.tables
        if t.stale
    ]
    unclear = not_understood(material)
    return (
        Glance("Which attribute may not be used, and why?", _barred_line(material), "attributes"),
        Glance("Which source is stale?", ". ".join(stale) + "." if stale else "None.", "sources"),
        Glance("How big are the profiles?", _sizes_line(material), "profiles"),
        Glance(
            "What was not understood?",
            f"{len(unclear)} part{'s' if len(unclear) > 1 else ''} of the request: "
            f"{words(text for text, _ in unclear)}."
            if unclear
            else "Nothing was left aside.",
            "request",
        ),
        Glance("How sure are we about effects?", effects_line(material), "measurability"),
        Glance("Is it signed?", f"{UNSIGNED} It is to be signed by {signers(material)}.", "next"),
    )


def _barred_line(material: Material) -> str:
    barred = material.barred
    if not barred:
        return "Every attribute of the catalog may be used."
    serious = [b for b in barred if b.sensitivity in {"special", "proxy"}] or list(barred[:2])
    shown = "; ".join(f"{b.name}: {sentence_inside(b.why)}" for b in serious[:3])
    rest = len(barred) - len(serious[:3])
    return f"{shown}." + (f" And {rest} more for other reasons." if rest else "")


def _sizes_line(material: Material) -> str:
    ranked = sorted(material.profiles.profiles, key=lambda p: (-p.size, p.profile_id))
    if not ranked:
        return "No profile could be formed from this data."
    sizes = ", ".join(f"{p.name} {people(p.size, material.minimum)}" for p in ranked)
    return f"{len(ranked)} profiles, by people who fit, before consent: {sizes}."


def effects_line(material: Material) -> str:
    """Return how sure one can be about effects: which profiles can show a lift, how small, how soon."""
    measures = material.measurability.measures
    names = {p.profile_id: p.name for p in material.profiles.profiles}
    holdout = percent(material.measurability.holdout)
    lifts = [
        (m.detectable, names.get(m.profile_id, m.profile_id), m.metric) for m in measures if m.detectable
    ]
    smallest = ""
    if lifts:
        lift, name, metric = min(lifts)
        smallest = (
            f" With today's people the smallest lift that can be seen is {percent(lift)} ({name}, {metric})."
        )
    seen = sorted(
        (m.days, names.get(m.profile_id, m.profile_id), m.metric) for m in measures if m.days is not None
    )
    if not measures:
        return "Nothing is claimed: no profile has a metric that could show an effect."
    if not seen:
        return (
            f"Nothing is claimed, and little can be seen: as things are, none of {len(measures)} profile and "
            f"metric pairs would show a relative lift of 10% (power 0.8, {holdout} holdout).{smallest}"
        )
    days, name, metric = seen[0]
    return (
        f"Nothing is claimed yet. {len(seen)} of {len(measures)} profile and metric pairs would show a "
        f"relative lift of 10% (power 0.8, {holdout} holdout), the quickest ({name}, {metric}) after "
        f"{days:,} days.{smallest}"
    )


def next_steps(material: Material) -> tuple[str, ...]:
    """Return what happens next, in order, with names."""
    open_points = material.open_points
    who = sorted({decider(f.decides, material.config, material.as_of) for f in open_points})
    steps = []
    if open_points:
        steps.append(
            f"Decide the {len(open_points)} open point{'s' if len(open_points) > 1 else ''} below: "
            f"{'; '.join(who)}."
        )
    steps.append(
        f"Sign or send back: {signers(material)}. `gtm approvals list` shows the question, "
        "`gtm approvals approve ID` signs, `gtm approvals request-changes ID` sends it back with a reason. "
        "A signature binds every file of this folder and the figures behind them, by their digests, and the "
        "plan's revision: `gtm approvals show ID` lists them. Change one, and it is void."
    )
    steps.append(
        "After the sign-off the files in this folder do not change; hand activation-checklist.md to the "
        "owners of the channels. Nothing is live before that."
    )
    steps.append(
        "When data, constraints or consent change, run `gtm define-profiles` again; it logs what changed."
    )
    return tuple(steps)
