from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtm_orchestra.graphs.compiler import compile_plan
from gtm_orchestra.plans.graph import Crossing, dependency_graph, shape_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.graphs.conftest import Bench, InMemory

    from gtm_orchestra.plans.model import PlanDefinition

Before = dict[str, list[str]]
_TASK_FATES = ("ok", "ok", "ok", "degraded", "failed", "rejected", "timed_out", "untaken")
_ANSWERS = ("ok", "waiting", "rejected")


@st.composite
def series_parallel(draw: st.DrawFn) -> Before:
    """Draw node → what comes before it, for a plan of nested arms, with gates where parts meet."""
    before: Before = {}

    def name(kind: str) -> str:
        return f"{kind}{len(before) + 1}"

    def grow(after: list[str], depth: int) -> list[str]:
        kind = draw(st.sampled_from(["task", "series", "parallel"] if depth else ["task"]))
        if kind == "task":
            node = name("t")
            before[node] = after
            return [node]
        if kind == "parallel":
            return [end for _ in range(draw(st.integers(2, 3))) for end in grow(after, depth - 1)]
        for _ in range(draw(st.integers(2, 3))):
            after = grow(after, depth - 1)
            if draw(st.booleans()):
                gate = name(draw(st.sampled_from("gq")))
                before[gate] = after
                after = [gate]
        return after

    grow([], 3)
    return before


@st.composite
def crossing(draw: st.DrawFn) -> Before:
    """Draw any acyclic graph."""
    before: Before = {}
    for number in range(draw(st.integers(2, 10))):
        earlier = sorted(draw(st.sets(st.sampled_from(sorted(before)), max_size=3))) if before else []
        kind = draw(st.sampled_from("tttgq")) if earlier else "t"
        before[f"{kind}{number + 1}"] = earlier
    return before


def _fates(draw: st.DrawFn, before: Before) -> dict[str, str]:
    return {
        node: draw(st.sampled_from(_ANSWERS if node[0] == "q" else _TASK_FATES))
        for node in before
        if node[0] != "g"
    }


@st.composite
def faulty(draw: st.DrawFn) -> tuple[Before, dict[str, str]]:
    before = draw(st.one_of(series_parallel(), crossing()))
    return before, _fates(draw, before)


def _expected(before: Before, fates: Mapping[str, str]) -> dict[str, str]:
    """Return how every node must end, told from the order alone."""
    names: dict[str, str] = {}
    untaken: set[str] = set()
    for node, after in before.items():
        taken = [b for b in after if b not in untaken]
        broken = [names[b] for b in taken if names[b] not in {"ok", "degraded"}]
        if node[0] == "g":
            names[node] = "waiting" if "waiting" in broken else "ok" if taken and not broken else "rejected"
        elif broken:
            names[node] = "waiting" if set(broken) == {"waiting"} else "skipped"
        elif (after and not taken) or fates.get(node) == "untaken":
            names[node] = "skipped"
            untaken.add(node)
        else:
            names[node] = fates.get(node, "ok")
    return names


def _assert_order(services: InMemory, before: Before) -> None:
    at = {event: index for index, event in enumerate(services.log)}
    for node, after in before.items():
        for earlier in after:
            if (earlier, "ended") in at:
                assert at[earlier, "ended"] < at[node, "visited"], f"{node} did not wait for {earlier}"


@settings(max_examples=150)
@given(faulty())
def test_every_node_is_visited_once_in_order_and_ends_in_its_outcome(
    bench: Bench, drawn: tuple[Before, dict[str, str]]
) -> None:
    before, fates = drawn
    services = bench.services(bench.plan(before), fates)
    assert bench.run(services) == _expected(before, fates)
    assert sorted(services.visited) == sorted(before)
    _assert_order(services, before)


def test_a_gate_runs_once_though_its_arms_are_uneven(bench: Bench) -> None:
    before = {"t1": [], "t2": ["t1"], "t3": ["t2"], "t4": [], "g5": ["t3", "t4"], "t6": ["g5"]}
    services = bench.services(bench.plan(before))
    assert set(bench.run(services).values()) == {"ok"}
    assert services.visited.count("g5") == 1
    assert services.visited.count("t6") == 1


def test_a_slow_arm_does_not_hold_up_the_tasks_of_another(bench: Bench) -> None:
    freed = asyncio.Event()

    async def free() -> None:
        freed.set()

    before = {"t1": [], "t2": ["t1"], "t3": ["t2"], "t4": [], "t5": ["t4"], "g6": ["t3", "t5"]}
    # t4 ends only after t3, the last task of the other arm: levels that wait for each other would hang.
    services = bench.services(bench.plan(before), work={"t4": freed.wait, "t3": free})
    assert set(bench.run(services).values()) == {"ok"}
    assert services.log.index(("t3", "ended")) < services.log.index(("t4", "ended"))


def test_an_arm_that_waits_for_a_person_lets_the_others_run_on(bench: Bench) -> None:
    before = {"t1": [], "q2": ["t1"], "t3": ["q2"], "t4": [], "t5": ["t4"], "g6": ["t3", "t5"], "t7": ["g6"]}
    assert bench.run(bench.services(bench.plan(before))) == {
        "t1": "ok",
        "q2": "waiting",
        "t3": "waiting",
        "t4": "ok",
        "t5": "ok",
        "g6": "waiting",
        "t7": "waiting",
    }


@pytest.mark.parametrize(
    ("fate", "gate"),
    [("failed", "rejected"), ("timed_out", "rejected"), ("rejected", "rejected"), ("degraded", "ok")],
)
def test_what_is_below_a_task_that_did_not_deliver_is_not_done(bench: Bench, fate: str, gate: str) -> None:
    before = {"t1": [], "t2": ["t1"], "t3": [], "g4": ["t2", "t3"], "t5": ["g4"]}
    delivered = gate == "ok"
    assert bench.run(bench.services(bench.plan(before), {"t1": fate})) == {
        "t1": fate,
        "t2": "ok" if delivered else "skipped",
        "t3": "ok",
        "g4": gate,
        "t5": "ok" if delivered else "skipped",
    }


def test_a_second_segment_serves_what_is_finished_and_goes_on_from_the_answer(bench: Bench) -> None:
    before = {"t1": [], "q2": ["t1"], "t3": ["q2"]}
    first = bench.services(bench.plan(before))
    assert bench.run(first) == {"t1": "ok", "q2": "waiting", "t3": "waiting"}
    second = bench.services(bench.plan(before), {"q2": "ok"})
    second.kept = first.kept
    assert bench.run(second) == {"t1": "ok", "q2": "ok", "t3": "ok"}
    assert [event for event in second.log if event[1] == "started"] == [("t3", "started")]


def _arms(arms: int, wide: int) -> Before:
    """Return a plan of arms that each end in a row of tasks side by side."""
    before: Before = {}
    for arm in range(arms):
        before[f"a{arm}"] = []
        for task in range(wide):
            before[f"b{arm}.{task}"] = [f"a{arm}"]
    return before


def _yields() -> Awaitable[object]:
    async def give_way() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    return give_way()


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_more_tasks_are_at_work_than_the_plan_allows_arms_included(bench: Bench, limit: int) -> None:
    before = _arms(4, 4)
    work: dict[str, Callable[[], Awaitable[object]]] = dict.fromkeys(before, _yields)
    services = bench.services(bench.plan(before, max_concurrent=limit), work=work)
    assert set(bench.run(services).values()) == {"ok"}
    assert services.most_at_work == limit


def _nested(depth: int) -> Before:
    """Return a diamond in the arm of a diamond in the arm of …"""
    before: Before = {}
    last: list[str] = []
    for level in range(depth):
        before[f"in{level}"] = last
        before[f"side{level}"] = [f"in{level}"]
        last = [f"in{level}"]
    for level in reversed(range(depth)):
        before[f"g{level}"] = [*last, f"side{level}"]
        last = [f"g{level}"]
    return before


def _row(diamonds: int) -> Before:
    before: Before = {}
    last: list[str] = []
    for n in range(diamonds):
        before |= {f"l{n}": last, f"r{n}": last, f"g{n}": [f"l{n}", f"r{n}"]}
        last = [f"g{n}"]
    return before


_LARGE: dict[str, Callable[[], Before]] = {
    "40 diamonds, each in an arm of the last": lambda: _nested(40),
    "40 diamonds in a row": lambda: _row(40),
    "500 tasks in a row": lambda: {f"t{n}": [f"t{n - 1}"] if n else [] for n in range(500)},
    "500 tasks side by side": lambda: {f"t{n}": [] for n in range(500)},
    "500 tasks that cross": lambda: {
        f"t{n}": [f"t{m}" for m in (n - 2, n - 3) if m >= 0] for n in range(500)
    },
}


@pytest.mark.parametrize("make", list(_LARGE.values()), ids=list(_LARGE))
def test_large_plans_run_to_their_end(bench: Bench, make: Callable[[], Before]) -> None:
    before = make()
    services = bench.services(bench.plan(before))
    assert bench.run(services) == dict.fromkeys(before, "ok")
    assert sorted(services.visited) == sorted(before)
    _assert_order(services, before)


@pytest.mark.parametrize("make", list(_LARGE.values()), ids=list(_LARGE))
def test_large_plans_compile_within_two_seconds(bench: Bench, make: Callable[[], Before]) -> None:
    plan = bench.plan(make())
    start = time.process_time()
    compile_plan(plan, bench.services(plan))
    assert time.process_time() - start < 2


def test_dependencies_that_cross_run_level_by_level_and_arms_beside_them_do_not(bench: Bench) -> None:
    # An N: t3 needs t1, t4 needs t1 and t2. No arms can be told apart in it.
    before: Before = {"t1": [], "t2": [], "t3": ["t1"], "t4": ["t1", "t2"]}
    plan: PlanDefinition = bench.plan(before)
    assert isinstance(shape_of(dependency_graph(plan.tasks, plan.gates)), Crossing)
    services = bench.services(plan, work={"t2": _yields})
    assert set(bench.run(services).values()) == {"ok"}
    assert services.log.index(("t2", "ended")) < services.log.index(("t3", "visited"))


def test_the_graph_has_only_the_asynchronous_interface(bench: Bench) -> None:
    plan = bench.plan({"t1": []})
    graph = compile_plan(plan, bench.services(plan))
    with pytest.raises(NotImplementedError, match="a plan's graph has only the asynchronous interface"):
        graph.invoke({"outcomes": {}})
