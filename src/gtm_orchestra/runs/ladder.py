"""What people are asked when a task has failed for good, and how a failing arm of a gate is waived.

A question of kind "remedy" goes up the escalation ladder. Its answers: try again, try again with a change,
take the substitute's result, skip with a waiver, abort.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import networkx as nx

from gtm_orchestra.config import parse_duration
from gtm_orchestra.errors import ConflictError, UsageError
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.model import Waiver
from gtm_orchestra.plans.outcome import Outcome
from gtm_orchestra.policy.decisions import may_decide
from gtm_orchestra.runs.courses import as_body, people_of
from gtm_orchestra.runs.signing import check_signature, signature_of
from gtm_orchestra.state.journal import Entry, Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import PlanDefinition, Task
    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.runs.courses import Step
    from gtm_orchestra.runs.signing import Signer
    from gtm_orchestra.state.journal import Journal

__all__ = [
    "ENDING",
    "REMEDIES",
    "Remedy",
    "RemedyAnswer",
    "ended_by",
    "give_remedy",
    "remedy_question",
    "waive",
]

RemedyAnswer = Literal["retry", "retry-with-change", "take-substitute", "skip", "abort"]
REMEDIES: dict[str, str] = {
    "retry": "try it again as it is",
    "retry-with-change": "try it again, told what to do otherwise",
    "take-substitute": "let the named substitute do it",
    "skip": "go on without it; the gate behind it is waived",
    "abort": "give it up; what hangs on it is not done",
}
# The answers that end a task; the others have it done again.
ENDING = frozenset({"skip", "abort"})
_WAIVED_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Remedy:
    """A person's answer on a task that has failed.

    Attributes:
        change: What is to be done otherwise, for "retry-with-change".
        substitute: Who does it, for "take-substitute"; one of the task's substitutes.
        until: When the waiver of "skip" expires; default: thirty days on.
    """

    question_id: str
    answer: RemedyAnswer
    actor: Actor
    reason: str
    change: str = ""
    substitute: str = ""
    until: datetime | None = None


def remedy_question(
    run_id: str, task: Task, ended: Outcome, *, course: Sequence[Step], number: int, at: datetime
) -> Question:
    """Return the question that goes to the ladder when everybody who may do a task has failed."""
    allowed = [name for name in REMEDIES if name != "take-substitute" or task.substitutes]
    failed = "got no result in time" if ended.name == "timed_out" else "has failed"
    return Question(
        question_id=f"{run_id}/{task.task_id}-remedy-{number}",
        run_id=run_id,
        node=task.task_id,
        kind="remedy",
        status="open",
        asked_at=at,
        due_at=at + parse_duration(course[0].within),
        body={
            "action": f"say what becomes of {task.task_id} {task.kind}, which {failed}: {ended.error}",
            "approvers": list(people_of(course)),
            **as_body(course),
            "options": allowed,
            "substitutes": list(task.substitutes),
            "outcome": ended.model_dump(mode="json", exclude_defaults=True),
            "on_silence": "The run stays where it is; nothing changes.",
            "silence": "stop",
        },
    )


def give_remedy(
    remedy: Remedy,
    *,
    journal: Journal,
    plan: PlanDefinition,
    config: Config,
    now: datetime,
    signer: Signer | None = None,
) -> Question:
    """Write a person's answer on a failed task, durably, and return the closed question.

    Raises:
        PolicyError: This person is not on the ladder, or has not signed.
        ConflictError: The question is closed.
        UsageError: No reason, or the answer is not among those offered.
    """
    question = journal.question(remedy.question_id)
    _check(remedy, question)
    body: dict[str, Any] = {
        "question_id": question.question_id,
        "answer": remedy.answer,
        "actor": remedy.actor.handle,
        "identity": remedy.actor.identity,
        "reason": remedy.reason.strip(),
        "change": remedy.change.strip(),
        "substitute": remedy.substitute,
        "until": remedy.until.isoformat() if remedy.until else "",
        "binding": "",
    }
    if signer is not None:
        body["token"] = signature_of(question, body, config=config, signer=signer, at=now)
    check_signature(question, body, config=config, at=now)
    entries = [Entry("decision", question.node, body)]
    if remedy.answer == "skip":
        passed = _waivers_behind(plan, question.node, remedy, now=now)
        entries += [Entry("waiver", w.gate, {"waiver": w.model_dump(mode="json")}) for w in passed]
    closed = replace(question, status="answered")
    journal.append(question.run_id, *entries, durable=True, question=closed)
    return closed


def ended_by(question: Question, answer: str, why: str) -> Outcome:
    """Return how a task ends that a person has skipped or given up."""
    ended = Outcome.model_validate(question.body["outcome"])
    if answer == "abort":
        return ended.model_copy(update={"note": f"given up by {why}"})
    note = f"skipped by {why}"
    return Outcome(node=ended.node, name="skipped", agent=ended.agent, attempts=ended.attempts, note=note)


def waive(waiver: Waiver, actor: Actor, *, ladder: Sequence[str], plan: PlanDefinition) -> Entry:
    """Return the journal's entry of a waiver: the gate decides again and passes the arm without its result.

    Only who stands on the plan's ladder (`ladder`: their handles) may waive.

    Raises:
        PolicyError: This person is not on the ladder.
        UsageError: No such gate or arm, no reason, or it would have expired already.
    """
    may_decide(actor, approvers=ladder, author="", environment="")
    gate = next((g for g in plan.gates if g.gate_id == waiver.gate and g.kind == "merge"), None)
    if gate is None:
        merges = ", ".join(g.gate_id for g in plan.gates if g.kind == "merge") or "none"
        raise UsageError(f"{waiver.gate!r} is no merge gate of this plan", hint=f"its merge gates: {merges}")
    if waiver.node not in gate.after:
        raise UsageError(
            f"{waiver.node!r} is no arm of {waiver.gate}", hint=f"its arms end in {', '.join(gate.after)}"
        )
    if not waiver.reason.strip():
        raise UsageError("a waiver needs a reason", hint='add --reason "…"; the audit trail keeps it')
    if waiver.expires_at <= waiver.at:
        raise UsageError("the waiver would have expired already", hint="choose a later --until")
    return Entry("waiver", waiver.gate, {"waiver": waiver.model_dump(mode="json")})


def _check(remedy: Remedy, question: Question) -> None:
    if not remedy.reason.strip():
        raise UsageError("an answer needs a reason", hint='add --reason "…"; the audit trail keeps it')
    if question.kind != "remedy":
        raise UsageError(
            f"{question.question_id} is no question about a failed task",
            hint="decide it with 'gtm approvals approve|request-changes|reject'",
        )
    may_decide(remedy.actor, approvers=question.body["approvers"], author="", environment="")
    if question.status != "open":
        raise ConflictError(
            f"{question.question_id} is closed already: {question.status}",
            hint="see 'gtm approvals list --all'",
        )
    if remedy.answer not in question.body["options"]:
        raise UsageError(
            f"{remedy.answer!r} cannot be answered here", hint=f"answer {', '.join(question.body['options'])}"
        )
    if remedy.answer == "retry-with-change" and not remedy.change.strip():
        raise UsageError("what should be done otherwise is not said", hint='add --change "…"')
    if remedy.answer == "take-substitute" and remedy.substitute not in question.body["substitutes"]:
        raise UsageError(
            f"{remedy.substitute[:60]!r} is no substitute of {question.node}",
            hint=f"add --substitute {' or '.join(question.body['substitutes'])}",
        )


def _waivers_behind(plan: PlanDefinition, node: str, remedy: Remedy, *, now: datetime) -> list[Waiver]:
    """Return a waiver for each gate in which the arm of a skipped task ends next."""
    graph = dependency_graph(plan.tasks, plan.gates)
    gates = {gate.gate_id: gate for gate in plan.gates if gate.kind == "merge"}
    inside = {node}
    for name in nx.topological_sort(graph):
        if name not in gates and set(graph.predecessors(name)) & inside:
            inside.add(name)
    return [
        Waiver(
            gate=gate.gate_id,
            node=arm,
            by=remedy.actor.handle,
            identity=remedy.actor.identity,
            reason=remedy.reason.strip(),
            at=now,
            expires_at=remedy.until or now + _WAIVED_FOR,
        )
        for gate in gates.values()
        for arm in gate.after
        if arm in inside
    ]
