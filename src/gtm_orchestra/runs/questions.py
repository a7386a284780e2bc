"""Approvals: what a person is asked, what exactly a yes is bound to, and how an answer is taken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from gtm_orchestra.config import parse_duration
from gtm_orchestra.errors import ConflictError, UsageError
from gtm_orchestra.plans.parse import canonical_json
from gtm_orchestra.policy.decisions import Actor, may_decide
from gtm_orchestra.runs.courses import as_body
from gtm_orchestra.state.journal import Entry, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from gtm_orchestra.plans.model import Gate
    from gtm_orchestra.runs.courses import Step
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Journal, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["Answer", "Decision", "approval_question", "binding_of", "decide", "supersede"]

Answer = Literal["approved", "changes-requested", "rejected"]
_VALID_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Decision:
    """What a person decided, and why."""

    question_id: str
    answer: Answer
    actor: Actor
    reason: str


def approval_question(
    run: RunRow,
    gate: Gate,
    *,
    course: Sequence[Step],
    artifacts: Mapping[str, str],
    at: datetime,
    nonce: str,
    number: int = 1,
) -> Question:
    """Return the question of an approval gate, bound to exactly what will be decided.

    Only those of the course's first step may decide it at first; the others may once they are asked.
    """
    body = {
        "action": gate.action,
        "approvers": list(course[0].who) if course else [],
        **as_body(course),
        "criteria": list(gate.criteria),
        "on_silence": gate.on_silence,
        "silence": gate.silence,
        "binding": {
            "plan_id": run.plan_id,
            "revision": run.revision,
            "digest": run.digest,
            "run_id": run.run_id,
            "artifacts": dict(artifacts),
            "environment": "",
            "action": gate.action,
            "nonce": nonce,
            "expires_at": (at + _VALID_FOR).isoformat(),
        },
    }
    return Question(
        question_id=f"{run.run_id}/{gate.gate_id}" + (f"-{number}" if number > 1 else ""),
        run_id=run.run_id,
        node=gate.gate_id,
        kind="approval",
        status="open",
        asked_at=at,
        due_at=at + parse_duration(gate.respond_within),
        body=body,
    )


def binding_of(question: Question) -> str:
    """Return the SHA-256 (hex) of what a question's answer is bound to."""
    return hashlib.sha256(canonical_json(question.body["binding"])).hexdigest()


def decide(
    decision: Decision,
    *,
    journal: Journal,
    plans: PlanStore,
    artifacts: ArtifactStore,
    clock: Callable[[], datetime],
) -> Question:
    """Write a person's decision, durably, and return the closed question.

    Raises:
        PolicyError: This person may not decide it.
        ConflictError: It is closed, expired, or the plan or its outputs are no longer what was asked about.
        IntegrityError: The question or the journal of its run was changed.
        UsageError: No reason, or no such question.
    """
    question = journal.question(decision.question_id)
    if not decision.reason.strip():
        raise UsageError("a decision needs a reason", hint='add --reason "…"; the audit trail keeps it')
    run = journal.run(question.run_id)
    # Who is asked, and about what, stands in a row of the database: it is believed only as it was asked.
    journal.verify(run.run_id, anchors=plans.heads(run.plan_id, run.run_id))
    may_decide(decision.actor, approvers=question.body["approvers"], author=run.started_by, environment="")
    if question.status != "open":
        raise ConflictError(
            f"{question.question_id} is closed already: {question.status}",
            hint="see 'gtm approvals list --all'",
        )
    if question.kind == "approval":
        _check_binding(question, plans, artifacts, clock())
    closed = replace(question, status=decision.answer)
    entry = Entry("decision", question.node, _decision_body(question, decision))
    journal.append(question.run_id, entry, durable=True, question=closed)
    return closed


def supersede(question: Question, *, journal: Journal, why: str, anew: bool = False) -> None:
    """Close an open question that nobody needs to answer any more; with `anew`, its gate asks again."""
    closed = replace(question, status="superseded")
    body = {"question_id": question.question_id, "why": why, "anew": anew}
    entry = Entry("question.closed", question.node, body)
    journal.append(question.run_id, entry, durable=True, question=closed)


def _decision_body(question: Question, decision: Decision) -> dict[str, Any]:
    return {
        "question_id": question.question_id,
        "answer": decision.answer,
        "actor": decision.actor.handle,
        "identity": decision.actor.identity,
        "reason": decision.reason.strip(),
        "binding": binding_of(question) if question.kind == "approval" else "",
    }


def _check_binding(question: Question, plans: PlanStore, artifacts: ArtifactStore, now: datetime) -> None:
    binding = question.body["binding"]
    latest = plans.latest(binding["plan_id"])
    if (latest.number, latest.digest) != (binding["revision"], binding["digest"]):
        raise ConflictError(
            f"{binding['plan_id']} is at revision {latest.number} now; "
            f"the question is about revision {binding['revision']}",
            hint="run the command again: it asks anew about what holds now",
        )
    if now.isoformat() > binding["expires_at"]:
        raise ConflictError(
            f"{question.question_id} has expired on {binding['expires_at'][:10]}",
            hint="run the command again: it asks anew",
        )
    changed = [name for name, sha256 in binding["artifacts"].items() if not artifacts.has(sha256)]
    if changed:
        raise ConflictError(
            f"{', '.join(changed)} {'is' if len(changed) == 1 else 'are'} no longer what was asked about",
            hint="run 'gtm runs resume RUN' to write them again",
        )
