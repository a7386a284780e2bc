"""The tables of gtm.toml by role, with their mapped columns looked up and checked against the source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import ibis

from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.reshaping import GIVEN, reshape
from gtm_orchestra.warehouse.values import Column, as_key, as_time, require_times

if TYPE_CHECKING:
    from datetime import datetime

    from gtm_orchestra.config import Config, TableRole, TableSettings
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["NEEDED", "Reading", "RoleTable", "mapped_tables", "role_table"]

# What a row of each role is nothing without.
NEEDED: dict[TableRole, tuple[str, ...]] = {
    "people": ("key",),
    "events": ("person", "time", "name"),
    "consents": ("person", "purpose", "status", "at"),
    "identities": ("anonymous", "person", "at"),
    "accounts": ("key",),
    "membership": ("person", "account"),
    "opportunities": ("key",),
    "subscriptions": ("key",),
    "exposures": ("person", "experiment", "variant", "time"),
    "outcomes": ("person", "time", "name"),
}
TIME_MEANINGS = ("time", "at", "created_at", "loaded_at", "expires_at")


@dataclass(frozen=True)
class Reading:
    """What is read, by which map, and as of when.

    Attributes:
        native: Whether every key of a person is a whole number and joins as one, instead of as text.
    """

    warehouse: Warehouse
    config: Config
    as_of: datetime
    native: bool

    def role(self, role: TableRole) -> RoleTable | None:
        """Return the table that plays a role, or None if gtm.toml maps none."""
        return role_table(self.warehouse, self.config, role)

    def person(self, column: Column) -> Column:
        """Return a person's key, ready to join."""
        return as_key(column, native=self.native)


@dataclass(frozen=True)
class RoleTable:
    """A table of the source in its role.

    Attributes:
        table: As the source has it, reshaped as its settings say.
        settings: [tables.ROLE] of gtm.toml.
        local: Columns with times that have no zone, where gtm.toml says none either; they are read as UTC.
    """

    role: TableRole
    table: ibis.Table
    settings: TableSettings
    local: tuple[str, ...] = ()

    def has(self, meaning: str) -> bool:
        """Return whether gtm.toml maps a column to this meaning."""
        return meaning in self.settings.columns

    def column(self, meaning: str) -> Column:
        """Return the column mapped to a meaning, as the source has it."""
        return self.table[self.settings.columns[meaning]]

    def time(self, meaning: str) -> Column:
        """Return the column mapped to a meaning as UTC time without zone."""
        return as_time(self.column(meaning), self.settings.time_zone)

    def broken(self) -> Column:
        """Return true for a row that lacks a key, person, name or time, or whose time cannot be read."""
        wrong: Column = ibis.literal(value=False)
        for meaning in NEEDED[self.role]:
            if not self.has(meaning):
                continue
            # Who is named but not found is a stranger; the row is whole.
            named = GIVEN if meaning == "person" and self.has(GIVEN) else meaning
            value = self.time(meaning) if meaning in TIME_MEANINGS else as_key(self.column(named))
            missing = value.isnull()
            if (self.role, meaning) == ("events", "person") and self.has("anonymous"):
                missing &= as_key(self.column("anonymous")).isnull()
            wrong |= missing
        if self.has("created_at") and self.column("created_at").type().is_string():
            wrong |= self.column("created_at").nullif("").notnull() & self.time("created_at").isnull()
        return wrong

    def strange(self) -> Column:
        """Return true for a row whose person is named by something that finds nobody in the people table."""
        if not self.has(GIVEN):
            return ibis.literal(value=False)
        return as_key(self.column(GIVEN)).notnull() & as_key(self.column("person")).isnull()

    def column_of(self, rows: ibis.Table, meaning: str) -> Column:
        """Return the column mapped to a meaning, of rows derived from this table."""
        return rows[self.settings.columns[meaning]]

    def time_of(self, rows: ibis.Table, meaning: str) -> Column:
        """Return the UTC time mapped to a meaning, of rows derived from this table."""
        return as_time(self.column_of(rows, meaning), self.settings.time_zone)

    def where(self, meaning: str) -> str:
        """Return the name of a mapped column, for messages."""
        return f"column {self.settings.columns[meaning]!r} of table {self.settings.table!r}"


def role_table(warehouse: Warehouse, config: Config, role: TableRole) -> RoleTable | None:
    """Return the table that plays a role, or None if gtm.toml maps none. Checked once per connection.

    Raises:
        SourceError: The table or a mapped column is not in the source, or a time column holds no times.
    """
    settings = config.tables.get(role)
    if settings is None:
        return None
    # A table may be reshaped by what it refers to: its key is all that it depends on.
    others = [
        config.tables[other].model_dump_json()
        for other in ("people", "accounts", "subscriptions")
        if other in config.tables
    ]
    key = f"role:{role}:{settings.model_dump_json()}:{others}"
    return warehouse.memo(key, lambda: _checked(warehouse, config, role, settings, key=key))


def mapped_tables(warehouse: Warehouse, config: Config) -> tuple[RoleTable, ...]:
    """Return every mapped table, in the order of gtm.toml."""
    found = (role_table(warehouse, config, role) for role in config.tables)
    return tuple(table for table in found if table is not None)


def _checked(
    warehouse: Warehouse, config: Config, role: TableRole, settings: TableSettings, *, key: str
) -> RoleTable:
    table = warehouse.table(settings.table)
    known = tuple(table.columns)
    missing = {meaning: name for meaning, name in settings.columns.items() if name not in known}
    if missing:
        meaning, name = next(iter(missing.items()))
        close = get_close_matches(name, known, n=1)
        others = f" (and {len(missing) - 1} more mapped columns)" if len(missing) > 1 else ""
        raise SourceError(
            f"table {settings.table!r} has no column {name!r}{others}, which gtm.toml maps as "
            f"tables.{role}.columns.{meaning}; columns there: {', '.join(known)}",
            hint=(f"was it renamed to {close[0]!r}? " if close else "")
            + "mend gtm.toml, or run 'gtm init' again",
        )
    mapped = settings
    table, settings = reshape(warehouse, config, role, settings, table)
    if any("%" in written for written in settings.formats.values()):
        # Taking a time to pieces is dear; without this every look at the table would do it again.
        table = warehouse.materialise(f"role_{hashlib.sha256(key.encode()).hexdigest()[:12]}", table)
    found = RoleTable(role, table, settings)
    local = set()
    for meaning in (*TIME_MEANINGS, "withdrawn_at"):
        if meaning in mapped.columns:
            name = mapped.columns[meaning]
            zoned = require_times(warehouse, table[name], f"column {name!r} of table {settings.table!r}")
            if not zoned and settings.time_zone is None:
                local.add(name)
    return replace(found, local=tuple(sorted(local)))
