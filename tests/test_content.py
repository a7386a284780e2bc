from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.content import ContentFile, content_names, content_root, find_content
from gtm_orchestra.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

OURS = "name: define-profiles\n# theirs\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    for folder in ("agents", "plans", "prompts/tasks", "prompts/skills/decision-trees"):
        (root / folder).mkdir(parents=True)
    return root


def test_a_file_of_the_workspace_wins_over_the_one_that_ships(workspace: Path) -> None:
    path = workspace / "plans" / "define-profiles.yaml"
    path.write_text(OURS, encoding="utf-8")
    found = find_content("plans", "define-profiles", workspace)
    assert found == ContentFile(path.resolve(), hashlib.sha256(OURS.encode()).hexdigest(), OURS)
    assert find_content("plans", "define-profiles", None).text != OURS


def test_the_file_that_ships_is_found_when_the_workspace_has_none(workspace: Path) -> None:
    found = find_content("plans", "define-profiles", workspace)
    assert found.path == (content_root() / "plans" / "define-profiles.yaml").resolve()
    assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()


def test_prompts_are_found_in_their_folders(workspace: Path) -> None:
    skill = workspace / "prompts" / "skills" / "decision-trees" / "SKILL.md"
    skill.write_text("# Decision trees\n", encoding="utf-8")
    assert find_content("prompts", "skills/decision-trees/SKILL", workspace).path == skill.resolve()


def test_line_endings_and_bytes_are_kept_as_they_are(workspace: Path) -> None:
    (workspace / "agents" / "own.md").write_bytes(b"one\r\ntwo\r\n")
    assert find_content("agents", "own", workspace).text == "one\r\ntwo\r\n"


@pytest.mark.parametrize(
    "name",
    ["../gtm", "..", "a/b", "/etc/passwd", "a\\b", "", "A", "a.md", "a\n", "a\x00", "x" * 81, "nul\u2044"],
)
def test_a_name_that_could_leave_the_folder_is_refused(workspace: Path, name: str) -> None:
    (workspace / "gtm.md").write_text("secret", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        find_content("agents", name, workspace)
    assert str(caught.value) == (
        f"{name[:80]!r} is no name in agents/: lower-case letters, digits and '-' are allowed; "
        "write one such as customer-data-engineer"
    )


@pytest.mark.parametrize("name", ["tasks/../../gtm", "../tasks/a", "tasks//a", "tasks/", "name", "tasks/A"])
def test_a_prompt_name_that_could_leave_the_folder_is_refused(workspace: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name in prompts/"):
        find_content("prompts", name, workspace)


def test_a_link_out_of_the_folder_is_refused(workspace: Path) -> None:
    (workspace / "gtm.toml").write_text("secret", encoding="utf-8")
    (workspace / "agents" / "own.md").symlink_to(workspace / "gtm.toml")
    with pytest.raises(UsageError) as caught:
        find_content("agents", "own", workspace)
    assert str(caught.value) == (
        f"'{workspace}/agents/own.md' is a link to a file outside '{workspace}/agents'; "
        "put the file itself into the folder"
    )


def test_an_unknown_name_lists_the_known_ones(workspace: Path) -> None:
    (workspace / "plans" / "own.yaml").write_text(OURS, encoding="utf-8")
    known = content_names("plans", workspace)
    assert "define-profiles" in known
    assert "own" in known
    assert list(known) == sorted(set(known))
    with pytest.raises(UsageError) as caught:
        find_content("plans", "missing", workspace)
    assert str(caught.value) == (
        "there is no plans/missing.yaml in the workspace and none that ships; choose from " + ", ".join(known)
    )


def test_a_file_that_is_not_text_is_refused_with_its_path(workspace: Path) -> None:
    path = workspace / "agents" / "own.md"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError) as caught:
        find_content("agents", "own", workspace)
    assert str(caught.value) == f"'{path}' is not UTF-8 text: invalid start byte; save it as UTF-8"


def test_a_file_over_a_megabyte_is_refused(workspace: Path) -> None:
    path = workspace / "agents" / "own.md"
    path.write_bytes(b"x" * 1_000_001)
    with pytest.raises(UsageError) as caught:
        find_content("agents", "own", workspace)
    assert str(caught.value) == f"'{path}' is larger than 1,000,000 bytes; shorten the file"


def test_content_is_found_whatever_the_current_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content_root()
    (tmp_path / "plans").mkdir()
    (tmp_path / "agents").mkdir()
    monkeypatch.chdir(tmp_path)
    assert content_root() == before
    assert content_root().is_absolute()
    assert os.path.commonpath([content_root(), tmp_path]) != str(tmp_path)
