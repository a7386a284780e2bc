"""From a request to a plan: the blueprint filled in with what the workspace has today."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from gtm_orchestra.content import content_names, find_content
from gtm_orchestra.errors import BlockedError, SourceError
from gtm_orchestra.plans.blueprint import Filling, fill, parse_blueprint
from gtm_orchestra.plans.model import DataSource
from gtm_orchestra.plans.parse import canonical_json
from gtm_orchestra.plans.review import Known
from gtm_orchestra.policy.decisions import resolve_approvers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from gtm_orchestra.agents.registry import HandlerRegistry
    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.blueprint import Blueprint
    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.plans.review import Review
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["TOOLS", "data_sources_of", "known_names", "plan_from", "refuse_blockers"]

# What agents may call: the names that agents' files and blueprints use for our own code.
TOOLS: dict[str, str] = {
    "read_aggregates": "counts and distributions over the person frame, in the engine; pure",
    "read_schema": "tables, columns and types of the source; pure",
    "compare_schema": "the difference between two inventories of columns; pure",
    "read_config": "gtm.toml; pure",
    "compile_condition": "a condition as engine expression, numpy mask, payload and sentence; pure",
    "write_artifact": "keeps a file by content; write",
    "review_plan": "the planning checklist over the live plan; pure",
}


def data_sources_of(config: Config, warehouse: Warehouse) -> tuple[DataSource, ...]:
    """Return the tables that gtm.toml maps, with the columns they have now.

    Raises:
        SourceError: A mapped table or column is not there; all of them at once.
    """
    from gtm_orchestra.warehouse.doctor import check_workspace  # noqa: PLC0415 - ibis is heavy

    wrong = [check for check in check_workspace(config, warehouse) if not check.ok]
    if wrong:
        raise SourceError(
            "the source is not as gtm.toml maps it: "
            + "; ".join(f"{check.name}: {check.seen} (expected {check.expected})" for check in wrong),
            hint="correct gtm.toml, or restore the source; 'gtm doctor' checks again",
        )
    people = config.tables["people"].table
    if not warehouse.rows(warehouse.table(people).count().as_table())[0].popitem()[1]:
        raise SourceError(
            f"table {people!r} is empty: nobody to personalise for",
            hint="check the export, or map another table",
        )
    return tuple(
        DataSource(
            role=role,
            table=table.table,
            columns={n: str(t) for n, t in sorted(warehouse.table(table.table).schema().items())},
            owner=table.owner or "",
            freshness=table.freshness or "",
        )
        for role, table in sorted(config.tables.items())
    )


def plan_from(
    command: str,
    inputs: dict[str, Any],
    *,
    plan_id: str,
    config: Config,
    root: Path,
    sources: tuple[DataSource, ...],
    today: date,
) -> PlanDefinition:
    """Return the plan of a command for one initiative, as the workspace stands today.

    Raises:
        UsageError: An approver is nobody, or the blueprint does not offer the pattern.
    """
    content = find_content("plans", command, root)
    blueprint = parse_blueprint(content.text, what=content.path.name)
    included = _included(blueprint, root)
    parts = {name: part for name, (part, _) in included.items()}
    approvers = tuple(inputs.get("approvers", ()))
    resolve_approvers(config, approvers, on=today)
    deputies = {
        rung.who: config.people[handle].deputy or ""
        for rung in blueprint.ladder
        for handle in config.people_with_role(rung.who)[:1]
    }
    return fill(
        blueprint,
        Filling(
            plan_id=plan_id,
            initiative=inputs["initiative"],
            inputs=inputs,
            channels=tuple(inputs.get("channels", ())),
            pattern=inputs.get("pattern"),
            approvers=approvers,
            deputies=deputies,
            data_sources=sources,
            governance_cadence=_cadence(config),
            settings=_settings(config),
            attributes={
                name: _hash(entry.model_dump(mode="json")) for name, entry in config.attributes.items()
            },
            hashes={f"plans/{command}": content.sha256}
            | {f"plans/{name}": sha256 for name, (_, sha256) in included.items()}
            | {k: v for part in (blueprint, *parts.values()) for k, v in _content_hashes(part, root).items()},
        ),
        parts,
    )


def known_names(config: Config, root: Path, handlers: HandlerRegistry) -> Known:
    """Return what a plan's names are compared with."""
    roles: dict[str, list[str]] = {}
    for handle, person in config.people.items():
        for role in person.roles:
            roles.setdefault(role, []).append(handle)
    prompts = content_names("prompts", root)
    skills = {name.split("/")[1] for name in prompts if name.startswith("skills/")}
    return Known(
        agents=content_names("agents", root),
        kinds=handlers,
        tools={*TOOLS, *handlers.tools},
        skills=skills,
        roles=roles,
        people=config.people,
    )


def refuse_blockers(review: Review) -> None:
    """Pass if a review has no blocker.

    Raises:
        BlockedError: All blockers at once, each with its path and mend.
    """
    blockers = [finding for finding in review.findings if finding.severity == "blocker"]
    if blockers:
        raise BlockedError(
            f"the plan has {len(blockers)} blocker{'s' if len(blockers) > 1 else ''}: "
            + "; ".join(f"{b.path}: {b.message} ({b.mend})" for b in blockers),
            hint="mend them and run the same command again",
        )


def _included(blueprint: Blueprint, root: Path) -> dict[str, tuple[Blueprint, str]]:
    """Return the blueprints that this one includes, and those that they include, each with its SHA-256."""
    found: dict[str, tuple[Blueprint, str]] = {}
    known = content_names("plans", root)
    pending = [blueprint]
    while pending:
        for stage in pending.pop().stages:
            if stage.include in known and stage.include not in found:
                content = find_content("plans", stage.include, root)
                part = parse_blueprint(content.text, what=content.path.name)
                found[stage.include] = (part, content.sha256)
                pending.append(part)
    return found


def _content_hashes(blueprint: Any, root: Path) -> dict[str, str]:  # noqa: ANN401 - a Blueprint
    names: list[tuple[Any, str]] = []
    for stage in blueprint.stages:
        for task in stage.tasks:
            names.append(("agents", task.agent))
            names += [("prompts", f"skills/{skill}/SKILL") for skill in task.skills]
    there = {kind: content_names(kind, root) for kind, _ in names}
    return {
        f"{kind}/{name}": find_content(kind, name, root).sha256 for kind, name in names if name in there[kind]
    }


def _cadence(config: Config) -> dict[str, str]:
    tables = {f"tables.{role}": table.freshness for role, table in config.tables.items() if table.freshness}
    attributes = {f"attributes.{name}": a.cadence for name, a in config.attributes.items() if a.cadence}
    return dict(sorted((tables | attributes).items()))


def _settings(config: Config) -> dict[str, str]:
    """Return what gtm.toml says about channels, consent, policies, suppressions and metrics: path → value."""
    sections = config.model_dump(
        mode="json", include={"channels", "consent", "policies", "suppressions", "metrics"}
    )
    return dict(_flat("", sections))


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict) and not path.endswith(".condition"):
        for name in sorted(value):
            yield from _flat(f"{path}.{name}" if path else name, value[name])
    elif value not in (None, "", [], {}):
        yield path, value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _hash(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()
