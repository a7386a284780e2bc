"""What people do to a run besides approving it: waive an arm of a gate; who is away; and the clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gtm_orchestra.content import content_names
from gtm_orchestra.errors import ConflictError, UsageError
from gtm_orchestra.plans.model import Waiver
from gtm_orchestra.runs.clocks import Settled, settle
from gtm_orchestra.runs.courses import ladder_course, people_of
from gtm_orchestra.runs.history import History
from gtm_orchestra.runs.ladder import Remedy, RemedyAnswer, give_remedy, waive
from gtm_orchestra.runs.signing import Signer, check_waiver, waiver_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.runs.driver import Segment
    from gtm_orchestra.state.journal import Journal, Question, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["People", "Ticked", "due_runs", "settle_for", "silence_reverts", "unavailable_because"]


# A run that stands at one of these is over: what a person says of its gates changes nothing.
_ENDED = frozenset({"done", "ripped", "cancelled", "superseded"})


@dataclass(frozen=True)
class Ticked:
    """What one look at the clocks has done: what was settled, and which runs went on because of it."""

    settled: tuple[Settled, ...]
    segments: tuple[Segment, ...]


class People:
    """What people say of the runs of one workspace, besides approving."""

    def __init__(
        self,
        journal: Journal,
        plans: PlanStore,
        config: Config,
        *,
        actor: Callable[[str | None], Actor],
        clock: Callable[[], datetime],
        nonce: Callable[[], str],
        drive: Callable[[str], Segment],
    ) -> None:
        self._journal = journal
        self._plans = plans
        self._config = config
        self._actor = actor
        self._clock = clock
        self._nonce = nonce
        self._drive = drive

    def answer(
        self,
        question_id: str,
        answer: RemedyAnswer,
        *,
        reason: str,
        actor: str | None = None,
        change: str = "",
        substitute: str = "",
        key: bytes | None = None,
    ) -> Segment:
        """Answer what becomes of a task that everybody has failed, and drive the run on. Blocks.

        Args:
            question_id: An open question of kind "remedy".
            answer: retry, retry-with-change, take-substitute, skip (the gate is waived for 30 days) or abort.
            reason: Why; the audit trail keeps it.
            actor: Handle of who answers.
            change: What is to be done otherwise, for retry-with-change.
            substitute: Who does it, for take-substitute.
            key: Their private key (PEM), with which the answer is signed; it is not kept.

        Raises:
            PolicyError: This person is not on the plan's ladder, or must sign.
            ConflictError: It is answered already.
        """
        question = settle_for(self._journal, question_id, self._clock(), heads=self.heads)
        give_remedy(
            Remedy(question_id, answer, self._actor(actor), reason, change, substitute),
            journal=self._journal,
            plan=self._plan(question.run_id),
            config=self._config,
            now=self._clock(),
            signer=self._signer(key),
        )
        return self._drive(question.run_id)

    def waive(
        self,
        run_id: str,
        gate: str,
        *,
        arm: str,
        reason: str,
        until: datetime,
        actor: str | None = None,
        key: bytes | None = None,
    ) -> Segment:
        """Let a gate of a run pass an arm that did not deliver, until a day, and drive the run on. Blocks.

        Raises:
            PolicyError: This person is not on the plan's ladder, or must sign.
            UsageError: No such gate or arm, no reason, or it would have expired already.
            ConflictError: The run has ended, the gate has said go, or the arm has not failed.
        """
        who, at = self._actor(actor), self._clock()
        _refuse_needless(self._journal, run_id, gate, arm)
        asked = {"gate": gate, "node": arm, "reason": reason, "at": at, "expires_at": until}
        waiver, plan, signer = _waiver(asked, who), self._plan(run_id), self._signer(key)
        ladder = people_of(ladder_course(plan.escalation_ladder, self._config, on=at.date()))
        entry = waive(waiver, who, ladder=ladder, plan=plan)
        token = waiver_signature(run_id, waiver, config=self._config, signer=signer) if signer else ""
        check_waiver(run_id, waiver, token, config=self._config, at=at)
        signed = replace(entry, body={**entry.body, "token": token})
        self._journal.append(run_id, signed, durable=True)
        return self._drive(run_id)

    def heads(self, run_id: str) -> tuple[tuple[int, str], ...]:
        """Return the heads of a run's journal that its plan's log holds."""
        return self._plans.heads(self._journal.run(run_id).plan_id, run_id)

    def _plan(self, run_id: str) -> PlanDefinition:
        return self._plans.latest(self._journal.run(run_id).plan_id).definition

    def _signer(self, key: bytes | None) -> Signer | None:
        return Signer(key, self._nonce()) if key is not None else None


def _refuse_needless(journal: Journal, run_id: str, gate: str, arm: str) -> None:
    """Pass if a run can still go on, its gate has not said go, and the arm has ended without delivering.

    Raises:
        ConflictError: There is nothing to waive.
    """
    status = journal.run(run_id).status
    if status in _ENDED:
        raise ConflictError(
            f"{run_id} is {status}: no gate of it decides any more", hint="see 'gtm runs show'"
        )
    outcomes = History.of(journal.records(run_id)).outcomes
    decided, ended = outcomes.get(gate), outcomes.get(arm)
    if decided is not None and decided.usable:
        raise ConflictError(f"{gate} has said go already", hint="there is nothing to waive")
    if ended is not None and (ended.usable or ended.untaken):
        raise ConflictError(f"{arm} has delivered, or was not taken", hint="there is nothing to waive")


def _waiver(asked: Mapping[str, Any], actor: Actor) -> Waiver:
    try:
        return Waiver.model_validate({**asked, "by": actor.handle, "identity": actor.identity})
    except ValidationError as error:
        wrong = ", ".join(str(item["loc"][0]) for item in error.errors(include_input=False))
        raise UsageError(
            f"no waiver: its {wrong} cannot be read",
            hint="name a gate, its arm and a reason of a few sentences",
        ) from error


def due_runs(journal: Journal, settled: tuple[Settled, ...], now: datetime) -> tuple[str, ...]:
    """Return the runs to drive: a question expired or fell silent, or a gate has waited long enough."""
    moved = [s.question.run_id for s in settled if s.change in {"silent", "expired"}]
    waiting = [row for row in journal.run_list() if row.status in {"waiting", "escalated"}]
    overdue = [row.run_id for row in waiting if _gate_is_due(journal, row, now)]
    return tuple(dict.fromkeys([*moved, *overdue]))


def silence_reverts(settled: Iterable[Settled]) -> dict[str, str]:
    """Return run → why, for the runs in which everybody's silence means that what they did is taken back."""
    return {
        s.question.run_id: f"nobody answered {s.question.question_id.partition('/')[2]}, "
        "and the plan says that silence there takes back what is live"
        for s in settled
        if s.change == "silent" and s.question.body.get("silence") == "revert"
    }


def settle_for(
    journal: Journal,
    question_id: str,
    now: datetime,
    *,
    heads: Callable[[str], Sequence[tuple[int, str]]],
) -> Question:
    """Settle the clocks of the run that a question belongs to, and return the question as it stands now.

    Raises:
        UsageError: No such question.
        IntegrityError: The question or the journal of its run was changed.
    """
    settle(journal, now, run_id=journal.question(question_id).run_id, heads=heads)
    return journal.question(question_id)


def unavailable_because(agent: str, config: Config, root: Path, *, now: datetime) -> str:
    """Return why an agent cannot work now (no such file, disabled, out of office), or ''."""
    settings = config.agents.get(agent)
    if settings is not None and settings.disabled:
        return f"disabled in gtm.toml{': ' + settings.reason if settings.reason else ''}"
    if settings is not None and settings.away_until is not None and settings.away_until >= now.date():
        return f"out of office until {settings.away_until}"
    if agent not in content_names("agents", root):
        return f"there is no agents/{agent}.md"
    return ""


def _gate_is_due(journal: Journal, row: RunRow, now: datetime) -> bool:
    until = {}
    for record in journal.records(row.run_id):
        if record.kind == "gate.waiting":
            until[record.node] = record.body["until"]
        elif record.kind == "gate.outcome":
            until.pop(record.node, None)
    return any(now.isoformat() >= moment for moment in until.values())
