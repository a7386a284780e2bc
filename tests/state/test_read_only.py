"""What stands in for a database that is not there takes nothing in; the rest runs in tests/interfaces."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import StorageError
from gtm_orchestra.state import read_only
from gtm_orchestra.state.journal import Journal, RunRow

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)


def test_an_empty_database_in_memory_takes_nothing_in_from_any_thread() -> None:
    journal = Journal(read_only._nothing_yet(), lambda: NOW)
    run = RunRow("run-1", "plan-1", 1, "d" * 64, "define-profiles", "PLG", "running", NOW, NOW, "marco")
    with pytest.raises(StorageError) as caught:
        journal.start(run)
    assert str(caught.value) == (
        "the state database cannot be used: attempt to write a readonly database; the workspace cannot be "
        "written; copy it to a place you can write"
    )
    with ThreadPoolExecutor(1) as other:
        assert other.submit(journal.run_list).result() == ()


def test_where_the_workspace_can_be_written_the_database_is_made(tmp_path: Path) -> None:
    journal = Journal(read_only.open_state(tmp_path / "new" / ".gtm" / "state.db"), lambda: NOW)
    assert journal.run_list() == ()
    assert (tmp_path / "new" / ".gtm" / "state.db").exists()
