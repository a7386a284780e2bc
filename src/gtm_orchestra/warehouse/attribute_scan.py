"""What each attribute looks like over the people frame: one aggregate, and one grouping per short list."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import ibis

from gtm_orchestra.warehouse.values import Column, moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
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
# Up to so many values of a number, people per value are fewer rows than people.
_FEW_NUMBERS = 5_000

Sides: TypeAlias = tuple[dict[str, int], dict[str, int]]
_Spread: TypeAlias = tuple[tuple[float, ...], "Sides | None"]


@dataclass(frozen=True)
class AttributeScan:
    """Counts of one attribute over the people frame.

    Attributes:
        unreadable: People whose column holds something that is not of the attribute's type.
        sides: Of a number, people per bin between its deciles: before the last 28 days, and since.
    """

    filled: int
    distinct: int
    unreadable: int = 0
    quantiles: tuple[float, ...] = ()
    sides: Sides | None = None


@dataclass(frozen=True)
class Cell:
    """People with one value, by whether they are recent and by the value of each special column."""

    value: str | bool
    recent: bool | None
    people: int
    others: Mapping[str, str | None] = field(default_factory=dict)


def _recent(frame: PeopleFrame, as_of: datetime) -> Column:
    created = frame.full["created:"]
    # Who was created after the as-of is neither new nor old: a clock or a time zone is wrong.
    return ibis.ifelse(created <= moment(as_of), created > moment(as_of - RECENT), ibis.null("boolean"))


def scan_attributes(
    warehouse: Warehouse, frame: PeopleFrame, as_of: datetime, *, shifting: Collection[str] = ()
) -> dict[str, AttributeScan]:
    """Return the counts of every available attribute, from one aggregate over the frame.

    Only numbers in `shifting` get `sides`: how they are spread among recent people, and among the others.
    """
    full, parts = frame.full, {}
    for number, name in enumerate(frame.full_schema):
        parts[f"filled{number}"] = full[name].count()
        parts[f"distinct{number}"] = full[name].nunique()
        if f"unread:{name}" in full.columns:
            parts[f"unreadable{number}"] = full[f"unread:{name}"].sum()
    if not parts:
        return {}
    found = warehouse.rows(full.aggregate(**parts))[0]
    scans = {
        name: AttributeScan(
            filled=int(found[f"filled{number}"]),
            distinct=int(found[f"distinct{number}"]),
            unreadable=int(found.get(f"unreadable{number}") or 0),
        )
        for number, name in enumerate(frame.full_schema)
    }
    numbers = [name for name, type_ in frame.full_schema.items() if type_ == "number" and scans[name].filled]
    few = [name for name in numbers if scans[name].distinct <= _FEW_NUMBERS]
    spread = {name: _from_values(warehouse, frame, as_of, name, shifts=name in shifting) for name in few}
    spread |= _from_people(warehouse, frame, as_of, [n for n in numbers if n not in few], shifting)
    return {
        name: replace(scan, quantiles=spread[name][0], sides=spread[name][1]) if name in spread else scan
        for name, scan in scans.items()
    }


def _from_values(
    warehouse: Warehouse, frame: PeopleFrame, as_of: datetime, name: str, *, shifts: bool
) -> _Spread:
    """Return how a number of few values is spread, from people per value: far less to sort than people."""
    rows = frame.full.select(value=frame.full[name], recent=_recent(frame, as_of))
    rows = rows.filter(rows["value"].notnull())
    counted = warehouse.rows(rows.group_by(["value", "recent"]).aggregate(people=lambda t: t.count()))
    counted.sort(key=lambda row: row["value"])

    everybody, older, newer = (
        [(float(row["value"]), int(row["people"])) for row in counted if row["recent"] in recent]
        for recent in ({True, False, None}, {False}, {True})
    )
    quantiles = _numbers(_quantiles(everybody, QUANTILES))
    edges = sorted(set(_numbers(_quantiles(older, _DECILES)))) if shifts else []
    return quantiles, (_binned(older, edges), _binned(newer, edges)) if edges else None


def _quantiles(counted: Sequence[tuple[float, int]], shares: Sequence[float]) -> list[float]:
    """Return quantiles by linear interpolation (Hyndman and Fan 1996, type 7), as the engines have them.

    `counted` holds the values in ascending order, each with how many people have it.

    >>> _quantiles([(1.0, 1), (2.0, 2), (4.0, 1)], (0.0, 0.5, 0.9))
    [1.0, 2.0, 3.4]
    """
    if not counted:
        return []
    upto = list(accumulate(people for _, people in counted))

    def at(rank: int) -> float:
        return counted[bisect_right(upto, rank)][0]

    found = []
    for share in shares:
        rank = share * (upto[-1] - 1)
        low, high = at(math.floor(rank)), at(math.ceil(rank))
        found.append(low + (high - low) * (rank - math.floor(rank)))
    return found


def _binned(counted: Iterable[tuple[float, int]], edges: Sequence[float]) -> dict[str, int]:
    bins: dict[str, int] = {}
    for value, people in counted:
        name = str(bisect_left(edges, value))
        bins[name] = bins.get(name, 0) + people
    return bins


def _from_people(
    warehouse: Warehouse, frame: PeopleFrame, as_of: datetime, names: Sequence[str], shifting: Collection[str]
) -> dict[str, _Spread]:
    """Return how numbers of many values are spread: the engine sorts people, once for all of the numbers."""
    if not names:
        return {}
    older, parts = ~_recent(frame, as_of), {}
    for number, name in enumerate(names):
        parts[f"quantiles{number}"] = frame.full[name].quantile(list(QUANTILES))
        if name in shifting:
            parts[f"deciles{number}"] = frame.full[name].quantile(list(_DECILES), where=older)
    found = warehouse.rows(frame.full.aggregate(**parts))[0]
    spread: dict[str, _Spread] = {}
    for number, name in enumerate(names):
        edges = sorted(set(_numbers(found.get(f"deciles{number}"))))
        sides = _number_sides(warehouse, frame, as_of, name, edges) if edges else None
        spread[name] = _numbers(found[f"quantiles{number}"]), sides
    return spread


def _number_sides(
    warehouse: Warehouse, frame: PeopleFrame, as_of: datetime, name: str, edges: Sequence[float]
) -> Sides:
    """Return how many people fall between the edges: before the last 28 days, and since."""
    column = frame.full[name]
    cases = [(column <= edge, number) for number, edge in enumerate(edges)]
    bins = ibis.cases(*cases, else_=len(edges))
    rows = frame.full.select(value=column, bin=bins, recent=_recent(frame, as_of))
    rows = rows.filter(rows["value"].notnull() & rows.recent.notnull())
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for row in warehouse.rows(rows.group_by(["bin", "recent"]).aggregate(people=lambda t: t.count())):
        (after if row["recent"] else before)[str(row["bin"])] = int(row["people"])
    return before, after


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
