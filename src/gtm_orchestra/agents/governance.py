"""Governance: owners, checks, change checkpoints, and the drafts of the data-use record."""

from __future__ import annotations

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.audience.contracts import ConsentReport, GovernancePlan, Inventory, Objectives, Profiles

__all__ = ["governance_plan"]


@handler("governance-plan", agent="governance")
def governance_plan(
    ctx: TaskContext,
    *,
    objectives: Objectives,
    inventory: Inventory,
    consent: ConsentReport,
    profiles: Profiles,
) -> GovernancePlan:
    """Return who owns, checks and decides what, with the open questions of each profile."""
    from gtm_orchestra.audience.governance import plan_governance  # noqa: PLC0415 loaded with the task

    ctx.progress(f"assigning owners and drafting the data use of {len(profiles.profiles)} profiles")
    return plan_governance(
        ctx.config,
        ctx.as_of,
        objectives=objectives,
        inventory=inventory,
        consent=consent,
        profiles=profiles,
    )
