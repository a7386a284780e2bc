"""What a metric of gtm.toml is worth today, for any groups of people, counted in the engine.

A metric gives each unit two numbers, `value` and `base`; its level in a group is sum(value) / sum(base):

- proportion: 1 for a unit with the event in the window; everyone counts.
- mean: the event's value summed over the window, or how often it happened where no value is mapped; everyone
  counts.
- revenue: as mean with an event; without one, the amount of the account's opportunities created in the
  window. Then the unit is the account, because people of one account share its amount.
- retention: 1 for a unit with the event in the window, among those with it in the window before.
- ratio: events of that name among all events in the window; who has none does not count.
- with `sql`: the query's `value` per `person`; who is not in it counts as 0, and not at all for a ratio,
  whose query may return a `base` too. For a proportion or retention a value above 0 counts as 1.

The window ends at the as-of. A query in `sql` is taken as it is: the window is its own affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import ibis

from gtm_orchestra.config import parse_duration
from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.behaviour import event_names, stitches
from gtm_orchestra.warehouse.roles import Reading, role_table
from gtm_orchestra.warehouse.values import Column, as_key, as_number, as_text, moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gtm_orchestra.config import Config, MetricSettings
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["STARTS", "MetricLevel", "metric_gap", "metric_levels", "start_rate"]

Mask: TypeAlias = Any  # ibis ships no precise type for a boolean column

# How far back people may have started to count in a start rate.
STARTS = timedelta(days=90)
_YES_OR_NO = {"proportion", "retention"}


@dataclass(frozen=True)
class MetricLevel:
    """A metric over one group of people.

    Attributes:
        units: People or accounts in its base.
        unit: What a unit is.
        level: sum(value) / sum(base); None without a base.
        deviation: Standard deviation of one unit's contribution to the level, linearised for a ratio
            (Kohavi, Tang and Xu 2020, chapter 18); None with fewer than two units.
    """

    units: int
    unit: Literal["person", "account"]
    level: float | None
    deviation: float | None


def metric_gap(warehouse: Warehouse, config: Config, name: str) -> str:
    """Return what is missing for a metric to be computed, in words; empty if nothing is."""
    metric = config.metrics[name]
    if metric.sql is not None:
        return ""
    if metric.event is None and metric.type == "revenue":
        return _account_gap(warehouse, config, name)
    if role_table(warehouse, config, "events") is None:
        return f"map [tables.events], or give metrics.{name} sql that returns person and value"
    if metric.event is None and metric.type != "retention":
        return f"give metrics.{name} an event, or sql that returns person and value"
    if metric.event is not None and metric.event not in event_names(warehouse, config):
        table = config.tables["events"].table
        return f"the event {metric.event!r} of metrics.{name} does not occur in table {table!r}"
    return ""


def _account_gap(warehouse: Warehouse, config: Config, name: str) -> str:
    if role_table(warehouse, config, "opportunities") is None:
        return f"map [tables.opportunities], or give metrics.{name} an event or sql"
    if "account" in config.tables["people"].columns or "membership" in config.tables:
        return ""
    return "map people to accounts: tables.people.columns.account, or [tables.membership]"


def metric_levels(
    warehouse: Warehouse,
    config: Config,
    frame: PeopleFrame,
    as_of: datetime,
    *,
    metric: str,
    groups: Mapping[str, Mask],
) -> dict[str, MetricLevel]:
    """Return the metric over each group; one pass over the events and one over the people.

    Args:
        warehouse: The run's connection.
        config: Whose metric it is.
        frame: Everybody who counts.
        as_of: End of the window.
        metric: A name of [metrics] for which `metric_gap` is empty.
        groups: Name → boolean column over `frame.full`.

    Raises:
        SourceError: The engine refused a query, or a `sql` returns no person and value.
    """
    if not groups:
        return {}
    settings = config.metrics[metric]
    by_account = settings.sql is None and settings.event is None and settings.type == "revenue"
    values = _values(warehouse, config, settings, as_of)
    names = {name: f"in:{number}" for number, name in enumerate(sorted(groups))}
    key = "account:" if by_account else "person_id"
    people = frame.full.select(unit=frame.full[key], **{names[name]: mask for name, mask in groups.items()})
    joined = people.left_join(values, people.unit == values.unit).drop("unit_right")
    everyone = settings.type not in {"ratio", "retention"} or (
        settings.sql is not None and settings.type != "ratio"
    )
    rows = joined.mutate(
        value=ibis.coalesce(joined.value, 0.0), base=ibis.coalesce(joined.base, 1.0 if everyone else 0.0)
    )
    rows = rows.filter(rows.unit.notnull() & (rows.base > 0))
    if by_account:
        flags = {column: rows[column].any() for column in names.values()}
        rows = rows.group_by("unit").aggregate(value=rows.value.max(), base=rows.base.max(), **flags)
    rows = _winsorised(warehouse, rows, settings)
    found = warehouse.rows(rows.aggregate(**_sums(rows, names)))[0]
    unit: Literal["person", "account"] = "account" if by_account else "person"
    return {name: _level(found, column, unit) for name, column in names.items()}


def start_rate(
    warehouse: Warehouse, config: Config, frame: PeopleFrame, as_of: datetime, *, metric: str
) -> MetricLevel | None:
    """Return the share of new people with a proportion's event within its window of their start.

    Counted over the people of the 90 days whose window is over at the as-of. None where that cannot be said:
    the metric is no proportion of an event, or gtm.toml does not say when people were created.
    """
    settings = config.metrics[metric]
    created = "created_at" in config.tables["people"].columns
    if settings.type != "proportion" or settings.event is None or settings.sql is not None or not created:
        return None
    window = parse_duration(settings.window)
    people = frame.full.select(unit=frame.full.person_id, start=frame.full["created:"])
    end = as_of - window
    people = people.filter((people.start <= moment(end)) & (people.start > moment(end - STARTS)))
    events = _events(warehouse, config, as_of, window * 2 + STARTS)
    events = events.filter(events["name"] == settings.event)
    joined = people.left_join(events, people.unit == events.unit).drop("unit_right")
    # A visitor may have done it just before the account existed: stitched, it counts for the start.
    length = ibis.interval(seconds=int(window.total_seconds()))
    within = (joined.time <= joined.start + length) & (joined.time >= joined.start - length)
    reached = joined.group_by("unit").aggregate(value=ibis.coalesce(within.any(), ibis.literal(value=False)))
    found = warehouse.rows(
        reached.aggregate(people=reached.count(), reached=reached.count(where=reached.value))
    )[0]
    units, value = int(found["people"]), float(found["reached"])
    return _level(
        {"n:x": units, "v:x": value, "b:x": units, "vv:x": value, "bb:x": units, "vb:x": value}, "x", "person"
    )


def _sums(rows: ibis.Table, names: Mapping[str, str]) -> dict[str, Column]:
    products = {
        "v": rows.value,
        "b": rows.base,
        "vv": rows.value**2,
        "bb": rows.base**2,
        "vb": rows.value * rows.base,
    }
    wanted = {f"n:{column}": rows.count(where=rows[column]) for column in names.values()}
    for column in names.values():
        wanted |= {f"{name}:{column}": product.sum(where=rows[column]) for name, product in products.items()}
    return wanted


def _level(found: Mapping[str, Any], column: str, unit: Literal["person", "account"]) -> MetricLevel:
    units = int(found[f"n:{column}"])
    value, base, vv, bb, vb = (
        float(found[f"{name}:{column}"] or 0.0) for name in ("v", "b", "vv", "bb", "vb")
    )
    if not units or not base:
        return MetricLevel(0, unit, None, None)
    level = value / base
    if units == 1:
        return MetricLevel(1, unit, level, None)
    # Sums of squares of large amounts cancel; below zero is rounding, not variance.
    spread = max(0.0, vv - 2 * level * vb + level**2 * bb) / (units - 1)
    return MetricLevel(units, unit, level, spread**0.5 / (base / units))


def _winsorised(warehouse: Warehouse, rows: ibis.Table, settings: MetricSettings) -> ibis.Table:
    """Cap values at their upper quantile over all people, so that every group has the same cap."""
    if not settings.winsorise or settings.type in _YES_OR_NO | {"ratio"}:
        return rows
    found = warehouse.rows(rows.aggregate(cap=rows.value.quantile(1 - settings.winsorise)))[0]["cap"]
    # A cap of 0 would erase a rare event altogether.
    return rows.mutate(value=ibis.least(rows.value, float(found))) if found else rows


def _values(warehouse: Warehouse, config: Config, settings: MetricSettings, as_of: datetime) -> ibis.Table:
    """Return one row per unit with a value: `unit`, `value`, `base`."""
    if settings.sql is not None:
        return warehouse.memo(
            f"metric:{settings.type}:{settings.sql}", lambda: _from_query(warehouse, settings)
        )
    window = parse_duration(settings.window)
    if settings.event is None and settings.type == "revenue":
        return _opportunities(warehouse, config, as_of, window)
    rows = _events(warehouse, config, as_of, window * 2 if settings.type == "retention" else window)
    named = rows["name"] == settings.event if settings.event is not None else ibis.literal(value=True)
    match settings.type:
        case "proportion":
            value, base = named.any().cast("float64"), ibis.literal(1.0)
        case "retention":
            recent = rows.time > moment(as_of - window)
            value = (named & recent).any().cast("float64")
            base = (named & ~recent).any().cast("float64")
        case "ratio":
            value, base = rows.count(where=named).cast("float64"), rows.count().cast("float64")
        case _:
            has_value = "value" in config.tables["events"].columns
            value = rows.amount.sum(where=named) if has_value else rows.count(where=named).cast("float64")
            base = ibis.literal(1.0)
    summed = {"value": ibis.coalesce(value, 0.0)}
    if settings.type in {"ratio", "retention"}:
        return rows.group_by("unit").aggregate(**summed, base=base)
    return rows.group_by("unit").aggregate(**summed).mutate(base=base)


def _events(warehouse: Warehouse, config: Config, as_of: datetime, reach: timedelta) -> ibis.Table:
    """Return the events of known people in the window, stitched as the people frame stitches them."""
    events = role_table(warehouse, config, "events")
    assert events is not None  # noqa: S101 - metric_gap is asked first
    columns = {
        "person": as_key(events.column("person")),
        "time": events.time("time"),
        "name": as_text(events.column("name")),
        "amount": as_number(events.column("value")) if events.has("value") else ibis.null("float64"),
    }
    if events.has("anonymous"):
        columns["anonymous"] = as_key(events.column("anonymous"))
    rows = events.table.select(**columns)
    rows = rows.filter((rows.time <= moment(as_of)) & (rows.time > moment(as_of - reach)))
    owners = stitches(Reading(warehouse, config, as_of, native=False)) if events.has("anonymous") else None
    if owners is not None:
        joined = rows.left_join(owners, rows.anonymous == owners.anonymous)
        rows = joined.mutate(person=ibis.coalesce(joined.person, joined.stitched))
    return rows.select(unit=rows.person, time=rows.time, name=rows["name"], amount=rows.amount).drop_null(
        ["unit"]
    )


def _opportunities(warehouse: Warehouse, config: Config, as_of: datetime, window: timedelta) -> ibis.Table:
    deals = role_table(warehouse, config, "opportunities")
    assert deals is not None  # noqa: S101 - metric_gap is asked first
    columns = {"unit": as_key(deals.column("account")), "amount": as_number(deals.column("amount"))}
    if deals.has("created_at"):
        columns["time"] = deals.time("created_at")
    rows = deals.table.select(**columns).drop_null(["unit"])
    if deals.has("created_at"):
        rows = rows.filter((rows.time <= moment(as_of)) & (rows.time > moment(as_of - window)))
    summed = rows.group_by("unit").aggregate(value=ibis.coalesce(rows.amount.sum(), 0.0))
    return summed.mutate(base=ibis.literal(1.0))


def _from_query(warehouse: Warehouse, settings: MetricSettings) -> ibis.Table:
    rows = warehouse.sql(str(settings.sql).strip().rstrip(";"))
    lacking = [column for column in ("person", "value") if column not in rows.columns]
    if lacking:
        raise SourceError(
            f"the sql of a {settings.type} metric in gtm.toml returns {', '.join(rows.columns)}, "
            f"without {' and '.join(lacking)}",
            hint="name the columns in its SELECT, such as SUM(amount) AS value",
        )
    columns = {"unit": as_key(rows.person), "value": as_number(rows.value)}
    columns["base"] = as_number(rows.base) if "base" in rows.columns else ibis.literal(1.0)
    named = rows.select(**columns).drop_null(["unit"])
    summed = named.group_by("unit").aggregate(
        value=ibis.coalesce(named.value.sum(), 0.0), base=named.base.max()
    )
    if settings.type in _YES_OR_NO:
        return summed.mutate(value=(summed.value > 0).cast("float64"))
    return summed
