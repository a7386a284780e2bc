"""One row per valid person: attributes, consent, suppressions and how each channel addresses them.

The frame is computed once per connection into a temporary table; profiles, consent review and simulation all
read it, so that they count the same people.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from gtm_orchestra.conditions import parse, to_ibis
from gtm_orchestra.errors import ConditionError, SourceError
from gtm_orchestra.warehouse.attributes import account_columns, attribute_problems, person_columns
from gtm_orchestra.warehouse.behaviour import behaviour
from gtm_orchestra.warehouse.consent_state import (
    consent_log,
    merged_state,
    purposes_of,
    snapshot_state,
    status_of,
)
from gtm_orchestra.warehouse.roles import Reading, RoleTable, role_table
from gtm_orchestra.warehouse.tables import scan_table
from gtm_orchestra.warehouse.values import Column, as_key, as_text, plain_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import pyarrow as pa

    from gtm_orchestra.config import AttributeSettings, AttributeType, Config, TableRole
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["PeopleFrame", "people_frame"]

_EMAIL = r"^[^@\s]{1,64}@[^@\s]{1,253}\.[^@\s.]{2,63}$"
_USELESS_KEY_SHARE = 0.5


@dataclass(frozen=True)
class PeopleFrame:
    """Everybody who counts, one row each.

    Attributes:
        table: `person_id`, the usable attributes by catalog name, `consent__<purpose>`, `suppressed__<name>`,
            `addressable__<channel>`. Times have no zone and are UTC.
        schema: Type of each attribute column of `table`.
        people: How many rows.
        full: `table` with, beside it, the denied attributes, `state:<purpose>`, `unread:<attribute>` for
            values not of its type, `created:`, `email:` and `account:`; for counts only.
        full_schema: Type of each attribute column of `full`.
        unavailable: Attribute of the catalog → why the data has no such column or event.
        records: Rows of the people table.
        broken: Rows without a usable key, or with a creation time that cannot be read.
        repeated: Rows beyond the first of their key.
        read: Runs an expression over `table` or `full` and returns its rows, one call at a time.
    """

    table: ibis.Table
    schema: Mapping[str, AttributeType]
    people: int
    full: ibis.Table
    full_schema: Mapping[str, AttributeType]
    unavailable: Mapping[str, str]
    records: int
    broken: int
    repeated: int
    read: Callable[[ibis.Expr], pa.Table]


def people_frame(warehouse: Warehouse, config: Config, as_of: datetime) -> PeopleFrame:
    """Return the people frame of this connection; computed once for one configuration and as-of.

    Raises:
        SourceError: The people table is empty, its key is useless, or something mapped is not in the source.
    """
    key = f"people:{as_of.isoformat()}:{config.model_dump_json()}"
    return warehouse.memo(key, lambda: _build(warehouse, config, as_of, key))


def _build(warehouse: Warehouse, config: Config, as_of: datetime, key: str) -> PeopleFrame:
    people = role_table(warehouse, config, "people")
    assert people is not None  # noqa: S101 - Config refuses a workspace without people
    records, keyed, distinct = _check_key(warehouse, people, as_of)
    reading = Reading(warehouse, config, as_of, native=_keys_are_whole_numbers(warehouse, config))
    problems = attribute_problems(warehouse, config)
    available = {name: a for name, a in config.attributes.items() if name not in problems}
    wide = _wide(reading, people, available, repeated=keyed > distinct)
    wide = wide.mutate(**_suppressions(config, wide, available)).mutate(**_addressable(config, people, wide))
    name = f"people_frame_{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    # A word per person and purpose would be the larger part of the table; it follows from the state.
    words = {f"consent__{purpose}": status_of(ibis._[f"state:{purpose}"]) for purpose in purposes_of(config)}
    order = wide.columns
    stored = wide.mutate(person_id=wide.person_id.cast("string")).drop(*words)
    full = warehouse.materialise(name, stored).mutate(**words).select(order)
    full = warehouse.named(f"{name}_full", full)
    count = int(warehouse.rows(full.aggregate(people=full.count()))[0]["people"])
    if not count:
        raise SourceError(
            f"table {people.settings.table!r} has {records:,} rows, but no valid person",
            hint="check tables.people.columns in gtm.toml",
        )
    usable = {name: a.type for name, a in available.items() if a.review != "denied"}
    shown = [c for c in full.columns if ":" not in c and (c not in available or c in usable)]
    return PeopleFrame(
        table=warehouse.named(f"{name}_shown", full.select(shown)),
        schema=usable,
        people=count,
        full=full,
        full_schema={name: a.type for name, a in available.items()},
        unavailable=problems,
        records=records,
        broken=records - keyed,
        repeated=keyed - distinct,
        read=warehouse.to_arrow,
    )


def _check_key(warehouse: Warehouse, people: RoleTable, as_of: datetime) -> tuple[int, int, int]:
    """Return rows, rows with a usable key and time, and distinct keys among those."""
    scan = scan_table(warehouse, people, as_of)
    records, keyed = scan.rows, scan.rows - scan.broken
    distinct = keyed - scan.duplicate_keys
    where = people.where("key")
    if not records:
        raise SourceError(
            f"table {people.settings.table!r} is empty: nobody to personalise for",
            hint="check the export, or map another table as tables.people in gtm.toml",
        )
    if not keyed:
        raise SourceError(f"{where} is empty in all {records:,} rows", hint="map another key in gtm.toml")
    if distinct < keyed * _USELESS_KEY_SHARE:
        raise SourceError(
            f"{where} is no key: {keyed:,} rows share {distinct:,} values",
            hint="map the column that tells people apart as tables.people.columns.key in gtm.toml",
        )
    return records, keyed, distinct


def _keys_are_whole_numbers(warehouse: Warehouse, config: Config) -> bool:
    keys: dict[TableRole, str] = {
        "people": "key",
        "events": "person",
        "consents": "person",
        "identities": "person",
        "membership": "person",
    }
    found = []
    for role, meaning in keys.items():
        table = role_table(warehouse, config, role)
        if table is not None:
            found.append(plain_type(table.column(meaning)) == "integer")
    return all(found)


def _wide(
    reading: Reading,
    people: RoleTable,
    available: Mapping[str, AttributeSettings],
    *,
    repeated: bool,
) -> ibis.Table:
    config = reading.config
    purposes = purposes_of(config)
    rows = people.table.filter(~people.broken())
    base = _one_per_key(people, rows) if repeated else rows
    columns = person_columns(people, base, available)
    columns["person_id"] = reading.person(people.column_of(base, "key"))
    nothing = ibis.null("string")
    columns["created:"] = (
        people.time_of(base, "created_at") if people.has("created_at") else ibis.null("timestamp")
    )
    columns["email:"] = as_text(people.column_of(base, "email")) if people.has("email") else nothing
    columns["account:"] = as_key(people.column_of(base, "account")) if people.has("account") else nothing
    for purpose in purposes:
        if purpose in config.consent.snapshots:
            columns[f"snapshot:{purpose}"] = snapshot_state(
                base,
                config,
                purpose,
                f"table {people.settings.table!r}",
            )
    wide = base.select(**columns)
    wide = account_columns(reading, wide, available)
    wide = _with_behaviour(reading, wide, available)
    wide = _with_consent(reading, wide, purposes)
    order = ["person_id", *available, *(c for c in wide.columns if c != "person_id" and c not in available)]
    return wide.select(order)


def _one_per_key(people: RoleTable, rows: ibis.Table) -> ibis.Table:
    """Keep the newest row of each key; between equally new ones, the first by all columns."""
    newest = [
        ibis.desc(people.time_of(rows, meaning), nulls_first=False)
        for meaning in ("loaded_at", "created_at")
        if people.has(meaning)
    ]
    # ibis keeps one place per column, the last: a time named again would lose its descending order.
    timed = {people.settings.columns.get(meaning) for meaning in ("loaded_at", "created_at")}
    plain = [rows[c] for c in sorted(rows.columns) if c not in timed and plain_type(rows[c]) != "other"]
    ranked = rows.mutate(
        **{
            "rank:": ibis.row_number().over(
                group_by=as_key(people.column_of(rows, "key")),
                order_by=[*newest, *plain],
            ),
        },
    )
    return ranked.filter(ranked["rank:"] == 0).drop("rank:")


def _with_behaviour(
    reading: Reading,
    wide: ibis.Table,
    available: Mapping[str, AttributeSettings],
) -> ibis.Table:
    measured = {name: a for name, a in available.items() if a.measure is not None}
    counted = behaviour(reading, measured)
    if counted is None:
        return wide
    joined = wide.left_join(counted, wide.person_id == counted.person_id).drop("person_id_right")
    return joined.mutate(
        **{
            name: ibis.coalesce(joined[name].cast("float64"), 0.0)
            if a.measure != "days_since_last"
            else joined[name]
            for name, a in measured.items()
        },
    )


def _with_consent(reading: Reading, wide: ibis.Table, purposes: tuple[str, ...]) -> ibis.Table:
    log = consent_log(reading, purposes)
    if log is not None:
        wide = wide.left_join(log, wide.person_id == log.person_id).drop("person_id_right")
    states = {}
    for purpose in purposes:
        logged = wide[f"state:{purpose}"] if log is not None else ibis.null("int8")
        snapshot = f"snapshot:{purpose}"
        states[f"state:{purpose}"] = (
            merged_state(logged, wide[snapshot]) if snapshot in wide.columns else logged
        )
    wide = wide.mutate(**states)
    wide = wide.mutate(**{f"consent__{purpose}": status_of(wide[f"state:{purpose}"]) for purpose in purposes})
    return wide.drop(*(c for c in wide.columns if c.startswith("snapshot:")))


def _suppressions(
    config: Config,
    wide: ibis.Table,
    available: Mapping[str, AttributeSettings],
) -> dict[str, Column]:
    """Return a boolean per suppression, true for whom it keeps out. A denied attribute may still keep out.

    Raises:
        SourceError: A suppression needs an attribute that is not there: nobody could be kept out.
    """
    schema: dict[str, AttributeType] = {name: a.type for name, a in available.items()}
    schema |= {f"consent.{purpose}": "string" for purpose in purposes_of(config)}
    found: dict[str, Column] = {}
    for name, suppression in config.suppressions.items():
        try:
            condition = parse(suppression.condition, schema)
        except ConditionError as error:
            raise SourceError(
                f"suppressions.{name} cannot be applied: {error.message}",
                hint="mend its condition in gtm.toml; without it the people it names would not be kept out",
            ) from error
        found[f"suppressed__{name}"] = to_ibis(condition, wide)
    return found


def _addressable(config: Config, people: RoleTable, wide: ibis.Table) -> dict[str, Column]:
    """Return a boolean per channel: true for whom the channel's identifier is known.

    Raises:
        SourceError: The identifier is no attribute and no mapped column.
    """
    found: dict[str, Column] = {}
    for channel, settings in config.channels.items():
        identifier = settings.identifier
        mail = people.settings.columns.get("email")
        if identifier is None or identifier in {"person_id", "key", people.settings.columns["key"]}:
            found[f"addressable__{channel}"] = ibis.literal(value=True)
        elif identifier == "email" or (mail is not None and identifier == mail):
            column = wide["email:"] if mail is not None else wide[_known(config, channel, identifier, wide)]
            found[f"addressable__{channel}"] = ibis.coalesce(
                column.re_search(_EMAIL),
                ibis.literal(value=False),
            )
        else:
            found[f"addressable__{channel}"] = wide[_known(config, channel, identifier, wide)].notnull()
    return found


def _known(config: Config, channel: str, identifier: str, wide: ibis.Table) -> str:
    if identifier in wide.columns:
        return identifier
    raise SourceError(
        f"channels.{channel}.identifier is {identifier!r}, which is no available attribute of the catalog; "
        f"allowed: email, {', '.join(sorted(config.attributes)) or 'no attribute yet'}",
        hint="mend gtm.toml; an e-mail address needs tables.people.columns.email",
    )
