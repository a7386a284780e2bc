"""How a run is told on the command line: what happened, why, and the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.service.standing import headline_of, next_command

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.runs.driver import Segment
    from gtm_orchestra.service.workspace import Workspace
    from gtm_orchestra.state.journal import Question

__all__ = [
    "exit_code_of",
    "exit_code_of_status",
    "question_line",
    "report_path",
    "segment_text",
    "shown_path",
]

_EXIT_CODES = {
    "done": 0,
    "failed": 5,
    "blocked": 3,
    "waiting": 4,
    "paused": 4,
    "escalated": 5,
    "rejected": 8,
    "cancelled": 8,
    "ripped": 5,
    "running": 130,
}

_HEADLINES = {
    "done": "Done: signed off.",
    "waiting": "Ready for your review: drafts until signed off.",
    "blocked": "Blocked by a gate: nothing was produced that could be signed.",
    "escalated": "Escalated: the ladder (who is asked next) must answer before anything is signed.",
    "rejected": "Rejected: nothing was signed.",
    "paused": "Paused: tasks at work have finished, no further one has begun.",
    "cancelled": "Cancelled: no further task has begun.",
    "ripped": "The rip-cord was pulled: stopped, and what was done was taken back.",
    "running": "Interrupted: what is finished is kept.",
    "failed": "Failed, after retries and the substitute.",
}


def exit_code_of(segment: Segment) -> int:
    """Return the exit code that a run's status stands for."""
    return exit_code_of_status(segment.status)


def exit_code_of_status(status: str) -> int:
    """Return the exit code that a status stands for; "running" is that of a run which nobody drives."""
    return _EXIT_CODES.get(status, 1)


def segment_text(space: Workspace, segment: Segment) -> str:
    """Return where a run stands, for people: the answer, the report, who decides, the next command."""
    lines = []
    headline = headline_of(space, segment)
    if headline:
        lines.append(headline)
    status = _HEADLINES.get(segment.status, segment.status)
    lines.append(status if segment.status in {"done", "waiting"} else f"{status} {segment.why}")
    if segment.status == "blocked":
        lines += _channel_lines(space, segment)
    path = report_path(segment)
    if path is not None:
        lines.append(f"Report: {shown_path(path)}")
    lines += _not_understood(space, segment)
    lines += [question_line(question) for question in segment.questions]
    lines.append(f"Next: {next_command(segment)}{_where(space)}")
    return "\n".join(lines)


def report_path(segment: Segment) -> Path | None:
    """Return the path of the report, if there is one."""
    if segment.folder is None:
        return None
    path = segment.folder / "report.html"
    return path if path.exists() else segment.folder


def _not_understood(space: Workspace, segment: Segment) -> list[str]:
    """Return a line per part of the request that has no effect: nobody may take it for granted."""
    read = next((o for o in segment.outcomes.values() if o.output_var == "objectives" and o.usable), None)
    if read is None:
        return []
    objectives = space.result(segment.run.run_id, "objectives")
    readings = [*objectives["constraints"], *([objectives["timeline"]] if objectives["timeline"] else [])]
    return [
        f"NOT understood, so NOT in force: {r['text']!r}. {r['effect']}"
        for r in readings
        if not r["understood"]
    ]


def _where(space: Workspace) -> str:
    """Return the option that names the workspace, unless we stand in it."""
    here = space.root.cwd()
    if here == space.root:
        return ""
    return f" -w {shown_path(space.root)}"


def _channel_lines(space: Workspace, segment: Segment) -> list[str]:
    """Return a line per channel: what blocks it, what mends it, who decides."""
    reviewed = next((o for o in segment.outcomes.values() if o.output_var == "consent" and o.usable), None)
    if reviewed is None:
        return []
    from gtm_orchestra.reports.wording import people  # noqa: PLC0415 - keeps --help quick

    channels = space.result(segment.run.run_id, "consent")["channels"]
    least = space.config.policies.group_minimum
    return [
        f"  {c['channel']:<7} {'go' if c['go'] else 'blocked'}, "
        f"{people(c['reachable'], least)} people in reach: {c['why']}"
        + (f" Mend: {c['mend']}" if c["mend"] else "")
        + (f" Decides: {c['decides']}." if c["decides"] else "")
        for c in channels
    ]


def question_line(question: Question) -> str:
    """Return one line on an open question: what, whom, until when, and what silence means."""
    body = question.body
    asked = body.get("asked") or body["approvers"]
    waits_for = " or ".join(asked) or "nobody (give somebody the role in gtm.toml)"
    others = [name for name in body["approvers"] if name not in asked]
    too = f" ({', '.join(others)} may answer too)" if others else ""
    return (
        f"Waits for {waits_for}{too}: {body['action']}, by {question.due_at:%d %B %Y %H:%M} UTC. "
        f"If nobody answers: {body['on_silence'] or 'nothing changes.'} No clock is running here: "
        "'gtm runs tick' settles what is overdue."
    )


def shown_path(path: Path) -> str:
    """Return a path as a person in this folder would write it."""
    here = path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
