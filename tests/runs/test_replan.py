"""What a new revision means for a run under way: pure, over plans of any shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.graphs.conftest import Bench

from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.model import Comparison, Effect, Loop, PlanDefinition, Task
from gtm_orchestra.plans.outcome import Outcome
from gtm_orchestra.runs.live import LiveEffect
from gtm_orchestra.runs.replan import replan

if TYPE_CHECKING:
    from collections.abc import Iterable

DEPLOY = Effect(
    action="publish",
    target="sdk",
    effect_class="keyed",
    undo_class="reversible",
    undo="publish the version before",
    environment="production",
)
LIVE = LiveEffect("d", "k", "publish on sdk in production", "production", certain=True)


def _plan(**changes: Any) -> PlanDefinition:  # noqa: ANN401 - fields of the definition
    """a, b → merge g → approval q → d deploys → e; d reads a, e reads b."""
    made = Bench().plan({"a": [], "b": [], "g": ["a", "b"], "q": ["g"], "d": ["q"], "e": ["d"]})
    tasks = {t.task_id: t for t in made.tasks}
    tasks["d"] = tasks["d"].model_copy(update={"input": (tasks["a"].output_var,), "effects": (DEPLOY,)})
    tasks["e"] = tasks["e"].model_copy(update={"input": (tasks["b"].output_var,)})
    return _with(made, tasks.values()).model_copy(update=changes)


def _with(plan: PlanDefinition, tasks: Iterable[Task], **changes: Any) -> PlanDefinition:  # noqa: ANN401 - fields
    stage = plan.stages[0].model_copy(update={"tasks": tuple(tasks)})
    return plan.model_copy(update={"stages": (stage,), **changes})


def _edit(plan: PlanDefinition, task_id: str, **changes: Any) -> PlanDefinition:  # noqa: ANN401 - fields of the task
    return _with(plan, [t.model_copy(update=changes) if t.task_id == task_id else t for t in plan.tasks])


def _edit_gate(plan: PlanDefinition, gate_id: str, **changes: Any) -> PlanDefinition:  # noqa: ANN401 - fields
    gates = [g.model_copy(update=changes) if g.gate_id == gate_id else g for g in plan.gates]
    return plan.model_copy(update={"gates": tuple(gates)})


def _done(*nodes: str, **fates: Any) -> dict[str, Outcome]:  # noqa: ANN401 - outcome names
    return {n: Outcome.model_validate({"node": n, "name": fates.get(n, "ok")}) for n in (*nodes, *fates)}


def _fates(old: PlanDefinition, new: PlanDefinition, outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {move.node: f"{move.fate}: {move.why}" for move in replan(old, new, outcomes).moves}


def test_what_does_not_hang_on_the_change_is_kept() -> None:
    new = _edit(_plan(), "a", purpose="Otherwise.")
    assert _fates(_plan(), new, _done("a", "b", "g", "q", "d", "e")) == {
        "a": "again: its purpose changed",
        "b": "kept: nothing that it hangs on has changed",
        "d": "again: of_a, which it reads, is made anew by a",
        "e": "kept: nothing that it hangs on has changed",
        "g": "again: a before it is done anew",
        "q": "again: it was given to another plan, and is asked for anew",
    }


def test_an_estimate_changes_nothing_but_the_approval() -> None:
    fates = _fates(_plan(), _edit(_plan(), "a", estimated_minutes=9.0), _done("a", "b", "g", "q"))
    assert {n: f.partition(":")[0] for n, f in fates.items()} == {
        **dict.fromkeys(["a", "b", "g"], "kept"),
        "q": "again",
        "d": "open",
        "e": "open",
    }


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"inputs": {"initiative": "X"}}, "the plan's inputs changed"),
        ({"settings": {"policies.group_minimum": "90"}}, "the plan's settings changed"),
        ({"hashes": {"agents/governance": "f" * 64}}, None),
    ],
)
def test_what_every_task_may_read_has_every_task_done_again(changes: dict[str, Any], why: str | None) -> None:
    old = _plan()
    if why is None:
        changes = {"hashes": {f"agents/{old.task('a').agent}": "f" * 64}}
        why = f"agents/{old.task('a').agent} changed"
    fates = _fates(old, old.model_copy(update=changes), _done("a", "b"))
    assert (fates["a"], fates["b"]) == (f"again: {why}", f"again: {why}")


def test_new_gone_failed_and_untouched_tasks_are_told_apart() -> None:
    old = _plan()
    new_task = old.task("b").model_copy(update={"task_id": "n", "output_var": "n_out"})
    new = _with(old, [*(t for t in old.tasks if t.task_id != "e"), new_task])
    fates = _fates(old, new, _done("e", b="failed"))
    assert fates["n"] == "open: new in the plan"
    assert fates["a"] == "open: not done yet"
    assert fates["b"] == "again: it had ended as failed"
    assert fates["e"] == "void: gone from the plan"


def test_a_yes_that_was_used_up_stays_and_its_effect_with_it() -> None:
    done = _done("a", "b", "g", "q", "d", "e")
    found = replan(_plan(), _edit(_plan(), "e", purpose="Otherwise."), done, [LIVE])
    assert found.nodes("kept") == ("a", "b", "d", "g", "q")
    assert found.refusals == ()


def test_a_task_that_has_deployed_is_neither_done_again_nor_dropped() -> None:
    done = _done("a", "b", "g", "q", "d")
    again = replan(_plan(), _edit(_plan(), "a", purpose="Otherwise."), done, [LIVE])
    assert again.refusals == (
        (
            "d is done again (of_a, which it reads, is made anew by a), but publish on sdk in production is "
            "live: take it back with 'gtm runs ripcord', or leave the task as it was"
        ),
    )
    gone = replan(_plan(), _with(_plan(), [t for t in _plan().tasks if t.task_id not in "de"]), done, [LIVE])
    assert [why.partition(",")[0] for why in gone.refusals] == ["d is gone from the plan"]


def test_a_gate_that_protects_what_is_live_is_never_lost() -> None:
    done = _done("a", "b", "g", "q", "d")
    # Around the gates there is a way to d now; its own dependencies are as they were.
    new = _edit_gate(_plan(), "q", after=("a",))
    assert replan(_plan(), new, done, [LIVE]).refusals == (
        (
            "publish on sdk in production is live behind the merge gate g, which would no longer stand "
            "before d: put it back, or take the effect back with 'gtm runs ripcord'"
        ),
    )
    weaker = _edit_gate(_plan(), "q", kind="merge")
    assert [w[:60] for w in replan(_plan(), weaker, done, [LIVE]).refusals] == [
        "publish on sdk in production is live behind the approval gat"
    ]
    inside = LiveEffect("d", "k", "publish drafts", "", certain=True)
    assert replan(_plan(), new, done, [inside]).refusals == ()


def test_what_reads_a_loops_variable_hangs_on_every_round() -> None:
    old = _plan()
    loop = Loop(
        loop_id="l",
        rounds=(("a",), ("b",)),
        variables={"quality": ("of_a", "of_b")},
        until=Comparison(of="quality.score", op=">=", value=0.8),
        gate="g",
    )
    old = _edit(old, "e", input=("quality",)).model_copy(update={"loops": (loop,)})
    fates = _fates(old, _edit(old, "b", purpose="Otherwise."), _done("a", "b", "g", "e"))
    assert fates["e"] == "again: quality, which it reads, is made anew by b"


@st.composite
def _edited(draw: st.DrawFn) -> tuple[PlanDefinition, PlanDefinition, dict[str, Outcome], list[str]]:
    count = draw(st.integers(2, 8))
    before = {f"t{n}": draw(st.lists(st.sampled_from([f"t{m}" for m in range(n)]), unique=True, max_size=3))
              if n else [] for n in range(count)}  # fmt: skip
    old = Bench().plan(before)
    tasks = [
        t.model_copy(update={"input": tuple(old.task(d).output_var for d in t.dependencies)})
        for t in old.tasks
    ]
    old = _with(old, tasks)
    edited = draw(st.lists(st.sampled_from(sorted(before)), unique=True, max_size=3))
    new = old
    for name in edited:
        new = _edit(new, name, purpose="Otherwise.")
    done = draw(st.lists(st.sampled_from(sorted(before)), unique=True))
    return old, new, _done(*done), edited


@given(_edited())
def test_whatever_hangs_on_an_edited_task_is_done_again_and_nothing_else(
    case: tuple[PlanDefinition, PlanDefinition, dict[str, Outcome], list[str]],
) -> None:
    old, new, outcomes, edited = case
    graph = dependency_graph(new.tasks, new.gates)
    touched = {d for name in edited for d in nx.descendants(graph, name)} | set(edited)
    # What reads the result of a task that has none hangs on something that is not there yet.
    touched |= {d for name in graph if name not in outcomes for d in nx.descendants(graph, name)}
    found = replan(old, new, outcomes)
    assert set(found.nodes("again")) == {name for name in outcomes if name in touched}
    assert set(found.nodes("kept")) == {name for name in outcomes if name not in touched}
    assert set(found.nodes("open")) == set(graph) - set(outcomes)
