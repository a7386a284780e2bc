"""Which column of a table refers to people or accounts, by how many of its values occur there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.measures import agreement, overlap
from gtm_orchestra.warehouse.proposals.names import plural_free, slug, words
from gtm_orchestra.warehouse.proposals.readings import Link

if TYPE_CHECKING:
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.measures import ColumnMeasure
    from gtm_orchestra.warehouse.proposals.readings import RoleReading, TableReading

__all__ = ["account_link", "other_link", "person_link"]

_LINK_SHARE = 0.5
_LINK_BY_VALUE = 0.95
_LINK_BY_ADDRESS = 0.2
_CATEGORIES = 20
_IDS = frozenset({"id", "key", "uuid", "uid", "number", "nr", "ref", "code", "customer"})
_NO_TELLING = frozenset({"id", "key", "number", "nr", "code", "at", "date"})


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
        # Its own key is a person's only where nearly all of its rows are people.
        least = _LINK_SHARE if named and not (column is own and measure.unique) else _LINK_BY_VALUE
        if link.share >= least and _same_people(warehouse, table, people, measure.name):
            found.append((named, link.share, link))
    by_key = max(found, key=lambda item: (item[0], item[1], item[2].column))[2] if found else None
    if by_key is not None and table.measure.column(by_key.column).coverage >= _LINK_SHARE:
        return by_key
    # Several people may share an address, and nobody a key: it stands back only where most rows have none.
    return _address_link(warehouse, table, people) or by_key or other_link(warehouse, table, people)


def _same_people(warehouse: Warehouse, table: TableReading, people: RoleReading, column: str) -> bool:
    """Return whether rows found by a key also have the address of that person, where both sides have one."""
    mail, given = people.columns.get("email"), table.find("email")
    if mail is None or given is None or given.measure.name == column:
        return True
    same, other = agreement(
        warehouse,
        (table.name, column, given.measure.name),
        (people.table.name, people.columns["key"], mail),
    )
    return same >= other


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
        named = column.concept in {"account_id", "external_id", "generic", "account_name"} and (
            column.concept == "account_id" or bool(nouns & {plural_free(w) for w in measure.words})
        )
        if not named or (measure.type == "integer") != (keyed.type == "integer"):
            continue
        hits, values = overlap(warehouse, (table.name, measure.name), (accounts.table.name, key))
        if values and hits >= _LINK_SHARE * values:
            return Link(measure.name, "key", hits, values)
    return _key_by_value(warehouse, table, accounts) or other_link(warehouse, table, accounts)


def _key_by_value(warehouse: Warehouse, table: TableReading, accounts: RoleReading) -> Link | None:
    """Return the identifier whose values are keys of accounts, such as the customer_id of billing.

    Only of texts: two systems that number from one upwards have the same numbers by chance.
    """
    key = accounts.columns["key"]
    if accounts.table.measure.column(key).type != "string":
        return None
    own = table.key()
    for column in table.columns:
        measure = column.measure
        named = column.concept.endswith("_id") or bool(set(measure.words) & _IDS)
        if not named or column is own or measure.type != "string" or measure.distinct <= _CATEGORIES:
            continue
        hits, values = overlap(warehouse, (table.name, measure.name), (accounts.table.name, key))
        if values and hits >= _LINK_BY_VALUE * values:
            return Link(measure.name, "key", hits, values)
    return None


def other_link(warehouse: Warehouse, table: TableReading, owners: RoleReading) -> Link | None:
    """Return the column whose values are another unique column of people or accounts than the key.

    A billing system knows customers by its own numbers, which the product stores beside its own. Both columns
    must be named with a common word, and nearly all values must occur there.
    """
    taken = {owners.columns["key"], owners.columns.get("email")}
    offers = [
        column.measure
        for column in owners.table.columns
        if column.measure.name not in taken and _tells_apart(column.measure)
    ]
    found: list[tuple[float, Link]] = []
    for column in table.columns:
        measure = column.measure
        if not measure.filled or measure.distinct <= _CATEGORIES or measure.type not in {"integer", "string"}:
            continue
        for offer in offers:
            common = set(offer.words) & set(measure.words) - _NO_TELLING
            if offer.type != measure.type or not common or not {*offer.words, *measure.words} & _IDS:
                continue
            hits, values = overlap(warehouse, (table.name, measure.name), (owners.table.name, offer.name))
            link = Link(measure.name, slug(offer.name), hits, values, offer.name)
            if link.share >= _LINK_BY_VALUE:
                found.append((link.share, link))
    return max(found, key=lambda item: (item[0], item[1].column))[1] if found else None


def _tells_apart(measure: ColumnMeasure) -> bool:
    """Return whether no two rows share a value; empty ones aside."""
    return measure.type in {"integer", "string"} and measure.distinct == measure.filled > _CATEGORIES
