from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import gtm_orchestra.agents.customer_data_engineer  # noqa: F401 - registers the handlers
from gtm_orchestra.agents.registry import TaskContext, registered_handlers
from gtm_orchestra.audience.contracts import ConsentReport, Inventory
from gtm_orchestra.config import load_config
from gtm_orchestra.sample.generate import SAMPLE_AS_OF, write_sample
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, people=1_500)
    return folder


@pytest.fixture(scope="module")
def warehouse(sample: Path) -> Iterator[Warehouse]:
    with open_warehouse(load_config(sample / "gtm.toml").source, sample, {}) as opened:
        yield opened


def _context(sample: Path, warehouse: Warehouse, previous: dict[str, Any] | None = None) -> TaskContext:
    return TaskContext(
        task_id="1.2",
        agent="customer-data-engineer",
        initiative="PLG Onboarding",
        inputs={"channels": ["email", "web"]},
        config=load_config(sample / "gtm.toml"),
        root=sample,
        as_of=SAMPLE_AS_OF,
        open_warehouse=lambda: warehouse,
        put_file=lambda _name, _type, _content: "",
        previous=lambda _name: previous,
    )


def test_the_inventory_done_twice_is_the_same_to_the_byte(sample: Path, warehouse: Warehouse) -> None:
    handler = registered_handlers()["attribute-inventory"]
    first = handler(_context(sample, warehouse), {})
    with open_warehouse(load_config(sample / "gtm.toml").source, sample, {}) as another:
        second = handler(_context(sample, another), {})
    assert isinstance(first, Inventory)
    assert first.model_dump_json() == second.model_dump_json()


def test_a_column_that_came_went_or_changed_since_the_last_inventory_is_a_finding(
    sample: Path, warehouse: Warehouse
) -> None:
    handler = registered_handlers()["attribute-inventory"]
    before = handler(_context(sample, warehouse), {}).model_dump(mode="json")
    for column in before["columns"]:
        if column["column"] == "plan_tier":
            column["type"] = "integer"
        if column["column"] == "seats":
            column["column"] = "licences"
    after = handler(_context(sample, warehouse, before), {})
    assert isinstance(after, Inventory)
    assert [(f.severity, f.message) for f in after.findings if f.kind == "schema_change"] == [
        ("info", "Column accounts.licences is gone since the inventory of 2025-12-01."),
        (
            "warning",
            "Column accounts.plan_tier was integer and is now string since the inventory of 2025-12-01.",
        ),
        ("info", "Column accounts.seats is new since the inventory of 2025-12-01."),
    ]


def test_consent_is_reviewed_for_the_channels_asked_in_their_order(
    sample: Path, warehouse: Warehouse
) -> None:
    report = registered_handlers()["consent-review"](_context(sample, warehouse), {})
    assert isinstance(report, ConsentReport)
    assert [(channel.channel, channel.go) for channel in report.channels] == [("email", False), ("web", True)]
