from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 600
BODY_LINES = 60

# What is longer, with its size today. A number may only fall; an entry that is no longer needed goes.
LONG_MODULES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}


def sources() -> list[Path]:
    folders = ("src", "tests", "benchmarks", "graphs", "scripts")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines from the first statement after the docstring to the end."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body or function.end_lineno is None:
        return 0
    return function.end_lineno - body[0].lineno + 1


def functions(path: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}

    def visit(node: ast.AST, names: tuple[str, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            inner = names
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = (*names, child.name)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                sizes[f"{path.relative_to(ROOT).as_posix()}::{'.'.join(inner)}"] = body_lines(child)
            visit(child, inner)

    visit(ast.parse(path.read_text(encoding="utf-8")), ())
    return sizes


def test_no_module_is_longer_than_its_cap() -> None:
    sizes = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in sources()
    }
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES} == LONG_MODULES


def test_no_function_is_longer_than_its_cap() -> None:
    sizes = {name: size for path in sources() for name, size in functions(path).items()}
    assert {name: size for name, size in sizes.items() if size > BODY_LINES} == LONG_FUNCTIONS


def test_every_module_of_ours_says_what_it_is() -> None:
    paths = [path for path in sources() if not path.is_relative_to(ROOT / "tests")]
    silent = [path for path in paths if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert [path.relative_to(ROOT).as_posix() for path in silent] == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('def f():\n    """One\n\n    two."""\n    a = 1\n    return a\n', 2),
        ("def f(\n    a,\n    b,\n):\n    return a\n", 1),
        ('def f():\n    """Only words."""\n', 0),
    ],
)
def test_a_body_is_counted_without_signature_and_docstring(code: str, lines: int) -> None:
    node = ast.parse(code).body[0]
    assert isinstance(node, ast.FunctionDef)
    assert body_lines(node) == lines
