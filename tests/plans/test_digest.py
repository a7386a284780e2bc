"""Which fields an approval binds. Each field is changed once, and each stands on one side on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.plans.digest import DIGESTED_FIELDS, digest_of
from gtm_orchestra.plans.model import (
    Block,
    Budgets,
    Comparison,
    DataSource,
    ErrorHandling,
    Loop,
    Parallelization,
    PlanDefinition,
    Rung,
    SuccessMetric,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LOOP = Loop(
    loop_id="draft",
    rounds=(("2.1",),),
    variables={"draft": ("draft_1",)},
    until=Comparison(of="draft.score", op=">=", value=0.8),
    gate="gate-1",
)
_BOUND: dict[str, Callable[[PlanDefinition], Any]] = {
    "command": lambda _: "configure-rules",
    "initiative": lambda _: "Another",
    "inputs": lambda plan: {**plan.inputs, "timeline": "by 15 January"},
    "environments": lambda _: ("production",),
    "channels": lambda _: ("web",),
    "stages": lambda plan: plan.stages[:-1],
    "loops": lambda _: (LOOP,),
    "error_handling": lambda _: ErrorHandling(max_retries=9),
    "gates": lambda plan: plan.gates[:-1],
    "escalation_ladder": lambda _: (Rung(step=1, who="somebody-else"),),
    "escalation_triggers": lambda plan: plan.escalation_triggers[:-1],
    "budgets": lambda _: Budgets(wall_minutes=1),
    "hashes": lambda _: {"plans/define-profiles": "0" * 64},
}
_FREE: dict[str, Callable[[PlanDefinition], Any]] = {
    "plan_id": lambda _: "plan-20300101T000000Z",
    "objective": lambda _: "Another objective.",
    "complexity": lambda _: "medium",
    "strategy": lambda _: "pipeline",
    "pattern_rationale": lambda _: "Because.",
    "estimated_duration": lambda _: "1 min",
    "estimated_cost": lambda _: "1 USD",
    "data_sources": lambda _: (DataSource(role="people", table="t", columns={"a": "int64"}),),
    "governance_cadence": lambda _: {"tables.people": "1h"},
    "attributes": lambda _: {"plan": "0" * 64},
    "settings": lambda _: {"consent.integrity_floor": "0.5"},
    "blocks": lambda _: (Block(pattern="pipeline", tasks=("1.1",)),),
    "parallelization": lambda _: Parallelization(max_concurrent=1),
    "context_passing": lambda _: "Otherwise.",
    "success_metrics": lambda _: (SuccessMetric(name="a", unit="%", query="q", known_when="now"),),
    "success_criteria": lambda _: ("Another.",),
    "deliverables": lambda _: {"report": "4.2"},
}


def test_every_field_stands_on_one_side() -> None:
    assert {*_BOUND, "schema_version"} == DIGESTED_FIELDS
    assert {*_BOUND, *_FREE, "schema_version"} == set(PlanDefinition.model_fields)


@pytest.mark.parametrize("name", sorted(_BOUND))
def test_a_change_of_what_is_done_voids_an_approval(diamond: PlanDefinition, name: str) -> None:
    changed = diamond.model_copy(update={name: _BOUND[name](diamond)})
    assert digest_of(changed) != digest_of(diamond)


@pytest.mark.parametrize("name", sorted(_FREE))
def test_a_change_of_what_is_only_said_does_not(diamond: PlanDefinition, name: str) -> None:
    changed = diamond.model_copy(update={name: _FREE[name](diamond)})
    assert changed != diamond
    assert digest_of(changed) == digest_of(diamond)
