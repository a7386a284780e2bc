"""Files as tables: a folder of Parquet or CSV files, or a DuckDB database file.

A folder holds one table per file, or per subfolder of files of one kind. Parquet is read where it lies. A CSV
file is read once, every row must have the header's columns, and a column gets a type only if all its values
have it: a postcode with a leading zero stays text.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from gtm_orchestra.errors import SourceError

# ruff: noqa: S608 - every name and path in these statements is quoted, and no value of a person is in one

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis
    from ibis.backends.duckdb import Backend

__all__ = ["attach_database", "attach_folder"]

_KINDS = {".parquet": "Parquet", ".csv": "CSV", ".tsv": "CSV"}
_SHOWN_LINES = 5
_LONGEST_HEADER = 1_000_000
_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = _DATE + r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_ZONE = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_WHOLE = "-?(0|[1-9][0-9]{0,17})"
# Tried in this order; the first whose pattern and cast every value of a column passes is its type.
_TYPES: tuple[tuple[str, str], ...] = (
    ("BIGINT", _WHOLE),
    ("DOUBLE", _WHOLE + r"(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?"),
    ("BOOLEAN", "(?i)true|false"),
    ("DATE", _DATE),
    ("TIMESTAMP", _TIME),
    ("TIMESTAMPTZ", _TIME + _ZONE),
)


def attach_folder(con: Backend, folder: Path, where: str) -> dict[str, Callable[[], ibis.Table]]:
    """Return an opener per table of a folder, and shut everything else on the disk off.

    Raises:
        SourceError: No data files, an unreadable or empty file, or two tables of one name.
    """
    found = _data_files(folder, where)
    _confine(con, folder)
    return {name: _opener(con, name, files) for name, files in found.items()}


def attach_database(
    con: Backend,
    path: Path,
    where: str,
    schema: str | None,
) -> dict[str, Callable[[], ibis.Table]]:
    """Return an opener per table of a DuckDB file, attached read-only.

    Raises:
        SourceError: Not a DuckDB file, locked by another program, unreadable, or without tables.
    """
    if path.suffix.lower() in _KINDS:
        raise SourceError(
            f"{where} is one {_KINDS[path.suffix.lower()]} file",
            hint="name the folder that holds it",
        )
    _require_readable(path)
    try:
        con.raw_sql(f"ATTACH '{_text(path)}' AS source (READ_ONLY)")
    except duckdb.Error as error:
        locked = "lock" in str(error).lower()
        raise SourceError(
            f"{where} is open in another program" if locked else f"{where} cannot be read as a DuckDB file",
            hint="close it there and try again"
            if locked
            else "name a DuckDB file, or a folder of Parquet or CSV",
        ) from None
    _confine(con, None)
    database = ("source", schema or "main")
    found = con.raw_sql(
        "SELECT table_name FROM information_schema.tables "
        f"WHERE table_catalog = 'source' AND table_schema = {_literal(database[1])}"
    )
    names = [str(row[0]) for row in found.fetchall()]
    if not names:
        raise SourceError(
            f"{where} has no tables in schema {database[1]!r}",
            hint="set source.schema in gtm.toml",
        )
    return {name: partial(_view_of, con, database, name) for name in names}


def _view_of(con: Backend, database: tuple[str, str], name: str) -> ibis.Table:
    # A view in the in-memory database: a query of gtm.toml names the table without the file's schema.
    path = ".".join(_name(part) for part in (*database, name))
    con.raw_sql(f"CREATE VIEW {_name(name)} AS SELECT * FROM {path}")
    return con.table(name)


def _confine(con: Backend, folder: Path | None) -> None:
    allowed = f"['{_text(folder)}/']" if folder else "[]"
    con.raw_sql(f"SET allowed_directories = {allowed}")
    con.raw_sql("SET enable_external_access = false")
    con.raw_sql("SET lock_configuration = true")


def _data_files(folder: Path, where: str) -> dict[str, tuple[Path, ...]]:
    tables: dict[str, tuple[Path, ...]] = {}
    try:
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith((".", "_")):
                continue
            files = (entry,) if _is_data(entry) else _files_below(entry) if entry.is_dir() else ()
            name = entry.name if entry.is_dir() else _stem(entry)
            if files and name in tables:
                raise SourceError(f"{where} has two tables named {name!r}", hint="rename one of the files")
            if files:
                tables[name] = files
    except PermissionError as error:
        raise _not_permitted(Path(error.filename or folder)) from None
    if not tables:
        raise SourceError(f"{where} holds no .parquet or .csv file", hint="mend source.url in gtm.toml")
    for file in (file for files in tables.values() for file in files):
        _require_readable(file)
        if file.stat().st_size == 0:
            raise SourceError(f"{file.name} in {where} is empty", hint="export it again, or remove it")
    return tables


def _files_below(folder: Path) -> tuple[Path, ...]:
    files = tuple(path for path in sorted(folder.rglob("*")) if _is_data(path))
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise SourceError(
            f"folder {folder.name!r} mixes Parquet and CSV files",
            hint="keep one kind per table folder",
        )
    return files


def _is_data(path: Path) -> bool:
    return _kind(path) != "" and not path.name.startswith((".", "_")) and path.is_file()


def _kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return _KINDS.get(Path(name).suffix, "")


def _stem(path: Path) -> str:
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return Path(name).stem


def _require_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except PermissionError:
        raise _not_permitted(path) from None


def _not_permitted(path: Path) -> SourceError:
    return SourceError(
        f"{str(path)!r} may not be read by this user",
        hint="grant read permission, or run as its owner",
    )


def _opener(con: Backend, name: str, files: tuple[Path, ...]) -> Callable[[], ibis.Table]:
    def open_it() -> ibis.Table:
        if _kind(files[0]) == "Parquet":
            _create_parquet_view(con, name, files)
        else:
            _load_csv(con, name, files)
        return con.table(name)

    return open_it


def _create_parquet_view(con: Backend, name: str, files: tuple[Path, ...]) -> None:
    listed = ", ".join(f"'{_text(file)}'" for file in files)
    for file in files:
        try:
            con.raw_sql(f"SELECT 1 FROM parquet_schema('{_text(file)}') LIMIT 1")
        except duckdb.Error:
            raise SourceError(
                f"{file.name} cannot be read as Parquet",
                hint="export it again: it is damaged or something else",
            ) from None
    con.raw_sql(f"CREATE VIEW {_name(name)} AS SELECT * FROM read_parquet([{listed}], union_by_name = true)")


def _load_csv(con: Backend, name: str, files: tuple[Path, ...]) -> None:
    parts = []
    for number, file in enumerate(files):
        part = f"{name} raw {number}"
        _load_text(con, part, file)
        parts.append(part)
    union = " UNION ALL BY NAME ".join(f"SELECT * FROM {_name(part)}" for part in parts)
    columns = [str(row[0]) for row in con.raw_sql(f"DESCRIBE {union}").fetchall()]
    typed = _column_types(con, union, columns)
    chosen = ", ".join(
        f"CAST(nullif({_name(column)}, '') AS {typed[column]}) AS {_name(column)}" for column in columns
    )
    con.raw_sql(f"CREATE TABLE {_name(name)} AS SELECT {chosen} FROM ({union})")
    for part in parts:
        con.raw_sql(f"DROP TABLE {_name(part)}")


def _load_text(con: Backend, part: str, file: Path) -> None:
    """Read a CSV file with every column as text, and refuse it if any row does not fit the header.

    Raises:
        SourceError: Names the file, how many rows are broken and the first of their lines.
    """
    delimiter, header = _header(file)
    columns = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in header)
    try:
        # Nothing is guessed: a guess may read a broken file as one that is whole, with a single column.
        con.raw_sql(
            f"CREATE TABLE {_name(part)} AS SELECT * FROM read_csv({_literal(str(file))}, "
            f"columns = {{{columns}}}, auto_detect = false, header = true, delim = {_literal(delimiter)}, "
            "quote = '\"', escape = '\"', store_rejects = true, rejects_limit = 0)"
        )
        rejects = con.raw_sql("SELECT DISTINCT line, error_type FROM reject_errors ORDER BY line").fetchall()
    except duckdb.Error:
        raise _no_csv(file) from None
    if any(row[1] == "INVALID ENCODING" for row in rejects):
        raise _no_csv(file)
    if rejects:
        lines = sorted({int(row[0]) for row in rejects})
        shown = ", ".join(f"{line:,}" for line in lines[:_SHOWN_LINES])
        one = len(lines) == 1
        raise SourceError(
            f"{file.name} has {len(lines):,} broken row{'' if one else 's'} "
            f"(line{'' if one else 's'} {shown}{', …' if len(lines) > _SHOWN_LINES else ''}): "
            "not the columns of the header",
            hint="mend or remove them, or export the file again",
        )


def _no_csv(file: Path) -> SourceError:
    return SourceError(
        f"{file.name} cannot be read as CSV", hint="export it again as comma-separated text in UTF-8"
    )


def _header(file: Path) -> tuple[str, list[str]]:
    """Return the separator of a CSV file, the one that its header has most of, and the names of its columns.

    Raises:
        SourceError: The header is not text, or names two columns alike.
    """
    import gzip  # noqa: PLC0415 - rarely needed

    try:
        with gzip.open(file, "rb") if file.name.lower().endswith(".gz") else file.open("rb") as stream:
            first = stream.readline(_LONGEST_HEADER).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError):
        raise _no_csv(file) from None
    delimiter = max(",;\t|", key=lambda mark: (first.count(mark), mark == ","))
    names = next(csv.reader([first], delimiter=delimiter), [])
    names = [name.strip() or f"column {number}" for number, name in enumerate(names, 1)]
    twice = sorted({name for name in names if [one.lower() for one in names].count(name.lower()) > 1})
    if twice:
        raise SourceError(
            f"{file.name} names two columns {twice[0]!r}", hint="rename one of them in its header"
        )
    return delimiter, names


def _column_types(con: Backend, union: str, columns: list[str]) -> dict[str, str]:
    tests = []
    for column in columns:
        quoted = _name(column)
        filled = f"{quoted} <> ''"
        tests.append(f"count(*) FILTER ({filled})")
        tests += [
            f"bool_and(regexp_full_match({quoted}, '{pattern}') "
            f"AND try_cast({quoted} AS {name}) IS NOT NULL) FILTER ({filled})"
            for name, pattern in _TYPES
        ]
    row = con.raw_sql(f"SELECT {', '.join(tests)} FROM ({union})").fetchone()
    width = len(_TYPES) + 1
    types: dict[str, str] = {}
    for index, column in enumerate(columns):
        filled, *passed = row[index * width : (index + 1) * width]
        names = [name for (name, _), ok in zip(_TYPES, passed, strict=True) if ok]
        types[column] = names[0] if filled and names else "VARCHAR"
    return types


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(path: Path | None) -> str:
    return str(path).replace("'", "''")
