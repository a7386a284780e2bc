"""Column and table headers as words: "hs_email_optout", "Email opted out" and "emailOptedOut" read alike."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["fold", "plural_free", "shared_prefix", "slug", "without_prefix", "words"]

# What a list export writes before each field: "Person - ", "Contact: ", "contact.", "crm__", "usr_".
_PREFIX = re.compile(r"^[^\W\d_][\w ]{0,30}?(?:\s+[-\u2013/|]\s+|:\s*|\.|__|_)(?=\S)")
_PREFIX_COLUMNS, _PREFIX_SHARE, _JOINED_SHARE = 4, 0.6, 0.9

# Written by exporting systems, never part of the meaning.
_PREFIXES = frozenset(
    {
        "hs",
        "sf",
        "sfdc",
        "dim",
        "stg",
        "raw",
        "tbl",
        "fct",
        "fact",
        "properties",
        "property",
        "traits",
        "context",
        "attr",
        "cf",
        "wc",
        "wp",
    }
)
_SUFFIXES = frozenset({"c", "pc", "v2"})
_LETTERS = {"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l"}
_JOINED = {
    "e mail": "email",
    "opt in": "optin",
    "opt out": "optout",
    "opted in": "optedin",
    "opted out": "optedout",
    "sign up": "signup",
    "log in": "login",
    "zip code": "zipcode",
    "mw st": "mwst",
    "post code": "postcode",
    "time stamp": "timestamp",
    "e commerce": "ecommerce",
    "time zone": "timezone",
    "user name": "username",
    "first name": "firstname",
    "last name": "lastname",
    "full name": "fullname",
    "hub spot": "hubspot",
    "sales force": "salesforce",
    "linked in": "linkedin",
    "whats app": "whatsapp",
    "git hub": "github",
    "double opt in": "double optin",
}


def fold(text: str) -> str:
    """Return the text in lower case without accents; ä, ö, ü lose their dots as in e-mail-safe spelling.

    >>> fold("Prénom ÄRZTE")
    'prenom arzte'
    """
    lowered = text.lower()
    for letter, plain in _LETTERS.items():
        lowered = lowered.replace(letter, plain)
    decomposed = unicodedata.normalize("NFKD", lowered)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def words(header: str) -> tuple[str, ...]:
    """Return the words of a header: folded, split at case changes and punctuation, without export prefixes.

    Common two-word spellings are joined, so that "E-Mail Opt-In" and "email_optin" are the same words.

    >>> words("hs_email_optout")
    ('email', 'optout')
    >>> words("E-Mail Opt-In")
    ('email', 'optin')
    >>> words("properties.firstName")
    ('firstname',)
    >>> words("Total ($)"), words("$pageview")
    (('total', 'usd'), ('pageview',))
    """
    text = header.lstrip("\ufeff").strip().replace("IDs", "ids")
    text = re.sub(r"(?<=[a-z0-9à-ÿ])(?=[A-ZÄÖÜ])", " ", text)
    text = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    found = re.findall(
        r"[a-z]+|[0-9]+",
        re.sub(r"\$(?![a-z])", " usd ", fold(text).replace("'", " ").replace("€", " eur ")),
    )
    while len(found) > 1 and found[0] in _PREFIXES:
        found = found[1:]
    while len(found) > 1 and found[-1] in _SUFFIXES:
        found = found[:-1]
    joined = " ".join(found)
    for apart, together in _JOINED.items():
        joined = re.sub(rf"\b{apart}\b", together, joined)
    return tuple(joined.split())


def slug(header: str) -> str:
    """Return a header as a catalog name: lower-case words joined by underscores.

    >>> slug("Lifecycle Stage")
    'lifecycle_stage'
    """
    text = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÄÖÜ])", " ", header.lstrip("\ufeff").replace("HubSpot", "Hubspot"))
    name = "_".join(re.findall(r"[a-z0-9]+", fold(text))) or "column"
    return f"a_{name}" if name[0].isdigit() else name


def shared_prefix(headers: Sequence[str]) -> str:
    """Return what nearly every header of a table begins with, such as "Person - "; "" if nothing does.

    List exports write the record's name before each field. A few headers may carry another one: the columns
    that refer to another record.

    >>> shared_prefix(["Deal - ID", "Deal - Title", "Deal - Value", "Deal - Stage", "Person - ID"])
    'Deal - '
    >>> shared_prefix(["id", "email", "name"])
    ''
    """
    found = Counter(
        match[0] for header in headers if (match := _PREFIX.match(header.lstrip("\ufeff"))) is not None
    )
    prefix, count = max(found.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    least = _JOINED_SHARE if prefix.endswith("_") and not prefix.endswith("__") else _PREFIX_SHARE
    return prefix if count >= max(_PREFIX_COLUMNS, least * len(headers)) else ""


def without_prefix(header: str, prefix: str) -> str:
    """Return a header without its record's name, also where it is written twice.

    >>> without_prefix("Deal - Deal created", "Deal - "), without_prefix("Person - ID", "Deal - ")
    ('created', 'Person - ID')
    """
    plain = header.lstrip("\ufeff")
    if not prefix or not plain.startswith(prefix) or plain == prefix:
        return header
    rest = plain.removeprefix(prefix)
    noun = re.sub(r"[^A-Za-zÀ-ÿ]+$", "", prefix)
    again = re.match(rf"{re.escape(noun)}[\s_-]+(?=\S)", rest, re.IGNORECASE)
    return rest[again.end() :] if again else rest


def plural_free(word: str) -> str:
    """Return the singular of a table noun as far as a matching of names needs it.

    >>> plural_free("companies"), plural_free("orders"), plural_free("address")
    ('company', 'order', 'address')
    """
    if word.endswith("ies") and word not in {"dies", "ties", "series"}:
        return word[:-3] + "y"
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("s") and not word.endswith("ss") and word not in {"gas", "bus", "us"}:
        return word[:-1]
    return word
