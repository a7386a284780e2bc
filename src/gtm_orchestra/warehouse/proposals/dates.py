"""Which format a column of texts writes its times in. An ambiguous one is said to be so, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DateReading", "read_dates", "read_epoch"]

Order = Literal["ymd", "dmy", "mdy", "ambiguous"]

_DATE = re.compile(
    r"""^(?P<a>\d{1,4})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{2,4})
        (?:(?P<gap>,?[T\s])\s*(?P<clock>\d{1,2}:\d{2}(?P<seconds>:\d{2})?(?P<fraction>[.,]\d{1,9})?)
           (?P<half>\s*[AaPp]\.?[Mm]\.?)?
           (?P<zone>\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}))?)?$""",
    re.VERBOSE,
)
_WORDED = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y")
# A share of broken values is usual; they are missing then, and counted as broken.
_ENOUGH = 0.9
_MONTHS, _DAYS = 12, 31
_TELLING = 0.05
_FEW = 40
_LONG_YEAR = 4


@dataclass(frozen=True, slots=True)
class DateReading:
    """How a column writes its times.

    Attributes:
        order: Order of day, month and year; "ambiguous" where no value tells day from month.
        format: strptime format, or None where values need none (ISO 8601) or no single one fits.
        iso: Every value is ISO 8601: any engine reads it.
        has_clock: At least one value has a time of day.
        zoned: Share of values that carry a zone or offset.
        share: Share of the values that are dates in this format.
        offsets: Offsets seen, such as "+0100", sorted.
        separator: Between day, month and year, if they are numbers.
        either: For an ambiguous order: the format with the day first, and with the month first.
    """

    order: Order
    format: str | None
    iso: bool
    has_clock: bool
    zoned: float
    share: float
    offsets: tuple[str, ...] = ()
    separator: str = ""
    either: tuple[str | None, str | None] = (None, None)


def read_dates(values: Sequence[str]) -> DateReading | None:
    """Return how these values write dates, or None if they are not (nearly all) dates.

    Args:
        values: Non-empty texts, stripped; their number of occurrences does not matter.
    """
    if not values:
        return None
    found = _alike([match for value in values if (match := _DATE.match(value))])
    if len(found) / len(values) >= _ENOUGH:
        return _read_numeric(found, len(values))
    for template in _WORDED:
        # strptime is slow: a few values rule a format out before all are read.
        if not any(_fits(value, template) for value in values[:: len(values) // _FEW + 1]):
            continue
        fitting = sum(_fits(value, template) for value in values)
        if fitting / len(values) >= _ENOUGH:
            return DateReading(
                "dmy", template, iso=False, has_clock=False, zoned=0.0, share=fitting / len(values)
            )
    return None


def _alike(found: list[re.Match[str]]) -> list[re.Match[str]]:
    """Return those of the most frequent way to write; a 2026-13-45 among them is broken, not a way."""
    ways: dict[tuple[str, bool], list[re.Match[str]]] = {}
    for match in found:
        year_first = len(match["a"]) == _LONG_YEAR
        if not year_first or _exists(match):
            ways.setdefault((match["sep"], year_first), []).append(match)
    return max(ways.values(), key=len, default=[])


def _exists(match: re.Match[str]) -> bool:
    try:
        date(int(match["a"]), int(match["b"]), int(match["c"]))
    except ValueError:
        return False
    return True


def _fits(value: str, template: str) -> bool:
    try:
        datetime.strptime(value, template)  # noqa: DTZ007 - only whether it parses
    except ValueError:
        return False
    return True


def _read_numeric(found: list[re.Match[str]], total: int) -> DateReading | None:
    separator, year_first = found[0]["sep"], len(found[0]["a"]) == _LONG_YEAR
    order = "ymd" if year_first else _order(found, separator)
    if order is None:
        return None
    clocks = [match for match in found if match["clock"]]
    zones = [match["zone"].strip() for match in found if match["zone"]]
    offsets = tuple(sorted({zone.replace(":", "") for zone in zones if zone[0] in "+-"}))
    iso = order == "ymd" and separator == "-" and all(_iso(match) for match in found)
    return DateReading(
        order=order,
        format=None if iso or order == "ambiguous" else _template(found, order, separator),
        iso=iso,
        has_clock=bool(clocks),
        zoned=len(zones) / len(found),
        share=len(found) / total,
        offsets=offsets,
        separator=separator,
        either=(_template(found, "dmy", separator), _template(found, "mdy", separator))
        if order == "ambiguous"
        else (None, None),
    )


def _iso(match: re.Match[str]) -> bool:
    two_digits = len(match["b"]) == 2 and len(match["c"]) == 2  # noqa: PLR2004 - ISO pads to two
    return two_digits and not match["half"] and not (match["gap"] or "").startswith(",")


def _order(found: list[re.Match[str]], separator: str) -> Order | None:
    """Return which comes first. Days beyond twelve in both places contradict: no date column at all."""
    first, second = ([int(match[part]) for match in found] for part in ("a", "b"))
    if max(*first, *second) > _DAYS:
        return None
    days_first, days_second = (sum(number > _MONTHS for number in numbers) for numbers in (first, second))
    if days_first and days_second:
        return None
    # One odd value among many tells nothing: it may be the broken one.
    if max(days_first, days_second) >= max(1, _TELLING * len(found)):
        return "dmy" if days_first else "mdy"
    # Dots are written day first wherever they are written at all; slashes and dashes are not.
    return "dmy" if separator == "." else "ambiguous"


def _template(found: list[re.Match[str]], order: Order, separator: str) -> str | None:
    years = {len(match["a"] if order == "ymd" else match["c"]) for match in found}
    if len(years) > 1:
        return None
    year = "%Y" if years == {_LONG_YEAR} else "%y"
    parts = {"ymd": (year, "%m", "%d"), "dmy": ("%d", "%m", year), "mdy": ("%m", "%d", year)}
    shapes = {
        (match["gap"], bool(match["seconds"]), bool(match["half"]), bool(match["zone"])) for match in found
    }
    if len(shapes) > 1 or any(match["fraction"] for match in found):
        return None
    gap, seconds, half, zone = shapes.pop()
    template = separator.join(parts[order])
    if gap is None:
        return template
    template += gap + ("%I" if half else "%H") + ":%M" + (":%S" if seconds else "")
    if half:
        spaced = {match["half"][:1].isspace() for match in found}
        template += " %p" if spaced == {True} else "%p"
    if zone:
        offset = all(match["zone"].strip()[0] in "+-" for match in found)
        spaced = {match["zone"][:1].isspace() for match in found}
        if not offset or len(spaced) > 1:
            return None
        template += " %z" if spaced == {True} else "%z"
    return template


def read_epoch(low: float, high: float) -> Literal["s", "ms", "us"] | None:
    """Return the unit in which whole numbers between low and high would be times of 2000 to 2040, or None."""
    for unit, factor in (("s", 1), ("ms", 1_000), ("us", 1_000_000)):
        if 946_684_800 * factor <= low and high <= 2_208_988_800 * factor:
            return unit  # type: ignore[return-value]  # the tuple above holds the three literals
    return None
