"""What rule sets decide for many people at once, as the SDKs would decide it, person by person.

People come as arrow batches, for example from DuckDB; nothing about a person is kept but counts.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from gtm_orchestra.conditions import ColumnValues, Condition, column_of, to_mask
from gtm_orchestra.conditions.tree import Either, Every, Negation
from gtm_orchestra.decisions.hashing import Units
from gtm_orchestra.decisions.rule_set import ForeignRule, HashFilter, RuleSet, bucket_ranges, buckets_of
from gtm_orchestra.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gtm_orchestra.conditions.tree import Leaf, Node

__all__ = ["ArmShare", "Decider", "Simulation", "simulate"]

Array = np.ndarray[Any, Any]
_CHUNK = 65_536  # people whose columns stay in a core's cache together
_SIGMAS = 4.0  # a share outside is seen by chance in one of 16,000 splits


@dataclass(frozen=True, slots=True, eq=False)
class _Hashed:
    """A place on a hash, and what it means: the arm of a rule, or whether a filter lets pass (0)."""

    unit: str
    seed: str
    hash_version: int
    arms: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    condition: Any
    filters: tuple[_Hashed, ...]
    split: _Hashed | None


class Decider:
    """Decides one rule set for columns of people.

    Raises:
        UsageError: At construction: a rule is beyond the rule language.
        ConditionError: A condition is not in it.
    """

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self.steps: list[_Step] = []
        for rule in rule_set.rules:
            if isinstance(rule, ForeignRule):
                raise UsageError(
                    f"rule {rule.rule_id!r} of {rule_set.feature!r} cannot be simulated: "
                    f"{'; '.join(rule.why)}",
                    hint="take it out, or write it in the rule language",
                )
            ranges = bucket_ranges(rule)
            seed = rule.seed or rule.experiment or rule_set.feature
            split = None
            if ranges is not None:
                arms = np.array(buckets_of(ranges, rule.hash_version), dtype=np.int16)
                split = _Hashed(rule.unit, seed, rule.hash_version, arms)
            filters = tuple(map(_filter, rule_set.filters_of(rule)))
            self.steps.append(_Step(rule_set.condition_of(rule), filters, split))

    def decide(self, batch: Any) -> tuple[Array, Array]:  # noqa: ANN401 - pyarrow has no types to name
        """Return for each person of an arrow table or batch the rule and the arm by position; -1 for none.

        Columns are named as attributes are, consent as `consent__<purpose>`; a unit is a column as well.

        Raises:
            ConditionError: A column is missing or of another type.
            UsageError: A unit's column is missing.
        """
        people = batch.num_rows
        rules = np.full(people, -1, dtype=np.int16)
        arms = np.full(people, -1, dtype=np.int16)
        columns = {name: ColumnValues.from_arrow(batch.column(name)) for name in self._names(batch)}
        units: dict[str, Units] = {}
        for low in range(0, people, _CHUNK):
            part = slice(low, min(low + _CHUNK, people))
            self._decide(part, batch, columns, units, rules[part], arms[part])
        return rules, arms

    def _names(self, batch: Any) -> list[str]:  # noqa: ANN401 - the same
        wanted = {
            name for step in self.steps if step.condition is not None for name in step.condition.attributes
        }
        wanted |= {column_of(name) for name in wanted}
        return [name for name in batch.schema.names if name in wanted]

    def _decide(
        self,
        part: slice,
        batch: Any,  # noqa: ANN401 - pyarrow has no types to name
        columns: Mapping[str, ColumnValues],
        units: dict[str, Units],
        rules: Array,
        arms: Array,
    ) -> None:
        cut = {
            name: ColumnValues(
                each.values[part], None if each.missing is None else each.missing[part], each.categories
            )
            for name, each in columns.items()
        }
        units.clear()
        statements: dict[Leaf, Array] = {}
        waiting = np.ones(len(rules), dtype=np.bool_)
        for at, step in enumerate(self.steps):
            meant = waiting
            if step.condition is not None:
                meant = waiting & _met(step.condition.root, cut, statements)
            rows = np.flatnonzero(meant)
            for each in step.filters:
                if len(rows):
                    rows = rows[_arms(each, rows, part, batch, units) == 0]
            if not len(rows):
                continue
            chosen = np.zeros(len(rows), dtype=np.int16)
            if step.split is not None:
                chosen = _arms(step.split, rows, part, batch, units)
            taken = rows[chosen >= 0]
            chosen = chosen[chosen >= 0]
            rules[taken], arms[taken] = at, chosen
            waiting[taken] = False


def _met(node: Node, columns: Mapping[str, ColumnValues], known: dict[Leaf, Array]) -> Array:
    """Return whom a condition means; a statement that several rules make is evaluated once."""
    if isinstance(node, Negation):
        return ~_met(node.part, columns, known)
    if isinstance(node, Every | Either):
        join = np.logical_and if isinstance(node, Every) else np.logical_or
        return reduce(join, (_met(part, columns, known) for part in node.parts))
    if node not in known:
        known[node] = to_mask(Condition(node), columns)
    return known[node]


def _filter(each: HashFilter) -> _Hashed:
    passes = np.array(buckets_of(each.ranges, each.hash_version), dtype=np.int16)
    return _Hashed(each.unit, each.seed, each.hash_version, np.where(passes >= 0, 0, -1).astype(np.int16))


def _arms(
    hashed: _Hashed,
    rows: Array,
    part: slice,
    batch: Any,  # noqa: ANN401 - pyarrow has no types to name
    units: dict[str, Units],
) -> Array:
    if hashed.unit not in units:
        name = column_of(hashed.unit)
        if name not in batch.schema.names:
            raise UsageError(
                f"the people have no column {name!r}, by which a rule hashes",
                hint="add the unit to the people, or hash by another",
            )
        units[hashed.unit] = Units.from_arrow(batch.column(name).slice(part.start, part.stop - part.start))
    known = units[hashed.unit]
    chosen = known if len(rows) == len(known.known) else known.take(rows)
    places = chosen.places(hashed.seed, hashed.hash_version)
    return np.where(places >= 0, hashed.arms[places], np.int16(-1))


@dataclass(frozen=True, slots=True)
class ArmShare:
    """One arm of a rule: how many people it got, its share of the rule's people, and the range expected.

    The range is the weight plus and minus four standard errors of a binomial share; an arm that is not of a
    split is expected to have all of the rule's people.
    """

    rule_id: str
    variant: str
    people: int
    share: float
    expected: float
    low: float
    high: float

    @property
    def is_within(self) -> bool:
        """Whether the share lies in the range."""
        return self.low <= self.share <= self.high


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a rule set decided: people in all, per arm, and those who saw the fallback."""

    feature: str
    people: int
    fallback: int
    shares: tuple[ArmShare, ...]
    never_hit: tuple[str, ...] = field(default=())

    @property
    def fallback_rate(self) -> float:
        """The share of people who saw the fallback; 0 without people."""
        return self.fallback / self.people if self.people else 0.0


def simulate(rule_set: RuleSet, batches: Iterable[Any], *, workers: int = 1) -> Simulation:
    """Return what a rule set decides for people.

    Args:
        rule_set: Without foreign rules.
        batches: Arrow tables or record batches, with a column per attribute and unit.
        workers: Threads; numpy computes outside of Python's lock.

    Raises:
        UsageError: A rule is beyond the language, or a unit's column is missing.
        ConditionError: A column is missing, or of another type than the attribute.
    """
    decider = Decider(rule_set)
    width = max((len(rule.arms) for rule in rule_set.rules if not isinstance(rule, ForeignRule)), default=1)
    size = len(decider.steps) * width

    def count(batch: Any) -> Array:  # noqa: ANN401 - pyarrow has no types to name
        rules, arms = decider.decide(batch)
        taken = rules >= 0
        cells = rules[taken].astype(np.int64) * width + arms[taken]
        return np.append(np.bincount(cells, minlength=size), (~taken).sum())

    total = np.zeros(size + 1, dtype=np.int64)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        source = iter(batches)
        # A few batches at a time: the source may be larger than memory.
        while group := list(islice(source, 2 * workers)):
            for counted in pool.map(count, group):
                total += counted
    return _simulation(rule_set, total[:-1].reshape(len(decider.steps), width), int(total[-1]))


def _simulation(rule_set: RuleSet, counts: Array, fallback: int) -> Simulation:
    shares: list[ArmShare] = []
    never: list[str] = []
    for rule, row in zip(rule_set.rules, counts, strict=True):
        if isinstance(rule, ForeignRule):  # a decider has none
            continue
        people = int(row.sum())
        if not people:
            never.append(rule.rule_id)
        ranges = bucket_ranges(rule) or ((0.0, 1.0),)
        # Places of the hash, not weights: 0.3333 of 10,000 places are 3,333.
        taken = buckets_of(ranges, rule.hash_version)
        all_taken = sum(place >= 0 for place in taken) or 1
        for at, arm in enumerate(rule.arms):
            expected = taken.count(at) / all_taken
            error = _SIGMAS * math.sqrt(expected * (1 - expected) / people) if people else 1.0
            shares.append(
                ArmShare(
                    rule_id=rule.rule_id,
                    variant=arm.variant,
                    people=int(row[at]),
                    share=int(row[at]) / people if people else 0.0,
                    expected=expected,
                    low=max(expected - error, 0.0),
                    high=min(expected + error, 1.0),
                )
            )
    return Simulation(rule_set.feature, int(counts.sum()) + fallback, fallback, tuple(shares), tuple(never))
