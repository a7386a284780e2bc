"""The plan file: the plan log's definition, then what the journal says has happened. Never read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gtm_orchestra.plans.model import ApprovalRecord, Artifact, PlanDocument, TaskProgress
from gtm_orchestra.runs.actuals import READ, actuals_of
from gtm_orchestra.runs.history import History
from gtm_orchestra.runs.questions import binding_of
from gtm_orchestra.runs.remediation import remediation_of

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Journal, Question, Record, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["approvals_of", "project"]


def project(plans: PlanStore, journal: Journal, plan_id: str, *, artifacts: ArtifactStore) -> PlanDocument:
    """Return the plan document as log and journal have it now."""
    revisions, latest = plans.revisions(plan_id), plans.latest(plan_id)
    rows = journal.run_list(plan_id=plan_id)
    records = journal.records(rows[-1].run_id) if rows else ()
    history = History.of(records)
    return PlanDocument(
        definition=latest.definition,
        revision=latest.number,
        digest=latest.digest,
        status=rows[-1].status if rows else "planned",
        runs=tuple(row.run_id for row in rows),
        progress=_progress(latest.definition, history),
        approvals=tuple(record for row in rows for record in approvals_of(row, journal)),
        waivers=tuple(history.waivers),
        remediation=remediation_of(records, journal.question_list(run_id=rows[-1].run_id) if rows else ()),
        artifacts=_artifacts(history),
        actuals=actuals_of(_results(history, artifacts)),
        change_log=tuple(revision.change for revision in revisions),
    )


def _results(history: History, artifacts: ArtifactStore) -> dict[str, Any]:
    """Return the result documents of the latest run that hold actual values and are still whole."""
    outcomes = [
        o for o in history.outcomes.values() if o.usable and o.output_var in READ and artifacts.has(o.output)
    ]
    return {o.output_var: json.loads(artifacts.get(o.output)) for o in outcomes}


def _progress(plan: PlanDefinition, history: History) -> tuple[TaskProgress, ...]:
    progress = []
    for node in [task.task_id for task in plan.tasks] + [gate.gate_id for gate in plan.gates]:
        outcome = history.outcomes.get(node)
        if outcome is not None:
            progress.append(
                TaskProgress(
                    node=node,
                    outcome=outcome.name,
                    agent=outcome.agent,
                    attempts=outcome.attempts,
                    note="; ".join(filter(None, [outcome.note, outcome.error])),
                )
            )
        else:
            state = "running" if node in history.open_attempts else "pending"
            progress.append(TaskProgress(node=node, outcome=state))
    return tuple(progress)


def approvals_of(row: RunRow, journal: Journal) -> list[ApprovalRecord]:
    """Return the approvals of one run, open and decided."""
    asked = [question for question in journal.question_list(run_id=row.run_id) if question.kind == "approval"]
    if not asked:
        return []
    decisions = {r.body["question_id"]: r for r in journal.records(row.run_id) if r.kind == "decision"}
    return [_approval(question, decisions.get(question.question_id)) for question in asked]


def _approval(question: Question, decision: Record | None) -> ApprovalRecord:
    return ApprovalRecord(
        approval_id=question.question_id,
        gate_id=question.node,
        run_id=question.run_id,
        status=question.status,
        approvers=tuple(question.body["approvers"]),
        decided_by=decision.body["actor"] if decision else "",
        identity=decision.body["identity"] if decision else "",
        decided_at=decision.at if decision else None,
        reason=decision.body["reason"] if decision else "",
        binding=binding_of(question),
    )


def _artifacts(history: History) -> tuple[Artifact, ...]:
    return tuple(
        Artifact(name=name, media_type=_media_type(name), sha256=sha256)
        for outcome in history.outcomes.values()
        for name, sha256 in sorted(outcome.artifacts.items())
    )


_MEDIA_TYPES = {
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "png": "image/png",
    "svg": "image/svg+xml",
    "yaml": "application/yaml",
}


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
