"""Known answers inside the user's own engine, and whether gtm.toml still fits the data.

Engines differ where nobody looks: what a missing value equals, what 7 / 2 is, when a day begins. Each check
runs literal rows through the operators that inventory, profiles and metrics use, and compares with an answer
that a person can verify by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import reduce
from typing import TYPE_CHECKING, Any

import ibis

from gtm_orchestra.errors import SourceError
from gtm_orchestra.model import Model
from gtm_orchestra.warehouse.attributes import attribute_problems
from gtm_orchestra.warehouse.roles import role_table
from gtm_orchestra.warehouse.values import as_number, as_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gtm_orchestra.config import Config
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["Check", "check_source", "check_workspace", "open_points", "sql_text"]

_TOLERANCE = 1e-9


class Check(Model):
    """One question with a known answer, and what came back."""

    name: str
    ok: bool
    seen: str
    expected: str
    sql: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    expected: object
    ask: Callable[[], ibis.Table]


def check_source(warehouse: Warehouse) -> list[Check]:
    """Ask the engine every known answer on literal rows. Nothing of the source is read or written."""
    return [_answer(warehouse, question) for question in _QUESTIONS]


def sql_text(checks: Sequence[Check]) -> str:
    """Return the SQL of checks as one script, each under its name."""
    parts = [f"-- {check.name}: expected {check.expected}\n{check.sql};" for check in checks if check.sql]
    return "\n\n".join(parts) + "\n"


def _answer(warehouse: Warehouse, question: _Question) -> Check:
    expr = question.ask()
    sql = ""
    try:
        sql = str(ibis.to_sql(expr, dialect=warehouse.engine))
        seen = _plain(next(iter(warehouse.rows(expr)[0].values())))
    except SourceError as error:
        return Check(
            name=question.name, ok=False, seen=error.message, expected=str(question.expected), sql=sql
        )
    except ibis.common.exceptions.IbisError as error:
        seen = f"this engine cannot express it ({type(error).__name__})"
        return Check(name=question.name, ok=False, seen=seen, expected=str(question.expected), sql=sql)
    return Check(
        name=question.name,
        ok=_equal(seen, question.expected),
        seen=str(seen),
        expected=str(question.expected),
        sql=sql,
    )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
    return value


def _equal(seen: object, expected: object) -> bool:
    if isinstance(expected, bool) or isinstance(seen, bool) or isinstance(expected, str):
        return seen == expected
    if isinstance(expected, (int, float)):
        try:
            return abs(float(seen) - expected) <= _TOLERANCE  # type: ignore[arg-type]  # tried: anything a number reads
        except (TypeError, ValueError):
            return False
    return seen == expected


def _rows(schema: Mapping[str, str], *rows: Sequence[object]) -> ibis.Table:
    """Return literal rows as SELECT … UNION ALL: read-only sessions cannot hold a temporary table."""
    tables = [
        reduce(
            lambda table, item: table.mutate(
                **{
                    item[0]: ibis.literal(item[2], type=item[1])
                    if item[2] is not None
                    else ibis.null(item[1])
                }
            ),
            list(zip(schema, schema.values(), row, strict=True))[1:],
            (
                ibis.literal(row[0], type=next(iter(schema.values())))
                if row[0] is not None
                else ibis.null(next(iter(schema.values())))
            )
            .name(next(iter(schema)))
            .as_table(),
        )
        for row in rows
    ]
    return tables[0] if len(tables) == 1 else ibis.union(*tables, distinct=False)


def _one(value: Any) -> ibis.Table:  # noqa: ANN401 - ibis ships no precise types for its expressions
    return value.name("answer").as_table()


def _texts(*values: str | None) -> ibis.Table:
    return _rows({"v": "string"}, *([value] for value in values))


def _numbers(*values: float | None) -> ibis.Table:
    return _rows({"v": "float64"}, *([value] for value in values))


def _times(*values: str | None, zone: str | None = None) -> ibis.Table:
    return _one(as_time(_texts(*values).v, zone).max())


def _missing_is_not_different() -> ibis.Table:
    table = _texts("a", "b", None)
    return table.filter(table.v != "a").aggregate(answer=lambda t: t.count())


def _count_if_skips_missing() -> ibis.Table:
    table = _numbers(1, 2, 3, None)
    return table.aggregate(answer=table.count(where=table.v > 1))


def _latest_record() -> ibis.Table:
    table = _rows(
        {"person": "string", "at": "int64", "status": "string"},
        ["p", 1, "granted"], ["p", 3, "denied"], ["p", 2, "granted"], ["p", None, "unknown"],
        ["q", 9, "granted"],
    )  # fmt: skip
    ranked = table.mutate(
        place=ibis.row_number().over(group_by="person", order_by=ibis.desc("at", nulls_first=False))
    )
    return ranked.filter((ranked.place == 0) & (ranked.person == "p")).select(answer="status")


def _whole_seconds() -> ibis.Table:
    time = ibis.literal("2026-01-01 00:00:00.900").cast("timestamp")
    return _one(time.epoch_seconds().floor().cast("int64"))


def _division() -> ibis.Table:
    table = _rows({"a": "int64", "b": "int64"}, [7, 2])
    return table.select(answer=table.a / table.b)


def _whole_division() -> ibis.Table:
    table = _rows({"a": "int64", "b": "int64"}, [7, 2])
    return table.select(answer=table.a // table.b)


def _days_across_clock_change() -> ibis.Table:
    table = _texts("2026-03-28T23:30:00Z")
    local = as_time(table.v) + ibis.interval(minutes=60)
    return table.select(answer=local.date().cast("string"))


def _greatest_boolean() -> ibis.Table:
    table = _rows({"v": "boolean"}, [True], [False], [None])
    return table.aggregate(answer=table.v.any())


_QUESTIONS: tuple[_Question, ...] = (
    _Question("a missing value is not different from 'a'", 1, _missing_is_not_different),
    _Question("an empty text is not missing", 3, lambda: _one(_texts("", "a", "b", None).v.count())),
    _Question(
        "distinct values are counted without the missing one",
        2,
        lambda: _one(_texts("a", "a", "b", None).v.nunique()),
    ),
    _Question("a conditional count skips missing values", 2, _count_if_skips_missing),
    _Question("an average skips missing values", 2, lambda: _one(_numbers(1, 2, 3, None).v.mean())),
    _Question("7 / 2 is three and a half, not three", 3.5, _division),
    _Question("7 divided to whole numbers is three", 3, _whole_division),
    _Question(
        "the median of 1, 2, 3, 4 lies between",
        2.5,
        lambda: _one(as_number(_numbers(1, 2, 3, 4).v).quantile(0.5)),
    ),
    _Question(
        "the lower quartile of 1, 2, 3, 4 is interpolated",
        1.75,
        lambda: _one(as_number(_numbers(1, 2, 3, 4).v).quantile(0.25)),
    ),
    _Question(
        "texts compare with their case",
        1,
        lambda: _texts("a", "A").filter(lambda t: t.v == "a").aggregate(answer=lambda t: t.count()),
    ),
    _Question(
        "lower case reaches letters beyond English", "äñé", lambda: _one(_texts("ÄÑÉ").v.lower().max())
    ),
    _Question(
        "text that is no number is missing, not an error",
        3.5,
        lambda: _one(as_number(_texts("1", "2.5", "x", "").v).sum()),
    ),
    _Question(
        "a time with an offset is read as UTC",
        "2026-03-28 23:30:00",
        lambda: _times("2026-03-29T00:30:00+01:00"),
    ),
    _Question(
        "a time without zone is read in its zone, in summer",
        "2026-07-01 10:00:00",
        lambda: _times("2026-07-01 12:00:00", zone="Europe/Berlin"),
    ),
    _Question(
        "a time without zone is read in its zone, in winter",
        "2026-01-01 11:00:00",
        lambda: _times("2026-01-01 12:00:00", zone="Europe/Berlin"),
    ),
    _Question(
        "a date that does not exist is missing",
        1,
        lambda: _one(as_time(_texts("2026-02-30", "2026-02-28").v).count()),
    ),
    _Question("a business day begins at local midnight", "2026-03-29", _days_across_clock_change),
    _Question("seconds since 1970 are cut to whole ones", 1_767_225_600, _whole_seconds),
    _Question("the latest record of a person wins, a missing time last", "denied", _latest_record),
    _Question("one yes among unknowns is a yes", True, _greatest_boolean),  # noqa: FBT003 - the expected answer
    _Question(
        "an e-mail address is told by its form",
        1,
        lambda: (
            _texts("a@b.de", "a b@c", None)
            .filter(lambda t: t.v.re_search(r"^[^@\s]+@[^@\s]+\.[^@\s.]{2,63}$"))
            .aggregate(answer=lambda t: t.count())
        ),
    ),
)


def check_workspace(config: Config, warehouse: Warehouse) -> list[Check]:
    """Return whether all that gtm.toml maps is in the source, with the likely new name of what is not."""
    checks: list[Check] = []
    for role, settings in config.tables.items():
        where = f"tables.{role}"
        if settings.table not in warehouse.table_names():
            names = warehouse.table_names()
            checks.append(_absent(f"{where}.table", "table", settings.table, names))
            continue
        known = tuple(warehouse.table(settings.table).columns)
        wanted = {f"{where}.columns.{meaning}": column for meaning, column in settings.columns.items()}
        wanted |= {f"{where}.formats.{column}": column for column in settings.formats}
        if role == "people":
            wanted |= {f"consent.snapshots.{p}.column": s.column for p, s in config.consent.snapshots.items()}
        absent = {path: column for path, column in wanted.items() if column not in known}
        checks += [_absent(path, "column", column, known) for path, column in absent.items()]
        if not absent:
            checks.append(_usable(config, warehouse, role, len(wanted)))
    if all(check.ok for check in checks):
        problems = attribute_problems(warehouse, config)
        checks += [
            Check(name=f"attributes.{name}", ok=False, seen=problem, expected="available in the data")
            for name, problem in problems.items()
        ]
        if not problems:
            count = f"{len(config.attributes):,} attributes"
            checks.append(
                Check(name="attributes", ok=True, seen=f"{count} available", expected=f"{count} available")
            )
    return checks


def open_points(config: Config) -> tuple[str, ...]:
    """Return what no check fails on and a run still stops at: nobody to sign, nothing to deliver through."""
    found = []
    if not config.people_with_role("privacy-lead"):
        found.append("nobody has the role privacy-lead: nobody can sign off")
    known = {*config.consent.snapshots} if "consents" not in config.tables else None
    if known is not None and not any(c.purpose in known for c in config.channels.values()):
        found.append("no consent is mapped for any channel: every channel is blocked")
    if config.channels and not any(channel.system for channel in config.channels.values()):
        found.append("no channel has a system: nothing can be activated")
    return tuple(found)


def _absent(path: str, what: str, name: str, known: Sequence[str]) -> Check:
    close = get_close_matches(name, known, n=1) or get_close_matches(
        name.lower(), [k.lower() for k in known], n=1
    )
    match = next((k for k in known if close and k.lower() == close[0].lower()), None)
    seen = f"no such {what}" + (f"; was it renamed to {match!r}?" if match else "")
    return Check(name=path, ok=False, seen=seen, expected=f"{what} {name!r}")


def _usable(config: Config, warehouse: Warehouse, role: Any, columns: int) -> Check:  # noqa: ANN401 - TableRole, a key of config.tables
    expected = f"{columns} mapped columns, readable as mapped"
    try:
        role_table(warehouse, config, role)
    except SourceError as error:
        return Check(name=f"tables.{role}", ok=False, seen=str(error), expected=expected)
    return Check(name=f"tables.{role}", ok=True, seen=expected, expected=expected)
