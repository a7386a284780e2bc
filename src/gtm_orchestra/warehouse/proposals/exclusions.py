"""Whom nobody should address, as far as a column says so with certainty: staff, tests, deleted records."""

# ruff: noqa: SIM905 - lists of words

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gtm_orchestra.warehouse.proposals.consent_words import OTHER_MAIL, purpose_of, read_consent
from gtm_orchestra.warehouse.proposals.names import fold
from gtm_orchestra.warehouse.proposals.value_words import DEPARTED, OUT, YES

if TYPE_CHECKING:
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.columns import ColumnReading
    from gtm_orchestra.warehouse.proposals.readings import TableReading

__all__ = ["OBJECTIONS", "Exclusion", "exclusion", "own_domain", "unsubscribed"]

# Purpose → channels on which an objection to it holds; one to anything else holds on all.
OBJECTIONS: dict[str, list[str]] = {
    "email-marketing": ["email"],
    "newsletter": ["email"],
    "ads": ["ads"],
    "phone-marketing": ["sales"],
    "sales-contact": ["sales"],
    "sms-marketing": ["sales"],
    "whatsapp-marketing": ["sales"],
    "postal-marketing": ["sales"],
    "personalization": ["web", "in-app"],
    "analytics": ["web", "in-app"],
}

_STAFF = frozenset(
    "mitarbeiter mitarbeiterin mitarbeitende mitarbeiterinnen angestellte personal belegschaft intern "
    "interne staff employee employees internal personnel employe employes salarie salaries interno empleado "
    "empleados plantilla medewerker medewerkers personeel test tests tester testkunde testkunden testkonto "
    "testaccount qa demo bot bots".split()
) | {
    "team member",
    "test account",
    "test accounts",
    "test user",
    "test users",
    "internal user",
    "compte test",
}
_WHEN = frozenset("at on date time timestamp ts datum am le el op fecha last changed".split())
_UNSUBSCRIBING = (
    "unsub",
    "abmeld",
    "abgemeld",
    "desinscr",
    "desabonn",
    "baja",
    "afmeld",
    "afgemeld",
    "uitgeschr",
    "uitschr",
)
_GROUPS = frozenset({"segment", "tags", "persona"})
_FLAGS = frozenset({"is_test", "bounced", "is_gone"})
_SITES = frozenset({"first_conversion", "page_url"})
# A column of deletion times that most rows have says something else.
_MOST = 0.5
_ONE_SITE = 0.9


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A suppression that a column asks for."""

    condition: dict[str, Any]
    reason: str
    evidence: str
    channels: tuple[str, ...] = ()


def exclusion(reading: ColumnReading, attribute: str) -> Exclusion | None:
    """Return whom a column of people or accounts says to leave out, or None."""
    measure = reading.measure
    if reading.concept == "deleted_at" and 0 < measure.coverage < _MOST:
        return Exclusion({attribute: {"$exists": True}}, f"deleted: {measure.name}", reading.evidence)
    if reading.concept == "withdrawn_at" and measure.filled:
        return _withdrawn(reading, attribute)
    if reading.concept in _FLAGS:
        condition = _yes(reading, attribute)
        if condition is None:
            return None
        channels = ("email",) if reading.concept == "bounced" else ()
        return Exclusion(condition, f"{reading.label}: {measure.name}", reading.evidence, channels)
    if reading.concept in _GROUPS and reading.type == "string":
        staff = sorted(value for value in measure.vocabulary if fold(value) in _STAFF)
        if staff and len(staff) < len(measure.vocabulary):
            words = ", ".join(repr(value) for value in staff)
            return Exclusion(
                {attribute: {"$in": staff}},
                f"staff or tests: {measure.name}",
                f"{words} in {measure.name!r}: staff or tests by that word",
            )
    return None


def _withdrawn(reading: ColumnReading, attribute: str) -> Exclusion | None:
    """Return who has a time of withdrawal: it denies the medium it speaks of, whatever else was agreed to."""
    header = tuple(word for word in reading.measure.words if word not in _WHEN)
    said = read_consent(header)
    purpose = said.purpose if said is not None else purpose_of(header) or "general"
    if purpose in OTHER_MAIL:
        return None
    # Only mail is unsubscribed from.
    if purpose == "general" and any(word.startswith(_UNSUBSCRIBING) for word in header):
        purpose = "email-marketing"
    channels = tuple(OBJECTIONS.get(purpose, ()))
    return Exclusion(
        {attribute: {"$exists": True}},
        f"withdrew consent: {reading.measure.name}",
        reading.evidence,
        channels,
    )


def unsubscribed(reading: ColumnReading, attribute: str) -> Exclusion | None:
    """Return who left by the words of a column of list states: no general agreement undoes that."""
    said, measure = reading.consent, reading.measure
    gone = sorted(value for value in measure.vocabulary if fold(value.strip()) in DEPARTED | OUT)
    if said is None or said.inverted or said.purpose in OTHER_MAIL or not gone or reading.type != "string":
        return None
    channels = tuple(OBJECTIONS.get(said.purpose, ()))
    words = ", ".join(repr(value) for value in gone)
    return Exclusion(
        {attribute: {"$in": gone}}, f"unsubscribed: {measure.name}", f"{words} in {measure.name!r}", channels
    )


def _yes(reading: ColumnReading, attribute: str) -> dict[str, Any] | None:
    if reading.type == "boolean":
        return {attribute: True}
    if reading.type == "number" and reading.measure.binary:
        return {attribute: 1}
    words = sorted(value for value in reading.measure.vocabulary if fold(value) in YES)
    return {attribute: {"$in": words}} if reading.type == "string" and words else None


def own_domain(warehouse: Warehouse, table: TableReading) -> tuple[ColumnReading, str, str] | None:
    """Return the column of domains, the workspace's own domain and the evidence, where its pages tell it.

    The pages that people came in by are the company's own; who has an address there works for it.
    """
    from gtm_orchestra.warehouse.values import as_text  # noqa: PLC0415 - imports ibis

    domains = table.find("domain")
    pages = next((c for c in table.columns if c.concept in _SITES and c.measure.shape == "url"), None)
    if domains is None or pages is None or domains.type != "string":
        return None
    hosts: dict[str, int] = {}
    for page, rows in pages.measure.vocabulary.items():
        host = (urlsplit(page if "://" in page else f"https://{page}").hostname or "").removeprefix("www.")
        hosts[host] = hosts.get(host, 0) + rows
    host, rows = max(hosts.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    if not host or rows < _ONE_SITE * sum(hosts.values()):
        return None
    source = warehouse.table(table.name)
    held = as_text(source[domains.measure.name]) == host
    if not int(warehouse.rows(source.filter(held).count().as_table())[0].popitem()[1]):
        return None
    return domains, host, f"the pages in {pages.measure.name!r} are of {host!r}, and so are these addresses"
