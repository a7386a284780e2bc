"""From a parsed plan file to a plan: bounded before anything is built, every fault with its place."""

from __future__ import annotations

from pydantic import ValidationError

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.model import PlanDefinition
from gtm_orchestra.plans.parse import faults
from gtm_orchestra.plans.unroll import MAX_TASKS

__all__ = ["definition_from"]


def definition_from(document: object, *, what: str) -> PlanDefinition:
    """Return the definition that a plan file holds; its other fields are passed over.

    Args:
        document: What `parse_json` made of the file.
        what: Names the file in errors.

    Raises:
        PlanFormatError: No object, more than 500 tasks or gates, or not a plan; the first twenty faults with
            their paths.
    """
    if not isinstance(document, dict):
        raise PlanFormatError(f"{what} holds no JSON object", hint="restore it with --restore")
    stages = document.get("stages")
    lists = [s.get("tasks") for s in stages if isinstance(s, dict)] if isinstance(stages, list) else []
    for name, parts in (("tasks", lists), ("gates", [document.get("gates")]), ("stages", [stages])):
        seen = sum(len(part) for part in parts if isinstance(part, list))
        if seen > MAX_TASKS:
            raise PlanFormatError(
                f"{what} has {seen:,} {name}; {MAX_TASKS:,} are allowed", hint="make two plans of it"
            )
    try:
        return PlanDefinition.model_validate(
            {name: document[name] for name in PlanDefinition.model_fields if name in document}
        )
    except ValidationError as error:
        raise PlanFormatError(
            f"{what} is not a plan: {faults(error)}", hint="correct it, or restore it with --restore"
        ) from error
