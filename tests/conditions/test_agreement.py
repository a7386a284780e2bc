"""The reference, ibis on DuckDB, numpy masks and the real GrowthBook SDK mean the same people."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import psycopg
import pyarrow as pa
import pytest
from growthbook.core import evalCondition
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gtm_orchestra.conditions import (
    ColumnValues,
    Condition,
    column_of,
    evaluate,
    negate,
    parse,
    sdk_attributes,
    to_english,
    to_growthbook,
    to_ibis,
    to_mask,
)

if TYPE_CHECKING:
    from gtm_orchestra.config import AttributeType

SCHEMA: dict[str, AttributeType] = {
    "country": "string",
    "plan": "string",
    "sessions": "number",
    "amount": "number",
    "is_bot": "boolean",
    "signed_up": "timestamp",
    "consent.email": "string",
}
ARROW = {
    "string": pa.string(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
START = datetime(1969, 12, 31, 23, 59, 58, tzinfo=UTC)

# Close to each other on purpose, so that comparisons meet: composed and decomposed é, a character beyond
# 16 bits, text that looks like a number, quotes, the empty text.
TEXTS = st.sampled_from(
    ["DE", "de", "é", "e\u0301", "日本", "\U0001f600", "\uffee", "", " ", "3", "O'Hara", '"', "%_"]
)
NUMBERS = st.sampled_from(
    [0, -0.0, 1, 2, 3, 3.0, -1, 0.1, 0.1 + 0.2, 0.3, 1e308, 5e-324, 2**53 - 1, 1.7976931348623157e308]
) | st.floats(allow_nan=False, allow_infinity=False)
BROKEN = st.sampled_from([math.nan, math.inf, -math.inf])
TIMES = st.integers(0, 8).map(lambda step: START + timedelta(milliseconds=500 * step)) | st.integers(
    -2_208_988_800_000, 7_258_118_399_000
).map(lambda millisecond: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millisecond))
OPERANDS: dict[AttributeType, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "number": NUMBERS,
    "boolean": st.booleans(),
    "timestamp": TIMES.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
}
VALUES: dict[AttributeType, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "number": NUMBERS.map(float) | BROKEN,
    "boolean": st.booleans(),
    "timestamp": TIMES,
}


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(SCHEMA)))
    kind = SCHEMA[name]
    operand = OPERANDS[kind]
    operators: dict[str, st.SearchStrategy[Any]] = {"$exists": st.booleans(), "$eq": operand, "$ne": operand}
    if kind in ("number", "timestamp"):
        operators |= dict.fromkeys(("$lt", "$lte", "$gt", "$gte"), operand)
    if kind in ("number", "string"):
        operators |= dict.fromkeys(("$in", "$nin"), st.lists(operand, min_size=1, max_size=4))
    chosen = draw(st.lists(st.sampled_from(sorted(operators)), min_size=1, max_size=3, unique=True))
    stated = {operator: draw(operators[operator]) for operator in chosen}
    if draw(st.booleans()):
        stated = {"$not": stated}
    return {name: stated if draw(st.integers(0, 4)) else draw(operand)}


def _joined(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    return (
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), several).map(lambda pair: {pair[0]: pair[1]})
        | inner.map(lambda part: {"$not": part})
        | st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]})
    )


DOCUMENTS = st.recursive(statements(), _joined, max_leaves=8)
PEOPLE = st.lists(
    st.fixed_dictionaries({column_of(name): st.none() | VALUES[kind] for name, kind in SCHEMA.items()}),
    min_size=1,
    max_size=12,
)
SAMPLES: dict[AttributeType, list[Any]] = {
    "string": ["DE", "é", "e\u0301", "日本", "\U0001f600", "", "3", "O'Hara"],
    "number": [
        0.0,
        -0.0,
        1.0,
        3.0,
        0.1,
        0.1 + 0.2,
        0.3,
        1e308,
        5e-324,
        2.0**53 - 1,
        0.0009522444552911937,  # as a DECIMAL of DuckDB it becomes another number
        math.nan,
        math.inf,
        -math.inf,
    ],
    "boolean": [True, False],
    "timestamp": [START + timedelta(milliseconds=500 * step) for step in range(9)],
}
OPERAND_SAMPLES: dict[AttributeType, list[Any]] = {
    "string": SAMPLES["string"],
    "number": [value for value in SAMPLES["number"] if math.isfinite(value)],
    "boolean": SAMPLES["boolean"],
    "timestamp": [(START + timedelta(seconds=step)).strftime("%Y-%m-%dT%H:%M:%SZ") for step in range(5)],
}
POSTGRESQL: dict[AttributeType, str] = {
    "string": "text",
    "number": "double precision",
    "boolean": "boolean",
    "timestamp": "timestamptz",
}
STRAY = st.none() | TEXTS | NUMBERS | st.booleans() | st.lists(TEXTS | NUMBERS, max_size=2)

thorough = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def read(document: dict[str, Any]) -> Condition:
    """Parse as if nobody lacked anything: what the guards refuse must still mean the same everywhere."""
    return parse(document, SCHEMA, nullable=())


def arrow(people: list[dict[str, Any]]) -> pa.Table:
    return pa.table(
        {
            column_of(name): pa.array([person[column_of(name)] for person in people], type=ARROW[kind])
            for name, kind in SCHEMA.items()
        }
    )


@pytest.fixture(scope="module")
def duckdb() -> ibis.BaseBackend:
    return ibis.duckdb.connect()


@thorough
@given(document=DOCUMENTS, people=PEOPLE)
@example(document={"sessions": {"$ne": 3}}, people=[dict.fromkeys(map(column_of, SCHEMA))])
@example(document={"$not": {"sessions": {"$lt": 3}}}, people=[dict.fromkeys(map(column_of, SCHEMA))])
def test_every_engine_means_the_same_people(
    duckdb: ibis.BaseBackend, document: dict[str, Any], people: list[dict[str, Any]]
) -> None:
    condition = read(document)
    expected = [evaluate(condition, person) for person in people]

    table = arrow(people).append_column("row", pa.array(range(len(people))))
    memory = ibis.memtable(table)
    found = duckdb.to_pyarrow(memory.select("row", met=to_ibis(condition, memory)).order_by("row"))
    assert found["met"].to_pylist() == expected

    columns = {name: ColumnValues.from_arrow(table[name]) for name in table.column_names}
    assert to_mask(condition, columns).tolist() == expected

    payload = to_growthbook(condition)
    assert [evalCondition(sdk_attributes(person, SCHEMA), payload) for person in people] == expected


def one_by_one() -> list[dict[str, Any]]:
    """Return people with one known attribute each, in each of its values, and one person with none."""
    nobody: dict[str, Any] = dict.fromkeys(map(column_of, SCHEMA))
    return [nobody] + [
        nobody | {column_of(name): value} for name, kind in SCHEMA.items() for value in SAMPLES[kind]
    ]


def every_statement() -> list[Condition]:
    """Return each operator on each attribute with each operand, plain and negated."""
    found: list[Condition] = []
    for name, kind in SCHEMA.items():
        operands = list(OPERAND_SAMPLES[kind])
        singles = ["$eq", "$ne", *(["$lt", "$lte", "$gt", "$gte"] if kind in ("number", "timestamp") else [])]
        stated: list[dict[str, Any]] = [{"$exists": True}, {"$exists": False}]
        stated += [{operator: operand} for operator in singles for operand in operands]
        if kind in ("string", "number"):
            stated += [
                {operator: operands[:split]} for operator in ("$in", "$nin") for split in (2, len(operands))
            ]
        found += [read({name: each}) for each in stated] + [read({"$not": {name: each}}) for each in stated]
    return found


def met_in_engine(backend: Any, table: ibis.Table, conditions: list[Condition]) -> list[list[bool]]:  # noqa: ANN401
    met = {f"met_{at}": to_ibis(condition, table) for at, condition in enumerate(conditions)}
    found = backend.to_pyarrow(table.select("row", **met).order_by("row"))
    return [found[f"met_{at}"].to_pylist() for at in range(len(conditions))]


def test_every_operator_means_the_same_people_at_every_edge(duckdb: ibis.BaseBackend) -> None:
    conditions, people = every_statement(), one_by_one()
    expected = [[evaluate(condition, person) for person in people] for condition in conditions]
    table = arrow(people).append_column("row", pa.array(range(len(people))))
    assert met_in_engine(duckdb, ibis.memtable(table), conditions) == expected
    columns = {name: ColumnValues.from_arrow(table[name]) for name in table.column_names}
    assert [to_mask(condition, columns).tolist() for condition in conditions] == expected
    visitors = [sdk_attributes(person, SCHEMA) for person in people]
    payloads = [to_growthbook(condition) for condition in conditions]
    assert [[evalCondition(visitor, payload) for visitor in visitors] for payload in payloads] == expected


def test_postgresql_means_the_same_people(postgres_url: str) -> None:
    """NaN, infinity, time zones and three-valued logic are where engines differ."""
    people = one_by_one()
    names = ", ".join(f'"{column_of(name)}" {POSTGRESQL[kind]}' for name, kind in SCHEMA.items())
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"create table people (row integer, {names})".encode())
        with connection.cursor() as cursor, cursor.copy("copy people from stdin") as copy:
            for at, person in enumerate(people):
                copy.write_row((at, *person.values()))
        connection.commit()
        backend = ibis.postgres.from_connection(connection)
        table = backend.table("people")
        simple = every_statement()
        assert met_in_engine(backend, table, simple) == [
            [evaluate(condition, person) for person in people] for condition in simple
        ]

        @settings(max_examples=20, deadline=None, derandomize=True)
        @given(documents=st.lists(DOCUMENTS, min_size=8, max_size=8))
        def agrees(documents: list[dict[str, Any]]) -> None:
            conditions = [read(document) for document in documents]
            assert met_in_engine(backend, table, conditions) == [
                [evaluate(condition, person) for person in people] for condition in conditions
            ]

        agrees()


@thorough
@given(document=DOCUMENTS, person=st.fixed_dictionaries({}, optional=dict.fromkeys(SCHEMA, STRAY)))
def test_an_attribute_of_the_wrong_type_is_missing_in_the_sdk_too(
    document: dict[str, Any], person: dict[str, Any]
) -> None:
    condition = read(document)
    nested = {name: value for name, value in person.items() if "." not in name}
    if "consent.email" in person:
        nested["consent"] = {"email": person["consent.email"]}
    expected = evaluate(condition, person)
    assert evaluate(condition, nested) is expected
    assert evalCondition(nested, to_growthbook(condition)) is expected


@thorough
@given(document=DOCUMENTS)
def test_the_canonical_document_reads_back_as_the_same_condition(document: dict[str, Any]) -> None:
    condition = read(document)
    canonical = condition.to_json()
    assert read(canonical) == condition
    assert read(canonical).to_json() == canonical


@thorough
@given(first=DOCUMENTS, second=DOCUMENTS)
def test_different_conditions_read_differently_in_english(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    one, other = read(first), read(second)
    assert (one == other) is (to_english(one) == to_english(other))


@thorough
@given(document=DOCUMENTS, person=PEOPLE.map(lambda people: people[0]))
def test_a_condition_and_its_negation_with_missing_included_part_all_people(
    document: dict[str, Any], person: dict[str, Any]
) -> None:
    condition = read(document)
    rest = parse(negate(condition, missing="included"), SCHEMA)
    assert evaluate(rest, person) is not evaluate(condition, person)


@thorough
@given(document=DOCUMENTS, person=PEOPLE.map(lambda people: people[0]))
def test_a_negation_means_nobody_who_lacks_a_compared_attribute(
    document: dict[str, Any], person: dict[str, Any]
) -> None:
    condition = read(document)
    rest = parse(negate(condition), SCHEMA)
    assert not (evaluate(rest, person) and evaluate(condition, person))


@thorough
@given(document=DOCUMENTS, people=PEOPLE)
def test_text_as_objects_and_text_as_positions_give_one_mask(
    document: dict[str, Any], people: list[dict[str, Any]]
) -> None:
    condition = read(document)
    table = arrow(people)
    fast = {name: ColumnValues.from_arrow(table[name]) for name in table.column_names}
    slow = dict(fast)
    for name, kind in SCHEMA.items():
        if kind == "string":
            text = table[column_of(name)]
            missing = np.array([value is None for value in text.to_pylist()], dtype=np.bool_)
            slow[column_of(name)] = ColumnValues(text.to_numpy(zero_copy_only=False), missing)
    assert to_mask(condition, fast).tolist() == to_mask(condition, slow).tolist()
