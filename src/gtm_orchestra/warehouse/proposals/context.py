"""What a bare "name", "status" or "uuid" means in a table that is named after what it holds."""

# ruff: noqa: E501, SIM905 - a word list is read and extended by line

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.consent_columns import speaks_of_consent
from gtm_orchestra.warehouse.proposals.consent_words import ConsentWords, purpose_of
from gtm_orchestra.warehouse.proposals.names import fold, plural_free, words
from gtm_orchestra.warehouse.proposals.table_words import TABLE_HINTS

if TYPE_CHECKING:
    from gtm_orchestra.warehouse.proposals.columns import ColumnReading
    from gtm_orchestra.warehouse.proposals.measures import ColumnMeasure

__all__ = ["in_context"]

_IN_MINOR_UNITS = frozenset({"stripe", "chargebee", "paddle", "recurly", "mollie", "gocardless", "adyen"})
# Billing systems say when a subscription began to run.
_BEGUN = frozenset({("activated", "at"), ("activated", "on"), ("activation", "date"), ("activated",)})
_STATES = frozenset(
    "active inactive canceled cancelled expired paused pending trialing trial past_due unpaid future live ended "
    "terminated suspended non_renewing open closed won lost complete completed processing shipped refunded paid draft "
    "failed new in_trial incomplete incomplete_expired dunning on_hold aktiv gekundigt pausiert abgelaufen actif resilie "
    "expire activo cancelado vencido actief opgezegd verlopen".split()
)
_MONEY = frozenset({"amount", "price", "mrr", "arr", "subtotal", "tax", "discount", "refund"})


def in_context(  # noqa: PLR0911 - one way out per meaning that the table gives
    reading: ColumnReading, table: str
) -> ColumnReading:
    """Let the table decide what a bare "name" or "status" is, where the values do not contradict."""
    measure, about = reading.measure, {plural_free(word) for word in words(table)}
    if about & TABLE_HINTS["consents"] and reading.concept in {"status", "consent", "consent_status"}:
        if reading.consent is None and speaks_of_consent(measure):
            return replace(
                reading,
                concept="consent",
                label="an agreement",
                consent=ConsentWords("newsletter", inverted=False),
            )
        if reading.consent is not None and purpose_of(measure.words) is None and not reading.consent.inverted:
            # A list of readers says by its name what its readers agreed to.
            listed = replace(reading.consent, purpose="newsletter", weak=False)
            return replace(reading, consent=listed)
        if reading.consent is not None and reading.consent.weak:
            purpose = reading.consent.purpose if reading.consent.purpose != "general" else "newsletter"
            return replace(reading, consent=replace(reading.consent, purpose=purpose, weak=False))
    if reading.concept == "region" and measure.words == ("state",) and _are_states(measure):
        return _meaning(reading, "status", "status", f"its values are states of a record; {reading.evidence}")
    if about & TABLE_HINTS["subscriptions"] and measure.words in _BEGUN and measure.shape == "time":
        return _meaning(reading, "started_at", "start", f"named so in {table!r}; {reading.evidence}")
    if about & _IN_MINOR_UNITS and reading.concept in _MONEY and measure.type == "integer":
        # Billing systems count in the smallest unit: 2900 is 29.00.
        evidence = f"{reading.evidence}, whole numbers of a billing system: cents"
        return replace(reading, unit="cents", evidence=evidence)
    if measure.words == ("uuid",) and about & TABLE_HINTS["events"]:
        return replace(
            reading,
            concept="event_id",
            label="identifier of an event",
            sensitivity="internal",
            confidence=0.85,
            evidence=f"named so in {table!r}; {reading.evidence}",
        )
    bare = measure.words in {("name",), ("nom",), ("naam",), ("names",)} and measure.type == "string"
    if not bare or measure.shape not in {"text", "prose"}:
        return reading
    return _named_by_table(reading, about, f"named so in {table!r}; {reading.evidence}")


def _are_states(measure: ColumnMeasure) -> bool:
    """Return whether the few values of a bare "state" are states of a record, not parts of a country."""
    folded = {fold(value.strip()) for value in measure.vocabulary}
    return bool(folded) and 2 * len(folded & _STATES) >= len(folded)


def _meaning(reading: ColumnReading, concept: str, label: str, evidence: str) -> ColumnReading:
    return replace(
        reading, concept=concept, label=label, sensitivity="internal", confidence=0.85, evidence=evidence
    )


def _named_by_table(reading: ColumnReading, about: set[str], evidence: str) -> ColumnReading:
    """Return whose name a bare "name" is, by what the table holds."""
    if about & TABLE_HINTS["opportunities"]:
        return replace(
            reading,
            concept="opportunity_name",
            label="name of the deal",
            sensitivity="internal",
            confidence=0.85,
            problem="",
            evidence=evidence,
        )
    if about & TABLE_HINTS["accounts"]:
        return replace(
            reading,
            concept="account_name",
            label="name of the company",
            sensitivity="internal",
            confidence=0.85,
            problem="",
            evidence=evidence,
        )
    if about & (TABLE_HINTS["people"] | TABLE_HINTS["consents"]):
        return replace(
            reading,
            concept="full_name",
            label="name of the person",
            sensitivity="personal",
            note="name",
            confidence=0.85,
            problem="",
            evidence=evidence,
        )
    return reading
