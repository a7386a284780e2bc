"""The data contract of the profiles: Open Data Contract Standard v3, built and written by its own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from open_data_contract_standard.model import (
    Description,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    ServiceLevelAgreementProperty,
    Team,
    TeamMember,
)

from gtm_orchestra.reports.wording import clean, people

if TYPE_CHECKING:
    from gtm_orchestra.audience.contracts import AttributeFact, Profile
    from gtm_orchestra.reports.material import Material

__all__ = ["contract", "contract_yaml"]

API_VERSION = "v3.1.0"
_CLASSIFICATION = {
    "none": "public",
    "internal": "internal",
    "personal": "confidential",
    "special": "restricted",
    "proxy": "restricted",
    "unknown": "confidential",
}


def contract_yaml(material: Material) -> bytes:
    """Return the contract as YAML; fields that say nothing are left out."""
    return contract(material).to_yaml().encode()


def contract(material: Material) -> OpenDataContractStandard:
    """Return the contract: person attributes as one object, and each profile as one that draws on it."""
    facts = [fact for fact in material.inventory.attributes if fact.available]
    members = [
        TeamMember(username=handle, name=settings.name, role=", ".join(settings.roles))
        for handle, settings in sorted(material.config.people.items())
    ]
    return OpenDataContractStandard.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "DataContract",
            "id": f"urn:gtm-orchestra:define-profiles:{_slug(material.initiative)}",
            "name": f"Audience profiles for {clean(material.initiative)}",
            "version": "1.0.0",
            "status": "draft",
            "domain": clean(material.config.workspace.name),
            "description": Description(
                purpose=f"Profiles for {clean(material.initiative)!r} and the attributes they need.",
                usage="Read by whoever builds or checks rules on these profiles.",
                limitations="Attributes marked usable: false may not stand in a rule. A draft until signed.",
            ),
            "schema": [
                _attributes(material, facts),
                *(_profile(material, p) for p in material.profiles.profiles),
            ],
            "team": Team(members=members) if members else None,
            "slaProperties": [sla for fact in facts for sla in _slas(fact)] or None,
        }
    )


def _slug(text: str) -> str:
    parts = "".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split()
    return "-".join(parts) or "initiative"


def _custom(pairs: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"property": name, "value": value} for name, value in pairs.items() if value not in ("", None, (), [])
    ]


def _attributes(material: Material, facts: list[AttributeFact]) -> SchemaObject:
    barred = {b.name: b.why for b in material.barred}
    return SchemaObject.model_validate(
        {
            "name": "person_attributes",
            "logicalType": "object",
            "physicalType": "view",
            "description": "Attributes of a person that profiles may be built from.",
            "dataGranularityDescription": "One row per valid person.",
            "properties": [_property(fact, barred.get(fact.name, "")) for fact in facts],
        }
    )


def _property(fact: AttributeFact, why_not: str) -> SchemaProperty:
    allowed_missing = round((1 - fact.coverage_sla) * 100, 2)
    return SchemaProperty.model_validate(
        {
            "name": clean(fact.name),
            "logicalType": fact.type,
            "physicalName": clean(fact.source),
            "physicalType": fact.type,
            "required": False,
            "classification": _CLASSIFICATION[fact.sensitivity],
            "criticalDataElement": fact.required,
            "quality": [
                {
                    "type": "library",
                    "metric": "nullValues",
                    "dimension": "completeness",
                    "description": "Share of people without a value.",
                    "unit": "percent",
                    "mustBeLessOrEqualTo": allowed_missing,
                }
            ],
            "customProperties": _custom(
                {
                    "sensitivity": fact.sensitivity,
                    "privacyNote": clean(fact.sensitivity_note),
                    "personalData": fact.personal_data,
                    "consentPurpose": fact.consent or "",
                    "purpose": fact.purpose or "",
                    "availableAt": list(fact.available_at),
                    "review": fact.review,
                    "usable": not why_not,
                    "whyNot": clean(why_not),
                }
            ),
        }
    )


def _profile(material: Material, profile: Profile) -> SchemaObject:
    types = material.schema
    volume = {channel: people(n, material.minimum) for channel, n in sorted(profile.volume.items())}
    return SchemaObject.model_validate(
        {
            "name": profile.profile_id,
            "businessName": clean(profile.name),
            "logicalType": "object",
            "physicalType": "segment",
            "description": clean(profile.description),
            "dataGranularityDescription": "One row per person in the profile.",
            "properties": [
                {
                    "name": clean(name),
                    "logicalType": types.get(name, "string"),
                    "physicalType": types.get(name, "string"),
                }
                for name in sorted(profile.attributes)
            ],
            "customProperties": _custom(
                {
                    "eligibility": profile.eligibility,
                    "suppression": profile.suppression,
                    "lifecycleStage": clean(profile.lifecycle_stage),
                    "halfLife": profile.half_life,
                    "decayWindow": profile.decay_window,
                    "people": people(profile.size, material.minimum),
                    "peoplePerChannel": volume,
                    "fallback": clean(profile.fallback),
                    "deployable": profile.deployable,
                    "whyNot": clean(profile.why_not),
                }
            ),
        }
    )


def _slas(fact: AttributeFact) -> list[ServiceLevelAgreementProperty]:
    element = f"person_attributes.{clean(fact.name)}"
    found = []
    if fact.freshness_sla_hours is not None:
        found.append(
            ServiceLevelAgreementProperty(
                property="latency", value=fact.freshness_sla_hours, unit="h", element=element
            )
        )
    if fact.cadence_hours is not None:
        found.append(
            ServiceLevelAgreementProperty(
                property="frequency", value=round(fact.cadence_hours, 2), unit="h", element=element
            )
        )
    return found
