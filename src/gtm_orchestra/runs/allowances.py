"""What a yes allows, and whether it still does: asked at the gate, and again as each effect begins.

An approval names the effects that it allows. What an earlier task has proposed (the field `proposes` of its
result) is allowed exactly as proposed; what nobody proposed may only carry files that were approved, and no
further content. Each entry can be used up once.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import networkx as nx
from pydantic import ValidationError

from gtm_orchestra.errors import ConflictError, IntegrityError, PolicyError
from gtm_orchestra.plans.effects import EffectRequest, digest_of
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.policy.decisions import Actor, may_decide
from gtm_orchestra.runs.questions import binding_of
from gtm_orchestra.runs.signing import check_signature

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import Gate, PlanDefinition, Task
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Question, Record, RunRow

__all__ = ["allowance_of", "allowed_effects", "approved", "checked_decision", "gate_of"]

_ANEW = "run the command again: it asks anew"


def allowed_effects(plan: PlanDefinition, gate: Gate, results: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what a yes at a gate allows: an entry per effect behind it in the gate's environment.

    Args:
        plan: The plan.
        gate: An approval gate.
        results: The result documents so far; their field `proposes` holds requests of later tasks.
    """
    if not gate.environment:
        return []
    proposed = [request for result in results for request in _proposals(result)]
    behind = nx.descendants(dependency_graph(plan.tasks, plan.gates), gate.gate_id)
    return [
        {
            "task": task.task_id,
            "action": effect.action,
            "target": effect.target,
            "environment": effect.environment,
            "class": effect.effect_class,
            "undo": f"{effect.undo_class}: {effect.undo}",
            "requests": [
                digest_of(request)
                for request in proposed
                if (request.action, request.target, request.environment)
                == (effect.action, effect.target, effect.environment)
            ],
        }
        for task in plan.tasks
        if task.task_id in behind
        for effect in task.effects
        if effect.environment == gate.environment
    ]


def gate_of(plan: PlanDefinition, task: Task, environment: str) -> Gate | None:
    """Return the approval gate that opens an environment to a task; None if none is needed.

    Raises:
        PolicyError: Nothing opens production to it.
    """
    if not environment:
        return None
    before = nx.ancestors(dependency_graph(plan.tasks, plan.gates), task.task_id)
    gates = [
        gate
        for gate in plan.gates
        if gate.gate_id in before and gate.kind == "approval" and gate.environment == environment
    ]
    if not gates and environment == "production":
        raise PolicyError(
            f"{task.task_id} would change production, and no approval gate before it opens production",
            hint="add an approval gate with environment: production to the blueprint",
        )
    return gates[-1] if gates else None


def allowance_of(question: Question, task: Task, request: EffectRequest, taken: Collection[str]) -> str:
    """Return which entry of an approval allows an effect and is not used up.

    Raises:
        PolicyError: None does.
    """
    binding = question.body["binding"]
    digest, asked = digest_of(request), (task.task_id, request.action, request.target, request.environment)
    used_up = False
    for number, entry in enumerate(binding.get("effects", ())):
        if (entry["task"], entry["action"], entry["target"], entry["environment"]) != asked:
            continue
        if entry["requests"]:
            slots = [f"{number}.{n}" for n, sha256 in enumerate(entry["requests"]) if sha256 == digest]
        else:
            carried = set(request.artifacts) <= set(binding["artifacts"].values())
            slots = [str(number)] if carried and not request.content else []
        free = [f"{question.question_id}#{slot}" for slot in slots]
        used_up = used_up or bool(free)
        free = [slot for slot in free if slot not in taken]
        if free:
            return free[0]
    what = f"{request.action!r} on {request.target!r} in {request.environment}"
    if used_up:
        raise PolicyError(f"{question.question_id} allows {what} once, and that is used up", hint=_ANEW)
    raise PolicyError(
        f"{task.task_id} would do {what} with something that {question.question_id} did not approve",
        hint=f"{_ANEW}; what is to be approved is proposed before the gate, or carried as an approved file",
    )


def approved(
    question: Question | None,
    gate: Gate,
    records: Sequence[Record],
    *,
    run: RunRow,
    config: Config,
    authors: Collection[str],
    artifacts: ArtifactStore,
    now: datetime,
) -> Record:
    """Return the decision that opens a gate, if everything that it was bound to still holds.

    Raises:
        PolicyError: Not asked, not answered, not with yes, expired, or by somebody who may not.
        IntegrityError: The journal holds no such decision.
        ConflictError: What was approved is not what is there now.
    """
    if question is None or question.kind != "approval":
        raise PolicyError(f"{gate.gate_id} was never asked about", hint="resume the run: it asks")
    if question.status != "approved":
        raise PolicyError(
            f"{question.question_id} is {question.status}, not approved",
            hint="see 'gtm approvals list --all'",
        )
    decision = checked_decision(question, records, config=config, authors=authors, now=now)
    binding = question.body["binding"]
    if now >= datetime.fromisoformat(binding["expires_at"]):
        raise PolicyError(f"{question.question_id} has expired on {binding['expires_at'][:10]}", hint=_ANEW)
    bound = {
        "plan_id": run.plan_id,
        "revision": run.revision,
        "digest": run.digest,
        "run_id": run.run_id,
        "environment": gate.environment,
        "action": gate.action,
    }
    other = [name for name, value in bound.items() if binding[name] != value]
    if other:
        raise ConflictError(
            f"{question.question_id} is about another {' and '.join(other)} than this run", hint=_ANEW
        )
    changed = [name for name, sha256 in binding["artifacts"].items() if not artifacts.has(sha256)]
    if changed:
        raise ConflictError(
            f"{', '.join(changed)} {'is' if len(changed) == 1 else 'are'} no longer what was approved",
            hint="run 'gtm runs resume RUN' to write them again",
        )
    return decision


def checked_decision(
    question: Question,
    records: Iterable[Record],
    *,
    config: Config,
    authors: Collection[str],
    now: datetime | None = None,
) -> Record:
    """Return the journal's decision on a closed question.

    Args:
        question: A question of the run.
        records: The run's journal.
        config: Who people are, and which keys they have.
        authors: Who made the plan and started the run.
        now: The moment at which signature and key must be in force; None: that of the decision, as an audit
            asks. An audit lets pass what was decided before a key was in use.

    Raises:
        IntegrityError: The journal holds none, or another one.
        PolicyError: Who decided may not, or has not signed.
    """
    found = [r for r in records if r.kind == "decision" and r.body.get("question_id") == question.question_id]
    last = found[-1] if found else None
    if last is None or not _answers(last, question) or not str(last.body.get("reason")).strip():
        raise IntegrityError(
            f"{question.question_id} counts as {question.status}, but the journal holds no such decision",
            hint="restore .gtm/state.db from a backup",
        )
    body = last.body
    if question.kind == "approval" and body.get("binding") != binding_of(question):
        raise IntegrityError(
            f"the decision on {question.question_id} is bound to something else than was asked",
            hint="restore .gtm/state.db from a backup",
        )
    actor = Actor(str(body["actor"]), str(body["identity"]))
    environment = str(question.body.get("binding", {}).get("environment", ""))
    for author in authors or ("",):
        may_decide(actor, approvers=question.body["approvers"], author=author, environment=environment)
    check_signature(question, body, config=config, at=now or last.at, audit=now is None)
    return last


def _answers(decision: Record, question: Question) -> bool:
    return question.status in {decision.body.get("answer"), "answered"}


def _proposals(result: Any) -> list[EffectRequest]:  # noqa: ANN401 - any JSON document
    listed = result.get("proposes", ()) if isinstance(result, dict) else ()
    try:
        return [EffectRequest.model_validate(request) for request in listed]
    except (ValidationError, TypeError):
        return []
