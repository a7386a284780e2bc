from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import ConflictError, IntegrityError
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Entry, Journal, Question, RunRow
from gtm_orchestra.state.results import MAX_RESULT_BYTES

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)


def _open(folder: Path) -> tuple[Journal, ArtifactStore]:
    """Open a workspace's stores as a new process would."""
    journal = Journal(open_database(folder / "state.db"), lambda: NOW)
    return journal, ArtifactStore(folder / "artifacts", journal.results)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Journal, ArtifactStore]:
    journal, artifacts = _open(tmp_path)
    journal.start(RunRow("run-1", "plan-1", 1, "d", "define-profiles", "PLG", "running", NOW, NOW, "marco"))
    return journal, artifacts


def _outcome(sha256: str) -> Entry:
    return Entry("task.outcome", "1.1", {"node": "1.1", "name": "ok", "output": sha256})


def test_a_small_result_is_written_with_the_outcome_that_names_it(
    stores: tuple[Journal, ArtifactStore], tmp_path: Path
) -> None:
    journal, artifacts = stores
    sha256 = artifacts.put_result(b'{"a":1}')
    assert artifacts.get(sha256) == b'{"a":1}'
    assert not _open(tmp_path)[1].has(sha256)
    journal.append("run-1", _outcome(sha256))
    assert _open(tmp_path)[1].get(sha256) == b'{"a":1}'
    assert not (tmp_path / "artifacts").exists()


def test_an_outcome_that_is_refused_takes_its_result_with_it(
    stores: tuple[Journal, ArtifactStore], tmp_path: Path
) -> None:
    journal, artifacts = stores
    closed = Question("q", "run-1", "1.1", "remedy", "rejected", NOW, NOW, {})
    journal.append("run-1", Entry("decision", "1.1", {}), question=closed)
    sha256 = artifacts.put_result(b"{}")
    with pytest.raises(ConflictError, match="q is closed already"):
        journal.append("run-1", _outcome(sha256), question=closed)
    assert not _open(tmp_path)[1].has(sha256)
    # Still held: the next outcome that names it brings it along.
    journal.append("run-1", _outcome(sha256))
    assert _open(tmp_path)[1].has(sha256)


@pytest.mark.parametrize("size", [MAX_RESULT_BYTES, MAX_RESULT_BYTES + 1])
def test_a_large_result_is_a_file_and_found_alike(
    stores: tuple[Journal, ArtifactStore], tmp_path: Path, size: int
) -> None:
    journal, artifacts = stores
    sha256 = artifacts.put_result(b"x" * size)
    journal.append("run-1", _outcome(sha256))
    assert artifacts.path(sha256).exists() == (size > MAX_RESULT_BYTES)
    assert _open(tmp_path)[1].get(sha256) == b"x" * size


def test_a_result_that_was_changed_in_the_database_is_never_served_and_can_be_made_again(
    stores: tuple[Journal, ArtifactStore], tmp_path: Path
) -> None:
    journal, artifacts = stores
    sha256 = artifacts.put_result(b"{}")
    journal.append("run-1", _outcome(sha256))
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("update results set data = x'00'")
    connection.close()
    assert not artifacts.has(sha256)
    with pytest.raises(IntegrityError, match=f"artifact {sha256[:12]} was changed on disk"):
        artifacts.get(sha256)
    artifacts.put_result(b"{}")
    journal.append("run-1", _outcome(sha256))
    assert _open(tmp_path)[1].get(sha256) == b"{}"


def test_a_result_of_an_earlier_version_is_found_where_it_left_it(
    stores: tuple[Journal, ArtifactStore], tmp_path: Path
) -> None:
    sha256 = ArtifactStore(tmp_path / "artifacts").put_result(b"{}")
    assert sha256 == hashlib.sha256(b"{}").hexdigest()
    assert stores[1].get(sha256) == b"{}"
