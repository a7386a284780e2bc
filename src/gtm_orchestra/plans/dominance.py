"""What must have delivered before a node is done, whichever arms its gates go without.

Plain dominators of a graph know one way to join: any path will do. A plan has several. A task waits for all
that it depends on, while a gate may go without some of its arms, and what is not taken is no obstacle. Here
each join says what it needs, and what all ways of passing it have in common is certain.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import networkx as nx

from gtm_orchestra.plans.patterns import may_be_untaken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["certain_before", "earlier", "optional_in"]


def earlier(graph: nx.DiGraph[str]) -> dict[str, frozenset[str]]:
    """Return, for each node of an acyclic graph, all that comes before it."""
    found: dict[str, frozenset[str]] = {}
    for node in nx.topological_sort(graph):
        before = list(graph.predecessors(node))
        found[node] = frozenset(before).union(*(found[b] for b in before))
    return found


def optional_in(plan: PlanDefinition, graph: nx.DiGraph[str]) -> frozenset[str]:
    """Return the nodes that may not be taken: by a condition, by a loop that has converged, or with those."""
    first = [task.task_id for task in plan.tasks if task.when is not None]
    first += [task for loop in plan.loops for tasks in loop.rounds[1:] for task in tasks if task in graph]
    return may_be_untaken(graph, first, plan.gates)


def certain_before(
    plan: PlanDefinition, graph: nx.DiGraph[str], optional: frozenset[str]
) -> dict[str, frozenset[str]]:
    """Return, for each node, the tasks and gates without which it is not done. The graph is acyclic.

    `optional` are the nodes that may not be taken. A waiver can pass any arm of a gate; that is a person's
    signed decision, and not counted here.
    """
    gates = {gate.gate_id: gate for gate in plan.gates}
    agents = {task.task_id: {task.agent} for task in plan.tasks}
    certain: dict[str, frozenset[str]] = {}
    for node in nx.topological_sort(graph):
        arms = {before: certain[before] | {before} for before in graph.predecessors(node)}
        sure = {before: needs for before, needs in arms.items() if before not in optional}
        gate = gates.get(node)
        if gate is None or gate.kind == "approval" or gate.policy.type == "all":
            # What is not taken is no obstacle, but something must have been.
            certain[node] = _all(sure.values()) if sure else _common(arms.values(), 1)
            continue
        must = [needs for b, needs in sure.items() if agents.get(b, set()) & set(gate.policy.veto_by)]
        needed = gate.policy.k or 1 if gate.policy.type == "quorum" else 1
        certain[node] = _all(must) | _common(arms.values(), needed)
    return certain


def _all(arms: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*arms)


def _common(arms: Iterable[frozenset[str]], needed: int) -> frozenset[str]:
    """Return what stands in every choice of so many arms: what fewer than so many arms do without."""
    arms = list(arms)
    counted: Mapping[str, int] = Counter(node for arm in arms for node in arm)
    return frozenset(node for node, seen in counted.items() if seen > len(arms) - needed)
