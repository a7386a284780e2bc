"""Effects: what tasks change outside their run, each exactly once, a blind one at most once.

    already recorded? ─► intent (and the approval used up, in one transaction) ─► call with the key
                      ─► read back ─► outcome

After a crash an intent without an outcome is looked up at the destination before anything is sent again. Of a
blind destination nobody can know: a person is asked.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from gtm_orchestra.agents.registry import EffectContext
from gtm_orchestra.config import parse_duration
from gtm_orchestra.errors import BlockedError, ConflictError, EffectError, GtmError, IntegrityError
from gtm_orchestra.plans.effects import declared_effect, difference, digest_of, key_of
from gtm_orchestra.plans.outcome import Outcome
from gtm_orchestra.runs.allowances import allowance_of, approved, gate_of
from gtm_orchestra.runs.courses import as_body, ladder_course, people_of
from gtm_orchestra.state.journal import Entry, Question
from gtm_orchestra.state.ledger import EffectRow, Ledger, StoppedError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gtm_orchestra.agents.registry import EffectTarget
    from gtm_orchestra.plans.effects import EffectPhase, EffectRequest, Receipt
    from gtm_orchestra.plans.model import Effect, PlanDefinition, Task
    from gtm_orchestra.runs.services import Environment
    from gtm_orchestra.state.journal import RunRow

__all__ = ["Effects"]

_ANSWERS = ("it-happened", "it-did-not", "abort")
_RESPOND_WITHIN = timedelta(days=2)


class Effects:
    """The effects of one run. Its caller holds the run's lock."""

    def __init__(
        self, environment: Environment, run: RunRow, plan: PlanDefinition, authors: Collection[str]
    ) -> None:
        self._environment = environment
        self._journal = environment.journal
        self._run = run
        self._plan = plan
        self._authors = authors
        self.ledger = Ledger(environment.journal)

    async def carry_out(self, task: Task, requests: Sequence[EffectRequest]) -> Outcome | None:
        """Carry out what a task asks for, in order; None once all of it is recorded.

        Returns:
            An outcome only where it cannot go on: a person must answer, or the run was stopped.

        Raises:
            BlockedError: Not declared, not approved, or approved for something else.
            EffectError: A destination failed, or is not as it was asked to be; the next attempt goes on.
        """
        # All of them are judged before the first is carried out.
        declared = [declared_effect(task, request) for request in requests]
        for request, effect in zip(requests, declared, strict=True):
            self._target(request.action, effect.effect_class)
            digest_of(request)
        try:
            await self._take_back_others(task, requests)
            for number, (request, effect) in enumerate(zip(requests, declared, strict=True), start=1):
                held = await self._one(task, number, request, effect)
                if held is not None:
                    return held
        except StoppedError:
            return Outcome(node=task.task_id, name="waiting", note="stopped before its next effect")
        return None

    async def undo(self, row: EffectRow, *, why: str) -> EffectRow:
        """Take an effect back, and read back that it is gone.

        Raises:
            EffectError: It cannot be taken back, or is still there.
        """
        target = self._target(row.request.action, row.effect_class)
        blind = row.effect_class == "blind"
        there = None if blind else await self._read_back(target, row)
        nothing = row.phase == "failed" if blind else there is None
        if not nothing and row.undo_class == "irreversible":
            raise EffectError("it is irreversible", sent=False)
        if blind and row.phase in {"intended", "unknown", "undoing"}:
            # Nobody can look it up, and an undo of what never happened may itself do harm.
            raise EffectError("nobody can tell whether it is live: look, and mend it by hand", sent=False)
        if row.phase != "undoing":
            row = self.ledger.move(row, "undoing", note=why)
        if not nothing:
            await self._call(row, target, "undo", there or row.receipt)
        if not blind and not nothing and await self._read_back(target, row) is not None:
            raise EffectError("it is still there after it was taken back: look at the target")
        moved = self.ledger.move(row, "undone", note="nothing of it was there" if nothing else why)
        self._environment.progress(row.node, "effect", f"undone {row.name}")
        return moved

    async def _one(self, task: Task, number: int, request: EffectRequest, effect: Effect) -> Outcome | None:
        row = self._known(task, number, request)
        if row is not None and row.phase == "recorded":
            return None
        target = self._target(request.action, effect.effect_class)
        if row is None:
            row = self._intend(task, number, request, effect)
        elif effect.effect_class == "blind":
            settled = self._settled(task, row)
            if not isinstance(settled, EffectRow):
                return settled
            row = settled
            if row.phase == "recorded":
                return None
        elif (there := await self._read_back(target, row)) is not None:
            unlike = difference(request, there)
            if not unlike:
                self._record(row, there)
                return None
            if effect.effect_class == "keyed":
                raise self._incident(row, unlike)
        return await self._apply(task, row, target)

    async def _apply(self, task: Task, row: EffectRow, target: EffectTarget) -> Outcome | None:
        try:
            await self._call(row, target, "apply", None)
        except EffectError as error:
            lost = row.effect_class == "blind" and error.sent
            row = self._move(row, "unknown" if lost else "failed", note=error.message)
            if not lost:
                raise
            settled = self._settled(task, row)
            assert isinstance(settled, Outcome)  # noqa: S101 - nobody can have answered yet
            return settled
        if row.effect_class == "blind":
            self._record(row, None)
            return None
        row = self._move(row, "applied", durable=False)
        there = await self._read_back(target, row)
        if there is None:
            message = f"{row.name} was acknowledged, but reading back shows nothing of it"
            self._move(row, "failed", note=message)
            raise EffectError(message, hint="look at the target; the next attempt uses the same key")
        unlike = difference(row.request, there)
        if unlike:
            raise self._incident(row, unlike)
        self._record(row, there)
        return None

    def _intend(self, task: Task, number: int, request: EffectRequest, effect: Effect) -> EffectRow:
        undone = [r for r in self._rows(task) if r.number == number and r.request == request]
        key = key_of(
            self._run.run_id,
            task.task_id,
            number,
            request_sha256=digest_of(request),
            undone=len(undone),
        )
        row = EffectRow(
            key=key,
            run_id=self._run.run_id,
            position=0,
            node=task.task_id,
            number=number,
            effect_class=effect.effect_class,
            undo_class=effect.undo_class,
            request=request,
            phase="intended",
            allowance=self._allowance(task, request),
        )
        row = self.ledger.intend(row)
        self._environment.progress(task.task_id, "effect", f"intent {row.name}")
        return row

    def _allowance(self, task: Task, request: EffectRequest) -> str | None:
        """Return the allowance that an effect uses up; None where its environment needs none."""
        gate = gate_of(self._plan, task, request.environment)
        if gate is None:
            return None
        asked = [
            q
            for q in self._journal.question_list(run_id=self._run.run_id)
            if q.kind == "approval" and q.node == gate.gate_id
        ]
        question = asked[-1] if asked else None
        try:
            approved(
                question,
                gate,
                self._journal.records(self._run.run_id),
                run=self._run,
                config=self._environment.config,
                authors=self._authors,
                artifacts=self._environment.artifacts,
                now=self._environment.clock(),
            )
        except (ConflictError, IntegrityError) as error:
            # Asking again would give the same answer: no attempt is spent on it.
            raise BlockedError(error.message, hint=error.hint) from error
        assert question is not None  # noqa: S101 - `approved` has refused it
        taken = {row.allowance for row in self.ledger.rows(self._run.run_id) if row.allowance}
        return allowance_of(question, task, request, taken)

    async def _take_back_others(self, task: Task, requests: Sequence[EffectRequest]) -> None:
        """Take back what an earlier result of this task had done, and this one does not ask for."""
        wanted = {(number, digest_of(request)) for number, request in enumerate(requests, start=1)}
        for row in reversed(self._rows(task)):
            if row.phase != "undone" and (row.number, digest_of(row.request)) not in wanted:
                try:
                    await self.undo(row, why=f"{task.task_id} was done again and asks for something else")
                except EffectError as error:
                    raise BlockedError(
                        f"{task.task_id} now asks for something else than what it has done already: "
                        f"{error.message}",
                        hint=f"'gtm runs ripcord {self._run.run_id} --reason …' takes back what can be",
                    ) from error

    def _rows(self, task: Task) -> tuple[EffectRow, ...]:
        return tuple(r for r in self.ledger.rows(self._run.run_id) if r.node == task.task_id)

    def _known(self, task: Task, number: int, request: EffectRequest) -> EffectRow | None:
        found = [
            r for r in self._rows(task) if r.number == number and r.request == request and r.phase != "undone"
        ]
        return found[-1] if found else None

    def _record(self, row: EffectRow, receipt: Receipt | None, *, note: str = "") -> EffectRow:
        return self._move(row, "recorded", receipt=receipt, note=note)

    def _move(
        self,
        row: EffectRow,
        phase: EffectPhase,
        *,
        receipt: Receipt | None = None,
        note: str = "",
        durable: bool = True,
    ) -> EffectRow:
        moved = self.ledger.move(row, phase, receipt=receipt, note=note, durable=durable)
        self._environment.progress(row.node, "effect", f"{phase} {row.name}")
        return moved

    def _incident(self, row: EffectRow, unlike: str) -> EffectError:
        """Write down that something else is live than what was asked for, and return the error to raise."""
        message = f"incident: {row.name} is live with other content than was asked for ({unlike})"
        self._move(row, "failed", note=message)
        return EffectError(
            message, hint="somebody else has changed it; compare the target with the run's files"
        )

    async def _read_back(self, target: EffectTarget, row: EffectRow) -> Receipt | None:
        try:
            found = await asyncio.to_thread(target.read_back, row.request, row.key)
        except GtmError:
            raise
        except Exception as error:
            raise EffectError(f"reading back {row.name} stopped with {type(error).__name__}") from error
        self._environment.progress(row.node, "effect", f"read back {row.name}")
        return found

    async def _call(self, row: EffectRow, target: EffectTarget, what: str, receipt: Receipt | None) -> None:
        self._environment.progress(row.node, "effect", f"{what} {row.name}")
        try:
            if what == "apply":
                await asyncio.to_thread(target.apply, row.request, row.key)
            else:
                await asyncio.to_thread(target.undo, row.request, receipt, row.key)
        except EffectError:
            raise
        except Exception as error:
            # Whatever it was, it may have happened.
            said = str(error) if isinstance(error, GtmError) else f"stopped with {type(error).__name__}"
            raise EffectError(f"{row.name}: {what} {said}") from error

    def _target(self, action: str, effect_class: str) -> EffectTarget:
        environment = self._environment
        make = environment.handlers.targets.get(action)
        if make is None:
            raise BlockedError(
                f"nothing is registered that carries out {action!r}",
                hint="register a target: docs/effects.md",
            )
        target = make(
            EffectContext(
                environment.root, environment.config, environment.artifacts.get, environment.environ
            )
        )
        if target.effect_class != effect_class:
            raise BlockedError(
                f"{action!r} is declared as {effect_class}, but its target is {target.effect_class}",
                hint="correct the effect's class in the blueprint",
            )
        return target

    def _settled(self, task: Task, row: EffectRow) -> EffectRow | Outcome:
        """Return a blind effect that may go on, or the outcome that waits for a person's word on it."""
        if row.phase == "failed":
            return row
        if row.phase == "intended":
            row = self._move(row, "unknown", note="its process ended between the intent and the answer")
        asked = [
            q
            for q in self._journal.question_list(run_id=self._run.run_id)
            if q.kind == "effect" and q.body["key"] == row.key
        ]
        if not asked or asked[-1].body["times_unknown"] != self._times_unknown(row):
            return self._ask(task, row, len(asked) + 1)
        question = asked[-1]
        if question.status == "open":
            return Outcome(node=task.task_id, name="waiting", note=f"waits for {question.question_id}")
        said = next(
            r.body
            for r in reversed(self._journal.records(self._run.run_id))
            if r.kind == "decision" and r.body["question_id"] == question.question_id
        )
        by = f"{said['actor']}: {said['reason']}"
        if said["answer"] == "it-happened":
            return self._record(row, None, note=f"it happened, says {by}")
        if said["answer"] == "it-did-not":
            return self._move(row, "failed", note=f"it did not happen, says {by}")
        raise BlockedError(f"{row.name} was given up by {by}")

    def _times_unknown(self, row: EffectRow) -> int:
        return sum(
            record.kind == "effect.outcome"
            and record.body["key"] == row.key
            and record.body["phase"] == "unknown"
            for record in self._journal.records(self._run.run_id)
        )

    def _ask(self, task: Task, row: EffectRow, number: int) -> Outcome:
        now = self._environment.clock()
        course = ladder_course(self._plan.escalation_ladder, self._environment.config, on=now.date())
        question = Question(
            question_id=f"{self._run.run_id}/{task.task_id}/effect-{row.number}"
            + (f"-{number}" if number > 1 else ""),
            run_id=self._run.run_id,
            node=task.task_id,
            kind="effect",
            status="open",
            asked_at=now,
            due_at=now + (parse_duration(course[0].within) if course else _RESPOND_WITHIN),
            body={
                "action": f"look whether {row.name} happened, and say so",
                "why": row.note,
                "key": row.key,
                "times_unknown": self._times_unknown(row),
                "options": list(_ANSWERS),
                "approvers": list(people_of(course)),
                **as_body(course),
                "silence": "hold",
                "on_silence": "It is not sent again; the run waits.",
            },
        )
        approvers = question.body["approvers"]
        body = {"kind": "effect", "approvers": approvers, "question_id": question.question_id}
        self._journal.append(
            self._run.run_id, Entry("question.asked", task.task_id, body), durable=True, question=question
        )
        self._environment.progress(task.task_id, "asked", ", ".join(approvers))
        return Outcome(node=task.task_id, name="waiting", note=f"waits for {question.question_id}")
