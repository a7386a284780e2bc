from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtm_orchestra.audience.request.timeline import read_timeline, working_days

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)


def due(text: str, as_of: datetime = AS_OF, zone: str = "UTC") -> date | None:
    return read_timeline(text, as_of=as_of, timezone=zone).due


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("by 15 January", date(2027, 1, 15)),
        ("Jan 15th, 2028", date(2028, 1, 15)),
        ("15.1.2027", date(2027, 1, 15)),
        ("15/04/2027", date(2027, 4, 15)),
        ("Q1", date(2027, 3, 31)),
        ("Q4", date(2026, 12, 31)),
        ("end of next quarter", date(2027, 3, 31)),
        ("next month", date(2026, 12, 31)),
        ("mid January", date(2027, 1, 15)),
        ("in 6 weeks", date(2027, 1, 1)),
        ("within 30 days", date(2026, 12, 20)),
        ("in two months", date(2027, 1, 20)),
        ("10 working days", date(2026, 12, 4)),
        ("by Monday", date(2026, 11, 23)),
        ("H1 2027", date(2027, 6, 30)),
        ("end of year", date(2026, 12, 31)),
        ("before Christmas", date(2026, 12, 24)),
        ("2026-12-01/2027-01-15", date(2027, 1, 15)),
        ("from 2026-12-01 to 2027-01-15", date(2027, 1, 15)),
        ("1-15 December", date(2026, 12, 15)),
        ("by 29 February", date(2028, 2, 29)),
    ],
)
def test_a_window_in_words_is_resolved_against_the_as_of(text: str, expected: date) -> None:
    assert due(text) == expected


def test_the_business_time_zone_decides_which_day_it_is() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert due("tomorrow", late) == date(2027, 1, 1)
    assert due("tomorrow", late, "Europe/Berlin") == date(2027, 1, 2)


def test_a_date_in_the_past_is_understood_with_a_warning() -> None:
    reading = read_timeline("by 15 January 2026", as_of=AS_OF, timezone="UTC")
    assert reading.understood
    assert reading.due == date(2026, 1, 15)
    assert reading.effect == (
        "Warning: due Thursday 15 January 2026, which was 309 days ago; give a date from today on."
    )


def test_a_date_that_leaves_too_little_time_is_understood_with_a_warning() -> None:
    reading = read_timeline("by 25 November", as_of=AS_OF, timezone="UTC")
    assert reading.understood
    assert reading.effect == (
        "Warning: due Wednesday 25 November 2026, 3 working days from the as-of date, public holidays not "
        "counted: "
        "less than the 10 that sign-off and wiring take; move the date or take fewer channels."
    )


def test_a_day_that_has_passed_this_year_says_that_next_year_was_taken() -> None:
    reading = read_timeline("by 15 January", as_of=AS_OF, timezone="UTC")
    assert reading.effect == (
        "Due Friday 15 January 2027 (the next one, as this year's 15 January has passed), 40 working days "
        "from the "
        "as-of date, public holidays not counted; the governance checkpoints are set back from it."
    )


def test_a_date_whose_day_and_month_cannot_be_told_apart_is_not_guessed() -> None:
    reading = read_timeline("03/04/2027", as_of=AS_OF, timezone="UTC")
    assert not reading.understood
    assert reading.due is None
    assert reading.effect == (
        "Not understood as a date; no deadline is set. Day and month cannot be told apart; write it as "
        "year-month-day, such as 2027-01-15."
    )


@pytest.mark.parametrize(
    "text", ["asap", "31 February", "when it is done", "99999999 days", "9999-99-99", "Q5"]
)
def test_what_is_no_date_says_what_could_be_written(text: str) -> None:
    reading = read_timeline(text, as_of=AS_OF, timezone="UTC")
    assert (reading.understood, reading.due) == (False, None)
    assert reading.effect.endswith(
        "Write for example: by 15 January, Q1, next month, in 6 weeks, 2027-01-15 or 2026-12-01/2027-01-15."
    )


@given(
    st.text(max_size=60) | st.from_regex(r"(by |in |from )?[0-9a-z]{1,9}[ ./-][0-9a-z]{1,9}", fullmatch=True)
)
def test_no_text_is_an_error_and_each_is_kept_as_it_was(text: str) -> None:
    reading = read_timeline(text, as_of=AS_OF, timezone="Europe/Berlin")
    assert reading.text == text
    assert reading.understood == (reading.due is not None)


@given(st.dates(date(2026, 1, 1), date(2028, 1, 1)), st.integers(-5, 60))
def test_working_days_are_the_weekdays_between(start: date, days: int) -> None:
    end = date.fromordinal(start.toordinal() + days)
    counted = sum(
        date.fromordinal(day).weekday() < 5 for day in range(start.toordinal() + 1, end.toordinal() + 1)
    )
    assert working_days(start, end) == counted
