"""What one column means: its measured values first, then its name. What nobody can tell stays unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.consent_columns import CONSENT_NOTE, consent_state, consent_time
from gtm_orchestra.warehouse.proposals.lexicon import Concept, find_concept, is_business_word
from gtm_orchestra.warehouse.proposals.names import fold
from gtm_orchestra.warehouse.proposals.sensitive import (
    names_secret,
    proxy_category,
    special_category,
    special_values,
)

if TYPE_CHECKING:
    from gtm_orchestra.config import AttributeType, Sensitivity
    from gtm_orchestra.warehouse.proposals.consent_words import ConsentWords
    from gtm_orchestra.warehouse.proposals.dates import DateReading
    from gtm_orchestra.warehouse.proposals.measures import ColumnMeasure

__all__ = ["ColumnReading", "read_column"]

# The words that `warehouse.values.as_boolean` reads.
_TRUTH = frozenset({"true", "t", "yes", "y", "1", "false", "f", "no", "n", "0"})
_SURE, _LIKELY, _WEAK = 0.95, 0.8, 0.5
_PLAIN: dict[str, AttributeType] = {
    "boolean": "boolean",
    "integer": "number",
    "number": "number",
    "timestamp": "timestamp",
    "date": "timestamp",
}
# Largest value that a number of this meaning may have; none may be negative.
_RANGES = {
    "age": 120.0,
    "probability": 100.0,
    "quantity": float("inf"),
    "orders_count": float("inf"),
    "seats": float("inf"),
    "page_views": float("inf"),
}
_EVENT_NAMES, _COUNTRIES = 50, 260
_NAME_WORDS, _STAGES = 1.5, 12
# An address in such a column is not the address of the person whose row it is.
_SOMEBODY_ELSE = frozenset(
    {
        "owner",
        "rep",
        "manager",
        "csm",
        "agent",
        "sender",
        "assignee",
        "invited",
        "inviter",
        "referrer",
        "referred",
        "by",
    }
)
# Digits that are names, not quantities: nobody adds them up.
_CODES = frozenset({"postal_code", "phone", "national_id", "iban", "vat_id", "group_id"})
_SPEAKING = {
    "email": ("email", "e-mail address"),
    "ip": ("ip", "network address"),
    "iban": ("iban", "bank account"),
    "card": ("iban", "payment card"),
    "phone": ("phone", "telephone number"),
}
_CODED = {
    "country": "country",
    "currency": "currency",
    "zone": "timezone",
    "locale": "language",
    "json": "properties",
}
_LIGHTS = frozenset(
    {
        "green",
        "yellow",
        "amber",
        "red",
        "good",
        "poor",
        "bad",
        "ok",
        "healthy",
        "at risk",
        "neutral",
        "high",
        "low",
        "medium",
    }
)
_MAY_BE_ADDRESSES = frozenset({"owner", "full_name", "person_id", "account_id", "external_id"})
_CATEGORY_VALUES = 60
_CATEGORY_SHARE = 0.5
_ID_HEADS = frozenset({"id", "key", "uuid", "guid", "uid", "ids", "nr", "no", "number", "nummer", "ref"})
# "Organization" beside "Organization - ID" is its name.
_NAMED_BY = {
    "account_id": ("account_name", "name of the company"),
    "opportunity_id": ("opportunity_name", "name of the deal"),
}
# Numbers of so many digits count nothing: nobody has a thousand million of anything.
_LONG_NUMBER = 1e9
_LIFE = frozenset({"customer", "client", "kunde", "cliente", "klant", "active customer", "won"})
_BEFORE_LIFE = (
    "lead",
    "prospect",
    "interessent",
    "subscriber",
    "hot",
    "warm",
    "cold",
    "mql",
    "sql",
    "opportunity",
)


@dataclass(frozen=True, slots=True)
class ColumnReading:
    """What one column means, as far as its own values and name tell.

    Attributes:
        measure: The figures behind it.
        concept: Name of the meaning in the lexicon; "" if nobody can tell.
        label: The meaning in plain words.
        type: Type for the attribute catalog; None if the values cannot be read as one.
        format: How text is written, if it must be said: a strptime format or a decimal mark.
        sensitivity: Class for the catalog.
        note: Why that class.
        consent: Set for a column of current consent.
        evidence: What speaks for it, in words with figures.
        confidence: From 0 to 1.
        problem: Why the column cannot be used as it is; "" if it can.
        unit: Currency code, "%" or "cents" if values or name tell.
    """

    measure: ColumnMeasure
    concept: str
    label: str
    type: AttributeType | None
    format: str | None
    sensitivity: Sensitivity
    note: str
    consent: ConsentWords | None
    evidence: str
    confidence: float
    problem: str
    unit: str


def read_column(measure: ColumnMeasure) -> ColumnReading:
    """Return what a column means."""
    type_, format_, problem = _type(measure)
    reading = ColumnReading(
        measure=measure,
        concept="",
        label="",
        type=type_,
        format=format_,
        sensitivity="unknown",
        note="",
        consent=None,
        evidence=_figures(measure),
        confidence=0.0,
        problem=problem,
        unit=_unit(measure),
    )
    settled = _secret(reading) or _special(reading)
    if settled is not None:
        return settled
    by_value = _by_value(reading)
    named = _by_name(reading) or consent_time(reading)
    consent = consent_state(reading, named)
    if named is not None and named.concept in {"lead_status", "status", "segment"}:
        named = _stage_by_values(reading) or named
    found = consent or by_value or named or _stage_by_values(reading) or _generic(reading)
    if found.concept in {"consent", "consent_status", "granted_at", "withdrawn_at"}:
        found = replace(found, note=CONSENT_NOTE)
    proxy = proxy_category(measure.words)
    if proxy is not None:
        found = replace(
            found,
            sensitivity="proxy",
            note=f"may give away {proxy}",
            confidence=max(found.confidence, _LIKELY),
        )
    return found


def _type(  # noqa: PLR0911 - one way out per kind of value
    measure: ColumnMeasure,
) -> tuple[AttributeType | None, str | None, str]:
    """Return type, format and problem of a column's values, whatever they mean."""
    if measure.type == "other":
        return None, None, "holds nested values"
    if measure.type != "string" or measure.reading is None:
        return _PLAIN[measure.type], None, ""
    reading = measure.reading
    if reading.dates is not None:
        return _time_type(reading.dates)
    if reading.form == "number" and not reading.leading_zero:
        if reading.decimal is None:
            which = "the decimal mark from the thousands mark"
            return None, None, f"no value tells {which}; say which in [tables.ROLE.formats]"
        mark = "decimal-comma" if reading.decimal == "," else "decimal-point"
        return "number", None if reading.plain else mark, ""
    if reading.form == "boolean" and set(reading.yes) | set(reading.no) <= _TRUTH:
        return "boolean", None, ""
    return "string", None, ""


def _time_type(dates: DateReading) -> tuple[AttributeType | None, str | None, str]:
    problem = ""
    if dates.order == "ambiguous":
        problem = "no value tells day from month; say which in [tables.ROLE.formats], %d/%m/%Y or %m/%d/%Y"
    elif not dates.iso and dates.format is None:
        problem = "its times are written in more than one way"
    elif dates.iso and 0 < dates.zoned < 1:
        problem = f"{dates.zoned:.0%} of its times carry a zone and the others do not"
    return (None, None, problem) if problem else ("timestamp", dates.format, "")


def _figures(measure: ColumnMeasure) -> str:
    parts = [f"{measure.coverage:.0%} filled"]
    if measure.filled:
        parts.append("unique" if measure.unique else f"{measure.distinct:,} distinct")
        if measure.reading is not None and measure.reading.form not in {"code", "empty"}:
            parts.append(f"{measure.reading.share:.0%} {measure.reading.form}")
        if measure.dates is not None and measure.dates.format is not None:
            parts.append(f"written {measure.dates.format}")
    if measure.settled:
        parts.append(measure.settled)
    return ", ".join(parts)


def _unit(measure: ColumnMeasure) -> str:
    if measure.reading is not None and measure.reading.unit:
        return measure.reading.unit
    if {"cents", "cent"} & set(measure.words):
        return "cents"
    codes = {
        "eur": "EUR",
        "euro": "EUR",
        "euros": "EUR",
        "usd": "USD",
        "gbp": "GBP",
        "chf": "CHF",
        "dollars": "USD",
    }
    return next((codes[word] for word in measure.words if word in codes), "")


def _secret(reading: ColumnReading) -> ColumnReading | None:
    """Return a password, token or key, in clear or hashed: nothing may be built on it."""
    measure = reading.measure
    written = measure.reading is not None and measure.reading.form == "secret"
    if not written and (measure.type != "string" or not names_secret(measure.words)):
        return None
    how = "its values have the form of one" if written else "named so"
    return replace(
        reading,
        concept="secret",
        label="a secret",
        type=None,
        sensitivity="personal",
        evidence=f"{how}; {reading.evidence}",
        confidence=_SURE,
        problem=f"a password, token or key ({how}): it is never taken over",
    )


def _special(reading: ColumnReading) -> ColumnReading | None:
    measure = reading.measure
    category = special_category(measure.words)
    how = "named so"
    if category is None and measure.type == "string":
        some = "some" if proxy_category(measure.words) is not None else "most"
        category = special_values(measure.vocabulary, measure.words)
        how = f"{some} of its values name it"
    if category is None or (category == "health" and _speaks_of_business(measure)):
        return None
    return replace(
        reading,
        concept="special",
        label=f"special category: {category}",
        sensitivity="special",
        note=f"{category}, Art. 9 GDPR: {how}",
        evidence=f"{how}; {reading.evidence}",
        confidence=_SURE,
    )


def _speaks_of_business(measure: ColumnMeasure) -> bool:
    """Return whether a bare "health" is that of a customer relation: a score, or traffic lights."""
    lights = {fold(value) for value in measure.vocabulary} <= _LIGHTS
    return set(measure.words) <= {"health", "account", "customer", "company"} and (
        measure.shape == "number" or lights
    )


def _by_value(reading: ColumnReading) -> ColumnReading | None:
    """Return the meaning of values that speak for themselves, unless the name says a compatible one."""
    measure = reading.measure
    form = measure.reading.form if measure.reading is not None else "empty"
    named = find_concept(measure.words)
    if form in _CODED and named is None:
        concept = _CODED[form]
        return replace(
            reading,
            concept=concept,
            label=concept.replace("_", " "),
            sensitivity="internal" if form != "json" else "unknown",
            confidence=_LIKELY,
            evidence=f"values are {form} codes; {reading.evidence}",
        )
    if form not in _SPEAKING:
        return None
    concept, label = _SPEAKING[form]
    if form == "email" and set(measure.words) & _SOMEBODY_ELSE:
        return _personal(reading, "other_email", "e-mail address of somebody else", _LIKELY)
    if named is not None and named[0].name != concept:
        # "Mobile" with addresses in it is addresses; an order number with dashes is no telephone.
        if form == "phone" or named[0].name in _MAY_BE_ADDRESSES:
            return None
        return _personal(reading, concept, label, _LIKELY)
    return _personal(reading, concept, label, _SURE if named is not None else _LIKELY)


def _personal(reading: ColumnReading, concept: str, label: str, confidence: float) -> ColumnReading:
    return replace(
        reading,
        concept=concept,
        label=label,
        sensitivity="personal",
        note=f"values have the form of: {label}",
        confidence=confidence,
        evidence=f"values have the form of: {label}; {reading.evidence}",
    )


def _by_name(reading: ColumnReading) -> ColumnReading | None:
    measure = reading.measure
    named = find_concept(measure.words)
    if named is None:
        return None
    concept, sure = named
    # Only a telephone is said by its form; other codes have dashes too.
    shape = "text" if measure.shape == "phone" and concept.name != "phone" else measure.shape
    if shape == "number" and measure.epoch and "time" in concept.shapes and "number" not in concept.shapes:
        return replace(
            reading,
            concept=concept.name,
            label=concept.label,
            type="timestamp",
            sensitivity=concept.sensitivity,
            evidence=f"named so; whole numbers that are times in {measure.epoch}; {reading.evidence}",
            confidence=sure,
            format=f"epoch-{measure.epoch}",
            problem="",
        )
    if shape == "empty":
        return replace(
            reading,
            concept=concept.name,
            label=concept.label,
            sensitivity=concept.sensitivity,
            confidence=_WEAK,
            evidence=f"named so; {reading.evidence}",
        )
    if shape not in concept.shapes or not _plausible(concept, measure):
        return None
    if reading.type == "number" and (concept.name in _CODES or concept.name.endswith("_id")):
        reading = replace(reading, type="string", format=None)
    if concept.name in _NAMED_BY and not set(measure.words) & _ID_HEADS and _names_something(measure):
        name, label = _NAMED_BY[concept.name]
        return replace(
            reading,
            concept=name,
            label=label,
            sensitivity="internal",
            evidence=f"named so, and its values are names; {reading.evidence}",
            confidence=sure,
        )
    note = (
        concept.label
        if concept.sensitivity == "personal"
        else "free text"
        if concept.name == "free_text"
        else ""
    )
    return replace(
        reading,
        concept=concept.name,
        label=concept.label,
        sensitivity=concept.sensitivity,
        note=note,
        evidence=f"named so; {reading.evidence}",
        confidence=sure,
    )


def _names_something(measure: ColumnMeasure) -> bool:
    """Return whether most of the sampled values are words, not codes; without a sample, whether they vary."""
    if measure.type != "string" or measure.reading is None or measure.reading.form not in {"code", "prose"}:
        return False
    return measure.reading.words >= _NAME_WORDS


def _stage_by_values(reading: ColumnReading) -> ColumnReading | None:
    """Return a lifecycle whose values say so, whatever it is called: "Customer" beside "Hot lead"."""
    measure = reading.measure
    folded = {fold(value).strip() for value in measure.vocabulary}
    if measure.type != "string" or not folded & _LIFE or len(folded) > _STAGES:
        return None
    if not any(value.startswith(_BEFORE_LIFE) or value.endswith(("lead", "prospect")) for value in folded):
        return None
    return replace(
        reading,
        concept="lifecycle_stage",
        label="stage of the customer lifecycle",
        sensitivity="internal",
        evidence=f"its values are stages of a customer; {reading.evidence}",
        confidence=_LIKELY,
    )


def _plausible(concept: Concept, measure: ColumnMeasure) -> bool:
    """Return whether figures allow a meaning whose shape they have."""
    name, low, high = concept.name, measure.low, measure.high
    if name in _RANGES and isinstance(low, float) and isinstance(high, float):
        return low >= 0 and high <= _RANGES[name]
    if name in {"is_active", "email_verified", "is_admin", "is_test"} and measure.shape == "number":
        return measure.binary
    if name == "phone" and measure.binary:
        return False
    if name in {"first_name", "last_name", "full_name"}:
        return not any(letter.isdigit() for value in list(measure.vocabulary)[:5] for letter in value)
    if name == "event_name":
        return measure.distinct <= max(_EVENT_NAMES, measure.filled // 3)
    return name != "country" or measure.distinct <= _COUNTRIES


def _generic(reading: ColumnReading) -> ColumnReading:  # noqa: C901 - one branch per kind of value
    """Return what can be said of a column that no phrase names: its type, and if its words are harmless."""
    measure = reading.measure
    if not measure.filled:
        return replace(reading, problem=reading.problem or "is empty and its name is not known")
    harmless = bool(measure.words) and all(is_business_word(word) for word in measure.words)
    sensitivity: Sensitivity = "internal" if harmless and measure.shape != "prose" else "unknown"
    why = "every word of its name is a business word" if harmless else "its name is not known"
    label, sure = "", _LIKELY if harmless else _WEAK
    if measure.shape == "time":
        label = "a time"
    elif measure.shape == "flag" or (measure.type == "integer" and measure.binary):
        label = "yes or no"
    elif measure.shape == "number":
        whole = measure.type == "integer" and isinstance(measure.low, float) and measure.low >= _LONG_NUMBER
        label = "identifier" if whole or set(measure.words) & _ID_HEADS else "a number"
        if label == "identifier":
            # A sum of identifiers is none.
            reading = replace(reading, type="string", format=None)
    elif measure.shape == "prose":
        label = "free text"
    elif measure.shape == "url":
        label = "a web address"
    elif measure.words and set(measure.words) & _ID_HEADS:
        label = "identifier"
    elif measure.distinct <= _CATEGORY_VALUES and measure.distinct <= max(
        2, _CATEGORY_SHARE * measure.filled
    ):
        label = "a category"
    elif measure.reading is not None and measure.reading.form == "list":
        label = "several choices of a list"
    if not label:
        return replace(reading, problem=reading.problem or "neither its name nor its values tell what it is")
    return replace(
        reading,
        concept="generic",
        label=label,
        sensitivity=sensitivity,
        confidence=sure,
        note="free text" if label == "free text" else "",
        evidence=f"{why}; {reading.evidence}",
    )
