"""A state database of an earlier version is taken to this one, once; a later one is refused."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import StorageError
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Journal, RunRow
from gtm_orchestra.state.migrations import MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
LATER = (
    *MIGRATIONS,
    ("CREATE TABLE made (n INTEGER)", "INSERT INTO made VALUES (1)"),
    ("ALTER TABLE made ADD COLUMN note TEXT NOT NULL DEFAULT 'none'",),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a database of this version with a run in it."""
    path = tmp_path / "state.db"
    engine = open_database(path)
    values = ("define-profiles", "PLG", "running", NOW, NOW, "marco")
    Journal(engine, lambda: NOW).start(RunRow("run-1", "plan-1", 1, "d", *values))
    engine.dispose()
    return path


def _version(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        (version,) = connection.execute("pragma user_version").fetchone()
    connection.close()
    return int(version)


def _made(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select * from made").fetchall()
    connection.close()
    return rows


def test_each_migration_is_made_once_and_nothing_is_lost(path: Path) -> None:
    open_database(path, migrations=LATER[: len(MIGRATIONS) + 1]).dispose()
    assert _made(path) == [(1,)]
    for _ in range(2):
        engine = open_database(path, migrations=LATER)
        assert Journal(engine, lambda: NOW).verify("run-1") == 1
        engine.dispose()
    assert (_made(path), _version(path)) == ([(1, "none")], len(LATER))


def test_a_new_database_needs_none_and_is_of_the_latest_version(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.db"
    open_database(path, migrations=LATER).dispose()
    assert _version(path) == len(LATER)
    with pytest.raises(sqlite3.OperationalError, match="no such table: made"):
        _made(path)


def test_a_migration_that_fails_leaves_everything_as_it_was(path: Path) -> None:
    broken = (*LATER, ("UPDATE absent SET n = 1",))
    with pytest.raises(StorageError, match=r"^the state database cannot be used: no such table: absent"):
        open_database(path, migrations=broken)
    assert _version(path) == len(MIGRATIONS)
    with pytest.raises(sqlite3.OperationalError, match="no such table: made"):
        _made(path)


def test_of_processes_that_come_at_once_one_migrates(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for engine in pool.map(lambda _: open_database(path, migrations=LATER), range(8)):
            engine.dispose()
    assert _made(path) == [(1, "none")]


def test_a_database_of_a_later_version_is_refused(path: Path) -> None:
    open_database(path, migrations=LATER).dispose()
    with pytest.raises(StorageError) as raised:
        open_database(path)
    assert str(raised.value) == (
        f"state.db was written by a later version: its schema is {len(LATER)}, this version knows "
        f"{len(MIGRATIONS)}; install that version; nothing was changed"
    )
