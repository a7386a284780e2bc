from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.conditions import Condition, all_of, any_of, evaluate, negate, parse
from gtm_orchestra.errors import ConditionError

if TYPE_CHECKING:
    from gtm_orchestra.config import AttributeType

SCHEMA: dict[str, AttributeType] = {
    "country": "string",
    "sessions_30d": "number",
    "signed_up": "timestamp",
    "is_employee": "boolean",
    "consent.product_email": "string",
}
KNOWN = "consent.product_email, country, is_employee, sessions_30d, signed_up"
NEGATED = "a negation over 'country', which some people may lack"
WHERE_KNOWN = "a negation only where the attribute is known to exist"
GUARD = (
    'write {"country": {"$exists": true}} beside the negation; to mean people without it as well, '
    'add {"country": {"$exists": false}} in an $or'
)
NEVER_EVERYONE = "say whom you mean; an empty condition never means everyone"


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {"country": "DE"}
    for _ in range(levels - 1):
        document = {"$and": [document]}
    return document


def message_of(raw: Any, **options: Any) -> str:  # noqa: ANN401 — what is no document at all is refused too
    with pytest.raises(ConditionError) as caught:
        parse(raw, SCHEMA, **options)
    return str(caught.value)


REFUSED: list[tuple[Any, str, str, str, str]] = [
    ({}, "the top", "an empty condition", "at least one attribute", NEVER_EVERYONE),
    (
        {"$or": [{"country": "DE"}, {}]},
        "$or[1]",
        "an empty condition",
        "at least one attribute",
        NEVER_EVERYONE,
    ),
    ({"$not": {}}, "$not", "an empty condition", "at least one attribute", NEVER_EVERYONE),
    ({"$and": []}, "$and", "an empty list", "at least one member", "list the members, or leave the key out"),
    ({"$or": []}, "$or", "an empty list", "at least one member", "list the members, or leave the key out"),
    ({"$nor": []}, "$nor", "an empty list", "at least one member", "list the members, or leave the key out"),
    (
        {"country": {"$in": []}},
        "country.$in",
        "an empty list",
        "at least one member",
        "list the members, or leave the key out",
    ),
    ({"country": {}}, "country", "no operator", "at least one operator", "say what 'country' must be"),
    ({"contry": "DE"}, "contry", "the unknown attribute 'contry'", KNOWN, "did you mean 'country'?"),
    (
        {"$or": [{"country": "DE"}, {"shoe": 1}]},
        "$or[1].shoe",
        "the unknown attribute 'shoe'",
        KNOWN,
        "add it to the attribute catalog in gtm.toml, or use one of its attributes",
    ),
    (
        {"country": 3},
        "country",
        "3 (a number)",
        "text, because the attribute is a string",
        "put the value in quotes",
    ),
    (
        {"country": {"$in": ["DE", 3]}},
        "country.$in[1]",
        "3 (a number)",
        "text, because the attribute is a string",
        "put the value in quotes",
    ),
    (
        {"country": ["DE"]},
        "country",
        "a list",
        "text, because the attribute is a string",
        'write {"$in": [...]} for one of several values',
    ),
    (
        {"country": None},
        "country",
        "null",
        "text, because the attribute is a string",
        'write {"$exists": false} for people without it',
    ),
    (
        {"sessions_30d": "3"},
        "sessions_30d",
        "'3' (text)",
        "a number, because the attribute is a number",
        "write the value without quotes",
    ),
    (
        {"sessions_30d": True},
        "sessions_30d",
        "true (a boolean)",
        "a number, because the attribute is a number",
        "write the value without quotes",
    ),
    (
        {"is_employee": 1},
        "is_employee",
        "1 (a number)",
        "true or false, because the attribute is a boolean",
        "write the value without quotes",
    ),
    (
        {"sessions_30d": {"$gt": math.nan}},
        "sessions_30d.$gt",
        "nan (a number)",
        "a finite number",
        "write a number, or $exists for missing values",
    ),
    (
        {"sessions_30d": {"$in": [1, math.inf]}},
        "sessions_30d.$in[1]",
        "inf (a number)",
        "a finite number",
        "write a number, or $exists for missing values",
    ),
    (
        {"sessions_30d": 10**5000},
        "sessions_30d",
        "a whole number of 16 digits or more",
        "at most 9,007,199,254,740,991, which every SDK holds exactly",
        "make an identifier text in the catalog",
    ),
    (
        {"country": {"$gt": "A"}},
        "country.$gt",
        "the operator '$gt' on 'country' (string)",
        "$exists, $not, $eq, $ne, $in, $nin",
        "compare a number or a timestamp instead: engines sort text differently",
    ),
    (
        {"country": {"$regex": "^D"}},
        "country.$regex",
        "the operator '$regex' on 'country' (string)",
        "$exists, $not, $eq, $ne, $in, $nin",
        "use one of these",
    ),
    (
        {"is_employee": {"$in": [True]}},
        "is_employee.$in",
        "the operator '$in' on 'is_employee' (boolean)",
        "$exists, $not, $eq, $ne",
        "use one of these",
    ),
    (
        {"country": {"$exists": 1}},
        "country.$exists",
        "1 (a number)",
        "true or false",
        "write true if it must be known, else false",
    ),
    (
        {"signed_up": {"$gte": "2026-02-01"}},
        "signed_up.$gte",
        "'2026-02-01' (text)",
        "a UTC time of the form YYYY-MM-DDTHH:MM:SSZ",
        'write it such as "2026-01-31T00:00:00Z"',
    ),
    (
        {"signed_up": {"$gte": "2026-02-30T00:00:00Z"}},
        "signed_up.$gte",
        "'2026-02-30T00:00:00Z' (text)",
        "a UTC time of the form YYYY-MM-DDTHH:MM:SSZ, of the calendar, from 1900 to 2199",
        "check day and month",
    ),
    (
        {"signed_up": {"$gte": "9999-12-31T23:59:59Z"}},
        "signed_up.$gte",
        "'9999-12-31T23:59:59Z' (text)",
        "a UTC time of the form YYYY-MM-DDTHH:MM:SSZ, of the calendar, from 1900 to 2199",
        "check day and month",
    ),
    (
        {"$where": 1},
        "$where",
        "the operator '$where'",
        "an attribute's name, or one of $and, $or, $nor, $not",
        "put operators on values under an attribute's name",
    ),
    ({"country": "x" * 1001}, "country", "text of 1,001 characters", "at most 1,000", "shorten the value"),
    (
        {"country": "a\0"},
        "country",
        "text that is no valid Unicode",
        "text without NUL and lone surrogates",
        "retype it",
    ),
    (
        {"country": "a\ud83d"},
        "country",
        "text that is no valid Unicode",
        "text without NUL and lone surrogates",
        "retype it",
    ),
    (
        {"country": {"$in": ["x"] * 1001}},
        "the top",
        "1,001 values in one $in",
        "at most 1,000",
        "make the list an attribute of its own in the catalog",
    ),
    (
        {"$or": [{"country": "DE"}] * 250},
        "the top",
        "more than 500 parts",
        "at most 500",
        "split it, or use $in",
    ),
    (nested(21), "the top", "more than 20 levels", "at most 20", "flatten the condition"),
    (nested(100_000), "the top", "more than 20 levels", "at most 20", "flatten the condition"),
    ({1: "DE"}, "the top", "a key that is a number", "keys that are text", "quote the keys"),
    ({"$and": {"country": "DE"}}, "$and", "an object", "a list", "write the members between [ and ]"),
    ({"$or": ["DE"]}, "$or[0]", "text", "an object", 'write a condition such as {"country": "DE"} here'),
    ("DE", "the top", "text", "an object", 'write a condition such as {"country": "DE"}'),
    ({"country": {"$ne": "DE"}}, "country.$ne", NEGATED, WHERE_KNOWN, GUARD),
    ({"country": {"$nin": ["DE", "FR"]}}, "country.$nin", NEGATED, WHERE_KNOWN, GUARD),
    ({"$not": {"country": "DE"}}, "$not.country", NEGATED, WHERE_KNOWN, GUARD),
    ({"country": {"$not": {"$in": ["DE", "FR"]}}}, "country.$not.$in", NEGATED, WHERE_KNOWN, GUARD),
    ({"$nor": [{"country": "DE"}]}, "$nor[0].country", NEGATED, WHERE_KNOWN, GUARD),
    ({"$not": {"country": {"$exists": True, "$eq": "DE"}}}, "$not.country.$eq", NEGATED, WHERE_KNOWN, GUARD),
    (
        {"$or": [{"country": {"$exists": True}}, {"country": {"$ne": "DE"}}]},
        "$or[1].country.$ne",
        NEGATED,
        WHERE_KNOWN,
        GUARD,
    ),
    ({"country": {"$exists": False, "$ne": "DE"}}, "country.$ne", NEGATED, WHERE_KNOWN, GUARD),
]


@pytest.mark.parametrize(("raw", "path", "seen", "allowed", "hint"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_in_the_language_is_refused_with_path_seen_allowed_and_next_step(
    raw: Any,  # noqa: ANN401 — what is no document at all is refused too
    path: str,
    seen: str,
    allowed: str,
    hint: str,
) -> None:
    assert message_of(raw) == f"condition at {path}: seen {seen}, allowed {allowed}; {hint}"


@pytest.mark.parametrize(
    "raw",
    [
        {"country": {"$exists": True, "$ne": "DE"}},
        {"country": {"$ne": "DE", "$exists": True}},
        {"country": {"$exists": True, "$not": {"$in": ["DE", "FR"]}}},
        {"country": {"$exists": True}, "$not": {"country": "DE"}},
        {"$and": [{"$not": {"country": "DE"}}, {"$and": [{"country": {"$exists": True}}]}]},
        {"country": {"$exists": True}, "$or": [{"country": {"$ne": "DE"}}, {"is_employee": True}]},
        {"$not": {"country": {"$exists": True}}},
    ],
)
def test_a_guard_in_the_same_conjunction_or_above_allows_a_negation(raw: dict[str, Any]) -> None:
    assert parse(raw, SCHEMA).attributes >= {"country"}


def test_a_negation_over_an_attribute_that_everyone_has_needs_no_guard() -> None:
    condition = parse({"$not": {"sessions_30d": {"$gte": 3}}}, SCHEMA, nullable={"country"})
    assert evaluate(condition, {"sessions_30d": 2})
    assert message_of({"$not": {"country": "DE"}}, nullable={"country"}).startswith(
        "condition at $not.country:"
    )


def test_a_dot_outside_consent_is_refused_because_sdks_read_it_as_a_path() -> None:
    with pytest.raises(ConditionError) as caught:
        parse({"address.city": "Bonn"}, {"address.city": "string"})
    assert str(caught.value) == (
        "condition at address.city: seen the attribute 'address.city', allowed a dot only in "
        "consent.<purpose>, where every SDK reads it as a path; rename the attribute in the catalog"
    )


def test_the_longest_catalog_is_not_printed_whole() -> None:
    catalog: dict[str, AttributeType] = dict.fromkeys((f"column_{at:02}" for at in range(40)), "string")
    with pytest.raises(ConditionError) as caught:
        parse({"zebra": 1}, catalog)
    assert caught.value.allowed.endswith("column_08, column_09 and 30 more")


def test_the_limits_themselves_are_allowed() -> None:
    assert parse(nested(20), SCHEMA) == parse({"country": "DE"}, SCHEMA)
    parse({"$or": [{"sessions_30d": at} for at in range(249)]}, SCHEMA)
    parse({"sessions_30d": {"$in": list(range(1000))}}, SCHEMA)
    parse({"country": "x" * 1000}, SCHEMA)
    parse({"sessions_30d": 2**53 - 1}, SCHEMA)


def test_a_refusal_survives_the_way_to_another_process_with_its_parts() -> None:
    with pytest.raises(ConditionError) as caught:
        parse({"$or": [{"country": 3}]}, SCHEMA)
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 — our own bytes
    assert (copy.path, copy.seen, copy.allowed, copy.hint) == (
        "$or[0].country",
        "3 (a number)",
        "text, because the attribute is a string",
        "put the value in quotes",
    )
    assert str(copy) == str(caught.value)


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"country": {"$eq": "DE"}}, {"country": "DE"}),
    ({"country": {"$in": ["FR", "DE", "FR"]}}, {"country": {"$in": ["DE", "FR"]}}),
    ({"country": {"$in": ["DE"]}}, {"country": "DE"}),
    ({"country": {"$exists": True, "$nin": ["DE"]}}, {"country": {"$exists": True, "$ne": "DE"}}),
    ({"sessions_30d": 3.0}, {"sessions_30d": 3}),
    ({"sessions_30d": -0.0}, {"sessions_30d": 0}),
    (
        {"$and": [{"sessions_30d": {"$gte": 3}}, {"$and": [{"country": "DE"}]}, {"country": "DE"}]},
        {"country": "DE", "sessions_30d": {"$gte": 3}},
    ),
    (
        {"$or": [{"$or": [{"country": "FR"}]}, {"country": "DE"}]},
        {"$or": [{"country": "DE"}, {"country": "FR"}]},
    ),
    ({"$not": {"country": {"$exists": True}}}, {"country": {"$exists": False}}),
    (
        {"country": {"$exists": True}, "$nor": [{"country": "DE"}]},
        {"country": {"$exists": True}, "$not": {"country": "DE"}},
    ),
    (
        {
            "$and": [
                {"sessions_30d": {"$ne": 1, "$exists": True}},
                {"sessions_30d": {"$exists": True, "$ne": 2}},
            ]
        },
        {"sessions_30d": {"$exists": True, "$ne": 1}, "$and": [{"sessions_30d": {"$ne": 2}}]},
    ),
]


@pytest.mark.parametrize(("raw", "canonical"), SAME, ids=range(len(SAME)))
def test_writings_of_one_meaning_give_one_canonical_document(
    raw: dict[str, Any], canonical: dict[str, Any]
) -> None:
    condition = parse(raw, SCHEMA)
    assert condition.to_json() == canonical
    assert parse(canonical, SCHEMA) == condition
    assert hash(parse(canonical, SCHEMA)) == hash(condition)


def test_a_condition_cannot_be_changed_and_leaves_its_source_as_it_was() -> None:
    raw = {"country": {"$in": ["FR", "DE"]}}
    condition = parse(raw, SCHEMA)
    assert raw == {"country": {"$in": ["FR", "DE"]}}
    with pytest.raises(AttributeError):
        condition.root = condition.root  # type: ignore[misc]  # that it is refused is the point
    condition.to_json()["country"] = "anyone"
    assert condition.to_json() == {"country": {"$in": ["DE", "FR"]}}


def test_the_attributes_are_those_at_every_depth() -> None:
    raw = {
        "consent.product_email": "granted",
        "$or": [{"country": "DE"}, {"$and": [{"is_employee": True}, {"signed_up": {"$exists": False}}]}],
    }
    assert parse(raw, SCHEMA).attributes == {"consent.product_email", "country", "is_employee", "signed_up"}


def test_joining_takes_conditions_and_documents_and_is_checked_again() -> None:
    german = parse({"country": "DE"}, SCHEMA)
    active = {"sessions_30d": {"$gte": 3}}
    assert all_of(german, active) == {"$and": [{"country": "DE"}, {"sessions_30d": {"$gte": 3}}]}
    assert any_of(german, active) == {"$or": [{"country": "DE"}, {"sessions_30d": {"$gte": 3}}]}
    assert all_of(active) == active
    assert isinstance(parse(all_of(german, active), SCHEMA), Condition)


@pytest.mark.parametrize("join", [all_of, any_of])
def test_joining_nothing_never_means_everyone(join: Any) -> None:  # noqa: ANN401 — two functions of one shape
    with pytest.raises(ConditionError) as caught:
        join()
    assert str(caught.value) == (
        "condition at the top: seen no condition, allowed at least one; "
        "say whom you mean; an empty condition never means everyone"
    )


def test_a_negation_carries_the_guards_it_needs() -> None:
    german = {"country": "DE"}
    assert negate(german) == {"$and": [{"country": {"$exists": True}}, {"$not": {"country": "DE"}}]}
    assert negate(german, missing="included") == {
        "$or": [{"country": {"$exists": False}}, {"country": {"$exists": True, "$ne": "DE"}}]
    }
    assert negate({"country": {"$exists": False}}) == {"$and": [{"$not": {"country": {"$exists": False}}}]}


@pytest.mark.parametrize("missing", ["excluded", "included"])
@pytest.mark.parametrize(
    "raw", [{"$or": 3}, {"$or": ["DE"]}, {"$where": 1}, {"contry": "DE"}, nested(100_000)]
)
def test_a_negation_of_what_is_no_condition_is_refused(raw: dict[str, Any], missing: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConditionError):
        parse(negate(raw, missing=missing), SCHEMA)
