"""Rule sets from the features that GrowthBook's SDKs load, and back.

Nothing is dropped in silence: a rule that is not in the rule language becomes a `ForeignRule` that is written
back as it was, and a finding says why it was not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gtm_orchestra.conditions import to_growthbook
from gtm_orchestra.decisions.findings import Finding
from gtm_orchestra.decisions.payload_findings import raw_findings
from gtm_orchestra.decisions.rule_set import Arm, ForeignRule, HashFilter, Rule, RuleSet
from gtm_orchestra.decisions.translation import ForeignConditionError, Translator, infer_types

if TYPE_CHECKING:
    from datetime import datetime

    from gtm_orchestra.config import AttributeType

__all__ = ["Payload", "read_features", "write_features"]

_DECIDING = {
    "id", "key", "condition", "force", "variations", "weights", "coverage", "range", "ranges", "seed",
    "hashAttribute", "hashVersion", "namespace", "filters", "meta",
}  # fmt: skip
_HARMLESS = {
    "name", "phase", "tracks", "metadata", "fallbackAttribute", "disableStickyBucketing", "bucketVersion",
    "minBucketVersion",
}  # fmt: skip
_FOREIGN = {
    "parentConditions": "it depends on another feature (parentConditions)",
    "contextualBanditRef": "a contextual bandit decides (contextualBanditRef)",
    "contextualVariations": "a contextual bandit decides (contextualVariations)",
}


@dataclass(frozen=True, slots=True)
class Payload:
    """What was read: one rule set per feature, in the payload's order, and what reading already found."""

    rule_sets: tuple[RuleSet, ...]
    findings: tuple[Finding, ...]


class _ForeignError(Exception):
    pass


def read_features(
    document: Mapping[str, Any], *, types: Mapping[str, AttributeType] | None = None
) -> Payload:
    """Return the rule sets of a features payload.

    Args:
        document: `features` and, if any, `savedGroups`, as `read_document` gives it.
        types: Of attributes that a catalog knows; the others are inferred from what they are compared with.
    """
    features: Mapping[str, Any] = document["features"]
    groups = document.get("savedGroups") or {}
    rules = [rule for feature in features.values() for rule in _rules(feature)]
    conditions = [rule["condition"] for rule in rules if isinstance(rule.get("condition"), Mapping)]
    conditions += [
        entry["condition"]
        for entry in groups.values()
        if isinstance(entry, Mapping) and isinstance(entry.get("condition"), Mapping)
    ]
    inferred, conflicts = infer_types(conditions, groups)
    for name in types or {}:
        conflicts.pop(name, None)
    translator = Translator({**inferred, **(types or {})}, conflicts, groups)
    rule_sets = []
    findings = [
        Finding(
            check="mixed-types",
            severity="blocker",
            says=f"attribute {name!r} is compared as {' and as '.join(kinds)}; an SDK that is given the one "
            "never meets the other",
            mend=f"decide what {name!r} is, and write all its values that way",
        )
        for name, kinds in conflicts.items()
    ]
    for key, feature in features.items():
        rule_set, found = _rule_set(key, feature, translator)
        rule_sets.append(rule_set)
        findings += found
    return Payload(tuple(rule_sets), tuple(findings))


def _rules(feature: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rules = feature.get("rules")
    return [rule for rule in rules if isinstance(rule, Mapping)] if isinstance(rules, list) else []


def _rule_set(key: str, feature: Mapping[str, Any], translator: Translator) -> tuple[RuleSet, list[Finding]]:
    findings: list[Finding] = []
    rules: list[Rule | ForeignRule] = []
    listed = feature.get("rules") or []
    for place, raw in enumerate(listed if isinstance(listed, list) else [listed], start=1):
        if not isinstance(raw, Mapping):
            rules.append(ForeignRule(rule_id=f"#{place}", raw={"": raw}, why=("it is no JSON object",)))
            continue
        rule_id = raw["id"] if isinstance(raw.get("id"), str) and raw["id"] else f"#{place}"
        findings += raw_findings(key, rule_id, raw)
        rules.append(_rule(key, rule_id, raw, translator))
    used = {name for rule in rules if isinstance(rule, Rule) for name in _names(rule)}
    rule_set = RuleSet(
        feature=key,
        rules=tuple(rules),
        fallback=feature.get("defaultValue"),
        attributes={name: kind for name, kind in translator.types.items() if name in used},
        extra={name: value for name, value in feature.items() if name not in ("rules", "defaultValue")},
    )
    findings += [_not_judged(key, rule) for rule in rules if isinstance(rule, ForeignRule)]
    return rule_set, findings


def _names(rule: Rule) -> set[str]:
    found: set[str] = set()
    waiting: list[object] = [rule.condition]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            found |= {key for key in value if not key.startswith("$")}
            waiting += list(value.values())
        elif isinstance(value, list):
            waiting += value
    return found


def _not_judged(feature: str, rule: ForeignRule) -> Finding:
    return Finding(
        check="not-judged",
        severity="warning",
        feature=feature,
        rules=(rule.rule_id,),
        says=f"rule {rule.rule_id!r} is not judged: {'; '.join(rule.why)}",
        mend="write it with $eq, $ne, $in, $nin, $lt, $lte, $gt, $gte, $exists, $not, $and, $or and $nor "
        "over text, numbers, true or false, and UTC times, or check this rule by hand",
    )


def _rule(key: str, rule_id: str, raw: Mapping[str, Any], translator: Translator) -> Rule | ForeignRule:
    why = [words for name, words in _FOREIGN.items() if raw.get(name)]
    why += [
        f"field {name!r} is unknown" for name in raw if name not in _DECIDING | _HARMLESS | _FOREIGN.keys()
    ]
    condition = None
    try:
        given = raw.get("condition")
        if given is not None and not isinstance(given, Mapping):
            why.append("its condition is no object")
        elif given:
            condition = translator.read(given)
    except ForeignConditionError as error:
        why.append(str(error))
    if not why:
        try:
            return _understood(key, rule_id, raw, condition)
        except _ForeignError as error:
            why.append(str(error))
        except (ValidationError, AttributeError, TypeError, ValueError, KeyError, IndexError):
            why.append("a field of it has another type than the SDKs expect")
    unit = raw.get("hashAttribute", "id") if "variations" in raw or "coverage" in raw else None
    return ForeignRule(
        rule_id=rule_id, raw=dict(raw), why=tuple(why), unit=unit if isinstance(unit, str) else None
    )


def _understood(key: str, rule_id: str, raw: Mapping[str, Any], condition: dict[str, Any] | None) -> Rule:
    arms = _arms(raw)
    split = len(arms) > 1
    ranges = raw.get("ranges") if split else ([raw["range"]] if raw.get("range") else None)
    if ranges and len(ranges) > len(arms):
        raise _ForeignError("it has more ranges than variations")
    coverage = None if ranges else raw.get("coverage")
    hashes = split or coverage is not None or bool(ranges)
    unit = raw.get("hashAttribute") or "id"
    given = raw.get("hashVersion") or 1
    if hashes and given not in (1, 2):
        raise _ForeignError(f"its hashVersion {given!r} is unknown")
    own_seed = (raw.get("key") if split else None) or key
    return Rule.model_validate(
        {
            "rule_id": rule_id,
            "everyone": condition is None,
            "condition": condition,
            "arms": arms,
            "coverage": coverage,
            "ranges": ranges or None,
            "unit": unit if hashes else "id",
            "seed": (raw.get("seed") or own_seed) if hashes else "",
            "experiment": (raw.get("key") or key) if split else None,
            "hash_version": given if hashes else 2,
            "filters": _filters(raw, unit, split=split),
            "extra": {name: value for name, value in raw.items() if name in _HARMLESS},
        }
    )


def _arms(raw: Mapping[str, Any]) -> list[Arm]:
    if raw.get("force") is not None:
        return [Arm(variant=str(raw.get("key") or "forced"), value=raw["force"])]
    if "force" in raw:
        raise _ForeignError(
            "it forces null, which the SDK for JavaScript serves and the one for Python skips"
        )
    variations = raw.get("variations")
    if not isinstance(variations, list):
        raise _ForeignError("it has neither force nor variations, and the SDKs skip it")
    if len(variations) < 2:  # noqa: PLR2004 - a split is between two
        raise _ForeignError("it has fewer than two variations, and the SDKs skip it")
    meta = raw.get("meta") or []
    described = [meta[at] if at < len(meta) else {} for at in range(len(variations))]
    if any(each.get("passthrough") for each in described):
        raise _ForeignError("one of its variations passes people on to later rules (passthrough)")
    weights = raw.get("weights")
    if not isinstance(weights, list) or len(weights) != len(variations):
        weights = [1 / len(variations)] * len(variations)
    return [
        Arm(
            variant=str(each.get("key") or at),
            value=value,
            weight=weights[at],
            name=str(each.get("name") or ""),
        )
        for at, (value, each) in enumerate(zip(variations, described, strict=True))
    ]


def _filters(raw: Mapping[str, Any], unit: str, *, split: bool) -> list[HashFilter]:
    filters = raw.get("filters")
    if filters:
        return [
            HashFilter(
                unit=each.get("attribute", "id"),
                seed=each.get("seed", ""),
                hash_version=each.get("hashVersion", 2),
                ranges=tuple((low, high) for low, high in each["ranges"]),
            )
            for each in filters
        ]
    namespace = raw.get("namespace")
    if not namespace or not split:  # the SDKs read a namespace on splits only
        return []
    name, low, high = namespace
    return [HashFilter(unit=unit, seed=f"__{name}", hash_version=1, ranges=((low, high),))]


def write_features(rule_sets: Iterable[RuleSet], *, at: datetime | None = None) -> dict[str, Any]:
    """Return the payload of rule sets: `{"features": …}`, for the SDKs.

    `$exists` and `$type` stand beside every comparison, and namespaces are written as the filters that they
    are. Reading it gives rule sets that decide alike, person by person.

    Args:
        rule_sets: At most one per feature.
        at: Rules that are not in force at that moment are left out; without it, all are written.

    Raises:
        ValueError: Two rule sets of one feature.
    """
    features: dict[str, Any] = {}
    for rule_set in rule_sets:
        if rule_set.feature in features:
            message = f"two rule sets for the feature {rule_set.feature!r}"
            raise ValueError(message)
        rules = [
            rule
            for rule in rule_set.rules
            if at is None or isinstance(rule, ForeignRule) or rule.is_valid_at(at)
        ]
        features[rule_set.feature] = {
            **rule_set.extra,
            "defaultValue": rule_set.fallback,
            "rules": [_written(rule_set, rule) for rule in rules],
        }
    return {"features": features}


def _written(rule_set: RuleSet, rule: Rule | ForeignRule) -> dict[str, Any]:
    if isinstance(rule, ForeignRule):
        return dict(rule.raw)
    raw: dict[str, Any] = {**rule.extra, "id": rule.rule_id}
    condition = rule_set.condition_of(rule)
    if condition is not None:
        raw["condition"] = to_growthbook(condition)
    if filters := rule_set.filters_of(rule):
        raw["filters"] = [
            {
                "attribute": each.unit,
                "seed": each.seed,
                "hashVersion": each.hash_version,
                "ranges": [list(stretch) for stretch in each.ranges],
            }
            for each in filters
        ]
    if rule.is_split:
        raw |= {
            "key": rule.experiment or rule.seed or rule_set.feature,
            "variations": [arm.value for arm in rule.arms],
            "weights": [arm.weight for arm in rule.arms],
            "meta": [{"key": arm.variant, **({"name": arm.name} if arm.name else {})} for arm in rule.arms],
        }
    else:
        raw |= {"key": rule.arms[0].variant, "force": rule.arms[0].value}
    if rule.hashes:
        raw |= {"hashAttribute": rule.unit, "hashVersion": rule.hash_version, "seed": _seed(rule_set, rule)}
    if rule.ranges is not None:
        stretches = [list(stretch) for stretch in rule.ranges]
        raw |= {"ranges": stretches} if rule.is_split else {"range": stretches[0]}
    elif rule.coverage is not None:
        raw["coverage"] = rule.coverage
    return raw


def _seed(rule_set: RuleSet, rule: Rule) -> str:
    return rule.seed or rule.experiment or rule_set.feature
