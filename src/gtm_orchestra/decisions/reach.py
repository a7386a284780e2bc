"""Whom each rule of a rule set can take, hash and all: conditions over attributes and places of the hash.

A person's place on a hash (unit, seed, version) is one more whole number, and whether they have the unit is
one more truth; both then stand in conditions like any attribute. Places on different seeds are independent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from gtm_orchestra.conditions.tree import Compare, Condition, Either, Every, Exists
from gtm_orchestra.decisions.rule_set import BUCKETS, Rule, RuleSet, bucket_ranges, buckets_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.conditions.tree import Node
    from gtm_orchestra.decisions.rule_set import Range

__all__ = ["Reach", "has_unit", "is_invented", "reach_of"]

_HAS = "#has "
_PLACE = "#place "


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a rule can take.

    Attributes:
        rule: The rule.
        meant: Its condition alone.
        taken: Whom it takes or may take: with unit, filters and every place that another rule looks at too.
        surely: Whether everybody in `taken` is taken; False where a seed of its own decides as well.
        units: The units that somebody needs.
    """

    rule: Rule
    meant: Condition
    taken: Condition
    surely: bool
    units: tuple[str, ...]


@dataclass(slots=True)
class _Hashing:
    """The places that one rule asks for, by (unit, seed, version)."""

    wanted: dict[tuple[str, str, int], set[int]] = field(default_factory=dict)

    def ask(self, key: tuple[str, str, int], ranges: Iterable[Range]) -> None:
        places = {at for at, taken in enumerate(buckets_of(ranges, key[2])) if taken >= 0}
        self.wanted[key] = self.wanted[key] & places if key in self.wanted else places


def reach_of(rule_set: RuleSet) -> tuple[list[Reach], dict[str, int]]:
    """Return the reach of each rule that is in the rule language, in order, and the sizes of the hashes.

    Raises:
        ConditionError: A condition is not in the language.
    """
    rules = [rule for rule in rule_set.rules if isinstance(rule, Rule)]
    asked = [_asked(rule_set, rule) for rule in rules]
    shared: dict[tuple[str, str, int], int] = {}
    for hashing in asked:
        for key in hashing.wanted:
            shared[key] = shared.get(key, 0) + 1
    names = {key: f"{_PLACE}{number}" for number, key in enumerate(sorted(shared))}
    found = []
    for rule, hashing in zip(rules, asked, strict=True):
        parsed = rule_set.condition_of(rule)
        meant: Node = Every(()) if parsed is None else parsed.root
        parts: list[Node] = [meant]
        surely = True
        units = sorted({key[0] for key in hashing.wanted})
        parts += [Compare(f"{_HAS}{unit}", "boolean", "$eq", value=True) for unit in units]
        # Who has no value in an attribute cannot be hashed by it; an empty text or 0 is known and no unit.
        parts += [
            Exists(unit, rule_set.attributes[unit], exists=True)
            for unit in units
            if unit in rule_set.attributes
        ]
        for key, places in sorted(hashing.wanted.items()):
            if not places:
                parts.append(Either(()))
            elif len(places) < BUCKETS[key[2]]:
                if shared[key] == 1:
                    surely = False
                else:
                    parts.append(_stretches(names[key], places))
        found.append(Reach(rule, Condition(meant), Condition(Every(tuple(parts))), surely, tuple(units)))
    return found, {names[key]: BUCKETS[key[2]] for key in names}


def has_unit(unit: str) -> str:
    """Return the name of the truth that somebody has a unit."""
    return f"{_HAS}{unit}"


def is_invented(name: str) -> bool:
    """Whether a name stands for a hash rather than for an attribute."""
    return name.startswith((_HAS, _PLACE))


def _asked(rule_set: RuleSet, rule: Rule) -> _Hashing:
    hashing = _Hashing()
    ranges = bucket_ranges(rule)
    if ranges is not None:
        hashing.ask((rule.unit, rule.seed or rule.experiment or rule_set.feature, rule.hash_version), ranges)
    for each in rule_set.filters_of(rule):
        hashing.ask((each.unit, each.seed, each.hash_version), each.ranges)
    return hashing


def _stretches(name: str, places: set[int]) -> Node:
    """Return "the place lies in one of the stretches" for at least one place."""
    stretches: list[Node] = []
    for _, group in groupby(enumerate(sorted(places)), key=lambda pair: pair[1] - pair[0]):
        run = [place for _, place in group]
        stretches.append(
            Every((Compare(name, "number", "$gte", run[0]), Compare(name, "number", "$lte", run[-1])))
        )
    return stretches[0] if len(stretches) == 1 else Either(tuple(stretches))
