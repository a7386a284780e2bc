"""The review again, just before somebody is asked to sign: of the plan, and of what the run has done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

from gtm_orchestra.plans.checks.gates import check_waivers
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.review import Review, ReviewFinding
from gtm_orchestra.runs.questions import binding_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.runs.history import History
    from gtm_orchestra.state.journal import Question, Record

__all__ = ["live_review"]

_CHECKED = (
    "everything before this task has delivered",
    "every approval given is in the journal, for exactly what was asked",
)


def live_review(
    review: Review,
    plan: PlanDefinition,
    task_id: str,
    *,
    history: History,
    questions: Iterable[Question],
    records: Iterable[Record],
) -> Review:
    """Return the plan's review with what the run adds to it."""
    graph = dependency_graph(plan.tasks, plan.gates)
    findings = [*review.findings, *check_waivers(history.waivers)]
    for node in sorted(nx.ancestors(graph, task_id)):
        outcome = history.outcomes.get(node)
        if outcome is None or not outcome.usable:
            state = outcome.name.replace("_", " ") if outcome else "not done"
            findings.append(_blocker(f"progress.{node}", f"{node} is {state}", "resume the run"))
    decided = {
        (r.body["question_id"], r.body["answer"], r.body["binding"]) for r in records if r.kind == "decision"
    }
    for question in questions:
        binding = binding_of(question) if question.kind == "approval" else ""
        if question.status == "approved" and (question.question_id, "approved", binding) not in decided:
            message = f"{question.question_id} counts as approved, but the journal holds no such decision"
            findings.append(_blocker(f"approvals.{question.question_id}", message, "ask for it anew"))
    return Review(
        passed=not any(finding.severity == "blocker" for finding in findings),
        checked=(*review.checked, *_CHECKED),
        findings=tuple(findings),
    )


def _blocker(path: str, message: str, mend: str) -> ReviewFinding:
    return ReviewFinding(path=path, severity="blocker", message=message, mend=mend)
