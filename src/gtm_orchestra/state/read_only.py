"""The state database where the workspace cannot be written: everything can be looked at, nothing changed."""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from gtm_orchestra.errors import StorageError
from gtm_orchestra.state.database import open_database, runs
from gtm_orchestra.state.files import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_state"]


def open_state(path: Path) -> sa.Engine:
    """Open the workspace's SQLite database; where it cannot be written, for reading.

    A read-only workspace without one, such as a checkout of its plans, gets an empty one in memory. A write
    to what was opened for reading ends in a `StorageError`.

    Raises:
        StorageError: It cannot be created or read, or is no database.
    """
    with storage_errors(path.name):
        if _is_writable(path):
            return open_database(path)
        if not path.exists():
            return _nothing_yet()
        connect = partial(sqlite3.connect, _address(path), uri=True, check_same_thread=False)
    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool)
    event.listen(engine, "connect", _leave_transactions)
    event.listen(engine, "begin", _begin)
    return engine


def _is_writable(path: Path) -> bool:
    """Whether the file can be written or made, and the files that SQLite puts beside it."""
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def _address(path: Path) -> str:
    """Return the URI that opens a database for reading.

    Raises:
        StorageError: Its last changes lie in a second file, and SQLite needs to write to read them.
    """
    address = path.resolve().as_uri() + "?mode=ro"
    if path.with_name(f"{path.name}-shm").exists():
        return address
    ahead = path.with_name(f"{path.name}-wal")
    if ahead.exists() and ahead.stat().st_size:
        raise StorageError(
            f"{path.name} was left by an interrupted run, and its folder cannot be written to mend it",
            hint="copy the workspace to a place you can write, and look at it there",
        )
    # Nobody has it open, or the two files beside it would be there. Only as immutable does SQLite do without
    # them, which it cannot make here.
    return address + "&immutable=1"


def _nothing_yet() -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://", connect_args={"check_same_thread": False}, poolclass=sa.pool.StaticPool
    )
    runs.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    return engine


def _leave_transactions(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    # As in a database that is written: one transaction reads one state, whatever another process writes.
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=10000")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
