"""The rip-cord: stop a run, take back in reverse order what it did, read back, write down what is left.

Pulled once, durably, before anything is taken back; from then on no effect of the run can begin, whatever
process drives it. Whoever takes the run up again finishes the revert: what is undone is not undone twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import EffectError, GtmError
from gtm_orchestra.plans.outcome import Outcome
from gtm_orchestra.runs.questions import supersede
from gtm_orchestra.state.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.runs.effects import Effects
    from gtm_orchestra.runs.history import History
    from gtm_orchestra.state.journal import Journal, Record
    from gtm_orchestra.state.ledger import EffectRow

__all__ = ["Reverted", "close_questions", "pull", "pulled", "revert", "write_done"]

_ATTEMPTS = 3


@dataclass(frozen=True)
class Reverted:
    """What a revert came to.

    Attributes:
        taken_back: Effects that are gone, the last one first.
        left: Effects that are, or may be, still there, each with why.
    """

    taken_back: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        none = "nothing could be taken back" if self.left else "nothing was live"
        back = f"taken back: {', '.join(self.taken_back)}" if self.taken_back else none
        return f"{back}; left: {'; '.join(self.left) or 'nothing'}"


class _PulledAlreadyError(Exception):
    """Another process was first: control flow inside a transaction."""


def pulled(records: Iterable[Record]) -> Record | None:
    """Return the event with which a run's rip-cord was pulled, or None."""
    return next((record for record in records if record.kind == "ripcord"), None)


def pull(journal: Journal, run_id: str, *, why: str, by: str, identity: str, trigger: str = "") -> bool:
    """Pull the rip-cord of a run, durably; return False if it was pulled before, and change nothing then."""

    def once(execute: Callable[[Any, Mapping[str, object]], Any]) -> None:
        _ = execute
        if pulled(journal.records(run_id)) is not None:
            raise _PulledAlreadyError

    body = {"why": why, "by": by, "identity": identity, "trigger": trigger}
    try:
        journal.append(run_id, Entry("ripcord", "", body), durable=True, first=once)
    except _PulledAlreadyError:
        return False
    return True


def close_questions(journal: Journal, run_id: str) -> None:
    """Close the questions that nobody needs to answer any more."""
    for question in journal.question_list(run_id=run_id, status="open"):
        supersede(question, journal=journal, why="the rip-cord was pulled")


async def revert(effects: Effects, run_id: str, *, why: str, pause: Callable[[float], Any]) -> Reverted:
    """Take back the effects of a run, the last one first; each is tried three times."""
    taken_back, left = [], []
    for row in reversed(effects.ledger.rows(run_id)):
        if row.phase != "undone":
            said = await _taken_back(effects, row, why, pause)
            if said:
                left.append(f"{row.name} ({said})")
                continue
        taken_back.append(row.name)
    return Reverted(tuple(taken_back), tuple(left))


def write_done(
    journal: Journal, run_id: str, reverted: Reverted, *, plan: PlanDefinition, history: History
) -> dict[str, Outcome]:
    """Write what the revert came to, and an outcome for every node that has none; return all outcomes."""
    body = {"reverted": list(reverted.taken_back), "left": list(reverted.left)}
    gates = [gate.gate_id for gate in plan.gates]
    nodes = [*(task.task_id for task in plan.tasks), *gates]
    note = "not done: the rip-cord was pulled"
    missing = {
        node: Outcome(node=node, name="skipped", note=note) for node in nodes if node not in history.outcomes
    }
    entries = [
        Entry(
            "gate.outcome" if node in gates else "task.outcome",
            node,
            outcome.model_dump(mode="json", exclude_defaults=True),
        )
        for node, outcome in missing.items()
    ]
    done = [r for r in journal.records(run_id) if r.kind == "ripcord.done"]
    if not done or done[-1].body != body:
        entries.append(Entry("ripcord.done", "", body))
    if entries:
        journal.append(run_id, *entries, durable=True)
    known = {**history.outcomes, **missing}
    return {node: known[node] for node in nodes}


async def _taken_back(effects: Effects, row: EffectRow, why: str, pause: Callable[[float], Any]) -> str:
    """Take one effect back; return why it is left, or ''."""
    said = ""
    for attempt in range(1, _ATTEMPTS + 1):
        if attempt > 1:
            await pause(min(0.1 * 2**attempt, 5.0))
        try:
            # The row as it stands now: an attempt before may have come half-way.
            now = next(r for r in effects.ledger.rows(row.run_id) if r.key == row.key)
            await effects.undo(now, why=why)
        except EffectError as error:
            said = error.message
            if not error.sent:
                return said
        except GtmError as error:
            return str(error)
        else:
            return ""
    return said
