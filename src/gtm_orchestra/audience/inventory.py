"""The attribute inventory: which attributes exist, how full, how fresh, how sensitive, and what stands out.

Every figure comes from the engine as a count. No value of fewer people than the group minimum is in the
result, nor can be worked out from the others; none at all of personal, special or unreviewed free text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gtm_orchestra.audience.association import stability_index
from gtm_orchestra.audience.contracts import (
    AttributeFact,
    Inventory,
    SchemaField,
    TableFact,
    ValueShare,
)
from gtm_orchestra.audience.identity import identity_fact
from gtm_orchestra.audience.inventory_findings import NOT_ACCEPTED, inventory_findings
from gtm_orchestra.audience.proxies import Proxy, find_proxies
from gtm_orchestra.audience.sensitivity import Signs, signs
from gtm_orchestra.config import parse_duration
from gtm_orchestra.warehouse.attribute_scan import (
    LIST_LIMIT,
    AttributeScan,
    Cell,
    count_addresses,
    sample_values,
    scan_attributes,
    value_cells,
)
from gtm_orchestra.warehouse.attributes import source_of
from gtm_orchestra.warehouse.roles import mapped_tables
from gtm_orchestra.warehouse.tables import TableScan, columns_of, scan_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gtm_orchestra.config import AttributeSettings, Config, Sensitivity
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame
    from gtm_orchestra.warehouse.roles import RoleTable

__all__ = ["take_inventory"]

_SHOWN_VALUES = 10
# An unreviewed text with more values than this is taken for free text.
_CHOICES = 50
# Fewer people on one side say nothing about a shift.
_LEAST_COMPARED = 500
_IDENTIFIERS = frozenset(
    {
        "email",
        "phone",
        "name",
        "address",
        "identity number",
        "bank account",
        "card number",
        "IP address",
        "social profile",
    }
)


@dataclass(frozen=True)
class _Looked:
    """Everything that was counted about the attributes."""

    scans: Mapping[str, AttributeScan]
    cells: Mapping[str, tuple[Cell, ...]]
    signs: Mapping[str, Signs]
    sensitivity: Mapping[str, Sensitivity]
    drift: Mapping[str, float]
    proxies: Mapping[str, Proxy]


def take_inventory(warehouse: Warehouse, config: Config, as_of: datetime, frame: PeopleFrame) -> Inventory:
    """Return the inventory of the mapped tables and of every attribute of the catalog, as of a moment."""
    found = mapped_tables(warehouse, config)
    scans = {table.role: scan_table(warehouse, table, as_of) for table in found}
    tables = tuple(_table_fact(table, scans[table.role], as_of) for table in found)
    looked = _look(warehouse, config, as_of, frame)
    by_role = {table.role: table for table in tables}
    attributes = tuple(
        _attribute_fact(config, name, frame, looked, by_role[config.attributes[name].table])
        for name in sorted(config.attributes)
    )
    identity = identity_fact(warehouse, config, as_of, frame)
    columns = sorted(
        (
            SchemaField(table=t.settings.table, column=column, type=type_)
            for t in found
            for column, type_ in columns_of(warehouse, t)
        ),
        key=lambda field: (field.table, field.column),
    )
    unreadable = {name: scan.unreadable for name, scan in looked.scans.items() if scan.unreadable}
    findings = inventory_findings(
        config,
        tables=tables,
        attributes=attributes,
        identity=identity,
        unavailable=frame.unavailable,
        unreadable=unreadable,
        signs=looked.signs,
        proxies=looked.proxies,
    )
    return Inventory(
        as_of=as_of,
        engine=warehouse.engine,
        tables=tuple(sorted(tables, key=lambda table: table.role)),
        attributes=attributes,
        identity=identity,
        columns=tuple(columns),
        findings=findings,
    )


def hours_of(duration: str | None) -> float | None:
    """Return a duration of gtm.toml in hours."""
    return parse_duration(duration).total_seconds() / 3600 if duration else None


def _table_fact(found: RoleTable, scan: TableScan, as_of: datetime) -> TableFact:
    settings = found.settings
    age = round((as_of - scan.newest).total_seconds() / 3600, 4) if scan.newest else None
    sla = hours_of(settings.freshness)
    return TableFact(
        role=found.role,
        table=settings.table,
        rows=scan.rows,
        broken_rows=scan.broken,
        unmatched_rows=scan.strangers,
        duplicate_keys=scan.duplicate_keys,
        future_rows=scan.future,
        late_rows=scan.late,
        oldest=scan.oldest,
        newest=scan.newest,
        age_hours=age,
        freshness_sla_hours=sla,
        stale=sla is not None and age is not None and age > sla,
        cadence_hours=scan.cadence_hours,
        local_times=found.local,
        owner=settings.owner or "",
    )


def _look(warehouse: Warehouse, config: Config, as_of: datetime, frame: PeopleFrame) -> _Looked:
    plain = [name for name, a in config.attributes.items() if a.measure is None]
    scans = scan_attributes(warehouse, frame, as_of, shifting=plain)
    lists = [
        name
        for name, type_ in frame.full_schema.items()
        if type_ == "boolean" or (type_ == "string" and 0 < scans[name].distinct <= LIST_LIMIT)
    ]
    texts = [name for name, t in frame.full_schema.items() if t == "string" and name not in lists]
    values = sample_values(warehouse, frame, texts)
    declared = [name for name in frame.full_schema if config.attributes[name].sensitivity == "special"]
    named = [name for name in lists if signs(_names(config, name)).special]
    suspects = sorted({*declared, *named} & set(lists))
    cells = {name: value_cells(warehouse, frame, as_of, name, suspects) for name in lists}
    values |= {name: sorted({str(cell.value) for cell in found}) for name, found in cells.items()}
    judged = {
        name: signs(_names(config, name), values.get(name, ()), type_=type_)
        for name, type_ in frame.full_schema.items()
    }
    sensitivity = {name: _sensitivity(config.attributes[name], judged[name]) for name in frame.full_schema}
    special = [name for name in suspects if sensitivity[name] == "special"]
    proxies = find_proxies(warehouse, config, frame, special, cells, sensitivity)
    sensitivity |= dict.fromkeys(proxies, "proxy")
    shifts = {name: _sides(cells[name]) for name in plain if name in cells}
    shifts |= {name: scan.sides for name, scan in scans.items() if scan.sides is not None}
    drift = {
        name: round(stability_index(before, after), 4)
        for name, (before, after) in shifts.items()
        if min(sum(before.values()), sum(after.values())) >= _LEAST_COMPARED
    }
    # Where nobody expects an address, it matters how many there are.
    surprising = [
        name
        for name, found in judged.items()
        if (found.personal, found.by) == ("email", "values")
        and frame.full_schema[name] == "string"
        and config.attributes[name].sensitivity != "personal"
    ]
    counted = count_addresses(warehouse, frame, surprising)
    judged |= {name: replace(judged[name], people=people) for name, people in counted.items()}
    return _Looked(scans, cells, judged, sensitivity, drift, proxies)


def _names(config: Config, name: str) -> tuple[str, ...]:
    return name, config.attributes[name].column or ""


def _sensitivity(attribute: AttributeSettings, found: Signs) -> Sensitivity:
    """Return how sensitive an attribute is taken to be: as a person accepted it, else the stricter."""
    if attribute.review == "accepted" and attribute.sensitivity in {"none", "internal", "personal"}:
        return attribute.sensitivity
    if found.special or attribute.sensitivity == "special":
        return "special"
    if found.personal and attribute.sensitivity in {"none", "internal", "unknown"}:
        return "personal"
    return attribute.sensitivity


def _sides(cells: Sequence[Cell]) -> tuple[dict[str, int], dict[str, int]]:
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for cell in cells:
        if cell.recent is not None:
            side = after if cell.recent else before
            side[str(cell.value)] = side.get(str(cell.value), 0) + cell.people
    return before, after


def _attribute_fact(
    config: Config, name: str, frame: PeopleFrame, looked: _Looked, table: TableFact
) -> AttributeFact:
    a = config.attributes[name]
    scan = looked.scans.get(name, AttributeScan(0, 0))
    coverage_sla = a.coverage if a.coverage is not None else config.policies.coverage_floor
    sla = hours_of(a.freshness) or table.freshness_sla_hours
    stale = sla is not None and table.age_hours is not None and table.age_hours > sla
    sensitivity = looked.sensitivity.get(name, a.sensitivity)
    signed = looked.signs.get(name, Signs())
    coverage = scan.filled / frame.people
    shown, small = _top_values(config, sensitivity, scan, looked.cells.get(name, ()))
    why = _why_not(config, name, frame, sensitivity, signed, stale=stale, short=coverage < coverage_sla)
    enough = scan.filled >= config.policies.group_minimum and sensitivity in {"none", "internal", "unknown"}
    return AttributeFact(
        name=name,
        table=a.table,
        source=source_of(config, a),
        source_system=config.tables[a.table].source_system or "",
        type=a.type,
        required=a.required,
        available=name not in frame.unavailable,
        people=frame.people,
        filled=scan.filled,
        coverage=coverage,
        coverage_sla=coverage_sla,
        distinct=scan.distinct if name in looked.scans else None,
        top_values=shown,
        small_groups=small,
        quantiles=scan.quantiles if enough else (),
        newest=table.newest,
        age_hours=table.age_hours,
        freshness_sla_hours=sla,
        stale=stale,
        cadence_hours=table.cadence_hours,
        sensitivity=sensitivity,
        sensitivity_note=a.sensitivity_note
        or (f"Looks like data on {signed.special}." if signed.special else ""),
        personal_data=signed.personal,
        drift=looked.drift.get(name),
        available_at=a.available_at,
        consent=a.consent,
        purpose=a.purpose,
        owner=a.owner or table.owner,
        review=a.review,
        usable=not why,
        why_not=why,
    )


def _top_values(
    config: Config, sensitivity: Sensitivity, scan: AttributeScan, cells: Sequence[Cell]
) -> tuple[tuple[ValueShare, ...], int]:
    """Return the most frequent values, and how many values are left out because few people have them."""
    if sensitivity not in {"none", "internal", "unknown"} or (
        sensitivity == "unknown" and scan.distinct > _CHOICES
    ):
        return (), 0
    people: dict[str, int] = {}
    for cell in cells:
        value = str(cell.value).lower() if isinstance(cell.value, bool) else str(cell.value)
        people[value] = people.get(value, 0) + cell.people
    least = config.policies.group_minimum
    large = sorted((-n, value) for value, n in people.items() if n >= least)[:_SHOWN_VALUES]
    # What is not shown must not be a small group either, or subtracting would show it.
    while large and 0 < scan.filled + sum(n for n, _ in large) < least:
        large.pop()
    small = sum(1 for n in people.values() if n < least)
    return tuple(ValueShare(value=value, people=-n) for n, value in large), small


def _why_not(
    config: Config,
    name: str,
    frame: PeopleFrame,
    sensitivity: Sensitivity,
    signed: Signs,
    *,
    stale: bool,
    short: bool,
) -> str:
    """Return why an attribute may not stand in a profile, or nothing."""
    if name in frame.unavailable:
        return frame.unavailable[name]
    attribute = config.attributes[name]
    if attribute.review == "denied":
        return f"denied in the catalog: {attribute.reason}" if attribute.reason else "denied in the catalog"
    reasons = (
        (sensitivity == "special", "special category of personal data"),
        (sensitivity == "proxy", "stands in for a special category"),
        (
            signed.personal in _IDENTIFIERS,
            f"holds personal data ({signed.personal}): it selects nobody",
        ),
        (sensitivity == "personal" and attribute.review != "accepted", NOT_ACCEPTED),
        (stale, "older than its freshness SLA"),
        (short, "below its coverage SLA"),
    )
    return next((reason for applies, reason in reasons if applies), "")
