"""What a column leaves open about its writing, settled by the other columns of its table.

One program wrote the whole file. Where 1,204 may be a thousand or one and a bit, $1,200,000 two columns
further tells, and so does 03/31/2026 for 03/04/2026. Neighbours that disagree settle nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.lexicon import find_concept
from gtm_orchestra.warehouse.proposals.value_words import CURRENCIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gtm_orchestra.warehouse.proposals.measures import ColumnMeasure

__all__ = ["settle"]

# Nobody has half a page view: a mark in these parts thousands.
_COUNTS = frozenset(
    {
        "page_views",
        "orders_count",
        "quantity",
        "email_engagement",
        "tickets",
        "seats",
        "employees",
        "household",
    }
)
_OTHER = {",": ".", ".": ","}


def settle(columns: Sequence[ColumnMeasure]) -> tuple[ColumnMeasure, ...]:
    """Return the columns; those of open writing read as their neighbours, with the reason in `settled`."""
    mark, by = _mark(columns)
    return tuple(_with_order(_with_mark(column, mark, by), columns) for column in columns)


def _mark(columns: Sequence[ColumnMeasure]) -> tuple[str, str]:
    """Return the decimal mark that the table uses, "" if nothing tells, and the column that tells."""
    telling = {
        column.reading.decimal: column.name
        for column in reversed(columns)
        if column.reading is not None and column.reading.marked
    }
    telling.pop(None, None)
    if len(telling) == 1:
        return next((str(mark), name) for mark, name in telling.items())
    if telling:
        return "", ""
    # Twelve-hour clocks are written where the point is the decimal mark.
    times = [(column.name, column.dates) for column in columns if column.dates is not None]
    clocks = [name for name, dates in times if "%p" in str(dates.format or dates.either)]
    return (".", clocks[0]) if clocks else ("", "")


def _with_mark(column: ColumnMeasure, mark: str, by: str) -> ColumnMeasure:
    reading = column.reading
    if reading is None or reading.form != "number" or reading.decimal is not None:
        return column
    found = find_concept(column.words)
    if reading.thousands and found is not None and found[0].name in _COUNTS:
        mark, why = _OTHER[reading.thousands], f"{reading.thousands!r} parts thousands, as counts are whole"
    elif mark:
        why = f"{mark!r} is the decimal mark, as {by!r} shows"
    elif reading.thousands and reading.unit in CURRENCIES:
        mark = _OTHER[reading.thousands]
        why = f"{reading.thousands!r} parts thousands: money in groups of three digits, never with cents"
    else:
        return column
    return replace(column, reading=replace(reading, decimal=mark), settled=why)


def _with_order(column: ColumnMeasure, columns: Sequence[ColumnMeasure]) -> ColumnMeasure:
    dates = column.dates
    if dates is None or column.reading is None or dates.order != "ambiguous":
        return column
    telling = {
        other.dates.order: other.name
        for other in reversed(columns)
        if other.dates is not None
        and other.dates.order in {"dmy", "mdy"}
        and other.dates.separator == dates.separator
    }
    if len(telling) != 1:
        return column
    order, by = next(iter(telling.items()))
    template = dates.either[0] if order == "dmy" else dates.either[1]
    reading = replace(column.reading, dates=replace(dates, order=order, format=template))
    first = "day" if order == "dmy" else "month"
    return replace(column, reading=reading, settled=f"the {first} comes first, as {by!r} shows")
