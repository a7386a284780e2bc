"""Which columns say what people agreed to: states of consent and their times, by name and by value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.consent_words import ConsentWords, purpose_of, read_consent
from gtm_orchestra.warehouse.proposals.names import fold
from gtm_orchestra.warehouse.proposals.value_words import DEPARTED, NO, UNDECIDED, UNREACHED, YES

if TYPE_CHECKING:
    from gtm_orchestra.warehouse.proposals.columns import ColumnReading
    from gtm_orchestra.warehouse.proposals.measures import ColumnMeasure

__all__ = ["CONSENT_NOTE", "consent_state", "consent_time", "is_list_state", "speaks_of_consent"]

# In the catalog it keeps a column from being accepted in bulk; see `catalog.is_safe`.
CONSENT_NOTE = "consent: it says whom to address, not whom to target"
# Words of a mailing list, both ways.
_SUBSCRIBING = frozenset({
    "subscribed", "unsubscribed", "not subscribed", "non-subscribed", "never_subscribed", "never subscribed",
    "angemeldet", "abgemeldet", "abonniert", "inscrit", "desinscrit", "abonne", "desabonne", "suscrito",
    "dado de baja", "aangemeld", "afgemeld", "uitgeschreven", "opted in", "opted out",
    "opted-in", "opted-out",
})  # fmt: skip

# Words that only consent has; "active" and "yes" mean other things too.
_TELLING = frozenset(
    {
        "subscribed",
        "unsubscribed",
        "granted",
        "denied",
        "withdrawn",
        "revoked",
        "objected",
        "optin",
        "optout",
        "angemeldet",
        "abgemeldet",
        "abonniert",
        "no consent",
        "not subscribed",
        "consented",
        "inscrit",
        "desinscrit",
        "abonne",
        "desabonne",
        "suscrito",
        "aangemeld",
        "afgemeld",
    }
) | {"opted in", "opted out", "opt-in", "opt-out", "opted_in", "opted_out"}
# Verbs of agreement and refusal; "newsletter sent at" has none.
_AGREEING = frozenset({
    "optin", "optedin", "optout", "optedout", "consent", "consented", "permission", "accepted", "accepts",
    "agreed", "subscribed", "unsubscribed", "einwilligung", "eingewilligt", "zustimmung", "zugestimmt",
    "widerspruch", "widerrufen", "abgemeldet", "consentement", "consenti", "consentimiento",
    "toestemming", "aangemeld", "afgemeld", "objected",
})  # fmt: skip
_LISTS = frozenset({"newsletter", "infolettre", "boletin", "nieuwsbrief", "rundbrief"})
_SENDING = frozenset({
    "last", "sent", "send", "opened", "open", "clicked", "click", "received", "next", "dernier",
    "derniere", "letzter", "letzte", "ultimo", "ultima", "laatste", "campaign", "delivered", "bounced",
})  # fmt: skip
_WHEN = frozenset({
    "add", "added", "at", "on", "date", "time", "timestamp", "ts", "since", "datum", "zeitpunkt", "am",
    "seit", "le", "el", "op", "fecha",
})  # fmt: skip
_SURE, _LIKELY, _WEAK, _STAGES = 0.9, 0.8, 0.5, 12


def consent_state(reading: ColumnReading, named: ColumnReading | None) -> ColumnReading | None:
    """Return a column that says who agreed to what today, or None."""
    measure = reading.measure
    if named is not None and named.concept in {
        "granted_at",
        "withdrawn_at",
        "confirmed_at",
        "consent_proof",
        "marketing_contact_status",
        "email_verified",
    }:
        return None
    said = read_consent(measure.words)
    listed = is_list_state(measure)
    two_valued = measure.binary or speaks_of_consent(measure) or listed
    subscribing = listed or len({fold(value.strip()) for value in measure.vocabulary} & _SUBSCRIBING) > 1
    if (
        said is None
        and two_valued
        and ((named is not None and named.concept == "consent_status") or subscribing)
    ):
        said = ConsentWords(purpose_of(measure.words) or "general", inverted=False, weak=True)
    if said is not None and not two_valued and not said.weak and _few_words(measure):
        return replace(
            reading,
            concept="consent_status",
            label=f"state of consent for {said.purpose}, in words that are not known",
            sensitivity="unknown",
            confidence=_WEAK,
            evidence=f"named as consent; {reading.evidence}",
        )
    if said is None or not two_valued:
        return None
    if subscribing and said.purpose in {"general", "marketing"}:
        # Only mail is subscribed to.
        said = replace(said, purpose="email-marketing")
    if said.weak and (listed or {fold(value) for value in measure.vocabulary} & _TELLING):
        said = replace(said, weak=False)
    which = "an objection (yes means no)" if said.inverted else "an agreement"
    return replace(
        reading,
        concept="consent",
        label=f"{which} for {said.purpose}",
        sensitivity="internal",
        consent=said,
        confidence=_WEAK if said.weak else _SURE,
        evidence=f"named as {which}, two-valued; {reading.evidence}",
    )


def _few_words(measure: ColumnMeasure) -> bool:
    return measure.shape in {"text", "flag"} and 0 < measure.distinct <= _STAGES


def consent_time(reading: ColumnReading) -> ColumnReading | None:
    """Return a time of agreement or refusal, such as "marketing_opt_in_at": evidence of consent."""
    measure = reading.measure
    listed = bool(set(measure.words) & _LISTS) and not set(measure.words) & _SENDING
    agreeing = listed or bool(set(measure.words) & _AGREEING)
    if measure.shape != "time" or not agreeing or not set(measure.words) & _WHEN:
        return None
    said = read_consent(tuple(word for word in measure.words if word not in _WHEN))
    if said is None:
        return None
    what = "refused" if said.inverted else "agreed to"
    return replace(
        reading,
        concept="withdrawn_at" if said.inverted else "granted_at",
        label=f"when {said.purpose} was {what}: evidence of consent",
        sensitivity="internal",
        evidence=f"named as the time of consent for {said.purpose}; {reading.evidence}",
        confidence=_LIKELY,
    )


def is_list_state(measure: ColumnMeasure) -> bool:
    """Return whether the few values are states on a mailing list: "active" beside "unsubscribed".

    Most of the words must be known; a word that is not known opens nothing.
    """
    folded = {fold(value.strip()) for value in measure.vocabulary}
    known = folded & (YES | NO | UNDECIDED)
    left = bool(folded & DEPARTED) or len(folded & UNREACHED) > 1
    return left and bool(folded & YES) and len(folded) <= _STAGES and 2 * len(known) > len(folded)


def speaks_of_consent(measure: ColumnMeasure) -> bool:
    """Return whether the few values are words for yes, no and undecided."""
    folded = {fold(value) for value in measure.vocabulary}
    return bool(folded) and folded <= YES | NO | UNDECIDED and bool(folded & (YES | NO))
