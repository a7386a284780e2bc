"""The digest of a plan: what an approval binds, and nothing that changes while the plan is carried out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gtm_orchestra.plans.parse import canonical_json

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["DIGESTED_FIELDS", "digest_of"]

# An allow-list: a field added later is outside until somebody decides that an approval must bind it.
DIGESTED_FIELDS: frozenset[str] = frozenset(
    {
        "schema_version",
        "command",
        "initiative",
        "inputs",
        "environments",
        "channels",
        "stages",
        "loops",
        "error_handling",
        "gates",
        "escalation_ladder",
        "escalation_triggers",
        "budgets",
        "hashes",
    }
)


def digest_of(definition: PlanDefinition) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of the digested fields."""
    return hashlib.sha256(
        canonical_json(definition.model_dump(mode="json", include=set(DIGESTED_FIELDS)))
    ).hexdigest()
