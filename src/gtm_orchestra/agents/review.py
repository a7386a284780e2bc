"""The review task: governance looks at the live plan just before anybody is asked to sign it."""

from __future__ import annotations

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.errors import BlockedError, ConfigError
from gtm_orchestra.plans.review import Review

__all__ = ["plan_review"]


@handler("plan-review", agent="governance")
def plan_review(ctx: TaskContext) -> Review:
    """Return the review of the plan as it stands.

    Raises:
        BlockedError: It has a blocker: nobody is asked to sign such a plan.
    """
    if ctx.review_plan is None:
        raise ConfigError("plan-review has no plan to look at", hint="run it inside a plan")
    review = ctx.review_plan()
    if not review.passed:
        blockers = [finding for finding in review.findings if finding.severity == "blocker"]
        raise BlockedError(
            "; ".join(f"{finding.path}: {finding.message}" for finding in blockers),
            hint="mend the plan and run again",
        )
    return review
