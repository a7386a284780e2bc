"""A rule set: the ordered decisions of one feature, who they mean, and what each person then sees.

Rules are tried from the top, and the first that takes a person decides. Who is taken by none sees the
fallback. Nothing here judges: a document that is wrong, such as weights of 0.5 and 0.6, can be read, and
`checks` says all that is wrong with it at once.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, JsonValue, model_validator

from gtm_orchestra.conditions import all_of, negate, parse
from gtm_orchestra.config import AttributeType, Channel
from gtm_orchestra.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gtm_orchestra.conditions import Condition

__all__ = [
    "BUCKETS",
    "MAX_RULES",
    "Arm",
    "ForeignRule",
    "HashFilter",
    "Holdout",
    "Range",
    "Rule",
    "RuleSet",
    "bucket_ranges",
    "buckets_of",
    "fail_closed",
]

MAX_RULES = 500
BUCKETS = {1: 1_000, 2: 10_000}  # by version of the hash: how many places a person can fall on

Range = tuple[float, float]
Environment = Literal["staging", "production"]
HashVersion = Literal[1, 2]


class Arm(Model):
    """One variant of a rule. The weight is a fraction of the people that the rule takes."""

    variant: str
    value: JsonValue
    weight: float = 1.0
    name: str = ""


class HashFilter(Model):
    """Only people whose hash falls into one of the ranges: a namespace, or a holdout's other side."""

    unit: str
    seed: str
    hash_version: HashVersion = 2
    ranges: tuple[Range, ...]


class Holdout(Model):
    """A share of all people who see no variant of any rule set with the same seed."""

    seed: str = Field(min_length=1)
    share: float = Field(gt=0.0, lt=1.0)
    unit: str = "id"

    def as_filter(self) -> HashFilter:
        """Return the filter that lets everyone else pass."""
        return HashFilter(unit=self.unit, seed=self.seed, ranges=((self.share, 1.0),))


class Rule(Model):
    """One rule: whom it means, and the one value that they see, or the arms between which their hash decides.

    Attributes:
        everyone: Said in so many words, because an empty condition never means everyone.
        condition: In the rule language; canonical.
        coverage: The fraction of those people that is taken; None: all of them, hashed or not.
        ranges: Stretches of the hash, one per arm, instead of weights and coverage.
        unit: The attribute that is hashed.
        extra: Fields of the payload that do not change a decision here, kept as they are.
    """

    rule_id: str
    everyone: bool = False
    condition: dict[str, JsonValue] | None = None
    arms: tuple[Arm, ...] = Field(min_length=1)
    coverage: float | None = None
    ranges: tuple[Range, ...] | None = None
    unit: str = "id"
    seed: str = ""
    experiment: str | None = None
    hash_version: HashVersion = 2
    filters: tuple[HashFilter, ...] = ()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    extra: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_whom(self) -> Self:
        if self.everyone == (self.condition is not None):
            message = "a rule has either a condition or everyone = true"
            raise ValueError(message)
        return self

    @property
    def is_split(self) -> bool:
        """Whether the hash decides between several arms."""
        return len(self.arms) > 1

    @property
    def hashes(self) -> bool:
        """Whether the rule itself needs the unit's value; its filters aside."""
        return self.is_split or self.coverage is not None or self.ranges is not None

    def is_valid_at(self, moment: datetime) -> bool:
        """Whether the rule is in force: from its first moment, up to but not with its last."""
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_until is None or moment < self.valid_until
        )


class ForeignRule(Model):
    """A rule that is not in the rule language: kept as it is, written back unchanged, never judged."""

    rule_id: str
    raw: dict[str, JsonValue]
    why: tuple[str, ...] = Field(min_length=1)
    unit: str | None = None


class RuleSet(Model):
    """The decisions of one feature on one channel, in order."""

    feature: str = Field(min_length=1)
    channel: Channel | None = None
    environment: Environment | None = None
    rules: tuple[Rule | ForeignRule, ...] = ()
    fallback: JsonValue = None
    holdout: Holdout | None = None
    attributes: dict[str, AttributeType] = Field(default_factory=dict)
    extra: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def units(self) -> tuple[str, ...]:
        """The attributes that are hashed anywhere in the rule set, sorted: more than one is a mixed unit."""
        found = {rule.unit for rule in self.rules if isinstance(rule, Rule) and rule.hashes}
        found |= {rule.unit for rule in self.rules if isinstance(rule, ForeignRule) and rule.unit is not None}
        found |= {each.unit for rule in self.rules for each in self.filters_of(rule)}
        return tuple(sorted(found))

    def filters_of(self, rule: Rule | ForeignRule) -> tuple[HashFilter, ...]:
        """Return the filters of a rule, the holdout's first."""
        own = rule.filters if isinstance(rule, Rule) else ()
        return own if self.holdout is None else (self.holdout.as_filter(), *own)

    def condition_of(self, rule: Rule) -> Condition | None:
        """Return whom a rule means; None for everyone.

        Raises:
            ConditionError: The condition is not in the language.
        """
        if rule.condition is None:
            return None
        # Guards are judged where a condition is written and where a payload is read, not here.
        return parse(rule.condition, self.attributes, nullable=())


def bucket_ranges(rule: Rule) -> tuple[Range, ...] | None:
    """Return the stretch of the hash that each arm takes, as the SDKs compute it; None: no hash is taken.

    Weights that do not fit the arms, or whose sum is not between 0.99 and 1.01, are replaced by equal ones.

    >>> arms = (Arm(variant="a", value=1, weight=0.5), Arm(variant="b", value=2, weight=0.6))
    >>> bucket_ranges(Rule(rule_id="r", everyone=True, arms=arms))
    ((0.0, 0.5), (0.5, 1.0))
    """
    if rule.ranges is not None:
        return rule.ranges
    if not rule.is_split:
        return None if rule.coverage is None else ((0.0, rule.coverage),)
    coverage = min(max(1.0 if rule.coverage is None else rule.coverage, 0.0), 1.0)
    weights = [arm.weight for arm in rule.arms]
    if min(weights) < 0 or not 0.99 <= sum(weights) <= 1.01:  # noqa: PLR2004 - the SDKs' tolerance
        weights = [1 / len(weights)] * len(weights)
    ranges: list[Range] = []
    start = 0.0
    for weight in weights:
        ranges.append((start, start + coverage * weight))
        start += weight
    return tuple(ranges)


def buckets_of(ranges: Iterable[Range], hash_version: int) -> list[int]:
    """Return, for each place of the hash, which range takes it first, as the SDKs compare; -1 for none."""
    size = BUCKETS[hash_version]
    found = [-1] * size
    for at, (low, high) in reversed(list(enumerate(ranges))):
        first, end = _first_from(low, size), _first_from(high, size)
        if first < end:
            found[first:end] = [at] * (end - first)
    return found


def _first_from(bound: float, size: int) -> int:
    """Return the first place whose fraction is at least `bound`; `size` if there is none."""
    place = max(0, min(size, math.ceil(min(bound, 2.0) * size) - 2))
    while place < size and place / size < bound:
        place += 1
    return place


def fail_closed(
    rule_set: RuleSet, *, purpose: str, suppressions: Iterable[dict[str, object]] = ()
) -> RuleSet:
    """Return the rule set with consent and suppressions inside every rule.

    Whoever's consent for the purpose is not `granted`, and whoever a suppression means or may mean because an
    attribute of theirs is missing, is taken by no rule and sees the fallback.

    Args:
        rule_set: Its `attributes` must know the attributes of the suppressions.
        purpose: Of consent, such as `product_email`.
        suppressions: Conditions of people who never see a variant.

    Raises:
        ConditionError: A condition is not in the language.
        ValueError: A rule is foreign: nothing can be put inside it.
    """
    consent = f"consent.{purpose}"
    schema = {**rule_set.attributes, consent: "string"}
    guards: list[dict[str, object]] = [{consent: "granted"}, *(negate(each) for each in suppressions)]
    rules = []
    for rule in rule_set.rules:
        if isinstance(rule, ForeignRule):
            message = f"rule {rule.rule_id!r} is not in the rule language; consent cannot be put inside it"
            raise ValueError(message)  # noqa: TRY004 - the rule's content is wrong, not the caller's type
        own: list[Mapping[str, object]] = [] if rule.condition is None else [rule.condition]
        parsed = parse(all_of(*own, *guards), schema, nullable=())
        rules.append(rule.model_copy(update={"everyone": False, "condition": parsed.to_json()}))
    return rule_set.model_copy(update={"rules": tuple(rules), "attributes": schema})
