"""Where a run stands, as one JSON document: what every door hands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gtm_orchestra.runs.questions import binding_of

if TYPE_CHECKING:
    from gtm_orchestra.runs.driver import Segment
    from gtm_orchestra.service.workspace import Workspace

__all__ = ["headline_of", "next_command", "standing"]


def standing(space: Workspace, segment: Segment) -> dict[str, Any]:
    """Return where a run stands."""
    return {
        "status": segment.status,
        "why": segment.why,
        "headline": headline_of(space, segment),
        "plan_id": segment.run.plan_id,
        "revision": segment.run.revision,
        "digest": segment.run.digest,
        "run_id": segment.run.run_id,
        "as_of": segment.run.as_of.isoformat(),
        "folder": str(segment.folder) if segment.folder else None,
        "outcomes": {node: outcome.name for node, outcome in segment.outcomes.items()},
        "questions": [
            {
                "question_id": question.question_id,
                "kind": question.kind,
                "action": question.body["action"],
                "approvers": question.body["approvers"],
                "due_at": question.due_at.isoformat(),
                "binding": binding_of(question) if question.kind == "approval" else None,
            }
            for question in segment.questions
        ],
        "next": next_command(segment),
    }


def headline_of(space: Workspace, segment: Segment) -> str:
    """Return the answer in one sentence, if the run has come so far."""
    written = next((o for o in segment.outcomes.values() if o.output_var == "outputs" and o.usable), None)
    return str(space.result(segment.run.run_id, "outputs")["headline"]) if written else ""


def next_command(segment: Segment) -> str:
    """Return the command that brings a run on."""
    run_id, lift = segment.run.run_id, 'gtm pause --off --reason "…" --as HANDLE'
    if segment.status == "paused":
        return f"{lift}, then: gtm runs resume {run_id}"
    if segment.questions and segment.status != "running":
        question = segment.questions[0]
        who = next(iter(question.body.get("asked") or question.body["approvers"]), "HANDLE")
        if question.kind == "remedy":
            return f'gtm runs answer {question.question_id} retry --as {who} --reason "…"'
        if question.kind == "effect":
            return f'gtm runs answer {question.question_id} it-happened --as {who} --reason "…"'
        return f'gtm approvals approve {question.question_id} --as {who} --reason "…"'
    by_status = {
        "running": f"gtm runs resume {run_id}",
        "failed": f"mend what is named above, then: gtm runs resume {run_id}",
        "blocked": f"mend what is named above, then: gtm runs resume {run_id}",
        "rejected": f"change the request, and run gtm {segment.run.command} again",
    }
    return by_status.get(segment.status, f"gtm runs show {run_id}")
