"""Objective intake: what an initiative wants, for whom, by when and within which limits.

Words come from the inputs, every figure from the data: personas are the lifecycle stages that people are in
today, baselines are counted. Nothing that was asked for is dropped; what is not understood is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.contracts import Finding, MetricReading, Objectives, Persona
from gtm_orchestra.audience.request.constraints import read_constraints
from gtm_orchestra.audience.request.kpis import read_metrics
from gtm_orchestra.audience.request.timeline import read_timeline
from gtm_orchestra.audience.request.vocabulary import FrameVocabulary
from gtm_orchestra.audience.wording import tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from gtm_orchestra.audience.contracts import ConstraintReading, TimelineReading
    from gtm_orchestra.config import Channel, Config, MetricSettings
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["Request", "scope_of", "shown", "take_objectives"]

_STAGE_ORDER = (
    *(
        "visitor",
        "subscriber",
        "lead",
        "marketingqualifiedlead",
        "mql",
        "salesqualifiedlead",
        "sql",
        "prospect",
    ),
    *("signup", "opportunity", "trial", "trialing", "onboarding", "free", "activated", "active", "customer"),
    *("paying", "paid", "expansion", "evangelist", "dormant", "atrisk", "churned", "former"),
)
_NAMES = {
    "marketingqualifiedlead": "Marketing-qualified lead",
    "mql": "Marketing-qualified lead",
    "salesqualifiedlead": "Sales-qualified lead",
    "sql": "Sales-qualified lead",
}
_ROLE_WORDS = ({"function"}, {"persona"}, {"role"}, {"department"}, {"goal"}, {"case"})
_MOST_ROLES = 5
_HARMLESS = {"none", "internal"}


@dataclass(frozen=True)
class Request:
    """What was asked for, as it was written."""

    initiative: str
    channels: tuple[Channel, ...]
    metrics: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    timeline: str | None = None


def take_objectives(
    warehouse: Warehouse, config: Config, as_of: datetime, frame: PeopleFrame, *, request: Request
) -> Objectives:
    """Return the objectives of an initiative, read from its request and counted on the people frame.

    Raises:
        SourceError: The engine refused a query.
    """
    vocabulary = FrameVocabulary(warehouse, frame)
    constraints = read_constraints(
        request.constraints, config=config, vocabulary=vocabulary, channels=request.channels
    )
    scope = scope_of(constraints)
    people = vocabulary.counts([scope])[0] if scope is not None else frame.people
    timeline = None
    if request.timeline is not None and request.timeline.strip():
        timeline = read_timeline(request.timeline, as_of=as_of, timezone=config.workspace.timezone)
    metrics = tuple(
        _with_baseline(warehouse, config, as_of, frame, reading, scope) if reading.mapped else reading
        for reading in read_metrics(request.metrics, config)
    )
    personas, stages = _personas(vocabulary, config, scope, people)
    return Objectives(
        initiative=request.initiative,
        goals=_goals(request, metrics, config, timeline),
        personas=personas,
        lifecycle_stages=stages,
        channels=request.channels,
        metrics=metrics,
        constraints=constraints,
        timeline=timeline,
        findings=_findings(request, constraints, timeline, metrics, people, config.policies.group_minimum),
    )


def scope_of(constraints: Iterable[ConstraintReading]) -> dict[str, Any] | None:
    """Return the condition of the people that the constraints leave, or None when they leave everyone."""
    parts = [reading.eligibility for reading in constraints if reading.eligibility is not None]
    if len(parts) > 1:
        return {"$and": parts}
    return parts[0] if parts else None


def _with_baseline(
    warehouse: Warehouse,
    config: Config,
    as_of: datetime,
    frame: PeopleFrame,
    reading: MetricReading,
    scope: dict[str, Any] | None,
) -> MetricReading:
    import ibis  # noqa: PLC0415 a request can be read without the engine

    from gtm_orchestra.conditions import parse, to_ibis  # noqa: PLC0415
    from gtm_orchestra.warehouse.metrics import STARTS, metric_gap, metric_levels, start_rate  # noqa: PLC0415

    gap = metric_gap(warehouse, config, reading.name)
    if gap:
        return reading.model_copy(update={"mapped": False, "missing": gap})
    settings = config.metrics[reading.name]
    level = start_rate(warehouse, config, frame, as_of, metric=reading.name)
    counted = (
        f"people who started in {STARTS.days} days, up to {settings.window} before the as-of: "
        f"the share with {settings.event} within {settings.window} of their start"
    )
    if level is None or level.units < config.policies.group_minimum:
        everyone = ibis.literal(value=True)
        mask = everyone if scope is None else to_ibis(parse(scope, frame.schema), frame.full)
        groups = {"scope": mask}
        level = metric_levels(warehouse, config, frame, as_of, metric=reading.name, groups=groups)["scope"]
        whom = {"person": "people", "account": "accounts with people"}[level.unit]
        counted = f"{whom} in scope" + ("" if settings.sql else f", in the {settings.window} to the as-of")
    if level.level is None or level.units < config.policies.group_minimum:
        return reading.model_copy(
            update={"counted": f"fewer than {config.policies.group_minimum} people to count it on"}
        )
    return reading.model_copy(
        update={"baseline": round(level.level, 6), "counted": f"{level.units:,} {counted}"}
    )


def _personas(
    vocabulary: FrameVocabulary, config: Config, scope: dict[str, Any] | None, people: int
) -> tuple[tuple[Persona, ...], tuple[str, ...]]:
    """Return the kinds of people in scope, and the lifecycle stages among them, in their order."""
    stage, role = _stage_attribute(vocabulary, config), _role_attribute(vocabulary, config)
    personas: list[Persona] = []
    stages: list[str] = []
    for attribute in filter(None, (stage, role)):
        groups = _groups(vocabulary, attribute, scope, config.policies.group_minimum)
        if attribute == stage:
            groups.sort(key=lambda group: (_stage_rank(group[0]), -group[1], group[0]))
            stages = [value for value, _ in groups]
        else:
            groups = sorted(groups, key=lambda group: (-group[1], group[0]))[:_MOST_ROLES]
        for value, count in groups:
            share = f"{count / people:.0%} of the {people:,} people in scope"
            personas.append(
                Persona(
                    name=_NAMES.get("".join(tokens_of(value)))
                    or value.replace("_", " ").strip().capitalize(),
                    description=f"People whose {attribute} is {value}.",
                    people=count,
                    evidence=f"{attribute} = {value}: {share}, before consent and suppression.",
                )
            )
    return tuple(personas), tuple(stages)


def _groups(
    vocabulary: FrameVocabulary, attribute: str, scope: dict[str, Any] | None, minimum: int
) -> list[tuple[str, int]]:
    large = {
        value: people for value, people in sorted(vocabulary.values(attribute).items()) if people >= minimum
    }
    if scope is None:
        return list(large.items())
    counted = vocabulary.counts([{"$and": [scope, {attribute: value}]} for value in large])
    return [(value, people) for value, people in zip(large, counted, strict=True) if people >= minimum]


def _stage_attribute(vocabulary: FrameVocabulary, config: Config) -> str | None:
    ranked = sorted(
        (0 if "lifecycle" in words else 1, name)
        for name in _harmless_words(vocabulary, config)
        if "lifecycle"
        in (words := set(tokens_of(name)) | set(tokens_of(config.attributes[name].column or "")))
        or "lifecyclestage" in words
        or {"stage"} & words
    )
    return ranked[0][1] if ranked else None


def _role_attribute(vocabulary: FrameVocabulary, config: Config) -> str | None:
    for wanted in _ROLE_WORDS:
        for name in _harmless_words(vocabulary, config):
            if wanted & set(tokens_of(name)):
                return name
    return None


def _harmless_words(vocabulary: FrameVocabulary, config: Config) -> list[str]:
    """Return the accepted string attributes of people that hold words, not identifiers or sensitive data."""
    return sorted(
        name
        for name, kind in vocabulary.schema.items()
        if kind == "string"
        and (settings := config.attributes.get(name)) is not None
        and settings.table == "people"
        and settings.review == "accepted"
        and settings.sensitivity in _HARMLESS
        and vocabulary.values(name)
    )


def _stage_rank(value: str) -> int:
    word = "".join(tokens_of(value))
    return _STAGE_ORDER.index(word) if word in _STAGE_ORDER else len(_STAGE_ORDER)


def _goals(
    request: Request, metrics: Sequence[MetricReading], config: Config, timeline: TimelineReading | None
) -> tuple[str, ...]:
    by = (
        f" by {timeline.due.day} {timeline.due:%B %Y}"
        if timeline is not None and timeline.due is not None
        else ""
    )
    channels = ", ".join(request.channels)
    goals = [f"Personalise {request.initiative} on {channels} for people who agreed to it{by}."]
    for reading in metrics:
        if not reading.mapped:
            continue
        settings = config.metrics[reading.name]
        verb = "Raise" if settings.direction == "increase" else "Lower"
        start = f" from {shown(reading.baseline, settings)}" if reading.baseline is not None else ""
        target = f" to {shown(settings.target, settings)}" if settings.target is not None else ""
        goals.append(f"{verb} {reading.name}{start}{target}.")
    return tuple(goals)


def shown(value: float | None, metric: MetricSettings) -> str:
    """Return a metric's level as a person writes it: a share in per cent, an amount with its unit."""
    if value is None:
        return "unknown"
    if metric.type in {"proportion", "retention"}:
        return f"{value:.1%}"
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"  # noqa: PLR2004 small amounts need decimals
    return f"{number} {metric.unit}".strip()


def _findings(
    request: Request,
    constraints: Sequence[ConstraintReading],
    timeline: TimelineReading | None,
    metrics: Sequence[MetricReading],
    people: int,
    minimum: int,
) -> tuple[Finding, ...]:
    found = [
        _unread(number, reading) for number, reading in enumerate(constraints, 1) if not reading.understood
    ]
    gone = {channel for reading in constraints for channel in reading.excluded_channels}
    if request.channels and gone.issuperset(request.channels):
        found.append(
            _contradiction(
                "channels",
                "The constraints take out every channel that was asked for; nothing is left to personalise.",
                "Drop one of the constraints, or ask for another channel.",
            )
        )
    if people < minimum:
        found.append(
            _contradiction(
                "constraints",
                f"Together the constraints leave fewer than {minimum} people: too few for any profile.",
                "Drop or widen one of the constraints.",
            )
        )
    if timeline is not None and (not timeline.understood or timeline.effect.startswith("Warning")):
        found.append(
            Finding(
                finding_id="timeline:timeline",
                kind="timeline" if timeline.understood else "not_understood",
                severity="warning",
                subject="timeline",
                message=f"Timeline {timeline.text!r}: {timeline.effect}",
                mend="Give a date that can be met, written as year-month-day.",
                decides="personalization-architect",
            )
        )
    found += [
        Finding(
            kind="unmapped_metric",
            severity="warning",
            subject=reading.asked,
            message=f"{reading.asked!r} cannot be counted: {reading.missing}.",
            mend=f"In gtm.toml: {reading.missing}.",
            decides="data-engineer",
        )
        for reading in metrics
        if not reading.mapped
    ]
    return tuple(found)


def _unread(number: int, reading: ConstraintReading) -> Finding:
    known = reading.effect.startswith("Understood")
    return Finding(
        finding_id=f"not_understood:constraint-{number}",
        kind="not_understood",
        # What is understood and cannot be held is worse than what nobody can read: it was a condition.
        severity="blocker" if known else "warning",
        subject=reading.text,
        message=f"Constraint {reading.text!r}: {reading.effect}",
        mend="Mend what is named."
        if known
        else "Write it in one of the forms named, or have a person see to it.",
        decides=reading.note_for,
    )


def _contradiction(subject: str, message: str, mend: str) -> Finding:
    return Finding(
        kind="contradiction",
        severity="blocker",
        subject=subject,
        message=message,
        mend=mend,
        decides="personalization-architect",
        waivable=False,
    )
