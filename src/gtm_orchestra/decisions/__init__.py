"""Rule sets: the ordered decisions per feature, their checks, and the GrowthBook payload they become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.decisions.checks import check_rule_sets
from gtm_orchestra.decisions.features_file import read_document
from gtm_orchestra.decisions.findings import Finding
from gtm_orchestra.decisions.growthbook import Payload, read_features, write_features
from gtm_orchestra.decisions.rule_set import (
    Arm,
    ForeignRule,
    HashFilter,
    Holdout,
    Rule,
    RuleSet,
    fail_closed,
)

if TYPE_CHECKING:
    from gtm_orchestra.decisions.simulation import Simulation, simulate

__all__ = [
    "Arm",
    "Finding",
    "ForeignRule",
    "HashFilter",
    "Holdout",
    "Payload",
    "Rule",
    "RuleSet",
    "Simulation",
    "check_rule_sets",
    "fail_closed",
    "read_document",
    "read_features",
    "simulate",
    "write_features",
]

# numpy is there with the checks; pyarrow is loaded only with a simulation.
_LAZY = ("Simulation", "simulate")


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from gtm_orchestra.decisions import simulation  # noqa: PLC0415 - see above

    return getattr(simulation, name)
