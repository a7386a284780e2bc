"""Which attributes may stand in a profile, and for every other one the reason why not.

Deny by default. Out stays an attribute that is denied, special, a proxy of a special category, personal
data that nobody has accepted with a reason, stale, under its coverage, or excluded by a constraint of the
initiative. What identifies a person (an address, a name, a number) selects nobody, accepted or not. The
inventory judges all this; here it is said why. One that nobody has reviewed may stand in a draft: the profile
is then not deployable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gtm_orchestra.audience.contracts import AttributeFact, Finding, Inventory, Objectives
    from gtm_orchestra.config import AttributeType, Config

__all__ = ["Admission", "admit"]


@dataclass(frozen=True)
class Admission:
    """What profiles may be made of.

    Attributes:
        admitted: Facts of the attributes that may stand in a profile, by name.
        excluded: Attribute → why it is not used.
        drafts: Admitted attributes that nobody has accepted yet.
    """

    admitted: tuple[AttributeFact, ...]
    excluded: Mapping[str, str]
    drafts: frozenset[str]


def admit(
    inventory: Inventory,
    *,
    config: Config,
    objectives: Objectives,
    schema: Mapping[str, AttributeType],
    purposes: Collection[str],
) -> Admission:
    """Return which attributes of the catalog may stand in a profile.

    Args:
        inventory: What each attribute looks like today.
        config: The catalog.
        objectives: Whose constraints may exclude attributes ("no age").
        schema: Attributes that the people frame has as columns.
        purposes: Consent purposes that the people frame knows a status for.
    """
    constrained = {
        name: reading.text for reading in objectives.constraints for name in reading.excluded_attributes
    }
    proxies = {finding.subject: finding for finding in inventory.findings if finding.kind == "proxy"}
    identifiers = {channel.identifier for channel in config.channels.values()}
    facts = {fact.name: fact for fact in inventory.attributes}
    admitted, excluded = [], {}
    for name in sorted({*facts, *config.attributes}):
        fact = facts.get(name)
        if name in constrained:
            reason = f"excluded by the constraint {constrained[name]!r}"
        elif fact is None:
            reason = _uncounted(name, config)
        else:
            reason = _barred(fact, config=config, proxy=proxies.get(name))
        if not reason and name in identifiers:
            reason = "addresses a person on a channel; it is no criterion"
        if not reason and name not in schema:
            reason = "not in the people table that profiles are counted on"
        if not reason and fact is not None and fact.consent is not None and fact.consent not in purposes:
            reason = f"its use needs consent for {fact.consent!r}, for which no status is on record"
        if reason or fact is None:
            excluded[name] = reason
        else:
            admitted.append(fact)
    drafts = frozenset(fact.name for fact in admitted if fact.review != "accepted")
    return Admission(tuple(admitted), excluded, drafts)


def _uncounted(name: str, config: Config) -> str:
    settings = config.attributes[name]
    if settings.review == "denied":
        return f"denied in the catalog{_because(settings.reason)}"
    return "not in the inventory"


def _barred(fact: AttributeFact, *, config: Config, proxy: Finding | None) -> str:
    """Return why an attribute may not be used, strongest reason first; empty if it may."""
    settings = config.attributes.get(fact.name)
    if fact.review == "denied":
        return f"denied in the catalog{_because(settings.reason if settings else None)}"
    if fact.sensitivity == "special":
        return f"special category of personal data, refused{_because(fact.sensitivity_note)}"
    if fact.sensitivity == "proxy" or proxy is not None:
        figures = proxy.message if proxy is not None else fact.sensitivity_note
        return f"stands in for a special category, left out by default{_because(figures)}"
    return "" if fact.usable and fact.available else fact.why_not or "not usable"


def _because(reason: str | None) -> str:
    return f": {reason.rstrip('.')}" if reason else ""
