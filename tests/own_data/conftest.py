"""The three exports and what `gtm init` proposes for them, once per session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

GTM = Path(sys.executable).with_name("gtm")


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with one folder of files per export."""
    folder = tmp_path_factory.mktemp("exports")
    script = Path(__file__).with_name("make_exports.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def gtm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give a function that runs the command line in a folder."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(GTM), *arguments],
            cwd=folder,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def proposed(
    exports: Path,
    tmp_path_factory: pytest.TempPathFactory,
    gtm: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[[str], Path]:
    """Give a function from an export's name to a workspace with the proposed gtm.toml, as it was written."""
    done: dict[str, Path] = {}

    def workspace(export: str) -> Path:
        if export not in done:
            folder = tmp_path_factory.mktemp(export)
            result = gtm(folder, "init", ".", "--source", str(exports / export))
            assert result.returncode == 0, result.stderr
            done[export] = folder
        return done[export]

    return workspace
