"""A company of forty people, small enough to count by hand, in any engine."""

# ruff: noqa: S608 - queries over literals make these tables
from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from gtm_orchestra.config import Config

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)

PEOPLE = """
    SELECT CASE WHEN i = 40 THEN NULL ELSE 'p' || lpad(CAST(i AS VARCHAR), 3, '0') END AS id,
           CASE WHEN i = 2 THEN 'PERSON1@example.com'
                WHEN i <= 30 THEN 'person' || CAST(i AS VARCHAR) || '@example.com'
                WHEN i = 31 THEN 'no address' END AS email,
           TIMESTAMP '2026-01-01 08:00:00' + INTERVAL (i) DAY AS created,
           TIMESTAMP '2026-06-29 12:00:00' AS loaded,
           CASE WHEN i % 4 = 0 THEN 'trial' WHEN i % 4 = 1 THEN 'paid'
                WHEN i % 4 = 2 THEN '' ELSE 'free' END AS plan,
           CASE WHEN i = 5 THEN CAST('NaN' AS DOUBLE) ELSE CAST(i AS DOUBLE) END AS seats,
           i % 10 = 0 AS employee,
           CASE WHEN i % 3 = 0 THEN 'Yes' WHEN i % 3 = 1 THEN 'No' END AS newsletter,
           'a' || CAST(i % 5 AS VARCHAR) AS account
    FROM range(1, 41) t(i)
"""
EVENTS = """
    SELECT * FROM (VALUES
      ('p001', NULL, TIMESTAMP '2026-06-29 23:30:00', 'login', TIMESTAMP '2026-06-29 23:31:00'),
      ('p001', NULL, TIMESTAMP '2026-06-30 00:30:00', 'login', TIMESTAMP '2026-06-30 00:31:00'),
      ('p001', NULL, TIMESTAMP '2026-05-01 10:00:00', 'login', TIMESTAMP '2026-05-03 10:00:00'),
      (NULL, 'v1', TIMESTAMP '2026-06-28 10:00:00', 'login', TIMESTAMP '2026-06-28 10:01:00'),
      (NULL, 'v2', TIMESTAMP '2026-06-28 10:00:00', 'login', TIMESTAMP '2026-06-28 10:01:00'),
      (NULL, 'v9', TIMESTAMP '2026-06-28 10:00:00', 'view', TIMESTAMP '2026-06-28 10:01:00'),
      ('p002', NULL, TIMESTAMP '2026-07-15 10:00:00', 'login', TIMESTAMP '2026-06-30 10:00:00'),
      ('p003', NULL, NULL, 'login', TIMESTAMP '2026-06-30 10:00:00'),
      ('p003', NULL, TIMESTAMP '2026-06-20 10:00:00', 'view', TIMESTAMP '2026-06-20 10:00:01')
    ) t(person, visitor, "at", name, loaded)
"""
IDENTITIES = "SELECT * FROM (VALUES ('v1', 'p002'), ('v2', 'p003'), ('v2', 'p004')) t(visitor, person)"
CONSENTS = """
    SELECT * FROM (VALUES
      ('p001', 'mail', 'granted', TIMESTAMP '2026-01-01 00:00:00', 'form 1'),
      ('p001', 'mail', 'withdrawn', TIMESTAMP '2026-02-01 00:00:00', 'form 2'),
      ('p002', 'mail', 'withdrawn', TIMESTAMP '2026-01-01 00:00:00', 'form 1'),
      ('p002', 'mail', 'Granted', TIMESTAMP '2026-02-01 00:00:00', 'form 2'),
      ('p003', 'mail', 'granted', TIMESTAMP '2026-02-01 00:00:00', 'form 1'),
      ('p003', 'mail', 'denied', TIMESTAMP '2026-02-01 00:00:00', 'form 2'),
      ('p004', 'mail', 'granted', TIMESTAMP '2024-02-01 00:00:00', 'form 1'),
      ('p005', 'mail', 'granted', TIMESTAMP '2026-02-01 00:00:00', NULL),
      ('p006', 'mail', 'maybe', TIMESTAMP '2026-02-01 00:00:00', 'form 1'),
      ('p007', 'mail', 'granted', TIMESTAMP '2026-07-01 00:00:00', 'form 1'),
      ('p008', 'site', 'granted', TIMESTAMP '2026-02-01 00:00:00', 'form 1')
    ) t(person, purpose, status, "at", proof)
"""
ACCOUNTS = """
    SELECT 'a' || CAST(i AS VARCHAR) AS id, 'Company ' || CAST(i AS VARCHAR) AS name, i * 10 AS staff
    FROM range(0, 4) t(i)
"""
TABLES = {
    "people": PEOPLE,
    "events": EVENTS,
    "identities": IDENTITIES,
    "consents": CONSENTS,
    "accounts": ACCOUNTS,
}


def _write(folder: Path, changed: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    for name, query in (TABLES | changed).items():
        con.execute(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet)")
    con.close()


def load_postgres(url: str, folder: Path) -> None:
    """Copy a folder of Parquet files into a PostgreSQL database."""
    import psycopg  # noqa: PLC0415 - an extra

    types = {"VARCHAR": "text", "DOUBLE": "double precision", "TIMESTAMP WITH TIME ZONE": "timestamptz"}
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    with psycopg.connect(url, autocommit=True) as server, server.cursor() as cursor:
        for file in sorted(folder.glob("*.parquet")):
            described = con.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
            columns = [
                (row[0], types.get(row[1], row[1] if "ENUM" not in row[1] else "text")) for row in described
            ]
            declared = ", ".join(f'"{name}" {type_}' for name, type_ in columns)
            cursor.execute(f'CREATE TABLE "{file.stem}" ({declared})')
            with cursor.copy(f'COPY "{file.stem}" FROM STDIN') as copy:
                for batch in con.execute(f"SELECT * FROM '{file}'").to_arrow_table().to_batches():
                    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        copy.write_row(row)
    con.close()


class Company:
    """Writes the company where a test wants it."""

    as_of = AS_OF

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, **changed: str) -> Path:
        """Write the tables as Parquet, some of them changed, and return their folder."""
        _write(self.root / "data", changed)
        return self.root / "data"

    def config(self, url: str = "data", **sections: dict[str, Any]) -> Config:
        """Return the company's gtm.toml; a section given replaces its own."""
        return _config(url, sections)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


GTM_TOML: dict[str, Any] = {
    "workspace": {"name": "Small company", "timezone": "Europe/Berlin"},
    "tables": {
        "people": {
            "table": "people",
            "columns": {
                "key": "id",
                "email": "email",
                "created_at": "created",
                "loaded_at": "loaded",
                "account": "account",
            },
            "freshness": "48h",
        },
        "events": {
            "table": "events",
            "columns": {
                "person": "person",
                "anonymous": "visitor",
                "time": "at",
                "name": "name",
                "loaded_at": "loaded",
            },
        },
        "identities": {"table": "identities", "columns": {"anonymous": "visitor", "person": "person"}},
        "consents": {
            "table": "consents",
            "columns": {
                "person": "person",
                "purpose": "purpose",
                "status": "status",
                "at": "at",
                "proof": "proof",
            },
        },
        "accounts": {"table": "accounts", "columns": {"key": "id", "name": "name"}},
    },
    "consent": {
        "valid_for": "730d",
        "snapshots": {"news": {"column": "newsletter", "granted": ["yes"], "denied": ["no"]}},
    },
    "channels": {
        "email": {"purpose": "mail", "identifier": "email", "system": "HubSpot"},
        "web": {"purpose": "site"},
        "ads": {"purpose": "news", "identifier": "plan"},
    },
    "people": {"dana": {"name": "Dana", "roles": ["privacy-lead"]}},
    "suppressions": {
        "employees": {"condition": {"is_employee": True}, "reason": "Staff see the product anyway."},
    },
    "attributes": {
        "plan": {"table": "people", "column": "plan", "type": "string", "sensitivity": "none"},
        "seats": {"table": "people", "column": "seats", "type": "number", "sensitivity": "none"},
        "signed_up": {"table": "people", "column": "created", "type": "timestamp", "sensitivity": "none"},
        "is_employee": {
            "table": "people",
            "column": "employee",
            "type": "boolean",
            "sensitivity": "internal",
            "review": "denied",
        },
        "company_staff": {
            "table": "accounts",
            "column": "staff",
            "type": "number",
            "sensitivity": "none",
        },
        "logins_30d": {
            "table": "events",
            "event": "login",
            "measure": "count",
            "window": "30d",
            "type": "number",
        },
        "login_days_30d": {
            "table": "events",
            "event": "login",
            "measure": "distinct_days",
            "window": "30d",
            "type": "number",
        },
        "days_since_any": {
            "table": "events",
            "event": "*",
            "measure": "days_since_last",
            "type": "number",
        },
        "purchases_30d": {
            "table": "events",
            "event": "logins",
            "measure": "count",
            "window": "30d",
            "type": "number",
        },
        "industry": {"table": "people", "column": "industry", "type": "string"},
    },
}


def _config(url: str, sections: dict[str, Any]) -> Config:
    return Config.model_validate({**GTM_TOML, "source": {"url": url}, **sections})
