"""How a column of any engine is read as text, number, boolean or UTC time. What cannot be read is missing.

PostgreSQL has no cast that forgives, so text is matched against a bounded pattern before it is cast.
Times come out without a zone and mean UTC; the session's zone is UTC on every engine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import ibis
from ibis.common.exceptions import IbisError

from gtm_orchestra.errors import SourceError

if TYPE_CHECKING:
    from gtm_orchestra.config import AttributeType
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = [
    "Column",
    "as_boolean",
    "as_key",
    "as_number",
    "as_text",
    "as_time",
    "as_type",
    "moment",
    "plain_type",
    "require_times",
]

# ibis ships no precise types for its columns.
Column: TypeAlias = Any

_NUMBER = r"^\s*-?[0-9]{1,17}(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?\s*$"
# A date that exists, so that the cast behind it cannot fail: months of 31, 30 and 28 days, then leap days.
_DAY = (
    r"[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    r"|(19|20)(0[48]|[2468][048]|[13579][26])-02-29|2000-02-29"
)
_CLOCK = r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?)"
_LOCAL_TIME = rf"^({_DAY}){_CLOCK}?$"
# With a zone the seconds must be there and no space before it: DuckDB reads no other.
_ZONED_TIME = (
    rf"^({_DAY})[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,9}})?"
    r"(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)$"
)
_TIME_FORM = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?)?$"
)
_LARGEST = 1.7976931348623157e308


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="timezone",
    signature=(("string", "timestamp"), "timestamp('UTC')"),
)
def _local_to_instant(zone: str, local: datetime) -> datetime:
    """Return the instant at which clocks of a zone show a time. DuckDB and PostgreSQL share the name."""
    raise NotImplementedError


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="epoch_us", signature=(("timestamp('UTC')",), "int64")
)
def _epoch_us(instant: datetime) -> int:
    """Return microseconds since 1970, in DuckDB."""
    raise NotImplementedError


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="make_timestamp", signature=(("int64",), "timestamp")
)
def _make_timestamp(microseconds: int) -> datetime:
    """Return the time without zone, in DuckDB."""
    raise NotImplementedError


def plain_type(column: Column) -> str:
    """Return the type of a column in words that are the same on every engine."""
    kind = column.type()
    tests = (
        ("boolean", kind.is_boolean),
        ("integer", kind.is_integer),
        ("number", lambda: kind.is_floating() or kind.is_decimal()),
        ("timestamp", kind.is_timestamp),
        ("date", kind.is_date),
        ("string", lambda: kind.is_string() or kind.is_uuid()),
    )
    return next((name for name, test in tests if test()), "other")


def as_text(column: Column) -> Column:
    """Return text; an empty one is missing."""
    return (column if column.type().is_string() else column.cast("string")).nullif("")


def as_key(column: Column, *, native: bool = False) -> Column:
    """Return a key as text; `native` keeps a whole number as it is, which joins faster."""
    return column if native and column.type().is_integer() else as_text(column)


def as_number(column: Column) -> Column:
    """Return a 64-bit float; NaN and infinity are missing."""
    kind = column.type()
    if kind.is_boolean():
        return ibis.cases((column, 1.0), (~column, 0.0), else_=ibis.null("float64"))
    if kind.is_integer() or kind.is_decimal():
        return column.cast("float64")
    if kind.is_floating():
        number = column.cast("float64")
        return ibis.ifelse(number.between(-_LARGEST, _LARGEST), number, ibis.null("float64"))
    if kind.is_string():
        return ibis.ifelse(column.re_search(_NUMBER), column.strip(), ibis.null("string")).cast("float64")
    return ibis.null("float64")


def as_boolean(column: Column) -> Column:
    """Return a boolean: true, t, yes, y and 1, or false, f, no, n and 0, in any case."""
    kind = column.type()
    if kind.is_boolean():
        return column
    if kind.is_numeric():
        return ibis.cases((column == 1, True), (column == 0, False), else_=ibis.null("boolean"))
    if kind.is_string():
        word = column.strip().lower()
        yes, no = word.isin(["true", "t", "yes", "y", "1"]), word.isin(["false", "f", "no", "n", "0"])
        return ibis.cases((yes, True), (no, False), else_=ibis.null("boolean"))
    return ibis.null("boolean")


def as_time(column: Column, zone: str | None = None) -> Column:
    """Return a UTC time without zone. A time without a zone is taken to be in `zone`, by default UTC.

    Text must be ISO 8601; use `require_times` first, which refuses a column of mixed zones.
    """
    kind = column.type()
    if kind.is_timestamp():
        return _without_zone(column) if kind.timezone else _from_zone(column, zone)
    if kind.is_date():
        return _from_zone(column.cast("timestamp"), zone)
    if kind.is_string():
        if zone in {None, "UTC"} and _engine_of(column) == "duckdb":
            # Its cast forgives, and the session's zone is UTC: one pattern and one cast instead of two.
            form = ibis.ifelse(column.re_search(_TIME_FORM), column, ibis.null("string"))
            return _make_timestamp(_epoch_us(form.try_cast("timestamp('UTC')")))
        local = ibis.ifelse(column.re_search(_LOCAL_TIME), column, ibis.null("string")).cast("timestamp")
        zoned = ibis.ifelse(column.re_search(_ZONED_TIME), column, ibis.null("string")).cast(
            "timestamp('UTC')",
        )
        return ibis.coalesce(_from_zone(local, zone), zoned.cast("timestamp"))
    return ibis.null("timestamp")


def _without_zone(instant: Column) -> Column:
    if _engine_of(instant) == "duckdb":
        # Its cast asks the calendar library for every row; by microseconds it takes a tenth of the time.
        return _make_timestamp(_epoch_us(instant))
    return instant.cast("timestamp")


def _engine_of(column: Column) -> str:
    try:
        return str(column.get_backend().name)
    except IbisError:
        return ""


def _from_zone(local: Column, zone: str | None) -> Column:
    return local if zone in {None, "UTC"} else _local_to_instant(ibis.literal(zone), local).cast("timestamp")


def as_type(column: Column, type_: AttributeType, zone: str | None = None) -> Column:
    """Return a column read as an attribute type."""
    if type_ == "number":
        return as_number(column)
    if type_ == "boolean":
        return as_boolean(column)
    return as_time(column, zone) if type_ == "timestamp" else as_text(column)


def moment(instant: datetime) -> Column:
    """Return a literal that compares with what `as_time` returns."""
    return ibis.literal(instant.astimezone(UTC).replace(tzinfo=None), type="timestamp")


def require_times(warehouse: Warehouse, column: Column, where: str) -> bool:
    """Refuse a time column that is no time, or in which some times have a zone and others do not.

    Returns:
        Whether nothing is left to guess: the times have a zone, are days without a clock, or there are none.

    Raises:
        SourceError: Says which column, how many values are of which kind, and what to do.
    """
    kind = column.type()
    if kind.is_timestamp() or kind.is_date():
        return kind.is_date() or kind.timezone is not None
    if not kind.is_string():
        raise SourceError(
            f"{where} holds {plain_type(column)} values, not times",
            hint="give it times, such as 2026-01-31T09:30:00Z, or map another column in gtm.toml",
        )
    text = column.nullif("")
    found = warehouse.rows(
        column.as_table().aggregate(
            filled=text.count(),
            zoned=text.re_search(_ZONED_TIME).sum(),
            local=text.re_search(_LOCAL_TIME).sum(),
        ),
    )[0]
    filled, zoned, local = (int(found[name] or 0) for name in ("filled", "zoned", "local"))
    if zoned and local:
        raise SourceError(
            f"{where} mixes times with a zone ({zoned:,}) and without one ({local:,})",
            hint="export all of them with a zone, such as 2026-01-31T09:30:00Z",
        )
    if filled and not zoned and not local:
        raise SourceError(
            f"{where} holds text that is no time in any of its {filled:,} values",
            hint="export ISO 8601 times, such as 2026-01-31T09:30:00Z, or map another column in gtm.toml",
        )
    return not local
