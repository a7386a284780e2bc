from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import gtm_orchestra

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# What a user may import and rely on. A name that goes, or changes its meaning, is a line in CHANGELOG.md.
PUBLIC = ["GtmError", "HandlerRegistry", "TaskContext", "Workspace", "__version__"]


def declared() -> list[tuple[str, list[str]]]:
    """Return each module that has an `__all__`, with it, without importing anything."""
    found: list[tuple[str, list[str]]] = []
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        assigned = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.Assign)]
        found += [
            (name, list(ast.literal_eval(node.value)))
            for node in assigned
            if [ast.unparse(target) for target in node.targets] == ["__all__"]
        ]
    return found


def order(name: str) -> tuple[int, str]:
    """Sort constants, then classes, then the rest, as the linter does."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def test_the_public_names_are_the_committed_ones() -> None:
    assert gtm_orchestra.__all__ == PUBLIC


@pytest.mark.parametrize(("module", "names"), declared())
def test_every_declared_name_exists_once_and_in_order(module: str, names: list[str]) -> None:
    assert names == sorted(set(names), key=order)
    loaded = importlib.import_module(module)
    assert [name for name in names if not hasattr(loaded, name)] == []
