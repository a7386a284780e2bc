"""Every check finds what it is for, says it in whole sentences, and stays silent otherwise."""

from __future__ import annotations

import itertools
import random
import sys
from typing import Any

import pytest
from growthbook.core import chooseVariation, evalCondition, getBucketRanges
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtm_orchestra.config import AttributeSettings
from gtm_orchestra.decisions import Finding, check_rule_sets, read_features
from gtm_orchestra.decisions import cells as cells_module


def findings(
    *rules: dict[str, Any],
    catalog: dict[str, AttributeSettings] | None = None,
    **feature: Any,  # noqa: ANN401 - any JSON value
) -> list[Finding]:
    document = {"features": {"banner": {"defaultValue": "plain", "rules": list(rules), **feature}}}
    payload = read_features(document)
    found = check_rule_sets(payload.rule_sets, already=payload.findings, catalog=catalog)
    return [each for each in found if each.check != "attributes-not-judged"]


def force(
    rule_id: str,
    condition: dict[str, Any] | None = None,
    value: str = "v",
    **more: Any,  # noqa: ANN401 - any JSON value
) -> dict[str, Any]:
    return {
        "id": rule_id,
        "force": value,
        **({"condition": condition} if condition is not None else {}),
        **more,
    }


def split(
    rule_id: str,
    condition: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - any JSON value
) -> dict[str, Any]:
    rule = {"id": rule_id, "variations": ["a", "b"], "hashVersion": 2, "key": rule_id, **more}
    return rule if condition is None else {**rule, "condition": condition}


def one(check: str, found: list[Finding]) -> Finding:
    [only] = [each for each in found if each.check == check]
    return only


def test_a_sound_rule_set_has_no_finding() -> None:
    rules = [force("de", {"country": "DE"}), split("rest", weights=[0.5, 0.5])]
    assert findings(*rules) == []


def test_a_rule_below_one_that_takes_all_its_people_is_unreachable() -> None:
    found = one(
        "unreachable",
        findings(force("de", {"country": "DE"}), force("pro", {"country": "DE", "plan": "pro"}, "w")),
    )
    assert (found.severity, found.feature, found.rules) == ("blocker", "banner", ("pro", "de"))
    assert found.says == "rule 'pro' reaches nobody: everybody whom it means is taken before by 'de'"
    assert found.mend == "move 'pro' above 'de', or take it out"
    assert found.example == {"country": "DE", "plan": "pro"}


def test_several_rules_together_take_the_people_of_a_later_one() -> None:
    rules = [
        force("low", {"age": {"$exists": True, "$lt": 30}}),
        force("other", {"country": "FR"}),
        force("high", {"age": {"$exists": True, "$gte": 30}}),
        force("grown", {"age": {"$exists": True, "$gt": 18}}, "w"),
    ]
    found = one("unreachable", findings(*rules))
    assert (
        found.says == "rule 'grown' reaches nobody: everybody whom it means is taken before by 'low', 'high'"
    )


def test_two_rules_for_the_same_people_with_different_things_are_contradictory() -> None:
    rules = [
        force("a", {"country": {"$in": ["DE", "AT"]}}),
        force("b", {"$or": [{"country": "AT"}, {"country": "DE"}]}, "w"),
    ]
    found = one("contradictory", findings(*rules))
    assert found.says == (
        "rules 'a' and 'b' mean the same people and give them different things; only 'a' counts"
    )
    assert found.mend == "decide which of them holds, and take the other out"


def test_a_condition_that_contradicts_itself_means_nobody() -> None:
    found = one("impossible", findings(force("r", {"age": {"$exists": True, "$gt": 5, "$lt": 5}})))
    assert found.says == "rule 'r' means nobody: its condition contradicts itself"


def test_a_rule_without_coverage_takes_nobody() -> None:
    found = one("no-coverage", findings(force("r", {"country": "DE"}, coverage=0)))
    assert found.says == ("rule 'r' takes nobody: its coverage, ranges or filters leave no place of the hash")


def test_a_rule_that_only_people_without_an_id_reach_is_named() -> None:
    found = one(
        "without-unit", findings(split("all", hashAttribute="user_id"), force("rest", {"country": "DE"}))
    )
    assert found.says == "rule 'rest' is left only with people without user_id; earlier rules take all others"
    assert found.severity == "warning"


def test_partial_coverage_takes_nobody_for_sure() -> None:
    assert [
        each.check for each in findings(force("some", coverage=0.5, hashVersion=2), force("rest", value="w"))
    ] == []


def test_two_rules_on_the_same_places_of_one_hash_are_seen() -> None:
    half: dict[str, Any] = {"hashVersion": 2, "seed": "s", "hashAttribute": "id"}
    first = force("first", coverage=0.5, **half)
    found = findings(first, force("second", value="w", range=[0.2, 0.4], **half))
    assert one("unreachable", found).rules == ("second", "first")
    assert findings(first, force("second", value="w", range=[0.4, 0.6], **half)) == []


def test_an_overlap_names_somebody_whom_both_rules_mean() -> None:
    found = one("overlap", findings(force("de", {"country": "DE"}), force("pro", {"plan": "pro"}, "w")))
    assert (found.severity, found.example) == ("note", {"country": "DE", "plan": "pro"})
    assert found.says == (
        "rules 'de' and 'pro' mean some of the same people; 'de' stands above and is asked first"
    )


def test_a_gap_names_somebody_whom_no_rule_means() -> None:
    found = one("gap", findings(force("de", {"country": "DE"}), force("at", {"country": "AT"}, "w")))
    assert (found.severity, found.example) == ("note", {"country": "other"})
    assert found.says == "some people are meant by no rule and see the fallback"


def test_a_missing_fallback_is_a_blocker() -> None:
    found = one("missing-fallback", findings(force("r"), defaultValue=None))
    assert found.says == "there is no fallback: whoever no rule takes sees nothing"


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([0.5, 0.6], "weights 0.5 + 0.6 = 1.1; the SDKs then ignore them and split equally"),
        ([0.5], "1 weights for 2 variations; the SDKs then split equally"),
        ([1.2, -0.2], "a negative weight in 1.2 + -0.2; the SDKs do not agree on what that means"),
        ([0.5, 0.495], "weights 0.5 + 0.495 = 0.995, not 1; some people get no variation"),
        ([0.5, 0.505], "weights 0.5 + 0.505 = 1.005, not 1; the last variation gets less"),
        (["a", 1], "weights that are no list of numbers; the SDKs then split equally"),
    ],
)
def test_weights_that_are_not_one_say_what_the_sdks_do(weights: list[Any], says: str) -> None:
    found = one("weights", findings(split("r", weights=weights)))
    assert found.says == f"rule 'r' has {says}"
    assert found.mend == "give one weight per variation, with the sum 1; use coverage to take fewer people"


def test_two_rules_of_one_id_are_a_blocker() -> None:
    found = one("duplicate-id", findings(force("r", {"country": "DE"}), force("r", {"country": "AT"})))
    assert found.says == "2 rules have the id 'r'; no report could tell them apart"


def test_501_rules_are_not_judged_one_by_one() -> None:
    [found] = findings(*(force(f"r{at}", {"country": f"c{at}"}) for at in range(501)))
    assert (found.check, found.says) == (
        "too-many-rules",
        "501 rules; at most 500 are judged, and nobody can review more",
    )


def test_mixed_units_are_a_blocker() -> None:
    found = one(
        "mixed-units", findings(split("r", hashAttribute="user_id"), split("s", hashAttribute="device"))
    )
    assert found.says == (
        "people are hashed by device and by user_id; one person can get two variants, and no result can be "
        "counted per person"
    )


def test_a_negation_over_a_missing_attribute_is_a_blocker_unless_guarded() -> None:
    found = one("nullable-negation", findings(force("r", {"plan": {"$ne": "pro"}})))
    assert found.says == "rule 'r' has a negation at plan.$ne: people without 'plan' are meant as well"
    for guarded in (
        {"plan": {"$exists": True, "$ne": "pro"}},
        {"$and": [{"plan": {"$exists": True}}, {"$not": {"plan": "pro"}}]},
    ):
        assert "nullable-negation" not in [each.check for each in findings(force("r", guarded))]
    inside = {"$not": {"plan": {"$exists": True, "$eq": "pro"}}}
    assert one("nullable-negation", findings(force("r", inside))).rules == ("r",)


def test_a_comparison_on_which_the_sdks_disagree_is_a_blocker_unless_guarded() -> None:
    found = one("unguarded-comparison", findings(force("r", {"age": {"$lt": 3}})))
    assert found.says == (
        "rule 'r' compares 'age' at age.$lt without $exists: for people without it the SDK "
        "for JavaScript says yes and the one for Python says no"
    )
    assert found.mend == "write \"$exists\": true beside it, within the braces of 'age'"
    checks = [each.check for each in findings(force("r", {"age": {"$exists": True, "$lt": 3}}))]
    assert "unguarded-comparison" not in checks
    # A missing value counts as 0 in JavaScript, and 0 is not more than 3: both say no.
    assert "unguarded-comparison" not in [each.check for each in findings(force("r", {"age": {"$gt": 3}}))]


@pytest.mark.parametrize("condition", [{}, {"$or": []}, {"$and": [{}]}, {"country": {}}])
def test_an_empty_condition_is_a_blocker(condition: dict[str, Any]) -> None:
    found = one("empty-condition", findings(force("r", condition)))
    assert found.says.startswith("rule 'r' has an empty condition at ")
    assert found.says.endswith("; the SDKs take it for everyone")


def test_an_attribute_of_two_types_is_a_blocker() -> None:
    found = findings(force("r", {"plan": "3"}), force("s", {"plan": 3}))
    assert one("mixed-types", found).says == (
        "attribute 'plan' is compared as number and as string; an SDK that is given the "
        "one never meets the other"
    )
    assert [each.rules for each in found if each.check == "not-judged"] == [("r",), ("s",)]


def test_a_seed_beyond_ascii_is_a_warning() -> None:
    found = one("non-ascii-seed", findings(split("r", seed="Größe")))
    assert found.says == (
        "rule 'r' hashes with the seed 'Größe'; an SDK that hashes bytes instead of UTF-16 "
        "puts people elsewhere"
    )


def test_an_address_in_a_condition_is_a_warning_without_the_address() -> None:
    found = one(
        "personal-data", findings(force("r", {"email": {"$in": ["ann@example.com", "bo@example.com"]}}))
    )
    assert found.says == (
        "rule 'r' names 2 e-mail addresses, which everybody can read who loads the payload in a browser"
    )


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (force("r", {"url": {"$regex": "^/a"}}), "operator $regex"),
        (
            force("r", {"name": {"$gt": "b"}}),
            (
                "at name.$gt: the operator '$gt' on 'name' (string); the language has $exists, "
                "$not, $eq, $ne, $in, $nin"
            ),
        ),
        (force("r", {"tags": {"$all": ["a"]}}), "operator $all"),
        (force("r", {"$savedGroup": {"id": "grp"}}), "saved group 'grp', which is not in the payload"),
        (force("r", parentConditions=[{"id": "x"}]), "it depends on another feature (parentConditions)"),
        (force("r", newThing=1), "field 'newThing' is unknown"),
        ({"id": "r", "variations": ["a"]}, "it has fewer than two variations, and the SDKs skip it"),
        ({"id": "r"}, "it has neither force nor variations, and the SDKs skip it"),
        (
            {"id": "r", "force": None},
            "it forces null, which the SDK for JavaScript serves and the one for Python skips",
        ),
        (split("r", coverage="all"), "a field of it has another type than the SDKs expect"),
        (split("r", meta=[1, {}]), "a field of it has another type than the SDKs expect"),
        (split("r", filters=["all"]), "a field of it has another type than the SDKs expect"),
        (split("r", hashVersion=7), "its hashVersion 7 is unknown"),
        (split("r", ranges=[[0, 0.1]] * 3), "it has more ranges than variations"),
        (
            split("r", meta=[{"passthrough": True}, {}]),
            "one of its variations passes people on to later rules (passthrough)",
        ),
    ],
)
def test_a_rule_beyond_the_language_is_named_and_never_dropped(rule: dict[str, Any], why: str) -> None:
    found = one("not-judged", findings(rule))
    assert (found.severity, found.says) == ("warning", f"rule 'r' is not judged: {why}")


def entry(**more: Any) -> AttributeSettings:  # noqa: ANN401 - any setting
    base: dict[str, Any] = {
        "table": "people",
        "column": "c",
        "type": "string",
        "review": "accepted",
        "sensitivity": "none",
    }
    return AttributeSettings(**{**base, **more})


@pytest.mark.parametrize(
    ("catalog", "check", "says"),
    [
        ({}, "unknown-attribute", "attribute 'country' is not in the catalog"),
        (
            {"country": entry(review="denied")},
            "denied-attribute",
            "attribute 'country' was denied in the catalog",
        ),
        (
            {"country": entry(review="proposed")},
            "unreviewed-attribute",
            "attribute 'country' has not been reviewed",
        ),
        (
            {"country": entry(sensitivity="special")},
            "special-attribute",
            "attribute 'country' is of a special category, which no rule may use",
        ),
        (
            {"country": entry(sensitivity="proxy")},
            "sensitive-proxy",
            "attribute 'country' may stand for something sensitive",
        ),
    ],
)
def test_an_attribute_that_the_catalog_does_not_allow_is_named(
    catalog: dict[str, AttributeSettings], check: str, says: str
) -> None:
    found = one(check, findings(force("r", {"country": "DE"}), catalog=catalog))
    assert (found.says, found.rules) == (says, ("r",))


def test_an_accepted_attribute_is_no_finding() -> None:
    assert (
        findings(force("r", {"country": "DE"}), force("rest", value="w"), catalog={"country": entry()}) == []
    )


# --- an oracle that shares no code: the SDK's own functions on everybody there can be -----------------------

COUNTRIES = ["DE", "AT", "FR", None]
AGES = [17, 18, 25, 30, 31, None]
PLACES = [place / 20 for place in range(20)]
SEEDS = ["s", "t"]
RANGES = [[0.0, 0.5], [0.5, 1.0], [0.25, 0.75], [0.0, 1.0], [0.3, 0.3]]

CONDITIONS = st.sampled_from(
    [
        None,
        {"country": "DE"},
        {"country": {"$in": ["DE", "AT"]}},
        {"country": {"$nin": ["DE", "AT"]}},
        {"country": {"$ne": "DE"}},
        {"country": None},
        {"country": {"$exists": True}},
        {"age": {"$gt": 18}},
        {"age": {"$lte": 30}},
        {"age": {"$gte": 18, "$lt": 30}},
        {"age": {"$gt": 30, "$lt": 18}},
        {"$not": {"age": {"$gt": 18}}},
        {"$or": [{"country": "DE"}, {"age": 30}]},
        {"$nor": [{"country": "DE"}, {"age": {"$lt": 30}}]},
        {"country": "AT", "age": {"$ne": 30}},
    ]
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    rule: dict[str, Any] = {"force": draw(st.sampled_from(["v", "w"]))}
    condition = draw(CONDITIONS)
    if condition is not None:
        rule["condition"] = condition
    if draw(st.booleans()):
        rule |= {
            "range": draw(st.sampled_from(RANGES)),
            "seed": draw(st.sampled_from(SEEDS)),
            "hashVersion": 2,
        }
    elif draw(st.integers(0, 3)) == 0:
        weights = draw(st.sampled_from([[0.5, 0.5], [0.2, 0.8]]))
        rule = {**rule, "variations": ["a", "b"], "weights": weights, "seed": draw(st.sampled_from(SEEDS))}
        rule |= {"coverage": draw(st.sampled_from([0.0, 0.5, 1.0])), "hashVersion": 2}
        del rule["force"]
    return rule


def takes(rule: dict[str, Any], person: dict[str, Any], places: dict[str, float] | None) -> bool:
    if "condition" in rule and not evalCondition(person, rule["condition"]):
        return False
    if "variations" in rule:
        ranges = getBucketRanges(2, rule["coverage"], rule["weights"])
    elif "range" in rule:
        ranges = [tuple(rule["range"])]
    else:
        return True
    return places is not None and chooseVariation(places[rule["seed"]], ranges) >= 0


def brute_force(listed: list[dict[str, Any]]) -> tuple[set[int], set[int], bool]:
    """Return the rules that reach somebody, those that reach a person with a unit, and if there is a gap."""
    reached: set[int] = set()
    with_unit: set[int] = set()
    gap = False
    everywhere = [dict(zip(SEEDS, pair, strict=True)) for pair in itertools.product(PLACES, PLACES)]
    for country, age in itertools.product(COUNTRIES, AGES):
        person = {name: value for name, value in (("country", country), ("age", age)) if value is not None}
        gap |= not any("condition" not in rule or evalCondition(person, rule["condition"]) for rule in listed)
        for places in [None, *everywhere]:
            first = next((at for at, rule in enumerate(listed) if takes(rule, person, places)), None)
            if first is not None:
                reached.add(first)
                with_unit |= {first} if places is not None else set()
    return reached, with_unit, gap


def seen(listed: list[dict[str, Any]]) -> tuple[set[int], set[int], bool]:
    numbered = [{**rule, "id": str(at)} for at, rule in enumerate(listed)]
    found = findings(*numbered)
    dead = {
        int(each.rules[0])
        for each in found
        if each.check in ("impossible", "no-coverage", "unreachable", "contradictory")
    }
    unitless = {int(each.rules[0]) for each in found if each.check == "without-unit"}
    assert not [each for each in found if each.check in ("not-judged", "not-decided")]
    reached = set(range(len(listed))) - dead
    return reached, reached - unitless, any(each.check == "gap" for each in found)


thorough = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@thorough
@given(listed=st.lists(rules(), min_size=1, max_size=5))
def test_the_checks_agree_with_trying_everybody(listed: list[dict[str, Any]]) -> None:
    assert seen(listed) == brute_force(listed)


@thorough
@given(listed=st.lists(rules(), min_size=1, max_size=5))
def test_the_solver_agrees_with_trying_everybody(listed: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells_module, "MAX_CELLS", 0)
        assert seen(listed) == brute_force(listed)


@thorough
@given(listed=st.lists(rules(), min_size=1, max_size=5))
def test_an_example_is_somebody_to_whom_what_is_said_happens(listed: list[dict[str, Any]]) -> None:
    numbered = [{**rule, "id": str(at)} for at, rule in enumerate(listed)]
    for found in findings(*numbered):
        if found.example is None or found.check in ("nullable-negation", "unguarded-comparison"):
            continue
        named = [rule for rule in numbered if rule["id"] in found.rules]
        meant = [evalCondition(found.example, rule.get("condition", {})) for rule in named]
        if found.check == "gap":
            assert not any(evalCondition(found.example, rule.get("condition", {})) for rule in numbered)
        elif found.check in ("overlap", "contradictory"):
            assert all(meant)
        else:
            assert meant[0]


def large(count: int) -> list[dict[str, Any]]:
    chance = random.Random(7)  # noqa: S311 - no secret
    found: list[dict[str, Any]] = []
    for at in range(count):
        names = chance.sample(range(8), 3)
        condition: dict[str, Any] = {
            f"a{name}": {"$exists": True, "$gte": chance.randrange(40)} for name in names[:2]
        }
        condition[f"b{names[2]}"] = {"$in": [f"v{chance.randrange(12)}" for _ in range(3)]}
        found.append(force(f"r{at}", condition, f"v{at}"))
    return [*found, force("dead", {**found[3]["condition"], "a7": {"$exists": True, "$gte": 3}}, "w")]


def test_a_rule_set_too_large_for_a_table_is_decided_by_the_solver() -> None:
    found = findings(*large(40))
    assert not [each for each in found if each.check == "not-decided"]
    assert one("unreachable", found).rules == ("dead", "r3")


def test_without_the_solver_a_large_rule_set_is_not_decided_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    found = one("not-decided", findings(*large(40)))
    assert (found.severity, len(found.rules)) == ("warning", 41)
    assert found.says == (
        "for 41 rules it was not decided whether they reach anybody: their conditions tell too many people "
        "apart for a table"
    )
    assert found.mend == "install the solver: pip install 'gtm-orchestra[solver]'"
