"""Metrics, channels, business time zone and currency, as far as the data says anything about them."""

# ruff: noqa: SIM905 - lists of words

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from gtm_orchestra.warehouse.proposals.names import words
from gtm_orchestra.warehouse.proposals.value_words import CURRENCIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gtm_orchestra.warehouse.proposals.readings import RoleReading, TableReading

__all__ = ["find_currency", "find_timezone", "frequent_events", "propose_channels", "propose_metrics"]

_ZONES = {
    "DE": "Europe/Berlin",
    "AT": "Europe/Vienna",
    "CH": "Europe/Zurich",
    "FR": "Europe/Paris",
    "ES": "Europe/Madrid",
    "NL": "Europe/Amsterdam",
    "BE": "Europe/Brussels",
    "IT": "Europe/Rome",
    "GB": "Europe/London",
    "UK": "Europe/London",
    "IE": "Europe/Dublin",
    "PL": "Europe/Warsaw",
    "SE": "Europe/Stockholm",
    "DK": "Europe/Copenhagen",
    "NO": "Europe/Oslo",
    "FI": "Europe/Helsinki",
    "PT": "Europe/Lisbon",
    "GERMANY": "Europe/Berlin",
    "DEUTSCHLAND": "Europe/Berlin",
    "FRANCE": "Europe/Paris",
    "SPAIN": "Europe/Madrid",
    "ESPANA": "Europe/Madrid",
    "NETHERLANDS": "Europe/Amsterdam",
    "NEDERLAND": "Europe/Amsterdam",
    "AUSTRIA": "Europe/Vienna",
    "OSTERREICH": "Europe/Vienna",
    "UNITED KINGDOM": "Europe/London",
}
_MAJORITY = 0.6
_PURCHASE = (
    "order placed",
    "order completed",
    "purchase",
    "purchased",
    "checkout completed",
    "payment succeeded",
    "payment completed",
    "order created",
    "subscription started",
    "subscription created",
    "plan purchased",
    "plan upgraded",
    "upgraded",
    "trial converted",
)
_ACTIVATION = (
    "activated",
    "activation",
    "onboarding completed",
    "onboarding finished",
    "completed onboarding",
    "setup completed",
    "aha",
    "first project created",
    "project created",
    "workspace created",
    "integration connected",
    "invite sent",
    "teammate invited",
    "user invited",
    "report created",
    "dashboard created",
    "board created",
)
_RETURN = (
    "login",
    "logged in",
    "session started",
    "session start",
    "app opened",
    "app open",
    "user logged in",
    "sign in",
    "signed in",
    "page viewed",
    "page view",
    "pageview",
)
_SEEN = frozenset({"pageview", "page view", "screen", "screen view"})
_AUTOMATIC = frozenset(
    {
        "identify", "group", "alias", "autocapture", "page leave", "pageleave",
        "feature flag called", "web vitals",
        "heartbeat", "ping", "session end", "user engagement", "scroll", "set", "group identify", "rageclick",
        "element clicked", "experiment viewed", "experiment started", "mp page leave", "session recording",
    }
)  # fmt: skip
# What people of a product make; the most frequent of these stands for activation where nothing is named so.
_MADE = frozenset({
    "created", "added", "published", "uploaded", "sent", "connected", "invited", "imported",
    "completed", "booked",
    "scheduled", "shared", "submitted", "installed", "deployed", "started", "configured", "enabled",
})  # fmt: skip
_NOT_MADE = frozenset({
    "signup", "signed", "account", "user", "session", "order", "checkout", "payment",
    "subscription", "trial", "cart",
    "email", "message", "campaign", "notification", "login", "page", "product",
})  # fmt: skip
_PERSONAL = (
    "personalization",
    "personalisation",
    "personalisierung",
    "personnalisation",
    "personalizacion",
    "profiling",
)
# Consent for something else (product updates, analytics) is none for being shown a variant.
_CHANNEL_PURPOSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "web": ("personalization", _PERSONAL),
    "in-app": ("personalization", _PERSONAL),
    "email": ("email-marketing", ("newsletter", "email", "emails", "mail", "mailing", "marketing")),
    "ads": ("ads", ("ads", "advertising", "targeting", "retargeting", "remarketing")),
    "sales": ("sales-contact", ("sales", "phone", "call", "outreach")),
}

# A purpose of one of these is of no other medium.
_SPOKEN = frozenset(
    {
        "phone",
        "phones",
        "call",
        "calls",
        "calling",
        "telephone",
        "tel",
        "telefon",
        "telefono",
        "telefoon",
        "outreach",
    }
)
_OTHER_MEDIA = _SPOKEN | {
    "sms", "text", "textmessage", "whatsapp", "post", "postal", "letter", "directmail", "push", "mms", "rcs",
    "third", "partner", "partners", "partenaires", "socios", "derden",
}  # fmt: skip


def find_timezone(tables: Sequence[TableReading]) -> tuple[str, str, float]:
    """Return the business time zone with evidence and confidence; UTC where the data says nothing."""
    for table in tables:
        column = table.find("timezone")
        found = _majority(column.measure.vocabulary) if column is not None else None
        if found is not None and column is not None and "/" in found[0]:
            return found[0], f"{found[1]:.0%} of the values of {table.name}.{column.measure.name}", 0.8
    for table in tables:
        column = table.find("country")
        found = _majority(column.measure.vocabulary) if column is not None else None
        if (
            found is not None
            and column is not None
            and (zone := _ZONES.get(" ".join(words(found[0])).upper()))
        ):
            return (
                zone,
                f"{found[1]:.0%} of the values of {table.name}.{column.measure.name} are one country",
                0.6,
            )
    return "UTC", "nothing in the data says; set it to the zone in which your business days begin", 0.2


def find_currency(tables: Sequence[TableReading]) -> tuple[str, str, float]:
    """Return the currency with evidence and confidence; USD where the data says nothing."""
    for table in tables:
        column = table.find("currency")
        if column is None or not column.measure.vocabulary:
            continue
        counts = Counter(column.measure.vocabulary)
        code, rows = max(counts.items(), key=lambda item: (item[1], item[0]))
        if code.upper() not in CURRENCIES:
            continue
        where, share = f"{table.name}.{column.measure.name}", rows / counts.total()
        if share >= _MAJORITY:
            return code.upper(), f"{share:.0%} of the values of {where}", 0.9
        split = ", ".join(f"{name.upper()} {n:,}" for name, n in counts.most_common(5))
        return code.upper(), f"the most frequent of {where}: {split}; amounts are not converted", 0.6
    for table in tables:
        for column in table.columns:
            if column.unit in CURRENCIES:
                return column.unit, f"named or written in {table.name}.{column.measure.name}", 0.8
    return "USD", "nothing in the data says; set it to the currency of your reports", 0.2


def _majority(counts: Mapping[str, int]) -> tuple[str, float] | None:
    total = sum(counts.values())
    if not total:
        return None
    value, rows = max(Counter(counts).items(), key=lambda item: (item[1], item[0]))
    return (value, rows / total) if rows >= _MAJORITY * total else None


def is_automatic(event: str) -> bool:
    """Return whether a library sends an event by itself: it is nobody's deed, and nobody's goal.

    >>> is_automatic("$autocapture"), is_automatic("$pageview"), is_automatic("shift created")
    (True, False, False)
    """
    said = " ".join(words(event))
    return said in _AUTOMATIC or (event.startswith("$") and said not in _SEEN)


def frequent_events(events: RoleReading | None, limit: int = 8) -> tuple[tuple[str, float], ...]:
    """Return the most frequent event names with their share of rows, most frequent first."""
    if events is None:
        return ()
    if "name" in events.constants:
        return ((events.constants["name"], 1.0),)
    counts = events.table.measure.column(events.columns["name"]).vocabulary
    total = sum(counts.values())
    done = {name: rows for name, rows in counts.items() if not is_automatic(name)}
    ranked = sorted(done.items(), key=lambda item: (-item[1], item[0]))
    return tuple((name, rows / total) for name, rows in ranked[:limit])


def propose_metrics(
    events: RoleReading | None, opportunities: RoleReading | None, currency: str
) -> dict[str, tuple[dict[str, Any], str, float]]:
    """Return metric settings with evidence and confidence, by name."""
    found: dict[str, tuple[dict[str, Any], str, float]] = {}
    settings: dict[str, Any]
    names = frequent_events(events, limit=1_000)
    for metric, phrases, kind, window, what in (
        ("activation_rate", _ACTIVATION, "proportion", "14d", "people who reach it within 14 days"),
        ("purchase_rate", _PURCHASE, "proportion", "30d", "people who buy within 30 days"),
        ("retention", _RETURN, "retention", "28d", "people who come back within 28 days"),
    ):
        event = _matching(names, phrases)
        if event is not None:
            settings = {"type": kind, "event": event, "window": window, "description": what}
            found[metric] = (settings, f"event {event!r} is named like it", 0.6)
    if "activation_rate" not in found and (likely := _likely_activation(names)) is not None:
        settings = {
            "type": "proportion",
            "event": likely[0],
            "window": "14d",
            "description": "people who reach it within 14 days",
        }
        why = f"event {likely[0]!r} {likely[1]}: check that it is what makes a new user stay"
        found["activation_rate"] = (settings, why, 0.4)
    purchase = found.get("purchase_rate")
    if purchase is not None and events is not None and "value" in events.columns:
        unit = events.table.find("amount")
        cents = " (in cents)" if unit is not None and unit.unit == "cents" else ""
        settings = {
            "type": "revenue",
            "event": purchase[0]["event"],
            "window": "30d",
            "unit": currency,
            "winsorise": 0.99,
            "description": f"sum of {events.columns['value']} within 30 days{cents}",
        }
        found["revenue"] = (settings, f"{events.columns['value']!r} is an amount of money", 0.6)
    if purchase is not None and "retention" not in found and "name" in getattr(events, "constants", {}):
        settings = {
            "type": "retention",
            "event": purchase[0]["event"],
            "window": "90d",
            "description": "people who buy again within 90 days",
        }
        found["retention"] = (settings, "orders are the only events", 0.5)
    if opportunities is not None:
        link, amount = opportunities.columns["account"], opportunities.columns["amount"]
        settings = {
            "type": "revenue",
            "event": None,
            "window": "90d",
            "unit": currency,
            "description": f"sum of {amount} per account ({link})",
        }
        found["pipeline_amount"] = (settings, f"{opportunities.table.name!r} has amounts", 0.5)
    return found


def _matching(names: Iterable[tuple[str, float]], phrases: Sequence[str]) -> str | None:
    known = {" ".join(words(name)): name for name, _ in reversed(tuple(names))}
    for phrase in phrases:
        wanted = " ".join(words(phrase))
        if wanted in known:
            return known[wanted]
    return None


def _likely_activation(names: Iterable[tuple[str, float]]) -> tuple[str, str] | None:
    """Return the event that most likely shows that somebody got going, and why; the names by frequency."""
    onboarding = made = None
    for name, _ in names:
        said = set(words(name))
        if {"onboarding", "setup", "activation"} & said and {"completed", "finished", "done"} & said:
            onboarding = onboarding or (name, "is a step of the onboarding")
        if said & _MADE and not said & _NOT_MADE and len(said) > 1 and "onboarding" not in said:
            made = made or (name, "is what people make most")
    return made or onboarding


# A channel with a word of its own needs no other consent; beside these words it is not about being addressed.
_OWN_WORDS = {"in-app": ("in app", "inapp"), "web": ("onsite", "on site", "website personalization")}
_NOT_ADDRESSING = frozenset("analytics tracking cookies cookie statistics statistik measurement".split())


def _named_itself(channel: str, purpose: str) -> bool:
    said = f" {' '.join(words(purpose))} "
    own = any(f" {word} " in said for word in _OWN_WORDS.get(channel, ()))
    return own and not set(said.split()) & _NOT_ADDRESSING


def channels_of(purpose: str) -> frozenset[str]:
    """Return the channels that a purpose of processing speaks of, by its words."""
    said = set(words(purpose)) | {purpose}
    if said & _OTHER_MEDIA:
        # Who agreed to a call has not agreed to mail, though both are marketing.
        return frozenset({"sales"}) if said & _SPOKEN else frozenset()
    return frozenset(
        channel
        for channel, (default, hints) in _CHANNEL_PURPOSES.items()
        if said & {default, *hints} or _named_itself(channel, purpose)
    )


def propose_channels(
    purposes: Sequence[str], *, has_email: bool
) -> dict[str, tuple[dict[str, Any], str, float]]:
    """Return channel settings with evidence and confidence, by channel.

    Args:
        purposes: Purposes that the data knows consent for.
        has_email: People have an e-mail address.
    """
    found: dict[str, tuple[dict[str, Any], str, float]] = {}
    for channel, (default, hints) in _CHANNEL_PURPOSES.items():
        speaking = [p for p in sorted(purposes) if channel in channels_of(p)]
        own = [p for p in speaking if _named_itself(channel, p)]
        matching = own or [p for hint in (default, *hints) for p in speaking if hint in words(p) or hint == p]
        settings: dict[str, Any] = {
            "purpose": matching[0] if matching else default,
            "places": ["browser"] if channel == "web" else ["server"] if channel == "in-app" else ["batch"],
        }
        if channel in {"email", "ads", "sales"} and has_email:
            settings["identifier"] = "email"
        if matching:
            found[channel] = (settings, f"consent data knows the purpose {matching[0]!r}", 0.7)
        else:
            found[channel] = (
                settings,
                f"no consent data for {default!r}: the channel stays blocked until there is",
                0.4,
            )
    return found
