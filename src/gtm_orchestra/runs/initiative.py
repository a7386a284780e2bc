"""What an initiative's runs have come to, told together: figures per run, and facts over its history."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.plans.triggers import parse_trigger
from gtm_orchestra.runs.actuals import actuals_of
from gtm_orchestra.runs.escalation import facts_of
from gtm_orchestra.runs.history import History

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Journal, Record, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["RunFigures", "history_facts", "run_figures"]

_MEASURED = frozenset({"metric", "latency"})


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


def history_facts(
    initiative: str, *, journal: Journal, plans: PlanStore, artifacts: ArtifactStore, command: str = ""
) -> dict[tuple[str, str, str], float]:
    """Return figures over all of an initiative's runs, as `Facts` takes them: (function, name, "history").

    Counts are summed over the runs. Of a metric the latest known value counts. A trigger that has fired is a
    breach of its name: ``breaches("consent")`` counts how often ``blocked("consent") >= 2`` and its like
    have fired. A result may name breaches of its own: `breaches`, a list of entries with a `name`.

    Args:
        initiative: Its name as the plans have it.
        journal: All runs of the workspace.
        plans: All plans of the workspace.
        artifacts: Where the results lie; of a run that was pruned only the journal counts.
        command: Count only runs of this command; default: of all.
    """
    figures: dict[tuple[str, str, str], float] = {}
    for row in journal.run_list():
        if row.initiative != initiative or command not in {"", row.command}:
            continue
        plan = next(r for r in plans.revisions(row.plan_id) if r.number == row.revision).definition
        for (function, name), value in _facts_of_run(plan, journal.records(row.run_id), artifacts).items():
            key = (function, name, "history")
            figures[key] = value if function in _MEASURED else figures.get(key, 0.0) + value
    return figures


def _facts_of_run(
    plan: PlanDefinition, records: Sequence[Record], artifacts: ArtifactStore
) -> dict[tuple[str, str], float]:
    history = History.of(records)
    results = _results(history, artifacts)
    counted: dict[tuple[str, str], float] = {
        (function, name): value
        for (function, name, _scope), value in facts_of(plan, history, results).figures.items()
    }
    breaches = Counter(_breached(history.escalations))
    breaches.update(_named_breaches(results))
    counted |= {("breaches", name): float(count) for name, count in breaches.items()}
    counted |= {("metric", name.replace(" ", "_")): value for name, value in actuals_of(results).items()}
    return counted


def _breached(escalations: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (parse_trigger(str(body["trigger"])).name for body in escalations)


def _named_breaches(results: Mapping[str, Any]) -> Iterable[str]:
    for result in results.values():
        for breach in result.get("breaches", ()) if isinstance(result, dict) else ():
            if isinstance(breach, dict) and isinstance(breach.get("name"), str):
                yield breach["name"]


def _results(history: History, artifacts: ArtifactStore) -> dict[str, Any]:
    """Return the result documents of a run that are still whole, by output_var."""
    outcomes = [o for o in history.outcomes.values() if o.usable and o.output and artifacts.has(o.output)]
    return {o.output_var: json.loads(artifacts.get(o.output)) for o in outcomes}
