"""Tables as their role needs them: stated formats read, missing columns as constants, people found by mail.

A shop's exports have no event names, write 31.12.2025 and 1.234,50, and know newsletter readers by address.
What gtm.toml says about that is applied here, inside the engine, before anybody looks at the table.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import ibis

from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.values import Column, as_text, as_time

if TYPE_CHECKING:
    from gtm_orchestra.config import Config, TableRole, TableSettings
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["ADDED", "FORMATS", "GIVEN", "reshape"]

# Columns that this module adds carry this prefix, so that nobody takes them for the source's.
ADDED = "gtm:"
# The meaning under which the column stays mapped by which people were looked for.
GIVEN = f"{ADDED}given"
FORMATS = ("decimal-comma", "decimal-point", "epoch-s", "epoch-ms", "epoch-us")
_EPOCHS = {"epoch-s": 1, "epoch-ms": 1_000, "epoch-us": 1_000_000}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARTS = {
    "%Y": "([0-9]{4})",
    "%y": "([0-9]{2})",
    "%m": "(0?[1-9]|1[0-2])",
    "%d": "(0?[1-9]|[12][0-9]|3[01])",
    "%b": "([A-Za-z]{3})",
    "%B": "([A-Za-z]{3})[a-z]*",
    "%H": "([01]?[0-9]|2[0-3])",
    "%I": "(0?[1-9]|1[0-2])",
    "%M": "([0-5][0-9])",
    "%S": "([0-5][0-9])",
    "%p": r"([AaPp])\.?[Mm]\.?",
    "%z": "([+-][0-9]{2}:?[0-9]{2})",
}
_NOON = 12


def reshape(
    warehouse: Warehouse, config: Config, role: TableRole, settings: TableSettings, table: ibis.Table
) -> tuple[ibis.Table, TableSettings]:
    """Return a table with everything that its settings say about its texts and missing columns applied.

    Raises:
        SourceError: A format names a column that is not there, or is none.
    """
    table = _formatted(_counting(table, settings), settings)
    columns = dict(settings.columns)
    for meaning, word in sorted(settings.constants.items()):
        columns[meaning] = f"{ADDED}{meaning}"
        table = table.mutate(**{columns[meaning]: ibis.literal(word)})
    if role == "consents" and "withdrawn_at" in columns:
        table, columns = _withdrawn(table, columns, settings)
    if settings.person_by is not None and "person" in columns:
        columns[GIVEN] = columns["person"]
        table, columns["person"] = _found(warehouse, config, settings, table, of="people")
    if settings.account_by is not None and "account" in columns:
        table, columns["account"] = _found(warehouse, config, settings, table, of="accounts")
    subscriptions = config.tables.get("subscriptions")
    if subscriptions is not None and role in {"people", "accounts"}:
        table = _with_subscription(
            warehouse, config, role=role, settings=subscriptions, table=table, key=columns["key"]
        )
    return table, settings.model_copy(update={"columns": columns})


def _counting(table: ibis.Table, settings: TableSettings) -> ibis.Table:
    """Return the rows that count. A missing word excludes nothing."""
    for name, excluded in sorted(settings.exclude.items()):
        if name not in table.columns:
            raise SourceError(
                f"table {settings.table!r} has no column {name!r}, which its exclude names; "
                f"columns there: {', '.join(table.columns)}",
                hint="mend gtm.toml, or run 'gtm init' again",
            )
        word = as_text(table[name]).strip().lower()
        table = table.filter(word.isnull() | ~word.isin([text.strip().lower() for text in excluded]))
    return table


def _formatted(table: ibis.Table, settings: TableSettings) -> ibis.Table:
    read = {}
    for name, written in sorted(settings.formats.items()):
        if name not in table.columns:
            raise SourceError(
                f"table {settings.table!r} has no column {name!r}, which its formats name; "
                f"columns there: {', '.join(table.columns)}",
                hint="mend gtm.toml, or run 'gtm init' again",
            )
        column = table[name]
        if written in _EPOCHS and column.type().is_integer():
            epoch = ibis.timestamp("1970-01-01 00:00:00")
            at = epoch + (column // _EPOCHS[written]).cast("int64").as_interval("s")
            # Counted from 1970 it is UTC, whatever the zone of the table's other times.
            read[name] = at.cast("timestamp('UTC')")
        elif column.type().is_string():
            read[name] = (
                _decimal(column, written) if written.startswith("decimal-") else _iso(column, written)
            )
    return table.mutate(**read) if read else table


def _decimal(column: Column, written: str) -> Column:
    if written == "decimal-comma":
        return column.re_replace(r"[^0-9,\-]", "").replace(",", ".").nullif("")
    return column.re_replace(r"[^0-9.\-]", "").nullif("")


def _iso(column: Column, written: str) -> Column:
    """Return ISO 8601 text, which every engine reads alike; what does not fit the format is missing."""
    pattern, order = _pattern(written)
    text = column.strip()

    def part(code: str, default: str) -> Column:
        return text.re_extract(pattern, order.index(code) + 1) if code in order else ibis.literal(default)

    year = part("%Y", "") if "%Y" in order else ibis.literal("20").concat(part("%y", "00"))
    month = _month(part("%b", "")) if "%b" in order else part("%m", "01")
    hour = _hour(part("%I", "12"), part("%p", "a")) if "%I" in order else part("%H", "00")
    day = year.concat("-", month.lpad(2, "0"), "-", part("%d", "01").lpad(2, "0"))
    clock = hour.lpad(2, "0").concat(":", part("%M", "00"), ":", part("%S", "00"))
    iso = day.concat(" ", clock, part("%z", "")) if "%z" in order else day.concat(" ", clock)
    return ibis.ifelse(text.re_search(pattern), iso, ibis.null("string"))


def _pattern(written: str) -> tuple[str, list[str]]:
    codes = re.findall(r"%[A-Za-z]", written)
    if not codes or any(code not in _PARTS for code in codes) or not {"%Y", "%y"} & set(codes):
        raise SourceError(
            f"format {written!r} is not known",
            hint=f"write {', '.join(FORMATS)}, or the parts of a time: {' '.join(_PARTS)}",
        )
    pieces = re.split(r"(%[A-Za-z])", written)
    pattern = "".join(_PARTS.get(piece) or re.sub(r"([.+()\[\]])", r"\\\1", piece) for piece in pieces)
    return f"^{pattern}$", [code.replace("%B", "%b") for code in codes]


def _month(name: Column) -> Column:
    cases = [(short, f"{number:02d}") for number, short in enumerate(_MONTHS, start=1)]
    return name.lower().cases(*cases, else_=ibis.null("string"))


def _hour(hour: Column, half: Column) -> Column:
    # One CASE over one text: named in each case, the extractions would be written out for all of them.
    cases = [
        (f"{number:02d}{letter}", f"{number % _NOON + (_NOON if letter == 'p' else 0):02d}")
        for number in range(1, _NOON + 1)
        for letter in "ap"
    ]
    return hour.lpad(2, "0").concat(half.lower()).cases(*cases, else_=ibis.null("string"))


def _withdrawn(
    table: ibis.Table, columns: dict[str, str], settings: TableSettings
) -> tuple[ibis.Table, dict[str, str]]:
    """Let a time of withdrawal count as the latest word, where it is not before the agreement."""
    at = as_time(table[columns["at"]], settings.time_zone)
    gone = as_time(table[columns["withdrawn_at"]], settings.time_zone)
    withdrawn = gone.notnull() & (at.isnull() | (gone >= at))
    status = as_text(table[columns["status"]])
    table = table.mutate(
        **{
            f"{ADDED}at": ibis.ifelse(withdrawn, gone, at).cast("timestamp('UTC')"),
            f"{ADDED}status": ibis.ifelse(withdrawn, ibis.literal("withdrawn"), status),
        }
    )
    return table, columns | {"at": f"{ADDED}at", "status": f"{ADDED}status"}


def _found(
    warehouse: Warehouse,
    config: Config,
    settings: TableSettings,
    table: ibis.Table,
    *,
    of: Literal["people", "accounts"],
) -> tuple[ibis.Table, str]:
    """Find each row's person or account by something else than the key. What several share finds nobody."""
    meaning, known = ("person", settings.person_by) if of == "people" else ("account", settings.account_by)
    owners = config.tables.get(of)
    by = owners.columns.get(str(known)) if owners is not None else None
    if owners is None or by is None:
        raise SourceError(
            f"table {settings.table!r} finds {of} by {known!r}, which tables.{of}.columns lacks",
            hint=f"map it there, or remove {meaning}_by",
        )
    source, key = warehouse.table(owners.table), f"{ADDED}{meaning}"
    pairs = source.select(
        **{f"{ADDED}by": as_text(source[by]).strip().lower(), key: source[owners.columns["key"]]}
    ).drop_null()
    one = pairs.group_by(f"{ADDED}by").aggregate(**{key: pairs[key].min(), f"{ADDED}last": pairs[key].max()})
    one = one.filter(one[key] == one[f"{ADDED}last"]).drop(f"{ADDED}last")
    wanted = as_text(table[settings.columns[meaning]]).strip().lower()
    return table.left_join(one, wanted == one[f"{ADDED}by"]).drop(f"{ADDED}by"), key


def _with_subscription(
    warehouse: Warehouse,
    config: Config,
    *,
    role: TableRole,
    settings: TableSettings,
    table: ibis.Table,
    key: str,
) -> ibis.Table:
    """Add the latest subscription's columns as "<table>.<column>"; of equally late ones the greatest key."""
    link = "account" if "account" in settings.columns else "person"
    if link not in settings.columns or (role == "accounts") != (link == "account"):
        return table
    source = _formatted(_counting(warehouse.table(settings.table), settings), settings)
    own, owner = tuple(source.columns), settings.columns[link]
    if link == "account" and settings.account_by is not None:
        source, owner = _found(warehouse, config, settings, source, of="accounts")
    elif link == "person" and settings.person_by is not None:
        source, owner = _found(warehouse, config, settings, source, of="people")
    rows = source.filter(as_text(source[owner]).notnull())
    order = [ibis.desc(as_text(rows[settings.columns["key"]]), nulls_first=False)]
    if "started_at" in settings.columns:
        started = as_time(rows[settings.columns["started_at"]], settings.time_zone)
        order.insert(0, ibis.desc(started, nulls_first=False))
    ranked = rows.mutate(**{f"{ADDED}rank": ibis.row_number().over(group_by=rows[owner], order_by=order)})
    latest = ranked.filter(ranked[f"{ADDED}rank"] == 0)
    renamed = latest.select(
        **{f"{settings.table}.{name}": latest[name] for name in own},
        **{f"{ADDED}subscriber": as_text(latest[owner])},
    )
    joined = table.left_join(renamed, as_text(table[key]) == renamed[f"{ADDED}subscriber"])
    return joined.drop(f"{ADDED}subscriber")
