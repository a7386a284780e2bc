from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.plans.model import Effect, EscalationTrigger, PlanDefinition
from gtm_orchestra.plans.review import Known, Review, review_plan

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def known(diamond: PlanDefinition) -> Known:
    return Known(
        agents={task.agent for task in diamond.tasks},
        kinds={task.kind for task in diamond.tasks},
        tools={tool for task in diamond.tasks for tool in task.tools_required},
        skills={skill for task in diamond.tasks for skill in task.skills},
        roles={
            "personalization-architect": ["marco"],
            "privacy-lead": ["priya"],
            "exec-sponsor": ["elena"],
        },
        people={"marco", "priya", "elena"},
    )


def _changed(plan: PlanDefinition, change: Callable[[dict[str, Any]], None]) -> PlanDefinition:
    raw = plan.model_dump(mode="json")
    change(raw)
    return PlanDefinition.model_validate(raw)


def _found(review: Review) -> list[tuple[str, str, str]]:
    return [(f.severity, f.path, f.message) for f in review.findings]


def test_both_shapes_of_the_blueprint_pass(
    diamond: PlanDefinition, pipeline: PlanDefinition, known: Known
) -> None:
    for plan in (diamond, pipeline):
        assert review_plan(plan, known) == Review(
            passed=True, checked=review_plan(plan, known).checked, findings=()
        )


def test_a_missing_agent_with_a_substitute_is_a_warning_without_one_a_critical_gap(
    diamond: PlanDefinition, known: Known
) -> None:
    fewer = Known(**{**known.__dict__, "agents": {"customer-data-engineer", "testing-lead"}})

    def without_substitutes(raw: dict[str, Any]) -> None:
        raw["stages"][1]["tasks"][0]["substitutes"] = []

    found = _found(review_plan(_changed(diamond, without_substitutes), fewer))
    assert (
        "warning",
        "stages[0].tasks[0].agent",
        "agent 'personalization-architect' is missing; 'customer-data-engineer' stands in for 1.1",
    ) in found
    assert (
        "blocker",
        "stages[1].tasks[0].agent",
        "agent 'personalization-architect' is missing and has no substitute: a critical gap",
    ) in found


def _circle(raw: dict[str, Any]) -> None:
    raw["stages"][0]["tasks"][1]["dependencies"] = ["1.3"]


def _not_before(raw: dict[str, Any]) -> None:
    raw["stages"][0]["tasks"][0]["input"] = ["profiles"]


def _produced_twice(raw: dict[str, Any]) -> None:
    raw["stages"][0]["tasks"][1]["output_var"] = "objectives"


def _no_gate(raw: dict[str, Any]) -> None:
    raw["gates"] = [gate for gate in raw["gates"] if gate["gate_id"] != "gate-2"]
    raw["blocks"] = raw["blocks"][:1]
    raw["stages"][3]["tasks"][0]["dependencies"] = ["3.1", "3.2", "3.3"]


def _wrong_block(raw: dict[str, Any]) -> None:
    raw["blocks"][0]["tasks"] = ["1.1", "1.2"]


def _unknown_dependency(raw: dict[str, Any]) -> None:
    raw["stages"][1]["tasks"][0]["dependencies"] = ["gate-1", "9.9"]


def _nobody_approves(raw: dict[str, Any]) -> None:
    raw["gates"][2]["approvers"] = ["legal-lead"]


def _empty_ladder(raw: dict[str, Any]) -> None:
    raw["escalation_ladder"] = []


def _no_undo(raw: dict[str, Any]) -> None:
    raw["stages"][3]["tasks"][0]["effects"][0]["undo"] = ""


def _deliverable_of_nobody(raw: dict[str, Any]) -> None:
    raw["deliverables"]["report"] = "9.9"


def _unmeasured(raw: dict[str, Any]) -> None:
    raw["success_metrics"][0]["query"] = ""


_BLOCKERS: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (_circle, "stages", "dependencies run in a circle: 1.2 → 1.3"),
    (_not_before, "stages[0].tasks[0].input", "'profiles' is not produced before 1.1"),
    (_produced_twice, "stages[0].tasks[1].output_var", "'objectives' is produced by 1.1 already"),
    (_no_gate, "gates", "a parallel block does not end in a gate"),
    (_wrong_block, "blocks[0]", "the dependencies form no diamond of 1.1, 1.2 into gate-1"),
    (_unknown_dependency, "stages[1].tasks[0].dependencies", "'9.9' is no task or gate of this plan"),
    (_nobody_approves, "gates[2].approvers", "'legal-lead' is neither a person nor a role that a person has"),
    (_empty_ladder, "escalation_ladder", "the ladder is empty: nobody would be asked"),
    (
        _no_undo,
        "stages[3].tasks[0].effects[0].undo",
        "'publish-drafts' on 'outputs folder of this plan' does not say how it is taken back",
    ),
    (_deliverable_of_nobody, "deliverables['report']", "'9.9' is no task of this plan"),
    (_unmeasured, "success_metrics[0]", "'attribute coverage' does not say how and when it is known"),
]


@pytest.mark.parametrize(("change", "path", "message"), _BLOCKERS, ids=[b[0].__name__[1:] for b in _BLOCKERS])
def test_review_blocks(
    diamond: PlanDefinition,
    known: Known,
    change: Callable[[dict[str, Any]], None],
    path: str,
    message: str,
) -> None:
    review = review_plan(_changed(diamond, change), known)
    assert not review.passed
    assert ("blocker", path, message) in _found(review)


def test_all_findings_come_at_once(diamond: PlanDefinition, known: Known) -> None:
    def everything(raw: dict[str, Any]) -> None:
        for change, _, _ in _BLOCKERS:
            if change not in {_circle, _no_gate, _unknown_dependency}:
                change(raw)

    found = _found(review_plan(_changed(diamond, everything), known))
    for change, path, message in _BLOCKERS:
        if change not in {_circle, _no_gate, _unknown_dependency}:
            assert ("blocker", path, message) in found


def test_a_trigger_outside_the_grammar_and_an_effect_are_looked_at(
    diamond: PlanDefinition, known: Known
) -> None:
    plan = diamond.model_copy(
        update={"escalation_triggers": (EscalationTrigger(when="eval(1)", action="escalate"),)}
    )
    assert ("blocker", "escalation_triggers[0].when", "'eval(1)' is not a trigger") in _found(
        review_plan(plan, known)
    )
    assert Effect.model_fields.keys() >= {"effect_class", "undo_class", "undo"}


def test_an_unknown_skill_or_tool_is_a_warning(diamond: PlanDefinition, known: Known) -> None:
    fewer = Known(**{**known.__dict__, "tools": set(), "skills": set()})
    review = review_plan(diamond, fewer)
    assert review.passed
    assert ("warning", "stages[1].tasks[0].skills", "'decision-trees' does not exist") in _found(review)
