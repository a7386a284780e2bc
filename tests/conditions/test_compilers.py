from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import psycopg
import pyarrow as pa
import pytest
from growthbook.core import evalCondition

from gtm_orchestra.conditions import (
    ColumnValues,
    evaluate,
    parse,
    sdk_attributes,
    to_english,
    to_growthbook,
    to_ibis,
    to_mask,
)
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

SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"sessions_30d": {"$gte": 3}, "country": {"$in": ["FR", "DE"]}},
        "country is one of DE or FR, and sessions in 30 days is at least 3",
    ),
    ({"country": {"$in": ["FR", "DE", "IT"]}}, "country is one of DE, FR or IT"),
    (
        {"sessions_30d": {"$gte": 3, "$lt": 12_000}},
        "sessions in 30 days is at least 3 and is less than 12,000",
    ),
    ({"sessions_30d": {"$gt": 0.5, "$lte": 2}}, "sessions in 30 days is more than 0.5 and is at most 2"),
    ({"country": {"$exists": True, "$ne": "DE"}}, "country is known and is not DE"),
    ({"country": {"$exists": True, "$nin": ["DE", "FR"]}}, "country is known and is not one of DE or FR"),
    ({"country": {"$exists": False}}, "country is missing"),
    ({"is_employee": False}, "is employee is false"),
    ({"consent.product_email": "granted"}, "consent for product email is granted"),
    (
        {"signed_up": {"$gte": "2026-01-01T00:00:00Z", "$lt": "2026-02-01T12:30:00Z"}},
        "signed up is at or after 2026-01-01 00:00:00 UTC and is before 2026-02-01 12:30:00 UTC",
    ),
    (
        {"is_employee": False, "$or": [{"country": "DE"}, {"sessions_30d": 1, "country": "FR"}]},
        "is employee is false, and (country is DE, or (country is FR, and sessions in 30 days is 1))",
    ),
    (
        {"is_employee": {"$exists": True}, "$not": {"is_employee": True}},
        "is employee is known, and not (is employee is true)",
    ),
    (
        {"country": {"$in": ["New York", "or", "", 'a"b', "a\u202eb"]}},
        r'country is one of "", "New York", "a\"b", "a\u202eb" or "or"',
    ),
    ({"country": "Österreich"}, "country is Österreich"),
]


@pytest.mark.parametrize(("raw", "sentence"), SENTENCES, ids=range(len(SENTENCES)))
def test_a_condition_reads_as_a_sentence(raw: dict[str, Any], sentence: str) -> None:
    assert to_english(parse(raw, SCHEMA)) == sentence


def test_labels_of_the_reader_stand_for_names() -> None:
    condition = parse({"sessions_30d": {"$gte": 3}, "country": "DE"}, SCHEMA)
    labels = {"sessions_30d": "visits last month"}
    assert to_english(condition, labels) == "country is DE, and visits last month is at least 3"


def test_the_payload_has_existence_and_type_beside_each_comparison() -> None:
    raw = {
        "sessions_30d": {"$gte": 3, "$lt": 9},
        "consent.product_email": "granted",
        "$or": [{"is_employee": False}, {"signed_up": {"$exists": False}}],
    }
    assert to_growthbook(parse(raw, SCHEMA)) == {
        "consent.product_email": {"$exists": True, "$type": "string", "$eq": "granted"},
        "sessions_30d": {"$exists": True, "$type": "number", "$gte": 3, "$lt": 9},
        "$or": [
            {"is_employee": {"$exists": True, "$type": "boolean", "$eq": False}},
            {"signed_up": {"$not": {"$exists": True, "$type": "string"}}},
        ],
    }


def test_a_missing_attribute_never_passes_a_comparison_in_the_sdk() -> None:
    condition = parse({"sessions_30d": {"$exists": True, "$ne": 3}}, SCHEMA)
    assert evalCondition({}, condition.to_json()) is False
    unguarded = parse({"sessions_30d": {"$ne": 3}}, SCHEMA, nullable=())
    assert evalCondition({}, {"sessions_30d": {"$ne": 3}}) is True
    assert evalCondition({}, to_growthbook(unguarded)) is False


def test_sdk_attributes_are_a_new_nested_document_of_known_values_in_the_schema() -> None:
    row = {
        "person_id": "p-1",
        "country": None,
        "sessions_30d": Decimal("3.5"),
        "signed_up": datetime(2026, 1, 1, 2, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2))),
        "is_employee": False,
        "consent__product_email": "granted",
    }
    before = dict(row)
    assert sdk_attributes(row, SCHEMA) == {
        "consent": {"product_email": "granted"},
        "is_employee": False,
        "sessions_30d": 3.5,
        "signed_up": "2026-01-01T00:00:00Z",
    }
    assert row == before


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (3, True),
        (3.0, True),
        (Decimal(3), True),
        (np.int64(3), True),
        (np.float64(3.0), True),
        (True, False),
        ("3", False),
        (None, False),
        (float("nan"), False),
        (float("-inf"), False),
        (Decimal("NaN"), False),
        (10**400, False),
        ([3], False),
    ],
    ids=range(13),
)
def test_a_number_is_any_real_number_and_nothing_else(value: object, meant: bool) -> None:  # noqa: FBT001
    assert evaluate(parse({"sessions_30d": {"$lte": 3}}, SCHEMA), {"sessions_30d": value}) is meant


def test_a_time_without_a_zone_is_in_utc_in_every_form() -> None:
    condition = parse({"signed_up": "2026-01-01T00:00:00Z"}, SCHEMA)
    moments = [datetime(2026, 1, 1, 0, 0, 0, 500_000), datetime(2026, 1, 1, 0, 0, 1)]  # noqa: DTZ001 — the subject
    expected = [True, False]
    table = pa.table({"signed_up": pa.array(moments, type=pa.timestamp("us"))})
    memory = ibis.memtable(table)
    backend = ibis.duckdb.connect()
    backend.raw_sql("set timezone = 'America/New_York'")
    met = backend.to_pyarrow(memory.select(met=to_ibis(condition, memory)))
    assert met["met"].to_pylist() == expected
    assert to_mask(condition, {"signed_up": ColumnValues.from_arrow(table["signed_up"])}).tolist() == expected
    assert [evaluate(condition, {"signed_up": moment}) for moment in moments] == expected


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.int64(), pa.uint32(), pa.float32(), pa.decimal128(12, 2)], ids=str
)
def test_a_number_column_of_any_width_compares_alike(kind: pa.DataType) -> None:
    condition = parse({"sessions_30d": {"$in": [2, 3]}, "$or": [{"sessions_30d": {"$gte": 2.5}}]}, SCHEMA)
    table = pa.table({"sessions_30d": pa.array([1, 2, 3, None], type=pa.int8()).cast(kind)})
    memory = ibis.memtable(table)
    met = ibis.duckdb.connect().to_pyarrow(memory.select(met=to_ibis(condition, memory)))
    assert met["met"].to_pylist() == [False, False, True, False]
    column = ColumnValues.from_arrow(table["sessions_30d"])
    assert to_mask(condition, {"sessions_30d": column}).tolist() == [False, False, True, False]


def test_not_a_number_in_a_postgresql_numeric_is_missing(postgres_url: str) -> None:
    condition = parse({"sessions_30d": {"$gte": 2.5}}, SCHEMA)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table people (sessions_30d numeric)")
        connection.execute("insert into people values (2), (3), ('NaN'), ('Infinity'), (null)")
        connection.commit()
        backend = ibis.postgres.from_connection(connection)
        table = backend.table("people")
        met = backend.to_pyarrow(table.filter(to_ibis(condition, table)))
    assert met["sessions_30d"].to_pylist() == [Decimal(3)]


def test_text_of_every_arrow_encoding_compares_alike() -> None:
    condition = parse({"country": {"$in": ["DE", "é"]}}, SCHEMA)
    plain = pa.chunked_array([["DE", None], ["é", "FR", "DE"]])
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        column = ColumnValues.from_arrow(plain.cast(kind))
        assert to_mask(condition, {"country": column}).tolist() == [True, False, True, False, True]
    empty = ColumnValues.from_arrow(pa.array([None, None], type=pa.string()))
    assert to_mask(condition, {"country": empty}).tolist() == [False, False]


def test_a_column_that_is_not_there_or_of_another_type_is_named() -> None:
    condition = parse({"consent.product_email": "granted"}, SCHEMA)
    with pytest.raises(ConditionError) as absent:
        to_ibis(condition, ibis.table({"country": "string"}, name="people"))
    assert str(absent.value) == (
        "condition on 'consent.product_email': the table has no column 'consent__product_email'; "
        "add the attribute to the catalog, or take it out of the condition"
    )
    with pytest.raises(ConditionError) as other:
        to_ibis(condition, ibis.table({"consent__product_email": "int64"}, name="people"))
    assert str(other.value) == (
        "condition on 'consent.product_email': column 'consent__product_email' holds int64, not a string; "
        "correct the attribute's type in the catalog"
    )
    with pytest.raises(ConditionError) as no_values:
        to_mask(condition, {})
    assert str(no_values.value) == (
        "condition on 'consent.product_email': there is no such column; "
        "add the attribute to the columns, or take it out of the condition"
    )
    with pytest.raises(ConditionError) as numbers:
        to_mask(condition, {"consent__product_email": ColumnValues(np.array([1.0]))})
    assert str(numbers.value) == (
        "condition on 'consent.product_email': the column holds float64, not a string; "
        "correct the attribute's type in the catalog"
    )


def test_reading_a_condition_loads_neither_ibis_nor_numpy_nor_pydantic() -> None:
    program = (
        "import sys; from gtm_orchestra.conditions import evaluate, parse, to_english, to_growthbook;"
        "parse({'a': 1}, {'a': 'number'});"
        "print(sorted({'ibis', 'numpy', 'pandas', 'pyarrow', 'pydantic', 'growthbook'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    import gtm_orchestra.conditions as package  # noqa: PLC0415 — its `__getattr__` is the subject

    with pytest.raises(AttributeError, match=r"module 'gtm_orchestra\.conditions' has no attribute 'to_sql'"):
        _ = package.to_sql


def test_the_english_of_a_time_names_its_zone() -> None:
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    condition = parse({"signed_up": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}, SCHEMA)
    assert to_english(condition) == "signed up is 2026-03-29 01:30:00 UTC"
