from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import pytest

from gtm_orchestra.conditions import parse, to_ibis
from gtm_orchestra.config import Config
from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse
from gtm_orchestra.warehouse.metrics import MetricLevel, metric_gap, metric_levels, start_rate
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)

METRICS: dict[str, dict[str, Any]] = {
    "activated": {"type": "proportion", "event": "activated", "window": "14d"},
    "spend": {"type": "mean", "event": "order", "window": "30d"},
    "capped": {"type": "revenue", "event": "order", "window": "30d", "winsorise": 0.3},
    "pipeline": {"type": "revenue", "window": "90d"},
    "kept": {"type": "retention", "event": "session", "window": "7d"},
    "share": {"type": "ratio", "event": "order", "window": "30d"},
    "query": {"type": "revenue", "sql": "SELECT id AS person, 2.5 AS value FROM people WHERE plan = 'pro';"},
    "yes": {"type": "proportion", "sql": "SELECT id AS person, 7 AS value FROM people WHERE plan = 'pro'"},
    "wrong": {"type": "mean", "sql": "SELECT id AS who, 1 AS value FROM people"},
    "nameless": {"type": "proportion"},
    "unheard": {"type": "proportion", "event": "nobody did this"},
}

# person, days before the as-of, event, amount
EVENTS = [
    ("p0", 1, "activated", None),
    ("p0", 3, "activated", None),
    ("p1", 15, "activated", None),
    (None, 2, "activated", None),  # the visitor v2, stitched to p2
    ("p0", 1, "order", 10.0),
    ("p0", 2, "order", 30.0),
    ("p1", 40, "order", 500.0),
    ("p3", 5, "order", 400.0),
    ("p0", 2, "session", None),
    ("p0", 9, "session", None),
    ("p1", 10, "session", None),
    ("p3", 1, "session", None),
]


def config(**more: object) -> Config:
    return Config.model_validate(
        {
            "workspace": {"name": "Acme"},
            "source": {"url": "acme.duckdb"},
            "tables": {
                "people": {
                    "table": "people",
                    "columns": {"key": "id", "account": "account", "created_at": "created"},
                },
                "events": {
                    "table": "events",
                    "columns": {
                        "person": "person",
                        "anonymous": "visitor",
                        "time": "happened",
                        "name": "name",
                        "value": "amount",
                    },
                },
                "identities": {
                    "table": "identities",
                    "columns": {"anonymous": "visitor", "person": "person"},
                },
                "opportunities": {
                    "table": "deals",
                    "columns": {
                        "key": "id",
                        "account": "account",
                        "amount": "amount",
                        "created_at": "created",
                    },
                },
            },
            "metrics": METRICS,
            "attributes": {
                "plan": {"table": "people", "column": "plan", "type": "string", "review": "accepted"}
            },
            **more,
        }
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder: Path = tmp_path_factory.mktemp("acme")
    with duckdb.connect(str(folder / "acme.duckdb")) as con:
        con.execute(
            "CREATE TABLE people AS SELECT 'p' || i AS id, ['a1', 'a1', 'a2', NULL][i + 1] AS account, "
            "['pro', 'free', 'free', 'pro'][i + 1] AS plan, "
            "TIMESTAMP '2026-11-20' - INTERVAL (15 + i * 20) DAY AS created FROM range(4) t(i)"
        )
        con.execute("CREATE TABLE identities AS SELECT 'v2' AS visitor, 'p2' AS person")
        con.execute(
            "CREATE TABLE events (person VARCHAR, visitor VARCHAR, happened TIMESTAMP, name VARCHAR, amount "
            "DOUBLE)"
        )
        con.executemany(
            "INSERT INTO events SELECT $1, CASE WHEN $1 IS NULL THEN 'v2' END, "
            "TIMESTAMP '2026-11-20' - to_days($2::INTEGER), $3, $4",
            [list(row) for row in EVENTS],
        )
        con.execute(
            "CREATE TABLE deals AS SELECT * FROM (VALUES ('d1', 'a1', 100.0, TIMESTAMP '2026-11-01'), "
            "('d2', 'a1', 50.0, TIMESTAMP '2026-10-01'), ('d3', 'a1', 999.0, TIMESTAMP '2025-01-01')) "
            "t(id, account, amount, created)"
        )
    settings = config()
    with open_warehouse(settings.source, folder, {}) as opened:
        yield opened


def level(warehouse: Warehouse, metric: str, condition: dict[str, Any] | None = None) -> MetricLevel:
    settings = config()
    frame = people_frame(warehouse, settings, AS_OF)
    everyone = ibis.literal(value=True)
    mask = everyone if condition is None else to_ibis(parse(condition, frame.schema), frame.full)
    return metric_levels(warehouse, settings, frame, AS_OF, metric=metric, groups={"g": mask})["g"]


def test_a_proportion_counts_each_person_once_and_visitors_that_became_known(warehouse: Warehouse) -> None:
    found = level(warehouse, "activated")
    assert (found.units, found.unit, found.level) == (4, "person", 0.5)
    assert found.deviation == pytest.approx((4 * 0.25 / 3) ** 0.5)


def test_a_mean_sums_the_values_of_the_window_and_counts_people_without_any(warehouse: Warehouse) -> None:
    assert level(warehouse, "spend").level == pytest.approx((10 + 30 + 400) / 4)
    assert level(warehouse, "spend", {"plan": "free"}).level == 0.0


def test_winsorising_caps_values_at_one_quantile_for_every_group(warehouse: Warehouse) -> None:
    cap = 0.9 * 40 + 0.1 * 400  # linear between the third and the fourth of 0, 0, 40, 400
    assert level(warehouse, "capped").level == pytest.approx((40 + cap) / 4)
    assert level(warehouse, "capped", {"plan": "pro"}).level == pytest.approx((40 + cap) / 2)


def test_pipeline_is_counted_once_per_account_and_only_inside_its_window(warehouse: Warehouse) -> None:
    found = level(warehouse, "pipeline")
    assert (found.units, found.unit, found.level) == (2, "account", 75.0)
    assert found.deviation == pytest.approx(106.066, abs=0.001)
    assert level(warehouse, "pipeline", {"plan": "pro"}).level == 150.0


def test_retention_counts_only_people_of_the_window_before(warehouse: Warehouse) -> None:
    found = level(warehouse, "kept")
    assert (found.units, found.level) == (2, 0.5)


def test_a_ratio_divides_sums_and_leaves_out_who_has_no_base(warehouse: Warehouse) -> None:
    found = level(warehouse, "share")
    assert found.units == 4
    assert found.level == pytest.approx(3 / 11)


def test_a_query_gives_values_and_everyone_else_has_none(warehouse: Warehouse) -> None:
    assert level(warehouse, "query").level == pytest.approx(1.25)
    assert level(warehouse, "yes").level == pytest.approx(0.5)


def test_a_query_without_person_says_which_columns_it_has(warehouse: Warehouse) -> None:
    with pytest.raises(SourceError) as caught:
        level(warehouse, "wrong")
    assert str(caught.value) == (
        "the sql of a mean metric in gtm.toml returns who, value, without person; "
        "name the columns in its SELECT, such as SUM(amount) AS value"
    )


def test_a_group_without_people_has_no_level(warehouse: Warehouse) -> None:
    assert level(warehouse, "activated", {"plan": "none"}) == MetricLevel(0, "person", None, None)


def test_a_start_rate_counts_new_people_whose_window_is_over(warehouse: Warehouse) -> None:
    settings = config()
    frame = people_frame(warehouse, settings, AS_OF)
    found = start_rate(warehouse, settings, frame, AS_OF, metric="activated")
    # Created 15, 35, 55 and 75 days before, activated 1, 15 and 2 days before: one within 14 days.
    assert found is not None
    assert (found.units, found.level) == (4, 0.25)
    assert start_rate(warehouse, settings, frame, AS_OF, metric="kept") is None


def test_what_a_metric_lacks_is_named(warehouse: Warehouse) -> None:
    settings = config()
    assert metric_gap(warehouse, settings, "activated") == ""
    assert metric_gap(warehouse, settings, "nameless") == (
        "give metrics.nameless an event, or sql that returns person and value"
    )
    assert metric_gap(warehouse, settings, "unheard") == (
        "the event 'nobody did this' of metrics.unheard does not occur in table 'events'"
    )
    tables = {"people": settings.tables["people"].model_dump()}
    alone = config(tables=tables)
    assert metric_gap(warehouse, alone, "activated") == (
        "map [tables.events], or give metrics.activated sql that returns person and value"
    )
    assert metric_gap(warehouse, alone, "pipeline") == (
        "map [tables.opportunities], or give metrics.pipeline an event or sql"
    )
