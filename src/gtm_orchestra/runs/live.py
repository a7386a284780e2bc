"""What a run has changed outside itself and nobody has taken back, as its journal tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.state.journal import Record

__all__ = ["LiveEffect", "live_effects"]

_CERTAIN = frozenset({"applied", "recorded"})


@dataclass(frozen=True)
class LiveEffect:
    """One change that stands.

    Attributes:
        node: The task that made it.
        name: Action and target, in words.
        environment: staging, production, or empty: inside the workspace.
        certain: False where the destination's answer is missing: it may be live.
    """

    node: str
    key: str
    name: str
    environment: str
    certain: bool


def live_effects(records: Iterable[Record]) -> tuple[LiveEffect, ...]:
    """Return what is live, or may be, in the order in which it was begun."""
    found: dict[str, LiveEffect] = {}
    for record in records:
        body = record.body
        if record.kind == "effect.intent":
            request = json.loads(body["request"])
            found[body["key"]] = LiveEffect(
                record.node, body["key"], body["effect"], request["environment"], certain=False
            )
        elif record.kind in {"effect.outcome", "effect.undo_intent"} and body["key"] in found:
            known = found[body["key"]]
            found[known.key] = LiveEffect(
                known.node, known.key, known.name, known.environment, certain=body["phase"] in _CERTAIN
            )
        elif record.kind == "effect.undone":
            found.pop(body["key"], None)
    return tuple(found.values())
