"""The consent review: may each channel be personalised, whom does it reach, and what stands in the way.

Integrity is the share of valid people whose status is known, unexpired and provable. A purpose that is known
from a current-state column only (as CRM exports have) is accepted as it is: its integrity leaves provability
out, and a finding says so. The opt-in rate is reach: reported, never gated. A purpose of which the data says
nothing at all is no gap: its channels are not set up, which is for gtm.toml to mend and not for a waiver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.audience.contracts import ChannelReach, ConsentReport, Finding, PurposeConsent
from gtm_orchestra.warehouse.consent_state import (
    DENIED,
    DENIED_PROVED,
    EXPIRED,
    EXPIRED_PROVED,
    GRANTED,
    SNAPSHOT_DENIED,
    SNAPSHOT_GRANTED,
    SNAPSHOT_UNREADABLE,
    UNREADABLE,
    UNREADABLE_PROVED,
    basis_of,
    purposes_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from gtm_orchestra.config import Channel, Config
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["review_consent"]

_PRIVACY = "privacy-lead"
_SNAPSHOTS = (SNAPSHOT_GRANTED, SNAPSHOT_DENIED)
_UNREADABLE = (UNREADABLE, UNREADABLE_PROVED, SNAPSHOT_UNREADABLE)


def review_consent(
    warehouse: Warehouse, config: Config, as_of: datetime, frame: PeopleFrame, channels: Sequence[Channel]
) -> ConsentReport:
    """Return consent per purpose and go or no-go per asked channel, over the people frame.

    Channels come in the order asked; one that gtm.toml does not have is a no-go with its mend. `as_of` is the
    moment of the frame; what had expired by then is in the frame already.
    """
    del as_of
    states = _states(warehouse, config, frame)
    purposes = {
        purpose: _purpose(config, purpose, counts, frame.people) for purpose, counts in states.items()
    }
    reach = _reach(warehouse, config, frame)
    found = tuple(_channel(config, channel, purposes, states, reach) for channel in dict.fromkeys(channels))
    asked = {channel.purpose for channel in found}
    findings = [
        *(
            finding
            for purpose in purposes.values()
            for finding in _purpose_findings(config, purpose, states, asked)
        ),
        *(finding for channel in found for finding in _channel_findings(channel, purposes)),
    ]
    return ConsentReport(
        purposes=tuple(purposes.values()),
        channels=found,
        suppressed={name: reach[f"suppressed:{name}"] for name in config.suppressions},
        findings=tuple(sorted(findings, key=lambda finding: finding.finding_id)),
    )


def _states(warehouse: Warehouse, config: Config, frame: PeopleFrame) -> dict[str, dict[int, int]]:
    """Return per purpose how many people are in each state; people of whom nothing is known are in none."""
    purposes = purposes_of(config)
    columns = [f"state:{purpose}" for purpose in purposes]
    counts: dict[str, dict[int, int]] = {purpose: {} for purpose in purposes}
    if not columns:
        return counts
    rows = frame.full.group_by(columns).aggregate(people=lambda t: t.count())
    for row in warehouse.rows(rows):
        for purpose in purposes:
            state = row[f"state:{purpose}"]
            if state is not None:
                counts[purpose][int(state)] = counts[purpose].get(int(state), 0) + int(row["people"])
    return counts


def _purpose(config: Config, purpose: str, states: Mapping[int, int], people: int) -> PurposeConsent:
    def count(*wanted: int) -> int:
        return sum(states.get(state, 0) for state in wanted)

    basis = basis_of(config, purpose) if states else "none"
    proved = count(GRANTED + 1, DENIED_PROVED)
    accepted = count(*_SNAPSHOTS) if basis == "snapshot" else 0
    granted = count(GRANTED + 1, SNAPSHOT_GRANTED)
    return PurposeConsent(
        purpose=purpose,
        basis=basis,
        people=people,
        known=sum(states.values()) - count(*_UNREADABLE),
        expired=count(EXPIRED, EXPIRED_PROVED),
        unprovable=count(GRANTED, DENIED, *_SNAPSHOTS),
        granted=granted,
        denied=count(DENIED, DENIED_PROVED, SNAPSHOT_DENIED),
        integrity=(proved + accepted) / people,
        opt_in_rate=granted / people,
    )


def _reach(warehouse: Warehouse, config: Config, frame: PeopleFrame) -> dict[str, int]:
    """Return people per suppression, and per channel those it reaches and those it cannot address."""
    table, parts = frame.table, {}
    for name in config.suppressions:
        parts[f"suppressed:{name}"] = table[f"suppressed__{name}"].sum()
    for channel, settings in config.channels.items():
        willing = table[f"consent__{settings.purpose}"] == "granted"
        for name, suppression in config.suppressions.items():
            if channel in suppression.channels:
                willing &= ~table[f"suppressed__{name}"]
        addressable = table[f"addressable__{channel}"]
        parts[f"reachable:{channel}"] = (willing & addressable).sum()
        parts[f"unaddressed:{channel}"] = (willing & ~addressable).sum()
    if not parts:
        return {}
    # Names of columns may not depend on what a suppression is called: engines cut long ones.
    keys = {f"n{number}": key for number, key in enumerate(parts)}
    found = warehouse.rows(table.aggregate(**{short: parts[key] for short, key in keys.items()}))[0]
    return {key: int(found[short] or 0) for short, key in keys.items()}


def _channel(
    config: Config,
    channel: Channel,
    purposes: Mapping[str, PurposeConsent],
    states: Mapping[str, Mapping[int, int]],
    reach: Mapping[str, int],
) -> ChannelReach:
    floor = config.consent.integrity_floor
    settings = config.channels.get(channel)
    if settings is None:
        return ChannelReach(
            channel=channel,
            purpose="",
            system="",
            go=False,
            why=f"gtm.toml has no [channels.{channel}]: nobody has said which consent it needs.",
            reachable=0,
            integrity=0.0,
            integrity_floor=floor,
            decides=_PRIVACY,
            mend=f"Add [channels.{channel}] with purpose, system and identifier to gtm.toml.",
        )
    consent = purposes[settings.purpose]
    reachable, unaddressed = reach[f"reachable:{channel}"], reach[f"unaddressed:{channel}"]
    go, why, mend = _verdict(config, channel, consent, states[settings.purpose], reachable)
    return ChannelReach(
        channel=channel,
        purpose=settings.purpose,
        system=settings.system,
        go=go,
        why=why,
        reachable=reachable,
        not_addressable=unaddressed,
        integrity=consent.integrity,
        integrity_floor=floor,
        decides="" if go else _PRIVACY,
        mend=mend,
    )


def _verdict(
    config: Config, channel: Channel, consent: PurposeConsent, states: Mapping[int, int], reachable: int
) -> tuple[bool, str, str]:
    """Return go or no-go, why, and what would mend it."""
    floor, least, purpose = config.consent.integrity_floor, config.policies.group_minimum, consent.purpose
    if consent.basis == "none":
        return False, f"Nothing in the data says who consented to {purpose!r}.", _set_up(config, purpose)
    if consent.integrity < floor:
        return False, _gap(config, consent, states), _gap_mend(consent)
    if reachable < least:
        return (
            False,
            f"Fewer than {least:,} people can be reached: too few for a group.",
            f"Collect consent for {purpose!r}{_or_identifier(config, channel)}.",
        )
    proof = "known and unexpired" if consent.basis == "snapshot" else "known, unexpired and provable"
    why = (
        f"Consent for {purpose!r} is {proof} for {consent.integrity:.1%} of {consent.people:,} people "
        f"(floor {floor:.0%}); {reachable:,} can be reached."
    )
    return True, why, ""


def _set_up(config: Config, purpose: str) -> str:
    column = f"a column as consent.snapshots.{purpose}"
    if purpose in config.consent.snapshots:
        return (
            f"Fill the column {config.consent.snapshots[purpose].column!r}, or map another one, in gtm.toml."
        )
    if "consents" in config.tables:
        log = config.tables["consents"].table
        return f"Record consent for {purpose!r} in {log!r}, or map {column}, in gtm.toml."
    return f"Map a consent log as tables.consents, or {column}, in gtm.toml."


def _or_identifier(config: Config, channel: Channel) -> str:
    identifier = config.channels[channel].identifier
    return f", or {identifier!r} to address people" if identifier else ""


def _gap(config: Config, consent: PurposeConsent, states: Mapping[int, int]) -> str:
    floor, least = config.consent.integrity_floor, config.policies.group_minimum
    unknown = consent.people - consent.known
    unproved = sum(states.get(state, 0) for state in (GRANTED, DENIED))
    reasons = (
        (unknown, "have no status"),
        (consent.expired, "have expired"),
        (unproved, "have no proof"),
    )
    parts = [
        f"{count:,} {words}" if count >= least else f"fewer than {least:,} {words}"
        for count, words in reasons
        if count
    ]
    return (
        f"Consent for {consent.purpose!r} is sound for {consent.integrity:.1%} of {consent.people:,} people, "
        f"under the floor of {floor:.0%}: {', '.join(parts)}."
    )


def _gap_mend(consent: PurposeConsent) -> str:
    return (
        f"Ask again where consent for {consent.purpose!r} is missing or expired, and attach proof where "
        "it is missing; or have the privacy lead set a lower consent.integrity_floor in gtm.toml."
    )


def _purpose_findings(
    config: Config, consent: PurposeConsent, states: Mapping[str, Mapping[int, int]], asked: Collection[str]
) -> Iterator[Finding]:
    floor, purpose = config.consent.integrity_floor, consent.purpose
    if consent.basis == "snapshot":
        yield Finding(
            finding_id=f"consent_gap:{purpose}.snapshot",
            kind="consent_gap",
            severity="warning",
            subject=purpose,
            message=f"Consent for {purpose!r} is a snapshot of today in one column: accepted, but not "
            "provable "
            "at exposure time. It does not say when or how anybody agreed.",
            evidence={"basis": "snapshot", "unprovable": consent.unprovable, "people": consent.people},
            mend="Keep a log of consent with time and proof, and map it as tables.consents.",
            decides=_PRIVACY,
        )
    if consent.integrity < floor and consent.basis != "none":
        yield Finding(
            kind="consent_gap",
            severity="blocker" if purpose in asked else "info",
            subject=purpose,
            message=_gap(config, consent, states[purpose]),
            evidence={
                "people": consent.people,
                "known": consent.known,
                "expired": consent.expired,
                "unprovable": consent.unprovable,
                "integrity": consent.integrity,
                "floor": floor,
            },
            mend=_gap_mend(consent),
            decides=_PRIVACY,
        )


def _channel_findings(channel: ChannelReach, purposes: Mapping[str, PurposeConsent]) -> Iterator[Finding]:
    if not channel.go:
        known = channel.purpose in purposes and purposes[channel.purpose].basis != "none"
        yield Finding(
            kind="channel_blocked",
            severity="blocker",
            subject=channel.channel,
            message=f"The channel {channel.channel!r} is {'blocked' if known else 'not set up'}. "
            f"{channel.why}",
            evidence={
                "purpose": channel.purpose,
                "integrity": channel.integrity,
                "floor": channel.integrity_floor,
            },
            mend=channel.mend,
            decides=channel.decides,
        )
