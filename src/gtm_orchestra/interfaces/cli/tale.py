"""What happened in a run, one sentence an event, for a reader who has nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.state.journal import Record

__all__ = ["IDENTITIES", "line_of"]

IDENTITIES = "In brackets behind a person: claimed (named with --as, not proven), os-user (the login name)."

_ANSWERS = {
    "approved": "approved",
    "changes-requested": "sent it back for changes",
    "rejected": "rejected",
    "retry": "said: try again",
    "retry-with-change": "said: try again, with a change",
    "take-substitute": "said: let the substitute do it",
    "skip": "said: go on without it",
    "abort": "said: give it up",
    "it-happened": "looked, and said: it happened",
    "it-did-not": "looked, and said: it did not happen",
}
_PHASES = {
    "recorded": "was done and read back",
    "failed": "did not succeed",
    "unknown": "may have happened: nobody can tell",
}


def line_of(record: Record, plan: PlanDefinition) -> str:
    """Return one sentence on an event; '' for one that tells a person nothing."""
    sentence = _SENTENCES.get(record.kind)
    # One line an event, whatever line breaks a person typed: a second line could pass for another event.
    return " ".join(sentence(record.node, record.body, plan).split()) if sentence is not None else ""


def _task(node: str, plan: PlanDefinition) -> str:
    kinds = {task.task_id: task.kind for task in plan.tasks}
    return f"{node} {kinds[node]}" if node in kinds else node


def _attempt(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    again = f", attempt {body['attempt']}" if body["attempt"] > 1 else ""
    return f"{_task(node, plan)}: {body['agent']} at work{again}"


def _outcome(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    note = "; ".join(filter(None, [body.get("note", ""), body.get("error", "")]))
    return f"{_task(node, plan)} {body['name'].replace('_', ' ')}" + (f": {note}" if note else "")


def _decision(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    about = body["question_id"].partition("/")[2] or node
    more = body.get("change") or body.get("substitute") or ""
    for_whom = f" on behalf of {body['on_behalf_of']}" if body.get("on_behalf_of") else ""
    _ = plan
    return (
        f"{body['actor']} ({body['identity']}){for_whom} {_ANSWERS.get(body['answer'], body['answer'])} "
        f"({about}){': ' + more if more else ''}. Reason: {body['reason']}"
    )


def _waiver(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    waiver = body["waiver"]
    _ = plan
    until = waiver["expires_at"][:10]
    return f"{waiver['by']} waived {waiver['node']} at {node} until {until}: {waiver['reason']}"


def _gate_waits(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    _ = plan
    until = body["until"][:16].replace("T", " ")
    return f"{node} (gate) waits for {', '.join(body['for'])} until {until} UTC at most"


def _asked(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    _ = node, plan
    who = ", ".join(body.get("asked") or body["approvers"]) or "nobody"
    what = f" to {body['action']}" if body.get("action") else ""
    due = f", by {body['due_at'][:16].replace('T', ' ')}" if body.get("due_at") else ""
    return f"asked {who}{what} ({body['question_id'].partition('/')[2]}){due}"


def _escalation(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    _ = node, plan
    return (
        f"escalated (the ladder is asked), because {(body['why'] or body['trigger']).rstrip('.')}; "
        f"asked {', '.join(body['asked']) or 'nobody'}"
    )


def _effect(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    said = _PHASES.get(body["phase"], "")
    note = f": {body['note']}" if body["note"] else ""
    return f"{_task(node, plan)}: {body['effect']} {said}{note}" if said else ""


def _undone(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    return f"{_task(node, plan)}: {body['effect']} was taken back and is gone: {body['note']}"


def _ripcord(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    _ = node, plan
    return (
        f"{body['by']} ({body['identity']}) pulled the rip-cord (stop, and take back what was done): "
        f"{body['why']}"
    )


def _ripped(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    _ = node, plan
    back = ", ".join(body["reverted"]) or "nothing"
    return f"taken back: {back}. Still live: {'; '.join(body['left']) or 'nothing'}"


def _rewound(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    again = ", ".join(name for name in body["nodes"] if name != node) or "nothing else"
    return (
        f"{body['by']} ({body['identity']}) let {_task(node, plan)} be done again, and behind it {again}: "
        f"{body['why']}"
    )


def _moved(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    _ = node, plan
    again = [f"{name} ({body['reasons'][name]})" for name in [*body["again"], *body["void"]]]
    return (
        f"{body['by']} ({body['identity']}) moved it from revision {body['from']} to {body['to']}: "
        f"{body['why']}. Kept: {', '.join(body['kept']) or 'nothing'}. "
        f"No longer counts: {', '.join(again) or 'nothing'}"
    )


def _status(node: str, body: Mapping[str, Any], plan: PlanDefinition) -> str:
    _ = node, plan
    return f"status {body['status']}" + (f": {body['why']}" if body["why"] else "")


_SENTENCES: dict[str, Callable[[str, Mapping[str, Any], PlanDefinition], str]] = {
    "run.started": lambda _node, _body, _plan: "started",
    "run.resumed": lambda _node, _body, _plan: "taken up again; what is finished is not done again",
    "run.status": _status,
    "run.rewound": _rewound,
    "artifacts.pruned": lambda _node, body, _plan: (
        f"{body['by']} ({body['identity']}) let its results and outputs go: {body['why']}"
    ),
    "run.moved": _moved,
    "run.cancelled": lambda _node, body, _plan: (
        f"cancelled by {body['by']} ({body['identity']}): {body['why']}"
    ),
    "task.attempt": _attempt,
    "task.attempt_failed": lambda node, body, plan: (
        f"{_task(node, plan)} attempt {body['attempt']} failed: {body['error']}"
    ),
    "task.interrupted": lambda node, _body, plan: (
        f"{_task(node, plan)} was interrupted (its process ended); it begins again"
    ),
    "task.outcome": _outcome,
    "gate.waiting": _gate_waits,
    "gate.outcome": lambda node, body, _plan: f"{node} (gate) {body['name']}: {body.get('note', '')}",
    "effect.outcome": _effect,
    "effect.undone": _undone,
    "ripcord": _ripcord,
    "ripcord.done": _ripped,
    "question.asked": _asked,
    "question.reminded": lambda _node, body, _plan: body["why"],
    "question.advanced": lambda _node, body, _plan: body["why"],
    "question.silent": lambda _node, body, _plan: body["why"],
    "question.closed": lambda _node, body, _plan: f"{body['question_id']} was closed: {body['why']}",
    "decision": _decision,
    "waiver": _waiver,
    "escalation": _escalation,
}
