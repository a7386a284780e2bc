"""What each attribute looks like over the people frame: one aggregate, and one grouping per short list."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import ibis

from gtm_orchestra.warehouse.values import Column, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = [
    "LIST_LIMIT",
    "QUANTILES",
    "RECENT",
    "AttributeScan",
    "Cell",
    "count_addresses",
    "number_groups",
    "number_shift",
    "sample_values",
    "scan_attributes",
    "value_cells",
]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# A text with more values than this is no list of choices.
LIST_LIMIT = 200
RECENT = timedelta(days=28)
# Bounded and without look-around, so that every engine reads it alike.
_ADDRESS = r"[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9_-]{1,63}[.][A-Za-z0-9_-]{1,63}"
_DECILES = tuple(i / 10 for i in range(1, 10))


@dataclass(frozen=True)
class AttributeScan:
    """Counts of one attribute over the people frame.

    Attributes:
        unreadable: People whose column holds something that is not of the attribute's type.
        deciles: Of a number among people who are not recent, for `number_shift`.
    """

    filled: int
    distinct: int
    unreadable: int = 0
    quantiles: tuple[float, ...] = ()
    deciles: tuple[float, ...] = ()


@dataclass(frozen=True)
class Cell:
    """People with one value, by whether they are recent and by the value of each special column."""

    value: str | bool
    recent: bool | None
    people: int
    others: Mapping[str, str | None] = field(default_factory=dict)


def _recent(frame: PeopleFrame, as_of: datetime) -> Column:
    return frame.full["created:"] > moment(as_of - RECENT)


def scan_attributes(warehouse: Warehouse, frame: PeopleFrame, as_of: datetime) -> dict[str, AttributeScan]:
    """Return the counts of every available attribute, from one aggregate over the frame."""
    full, parts = frame.full, {}
    older = ~_recent(frame, as_of)
    for number, (name, type_) in enumerate(frame.full_schema.items()):
        column = full[name]
        parts[f"filled{number}"] = column.count()
        parts[f"distinct{number}"] = column.nunique()
        if type_ == "number":
            parts[f"quantiles{number}"] = column.quantile(list(QUANTILES))
            parts[f"deciles{number}"] = column.quantile(list(_DECILES), where=older)
        if f"unread:{name}" in full.columns:
            parts[f"unreadable{number}"] = full[f"unread:{name}"].sum()
    if not parts:
        return {}
    found = warehouse.rows(full.aggregate(**parts))[0]
    return {
        name: AttributeScan(
            filled=int(found[f"filled{number}"]),
            distinct=int(found[f"distinct{number}"]),
            unreadable=int(found.get(f"unreadable{number}") or 0),
            quantiles=_numbers(found.get(f"quantiles{number}")),
            deciles=_numbers(found.get(f"deciles{number}")),
        )
        for number, name in enumerate(frame.full_schema)
    }


def _numbers(values: Sequence[float | None] | None) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values or () if value is not None)


def value_cells(
    warehouse: Warehouse, frame: PeopleFrame, as_of: datetime, name: str, specials: Sequence[str]
) -> tuple[Cell, ...]:
    """Return how many people have each value of a short list, sorted; people without a value are left out."""
    full = frame.full
    keys = {"value": full[name], "recent": _recent(frame, as_of)}
    keys |= {f"other{number}": full[other].cast("string") for number, other in enumerate(specials)}
    rows = full.select(**keys)
    grouped = rows.filter(rows["value"].notnull()).group_by(list(keys)).aggregate(people=lambda t: t.count())
    cells = [
        Cell(
            value=row["value"],
            recent=row["recent"],
            people=int(row["people"]),
            others={other: row[f"other{number}"] for number, other in enumerate(specials)},
        )
        for row in warehouse.rows(grouped)
    ]
    return tuple(sorted(cells, key=lambda cell: (str(cell.value), str(cell.recent), str(cell.others))))


def number_groups(
    warehouse: Warehouse, frame: PeopleFrame, names: Sequence[str], special: str
) -> dict[str, tuple[tuple[int, float, float], ...]]:
    """Return count, sum and sum of squares of each number per value of a special column."""
    if not names:
        return {}
    known = frame.full.filter(frame.full[special].notnull())
    parts: dict[str, Column] = {}
    for number, name in enumerate(names):
        column = known[name]
        parts |= {
            f"n{number}": column.count(),
            f"s{number}": column.sum(),
            f"q{number}": (column * column).sum(),
        }
    rows = warehouse.rows(known.group_by(group=known[special].cast("string")).aggregate(**parts))
    rows.sort(key=lambda row: str(row["group"]))
    return {
        name: tuple(
            (int(row[f"n{i}"]), float(row[f"s{i}"] or 0.0), float(row[f"q{i}"] or 0.0)) for row in rows
        )
        for i, name in enumerate(names)
    }


def number_shift(
    warehouse: Warehouse, frame: PeopleFrame, as_of: datetime, deciles: Mapping[str, Sequence[float]]
) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Return per number how many people fall between its deciles: before the last 28 days, and since."""
    found: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    recent = _recent(frame, as_of)
    for name, cuts in deciles.items():
        edges = sorted(set(cuts))
        column = frame.full[name]
        cases = [(column <= edge, number) for number, edge in enumerate(edges)]
        rows = frame.full.select(value=column, bin=ibis.cases(*cases, else_=len(edges)), recent=recent)
        rows = rows.filter(rows["value"].notnull() & rows.recent.notnull())
        before: dict[str, int] = {}
        after: dict[str, int] = {}
        for row in warehouse.rows(rows.group_by(["bin", "recent"]).aggregate(people=lambda t: t.count())):
            (after if row["recent"] else before)[str(row["bin"])] = int(row["people"])
        found[name] = before, after
    return found


def count_addresses(warehouse: Warehouse, frame: PeopleFrame, names: Sequence[str]) -> dict[str, int]:
    """Return how many people have a value that is, or contains, an e-mail address, per text attribute."""
    if not names:
        return {}
    rows = frame.full.select(*names)
    found = warehouse.rows(
        rows.aggregate(
            **{
                name: rows.count(where=rows[name].contains("@") & rows[name].re_search(_ADDRESS))
                for name in names
            }
        )
    )[0]
    return {name: int(found[name] or 0) for name in names}


def sample_values(
    warehouse: Warehouse, frame: PeopleFrame, names: Sequence[str], *, people: int = 5_000
) -> dict[str, list[str]]:
    """Return values of text attributes of the first people by id. They are looked at, never shown."""
    if not names:
        return {}
    rows = frame.full.order_by("person_id").limit(people).select(*names)
    table = warehouse.to_arrow(rows)
    return {
        name: [str(value) for value in table.column(name).to_pylist() if value is not None] for name in names
    }
