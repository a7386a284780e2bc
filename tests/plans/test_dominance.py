"""What is certain before a node, against every way in which a run can go."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plans.conftest import plan_of, task

from gtm_orchestra.plans.dominance import certain_before, earlier, optional_in
from gtm_orchestra.plans.gates import decide_merge
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.model import Comparison, Gate, GatePolicy
from gtm_orchestra.plans.outcome import Outcome

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition

WHEN = Comparison(of="of_1.x", op="==", value=True)


def _certain(plan: PlanDefinition) -> dict[str, frozenset[str]]:
    graph = dependency_graph(plan.tasks, plan.gates)
    return certain_before(plan, graph, optional_in(plan, graph))


def _diamond(**policy: object) -> PlanDefinition:
    gate = Gate(gate_id="g", after=("b", "c", "d"), kind="merge", policy=GatePolicy.model_validate(policy))
    arms = [task(arm, agent=f"agent-{arm}", dependencies=("a",)) for arm in "bcd"]
    return plan_of([task("a"), *arms, task("deploy", dependencies=("g",))], [gate])


@pytest.mark.parametrize(
    ("policy", "certain"),
    [
        ({"type": "all"}, {"a", "b", "c", "d", "g"}),
        ({"type": "any"}, {"a", "g"}),
        ({"type": "any", "k": 3}, {"a", "g"}),
        ({"type": "quorum", "k": 2}, {"a", "g"}),
        ({"type": "quorum", "k": 3}, {"a", "b", "c", "d", "g"}),
        ({"type": "threshold"}, {"a", "g"}),
        ({"type": "any", "veto_by": ["agent-c"]}, {"a", "c", "g"}),
    ],
)
def test_what_a_gate_can_go_without_is_not_certain(policy: dict[str, object], certain: set[str]) -> None:
    assert _certain(_diamond(**policy))["deploy"] == certain


def test_what_may_not_be_taken_is_certain_only_where_all_hangs_on_it() -> None:
    plan = plan_of(
        [
            task("1"),
            task("2", dependencies=("1",), when=WHEN),
            task("3", dependencies=("2",)),
            task("4", dependencies=("1", "2")),
        ]
    )
    certain = _certain(plan)
    assert certain["3"] == {"1", "2"}
    assert certain["4"] == {"1"}


def _outcomes(plan: PlanDefinition, order: list[str], fates: dict[str, str]) -> dict[str, Outcome]:
    """Return how every node ends, by the rules of the task wrapper."""
    found: dict[str, Outcome] = {}
    gates = {gate.gate_id: gate for gate in plan.gates}
    tasks = {t.task_id: t for t in plan.tasks}
    for node in order:
        gate = gates.get(node)
        before = {b: found[b] for b in (gate.after if gate else tasks[node].dependencies)}
        if gate is not None and gate.kind == "merge":
            verdict = decide_merge(gate, plan, before, {})
            found[node] = Outcome(node=node, name="ok" if verdict.decision == "go" else "rejected")
        elif (before and all(o.untaken for o in before.values())) or (
            fates[node] == "untaken" and all(o.usable or o.untaken for o in before.values())
        ):
            found[node] = Outcome(node=node, name="skipped", untaken=True)
        elif any(not o.usable and not o.untaken for o in before.values()):
            found[node] = Outcome(node=node, name="skipped")
        else:
            found[node] = Outcome(node=node, name="ok" if fates[node] == "ok" else "failed")
    return found


@st.composite
def _plans(draw: st.DrawFn) -> tuple[PlanDefinition, list[str]]:
    order: list[str] = []
    tasks, gates = [], []
    for number in range(draw(st.integers(2, 7))):
        before: tuple[str, ...] = ()
        if order:
            before = tuple(sorted(draw(st.sets(st.sampled_from(order), max_size=3))))
        node = str(number)
        is_gate: bool = draw(st.booleans())
        is_conditional: bool = draw(st.booleans())
        if before and is_gate:
            policy = draw(
                st.sampled_from(
                    [
                        {"type": "all"},
                        {"type": "any"},
                        {"type": "quorum", "k": 2},
                        {"type": "veto", "veto_by": ["agent-0"]},
                    ]
                )
            )
            kind = draw(st.sampled_from(["merge", "merge", "approval"]))
            gates.append(
                Gate.model_validate({"gate_id": node, "after": before, "kind": kind, "policy": policy})
            )
        else:
            when = WHEN if before and is_conditional else None
            tasks.append(task(node, agent=f"agent-{number % 2}", dependencies=before, when=when))
        order.append(node)
    return plan_of(tasks, gates), order


@settings(max_examples=150)
@given(_plans())
def test_no_run_delivers_a_node_without_what_is_certain_before_it(
    drawn: tuple[PlanDefinition, list[str]],
) -> None:
    plan, order = drawn
    certain = _certain(plan)
    when = {t.task_id for t in plan.tasks if t.when is not None}
    merges = {g.gate_id for g in plan.gates if g.kind == "merge"}
    choices = [
        ("ok",) if n in merges else ("ok", "no", "untaken") if n in when else ("ok", "no") for n in order
    ]
    for fates in product(*choices):
        outcomes = _outcomes(plan, order, dict(zip(order, fates, strict=True)))
        done = {node for node, outcome in outcomes.items() if outcome.usable}
        for node in done:
            assert certain[node] <= done, f"{node} was done without {certain[node] - done}: {fates}"


def test_all_that_comes_before_a_node_is_found_through_every_path() -> None:
    graph = dependency_graph(_diamond(type="all").tasks, _diamond(type="all").gates)
    assert earlier(graph)["deploy"] == {"a", "b", "c", "d", "g"}
    assert earlier(graph)["b"] == {"a"}
