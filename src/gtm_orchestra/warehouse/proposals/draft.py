"""`propose`: read an unknown source and write down what it seems to be, with evidence, for a reviewer."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.config import REQUIRED_COLUMNS, Config, ConsentSettings
from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.proposals.business import (
    find_currency,
    find_timezone,
    frequent_events,
    propose_channels,
    propose_metrics,
)
from gtm_orchestra.warehouse.proposals.columns import read_column
from gtm_orchestra.warehouse.proposals.context import in_context
from gtm_orchestra.warehouse.proposals.entries import Entries, consent_words
from gtm_orchestra.warehouse.proposals.exclusions import own_domain
from gtm_orchestra.warehouse.proposals.measures import measure_table, overlap
from gtm_orchestra.warehouse.proposals.names import slug
from gtm_orchestra.warehouse.proposals.proposal import Evidence, Proposal
from gtm_orchestra.warehouse.proposals.readiness import ConsentMeasure, measure_consent, next_steps
from gtm_orchestra.warehouse.proposals.readings import RoleReading, TableReading
from gtm_orchestra.warehouse.proposals.tables import assign_roles
from gtm_orchestra.warehouse.proposals.verification import keep_what_holds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gtm_orchestra.config import TableRole
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["propose"]


def propose(
    warehouse: Warehouse,
    *,
    name: str,
    source: str = ".",
    timezone: str | None = None,
    currency: str | None = None,
    author: str | None = None,
    dbt_manifest: Path | None = None,
) -> Proposal:
    """Return what a source seems to be. Read-only; deterministic for the same data.

    Args:
        warehouse: The open source.
        name: Of the workspace.
        source: `[source] url` to be written; never with a password.
        timezone: Business time zone, if it is known; else what the data suggests.
        currency: The same for money.
        author: Operating-system user who becomes the first person of `[people]`; default: the current one.
        dbt_manifest: A manifest.json of dbt whose owners, descriptions, freshness and tags are taken over.

    Raises:
        SourceError: No table of people is found, or a table or the manifest cannot be read.
    """
    tables = tuple(_read(warehouse, table) for table in warehouse.table_names())
    roles, without = assign_roles(warehouse, tables)
    if "people" not in roles:
        raise SourceError(
            f"no table of {warehouse.where} looks like people: none has a column that tells persons apart "
            f"beside names or addresses; tables there: {', '.join(t.name for t in tables)}",
            hint="write gtm.toml by hand: docs/gtm-toml.md shows [tables.people]",
        )
    entries = Entries()
    for table in tables:
        role = next((found for found in roles.values() if found.table.name == table.name), None)
        if role is None:
            entries.skip(table.name, table.columns, without[table.name])
        else:
            entries.add(role)
    beside = _settle_consent(warehouse, roles, entries)
    if (own := own_domain(warehouse, roles["people"].table)) is not None:
        entries.keep_out_staff(*own)
    events = roles.get("events")
    if events is not None:
        entries.add_events(events, frequent_events(events))
    evidence = {
        f"tables.{role}": Evidence(text=r.evidence, confidence=round(r.confidence, 2))
        for role, r in roles.items()
    }
    if beside:
        said = evidence["tables.consents"]
        evidence["tables.consents"] = said.model_copy(update={"text": "; ".join((said.text, *beside))})
    raw = _config(
        name, source, tables, roles, entries, evidence, timezone=timezone, currency=currency, author=author
    )
    proposal = Proposal(
        config=Config.model_validate(raw),
        columns=tuple(entries.columns),
        evidence=dict(sorted(evidence.items())),
        tables_without_role=dict(sorted(without.items())),
        next_steps=(),
    )
    if dbt_manifest is not None:
        from gtm_orchestra.warehouse.dbt import apply_manifest, read_manifest  # noqa: PLC0415 - rarely needed

        proposal = apply_manifest(proposal, read_manifest(dbt_manifest))
    proposal = keep_what_holds(warehouse, proposal)
    measured = measure_consent(warehouse, proposal.config, {*entries.snapshots, *_logged(roles)})
    proposal = proposal.model_copy(
        update={"evidence": dict(sorted({**proposal.evidence, **_floor(measured)}.items()))}
    )
    return proposal.model_copy(update={"next_steps": next_steps(proposal, measured)})


def _settle_consent(
    warehouse: Warehouse, roles: Mapping[TableRole, RoleReading], entries: Entries
) -> tuple[str, ...]:
    """Decide between the log and columns of people that say the same, and return how, as evidence."""
    covered = _covered(warehouse, roles)
    found = []
    for purpose, column in entries.settle_objections(_logged(roles), covered=covered).items():
        if column.startswith("+"):
            found.append(
                f"it knows {covered:.0%} of the people, and {column[1:]!r} of people says {purpose} for the "
                "others: a no in either is a no"
            )
        else:
            found.append(f"{column!r} of people shows {purpose} as of today, and is left to this log")
    return tuple(found)


def _covered(warehouse: Warehouse, roles: Mapping[TableRole, RoleReading]) -> float:
    """Return the share of people whom the consent log knows."""
    people, log = roles["people"], roles.get("consents")
    if log is None:
        return 0.0
    own = people.columns[log.person_by or "key"]
    hits, _ = overlap(warehouse, (people.table.name, own), (log.table.name, log.columns["person"]))
    return hits / max(people.table.measure.rows, 1)


def _floor(measured: Mapping[str, ConsentMeasure]) -> dict[str, Evidence]:
    """Return what was measured against the floor of consent integrity, as evidence."""
    text = "; ".join(
        f"measured: {purpose} {_proof(found)} for {found.integrity:.1%}"
        for purpose, found in measured.items()
    )
    return {"consent.integrity_floor": Evidence(text=text, confidence=1.0)} if text else {}


def _proof(found: ConsentMeasure) -> str:
    return "provable" if found.provable else "known, from a column,"


def _read(warehouse: Warehouse, name: str) -> TableReading:
    measure = measure_table(warehouse, name)
    return TableReading(measure, tuple(in_context(read_column(c), name) for c in measure.columns))


def _config(  # noqa: PLR0913 - one value per part of gtm.toml
    name: str,
    source: str,
    tables: tuple[TableReading, ...],
    roles: dict[TableRole, RoleReading],
    entries: Entries,
    evidence: dict[str, Evidence],
    *,
    timezone: str | None,
    currency: str | None,
    author: str | None,
) -> dict[str, Any]:
    zone = (timezone, "given", 1.0) if timezone else find_timezone(tables)
    money = (currency, "given", 1.0) if currency else find_currency(tables)
    evidence["workspace.timezone"] = Evidence(text=zone[1], confidence=zone[2])
    evidence["workspace.currency"] = Evidence(text=money[1], confidence=money[2])
    has_email = "email" in roles["people"].columns
    channels = propose_channels(sorted({*entries.snapshots, *_logged(roles)}), has_email=has_email)
    metrics = propose_metrics(roles.get("events"), roles.get("opportunities"), str(money[0]))
    # A metric of opportunities needs SQL that only the owner of the data can stand for.
    metrics = {key: value for key, value in metrics.items() if value[0].get("event")}
    for part, found in (("channels", channels), ("metrics", metrics)):
        evidence |= {
            f"{part}.{key}": Evidence(text=text, confidence=sure) for key, (_, text, sure) in found.items()
        }
    for purpose, snapshot in entries.snapshots.items():
        reading = roles["people"].table.measure.column(snapshot["column"])
        evidence[f"consent.snapshots.{purpose}"] = Evidence(
            text=f"{snapshot['column']!r} says yes or no ({reading.coverage:.0%} filled); "
            "not provable at exposure time",
            confidence=0.8,
        )
    evidence |= {
        f"suppressions.{key}": Evidence(text=text, confidence=0.9) for key, text in entries.exclusions.items()
    }
    zones = _zones(roles, str(zone[0]), evidence)
    handle = author or getpass.getuser()
    return {
        "workspace": {"name": name, "timezone": zone[0], "currency": money[0]},
        "source": {"url": source},
        "tables": {
            role: _table(role, roles[role], entries) | zones.get(role, {})
            for role in REQUIRED_COLUMNS
            if role in roles
        },
        "consent": _consent(roles, entries),
        "channels": {channel: settings for channel, (settings, _, _) in channels.items()},
        "people": {slug(handle): {"name": handle, "roles": ["personalization-architect"], "os_user": handle}},
        "metrics": {key: settings for key, (settings, _, _) in metrics.items()},
        "suppressions": entries.suppressions,
        "attributes": entries.attributes,
    }


def _table(role: str, found: RoleReading, entries: Entries) -> dict[str, Any]:
    settings: dict[str, Any] = {"table": found.table.name, "columns": entries.meanings[role]}
    if found.constants:
        settings["constants"] = dict(found.constants)
    if entries.formats[role]:
        settings["formats"] = entries.formats[role]
    if found.person_by is not None:
        settings["person_by"] = found.person_by
    if found.account_by is not None:
        settings["account_by"] = found.account_by
    if found.exclude:
        settings["exclude"] = {name: list(said) for name, said in found.exclude.items()}
    return settings


def _zones(
    roles: dict[TableRole, RoleReading], zone: str, evidence: dict[str, Evidence]
) -> dict[str, dict[str, str]]:
    """Return the zone of each table whose times are written for people, without one; said in its evidence.

    A time that a program wrote for programs, such as 2026-01-31 09:30:00, stays in UTC unless somebody says
    otherwise.
    """
    found: dict[str, dict[str, str]] = {}
    for role, reading in roles.items():
        dates = [
            c.measure.dates for c in reading.table.columns if c.measure.dates is not None and not c.problem
        ]
        local = any(d.has_clock and not d.zoned and not d.iso for d in dates)
        bare = any(
            c.measure.type == "timestamp"
            and not c.measure.zoned
            and c.measure.name in reading.columns.values()
            for c in reading.table.columns
        )
        if not local and not bare:
            continue
        if local and zone != "UTC":
            found[role] = {"time_zone": zone}
        where = f"read as {zone}, the business time zone" if role in found else "read as UTC"
        said = evidence[f"tables.{role}"]
        evidence[f"tables.{role}"] = said.model_copy(
            update={"text": f"{said.text}; its times carry no zone: {where}"}
        )
    return found


def _logged(roles: Mapping[TableRole, RoleReading]) -> tuple[str, ...]:
    """Return the purposes that the consent log knows, sorted."""
    log = roles.get("consents")
    if log is None:
        return ()
    if "purpose" in log.constants:
        return (log.constants["purpose"],)
    return tuple(sorted(log.table.measure.column(log.columns["purpose"]).vocabulary))


def _consent(roles: dict[TableRole, RoleReading], entries: Entries) -> dict[str, Any]:
    settings: dict[str, Any] = {"snapshots": entries.snapshots}
    log = roles.get("consents")
    if log is not None and "status" in log.columns:
        by_name = {c.measure.name: c for c in log.table.columns}
        yes, no = consent_words({"status": by_name[log.columns["status"]]})
        usual = ConsentSettings()
        settings["granted"] = sorted({*usual.granted, *yes})
        settings["denied"] = sorted({*usual.denied, *no})
    return settings
