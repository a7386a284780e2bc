"""Behavioural attributes: per person, how often, on how many days and how recently events happened.

An event without a person belongs to whom its anonymous id was stitched to; an id that several people claim
belongs to nobody. Business days are those of the workspace's time zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import ibis

from gtm_orchestra.config import parse_duration
from gtm_orchestra.warehouse.roles import Reading, RoleTable, role_table
from gtm_orchestra.warehouse.values import Column, as_key, as_text, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.config import AttributeSettings, Config, TableRole
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["behaviour", "event_names", "stitches"]

_SECONDS_PER_DAY = 86_400


def event_names(warehouse: Warehouse, config: Config) -> dict[str, int]:
    """Return how many rows each event name has; empty without an events table."""
    events = role_table(warehouse, config, "events")
    if events is None:
        return {}

    def count() -> dict[str, int]:
        names = events.table.select(name=as_text(events.column("name"))).drop_null()
        found = warehouse.rows(names.group_by("name").aggregate(rows=lambda t: t.count()))
        return {str(row["name"]): int(row["rows"]) for row in sorted(found, key=lambda row: str(row["name"]))}

    return warehouse.memo(f"event_names:{events.settings.model_dump_json()}", count)


def stitches(reading: Reading) -> ibis.Table | None:
    """Return anonymous ids with the one person that each belongs to, columns `anonymous` and `stitched`."""
    found = []
    sources: tuple[tuple[TableRole, str], ...] = (("identities", "person"), ("people", "key"))
    for role, person in sources:
        table = reading.role(role)
        if table is not None and table.has("anonymous"):
            pair = table.table.select(
                anonymous=as_key(table.column("anonymous")),
                stitched=reading.person(table.column(person)),
            )
            found.append(pair.drop_null())
    if not found:
        return None
    pairs = found[0] if len(found) == 1 else found[0].union(found[1])
    owners = pairs.group_by("anonymous").aggregate(stitched=pairs.stitched.min(), last=pairs.stitched.max())
    return owners.filter(owners.stitched == owners["last"]).drop("last")


def behaviour(reading: Reading, attributes: Mapping[str, AttributeSettings]) -> ibis.Table | None:
    """Return one row per person with events: `person_id` and one column per behavioural attribute.

    Counts are null for a person who is not in it; the caller makes them 0.
    """
    events, as_of = reading.role("events"), reading.as_of
    if events is None or not attributes:
        return None
    days = {name: a for name, a in attributes.items() if a.measure == "distinct_days"}
    others = {name: a for name, a in attributes.items() if name not in days}
    parts: list[ibis.Table] = []
    if others:
        rows = _events(reading, events, others)
        parts.append(
            rows.group_by("person_id").aggregate(**{n: _measure(rows, a, as_of) for n, a in others.items()})
        )
    if days:
        parts.append(_distinct_days(reading, _events(reading, events, days), days))
    if len(parts) == 1:
        return parts[0]
    joined = parts[0].outer_join(parts[1], "person_id")
    person = ibis.coalesce(joined.person_id, joined.person_id_right)
    return joined.mutate(person_id=person).drop("person_id_right")


def _distinct_days(
    reading: Reading, rows: ibis.Table, attributes: Mapping[str, AttributeSettings]
) -> ibis.Table:
    # A count of distinct days per person is a set per person; grouping by day first needs none.
    day = _local_day(
        rows.time, reading.config.workspace.timezone, reading.as_of, _reach(attributes, reading.as_of)
    )
    keyed = rows.mutate(day=day)
    daily = keyed.group_by(["person_id", "day"]).aggregate(
        **{name: _within(keyed, a, reading.as_of).any() for name, a in attributes.items()}
    )
    return daily.group_by("person_id").aggregate(
        **{name: daily.count(where=daily[name]).cast("float64") for name in attributes}
    )


def _events(reading: Reading, events: RoleTable, attributes: Mapping[str, AttributeSettings]) -> ibis.Table:
    columns = {
        "person_id": reading.person(events.column("person")),
        "time": events.time("time"),
        "name": as_text(events.column("name")),
    }
    if events.has("anonymous"):
        columns["anonymous"] = as_key(events.column("anonymous"))
    rows = events.table.select(**columns)
    keep = rows.time <= moment(reading.as_of)
    start = _reach(attributes, reading.as_of)
    if start is not None:
        keep &= rows.time > moment(start)
    wanted = {a.event for a in attributes.values()}
    if "*" not in wanted:
        keep &= rows["name"].isin(sorted(str(event) for event in wanted))
    rows = rows.filter(keep)
    owners = stitches(reading) if events.has("anonymous") else None
    if owners is not None:
        joined = rows.left_join(owners, rows.anonymous == owners.anonymous)
        rows = joined.select(
            person_id=ibis.coalesce(joined.person_id, joined.stitched),
            time=joined.time,
            name=joined["name"],
        )
    return rows.filter(rows.person_id.notnull())


def _reach(attributes: Mapping[str, AttributeSettings], as_of: datetime) -> datetime | None:
    """Return the start of the longest window, or None if one attribute looks back without end."""
    windows = [a.window for a in attributes.values()]
    if any(window is None for window in windows):
        return None
    return as_of - max(parse_duration(str(window)) for window in windows)


def _within(rows: ibis.Table, attribute: AttributeSettings, as_of: datetime) -> Column:
    within: Column = ibis.literal(value=True)
    if attribute.event != "*":
        within = rows["name"] == attribute.event
    if attribute.window is not None:
        recent = rows.time > moment(as_of - parse_duration(attribute.window))
        within = recent if attribute.event == "*" else within & recent
    return within


def _measure(rows: ibis.Table, attribute: AttributeSettings, as_of: datetime) -> Column:
    within = _within(rows, attribute, as_of)
    if attribute.measure == "days_since_last":
        return _days_since(rows.time.max(where=within), as_of)
    return rows.count(where=within)


def _days_since(newest: Column, as_of: datetime) -> Column:
    """Return whole days between a time and the as-of; whole seconds, because engines differ in fractions."""
    seconds = int(as_of.timestamp()) - newest.epoch_seconds().floor()
    return (seconds.cast("float64") / _SECONDS_PER_DAY).floor().cast("float64")


def _local_day(time: Column, zone: str, as_of: datetime, start: datetime | None) -> Column:
    """Return the calendar day of a time in a zone, by its offsets as constants: equal on every engine."""
    shifts = _offsets(zone, start or as_of - timedelta(days=3_660), as_of)
    first, *later = shifts
    local = time + ibis.interval(minutes=first[1])
    if later:
        cases = [
            (time >= moment(since), time + ibis.interval(minutes=offset)) for since, offset in reversed(later)
        ]
        local = ibis.cases(*cases, else_=local)
    return local.date()


def _offsets(zone: str, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """Return when each offset of a zone began, in minutes east of UTC, between two times."""
    clock = ZoneInfo(zone)
    found: list[tuple[datetime, int]] = []
    at = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while at <= end:
        shift = at.astimezone(clock).utcoffset() or timedelta(0)
        minutes = int(shift.total_seconds() // 60)
        if not found or found[-1][1] != minutes:
            found.append((at, minutes))
        at += timedelta(hours=1)
    return found
