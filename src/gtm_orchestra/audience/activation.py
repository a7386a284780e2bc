"""Activation mapping: what has to be wired for each profile on each channel, and what blocks it.

A profile is decided where its channel decides. A browser has no warehouse columns: where an attribute of a
profile does not exist at that place, the membership that is computed in batch travels instead, and whoever
is not recognised there sees the fallback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.contracts import Activation, ActivationMap, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gtm_orchestra.audience.contracts import (
        ChannelReach,
        ConsentReport,
        Inventory,
        Objectives,
        Profile,
        Profiles,
    )
    from gtm_orchestra.config import Channel, ChannelSettings, Config, Place

__all__ = ["MEMBERSHIP", "PLACE_WORDS", "attributes_of", "map_activation"]

# The one field that says which profile a person is in, wherever the decision itself cannot be taken.
MEMBERSHIP = "gtm_profile"

_DESTINATIONS: dict[Channel, str] = {
    "web": "sdk",
    "in-app": "sdk",
    "email": "audience",
    "ads": "audience",
    "sales": "webhook",
}
# What may stand in a payload that every visitor can read.
_OPEN = {"none", "internal"}
PLACE_WORDS: dict[Place, str] = {"browser": "in the browser", "server": "on the server", "batch": "in batch"}


@dataclass(frozen=True)
class _Route:
    """Where a profile is decided for a channel, and which of its attributes are missing there."""

    place: Place
    missing: tuple[str, ...]
    nowhere: tuple[str, ...]


def map_activation(
    config: Config,
    *,
    objectives: Objectives,
    inventory: Inventory,
    consent: ConsentReport,
    profiles: Profiles,
) -> ActivationMap:
    """Return one activation per profile and channel asked for, in their order, with what blocks it.

    An activation goes when nothing blocks it; an attribute that is missing where the channel decides is
    wired around, and blocks only when it exists neither there nor in batch.
    """
    reach = {one.channel: one for one in consent.channels}
    available = _availability(config, inventory)
    activations = [
        _activation(config, objectives, profile, channel, reach.get(channel), available)
        for profile in profiles.profiles
        for channel in objectives.channels
    ]
    return ActivationMap(
        activations=tuple(activations), findings=tuple(_findings(config, objectives, activations, reach))
    )


def attributes_of(condition: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the attributes that a condition names, sorted; consent is none of them.

    >>> attributes_of({"$or": [{"plan": "free"}, {"seats": {"$gte": 3}}], "consent.ads": "granted"})
    ('plan', 'seats')
    """
    found: set[str] = set()
    waiting: list[Any] = [condition]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found |= {key for key in part if not key.startswith(("$", "consent."))}
            waiting += [value for key, value in part.items() if key.startswith("$")]
        elif isinstance(part, (list, tuple)):
            waiting += [value for value in part if isinstance(value, dict)]
    return tuple(sorted(found))


def _availability(config: Config, inventory: Inventory) -> dict[str, tuple[Place, ...]]:
    """Return where each attribute may be read; what a browser can read holds nothing personal."""
    known = {name: settings.available_at for name, settings in config.attributes.items()}
    known |= {fact.name: fact.available_at for fact in inventory.attributes}
    sensitivity = {name: settings.sensitivity for name, settings in config.attributes.items()}
    return {
        name: tuple(one for one in places if one != "browser" or sensitivity.get(name) in _OPEN)
        for name, places in known.items()
    }


def _activation(
    config: Config,
    objectives: Objectives,
    profile: Profile,
    channel: Channel,
    reach: ChannelReach | None,
    available: Mapping[str, tuple[Place, ...]],
) -> Activation:
    settings = config.channels.get(channel)
    minimum = config.policies.group_minimum
    volume = profile.volume.get(channel, 0)
    blockers = _excluded(objectives, channel)
    excluded = bool(blockers)
    places = _places(objectives, channel, settings)
    if settings is None:
        blockers.append(f"[channels.{channel}] is missing in gtm.toml")
    if not places:
        blockers.append(f"no place is left where {channel} may decide")
    route = _route(_needed(config, profile, channel), places or ("batch",), available)
    if reach is not None and not reach.go:
        blockers.append(f"consent: {reach.why}")
    if settings is not None and not settings.system:
        blockers.append(f"no delivering system is named in [channels.{channel}]")
    if volume < minimum and not excluded:
        blockers.append(_too_few(reach, channel, minimum))
    if route.nowhere:
        places_tried = dict.fromkeys((PLACE_WORDS[route.place], PLACE_WORDS["batch"]))
        blockers.append(f"not available {' or '.join(places_tried)}: {_listed(route.nowhere)}")
    if not profile.deployable:
        blockers.append(f"the profile is not deployable: {profile.why_not or 'not said why'}")
    need, payload = _wiring(channel, settings, route, _needed(config, profile, channel))
    return Activation(
        profile_id=profile.profile_id,
        channel=channel,
        go=not blockers,
        people=volume if volume >= minimum else 0,
        system=settings.system if settings is not None else "",
        need=need,
        payload=payload,
        decided_at=route.place,
        missing_at=route.missing,
        fallback=profile.fallback,
        blockers=tuple(blockers),
    )


def _excluded(objectives: Objectives, channel: Channel) -> list[str]:
    return [
        f"excluded by the constraint {reading.text!r}"
        for reading in objectives.constraints
        if channel in reading.excluded_channels
    ]


def _places(objectives: Objectives, channel: Channel, settings: ChannelSettings | None) -> tuple[Place, ...]:
    barred = {
        place for reading in objectives.constraints for place in reading.excluded_places.get(channel, ())
    }
    return tuple(place for place in (settings.places if settings is not None else ()) if place not in barred)


def _needed(config: Config, profile: Profile, channel: Channel) -> tuple[str, ...]:
    """Return what a decision reads: eligibility, suppression, and the suppressions of gtm.toml."""
    suppressions = [one.condition for one in config.suppressions.values() if channel in one.channels]
    conditions = [profile.eligibility, profile.suppression, *suppressions]
    return tuple(sorted({name for condition in conditions for name in attributes_of(condition)}))


def _route(
    needed: Sequence[str], places: Sequence[Place], available: Mapping[str, tuple[Place, ...]]
) -> _Route:
    """Return the place where fewest attributes are missing; the first of gtm.toml among equals."""
    lacking = {
        place: tuple(name for name in needed if place not in available.get(name, ())) for place in places
    }
    place = min(places, key=lambda one: (len(lacking[one]), places.index(one)))
    nowhere = tuple(name for name in lacking[place] if "batch" not in available.get(name, ()))
    return _Route(place, lacking[place], nowhere)


def _too_few(reach: ChannelReach | None, channel: Channel, minimum: int) -> str:
    few = (
        f"fewer than {minimum} people of the profile can be reached on {channel} after consent and "
        "suppression"
    )
    if reach is not None and reach.not_addressable and not reach.reachable:
        return f"{few}: nobody with consent has the identifier that {channel} needs"
    return few


def _wiring(
    channel: Channel, settings: ChannelSettings | None, route: _Route, needed: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """Return what has to be built, in a sentence, and the fields that travel."""
    destination = (settings.destination if settings is not None else "") or _DESTINATIONS[channel]
    system = (settings.system if settings is not None else "") or f"the {channel} system (not named yet)"
    purpose = settings.purpose if settings is not None else "its purpose"
    identifier = (settings.identifier if settings is not None else None) or "person_id"
    consent = f"consent.{purpose}"
    if destination in {"sdk", "growthbook"} and route.place != "batch":
        api = "API: rules as drafts in GrowthBook. " if destination == "growthbook" else ""
        where = PLACE_WORDS[route.place]
        if route.missing:
            need = (
                f"{api}SDK attribute {MEMBERSHIP}: a batch job writes it to the user record of {system}, "
                f"and the site passes it {where}, because {_listed(route.missing)} "
                f"{'is' if len(route.missing) == 1 else 'are'} not available there; visitors who are not "
                "recognised see the fallback."
            )
            return need, ("user_id", MEMBERSHIP, consent)
        need = f"{api}SDK attributes passed {where} to {system}: {_listed([*needed, consent])}."
        return need, ("user_id", *needed, consent)
    removal = "people who leave the profile or withdraw consent are sent as removals"
    match destination:
        case "webhook":
            need = f"Webhook of {system}: one message per change of membership; {removal}."
        case "mcp":
            need = f"API of {system}, through its MCP server: one link rule per profile; {removal}."
        case _:
            need = f"File: audience export for import into {system}, matched by {identifier}; {removal}."
    return need, (identifier, MEMBERSHIP, "change", "valid_until")


def _findings(
    config: Config,
    objectives: Objectives,
    activations: Sequence[Activation],
    reach: Mapping[Channel, ChannelReach],
) -> Iterable[Finding]:
    for channel in objectives.channels:
        mine = [one for one in activations if one.channel == channel]
        settings = config.channels.get(channel)
        if settings is None or not settings.system:
            yield Finding(
                kind="missing_system",
                severity="blocker",
                subject=channel,
                message=f"{channel} has no delivering system in gtm.toml; no profile can be activated there.",
                mend=f"Name it in [channels.{channel}], field system.",
                decides="marketing-ops",
            )
        missing = sorted({name for one in mine for name in one.missing_at})
        if missing:
            places = sorted({PLACE_WORDS[one.decided_at] for one in mine if one.missing_at})
            hit = sum(1 for one in mine if one.missing_at)
            yield Finding(
                kind="unavailable",
                severity="warning",
                subject=channel,
                message=(
                    f"{channel} decides {_listed(places)}, where {_listed(missing)} "
                    f"{'is' if len(missing) == 1 else 'are'} not available; {hit} of {len(mine)} profiles "
                    f"need{'s' * (hit == 1)} {'it' if len(missing) == 1 else 'them'}."
                ),
                evidence={"profiles": hit, "attributes": len(missing)},
                mend=f"Send the membership computed in batch as {MEMBERSHIP}, or make them available there.",
                decides="data-engineer",
            )
        allowed = channel in reach and reach[channel].go
        if mine and allowed and not any(one.go for one in mine) and not _excluded(objectives, channel):
            yield Finding(
                kind="small_group",
                severity="warning",
                subject=channel,
                message=(
                    f"{channel} may be personalised, but none of the {len(mine)} profiles "
                    "can be activated there."
                ),
                mend="See the blockers of each profile in the activation checklist.",
                decides="personalization-architect",
            )


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else "nothing"
