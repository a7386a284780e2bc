"""Constraints in words, read as rules. What is not understood is listed; no word of it is dropped.

A clause is understood only as a whole: "EU only" is, "EU only except at weekends" is not, because the half
that a rule could hold is not what the person asked for. See docs/constraints.md for what can be written.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.contracts import ConstraintReading
from gtm_orchestra.audience.request.terms import Group, Terms, Unavailable
from gtm_orchestra.config import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.audience.request.vocabulary import Vocabulary
    from gtm_orchestra.config import Channel, Config, Place

__all__ = ["read_constraints"]

_LONGEST = 300  # characters of one clause that are tried; a longer one is a text, not a rule
_MOST_PIECES = 12  # pieces of one line that are tried together
_LINES = re.compile(r"[;\n\r\u2022|]+|(?<=[a-zA-Z)])\.(?=\s|$)")
# A comma between digits is no separator: "more than 1,000 employees".
_JOINTS = re.compile(r"\s*(?:,(?!\d{3}\b)|\b(?:and|but|plus|also)\b|&|\+)\s*", re.IGNORECASE)
_ITEMS = re.compile(r"\s*(?:,(?!\d{3}\b)|\b(?:and|or|nor)\b|&|\+|/)\s*", re.IGNORECASE)
_POLITE = re.compile(
    r"^(?:please|we must|we should|we|must|should|it must be|strictly|also|and|but)\s+", re.IGNORECASE
)

_ONLY = (
    re.compile(r"^(?:only|just|solely)(?: (?:for|to|on|via|by|target|include|use))? (.+)$", re.IGNORECASE),
    re.compile(r"^(?:limit(?:ed)?|restrict(?:ed)?)(?: it)? to (.+?)(?: only)?$", re.IGNORECASE),
    re.compile(r"^must be (?:in|from|on) (.+?)$", re.IGNORECASE),
    re.compile(r"^(?:for |in |on )?(.+?)[ -]only$", re.IGNORECASE),
    re.compile(r"^(.+?) (?:and|but) (?:nobody|no one|nothing) else$", re.IGNORECASE),
)
_NOT_USED = (
    re.compile(r"^(?:do not|don['\u2019]?t|never|not|avoid)(?: to)? us(?:e|ing) (.+)$", re.IGNORECASE),
    re.compile(r"^(?:no|without|avoid)(?: the)? us(?:e|ing|age)(?: of)? (.+)$", re.IGNORECASE),
    re.compile(r"^(.+?) (?:must|may|can|should)(?: not|not) be used$", re.IGNORECASE),
    re.compile(r"^(.+?) (?:is|are) (?:not allowed|forbidden|off[ -]limits|not to be used)$", re.IGNORECASE),
)
_NOT = (
    re.compile(
        r"^(?:do not|don['\u2019]?t|never) (?:target|include|personali[sz]e for|show to) (.+)$", re.IGNORECASE
    ),
    re.compile(
        r"^(?:no|not|non|exclude|excluding|without|except|except for|skip|avoid|suppress|omit|leave out|drop)"
        r"(?: (?:on|in|from|via|for|by|the))? (.+)$",
        re.IGNORECASE,
    ),
    re.compile(r"^(.+?) (?:is |are )?(?:excluded|suppressed|left out)$", re.IGNORECASE),
)
_CONSENT = re.compile(
    r"^(?:(?:only |explicit |valid |recorded |with |requires? |needs? )*(?:consent(?:ed)?|opt(?:ed)?[ -]?in)"
    r"(?: (?:is |are )?(?:required|needed|mandatory|only|on record|people|users|contacts))*"
    r"|only (?:people|users|contacts) (?:with|who (?:have )?(?:given|gave)) consent)$",
    re.IGNORECASE,
)
_LAW = re.compile(
    r"^(?:be )?(?:comply with |compliant with |under |respect |follow )?(?:the )?"
    r"(uk gdpr|gdpr|dsgvo|rgpd|avg|eprivacy|ccpa|cpra)(?: (?:complian(?:t|ce)|applies|rules))?$",
    re.IGNORECASE,
)
_PIXEL = re.compile(
    r"^(?:(?:ads?|advertising|marketing|tracking|retargeting|remarketing|third[ -]party"
    r"|facebook|meta|linkedin|google)"
    r" )*pixels?$",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"^(?:any )?(?:pii|personal (?:data|information)|personally identifiable information)$", re.IGNORECASE
)
_SPECIAL = re.compile(
    r"^(?:any )?(?:special[ -]categor(?:y|ies)(?: of)?(?: personal)?(?: data)?|sensitive data)$",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"^(?:only )?(?:(?:people|users|accounts|companies|customers|contacts) )?(?:with |having )?"
    r"(?P<op>at least|minimum(?: of)?|min|more than|over|>=|>|at most|up to|fewer than|less than|under|<=|<)"
    r"\s*(?P<n>\d{1,3}(?:,\d{3})+|\d{1,9})\+? (?P<what>[\w .-]+)$",
    re.IGNORECASE,
)
_OPERATORS = {"more than": "$gt", "over": "$gt", ">": "$gt", "fewer than": "$lt", "less than": "$lt"}
_OPERATORS |= {"under": "$lt", "<": "$lt", "at most": "$lte", "up to": "$lte", "<=": "$lte"}
_MINDED = (
    (
        r"consent|opt|privacy|gdpr|personal|cookie|retention|delete|hipaa|lgpd|minors?|children",
        "privacy-lead",
    ),
    (r"legal|contract|dpa|residency|processor|law|terms|region|country|countries", "privacy-lead"),
    (r"data|column|table|field|warehouse|sync|api", "data-engineer"),
    (r"test|experiment|holdout|significan|control", "testing-lead"),
)


@dataclass
class _Effect:
    """What one clause does, before it is a reading."""

    sentences: list[str] = field(default_factory=list)
    eligibility: list[dict[str, Any]] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    channels: set[Channel] = field(default_factory=set)
    places: dict[Channel, tuple[Place, ...]] = field(default_factory=dict)
    note_for: str = ""
    unavailable: bool = False


def read_constraints(
    texts: Iterable[str], *, config: Config, vocabulary: Vocabulary, channels: Iterable[Channel]
) -> tuple[ConstraintReading, ...]:
    """Return one reading per constraint, in the order written; what is not understood says so.

    Args:
        texts: As given. One may hold several, parted by lines, semicolons, full stops, commas or "and".
        config: Catalog, suppressions and channels.
        vocabulary: Attributes, their values and people counts of the data.
        channels: The channels that were asked for.
    """
    reader = _Reader(config, Terms(config, vocabulary), tuple(channels))
    return tuple(reading for text in texts for line in _LINES.split(text) for reading in reader.line(line))


@dataclass(frozen=True)
class _Reader:
    config: Config
    terms: Terms
    channels: tuple[Channel, ...]

    def line(self, line: str) -> list[ConstraintReading]:
        """Return the readings of one line: the longest pieces that are understood, the rest as it stands."""
        if not line.strip():
            return []
        starts, ends = [0], []
        for joint in _JOINTS.finditer(line):
            ends.append(joint.start())
            starts.append(joint.end())
        ends.append(len(line))
        if len(starts) > _MOST_PIECES:
            starts, ends = [0], [len(line)]
        readings: list[ConstraintReading] = []
        at, left_from = 0, None
        while at < len(starts):
            found = None
            for to in range(len(starts) - 1, at - 1, -1):
                found = self._clause(line[starts[at] : ends[to]])
                if found is not None:
                    break
            if found is None:
                left_from = at if left_from is None else left_from
                at += 1
                continue
            if left_from is not None:
                readings += self._rest(line[starts[left_from] : ends[at - 1]])
                left_from = None
            readings.append(found)
            at = to + 1
        if left_from is not None:
            readings += self._rest(line[starts[left_from] :])
        return readings

    def _rest(self, text: str) -> list[ConstraintReading]:
        return [self._not_understood(text.strip())] if text.strip(" ,.&+") else []

    def _clause(self, written: str) -> ConstraintReading | None:
        """Return the reading of a clause that is understood as a whole, or None."""
        text = " ".join(unicodedata.normalize("NFKC", written).split()).strip(" .,!:-*\"'()")
        if not text or len(text) > _LONGEST:
            return None
        text = _POLITE.sub("", text)
        effect = self._effect(text)
        if effect is None:
            return None
        return ConstraintReading(
            text=written.strip(" \t,.&+"),
            understood=not effect.unavailable,
            effect=" ".join(effect.sentences),
            eligibility=_all(effect.eligibility),
            excluded_attributes=tuple(sorted(effect.attributes)),
            excluded_channels=tuple(channel for channel in CHANNELS if channel in effect.channels),
            excluded_places=effect.places,
            note_for=effect.note_for,
        )

    def _effect(self, text: str) -> _Effect | None:
        if _CONSENT.match(text):
            return self._consent()
        if law := _LAW.match(text):
            return self._law(law[1])
        if number := _NUMBER.match(text):
            return self._number(number)
        for patterns, read in (
            (_NOT_USED, self._unused),
            (_NOT, self._excluded),
            (_ONLY, self._only),
        ):
            for pattern in patterns:
                if (match := pattern.match(text)) and (effect := read(match[1].strip())) is not None:
                    return effect
        return None

    # --- forms ---------------------------------------------------------------------------------------------

    def _only(self, phrase: str) -> _Effect | None:
        items = _items(phrase)
        named = [self.terms.channel(item) for item in items]
        if all(named):
            keep = {channel for channel in named if channel is not None}
            others = {channel for channel in CHANNELS if channel not in keep}
            effect = _Effect(channels=others)
            effect.sentences.append(f"Only {_listed(sorted(keep))}.{self._asked(others)}")
            lacking = sorted(keep - set(self.channels))
            if lacking:
                effect.sentences.append(f"Note: {_listed(lacking)} was not asked for and is not added.")
            return effect
        groups = self._groups(phrase, items)
        if groups is None:
            return None
        if isinstance(groups, Unavailable):
            return _missing(groups)
        conditions = [group.inside for group in groups if group.inside is not None]
        whole = conditions[0] if len(conditions) == 1 else {"$or": conditions}
        stay = self._people(whole)
        effect = _Effect(eligibility=[whole], note_for=_first(group.note_for for group in groups))
        label = " or ".join(group.label for group in groups)
        effect.sentences.append(f"Only {label}{stay}: {_reasons(groups)}.")
        return effect

    def _excluded(self, phrase: str) -> _Effect | None:
        effect = _Effect()
        whole = self._exclude_one(phrase, effect)
        if whole:
            return effect
        effect = _Effect()
        items = _items(phrase)
        if len(items) > 1 and all(self._exclude_one(item, effect) for item in items):
            return effect
        return None

    def _exclude_one(self, phrase: str, effect: _Effect) -> bool:
        """Add what leaving out one named thing does; False when the phrase names nothing known."""
        if self._fixed(phrase, effect):
            return True
        group = None if self.terms.is_name(phrase) else self.terms.people(phrase)
        names = self.terms.attributes(phrase)
        if isinstance(group, Unavailable):
            missing = _missing(group)
            effect.sentences += missing.sentences
            effect.unavailable, effect.note_for = True, missing.note_for
        elif isinstance(group, Group):
            gone = self._people(group.inside)
            if group.outside is not None:
                effect.eligibility.append(group.outside)
            effect.sentences.append(f"Leaves out {group.label}{gone}: {_reasons([group])}.")
            effect.note_for = effect.note_for or group.note_for
        elif names is not None:
            self._no_attributes(names, phrase, effect)
        else:
            return False
        return True

    def _unused(self, phrase: str) -> _Effect | None:
        effect = _Effect()
        for item in [phrase] if self.terms.attributes(phrase) else _items(phrase):
            names = self.terms.attributes(item)
            if names:
                self._no_attributes(names, item, effect)
            elif self._fixed(item, effect):
                continue
            elif names is not None:
                self._no_attributes(names, item, effect)
            else:
                return None
        return effect

    def _fixed(self, phrase: str, effect: _Effect) -> bool:
        """Add what leaving out a channel, a pixel or a class of data does; False for anything else."""
        channel = self.terms.channel(phrase)
        if channel is not None:
            effect.channels.add(channel)
            effect.sentences.append(f"{channel} is left out.{self._asked({channel})}")
        elif _PIXEL.match(phrase):
            self._no_pixel(effect)
        elif _SPECIAL.match(phrase):
            effect.sentences.append(
                "Special categories of personal data are refused in every profile, always."
            )
        elif _PERSONAL.match(phrase):
            self._no_attributes(self.terms.personal_attributes(), "personal data", effect)
        else:
            return False
        return True

    def _number(self, match: re.Match[str]) -> _Effect | None:
        names = self.terms.attributes(match["what"]) or ()
        numbers = [name for name in names if self.terms.vocabulary.schema.get(name) == "number"]
        if len(numbers) != 1:
            return None
        value = float(match["n"].replace(",", ""))
        operator = _OPERATORS.get(match["op"].lower(), "$gte")
        condition = {numbers[0]: {operator: int(value)}}
        words = {"$gt": "more than", "$gte": "at least", "$lt": "less than", "$lte": "at most"}[operator]
        sentence = (
            f"Only people whose {numbers[0]} is {words} {value:,.0f}{self._people(condition)}; "
            f"people without a value for it are left out."
        )
        return _Effect([sentence], [condition])

    # --- kinds of effect -----------------------------------------------------------------------------------

    def _consent(self) -> _Effect:
        purposes = [
            f"{channel} for {self.config.channels[channel].purpose!r}"
            for channel in self.channels
            if channel in self.config.channels
        ]
        needs = f" ({'; '.join(purposes)})" if purposes else ""
        sentence = (
            f"Each channel reaches only people with consent on record for its purpose{needs}; "
            "missing, expired or withdrawn consent shows the fallback."
        )
        return _Effect([sentence])

    def _law(self, name: str) -> _Effect:
        law = {"dsgvo": "GDPR", "rgpd": "GDPR", "avg": "GDPR"}.get(name.lower(), name.upper())
        if law in {"CCPA", "CPRA"}:
            rule = "people who opted out or objected are left out of every channel"
        else:
            rule = "no channel without consent on record, missing consent shows the fallback"
        effect = (
            f"{law}: {rule}; special categories are refused; a data-use record is drafted per profile "
            "for the privacy lead. Whether that is enough is a legal question that stays with people."
        )
        return _Effect([effect], note_for="privacy-lead")

    def _no_pixel(self, effect: _Effect) -> None:
        settings = self.config.channels.get("ads")
        elsewhere = [place for place in settings.places if place != "browser"] if settings else []
        if elsewhere and settings is not None and settings.destination not in {"sdk", "growthbook"}:
            effect.places["ads"] = ("browser",)
            effect.sentences.append(
                f"ads never decides in the browser: audiences go to {settings.system or 'the ads system'} "
                f"as a {elsewhere[0]} upload of consented people, without a pixel."
            )
        else:
            effect.channels.add("ads")
            effect.sentences.append(f"ads is left out, because it needs a pixel here.{self._asked({'ads'})}")
        effect.note_for = effect.note_for or "privacy-lead"

    def _no_attributes(self, names: tuple[str, ...], label: str, effect: _Effect) -> None:
        effect.attributes.update(names)
        if names:
            effect.sentences.append(f"Not used in any profile, score or payload: {_listed(names)}.")
        else:
            effect.sentences.append(f"No attribute of the catalog is about {label}, so none can be used.")

    def _groups(self, phrase: str, items: list[str]) -> list[Group] | Unavailable | None:
        """Return the people that "only" names: the phrase as one thing, else each item of its list."""
        whole = self.terms.people(phrase)
        if whole is not None:
            return [whole] if isinstance(whole, Group) else whole
        groups: list[Group] = []
        for item in items if len(items) > 1 else []:
            found = self.terms.people(item)
            if not isinstance(found, Group):
                return found
            groups.append(found)
        return groups or None

    def _people(self, condition: dict[str, Any] | None) -> str:
        people = self.terms.count(condition)
        if people is None:
            return ""
        least = self.config.policies.group_minimum
        return f" (fewer than {least} people)" if people < least else f" ({people:,} people)"

    def _asked(self, gone: set[Channel]) -> str:
        hit = [channel for channel in self.channels if channel in gone]
        if not hit:
            return " It was not asked for, so nothing changes." if len(gone) == 1 else ""
        rest = [channel for channel in self.channels if channel not in gone]
        stays = (
            f"{_listed(rest)} stays"
            if len(rest) == 1
            else f"{_listed(rest)} stay"
            if rest
            else "nothing is left"
        )
        return f" This contradicts the channels asked for: {_listed(hit)} {_verb(hit)} taken out, {stays}."

    def _not_understood(self, text: str) -> ConstraintReading:
        words = re.findall(r"[a-z_]{4,}", text[:_LONGEST].lower())
        names = sorted(self.config.attributes)
        close = sorted({name for word in words for name in get_close_matches(word, names, n=1, cutoff=0.8)})
        near = f" Attributes with a similar name: {_listed(close[:5])}." if close else ""
        role = next((role for words_, role in _MINDED if re.search(rf"\b(?:{words_})", text.lower())), "")
        return ConstraintReading(
            text=text,
            understood=False,
            effect=(
                f"Not understood, so nothing enforces it; a person has to.{near} What can be written: "
                "'EU only', 'no <attribute>', 'only <value> users', 'exclude <value>', 'no <channel>', "
                "'at least 5 <attribute>', 'exclude existing customers', 'exclude employees', "
                "'no ads pixel', 'consent required'."
            ),
            note_for=role or "personalization-architect",
        )


def _missing(group: Unavailable) -> _Effect:
    return _Effect([f"Understood, but not enforced. {group.why}"], note_for=group.note_for, unavailable=True)


def _items(phrase: str) -> list[str]:
    return [item for item in _ITEMS.split(phrase) if item]


def _all(conditions: list[dict[str, Any]]) -> dict[str, Any] | None:
    if len(conditions) > 1:
        return {"$and": conditions}
    return conditions[0] if conditions else None


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else "nothing"


def _verb(names: list[Channel]) -> str:
    return "is" if len(names) == 1 else "are"


def _first(words: Iterable[str]) -> str:
    return next((word for word in words if word), "")


def _reasons(groups: Iterable[Group]) -> str:
    said = list(groups)
    parts = [*(group.detail for group in said), *(group.missing for group in said)]
    return "; ".join(dict.fromkeys(part for part in parts if part))
