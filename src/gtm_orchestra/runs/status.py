"""Where a run stands, from how its nodes ended: one word, and one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

from gtm_orchestra.plans.graph import dependency_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.plans.model import PlanDefinition, RunStatus
    from gtm_orchestra.plans.outcome import Outcome
    from gtm_orchestra.state.journal import Question

__all__ = ["status_of", "unabsorbed"]


def unabsorbed(plan: PlanDefinition, outcomes: Mapping[str, Outcome]) -> tuple[Outcome, ...]:
    """Return what did not deliver and still matters, in the order of the plan.

    A gate that went without an arm, by its policy or by a waiver, takes away what happened in that arm, also
    what waits there.
    """
    graph = dependency_graph(plan.tasks, plan.gates)
    matters: set[str] = set()
    for node in reversed(list(nx.topological_sort(graph))):
        if outcomes[node].usable or outcomes[node].untaken:
            continue
        following = list(graph.successors(node))
        if not following or any(name in matters for name in following):
            matters.add(node)
    return tuple(outcomes[node] for node in outcomes if node in matters)


def status_of(
    plan: PlanDefinition, outcomes: Mapping[str, Outcome], questions: Sequence[Question], *, stopped: str
) -> tuple[RunStatus, str]:
    """Return a run's status and one sentence on it, the gravest first.

    Args:
        plan: The revision that ran.
        outcomes: Of every node.
        questions: The open ones.
        stopped: Why the segment took no further work, if it was stopped: paused, or the process is to end.
    """
    left = unabsorbed(plan, outcomes)
    named = {name: [o for o in left if o.name == name] for name in ("waiting", "rejected", "skipped")}
    broken = [o for o in left if o.name in {"failed", "timed_out"}]
    escalated = [q for q in questions if _is_escalated(q) and (q.kind != "remedy" or named["waiting"])]
    if escalated:
        return "escalated", _escalated(escalated[0])
    if broken:
        first = broken[0]
        return "failed", f"{first.node} {first.name.replace('_', ' ')}: {first.error or first.note}"
    if named["rejected"]:
        return _rejected(named["rejected"])
    if named["waiting"]:
        return _waiting(named["waiting"][0], questions, stopped)
    if left:
        return "failed", f"{left[0].node} {left[0].name}: {left[0].note}"
    return "done", "every task has ended and every gate said go"


def _rejected(rejected: Sequence[Outcome]) -> tuple[RunStatus, str]:
    no_go = next((o for o in rejected if o.verdict is not None), None)
    if no_go is not None:
        return "blocked", f"{no_go.node}: {no_go.note}"
    return "rejected", f"{rejected[0].node}: {rejected[0].error or rejected[0].note}"


def _waiting(first: Outcome, questions: Sequence[Question], stopped: str) -> tuple[RunStatus, str]:
    if stopped:
        return ("paused" if stopped.startswith("paused") else "running"), stopped
    asked = dict.fromkeys(name for q in questions for name in q.body["approvers"])
    return "waiting", f"{first.node} waits for {', '.join(asked)}"


def _is_escalated(question: Question) -> bool:
    return question.kind in {"escalation", "remedy"} or bool(question.body.get("silent"))


def _escalated(question: Question) -> str:
    asked = ", ".join(question.body.get("asked") or question.body["approvers"]) or "nobody"
    if question.kind == "escalation":
        why = str(question.body["why"] or question.body["trigger"])
    elif question.kind == "remedy":
        why = f"{question.node}: {question.body['outcome'].get('error', '')}"
    else:
        return f"Nobody has answered {question.question_id}, whoever was asked; nothing changes."
    return f"{why.rstrip('.')}. Asked: {asked}."
