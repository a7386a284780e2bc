"""Control over runs: pause everything, cancel, go back to a task, move over to a new revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import ConflictError, PausedError, PolicyError, UsageError
from gtm_orchestra.runs.live import live_effects
from gtm_orchestra.runs.moving import move_over, planned_move, refuse_move, rewind
from gtm_orchestra.runs.questions import supersede
from gtm_orchestra.service.commands import parse_inputs
from gtm_orchestra.state.halts import Halt
from gtm_orchestra.state.journal import Entry
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.runs.live import LiveEffect
    from gtm_orchestra.runs.replan import Replan
    from gtm_orchestra.state.halts import Halts
    from gtm_orchestra.state.journal import Journal, RunRow
    from gtm_orchestra.state.plan_store import PlanStore, Revision

__all__ = ["Cancelled", "Revise", "RunControl", "known_with_reason", "paused_words"]

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


@dataclass(frozen=True)
class Revise:
    """How a plan is made from a command's inputs: without keeping anything, and as a logged revision."""

    preview: Callable[[str, Mapping[str, Any]], tuple[PlanDefinition, Any, Any]]
    plan: Callable[..., Any]


class RunControl:
    """Control over the runs of one workspace; only people whom gtm.toml knows have it."""

    def __init__(
        self,
        journal: Journal,
        halts: Halts,
        plans: PlanStore,
        *,
        locks: Path,
        actor: Callable[[str | None], Actor],
        revise: Revise,
        refresh_view: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._journal = journal
        self._halts = halts
        self._plans = plans
        self._locks = locks
        self._actor = actor
        self._revise = revise
        self._refresh_view = refresh_view
        self._clock = clock

    def pause(self, *, reason: str, actor: str | None = None) -> Halt:
        """Let nothing start or resume, no further task begin, in any process; return the pause that holds.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason.
        """
        who, why = self._known(actor, reason, "a pause")
        paused = self._halts.paused()
        if paused is None:
            paused = Halt(self._clock(), "paused", "", who.handle, who.identity, why)
            self._halts.write(paused)
        return paused

    def lift(self, *, reason: str, actor: str | None = None) -> tuple[RunRow, ...]:
        """Lift the pause; return the runs that it held up, for they are not taken up by themselves.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason, or nothing is paused.
        """
        who, why = self._known(actor, reason, "lifting a pause")
        if self._halts.paused() is None:
            raise UsageError("nothing is paused", hint="see 'gtm runs list'")
        self._halts.write(Halt(self._clock(), "lifted", "", who.handle, who.identity, why))
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

    def cancel(self, run_id: str, *, reason: str, actor: str | None = None) -> Cancelled:
        """End a run: no further task begins, its questions are closed, and what is live stays live.

        A process that drives it ends after the tasks that are at work. To cancel again changes nothing.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason, or no such run.
            ConflictError: The run has ended.
        """
        who, why = self._known(actor, reason, "to cancel a run")
        row = self._journal.run(run_id)
        records = self._journal.records(run_id)
        before = next((record for record in records if record.kind == "run.cancelled"), None)
        if before is None and row.status in _ENDED:
            raise ConflictError(
                f"{run_id} has ended already: {row.status}",
                hint="there is nothing to cancel; 'gtm runs ripcord' takes back what it has changed outside",
            )
        if before is None:
            body = {"why": why, "by": who.handle, "identity": who.identity}
            self._journal.append(run_id, Entry("run.cancelled", "", body), durable=True)
        else:
            why = str(before.body["why"])
        # From here on a crash leaves nothing half done: the same command goes on with what is missing.
        closed = self._close_questions(run_id, f"the run was cancelled by {who.handle}")
        if row.status != "cancelled":
            self._journal.set_status(run_id, "cancelled", why=why)
        if self._halts.cancelled(run_id) is None:
            self._halts.write(Halt(self._clock(), "cancelled", run_id, who.handle, who.identity, why))
        self._refresh_view(row.plan_id)
        live = live_effects(self._journal.records(run_id))
        return Cancelled(self._journal.run(run_id), before is None, why, live, closed)

    def rewind(self, run_id: str, node: str, *, reason: str, actor: str | None = None) -> tuple[str, ...]:
        """Let a task and everything behind it be done again when the run is resumed; return these nodes.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason, or no such task or gate.
            BusyError: A process drives the run.
            ConflictError: The run is over.
            BlockedError: One of them has changed something outside that is live.
        """
        who, why = self._known(actor, reason, "to do a task again")
        with held(self._locks, f"{self._journal.run(run_id).plan_id}.run"):
            run = self._journal.run(run_id)
            plan = self._revision(run).definition
            nodes = rewind(run, plan, node, journal=self._journal, actor=who, why=why)
        self._refresh_view(run.plan_id)
        return nodes

    def planned_move(self, run_id: str) -> Replan:
        """Return what `move` would do, and why it might be refused; nothing is written.

        Raises:
            UsageError: The run executes the latest revision already.
            ConflictError: The run is over.
        """
        run = self._journal.run(run_id)
        old = self._revision(run).definition
        return planned_move(run, old, self._plans.latest(run.plan_id), journal=self._journal)

    def move(self, run_id: str, *, reason: str, actor: str | None = None) -> Replan:
        """Let a run execute the latest revision of its plan; return what it keeps. It is not driven on.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason, or the run executes the latest revision already.
            BusyError: A process drives the run.
            ConflictError: The run is over.
            BlockedError: Something that is live would lose its task or its gate; all reasons at once.
        """
        who, why = self._known(actor, reason, "to move a run to a new revision")
        with held(self._locks, f"{self._journal.run(run_id).plan_id}.run"):
            run = self._journal.run(run_id)
            old, new = self._revision(run).definition, self._plans.latest(run.plan_id)
            found = move_over(run, old, new, journal=self._journal, actor=who, why=why)
        self._refresh_view(run.plan_id)
        return found

    def change_inputs(
        self, run_id: str, changes: Mapping[str, Any], *, reason: str, actor: str | None = None
    ) -> Replan:
        """Revise a run's plan with changed inputs (name → value), and move the run over to it.

        Raises:
            UsageError: No reason, no such input, or a value that is not allowed or changes nothing.
            ConflictError: The run is over.
            BlockedError: Something that is live would lose its task or its gate; the plan is not revised.
        """
        self._known(actor, reason, "to change an input")
        run = self._journal.run(run_id)
        plan = self._plans.latest(run.plan_id).definition
        unknown = sorted((changes.keys() - plan.inputs.keys()) | (changes.keys() & {"initiative"}))
        if unknown:
            raise UsageError(
                f"{', '.join(unknown)} cannot be changed",
                hint=f"what can: {', '.join(sorted(plan.inputs.keys() - {'initiative'}))}",
            )
        inputs = {**plan.inputs, **changes}
        definition, _review, _changes = self._revise.preview(plan.command, inputs)
        if definition.inputs == plan.inputs:
            raise UsageError("the inputs are what they were", hint=f"go on with: gtm runs resume {run_id}")
        refuse_move(run, self._revision(run).definition, definition, journal=self._journal)
        self._revise.plan(plan.command, parse_inputs(plan.command, inputs), actor=actor)
        return self.move(run_id, reason=reason, actor=actor)

    def _known(self, claimed: str | None, reason: str, what: str) -> tuple[Actor, str]:
        return known_with_reason(self._actor(claimed), reason, what)

    def _revision(self, run: RunRow) -> Revision:
        return self._plans.revision(run.plan_id, run.revision)

    def _close_questions(self, run_id: str, why: str) -> tuple[str, ...]:
        questions = self._journal.question_list(run_id=run_id, status="open")
        for question in questions:
            supersede(question, journal=self._journal, why=why)
        return tuple(question.question_id for question in questions)


def known_with_reason(actor: Actor, reason: str, what: str) -> tuple[Actor, str]:
    """Return who acts, whom gtm.toml knows, and their reason without blanks around it.

    Raises:
        PolicyError: gtm.toml does not know them.
        UsageError: No reason.
    """
    why = reason.strip()
    if not actor.known:
        raise PolicyError(
            f"{actor.handle.removeprefix('os:')!r} is nobody in gtm.toml [people]",
            hint="say who you are with --as HANDLE, or add your os_user to [people]",
        )
    if not why:
        raise UsageError(f"{what} needs a reason", hint='add --reason "…"; the audit trail keeps it')
    return actor, why


def paused_words(halt: Halt) -> str:
    """Return a pause in one sentence: by whom, since when, why."""
    return f"paused by {halt.by} since {halt.at:%Y-%m-%d %H:%M} UTC: {halt.why}"
