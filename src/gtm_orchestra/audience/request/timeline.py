"""A delivery window in words, read as a date.

The words are resolved against the as-of date in the business time zone, never against the clock. A day and
month without a year is the next such day; a year that is written is kept, also when it is past.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gtm_orchestra.audience.contracts import TimelineReading

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LEAD_DAYS", "read_timeline", "working_days"]

# Working days that review, sign-off and wiring take at the least; less than that is read with a warning.
LEAD_DAYS = 10

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}
_DAYS = {name.lower(): number for number, name in enumerate(calendar.day_name)}
_DAYS |= {name.lower(): number for number, name in enumerate(calendar.day_abbr)}
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "a couple of": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_NUMBERS |= {"seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}
_LEAD = re.compile(
    r"^(?:(?:to be )?(?:live|ready|done|launch(?:ed)?|deliver(?:ed)?|go live|due)\s+)?"
    r"(?:by|before|until|till|no later than|not later than|on|due|for|during|starting|from|latest)?\s*"
    r"(?:the\s+)?"
)
# A hyphen, en dash or em dash between two days.
_SPAN = (
    r"(?:from |between )?(.{1,60}?)"
    r"(?:\s*(?:/|\.\.|\u2013|\u2014)\s*|\s+(?:to|until|and|-)\s+|(?<=^\d)-|(?<=^\d\d)-)(.{3,60})"
)
_MONTH_WORD = "|".join(sorted(_MONTHS, key=len, reverse=True))
_EXAMPLES = "by 15 January, Q1, next month, in 6 weeks, 2027-01-15 or 2026-12-01/2027-01-15"


@dataclass(frozen=True)
class _Window:
    """First and last day that the words allow, and how they were taken."""

    due: date
    start: date | None = None
    taken: str = ""


def read_timeline(text: str, *, as_of: datetime, timezone: str) -> TimelineReading:
    """Return what a delivery window in words means; a window that cannot be met says so.

    Args:
        text: As the person wrote it, such as "by 15 January" or "Q1".
        as_of: Aware moment that "now" means.
        timezone: IANA name of the business time zone.

    >>> from datetime import UTC
    >>> read_timeline("Q1", as_of=datetime(2026, 11, 20, tzinfo=UTC), timezone="UTC").due
    datetime.date(2027, 3, 31)
    """
    today = as_of.astimezone(ZoneInfo(timezone)).date()
    words = " ".join(unicodedata.normalize("NFKC", text).lower().split()).strip(" .!")
    try:
        window = _read(words, today) if 0 < len(words) <= 200 else None  # noqa: PLR2004 longer is no date
    except (ValueError, OverflowError):
        window = None
    if window is None:
        return TimelineReading(
            text=text,
            understood=False,
            due=None,
            effect=f"Not understood as a date; no deadline is set. {_why(words)}",
        )
    return TimelineReading(text=text, understood=True, due=window.due, effect=_effect(window, today))


def working_days(start: date, end: date) -> int:
    """Return the Mondays to Fridays after `start` up to and including `end`; 0 if `end` is not later.

    >>> working_days(date(2026, 11, 20), date(2026, 11, 27))
    5
    """
    days = (end - start).days
    if days <= 0:
        return 0
    weeks, rest = divmod(days, 7)
    return weeks * 5 + sum((start + timedelta(days=n)).weekday() < 5 for n in range(1, rest + 1))  # noqa: PLR2004 Saturday


def _effect(window: _Window, today: date) -> str:
    due, left = window.due, working_days(today, window.due)
    when = f"due {due:%A} {due.day} {due:%B %Y}"
    if window.start is not None and window.start > today:
        when = f"from {window.start.day} {window.start:%B %Y}, {when}"
    note = f" ({window.taken})" if window.taken else ""
    if due < today:
        ago = (today - due).days
        return (
            f"Warning: {when}{note}, which was {ago:,} day{'s' * (ago != 1)} ago; give a date from today on."
        )
    rest = f"{left:,} working day{'s' * (left != 1)} from the as-of date, public holidays not counted"
    if left < LEAD_DAYS:
        return (
            f"Warning: {when}{note}, {rest}: less than the {LEAD_DAYS} that sign-off and wiring take; "
            "move the date or take fewer channels."
        )
    return f"{when[0].upper()}{when[1:]}{note}, {rest}; the governance checkpoints are set back from it."


def _why(words: str) -> str:
    slashed = re.fullmatch(r".*?(\d{1,2})/(\d{1,2})/(\d{2,4}).*", words)
    if slashed:
        return "Day and month cannot be told apart; write it as year-month-day, such as 2027-01-15."
    return f"Write for example: {_EXAMPLES}."


def _read(words: str, today: date) -> _Window | None:
    span = re.fullmatch(_SPAN, words)
    if span:
        first, last = _single(span[1], today), _single(span[2], today)
        if (
            first is None
            and last is not None
            and (both := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", span[1]))
        ):
            first = _Window(last.due.replace(day=int(both[1])))
        if first is not None and last is not None:
            start = first.start or first.due
            return _Window(last.due, start, last.taken) if start <= last.due else None
    return _single(words, today)


def _single(words: str, today: date) -> _Window | None:
    bare = _LEAD.sub("", words, count=1).strip(" ,.")
    for reader in _READERS:
        window = reader(bare, today)
        if window is not None:
            return window
    return None


def _iso(words: str, _today: date) -> _Window | None:
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})(?:t[\d:.]+z?)?", words):
        return _Window(date(int(match[1]), int(match[2]), int(match[3])))
    if match := re.fullmatch(r"(\d{4})-(\d{2})", words):
        return _month(int(match[1]), int(match[2]))
    if match := re.fullmatch(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})", words):
        return _Window(date(int(match[3]), int(match[2]), int(match[1])))
    if match := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", words):
        one, two, year = int(match[1]), int(match[2]), int(match[3])
        if one > 12 >= two:  # noqa: PLR2004 months in a year
            return _Window(date(year, two, one))
        if two > 12 >= one or one == two:  # noqa: PLR2004 months in a year
            return _Window(date(year, one, two))
    return None


def _day_of_month(words: str, today: date) -> _Window | None:
    patterns = (
        (
            rf"(?:\w+day,? )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\.?(?: of)? (?P<m>{_MONTH_WORD})\.?"
            r"(?:,? (?P<y>\d{4}))?"
        ),
        rf"(?:\w+day,? )?(?P<m>{_MONTH_WORD})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?",
    )
    for pattern in patterns:
        if match := re.fullmatch(pattern, words):
            day, month = int(match["d"]), _MONTHS[match["m"]]
            if match["y"]:
                return _Window(date(int(match["y"]), month, day))
            year = today.year
            # 29 February exists in one year of four; the next one that exists is meant.
            while day > calendar.monthrange(year, month)[1] or date(year, month, day) < today:
                year += 1
                if year > today.year + 8:
                    return None
            passed = year > today.year and (month, day) < (today.month, today.day)
            taken = (
                f"the next one, as this year's {day} {calendar.month_name[month]} has passed"
                if passed
                else ""
            )
            return _Window(date(year, month, day), None, taken)
    return None


def _whole_month(words: str, today: date) -> _Window | None:
    match = re.fullmatch(
        rf"(?:(?P<part>early|mid|start of|beginning of|middle of|late|end of|the end of)[ -])?"
        rf"(?P<m>{_MONTH_WORD})(?: (?P<y>\d{{4}}))?",
        words,
    )
    if not match:
        return None
    month = _MONTHS[match["m"]]
    year = int(match["y"]) if match["y"] else today.year + (month < today.month)
    whole = _month(year, month)
    match match["part"]:
        case "early" | "start of" | "beginning of":
            return _Window(date(year, month, 10), None, "early is taken as the 10th")
        case "mid" | "middle of":
            return _Window(date(year, month, 15), None, "mid is taken as the 15th")
        case _:
            return _Window(whole.due, whole.start, "the last day of the month")


def _quarter(words: str, today: date) -> _Window | None:
    pattern = r"(?:end of )?(?:q([1-4])|([1-4])(?:st|nd|rd|th)? quarter)(?:[ ,/-]*(?:of )?(\d{4}))?"
    match = re.fullmatch(pattern, words)
    if not match:
        return None
    quarter = int(match[1] or match[2]) - 1
    return _quarter_of(
        int(match[3]) if match[3] else today.year + (quarter < (today.month - 1) // 3), quarter
    )


def _quarter_of(year: int, quarter: int) -> _Window:
    start, end = date(year, quarter * 3 + 1, 1), _month(year, quarter * 3 + 3).due
    return _Window(end, start, f"the last day of Q{quarter + 1} {year}, a calendar quarter")


def _relative(words: str, today: date) -> _Window | None:
    number = "|".join([r"\d{1,4}", *sorted(_NUMBERS, key=len, reverse=True)])
    match = re.fullmatch(
        r"(?:(?:in|within|over) about|about|(?:in|within|over)?\s*(?:the )?(?:next)?|in|within|over)?\s*"
        rf"(?P<n>{number})[ -]*(?P<u>working day|business day|day|d|week|wk|w|month|quarter|year)s?"
        r"(?: time| from now)?",
        words,
    )
    if not match:
        return None
    count = _NUMBERS.get(match["n"]) if match["n"] in _NUMBERS else int(match["n"])
    if count is None:
        return None
    match match["u"]:
        case "working day" | "business day":
            due = today
            for _ in range(min(count, 2_600)):
                due += timedelta(days=1)
                while due.weekday() >= 5:  # noqa: PLR2004 Saturday
                    due += timedelta(days=1)
            return _Window(due)
        case "day" | "d":
            return _Window(today + timedelta(days=count))
        case "week" | "wk" | "w":
            return _Window(today + timedelta(weeks=count))
        case unit:
            return _Window(_later(today, count * {"month": 1, "quarter": 3, "year": 12}[unit]))


_SHORT = {
    "eod": "end of day",
    "eow": "end of week",
    "eom": "end of month",
    "eoq": "end of quarter",
    "eoy": "end of year",
}
_PLAIN = {"today": "this day", "now": "this day", "tomorrow": "next day"}


def _period(words: str, today: date) -> _Window | None:
    match = re.fullmatch(
        r"(?:(?:the )?end of )?(?:the )?(?P<which>this |current |next )?"
        r"(?P<unit>day|week|month|quarter|year)(?: end)?",
        _SHORT.get(words) or _PLAIN.get(words) or words,
    )
    if not match:
        return None
    ahead = int(match["which"] == "next ")
    match match["unit"]:
        case "day":
            return _Window(today + timedelta(days=ahead))
        case "week":
            monday = today + timedelta(days=7 * ahead - today.weekday())
            return _Window(monday + timedelta(days=4), monday, "the Friday of that week")
        case "month":
            first = _later(today.replace(day=1), ahead)
            return _Window(_month(first.year, first.month).due, first, "the last day of the month")
        case "quarter":
            first = _later(date(today.year, (today.month - 1) // 3 * 3 + 1, 1), 3 * ahead)
            return _quarter_of(first.year, (first.month - 1) // 3)
        case _:
            year = today.year + ahead
            return _Window(date(year, 12, 31), date(year, 1, 1), "the last day of the year")


def _christmas(words: str, today: date) -> _Window | None:
    if words not in {"christmas", "xmas", "christmas eve"}:
        return None
    year = today.year + (today > date(today.year, 12, 24))
    return _Window(date(year, 12, 24), None, "24 December")


def _half_or_year(words: str, today: date) -> _Window | None:
    if match := re.fullmatch(r"(?:end of )?h([12])(?:[ /-]*(\d{4}))?", words):
        half = int(match[1]) - 1
        year = int(match[2]) if match[2] else today.year + (half < (today.month - 1) // 6)
        return _Window(
            _month(year, 6 * half + 6).due, date(year, 6 * half + 1, 1), "calendar half-year, its last day"
        )
    if match := re.fullmatch(r"(?:end of )?(20\d{2})", words):
        return _Window(date(int(match[1]), 12, 31), date(int(match[1]), 1, 1), "the last day of the year")
    return None


def _weekday(words: str, today: date) -> _Window | None:
    match = re.fullmatch(rf"(this |next |coming )?({'|'.join(sorted(_DAYS, key=len, reverse=True))})", words)
    if not match:
        return None
    ahead = (_DAYS[match[2]] - today.weekday() - 1) % 7 + 1
    if match[1] == "next " and today.weekday() + ahead < 7:  # noqa: PLR2004 days in a week: still in this week
        return _Window(today + timedelta(days=ahead + 7), None, "the one of next week")
    return _Window(today + timedelta(days=ahead), None, "the next one")


def _month(year: int, month: int) -> _Window:
    return _Window(date(year, month, calendar.monthrange(year, month)[1]), date(year, month, 1))


def _later(day: date, months: int) -> date:
    """Return the same day some months later; the 31st becomes the last day of a shorter month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


_READERS: tuple[Callable[[str, date], _Window | None], ...] = (
    _iso,
    _day_of_month,
    _whole_month,
    _quarter,
    _relative,
    _period,
    _christmas,
    _half_or_year,
    _weekday,
)
