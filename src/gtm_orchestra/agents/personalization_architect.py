"""What the personalization architect does: profiles out of objectives, inventory and consent."""

from __future__ import annotations

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.audience.contracts import (
    ConsentReport,
    Inventory,
    Objectives,
    Profiles,
)

__all__ = ["profile_definition"]


@handler("profile-definition", agent="personalization-architect")
def profile_definition(
    ctx: TaskContext, *, objectives: Objectives, inventory: Inventory, consent: ConsentReport
) -> Profiles:
    """Return the audience profiles that the data at hand supports."""
    from gtm_orchestra.audience.profiles.definition import define_profiles  # noqa: PLC0415 - loads the engine
    from gtm_orchestra.warehouse.people import people_frame  # noqa: PLC0415 - the same

    frame = people_frame(ctx.open_warehouse(), ctx.config, ctx.as_of)
    ctx.progress(f"looking for profiles among {frame.people:,} people")
    found = define_profiles(
        frame,
        ctx.config,
        objectives=objectives,
        inventory=inventory,
        consent=consent,
        as_of=ctx.as_of,
    )
    ctx.progress(f"{len(found.profiles)} profiles")
    return found
