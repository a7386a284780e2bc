from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.agents.intake import objective_intake
from gtm_orchestra.agents.registry import TaskContext, registered_handlers
from gtm_orchestra.config import load_config
from gtm_orchestra.sample.generate import SAMPLE_AS_OF, write_sample
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gtm_orchestra.audience.contracts import Objectives
    from gtm_orchestra.config import Config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample")
    write_sample(path, people=3_000)
    return path


@pytest.fixture(scope="module")
def opened(folder: Path) -> Iterator[tuple[Config, Warehouse]]:
    config = load_config(folder / "gtm.toml")
    with open_warehouse(config.source, folder, {}) as warehouse:
        yield config, warehouse


class Intake:
    """Runs the handler with some inputs."""

    def __init__(self, folder: Path, config: Config, warehouse: Warehouse) -> None:
        self.folder, self.config, self.warehouse = folder, config, warehouse

    def __call__(self, config: Config | None = None, **inputs: object) -> Objectives:
        asked = {"channels": ["web", "email"], "metrics": [], "constraints": [], "timeline": None} | inputs
        context = TaskContext(
            task_id="1.1",
            agent="personalization-architect",
            initiative="PLG Onboarding",
            inputs=asked,
            config=config or self.config,
            root=self.folder,
            as_of=SAMPLE_AS_OF,
            open_warehouse=lambda: self.warehouse,
            put_file=lambda *_: "",
        )
        return objective_intake(context)


@pytest.fixture
def intake(folder: Path, opened: tuple[Config, Warehouse]) -> Intake:
    return Intake(folder, *opened)


def test_the_handler_is_registered_for_the_architect() -> None:
    found = registered_handlers()["objective-intake"]
    assert (found.agent, found.needs, found.returns.__name__) == (
        "personalization-architect",
        {},
        "Objectives",
    )


def test_personas_are_the_lifecycle_stages_of_the_people_in_scope_in_their_order(intake: Intake) -> None:
    everyone, some = intake(), intake(constraints=["only trial users"])
    assert everyone.lifecycle_stages == tuple(
        stage
        for stage in (
            "subscriber",
            "lead",
            "marketingqualifiedlead",
            "trial",
            "customer",
            "evangelist",
            "churned",
        )
        if stage in everyone.lifecycle_stages
    )
    assert {"lead", "trial", "customer"} <= set(everyone.lifecycle_stages)
    assert some.lifecycle_stages == ("trial",)
    minimum = intake.config.policies.group_minimum
    assert all((persona.people or 0) >= minimum for persona in everyone.personas)
    assert everyone.personas[0].description.startswith("People whose lifecycle_stage is ")


def test_metrics_are_mapped_and_their_baselines_counted(intake: Intake) -> None:
    found = intake(metrics=["activation rate", "pipeline $", "retention"])
    assert [(one.asked, one.name, one.mapped) for one in found.metrics] == [
        ("activation rate", "activation_rate", True),
        ("pipeline $", "pipeline_amount", True),
        ("retention", "retention_rate", True),
    ]
    activation = found.metrics[0]
    assert activation.baseline is not None
    assert 0.05 < activation.baseline < 0.6
    assert activation.counted.endswith(
        "people who started in 90 days, up to 14d before the as-of: the share with activated within 14d of "
        "their start"
    )
    assert found.goals[0] == "Personalise PLG Onboarding on web, email for people who agreed to it."
    assert found.goals[1] == f"Raise activation_rate from {activation.baseline:.1%} to 35.0%."


def test_a_metric_whose_event_never_happened_is_not_mapped_and_says_why(intake: Intake) -> None:
    broken = intake.config.metrics["activation_rate"].model_copy(update={"event": "activatedd"})
    config = intake.config.model_copy(update={"metrics": {"activation_rate": broken}})
    found = intake(config, metrics=["activation rate"])
    assert not found.metrics[0].mapped
    assert [finding.message for finding in found.findings] == [
        (
            "'activation rate' cannot be counted: the event 'activatedd' of metrics.activation_rate does not "
            "occur in "
            "table 'events'."
        )
    ]


def test_what_is_not_understood_is_a_finding_with_who_sees_to_it(intake: Intake) -> None:
    found = intake(constraints=["EU only; be nice", "max 3 emails a week"])
    assert [(one.text, one.understood) for one in found.constraints] == [
        ("EU only", True),
        ("be nice", False),
        ("max 3 emails a week", False),
    ]
    assert [(one.kind, one.severity, one.subject, one.decides) for one in found.findings] == [
        ("not_understood", "warning", "be nice", "personalization-architect"),
        ("not_understood", "warning", "max 3 emails a week", "personalization-architect"),
    ]


def test_a_condition_that_the_data_cannot_hold_blocks(intake: Intake) -> None:
    catalog = {
        name: one for name, one in intake.config.attributes.items() if name not in {"country", "locale"}
    }
    found = intake(
        intake.config.model_copy(update={"attributes": catalog, "suppressions": {}}), constraints=["EU only"]
    )
    assert [(one.kind, one.severity, one.decides) for one in found.findings] == [
        ("not_understood", "blocker", "privacy-lead")
    ]


def test_constraints_that_leave_nobody_or_no_channel_contradict_each_other(intake: Intake) -> None:
    found = intake(constraints=["EU only; only US; no web; no email"])
    assert [(one.finding_id, one.severity, one.message) for one in found.findings] == [
        (
            "contradiction:channels",
            "blocker",
            "The constraints take out every channel that was asked for; nothing is left to personalise.",
        ),
        (
            "contradiction:constraints",
            "blocker",
            "Together the constraints leave fewer than 100 people: too few for any profile.",
        ),
    ]


def test_the_timeline_is_a_date_or_a_finding(intake: Intake) -> None:
    found = intake(timeline="by 15 January")
    assert found.timeline is not None
    assert found.timeline.due == date(2026, 1, 15)
    assert found.goals[0].endswith("for people who agreed to it by 15 January 2026.")
    assert (
        intake(timeline="soon").findings[0].message.startswith("Timeline 'soon': Not understood as a date;")
    )
    assert intake(timeline="by 1 November 2025").findings[0].kind == "timeline"
    assert intake(timeline="  ").timeline is None


def test_one_text_in_place_of_a_list_is_read_as_one(intake: Intake) -> None:
    assert [one.text for one in intake(constraints="EU only; no age").constraints] == ["EU only", "no age"]


def test_the_same_request_gives_the_same_bytes(intake: Intake) -> None:
    inputs: dict[str, object] = {
        "constraints": ["EU only; no age; exclude customers"],
        "metrics": ["retention"],
        "timeline": "Q1",
    }
    assert intake(None, **inputs).model_dump_json() == intake(None, **inputs).model_dump_json()
