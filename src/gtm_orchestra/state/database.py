"""The state database: SQLite in the workspace by default, PostgreSQL by URL; the same tables either way."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from gtm_orchestra.errors import StorageError
from gtm_orchestra.state.files import make_folder, storage_errors
from gtm_orchestra.state.migrations import MIGRATIONS, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "effects",
    "events",
    "open_database",
    "prepared",
    "questions",
    "reading",
    "results",
    "runs",
]

_METADATA = sa.MetaData()

runs = sa.Table(
    "runs",
    _METADATA,
    sa.Column("run_id", sa.String(80), primary_key=True),
    sa.Column("plan_id", sa.String(64), nullable=False, index=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("command", sa.String(200), nullable=False),
    sa.Column("initiative", sa.String(200), nullable=False, index=True),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("as_of", sa.String(40), nullable=False),
    sa.Column("started_by", sa.String(200), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False, default=0),
    sa.Column("head", sa.String(64), nullable=False),
)

events = sa.Table(
    "events",
    _METADATA,
    sa.Column("run_id", sa.String(80), sa.ForeignKey("runs.run_id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("node", sa.String(64), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

questions = sa.Table(
    "questions",
    _METADATA,
    sa.Column("question_id", sa.String(160), primary_key=True),
    sa.Column("run_id", sa.String(80), sa.ForeignKey("runs.run_id"), nullable=False, index=True),
    sa.Column("node", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("status", sa.String(20), nullable=False, index=True),
    sa.Column("asked_at", sa.String(40), nullable=False),
    sa.Column("due_at", sa.String(40), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

results = sa.Table(
    "results",
    _METADATA,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

effects = sa.Table(
    "effects",
    _METADATA,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(80), sa.ForeignKey("runs.run_id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("node", sa.String(64), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("effect_class", sa.String(20), nullable=False),
    sa.Column("undo_class", sa.String(20), nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("phase", sa.String(20), nullable=False),
    # Which effect of which approval it has used up; each can be used once.
    sa.Column("allowance", sa.String(200), nullable=True, unique=True),
    sa.Column("receipt", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)


def open_database(path: Path, *, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> sa.Engine:
    """Open the workspace's SQLite database, creating it or bringing it to this version if need be.

    Raises:
        StorageError: It cannot be created, is no database, or was written by a later version.
    """
    with storage_errors(path.name):
        make_folder(path.parent)
    # A run's handlers work in threads, so connections are pooled and each is lent to one at a time.
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.QueuePool)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    with database_errors():
        migrate(engine, _METADATA, migrations)
    return engine


@contextmanager
def prepared(
    engine: sa.Engine, *, durable: bool
) -> Iterator[Callable[[sa.Executable, Mapping[str, object]], Any]]:
    """One write transaction; a durable one survives a power cut once the block has ended.

    What is not durable survives the death of the process: a power cut may repeat a task, never an effect.
    The block calls what it is given with a statement and its values, and gets the driver's cursor. Each
    statement is compiled once per dialect, so that the text still is written once for both engines.
    """
    driver: Any = engine.dialect.dbapi
    with database_errors():
        connection: Any = engine.raw_connection()
        try:
            _set_durable(engine, connection, durable=durable)
            cursor = connection.cursor()
            if engine.dialect.name == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            yield _executing(cursor, engine.dialect)
            connection.commit()
        except driver.IntegrityError as error:
            raise exc.IntegrityError(None, None, error) from error
        except driver.Error as error:
            raise exc.DBAPIError(None, None, error) from error
        finally:
            # What was not committed is rolled back when the connection returns to the pool.
            connection.close()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[Callable[[sa.Executable, Mapping[str, object]], Any]]:
    """One look at the database: what another process writes meanwhile is in all of it or in nothing."""
    driver: Any = engine.dialect.dbapi
    with database_errors():
        connection: Any = engine.raw_connection()
        try:
            cursor = connection.cursor()
            if engine.dialect.name == "sqlite":
                cursor.execute("BEGIN")
            yield _executing(cursor, engine.dialect)
        except driver.Error as error:
            raise exc.DBAPIError(None, None, error) from error
        finally:
            connection.close()


def _executing(
    cursor: Any,  # noqa: ANN401 - the driver's
    dialect: sa.Dialect,
) -> Callable[[sa.Executable, Mapping[str, object]], Any]:
    def execute(statement: sa.Executable, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - a cursor
        text, order = _compiled(statement, dialect)
        return cursor.execute(text, [values[name] for name in order] if order else values)

    return execute


@lru_cache(maxsize=64)
def _compiled(statement: Any, dialect: sa.Dialect) -> tuple[str, tuple[str, ...]]:  # noqa: ANN401 - an executable
    compiled = statement.compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup or ())


def _set_durable(engine: sa.Engine, connection: Any, *, durable: bool) -> None:  # noqa: ANN401 - a pooled connection
    if engine.dialect.name == "sqlite" and connection.info.get("durable") is not durable:
        connection.dbapi_connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.info["durable"] = durable


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the database's own errors inside the block into a `StorageError`."""
    try:
        yield
    except exc.IntegrityError:
        # A key that stands already: the caller knows what that means.
        raise
    except exc.DBAPIError as error:
        text = str(error.orig)
        hint = "check the workspace's .gtm folder, then run the same command again"
        if "full" in text:
            hint = "free some space and run the same command again; nothing was half-written"
        elif "readonly" in text or "unable to open" in text or getattr(error.orig, "errno", 0) == errno.EROFS:
            hint = "the workspace cannot be written; copy it to a place you can write"
        raise StorageError(f"the state database cannot be used: {text}", hint=hint) from error


def _set_pragmas(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    # The driver's implicit transactions would begin as readers and fail to become writers under load.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    # A writer takes the lock at once, so that what it reads first still holds when it writes.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
