"""What takes a state database of an earlier version to this one. Tables that are missing need none of it.

A database knows how many migrations it has had (`PRAGMA user_version`), so that each is made once, and a
database of a later version is refused instead of misread. PostgreSQL will need a table for that number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from gtm_orchestra.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MIGRATIONS", "migrate"]

# The n-th takes a database from version n to n + 1: statements, in order. Only ever append.
MIGRATIONS: tuple[tuple[str, ...], ...] = ()


def migrate(engine: sa.Engine, metadata: sa.MetaData, migrations: Sequence[Sequence[str]]) -> None:
    """Bring a database to this version, or make it; all of it or nothing, also if two processes come at once.

    Raises:
        StorageError: A later version wrote it.
    """
    latest = len(migrations)
    with engine.connect() as connection:
        there, version = _seen(connection)
    if there and version == latest:
        metadata.create_all(engine)
        return
    _refuse_later(version, latest)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        # Seen again under the lock: another process may have been first.
        there, version = _seen(connection)
        _refuse_later(version, latest)
        for statements in migrations[version:] if there else ():
            for statement in statements:
                connection.exec_driver_sql(statement)
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {latest}")


def _seen(connection: sa.Connection) -> tuple[bool, int]:
    """Return whether a version of ours wrote the database, and which."""
    there = sa.inspect(connection).has_table("runs")
    return there, int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _refuse_later(version: int, latest: int) -> None:
    if version > latest:
        raise StorageError(
            f"state.db was written by a later version: its schema is {version}, this version knows {latest}",
            hint="install that version; nothing was changed",
        )
