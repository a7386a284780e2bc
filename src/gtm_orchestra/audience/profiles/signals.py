"""What each attribute says about where a person stands: lifecycle, recency, depth of use, tenure, milestones.

A signal is read from how the catalog defines an attribute (which event, how it is counted, which type), and
for plain columns from their name together with their type, in the languages that `gtm init` reads; a
lifecycle column must prove itself by its values. An attribute that says none of these things has no signal,
and never changes a profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gtm_orchestra.audience.wording import tokens_of
from gtm_orchestra.config import AttributeSettings, AttributeType, parse_duration
from gtm_orchestra.warehouse.proposals.business import is_automatic
from gtm_orchestra.warehouse.proposals.consent_words import read_consent
from gtm_orchestra.warehouse.proposals.lexicon import find_concept
from gtm_orchestra.warehouse.proposals.names import words as header_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.audience.contracts import AttributeFact

__all__ = ["CURRENCIES", "STAGE_WORDS", "Kind", "Role", "Signal", "Stage", "read_signals", "stage_of"]

Role = Literal[
    "stage",
    "group",
    "recency",
    "depth",
    "tenure",
    "value",
    "size",
    "milestone",
    "intent",
    "trial_start",
    "trial_end",
    "guest",
    "open_deals",
    "won_deals",
    "lost_deals",
]
Kind = Literal["orders", "usage", "response"]
# In the order of the lifecycle: whoever is with sales already is no lead to hand over.
Stage = Literal[
    "subscriber", "lead", "in_sales", "trial", "free", "customer", "past_due", "at_risk", "churned"
]

STAGE_WORDS: Mapping[Stage, frozenset[str]] = {
    "subscriber": frozenset({"subscriber", "subscribers", "visitor", "abonnent"}),
    "lead": frozenset(
        {"lead", "leads", "marketingqualifiedlead", "mql", "prospect", "evaluator", "signup", "registered"}
        | {"interessent", "hotlead", "warmlead", "coldlead", "hot", "warm", "cold", "newlead", "openlead"}
    ),
    "in_sales": frozenset(
        {"salesqualifiedlead", "sql", "opportunity", "openopportunity", "salesacceptedlead", "sal"}
    ),
    "trial": frozenset({"trial", "trialing", "trialling", "trialist", "intrial", "evaluation", "freetrial"}),
    "free": frozenset({"free", "freemium", "hobby", "freeplan", "freeuser"}),
    "customer": frozenset(
        {"customer", "customers", "client", "paying", "paid", "active", "activecustomer", "evangelist"}
        | {"starter", "basic", "standard", "plus", "pro", "professional", "team", "growth", "scale"}
        | {"business", "premium", "enterprise", "member", "vip"}
    ),
    "past_due": frozenset({"pastdue", "unpaid", "overdue", "dunning", "paymentfailed", "inarrears"}),
    "at_risk": frozenset({"atrisk", "paused", "nonrenewing", "pausing", "cancelscheduled"}),
    "churned": frozenset(
        {"churned", "churn", "cancelled", "canceled", "expired", "lost", "former", "formercustomer"}
        | {"inactive", "closed", "lapsed", "terminated"}
    ),
}

_STAGE_NAME = re.compile(r"lifecycle|stage|status|plan|tier|subscription")
_STAGE_RANK = ("lifecycle", "stage", "subscription", "plan", "tier", "status")
_NOT_A_STAGE = re.compile(
    r"order|ticket|delivery|payment|email|consent|newsletter|deal|task|call|import|marital"
)
_ORDERS = frozenset(
    {"order", "orders", "ordered", "purchase", "purchases", "purchased", "bookings", "transactions"}
)
_RESPONSE = frozenset({"opened", "opens", "open", "clicked", "clicks", "click", "replied", "responses"})
_MESSAGES = frozenset(
    {"email", "emails", "mail", "mails", "newsletter", "message", "push", "campaign", "sms"}
)
_USAGE = frozenset(
    {
        "session",
        "sessions",
        "login",
        "logins",
        "logged",
        "visit",
        "visits",
        "visited",
        "view",
        "views",
        "viewed",
    }
    | {"pageview", "pageviews", "page", "screen", "activity", "active", "heartbeat", "seen", "used", "usage"}
    | {"engagement", "events", "score"}
)
_INTENT = frozenset(
    {"pricing", "price", "prices", "checkout", "cart", "basket", "demo", "quote", "sales", "upgrade"}
)
_ENTRY = frozenset({"signup", "signed", "registered", "register", "identified", "identify", "unsubscribed"})
_UNDONE = frozenset({"cancelled", "canceled", "failed", "deleted", "removed", "declined", "bounced", "error"})
_START = re.compile(
    r"^(hs)?(createdate|createdat|created|createdon|signupat|signupdate|signedupat|signedup|registeredat|"
    r"registrationdate|joinedat|joindate|firstseen(at)?|customersince|membersince|startdate|startedat|"
    r"(account|user|contact|customer)(createdat|createdate|created))$"
)
_TRIAL_START = re.compile(r"^(free)?trial(start|begin|began|created)")
_TRIAL_END = re.compile(r"trial(period)?(end|expir|until)|(end|expir\w*)(of)?trial$")
# Settings, security and faults of the machine: nothing that a marketer nudges people to do.
_TECHNICAL = frozenset(
    {"mfa", "2fa", "sso", "factor", "password", "passwort", "passcode", "login", "logins", "logged", "logout"}
    | {"signin", "signout", "verified", "verify", "verification", "confirmed", "confirmation", "token"}
    | {"tokens", "key", "keys", "error", "errors", "failed", "failure", "crash", "crashed", "exception"}
    | {"setting", "settings", "preference", "preferences", "reset", "timeout", "cookie", "cookies"}
    | {"permission", "permissions", "captcha", "locked", "migrated"}
)
_TECHNICAL_START = re.compile(
    r"(has|is)?(mfa|2fa|sso|twofactor|password|apikey|(email|phone)(verif|confirm))"
)
# Scores about an account's state, or about what somebody else expects of it, are nothing that a person did.
_NO_DEED = re.compile(r"health|risk|churn|nps|csat|satisf|credit|fit|likel|propens|predict|priority|quality")
_PARTIAL = frozenset(
    {"avg", "average", "aov", "mean", "recent", "annual", "last", "durchschnittlicher", "panier", "ticket"}
)
_DEALS = frozenset({"deal", "deals"})  # that sales works on; no orders, and no money yet
_CENTS = frozenset({"cents", "cent", "pence", "minor"})
CURRENCIES = frozenset({"eur", "usd", "gbp", "chf", "sek", "nok", "dkk", "pln", "cad", "aud", "jpy"})
_PLAIN_WINDOW = re.compile(r"(?:_|\b)(?:last_?|past_?|in_?)?(\d+)_?(d|days?|w|weeks?|m|months?)(?:_|\b)")
_WINDOW_DAYS = {"d": 1.0, "w": 7.0, "m": 30.0}
_WINDOWED = frozenset(
    {
        "recent",
        "month",
        "monthly",
        "week",
        "weekly",
        "year",
        "yearly",
        "quarter",
        "ytd",
        "mtd",
        "last",
        "open",
    }
    | {"active", "pending", "current", "today"}
)
_STARTED_AGO = re.compile(
    r"^(tenure|accountage|customerage|age)(in)?days$|^dayssince(signup|created|registration|join)"
)
_GUEST = re.compile(
    r"^(is|ist|customeris|compte|client|cuenta|konto)?(guest|gast|invite|invitado)(order|checkout|account|user|konto|kunde|account)?$"
)
_TWO = 2
_LAST = re.compile(r"^(hs|hsemail|email|notes)?last")
_NOT_ACTIVITY = re.compile(r"modif|updat|name|import|sync|chang|invoice|renew|bounce|sent|contacted|load")
_VALUE = re.compile(
    r"spen[dt]|revenue|ltv|lifetimevalue|clv|gmv|mrr|arr$|totalpaid|totalamount|ordervalue|turnover"
)
_SIZE = re.compile(r"employee|seats|companysize|headcount|teamsize|accountsize|numberofusers|licen[cs]es")
_NO_MILESTONE = re.compile(
    r"consent|newsletter|opt(ed)?(in|out)|subscri|bounce|internal|employee|staff|bot|test|delete|suppress|"
    r"customer|client|paying|paid|trial|lead|prospect|churn|active|marketing|gdpr|valid|primary|archived|spam|unsub|dnc|donotcall|donotcontact|admin|owner|vip"
)


@dataclass(frozen=True)
class Signal:
    """One attribute and what it says.

    Attributes:
        role: What it says.
        attribute: Its catalog name.
        type: Its type in the catalog.
        kind: For recency and depth: whether it speaks of orders, of use, or of responses to messages.
        event: The event it is counted from; None for a plain column.
        measure: How the event is counted; None for a plain column.
        window_days: Events within this many days count; None if all do.
        table: The table role it comes from.
        cadence_hours: Observed time between loads of its source.
        money: For an amount of money, how many of its units make one of the currency: 100 for cents. 0 if it
            is none.
        currency: The currency that its name says; empty if it says none.
        lifetime: An amount or a number over all the time that somebody has been a customer.
    """

    role: Role
    attribute: str
    type: AttributeType
    kind: Kind | None = None
    event: str | None = None
    measure: str | None = None
    window_days: float | None = None
    table: str = "people"
    cadence_hours: float | None = None
    money: int = 0
    currency: str = ""
    lifetime: bool = False

    @property
    def never_is_null(self) -> bool:
        """Whether a missing value means that it never happened (not that nobody recorded it)."""
        started = self.role in {"tenure", "trial_start"}
        return not started and (self.measure == "days_since_last" or self.type == "timestamp")

    @property
    def of_account(self) -> bool:
        """Whether it describes the account, not the person."""
        return self.table in {"accounts", "membership", "opportunities"}


def read_signals(
    facts: Sequence[AttributeFact], catalog: Mapping[str, AttributeSettings]
) -> tuple[Signal, ...]:
    """Return the signals of the admitted attributes, by role and attribute name."""
    found = []
    ours = any(_concept_of(name, settings) in _OUR_SIDE | _OWNED for name, settings in catalog.items())
    for fact in facts:
        settings = catalog.get(fact.name)
        if settings is not None and _says_who_agreed(fact.name, settings):
            signal = None
        elif settings is not None and settings.event is not None:
            signal = _behavioural(fact, settings)
        elif ours and _is_logged_activity(fact.name, settings):
            # Where sales owns the record, or plans and counts calls, the last activity is the last of these.
            signal = None
        else:
            signal = _plain(fact, settings)
        if signal is not None:
            found.append(signal)
    return tuple(sorted(found, key=lambda signal: (signal.role, signal.attribute)))


def _says_who_agreed(name: str, settings: AttributeSettings) -> bool:
    """Return whether an attribute is a state or time of consent, which never makes a profile."""
    if settings.sensitivity_note.lower().startswith("consent"):
        return True
    said = read_consent(_plain_words(settings.column or name)) if settings.type == "boolean" else None
    return said is not None and not said.weak


def _concept_of(name: str, settings: AttributeSettings | None) -> str:
    column = settings.column if settings is not None and settings.column else name
    found = find_concept(_plain_words(column)) or find_concept(_plain_words(name))
    return found[0].name if found is not None else ""


def _plain_words(column: str) -> tuple[str, ...]:
    """Return the words of a column without the name of its record ("Person - Label")."""
    return header_words(re.split(r"\s+-\s+|\.", column)[-1])


def _is_logged_activity(name: str, settings: AttributeSettings | None) -> bool:
    column = settings.column if settings is not None and settings.column else name
    return set(_plain_words(column)) <= {"last", "activity", "date", "at", "time", "on", "lastactivitydate"}


def stage_of(value: str) -> Stage | None:
    """Return the lifecycle stage a value of a status, plan or lifecycle column stands for.

    >>> stage_of("Marketing Qualified Lead"), stage_of("past_due"), stage_of("DE")
    ('lead', 'past_due', None)
    """
    squashed = _squash(value)
    return next((stage for stage, words in STAGE_WORDS.items() if squashed in words), None)


def stage_rank(attribute: str) -> int:
    """Return how strongly an attribute's name says that it is a lifecycle; lower is stronger."""
    squashed = _squash(attribute)
    return next((rank for rank, word in enumerate(_STAGE_RANK) if word in squashed), len(_STAGE_RANK))


def _behavioural(fact: AttributeFact, settings: AttributeSettings) -> Signal | None:
    event = settings.event or "*"
    if event != "*" and is_automatic(event):
        return None
    words = frozenset(tokens_of(event))
    window = parse_duration(settings.window).total_seconds() / 86_400 if settings.window else None
    kind = _kind(words)
    if kind == "response" and not words & _MESSAGES:
        kind = "usage"  # "article opened" is an answer to no message
    general = event == "*" or kind is not None
    role: Role
    if words & _ENTRY and settings.measure == "days_since_last":
        role = "tenure"
    elif words & (_ENTRY | _UNDONE) or (kind is None and _is_technical(event)):
        return None
    elif words & _INTENT and kind != "orders":
        # How long ago somebody looked at prices is no measure of use, nor of how much they want to buy.
        if settings.measure == "days_since_last":
            return None
        role = "intent"
    elif settings.measure == "days_since_last":
        role = "recency" if general else "milestone"
    else:
        role = "depth" if general else "milestone"
    general = role in {"recency", "depth"}
    return Signal(
        role,
        fact.name,
        fact.type,
        kind=(kind or "usage") if general else None,
        event=event,
        measure=settings.measure,
        window_days=window,
        table="events",
        cadence_hours=fact.cadence_hours,
    )


def _plain(fact: AttributeFact, settings: AttributeSettings | None) -> Signal | None:
    column = settings.column if settings is not None and settings.column else fact.name
    names = tuple(dict.fromkeys((_squash(fact.name), _squash(column))))
    words = frozenset((*tokens_of(fact.name), *header_words(column)))
    meaning = find_concept(header_words(column.rpartition(".")[2])) or find_concept(_plain_words(column))
    concept = meaning[0].name if meaning is not None and not words & _DEALS else ""
    if concept in _OUR_SIDE:
        return None
    staged = settings is not None and settings.description == _STAGES and fact.type == "string"
    role: Role | None = "stage" if staged else _plain_role(fact, names, concept)
    if role is None:
        return None
    table = settings.table if settings is not None else fact.table
    signal = Signal(role, fact.name, fact.type, table=table, cadence_hours=fact.cadence_hours)
    if role == "depth" and (signal.of_account or any(_NO_DEED.search(name) for name in names)):
        return None
    if role in {"recency", "depth"}:
        window = _window_of(fact.name)
        return replace(
            signal,
            kind=_meant_kind(concept) or _kind(words) or "usage",
            window_days=window,
            lifetime=role == "depth" and window is None and not words & (_WINDOWED | _PARTIAL),
        )
    if role == "value" or concept == "annual_revenue":
        named = sorted(words & CURRENCIES)
        return replace(
            signal,
            money=100 if words & _CENTS else 1,
            currency=named[0].upper() if named else "",
            lifetime=concept == "lifetime_value" and not words & _PARTIAL,
        )
    return signal


def _plain_role(fact: AttributeFact, names: tuple[str, ...], concept: str) -> Role | None:
    if _is_guest(fact, names):
        return "guest"
    match fact.type:
        case "string":
            named = any(_STAGE_NAME.search(name) and not _NOT_A_STAGE.search(name) for name in names)
            if named or concept in {"lifecycle_stage", "plan", "lead_status"}:
                return "stage"
            return "group" if concept == "segment" else None
        case "timestamp":
            return _timestamp_role(fact, names, concept)
        case "boolean":
            barred = any(_NO_MILESTONE.search(name) for name in names) or _is_technical(fact.name)
            return None if barred or concept in _STATES else "milestone"
        case "number":
            return _deals_role(frozenset(tokens_of(fact.name))) or _number_role(fact, names, concept)


# What a CRM says of our own side: a call by sales is no sign of life of the person called.
_OUR_SIDE = frozenset({"activity_count", "planned_at", "last_contact_at"})
_OWNED = frozenset({"owner"})
# What `gtm init` says of a column whose values are stages, whatever the column is called.
_STAGES = "stage of the customer lifecycle"
# Two-valued columns that say in which state a record is, not what its person did.
_STATES = frozenset(
    {"is_active", "is_test", "is_deleted", "email_verified", "bounced", "is_admin", "is_paying"}
    | {"marketing_contact_status"}
)


def _timestamp_role(fact: AttributeFact, names: tuple[str, ...], concept: str) -> Role | None:
    if any(_TRIAL_START.search(name) for name in names):
        return "trial_start"
    if any(_TRIAL_END.search(name) for name in names):
        return "trial_end"
    if any(_START.search(name) for name in names) or concept in {"signup_at", "created_at"}:
        return "tenure"
    first = any(re.search(r"first|erst|premier|primer|eerst|conversion", name) for name in names)
    named = any(_LAST.search(name) for name in names)
    if (named or (concept in {"last_activity_at", "last_order_at"} and not first)) and not any(
        _NOT_ACTIVITY.search(name) for name in names
    ):
        return "recency"
    reached = any(name.endswith(("at", "on", "date")) and name.startswith("first") for name in names)
    done = any(word in _done_words() for word in tokens_of(fact.name))
    return "milestone" if (reached or done) and not _is_technical(fact.name) else None


def _deals_role(words: frozenset[str]) -> Role | None:
    """Return the state of the deals that a number counts, for "open deals", "won deals" and "lost deals"."""
    if not words & {"deals", "opportunities", "tratos", "affaires"} or words & {"amount", "value", "revenue"}:
        return None
    states: dict[str, Role] = {
        "open": "open_deals", "offene": "open_deals", "won": "won_deals", "gewonnene": "won_deals",
        "gagnees": "won_deals", "ganados": "won_deals", "lost": "lost_deals", "verlorene": "lost_deals",
        "perdues": "lost_deals", "perdidos": "lost_deals",
    }  # fmt: skip
    return next((role for word, role in states.items() if word in words), None)


def _is_guest(fact: AttributeFact, names: tuple[str, ...]) -> bool:
    two_valued = fact.type == "boolean" or (
        fact.type == "number" and fact.distinct is not None and fact.distinct <= _TWO
    )
    return two_valued and any(_GUEST.search(name) for name in names)


def _number_role(fact: AttributeFact, names: tuple[str, ...], concept: str) -> Role | None:
    words = frozenset(tokens_of(fact.name))
    if any(_STARTED_AGO.search(name) for name in names):
        return "tenure"
    if any(name.startswith("dayssince") for name in names):
        return "recency"
    if concept == "annual_revenue":  # what the company earns, not what it pays
        return "size"
    if any(_VALUE.search(name) for name in names) or concept in {"lifetime_value", "mrr", "arr"}:
        return "value"
    if any(_SIZE.search(name) for name in names):
        return "size"
    counted = _kind(words) is not None or any(name.endswith("score") for name in names)
    meant = _meant_kind(concept) is not None
    return "depth" if (counted or meant) and not any("id" in tokens_of(fact.name) for _ in names) else None


def _meant_kind(concept: str) -> Kind | None:
    meant: dict[str, Kind] = {
        "orders_count": "orders",
        "last_order_at": "orders",
        "page_views": "usage",
    }
    return meant.get(concept)


def _window_of(name: str) -> float | None:
    """Return the days that a plain count looks back on, if its name says so.

    >>> _window_of("orders_365d"), _window_of("logins_last_4_weeks"), _window_of("orders")
    (365.0, 28.0, None)
    """
    found = _PLAIN_WINDOW.search(name.lower())
    return int(found[1]) * _WINDOW_DAYS[found[2][0]] if found else None


def _is_technical(name: str) -> bool:
    return bool(_TECHNICAL & frozenset(tokens_of(name)) or _TECHNICAL_START.match(_squash(name)))


def _done_words() -> frozenset[str]:
    return frozenset({"activated", "onboarded", "completed", "connected", "installed", "converted"})


def _kind(words: frozenset[str]) -> Kind | None:
    if words & _ORDERS:
        return "orders"
    if words & _RESPONSE:
        return "response"
    return "usage" if words & _USAGE else None


def _squash(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
