"""What review asks of gates, effects, loops and conditions: a plan that passes, and each way to spoil it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.plans.conftest import plan_of, task

from gtm_orchestra.plans.checks.gates import check_waivers
from gtm_orchestra.plans.model import Effect, Gate, GatePolicy, Loop, PlanDefinition, Rung, Waiver
from gtm_orchestra.plans.patterns import blocks_of
from gtm_orchestra.plans.review import Known, review_plan

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = Known(
    agents={"architect", "engineer", "testing-lead", "governance"},
    kinds={"any"},
    tools=set(),
    skills=set(),
    roles={"privacy-lead": ["priya"]},
    people={"priya", "elena"},
)
DEPLOY = Effect(
    action="deploy",
    target="web",
    effect_class="keyed",
    undo_class="reversible",
    undo="Write the version before it.",
    environment="production",
)


def _with_blocks(plan: PlanDefinition) -> PlanDefinition:
    return plan.model_copy(update={"blocks": blocks_of(plan.stages, plan.gates, plan.loops)})


@pytest.fixture
def release() -> PlanDefinition:
    """Facts; two drafts side by side; a merge; QA in two rounds; governance; approval; deploy."""
    tasks = [
        task("1", agent="architect", output_var="facts"),
        task("2", agent="engineer", output_var="web", input=("facts",), dependencies=("1",)),
        task("3", agent="architect", output_var="mail", input=("facts",), dependencies=("1",)),
        task("4-r1", function="QA", output_var="qa_r1", input=("web", "mail"), dependencies=("met",)),
        task("4-r2", function="QA", output_var="qa_r2", input=("web", "mail"), dependencies=("4-r1",)),
        task("5", agent="governance", function="governance", input=("qa",), dependencies=("tested",)),
        task("6", agent="engineer", dependencies=("approved",), effects=(DEPLOY,)),
    ]
    gates = [
        Gate(
            gate_id="met",
            after=("2", "3"),
            kind="merge",
            policy=GatePolicy.model_validate(
                {
                    "type": "all",
                    "thresholds": [{"of": "web.reach", "op": ">", "value": 0}],
                    "veto_by": ["engineer"],
                }
            ),
        ),
        Gate(gate_id="tested", after=("4-r1", "4-r2"), kind="merge"),
        Gate(
            gate_id="approved",
            after=("5",),
            kind="approval",
            approvers=("privacy-lead",),
            environment="production",
        ),
    ]
    loop = Loop.model_validate(
        {
            "loop_id": "4",
            "rounds": [["4-r1"], ["4-r2"]],
            "variables": {"qa": ["qa_r1", "qa_r2"]},
            "until": {"of": "qa.score", "op": ">=", "value": 1},
            "gate": "tested",
        }
    )
    ladder = (Rung(step=1, who="privacy-lead"),)
    return _with_blocks(plan_of(tasks, gates, [loop], escalation_ladder=ladder))


def _findings(plan: PlanDefinition, known: Known = KNOWN) -> list[tuple[str, str, str]]:
    return [(f.severity, f.path, f.message) for f in review_plan(plan, known).findings]


def _changed(plan: PlanDefinition, change: Callable[[dict[str, Any]], None]) -> PlanDefinition:
    raw = plan.model_dump(mode="json")
    change(raw)
    return PlanDefinition.model_validate(raw)


def _task(raw: dict[str, Any], number: int) -> dict[str, Any]:
    found: dict[str, Any] = raw["stages"][0]["tasks"][number]
    return found


def test_a_plan_with_parallel_arms_a_loop_and_a_guarded_deploy_passes(release: PlanDefinition) -> None:
    assert _findings(release) == []
    assert [block.pattern for block in release.blocks] == ["diamond", "iterative"]


def test_who_stands_in_for_governance_may_have_tested(release: PlanDefinition) -> None:
    assert _findings(_changed(release, _set("tasks.5.substitutes", ["testing-lead"]))) == []


def test_the_gate_of_a_loop_may_compare_the_loops_own_variable(release: PlanDefinition) -> None:
    policy = {"type": "threshold", "thresholds": [{"of": "qa.errors", "op": "==", "value": 0}]}
    found = _findings(_changed(release, _set("gates.1.policy", policy)))
    assert [severity for severity, _, _ in found] == []


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Return a change of one field: "tasks.3.function" of the only stage, or "gates.0.policy.k"."""

    def change(raw: dict[str, Any]) -> None:
        place: Any = raw["stages"][0] if path.startswith("tasks") else raw
        *steps, last = path.split(".")
        for step in steps:
            place = place[int(step)] if step.isdigit() else place[step]
        place[last] = value

    return change


_SPOILED: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (_set("gates.0.policy.type", "quorum"), "gates[0].policy.k", "met does not say how many arms are enough"),
    (_set("gates.0.policy.k", 1), "gates[0].policy.k", "k is read by a quorum only, not by 'all'"),
    (
        _set("gates.0.policy", {"type": "quorum", "k": 3}),
        "gates[0].policy.k",
        "3 of 2 arms can never deliver",
    ),
    (
        _set("gates.1.policy", {"type": "threshold"}),
        "gates[1].policy.thresholds",
        "tested has no threshold",
    ),
    (_set("gates.1.policy", {"type": "veto"}), "gates[1].policy.veto_by", "nobody can veto at tested"),
    (
        _set("gates.0.policy", {"thresholds": [{"of": "facts.reach", "op": ">", "value": 0}]}),
        "gates[0].policy.thresholds",
        "facts.reach > 0 reads 'facts', which no arm of met makes",
    ),
    (
        _set("gates.0.policy", {"items": "facts.channels"}),
        "gates[0].policy.items",
        "'facts.channels' is made by no arm of met",
    ),
    (
        _set("gates.0.policy.veto_by", ["governance"]),
        "gates[0].policy.veto_by",
        "'governance' neither does an arm of met nor approves one",
    ),
    (_set("gates.2.approvers", []), "gates[2].approvers", "nobody may decide approved"),
    (
        _set("gates.2.silence", "revert"),
        "gates[2].silence",
        "silence at approved would revert, but neither consent nor a guardrail is at stake",
    ),
    (
        _set("gates.2.environment", ""),
        "stages[0].tasks[6].effects",
        "6 changes production, and no approval gate before it opens production",
    ),
    (
        _set("tasks.6.dependencies", ["tested"]),
        "stages[0].tasks[6].effects",
        "6 changes production and could do so without governance or an approval",
    ),
    (
        _set("tasks.3.function", "data-eng"),
        "stages[0].tasks[6].effects",
        "6 changes production and could do so without a task of QA having delivered",
    ),
    (
        _set("tasks.3.when", {"of": "nothing.x", "op": "==", "value": 1}),
        "stages[0].tasks[3].when",
        "nothing.x == 1 reads 'nothing', which is not produced before 4-r1",
    ),
    (
        _set("tasks.1.known_as", {"mail": "m"}),
        "stages[0].tasks[1].known_as",
        "'mail' is not among its inputs",
    ),
    (
        _set("loops.0.rounds", [["4-r1"], ["9"]]),
        "loops[0]",
        "loop 4: '9' is no task of this plan",
    ),
    (
        _set("loops.0.rounds", [["4-r1"], ["4-r1"]]),
        "loops[0]",
        "loop 4: 4-r1 belongs to 4 already",
    ),
    (
        _set("loops.0.rounds", [["4-r2"], ["4-r1"]]),
        "loops[0]",
        "loop 4: 4-r1 does not wait for the round before",
    ),
    (
        _set("loops.0.variables.qa", ["qa_r1"]),
        "loops[0]",
        "loop 4: 'qa' has 1 names for 2 rounds",
    ),
    (
        _set("loops.0.variables.qa", ["qa_r1", "web"]),
        "loops[0]",
        "loop 4: no task of round 2 makes 'web'",
    ),
    (_set("loops.0.gate", "approved"), "loops[0]", "loop 4: 'approved' is no merge gate of this plan"),
    (
        _set("loops.0.until.of", "web.score"),
        "loops[0]",
        "loop 4: until reads 'web', which no round makes",
    ),
    (_set("gates.1.after", ["4-r2"]), "loops[0]", "loop 4: tested does not see 'qa_r1'"),
    (
        _set("tasks.1.substitutes", ["privacy-lead"]),
        "gates[2].approvers",
        "'privacy-lead' may do 2 as a substitute and would then approve its own work",
    ),
    (
        _set("tasks.3.substitutes", ["engineer"]),
        "stages[0].tasks[3].substitutes",
        "'engineer' makes 2 and would verify it as the substitute of 'testing-lead'",
    ),
    (
        _set("tasks.1.substitutes", ["testing-lead"]),
        "stages[0].tasks[1].substitutes",
        "'testing-lead' may make 2 as a substitute and verifies it in 4-r1",
    ),
    (_set("blocks", []), "blocks", "the diamond of 2, 3 into met is not declared"),
    (_set("blocks", []), "blocks", "the iterative of 4-r1, 4-r2 into tested is not declared"),
    (
        _set("blocks.0.pattern", "fan-out"),
        "blocks[0]",
        "the dependencies form no fan-out of 2, 3 into met",
    ),
    (
        _set("escalation_ladder", [{"step": 1, "who": "legal-lead"}]),
        "escalation_ladder",
        "nobody stands on the ladder: no person has a role of 'legal-lead'",
    ),
]


@pytest.mark.parametrize(("change", "path", "message"), _SPOILED, ids=range(len(_SPOILED)))
def test_a_spoiled_plan_is_held_up(
    release: PlanDefinition, change: Callable[[dict[str, Any]], None], path: str, message: str
) -> None:
    assert ("blocker", path, message) in _findings(_changed(release, change))


def test_qa_that_a_gate_may_go_without_guards_no_deploy(release: PlanDefinition) -> None:
    def any_arm(raw: dict[str, Any]) -> None:
        raw["gates"][1]["policy"] = {"type": "any"}
        raw["gates"][1]["after"] = ["4-r1", "4-r2", "met"]

    found = _findings(_changed(release, any_arm))
    assert (
        "blocker",
        "stages[0].tasks[6].effects",
        "6 changes production and could do so without a task of QA having delivered",
    ) in found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gates.2.criteria", ["No consent violation."]),
        ("gates.2.on_silence", "The guardrail decides."),
        ("escalation_triggers", [{"when": 'blocked("consent") >= 2', "action": "escalate"}]),
    ],
)
def test_silence_may_revert_where_consent_or_a_guardrail_is_at_stake(
    release: PlanDefinition, path: str, value: object
) -> None:
    plan = _changed(_changed(release, _set("gates.2.silence", "revert")), _set(path, value))
    assert _findings(plan) == []


_WARNED: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (
        _set("tasks.6.effects", [DEPLOY.model_dump() | {"effect_class": "blind"}]),
        "stages[0].tasks[6].effects[0].effect_class",
        "'deploy' on 'web' is blind: if its answer is lost, a person is asked whether it happened",
    ),
    (
        _set("gates.0.policy", {"type": "any"}),
        "stages[0].tasks[3].input",
        "'web' may be missing in 4-r1: 2 may be left out",
    ),
    (
        _set("escalation_ladder", [{"step": 1, "who": "priya"}, {"step": 2, "who": "legal-lead"}]),
        "escalation_ladder[1].who",
        "nobody has the role 'legal-lead'; this rung would be passed over",
    ),
    (
        _set("gates.2.policy", {"type": "any"}),
        "gates[2].policy",
        "an approval gate has no policy: a person decides",
    ),
]


@pytest.mark.parametrize(("change", "path", "message"), _WARNED, ids=range(len(_WARNED)))
def test_people_are_warned_of_what_they_may_pass(
    release: PlanDefinition, change: Callable[[dict[str, Any]], None], path: str, message: str
) -> None:
    plan = _changed(release, change)
    assert ("warning", path, message) in _findings(plan)
    assert review_plan(plan, KNOWN).passed


def test_a_gate_whose_arms_may_all_be_left_out_is_warned_of(release: PlanDefinition) -> None:
    def conditional(raw: dict[str, Any]) -> None:
        for number in (1, 2):
            _task(raw, number)["when"] = {"of": "facts.x", "op": "==", "value": 1}

    plan = _with_blocks(_changed(release, conditional))
    assert (
        "warning",
        "gates[0]",
        "every arm of met may be left out by its condition; it is a no-go then",
    ) in _findings(plan)


def test_a_result_of_a_conditional_task_may_be_missing_and_one_of_a_fan_out_is_gathered(
    release: PlanDefinition,
) -> None:
    def conditional(raw: dict[str, Any]) -> None:
        _task(raw, 1)["when"] = {"of": "facts.x", "op": "==", "value": 1}

    plan = _with_blocks(_changed(release, conditional))
    message = ("warning", "stages[0].tasks[3].input", "'web' may be missing in 4-r1: 2 may be left out")
    assert message in _findings(plan)
    gathered = _changed(plan, _set("tasks.3.known_as", {"web": "drafts.web", "mail": "drafts.mail"}))
    assert message not in _findings(gathered)


def test_a_plan_that_is_too_large_is_not_looked_at_further() -> None:
    plan = plan_of([task(f"t{n}", dependencies=("nothing",)) for n in range(501)])
    assert _findings(plan) == [("blocker", "stages", "501 tasks; 500 are allowed")]
    wide = plan_of([task(f"t{n}", dependencies=[f"t{m}" for m in range(n)][:11]) for n in range(500)])
    assert _findings(wide) == [("blocker", "stages", "5,434 edges; 5,000 are allowed")]


def test_a_missing_owner_with_a_substitute_is_a_warning_and_without_one_a_critical_gap(
    release: PlanDefinition,
) -> None:
    known = Known(**{**KNOWN.__dict__, "agents": {"architect", "testing-lead", "governance"}})
    path, gap = (
        "stages[0].tasks[1].agent",
        "agent 'engineer' is missing and has no substitute: a critical gap",
    )
    assert ("blocker", path, gap) in _findings(release, known)
    stood_in = _changed(release, _set("tasks.1.substitutes", ["architect"]))
    assert (
        "warning",
        path,
        "agent 'engineer' is missing; 'architect' stands in for 2",
    ) in _findings(stood_in, known)


def test_whoever_signs_is_told_of_each_waiver() -> None:
    waiver = Waiver(
        gate="met",
        node="2",
        by="priya",
        reason="Mended next week.",
        at=datetime(2026, 11, 1, tzinfo=UTC),
        expires_at=datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert [(f.severity, f.path, f.message) for f in check_waivers([waiver])] == [
        (
            "warning",
            "waivers.met.2",
            "priya passed 2 at met although it did not deliver, until 2026-12-01: Mended next week.",
        )
    ]
