from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from scipy import stats

from gtm_orchestra.audience.activation import attributes_of
from gtm_orchestra.audience.contracts import (
    ChannelReach,
    ConsentReport,
    Measurability,
    MetricReading,
    Objectives,
    Profile,
    Profiles,
    TreeNode,
)
from gtm_orchestra.audience.measurability import LIFT, Design, detectable_lift, measure_profiles, units_needed
from gtm_orchestra.config import Config
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)


def config(**more: object) -> Config:
    return Config.model_validate(
        {
            "workspace": {"name": "Acme"},
            "source": {"url": "acme.duckdb"},
            "tables": {
                "people": {"table": "people", "columns": {"key": "id", "created_at": "created"}},
                "events": {
                    "table": "events",
                    "columns": {"person": "person", "time": "happened", "name": "name"},
                },
            },
            "consent": {
                "snapshots": {"personalization": {"column": "agrees", "granted": ["yes"], "denied": ["no"]}}
            },
            "channels": {"web": {"purpose": "personalization", "system": "Site"}},
            "policies": {"holdout": 0.2},
            "metrics": {
                "activation": {"type": "proportion", "event": "activated", "window": "14d"},
                "sessions": {"type": "mean", "event": "session", "window": "14d"},
                "never": {"type": "proportion", "event": "unheard"},
            },
            "attributes": {
                "plan": {"table": "people", "column": "plan", "type": "string", "review": "accepted"},
                "created_at": {
                    "table": "people",
                    "column": "created",
                    "type": "timestamp",
                    "review": "accepted",
                },
                "activated_14d": {
                    "table": "events",
                    "event": "activated",
                    "measure": "count",
                    "window": "14d",
                    "type": "number",
                    "review": "accepted",
                },
            },
            **more,
        }
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Give 20,000 people, 3 in 10 of whom activated in the last 14 days, and one session for every other."""
    folder: Path = tmp_path_factory.mktemp("acme")
    with duckdb.connect(str(folder / "acme.duckdb")) as con:
        con.execute(
            "CREATE TABLE people AS SELECT 'p' || i AS id, ['free', 'pro'][i % 2 + 1] AS plan, "
            "CASE WHEN i % 4 = 3 THEN 'no' ELSE 'yes' END AS agrees, "
            "TIMESTAMP '2026-11-20' - to_days((i // 100 + 1)::INTEGER) AS created FROM range(20000) t(i)"
        )
        con.execute(
            "CREATE TABLE events AS SELECT 'p' || i AS person, TIMESTAMP '2026-11-20' - to_days(3) AS "
            "happened, "
            "'activated' AS name FROM range(20000) t(i) WHERE i % 10 < 3 UNION ALL "
            "SELECT 'p' || i, TIMESTAMP '2026-11-20' - to_days(2), 'session' FROM range(20000) t(i) WHERE i "
            "% 2 = 0"
        )
    with open_warehouse(config().source, folder, {}) as opened:
        yield opened


def profile(eligibility: dict[str, Any], name: str = "all") -> Profile:
    return Profile(
        profile_id=name,
        name=name,
        description="",
        lifecycle_stage="",
        eligibility=eligibility,
        suppression=None,
        thresholds=(),
        score=(),
        half_life="14d",
        decay_window="30d",
        attributes=attributes_of(eligibility),
        size=0,
        share=0.0,
        volume={},
        fallback="",
        evidence=(),
        added_over="",
        deployable=True,
    )


def measured(
    warehouse: Warehouse,
    eligibility: dict[str, Any],
    *,
    metric: str = "activation",
    settings: Config | None = None,
    go: bool = True,
) -> Measurability:
    reach = ChannelReach(
        channel="web",
        purpose="personalization",
        system="",
        go=go,
        why="",
        reachable=0,
        integrity=1,
        integrity_floor=1,
    )
    return measure_profiles(
        warehouse,
        settings or config(),
        AS_OF,
        objectives=Objectives(
            initiative="PLG",
            goals=(),
            personas=(),
            lifecycle_stages=(),
            channels=("web",),
            metrics=(MetricReading(name=metric, asked=metric, mapped=True),),
            constraints=(),
            timeline=None,
        ),
        consent=ConsentReport(purposes=(), channels=(reach,), suppressed={}, findings=()),
        profiles=Profiles(
            profiles=(profile(eligibility),),
            overlaps=(),
            tree=TreeNode(leaf="x"),
            unassigned=0,
            excluded={},
            findings=(),
        ),
    )


@pytest.mark.parametrize("holdout", [0.05, 0.2, 0.5])
def test_the_units_that_are_said_to_be_needed_have_power_of_eighty_per_cent(holdout: float) -> None:
    design = Design(holdout, 0.3)
    needed = units_needed(design)
    assert needed is not None
    held, shown = round(needed * holdout), round(needed * (1 - holdout))
    rng = np.random.default_rng(11)
    control = rng.binomial(held, 0.3, 20_000) / held
    treated = rng.binomial(shown, 0.3 * (1 + LIFT), 20_000) / shown
    pooled = (control * held + treated * shown) / (held + shown)
    z = (treated - control) / np.sqrt(pooled * (1 - pooled) * (1 / held + 1 / shown))
    power = float(np.mean(np.abs(z) > stats.norm.ppf(0.975)))
    assert power == pytest.approx(0.8, abs=0.02)


def test_the_detectable_lift_is_the_inverse_of_the_units_needed() -> None:
    for design in (Design(0.1, 0.2), Design(0.1, 100.0, 300.0)):
        needed = units_needed(design)
        assert needed is not None
        assert detectable_lift(design, needed) == pytest.approx(LIFT, rel=0.001)


def test_a_lift_beyond_everybody_cannot_be_seen() -> None:
    assert units_needed(Design(0.5, 0.95)) is None
    assert detectable_lift(Design(0.5, 0.9), 40) is None
    assert detectable_lift(Design(0.5, 0.2), 3) is None
    assert units_needed(Design(0.5, 0.0)) is None


def test_a_profile_with_volume_gets_a_baseline_a_lift_and_a_duration(warehouse: Warehouse) -> None:
    one = measured(warehouse, {"plan": "free"}).measures[0]
    # Half the people are free, half of them even numbers; 3 in 4 agreed, but only odd ones refused.
    assert one.people == 10_000
    assert one.baseline == pytest.approx(0.4)
    assert one.people_per_week == 337.5
    assert one.days == 14
    assert one.detectable is not None
    assert 0.05 < one.detectable < LIFT
    assert one.verdict == (
        "A relative lift of 10% is seen after 14 days (baseline 40.0%, 10,000 people, holdout 20%); "
        f"with the people of today a change of {one.detectable:.0%} or more is seen."
    )


def test_the_baseline_is_of_those_who_were_in_the_profile_when_the_window_began(warehouse: Warehouse) -> None:
    # Today nobody in "not activated in 14 days" has activated: counted on them, the rate would be 0.
    one = measured(warehouse, {"activated_14d": {"$lte": 0}}).measures[0]
    assert one.baseline == pytest.approx(0.3)


def test_new_since_means_the_same_one_window_ago(warehouse: Warehouse) -> None:
    since = (AS_OF - timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    one = measured(warehouse, {"created_at": {"$gte": since}}).measures[0]
    # 10 of 200 days, 3 in 4 agree. Of today's members nobody existed 14 days ago; others were new then.
    assert one.people == pytest.approx(20_000 * 0.05 * 0.75)
    assert one.baseline == pytest.approx(0.3)


def test_an_amount_is_tested_by_its_deviation(warehouse: Warehouse) -> None:
    one = measured(warehouse, {"plan": {"$in": ["free", "pro"]}}, metric="sessions").measures[0]
    assert one.baseline == pytest.approx(0.5)
    needed = units_needed(Design(0.2, 0.5, 0.5))
    assert needed is not None
    assert needed < one.people
    assert one.days == 14


def test_a_small_holdout_says_how_many_people_it_would_take(warehouse: Warehouse) -> None:
    settings = config(policies={"holdout": 0.01})
    result = measured(warehouse, {"plan": "free"}, settings=settings)
    one = result.measures[0]
    assert one.days is None
    assert one.verdict == (
        "Not enough volume: a lift of 10% takes about 121,000 people (about 4,780 if half were held out), "
        "more than "
        "come within a year (baseline 40.0%, 10,000 people, holdout 1%); with the people of today a change "
        "of "
        "35% or more is seen."
    )
    assert [(found.finding_id, found.decides) for found in result.findings] == [
        ("not_measurable:activation", "testing-lead")
    ]
    assert result.findings[0].message == (
        "activation: for 'all' a lift of 10% cannot be seen within a year at a holdout of 1%. "
        f"All profiles measured together: {one.verdict}"
    )


def test_a_closed_channel_or_a_tiny_group_is_not_enough_volume(warehouse: Warehouse) -> None:
    fifty = {"plan": "free", "created_at": {"$gte": "2026-11-19T00:00:00Z"}}
    for result in (measured(warehouse, {"plan": "free"}, go=False), measured(warehouse, fifty)):
        one = result.measures[0]
        assert (one.people, one.people_per_week, one.detectable, one.days) == (0, 0.0, None, None)
        assert one.verdict == (
            "Not enough volume: fewer than 100 people can be reached on a channel that is open."
        )


def test_a_metric_that_cannot_be_counted_says_why(warehouse: Warehouse) -> None:
    assert measured(warehouse, {"plan": "free"}, metric="never").measures[0].verdict == (
        "Not measurable: the event 'unheard' of metrics.never does not occur in table 'events'."
    )


def test_people_created_in_the_future_are_no_inflow(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "acme.duckdb")) as con:
        con.execute(
            "CREATE TABLE people AS SELECT 'p' || i AS id, 'free' AS plan, 'yes' AS agrees, "
            "TIMESTAMP '2026-11-20' + to_days(CASE WHEN i < 500 THEN 90 ELSE -7 END) AS created "
            "FROM range(900) t(i)"
        )
        con.execute("CREATE TABLE events AS SELECT 'p1' AS person, now()::TIMESTAMP AS happened, 'x' AS name")
    with open_warehouse(config().source, tmp_path, {}) as warehouse:
        one = measured(warehouse, {"plan": "free"}).measures[0]
    assert (one.people, one.people_per_week) == (900, 100.0)
