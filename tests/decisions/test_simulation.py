"""The simulation decides like GrowthBook's SDK, person by person."""

from __future__ import annotations

import random
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from growthbook import GrowthBook
from growthbook.core import fnv1a32, gbhash

from gtm_orchestra.decisions import (
    Arm,
    HashFilter,
    Holdout,
    Rule,
    RuleSet,
    read_features,
    simulate,
    write_features,
)
from gtm_orchestra.decisions.hashing import Units, _again
from gtm_orchestra.decisions.simulation import Decider
from gtm_orchestra.errors import UsageError

LETTERS = ["a", "b", "7", "-", "é", "ß", "日", "😀", "\u0301", " "]
COUNTRIES = ["DE", "AT", "FR", "日本", ""]
PLANS = ["free", "pro"]


def people(count: int, seed: int) -> list[dict[str, Any]]:
    """Return people of all kinds: nulls, empty ids, ids of 0 to 20 code units, most of them beyond ASCII."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    found = []
    for at in range(count):
        text = "".join(chance.choices(LETTERS, k=chance.randrange(12)))
        found.append(
            {
                "user_id": chance.choice([None, "", text, f"user-{at}", str(chance.getrandbits(64))]),
                "number_id": chance.choice([None, 0, chance.randrange(-50, 10**9)]),
                "country": chance.choice([None, *COUNTRIES]),
                "plan": chance.choice([None, *PLANS]),
                "sessions": chance.choice([None, 0, 1, 2.5, 3, 40]),
                "is_bot": chance.choice([None, True, False]),
                "consent__web": chance.choice([None, "granted", "denied"]),
            }
        )
    return found


def condition(chance: random.Random) -> dict[str, Any]:
    statement: dict[str, Any] = chance.choice(
        [
            {"country": {"$in": chance.sample(COUNTRIES, 2)}},
            {"country": {"$ne": chance.choice(COUNTRIES)}},
            {"plan": chance.choice(PLANS)},
            {"plan": {"$exists": False}},
            {"sessions": {chance.choice(["$lt", "$lte", "$gt", "$gte"]): chance.choice([0, 1, 3])}},
            {"sessions": {"$nin": [1, 3]}},
            {"is_bot": chance.choice([True, False])},
            {"consent.web": "granted"},
        ]
    )
    kind = chance.randrange(5)
    if kind == 0:
        return {"$not": statement}
    if kind == 1:
        return {chance.choice(["$or", "$and", "$nor"]): [statement, condition(chance)]}
    return statement


def raw_rule(chance: random.Random, number: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": f"r{number}", "hashAttribute": chance.choice(["user_id", "number_id"])}
    rule["hashVersion"] = chance.choice([1, 2])
    if chance.random() < 0.7:
        rule["condition"] = condition(chance)
    if chance.random() < 0.3:
        rule["seed"] = chance.choice(["seed", "Größe 日😀", "s2"])
    if chance.random() < 0.3:
        low = chance.random() / 2
        rule["filters"] = [
            {
                "attribute": "user_id",
                "seed": "f",
                "hashVersion": chance.choice([1, 2]),
                "ranges": [[low, low + 0.4]],
            }
        ]
    kind = chance.randrange(4)
    if kind == 0:
        return {**rule, "force": number, "coverage": round(chance.random(), 4)}
    if kind == 1:
        return {**rule, "force": number, "range": sorted([chance.random(), chance.random()])}
    weights = chance.choice([[0.5, 0.5], [0.1, 0.2], [0.3333, 0.6667], [1 / 3, 2 / 3]])
    split = {**rule, "key": f"exp-{number}", "variations": [number, -number - 1], "weights": weights}
    if kind == 2:
        return {**split, "coverage": chance.choice([0.1, 0.75, 1])}
    return {**split, "namespace": ["ns", 0.1, 0.8]}


def decided(rule_set: RuleSet, table: pa.Table) -> list[Any]:
    rules, arms = Decider(rule_set).decide(table)
    listed = [rule for rule in rule_set.rules if isinstance(rule, Rule)]
    return [
        rule_set.fallback if rule < 0 else listed[rule].arms[arm].value
        for rule, arm in zip(rules.tolist(), arms.tolist(), strict=True)
    ]


def sdk_attributes(person: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in person.items() if value is not None and name != "consent__web"}
    return known if person["consent__web"] is None else {**known, "consent": {"web": person["consent__web"]}}


def test_it_decides_like_the_sdk_for_20000_people_and_as_many_rules_as_there_are_kinds() -> None:
    chance = random.Random(11)  # noqa: S311 - no secret
    population = people(20_000, 5)
    table = pa.Table.from_pylist(population)
    features = {
        f"f{at}": {"defaultValue": "fallback", "rules": [raw_rule(chance, number) for number in range(6)]}
        for at in range(20)
    }
    rule_sets = read_features({"features": features}).rule_sets
    written = write_features(rule_sets)["features"]
    for at, rule_set in enumerate(rule_sets):
        ours = decided(rule_set, table)
        own = range(at * 1_000, (at + 1) * 1_000)
        client = GrowthBook(features={rule_set.feature: features[rule_set.feature]})
        mirror = GrowthBook(features={rule_set.feature: written[rule_set.feature]})
        for row in own:
            client.set_attributes(sdk_attributes(population[row]))
            mirror.set_attributes(sdk_attributes(population[row]))
            theirs = client.eval_feature(rule_set.feature).value
            assert ours[row] == theirs, (population[row], features[rule_set.feature])
            assert mirror.eval_feature(rule_set.feature).value == theirs
        assert len({ours[row] for row in own}) > 2


@pytest.mark.parametrize("hash_version", [1, 2])
def test_the_hash_is_the_sdks_to_the_bit(hash_version: int) -> None:
    ids = [person["user_id"] for person in people(5_000, 3)]
    for seed in ("", "seed", "Größe 日😀"):
        size = 1_000 if hash_version == 1 else 10_000
        hashed = [gbhash(seed, each, hash_version) for each in ids if each]
        expected = [round(place * size) for place in hashed if place is not None]
        places = Units.from_arrow(pa.array(ids)).places(seed, hash_version)
        assert [place for place in places.tolist() if place >= 0] == expected
        assert [place >= 0 for place in places.tolist()] == [bool(each) for each in ids]
        ascii_ids = [f"u{at}" for at in range(3_000)]
        found = Units.from_arrow(pa.array(ascii_ids)).places(seed, hash_version).tolist()
        assert found == [round((gbhash(seed, each, hash_version) or 0) * size) for each in ascii_ids]


def test_every_length_of_the_first_hash_in_decimal_is_hashed_again_rightly() -> None:

    numbers = [0, 9, 10, 99_999, 100_000, 100_001, 999_999, 1_000_000, 123_456_789, 2**32 - 1, 4_294_900_000]
    assert _again(np.array(numbers, dtype=np.uint32)).tolist() == [fnv1a32(str(number)) for number in numbers]


def two_arms(**more: Any) -> Rule:  # noqa: ANN401 - any field
    arms = (Arm(variant="a", value="a", weight=0.5), Arm(variant="b", value="b", weight=0.5))
    return Rule.model_validate(
        {"rule_id": "split", "everyone": True, "arms": arms, "unit": "id", "seed": "s", **more}
    )


def numbered(count: int) -> pa.Table:
    return pa.table({"id": [f"person-{at}" for at in range(count)]})


def test_shares_are_compared_with_what_is_expected_of_them() -> None:
    never = Rule(rule_id="late", everyone=True, arms=(Arm(variant="x", value="x"),))
    rule_set = RuleSet(feature="f", rules=(two_arms(), never), fallback=None)
    found = simulate(rule_set, [numbered(20_000)])
    assert (found.people, found.fallback, found.fallback_rate, found.never_hit) == (20_000, 0, 0.0, ("late",))
    assert [(each.variant, each.expected, each.is_within) for each in found.shares[:2]] == [
        ("a", 0.5, True),
        ("b", 0.5, True),
    ]
    assert sum(each.people for each in found.shares) == 20_000


def test_people_without_the_unit_see_the_fallback() -> None:
    rule_set = RuleSet(feature="f", rules=(two_arms(),), fallback=None)
    found = simulate(rule_set, [pa.table({"id": pa.array([None, "", "x"])})])
    assert (found.people, found.fallback) == (3, 2)


def test_a_holdout_takes_its_share_of_people_out_of_every_rule_set() -> None:
    holdout = Holdout(seed="program", share=0.1)
    first = RuleSet(feature="f", rules=(two_arms(),), holdout=holdout)
    second = RuleSet(feature="g", rules=(two_arms(seed="other"),), holdout=holdout)
    table = numbered(20_000)
    outside = [set((Decider(each).decide(table)[0] < 0).nonzero()[0].tolist()) for each in (first, second)]
    assert outside[0] == outside[1]
    assert 0.09 < len(outside[0]) / 20_000 < 0.11


def test_batches_from_duckdb_and_threads_count_the_same_as_one_table() -> None:
    rule_set = RuleSet(
        feature="f", rules=(two_arms(filters=(HashFilter(unit="id", seed="f", ranges=((0.0, 0.3),)),)),)
    )
    query = "select 'person-' || range as id from range(200000)"
    whole = duckdb.sql(query).to_arrow_table()
    batches = duckdb.sql(query).to_arrow_reader(50_000)
    assert simulate(rule_set, batches, workers=2) == simulate(rule_set, [whole])


def test_no_people_are_no_error() -> None:
    found = simulate(RuleSet(feature="f", rules=(two_arms(),)), [])
    assert (found.people, found.fallback_rate, found.never_hit) == (0, 0.0, ("split",))


def test_a_rule_beyond_the_language_is_not_simulated() -> None:
    raw = {
        "f": {"defaultValue": 0, "rules": [{"id": "r", "condition": {"url": {"$regex": "a"}}, "force": 1}]}
    }
    [rule_set] = read_features({"features": raw}).rule_sets
    with pytest.raises(UsageError) as caught:
        simulate(rule_set, [])
    assert str(caught.value) == (
        "rule 'r' of 'f' cannot be simulated: operator $regex; take it out, or write it in the rule language"
    )


def test_a_missing_unit_column_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        simulate(RuleSet(feature="f", rules=(two_arms(),)), [pa.table({"other": [1]})])
    assert str(caught.value) == (
        "the people have no column 'id', by which a rule hashes; add the unit to the "
        "people, or hash by another"
    )
