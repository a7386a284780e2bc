"""What went wrong in a run, what was done about it, by whom, and what is left: as the plan file tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gtm_orchestra.plans.model import Remediation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.state.journal import Question, Record

__all__ = ["remediation_of"]

_LEFT = {
    "approved": "nothing",
    "answered": "nothing",
    "superseded": "nothing: it was no longer needed",
}
_ENDED = "the run has ended here; change the request, or start a new run"


def remediation_of(records: Sequence[Record], questions: Sequence[Question]) -> tuple[Remediation, ...]:
    """Return an entry for every escalation, every failed task and a pulled rip-cord, in order."""
    by_id = {question.question_id: question for question in questions}
    decisions = {r.body["question_id"]: r.body for r in records if r.kind == "decision"}
    found = []
    done = [r.body for r in records if r.kind == "ripcord.done"]
    for record in records:
        if record.kind == "ripcord":
            found.append(_ripped(record, done[-1] if done else None))
        question = by_id.get(str(record.body.get("question_id", "")))
        cause = _cause(record, question)
        if cause is not None and question is not None:
            found.append(_entry(record, question, cause, decisions.get(question.question_id)))
    return tuple(found)


def _ripped(record: Record, done: Mapping[str, Any] | None) -> Remediation:
    if done is None:
        said, left = "the rip-cord was pulled", "what was done is still being taken back: resume the run"
    else:
        said = f"taken back: {', '.join(done['reverted'])}" if done["reverted"] else "nothing was live"
        left = "; ".join(done["left"]) or "nothing"
    return Remediation(
        at=record.at,
        trigger=record.body["trigger"] or "rip-cord, by hand",
        happened=record.body["why"],
        done=said,
        by=record.body["by"],
        left=left,
    )


def _cause(record: Record, question: Question | None) -> tuple[str, str] | None:
    """Return what set it off and what happened, if an event is the beginning of a remediation."""
    if record.kind == "escalation":
        return record.body["trigger"], record.body["why"] or record.body["trigger"]
    if record.kind == "question.asked" and question is not None and question.kind == "remedy":
        outcome = question.body["outcome"]
        happened = f"{record.node} {outcome['name'].replace('_', ' ')}: {outcome.get('error', '')}"
        return f"{record.node} {outcome['name'].replace('_', ' ')}", happened
    return None


def _entry(
    record: Record, question: Question, cause: tuple[str, str], decision: Mapping[str, Any] | None
) -> Remediation:
    asked = ", ".join(question.body.get("asked") or question.body["approvers"]) or "nobody"
    is_open = question.status == "open"
    return Remediation(
        at=record.at,
        trigger=cause[0],
        happened=cause[1],
        done=f"{decision['answer']} by {decision['actor']}: {decision['reason']}" if decision else "asked",
        by=decision["actor"] if decision else "gtm",
        left=f"{asked} must answer" if is_open else _LEFT.get(question.status, _ENDED),
    )
