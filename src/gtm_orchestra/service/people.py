"""What people do to a run besides approving it: waive an arm of a gate; who is away; and the clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gtm_orchestra.content import content_names
from gtm_orchestra.errors import UsageError
from gtm_orchestra.plans.model import Waiver
from gtm_orchestra.runs.clocks import Settled, settle
from gtm_orchestra.runs.courses import ladder_course, people_of
from gtm_orchestra.runs.ladder import waive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.runs.driver import Segment
    from gtm_orchestra.state.journal import Entry, Journal, Question, RunRow

__all__ = ["Ticked", "due_runs", "settle_for", "unavailable_because", "waiver_entry"]


@dataclass(frozen=True)
class Ticked:
    """What one look at the clocks has done: what was settled, and which runs went on because of it."""

    settled: tuple[Settled, ...]
    segments: tuple[Segment, ...]


def due_runs(journal: Journal, settled: tuple[Settled, ...], now: datetime) -> tuple[str, ...]:
    """Return the runs to drive: a question expired or fell silent, or a gate has waited long enough."""
    moved = [s.question.run_id for s in settled if s.change in {"silent", "expired"}]
    waiting = [row for row in journal.run_list() if row.status in {"waiting", "escalated"}]
    overdue = [row.run_id for row in waiting if _gate_is_due(journal, row, now)]
    return tuple(dict.fromkeys([*moved, *overdue]))


def settle_for(journal: Journal, question_id: str, now: datetime) -> Question:
    """Settle the clocks of the run that a question belongs to, and return the question as it stands now.

    Raises:
        UsageError: No such question.
    """
    settle(journal, now, run_id=journal.question(question_id).run_id)
    return journal.question(question_id)


def waiver_entry(asked: Mapping[str, Any], actor: Actor, *, plan: PlanDefinition, config: Config) -> Entry:
    """Return the journal's entry of a waiver by a person on the plan's ladder.

    Args:
        asked: gate, node, reason, at and expires_at of the `Waiver`.
        actor: Who waives.
        plan: The plan whose gate it is.
        config: Says who stands on the ladder.

    Raises:
        PolicyError: This person is not on the ladder.
        UsageError: No such gate or arm, no reason, or it would have expired already.
    """
    try:
        waiver = Waiver.model_validate({**asked, "by": actor.handle, "identity": actor.identity})
    except ValidationError as error:
        wrong = ", ".join(str(item["loc"][0]) for item in error.errors(include_input=False))
        raise UsageError(
            f"no waiver: its {wrong} cannot be read",
            hint="name a gate, its arm and a reason of a few sentences",
        ) from error
    ladder = people_of(ladder_course(plan.escalation_ladder, config, on=waiver.at.date()))
    return waive(waiver, actor, ladder=ladder, plan=plan)


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
