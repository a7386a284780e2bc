"""Review: the ecosystem's planning checklist, made executable. All findings at once, each with its mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from gtm_orchestra.model import Model
from gtm_orchestra.plans.checks.effects import check_deploys, check_effects, check_verification
from gtm_orchestra.plans.checks.findings import Known, Reviewed, ReviewFinding, blocker, paths
from gtm_orchestra.plans.checks.gates import check_gates
from gtm_orchestra.plans.checks.names import check_ladder, check_measures, check_names
from gtm_orchestra.plans.checks.shape import (
    check_blocks,
    check_dependencies,
    check_loops,
    check_size,
    check_variables,
)
from gtm_orchestra.plans.graph import circle_in, dependency_graph

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["Known", "Review", "ReviewFinding", "review_plan"]


class Review(Model):
    """The result of a review; `passed` means no blocker."""

    passed: bool
    checked: tuple[str, ...] = Field(description="What was looked at, in words.")
    findings: tuple[ReviewFinding, ...]


_CHECKED = (
    "agents, substitutes, skills and tools exist",
    "dependencies exist and form no circle; the plan is of a size that can be looked at",
    "declared blocks are the graph's, and each parallel block ends in one gate",
    "every result is produced before it is used, and by one task; conditions and loops read what is there",
    "every gate can be decided, and silence reverts only where consent or a guardrail is at stake",
    "every effect has its class and its undo; every deploy stands behind QA and governance or an approval",
    "no substitute approves or verifies its own work",
    "triggers can be read; the ladder and the approvers are people",
    "metrics say how and when they are known; every deliverable has a task",
)


def review_plan(plan: PlanDefinition, known: Known) -> Review:
    """Return everything that is wrong with a plan.

    What hangs on the graph is not looked at while the dependencies form a circle or an id stands twice, and
    nothing else of a plan that is too large.
    """
    findings = [*check_size(plan)]
    if not findings:
        where = paths(plan)
        findings += [*check_names(plan, known, where), *check_dependencies(plan)]
        graph = dependency_graph(plan.tasks, plan.gates)
        if circle := circle_in(graph):
            findings.append(
                blocker("stages", f"dependencies run in a circle: {circle}", "remove one of them")
            )
        elif len(graph) == len(plan.tasks) + len(plan.gates):
            reviewed = Reviewed(plan, graph)
            findings += [
                *check_blocks(reviewed),
                *check_variables(reviewed),
                *check_loops(reviewed),
                *check_gates(reviewed, known),
                *check_deploys(reviewed),
                *check_verification(reviewed),
            ]
        findings += [*check_effects(plan, where), *check_ladder(plan, known), *check_measures(plan)]
    return Review(
        passed=not any(f.severity == "blocker" for f in findings), checked=_CHECKED, findings=tuple(findings)
    )
