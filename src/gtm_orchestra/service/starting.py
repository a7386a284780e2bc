"""Starting a run, or attaching to one that is under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from gtm_orchestra.runs.questions import supersede
from gtm_orchestra.state.journal import RunRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.state.journal import Journal
    from gtm_orchestra.state.plan_store import Revision

__all__ = ["run_of", "start_run"]

# A run that stands at one of these is not finished: the same request attaches to it.
_UNFINISHED = frozenset({"running", "waiting", "escalated", "paused"})


def run_of(revision: Revision, as_of: datetime | None, actor: Actor, *, now: datetime) -> RunRow:
    """Return a run of a revision as it would be started now, without an id yet."""
    return RunRow(
        run_id="",
        plan_id=revision.definition.plan_id,
        revision=revision.number,
        digest=revision.digest,
        command=revision.definition.command,
        initiative=revision.definition.initiative,
        status="running",
        created_at=now,
        as_of=(as_of or now).astimezone(UTC).replace(microsecond=0),
        started_by=actor.handle,
    )


def start_run(
    run: RunRow,
    as_of: datetime | None,
    *,
    journal: Journal,
    log_head: str,
    progress: Callable[[str, str, str], None],
) -> tuple[str, bool]:
    """Return the id of the run to drive, and whether it was there: unfinished, same revision and as-of.

    Otherwise a new one is started, and what is unfinished of the same plan is superseded. `log_head` is the
    last hash of the plan log that the run is made of.
    """
    rows = journal.run_list(plan_id=run.plan_id)
    for row in reversed(rows):
        same = row.digest == run.digest and row.revision == run.revision
        if row.status in _UNFINISHED and same and as_of in (None, row.as_of):
            return row.run_id, True
    run_id = f"{run.plan_id.replace('plan-', 'run-', 1)}.{len(rows) + 1}"
    for row in rows:
        if row.status in _UNFINISHED:
            _supersede(row, run_id, journal=journal)
            progress(row.run_id, "superseded", f"its questions are closed; {run_id} asks anew")
    journal.start(replace(run, run_id=run_id), log_head=log_head)
    return run_id, False


def _supersede(row: RunRow, by: str, *, journal: Journal) -> None:
    for question in journal.question_list(run_id=row.run_id, status="open"):
        supersede(question, journal=journal, why=f"superseded by {by}")
    journal.set_status(row.run_id, "superseded", why=f"superseded by {by}")
