"""A sample workspace through the library's front door, with clock and ids fixed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra import Workspace
from gtm_orchestra.sample.generate import write_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2025, 12, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "company"
    write_sample(folder, people=2_000, seed=7)
    return folder


@pytest.fixture
def folder(sample: Path, tmp_path: Path) -> Path:
    """Give a copy of the sample."""
    copy = tmp_path / "company"
    shutil.copytree(sample, copy)
    return copy


@pytest.fixture
def opened(folder: Path) -> Callable[[], Workspace]:
    """Give a function that opens the workspace anew, as another process would."""
    return lambda: Workspace.open(
        folder, clock=lambda: NOW, nonce=lambda: "0" * 32, environ={}, os_user="somebody"
    )
