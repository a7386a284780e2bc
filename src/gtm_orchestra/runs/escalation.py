"""Triggers and the ladder: what is counted in a run, and whom it is taken to."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gtm_orchestra.config import parse_duration
from gtm_orchestra.plans.triggers import Facts, parse_trigger
from gtm_orchestra.runs.actuals import actuals_of
from gtm_orchestra.runs.courses import as_body, people_of
from gtm_orchestra.state.journal import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from gtm_orchestra.plans.model import EscalationTrigger, PlanDefinition
    from gtm_orchestra.runs.courses import Step
    from gtm_orchestra.runs.history import History

__all__ = ["escalation_question", "facts_of", "fired", "moves_figures", "over_history"]

# What the seeds call consent or compliance blockers.
_COMPLIANCE = frozenset({"consent_gap", "special_category_used"})
# The fields of a result that are counted or measured here.
_FIGURES = ("findings", "attributes", "passed", "breaches", "metrics", "latency_ms")
_COUNTS = frozenset({"failures", "blocked", "sla_missed", "breaches"})


def facts_of(
    plan: PlanDefinition,
    history: History,
    results: Mapping[str, Any],
    *,
    earlier: Iterable[Facts] = (),
) -> Facts:
    """Return the figures that triggers are asked over, from the journal and the results so far.

    `failures(x)` counts, for tasks whose function or kind is x, failed attempts and results that say
    ``passed: false``, also those that were done again since; `blocked("consent")` distinct consent or
    compliance blockers; `sla_missed("coverage")` required attributes below their coverage SLA. A result may
    count and measure for itself: ``breaches: {name: n}``, ``metrics: {name: x}``, ``latency_ms: {name: x}``.

    Args:
        plan: The revision that runs.
        history: Of this run.
        results: Of this run, by output_var.
        earlier: Of the initiative's earlier runs, the oldest first: with this run's they are the history's.
    """
    figures: Counter[tuple[str, str]] = Counter()
    for task in plan.tasks:
        failed = history.failures_ever.get(task.task_id, 0) + history.verdicts_failed.get(task.task_id, 0)
        for name in {task.function.lower(), task.kind} if failed else ():
            figures["failures", name] += failed
    figures["blocked", "consent"] = len(_blockers(results))
    figures["sla_missed", "coverage"] = sum(
        attribute["required"] and attribute["coverage"] < attribute["coverage_sla"]
        for attribute in results.get("inventory", {}).get("attributes", ())
    )
    measured = {("metric", name.replace(" ", "_")): value for name, value in actuals_of(results).items()}
    for result in results.values():
        figures.update(("breaches", name) for name in _breaches(result))
        measured |= {("metric", name): value for name, value in _numbers(result, "metrics")}
        measured |= {("latency", name): value for name, value in _numbers(result, "latency_ms")}
    found = Facts({(*key, "run"): float(value) for key, value in {**figures, **measured}.items()})
    return Facts({**found.figures, **over_history((*earlier, found))})


def over_history(runs: Iterable[Facts]) -> dict[tuple[str, str, str], float]:
    """Return the figures of several runs, the oldest first, together: counts summed, measures the latest."""
    total: dict[tuple[str, str, str], float] = {}
    for facts in runs:
        for (function, name, scope), value in facts.figures.items():
            if scope == "run":
                before = total.get((function, name, "history"), 0.0) if function in _COUNTS else 0.0
                total[function, name, "history"] = before + value
    return total


def _breaches(result: Mapping[str, Any]) -> Iterator[str]:
    """Return the names of what a result calls breached: a count by name, or a list of entries with a name."""
    for name, count in _numbers(result, "breaches"):
        yield from [name] * int(count)
    listed = result.get("breaches")
    for breach in listed if isinstance(listed, list) else ():
        if isinstance(breach, dict) and isinstance(breach.get("name"), str):
            yield breach["name"]


def _blockers(results: Mapping[str, Any]) -> set[str]:
    return {
        finding["finding_id"]
        for result in results.values()
        for finding in result.get("findings", ())
        if finding["severity"] == "blocker" and finding["kind"] in _COMPLIANCE
    }


def _numbers(result: Mapping[str, Any], field: str) -> Iterator[tuple[str, float]]:
    """Return what a result says of itself under a field; what is no number is passed over."""
    said = result.get(field)
    for name, value in said.items() if isinstance(said, dict) else ():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield str(name), float(value)


def moves_figures(result: Mapping[str, Any]) -> bool:
    """Whether a result holds anything that `facts_of` counts."""
    return any(result.get(field) not in (None, (), [], {}) for field in _FIGURES)


def fired(plan: PlanDefinition, history: History, facts: Facts) -> tuple[EscalationTrigger, ...]:
    """Return the triggers that hold and have not been acted on in this run."""
    acted = {entry["trigger"] for entry in history.escalations}
    return tuple(
        trigger
        for trigger in plan.escalation_triggers
        if trigger.when not in acted and parse_trigger(trigger.when).holds(facts)
    )


def escalation_question(
    plan: PlanDefinition,
    run_id: str,
    trigger: EscalationTrigger,
    *,
    course: Sequence[Step],
    number: int,
    at: datetime,
) -> Question:
    """Return the question that goes to the ladder when a trigger has fired.

    It is taken to one rung after the other, and everybody on the ladder may answer it at any time.
    """
    within = parse_duration(course[0].within) if course else timedelta(days=1)
    return Question(
        question_id=f"{run_id}/escalation-{number}",
        run_id=run_id,
        node=f"escalation-{number}",
        kind="escalation",
        status="open",
        asked_at=at,
        due_at=at + within,
        body={
            "action": f"go on although {trigger.when}",
            "why": trigger.why,
            "trigger": trigger.when,
            "approvers": list(people_of(course)),
            **as_body(course),
            "silence": "stop",
            "ladder": [rung.who for rung in plan.escalation_ladder],
            "on_silence": "Nothing is signed and nothing changes.",
        },
    )
