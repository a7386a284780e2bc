"""The read-only connection to the customer data, through ibis.

A folder of Parquet or CSV files, or a DuckDB file, is read by an in-memory DuckDB that can reach nothing else
on the disk and never fetches an extension. A PostgreSQL session is read-only by default; only the temporary
tables of a run are written. Other ibis URLs pass through as they are.

An engine's own error text is never shown: it may quote a customer's value or a password.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import duckdb
import ibis
from ibis.common.exceptions import IbisError
from ibis.expr.operations import InMemoryTable

from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.files import attach_database, attach_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from ibis.backends.duckdb import Backend as DuckDBBackend

    from gtm_orchestra.config import SourceSettings

__all__ = ["Warehouse", "open_warehouse"]

T = TypeVar("T")

_POSTGRES_SCHEMES = ("postgres", "postgresql")
_MEMORY_LIMIT = "2GB"
_CONNECT_TIMEOUT_S = 10
# What a PostgreSQL URL says before its question mark, or gtm.toml beside it.
_NO_OPTIONS = frozenset({"user", "password", "port", "dbname", "database", "schema", "autocommit"})


class Warehouse:
    """The customer data of one workspace, read-only. Close it, or use it as a context manager.

    Safe to share between threads: one query runs at a time.

    Attributes:
        con: The ibis backend.
        engine: Its name, such as "duckdb" or "postgres".
        where: The source as a person may see it: never with a password.
    """

    def __init__(
        self,
        con: Any,  # noqa: ANN401 - ibis publishes no common type of its backends
        *,
        where: str,
        tables: Mapping[str, Callable[[], ibis.Table]],
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.con = con
        self.engine = str(con.name)
        self.where = where
        self._tables = dict(tables)
        self._opened: dict[str, ibis.Table] = {}
        self._on_close = on_close
        self._lock = threading.RLock()
        self._memo: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and remove what was spilled to disk. A second call does nothing."""
        with self._lock:
            on_close, self._on_close = self._on_close, None
            if on_close is not None:
                on_close()

    def table_names(self) -> tuple[str, ...]:
        """Return the names of all tables of the source, sorted."""
        return tuple(sorted(self._tables))

    def table(self, name: str) -> ibis.Table:
        """Return a table of the source by its name there.

        Raises:
            SourceError: There is none of that name, or it cannot be read.
        """
        with self._lock:
            if name not in self._tables:
                close = get_close_matches(name, self._tables, n=1)
                known = ", ".join(self.table_names()) or "none"
                raise SourceError(
                    f"table {name!r} is not in {self.where}; tables there: {known}",
                    hint=(f"did it become {close[0]!r}? " if close else "")
                    + "mend 'table' in gtm.toml, or run 'gtm init' again",
                )
            if name not in self._opened:
                with engine_errors(f"table {name!r} in {self.where}"):
                    self._opened[name] = self._tables[name]()
            return self._opened[name]

    def sql(self, query: str) -> ibis.Table:
        """Return the rows of a query that gtm.toml holds; it names tables as the source does.

        Raises:
            SourceError: Not one SELECT, a table is missing, or the engine refuses it.
        """
        import sqlglot  # noqa: PLC0415 - ibis has loaded it

        try:
            parsed = sqlglot.parse(query, dialect=self.con.dialect)
        except sqlglot.errors.ParseError:
            parsed = []
        if len(parsed) != 1 or not isinstance(parsed[0], sqlglot.exp.Query):
            raise SourceError(
                "a query in gtm.toml is not one SELECT", hint="write a single SELECT that changes nothing"
            )
        inner = {cte.alias for cte in parsed[0].find_all(sqlglot.exp.CTE)}
        for table in parsed[0].find_all(sqlglot.exp.Table):
            if table.name not in inner:
                self.table(table.name)
        with self._lock, engine_errors("a query in gtm.toml"):
            if self.engine not in {"duckdb", "postgres"}:
                return self.con.sql(query)
            # ibis finds the columns of a query by calls that DuckDB deprecates and a read-only session of
            # PostgreSQL refuses; of a view it does not.
            name = f"query {hashlib.sha256(query.encode()).hexdigest()[:12]}"
            if not self._view(name, parsed[0].sql(self.con.dialect)):
                raise SourceError(
                    f"{self.where}: a query in gtm.toml needs a temporary view, which this user may not make",
                    hint="grant TEMPORARY on the database, or leave 'sql' out of gtm.toml",
                )
            return self.con.table(name)

    def to_arrow(self, expr: ibis.Expr) -> pa.Table:
        """Run an expression and return its rows. The order is that of the expression.

        Raises:
            SourceError: The engine refused it, or the connection is lost.
        """
        table = expr.as_table()
        with self._lock, engine_errors(self.where):
            if self.engine == "duckdb" and not table.op().find(InMemoryTable):
                # ibis goes by way of pandas, which takes a second to load.
                found = self.con.con.execute(str(self.con.compile(table))).to_arrow_table()
                return found.cast(table.schema().to_pyarrow())
            return table.to_pyarrow()

    def rows(self, expr: ibis.Expr) -> list[dict[str, Any]]:
        """Run an expression and return its rows as dictionaries."""
        return cast("list[dict[str, Any]]", self.to_arrow(expr).to_pylist())

    def materialise(self, name: str, expr: ibis.Table) -> ibis.Table:
        """Compute an expression once, into a temporary table that ends with the connection.

        An account that may not create temporary tables gets the expression itself: slower, equal results.
        """
        with self._lock, engine_errors(self.where):
            if self.engine == "duckdb":
                return self.con.create_table(name, expr, temp=True)
            if self.engine == "postgres":
                return self._materialise_postgres(name, expr)
            return expr.cache()

    def _materialise_postgres(self, name: str, expr: ibis.Table) -> ibis.Table:
        import psycopg  # noqa: PLC0415 - an extra, loaded with the engine that needs it

        query = self.con.compile(expr)
        quoted = '"' + name.replace('"', '""') + '"'
        try:
            with self.con.con.cursor() as cursor, self.con.con.transaction():
                cursor.execute("SET TRANSACTION READ WRITE")
                cursor.execute(f"CREATE TEMPORARY TABLE {quoted} AS {query}")
                cursor.execute(f"ANALYZE {quoted}")
        except psycopg.errors.InsufficientPrivilege:
            return expr
        return self.con.table(name)

    def named(self, name: str, expr: ibis.Table) -> ibis.Table:
        """Return an expression under a name of its own; what is built on it stays short, and compiles fast.

        Where a temporary view cannot be made, the expression itself is returned: slower, equal results.
        """
        if self.engine not in {"duckdb", "postgres"}:
            return expr
        with self._lock, engine_errors(self.where):
            query = self.con.compile(expr)
            return expr if not self._view(name, str(query)) else self.con.table(name)

    def _view(self, name: str, query: str) -> bool:
        view = f"""CREATE OR REPLACE TEMPORARY VIEW "{name.replace('"', '""')}" AS {query}"""
        if self.engine == "duckdb":
            self.con.raw_sql(view)
            return True
        import psycopg  # noqa: PLC0415 - an extra, loaded with the engine that needs it

        try:
            with self.con.con.cursor() as cursor, self.con.con.transaction():
                cursor.execute("SET TRANSACTION READ WRITE")
                cursor.execute(view)
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True

    def memo(self, key: str, build: Callable[[], T]) -> T:
        """Return what `build` returned the first time this key was asked for on this connection."""
        with self._lock:
            if key not in self._memo:
                self._memo[key] = build()
            return cast("T", self._memo[key])


def open_warehouse(source: SourceSettings, root: Path, environ: Mapping[str, str]) -> Warehouse:
    """Open the source of a workspace, read-only.

    Args:
        source: [source] of gtm.toml.
        root: The workspace; a relative path starts there.
        environ: Where `password_env` is looked up.

    Raises:
        SourceError: Missing, empty, unreadable, locked, or the password is missing or wrong.
    """
    scheme = urlsplit(source.url).scheme if "://" in source.url else ""
    if scheme in _POSTGRES_SCHEMES:
        return _open_postgres(source, _password(source, environ))
    if scheme == "duckdb":
        return _open_path(source, root, source.url.removeprefix("duckdb://"))
    if scheme == "file":
        return _open_path(source, root, unquote(urlsplit(source.url).path))
    if scheme:
        return _open_other(source, _password(source, environ))
    return _open_path(source, root, source.url)


def _password(source: SourceSettings, environ: Mapping[str, str]) -> str | None:
    if source.password_env is None:
        return None
    password = environ.get(source.password_env)
    if not password:
        raise SourceError(
            f"source.password_env names {source.password_env!r}, which is not set in this environment",
            hint=f"set {source.password_env} to the database password, or mend [source] in gtm.toml",
        )
    return password


def _open_path(source: SourceSettings, root: Path, text: str) -> Warehouse:
    path = (root / Path(text).expanduser()).resolve()
    where = repr(text)
    spill = Path(tempfile.mkdtemp(prefix="gtm-spill-"))

    def clean() -> None:
        shutil.rmtree(spill, ignore_errors=True)

    try:
        con = cast("DuckDBBackend", ibis.duckdb.connect(**_duckdb_config(spill)))
        with engine_errors(where):
            tables = _attach(con, path, where, source.schema_name)
    except BaseException:
        clean()
        raise

    def close() -> None:
        con.disconnect()
        clean()

    return Warehouse(con, where=where, tables=tables, on_close=close)


def _duckdb_config(spill: Path) -> dict[str, str]:
    return {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "temp_directory": str(spill),
        "memory_limit": _MEMORY_LIMIT,
        "python_enable_replacements": "false",
    }


def _attach(
    con: DuckDBBackend,
    path: Path,
    where: str,
    schema: str | None,
) -> dict[str, Callable[[], ibis.Table]]:
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError:
        is_folder = is_file = False
    if is_folder:
        return attach_folder(con, path, where)
    if is_file:
        return attach_database(con, path, where, schema)
    raise SourceError(
        f"the source {where} does not exist (looked for {str(path)!r})",
        hint="mend source.url in gtm.toml: a folder of Parquet or CSV files, a DuckDB file, or a URL",
    )


def _open_postgres(source: SourceSettings, password: str | None) -> Warehouse:
    try:
        import psycopg  # noqa: PLC0415 - an extra, loaded with the engine that needs it
    except ImportError as error:
        raise SourceError(
            "PostgreSQL needs the package psycopg",
            hint="install gtm-orchestra[postgres]",
        ) from error
    parts = urlsplit(source.url)
    inline = unquote(parts.password) if parts.password else None
    try:
        port = parts.port or 5432
    except ValueError as error:
        raise SourceError(
            "source.url has a port that is no number",
            hint="write postgresql://user@host:5432/name",
        ) from error
    user, database = unquote(parts.username or ""), unquote(parts.path.lstrip("/"))
    where = f"PostgreSQL database {database!r} at {parts.hostname or 'the local socket'}:{port}"
    options = {"connect_timeout": str(_CONNECT_TIMEOUT_S), **dict(parse_qsl(parts.query))}
    misplaced = sorted(_NO_OPTIONS & options.keys())
    if misplaced:
        raise SourceError(
            f"source.url names {misplaced[0]!r} behind the question mark",
            hint="write postgresql://user@host:5432/name, and the password into the variable of password_env",
        )
    try:
        con = ibis.postgres.connect(
            host=options.pop("host", parts.hostname),
            port=port,
            user=user or None,
            password=password or inline,
            database=database or None,
            schema=source.schema_name,
            **options,
        )
    except psycopg.OperationalError as error:
        raise _connection_error(str(error), where, user, source.password_env) from None
    with engine_errors(where):
        with con.con.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
        names = con.list_tables(database=source.schema_name)
    if not names:
        con.disconnect()
        raise _no_tables(where)
    schema = source.schema_name
    tables = {name: partial(con.table, name, database=schema) for name in names}
    return Warehouse(con, where=where, tables=tables, on_close=con.disconnect)


def _connection_error(text: str, where: str, user: str, password_env: str | None) -> SourceError:
    """Say what a failed connection means. `text` is read, never shown: it may quote the connection string."""
    variable = password_env or "the variable that source.password_env names"
    if "password authentication failed" in text or "no password supplied" in text:
        return SourceError(f"{where} refused the password of user {user!r}", hint=f"check {variable}")
    if "does not exist" in text:
        return SourceError(f"{where}: no such database or user", hint="mend source.url in gtm.toml")
    if "refused" in text or "could not translate" in text or "timeout" in text or "resolve" in text:
        return SourceError(
            f"{where} does not answer",
            hint="check host and port in source.url, and that it is up",
        )
    return SourceError(f"{where} cannot be opened", hint="check source.url in gtm.toml and your access")


def _open_other(source: SourceSettings, password: str | None) -> Warehouse:
    parts = urlsplit(source.url)
    where = f"the {parts.scheme} source at {parts.hostname or parts.path or 'its default place'}"
    try:
        con = ibis.connect(source.url, **({"password": password} if password else {}))
    except (IbisError, ImportError, OSError, ValueError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{where} cannot be opened ({type(error).__name__})",
            hint=f"install ibis-framework[{parts.scheme}] and check source.url",
        ) from None
    with engine_errors(where):
        names = con.list_tables(database=source.schema_name)
    if not names:
        raise _no_tables(where)
    schema = source.schema_name
    tables = {name: partial(con.table, name, database=schema) for name in names}
    return Warehouse(con, where=where, tables=tables, on_close=con.disconnect)


def _no_tables(where: str) -> SourceError:
    return SourceError(f"{where} has no tables", hint="check the database and source.schema in gtm.toml")


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Turn an engine's errors into a `SourceError` that quotes nothing of them but their kind."""
    try:
        yield
    except (duckdb.Error, IbisError) as error:
        raise _engine_error(where, error, ()) from None
    except Exception as error:
        # psycopg is an extra: its root class may not be importable here.
        if type(error).__module__.split(".")[0] != "psycopg":
            raise
        raise _engine_error(where, error, (str(getattr(error, "sqlstate", "") or ""),)) from None


def _engine_error(where: str, error: Exception, codes: Sequence[str]) -> SourceError:
    kind = " ".join([type(error).__name__, *(code for code in codes if code)])
    if "42501" in codes:
        return SourceError(f"{where}: this user may not read it", hint="grant SELECT on the mapped tables")
    if isinstance(error, duckdb.OutOfMemoryException):
        return SourceError(f"{where}: out of memory or disk space", hint="free space for temporary files")
    return SourceError(
        f"{where} cannot be read ({kind})",
        hint="check that the source is whole and mapped right in gtm.toml",
    )
