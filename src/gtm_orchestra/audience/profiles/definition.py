"""Audience profiles computed from the data at hand: who they are, how many, reachable where, and why.

An audience profile is a segment of people (as a HubSpot list or a Braze segment), not one person's record.
Everything is counted where the data lies, in a handful of aggregate queries; the same data, configuration
and as-of give the same profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

import ibis

from gtm_orchestra.audience.contracts import (
    AttributeFact,
    ConsentReport,
    Finding,
    Inventory,
    Objectives,
    Overlap,
    Profile,
    Profiles,
    TreeNode,
)
from gtm_orchestra.audience.profiles.admission import Admission, admit
from gtm_orchestra.audience.profiles.choosing import read
from gtm_orchestra.audience.profiles.distributions import count_values, measure
from gtm_orchestra.audience.profiles.limits import Limits, eligible, read_limits
from gtm_orchestra.audience.profiles.novelty import Rival, find_rivals
from gtm_orchestra.audience.profiles.patterns import candidates
from gtm_orchestra.audience.profiles.scores import Score, score_profiles
from gtm_orchestra.audience.profiles.selection import (
    FEWEST,
    Choice,
    goal_phases,
    shortlist,
    too_small,
    within_bounds,
)
from gtm_orchestra.audience.profiles.signals import read_signals
from gtm_orchestra.audience.profiles.tally import Tally, tally
from gtm_orchestra.audience.profiles.tree import FALLBACK, Question, grow
from gtm_orchestra.audience.wording import in_figures
from gtm_orchestra.conditions import Condition, all_of, parse, to_english, to_ibis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.audience.profiles.candidates import Candidate
    from gtm_orchestra.audience.profiles.reading import Reading
    from gtm_orchestra.config import Channel, Config
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["define_profiles"]

_DISTINCT = 60  # a text column with more values than this is no segment of anybody


@dataclass(frozen=True)
class _Work:
    """What every step of the definition needs."""

    frame: PeopleFrame
    config: Config
    as_of: datetime
    inventory: Inventory
    admission: Admission
    limits: Limits
    reading: Reading
    minimum: int

    def condition(self, candidate: Candidate) -> Condition:
        """Return whom a candidate means, within the constraints."""
        clauses = [clause.condition for clause in candidate.clauses]
        return parse(eligible(self.limits, clauses), self.frame.schema)

    def attributes(self, candidate: Candidate) -> tuple[str, ...]:
        """Return every attribute a candidate reads, those of the constraints included."""
        scope = self.limits.scope.attributes if self.limits.scope is not None else frozenset()
        return tuple(sorted(candidate.attributes | scope))

    def purposes(self, candidate: Candidate) -> tuple[str, ...]:
        """Return the purposes that the use of its attributes needs consent for."""
        facts = {fact.name: fact for fact in self.inventory.attributes}
        needed = (facts[name].consent for name in self.attributes(candidate) if name in facts)
        return tuple(sorted({purpose for purpose in needed if purpose is not None}))


def define_profiles(
    frame: PeopleFrame,
    config: Config,
    *,
    objectives: Objectives,
    inventory: Inventory,
    consent: ConsentReport,
    as_of: datetime,
) -> Profiles:
    """Return up to eight audience profiles of the people in a frame.

    A profile's size counts everyone who meets its eligibility, before consent and suppression; its volume on
    a channel counts those who also consented to the channel's purpose (and to every purpose that its
    attributes need), are addressable there and not suppressed there. Both are independent of the order of
    the tree; the tree puts each person into the first profile that fits.

    Args:
        frame: The people, one row each.
        config: Catalog, channels, suppressions and the group minimum.
        objectives: Constraints apply to every profile; the goals decide which profiles come first.
        inventory: Which attributes may be used.
        consent: What the consent review said about each channel; blocked ones are named in the evidence.
        as_of: The moment that "now" means, with a time zone.
    """
    as_of = as_of.astimezone(UTC)
    purposes = tuple(
        sorted(c.removeprefix("consent__") for c in frame.table.columns if c.startswith("consent__"))
    )
    limits = read_limits(objectives, config, frame.schema, purposes)
    admission = admit(inventory, config=config, objectives=objectives, schema=frame.schema, purposes=purposes)
    if limits.impossible:
        return _nobody(frame, admission, limits.impossible)
    minimum = config.policies.group_minimum
    base = _in_scope(frame, limits)
    reading = _read(frame, limits, admission, config, as_of=as_of)
    work = _Work(frame, config, as_of, inventory, admission, limits, reading, minimum)
    found = candidates(reading)
    counted = _count(work, found, purposes)
    chosen, small = shortlist(
        found, counted, goals=goal_phases(objectives), minimum=minimum, people=reading.people
    )
    rivals = _rivals(work, base, [choice.candidate for choice in chosen])
    chosen, redundant = _without_redundant(chosen, rivals)
    chosen = within_bounds(chosen)
    members = {c.candidate.key: to_ibis(work.condition(c.candidate), base) for c in chosen}
    lasting = {choice.candidate.key: choice.candidate.lasts_days for choice in chosen}
    scores = score_profiles(base, members, reading, lasting=lasting, as_of=as_of, read=frame.read)
    blocked = {reach.channel: reach.why for reach in consent.channels if not reach.go}
    profiles, findings = [], too_small(small, chosen, counted, minimum=minimum)
    for choice in chosen:
        key = choice.candidate.key
        volume, hidden = _volume(work, choice.candidate, counted)
        findings += hidden
        profiles.append(_profile(work, choice, counted, scores[key], rivals.get(key), volume, blocked))
    tree, unassigned = _tree(work, chosen, counted)
    findings += [*redundant, *_unreviewed(work, profiles), *_too_few(reading, profiles, minimum)]
    return Profiles(
        profiles=tuple(profiles),
        overlaps=_overlaps(chosen, counted, minimum),
        tree=tree,
        unassigned=unassigned,
        reachable=_reachable(work, counted),
        excluded=dict(admission.excluded),
        findings=tuple(sorted(findings, key=lambda finding: finding.finding_id)),
    )


def _in_scope(frame: PeopleFrame, limits: Limits) -> Any:  # noqa: ANN401 - ibis has no types
    """Return the people whose figures cuts are taken from: within the constraints, and not staff or bots."""
    return frame.table.filter(_typical(frame.table, limits))


def _typical(table: Any, limits: Limits) -> Any:  # noqa: ANN401 - ibis has no types
    scope = to_ibis(limits.scope, table) if limits.scope is not None else ibis.literal(value=True)
    return reduce(and_, [~table[f"suppressed__{name}"] for name in limits.everywhere], scope)


def _read(
    frame: PeopleFrame, limits: Limits, admission: Admission, config: Config, *, as_of: datetime
) -> Reading:
    """Return what the data says. Cuts are of typical people, counts of all whom the constraints allow.

    Counts are of one base, sizes included: two that differ by a few people would tell how many those are.
    """
    minimum, table = config.policies.group_minimum, frame.table
    if limits.scope is not None:
        within = table.filter(to_ibis(limits.scope, table))
        allowed = int(frame.read(within.aggregate(people=within.count())).to_pylist()[0]["people"])
        if _may_be_told(frame.people - allowed, minimum):
            table = within
    signals = read_signals(admission.admitted, config.attributes)
    people, distributions = measure(
        table, signals, as_of=as_of, read=frame.read, typical=_typical(table, limits)
    )
    values = {
        signal.attribute: count_values(table, signal.attribute, at_least=minimum, read=frame.read)
        for signal in signals
        if signal.role in {"stage", "group"}
    }
    email = config.channels.get("email") if "email" in limits.channels else None
    return read(
        signals,
        as_of=as_of,
        people=people,
        distributions=distributions,
        values=values,
        currency=config.workspace.currency,
        subscribers=email is not None and f"consent__{email.purpose}" in table.columns,
    )


def _may_be_told(people: int, minimum: int) -> bool:
    return people == 0 or people >= minimum


def _count(work: _Work, found: Sequence[Candidate], purposes: Sequence[str]) -> Tally:
    """Count every candidate, its parent and every channel's reach in one query."""
    table = work.frame.table
    everyone = [*found, *(candidate.parent for candidate in found if candidate.parent is not None)]
    statements: dict[str, Any] = {c.key: to_ibis(work.condition(c), table) for c in everyone}
    for channel in work.limits.channels:
        statements[f"reach:{channel}"] = _reach(work, channel)
    for purpose in purposes:
        statements[f"consent:{purpose}"] = _granted(table, purpose)
    nobody = ibis.literal(value=False)
    statements["suppressed"] = reduce(
        or_, [table[f"suppressed__{n}"] for n in work.limits.everywhere], nobody
    )
    scope = work.limits.scope
    statements["scope"] = to_ibis(scope, table) if scope is not None else ibis.literal(value=True)
    return tally(table, statements, read=work.frame.read)


def _granted(table: Any, purpose: str) -> Any:  # noqa: ANN401 - ibis has no types
    # No status counts as no: a missing value must never be null in a count, nor a yes.
    return ibis.coalesce(table[f"consent__{purpose}"] == "granted", ibis.literal(value=False))


def _reach(work: _Work, channel: Channel) -> Any:  # noqa: ANN401 - ibis has no types
    table, settings = work.frame.table, work.config.channels.get(channel)
    needed = {f"addressable__{channel}"} | (
        {f"consent__{settings.purpose}"} if settings is not None else set()
    )
    if settings is None or not needed <= set(table.columns):
        return ibis.literal(value=False)
    kept_in = [~table[f"suppressed__{name}"] for name in work.limits.by_channel[channel]]
    return reduce(and_, kept_in, _granted(table, settings.purpose) & table[f"addressable__{channel}"])


def _reachable(work: _Work, counted: Tally) -> dict[Channel, int | None]:
    """Return whom each channel reaches within the constraints, where that and what drops out may be told."""
    found: dict[Channel, int | None] = {}
    if work.limits.scope is None:
        return found
    for channel in work.limits.channels:
        everyone = counted.count([f"reach:{channel}"])
        people = counted.count(["scope", f"reach:{channel}"])
        if not _may_be_told(people, work.minimum):
            found[channel] = None
        elif _may_be_told(everyone - people, work.minimum):
            found[channel] = people
    return found


def _rivals(work: _Work, base: Any, found: Sequence[Candidate]) -> dict[str, Rival]:  # noqa: ANN401
    """Compare with every column of the source that may be shown: plain ones, not events counted by us."""
    cuts: dict[str, list[Any]] = {}
    for candidate in found:
        for threshold in candidate.thresholds:
            if threshold.operator in {"$gt", "$gte", "$lt", "$lte"}:
                cuts.setdefault(threshold.attribute, []).append(threshold.value)
    columns = []
    for fact in work.inventory.attributes:
        settings = work.config.attributes.get(fact.name)
        plain = fact.name in work.frame.schema and (settings is None or settings.column is not None)
        open_to_all = fact.sensitivity not in {"special", "proxy"} and not fact.personal_data
        if plain and open_to_all and _is_segment(fact):
            columns.append(fact)
            if fact.type == "timestamp":
                moments = [datetime.fromisoformat(str(value)) for value in cuts.get(fact.name, [])]
                cuts[fact.name] = [moment.replace(tzinfo=None) for moment in moments]
    profiles = {candidate.key: to_ibis(work.condition(candidate), base) for candidate in found}
    return find_rivals(base, profiles, columns=columns, cuts=cuts, minimum=work.minimum, read=work.frame.read)


def _is_segment(fact: AttributeFact) -> bool:
    return fact.type != "string" or (fact.distinct is not None and fact.distinct <= _DISTINCT)


def _without_redundant(
    chosen: Sequence[Choice], rivals: Mapping[str, Rival]
) -> tuple[list[Choice], list[Finding]]:
    """Drop what is a value of a column under another name, unless too few profiles would be left."""
    kept, findings, left = [], [], len(chosen)
    for choice in reversed(chosen):
        rival = rivals.get(choice.candidate.key)
        if rival is None or not rival.is_the_same or choice.candidate.stands_alone:
            kept.append(choice)
            continue
        dropped = left > FEWEST
        left -= dropped
        if not dropped:
            kept.append(choice)
        findings.append(_redundant(choice.candidate, rival, dropped=dropped))
    return kept[::-1], findings


def _redundant(candidate: Candidate, rival: Rival, *, dropped: bool) -> Finding:
    verdict = (
        "it is left out" if dropped else f"it is kept, because fewer than {FEWEST} profiles would be left"
    )
    return Finding(
        kind="redundant",
        severity="info",
        subject=candidate.key,
        message=f"{candidate.name!r} tells hardly more than {rival.says} "
        f"(Jaccard index {rival.jaccard:.2f}); {verdict}.",
        evidence={"jaccard": round(rival.jaccard, 4), "precision": round(rival.precision, 4)},
        mend="Use the column itself.",
    )


def _volume(work: _Work, candidate: Candidate, counted: Tally) -> tuple[dict[Channel, int], list[Finding]]:
    """Return people per channel; a number under the group minimum becomes 0 and a finding."""
    volume: dict[Channel, int] = {}
    needed = [f"consent:{purpose}" for purpose in work.purposes(candidate)]
    for channel in work.limits.channels:
        people = counted.count([candidate.key, f"reach:{channel}", *needed])
        volume[channel] = people if people >= work.minimum else 0
    few = [channel for channel, people in volume.items() if not people]
    if not few:
        return volume, []
    where = few[0] if len(few) == 1 else f"{', '.join(few[:-1])} and {few[-1]}"
    finding = Finding(
        finding_id=f"small_group:{candidate.key}:volume",
        kind="small_group",
        severity="info",
        subject=candidate.key,
        message=f"{candidate.name!r} reaches fewer than {work.minimum:,} people on {where}, after consent "
        "and suppression; it is blocked there, and shown as 0.",
        evidence={"group_minimum": work.minimum, "channels": ",".join(few)},
        mend=f"Ask for consent on {where}, or leave {'the channel' if len(few) == 1 else 'these channels'} "
        "out for this profile.",
        waivable=False,
    )
    return volume, [finding]


def _profile(
    work: _Work,
    choice: Choice,
    counted: Tally,
    score: Score,
    rival: Rival | None,
    volume: Mapping[Channel, int],
    blocked: Mapping[Channel, str],
) -> Profile:
    candidate = choice.candidate
    size = counted.count([candidate.key])
    attributes = work.attributes(candidate)
    drafts = sorted(work.admission.drafts & set(attributes))
    why_not = []
    if drafts:
        why_not.append(f"not reviewed yet: {', '.join(drafts)}; accept them with 'gtm catalog review'")
    if not any(volume.values()):
        why_not.append(f"reaches fewer than {work.minimum:,} people on every channel")
    suppression = work.limits.suppression
    return Profile(
        profile_id=candidate.key,
        name=candidate.name,
        description=_describe(candidate, work.limits),
        lifecycle_stage=candidate.phase,
        eligibility=work.condition(candidate).to_json(),
        suppression=suppression.to_json() if suppression is not None else None,
        thresholds=tuple(dict.fromkeys(candidate.thresholds)),
        score=score.parts,
        half_life=f"{score.half_life_days}d",
        decay_window=f"{score.decay_days}d",
        attributes=attributes,
        size=size,
        share=round(size / work.frame.people, 4),
        volume=dict(volume),
        fallback="the channel's default content, which everyone sees who is in no profile, suppressed, or "
        "without consent",
        evidence=_evidence(work, candidate, score, volume, blocked),
        added_over=rival.sentence() if rival is not None else _NO_RIVAL,
        deployable=not why_not,
        why_not="; ".join(why_not),
        parent=choice.in_place_of or None,
    )


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else in_figures(value)


_NO_RIVAL = "No existing column finds these people notably more often than anybody else."


def _describe(candidate: Candidate, limits: Limits) -> str:
    says = "; ".join(clause.says for clause in candidate.clauses)
    within = f" Within: {'; '.join(limits.words)}." if limits.words else ""
    return f"{candidate.about}: {says}.{within}"


def _evidence(
    work: _Work,
    candidate: Candidate,
    score: Score,
    volume: Mapping[Channel, int],
    blocked: Mapping[Channel, str],
) -> tuple[str, ...]:
    lines = [
        f"{threshold.attribute} {threshold.operator} {_plain(threshold.value)}: {threshold.evidence}."
        for threshold in dict.fromkeys(candidate.thresholds)
    ]
    lines += score.reasons
    purposes = work.purposes(candidate)
    if purposes:
        lines.append(
            f"Volumes also need consent for {', '.join(purposes)}, which its attributes are used under."
        )
    lines += [f"Blocked on {channel}: {why}" for channel, why in sorted(blocked.items()) if channel in volume]
    return tuple(lines)


def _overlaps(chosen: Sequence[Choice], counted: Tally, minimum: int) -> tuple[Overlap, ...]:
    """Return the people each two profiles share; fewer than the minimum are not shown, none is shown as 0."""
    keys = sorted(choice.candidate.key for choice in chosen)
    pairs = [(left, right) for at, left in enumerate(keys) for right in keys[at + 1 :]]
    shared = [Overlap(left=left, right=right, people=counted.count([left, right])) for left, right in pairs]
    return tuple(overlap for overlap in shared if overlap.people == 0 or overlap.people >= minimum)


def _tree(work: _Work, chosen: Sequence[Choice], counted: Tally) -> tuple[TreeNode, int]:
    """Return the decision tree and how many people end in no profile; both hide groups under the minimum.

    Those kept out who are fewer than the minimum are not taken out of the counts that follow, because
    the difference would tell how many they are.
    """
    limits, questions = work.limits, []
    passed: list[str] = []
    told = True
    if limits.suppression is not None:
        text = (
            f"Kept out by a suppression ({', '.join(limits.everywhere)}): {to_english(limits.suppression)}?"
        )
        asked, people = work.frame.people, counted.count(["suppressed"])
        questions.append(
            Question(text, limits.suppression.to_json(), FALLBACK, _shown(asked, work), _shown(people, work))
        )
        if _may_be_told(people, work.minimum):
            passed.append("suppressed")
    if limits.scope is not None:
        text = f"Within the constraints ({'; '.join(limits.words)}): {to_english(limits.scope)}?"
        asked = counted.count(none=passed)
        people = asked - counted.count(["scope"], none=passed)
        told = _may_be_told(people, work.minimum)
        questions.append(
            Question(
                text,
                limits.scope.to_json(),
                FALLBACK,
                _shown(asked, work),
                _shown(people, work),
                must_hold=True,
            )
        )
    assigned = 0
    for choice in chosen:
        candidate = choice.candidate
        condition = parse(all_of(*(clause.condition for clause in candidate.clauses)), work.frame.schema)
        asked = counted.count(["scope"], none=passed)
        people = counted.count([candidate.key], none=passed)
        assigned += people
        text = f"{candidate.name}: {'; '.join(clause.says for clause in candidate.clauses)}?"
        shown = _shown(asked, work) if told else None
        questions.append(Question(text, condition.to_json(), candidate.key, shown, _shown(people, work)))
        passed.append(candidate.key)
    rest = counted.count(["scope"], none=passed)
    unassigned = work.frame.people - assigned
    return grow(questions, rest=_shown(rest, work) if told else None), _shown(unassigned, work) or 0


def _shown(people: int, work: _Work) -> int | None:
    return people if _may_be_told(people, work.minimum) else None


def _unreviewed(work: _Work, profiles: Sequence[Profile]) -> list[Finding]:
    findings = []
    for name in sorted(work.admission.drafts):
        using = [profile.name for profile in profiles if name in profile.attributes]
        if using:
            findings.append(
                Finding(
                    kind="unreviewed",
                    severity="warning",
                    subject=name,
                    message=f"{name!r} stands in {len(using)} draft profile{'s' if len(using) > 1 else ''} "
                    f"and nobody has accepted it yet: {', '.join(using)}.",
                    evidence={"profiles": len(using)},
                    mend="Run 'gtm catalog review' and accept or deny it.",
                    decides="privacy-lead",
                )
            )
    return findings


def _too_few(reading: Reading, profiles: Sequence[Profile], minimum: int) -> list[Finding]:
    if len(profiles) >= FEWEST:
        return []
    lacking = [
        words
        for words, present in (
            ("a lifecycle stage", reading.stages),
            ("when people were last seen", reading.recency),
            ("how much they do", reading.depth),
            ("when they started", reading.tenure),
            ("steps they take", reading.milestones),
        )
        if not present
    ]
    reason = (
        f"no usable attribute says {', '.join(lacking)}" if lacking else "its groups are too small or alike"
    )
    return [
        Finding(
            kind="unavailable",
            severity="warning",
            subject="profiles",
            message=f"The people in scope give {len(profiles)} profile{'' if len(profiles) == 1 else 's'} "
            f"of at least {minimum:,} people instead of {FEWEST} or more: {reason}.",
            evidence={
                "profiles": len(profiles),
                "people": reading.people if reading.people >= minimum else None,
            },
            mend="Add such attributes to the catalog, or accept fewer profiles.",
        )
    ]


def _nobody(frame: PeopleFrame, admission: Admission, findings: Sequence[Finding]) -> Profiles:
    return Profiles(
        profiles=(),
        overlaps=(),
        tree=TreeNode(leaf=FALLBACK, people=frame.people),
        unassigned=frame.people,
        excluded=dict(admission.excluded),
        findings=tuple(findings),
    )
