"""What each mapped table looks like as a whole: one pass of the engine per table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import ibis

from gtm_orchestra.warehouse.values import Column, as_key, moment, plain_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.roles import RoleTable

__all__ = ["TableScan", "columns_of", "scan_table"]

LATE_AFTER = timedelta(hours=24)
# A row that arrives while the scan runs is not from the future.
CLOCK_GRACE = timedelta(minutes=15)
# Two loads are one gap, which may be any.
_LEAST_GAPS = 2


@dataclass(frozen=True)
class TableScan:
    """Counts of one table.

    Attributes:
        strangers: Rows that name somebody by an address or the like that finds nobody; they are not broken.
        newest: Of the load times, or else of the rows' own times; not after the as-of.
        cadence_hours: Median time between loads, to the hour. None without a column of load times, or if
            there were fewer than three loads: when rows happened does not tell when they were fetched.
    """

    rows: int
    broken: int
    strangers: int
    duplicate_keys: int
    future: int
    late: int
    oldest: datetime | None
    newest: datetime | None
    cadence_hours: float | None


def columns_of(warehouse: Warehouse, found: RoleTable) -> tuple[tuple[str, str], ...]:
    """Return every column that the source has with its type, in words that are the same on every engine."""
    table = warehouse.table(found.settings.table)
    return tuple((name, plain_type(table[name])) for name in sorted(table.columns))


def scan_table(warehouse: Warehouse, found: RoleTable, as_of: datetime) -> TableScan:
    """Count a table by the hour of its loads in one pass; keyed tables take a second look at their keys.

    Counted once per connection.
    """
    key = f"scan:{found.role}:{as_of.isoformat()}:{found.settings.model_dump_json()}"
    return warehouse.memo(key, lambda: _scan(warehouse, found, as_of))


def _scan(warehouse: Warehouse, found: RoleTable, as_of: datetime) -> TableScan:
    times = {meaning: found.time(meaning) for meaning in ("time", "at", "created_at") if found.has(meaning)}
    own: Column = next(iter(times.values()), ibis.null("timestamp"))
    loaded: Column = found.time("loaded_at") if found.has("loaded_at") else ibis.null("timestamp")
    load = loaded if found.has("loaded_at") else own
    limit = moment(as_of + CLOCK_GRACE)
    rows = found.table.select(
        hour=ibis.coalesce(load, own).truncate("h"),
        own=own,
        load=load,
        broken=found.broken(),
        strange=found.strange(),
        ahead=ibis.coalesce(own > limit, ibis.literal(value=False))
        | ibis.coalesce(loaded > limit, ibis.literal(value=False)),
        late=ibis.coalesce((loaded - ibis.interval(hours=24)) > own, ibis.literal(value=False)),
    )
    hours = rows.group_by("hour").aggregate(
        rows=rows.count(),
        broken=rows.broken.sum(),
        strangers=rows.strange.sum(),
        future=rows.ahead.sum(),
        late=rows.late.sum(),
        oldest=rows.own.min(where=~rows.ahead),
        newest=rows.load.max(where=rows.load <= moment(as_of)),
    )
    return _summed(warehouse.rows(hours), _duplicate_keys(warehouse, found), found)


def _summed(hours: list[dict[str, Any]], duplicates: int, found: RoleTable) -> TableScan:
    def total(name: str) -> int:
        return sum(int(hour[name] or 0) for hour in hours)

    def known(name: str) -> list[datetime]:
        return [hour[name].replace(tzinfo=UTC) for hour in hours if hour[name] is not None]

    newest = max(known("newest"), default=None)
    return TableScan(
        rows=total("rows"),
        broken=total("broken"),
        strangers=total("strangers"),
        duplicate_keys=duplicates,
        future=total("future"),
        late=total("late") if found.role == "events" else 0,
        oldest=min(known("oldest"), default=None),
        newest=newest,
        cadence_hours=_cadence(hour for hour in known("hour") if newest is not None and hour <= newest)
        if found.has("loaded_at")
        else None,
    )


def _cadence(loads: Iterable[datetime]) -> float | None:
    ordered = sorted(loads)
    gaps = [(b - a).total_seconds() / 3600 for a, b in pairwise(ordered)]
    return float(median(gaps)) if len(gaps) >= _LEAST_GAPS else None


def _duplicate_keys(warehouse: Warehouse, found: RoleTable) -> int:
    if not found.has("key"):
        return 0
    key = as_key(found.column("key"), native=True)
    usable = ~found.broken()
    counted = warehouse.rows(
        found.table.aggregate(keyed=found.table.count(where=usable), distinct=key.nunique(where=usable))
    )[0]
    return int(counted["keyed"]) - int(counted["distinct"])
