"""The dependency graph of a plan: order, levels, critical path, and its series-parallel shape.

Only polynomial algorithms: enumerating paths or cycles explodes on thirty diamonds in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gtm_orchestra.plans.model import Gate, Task

__all__ = [
    "Crossing",
    "Leaf",
    "Parallel",
    "Series",
    "Shape",
    "circle_in",
    "critical_path",
    "dependency_graph",
    "levels",
    "parallel_groups",
    "shape_of",
]


_SHOWN = 12


@dataclass(frozen=True)
class Leaf:
    """One node."""

    node: str


@dataclass(frozen=True)
class Series:
    """Parts that come one after the other."""

    parts: tuple[Shape, ...]


@dataclass(frozen=True)
class Parallel:
    """Arms that do not wait for each other."""

    arms: tuple[Shape, ...]


@dataclass(frozen=True)
class Crossing:
    """Nodes whose dependencies cross, so that they form no arms: they run level by level."""

    nodes: tuple[str, ...]


Shape = Leaf | Series | Parallel | Crossing


def dependency_graph(tasks: Iterable[Task], gates: Iterable[Gate]) -> nx.DiGraph[str]:
    """Return the graph with an edge from each task or gate to what comes after it.

    A dependency that names nothing is left out: review reports it.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    tasks, gates = tuple(tasks), tuple(gates)
    for task in tasks:
        graph.add_node(task.task_id, minutes=task.estimated_minutes)
    for gate in gates:
        graph.add_node(gate.gate_id, minutes=0.0)
    for task in tasks:
        graph.add_edges_from((before, task.task_id) for before in task.dependencies if before in graph)
    for gate in gates:
        graph.add_edges_from((before, gate.gate_id) for before in gate.after if before in graph)
    return graph


def circle_in(graph: nx.DiGraph[str]) -> str:
    """Return a circle of dependencies in words, at most twelve nodes of it, or '' if there is none."""
    if nx.is_directed_acyclic_graph(graph):
        return ""
    circle = [str(edge[0]) for edge in nx.find_cycle(graph)]
    return " → ".join(circle[:_SHOWN]) + (" → …" if len(circle) > _SHOWN else "")


def levels(graph: nx.DiGraph[str]) -> tuple[tuple[str, ...], ...]:
    """Return the nodes by distance from the start; the graph must be acyclic."""
    return tuple(tuple(sorted(level)) for level in nx.topological_generations(graph))


def critical_path(graph: nx.DiGraph[str]) -> tuple[tuple[str, ...], float]:
    """Return the longest chain of nodes by estimated minutes, and its minutes."""
    finish: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for node in nx.lexicographical_topological_sort(graph):
        latest = max(sorted(graph.predecessors(node)), key=lambda p: finish[p], default=None)
        before[node] = latest
        finish[node] = (finish[latest] if latest is not None else 0.0) + float(graph.nodes[node]["minutes"])
    if not finish:
        return (), 0.0
    last = max(sorted(finish), key=lambda n: finish[n])
    path: list[str] = []
    step: str | None = last
    while step is not None:
        path.append(step)
        step = before[step]
    return tuple(reversed(path)), finish[last]


def parallel_groups(graph: nx.DiGraph[str], tasks: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return, level by level, the tasks that may run side by side (groups of one are left out)."""
    wanted = set(tasks)
    groups = (tuple(node for node in level if node in wanted) for level in levels(graph))
    return tuple(group for group in groups if len(group) > 1)


def shape_of(graph: nx.DiGraph[str]) -> Shape:
    """Return the series-parallel decomposition of an acyclic graph.

    A partial order is series-parallel exactly if it can be taken apart by turns: the connected parts of
    "comparable" are arms, the connected parts of "not comparable" come one after the other. What allows
    neither is a `Crossing` (Valdes, Tarjan, Lawler 1982).
    """
    order = {node: i for i, node in enumerate(nx.lexicographical_topological_sort(graph))}
    after: dict[str, set[str]] = {}
    for node in reversed(order):
        reach: set[str] = set()
        for successor in graph.successors(node):
            reach |= after[successor] | {successor}
        after[node] = reach
    return _decompose(sorted(order, key=order.__getitem__), after)


def _decompose(nodes: Sequence[str], after: Mapping[str, set[str]]) -> Shape:
    if len(nodes) == 1:
        return Leaf(nodes[0])
    arms = _parts(nodes, after, comparable=True)
    if len(arms) > 1:
        return Parallel(tuple(_decompose(arm, after) for arm in arms))
    steps = _parts(nodes, after, comparable=False)
    if len(steps) > 1:
        return Series(tuple(_decompose(step, after) for step in steps))
    return Crossing(tuple(nodes))


def _parts(nodes: Sequence[str], after: Mapping[str, set[str]], *, comparable: bool) -> list[list[str]]:
    """Return the connected parts of the (in)comparability relation, each and all in topological order."""
    unseen = dict.fromkeys(nodes)
    parts: list[list[str]] = []
    while unseen:
        first = next(iter(unseen))
        del unseen[first]
        part, pending = {first}, [first]
        while pending:
            node = pending.pop()
            near = [o for o in unseen if ((o in after[node]) or (node in after[o])) == comparable]
            for other in near:
                del unseen[other]
                part.add(other)
                pending.append(other)
        parts.append([node for node in nodes if node in part])
    return parts
