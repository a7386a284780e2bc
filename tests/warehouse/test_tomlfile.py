"""gtm.toml is replaced whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.config import load_config
from gtm_orchestra.errors import ConfigError, ConflictError
from gtm_orchestra.warehouse.tomlfile import edit_file, write_file

if TYPE_CHECKING:
    from pathlib import Path

    import tomlkit

TEXT = """\
# ours
[workspace]
name = "Test"
[source]
url = "data"
[tables.people]
table = "people"
columns = { key = "id" }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "gtm.toml"
    file.write_text(TEXT, encoding="utf-8")
    file.chmod(0o640)
    return file


def rename(document: tomlkit.TOMLDocument) -> None:
    document["workspace"]["name"] = "New"


def test_an_edit_keeps_comments_order_and_permissions(path: Path) -> None:
    edit_file(path, rename, check=load_config)

    assert path.read_text(encoding="utf-8") == TEXT.replace("Test", "New")
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_would_not_load_is_not_written_and_leaves_nothing_beside(path: Path) -> None:
    with pytest.raises(ConfigError):
        write_file(path, "[workspace]\n", check=load_config)

    assert [file.name for file in path.parent.iterdir()] == ["gtm.toml"]
    assert path.read_text(encoding="utf-8") == TEXT


def test_a_change_by_somebody_else_meanwhile_is_a_conflict(path: Path) -> None:
    def meanwhile(document: tomlkit.TOMLDocument) -> None:
        rename(document)
        path.write_text(TEXT.replace("ours", "theirs"), encoding="utf-8")

    with pytest.raises(ConflictError) as caught:
        edit_file(path, meanwhile, check=load_config)

    assert str(caught.value) == "gtm.toml was changed by somebody else meanwhile; try again"
    assert path.read_text(encoding="utf-8") == TEXT.replace("ours", "theirs")


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        edit_file(tmp_path / "gtm.toml", rename, check=load_config)

    assert str(caught.value) == f"no gtm.toml in {str(tmp_path)!r}; run 'gtm init' first"


def test_a_link_keeps_leading_to_the_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "gtm.toml"
    link.parent.mkdir()
    link.symlink_to(path)
    edit_file(link, rename, check=load_config)

    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == TEXT.replace("Test", "New")
