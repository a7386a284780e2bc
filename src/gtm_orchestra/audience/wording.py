"""Words a marketer would use for events, attributes and lengths of time."""

from __future__ import annotations

import re

__all__ = ["in_days", "next_step", "noun_of", "tokens_of"]

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
    "used": "use",
    "verified": "verify",
}
_BASE_VERBS = frozenset(verb for verb in _VERBS.values() if " " not in verb)
_FILLERS = frozenset(
    {"has", "is", "was", "did", "the", "a", "an", "at", "date", "on", "event", "events", "num", "hs"}
)
_UNCOUNTED = frozenset({"onboarding", "setup", "billing", "sso", "data", "payment"})
_ACRONYMS = frozenset({"api", "crm", "csv", "sso", "url", "sdk", "ai"})


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
    return f"{'an' if shown[0] in 'aeiouAEIO' else 'a'} {shown}"


def in_days(days: float) -> str:
    """Return a number of days in words.

    >>> in_days(1), in_days(14)
    ('1 day', '14 days')
    """
    return f"{days:,.0f} {'day' if days == 1 else 'days'}"
