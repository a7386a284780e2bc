"""A proposal is held to the checks of `gtm doctor` before anybody sees it; what fails is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gtm_orchestra.config import Config
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.proposal import ColumnProposal, Evidence, Proposal

__all__ = ["keep_what_holds"]

# Taking out a table may leave others without what they refer to.
_ROUNDS = 4


def keep_what_holds(warehouse: Warehouse, proposal: Proposal) -> Proposal:
    """Return the proposal without what the data cannot give as mapped, each column with the reason.

    The people table stays whatever the checks say: without it there is no workspace, and the next steps say
    what to mend.
    """
    from gtm_orchestra.warehouse.doctor import check_workspace  # noqa: PLC0415 - imports ibis

    for _ in range(_ROUNDS):
        failed = {
            check.name: check.seen for check in check_workspace(proposal.config, warehouse) if not check.ok
        }
        failed = {name: seen for name, seen in failed.items() if not name.startswith("tables.people")}
        if not failed:
            break
        for name, seen in failed.items():
            section, _, rest = name.partition(".")
            if section == "attributes":
                proposal = _without_attributes(proposal, {rest: seen})
            elif section == "tables":
                proposal = _without_table(proposal, rest.split(".")[0], seen)
    return proposal


def _without_attributes(proposal: Proposal, why: Mapping[str, str]) -> Proposal:
    config = proposal.config
    attributes = {name: a for name, a in config.attributes.items() if name not in why}
    suppressions = {
        name: s for name, s in config.suppressions.items() if not _names(s.condition) & why.keys()
    }
    return proposal.model_copy(
        update={
            "config": _changed(config, attributes=attributes, suppressions=suppressions),
            "columns": _columns(proposal, lambda c: why.get(c.attribute, ""), {"attribute": ""}),
            "evidence": _evidence(
                proposal, {f"suppressions.{n}" for n in config.suppressions if n not in suppressions}
            ),
        }
    )


def _without_table(proposal: Proposal, role: str, why: str) -> Proposal:
    config = proposal.config
    settings = config.tables.get(role)  # type: ignore[call-overload]  # the doctor names roles of the config
    if settings is None:
        return proposal
    reason = f"taken for {role}, but {why}"
    lost = {
        name: reason
        for name, a in config.attributes.items()
        if a.table == role or (a.column or "").startswith(f"{settings.table}.")
    }
    proposal = _without_attributes(proposal, lost)
    config = proposal.config
    tables = {other: table for other, table in config.tables.items() if other != role}
    metrics = {} if role == "events" else config.metrics
    return proposal.model_copy(
        update={
            "config": _changed(config, tables=tables, metrics=metrics),
            "columns": _columns(
                proposal,
                lambda c: reason if c.table == settings.table else "",
                {"role": "", "meaning": "", "attribute": "", "consent": ""},
            ),
            "evidence": _evidence(proposal, {f"tables.{role}"}),
            "tables_without_role": {**proposal.tables_without_role, settings.table: reason},
        }
    )


def _changed(config: Config, **parts: Any) -> Config:  # noqa: ANN401 - parts of the config by name
    return config.model_copy(update=parts)


def _columns(
    proposal: Proposal, why: Callable[[ColumnProposal], str], cleared: Mapping[str, str]
) -> tuple[ColumnProposal, ...]:
    found = []
    for column in proposal.columns:
        if reason := why(column):
            plain = column.model_copy(update=dict(cleared))
            column = plain if plain.mapped else plain.model_copy(update={"why_not": reason})  # noqa: PLW2901 - as taken out
        found.append(column)
    return tuple(found)


def _evidence(proposal: Proposal, gone: set[str]) -> dict[str, Evidence]:
    return {path: found for path, found in proposal.evidence.items() if path not in gone}


def _names(condition: object) -> set[str]:
    """Return every attribute that a condition names, at any depth."""
    if isinstance(condition, dict):
        return {str(key) for key in condition} | set().union(*(_names(value) for value in condition.values()))
    if isinstance(condition, list):
        return set().union(*(_names(value) for value in condition))
    return set()
