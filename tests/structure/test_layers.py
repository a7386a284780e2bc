from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
PACKAGE = "gtm_orchestra"

# From top to bottom. A module imports only from its own package and from lines below; packages on one line
# do not know each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("interfaces",),
    ("sample",),
    ("service",),
    ("runs",),
    ("graphs",),
    ("agents",),
    ("monitoring", "reports"),
    ("experiments", "decisions", "destinations", "preview"),
    ("audience",),
    ("warehouse",),
    ("state",),
    ("llm", "traces"),
    ("trust",),
    ("policy",),
    ("conditions", "plans"),
    ("config", "content"),
    ("model",),
    ("errors",),
)
LEVEL = {name: -depth for depth, names in enumerate(LAYERS) for name in names}

# Adapters own their library: nobody else imports it.
OWNERS = {
    "click": {"interfaces"},
    "dbos": {"runs"},
    "fastapi": {"interfaces"},
    "fastmcp": {"interfaces"},
    "langgraph": {"graphs"},
    "openai": {"llm"},
    "prompt_toolkit": {"interfaces"},
    "rich": {"interfaces"},
    "sqlalchemy": {"state"},
}
# Neither clock nor chance nor network nor disk: they arrive as arguments.
PURE = {"conditions", "plans", "errors", "model"}
IMPURE = {
    "http",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "time",
    "urllib",
    "uuid",
}

_REFERENCE = re.compile(rf"{PACKAGE}\.(\w+)(?:\.\w+)*(?::\w+)?")


def modules() -> list[Path]:
    return sorted((SRC / PACKAGE).rglob("*.py"))


def home(path: Path, root: Path = SRC) -> str:
    """Return the layer's name of a module; "" for the package's own `__init__` and `__main__`."""
    part = path.relative_to(root / PACKAGE).parts[0].removesuffix(".py")
    return "" if part in {"__init__", "__main__"} else part


def imports(path: Path, root: Path = SRC) -> list[tuple[int, str]]:
    """Return line and dotted name of every import of a module, those in functions and in strings too.

    A string that is nothing but the dotted name of a module counts: lazy commands are named that way.
    """
    here = path.relative_to(root).with_suffix("").parts
    package = here[:-1]
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            source = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{source}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = _REFERENCE.fullmatch(node.value)
            # The name of an entry-point group looks alike and imports nothing.
            if match is not None and match[1] in LEVEL:
                found.append((node.lineno, node.value.replace(":", ".")))
    return found


def violations(path: Path, root: Path = SRC) -> list[str]:
    """Return every import that points sideways or upwards, as `file:line imports name`."""
    own = home(path, root)
    level = LEVEL[own] if own else 1
    found = []
    for line, name in imports(path, root):
        parts = name.split(".")
        if parts[0] != PACKAGE or name == f"{PACKAGE}.__version__":
            continue
        target = parts[1] if len(parts) > 1 else ""
        if target not in LEVEL:
            found.append(f"{path.relative_to(root)}:{line} imports {name}, which is no layer")
        elif target != own and LEVEL[target] >= level:
            found.append(f"{path.relative_to(root)}:{line} imports {name}, which is not below {own}")
    return found


def test_every_module_belongs_to_a_layer() -> None:
    assert sorted({home(path) for path in modules()} - {"", *LEVEL}) == []


def test_a_module_imports_only_from_layers_below_its_own() -> None:
    assert [violation for path in modules() for violation in violations(path)] == []


def test_a_library_is_imported_by_its_owner_alone() -> None:
    found = [
        f"{path.relative_to(SRC)}:{line} imports {name}"
        for path in modules()
        for line, name in imports(path)
        if name.split(".")[0] in OWNERS and home(path) not in OWNERS[name.split(".")[0]]
    ]
    assert found == []


def test_the_pure_core_has_no_clock_chance_network_or_disk() -> None:
    found = [
        f"{path.relative_to(SRC)}:{line} imports {name}"
        for path in modules()
        for line, name in imports(path)
        if home(path) in PURE and name.split(".")[0] in IMPURE
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "from gtm_orchestra.service import workspace",
        "from gtm_orchestra import service",
        "import gtm_orchestra.service.workspace",
        "from ..service import workspace",
        "def late():\n    from gtm_orchestra.service import workspace",
        "TARGET = 'gtm_orchestra.service.workspace:open_workspace'",
        "from gtm_orchestra.plans import document",
        "from gtm_orchestra import Workspace",
    ],
)
def test_an_import_upwards_or_sideways_is_found(tmp_path: Path, code: str) -> None:
    path = tmp_path / PACKAGE / "conditions" / "language.py"
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    assert len(violations(path, tmp_path)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "from gtm_orchestra.errors import ConditionError",
        "from gtm_orchestra.conditions.parse import parse",
        "from . import parse",
        "from .parse import parse",
        "from gtm_orchestra import __version__",
        "TEXT = 'gtm_orchestra.service is a layer'",
        "GROUP = 'gtm_orchestra.handlers'",
        "import numpy",
    ],
)
def test_an_import_downwards_or_within_is_allowed(tmp_path: Path, code: str) -> None:
    path = tmp_path / PACKAGE / "conditions" / "language.py"
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    assert violations(path, tmp_path) == []
