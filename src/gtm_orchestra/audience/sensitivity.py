"""Which columns hold personal data or special categories, judged by names and by values of a sample.

Patterns are bounded, so that no text takes long; numbers that carry a checksum must pass it. Values are
looked at and forgotten: only the kind that was recognised leaves this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gtm_orchestra.config import AttributeType

__all__ = ["Signs", "personal_data", "signs", "special_category"]

_LEAST_SHARE = 0.02
_LEAST_HITS = 2
_LONGEST = 2_000

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}(?![\w@])")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00)[1-9][0-9]{0,2}(?:[ ()./-]{0,2}[0-9]{1,5}){2,6}(?!\w)")
_LOCAL_PHONE = re.compile(r"(?<!\w)\(?0?[0-9]{2,4}\)?[ ./-][0-9]{3,4}[ ./-][0-9]{3,5}(?!\w)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_CARD = re.compile(r"(?<!\w)[3-6][0-9]{3}(?:[ -]?[0-9]{3,6}){2,4}(?!\w)")
_IP = re.compile(
    r"(?<![\w.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![\w.])"
)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")

_PERSONAL_NAMES: tuple[tuple[str, str], ...] = (
    ("email", r"e ?mail|mail address"),
    ("phone", r"(mobile ?)?phone|telephone|mobile|cell|msisdn|fax"),
    ("name", r"(first|last|full|middle|sur|given|family|maiden) ?name|contact name|person name"),
    ("address", r"street|postal address|home address|mailing address|address line|address"),
    ("date of birth", r"birth ?(day|date)?|date of birth|dob"),
    ("age", r"age|age (band|group|range|bracket)"),
    ("gender", r"gender|sex|salutation|pronouns?"),
    ("identity number", r"ssn|social security|passport|national id|tax id|driver(s)? licen[cs]e|id card"),
    ("bank account", r"iban|bank account|sort code"),
    ("card number", r"credit card|card number"),
    ("IP address", r"ip|ip address|last ip|ipv4|ipv6"),
    ("location", r"latitude|longitude|lat|lng|lon|geo ?location|gps"),
    ("social profile", r"linked ?in|twitter|facebook|instagram|social profile"),
)
# Never personal although a word of theirs is: switches, counts and domains about an address.
_ABOUT = re.compile(
    r"\b(domain|status|opt|opted|subscribed|verified|bounced?|count|opens?|clicks?|valid|consent|type|has|is|num|"
    r"template|campaign|sent|page|usage|storage|web|percentage|average|engagement|message|per|time|"
    r"last(?! (name|ip))|days|hours)\b"
)
# What a name can mean in a column of another type than text: nobody's e-mail address is true or false.
_KINDS_OF_TYPE: dict[AttributeType, frozenset[str]] = {
    "string": frozenset(kind for kind, _ in _PERSONAL_NAMES),
    "number": frozenset({"phone", "age", "identity number", "bank account", "card number", "location"}),
    "timestamp": frozenset({"date of birth"}),
    "boolean": frozenset(),
}
_SWITCH = frozenset({"true", "false", "yes", "no", "y", "n", "t", "f", "0", "1", "on", "off", "ja", "nein"})
_SPECIAL_NAMES: tuple[tuple[str, str], ...] = (
    (
        "health",
        (
            r"health (condition|data|info|information|issues?|notes?|problem|accommodation|needs?|record)|"
            r"diagnos[ie]s|disabilit(y|ies)|disabled|medical|medication|illness|disease|allerg(y|ies)|"
            r"pregnan(t|cy)|blood (type|group)|accessibility needs?|dietary|diet|sick (leave|days)|"
            r"mental health"
        ),
    ),
    ("religion", r"religion|religious|faith|denomination|church( tax)?|confession"),
    ("ethnic origin", r"ethnic(ity)?|ethnic origin|race|racial|skin colou?r|tribe|caste"),
    ("political opinion", r"political|political (party|view|views|opinion)|party affiliation|voter"),
    ("trade union membership", r"trade union|union (member|membership)|labou?r union"),
    ("sex life or orientation", r"sexual( orientation| preference)?|sex life|lgbtq?"),
    ("genetic or biometric data", r"biometric|genetic|genome|dna|fingerprint|face ?(id|print)|voice ?print"),
    ("criminal record", r"criminal( record)?|conviction|felony"),
)
_SPECIAL_VALUES: dict[str, frozenset[str]] = {
    "health": frozenset(
        {
            *("diabetes", "asthma", "cancer", "depression", "epilepsy", "pregnant", "disabled", "wheelchair"),
            *("visually impaired", "blind", "deaf", "hearing impaired", "dyslexia", "adhd", "autism", "hiv"),
            *(
                "screen reader",
                "hearing loop",
                "sign language",
                "low vision",
                "gluten free",
                "coeliac",
                "celiac",
            ),
        }
    ),
    "religion": frozenset(
        {
            *(
                "muslim",
                "christian",
                "catholic",
                "protestant",
                "orthodox",
                "jewish",
                "hindu",
                "buddhist",
                "sikh",
            ),
            *(
                "atheist",
                "evangelical",
                "islam",
                "christianity",
                "judaism",
                "hinduism",
                "buddhism",
                "halal",
                "kosher",
            ),
        }
    ),
    "ethnic origin": frozenset(
        {
            "caucasian",
            "hispanic",
            "latino",
            "latina",
            "african american",
            "asian american",
            "native american",
            "roma",
        }
    ),
    "political opinion": frozenset(
        {"democrat", "republican", "social democrat", "labour", "tory", "green party"}
    ),
    "sex life or orientation": frozenset(
        {"heterosexual", "homosexual", "bisexual", "gay", "lesbian", "transgender", "asexual", "queer"}
    ),
}


@dataclass(frozen=True)
class Signs:
    """What a column was recognised as; empty: nothing.

    Attributes:
        personal: Kind of personal data, such as email.
        special: Special category (GDPR article 9, or 10), such as health.
        by: How: name, values, or both.
        people: How many have such a value, where it was counted.
    """

    personal: str = ""
    special: str = ""
    by: str = ""
    people: int | None = None


def signs(names: Sequence[str], values: Iterable[str] = (), *, type_: AttributeType = "string") -> Signs:
    """Judge a column by its names and by values of it: a sample, or all of a short list.

    A special category is known by its name in a column of any type, a kind of personal data only where its
    type and values can hold one.
    """
    looked = [value[:_LONGEST] for value in values if value]
    special, special_by = special_category(names, looked)
    personal, personal_by = personal_data(names, looked, type_=type_)
    return Signs(personal, special, special_by or personal_by)


def words_of(name: str) -> str:
    """Return the words of a column name, lower-case, with one space between them.

    >>> words_of("hs_emailAddress2")
    'email address'
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    parts = re.split(r"[^A-Za-z]+", apart)
    return " ".join(part.lower() for part in parts if part and part.lower() not in {"hs", "sf", "crm"})


def special_category(names: Sequence[str], values: Sequence[str]) -> tuple[str, str]:
    """Return the special category of a column and how it was recognised, or two empty texts."""
    for kind, pattern in _SPECIAL_NAMES:
        if any(re.search(rf"\b({pattern})\b", words_of(name)) for name in names):
            return kind, "name"
    seen = {re.sub(r"[^a-z]+", " ", value.lower()).strip() for value in values}
    for kind, known in _SPECIAL_VALUES.items():
        if len(seen & known) >= _LEAST_HITS:
            return kind, "values"
    return "", ""


def personal_data(
    names: Sequence[str], values: Sequence[str], *, type_: AttributeType = "string"
) -> tuple[str, str]:
    """Return the kind of personal data in a column and how it was recognised, or two empty texts."""
    kinds = (
        ("email", _email),
        ("bank account", _iban),
        ("card number", _card),
        ("identity number", _ssn),
        ("IP address", _ip),
        ("phone", _phone),
    )
    least = max(_LEAST_HITS, int(len(values) * _LEAST_SHARE))
    for kind, test in kinds:
        if sum(1 for value in values if test(value)) >= least:
            return kind, "values"
    if values and all(value.strip().lower() in _SWITCH for value in values):
        return "", ""
    for name in names:
        words = words_of(name)
        for kind, pattern in _PERSONAL_NAMES:
            if kind not in _KINDS_OF_TYPE[type_]:
                continue
            if not _ABOUT.search(words) and re.search(rf"\b({pattern})\b", words):
                return kind, "name"
    return "", ""


def _email(text: str) -> bool:
    return "@" in text and _EMAIL.search(text) is not None


def _phone(text: str) -> bool:
    return any(7 <= sum(c.isdigit() for c in m.group()) <= 15 for m in _PHONE.finditer(text)) or (  # noqa: PLR2004 - E.164
        len(text) <= 20 and _LOCAL_PHONE.fullmatch(text.strip()) is not None  # noqa: PLR2004 - a number, no sentence
    )


def _ip(text: str) -> bool:
    return text.count(".") >= 3 and _IP.search(text) is not None  # noqa: PLR2004 - four bytes


def _ssn(text: str) -> bool:
    return "-" in text and _SSN.search(text) is not None


def _iban(text: str) -> bool:
    return any(_iban_checks(match.group().replace(" ", "")) for match in _IBAN.finditer(text))


def _iban_checks(iban: str) -> bool:
    digits = "".join(str(int(c, 36)) for c in iban[4:] + iban[:4])
    return 15 <= len(iban) <= 34 and int(digits) % 97 == 1  # noqa: PLR2004 - ISO 13616


def _card(text: str) -> bool:
    return any(_luhn(re.sub(r"\D", "", match.group())) for match in _CARD.finditer(text))


def _luhn(digits: str) -> bool:
    doubled = (int(c) * (1 + i % 2) for i, c in enumerate(reversed(digits)))
    return 13 <= len(digits) <= 19 and sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0  # noqa: PLR2004 - ISO 7812
