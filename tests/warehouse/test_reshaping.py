"""Formats, constants and links by address, on DuckDB and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from gtm_orchestra.config import Config, SourceSettings
from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.roles import role_table

ROWS = [
    ("31.12.2024 23:30", "1.234,50 €", "12/31/2024 1:05 PM", "3 Jan 2024", 1_704_067_200_000),
    ("30.02.2024 10:00", "n/a", "12/31/2024 12:00 AM", "14 dec 2023", None),
    ("soon", "-3", "", "x", 0),
]
SETTINGS: dict[str, Any] = {
    "workspace": {"name": "Test"},
    "source": {"url": "data"},
    "tables": {
        "people": {"table": "people", "columns": {"key": "id", "email": "mail"}},
        "events": {
            "table": "orders",
            "columns": {"person": "who", "time": "german"},
            "constants": {"name": "order_placed"},
            "person_by": "email",
            "formats": {
                "german": "%d.%m.%Y %H:%M", "money": "decimal-comma", "american": "%m/%d/%Y %I:%M %p",
                "worded": "%d %b %Y", "epoch": "epoch-ms",
            },
        },
    },
}  # fmt: skip
COLUMNS = "columns there: who, german, money, american, worded, epoch"
CREATE = (
    "create table people (id text, mail text)",
    "insert into people values ('p1', 'A@example.com'), ('p2', 'b@example.com'), ('p3', 'B@EXAMPLE.com')",
    "create table orders (who text, german text, money text, american text, worded text, epoch bigint)",
)


def read(url: str, settings: dict[str, Any] = SETTINGS) -> list[dict[str, Any]]:
    from gtm_orchestra.warehouse.values import as_number, as_time  # noqa: PLC0415 - imports ibis

    config = Config.model_validate(settings)
    with open_warehouse(SourceSettings(url=url), Path(), {}) as warehouse:
        events = role_table(warehouse, config, "events")
        assert events is not None
        table = events.table
        chosen = table.select(
            person=events.column("person"), name=events.column("name"), time=events.time("time"),
            money=as_number(table.money), american=as_time(table.american), worded=as_time(table.worded),
            epoch=as_time(table.epoch),
        )  # fmt: skip
        return sorted(warehouse.rows(chosen), key=lambda row: str(row["money"]))


def expected() -> list[tuple[str | None, ...]]:
    return [
        (None, "-3.0", None, None, None, "1970-01-01 00:00:00"),
        (
            "p1",
            "1234.5",
            "2024-12-31 23:30:00",
            "2024-12-31 13:05:00",
            "2024-01-03 00:00:00",
            "2024-01-01 00:00:00",
        ),
        (None, None, None, "2024-12-31 00:00:00", "2023-12-14 00:00:00", None),
    ]


def shown(rows: list[dict[str, Any]]) -> list[tuple[str | None, ...]]:
    keys = ("person", "money", "time", "american", "worded", "epoch")
    return [tuple(None if row[key] is None else str(row[key]) for key in keys) for row in rows]


def people_of(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    # An address that two people share finds neither; case does not matter.
    return [(who, *row) for who, row in zip(("a@EXAMPLE.com", "b@example.com", None), rows, strict=True)]


def test_duckdb_reads_stated_formats_and_finds_people_by_address(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "data.duckdb")) as connection:
        for statement in CREATE:
            connection.execute(statement)
        connection.executemany("insert into orders values (?, ?, ?, ?, ?, ?)", people_of(list(ROWS)))

    rows = read(str(tmp_path / "data.duckdb"))
    assert shown(rows) == expected()
    assert {row["name"] for row in rows} == {"order_placed"}


def test_postgresql_reads_them_alike(postgres_url: str) -> None:
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(postgres_url) as connection:
        for statement in CREATE:
            connection.execute(statement)
        connection.cursor().executemany(
            "insert into orders values (%s, %s, %s, %s, %s, %s)", people_of(list(ROWS))
        )

    assert shown(read(postgres_url)) == expected()


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ({"german": "%Q"}, "format '%Q' is not known"),
        ({"gone": "%Y"}, f"table 'orders' has no column 'gone', which its formats name; {COLUMNS}"),
    ],
)  # fmt: skip
def test_a_wrong_format_says_what_is_allowed(tmp_path: Path, formats: dict[str, str], message: str) -> None:
    with duckdb.connect(str(tmp_path / "data.duckdb")) as connection:
        for statement in CREATE:
            connection.execute(statement)
    tables = SETTINGS["tables"] | {"events": SETTINGS["tables"]["events"] | {"formats": formats}}
    with pytest.raises(SourceError) as caught:
        read(str(tmp_path / "data.duckdb"), SETTINGS | {"tables": tables})

    assert caught.value.message == message
