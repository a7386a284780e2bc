"""What a dbt project already says about its tables: owners, descriptions, freshness, sensitivity, each cited.

dbt's word is taken where it adds or tightens. It never loosens what the values themselves show: a column of
e-mail addresses stays personal, whatever a tag says.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gtm_orchestra.config import Config
from gtm_orchestra.errors import ConfigError
from gtm_orchestra.warehouse.proposals.proposal import Evidence, Proposal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gtm_orchestra.config import Sensitivity

__all__ = ["apply_manifest", "read_manifest"]

_MAX_BYTES = 256 * 1024 * 1024
_KINDS = frozenset({"model", "seed", "snapshot"})
_PERIODS = {"minute": "m", "hour": "h", "day": "d"}
_KEYS = (
    "sensitivity",
    "classification",
    "data_classification",
    "privacy",
    "data_privacy",
    "pii",
    "contains_pii",
    "gdpr",
    "is_pii",
    "phi",
)
_WORDS: dict[str, Sensitivity] = {
    "pii": "personal",
    "personal": "personal",
    "personal_data": "personal",
    "contains_pii": "personal",
    "confidential_pii": "personal",
    "special": "special",
    "special_category": "special",
    "special_categories": "special",
    "phi": "special",
    "health": "special",
    "gdpr_special": "special",
    "sensitive_personal": "special",
    "art9": "special",
    "public": "none",
    "none": "none",
    "non_pii": "none",
    "not_pii": "none",
    "internal": "internal",
    "proxy": "proxy",
}
_TRUE: dict[str, Sensitivity] = {
    "pii": "personal",
    "contains_pii": "personal",
    "is_pii": "personal",
    "phi": "special",
    "gdpr": "personal",
}
_STRICTNESS: dict[Sensitivity, int] = {
    "none": 0,
    "internal": 1,
    "unknown": 1,
    "proxy": 2,
    "personal": 3,
    "special": 4,
}


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest.json of dbt.

    Raises:
        ConfigError: Missing, larger than 256 MB, not JSON, or no manifest.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path.name} is larger than 256 MB", hint="name dbt's target/manifest.json")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"no dbt manifest at {str(path)!r}", hint="run 'dbt parse' and name target/manifest.json"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path.name} cannot be read as JSON", hint="run 'dbt parse' again") from error
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), dict):
        raise ConfigError(
            f"{path.name} is no dbt manifest: it has no nodes", hint="name dbt's target/manifest.json"
        )
    return found


def apply_manifest(proposal: Proposal, manifest: Mapping[str, Any]) -> Proposal:
    """Return a proposal with what dbt says about its tables added, and cited: "dbt: model.x, column y, …".

    A table is matched by the name that dbt gives it in the warehouse; two nodes of one name match nothing.
    """
    raw = proposal.config.model_dump(mode="json", exclude_none=True, by_alias=True)
    evidence = dict(proposal.evidence)
    nodes = _nodes_by_table(manifest)
    for role, settings in raw["tables"].items():
        node = nodes.get(settings["table"].lower())
        if node is None:
            continue
        cited = _apply_table(settings, node, manifest)
        path = f"tables.{role}"
        if cited and path in evidence:
            evidence[path] = Evidence(
                text="; ".join([evidence[path].text, *cited]), confidence=evidence[path].confidence
            )
        for attribute in raw["attributes"].values():
            if attribute["table"] == role and attribute.get("column") is not None:
                _apply_column(attribute, node, settings.get("owner"))
    for attribute in raw["attributes"].values():
        # A column of the latest subscription stands in its account or person: "TABLE.COLUMN".
        table, _, column = (attribute.get("column") or "").partition(".")
        if column and table.lower() in nodes:
            _apply_column(attribute, nodes[table.lower()], None, column=column)
    return proposal.model_copy(
        update={"config": Config.model_validate(raw), "evidence": dict(sorted(evidence.items()))}
    )


def _nodes_by_table(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for node in manifest["nodes"].values():
        if isinstance(node, dict) and node.get("resource_type") in _KINDS:
            found.setdefault(str(node.get("alias") or node.get("name")).lower(), []).append(node)
    for node in (manifest.get("sources") or {}).values():
        # A model that is built from a source of the same name is nearer to what is read.
        name = str(node.get("identifier") or node.get("name")).lower()
        if name not in found:
            found.setdefault(name, []).append(node)
    return {name: nodes[0] for name, nodes in found.items() if len(nodes) == 1}


def _cite(node: Mapping[str, Any]) -> str:
    return f"dbt: {node.get('resource_type', 'source')}.{node.get('name')}"


def _apply_table(settings: dict[str, Any], node: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    cited = []
    owner, where = _owner(node, manifest)
    if owner:
        settings["owner"] = owner
        cited.append(f"{_cite(node)}, {where}")
    sla, source, kind = _freshness(node, manifest)
    if sla:
        settings["freshness"] = sla
        cited.append(f"{_cite(source)}, freshness.{kind}")
    return cited


def _meta(item: Mapping[str, Any]) -> dict[str, Any]:
    config = item.get("config")
    inner = config.get("meta") if isinstance(config, dict) else None
    return {**(inner if isinstance(inner, dict) else {}), **(item.get("meta") or {})}


def _tags(item: Mapping[str, Any]) -> tuple[str, ...]:
    config = item.get("config")
    inner = config.get("tags") if isinstance(config, dict) else None
    both = [*(item.get("tags") or ()), *((inner or ()) if isinstance(inner, (list, tuple)) else (inner,))]
    return tuple(sorted({str(tag) for tag in both if tag}))


def _owner(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> tuple[str, str]:
    meta = _meta(node)
    for key in ("owner", "data_owner", "team"):
        if (owner := _handle(meta.get(key))) != "":
            return owner, f"meta.{key}"
    group = node.get("group") or (node.get("config") or {}).get("group")
    for found in (manifest.get("groups") or {}).values():
        if group and found.get("name") == group and (owner := _handle(found.get("owner"))):
            return owner, f"group {group}"
    return "", ""


def _handle(owner: object) -> str:
    """Return how an owner is called: staff stand in gtm.toml as handles, not as addresses."""
    if isinstance(owner, dict):
        owner = owner.get("name") or owner.get("email")
    return str(owner).strip().split("@")[0][:100] if isinstance(owner, str) else ""


def _freshness(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], str]:
    """Return the slowest promise of the sources that a table is built from: it cannot be fresher."""
    found: list[tuple[float, str, Mapping[str, Any], str]] = []
    for source in _sources(node, manifest):
        rule = source.get("freshness") or (source.get("config") or {}).get("freshness") or {}
        for kind in ("error_after", "warn_after"):
            limit = rule.get(kind) if isinstance(rule, dict) else None
            if isinstance(limit, dict) and limit.get("count") and limit.get("period") in _PERIODS:
                unit = _PERIODS[limit["period"]]
                hours = int(limit["count"]) * {"m": 1 / 60, "h": 1, "d": 24}[unit]
                found.append((hours, f"{int(limit['count'])}{unit}", source, kind))
                break
    if not found:
        return "", node, ""
    _, sla, source, kind = max(found, key=lambda item: (item[0], str(item[2].get("name"))))
    return sla, source, kind


def _sources(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    sources, nodes = manifest.get("sources") or {}, manifest["nodes"]
    seen: set[str] = set()
    queue: list[Mapping[str, Any]] = [node]
    while queue:
        current = queue.pop()
        if current.get("resource_type", "source") == "source":
            yield current
        for parent in sorted((current.get("depends_on") or {}).get("nodes") or ()):
            if parent not in seen:
                seen.add(parent)
                if (found := sources.get(parent) or nodes.get(parent)) is not None:
                    queue.append(found)


def _apply_column(
    attribute: dict[str, Any], node: Mapping[str, Any], owner: str | None, *, column: str | None = None
) -> None:
    wanted = (column or attribute["column"]).lower()
    found = next((c for name, c in (node.get("columns") or {}).items() if name.lower() == wanted), None)
    if owner and not attribute.get("owner"):
        attribute["owner"] = owner
    if found is None:
        return
    cite = f"{_cite(node)}, column {found.get('name', wanted)}"
    cited = []
    if description := str(found.get("description") or "").strip():
        attribute["description"] = " ".join(description.split())[:500]
        cited.append(f"{cite}, description")
    meta = _meta(found)
    if own := _handle(meta.get("owner")):
        attribute["owner"] = own
        cited.append(f"{cite}, meta.owner")
    said = _sensitivity(meta, _tags(found))
    if said is not None:
        cited.append(f"{cite}, {said[1]}")
        before = attribute.get("sensitivity", "unknown")
        if _STRICTNESS[said[0]] > _STRICTNESS[before] or before == "unknown":
            attribute["sensitivity"] = said[0]
        elif _STRICTNESS[said[0]] < _STRICTNESS[before]:
            note = f"dbt says {said[0]}, the data says {before}"
            attribute["sensitivity_note"] = "; ".join(
                filter(None, [attribute.get("sensitivity_note", ""), note])
            )
    if cited:
        attribute["evidence"] = "; ".join(filter(None, [attribute.get("evidence", ""), *cited]))


def _sensitivity(meta: Mapping[str, Any], tags: tuple[str, ...]) -> tuple[Sensitivity, str] | None:
    """Return the strictest class that meta or tags name, with where it stands."""
    found: list[tuple[Sensitivity, str]] = []
    for key in _KEYS:
        value = meta.get(key)
        word = str(value).strip().lower().replace("-", "_").replace(" ", "_")
        if value is True or word in {"true", "yes"}:
            if key in _TRUE:
                found.append((_TRUE[key], f"meta.{key}"))
        elif word in _WORDS:
            found.append((_WORDS[word], f"meta.{key}"))
    found += [
        (_WORDS[word], f"tag {tag}")
        for tag in tags
        if (word := tag.lower().replace("-", "_").replace(" ", "_")) in _WORDS
    ]
    return max(found, key=lambda item: _STRICTNESS[item[0]], default=None)
