"""Where the value of each catalog attribute comes from, and why some are not there."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.behaviour import event_names
from gtm_orchestra.warehouse.roles import Reading, RoleTable, role_table
from gtm_orchestra.warehouse.values import Column, as_key, as_type, plain_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import ibis

    from gtm_orchestra.config import AttributeSettings, Config
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["account_columns", "attribute_problems", "person_columns", "source_of"]

_RESERVED = ("person_id",)
_RESERVED_PREFIXES = ("consent__", "suppressed__", "addressable__")


def source_of(config: Config, attribute: AttributeSettings) -> str:
    """Return where an attribute comes from, in words: table.column, or the event and how it is counted."""
    table = config.tables[attribute.table].table
    if attribute.column is not None:
        return f"{table}.{attribute.column}"
    event = "any event" if attribute.event == "*" else f"event {attribute.event}"
    words = {"count": "count of", "distinct_days": "distinct days with", "days_since_last": "days since last"}
    window = f" in {attribute.window}" if attribute.window else ""
    return f"{table}: {words[str(attribute.measure)]} {event}{window}"


def attribute_problems(warehouse: Warehouse, config: Config) -> dict[str, str]:
    """Return the catalog attributes that the data cannot give, with the reason."""
    found = {name: _problem(warehouse, config, name, a) for name, a in config.attributes.items()}
    return {name: problem for name, problem in found.items() if problem}


def _problem(warehouse: Warehouse, config: Config, name: str, attribute: AttributeSettings) -> str:
    if name in _RESERVED or name.startswith(_RESERVED_PREFIXES) or ":" in name:
        return f"the name {name!r} is reserved; rename the attribute in gtm.toml"
    if attribute.event is not None:
        names = event_names(warehouse, config)
        known = attribute.event == "*" or attribute.event in names
        return "" if known else f"no event is named {attribute.event!r}{_renamed(attribute.event, names)}"
    if attribute.table not in {"people", "accounts"}:
        return f"a plain attribute comes from people or accounts; {attribute.table} has many rows per person"
    table = role_table(warehouse, config, attribute.table)
    column = str(attribute.column)
    if table is None or column not in table.table.columns:
        known_columns = table.table.columns if table else ()
        name = config.tables[attribute.table].table
        return f"table {name!r} has no column {column!r}{_renamed(column, known_columns)}"
    if attribute.table == "accounts" and not _knows_accounts(config):
        return "nothing says who belongs to which account; map tables.people.columns.account, or membership"
    return ""


def _renamed(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; was it renamed to {close[0]!r}?" if close else ""


def _knows_accounts(config: Config) -> bool:
    return "account" in config.tables["people"].columns or "membership" in config.tables


def person_columns(
    people: RoleTable,
    base: ibis.Table,
    available: Mapping[str, AttributeSettings],
) -> dict[str, Column]:
    """Return the plain attributes of the people table, read as their types."""
    zone = people.settings.time_zone
    found: dict[str, Column] = {}
    for name, a in available.items():
        if a.table == "people" and a.column is not None:
            found |= _read(base[a.column], name, a, zone)
    return found


def _read(column: Column, name: str, attribute: AttributeSettings, zone: str | None) -> dict[str, Column]:
    """Return the attribute, and `unread:<name>` where its column could hold what its type cannot."""
    value = as_type(column, attribute.type, zone)
    if attribute.type == "string" or not column.type().is_string():
        return {name: value}
    return {name: value, f"unread:{name}": column.nullif("").notnull() & value.isnull()}


def account_columns(
    reading: Reading,
    wide: ibis.Table,
    available: Mapping[str, AttributeSettings],
) -> ibis.Table:
    """Add each person's account to `account:`, and the attributes of the accounts table.

    A person of several accounts gets none of them: which one to take is not for a machine to say. Of several
    rows of one account the greatest value of each column counts.
    """
    members = reading.role("membership")
    if members is not None and "account" not in reading.config.tables["people"].columns:
        wide = _with_membership(reading, wide, members)
    accounts = reading.role("accounts")
    wanted = {name: a for name, a in available.items() if a.table == "accounts" and a.column is not None}
    if accounts is None or not wanted:
        return wide
    zone = accounts.settings.time_zone
    values: dict[str, Column] = {}
    for name, a in wanted.items():
        values |= _read(accounts.table[a.column], name, a, zone)
    rows = accounts.table.select(**{"key:": as_key(accounts.column("key"))}, **values)
    rows = rows.filter(rows["key:"].notnull())
    one = rows.group_by("key:").aggregate(**{name: _greatest(rows[name]) for name in values})
    return wide.left_join(one, wide["account:"] == one["key:"]).drop("key:")


def _greatest(column: Column) -> Column:
    if plain_type(column) == "boolean":
        return column.any()
    return column.max()


def _with_membership(reading: Reading, wide: ibis.Table, members: RoleTable) -> ibis.Table:
    pairs = members.table.select(
        member=reading.person(members.column("person")),
        account_of=as_key(members.column("account")),
    ).drop_null()
    one = pairs.group_by("member").aggregate(account_of=pairs.account_of.min(), last=pairs.account_of.max())
    one = one.filter(one.account_of == one["last"]).drop("last")
    joined = wide.left_join(one, wide.person_id == one.member)
    return joined.mutate(**{"account:": joined.account_of}).drop("member", "account_of")
