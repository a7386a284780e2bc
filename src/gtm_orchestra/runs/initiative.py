"""What an initiative's runs have come to, told together: figures per run, and facts over its history."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.runs.actuals import actuals_of
from gtm_orchestra.runs.escalation import facts_of
from gtm_orchestra.runs.history import History

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from gtm_orchestra.plans.triggers import Facts
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Journal, Record, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["RunFigures", "facts_of_runs", "run_figures"]


@dataclass(frozen=True)
class RunFigures:
    """One run in figures.

    Attributes:
        actuals: Success metric → value in the metric's unit, as far as the run has shown it.
        breaches: Triggers that have fired, as the plan writes them.
        escalations: How often the ladder was asked because of a trigger.
        attempts: Attempts of tasks; those that failed or were interrupted are counted too.
        retries: Failed attempts.
        interruptions: Attempts whose process died.
        waits: Questions that a person was asked.
        decided_after: How long each decision took, the first first.
    """

    run: RunRow
    actuals: dict[str, float]
    breaches: tuple[str, ...]
    escalations: int
    attempts: int
    retries: int
    interruptions: int
    waits: int
    decided_after: tuple[timedelta, ...]


def run_figures(run: RunRow, records: Sequence[Record], artifacts: ArtifactStore) -> RunFigures:
    """Return the figures of one run."""
    kinds = Counter(record.kind for record in records)
    asked = {r.body["question_id"]: r.at for r in records if r.kind in {"question.asked", "escalation"}}
    return RunFigures(
        run=run,
        actuals=actuals_of(_results(History.of(records), artifacts)),
        breaches=tuple(r.body["trigger"] for r in records if r.kind == "escalation"),
        escalations=kinds["escalation"],
        attempts=kinds["task.attempt"],
        retries=kinds["task.attempt_failed"],
        interruptions=kinds["task.interrupted"],
        waits=len(asked),
        decided_after=tuple(
            record.at - asked[record.body["question_id"]]
            for record in records
            if record.kind == "decision" and record.body["question_id"] in asked
        ),
    )


def facts_of_runs(
    initiative: str,
    *,
    journal: Journal,
    plans: PlanStore,
    artifacts: ArtifactStore,
    before: RunRow | None = None,
) -> tuple[Facts, ...]:
    """Return the figures of an initiative's runs, the oldest first, as triggers count them.

    Args:
        initiative: Its name as the plans have it.
        journal: All runs of the workspace.
        plans: All plans of the workspace.
        artifacts: Where the results lie; of a run that was pruned only the journal counts.
        before: Only runs that were started before this one.
    """
    found = []
    for row in journal.run_list():
        is_later = before is not None and (row.created_at > before.created_at or row.run_id == before.run_id)
        if row.initiative == initiative and not is_later:
            plan = plans.revision(row.plan_id, row.revision).definition
            history = History.of(journal.records(row.run_id))
            found.append(facts_of(plan, history, _results(history, artifacts)))
    return tuple(found)


def _results(history: History, artifacts: ArtifactStore) -> dict[str, Any]:
    """Return the result documents of a run that are still whole, by output_var."""
    outcomes = [o for o in history.outcomes.values() if o.usable and o.output and artifacts.has(o.output)]
    return {o.output_var: json.loads(artifacts.get(o.output)) for o in outcomes}
