"""What changed between two revisions of a plan, in words that a reviewer reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["diff_definitions", "schema_diff"]

_LONGEST = 80
_KEYS = {"stages": "stage_id", "tasks": "task_id", "gates": "gate_id", "data_sources": "role"}


def diff_definitions(before: PlanDefinition, after: PlanDefinition) -> tuple[str, ...]:
    """Return one line per change, ``path: before → after``; the schema's changes first and in plain words."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    schema = schema_diff(before, after)
    old.pop("data_sources")
    new.pop("data_sources")
    return (*schema, *_walk("", old, new))


def schema_diff(before: PlanDefinition, after: PlanDefinition) -> tuple[str, ...]:
    """Return what changed in the sources: tables and columns added, removed, or of another type."""
    old = {source.role: source for source in before.data_sources}
    new = {source.role: source for source in after.data_sources}
    lines = [f"table {role} ({new[role].table}) was added" for role in sorted(new.keys() - old.keys())]
    lines += [f"table {role} ({old[role].table}) was removed" for role in sorted(old.keys() - new.keys())]
    for role in sorted(old.keys() & new.keys()):
        was, now = old[role], new[role]
        if was.table != now.table:
            lines.append(f"{role} is read from {now.table} instead of {was.table}")
        columns, current = was.columns, now.columns
        lines += [
            f"{now.table}.{name} ({current[name]}) was added"
            for name in sorted(current.keys() - columns.keys())
        ]
        lines += [
            f"{now.table}.{name} ({columns[name]}) was removed"
            for name in sorted(columns.keys() - current.keys())
        ]
        lines += [
            f"{now.table}.{name} is {current[name]} instead of {columns[name]}"
            for name in sorted(columns.keys() & current.keys())
            if columns[name] != current[name]
        ]
        for field in ("owner", "freshness"):
            if getattr(was, field) != getattr(now, field):
                lines.append(f"{role}.{field}: {_short(getattr(was, field))} → {_short(getattr(now, field))}")
    return tuple(lines)


def _walk(path: str, old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if old == new:
        return
    if isinstance(old, list) and isinstance(new, list):
        key = _KEYS.get(path.rpartition(".")[2])
        if key is not None:
            old, new = {item[key]: item for item in old}, {item[key]: item for item in new}
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(n for n in new if n not in old)]:
            where = f"{path}.{name}" if path else str(name)
            if name not in new:
                yield f"{where} was removed"
            elif name not in old:
                yield f"{where} was added: {_short(new[name])}"
            else:
                yield from _walk(where, old[name], new[name])
        return
    yield f"{path}: {_short(old)} → {_short(new)}"


def _short(value: object) -> str:
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    elif value is None or isinstance(value, str):
        text = value or ""
    else:
        text = json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split()) or "nothing"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
