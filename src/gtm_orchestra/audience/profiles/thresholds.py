"""Where the cuts lie: days, counts and amounts taken from distributions, each with its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.audience.wording import in_days, in_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.audience.profiles.distributions import Distribution
    from gtm_orchestra.audience.profiles.signals import Kind

__all__ = [
    "Cut",
    "RecencyCuts",
    "deep_cut",
    "ending_cut",
    "new_cut",
    "nice_days",
    "recency_cuts",
    "upper_cut",
]

_NICE = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 540, 730, 1095, 1825)
# Shortest and longest time that still counts as active: a week spans a weekend; shoppers come back in months.
_ACTIVE: dict[Kind, tuple[int, int]] = {"usage": (7, 45), "response": (14, 90), "orders": (14, 180)}
# Below, nobody has gone quiet; from the other on, everybody has long been away.
_QUIET: dict[Kind, int] = {"usage": 14, "response": 21, "orders": 30}
_DORMANT: dict[Kind, int] = {"usage": 90, "response": 180, "orders": 365}
_ENDING = (3, 7)
_NEW: dict[Kind, tuple[int, int]] = {"usage": (7, 30), "response": (14, 90), "orders": (14, 90)}


@dataclass(frozen=True)
class Cut:
    """A value that parts people in two, and the figures it comes from."""

    value: float
    evidence: str


@dataclass(frozen=True)
class RecencyCuts:
    """Up to `active` days somebody is active, after `quiet` and up to `dormant` quiet, after that dormant."""

    active: Cut
    quiet: Cut
    dormant: Cut


def nice_days(days: float) -> int:
    """Return the number of days people plan in that is nearest by ratio.

    >>> nice_days(0.2), nice_days(8), nice_days(26), nice_days(9_000)
    (1, 7, 30, 1825)
    """
    return min(_NICE, key=lambda nice: (abs(math.log(nice / max(days, 0.5))), nice))


def recency_cuts(distribution: Distribution, kind: Kind) -> RecencyCuts | None:
    """Return after how many days somebody is no longer active, after how many quiet, after how many dormant.

    Active up to the median; where most people have long been away, up to the lower quartile. Quiet after
    that, though never within two weeks. Dormant after the upper quartile, within bounds, at the earliest
    after twice the time to quiet.
    """
    quartile, median, upper = (distribution.at(share) for share in (0.25, 0.5, 0.75))
    if quartile is None or median is None or upper is None:
        return None
    least, most = _ACTIVE[kind]
    figure, seen = ("median", median) if median <= most else ("lower quartile", quartile)
    active = nice_days(min(max(seen, least), most))
    bound = "" if least <= seen <= most else f", kept between {least} and {most} days"
    base = f"of {distribution.filled:,} people with a value"
    active_cut = Cut(active, f"{figure} {base}: {in_days(seen)}{bound}, rounded to {in_days(active)}")
    quiet = max(active, _QUIET[kind])
    later = "" if quiet == active else f"; nobody is quiet within {in_days(quiet)}"
    quiet_cut = Cut(quiet, f"{active_cut.evidence}{later}")
    earliest, latest = 2 * quiet, max(_DORMANT[kind], 2 * quiet)
    dormant = nice_days(min(max(upper, earliest), latest))
    if dormant < earliest:
        dormant = next(nice for nice in (*_NICE, earliest) if nice >= earliest)
    held = ""
    if upper < earliest:
        held = f", at the earliest twice {in_days(quiet)}"
    elif upper > latest:
        held = f", at the latest {in_days(latest)}"
    dormant_cut = Cut(
        dormant, f"75th percentile {base}: {in_days(upper)}{held}, rounded to {in_days(dormant)}"
    )
    return RecencyCuts(active_cut, quiet_cut, dormant_cut)


def ending_cut(distribution: Distribution) -> Cut | None:
    """Return within how many days a trial ends soon: half of those under way, from three days to a week."""
    median = distribution.at(0.5)
    if median is None:
        return None
    least, most = _ENDING
    days = nice_days(min(max(median, least), most))
    bound = "" if least <= median <= most else f", kept between {least} and {most} days"
    return Cut(
        days,
        f"median of {distribution.filled:,} people whose trial is yet to end: {in_days(median)}{bound}, "
        f"rounded to {in_days(days)}",
    )


def new_cut(distribution: Distribution, kind: Kind) -> Cut | None:
    """Return up to how many days after the start somebody is new: the lower quartile, within bounds."""
    quartile = distribution.at(0.25)
    if quartile is None:
        return None
    least, most = _NEW[kind]
    days = nice_days(min(max(quartile, least), most))
    bound = "" if least <= quartile <= most else f", kept between {least} and {most} days"
    return Cut(
        days,
        f"25th percentile of {distribution.filled:,} people with a start date: {in_days(quartile)}{bound}, "
        f"rounded to {in_days(days)}",
    )


def deep_cut(distribution: Distribution) -> Cut | None:
    """Return from which count on somebody is among the most engaged quarter of those with any; at least 2."""
    upper = distribution.at(0.75)
    if upper is None:
        return None
    value = max(math.ceil(upper), 2)
    return Cut(
        value, f"75th percentile of {distribution.positive:,} people with at least one: {in_figures(upper)}"
    )


def upper_cut(distribution: Distribution, *, show: Callable[[float], str] = in_figures) -> Cut | None:
    """Return the upper quartile of an amount, among those above zero, to two significant digits.

    Args:
        distribution: Of the amount.
        show: How the evidence writes an amount.
    """
    upper = distribution.at(0.75)
    if upper is None or upper <= 0:
        return None
    digits = 1 - math.floor(math.log10(upper))
    value = round(upper, digits)
    if value.is_integer():
        value = int(value)
    return Cut(value, f"75th percentile of {distribution.positive:,} people with a value: {show(upper)}")
