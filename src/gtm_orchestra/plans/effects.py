"""What a task asks to have changed outside its run, and what a destination says is live. Pure documents.

A handler changes nothing outside itself: its result may carry `effects`, requests that match what the plan
declares for its task. The run carries them out, each exactly once (a blind one at most once).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gtm_orchestra.errors import BlockedError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.model import Name
from gtm_orchestra.plans.parse import canonical_json

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import Effect, Task

__all__ = ["EffectPhase", "EffectRequest", "Receipt", "declared_effect", "difference", "digest_of", "key_of"]

EffectPhase = Literal["intended", "applied", "recorded", "failed", "unknown", "undoing", "undone"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

_MAX_BYTES = 65_536


class EffectRequest(Model):
    """One change outside the run: what, where, and with which content."""

    action: Name
    target: Name
    environment: str = ""
    content: dict[str, Any] = Field(default_factory=dict, description="Small JSON; 64 KB at most.")
    artifacts: tuple[Sha256, ...] = Field(default=(), description="The files that it carries, by content.")


class Receipt(Model):
    """What a destination says is live, in the words of the request: read back, it must be the same.

    Attributes:
        reference: The destination's own name of it, for people and for the undo.
    """

    content: dict[str, Any] = Field(default_factory=dict)
    artifacts: tuple[Sha256, ...] = ()
    reference: str = ""


def digest_of(request: EffectRequest) -> str:
    """Return the SHA-256 (hex) of a request: two requests with one digest ask for the same change.

    Raises:
        BlockedError: Larger than 64 KB, or no JSON: content of that size belongs into an artifact.
    """
    try:
        data = canonical_json(request.model_dump(mode="json"))
    except (ValueError, TypeError, RecursionError) as error:
        raise BlockedError(f"the content of {request.action!r} is not JSON") from error
    if len(data) > _MAX_BYTES:
        raise BlockedError(
            f"the content of {request.action!r} has {len(data):,} bytes; {_MAX_BYTES:,} are allowed",
            hint="keep it as a file (ctx.put_file) and name its SHA-256 in `artifacts`",
        )
    return hashlib.sha256(data).hexdigest()


def key_of(run_id: str, task_id: str, number: int, *, request_sha256: str, undone: int = 0) -> str:
    """Return the idempotency key of a task's effect: the same after any retry, resume or resubmission.

    Args:
        run_id: The run.
        task_id: The task.
        number: Which of the task's effects, from 1.
        request_sha256: `digest_of` the request: another content is another effect.
        undone: How often just this effect was taken back before. A destination remembers keys: done again
            under the old one, it would be taken for the first.
    """
    return hashlib.sha256(canonical_json([run_id, task_id, number, request_sha256, undone])).hexdigest()


def declared_effect(task: Task, request: EffectRequest) -> Effect:
    """Return the effect that the plan declares for what a task asks.

    Raises:
        BlockedError: The plan declares no such effect: nobody has reviewed or approved it.
    """
    asked = (request.action, request.target, request.environment)
    for effect in task.effects:
        if (effect.action, effect.target, effect.environment) == asked:
            return effect
    declared = ", ".join(f"{e.action!r} on {e.target!r}" for e in task.effects) or "none"
    where = f" in {request.environment}" if request.environment else ""
    raise BlockedError(
        f"{task.task_id} asks for {request.action!r} on {request.target!r}{where}, "
        f"which its plan does not declare (declared: {declared})",
        hint="add the effect to the task in the blueprint, with its class and its undo",
    )


def difference(request: EffectRequest, receipt: Receipt) -> str:
    """Return in what a receipt differs from the request, without any content; '' if it is the same."""
    found = sorted(
        name
        for name in request.content.keys() | receipt.content.keys()
        if canonical_json([request.content.get(name)]) != canonical_json([receipt.content.get(name)])
        or (name in request.content) != (name in receipt.content)
    )
    if sorted(request.artifacts) != sorted(receipt.artifacts):
        found.append(f"{len(receipt.artifacts)} files of {len(request.artifacts)}, or other ones")
    return ", ".join(found)
