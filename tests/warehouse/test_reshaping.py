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


STATES = (
    "create table people (id text, mail text)",
    "insert into people values ('p1', 'a@example.com'), ('p2', 'b@example.com')",
    "create table orders (who text, day timestamp, state text)",
    (
        "insert into orders values ('p1', '2025-01-01', 'Annulé '), ('p1', '2025-01-02', 'livré'), "
        "('p2', '2025-01-03', null)"
    ),
    "create table spaces (id text, billing text)",
    "insert into spaces values ('w1', 'cus_1'), ('w2', 'cus_2'), ('w3', 'cus_2')",
    "create table members (who text, space text)",
    "insert into members values ('p1', 'w1'), ('p2', 'w2')",
    "create table subs (id text, customer text, plan text, state text)",
    (
        "insert into subs values ('s1', 'CUS_1', 'pro', 'on'), ('s2', 'cus_2', 'free', 'on'), "
        "('s9', 'cus_1', 'old', 'draft')"
    ),
)


def states(folder: Path) -> SourceSettings:
    with duckdb.connect(str(folder / "data.duckdb")) as connection:
        for statement in STATES:
            connection.execute(statement)
    return SourceSettings(url=f"duckdb://{folder / 'data.duckdb'}")


def with_states(**tables: Any) -> Config:  # noqa: ANN401 - settings by role
    people = {"table": "people", "columns": {"key": "id", "email": "mail"}}
    return Config.model_validate(
        {"workspace": {"name": "T"}, "source": {"url": "x"}, "tables": {"people": people, **tables}}
    )


def test_excluded_rows_do_not_count_whatever_their_case_and_a_missing_word_excludes_nothing(
    tmp_path: Path,
) -> None:
    orders = {
        "table": "orders",
        "columns": {"person": "who", "time": "day"},
        "constants": {"name": "order_placed"},
    }
    config = with_states(events={**orders, "exclude": {"state": ["annulé"]}})
    with open_warehouse(states(tmp_path), Path(), {}) as warehouse:
        events = role_table(warehouse, config, "events")
        assert events is not None
        assert sorted(row["who"] for row in warehouse.rows(events.table)) == ["p1", "p2"]
        wrong = with_states(events={**orders, "exclude": {"status": ["annulé"]}})
        with pytest.raises(SourceError) as caught:
            role_table(warehouse, wrong, "events")
    assert caught.value.message == (
        "table 'orders' has no column 'status', which its exclude names; columns there: who, day, state"
    )


def test_a_subscription_finds_its_account_by_another_number_and_a_shared_one_finds_nobody(
    tmp_path: Path,
) -> None:
    config = with_states(
        accounts={"table": "spaces", "columns": {"key": "id", "billing": "billing"}},
        membership={"table": "members", "columns": {"person": "who", "account": "space"}},
        subscriptions={
            "table": "subs",
            "columns": {"key": "id", "account": "customer", "plan": "plan"},
            "account_by": "billing",
            "exclude": {"state": ["draft"]},
        },
    )
    with open_warehouse(states(tmp_path), Path(), {}) as warehouse:
        accounts = role_table(warehouse, config, "accounts")
        assert accounts is not None
        rows = {row["id"]: row["subs.plan"] for row in warehouse.rows(accounts.table)}
    assert rows == {"w1": "pro", "w2": None, "w3": None}


def test_an_account_by_that_is_not_mapped_says_where_to_map_it(tmp_path: Path) -> None:
    config = with_states(
        accounts={"table": "spaces", "columns": {"key": "id"}},
        subscriptions={
            "table": "subs",
            "columns": {"key": "id", "account": "customer"},
            "account_by": "billing",
        },
    )
    with (
        open_warehouse(states(tmp_path), Path(), {}) as warehouse,
        pytest.raises(SourceError) as caught,
    ):
        role_table(warehouse, config, "accounts")
    assert caught.value.message == (
        "table 'subs' finds accounts by 'billing', which tables.accounts.columns lacks"
    )
    assert caught.value.hint == "map it there, or remove account_by"
