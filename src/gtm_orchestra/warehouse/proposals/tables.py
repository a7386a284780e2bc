"""Which table plays which role, by what its columns are and by what its values refer to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.measures import overlap
from gtm_orchestra.warehouse.proposals.names import plural_free, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.config import TableRole
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.columns import ColumnReading
    from gtm_orchestra.warehouse.proposals.measures import TableMeasure

__all__ = ["Link", "RoleReading", "TableReading", "assign_roles"]

_HINTS: dict[str, frozenset[str]] = {
    "people": frozenset("customer user contact people person lead member profile kunde kunden nutzer benutzer client cliente klant klanten usuario utilisateur gebruiker crm buyer shopper personen contacto contactos contacten kontakt kontakte persoon personne".split()),
    "events": frozenset("event track activity action pageview hit interaction ereignis ereignisse evenement evento gebeurtenis log usage stream telemetry clickstream".split()),
    "orders": frozenset("order purchase transaction sale bestellung bestellungen commande pedido bestelling bestellingen invoice checkout auftrag auftrage rechnung rechnungen facture factura factuur kauf kaufe achat compra".split()),
    "consents": frozenset("newsletter consent permission optin einwilligung einwilligungen consentement consentimiento toestemming subscriber mailing preference abonnent abonnenten mailchimp klaviyo infolettre boletin nieuwsbrief".split()),
    "identities": frozenset("identity identities alias stitch mapping idmap identify".split()),
    "accounts": frozenset("account company organization organisation org workspace tenant team firma firmen unternehmen entreprise empresa bedrijf bedrijven konto societe".split()),
    "membership": frozenset("membership accountuser accountmember teammember seat assignment".split()),
    "opportunities": frozenset("opportunity deal pipeline opp".split()),
    "subscriptions": frozenset("subscription contract abo abos abonnement plan license licence vertrag vertrage suscripcion".split()),
    "exposures": frozenset("exposure experiment assignment variant abtest bucketing".split()),
    "outcomes": frozenset("outcome conversion goal".split()),
}  # fmt: skip
_PERSONAL = frozenset({"email", "first_name", "last_name", "full_name", "phone", "birthdate", "gender", "street", "salutation", "postal_code"})
_KEY_SHARE = 0.95
_LINK_SHARE = 0.5
_LINK_BY_VALUE = 0.95
_FEW_COLUMNS = 7
_TIME_ORDER = {
    "events": ("event_time", "created_at", "order_time", "started_at"),
    "orders": ("order_time", "event_time", "created_at", "paid_at"),
    "consents": ("granted_at", "event_time", "signup_at", "created_at", "updated_at", "confirmed_at"),
    "exposures": ("event_time", "created_at", "started_at"),
    "outcomes": ("event_time", "order_time", "created_at"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A column whose values occur as keys of another table.

    Attributes:
        column: The referring column.
        to: "key" or the meaning in the people table, such as "email".
        hits: Distinct values that occur there.
        values: Distinct values.
    """

    column: str
    to: str
    hits: int
    values: int

    @property
    def share(self) -> float:
        """Share of distinct values that occur there."""
        return self.hits / self.values if self.values else 0.0

    def words(self, where: str) -> str:
        """Return the link in words, as evidence."""
        return f"{self.column!r}: {self.hits:,} of {self.values:,} values occur in {where}"


@dataclass(frozen=True, slots=True)
class TableReading:
    """A table with what its columns mean."""

    measure: TableMeasure
    columns: tuple[ColumnReading, ...]

    @property
    def name(self) -> str:
        """Name in the source."""
        return self.measure.name

    def hinted(self, role: str) -> bool:
        """Whether the table's name, in one of five languages, speaks of a role."""
        found = words(self.name)
        joined = {*found, *(plural_free(word) for word in found), "".join(plural_free(word) for word in found)}
        return bool(joined & _HINTS[role])

    def find(self, *concepts: str) -> ColumnReading | None:
        """Return the usable column of the first of these meanings that any has; the fullest of equals."""
        for concept in concepts:
            found = [c for c in self.columns if c.concept == concept and not c.problem]
            if found:
                return max(found, key=lambda c: c.measure.filled)
        return None

    def has(self, *concepts: str) -> bool:
        """Whether a usable column has one of these meanings."""
        return self.find(*concepts) is not None

    def key(self) -> ColumnReading | None:
        """Return the column that tells the rows apart, by measured uniqueness; its name decides between several."""
        nouns = {plural_free(word) for word in words(self.name)}
        found = []
        for place, column in enumerate(self.columns):
            measure = column.measure
            near = measure.distinct >= _KEY_SHARE * max(measure.filled, 1) and measure.coverage >= _KEY_SHARE
            shaped = measure.type in {"integer", "string"} and measure.shape in {"id", "number", "text", "phone"}
            named = bool(set(measure.words) & {"id", "key", "uuid", "uid", "guid", "nr", "number", "nummer", "no", "numero", "vid", "code", "userid", "kundennummer", "klantnummer", "kundennr", "bestellnummer"}) or column.concept.endswith("_id")
            if not (near and shaped and named) or column.concept in {"sensitive", "special", "phone", "postal_code", "vat_id", "national_id", "external_id"}:
                continue
            own = set(measure.words) <= {"id", "key", "uuid", "record"} or bool(nouns & {plural_free(w) for w in measure.words})
            found.append((not own, not measure.unique, place, column))
        return min(found, key=lambda item: item[:3])[3] if found else None


@dataclass(frozen=True, slots=True)
class RoleReading:
    """A table in the role that is proposed for it.

    Attributes:
        columns: Meaning → column.
        constants: Meaning → word, for what the table lacks.
        person_by: Meaning in the people table that the person column refers to, if not the key.
    """

    role: TableRole
    table: TableReading
    columns: Mapping[str, str]
    evidence: str
    confidence: float
    constants: Mapping[str, str] = field(default_factory=dict)
    person_by: str | None = None


def assign_roles(warehouse: Warehouse, tables: Sequence[TableReading]) -> tuple[dict[TableRole, RoleReading], dict[str, str]]:
    """Return a role per table where figures and names agree on one, and why the other tables have none."""
    roles: dict[TableRole, RoleReading] = {}
    people = _people(tables)
    left = {table.name: table for table in tables}
    if people is None:
        return {}, dict.fromkeys(left, "no table of people was found that it could belong to")
    roles["people"] = people
    del left[people.table.name]
    accounts = _accounts(list(left.values()))
    if accounts is not None:
        roles["accounts"] = accounts
        del left[accounts.table.name]
    unmapped: dict[str, str] = {}
    offers: list[tuple[float, str, RoleReading]] = []
    for table in left.values():
        offer = _role(warehouse, table, people, accounts)
        if isinstance(offer, str):
            unmapped[table.name] = offer
        else:
            offers.append((-offer.confidence, table.name, offer))
    for _, name, offer in sorted(offers, key=lambda item: item[:2]):
        if offer.role in roles:
            unmapped[name] = f"looks like {offer.role}, which {roles[offer.role].table.name!r} already plays"
        else:
            roles[offer.role] = offer
    _link_people(warehouse, roles)
    return roles, unmapped


def _people(tables: Sequence[TableReading]) -> RoleReading | None:
    ranked = []
    for table in tables:
        key = table.key()
        mail = table.find("email")
        if key is None and mail is not None and mail.measure.distinct >= _KEY_SHARE * max(mail.measure.filled, 1):
            key = mail
        if key is None or table.hinted("orders") or (table.hinted("events") and not table.hinted("people")):
            continue
        personal = len({c.concept for c in table.columns} & _PERSONAL)
        hint = table.hinted("people")
        own = key.concept == "person_id" or not key.concept.endswith("_id")
        if (personal or hint) and own:
            score = personal + 3 * hint - 3 * (table.hinted("consents") and not hint)
            ranked.append((score, table.measure.rows, table, key))
    if not ranked:
        return None
    _, _, table, key = max(ranked, key=lambda item: (item[0], item[1], item[2].name))
    columns = {"key": key.measure.name}
    if (mail := table.find("email")) is not None:
        columns["email"] = mail.measure.name
    for meaning, concepts in (("created_at", ("signup_at", "created_at")), ("loaded_at", ("loaded_at",)), ("anonymous", ("anonymous_id",))):
        if (found := table.find(*concepts)) is not None and found is not key:
            columns[meaning] = found.measure.name
    personal = sorted({c.concept for c in table.columns} & _PERSONAL)
    named = f"; it has {', '.join(personal)}" if personal else ""
    evidence = f"{table.measure.rows:,} rows; {key.measure.name!r} tells them apart ({key.evidence}){named}"
    return RoleReading("people", table, columns, evidence, 0.95 if key.measure.unique and personal else 0.8)


def _accounts(tables: Sequence[TableReading]) -> RoleReading | None:
    for table in tables:
        key = table.key()
        if key is None or not table.hinted("accounts") or table.hinted("membership") or table.has("event_name", "opportunity_id"):
            continue
        if key.concept not in {"account_id", "generic", "person_id", "external_id", ""} and not key.concept.endswith("_id"):
            continue
        columns = {"key": key.measure.name}
        name = table.find("account_name") or _plain_name(table)
        if name is not None:
            columns["name"] = name.measure.name
        for meaning, concept in (("created_at", "created_at"), ("loaded_at", "loaded_at")):
            if (found := table.find(concept)) is not None:
                columns[meaning] = found.measure.name
        evidence = f"{table.measure.rows:,} rows; {key.measure.name!r} tells them apart ({key.evidence}); named {table.name!r}"
        return RoleReading("accounts", table, columns, evidence, 0.9 if key.measure.unique else 0.8)
    return None


def _plain_name(table: TableReading) -> ColumnReading | None:
    return next((c for c in table.columns if c.measure.words in {("name",), ("account", "name")} and c.measure.type == "string"), None)


def _role(  # noqa: PLR0911 - one way out per role
    warehouse: Warehouse, table: TableReading, people: RoleReading, accounts: RoleReading | None
) -> RoleReading | str:
    person = _person_link(warehouse, table, people)
    account = _account_link(warehouse, table, accounts) if accounts is not None else None
    if person is None and account is None:
        return f"nothing in it refers to {people.table.name!r}" + (f" or {accounts.table.name!r}" if accounts else "")
    if person is not None and table.has("ab_experiment") and table.has("ab_variant"):
        return _exposures(table, person, people)
    if table.hinted("consents") or table.has("consent_purpose", "withdrawn_at") or (table.has("consent_status") and table.has("granted_at")):
        if person is not None and not table.hinted("orders") and not table.has("event_name"):
            return _consents(table, person, people)
    if person is not None and table.has("anonymous_id") and (table.hinted("identities") or len(table.columns) <= 4) and not table.has("event_name"):  # noqa: PLR2004 - two ids and when they met
        anonymous = table.find("anonymous_id")
        assert anonymous is not None  # noqa: S101 - has() above
        columns = {"anonymous": anonymous.measure.name, "person": person.column}
        return RoleReading("identities", table, columns, person.words(people.table.name), 0.9)
    if table.hinted("opportunities") or table.has("opportunity_id"):
        return _opportunities(table, account)
    if table.hinted("subscriptions") or table.has("subscription_id"):
        return _subscriptions(table, person, account, people)
    if person is not None and account is not None and not table.has("event_name") and len(table.columns) <= _FEW_COLUMNS and not table.has("amount"):
        columns = {"person": person.column, "account": account.column}
        return RoleReading("membership", table, columns, person.words(people.table.name), 0.9)
    if person is None:
        return "it refers to accounts only, and is neither opportunities nor subscriptions"
    return _happenings(table, person, people)


def _happenings(table: TableReading, person: Link, people: RoleReading) -> RoleReading | str:
    orders = table.hinted("orders") or table.has("order_id")
    kind = "outcomes" if table.hinted("outcomes") else "events"
    time = table.find(*_TIME_ORDER["orders" if orders else kind])
    if time is None:
        broken = [c for c in table.columns if c.measure.shape == "time" and c.problem]
        if broken:
            return f"the time {broken[0].measure.name!r} cannot be used: {broken[0].problem}"
        return "no column says when it happened"
    name = table.find("event_name") or _named_event(table)
    columns = {"person": person.column, "time": time.measure.name}
    constants: dict[str, str] = {}
    if name is not None and not (orders and table.has("order_id")):
        columns["name"] = name.measure.name
    elif orders:
        constants["name"] = "order_placed"
    else:
        return "no column says what happened"
    for meaning, concepts in (
        ("id", ("event_id", "order_id")), ("anonymous", ("anonymous_id",)), ("loaded_at", ("loaded_at",)), ("value", ("amount",)),
    ):  # fmt: skip
        if (found := table.find(*concepts)) is not None and found.measure.name not in columns.values():
            columns[meaning] = found.measure.name
    said = f"{table.measure.rows:,} rows; {person.words(people.table.name)}; when: {time.measure.name!r} ({time.evidence})"
    if constants:
        said += "; each row is one order"
    return RoleReading(kind, table, columns, said, min(0.95, 0.6 + 0.35 * person.share), constants, _by(person))  # type: ignore[arg-type]  # two literals of TableRole


def _named_event(table: TableReading) -> ColumnReading | None:
    """Return a plain "name" or "type" whose few values repeat: what happened, in a table of events."""
    if not table.hinted("events") and not table.hinted("outcomes"):
        return None
    for column in table.columns:
        measure = column.measure
        few = measure.type == "string" and measure.distinct <= max(50, measure.filled // 3)
        if few and measure.words in {("name",), ("type",), ("event",), ("action",), ("kind",)}:
            return column
    return None


def _consents(table: TableReading, person: Link, people: RoleReading) -> RoleReading | str:
    status = table.find("consent", "consent_status", "status")
    at = table.find(*_TIME_ORDER["consents"])
    gone = table.find("withdrawn_at")
    if at is None:
        return "it looks like consents, but no usable column says when"
    columns = {"person": person.column, "at": at.measure.name}
    constants: dict[str, str] = {}
    if status is not None:
        if status.consent is not None and status.consent.inverted:
            return "it looks like consents, but its status column says who objected"
        columns["status"] = status.measure.name
    elif gone is not None or at.concept == "granted_at":
        constants["status"] = "subscribed"
    else:
        return "it looks like consents, but no column says yes or no"
    purpose = table.find("consent_purpose")
    if purpose is not None and purpose.measure.distinct <= 30:  # noqa: PLR2004 - purposes are few
        columns["purpose"] = purpose.measure.name
    else:
        said = status.consent.purpose if status is not None and status.consent is not None else "general"
        constants["purpose"] = "newsletter" if said == "general" else said
    for meaning, concept in (("withdrawn_at", "withdrawn_at"), ("loaded_at", "loaded_at"), ("proof", "consent_proof"), ("channel", "channel"), ("expires_at", "ended_at")):
        if (found := table.find(concept)) is not None and found.measure.name not in columns.values():
            columns[meaning] = found.measure.name
    if "proof" not in columns and (confirmed := table.find("confirmed_at")) is not None and confirmed.measure.name not in columns.values():
        columns["proof"] = confirmed.measure.name
    said = f"{table.measure.rows:,} rows; {person.words(people.table.name)}; when: {at.measure.name!r}"
    if "purpose" in constants:
        said += f"; no column names a purpose: taken as {constants['purpose']!r}"
    return RoleReading("consents", table, columns, said, min(0.9, 0.5 + 0.4 * person.share), constants, _by(person))


def _exposures(table: TableReading, person: Link, people: RoleReading) -> RoleReading | str:
    time = table.find(*_TIME_ORDER["exposures"])
    experiment, variant = table.find("ab_experiment"), table.find("ab_variant")
    if time is None or experiment is None or variant is None:
        return "it looks like exposures, but no usable column says when"
    columns = {
        "person": person.column, "experiment": experiment.measure.name, "variant": variant.measure.name, "time": time.measure.name,
    }  # fmt: skip
    return RoleReading("exposures", table, columns, person.words(people.table.name), 0.9, {}, _by(person))


def _opportunities(table: TableReading, account: Link | None) -> RoleReading | str:
    key, amount = table.key(), table.find("amount", "arr", "mrr")
    if key is None or amount is None or account is None:
        missing = [what for what, found in (("a key", key), ("an amount", amount), ("an account", account)) if found is None]
        return f"it looks like opportunities, but lacks {' and '.join(missing)}"
    columns = {"key": key.measure.name, "account": account.column, "amount": amount.measure.name}
    for meaning, concepts in (("stage", ("opportunity_stage", "status")), ("close_date", ("close_date", "ended_at")), ("created_at", ("created_at",)), ("loaded_at", ("loaded_at",)), ("name", ("opportunity_name",))):
        if (found := table.find(*concepts)) is not None:
            columns[meaning] = found.measure.name
    return RoleReading("opportunities", table, columns, account.words("accounts"), 0.9)


def _subscriptions(table: TableReading, person: Link | None, account: Link | None, people: RoleReading) -> RoleReading | str:
    key = table.key()
    if key is None:
        return "it looks like subscriptions, but no column tells them apart"
    columns = {"key": key.measure.name}
    link = account or person
    assert link is not None  # noqa: S101 - the caller has one of them
    if account is not None:
        columns["account"] = account.column
    if person is not None and person.column not in columns.values():
        columns["person"] = person.column
    for meaning, concepts in (("plan", ("plan",)), ("amount", ("mrr", "arr", "amount", "price")), ("status", ("status", "consent_status")), ("started_at", ("started_at", "created_at")), ("ended_at", ("ended_at",))):
        if (found := table.find(*concepts)) is not None and found.measure.name not in columns.values():
            columns[meaning] = found.measure.name
    where = "accounts" if account is not None else people.table.name
    return RoleReading("subscriptions", table, columns, f"{table.measure.rows:,} rows; {link.words(where)}", 0.9)


def _by(link: Link) -> str | None:
    return None if link.to == "key" else link.to


def _person_link(warehouse: Warehouse, table: TableReading, people: RoleReading) -> Link | None:
    """Return the column that refers to people, by measured overlap; the better named of several."""
    key = (people.table.name, people.columns["key"])
    keyed = people.table.measure.column(key[1])
    nouns = {plural_free(word) for word in words(people.table.name)}
    own = table.key()
    found: list[tuple[bool, float, Link]] = []
    for column in table.columns:
        measure = column.measure
        if not measure.filled or (measure.type == "integer") != (keyed.type == "integer") or measure.type not in {"integer", "string"}:
            continue
        named = column.concept == "person_id" or (bool(nouns & {plural_free(w) for w in measure.words}) and column.concept in {"generic", "", "external_id"})
        named = named or measure.words == keyed.words != ("id",)
        telling = measure.shape == "id" or (measure.type == "string" and measure.shape == "text" and measure.distinct > 20)  # noqa: PLR2004 - fewer are categories
        if not named and (not telling or column is own):
            continue
        hits, values = overlap(warehouse, (table.name, measure.name), key)
        link = Link(measure.name, "key", hits, values)
        if link.share >= (_LINK_SHARE if named else _LINK_BY_VALUE):
            found.append((named, link.share, link))
    if found:
        return max(found, key=lambda item: (item[0], item[1], item[2].column))[2]
    mail = people.columns.get("email")
    column = table.find("email")
    if mail is None or column is None:
        return None
    hits, values = overlap(warehouse, (table.name, column.measure.name), (people.table.name, mail))
    # Newsletters have many readers who never bought: fewer hits are enough where both are addresses.
    return Link(column.measure.name, "email" if mail != key[1] else "key", hits, values) if hits >= 0.2 * values else None  # noqa: PLR2004 - see above


def _account_link(warehouse: Warehouse, table: TableReading, accounts: RoleReading) -> Link | None:
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


def _link_people(warehouse: Warehouse, roles: dict[TableRole, RoleReading]) -> None:
    """Add the account of a person to the people table, if its values are accounts."""
    people, accounts = roles["people"], roles.get("accounts")
    link = _account_link(warehouse, people.table, accounts) if accounts is not None else None
    column = people.table.find("account_id")
    if link is not None:
        columns, evidence = {**people.columns, "account": link.column}, f"{people.evidence}; {link.words('accounts')}"
    elif accounts is None and column is not None and column.measure.name != people.columns["key"] and not column.measure.unique:
        columns, evidence = {**people.columns, "account": column.measure.name}, people.evidence
    else:
        return
    roles["people"] = RoleReading("people", people.table, columns, evidence, people.confidence)
