from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTENT = ("agents", "graphs", "plans", "prompts")
TOP_FOLDERS = {".ci", "benchmarks", "docs", "scripts", "src", "tests", *CONTENT}
TOP_FILES = {
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "constraints-lowest.txt",
    "constraints.txt",
    "langgraph.json",
    "pyproject.toml",
}
SUFFIXES = {"agents": {".md"}, "plans": {".yaml"}, "prompts": {".md"}, "graphs": {".py"}}
# A word of these says nothing about what lies inside.
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}

# Each is written so that this file does not hold what it forbids.
FORBIDDEN = {
    "a path of one machine": r"/(?:root|work|home/[a-z]+)/[a-z.]|/tmp/[a-z]+[_-]jobs",
    "a host of a package registry": r"py[p]i\b|python[h]osted|registry\.npm[j]s",
    "a document that is not in this repository": r"\b(?:DESIGN|STYLE|FACTS|BRIEF)\.[m]d\b|\bsee[d]s/",
    "an issue by its number": r"\b[Ii]ssue #?[0-9]",
    "a merge that was not finished": r"^(?:<{7}|>{7}) ",
}


@cache
def tracked() -> tuple[Path, ...]:
    """Return every file that is committed or about to be; without git (an unpacked sdist), every file."""
    if not (ROOT / ".git").exists():
        installed = {".venv", ".venv-lowest"}
        return tuple(sorted(p for p in ROOT.rglob("*") if p.is_file() and not installed & set(p.parts)))
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607  (git from PATH: the repository's own)
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(ROOT / name for name in sorted(listed.split("\0")) if name and (ROOT / name).is_file())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_top_level_holds_only_what_the_layout_names() -> None:
    names = {path.relative_to(ROOT).parts for path in tracked()}
    assert {parts[0] for parts in names if len(parts) > 1} <= TOP_FOLDERS
    assert {parts[0] for parts in names if len(parts) == 1} <= TOP_FILES


@pytest.mark.parametrize("folder", CONTENT)
def test_a_content_folder_is_never_a_package(folder: str) -> None:
    # With an __init__.py, `python -m pytest` at the root would import ours for somebody's `agents`.
    assert list((ROOT / folder).rglob("__init__.py")) == []
    suffixes = {path.suffix for path in tracked() if path.is_relative_to(ROOT / folder)}
    assert suffixes, f"{folder}/ is empty"
    assert suffixes <= SUFFIXES[folder]


def test_every_package_of_ours_is_a_regular_one() -> None:
    package = ROOT / "src" / "gtm_orchestra"
    folders = {path.parent for path in package.rglob("*.py")}
    assert sorted(relative(folder) for folder in folders if not (folder / "__init__.py").is_file()) == []


def test_no_test_folder_is_a_package() -> None:
    assert sorted(relative(path) for path in (ROOT / "tests").rglob("__init__.py")) == []


def test_no_file_is_named_after_nothing() -> None:
    def words(path: Path) -> set[str]:
        return {word for part in path.relative_to(ROOT).parts for word in re.split(r"[^a-z]+", part.lower())}

    assert sorted(relative(path) for path in tracked() if words(path) & EMPTY_NAMES) == []


@pytest.mark.parametrize(("what", "pattern"), FORBIDDEN.items())
def test_no_tracked_file_names(what: str, pattern: str) -> None:
    search = re.compile(pattern, re.MULTILINE)
    found: list[str] = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{relative(path)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()!r}"
            for match in search.finditer(text)
        ]
    assert found == [], f"{what} does not belong here"


@pytest.mark.parametrize(
    ("what", "example"),
    [
        ("a path of one machine", "/ro" + "ot/.cache"),
        ("a host of a package registry", "https://py" + "pi.org/simple"),
        ("a document that is not in this repository", "as DES" + "IGN.md says"),
        ("an issue by its number", "see iss" + "ue #2"),
        ("a merge that was not finished", "<<<<" + "<<< HEAD"),
    ],
)
def test_the_search_for_forbidden_words_finds_them(what: str, example: str) -> None:
    assert re.search(FORBIDDEN[what], example)


def test_no_tracked_file_is_large() -> None:
    assert [relative(path) for path in tracked() if path.stat().st_size > 1_000_000] == []
