"""What the values of a text column are, by their form: addresses, times, numbers, yes and no, prose."""

# ruff: noqa: E501 - a pattern is read by line

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gtm_orchestra.warehouse.proposals.dates import DateReading, read_dates
from gtm_orchestra.warehouse.proposals.names import fold
from gtm_orchestra.warehouse.proposals.value_words import COUNTRY_CODES, CURRENCIES, NO, YES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Form", "ValueReading", "read_values"]

Form = Literal[
    "empty",
    "email",
    "phone",
    "ip",
    "url",
    "uuid",
    "hash",
    "iban",
    "card",
    "secret",
    "date",
    "number",
    "boolean",
    "country",
    "currency",
    "locale",
    "zone",
    "json",
    "prose",
    "list",
    "code",
]

_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "zł": "PLN", "kr": "", "CHF": "CHF", "¥": "", "₹": "INR"}

_EMAIL = re.compile(r"^[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}$")
_URL = re.compile(r"^(?:https?://|www\.)\S+$|^/[\w\-./%?=&#]*$", re.IGNORECASE)
# bcrypt, argon2, scrypt, crypt, PBKDF2 of Django and Werkzeug, JSON web tokens, keys of payment and cloud services.
_SECRET = re.compile(
    r"^(?:\$2[abxy]?\$\d\d\$|\$argon2|\$scrypt\$|\$[156]\$|\$pbkdf2|\$7\$|\$P\$|\$H\$|pbkdf2[_:]|scrypt:|bcrypt_?sha256\$|argon2\$|\{S?SHA\d*\}"
    r"|eyJ[\w-]{8,}\.eyJ|(?:sk|rk|pk)_(?:live|test)_|gh[pousr]_\w{20}|xox[abpr]-|AKIA[0-9A-Z]{16}|-----BEGIN )"
)
_UUID = re.compile(r"^\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?$", re.IGNORECASE)
_HASH = re.compile(r"^(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$", re.IGNORECASE)
_PHONE = re.compile(
    r"^(?:\+|00|\(|0)[\d\s().\-/]{6,22}(?:\s*(?:x|ext\.?)\s*\d{1,6})?$|^\d{3}[-.\s]\d{3}[-.\s]\d{4}$"
)
_IBAN = re.compile(r"^[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}\s?[A-Z0-9]{1,4}$")
_LOCALE = re.compile(r"^[a-z]{2}(?:[-_][A-Z]{2})$")
_ZONE = re.compile(
    r"^(?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_+\-/]+$"
)
# How ActiveCampaign and its kind write several choices: ||Finance||Safety||.
_CHOICES = re.compile(r"^\|\|[^|]+(?:\|\|[^|]+)*\|\|$")
_PLAIN = re.compile(r"^[+-]?\d+(?:\.\d+)?$")
_DOT = re.compile(r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?$|^[+-]?\d+\.\d+$")
_COMMA = re.compile(r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?$|^[+-]?\d+,\d+$")
_THOUSAND = re.compile(r"^[+-]?[1-9]\d{0,2}(?:[.,]\d{3})$")
_NUMERIC = re.compile(r"^[+-]?\d[\d.,]*$")
# Nobody writes a plus before thousands of millions: a number in the form of E.164 is dialled.
_DIALLED = re.compile(r"^\+[1-9]\d{6,14}$")
_MOST = 0.95
_NUMBERS = 0.9
_FEW, _SPELLINGS = 40, 20
_PROSE_WORDS = 4.0
_PROSE_LENGTH = 40.0


@dataclass(frozen=True, slots=True)
class ValueReading:
    """What the values of one text column look like.

    Attributes:
        form: The form nearly all values have; "code" for short texts of no known form.
        share: Share of distinct values in that form.
        dates: How dates are written, for form "date".
        decimal: Decimal mark of form "number": ".", ",", or None where it could be a thousands mark.
        unit: "%" or a currency code written beside every number, else "".
        yes: Folded words seen that mean yes, for form "boolean".
        no: Folded words seen that mean no, for form "boolean".
        leading_zero: Some whole number starts with a zero: a code, not a number.
        plain: Every engine reads these numbers as they are.
        marked: Some value shows which mark is the decimal one.
        thousands: The one mark seen, where it may part thousands or decimals.
        words: Mean number of words per value.
    """

    form: Form
    share: float = 1.0
    dates: DateReading | None = None
    decimal: str | None = None
    unit: str = ""
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    leading_zero: bool = False
    plain: bool = False
    marked: bool = False
    thousands: str = ""
    words: float = field(default=0.0, compare=False)


def read_values(counts: Mapping[str, int]) -> ValueReading:  # noqa: PLR0911 - one way out per form
    """Return what these values are.

    Args:
        counts: Distinct value → occurrences; blank values are left out.
    """
    values = sorted(text for value in counts if (text := value.strip()))
    if not values:
        return ValueReading("empty")
    known = _known_form(values)
    if known is not None:
        return known
    if _share(values, lambda value: _CHOICES.match(value) is not None) >= _MOST:
        return ValueReading("list")
    truth = _read_truth(values)
    if truth is not None:
        return truth
    dates = read_dates(values)
    if dates is not None:
        return ValueReading("date", dates.share, dates=dates)
    if _share(values, lambda value: _DIALLED.match(value) is not None) >= _MOST:
        return ValueReading("phone")
    number = _read_number(values)
    if number is not None:
        return number
    if _share(values, lambda value: _PHONE.match(value) is not None and _digits(value) >= 7) >= _MOST:  # noqa: PLR2004 - shortest number in use
        return ValueReading("phone")
    mean_words = sum(len(value.split()) for value in values) / len(values)
    mean_length = sum(len(value) for value in values) / len(values)
    if (mean_words >= _PROSE_WORDS and mean_length >= _PROSE_LENGTH / 2) or mean_length >= _PROSE_LENGTH:
        return ValueReading("prose", words=mean_words)
    return ValueReading(
        "code", words=mean_words, leading_zero=any(v[0] == "0" and v[1:2].isdigit() for v in values)
    )


def _known_form(values: list[str]) -> ValueReading | None:
    tests: tuple[tuple[Form, Callable[[str], bool]], ...] = (
        ("email", lambda value: _EMAIL.match(value) is not None),
        ("secret", lambda value: _SECRET.match(value) is not None),
        ("uuid", lambda value: _UUID.match(value) is not None),
        ("hash", lambda value: _HASH.match(value) is not None),
        ("ip", _is_ip),
        ("iban", _is_iban),
        ("card", _is_card),
        ("url", lambda value: _URL.match(value) is not None),
        ("currency", lambda value: value.upper() in CURRENCIES),
        ("locale", lambda value: _LOCALE.match(value) is not None),
        ("zone", lambda value: _ZONE.match(value) is not None),
        ("json", lambda value: value[0] in "{[" and value[-1] in "}]"),
    )
    for form, test in tests:
        share = _share(values, test)
        if share >= _MOST or (form == "email" and share >= 0.8):  # noqa: PLR2004 - typed by hand, some are broken
            return ValueReading(form, share)
    # "NO" is Norway and a no; two countries at least, or it says nothing.
    if (
        len(values) > 1
        and all(value in COUNTRY_CODES for value in values)
        and not set(map(fold, values)) <= YES | NO
    ):
        return ValueReading("country")
    return None


def _read_truth(values: list[str]) -> ValueReading | None:
    if len(values) > _SPELLINGS:
        return None
    folded = sorted({fold(value) for value in values})
    yes = tuple(value for value in folded if value in YES)
    no = tuple(value for value in folded if value in NO)
    if len(yes) + len(no) == len(folded) and len(folded) <= 4:  # noqa: PLR2004 - yes, no and a second spelling each
        return ValueReading("boolean", yes=yes, no=no)
    return None


def _read_number(values: list[str]) -> ValueReading | None:
    """Return how numbers are written, if nearly all values are numbers; a few others are missing then."""
    if not any(_NUMERIC.match(_without_unit(value)[0]) for value in values[:: len(values) // _FEW + 1]):
        return None
    pairs = [_without_unit(value) for value in values]
    found = [(bare, unit) for bare, unit in pairs if _NUMERIC.match(bare)]
    share = len(found) / len(values)
    if share < _NUMBERS or not found:
        return None
    bare = tuple(value for value, _ in found)
    unit = found[0][1] if len({unit for _, unit in found}) == 1 else ""
    zero = any(len(v) > 1 and v[0] == "0" and v.isdigit() for v in bare)
    plain = all(_PLAIN.match(v) for v in bare)
    dotted = all(_PLAIN.match(v) or _DOT.match(v) for v in bare)
    comma = all(("." not in v and _PLAIN.match(v)) or _COMMA.match(v) for v in bare)
    # 1,200,000 shows its mark as well as 1,200.50 does.
    marked = any("." in v or "," in v for v in bare)
    if plain and not any("." in v for v in bare):
        return ValueReading("number", share, decimal=".", unit=unit, leading_zero=zero, plain=not unit)
    # 1,234 or 1.234 throughout: a thousand, or one and a bit.
    if (dotted and comma) or ((dotted or comma) and _only_thousands(bare)):
        seen = {mark for mark in ",." if any(mark in v for v in bare)}
        return ValueReading("number", share, unit=unit, thousands=seen.pop() if len(seen) == 1 else "")
    if dotted or comma:
        mark = "." if dotted else ","
        return ValueReading(
            "number",
            share,
            decimal=mark,
            unit=unit,
            leading_zero=zero,
            plain=plain and not unit,
            marked=marked,
        )
    return None


def _only_thousands(values: tuple[str, ...]) -> bool:
    marked = [value for value in values if "." in value or "," in value]
    return all(_THOUSAND.match(value) is not None for value in marked)


def _without_unit(value: str) -> tuple[str, str]:
    text, unit = value, ""
    if text.endswith("%"):
        text, unit = text[:-1], "%"
    for sign, code in _SIGNS.items():
        if text.startswith(sign) or text.endswith(sign):
            text, unit = text.removeprefix(sign).removesuffix(sign), code or sign
            break
    if text[-3:].upper() in CURRENCIES:
        text, unit = text[:-3], text[-3:].upper()
    return text.strip().replace("\u00a0", "").replace("\u202f", ""), unit


def _share(values: list[str], test: Callable[[str], bool]) -> float:
    # A few values rule a form out before all are read.
    return sum(map(test, values)) / len(values) if any(map(test, values[:: len(values) // _FEW + 1])) else 0.0


def _digits(value: str) -> int:
    return sum(letter.isdigit() for letter in value)


def _is_ip(value: str) -> bool:
    if "." not in value and ":" not in value:
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_iban(value: str) -> bool:
    if not _IBAN.match(value):
        return False
    compact = value.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in compact[4:] + compact[:4])) % 97 == 1


def _is_card(value: str) -> bool:
    digits = value.replace(" ", "").replace("-", "")
    if not digits.isdigit() or not 13 <= len(digits) <= 19:  # noqa: PLR2004 - lengths in use (ISO/IEC 7812)
        return False
    doubled = (int(d) * 2 if place % 2 else int(d) for place, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0  # noqa: PLR2004 - the Luhn sum
