"""Taking a run back to a task, and moving it over to a new revision of its plan.

Both write one event that the history is folded from; nothing that happened is removed. Their caller holds
the run's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx

from gtm_orchestra.errors import BlockedError, ConflictError, UsageError
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.runs.history import History
from gtm_orchestra.runs.live import live_effects
from gtm_orchestra.runs.questions import supersede
from gtm_orchestra.runs.replan import FATES, replan
from gtm_orchestra.state.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Collection

    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.runs.replan import Replan
    from gtm_orchestra.state.journal import Journal, RunRow
    from gtm_orchestra.state.plan_store import Revision

__all__ = ["move_over", "planned_move", "refuse_move", "rewind"]

_OVER = frozenset({"done", "cancelled", "ripped", "superseded"})


def rewind(
    run: RunRow, plan: PlanDefinition, node: str, *, journal: Journal, actor: Actor, why: str
) -> tuple[str, ...]:
    """Let a task or gate and everything behind it be done again; return these nodes, in order.

    Decisions that hang on one of them are void: whoever decided is asked anew.

    Raises:
        UsageError: The plan has no such task or gate.
        ConflictError: The run is over.
        BlockedError: One of them has changed something outside that is live.
    """
    _refuse_what_is_over(run)
    graph = dependency_graph(plan.tasks, plan.gates)
    if node not in graph:
        known = ", ".join(nx.lexicographical_topological_sort(graph))
        raise UsageError(f"{node[:60]!r} is no task or gate of {plan.plan_id}", hint=f"it has {known}")
    behind = nx.descendants(graph, node) | {node}
    nodes = tuple(name for name in nx.lexicographical_topological_sort(graph) if name in behind)
    live = [e for e in live_effects(journal.records(run.run_id)) if e.environment and e.node in behind]
    if live:
        raise BlockedError(
            "; ".join(f"{e.name} by {e.node} {'is' if e.certain else 'may be'} live" for e in live)
            + f": {node} cannot be done again under it",
            hint=f'take it back first: gtm runs ripcord {run.run_id} --reason "…"',
        )
    body = {"nodes": list(nodes), "from": node, "why": why, "by": actor.handle, "identity": actor.identity}
    body["asked_anew"] = _ask_anew(run, nodes, journal=journal, why=f"{node} is done again")
    journal.append(run.run_id, Entry("run.rewound", node, body), durable=True)
    return nodes


def planned_move(run: RunRow, old: PlanDefinition, new: Revision, *, journal: Journal) -> Replan:
    """Return what a move of a run to another revision of its plan would do; nothing is written.

    Raises:
        ConflictError: The run is over.
        UsageError: It executes this revision already.
    """
    if (run.revision, run.digest) == (new.number, new.digest):
        raise UsageError(
            f"{run.run_id} executes revision {run.revision} already, which is the latest",
            hint=f"go on with: gtm runs resume {run.run_id}",
        )
    return _replanned(run, old, new.definition, journal)


def refuse_move(run: RunRow, old: PlanDefinition, new: PlanDefinition, *, journal: Journal) -> Replan:
    """Return what a move to a plan would do, if it may be done.

    Raises:
        ConflictError: The run is over.
        BlockedError: Something that is live would lose its task or its gate; all reasons at once.
    """
    found = _replanned(run, old, new, journal)
    if found.refusals:
        raise BlockedError(
            f"{run.run_id} cannot be moved: " + "; ".join(found.refusals),
            hint="revise the plan again, or start a new run",
        )
    return found


def move_over(
    run: RunRow, old: PlanDefinition, new: Revision, *, journal: Journal, actor: Actor, why: str
) -> Replan:
    """Let a run execute another revision of its plan; return what it keeps.

    Raises:
        ConflictError: The run is over.
        UsageError: It executes this revision already.
        BlockedError: Something that is live would lose its task or its gate; all reasons at once.
    """
    planned_move(run, old, new, journal=journal)
    found = refuse_move(run, old, new.definition, journal=journal)
    nodes = found.nodes("again", "void", "open")
    body: dict[str, Any] = {
        "from": run.revision,
        "to": new.number,
        "digest": new.digest,
        **{fate: list(found.nodes(fate)) for fate in FATES},
        "reasons": {move.node: move.why for move in found.moves if move.fate in {"again", "void"}},
        "nodes": list(nodes),
        "why": why,
        "by": actor.handle,
        "identity": actor.identity,
    }
    closing = f"the plan is at revision {new.number} now"
    body["asked_anew"] = _ask_anew(run, nodes, journal=journal, why=closing)
    journal.move(run.run_id, Entry("run.moved", "", body), revision=new.number, digest=new.digest)
    return found


def _replanned(run: RunRow, old: PlanDefinition, new: PlanDefinition, journal: Journal) -> Replan:
    _refuse_what_is_over(run)
    records = journal.records(run.run_id)
    return replan(old, new, History.of(records).outcomes, live_effects(records))


def _ask_anew(run: RunRow, nodes: Collection[str], *, journal: Journal, why: str) -> list[str]:
    """Close the open questions of some nodes; return all that must be asked anew, the answered ones too.

    Closed first and told of in the run's own event afterwards: after a crash in between they are asked again.
    """
    found = [
        question
        for question in journal.question_list(run_id=run.run_id)
        if question.node in nodes and question.kind in {"approval", "remedy"}
    ]
    for question in found:
        if question.status == "open":
            supersede(question, journal=journal, why=why, anew=True)
    return [question.question_id for question in found]


def _refuse_what_is_over(run: RunRow) -> None:
    if run.status in _OVER:
        raise ConflictError(
            f"{run.run_id} is over: {run.status}", hint=f"run gtm {run.command} again for a new run"
        )
