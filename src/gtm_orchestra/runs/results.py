"""What an attempt left, as the journal keeps it until all its effects are carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gtm_orchestra.graphs.services import Performed
from gtm_orchestra.plans.effects import EffectRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["performed", "result_body"]


def result_body(done: Performed) -> dict[str, Any]:
    """Return the body of the event that keeps it."""
    return {
        "output": done.output,
        "artifacts": dict(done.artifacts),
        "degraded": done.degraded,
        "effects": [request.model_dump(mode="json") for request in done.effects],
    }


def performed(body: Mapping[str, Any]) -> Performed:
    """Return what an event keeps."""
    return Performed(
        output=str(body["output"]),
        artifacts=dict(body["artifacts"]),
        degraded=str(body.get("degraded", "")),
        effects=tuple(EffectRequest.model_validate(request) for request in body.get("effects", ())),
    )
