"""What the outputs are made of: the typed results of one run of define-profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.wording import header_labels
from gtm_orchestra.conditions import parse, to_english

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gtm_orchestra.audience.contracts import (
        ActivationMap,
        AttributeFact,
        ConsentReport,
        Finding,
        GovernancePlan,
        Inventory,
        Measurability,
        Objectives,
        Profiles,
    )
    from gtm_orchestra.config import AttributeType, Config

__all__ = ["Barred", "Material"]

_RANK = {"blocker": 0, "warning": 1, "info": 2}
_BARRED_RANK = {"special": 0, "proxy": 1, "personal": 2}


@dataclass(frozen=True)
class Barred:
    """An attribute that may not be used, and why."""

    name: str
    why: str
    sensitivity: str


@dataclass(frozen=True)
class Material:
    """The results of every task that the outputs draw on, with the settings that explain them."""

    initiative: str
    inputs: Mapping[str, Any]
    config: Config
    as_of: datetime
    objectives: Objectives
    inventory: Inventory
    consent: ConsentReport
    profiles: Profiles
    activation: ActivationMap
    measurability: Measurability
    governance: GovernancePlan

    @property
    def minimum(self) -> int:
        """The smallest group of people that is ever shown."""
        return self.config.policies.group_minimum

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding once, the worst first; among equals those that somebody decides come first.

        A gap in consent is left out where a blocked channel says the same: one decision is asked for once.
        """
        sources = (
            self.objectives.findings,
            self.inventory.findings,
            self.consent.findings,
            self.profiles.findings,
            self.activation.findings,
            self.measurability.findings,
            self.governance.findings,
        )
        unique = {finding.finding_id: finding for source in reversed(sources) for finding in source}
        for finding in tuple(unique.values()):
            if finding.kind == "channel_blocked":
                gap = unique.get(f"consent_gap:{finding.evidence.get('purpose')}")
                if gap is not None and gap.message in finding.message:
                    del unique[gap.finding_id]
        return tuple(
            sorted(unique.values(), key=lambda f: (_RANK[f.severity], f.decides == "", f.kind, f.finding_id))
        )

    @property
    def open_points(self) -> tuple[Finding, ...]:
        """The findings that somebody has to decide before this goes on."""
        return tuple(f for f in self.findings if f.decides and f.severity != "info")

    @property
    def schema(self) -> dict[str, AttributeType]:
        """Types of everything a condition may name."""
        known: dict[str, AttributeType] = {name: a.type for name, a in self.config.attributes.items()}
        known |= {fact.name: fact.type for fact in self.inventory.attributes}
        purposes = {c.purpose for c in self.config.channels.values()} | {
            p.purpose for p in self.consent.purposes
        }
        return known | {f"consent.{purpose}": "string" for purpose in sorted(purposes)}

    def in_english(self, condition: Mapping[str, object]) -> str:
        """Return a condition as an English sentence."""
        columns = {name: a.column for name, a in self.config.attributes.items() if a.column is not None}
        return to_english(parse(condition, self.schema, nullable=()), header_labels(columns))

    @property
    def barred(self) -> tuple[Barred, ...]:
        """Attributes that may not be used: special categories, proxies, personal data, then others."""
        excluded = dict(self.profiles.excluded)
        for reading in self.objectives.constraints:
            for name in reading.excluded_attributes:
                excluded.setdefault(name, f"left out as asked: {reading.text!r}")
        facts = {fact.name: fact for fact in self.inventory.attributes}
        reasons = {fact.name: fact.why_not for fact in facts.values() if not fact.usable}
        for name, why in excluded.items():
            reasons[name] = reasons.get(name) or why
        listed = [
            Barred(name, why or "not said", facts[name].sensitivity if name in facts else "unknown")
            for name, why in reasons.items()
        ]
        return tuple(sorted(listed, key=lambda b: (_BARRED_RANK.get(b.sensitivity, 3), b.name)))

    def shows_values(self, fact: AttributeFact) -> bool:
        """Say whether values of an attribute may be printed: never those of personal or unreviewed kinds."""
        return not fact.personal_data and fact.sensitivity in {"none", "internal"}
