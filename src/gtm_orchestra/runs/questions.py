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
from gtm_orchestra.runs.signing import check_signature, signature_of
from gtm_orchestra.state.journal import Entry, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import Gate
    from gtm_orchestra.runs.courses import Step
    from gtm_orchestra.runs.signing import Signer
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Journal, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = [
    "Answer",
    "Decision",
    "approval_question",
    "authors_of",
    "binding_of",
    "decide",
    "proposed_body",
    "signed",
    "supersede",
]

Answer = Literal["approved", "changes-requested", "rejected", "it-happened", "it-did-not", "abort"]
_PLAIN: tuple[str, ...] = ("approved", "changes-requested", "rejected")
_VALID_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Decision:
    """What a person decided, and why.

    Attributes:
        token: The signature over `claims_of` it, where the person has a key.
    """

    question_id: str
    answer: Answer
    actor: Actor
    reason: str
    token: str = ""


def approval_question(
    run: RunRow,
    gate: Gate,
    *,
    course: Sequence[Step],
    artifacts: Mapping[str, str],
    at: datetime,
    nonce: str,
    number: int = 1,
    effects: Sequence[Mapping[str, Any]] = (),
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
            "environment": gate.environment,
            "action": gate.action,
            "effects": [dict(effect) for effect in effects],
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


def authors_of(plans: PlanStore, run: RunRow) -> frozenset[str]:
    """Return who made what a run executes: who started it, and who made its revision, on whose behalf."""
    made = [r.change for r in plans.revisions(run.plan_id) if r.number == run.revision]
    names = {run.started_by, *(c.actor for c in made), *(c.on_behalf_of for c in made)}
    return frozenset(names - {""})


def decide(
    decision: Decision,
    *,
    journal: Journal,
    plans: PlanStore,
    artifacts: ArtifactStore,
    config: Config,
    clock: Callable[[], datetime],
) -> Question:
    """Write a person's decision, durably, and return the closed question.

    The same decision again attaches to the first: nothing is written, and the closed question returned.

    Raises:
        PolicyError: This person may not decide it, or has not signed.
        ConflictError: It is closed, expired, or the plan or its outputs are no longer what was asked about.
        IntegrityError: The question or the journal of its run was changed.
        UsageError: No reason, no such answer, or no such question.
    """
    question = journal.question(decision.question_id)
    if not decision.reason.strip():
        raise UsageError("a decision needs a reason", hint='add --reason "…"; the audit trail keeps it')
    allowed = question.body.get("options", _PLAIN)
    if decision.answer not in allowed or question.kind == "remedy":
        raise UsageError(
            f"{question.question_id} cannot be answered {decision.answer!r}",
            hint=f"gtm runs answer {question.question_id} with one of {', '.join(allowed)}",
        )
    run = journal.run(question.run_id)
    # Who is asked, and about what, stands in a row of the database: it is believed only as it was asked.
    journal.verify(run.run_id, anchors=plans.heads(run.plan_id, run.run_id))
    environment = str(question.body.get("binding", {}).get("environment", ""))
    for author in authors_of(plans, run):
        may_decide(
            decision.actor, approvers=question.body["approvers"], author=author, environment=environment
        )
    if question.status != "open":
        if _is_repeated(question, decision, journal):
            return question
        raise ConflictError(
            f"{question.question_id} is closed already: {question.status}",
            hint="see 'gtm approvals list --all'",
        )
    if question.kind == "approval":
        _check_binding(question, plans, artifacts, clock())
    body = {**proposed_body(question, decision, config), "token": decision.token}
    check_signature(question, body, config=config, at=clock())
    plain = decision.answer if decision.answer in _PLAIN else "answered"
    closed = replace(question, status=plain)  # type: ignore[arg-type]
    journal.append(question.run_id, Entry("decision", question.node, body), durable=True, question=closed)
    return closed


def signed(decision: Decision, signer: Signer, *, journal: Journal, config: Config, at: datetime) -> Decision:
    """Return a decision with its person's signature.

    Raises:
        UsageError: The key is none of theirs, or no such question.
    """
    question = journal.question(decision.question_id)
    body = proposed_body(question, decision, config)
    token = signature_of(question, body, config=config, signer=signer, at=at)
    return replace(decision, token=token)


def supersede(question: Question, *, journal: Journal, why: str, anew: bool = False) -> None:
    """Close an open question that nobody needs to answer any more; with `anew`, its gate asks again."""
    closed = replace(question, status="superseded")
    body = {"question_id": question.question_id, "why": why, "anew": anew}
    entry = Entry("question.closed", question.node, body)
    journal.append(question.run_id, entry, durable=True, question=closed)


def proposed_body(question: Question, decision: Decision, config: Config) -> dict[str, Any]:
    """Return a decision as it will stand in the journal, but for its signature."""
    return {
        "question_id": question.question_id,
        "answer": decision.answer,
        "actor": decision.actor.handle,
        "identity": decision.actor.identity,
        "on_behalf_of": _on_behalf_of(question, decision.actor.handle, config),
        "reason": decision.reason.strip(),
        "binding": binding_of(question) if question.kind == "approval" else "",
    }


def _on_behalf_of(question: Question, handle: str, config: Config) -> str:
    """Return whose deputy decides here; '' if they are asked in a role of their own."""
    people = config.people
    roles = set(people[handle].roles) if handle in people else set()
    asked = [name for name in question.body["approvers"] if name in people and people[name].deputy == handle]
    return next((name for name in asked if not roles & set(people[name].roles)), "")


def _is_repeated(question: Question, decision: Decision, journal: Journal) -> bool:
    """Whether just this was decided already, by the same person."""
    found = [
        r.body
        for r in journal.records(question.run_id)
        if r.kind == "decision" and r.body.get("question_id") == question.question_id
    ]
    said = (decision.actor.handle, decision.answer)
    return bool(found) and (found[-1]["actor"], found[-1]["answer"]) == said


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
