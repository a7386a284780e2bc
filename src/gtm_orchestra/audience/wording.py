"""Words a marketer would use for events, attributes and lengths of time."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "event_words",
    "header_labels",
    "in_days",
    "in_figures",
    "in_money",
    "next_step",
    "noun_of",
    "number_of",
    "past_step",
    "tokens_of",
]

_VERBS = {
    "activated": "activate",
    "added": "add",
    "assigned": "assign",
    "attended": "attend",
    "booked": "book",
    "built": "build",
    "completed": "complete",
    "configured": "configure",
    "connected": "connect",
    "created": "create",
    "deployed": "deploy",
    "downloaded": "download",
    "enabled": "enable",
    "exported": "export",
    "finished": "finish",
    "imported": "import",
    "installed": "install",
    "integrated": "integrate",
    "invited": "invite",
    "joined": "join",
    "launched": "launch",
    "linked": "link",
    "made": "make",
    "onboarded": "finish onboarding",
    "paid": "pay",
    "placed": "place",
    "published": "publish",
    "purchased": "purchase",
    "ran": "run",
    "referred": "refer",
    "renewed": "renew",
    "requested": "request",
    "reviewed": "review",
    "saved": "save",
    "scheduled": "schedule",
    "sent": "send",
    "set": "set up",
    "shared": "share",
    "started": "start",
    "submitted": "submit",
    "synced": "sync",
    "tested": "test",
    "upgraded": "upgrade",
    "uploaded": "upload",
    "approved": "approve",
    "archived": "archive",
    "commented": "comment",
    "duplicated": "duplicate",
    "edited": "edit",
    "exchanged": "exchange",
    "filtered": "filter",
    "generated": "generate",
    "moved": "move",
    "opened": "open",
    "played": "play",
    "posted": "post",
    "printed": "print",
    "rated": "rate",
    "read": "read",
    "recorded": "record",
    "redeemed": "redeem",
    "searched": "search",
    "signed": "sign",
    "solved": "solve",
    "swapped": "swap",
    "tagged": "tag",
    "tracked": "track",
    "translated": "translate",
    "updated": "update",
    "viewed": "view",
    "watched": "watch",
    "used": "use",
    "verified": "verify",
}
_BASE_VERBS = frozenset(verb for verb in _VERBS.values() if " " not in verb)
_FILLERS = frozenset(
    {"has", "is", "was", "did", "the", "a", "an", "at", "date", "on", "event", "events", "num", "hs"}
)
_UNCOUNTED = frozenset({"onboarding", "setup", "billing", "sso", "data", "payment"})
_ACRONYMS = frozenset(
    {"ai", "api", "arr", "cli", "crm", "csv", "mfa", "mrr", "pdf", "sdk", "sms", "sql", "sso", "ui", "url"}
)
# An article goes by the sound: an MFA, an SDK, a URL; a user, an hour.
_SPELLED_WITH_VOWEL = frozenset("AEFHILMNORSX")
_SOUNDS_CONSONANT = re.compile(r"(u[bns][aeiu]|unit|union|univ|eu|one\b|once\b)")
_SOUNDS_VOWEL = re.compile(r"(hour|honest|honou?r|heir)")


def tokens_of(name: str) -> tuple[str, ...]:
    """Return the lower-case words of an identifier.

    >>> tokens_of("HS_lastOrderDate")
    ('hs', 'last', 'order', 'date')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return tuple(word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word)


def next_step(name: str) -> str:
    """Return what a person does when an event happens, in the infinitive without "to".

    >>> next_step("teammate_invited")
    'invite a teammate'
    >>> next_step("has_integration")
    'have an integration'
    >>> next_step("first_report")
    'reach first report'
    """
    words = [word for word in tokens_of(name) if word not in _FILLERS]
    verb = next((word for word in words if word in _VERBS), None)
    if verb is None:
        verb = next((word for word in words if word in _BASE_VERBS), None)
    if verb is not None:
        words.remove(verb)
        return " ".join(filter(None, (_VERBS.get(verb, verb), noun_of(words))))
    if tokens_of(name)[:1] == ("has",):
        return f"have {noun_of(words)}".strip()
    return f"reach {' '.join(words) or name}"


def header_labels(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the names for readers of attributes whose names lost something of their columns' headers.

    Args:
        columns: Attribute → column as the source writes it.

    >>> header_labels({"date_d_inscription": "Date d'inscription", "orders": "orders"})
    {'date_d_inscription': "Date d'inscription"}
    """
    return {
        name: column
        for name, column in columns.items()
        if any(not letter.isascii() or letter == "'" for letter in column)
    }


def event_words(name: str) -> str:
    """Return an event's name as words.

    >>> event_words("$pageview"), event_words("report_viewed")
    ('page view', 'report viewed')
    """
    said = " ".join(tokens_of(name)) or name
    return {"pageview": "page view", "screen": "screen view", "order placed": "order"}.get(said, said)


def past_step(name: str) -> str:
    """Return what somebody has done who took a step, in the past tense.

    >>> past_step("onboarding step completed"), past_step("teammate_invited"), past_step("first_report")
    ('completed an onboarding step', 'invited a teammate', 'reached first report')
    """
    words = [word for word in tokens_of(name) if word not in _FILLERS]
    verb = next((word for word in words if word in _VERBS), None)
    if verb is None:
        return f"reached {' '.join(words) or name}"
    words.remove(verb)
    return " ".join(filter(None, (verb, noun_of(words))))


def noun_of(words: list[str]) -> str:
    """Return words as a noun phrase with its article.

    >>> noun_of(["sso"]), noun_of(["api", "key"]), noun_of(["teammates"])
    ('SSO', 'an API key', 'teammates')
    """
    if not words:
        return ""
    shown = " ".join(word.upper() if word in _ACRONYMS else word for word in words)
    last = words[-1]
    plural = last.endswith("s") and not last.endswith("ss")
    if plural or last in _UNCOUNTED or words[0] in {"first", "second", "third"}:
        return f"a {shown}" if words[0] in {"first", "second", "third"} else shown
    return f"{_article(words[0])} {shown}"


def _article(word: str) -> str:
    """Return the article a word takes by its sound.

    >>> [_article(word) for word in ("mfa", "url", "user", "hour", "export")]
    ['an', 'a', 'a', 'an', 'an']
    """
    if word in _ACRONYMS:
        return "an" if word[0].upper() in _SPELLED_WITH_VOWEL else "a"
    if _SOUNDS_CONSONANT.match(word):
        return "a"
    return "an" if word[0] in "aeiou" or _SOUNDS_VOWEL.match(word) else "a"


def in_days(days: float) -> str:
    """Return a number of days in words.

    >>> in_days(1), in_days(14)
    ('1 day', '14 days')
    """
    return f"{days:,.0f} {'day' if days == 1 else 'days'}"


def number_of(count: int) -> str:
    """Return a small number as a word.

    >>> number_of(2), number_of(12)
    ('two', '12')
    """
    words = ("no", "one", "two", "three", "four", "five", "six")
    return words[count] if 0 <= count < len(words) else f"{count:,}"


def in_figures(value: float) -> str:
    """Return a number with four significant digits at least, never with an exponent.

    >>> in_figures(49_523.0), in_figures(1_234.5), in_figures(0.00012345), in_figures(6.0)
    ('49,523', '1,234', '0.0001234', '6')
    """
    if float(value).is_integer() or abs(value) >= 1_000:  # noqa: PLR2004 - four digits
        return f"{value:,.0f}"
    return f"{Decimal(f'{value:.4g}'):f}"


def in_money(amount: float, currency: str) -> str:
    """Return an amount of money with its currency.

    >>> in_money(500, "EUR")
    'EUR 500.00'
    """
    return f"{currency} {amount:,.2f}"
