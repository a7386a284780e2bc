"""Plans to test with, filled from the blueprint that ships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.content import find_content
from gtm_orchestra.plans.blueprint import Blueprint, Filling, fill, parse_blueprint
from gtm_orchestra.plans.model import ErrorHandling, Gate, Loop, Parallelization, PlanDefinition, Stage, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

FILLING = Filling(
    plan_id="plan-20261101T090000Z",
    initiative="PLG Onboarding",
    inputs={"initiative": "PLG Onboarding", "channels": ["web", "email"]},
    channels=("web", "email"),
)


def task(task_id: str, **fields: Any) -> Task:  # noqa: ANN401 - fields of a task
    """Return a task whose result is `of_<id>`, with letters for what a name may not hold."""
    known = {
        "task_id": task_id,
        "agent": "testing-lead",
        "kind": "any",
        "purpose": "",
        "function": "experimentation",
        "output_var": f"of_{task_id.replace('.', '_').replace('-', '_')}",
    }
    return Task.model_validate(known | fields)


def plan_of(
    tasks: Iterable[Task],
    gates: Iterable[Gate] = (),
    loops: Iterable[Loop] = (),
    **fields: Any,  # noqa: ANN401 - fields of the plan
) -> PlanDefinition:
    """Return a plan of one stage."""
    known = {
        "plan_id": "plan-20261101T090000Z",
        "command": "any",
        "initiative": "Any",
        "objective": "",
        "complexity": "complex",
        "strategy": "diamond",
        "pattern_rationale": "",
        "estimated_duration": "",
        "estimated_cost": "",
        "inputs": {},
        "stages": (Stage(stage_id="1", name="all", execution="parallel", tasks=tuple(tasks)),),
        "gates": tuple(gates),
        "loops": tuple(loops),
        "parallelization": Parallelization(max_concurrent=4),
        "context_passing": "",
        "error_handling": ErrorHandling(),
    }
    return PlanDefinition.model_validate(known | fields)


@pytest.fixture(scope="session")
def blueprint() -> Blueprint:
    content = find_content("plans", "define-profiles", None)
    return parse_blueprint(content.text, what=content.path.name)


@pytest.fixture
def diamond(blueprint: Blueprint) -> PlanDefinition:
    return fill(blueprint, FILLING)


@pytest.fixture
def pipeline(blueprint: Blueprint) -> PlanDefinition:
    return fill(blueprint, FILLING.model_copy(update={"pattern": "pipeline"}))
