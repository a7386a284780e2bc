"""The data engineer's activation mapping: each profile on each channel, and what has to be wired."""

from __future__ import annotations

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.audience.contracts import ActivationMap, ConsentReport, Inventory, Objectives, Profiles

__all__ = ["activation_mapping"]


@handler("activation-mapping", agent="customer-data-engineer")
def activation_mapping(
    ctx: TaskContext,
    *,
    objectives: Objectives,
    inventory: Inventory,
    consent: ConsentReport,
    profiles: Profiles,
) -> ActivationMap:
    """Return what each profile needs on each channel, and what blocks it."""
    from gtm_orchestra.audience.activation import map_activation  # noqa: PLC0415 loaded with the task

    ctx.progress(f"mapping {len(profiles.profiles)} profiles to {len(objectives.channels)} channels")
    return map_activation(
        ctx.config, objectives=objectives, inventory=inventory, consent=consent, profiles=profiles
    )
