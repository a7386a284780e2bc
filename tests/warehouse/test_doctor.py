"""Known answers inside real engines, and a mapping that no longer fits."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from gtm_orchestra.config import Config, SourceSettings
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.doctor import check_source, check_workspace, open_points, sql_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    duckdb.sql("SELECT 'p1' AS id, 'a@b.example' AS email, 'pro' AS plan_name").write_parquet(
        str(tmp_path / "people.parquet")
    )
    return tmp_path


def config(folder: Path, **columns: str) -> Config:
    return Config.model_validate(
        {
            "workspace": {"name": "Test"},
            "source": {"url": str(folder)},
            "tables": {
                "people": {"table": columns.pop("table", "people"), "columns": {"key": "id", **columns}}
            },
            "attributes": {"plan": {"table": "people", "column": "plan_name", "type": "string"}},
        }
    )


def test_duckdb_gives_every_known_answer(folder: Path) -> None:
    with open_warehouse(SourceSettings(url=str(folder)), folder, {}) as warehouse:
        checks = check_source(warehouse)

    assert [(check.name, check.seen) for check in checks if not check.ok] == []
    assert len(checks) == 21
    assert all(f"-- {check.name}: expected {check.expected}\nSELECT" in sql_text(checks) for check in checks)


def test_postgresql_gives_every_known_answer_in_a_read_only_session(postgres_url: str) -> None:
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table people (id text)")
    with open_warehouse(SourceSettings(url=postgres_url), Path(), {}) as warehouse:
        checks = check_source(warehouse)

    assert [(check.name, check.seen) for check in checks if not check.ok] == []


def test_a_wrong_answer_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_warehouse(SourceSettings(url=str(folder)), folder, {}) as warehouse:
        monkeypatch.setattr(warehouse, "rows", lambda _: [{"answer": 3}])
        wrong = {
            check.name: (check.seen, check.expected) for check in check_source(warehouse) if not check.ok
        }

    assert wrong["7 / 2 is three and a half, not three"] == ("3", "3.5")


def test_a_whole_mapping_is_fine(folder: Path) -> None:
    with open_warehouse(SourceSettings(url=str(folder)), folder, {}) as warehouse:
        checks = check_workspace(config(folder, email="email"), warehouse)

    assert [(check.name, check.ok) for check in checks] == [("tables.people", True), ("attributes", True)]


def test_a_renamed_column_is_named_with_its_likely_new_name(folder: Path) -> None:
    with open_warehouse(SourceSettings(url=str(folder)), folder, {}) as warehouse:
        checks = check_workspace(config(folder, email="e_mail"), warehouse)

    assert [(c.name, c.ok, c.seen, c.expected) for c in checks] == [
        (
            "tables.people.columns.email",
            False,
            "no such column; was it renamed to 'email'?",
            "column 'e_mail'",
        )
    ]


def test_a_renamed_table_is_named_with_its_likely_new_name(folder: Path) -> None:
    with open_warehouse(SourceSettings(url=str(folder)), folder, {}) as warehouse:
        checks = check_workspace(config(folder, table="People"), warehouse)

    assert [(c.name, c.seen) for c in checks] == [
        ("tables.people.table", "no such table; was it renamed to 'people'?")
    ]


def test_an_attribute_that_is_gone_is_named(folder: Path) -> None:
    changed = config(folder).model_dump()
    changed["attributes"]["plan"]["column"] = "plan_title"
    with open_warehouse(SourceSettings(url=str(folder)), folder, {}) as warehouse:
        checks = check_workspace(Config.model_validate(changed), warehouse)

    assert [(c.name, c.ok, c.seen) for c in checks if not c.ok] == [
        (
            "attributes.plan",
            False,
            "table 'people' has no column 'plan_title'; was it renamed to 'plan_name'?",
        )
    ]


def test_what_no_check_fails_on_and_a_run_still_stops_at_is_said(folder: Path) -> None:
    bare = config(folder)
    raw = bare.model_dump()
    raw["channels"] = {"email": {"purpose": "email-marketing"}}
    assert open_points(Config.model_validate(raw)) == (
        "nobody has the role privacy-lead: nobody can sign off",
        "no consent is mapped for any channel: every channel is blocked",
        "no channel has a system: nothing can be activated",
    )
    raw["people"] = {"eva": {"name": "Eva", "roles": ["privacy-lead"]}}
    raw["channels"] = {"email": {"purpose": "email-marketing", "system": "Mail"}}
    raw["consent"] = {
        "snapshots": {"email-marketing": {"column": "plan_name", "granted": ["yes"], "denied": ["no"]}}
    }
    assert open_points(Config.model_validate(raw)) == ()
