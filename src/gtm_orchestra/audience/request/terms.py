"""What a thing that a constraint names stands for: people, attributes or channels of this workspace.

A term is looked up in the catalog and in the values that the data holds, never guessed. The whole phrase has
to be accounted for: "trial users" names trial users, "trial users with a dog" names nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.request.regions import country_style, find_region, members_as
from gtm_orchestra.audience.wording import tokens_of
from gtm_orchestra.errors import ConditionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gtm_orchestra.audience.request.regions import CountryStyle
    from gtm_orchestra.audience.request.vocabulary import Vocabulary
    from gtm_orchestra.config import AttributeSettings, Channel, Config

__all__ = ["Group", "Terms", "Unavailable"]

Condition = dict[str, Any]

_CHANNEL_WORDS: dict[str, Channel] = {
    "web": "web",
    "website": "web",
    "site": "web",
    "in-app": "in-app",
    "in app": "in-app",
    "in-product": "in-app",
    "app": "in-app",
    "email": "email",
    "e-mail": "email",
    "mail": "email",
    "emails": "email",
    "e-mails": "email",
    "ad": "ads",
    "ads": "ads",
    "advertising": "ads",
    "paid ads": "ads",
    "paid media": "ads",
    "sales": "sales",
    "sales outreach": "sales",
}
_PEOPLE_NOUNS = {
    "user",
    "people",
    "person",
    "contact",
    "account",
    "company",
    "lead",
    "member",
    "signup",
    "visitor",
}
_PEOPLE_NOUNS |= {"persona", "prospect", "customer", "organisation", "organization", "workspace", "team"}
_ANYBODY = _PEOPLE_NOUNS - {"customer", "lead", "prospect"}
_ARTICLES = {"the", "our", "all", "any", "a", "an", "existing", "current", "currently"}
_DATA_NOUNS = {"attribute", "field", "data", "column", "information", "info", "property", "value"}
_SPELLINGS = {
    "trialing": "trial",
    "trialling": "trial",
    "trialist": "trial",
    "companie": "company",
}
_CUSTOMER_VALUES = {"customer", "paying", "paid", "paying customer", "active customer", "existing customer"}
_CUSTOMER_VALUES |= {"current customer", "paid customer", "closed won", "won"}
_STAFF = {"employee", "staff", "internal", "colleague", "coworker"}
# What a word about a person covers: words that columns with it are called by, and words that only sound so.
_CONCEPTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "age": (
        frozenset({"age", "birth", "birthday", "birthdate", "birthyear", "dob", "yob", "born"}),
        frozenset({"account", "company", "contract", "deal", "lead", "tenure", "days", "record", "session"}),
    ),
    "gender": (frozenset({"gender", "sex", "salutation", "pronouns"}), frozenset()),
    "health": (
        frozenset({"health", "medical", "disability", "diagnosis", "illness"}),
        frozenset({"score", "account"}),
    ),
    "religion": (frozenset({"religion", "religious", "faith", "denomination"}), frozenset()),
    "ethnicity": (frozenset({"ethnicity", "ethnic", "race", "ancestry"}), frozenset()),
    "income": (frozenset({"income", "salary", "wage", "earnings"}), frozenset()),
    "location": (
        frozenset({"location", "geo", "latitude", "longitude", "city", "zip", "postcode"}),
        frozenset(),
    ),
}
_CONCEPT_OF = {word: concept for concept, (words, _) in _CONCEPTS.items() for word in words} | {
    "sexe": "gender"
}
_STAGE_WORDS = ("lifecycle", "stage", "status", "type", "plan", "tier", "segment")
_COUNTRY_SHARE = 0.9


@dataclass(frozen=True)
class Group:
    """People that a phrase names.

    Attributes:
        label: How the effect names them.
        inside: Condition of these people.
        outside: Condition of everyone else; a missing value is on the side that is safe for this group.
        detail: Which attribute says so.
        missing: What happens to people without a value.
    """

    label: str
    inside: Condition | None
    outside: Condition | None
    detail: str
    missing: str = ""
    note_for: str = ""


@dataclass(frozen=True)
class Unavailable:
    """A phrase whose meaning is clear, but for which this workspace has no data."""

    why: str
    note_for: str


@dataclass
class Terms:
    """Looks phrases up for one workspace."""

    config: Config
    vocabulary: Vocabulary
    _country: tuple[str, tuple[CountryStyle, ...]] | None = field(default=None, init=False)
    _country_sought: bool = field(default=False, init=False)

    def channel(self, phrase: str) -> Channel | None:
        """Return the channel that a phrase names, or None."""
        word = re.sub(r"^the | channel$", "", phrase.casefold()).strip()
        return _CHANNEL_WORDS.get(word)

    def attributes(self, phrase: str) -> tuple[str, ...] | None:
        """Return the catalog attributes that a phrase names, sorted; empty for a known idea without any.

        A name, a column or all words of either may be written; "age" also finds a date of birth.
        """
        words = _words(phrase, drop=_DATA_NOUNS | _ARTICLES)
        if not words:
            return None
        concept = _CONCEPT_OF.get(" ".join(words)) or ("age" if words == ["date", "of", "birth"] else None)
        found = sorted(
            name
            for name, settings in self.config.attributes.items()
            if (_is_about(concept, name, settings) if concept else set(words) <= _name_words(name, settings))
        )
        exact = [name for name in found if _singular(tokens_of(name)) == words]
        if exact and not concept:
            return tuple(exact)
        return tuple(found) if found or concept else None

    def is_name(self, phrase: str) -> bool:
        """Return whether a phrase is the name of an attribute, letter for letter but for case and spaces."""
        return any(tokens_of(name) == tokens_of(phrase) for name in self.config.attributes)

    def people(self, phrase: str) -> Group | Unavailable | None:
        """Return the people that a phrase names; None when it names none that the data knows."""
        within = re.fullmatch(r"(.+?) (?:in|from|within|based in|located in) (.+)", phrase)
        if within and _bare(within[1]):
            first, second = self.people(within[1]), self._region(within[2])
            if isinstance(first, Group) and isinstance(second, Group):
                return _both(first, second)
        for reader in (self._region, self._staff, self._customers, self._by_value, self._by_flag):
            found = reader(_after_noun(phrase))
            if found is not None:
                return found
        return None

    def personal_attributes(self) -> tuple[str, ...]:
        """Return the attributes that the catalog classes as personal data, sorted."""
        wanted = {"personal", "special"}
        return tuple(
            sorted(name for name, one in self.config.attributes.items() if one.sensitivity in wanted)
        )

    def _region(self, phrase: str) -> Group | Unavailable | None:
        inverted = re.fullmatch(r"(?:non-|non |outside (?:of )?(?:the )?)(.+)", phrase, re.IGNORECASE)
        region = find_region(inverted[1] if inverted else phrase)
        if region is None:
            return None
        label, codes = region
        place = self._country_attribute()
        if place is None:
            why = (
                f"It means people in {label}, but no usable attribute of the catalog holds a country; "
                "add one to [attributes] (type string, such as DE or Germany), then run again."
            )
            return Unavailable(why, "privacy-lead")
        name, styles = place
        members = list(members_as(codes, styles))
        inside: Condition = {name: {"$in": members}}
        outside: Condition = {name: {"$exists": True, "$nin": members}}
        many = f"one of the {len(codes)} countries of {label}" if len(codes) > 1 else label
        missing = f"people without a value for {name} are left out too"
        if inverted:
            return Group(f"people outside {label}", outside, inside, f"{name} is not {many}", missing)
        return Group(f"people in {label}", inside, outside, f"{name} is {many}", missing)

    def _country_attribute(self) -> tuple[str, tuple[CountryStyle, ...]] | None:
        if not self._country_sought:
            self._country_sought = True
            ranked = sorted(
                found
                for name in sorted(self._usable("string"))
                if (found := self._country_rank(name)) is not None
            )
            self._country = (ranked[0][2], ranked[0][3]) if ranked else None
        return self._country

    def _country_rank(self, name: str) -> tuple[int, int, str, tuple[CountryStyle, ...]] | None:
        """Return how good an attribute is as a country: named so first, then by people who have one."""
        words = _name_words(name, self.config.attributes[name])
        named = "country" in words
        values = self.vocabulary.values(name)
        filled = sum(values.values())
        by_style: dict[CountryStyle, int] = {}
        for value, people in values.items():
            style = country_style(value.strip())
            if style is not None:
                by_style[style] = by_style.get(style, 0) + people
        known = sum(by_style.values())
        # Lower-case codes are also language codes: without the name they prove nothing.
        enough = named or (
            known >= _COUNTRY_SHARE * filled and "lower_code" not in by_style and len(values) > 1
        )
        if not known or not enough:
            return None
        derived = bool({"ip", "billing", "shipping", "last"} & words)
        return (0 if named and not derived else 1 if named else 2, -known, name, tuple(sorted(by_style)))

    def _staff(self, phrase: str) -> Group | Unavailable | None:
        words = _words(phrase, drop=_ARTICLES | {"user", "account", "own", "member", "test"})
        if not words or not set(words) <= _STAFF:
            return None
        for name, suppression in sorted(self.config.suppressions.items()):
            if _STAFF & set(_singular(tokens_of(f"{name} {suppression.reason}"))):
                detail = f"the suppression {name!r} of gtm.toml already leaves them out of every profile"
                return Group("employees", suppression.condition, None, detail)
        for name in sorted(self._usable("boolean")):
            if _STAFF & _name_words(name, self.config.attributes[name]):
                return Group("employees", {name: True}, _not_true(name), f"{name} is true")
        why = (
            "It means your own staff, but neither a suppression nor an attribute says who they are; "
            "add [suppressions.employees] to gtm.toml."
        )
        return Unavailable(why, "data-engineer")

    def _customers(self, phrase: str) -> Group | Unavailable | None:
        words = _words(phrase, drop=_ARTICLES | {"paying", "active"})
        if words != ["customer"]:
            return None
        found = sorted(
            (self.config.attributes[name].table != "accounts", name, inside)
            for name in self.vocabulary.schema
            if name in self._usable() and (inside := self._customer_condition(name)) is not None
        )
        if not found:
            why = (
                "It means people whose account is a customer, but no usable attribute says which are; "
                "add one of table 'accounts' to [attributes], such as the account's stage."
            )
            return Unavailable(why, "data-engineer")
        by_person, name, inside = found[0]
        if not by_person:
            missing = f"people for whom {name} is not known stay in"
            return Group(
                "existing customers", inside, _opposite(name, inside), f"by account, as {name} says", missing
            )
        detail = (
            f"by person only, as {name} says: colleagues of a customer who are none themselves stay in, "
            "because no attribute of table 'accounts' says which accounts are customers"
        )
        return Group("existing customers", inside, _opposite(name, inside), detail, "", "data-engineer")

    def _customer_condition(self, name: str) -> Condition | None:
        words = _name_words(name, self.config.attributes[name])
        match self.vocabulary.schema[name]:
            case "boolean":
                return (
                    {name: True}
                    if {"customer", "paying"} & words and not {"former", "past"} & words
                    else None
                )
            case "timestamp":
                since = {"since", "became", "date", "at"} & words
                return {name: {"$exists": True}} if "customer" in words and since else None
            case "string":
                values = sorted(v for v in self.vocabulary.values(name) if _normal(v) in _CUSTOMER_VALUES)
                return {name: {"$in": values}} if values else None
            case _:
                return None

    def _by_value(self, phrase: str) -> Group | Unavailable | None:
        words = _words(phrase, drop=_ARTICLES)
        found: list[tuple[int, str, list[str]]] = []
        for name in sorted(self._usable("string", special=True)):
            about = _name_words(name, self.config.attributes[name])
            wanted = {" ".join(words), " ".join(w for w in words if w not in _PEOPLE_NOUNS)}
            wanted |= {" ".join(w for w in words if w not in _PEOPLE_NOUNS | about)}
            values = sorted(v for v in self.vocabulary.values(name) if _normal(v) and _normal(v) in wanted)
            if values:
                found.append((_stage_rank(about), name, values))
        if not found:
            return None
        _, name, values = min(found)
        if self.config.attributes[name].sensitivity == "special":
            return Unavailable(
                f"{name} is a special category of personal data; it is never used.", "privacy-lead"
            )
        others = [other for _, other, _ in sorted(found) if other != name]
        also = f"; {', '.join(others)} has the same word and is not used" if others else ""
        unreviewed = (
            "" if self.config.attributes[name].review == "accepted" else f"; {name} is not reviewed yet"
        )
        inside: Condition = {name: values[0] if len(values) == 1 else {"$in": values}}
        label = f"people whose {name} is {' or '.join(values)}"
        return Group(label, inside, _opposite(name, inside), f"as {name} says{also}{unreviewed}")

    def _by_flag(self, phrase: str) -> Group | None:
        words = _words(phrase, drop=_ARTICLES)
        for name in sorted(self._usable("boolean")):
            about = [
                word for word in _singular(tokens_of(name)) if word not in {"is", "has", "flag", "ha", "hs"}
            ]
            if about and about in (words, [word for word in words if word not in _PEOPLE_NOUNS]):
                return Group(f"people whose {name} is true", {name: True}, _not_true(name), f"as {name} says")
        return None

    def _usable(self, kind: str | None = None, *, special: bool = False) -> set[str]:
        """Return the attributes that a condition may be built on: of the frame, not denied, not special."""
        return {
            name
            for name, type_ in self.vocabulary.schema.items()
            if name in self.config.attributes
            and (kind is None or type_ == kind)
            and self.config.attributes[name].review != "denied"
            and (special or self.config.attributes[name].sensitivity not in {"special", "proxy"})
        }

    def count(self, condition: Condition | None) -> int | None:
        """Return how many people a condition names, or None when it cannot be asked of the people table."""
        if condition is None:
            return None
        try:
            return self.vocabulary.counts([condition])[0]
        except ConditionError:
            # A suppression may name a column that is no attribute; then there is no figure to show.
            return None


def _is_about(concept: str, name: str, settings: AttributeSettings) -> bool:
    words, not_words = _CONCEPTS[concept]
    named = set(tokens_of(name)) | set(tokens_of(settings.column or ""))
    if named & words and not named & not_words:
        return True
    return settings.sensitivity in {"proxy", "special"} and bool(
        words & set(tokens_of(settings.sensitivity_note))
    )


def _name_words(name: str, settings: AttributeSettings) -> set[str]:
    return {*_singular(tokens_of(name)), *_singular(tokens_of(settings.column or ""))}


def _words(phrase: str, *, drop: Iterable[str]) -> list[str]:
    dropped = set(drop)
    return [word for word in _singular(tokens_of(phrase)) if word not in dropped]


def _singular(words: Iterable[str]) -> list[str]:
    found = [word[:-1] if re.search(r"..[^s]s$", word) else word for word in words]
    return [_SPELLINGS.get(word, word) for word in found]


def _normal(value: str) -> str:
    return " ".join(_singular(tokens_of(value)))


def _bare(phrase: str) -> bool:
    """Return whether a phrase says more than "people"."""
    return bool(_words(phrase, drop=_ANYBODY | _ARTICLES))


def _after_noun(phrase: str) -> str:
    """Return "Germany" for "people in Germany", and "free plan" for "users on the free plan".

    "Customers in Germany" stays as it is: it names fewer people than "people in Germany".
    """
    plain = re.sub(
        r"^(?:(?:the |all )?(?:people|users|persons|contacts|accounts|companies|residents|visitors) )?"
        r"(?:who are |that are |living |based |located )?(?:in|from|within|of|on|with) (?:the |a )?",
        "",
        phrase,
        flags=re.IGNORECASE,
    )
    after = r"[ -](?:people|users|persons|contacts|accounts|companies|residents|visitors|based)$"
    return re.sub(after, "", plain, flags=re.IGNORECASE)


def _stage_rank(words: set[str]) -> int:
    return next((rank for rank, word in enumerate(_STAGE_WORDS) if word in words), len(_STAGE_WORDS))


def _both(first: Group, second: Group) -> Group:
    inside = {"$and": [first.inside, second.inside]} if first.inside and second.inside else None
    outside = {"$or": [first.outside, second.outside]} if first.outside and second.outside else None
    detail = f"{first.detail}; {second.detail}"
    return Group(f"{first.label} and in {second.label.removeprefix('people in ')}", inside, outside, detail)


def _not_true(name: str) -> Condition:
    return {"$or": [{name: {"$exists": False}}, {name: False}]}


def _opposite(name: str, inside: Mapping[str, Any]) -> Condition:
    """Return the condition of everyone else; a person without a value is one of them."""
    stated = inside[name]
    if stated is True:
        return _not_true(name)
    if isinstance(stated, dict) and "$exists" in stated:
        return {name: {"$exists": False}}
    values = stated["$in"] if isinstance(stated, dict) else [stated]
    return {"$or": [{name: {"$exists": False}}, {name: {"$exists": True, "$nin": list(values)}}]}
