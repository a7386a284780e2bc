"""What each attribute says about where a person stands: lifecycle, recency, depth of use, tenure, milestones.

A signal is read from how the catalog defines an attribute (which event, how it is counted, which type), and
for plain columns from their name together with their type; a lifecycle column must prove itself by its
values. An attribute that says none of these things has no signal, and never changes a profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gtm_orchestra.audience.wording import tokens_of
from gtm_orchestra.config import AttributeSettings, AttributeType, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.audience.contracts import AttributeFact

__all__ = ["STAGE_WORDS", "Kind", "Role", "Signal", "Stage", "read_signals", "stage_of"]

Role = Literal["stage", "recency", "depth", "tenure", "value", "size", "milestone", "intent", "trial_start"]
Kind = Literal["orders", "usage", "response"]
Stage = Literal["prospect", "trial", "free", "customer", "at_risk", "churned"]

STAGE_WORDS: Mapping[Stage, frozenset[str]] = {
    "prospect": frozenset(
        {"subscriber", "lead", "leads", "marketingqualifiedlead", "mql", "salesqualifiedlead", "sql"}
        | {"opportunity", "prospect", "visitor", "evaluator", "signup", "registered"}
    ),
    "trial": frozenset({"trial", "trialing", "trialling", "trialist", "intrial", "evaluation", "freetrial"}),
    "free": frozenset({"free", "freemium", "hobby", "freeplan", "freeuser"}),
    "customer": frozenset(
        {"customer", "customers", "client", "paying", "paid", "active", "activecustomer", "evangelist"}
        | {"starter", "basic", "standard", "plus", "pro", "professional", "team", "growth", "scale"}
        | {"business", "premium", "enterprise", "member", "vip"}
    ),
    "at_risk": frozenset({"pastdue", "unpaid", "atrisk", "paused", "overdue", "dunning"}),
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
_RESPONSE = frozenset(
    {"opened", "opens", "open", "clicked", "clicks", "click", "replied", "delivered", "responses"}
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
_STARTED_AGO = re.compile(
    r"^(tenure|accountage|customerage|age)(in)?days$|^dayssince(signup|created|registration|join)"
)
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
    for fact in facts:
        settings = catalog.get(fact.name)
        if settings is not None and settings.event is not None:
            signal = _behavioural(fact, settings)
        else:
            signal = _plain(fact, settings)
        if signal is not None:
            found.append(signal)
    return tuple(sorted(found, key=lambda signal: (signal.role, signal.attribute)))


def stage_of(value: str) -> Stage | None:
    """Return the lifecycle stage a value of a status, plan or lifecycle column stands for.

    >>> stage_of("Marketing Qualified Lead"), stage_of("past_due"), stage_of("DE")
    ('prospect', 'at_risk', None)
    """
    squashed = _squash(value)
    return next((stage for stage, words in STAGE_WORDS.items() if squashed in words), None)


def stage_rank(attribute: str) -> int:
    """Return how strongly an attribute's name says that it is a lifecycle; lower is stronger."""
    squashed = _squash(attribute)
    return next((rank for rank, word in enumerate(_STAGE_RANK) if word in squashed), len(_STAGE_RANK))


def _behavioural(fact: AttributeFact, settings: AttributeSettings) -> Signal | None:
    event = settings.event or "*"
    words = frozenset(tokens_of(event))
    window = parse_duration(settings.window).total_seconds() / 86_400 if settings.window else None
    kind = _kind(words)
    general = event == "*" or kind is not None
    role: Role
    if words & _ENTRY and settings.measure == "days_since_last":
        role = "tenure"
    elif words & (_ENTRY | _UNDONE):
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
    words = frozenset(tokens_of(fact.name)) | frozenset(tokens_of(column))
    role = _plain_role(fact, names)
    if role is None:
        return None
    table = settings.table if settings is not None else fact.table
    kind = (_kind(words) or "usage") if role in {"recency", "depth"} else None
    return Signal(role, fact.name, fact.type, kind=kind, table=table, cadence_hours=fact.cadence_hours)


def _plain_role(fact: AttributeFact, names: tuple[str, ...]) -> Role | None:
    match fact.type:
        case "string":
            named = any(_STAGE_NAME.search(name) and not _NOT_A_STAGE.search(name) for name in names)
            return "stage" if named else None
        case "timestamp":
            return _timestamp_role(fact, names)
        case "boolean":
            return None if any(_NO_MILESTONE.search(name) for name in names) else "milestone"
        case "number":
            return _number_role(fact, names)


def _timestamp_role(fact: AttributeFact, names: tuple[str, ...]) -> Role | None:
    if any(_TRIAL_START.search(name) for name in names):
        return "trial_start"
    if any(_START.search(name) for name in names):
        return "tenure"
    if any(_LAST.search(name) and not _NOT_ACTIVITY.search(name) for name in names):
        return "recency"
    reached = any(name.endswith(("at", "on", "date")) and name.startswith("first") for name in names)
    done = any(word in _done_words() for name in (fact.name,) for word in tokens_of(name))
    return "milestone" if reached or done else None


def _number_role(fact: AttributeFact, names: tuple[str, ...]) -> Role | None:
    words = frozenset(tokens_of(fact.name))
    if any(_STARTED_AGO.search(name) for name in names):
        return "tenure"
    if any(name.startswith("dayssince") for name in names):
        return "recency"
    if any(_VALUE.search(name) for name in names):
        return "value"
    if any(_SIZE.search(name) for name in names):
        return "size"
    counted = _kind(words) is not None or any(name.endswith("score") for name in names)
    return "depth" if counted and not any("id" in tokens_of(fact.name) for _ in names) else None


def _done_words() -> frozenset[str]:
    return frozenset(
        {"activated", "onboarded", "completed", "connected", "installed", "verified", "converted"}
    )


def _kind(words: frozenset[str]) -> Kind | None:
    if words & _ORDERS:
        return "orders"
    if words & _RESPONSE:
        return "response"
    return "usage" if words & _USAGE else None


def _squash(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
