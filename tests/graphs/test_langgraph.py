"""What LangGraph does, where our design leans on it: an upgrade that changes one of these is noticed here."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import langsmith.utils
import pytest
from langgraph.errors import InvalidUpdateError
from langgraph.graph import END, START, StateGraph

from gtm_orchestra.runs import driver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.graphs.conftest import Bench


def _joined(left: list[str], right: list[str]) -> list[str]:
    return left + right


class Log(TypedDict):
    seen: Annotated[list[str], _joined]


class Plain(TypedDict):
    value: str


async def _value(_state: Plain) -> Plain:
    return {"value": "x"}


def _node(name: str, work: Callable[[], Awaitable[object]] | None = None) -> Any:  # noqa: ANN401 - a node
    async def node(_state: Log) -> dict[str, list[str]]:
        if work is not None:
            await work()
        return {"seen": [name]}

    return node


def _forget_environment() -> None:
    # langsmith reads each variable once per process.
    cached: Any = langsmith.utils.get_env_var
    cached.cache_clear()


def _graph(*names: str, **work: Callable[[], Awaitable[object]]) -> StateGraph[Log]:
    builder = StateGraph(Log)
    for name in names:
        builder.add_node(name, _node(name, work.get(name)))
    return builder


def _run(builder: StateGraph[Log], **config: int) -> list[str]:
    options: Any = config
    state = asyncio.run(builder.compile().ainvoke({"seen": []}, options or None))
    return list(state["seen"])


def _uneven(*into_gate: str | list[str]) -> StateGraph[Log]:
    builder = _graph("a1", "a2", "b1", "gate")
    builder.add_edge(START, "a1")
    builder.add_edge(START, "b1")
    builder.add_edge("a1", "a2")
    for start in into_gate:
        builder.add_edge(start, "gate")
    return builder


def test_a_list_edge_joins_uneven_branches_once() -> None:
    assert _run(_uneven(["a2", "b1"])).count("gate") == 1


def test_plain_edges_would_run_the_gate_once_per_branch() -> None:
    assert _run(_uneven("a2", "b1")).count("gate") == 2


def test_a_gate_behind_a_branch_that_was_not_taken_never_runs_and_nothing_says_so() -> None:
    builder = _graph("a", "b", "gate")
    builder.add_edge(START, "a")
    builder.add_conditional_edges("a", lambda _state: END, ["b", END])
    builder.add_edge(["a", "b"], "gate")
    assert _run(builder) == ["a"]


def test_parallel_writes_need_a_reducer() -> None:
    write: Any = _value
    builder = StateGraph(Plain)
    for name in ("a", "b"):
        builder.add_node(name, write)
        builder.add_edge(START, name)
    with pytest.raises(InvalidUpdateError, match="Can receive only one value per step"):
        asyncio.run(builder.compile().ainvoke({"value": ""}))
    two = _graph("a", "b")
    two.add_edge(START, "a")
    two.add_edge(START, "b")
    assert sorted(_run(two)) == ["a", "b"]


async def _give_way() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def _slow_beside_quick(log: list[str], *, as_subgraph: bool) -> StateGraph[Log]:
    """Return a1 → a2 beside a slow b1; `log` gets "a2" and "b1" in the order in which they are done."""

    def note(
        name: str, first: Callable[[], Awaitable[object]] | None = None
    ) -> Callable[[], Awaitable[object]]:
        async def work() -> None:
            if first is not None:
                await first()
            log.append(name)

        return work

    arm = _graph("a1", "a2", a2=note("a2"))
    arm.add_edge(START, "a1")
    arm.add_edge("a1", "a2")
    builder = _graph("b1", b1=note("b1", _give_way))
    if as_subgraph:
        builder.add_node("arm", arm.compile())
        builder.add_edge(START, "arm")
    else:
        builder.add_node("a1", _node("a1"))
        builder.add_node("a2", _node("a2", note("a2")))
        builder.add_edge(START, "a1")
        builder.add_edge("a1", "a2")
    builder.add_edge(START, "b1")
    return builder


@pytest.mark.parametrize(("as_subgraph", "order"), [(True, ["a2", "b1"]), (False, ["b1", "a2"])])
def test_only_an_arm_that_is_a_subgraph_runs_on_beside_a_slow_one(
    *, as_subgraph: bool, order: list[str]
) -> None:
    log: list[str] = []
    _run(_slow_beside_quick(log, as_subgraph=as_subgraph))
    assert log == order


def test_its_own_limit_counts_each_subgraph_by_itself() -> None:
    now = most = 0

    async def work() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await _give_way()
        now -= 1

    builder = StateGraph(Log)
    for arm in ("x", "y"):
        inner = _graph("a", "b", a=work, b=work)
        inner.add_edge(START, "a")
        inner.add_edge(START, "b")
        builder.add_node(arm, inner.compile())
        builder.add_edge(START, arm)
    _run(builder, max_concurrency=2)
    assert most == 4


def test_a_branch_that_raises_cancels_its_siblings() -> None:
    ended: list[str] = []

    async def fails() -> None:
        raise ZeroDivisionError

    async def slow() -> None:
        try:
            await _give_way()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    builder = _graph("a", "b", a=fails, b=slow)
    builder.add_edge(START, "a")
    builder.add_edge(START, "b")
    with pytest.raises(ZeroDivisionError):
        _run(builder)
    assert ended == ["cancelled"]


def test_a_row_of_500_nodes_is_within_the_limit_of_steps() -> None:
    names = [f"n{n}" for n in range(500)]
    builder = _graph(*names)
    builder.add_edge(START, names[0])
    for first, second in pairwise(names):
        builder.add_edge(first, second)
    assert _run(builder) == names


@pytest.fixture
def tracing_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a developer's shell may hold: it would send every run to a server on the Internet."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_nothing")
    _forget_environment()


@pytest.mark.usefixtures("tracing_shell")
def test_tracing_inherited_from_a_shell_is_off_while_a_plan_runs(bench: Bench) -> None:
    seen: list[object] = []

    async def look() -> None:
        seen.append(langsmith.utils.tracing_is_enabled())

    plan = bench.plan({"t1": [], "t2": ["t1"], "t3": [], "g4": ["t2", "t3"]})
    services = bench.services(plan, work={"t2": look, "t3": look})
    assert langsmith.utils.tracing_is_enabled() is True
    try:
        outcomes = asyncio.run(driver._invoke(plan, services))  # type: ignore[arg-type]  # services of another kind
    finally:
        _forget_environment()
    assert {outcome.name for outcome in outcomes.values()} == {"ok"}
    assert seen == [False, False]
