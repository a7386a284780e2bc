"""Plan → LangGraph. Task = node, arm of a parallel block = subgraph node, gate = node joined by a list edge.

The list edge is LangGraph's only join that runs a gate exactly once, and only if every arm always arrives:
hence no conditional edges, and a wrapper that never raises. Arms that are subgraphs run on while a sibling
is slow; arms whose dependencies cross run level by level.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypedDict

from langchain_core.runnables import Runnable
from langgraph.graph import END, START, StateGraph

from gtm_orchestra.graphs.task import run_gate, run_task
from gtm_orchestra.plans.graph import Crossing, Leaf, Parallel, Series, Shape, dependency_graph, shape_of
from gtm_orchestra.plans.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import networkx as nx
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    from gtm_orchestra.graphs.services import RunServices
    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["PlanState", "compile_plan"]


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    # Each node writes its own key only, so that parallel writes never conflict.
    return {**left, **right}


class PlanState(TypedDict):
    """The graph's state: outcomes by node, as small JSON. Results live in the artifact store by content."""

    outcomes: Annotated[dict[str, dict[str, Any]], _merged]


class Node(Runnable[PlanState, dict[str, Any]]):
    """What LangGraph calls for a task or gate.

    A plain function would do, but its type hints and byte code would be read at every compilation.
    """

    def __init__(
        self, name: str, before: tuple[str, ...], work: Callable[[Mapping[str, Outcome]], Awaitable[Outcome]]
    ) -> None:
        self.name = name
        self._before = before
        self._work = work

    def invoke(self, *_arguments: object, **_options: object) -> NoReturn:
        """Refuse: a plan runs in an event loop."""
        raise NotImplementedError("a plan's graph has only the asynchronous interface")

    async def ainvoke(
        self,
        input: PlanState,  # noqa: A002 - its name in the base
        config: RunnableConfig | None = None,
        **_options: object,
    ) -> dict[str, Any]:
        """Return the node's own outcome, as an update of the state."""
        _ = config
        seen = input["outcomes"]
        before = {node: Outcome.model_validate(seen[node]) for node in self._before if node in seen}
        outcome = await self._work(before)
        return {"outcomes": {self.get_name(): outcome.model_dump(mode="json", exclude_defaults=True)}}


def compile_plan(
    plan: PlanDefinition, services: RunServices, *, checkpointer: BaseCheckpointSaver[Any] | None = None
) -> CompiledStateGraph[PlanState, None, PlanState, PlanState]:
    """Return the graph of a plan. It is cheap (a few milliseconds) and is made anew for every segment.

    Args:
        plan: A reviewed plan; its dependencies are acyclic.
        services: What the nodes work with.
        checkpointer: For those who run inside a LangGraph server; the journal needs none.
    """
    graph = dependency_graph(plan.tasks, plan.gates)
    nodes = _nodes(plan, services, graph)
    return _built(shape_of(graph), graph, nodes).compile(checkpointer=checkpointer, name=plan.command)


def _nodes(plan: PlanDefinition, services: RunServices, graph: nx.DiGraph[str]) -> dict[str, Node]:
    def node_of(name: str, work: Callable[[Mapping[str, Outcome]], Awaitable[Outcome]]) -> Node:
        return Node(name, tuple(sorted(graph.predecessors(name))), work)

    # LangGraph's own limit counts each arm by itself, and an arm would keep its place while it waits.
    slots = asyncio.Semaphore(plan.parallelization.max_concurrent)
    tasks = {
        task.task_id: node_of(task.task_id, partial(run_task, task, services, slots)) for task in plan.tasks
    }
    gates = {gate.gate_id: node_of(gate.gate_id, partial(run_gate, gate, services)) for gate in plan.gates}
    return tasks | gates


def _built(shape: Shape, graph: nx.DiGraph[str], nodes: Mapping[str, Node]) -> StateGraph[PlanState]:
    builder = StateGraph(PlanState)
    last = _attach(builder, shape, [START], graph, nodes)
    for end in last:
        builder.add_edge(end, END)
    return builder


def _attach(
    builder: StateGraph[PlanState],
    shape: Shape,
    after: list[str],
    graph: nx.DiGraph[str],
    nodes: Mapping[str, Node],
) -> list[str]:
    """Add a shape behind the nodes in `after`; return the nodes that whatever follows must wait for."""
    match shape:
        case Leaf(name):
            builder.add_node(name, nodes[name])
            _join(builder, after, name)
            return [name]
        case Series(parts):
            for part in parts:
                after = _attach(builder, part, after, graph, nodes)
            return after
        case Parallel(arms):
            return [last for arm in arms for last in _arm(builder, arm, after, graph, nodes)]
        case Crossing(names):
            inside = set(names)
            for name in names:
                builder.add_node(name, nodes[name])
                near = sorted(set(graph.predecessors(name)) & inside)
                _join(builder, near or after, name)
            return [name for name in names if not set(graph.successors(name)) & inside]


def _arm(
    builder: StateGraph[PlanState],
    arm: Shape,
    after: list[str],
    graph: nx.DiGraph[str],
    nodes: Mapping[str, Node],
) -> list[str]:
    if isinstance(arm, Leaf):
        return _attach(builder, arm, after, graph, nodes)
    name = f"arm from {_first(arm)}"
    builder.add_node(name, _built(arm, graph, nodes).compile())
    _join(builder, after, name)
    return [name]


def _first(shape: Shape) -> str:
    match shape:
        case Leaf(name):
            return name
        case Series(parts):
            return _first(parts[0])
        case Parallel(arms):
            return _first(arms[0])
        case Crossing(names):
            return names[0]


def _join(builder: StateGraph[PlanState], after: list[str], name: str) -> None:
    builder.add_edge(after[0] if len(after) == 1 else after, name)
