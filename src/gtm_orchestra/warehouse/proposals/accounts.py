"""Which table holds the accounts: companies, workspaces, teams, clinics; never their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.links import person_link
from gtm_orchestra.warehouse.proposals.measures import overlap
from gtm_orchestra.warehouse.proposals.names import plural_free, words
from gtm_orchestra.warehouse.proposals.readings import RoleReading, TableReading
from gtm_orchestra.warehouse.proposals.table_words import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.columns import ColumnReading

__all__ = ["aside", "find_accounts", "is_membership"]

_KEYS = frozenset({"account_id", "generic", "person_id", "external_id", "record_id", ""})
_REFERRED = 0.95
# Orders, products and campaigns are referred to as well.
_OTHERS = (
    "events",
    "orders",
    "consents",
    "opportunities",
    "subscriptions",
    "exposures",
    "outcomes",
    "identities",
)
_SPREAD = 0.9


def find_accounts(
    warehouse: Warehouse, tables: Sequence[TableReading], people: RoleReading
) -> RoleReading | None:
    """Return the table of accounts: of those named so the one that others refer to most.

    Where none is named so, a table that people or their memberships refer to by its own name stands for it:
    who belongs to a clinic_id of a table of clinics belongs to an account.
    """
    named: list[tuple[TableReading, ColumnReading]] = []
    others: list[tuple[TableReading, ColumnReading]] = []
    for table in tables:
        key = table.key()
        if (
            key is None
            or table.has("event_name", "opportunity_id")
            or is_membership(warehouse, table, people)
        ):
            continue
        if key.concept not in _KEYS and not key.concept.endswith("_id"):
            continue
        (named if table.hinted("accounts") else others).append((table, key))
    offers = [
        (_referring(warehouse, table, key, (*tables, people.table)), table, key) for table, key in named
    ]
    if offers:
        referring, table, key = max(
            offers, key=lambda item: (len(item[0]), item[1].measure.rows, item[1].name)
        )
        return _read(table, key, f"named {table.name!r}")
    holders = [people.table, *(table for table in tables if is_membership(warehouse, table, people))]
    for table, key in others:
        if any(table.hinted(role) for role in _OTHERS) or person_link(warehouse, table, people) is not None:
            continue
        if referring := _referring(warehouse, table, key, holders):
            return _read(table, key, f"referred to by {', '.join(referring)}")
    return None


def is_membership(warehouse: Warehouse, table: TableReading, people: RoleReading) -> bool:
    """Return whether a table says who belongs to what: it is named so, or it refers to people and else."""
    noun = words(table.name)[-1:]
    named = table.hinted("membership") or bool({plural_free(word) for word in noun} & MEMBERS)
    if not named and not table.has("account_id"):
        return False
    link = person_link(warehouse, table, people)
    if link is None or link.to != "key" or table.has("event_name", "amount"):
        return False
    return named or (table.key() is None and table.has("account_id"))


def _referring(
    warehouse: Warehouse, table: TableReading, key: ColumnReading, tables: Sequence[TableReading]
) -> list[str]:
    """Return the columns, as table.column, that are named after this table and whose values are its keys."""
    nouns = {plural_free(word) for word in words(table.name)}
    found = []
    for other in tables:
        for column in other.columns:
            measure = column.measure
            if other.name == table.name or measure.type != key.measure.type or not measure.filled:
                continue
            if not nouns & {plural_free(word) for word in measure.words} or measure.distinct < 2:  # noqa: PLR2004 - one value tells nothing
                continue
            hits, values = overlap(warehouse, (other.name, measure.name), (table.name, key.measure.name))
            if values and hits >= _REFERRED * values and measure.distinct <= _SPREAD * measure.filled + 1:
                found.append(f"{other.name}.{measure.name}")
    return found


def _read(table: TableReading, key: ColumnReading, why: str) -> RoleReading:
    columns = {"key": key.measure.name}
    name = table.find("account_name") or _plain_name(table)
    if name is not None:
        columns["name"] = name.measure.name
    for meaning, concepts in (
        ("created_at", ("created_at", "signup_at")),
        ("loaded_at", ("loaded_at", "updated_at")),
    ):
        if (found := table.find(*concepts)) is not None:
            columns[meaning] = found.measure.name
    apart = f"{key.measure.name!r} tells them apart ({aside(key)})"
    evidence = f"{table.measure.rows:,} rows; {apart}; {why}"
    return RoleReading("accounts", table, columns, evidence, 0.9 if key.measure.unique else 0.8)


def aside(column: ColumnReading) -> str:
    """Return a column's evidence as part of a table's: without the marks that part pieces of evidence."""
    return column.evidence.replace("; ", ", ")


def _plain_name(table: TableReading) -> ColumnReading | None:
    return next(
        (
            c
            for c in table.columns
            if c.measure.words in {("name",), ("account", "name")} and c.measure.type == "string"
        ),
        None,
    )
