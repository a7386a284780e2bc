"""The clocks of open questions: reminders, deputies, the next rung, and what silence means.

Nothing here waits. Whoever comes by (`gtm runs tick`, a worker, the next command) settles what is due, one
step a question: nobody counts as silent who was never asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from gtm_orchestra.config import parse_duration
from gtm_orchestra.runs.courses import steps_of
from gtm_orchestra.state.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gtm_orchestra.state.journal import EventKind, Journal, Question

__all__ = ["Settled", "settle", "settle_question"]

_KINDS: dict[str, EventKind] = {
    "reminded": "question.reminded",
    "advanced": "question.advanced",
    "silent": "question.silent",
    "expired": "question.closed",
}


@dataclass(frozen=True)
class Settled:
    """What a clock did to one question.

    Attributes:
        question: As it stands now.
        change: reminded (half the time is gone), advanced (the next step is asked), silent (everybody was
            asked in vain; it can still be answered), expired (it can no longer be answered).
        missed: The moment that was missed.
        line: One sentence for people.
    """

    question: Question
    change: Literal["reminded", "advanced", "silent", "expired"]
    missed: datetime
    line: str


def settle_question(question: Question, now: datetime) -> Settled | None:
    """Return what is due on an open question at a moment, or None. Pure: nothing is written."""
    body, course = question.body, steps_of(question.body)
    expires = body.get("binding", {}).get("expires_at")
    if expires is not None and now >= datetime.fromisoformat(expires):
        gone = replace(question, status="expired")
        line = f"{question.question_id} can no longer be answered: what it was bound to expired"
        return Settled(gone, "expired", datetime.fromisoformat(expires), line)
    if now < question.due_at:
        return _reminder(question, now)
    if body.get("silent"):
        return None
    step = int(body.get("step", 0))
    if step + 1 >= len(course):
        silent = replace(question, body={**body, "silent": True})
        means = body.get("on_silence") or "nothing changes"
        line = f"nobody has answered {question.question_id}: {means.rstrip('.')}"
        return Settled(silent, "silent", question.due_at, line)
    following = course[step + 1]
    may_answer = list(dict.fromkeys([*body["approvers"], *following.who]))
    moved = {
        **body,
        "step": step + 1,
        "asked": list(following.who),
        "approvers": may_answer,
        "reminded": False,
    }
    due = now + parse_duration(following.within)
    who = " and ".join(following.who)
    about = question.question_id.partition("/")[2]
    line = f"{about} goes to {who}, {following.why}: {_names(question)} did not answer in time"
    return Settled(replace(question, body=moved, due_at=due), "advanced", question.due_at, line)


def settle(
    journal: Journal,
    now: datetime,
    *,
    run_id: str | None = None,
    heads: Callable[[str], Sequence[tuple[int, str]]] = lambda _run_id: (),
) -> tuple[Settled, ...]:
    """Settle what is due on every open question, durably, and say what was done.

    Args:
        journal: Holds the questions.
        now: The moment.
        run_id: Only this run's questions.
        heads: Run → heads of its chain that are kept elsewhere.

    Raises:
        IntegrityError: A question or the journal of its run was changed: nothing is built on it.
    """
    found = []
    questions = journal.question_list(run_id=run_id, status="open")
    for asked_by in dict.fromkeys(question.run_id for question in questions):
        # Whatever is written about a question seals it anew: a changed row must not be believed even once.
        journal.verify(asked_by, anchors=heads(asked_by))
    for question in questions:
        settled = settle_question(question, now)
        if settled is not None:
            body = {
                "question_id": question.question_id,
                "missed": settled.missed.isoformat(),
                "asked": list(settled.question.body.get("asked", ())),
                "why": settled.line,
            }
            entry = Entry(_KINDS[settled.change], question.node, body)
            journal.append(question.run_id, entry, durable=True, question=settled.question)
            found.append(settled)
    return tuple(found)


def _reminder(question: Question, now: datetime) -> Settled | None:
    body, course = question.body, steps_of(question.body)
    within = parse_duration(course[min(int(body.get("step", 0)), len(course) - 1)].within) if course else None
    if within is None or body.get("reminded") or now < question.due_at - within / 2:
        return None
    reminded = replace(question, body={**body, "reminded": True})
    due = f"{question.due_at:%Y-%m-%d %H:%M} UTC"
    line = f"{_names(question)} was reminded of {question.question_id}, due {due}"

    return Settled(reminded, "reminded", question.due_at - within / 2, line)


def _names(question: Question) -> str:
    return ", ".join(question.body.get("asked") or question.body["approvers"]) or "nobody"
