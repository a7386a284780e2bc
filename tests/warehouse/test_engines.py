"""DuckDB and PostgreSQL give the same figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.warehouse.conftest import load_postgres

from gtm_orchestra.audience.consent import review_consent
from gtm_orchestra.audience.inventory import take_inventory
from gtm_orchestra.config import CHANNELS, Config, SourceSettings, load_config
from gtm_orchestra.errors import SourceError
from gtm_orchestra.sample.generate import SAMPLE_AS_OF, write_sample
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tests.warehouse.conftest import Company


def _results(warehouse: Warehouse, config: Config, as_of: datetime) -> tuple[Any, Any, Any]:
    frame = people_frame(warehouse, config, as_of)
    people = sorted(warehouse.rows(frame.table), key=lambda row: str(row["person_id"]))
    inventory = take_inventory(warehouse, config, as_of, frame)
    consent = review_consent(warehouse, config, as_of, frame, CHANNELS)
    return people, inventory.model_dump(exclude={"engine"}), consent.model_dump()


def test_the_small_company_is_the_same_in_both(company: Company, postgres_url: str) -> None:
    folder = company.write()
    load_postgres(postgres_url, folder)
    config = company.config()
    with open_warehouse(config.source, company.root, {}) as files:
        from_files = _results(files, config, company.as_of)
    with open_warehouse(SourceSettings(url=postgres_url), company.root, {}) as database:
        assert database.engine == "postgres"
        from_database = _results(database, config, company.as_of)
    assert from_files[0] == from_database[0]
    assert from_files[1:] == from_database[1:]


def test_the_sample_is_the_same_in_both(tmp_path: Path, postgres_url: str) -> None:
    write_sample(tmp_path, people=1_500)
    load_postgres(postgres_url, tmp_path / "data")
    config = load_config(tmp_path / "gtm.toml")
    with open_warehouse(config.source, tmp_path, {}) as files:
        from_files = _results(files, config, SAMPLE_AS_OF)
    with open_warehouse(SourceSettings(url=postgres_url), tmp_path, {}) as database:
        from_database = _results(database, config, SAMPLE_AS_OF)
    for one, other in zip(from_files, from_database, strict=True):
        assert one == other


def test_a_query_of_gtm_toml_runs_in_both(company: Company, postgres_url: str) -> None:
    folder = company.write()
    load_postgres(postgres_url, folder)
    query = "SELECT person, count(*) AS value FROM events WHERE person > '' GROUP BY person ORDER BY person"
    for source in (SourceSettings(url="data"), SourceSettings(url=postgres_url)):
        with open_warehouse(source, company.root, {}) as warehouse:
            assert [(row["person"], row["value"]) for row in warehouse.rows(warehouse.sql(query))] == [
                ("p001", 3),
                ("p002", 1),
                ("p003", 2),
            ]


def test_the_database_refuses_every_write(company: Company, postgres_url: str) -> None:
    load_postgres(postgres_url, company.write())
    with open_warehouse(SourceSettings(url=postgres_url), company.root, {}) as warehouse:
        people_frame(warehouse, company.config(), company.as_of)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            warehouse.con.raw_sql("DELETE FROM people")


def test_an_account_without_temporary_tables_gets_the_same_people(
    company: Company, postgres_url: str
) -> None:
    load_postgres(postgres_url, company.write())
    with psycopg.connect(postgres_url, autocommit=True) as server:
        database = server.info.dbname
        server.execute("CREATE ROLE reader LOGIN")
        server.execute(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
        server.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    config, url = company.config(), postgres_url.replace("//gtm@", "//reader@")
    try:
        with open_warehouse(SourceSettings(url=url), company.root, {}) as warehouse:
            assert people_frame(warehouse, config, company.as_of).people == 39
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute("DROP OWNED BY reader")
            server.execute("DROP ROLE reader")


def test_a_table_that_may_not_be_read_is_not_there(company: Company, postgres_url: str) -> None:
    load_postgres(postgres_url, company.write())
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE ROLE stranger LOGIN")
        server.execute("GRANT SELECT ON events TO stranger")
    url = postgres_url.replace("//gtm@", "//stranger@")
    try:
        with (
            open_warehouse(SourceSettings(url=url), company.root, {}) as warehouse,
            pytest.raises(SourceError) as caught,
        ):
            warehouse.to_arrow(warehouse.table("people"))
        assert str(caught.value) == (
            f"table 'people' is not in {warehouse.where}; tables there: events; "
            "mend 'table' in gtm.toml, or run 'gtm init' again"
        )
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute("DROP OWNED BY stranger")
            server.execute("DROP ROLE stranger")
