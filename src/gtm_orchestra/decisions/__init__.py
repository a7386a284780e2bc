"""Rule sets: the ordered decisions per feature, their checks, and the GrowthBook payload they become."""

from __future__ import annotations

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

__all__ = [
    "Arm",
    "Finding",
    "ForeignRule",
    "HashFilter",
    "Holdout",
    "Payload",
    "Rule",
    "RuleSet",
    "check_rule_sets",
    "fail_closed",
    "read_document",
    "read_features",
    "write_features",
]
