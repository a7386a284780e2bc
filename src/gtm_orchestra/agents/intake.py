"""The architect's objective intake: words of the request, read as rules and counted on the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.audience.contracts import Objectives

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["objective_intake"]


@handler("objective-intake", agent="personalization-architect")
def objective_intake(ctx: TaskContext) -> Objectives:
    """Return goals, personas, stages, metrics, constraints and timeline of the initiative."""
    from gtm_orchestra.audience.request.objectives import Request, take_objectives  # noqa: PLC0415 loads the engine
    from gtm_orchestra.warehouse.people import people_frame  # noqa: PLC0415

    warehouse = ctx.open_warehouse()
    ctx.progress("counting people")
    frame = people_frame(warehouse, ctx.config, ctx.as_of)
    ctx.progress("reading constraints, timeline and metrics")
    request = Request(
        initiative=ctx.initiative,
        channels=_texts(ctx.inputs, "channels"),  # type: ignore[arg-type]  # checked when the plan was made
        metrics=_texts(ctx.inputs, "metrics"),
        constraints=_texts(ctx.inputs, "constraints"),
        timeline=ctx.inputs.get("timeline"),
    )
    return take_objectives(warehouse, ctx.config, ctx.as_of, frame, request=request)


def _texts(inputs: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of the inputs; one text is a list of one, so that nothing of it is lost."""
    value = inputs.get(name) or ()
    return (value,) if isinstance(value, str) else tuple(value)
