"""A payload is read as what the SDK would decide, and written back as the same decisions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from growthbook import GrowthBook
from growthbook.core import evalCondition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtm_orchestra.conditions import evaluate, parse
from gtm_orchestra.decisions import (
    Arm,
    ForeignRule,
    HashFilter,
    Holdout,
    Rule,
    RuleSet,
    fail_closed,
    read_document,
    read_features,
    write_features,
)
from gtm_orchestra.errors import UsageError

GROUPS: dict[str, Any] = {
    "staff": ["ann", "bo"],
    "typed": {"type": "list", "attributeKey": "name", "values": ["bo", "cy"]},
    "german": {"type": "condition", "condition": {"country": "DE"}},
}
FIXTURE: dict[str, Any] = {
    "plain": {"defaultValue": False},
    "banner": {
        "defaultValue": {"text": "Hello"},
        "rules": [
            {"id": "f1", "condition": {"country": "DE", "age": {"$gte": 18}}, "force": {"text": "Hallo"}},
            {"id": "f2", "force": {"text": "half"}, "coverage": 0.5, "hashAttribute": "id", "hashVersion": 2},
            {"id": "f3", "force": {"text": "range"}, "range": [0.5, 0.6], "seed": "plain-seed"},
            {
                "id": "x1",
                "condition": {"$not": {"plan": {"$in": ["free", None]}}},
                "key": "exp",
                "variations": ["a", "b", "c"],
                "weights": [0.2, 0.3, 0.5],
                "coverage": 0.8,
                "hashAttribute": "id",
                "hashVersion": 2,
                "meta": [{"key": "0", "name": "Control"}, {"key": "1"}, {"key": "2"}],
                "namespace": ["ns", 0.2, 0.9],
                "phase": "1",
            },
            {
                "id": "x2",
                "variations": ["d", "e"],
                "ranges": [[0, 0.1], [0.4, 0.9]],
                "filters": [{"seed": "f", "attribute": "id", "hashVersion": 2, "ranges": [[0, 0.5]]}],
            },
            {"id": "odd", "condition": {"url": {"$regex": "a"}}, "force": "raw"},
        ],
    },
}
PERSON = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=6) | st.integers(-5, 5),
        "country": st.sampled_from(["DE", "FR", ""]),
        "age": st.sampled_from([0, 17, 18, 30]),
        "plan": st.sampled_from(["free", "pro"]),
        "name": st.sampled_from(["ann", "bo", "cy"]),
        "vip": st.booleans(),
    },
)
OPERATORS = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "$eq": st.sampled_from(["DE", None]),
            "$ne": st.sampled_from(["DE", None]),
            "$exists": st.booleans(),
        },
    )
    .filter(bool)
    .map(lambda each: {"country": each}),
    st.fixed_dictionaries(
        {},
        optional={
            "$in": st.lists(st.sampled_from(["DE", "FR", None]), max_size=3),
            "$nin": st.lists(st.sampled_from(["DE", "FR", None]), max_size=3),
            "$exists": st.booleans(),
            "$type": st.just("string"),
        },
    )
    .filter(bool)
    .map(lambda each: {"country": each}),
    st.fixed_dictionaries(
        {},
        optional={
            "$lt": st.sampled_from([0, 18]),
            "$gte": st.sampled_from([0, 18]),
            "$ne": st.just(18),
            "$exists": st.booleans(),
            "$type": st.just("number"),
        },
    )
    .filter(bool)
    .map(lambda each: {"age": each}),
    st.sampled_from(
        [
            {"name": {"$inGroup": "staff"}},
            {"name": {"$notInGroup": "staff"}},
            {"name": {"$notInGroup": "typed"}},
            {"$savedGroup": {"id": "typed"}},
            {"$savedGroup": {"id": "german"}},
            {"vip": True},
            {"vip": {"$ne": False}},
            {"country": None},
            {"name": {"$not": {"$eq": "bo"}}},
        ]
    ),
)
CONDITIONS = st.recursive(
    OPERATORS,
    lambda inner: (
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        )
        | inner.map(lambda part: {"$not": part})
    ),
    max_leaves=5,
)
thorough = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def read(features: dict[str, Any], groups: dict[str, Any] | None = None) -> tuple[RuleSet, ...]:
    return read_features({"features": features, "savedGroups": groups or {}}).rule_sets


def sdk(features: dict[str, Any], key: str, person: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    client = GrowthBook(attributes=dict(person), features=features)
    try:
        return client.eval_feature(key).value
    finally:
        client.destroy()


@thorough
@given(condition=CONDITIONS, person=PERSON)
def test_a_condition_of_the_payload_means_whom_the_sdk_takes(
    condition: dict[str, Any], person: dict[str, Any]
) -> None:
    [rule_set] = read(
        {"f": {"defaultValue": 1, "rules": [{"id": "r", "condition": condition, "force": 2}]}}, GROUPS
    )
    [rule] = rule_set.rules
    assert isinstance(rule, Rule), rule
    assert rule.condition is not None
    typed = parse(rule.condition, rule_set.attributes, nullable=())
    assert evaluate(typed, person) is evalCondition(person, condition, GROUPS)


@thorough
@given(person=PERSON)
def test_the_written_payload_decides_like_the_one_that_was_read(person: dict[str, Any]) -> None:
    written = write_features(read(FIXTURE))["features"]
    for key in FIXTURE:
        assert sdk(written, key, person) == sdk(FIXTURE, key, person)


def test_writing_what_was_read_from_a_written_payload_changes_nothing() -> None:
    once = write_features(read(FIXTURE))
    again = read(once["features"])
    assert write_features(again) == once
    assert read(write_features(again)["features"]) == again
    assert json.loads(json.dumps(once)) == once


def test_a_rule_beyond_the_language_is_written_back_as_it_was() -> None:
    [_, banner] = read(FIXTURE)
    odd = banner.rules[-1]
    assert odd == ForeignRule(rule_id="odd", raw=FIXTURE["banner"]["rules"][-1], why=("operator $regex",))
    assert write_features([banner])["features"]["banner"]["rules"][-1] == FIXTURE["banner"]["rules"][-1]


def test_a_running_split_keeps_its_version_of_the_hash_and_a_new_one_takes_version_2() -> None:
    [rule_set] = read({"f": {"defaultValue": 0, "rules": [{"id": "old", "variations": [1, 2]}]}})
    new = Rule(
        rule_id="new",
        everyone=True,
        arms=(Arm(variant="a", value=1, weight=0.5), Arm(variant="b", value=2, weight=0.5)),
    )
    written = write_features([rule_set.model_copy(update={"rules": (*rule_set.rules, new)})])
    assert [rule["hashVersion"] for rule in written["features"]["f"]["rules"]] == [1, 2]


def test_a_holdout_lets_the_other_side_pass_every_rule() -> None:
    rule = Rule(rule_id="r", everyone=True, arms=(Arm(variant="a", value=1),))
    rule_set = RuleSet(feature="f", rules=(rule,), fallback=0, holdout=Holdout(seed="program", share=0.05))
    assert write_features([rule_set])["features"]["f"]["rules"] == [
        {
            "id": "r",
            "key": "a",
            "force": 1,
            "filters": [{"attribute": "id", "seed": "program", "hashVersion": 2, "ranges": [[0.05, 1.0]]}],
        }
    ]
    assert rule_set.units == ("id",)


def test_a_namespace_is_read_as_the_filter_that_it_is() -> None:
    [_, banner] = read(FIXTURE)
    assert isinstance(banner.rules[3], Rule)
    assert banner.rules[3].filters == (
        HashFilter(unit="id", seed="__ns", hash_version=1, ranges=((0.2, 0.9),)),
    )


def test_a_rule_is_written_only_while_it_is_in_force() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    rule = Rule(
        rule_id="r", everyone=True, arms=(Arm(variant="a", value=1),), valid_from=start, valid_until=end
    )
    rule_set = RuleSet(feature="f", rules=(rule,), fallback=0)

    def written(at: datetime) -> int:
        return len(write_features([rule_set], at=at)["features"]["f"]["rules"])

    assert (written(start), written(end), written(datetime(2025, 12, 31, tzinfo=UTC))) == (1, 0, 0)


def test_two_rule_sets_of_one_feature_are_refused() -> None:
    with pytest.raises(ValueError, match="two rule sets for the feature 'f'"):
        write_features([RuleSet(feature="f", fallback=0), RuleSet(feature="f", fallback=1)])


def test_consent_and_suppression_stand_in_every_rule_and_fail_closed() -> None:
    document = {
        "f": {
            "defaultValue": 0,
            "rules": [{"id": "a", "condition": {"country": "DE"}, "force": 1}, {"id": "b", "force": 2}],
        }
    }
    [rule_set] = read(document)
    closed = fail_closed(
        rule_set.model_copy(update={"attributes": {**rule_set.attributes, "is_employee": "boolean"}}),
        purpose="web",
        suppressions=[{"is_employee": True}],
    )
    features = write_features([closed])["features"]
    yes = {"country": "DE", "is_employee": False, "consent": {"web": "granted"}}
    assert sdk(features, "f", yes) == 1
    assert sdk(features, "f", {**yes, "country": "FR"}) == 2
    for refused in (
        {**yes, "consent": {"web": "denied"}},
        {**yes, "consent": {}},
        {**yes, "is_employee": True},
        {"country": "DE", "consent": {"web": "granted"}},
        {},
    ):
        assert sdk(features, "f", refused) == 0


def test_consent_cannot_be_put_inside_a_rule_beyond_the_language() -> None:
    [_, banner] = read(FIXTURE)
    with pytest.raises(
        ValueError, match="rule 'odd' is not in the rule language; consent cannot be put inside it"
    ):
        fail_closed(banner, purpose="web")


def test_a_rule_says_whom_it_means() -> None:
    for more in ({}, {"everyone": True, "condition": {"country": "DE"}}):
        with pytest.raises(ValueError, match="a rule has either a condition or everyone = true"):
            Rule.model_validate({"rule_id": "r", "arms": [{"variant": "a", "value": 1}], **more})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'{"features": {"f": {',
            (
                "x.json is no complete JSON: Expecting property name enclosed in double quotes "
                "at line 1, column 21; save the whole answer of the features endpoint again"
            ),
        ),
        (
            b'{"features": {"f": {"defaultValue": 1}, "f": {}}}',
            (
                "x.json has the key 'f' twice in one object; which of them counts is not "
                "defined; take one of them out"
            ),
        ),
        (
            b'{"features": {"f": {"defaultValue": NaN}}}',
            "x.json holds NaN, which is no JSON number; write a number, or null",
        ),
        (
            b'{"features": {"f": {"defaultValue": 1e999}}}',
            "x.json holds 1e999, which is no JSON number; write a number, or null",
        ),
        (b"\xff\xfe", "x.json is not UTF-8; save it as UTF-8"),
        (b"[]", 'x.json holds no JSON object; save the answer of your features endpoint: {"features": {…}}'),
        (
            b"{}",
            (
                "x.json holds no features; save the answer of your features endpoint: "
                '{"features": {"NAME": {"defaultValue": …}}}'
            ),
        ),
        (
            b'{"features": {"f": 1}}',
            'x.json: feature \'f\' is no JSON object; write it as {"defaultValue": …, "rules": […]}',
        ),
        (
            b'{"encryptedFeatures": "abc"}',
            (
                "x.json is encrypted; nothing in it can be judged; save the payload of a "
                "client key without encryption, or decrypt it first"
            ),
        ),
        (
            b"[" * 200_000,
            (
                "x.json is nested deeper than 100 levels; flatten its conditions; the rule "
                "language has 20 levels"
            ),
        ),
        (
            b'{"features": {"f": {"defaultValue": ' + b"[" * 99 + b"]" * 99 + b"}}}",
            (
                "x.json is nested deeper than 100 levels; flatten its conditions; the rule "
                "language has 20 levels"
            ),
        ),
        (
            b" " * 10_000_001,
            (
                "x.json has 10,000,001 bytes; at most 10,000,000 are read; give the features "
                "payload alone, without exports of anything else"
            ),
        ),
    ],
    ids=[
        "truncated",
        "duplicate",
        "nan",
        "infinite",
        "bytes",
        "list",
        "empty",
        "feature",
        "encrypted",
        "deep",
        "levels",
        "large",
    ],
)
def test_a_file_that_is_no_payload_is_refused_in_plain_words(content: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_document(content, "x.json")
    assert str(caught.value) == message


def test_the_features_may_stand_alone_in_the_file() -> None:
    features = {"f": {"defaultValue": 1}}
    assert read_document(json.dumps(features).encode(), "x.json") == {"features": features, "savedGroups": {}}
