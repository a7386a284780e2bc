"""What holds for every profile of an initiative: constraints, channels, and whom suppressions keep out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.contracts import Finding, Objectives
from gtm_orchestra.conditions import Condition, all_of, any_of, parse
from gtm_orchestra.errors import ConditionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.config import AttributeType, Channel, Config

__all__ = ["Limits", "eligible", "read_limits"]


@dataclass(frozen=True)
class Limits:
    """What holds for every profile.

    Attributes:
        scope: Whom the constraints allow; None without a constraint on people.
        suppression: Whom suppressions keep out on every channel; None without any.
        channels: Channels of the initiative that no constraint excludes.
        by_channel: Names of the suppressions that hold on each channel.
        everywhere: Names of the suppressions that hold on all of these channels.
        words: The constraints on people, as they were given.
        impossible: Why no profile can be offered at all; empty if some can.
    """

    scope: Condition | None
    suppression: Condition | None
    channels: tuple[Channel, ...]
    by_channel: Mapping[Channel, tuple[str, ...]]
    everywhere: tuple[str, ...]
    words: tuple[str, ...]
    impossible: tuple[Finding, ...] = ()


def read_limits(
    objectives: Objectives, config: Config, schema: Mapping[str, AttributeType], purposes: tuple[str, ...]
) -> Limits:
    """Return what holds for every profile.

    A constraint over an attribute that the people table lacks fails closed: nobody is known to be allowed.
    """
    constraints = [reading for reading in objectives.constraints if reading.eligibility]
    excluded = {channel for reading in objectives.constraints for channel in reading.excluded_channels}
    channels = tuple(channel for channel in objectives.channels if channel not in excluded)
    by_channel = {
        channel: tuple(
            sorted(name for name, settings in config.suppressions.items() if channel in settings.channels)
        )
        for channel in channels
    }
    everywhere = tuple(
        name for name in sorted(config.suppressions) if all(name in names for names in by_channel.values())
    )
    impossible, scope = [], []
    for reading in constraints:
        try:
            scope.append(parse(dict(reading.eligibility or {}), schema))
        except ConditionError as error:
            impossible.append(_fails_closed(reading.text, error))
    known: dict[str, AttributeType] = {name: settings.type for name, settings in config.attributes.items()}
    known |= {**schema, **{f"consent.{purpose}": "string" for purpose in purposes}}
    kept_out = [parse(config.suppressions[name].condition, known) for name in everywhere]
    return Limits(
        scope=parse(all_of(*scope), schema) if scope else None,
        suppression=parse(any_of(*kept_out), known) if kept_out else None,
        channels=channels,
        by_channel=by_channel,
        everywhere=everywhere,
        words=tuple(reading.text for reading in constraints),
        impossible=tuple(impossible),
    )


def eligible(limits: Limits, clauses: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return whom a profile means: its own clauses, within the constraints."""
    scope = [limits.scope.to_json()] if limits.scope is not None else []
    return all_of(*scope, *clauses)


def _fails_closed(text: str, error: ConditionError) -> Finding:
    return Finding(
        finding_id=f"unavailable:constraint:{text[:60]}",
        kind="unavailable",
        severity="blocker",
        subject=text,
        message=f"The constraint {text!r} cannot be checked on anybody, so no profile is offered: "
        f"{error.message}.",
        mend="Make the attribute available in the catalog, or drop the constraint.",
        decides="personalization-architect",
        waivable=False,
    )
