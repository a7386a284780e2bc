"""The testing lead: whether an effect on each profile could be seen, and after how long."""

from __future__ import annotations

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.audience.contracts import ConsentReport, Measurability, Objectives, Profiles

__all__ = ["measurability"]


@handler("measurability", agent="testing-lead")
def measurability(
    ctx: TaskContext, *, objectives: Objectives, consent: ConsentReport, profiles: Profiles
) -> Measurability:
    """Return baseline, smallest visible lift and duration per profile and metric."""
    from gtm_orchestra.audience.measurability import measure_profiles  # noqa: PLC0415 loads the engine

    ctx.progress(f"counting baselines of {len(profiles.profiles)} profiles")
    return measure_profiles(
        ctx.open_warehouse(),
        ctx.config,
        ctx.as_of,
        objectives=objectives,
        consent=consent,
        profiles=profiles,
    )
