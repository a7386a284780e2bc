"""Which table plays which role, by what its columns are and by what its values refer to."""

# ruff: noqa: E501, SIM905 - a word list is read and extended by line

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.accounts import aside as _aside
from gtm_orchestra.warehouse.proposals.accounts import find_accounts
from gtm_orchestra.warehouse.proposals.consent_words import PURPOSE_WORDS
from gtm_orchestra.warehouse.proposals.links import account_link, person_link
from gtm_orchestra.warehouse.proposals.names import fold, slug, words
from gtm_orchestra.warehouse.proposals.readings import KEY_SHARE, Link, RoleReading, TableReading
from gtm_orchestra.warehouse.proposals.value_words import VOID_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gtm_orchestra.config import TableRole
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.columns import ColumnReading

__all__ = ["ONLY_PEOPLE", "VOID", "assign_roles"]

_PERSONAL = frozenset(
    {
        "email",
        "first_name",
        "last_name",
        "full_name",
        "phone",
        "birthdate",
        "gender",
        "street",
        "salutation",
        "postal_code",
    }
)
_RECEIVED = frozenset({"received", "collector", "collected", "tracked", "ingested"})
_WHEN = frozenset(
    "date at on time timestamp ts last changed updated change update since datum am zeitpunkt le fecha op modified set".split()
)
_ORDER_STATES = frozenset({"fulfillment_status", "status", "payment_status"})
_NAMED_ONLY = 0.6
_LEFT = frozenset(
    {"unsubscribed", "cleaned", "bounced", "suppressed", "suppression", "optout", "optedout", "abgemeldet"}
)
VOID = "left out"
ONLY_PEOPLE = "it names only people, by"
_FEW_COLUMNS = 7
_TWO_IDS_AND_TIMES = 4
_PURPOSES = 30
_TIME_ORDER = {
    "events": ("event_time", "created_at", "order_time", "started_at"),
    "orders": ("order_time", "event_time", "created_at", "paid_at"),
    "consents": ("granted_at", "event_time", "signup_at", "created_at", "updated_at", "confirmed_at"),
    "exposures": ("event_time", "created_at", "started_at"),
    "outcomes": ("event_time", "order_time", "created_at"),
}


def assign_roles(
    warehouse: Warehouse, tables: Sequence[TableReading]
) -> tuple[dict[TableRole, RoleReading], dict[str, str]]:
    """Return a role per table where figures and names agree on one, and why the other tables have none."""
    roles: dict[TableRole, RoleReading] = {}
    people = _people(tables)
    left = {table.name: table for table in tables}
    if people is None:
        return {}, dict.fromkeys(left, "no table of people was found that it could belong to")
    roles["people"] = people
    del left[people.table.name]
    accounts = find_accounts(warehouse, list(left.values()), people)
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
    _name_referred(roles)
    return roles, unmapped


def _name_referred(roles: dict[TableRole, RoleReading]) -> None:
    """Map the columns of people and accounts that other tables refer to, where they are not the key."""
    for role in tuple(roles.values()):
        for of, by in (("people", role.person_by), ("accounts", role.account_by)):
            owners = roles.get(of)  # type: ignore[call-overload]  # both are roles
            if owners is None or by is None or by in owners.columns:
                continue
            column = next(c.measure.name for c in owners.table.columns if slug(c.measure.name) == by)
            roles[owners.role] = replace(owners, columns={**owners.columns, by: column})


def _people(tables: Sequence[TableReading]) -> RoleReading | None:
    ranked = []
    for table in tables:
        key = table.key()
        mail = table.find("email")
        if (
            key is None
            and mail is not None
            and mail.measure.distinct >= KEY_SHARE * max(mail.measure.filled, 1)
        ):
            key = mail
        if key is None or table.hinted("orders") or (table.hinted("events") and not table.hinted("people")):
            continue
        personal = len({c.concept for c in table.columns} & _PERSONAL)
        hint = table.hinted("people")
        own = key.concept in {"person_id", "record_id"} or not key.concept.endswith("_id")
        if (personal or hint) and own:
            score = personal + 3 * hint - 3 * (table.hinted("consents") and not hint)
            ranked.append((score, table.measure.rows, table, key))
    if not ranked:
        return None
    _, _, table, key = max(ranked, key=lambda item: (item[0], item[1], item[2].name))
    columns = {"key": key.measure.name}
    if (mail := table.find("email")) is not None:
        columns["email"] = mail.measure.name
    for meaning, concepts in (
        ("created_at", ("signup_at", "created_at")),
        ("loaded_at", ("loaded_at", "updated_at")),
        ("anonymous", ("anonymous_id",)),
    ):
        if (found := table.find(*concepts)) is not None and found is not key:
            columns[meaning] = found.measure.name
    shown = sorted({c.concept for c in table.columns} & _PERSONAL)
    named = f"; it has {', '.join(shown)}" if shown else ""
    evidence = f"{table.measure.rows:,} rows; {key.measure.name!r} tells them apart ({_aside(key)}){named}"
    return RoleReading("people", table, columns, evidence, 0.95 if key.measure.unique and shown else 0.8)


def _role(  # noqa: PLR0911 - one way out per role
    warehouse: Warehouse, table: TableReading, people: RoleReading, accounts: RoleReading | None
) -> RoleReading | str:
    person = person_link(warehouse, table, people)
    account = account_link(warehouse, table, accounts) if accounts is not None else None
    if person is None and account is None:
        return f"nothing in it refers to {people.table.name!r}" + (
            f" or {accounts.table.name!r}" if accounts else ""
        )
    if person is not None and table.has("ab_experiment") and table.has("ab_variant"):
        return _exposures(table, person, people)
    if person is not None and _speaks_of_consent(table):
        if set(words(table.name)) & _LEFT:
            return "it lists who left: add it to the log of consent as refusals"
        return _consents(table, person, people)
    if (
        person is not None
        and table.has("anonymous_id")
        and (table.hinted("identities") or len(table.columns) <= _TWO_IDS_AND_TIMES)
        and not table.has("event_name")
    ):
        anonymous = table.find("anonymous_id")
        assert anonymous is not None  # noqa: S101 - has() above
        columns = {"anonymous": anonymous.measure.name, "person": person.column}
        return RoleReading("identities", table, columns, person.words(people.table.name), 0.9)
    if table.hinted("opportunities") or table.has("opportunity_id"):
        return _opportunities(table, person, account)
    if table.hinted("subscriptions") or table.has("subscription_id"):
        return _subscriptions(table, person, account, people)
    if (
        person is not None
        and account is not None
        and not table.has("event_name")
        and len(table.columns) <= _FEW_COLUMNS
        and not table.has("amount")
    ):
        columns = {"person": person.column, "account": account.column}
        return RoleReading("membership", table, columns, person.words(people.table.name), 0.9)
    if person is None:
        return "it refers to accounts only, and is neither opportunities nor subscriptions"
    return _happenings(table, person, people)


def _speaks_of_consent(table: TableReading) -> bool:
    said = table.hinted("consents") or table.has("consent_purpose", "withdrawn_at")
    said = said or table.has("granted_at")
    # A list of contacts: addresses, a state of consent, no happenings.
    said = said or (table.has("consent") and table.has("email") and not table.hinted("events"))
    return said and not table.hinted("orders") and not table.has("event_name")


def _happenings(table: TableReading, person: Link, people: RoleReading) -> RoleReading | str:
    orders = table.hinted("orders") or table.has("order_id")
    kind: TableRole = "outcomes" if table.hinted("outcomes") else "events"
    time = _when(table, "orders" if orders else kind)
    if time is None:
        return f"no usable column says when it happened{_unreadable(table)}"
    name = table.find("event_name") or _named_event(table)
    columns = {"person": person.column, "time": time.measure.name}
    constants: dict[str, str] = {}
    if name is not None and not (orders and table.has("order_id")):
        columns["name"] = name.measure.name
    elif (constant := _happening(table, time, orders=orders)) is not None:
        constants["name"] = constant
    else:
        return "no column says what happened"
    for meaning, concepts in (
        ("id", ("event_id", "order_id")),
        ("anonymous", ("anonymous_id",)),
        ("loaded_at", ("loaded_at",)),
        ("value", ("amount",)),
    ):
        if (found := table.find(*concepts)) is not None and found.measure.name not in columns.values():
            columns[meaning] = found.measure.name
    when = f"when: {time.measure.name!r} ({_aside(time)})"
    said = f"{table.measure.rows:,} rows; {person.words(people.table.name)}; {when}"
    if time.concept == "loaded_at":
        said += "; no column says when it happened: the time it was received stands for it"
    if constants:
        said += f"; each row is one {'order' if orders else repr(constants['name'])}"
    exclude = _void(table) if constants and orders else {}
    for column, void in exclude.items():
        counts = table.measure.column(column).vocabulary
        share = sum(counts[word] for word in void) / sum(counts.values())
        words_ = ", ".join(repr(word) for word in void)
        said += f"; {VOID}: {share:.0%} of the rows, which {column!r} calls {words_}"
    sure = min(0.95, 0.6 + 0.35 * person.share)
    if constants and not orders:
        said += ", as its name says: no column says what happened"
        sure = _NAMED_ONLY
    return RoleReading(kind, table, columns, said, sure, constants, _by(person), exclude=exclude)


def _unreadable(table: TableReading) -> str:
    """Return the times that cannot be used, or among which nothing tells, as the end of a reason."""
    times = [c for c in table.columns if c.measure.shape == "time"]
    broken = [f"{c.measure.name!r} ({c.problem})" for c in times if c.problem]
    if broken:
        return f": {', '.join(broken)}"
    if len(times) > 1:
        return f": nothing tells which of {', '.join(repr(c.measure.name) for c in times)} it is"
    return ""


def _happening(table: TableReading, time: ColumnReading, *, orders: bool) -> str | None:
    """Return what each row of a table without event names is; None where a row may be a mere record."""
    if orders:
        return "order_placed"
    # A list of addresses has such a time too.
    return None if time.concept in {"created_at", "started_at", "loaded_at"} else slug(table.name)


def _when(table: TableReading, kind: str) -> ColumnReading | None:
    """Return the column that says when: the best named one, or the only time that nothing else claims."""
    named = table.find(*_TIME_ORDER[kind])
    if named is not None:
        return named
    times = [c for c in table.columns if c.concept == "generic" and c.type == "timestamp" and not c.problem]
    # A booking is made at a minute, and arrives and leaves on days.
    clocked = [c for c in times if c.measure.dates is not None and c.measure.dates.has_clock]
    for one in (times, clocked):
        if len(one) == 1:
            return one[0]
    if times:
        return None
    # A collector receives an event seconds after it happened; a nightly load says nothing of the kind.
    received = table.find("loaded_at") if kind == "events" else None
    return received if received is not None and set(received.measure.words) & _RECEIVED else None


def _void(table: TableReading) -> dict[str, tuple[str, ...]]:
    """Return which orders did not stand, by a column of states: column → words; empty if none says so."""
    for column in table.columns:
        if column.concept not in _ORDER_STATES:
            continue
        counts = column.measure.vocabulary
        void = sorted(word for word in counts if fold(word).removeprefix("wc-").startswith(VOID_ORDER))
        if void and len(void) < len(counts):
            return {column.measure.name: tuple(void)}
    return {}


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
    agreed = [c for c in table.columns if c.concept == "consent" and c.consent is not None and not c.problem]
    agreed = [c for c in agreed if c.consent is not None and not c.consent.inverted] or agreed
    # Of several states that the list shows, the one that knows both answers for most rows.
    status = max(agreed, key=lambda c: (c.measure.distinct > 1, c.measure.filled, c.confidence), default=None)
    status = status or table.find("consent_status", "status")
    at = (_time_of(table, status) if status is not None else None) or _when(table, "consents")
    gone = table.find("withdrawn_at")
    if at is None:
        return f"it looks like consents, but no usable column says when{_unreadable(table)}"
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
    if purpose is not None and _names_purposes(purpose):
        columns["purpose"] = purpose.measure.name
    else:
        said = status.consent.purpose if status is not None and status.consent is not None else "general"
        constants["purpose"] = "newsletter" if said == "general" else said
    for meaning, concept in (
        ("withdrawn_at", "withdrawn_at"),
        ("loaded_at", "loaded_at"),
        ("proof", "consent_proof"),
        ("channel", "channel"),
        ("expires_at", "ended_at"),
    ):
        if (found := table.find(concept)) is not None and found.measure.name not in columns.values():
            columns[meaning] = found.measure.name
    if (
        "proof" not in columns
        and (confirmed := table.find("confirmed_at")) is not None
        and confirmed.measure.name not in columns.values()
    ):
        columns["proof"] = confirmed.measure.name
    said = f"{table.measure.rows:,} rows; {person.words(people.table.name)}; when: {at.measure.name!r}"
    if "purpose" in constants:
        said += f"; no column names a purpose: taken as {constants['purpose']!r}"
    return RoleReading(
        "consents", table, columns, said, min(0.9, 0.5 + 0.4 * person.share), constants, _by(person)
    )


def _time_of(table: TableReading, status: ColumnReading) -> ColumnReading | None:
    """Return the time whose name is that of the status with a word for when: "Email Status Date"."""
    said = set(status.measure.words)
    found = [
        c
        for c in table.columns
        if c.type == "timestamp" and not c.problem and said < set(c.measure.words) <= said | _WHEN
    ]
    return max(found, key=lambda c: c.measure.filled) if found else None


def _names_purposes(column: ColumnReading) -> bool:
    """Return whether a column's few values name purposes of processing, rather than lists or topics."""
    if column.measure.distinct > _PURPOSES or not column.measure.vocabulary:
        return False
    if "purpose" in column.measure.words:
        return True
    return any(set(words(value)) & PURPOSE_WORDS for value in column.measure.vocabulary)


def _exposures(table: TableReading, person: Link, people: RoleReading) -> RoleReading | str:
    time = _when(table, "exposures")
    experiment, variant = table.find("ab_experiment"), table.find("ab_variant")
    if time is None or experiment is None or variant is None:
        return "it looks like exposures, but no usable column says when"
    columns = {
        "person": person.column,
        "experiment": experiment.measure.name,
        "variant": variant.measure.name,
        "time": time.measure.name,
    }
    return RoleReading("exposures", table, columns, person.words(people.table.name), 0.9, {}, _by(person))


def _opportunities(table: TableReading, person: Link | None, account: Link | None) -> RoleReading | str:
    key, amount = table.key(), table.find("amount", "arr", "mrr")
    if key is None or amount is None or account is None:
        missing = [
            what
            for what, found in (("a key", key), ("an amount", amount), ("an account", account))
            if found is None
        ]
        said = f"it looks like opportunities, but lacks {' and '.join(missing)}"
        if missing == ["an account"] and person is not None:
            # A deal is won with a company: without one nobody can tell whose money it is.
            said += f"; {ONLY_PEOPLE} {person.column!r}"
        return said
    columns = {"key": key.measure.name, "account": account.column, "amount": amount.measure.name}
    for meaning, concepts in (
        ("stage", ("opportunity_stage", "status")),
        ("close_date", ("close_date", "ended_at")),
        ("created_at", ("created_at",)),
        ("loaded_at", ("loaded_at",)),
        ("name", ("opportunity_name",)),
    ):
        if (found := table.find(*concepts)) is not None:
            columns[meaning] = found.measure.name
    ends = [set(c.measure.words) for c in table.columns if c.concept == "close_date" and not c.problem]
    if any("won" in said for said in ends) and any("lost" in said for said in ends):
        # Neither alone says when a deal was closed.
        columns.pop("close_date", None)
    if person is not None and person.to == "key" and person.column not in columns.values():
        columns["person"] = person.column
    return RoleReading(
        "opportunities", table, columns, account.words("accounts"), 0.9, account_by=_by(account)
    )


def _subscriptions(
    table: TableReading, person: Link | None, account: Link | None, people: RoleReading
) -> RoleReading | str:
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
    for meaning, concepts in (
        ("plan", ("plan",)),
        ("amount", ("mrr", "arr", "amount", "price")),
        ("status", ("status", "consent_status")),
        ("started_at", ("started_at", "created_at")),
        ("ended_at", ("cancelled_at", "ended_at")),
    ):
        if (found := table.find(*concepts)) is not None and found.measure.name not in columns.values():
            columns[meaning] = found.measure.name
    where = "accounts" if account is not None else people.table.name
    return RoleReading(
        "subscriptions",
        table,
        columns,
        f"{table.measure.rows:,} rows; {link.words(where)}",
        0.9,
        person_by=_by(person) if person is not None and account is None else None,
        account_by=_by(account) if account is not None else None,
    )


def _by(link: Link) -> str | None:
    return None if link.to == "key" else link.to


def _link_people(warehouse: Warehouse, roles: dict[TableRole, RoleReading]) -> None:
    """Add the account of a person to the people table, if its values are accounts."""
    people, accounts = roles["people"], roles.get("accounts")
    link = account_link(warehouse, people.table, accounts) if accounts is not None else None
    column = people.table.find("account_id")
    if link is not None:
        columns, evidence = (
            {**people.columns, "account": link.column},
            f"{people.evidence}; {link.words('accounts')}",
        )
    elif (
        accounts is None
        and column is not None
        and column.measure.name != people.columns["key"]
        and not column.measure.unique
    ):
        columns, evidence = {**people.columns, "account": column.measure.name}, people.evidence
    else:
        return
    by = _by(link) if link is not None else None
    roles["people"] = replace(people, columns=columns, evidence=evidence, account_by=by)
