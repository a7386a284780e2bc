"""Measurability: whether an effect on a profile could be seen, how small a one, and after how long.

The baseline is counted where the outcome is known: on the people who would have been in the profile one
metric window ago, over the window since. Power is that of a two-sided test at 5% between personalised people
and a random holdout (statsmodels: NormalIndPower on Cohen's h for shares, TTestIndPower on Cohen's d for
amounts; Cohen 1988). Where the numbers are too small, the verdict says so instead of giving a date.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeAlias

import ibis

from gtm_orchestra.audience.activation import attributes_of
from gtm_orchestra.audience.contracts import Finding, Measurability, Measure
from gtm_orchestra.audience.request.objectives import shown
from gtm_orchestra.conditions import parse, to_ibis
from gtm_orchestra.config import parse_duration
from gtm_orchestra.warehouse.metrics import metric_gap, metric_levels
from gtm_orchestra.warehouse.people import people_frame
from gtm_orchestra.warehouse.values import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gtm_orchestra.audience.contracts import ConsentReport, Objectives, Profile, Profiles
    from gtm_orchestra.config import Channel, Config, MetricSettings
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.metrics import MetricLevel
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["LIFT", "POWER", "Design", "detectable_lift", "measure_profiles", "units_needed"]

Mask: TypeAlias = Any  # ibis ships no precise type for a boolean column

ALPHA, POWER = 0.05, 0.8
LIFT = 0.1  # the relative lift that a duration is given for
_INFLOW_WEEKS = 4
_LONGEST_DAYS = 365
_MANY = 1_000_000
_TENFOLD = 10
_WEEK = timedelta(weeks=1)
_TOGETHER = "*"  # everyone who is in any of the profiles; no profile can be called that
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


@dataclass(frozen=True)
class Design:
    """How people are split, and what their outcome looks like without a change.

    Attributes:
        holdout: Share of people who keep what everyone sees; between 0 and 1, both excluded.
        baseline: The metric's level.
        deviation: Standard deviation of one unit; None for a share, whose deviation follows from its level.
    """

    holdout: float
    baseline: float
    deviation: float | None = None

    @property
    def ratio(self) -> float:
        """Personalised people per person of the holdout."""
        return (1 - self.holdout) / self.holdout


def detectable_lift(design: Design, units: float, *, direction: str = "increase") -> float | None:
    """Return the smallest relative change seen with power 0.8 among some units; None if none can be seen.

    >>> round(detectable_lift(Design(0.5, 0.2), 10_000), 3)
    0.114
    """
    holdout = units * design.holdout
    if holdout < 2 or design.baseline <= 0:  # noqa: PLR2004 a variance needs two
        return None
    from statsmodels.stats.power import NormalIndPower, TTestIndPower  # noqa: PLC0415 slow to import

    wanted = {
        "nobs1": holdout,
        "alpha": ALPHA,
        "power": POWER,
        "ratio": design.ratio,
        "alternative": "two-sided",
    }
    if design.deviation is not None:
        effect = float(TTestIndPower().solve_power(effect_size=None, **wanted))
        return effect * design.deviation / design.baseline
    effect = float(NormalIndPower().solve_power(effect_size=None, **wanted))
    angle = 2 * math.asin(math.sqrt(design.baseline)) + (effect if direction == "increase" else -effect)
    if not 0 <= angle <= math.pi:
        return None
    return abs(math.sin(angle / 2) ** 2 / design.baseline - 1)


def units_needed(design: Design, *, lift: float = LIFT, direction: str = "increase") -> float | None:
    """Return how many units, both groups together, show a relative lift with power 0.8; None if none do.

    >>> round(units_needed(Design(0.5, 0.2)))
    13015
    """
    from statsmodels.stats.power import NormalIndPower, TTestIndPower  # noqa: PLC0415 slow to import
    from statsmodels.stats.proportion import proportion_effectsize  # noqa: PLC0415 slow to import

    if design.baseline <= 0:
        return None
    wanted = {"alpha": ALPHA, "power": POWER, "ratio": design.ratio, "alternative": "two-sided"}
    if design.deviation is not None:
        if design.deviation == 0:
            return None
        effect = lift * design.baseline / design.deviation
        return float(TTestIndPower().solve_power(effect_size=effect, **wanted)) / design.holdout
    changed = design.baseline * (1 + lift if direction == "increase" else 1 - lift)
    if changed >= 1:
        return None
    effect = abs(float(proportion_effectsize(changed, design.baseline)))
    return float(NormalIndPower().solve_power(effect_size=effect, **wanted)) / design.holdout


def measure_profiles(
    warehouse: Warehouse,
    config: Config,
    as_of: datetime,
    *,
    objectives: Objectives,
    consent: ConsentReport,
    profiles: Profiles,
) -> Measurability:
    """Return one measure per profile and mapped metric, in their order.

    Raises:
        SourceError: The engine refused a query.
    """
    frame = people_frame(warehouse, config, as_of)
    gone = {channel for reading in objectives.constraints for channel in reading.excluded_channels}
    open_channels = [one.channel for one in consent.channels if one.go and one.channel not in gone]
    channels = [channel for channel in objectives.channels if channel in open_channels]
    reach = _reach(warehouse, config, as_of, frame, profiles.profiles, channels)
    order = [profile.profile_id for profile in profiles.profiles]
    measures: list[Measure] = []
    together: dict[str, Measure] = {}
    for reading in objectives.metrics if order else ():
        if not reading.mapped:
            continue
        name, gap = reading.name, metric_gap(warehouse, config, reading.name)
        levels = {} if gap else _levels(warehouse, config, as_of, profiles.profiles, name)
        measures += [_measure(config, one, name, reach[one], levels.get(one), gap) for one in order]
        together[name] = _measure(config, _TOGETHER, name, reach[_TOGETHER], levels.get(_TOGETHER), gap)
    measures.sort(key=lambda one: order.index(one.profile_id))
    return Measurability(
        holdout=config.policies.holdout,
        measures=tuple(measures),
        findings=tuple(
            _findings(
                measures,
                together,
                config.policies.holdout,
                {one.profile_id: one.name for one in profiles.profiles},
            )
        ),
    )


@dataclass(frozen=True)
class _Reach:
    """People of a profile who can be reached on any open channel, and how many of them are new per week."""

    people: int
    per_week: float


def _reach(
    warehouse: Warehouse,
    config: Config,
    as_of: datetime,
    frame: PeopleFrame,
    profiles: Sequence[Profile],
    channels: Sequence[Channel],
) -> dict[str, _Reach]:
    table = frame.full
    reachable = ibis.literal(value=False)
    for channel in channels:
        reachable |= _on_channel(config, table, channel)
    created = table["created:"]
    recent = (created > moment(as_of - _INFLOW_WEEKS * _WEEK)) & (created <= moment(as_of))
    inside = {
        one.profile_id: _members(one, frame) & reachable & _may_use(config, table, one) for one in profiles
    }
    inside[_TOGETHER] = reduce(or_, inside.values(), ibis.literal(value=False))
    counts: dict[str, Mask] = {}
    for number, mask in enumerate(inside.values()):
        counts[f"people{number}"] = table.count(where=mask)
        counts[f"new{number}"] = table.count(where=mask & _known(recent))
    found = warehouse.rows(table.aggregate(**counts))[0]
    return {
        name: _Reach(int(found[f"people{number}"]), found[f"new{number}"] / _INFLOW_WEEKS)
        for number, name in enumerate(inside)
    }


def _known(mask: Mask) -> Mask:
    """Return a mask in which nothing known is no."""
    return ibis.coalesce(mask, ibis.literal(value=False))


def _may_use(config: Config, table: ibis.Table, profile: Profile) -> Mask:
    """Return who consented to every purpose that the attributes of a profile need."""
    inside = ibis.literal(value=True)
    used = (config.attributes[name].consent for name in profile.attributes if name in config.attributes)
    for purpose in sorted({purpose for purpose in used if purpose is not None}):
        column = f"consent__{purpose}"
        known = column in table.columns
        inside &= _known(table[column] == "granted") if known else ibis.literal(value=False)
    return inside


def _on_channel(config: Config, table: ibis.Table, channel: Channel) -> Mask:
    inside = table[f"addressable__{channel}"] & (
        table[f"consent__{config.channels[channel].purpose}"] == "granted"
    )
    for name, suppression in config.suppressions.items():
        if channel in suppression.channels:
            inside &= ~table[f"suppressed__{name}"]
    return _known(inside)


def _members(profile: Profile, frame: PeopleFrame) -> Mask:
    inside = to_ibis(parse(profile.eligibility, frame.schema), frame.full)
    if profile.suppression:
        inside &= ~to_ibis(parse(profile.suppression, frame.schema), frame.full)
    return inside


def _levels(
    warehouse: Warehouse, config: Config, as_of: datetime, profiles: Sequence[Profile], metric: str
) -> dict[str, MetricLevel]:
    """Return the metric over the window to the as-of, of those who were in each profile when it began.

    A metric of `sql` has no window of its own; it is taken over the people of today.
    """
    settings = config.metrics[metric]
    length = timedelta(0) if settings.sql is not None else parse_duration(settings.window)
    start = as_of - length
    used = {name for profile in profiles for name in profile.attributes}
    # Only what membership needs: consent and suppression say nothing about an outcome.
    lean = {name: one for name, one in config.attributes.items() if name in used}
    narrow = config.model_copy(update={"attributes": lean, "suppressions": {}, "channels": {}})
    before = people_frame(warehouse, narrow, start)
    there = before.full["created:"].isnull() | (before.full["created:"] <= moment(start))
    groups: dict[str, Mask] = {}
    for profile in profiles:
        eligibility = _shifted(profile.eligibility, length)
        suppression = _shifted(profile.suppression, length) if profile.suppression else None
        # Suppressions of gtm.toml may stand in it, over attributes that membership itself does not read.
        readable = suppression is not None and set(attributes_of(suppression)) <= set(before.schema)
        then = profile.model_copy(
            update={"eligibility": eligibility, "suppression": suppression if readable else None}
        )
        groups[profile.profile_id] = _members(then, before) & there
    groups[_TOGETHER] = reduce(or_, groups.values(), ibis.literal(value=False))
    return metric_levels(warehouse, config, before, as_of, metric=metric, groups=groups)


def _shifted(condition: Any, by: timedelta) -> Any:  # noqa: ANN401 JSON
    """Return a condition with its points in time moved back, so that "new since" means the same then."""
    if isinstance(condition, dict):
        return {key: _shifted(value, by) for key, value in condition.items()}
    if isinstance(condition, list):
        return [_shifted(value, by) for value in condition]
    if isinstance(condition, str) and _INSTANT.fullmatch(condition):
        return (datetime.fromisoformat(condition) - by).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return condition


def _measure(
    config: Config, name: str, metric: str, reach: _Reach, level: MetricLevel | None, gap: str
) -> Measure:
    settings, minimum = config.metrics[metric], config.policies.group_minimum
    few = reach.people < minimum
    measured = level if level is not None and level.level is not None and level.units >= minimum else None
    design = _design(config, settings, measured)
    per_week = round(reach.per_week, 1) if reach.per_week * _INFLOW_WEEKS >= minimum else 0.0
    units = reach.people * _units_per_person(level, reach)
    lift = None if design is None or few else detectable_lift(design, units, direction=settings.direction)
    days = None if design is None or few else _days(design, settings, units, per_week)
    return Measure(
        profile_id=name,
        metric=metric,
        people_per_week=0.0 if few else per_week,
        people=0 if few else reach.people,
        baseline=round(measured.level, 6) if measured is not None and measured.level is not None else None,
        detectable=round(lift, 4) if lift is not None else None,
        days=days,
        verdict=f"Not measurable: {gap}."
        if gap
        else _verdict(config, settings, reach, level, design, lift, days),
    )


def _design(config: Config, settings: MetricSettings, level: MetricLevel | None) -> Design | None:
    holdout = config.policies.holdout
    if level is None or level.level is None or level.level <= 0 or not 0 < holdout < 1:
        return None
    if settings.type in {"proportion", "retention"}:
        return Design(holdout, level.level)
    return Design(holdout, level.level, level.deviation) if level.deviation else None


def _units_per_person(level: MetricLevel | None, reach: _Reach) -> float:
    """Return how many accounts one person stands for, when accounts are what is measured."""
    if level is None or level.unit == "person" or not reach.people:
        return 1.0
    return min(1.0, level.units / reach.people)


def _days(design: Design, settings: MetricSettings, units: float, per_week: float) -> int | None:
    """Return when a lift of 10% is seen: people of today at once, new ones as they come, then the window."""
    needed = units_needed(design, direction=settings.direction)
    if needed is None:
        return None
    window = parse_duration(settings.window)
    if needed <= units:
        return max(1, math.ceil(window / timedelta(days=1)))
    if not per_week:
        return None
    wait = (needed - units) / per_week * _WEEK
    days = math.ceil((wait + window) / timedelta(days=1))
    return days if days <= _LONGEST_DAYS else None


def _verdict(
    config: Config,
    settings: MetricSettings,
    reach: _Reach,
    level: MetricLevel | None,
    design: Design | None,
    lift: float | None,
    days: int | None,
) -> str:
    minimum = config.policies.group_minimum
    if reach.people < minimum:
        return f"Not enough volume: fewer than {minimum} people can be reached on a channel that is open."
    if design is None:
        return _no_baseline(settings, level, minimum)
    base = (
        f"baseline {shown(design.baseline, settings)}, {reach.people:,} people, holdout "
        f"{_percent(design.holdout)}"
    )
    today = f"with the people of today a change of {_change(lift)} is seen"
    if days is not None:
        return (
            f"A relative lift of {_percent(LIFT)} is seen after {days} days "
            f"({base}){'; ' + today if lift else ''}."
        )
    needed = units_needed(design, direction=settings.direction)
    if needed is None:
        return (
            f"Not measurable: the metric is too close to its limit for a lift of {_percent(LIFT)} ({base})."
        )
    halves = units_needed(replace(design, holdout=0.5), direction=settings.direction)
    evenly = f" ({_about(halves)} if half were held out)" if halves is not None and halves <= _MANY else ""
    what = "accounts" if level is not None and level.unit == "account" else "people"
    return (
        f"Not enough volume: a lift of {_percent(LIFT)} takes {_about(needed)} {what}{evenly}, more than "
        "come within a "
        f"year ({base}); {today if lift is not None else 'with the people of today no change is seen'}."
    )


def _no_baseline(settings: MetricSettings, level: MetricLevel | None, minimum: int) -> str:
    if level is None or level.level is None or level.units < minimum:
        return (
            f"Not measurable: fewer than {minimum} people of this profile count for the metric over "
            f"{settings.window}."
        )
    if level.level == 0:
        return (
            f"Not measurable as a relative lift: of {level.units:,} people nobody reached it within "
            f"{settings.window}."
        )
    return "Not measurable: everybody has the same value, or the holdout of gtm.toml is 0."


def _about(units: float) -> str:
    """Return a number of people to three figures: more would feign an exactness that no forecast has."""
    if units > _MANY:
        return f"more than {_MANY:,}"
    digits = max(0, len(str(math.ceil(units))) - 3)
    return f"about {math.ceil(units / 10**digits) * 10**digits:,}"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:,.0%}"


def _change(lift: float | None) -> str:
    """Return the least relative change that is seen; beyond a tenfold one the figure says nothing more."""
    return "more than 1,000%" if lift is not None and lift > _TENFOLD else f"{_percent(lift)} or more"


def _which(names: Sequence[str], of: int) -> str:
    """Return which profiles, by name unless it is every one of many."""
    if len(names) == of:
        return f"all {of} profiles" if of > 1 else f"{names[0]!r}"
    return f"{len(names)} of {of} profiles ({', '.join(names)})"


def _findings(
    measures: Sequence[Measure], together: Mapping[str, Measure], holdout: float, names: Mapping[str, str]
) -> Iterable[Finding]:
    for metric, all_people in together.items():
        mine = [one for one in measures if one.metric == metric]
        blind = [names.get(one.profile_id, one.profile_id) for one in mine if one.days is None]
        if not blind:
            continue
        yield Finding(
            kind="not_measurable",
            severity="warning",
            subject=metric,
            message=(
                f"{metric}: for {_which(blind, len(mine))} a lift of {_percent(LIFT)} cannot be seen within "
                f"a year at a holdout of {_percent(holdout)}. "
                f"All profiles measured together: {all_people.verdict}"
            ),
            evidence={"profiles": len(blind), "of": len(mine), "holdout": holdout},
            mend="Raise policies.holdout, measure profiles together, or choose a metric that moves sooner.",
            decides="testing-lead",
        )
