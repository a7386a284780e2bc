"""Each pattern, from the YAML of its blueprint to the plan's tasks, gates, loops and declared blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.plans.conftest import FILLING

from gtm_orchestra.errors import PlanFormatError, UsageError
from gtm_orchestra.plans.blueprint import Blueprint, fill, parse_blueprint
from gtm_orchestra.plans.loops import not_needed

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.plans.model import PlanDefinition


def _task(task_id: str, output: str, **fields: object) -> dict[str, Any]:
    return {
        "id": task_id,
        "agent": "testing-lead",
        "kind": "any",
        "purpose": "Do it.",
        "function": "QA",
        "output": output,
    } | fields


def _gate(gate_id: str, *after: str, **fields: object) -> dict[str, Any]:
    return {"id": gate_id, "after": list(after), "kind": "merge"} | fields


def _blueprint(*stages: dict[str, Any], name: str = "any", **fields: object) -> Blueprint:
    raw = {
        "blueprint": name,
        "version": 1,
        "objective": "Any.",
        "pattern": {"default": "diamond", "reasons": {"diamond": "Because.", "pipeline": "In a row."}},
        "roles": {},
        "stages": [{"name": f"Stage {stage['id']}"} | stage for stage in stages],
    } | fields
    return parse_blueprint(yaml.safe_dump(raw), what="any.yaml")


def _plan(*stages: dict[str, Any], deliverables: dict[str, str] | None = None) -> PlanDefinition:
    return fill(_blueprint(*stages, deliverables=deliverables or {}), FILLING)


def _before(plan: PlanDefinition) -> dict[str, tuple[str, ...]]:
    return {t.task_id: t.dependencies for t in plan.tasks} | {g.gate_id: g.after for g in plan.gates}


FAN_OUT = {
    "id": "2",
    "for_each": {"param": "channel", "from": "inputs.channels"},
    "tasks": [
        _task("2.1", "draft", after=["1.1"], input=["brief"], purpose="Draft for $channel."),
        _task("2.2", "check", after=["2.1"], input=["draft", "brief"]),
    ],
    "gate": _gate("gate-2", "2.2", policy={"type": "quorum", "k": 1}),
}
BRIEF = {"id": "1", "tasks": [_task("1.1", "brief")]}
AFTER = {"id": "3", "tasks": [_task("3.1", "report", after=["gate-2"], input=["draft"])]}


def test_a_fan_out_makes_one_row_of_tasks_per_item_that_meet_in_the_gate() -> None:
    plan = _plan(BRIEF, FAN_OUT, AFTER, deliverables={"drafts": "2.1"})
    assert _before(plan) == {
        "1.1": (),
        "2.1-web": ("1.1",),
        "2.2-web": ("2.1-web",),
        "2.1-email": ("1.1",),
        "2.2-email": ("2.1-email",),
        "3.1": ("gate-2",),
        "gate-2": ("2.2-web", "2.2-email"),
    }
    web = plan.task("2.2-web")
    assert (web.params, web.input, web.output_var) == (
        {"channel": "web"},
        ("draft_web", "brief"),
        "check_web",
    )
    assert plan.task("2.1-email").purpose == "Draft for email."
    assert [(b.pattern, b.tasks, b.gate) for b in plan.blocks] == [
        ("fan-out", ("2.1-web", "2.2-web", "2.1-email", "2.2-email"), "gate-2")
    ]
    assert plan.deliverables == {"drafts (web)": "2.1-web", "drafts (email)": "2.1-email"}
    assert plan.parallelization.parallel_groups == (("2.1-email", "2.1-web"), ("2.2-email", "2.2-web"))
    assert [stage.execution for stage in plan.stages] == ["sequential", "parallel", "sequential"]


def test_a_handler_knows_its_own_item_by_the_plain_name_and_all_of_them_behind_the_gate() -> None:
    plan = _plan(BRIEF, FAN_OUT, AFTER)
    assert plan.task("2.2-web").named({"draft_web": 1, "brief": 2}) == {"draft": 1, "brief": 2}
    assert plan.task("3.1").input == ("draft_web", "draft_email")
    assert plan.task("3.1").named({"draft_web": 1, "draft_email": 2}) == {"draft": {"web": 1, "email": 2}}


LOOP = {
    "id": "2",
    "repeat": {"max": 3, "until": {"of": "check.score", "op": ">=", "value": 0.8}},
    "tasks": [
        _task("2.1", "draft", after=["1.1"], input=["brief", "check"]),
        _task("2.2", "check", after=["2.1"], input=["draft"]),
    ],
    "gate": _gate("gate-2", "2.2"),
}


def test_a_loop_is_unrolled_to_rounds_that_each_follow_the_last() -> None:
    plan = _plan(BRIEF, LOOP, AFTER, deliverables={"draft": "2.1"})
    assert _before(plan) == {
        "1.1": (),
        "2.1-r1": ("1.1",),
        "2.2-r1": ("2.1-r1",),
        "2.1-r2": ("2.2-r1",),
        "2.2-r2": ("2.1-r2",),
        "2.1-r3": ("2.2-r2",),
        "2.2-r3": ("2.1-r3",),
        "3.1": ("gate-2",),
        "gate-2": ("2.2-r1", "2.2-r2", "2.2-r3"),
    }
    [loop] = plan.loops
    assert loop.rounds == (("2.1-r1", "2.2-r1"), ("2.1-r2", "2.2-r2"), ("2.1-r3", "2.2-r3"))
    assert loop.variables["check"] == ("check_r1", "check_r2", "check_r3")
    assert (loop.until.of, loop.gate, loop.on_exhausted) == ("check.score", "gate-2", "no-go")
    assert [(b.pattern, b.gate) for b in plan.blocks] == [("iterative", "gate-2")]
    assert plan.deliverables == {"draft": "2.1-r1"}
    assert plan.estimated_duration.endswith("3.1, if every round is needed, plus people's answers")


def test_the_gate_of_a_loop_reads_its_figure_from_every_round() -> None:
    tasks = [_task("2.1", "check"), _task("2.2", "draft", after=["2.1"])]
    plan = _plan(LOOP | {"tasks": tasks})
    assert plan.gate("gate-2").after == ("2.2-r1", "2.2-r2", "2.2-r3", "2.1-r1", "2.1-r2", "2.1-r3")


def test_a_round_reads_what_it_made_itself_and_else_what_the_last_round_made() -> None:
    plan = _plan(BRIEF, LOOP, AFTER)
    assert plan.task("2.1-r1").input == ("brief",)
    assert plan.task("2.1-r2").input == ("brief", "check_r1")
    assert plan.task("2.2-r2").input == ("draft_r2",)
    assert plan.task("2.1-r2").named({"brief": 1, "check_r1": 2}) == {"brief": 1, "check": 2}
    assert plan.task("3.1").input == ("draft",)


def test_no_round_is_needed_once_any_round_before_was_good_enough() -> None:
    plan = _plan(BRIEF, LOOP, AFTER)
    results: dict[str, Any] = {"check_r1": {"score": 0.9}}
    assert not_needed(plan, "2.1-r1", results) == ""
    assert not_needed(plan, "2.1-r2", results) == "check.score >= 0.8 after round 1"
    assert not_needed(plan, "2.1-r3", results) == "check.score >= 0.8 after round 1"


CONDITIONAL = (
    {"id": "1", "tasks": [_task("1.1", "facts")]},
    {
        "id": "2",
        "tasks": [
            _task("2.1", "legal", after=["1.1"], when={"of": "facts.sensitive", "op": "==", "value": True}),
            _task("2.2", "advice", after=["2.1"], input=["legal"]),
            _task("2.3", "plain", after=["1.1"]),
        ],
        "gate": _gate("gate-2", "2.2", "2.3"),
    },
)


def test_a_condition_takes_with_it_what_only_follows_it() -> None:
    plan = _plan(*CONDITIONAL)
    when = plan.task("2.1").when
    assert when is not None
    assert when.of == "facts.sensitive"
    assert [(b.pattern, b.tasks, b.gate) for b in plan.blocks] == [
        ("diamond", ("2.1", "2.2", "2.3"), "gate-2"),
        ("conditional", ("2.1", "2.2"), "gate-2"),
    ]


def test_what_also_follows_something_else_is_taken_whatever_the_condition_says() -> None:
    when = {"of": "facts.sensitive", "op": "==", "value": True}
    tasks = [_task("2.1", "legal", after=["1.1"], when=when), _task("2.2", "advice", after=["2.1", "1.1"])]
    plan = _plan(BRIEF | {"tasks": [_task("1.1", "facts")]}, {"id": "2", "tasks": tasks})
    assert [(b.pattern, b.tasks, b.gate) for b in plan.blocks] == [("conditional", ("2.1",), None)]


def test_a_merge_gate_is_reached_even_if_its_only_arm_is_not_taken() -> None:
    when = {"of": "facts.sensitive", "op": "==", "value": True}
    legal = {
        "id": "2",
        "tasks": [_task("2.1", "legal", after=["1.1"], when=when)],
        "gate": _gate("gate-2", "2.1"),
    }
    plan = _plan(BRIEF | {"tasks": [_task("1.1", "facts")]}, legal, AFTER)
    assert [(b.pattern, b.tasks, b.gate) for b in plan.blocks] == [("conditional", ("2.1",), "gate-2")]


@pytest.mark.parametrize(
    ("first", "second", "pattern"),
    [
        ({"channel": "web"}, {"channel": "email"}, "fan-out"),
        ({"channel": "web"}, {"tone": "warm"}, "diamond"),
        ({"channel": "web"}, {"channel": "web"}, "diamond"),
        ({}, {}, "diamond"),
    ],
)
def test_arms_are_a_fan_out_if_they_do_the_same_for_other_values_of_the_same_parameter(
    first: dict[str, str], second: dict[str, str], pattern: str
) -> None:
    tasks = [_task("2.1", "a", params=first), _task("2.2", "b", params=second)]
    plan = _plan({"id": "2", "tasks": tasks, "gate": _gate("gate-2", "2.1", "2.2")})
    assert [block.pattern for block in plan.blocks] == [pattern]


def test_a_plan_with_a_condition_is_no_pipeline() -> None:
    with pytest.raises(UsageError) as raised:
        fill(_blueprint(*CONDITIONAL), FILLING.model_copy(update={"pattern": "pipeline"}))
    assert str(raised.value) == (
        "any cannot be a pipeline: what comes after 2.1 would be left out with it; take its other pattern"
    )


INNER = _blueprint(
    {"id": "1", "tasks": [_task("1.1", "consent", input=["brief"])]},
    {
        "id": "2",
        "for_each": {"param": "channel", "items": ["In App", "email"]},
        "tasks": [_task("2.1", "reach", after=["1.1"], input=["consent"])],
        "gate": _gate("met", "2.1"),
    },
    name="checks",
    roles={"testing-lead": {"substitutes": ["governance"]}},
    triggers=[{"when": 'blocked("consent") >= 2', "action": "escalate"}],
)


def test_an_included_blueprint_stands_under_its_stage_with_names_of_its_own() -> None:
    outer = _blueprint(
        BRIEF,
        {"id": "2", "include": "checks", "as": "safe", "after": ["1.1"]},
        {"id": "3", "tasks": [_task("3.1", "report", after=["2.met"], input=["safe_consent", "safe_reach"])]},
    )
    plan = fill(outer, FILLING, {"checks": INNER})
    assert _before(plan) == {
        "1.1": (),
        "2.1.1": ("1.1",),
        "2.2.1-in-app": ("2.1.1",),
        "2.2.1-email": ("2.1.1",),
        "3.1": ("2.met",),
        "2.met": ("2.2.1-in-app", "2.2.1-email"),
    }
    assert plan.task("2.1.1").input == ("brief",)
    assert plan.task("2.1.1").output_var == "safe_consent"
    assert plan.task("2.1.1").substitutes == ("governance",)
    assert plan.task("3.1").substitutes == ()
    assert plan.task("2.2.1-in-app").params == {"channel": "In App"}
    assert plan.task("2.2.1-in-app").named({"safe_consent": 1}) == {"consent": 1}
    assert plan.task("3.1").named({"safe_consent": 1, "safe_reach_in_app": 2, "safe_reach_email": 3}) == {
        "safe_consent": 1,
        "safe_reach": {"in-app": 2, "email": 3},
    }
    assert [(s.stage_id, s.included_by) for s in plan.stages] == [
        ("1", ""),
        ("2.1", "2"),
        ("2.2", "2"),
        ("3", ""),
    ]
    assert [(b.pattern, b.tasks) for b in plan.blocks] == [
        ("fan-out", ("2.2.1-in-app", "2.2.1-email")),
        ("hierarchical", ("2.1.1", "2.2.1-in-app", "2.2.1-email")),
    ]
    assert [trigger.when for trigger in plan.escalation_triggers] == ['blocked("consent") >= 2']


def _including(name: str, other: str) -> Blueprint:
    return _blueprint({"id": "1", "include": other}, name=name)


def test_blueprints_that_include_each_other_are_refused() -> None:
    with pytest.raises(PlanFormatError) as raised:
        fill(_including("a", "b"), FILLING, {"b": _including("b", "c"), "c": _including("c", "b")})
    assert str(raised.value) == "blueprints include each other in a circle: b → c → b; remove one include"


def test_blueprints_are_included_three_deep_and_no_deeper() -> None:
    parts = {"b": _including("b", "c"), "c": _including("c", "d"), "d": _blueprint(BRIEF, name="d")}
    assert [task.task_id for task in fill(_including("a", "b"), FILLING, parts).tasks] == ["1.1.1.1.1"]
    parts |= {"d": _including("d", "e"), "e": _blueprint(BRIEF, name="e")}
    with pytest.raises(PlanFormatError) as raised:
        fill(_including("a", "b"), FILLING, parts)
    assert raised.value.message == "stage '1' of d includes 'e', more than 3 blueprints deep"


def test_an_include_that_does_not_exist_says_which_file_to_add() -> None:
    with pytest.raises(PlanFormatError) as raised:
        fill(_including("a", "b"), FILLING)
    assert str(raised.value) == "stage '1' of a includes 'b', which is no blueprint; add plans/b.yaml"


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ([], "stage '2' goes over inputs.channels, which holds no list of names"),
        ("web", "stage '2' goes over inputs.channels, which holds no list of names"),
        (["web", 3], "stage '2' goes over inputs.channels, which holds no list of names"),
        (["In App", "in-app"], "stage '2' goes over 'in-app', which would share its id with 'In App'"),
        (["日本"], "stage '2' goes over '日本', which has no letter or digit for an id"),
        (["web" * 40], "any makes no plan: task_id: String should match pattern"),
    ],
)
def test_items_that_make_no_tasks_are_refused(channels: object, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        fill(_blueprint(BRIEF, FAN_OUT), FILLING.model_copy(update={"inputs": {"channels": channels}}))
    assert raised.value.message.startswith(message)


def test_a_plan_of_too_many_tasks_or_edges_is_refused_before_it_is_built() -> None:
    many = FILLING.model_copy(update={"inputs": {"channels": [f"c{n}" for n in range(251)]}})
    with pytest.raises(PlanFormatError) as raised:
        fill(_blueprint(BRIEF, FAN_OUT), many)
    assert str(raised.value) == (
        "the plan would have more than 500 tasks; go over fewer items, repeat less often, or make two plans "
        "of it"
    )
    wide = {"id": "3", "tasks": [_task(f"3.{n}", f"r{n}", after=["2.1"]) for n in range(60)]}
    hundred = FILLING.model_copy(update={"inputs": {"channels": [f"c{n}" for n in range(100)]}})
    with pytest.raises(PlanFormatError, match=r"^the plan would have more than 5,000 edges"):
        fill(_blueprint(BRIEF, FAN_OUT, wide), hundred)


def _gate_of(**policy: object) -> Callable[[], PlanDefinition]:
    return lambda: _plan(BRIEF, FAN_OUT | {"gate": _gate("gate-2", "2.2", policy=policy)})


def test_a_threshold_over_a_fan_out_holds_for_each_item_and_a_list_cannot_be_one_of_many() -> None:
    plan = _gate_of(type="threshold", thresholds=[{"of": "check.score", "op": ">=", "value": 1}])()
    assert [c.of for c in plan.gate("gate-2").policy.thresholds] == ["check_web.score", "check_email.score"]
    with pytest.raises(PlanFormatError) as raised:
        _gate_of(type="all", items="check.channels")()
    assert raised.value.message == (
        "the list of gate 'gate-2' reads 'check', of which there is one per item: check_web, check_email"
    )
    when = {"of": "draft.score", "op": ">", "value": 1}
    after = {"id": "3", "tasks": [_task("3.1", "report", after=["gate-2"], when=when)]}
    with pytest.raises(PlanFormatError, match=r"^a condition of stage '3' reads 'draft', of which there is"):
        _plan(BRIEF, FAN_OUT, after)


REPEAT: dict[str, Any] = {"max": 3, "until": {"of": "check.score", "op": ">=", "value": 0.8}}
_MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"tasks": []}, "stages.0: a stage has either tasks or an include"),
    ({"tasks": [], "include": "b", "repeat": REPEAT}, "stages.0: an included blueprint is neither"),
    ({"as": "x"}, "stages.0: as and after belong to an include"),
    ({"repeat": REPEAT}, "stages.0: a stage has either for_each or repeat"),
    ({"gate": None}, "stages.0: for_each needs a gate in which its arms meet"),
    ({"for_each": None, "repeat": REPEAT, "gate": None}, "stages.0: repeat needs a merge gate"),
    (
        {"for_each": None, "repeat": {"max": 2, "until": {"of": "x.score", "op": ">", "value": 1}}},
        "stages.0: no task of this stage makes 'x', read by until",
    ),
    ({"for_each": {"param": "channel"}}, "stages.0.for_each: for_each needs either items or from"),
    ({"for_each": {"param": "c", "from": "config.x"}}, "stages.0.for_each.from: String should match pattern"),
    ({"for_each": None, "repeat": REPEAT | {"max": 51}}, "stages.0.repeat.max: Input should be less"),
]


@pytest.mark.parametrize(("change", "message"), _MALFORMED, ids=range(len(_MALFORMED)))
def test_a_stage_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanFormatError) as raised:
        _blueprint(FAN_OUT | change)
    assert raised.value.message.startswith(f"any.yaml is not a blueprint: {message}")


@pytest.mark.parametrize("steps", [1, 2])
def test_one_or_two_steps_need_no_orchestration_and_the_plan_says_why(steps: int) -> None:
    tasks = [_task(f"1.{n}", f"r{n}", after=[f"1.{n - 1}"] if n else []) for n in range(steps)]
    plan = _plan({"id": "1", "tasks": tasks})
    assert plan.complexity == "orchestration-not-needed"
    assert plan.pattern_rationale == (
        f"Orchestration is not needed: {('one step', 'two steps')[steps - 1]}, which one person or agent can "
        "oversee. Because."
    )
    assert [block.pattern for block in plan.blocks] == ["pipeline"]


def test_a_circle_in_a_blueprint_is_refused_with_its_tasks() -> None:
    tasks = [_task("1.1", "a", after=["1.2"]), _task("1.2", "b", after=["1.1"])]
    with pytest.raises(PlanFormatError) as raised:
        _plan({"id": "1", "tasks": tasks})
    assert str(raised.value) == "the dependencies of any run in a circle: 1.1 → 1.2; remove one of them"
