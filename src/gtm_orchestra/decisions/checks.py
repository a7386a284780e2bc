"""All that is wrong with rule sets before anything runs, each with an example person and the mend."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from gtm_orchestra.conditions.tree import Compare, Condition, Every, leaves
from gtm_orchestra.decisions.cells import Cells, TooManyCellsError, dimensions_of
from gtm_orchestra.decisions.findings import Finding, in_order
from gtm_orchestra.decisions.reach import has_unit, is_invented, reach_of
from gtm_orchestra.decisions.rule_set import MAX_RULES, Rule, RuleSet
from gtm_orchestra.decisions.solver import Solver, UndecidedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from gtm_orchestra.conditions.tree import Value
    from gtm_orchestra.config import AttributeSettings
    from gtm_orchestra.decisions.reach import Reach

__all__ = ["check_rule_sets"]

_WEIGHT_TOLERANCE = 0.99e-4
_SHOWN = 4


class _Answers(Protocol):
    def is_possible(self, every: Sequence[int], none: Sequence[int]) -> bool: ...

    def find(self, every: Sequence[int], none: Sequence[int]) -> dict[str, Value] | None: ...


def check_rule_sets(
    rule_sets: Sequence[RuleSet],
    *,
    already: Sequence[Finding] = (),
    catalog: Mapping[str, AttributeSettings] | None = None,
) -> list[Finding]:
    """Return every finding, the worst first; an empty list, or notes alone, is a clean bill.

    Args:
        rule_sets: Of one payload or plan.
        already: What reading the payload found.
        catalog: The attribute catalog; without it, a note says that attributes were not judged.

    Raises:
        ConditionError: A rule's condition is not in the language (`read_features` makes no such rule).
    """
    found = list(already)
    for rule_set in rule_sets:
        if len(rule_set.rules) > MAX_RULES:
            found.append(_too_many(rule_set))
            continue
        found += _plain_findings(rule_set, {(each.check, each.rules) for each in already})
        found += _reach_findings(rule_set)
    found += _attribute_findings(rule_sets, catalog)
    return in_order(found)


def _too_many(rule_set: RuleSet) -> Finding:
    return Finding(
        check="too-many-rules",
        severity="blocker",
        feature=rule_set.feature,
        says=f"{len(rule_set.rules)} rules; at most {MAX_RULES} are judged, and nobody can review more",
        mend="group values with $in, or split the feature",
    )


def _plain_findings(rule_set: RuleSet, known: set[tuple[str, tuple[str, ...]]]) -> list[Finding]:
    """Return what can be seen without asking who is meant."""
    found: list[Finding] = []
    feature = rule_set.feature
    if rule_set.fallback is None:
        found.append(
            Finding(
                check="missing-fallback",
                severity="blocker",
                feature=feature,
                says="there is no fallback: whoever no rule takes sees nothing",
                mend="set defaultValue to what everyone else sees",
            )
        )
    for rule_id, count in Counter(rule.rule_id for rule in rule_set.rules).items():
        if count > 1:
            found.append(
                Finding(
                    check="duplicate-id",
                    severity="blocker",
                    feature=feature,
                    rules=(rule_id,),
                    says=f"{count} rules have the id {rule_id!r}; no report could tell them apart",
                    mend="give each rule an id of its own",
                )
            )
    if len(rule_set.units) > 1:
        found.append(
            Finding(
                check="mixed-units",
                severity="blocker",
                feature=feature,
                says=f"people are hashed by {' and by '.join(rule_set.units)}; one person can get two "
                "variants, and no result can be counted per person",
                mend="hash by one unit; decide what happens at login",
            )
        )
    for rule in rule_set.rules:
        if isinstance(rule, Rule):
            found += _rule_findings(rule_set, rule, known)
    return found


def _rule_findings(rule_set: RuleSet, rule: Rule, known: set[tuple[str, tuple[str, ...]]]) -> list[Finding]:
    found: list[Finding] = []
    feature, rules = rule_set.feature, (rule.rule_id,)
    total = sum(arm.weight for arm in rule.arms)
    if rule.ranges is None and rule.is_split and ("weights", rules) not in known:
        negative = min(arm.weight for arm in rule.arms) < 0
        if negative or abs(total - 1) > _WEIGHT_TOLERANCE:
            found.append(
                Finding(
                    check="weights",
                    severity="blocker",
                    feature=feature,
                    rules=rules,
                    says=f"rule {rule.rule_id!r} has weights with the sum {total:g}, not 1"
                    + (", and a negative one" if negative else ""),
                    mend="give weights with the sum 1; use coverage to take fewer people",
                )
            )
    seeds = {rule.seed, rule.experiment or "", *(each.seed for each in rule.filters)}
    odd = sorted(seed for seed in seeds if not seed.isascii()) if rule.hashes or rule.filters else []
    if odd:
        found.append(
            Finding(
                check="non-ascii-seed",
                severity="warning",
                feature=feature,
                rules=rules,
                says=f"rule {rule.rule_id!r} hashes with the seed {odd[0]!r}; an SDK that hashes bytes "
                "instead of UTF-16 puts people elsewhere",
                mend="use a seed of plain letters, digits and -",
            )
        )
    if rule.hashes and rule.hash_version == 1:
        found.append(
            Finding(
                check="hash-version",
                severity="note",
                feature=feature,
                rules=rules,
                says=f"rule {rule.rule_id!r} uses version 1 of the hash, whose splits of one unit are not "
                "independent of each other",
                mend="use hashVersion 2 for new experiments; a running one would move people",
            )
        )
    return found


def _reach_findings(rule_set: RuleSet) -> list[Finding]:
    """Return what asks who is meant: nobody, nobody left, the same people twice, people without a rule."""
    reaches, sizes = reach_of(rule_set)
    if not reaches:
        return []
    # Of rule i: 2i is whom it takes, 2i + 1 whom its condition means.
    conditions = [each for reach in reaches for each in (reach.taken, reach.meant)]
    units = sorted({unit for reach in reaches for unit in reach.units})
    everyone_has = len(conditions)
    conditions.append(_all_have(units))
    invented = frozenset(
        leaf.attribute for each in conditions for leaf in leaves(each.root) if is_invented(leaf.attribute)
    )
    dimensions = dimensions_of(conditions, never_missing=invented, bounds=sizes)
    answers: _Answers
    try:
        answers = Cells(conditions, dimensions)
    except TooManyCellsError:
        try:
            answers = Solver(conditions, dimensions)
        except UndecidedError:
            return [_undecided(rule_set, [reach.rule.rule_id for reach in reaches], installed=False)]
    review = _Review(rule_set, reaches, answers, everyone_has)
    found = [finding for at in range(len(reaches)) for finding in review.rule(at)]
    found += review.gap()
    if review.open:
        found.append(_undecided(rule_set, review.open, installed=True))
    return found


def _all_have(units: list[str]) -> Condition:
    return Condition(Every(tuple(Compare(has_unit(unit), "boolean", "$eq", value=True) for unit in units)))


def _undecided(rule_set: RuleSet, rule_ids: list[str], *, installed: bool) -> Finding:
    why = "the solver gave up" if installed else "their conditions tell too many people apart for a table"
    return Finding(
        check="not-decided",
        severity="warning",
        feature=rule_set.feature,
        rules=tuple(rule_ids),
        says=f"for {len(rule_ids)} rules it was not decided whether they reach anybody: {why}",
        mend="split the feature, or name fewer values"
        if installed
        else "install the solver: pip install 'gtm-orchestra[solver]'",
    )


class _Review:
    """The rules of one rule set, from the top."""

    def __init__(self, rule_set: RuleSet, reaches: list[Reach], answers: _Answers, everyone_has: int) -> None:
        self._rule_set, self._reaches, self._answers = rule_set, reaches, answers
        self._everyone_has = everyone_has
        self.open: list[str] = []

    def rule(self, at: int) -> list[Finding]:
        """Return the findings of one rule."""
        try:
            return self._rule(at)
        except UndecidedError:
            self.open.append(self._reaches[at].rule.rule_id)
            return []

    def _rule(self, at: int) -> list[Finding]:
        rule_id = self._reaches[at].rule.rule_id
        if not self._answers.is_possible([2 * at + 1], []):
            says = f"rule {rule_id!r} means nobody: its condition contradicts itself"
            return [self._finding("impossible", at, says, "mend the condition, or take the rule out")]
        if not self._answers.is_possible([2 * at], []):
            says = (
                f"rule {rule_id!r} takes nobody: its coverage, ranges or filters leave no place of the hash"
            )
            return [self._finding("no-coverage", at, says, "raise the coverage, or take the rule out")]
        earlier = self._claims(at)
        if not self._answers.is_possible([2 * at], earlier):
            return [self._unreachable(at, self._answers.find([2 * at], []))]
        found = []
        if not self._answers.is_possible([2 * at, self._everyone_has], earlier):
            left = self._answers.find([2 * at], earlier)
            units = " or ".join(sorted({unit for each in self._reaches[:at] for unit in each.units}))
            says = f"rule {rule_id!r} is left only with people without {units}; earlier rules take all others"
            mend = f"move {rule_id!r} up, or lower the coverage of an earlier rule"
            found.append(self._finding("without-unit", at, says, mend, left, severity="warning"))
        return [*found, *self._overlap(at)]

    def gap(self) -> list[Finding]:
        """Return a note if somebody is meant by no rule; nothing if a rule is foreign and might mean them."""
        if len(self._reaches) < len(self._rule_set.rules):
            return []
        try:
            whom = self._answers.find([], [2 * at + 1 for at in range(len(self._reaches))])
        except UndecidedError:
            return []
        if whom is None:
            return []
        return [
            Finding(
                check="gap",
                severity="note",
                feature=self._rule_set.feature,
                says="some people are meant by no rule and see the fallback",
                mend="nothing, if that is meant; else add a rule for them",
                example=_person(whom),
            )
        ]

    def _claims(self, before: int) -> list[int]:
        return [2 * at for at in range(before) if self._reaches[at].surely]

    def _unreachable(self, at: int, whom: dict[str, Value] | None) -> Finding:
        rule = self._reaches[at].rule
        takers = self._takers(at)
        ids = tuple(self._reaches[each].rule.rule_id for each in takers)
        if len(takers) == 1 and self._same_people(at, takers[0]):
            other = self._reaches[takers[0]].rule
            if other.arms != rule.arms:
                says = (
                    f"rules {other.rule_id!r} and {rule.rule_id!r} mean the same people and give them "
                    f"different things; only {other.rule_id!r} counts"
                )
                mend = "decide which of them holds, and take the other out"
                return self._finding("contradictory", at, says, mend, whom, others=ids)
        shown = ", ".join(repr(each) for each in ids[:_SHOWN])
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        says = (
            f"rule {rule.rule_id!r} reaches nobody: everybody whom it means is taken before by {shown}{more}"
        )
        mend = f"move {rule.rule_id!r} above {ids[0]!r}, or take it out"
        return self._finding("unreachable", at, says, mend, whom, others=ids)

    def _same_people(self, at: int, other: int) -> bool:
        """Whether two rules take the same people, without a hash in either."""
        if self._reaches[at].units or self._reaches[other].units:
            return False
        pairs = ((at, other), (other, at))
        return all(not self._answers.is_possible([2 * one], [2 * two]) for one, two in pairs)

    def _takers(self, at: int) -> list[int]:
        """Return the earlier rules that together take everybody of a rule: none of them can be spared."""
        needed = [each for each in range(at) if self._reaches[each].surely]
        for each in list(needed):
            rest = [other for other in needed if other != each]
            if not self._answers.is_possible([2 * at], [2 * other for other in rest]):
                needed = rest
        return needed

    def _overlap(self, at: int) -> list[Finding]:
        rule = self._reaches[at].rule
        for each in range(at):
            other = self._reaches[each].rule
            # A rule for everyone at the end is a fallback of its own, not an overlap.
            if rule.everyone or other.arms == rule.arms:
                continue
            whom = self._answers.find([2 * at, 2 * each], [])
            if whom is not None:
                says = (
                    f"rules {other.rule_id!r} and {rule.rule_id!r} mean some of the same people; "
                    f"{other.rule_id!r} stands above and is asked first"
                )
                mend = "nothing, if the order is meant; else exclude them from one of the two"
                return [
                    self._finding("overlap", at, says, mend, whom, severity="note", others=(other.rule_id,))
                ]
        return []

    def _finding(
        self,
        check: str,
        at: int,
        says: str,
        mend: str,
        whom: dict[str, Value] | None = None,
        *,
        severity: str = "blocker",
        others: tuple[str, ...] = (),
    ) -> Finding:
        ids = (self._reaches[at].rule.rule_id, *others)
        # What is said holds whatever the other attributes are: naming them would only distract.
        named = {name for each in self._reaches if each.rule.rule_id in ids for name in each.meant.attributes}
        return Finding.model_validate(
            {
                "check": check,
                "severity": severity,
                "feature": self._rule_set.feature,
                "rules": ids,
                "says": says,
                "mend": mend,
                "example": None
                if whom is None
                else {name: value for name, value in whom.items() if name in named},
            }
        )


def _person(whom: Mapping[str, Value]) -> dict[str, JsonValue]:
    return {name: value for name, value in whom.items() if not is_invented(name)}


def _attribute_findings(
    rule_sets: Sequence[RuleSet], catalog: Mapping[str, AttributeSettings] | None
) -> list[Finding]:
    used: dict[str, tuple[str, ...]] = {}
    for rule_set in rule_sets:
        for rule in rule_set.rules:
            condition = rule_set.condition_of(rule) if isinstance(rule, Rule) else None
            for name in condition.attributes if condition is not None else ():
                used[name] = (*used.get(name, ()), rule.rule_id)
    if catalog is None:
        if not used:
            return []
        return [
            Finding(
                check="attributes-not-judged",
                severity="note",
                says=f"whether the {len(used)} attributes may be used was not judged: there is no catalog",
                mend="give one: --catalog gtm.toml",
            )
        ]
    return [
        finding
        for name, rules in sorted(used.items())
        if not name.startswith("consent.")
        for finding in _catalog_finding(name, rules, catalog.get(name))
    ]


def _catalog_finding(name: str, rules: tuple[str, ...], entry: AttributeSettings | None) -> list[Finding]:
    severity = "blocker"
    if entry is None:
        check, says = "unknown-attribute", "is not in the catalog"
        mend = "add it with 'gtm catalog', or use an attribute that is there"
    elif entry.review == "denied":
        check, says = "denied-attribute", "was denied in the catalog"
        mend = "take it out of the rules"
    elif entry.sensitivity == "special":
        check, says = "special-attribute", "is of a special category, which no rule may use"
        mend = "take it out of the rules"
    elif entry.review != "accepted":
        check, says = "unreviewed-attribute", "has not been reviewed"
        mend = "review it with 'gtm catalog review'"
    elif entry.sensitivity == "proxy":
        severity, check, says = "warning", "sensitive-proxy", "may stand for something sensitive"
        mend = "say in the catalog why it is needed, or take it out"
    else:
        return []
    return [
        Finding.model_validate(
            {
                "check": check,
                "severity": severity,
                "rules": tuple(dict.fromkeys(rules)),
                "says": f"attribute {name!r} {says}",
                "mend": mend,
            }
        )
    ]
