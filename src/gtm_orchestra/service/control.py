"""Stopping what goes on, and taking it back: pause everything, cancel a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.errors import ConflictError, PausedError, PolicyError, UsageError
from gtm_orchestra.runs.live import live_effects
from gtm_orchestra.runs.questions import supersede
from gtm_orchestra.state.halts import Halt
from gtm_orchestra.state.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.runs.live import LiveEffect
    from gtm_orchestra.state.halts import Halts
    from gtm_orchestra.state.journal import Journal, RunRow

__all__ = ["Cancelled", "RunControl", "known_person", "paused_words"]

# A run that stands at one of these has nothing left that could be cancelled.
_ENDED = frozenset({"done", "rejected", "ripped", "superseded"})


@dataclass(frozen=True)
class Cancelled:
    """What a cancelled run leaves.

    Attributes:
        news: False if it was cancelled before.
        live: What it has changed outside and nobody has taken back.
        closed: The questions that nobody needs to answer any more.
    """

    run: RunRow
    news: bool
    why: str
    live: tuple[LiveEffect, ...]
    closed: tuple[str, ...] = ()


class RunControl:
    """Control over the runs of one workspace; only people whom gtm.toml knows have it."""

    def __init__(
        self,
        journal: Journal,
        halts: Halts,
        *,
        refresh_view: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._journal = journal
        self._halts = halts
        self._refresh_view = refresh_view
        self._clock = clock

    def pause(self, actor: Actor, *, reason: str) -> Halt:
        """Let nothing start or resume, no further task begin, in any process; return the pause that holds.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason.
        """
        why = _reasoned(actor, reason, "a pause")
        paused = self._halts.paused()
        if paused is None:
            paused = Halt(self._clock(), "paused", "", actor.handle, actor.identity, why)
            self._halts.write(paused)
        return paused

    def lift(self, actor: Actor, *, reason: str) -> tuple[RunRow, ...]:
        """Lift the pause; return the runs that it held up, for they are not taken up by themselves.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason, or nothing is paused.
        """
        why = _reasoned(actor, reason, "lifting a pause")
        if self._halts.paused() is None:
            raise UsageError("nothing is paused", hint="see 'gtm runs list'")
        self._halts.write(Halt(self._clock(), "lifted", "", actor.handle, actor.identity, why))
        return tuple(row for row in self._journal.run_list() if row.status == "paused")

    def paused(self) -> Halt | None:
        """Return who has paused everything, when and why; None if nobody has."""
        return self._halts.paused()

    def refuse_if_paused(self) -> None:
        """Pass if runs may start and resume.

        Raises:
            PausedError: Somebody has paused everything; the message says who and why.
        """
        paused = self._halts.paused()
        if paused is not None:
            raise PausedError(
                paused_words(paused), hint='lift it with: gtm pause --off --reason "…" --as HANDLE'
            )

    def stopped(self, run_id: str) -> str:
        """Return why no further task of a run may begin, or ''; asked before every task."""
        paused = self._halts.paused()
        if paused is not None:
            return paused_words(paused)
        cancelled = self._halts.cancelled(run_id)
        return f"cancelled by {cancelled.by}: {cancelled.why}" if cancelled is not None else ""

    def cancel(self, run_id: str, actor: Actor, *, reason: str) -> Cancelled:
        """End a run: no further task begins, its questions are closed, and what is live stays live.

        A process that drives it ends after the tasks that are at work. To cancel again changes nothing.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason, or no such run.
            ConflictError: The run has ended.
        """
        why = _reasoned(actor, reason, "to cancel a run")
        row = self._journal.run(run_id)
        records = self._journal.records(run_id)
        before = next((record for record in records if record.kind == "run.cancelled"), None)
        if before is None and row.status in _ENDED:
            raise ConflictError(
                f"{run_id} has ended already: {row.status}",
                hint="there is nothing to cancel; 'gtm runs ripcord' takes back what it has changed outside",
            )
        if before is None:
            body = {"why": why, "by": actor.handle, "identity": actor.identity}
            self._journal.append(run_id, Entry("run.cancelled", "", body), durable=True)
        else:
            why = str(before.body["why"])
        # From here on a crash leaves nothing half done: the same command goes on with what is missing.
        closed = self._close_questions(run_id, f"the run was cancelled by {actor.handle}")
        if row.status != "cancelled":
            self._journal.set_status(run_id, "cancelled", why=why)
        if self._halts.cancelled(run_id) is None:
            self._halts.write(Halt(self._clock(), "cancelled", run_id, actor.handle, actor.identity, why))
        self._refresh_view(row.plan_id)
        live = live_effects(self._journal.records(run_id))
        return Cancelled(self._journal.run(run_id), before is None, why, live, closed)

    def _close_questions(self, run_id: str, why: str) -> tuple[str, ...]:
        questions = self._journal.question_list(run_id=run_id, status="open")
        for question in questions:
            supersede(question, journal=self._journal, why=why)
        return tuple(question.question_id for question in questions)


def known_person(actor: Actor) -> Actor:
    """Return who acts, if gtm.toml knows them.

    Raises:
        PolicyError: It does not.
    """
    if not actor.known:
        raise PolicyError(
            f"{actor.handle.removeprefix('os:')!r} is nobody in gtm.toml [people]",
            hint="say who you are with --as HANDLE, or add your os_user to [people]",
        )
    return actor


def paused_words(halt: Halt) -> str:
    """Return a pause in one sentence: by whom, since when, why."""
    return f"paused by {halt.by} since {halt.at:%Y-%m-%d %H:%M} UTC: {halt.why}"


def _reasoned(actor: Actor, reason: str, what: str) -> str:
    """Return the reason of a known person, without blanks around it."""
    known_person(actor)
    why = reason.strip()
    if not why:
        raise UsageError(f"{what} needs a reason", hint='add --reason "…"; the audit trail keeps it')
    return why
