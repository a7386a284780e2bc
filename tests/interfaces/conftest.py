"""The command line in this process, on a sample workspace."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.interfaces.cli import main
from gtm_orchestra.sample.generate import write_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a sample workspace that nobody changes."""
    folder = tmp_path_factory.mktemp("sample") / "company"
    write_sample(folder, people=2_000, seed=7)
    return folder


@pytest.fixture
def workspace(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of the sample workspace, and stand in it."""
    folder = tmp_path / "company"
    shutil.copytree(sample, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def shared() -> Iterator[Path]:
    """Give a folder where another user may come: pytest closes its own, whenever a run begins."""
    with tempfile.TemporaryDirectory(prefix="gtm-shared-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)


@pytest.fixture
def gtm(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Give the `gtm` command."""

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        captured = capsys.readouterr()
        return Said(int(left.value.code or 0), captured.out, captured.err)

    return run
