"""The attribute inventory against hand-written DuckDB SQL for the same figures, in the same run.

Usage: python benchmarks/inventory.py [--people 1700000] [--folder DIR] [--rounds 1]

Prints seconds, the ratio, and each side's peak memory; asserts that both count the same, never a speed.
Each side runs in a process of its own, so that neither finds the other's memory or caches.
"""

# ruff: noqa: S608, E501 - statements of the benchmark's own, as a person would write them
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS_AT = "make_timestamp(epoch_us(occurred_at))"


def main() -> None:
    """Generate the data if need be, run both sides, print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--people", type=int, default=1_700_000)
    arguments.add_argument("--folder", type=Path)
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--side", choices=("ours", "sql"))
    given = arguments.parse_args()
    if given.side:
        print(json.dumps(_ours(given.folder) if given.side == "ours" else _sql(given.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        if not (folder / "gtm.toml").exists():
            from gtm_orchestra.sample.generate import write_sample  # noqa: PLC0415 - only when data is lacking

            write_sample(folder, people=given.people)
        for _ in range(given.rounds):
            sides = {side: _side(side, folder) for side in ("sql", "ours")}
            assert sides["ours"]["counts"] == sides["sql"]["counts"], sides
            for side, found in sides.items():
                print(
                    f"{side:5} {found['seconds']:7.2f} s   CPU {found['cpu']:7.2f} s   peak "
                    f"{found['peak_mb']:,} MB"
                )
            ours, sql = sides["ours"], sides["sql"]
            print(f"ratio {ours['seconds'] / sql['seconds']:.2f}   CPU {ours['cpu'] / sql['cpu']:.2f}")


def _side(side: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def _measured(started: float, cpu: float, counts: dict[str, Any]) -> dict[str, Any]:
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "counts": counts,
    }


def _ours(folder: Path) -> dict[str, Any]:
    from gtm_orchestra.audience.inventory import take_inventory  # noqa: PLC0415 - not in the other side
    from gtm_orchestra.config import load_config  # noqa: PLC0415
    from gtm_orchestra.warehouse.connection import open_warehouse  # noqa: PLC0415
    from gtm_orchestra.warehouse.people import people_frame  # noqa: PLC0415

    config = load_config(folder / "gtm.toml")
    as_of = datetime.fromisoformat(json.loads((folder / "manifest.json").read_text())["as_of"])
    started, cpu = time.perf_counter(), time.process_time()
    with open_warehouse(config.source, folder, {}) as warehouse:
        inventory = take_inventory(warehouse, config, as_of, people_frame(warehouse, config, as_of))
    counts = {
        "attributes": {fact.name: [fact.filled, fact.distinct] for fact in inventory.attributes},
        "rows": {table.role: [table.rows, table.broken_rows, table.late_rows] for table in inventory.tables},
        "identity": [
            inventory.identity.duplicate_emails,
            inventory.identity.duplicate_records,
            inventory.identity.anonymous_ids,
            inventory.identity.stitched_ids,
        ],
    }
    return _measured(started, cpu, counts)


def _sql(folder: Path) -> dict[str, Any]:
    import duckdb  # noqa: PLC0415 - not in the other side

    from gtm_orchestra.config import load_config  # noqa: PLC0415 - names of columns only

    config = load_config(folder / "gtm.toml")
    as_of = datetime.fromisoformat(json.loads((folder / "manifest.json").read_text())["as_of"])
    now = f"TIMESTAMP '{as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    plain = {n: a for n, a in config.attributes.items() if a.table == "people" and a.column}
    account = {n: a for n, a in config.attributes.items() if a.table == "accounts"}
    events = {n: a for n, a in config.attributes.items() if a.measure}
    started, cpu = time.perf_counter(), time.process_time()
    con = duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(folder / ".spill")})
    con.execute("SET TimeZone = 'UTC'")
    for file in (folder / "data").glob("*.parquet"):
        con.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM '{file}'")
    con.execute(_people_sql(config, now, plain, account, events))
    types = {name: a.type for name, a in {**plain, **account, **events}.items()}
    counted = _attributes_sql(con, config, types, now)
    counts = {"attributes": counted, "rows": _tables_sql(con, now), "identity": _identity_sql(con)}
    return _measured(started, cpu, counts)


def _people_sql(config: Any, now: str, plain: Any, account: Any, events: Any) -> str:  # noqa: ANN401 - a script
    def read(name: str, a: Any) -> str:  # noqa: ANN401
        cast = {"number": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP", "string": "VARCHAR"}[
            a.type
        ]
        return f"try_cast(nullif(CAST({a.column} AS VARCHAR), '') AS {cast}) AS {name}"

    def measure(name: str, a: Any) -> str:  # noqa: ANN401
        tests = [f"name = '{a.event}'"] if a.event != "*" else []
        tests += [f"happened_at > {now} - INTERVAL {a.window[:-1]} DAY"] if a.window else []
        where = f"FILTER (WHERE {' AND '.join(tests)})" if tests else ""
        if a.measure == "distinct_days":
            return f"count(DISTINCT CAST(happened_at AS DATE)) {where} AS {name}"
        if a.measure == "count":
            return f"count(*) {where} AS {name}"
        return f"date_diff('second', max(happened_at) {where}, {now}) // 86400 AS {name}"

    purposes = sorted({channel.purpose for channel in config.channels.values()})
    latest = ", ".join(
        "arg_max(CASE WHEN status IN ('denied', 'withdrawn') THEN 3 WHEN expires_at <= now() THEN 0 ELSE "
        "1 END * 2 "
        f"+ CAST(proof IS NOT NULL AS INT), changed_at) FILTER (purpose = '{p}') AS state_{p}"
        for p in purposes
    )
    return f"""
    CREATE TEMP TABLE people AS
    WITH stitched AS (
        SELECT anonymous_id, min(contact_id) AS owner FROM identities WHERE contact_id IS NOT NULL
        GROUP BY anonymous_id HAVING min(contact_id) = max(contact_id)),
    happened AS (
        SELECT coalesce(e.contact_id, s.owner) AS person, {EVENTS_AT} AS happened_at, event_name AS name
        FROM events e LEFT JOIN stitched s USING (anonymous_id) WHERE {EVENTS_AT} <= {now}),
    behaviour AS (SELECT person, {", ".join(measure(n, a) for n, a in events.items())} FROM happened GROUP BY person),
    consent AS (SELECT contact_id, {latest} FROM consents WHERE make_timestamp(epoch_us(changed_at)) <= {now}
        GROUP BY contact_id),
    company AS (SELECT hs_object_id AS company, {", ".join(read(n, a) for n, a in account.items())} FROM accounts)
    SELECT hs_object_id AS person_id, nullif(email, '') AS address, try_cast(createdate AS TIMESTAMP) AS created,
        associatedcompanyid AS company_id, {", ".join(read(n, a) for n, a in plain.items())},
        company.* EXCLUDE (company), consent.* EXCLUDE (contact_id),
        {", ".join(n if a.measure == "days_since_last" else f"coalesce({n}, 0) AS {n}" for n, a in events.items())}
    FROM contacts LEFT JOIN company ON company.company = associatedcompanyid
    LEFT JOIN behaviour ON behaviour.person = hs_object_id LEFT JOIN consent ON contact_id = hs_object_id
    WHERE hs_object_id IS NOT NULL AND (createdate IS NULL OR try_cast(createdate AS TIMESTAMP) IS NOT NULL)
    """


def _attributes_sql(con: Any, config: Any, types: Mapping[str, str], now: str) -> dict[str, list[int]]:  # noqa: ANN401
    parts = [f"count({n}), count(DISTINCT {n})" for n in types]
    numbers = [n for n, t in types.items() if t == "number"]
    parts += [f"quantile_cont({n}, [0.05, 0.25, 0.5, 0.75, 0.95])" for n in numbers]
    parts += [
        f"quantile_cont({n}, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) "
        f"FILTER (created <= {now} - INTERVAL 28 DAY)"
        for n in numbers
        if not config.attributes[n].measure
    ]
    row = con.execute(f"SELECT {', '.join(parts)} FROM people").fetchone()
    counted = {n: [row[2 * i], row[2 * i + 1]] for i, n in enumerate(types)}
    recent = f"created > {now} - INTERVAL 28 DAY"
    special = [n for n, a in config.attributes.items() if a.sensitivity == "special"]
    for name, type_ in types.items():
        if type_ == "boolean" or (type_ == "string" and counted[name][1] <= 200):  # noqa: PLR2004
            others = ", ".join([name, recent, *(s for s in special if s != name)])
            con.execute(f"SELECT {others}, count(*) FROM people GROUP BY ALL").fetchall()
        if type_ == "number" and not config.attributes[name].measure:
            con.execute(
                f"SELECT ntile_bin, r, count(*) FROM (SELECT floor({name} / 10) AS ntile_bin, {recent} AS r "
                "FROM people) GROUP BY ALL"
            ).fetchall()
    sums = ", ".join(f"count({n}), sum({n}), sum({n} * {n})" for n, t in types.items() if t == "number")
    for name in special:
        con.execute(f"SELECT {name}, {sums} FROM people GROUP BY {name}").fetchall()
    texts = ", ".join(n for n, t in types.items() if t == "string" and counted[n][1] > 200)  # noqa: PLR2004
    con.execute(f"SELECT {texts} FROM people ORDER BY person_id LIMIT 5000").fetchall()
    return dict(sorted(counted.items()))


def _tables_sql(con: Any, now: str) -> dict[str, list[int]]:  # noqa: ANN401
    text = "createdate IS NOT NULL AND try_cast(createdate AS TIMESTAMP) IS NULL"
    tables = {
        "accounts": ("accounts", "usage_synced_at", "hs_object_id IS NULL"),
        "consents": ("consents", "changed_at", "contact_id IS NULL OR changed_at IS NULL"),
        "events": (
            "events",
            "received_at",
            "(contact_id IS NULL AND anonymous_id IS NULL) OR occurred_at IS NULL",
        ),
        "exposures": ("exposures", "exposed_at", "contact_id IS NULL OR exposed_at IS NULL"),
        "identities": (
            "identities",
            "linked_at",
            "contact_id IS NULL OR anonymous_id IS NULL OR linked_at IS NULL",
        ),
        "membership": ("memberships", "NULL::TIMESTAMP", "contact_id IS NULL OR company_id IS NULL"),
        "opportunities": ("opportunities", "createdate", "hs_object_id IS NULL"),
        "outcomes": ("outcomes", "occurred_at", "contact_id IS NULL OR occurred_at IS NULL"),
        "people": ("contacts", "synced_at", f"hs_object_id IS NULL OR ({text})"),
    }
    found = {}
    for role, (table, at, broken) in tables.items():
        late = "received_at - INTERVAL 24 HOUR > occurred_at" if role == "events" else "false"
        instant = f"make_timestamp(epoch_us({at}))"
        columns = f"count(*), count(*) FILTER ({broken}), count(*) FILTER ({late})"
        rows = (
            con.execute(f"SELECT 0, {columns} FROM {table}").fetchall()
            if role == "membership"
            else con.execute(
                f"SELECT epoch_us({at}) // 3600000000 AS hour, {columns}, "
                f"count(*) FILTER ({instant} > {now}), min({instant}), max({instant}) FROM {table} GROUP BY hour"
            ).fetchall()
        )
        found[role] = [sum(row[i] for row in rows) for i in (1, 2, 3)]
    con.execute("SELECT count(DISTINCT hs_object_id) FROM contacts").fetchall()
    con.execute("SELECT event_name, count(*) FROM events GROUP BY event_name").fetchall()
    return found


def _identity_sql(con: Any) -> list[int]:  # noqa: ANN401
    emails = con.execute(
        "SELECT count(*), sum(n - 1) FROM (SELECT count(*) AS n FROM people WHERE address IS NOT NULL "
        "GROUP BY lower(trim(address)) HAVING count(*) > 1)"
    ).fetchone()
    visitors = con.execute(
        "SELECT count(*), count(person_id) FROM (SELECT DISTINCT anonymous_id FROM events WHERE "
        "anonymous_id IS NOT NULL) "
        "LEFT JOIN (SELECT anonymous_id, min(contact_id) AS owner FROM identities WHERE contact_id IS "
        "NOT NULL "
        "GROUP BY anonymous_id HAVING min(contact_id) = max(contact_id)) USING (anonymous_id) "
        "LEFT JOIN people ON person_id = owner"
    ).fetchone()
    return [int(value or 0) for value in (*emails, *visitors)]


if __name__ == "__main__":
    main()
