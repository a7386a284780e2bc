"""How a run is told on the command line: what happened, why, and the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gtm_orchestra.runs.questions import binding_of

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.runs.driver import Segment
    from gtm_orchestra.service.workspace import Workspace
    from gtm_orchestra.state.journal import Question

__all__ = ["exit_code_of", "next_command", "question_line", "segment_document", "segment_text"]

_EXIT_CODES = {"done": 0, "failed": 5, "blocked": 3, "waiting": 4, "escalated": 5, "rejected": 8}

_HEADLINES = {
    "done": "Done: signed off.",
    "waiting": "Ready for your review: drafts until signed off.",
    "blocked": "Blocked by a gate: nothing was produced that could be signed.",
    "escalated": "Escalated: the ladder (who is asked next) must answer before anything is signed.",
    "rejected": "Rejected: nothing was signed.",
    "failed": "Failed, after retries and the substitute.",
}


def exit_code_of(segment: Segment) -> int:
    """Return the exit code that a run's status stands for."""
    return _EXIT_CODES.get(segment.status, 1)


def segment_text(space: Workspace, segment: Segment) -> str:
    """Return where a run stands, for people: the answer, the report, who decides, the next command."""
    lines = []
    headline = headline_of(space, segment)
    if headline:
        lines.append(headline)
    status = _HEADLINES.get(segment.status, segment.status)
    lines.append(status if segment.status in {"done", "waiting"} else f"{status} {segment.why}")
    path = report_path(segment)
    if path is not None:
        lines.append(f"Report: {_short(space, path)}")
    lines += [question_line(question) for question in segment.questions]
    lines.append(f"Next: {next_command(segment)}")
    return "\n".join(lines)


def segment_document(space: Workspace, segment: Segment) -> dict[str, Any]:
    """Return where a run stands, as JSON."""
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
                "question_id": q.question_id,
                "kind": q.kind,
                "action": q.body["action"],
                "approvers": q.body["approvers"],
                "due_at": q.due_at.isoformat(),
                "binding": binding_of(q) if q.kind == "approval" else None,
            }
            for q in segment.questions
        ],
        "next": next_command(segment),
    }


def headline_of(space: Workspace, segment: Segment) -> str:
    """Return the answer in one sentence, if the run has come so far."""
    written = next((o for o in segment.outcomes.values() if o.output_var == "outputs" and o.usable), None)
    return str(space.result(segment.run.run_id, "outputs")["headline"]) if written else ""


def report_path(segment: Segment) -> Path | None:
    """Return the path of the report, if there is one."""
    if segment.folder is None:
        return None
    path = segment.folder / "report.html"
    return path if path.exists() else segment.folder


def question_line(question: Question) -> str:
    """Return one line on an open question: what, whom, until when, and what silence means."""
    approvers = " or ".join(question.body["approvers"]) or "nobody (give somebody the role in gtm.toml)"
    return (
        f"Waits for {approvers}: {question.body['action']}, by {question.due_at:%d %B %Y %H:%M} UTC. "
        f"If nobody answers: {question.body['on_silence'] or 'nothing changes.'} No clock is running here: "
        "deadlines are settled by the next command."
    )


def next_command(segment: Segment) -> str:
    """Return the command that brings a run on."""
    if segment.questions:
        question = segment.questions[0]
        who = question.body["approvers"][0] if question.body["approvers"] else "HANDLE"
        return f'gtm approvals approve {question.question_id} --as {who} --reason "…"'
    if segment.status in {"failed", "blocked"}:
        return f"mend what is named above, then: gtm runs resume {segment.run.run_id}"
    return f"gtm runs show {segment.run.run_id}"


def _short(space: Workspace, path: Path) -> str:
    return str(path.relative_to(space.root)) if path.is_relative_to(space.root) else str(path)
