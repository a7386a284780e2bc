"""A proposal as gtm.toml: readable from top to bottom, with the evidence beside what it supports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit

from gtm_orchestra.config import load_config
from gtm_orchestra.errors import ConflictError
from gtm_orchestra.warehouse.tomlfile import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from tomlkit.items import Table

    from gtm_orchestra.warehouse.proposals.proposal import Proposal

__all__ = ["config_text", "write_config"]

_HEAD = """\
gtm.toml: what this workspace says about its customer data, channels, people and policies.
Proposed from the data. Each proposal has its evidence and a confidence from 0 to 1; nothing is in force
before a person has reviewed it: attributes stay unusable in rules until 'gtm catalog accept'.
docs/gtm-toml.md describes every field, docs/own-data.md the way from here."""
_SECTIONS = {
    "source": "Where the customer data lies. It is only ever read.",
    "tables": "Which table plays which role, and which of its columns mean what.",
    "consent": "Which words mean yes and no, and current-state columns that are accepted as snapshots.",
    "channels": "What each channel needs: the purpose people must have agreed to, and how it finds them.",
    "people": "Who may decide. Names of customers never stand here.",
    "metrics": "What success is measured by. Proposed from event names: check them with your analysts.",
    "suppressions": "Who never gets a personalised variant, whatever the profile.",
    "policies": "The floors that code enforces.",
    "attributes": "The attribute catalog. Only what a person has accepted may stand in a rule.",
}
_FLOOR = """\
The least share of people whose consent status is known, unexpired and, in a log, provable. A channel whose
purpose is below it stays blocked. People without a known status are left out in any case, whatever the
floor: whether a lower one is right is for the privacy lead to decide."""
_PRIVACY_LEAD = """\
A privacy lead must sign off before anything is deployed. Fill this in and remove the marks:
[people.privacy]
name = "Name of the data privacy lead"
roles = ["privacy-lead"]"""


def config_text(proposal: Proposal) -> str:
    """Return the text of gtm.toml for a proposal. The same proposal gives the same bytes."""
    raw = proposal.config.model_dump(mode="json", exclude_defaults=True, exclude_none=True, by_alias=True)
    document = tomlkit.document()
    _comment(document, _HEAD)
    document.add(tomlkit.nl())
    _comment(
        document, "Next steps:\n" + "\n".join(f"{n}. {step}" for n, step in enumerate(proposal.next_steps, 1))
    )
    document.add(tomlkit.nl())
    raw.setdefault("consent", {})
    document.add("version", 1)
    document.add(tomlkit.nl())
    document.add("workspace", _workspace(proposal, raw.pop("workspace")))
    for section in (
        "source",
        "tables",
        "consent",
        "channels",
        "people",
        "metrics",
        "suppressions",
        "policies",
        "attributes",
    ):
        if section not in raw:
            continue
        document.add(tomlkit.nl())
        _comment(document, _SECTIONS[section])
        document.add(section, _section(proposal, section, raw[section]))
    _unmapped(document, proposal)
    return tomlkit.dumps(document)


def write_config(proposal: Proposal, path: Path, *, overwrite: bool = False) -> None:
    """Write a proposal as gtm.toml, whole or not at all.

    Raises:
        ConflictError: The file exists and may not be overwritten.
        StorageError: The folder cannot be written.
        ConfigError: What would be written does not load; the old file stays.
    """
    if path.exists() and not overwrite:
        raise ConflictError(
            f"{path.name} exists already in {str(path.parent)!r}",
            hint="remove it, or choose another folder; 'gtm catalog' edits an existing one",
        )
    write_file(path, config_text(proposal), check=load_config)


def _workspace(proposal: Proposal, values: dict[str, Any]) -> Table:
    table = tomlkit.table()
    for key in ("name", "timezone", "currency"):
        value = values.pop(key, getattr(proposal.config.workspace, key))
        table.add(key, value)
        if (found := proposal.evidence.get(f"workspace.{key}")) is not None:
            table[key].comment(f"{found.text} (confidence {found.confidence:.2f})")
    for key, value in values.items():
        table.add(key, value)
    return table


def _section(proposal: Proposal, section: str, values: dict[str, Any]) -> Table:
    if section in {"source", "policies"}:
        return _plain(values)
    if section == "consent":
        table = tomlkit.table()
        _fill_floor(table, proposal)
        _fill(
            table,
            {key: value for key, value in values.items() if key not in {"snapshots", "integrity_floor"}},
        )
        if values.get("snapshots"):
            table.add("snapshots", _named(proposal, "consent.snapshots", values["snapshots"]))
        return table
    return _named(proposal, section, values)


def _fill_floor(table: Table, proposal: Proposal) -> None:
    """Write the floor out, though it is the default: it is what most first runs stumble over."""
    for line in _FLOOR.splitlines():
        table.add(tomlkit.comment(line))
    if (found := proposal.evidence.get("consent.integrity_floor")) is not None:
        for line in found.text.split("; "):
            table.add(tomlkit.comment(line))
    table.add("integrity_floor", proposal.config.consent.integrity_floor)


def _named(proposal: Proposal, section: str, values: dict[str, Any]) -> Table:
    table = tomlkit.table(is_super_table=True)
    for name, settings in values.items():
        inner = tomlkit.table()
        if (found := proposal.evidence.get(f"{section}.{name}")) is not None:
            inner.comment(f"confidence {found.confidence:.2f}")
            for line in found.text.split("; "):
                inner.add(tomlkit.comment(line))
        _fill(inner, settings)
        if section == "people" and name == next(reversed(values)):
            inner.add(tomlkit.nl())
            for line in _PRIVACY_LEAD.splitlines():
                inner.add(tomlkit.comment(line))
        table.add(name, inner)
    return table


def _plain(values: dict[str, Any]) -> Table:
    table = tomlkit.table()
    _fill(table, values)
    return table


def _fill(table: Table, values: dict[str, Any]) -> None:
    nested = {key: value for key, value in values.items() if isinstance(value, dict)}
    for key, value in values.items():
        if key not in nested:
            table.add(key, value)
    for key, value in nested.items():
        if key == "condition":
            inline = tomlkit.inline_table()
            inline.update(value)
            table.add(key, inline)
        else:
            table.add(key, _plain(value))


def _unmapped(document: tomlkit.TOMLDocument, proposal: Proposal) -> None:
    if not proposal.unmapped:
        return
    document.add(tomlkit.nl())
    lines = [f"{len(proposal.unmapped)} of {len(proposal.columns)} columns stay unmapped:"]
    lines += [f"  {c.table}.{c.column}: {c.why_not}" for c in proposal.unmapped]
    _comment(document, "\n".join(lines))


def _comment(document: tomlkit.TOMLDocument, text: str) -> None:
    for line in text.splitlines():
        # A header from a file may hold anything; a comment may not hold control characters.
        document.add(tomlkit.comment("".join(c if c.isprintable() else " " for c in line)))
