"""What stands between a proposal and a first run that comes to an end, measured and in order of doing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.proposals.tables import ONLY_PEOPLE, VOID

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gtm_orchestra.config import Config
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.proposal import Proposal

__all__ = ["ConsentMeasure", "measure_consent", "next_steps"]

_UNCERTAIN = 0.7
_GENERAL = "general"
# Later than any record of a log whose newest time cannot be told.
_LATE = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ConsentMeasure:
    """What is known of one purpose.

    Attributes:
        integrity: Share of people whose status is known, unexpired and, in a log, provable.
        provable: The status comes from a log, not from a column of the current state.
    """

    integrity: float
    provable: bool


def measure_consent(
    warehouse: Warehouse, config: Config, spoken: Collection[str]
) -> dict[str, ConsentMeasure]:
    """Return what is known of each purpose that the data speaks of, as of the newest record.

    `spoken` are the purposes that the log and the snapshots name. Empty where no consent is mapped, or where
    it cannot be read as mapped.
    """
    from gtm_orchestra.warehouse.consent_state import (  # noqa: PLC0415 - imports ibis
        DENIED_PROVED,
        GRANTED_PROVED,
        SNAPSHOT_DENIED,
        SNAPSHOT_GRANTED,
        basis_of,
        purposes_of,
    )
    from gtm_orchestra.warehouse.people import people_frame  # noqa: PLC0415 - the same

    known = {purpose: basis_of(config, purpose) for purpose in purposes_of(config) if purpose in spoken}
    if not known:
        return {}
    # Nothing but people and their consent: figures of behaviour cost more than all the rest.
    bare = config.model_copy(
        update={
            "tables": {role: t for role, t in config.tables.items() if role in {"people", "consents"}},
            "attributes": {},
            "suppressions": {},
        }
    )
    try:
        frame = people_frame(warehouse, bare, _newest(warehouse, bare))
        full = frame.full
        sound = {
            purpose: full[f"state:{purpose}"].isin(
                [GRANTED_PROVED, DENIED_PROVED]
                + ([SNAPSHOT_GRANTED, SNAPSHOT_DENIED] if basis == "snapshot" else [])
            )
            for purpose, basis in known.items()
        }
        short = {f"n{number}": purpose for number, purpose in enumerate(sound)}
        row = warehouse.rows(
            full.aggregate(**{name: sound[purpose].sum() for name, purpose in short.items()})
        )[0]
    except SourceError:
        return {}
    return {
        purpose: ConsentMeasure(int(row[name] or 0) / frame.people, provable=known[purpose] == "log")
        for name, purpose in short.items()
    }


def _newest(warehouse: Warehouse, config: Config) -> datetime:
    from gtm_orchestra.warehouse.roles import role_table  # noqa: PLC0415 - imports ibis

    log = role_table(warehouse, config, "consents")
    if log is None:
        return _LATE
    newest = warehouse.rows(log.table.aggregate(newest=log.time("at").max()))[0]["newest"]
    return newest.replace(tzinfo=UTC) if isinstance(newest, datetime) else _LATE


def next_steps(proposal: Proposal, measured: Mapping[str, ConsentMeasure]) -> tuple[str, ...]:
    """Return what a person must decide, what would block the first run before what would make it poorer."""
    config = proposal.config
    steps = []
    if not config.people_with_role("privacy-lead"):
        steps.append(
            "name a privacy lead: give one of [people] the role privacy-lead; without one nobody can sign off"
        )
    steps += _consent_steps(config, measured)
    steps += _workspace_steps(proposal)
    steps += _table_steps(proposal)
    steps += _catalog_steps(proposal)
    ready = [c for c, settings in config.channels.items() if settings.purpose in measured]
    first = ready or [c for c in ("email", "web") if c in config.channels][:1]
    blocked = "" if ready else " (blocked there until consent is known)"
    steps.append(
        f"define profiles: gtm define-profiles --initiative NAME --channels {','.join(first)}{blocked}"
    )
    return tuple(steps)


def _consent_steps(config: Config, measured: Mapping[str, ConsentMeasure]) -> list[str]:
    floor, steps = config.consent.integrity_floor, []
    ready = [c for c, settings in config.channels.items() if settings.purpose in measured]
    for purpose, found in measured.items():
        channels = [c for c, settings in config.channels.items() if settings.purpose == purpose]
        if found.integrity >= floor or not channels:
            continue
        these, stay = _and(channels), "stays" if len(channels) == 1 else "stay"
        steps.append(
            f"decide on consent for {purpose!r}: it is {'provable' if found.provable else 'known'} for "
            f"{_share(found.integrity)} of the people, under [consent] integrity_floor ({floor:.0%}), so "
            f"{these} {stay} blocked; ask first whether what they agreed to covers {these}, and map where "
            "more of it is kept; only then may the privacy lead set a lower floor: people without a known "
            "status are left out in any case"
        )
    for purpose, snapshot in config.consent.snapshots.items():
        if purpose == _GENERAL and all(c.purpose != purpose for c in config.channels.values()):
            steps.append(
                f"say what {snapshot.column!r} covers: its name says no purpose, so it opens no channel; "
                "where it is what people agreed to be addressed by, name that purpose under the channel"
                + (f"; not under {_and(ready)}, whose own consent is known" if ready else "")
            )
    nameless = [channel for channel in ready if not config.channels[channel].system]
    if nameless:
        steps.append(
            f"name the system that delivers {_and(nameless)}: system under its channel; without it "
            "nothing can be activated there"
        )
    others = [channel for channel in config.channels if channel not in ready]
    if others:
        steps.append(
            f"say where consent for {_and(others)} is kept, or leave them out of --channels: "
            "the data shows none, so these channels stay blocked"
        )
    return steps


def _and(names: Sequence[str]) -> str:
    """Return names as a list in a sentence: "web, in-app and email"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def _share(share: float) -> str:
    """Return a share in whole percent, cut: 94.9 % does not reach a floor of 95 %."""
    return f"{int(share * 100)}%"


def _workspace_steps(proposal: Proposal) -> list[str]:
    config, steps = proposal.config, []
    for part in ("timezone", "currency"):
        found = proposal.evidence[f"workspace.{part}"]
        if found.confidence < _UNCERTAIN:
            steps.append(f"check [workspace] {part} = {getattr(config.workspace, part)!r}: {found.text}")
    return steps


def _table_steps(proposal: Proposal) -> list[str]:
    config, steps = proposal.config, []
    zones: dict[str, list[str]] = {}
    for name, why in proposal.tables_without_role.items():
        if ONLY_PEOPLE in why:
            steps.append(
                f"give {name} an account: {why[why.index(ONLY_PEOPLE) :]}; make a view that adds the key of "
                "each person's company, map that key as account of [tables.people] too, and the view as "
                "[tables.opportunities]"
            )
    for path, found in proposal.evidence.items():
        if path.startswith("tables.") and found.confidence < _UNCERTAIN:
            steps.append(f"check [{path}]: {found.text}")
    for role, table in config.tables.items():
        text = proposal.evidence[f"tables.{role}"].text
        if "its times carry no zone" in text:
            zones.setdefault(table.time_zone or "UTC", []).append(f"[tables.{role}]")
        void = next((part for part in text.split("; ") if part.startswith(VOID)), "")
        if void:
            steps.append(f"check [tables.{role}] exclude: {void}; take a word out if these rows count")
    steps += [
        f"check time_zone of {', '.join(tables)}: their times carry no zone and are read as {zone}"
        for zone, tables in zones.items()
    ]
    return steps


def _catalog_steps(proposal: Proposal) -> list[str]:
    steps = []
    special = [name for name, a in proposal.config.attributes.items() if a.sensitivity == "special"]
    if special:
        steps.append(f"deny the special categories: gtm catalog deny {' '.join(special)}")
    ambiguous = [f"{c.table}.{c.column}" for c in proposal.unmapped if "no value tells" in c.why_not]
    if ambiguous:
        steps.append(f"say how these are written, under formats of their table: {', '.join(ambiguous)}")
    other = [c for c in proposal.unmapped if "no value tells" not in c.why_not]
    if other:
        many = "s" if len(other) > 1 else ""
        steps.append(f"look at {len(other)} unmapped column{many}, listed at the end of gtm.toml")
    steps.append("accept what is safe: gtm catalog accept --safe; then review the rest: gtm catalog review")
    return steps
