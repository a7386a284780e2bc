"""The patterns that a plan's graph shows: what review compares the declared blocks with."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import networkx as nx

from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.model import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gtm_orchestra.plans.model import Gate, Loop, Stage, Task

__all__ = ["blocks_of", "may_be_untaken"]

_START = "\N{NULL}start"


def blocks_of(
    stages: Iterable[Stage], gates: Iterable[Gate], loops: Iterable[Loop] = ()
) -> tuple[Block, ...]:
    """Return every block of a pattern that the dependencies show; they must form no circle.

    - diamond: the tasks of the parallel arms that meet in a merge gate;
    - fan-out: the same, where the arms do the same for different parameters;
    - iterative: the rounds of a loop, up to its gate;
    - conditional: a task with a condition and all that is only taken if it is;
    - hierarchical: the tasks of a plan that a stage includes;
    - pipeline: all tasks, if they come one after the other and there is no other block.
    """
    stages, gates, loops = tuple(stages), tuple(gates), tuple(loops)
    tasks = tuple(task for stage in stages for task in stage.tasks)
    graph = dependency_graph(tasks, gates)
    blocks = [
        *_meeting(graph, tasks, gates, {loop.gate for loop in loops}),
        *(
            Block(pattern="iterative", tasks=tuple(t for r in loop.rounds for t in r), gate=loop.gate)
            for loop in loops
        ),
        *_conditional(graph, tasks, gates),
        *_hierarchical(stages),
    ]
    if not blocks and all(len(level) == 1 for level in nx.topological_generations(graph)):
        blocks.append(Block(pattern="pipeline", tasks=tuple(task.task_id for task in tasks)))
    return tuple(blocks)


def may_be_untaken(
    graph: nx.DiGraph[str], conditional: Iterable[str], gates: Iterable[Gate]
) -> frozenset[str]:
    """Return conditional tasks and what is not taken if none of them is; a merge gate is always reached."""
    merges = {gate.gate_id for gate in gates if gate.kind == "merge"}
    untaken = set(conditional)
    pending = list(untaken)
    while pending:
        for node in graph.successors(pending.pop()):
            if node not in untaken and node not in merges and untaken.issuperset(graph.predecessors(node)):
                untaken.add(node)
                pending.append(node)
    return frozenset(untaken)


def _meeting(
    graph: nx.DiGraph[str], tasks: tuple[Task, ...], gates: tuple[Gate, ...], loop_gates: set[str]
) -> Iterator[Block]:
    rooted: nx.DiGraph[str] = nx.DiGraph(list(graph.edges))
    rooted.add_nodes_from([_START, *graph])
    rooted.add_edges_from((_START, node) for node in graph if graph.in_degree(node) == 0)
    dominator: dict[str, str] = nx.immediate_dominators(rooted, _START)
    merges = sorted(g.gate_id for g in gates if g.kind == "merge" and g.gate_id not in loop_gates)
    for gate in merges:
        parting = str(dominator[gate])
        after, before = nx.descendants(rooted, parting), nx.ancestors(rooted, gate)
        between = set(after) & set(before)
        inside = [task for task in tasks if task.task_id in between]
        part = graph.subgraph(task.task_id for task in inside)
        if any(len(level) > 1 for level in nx.topological_generations(part)):
            pattern = "fan-out" if _is_fan_out(inside) else "diamond"
            yield Block.model_validate(
                {"pattern": pattern, "tasks": tuple(task.task_id for task in inside), "gate": gate}
            )


def _is_fan_out(tasks: list[Task]) -> bool:
    """Whether the tasks do the same for different parameters."""
    work: dict[frozenset[tuple[str, str]], Counter[tuple[str, str]]] = {}
    for task in tasks:
        work.setdefault(frozenset(task.params.items()), Counter())[task.kind, task.agent] += 1
    names = {frozenset(name for name, _ in params) for params in work}
    first = next(iter(work.values()))
    return len(work) > 1 and len(names) == 1 and all(counted == first for counted in work.values())


def _conditional(graph: nx.DiGraph[str], tasks: tuple[Task, ...], gates: tuple[Gate, ...]) -> Iterator[Block]:
    merges = {gate.gate_id for gate in gates if gate.kind == "merge"}
    for task in tasks:
        if task.when is None:
            continue
        part = may_be_untaken(graph, [task.task_id], gates)
        met = {gate for node in part for gate in graph.successors(node)} & merges
        yield Block(
            pattern="conditional",
            tasks=tuple(t.task_id for t in tasks if t.task_id in part),
            gate=next(iter(met)) if len(met) == 1 else None,
        )


def _hierarchical(stages: tuple[Stage, ...]) -> Iterator[Block]:
    for name in dict.fromkeys(stage.included_by for stage in stages if stage.included_by):
        inside = [s for s in stages if s.included_by == name or s.included_by.startswith(f"{name}.")]
        yield Block(pattern="hierarchical", tasks=tuple(t.task_id for s in inside for t in s.tasks))
