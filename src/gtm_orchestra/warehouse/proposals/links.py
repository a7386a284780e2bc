"""Which column of a table refers to people or accounts, by how many of its values occur there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.measures import overlap
from gtm_orchestra.warehouse.proposals.names import plural_free, words
from gtm_orchestra.warehouse.proposals.readings import Link

if TYPE_CHECKING:
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.readings import RoleReading, TableReading

__all__ = ["account_link", "person_link"]

_LINK_SHARE = 0.5
_LINK_BY_VALUE = 0.95
_LINK_BY_ADDRESS = 0.2
_CATEGORIES = 20


def person_link(warehouse: Warehouse, table: TableReading, people: RoleReading) -> Link | None:
    """Return the column that refers to people, by measured overlap; the better named of several."""
    key = (people.table.name, people.columns["key"])
    keyed = people.table.measure.column(key[1])
    nouns = {plural_free(word) for word in words(people.table.name)}
    own = table.key()
    found: list[tuple[bool, float, Link]] = []
    for column in table.columns:
        measure = column.measure
        if not measure.filled or measure.type not in {"integer", "string"}:
            continue
        named = column.concept == "person_id" or (
            bool(nouns & {plural_free(w) for w in measure.words})
            and column.concept in {"generic", "", "external_id"}
        )
        named = named or measure.words == keyed.words != ("id",)
        telling = measure.shape == "id" or (
            measure.type == "string" and measure.shape == "text" and measure.distinct > _CATEGORIES
        )
        # One "guest" among the numbers makes them text: a name is enough to compare them as text.
        alike = (measure.type == "integer") == (keyed.type == "integer")
        if not named and (not telling or column is own or not alike):
            continue
        hits, values = overlap(warehouse, (table.name, measure.name), key)
        link = Link(measure.name, "key", hits, values)
        if link.share >= (_LINK_SHARE if named else _LINK_BY_VALUE):
            found.append((named, link.share, link))
    by_key = max(found, key=lambda item: (item[0], item[1], item[2].column))[2] if found else None
    if by_key is not None and table.measure.column(by_key.column).coverage >= _LINK_SHARE:
        return by_key
    # Several people may share an address, and nobody a key: it stands back only where most rows have none.
    return _address_link(warehouse, table, people) or by_key


def _address_link(warehouse: Warehouse, table: TableReading, people: RoleReading) -> Link | None:
    """Return the column of e-mail addresses, if enough of them are people's.

    Newsletters have many readers who never bought: fewer hits are enough where both are addresses.
    """
    mail, column = people.columns.get("email"), table.find("email")
    if mail is None or column is None:
        return None
    hits, values = overlap(warehouse, (table.name, column.measure.name), (people.table.name, mail))
    to = "key" if mail == people.columns["key"] else "email"
    return Link(column.measure.name, to, hits, values) if hits >= _LINK_BY_ADDRESS * values else None


def account_link(warehouse: Warehouse, table: TableReading, accounts: RoleReading) -> Link | None:
    """Return the column that refers to accounts, by name and measured overlap."""
    key = accounts.columns["key"]
    keyed = accounts.table.measure.column(key)
    nouns = {plural_free(word) for word in words(accounts.table.name)}
    for column in table.columns:
        measure = column.measure
        named = column.concept in {"account_id", "external_id", "generic"} and (
            column.concept == "account_id" or bool(nouns & {plural_free(w) for w in measure.words})
        )
        if not named or (measure.type == "integer") != (keyed.type == "integer"):
            continue
        hits, values = overlap(warehouse, (table.name, measure.name), (accounts.table.name, key))
        if values and hits >= _LINK_SHARE * values:
            return Link(measure.name, "key", hits, values)
    return None
