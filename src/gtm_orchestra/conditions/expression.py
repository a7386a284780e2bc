"""A condition as a boolean column of an ibis table. The only module here that needs ibis."""

from __future__ import annotations

import functools
import operator
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import ibis

from gtm_orchestra.conditions.tree import Compare, Either, Every, Exists, Negation, OneOf, column_of
from gtm_orchestra.errors import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.conditions.tree import Condition, Leaf, Node, Operator, Value

__all__ = ["to_ibis"]

# ibis ships no precise types for its columns: `Any` keeps mypy honest about what it can and cannot check.
Boolean: TypeAlias = Any
Column: TypeAlias = Any

_TESTS: dict[Operator, Callable[[Any, Any], Any]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}
# "At most 10:00:00" holds until 10:00:01 begins, "after 10:00:00" holds from there on.
_WHOLE: dict[Operator, Operator] = {"$lt": "$lt", "$lte": "$lt", "$gt": "$gte", "$gte": "$gte"}
_LARGEST = sys.float_info.max
_ONE_SECOND = timedelta(seconds=1)


def to_ibis(condition: Condition, table: ibis.Table) -> Boolean:
    """Return a boolean expression over the rows of `table`, never null: a missing value compares as false.

    Attributes are columns of the same name; `consent.<purpose>` is the column `consent__<purpose>`. NaN and
    infinite numbers are missing, and fractions of a second are cut off, as in `evaluate`.

    Raises:
        ConditionError: The table lacks a column, or holds it in another type.
    """
    return _boolean(condition.root, table)


def _boolean(node: Node, table: ibis.Table) -> Boolean:
    if isinstance(node, Every):
        return functools.reduce(operator.and_, (_boolean(part, table) for part in node.parts))
    if isinstance(node, Either):
        return functools.reduce(operator.or_, (_boolean(part, table) for part in node.parts))
    if isinstance(node, Negation):
        return ~_boolean(node.part, table)
    column = _column(node, table)
    if isinstance(node, Exists):
        known = _known(column)
        return known if node.exists else ~known
    # False AND null is false, so no null leaves a leaf, where `NOT` would keep it and lose the person. Unlike
    # COALESCE, an engine takes this apart again to read an index or to skip a block.
    return column.notnull() & _comparison(node, column)


def _column(leaf: Leaf, table: ibis.Table) -> Column:
    name = column_of(leaf.attribute)
    if name not in table.columns:
        raise ConditionError(
            f"condition on {leaf.attribute!r}: the table has no column {name!r}",
            path=leaf.attribute,
            seen="no such column",
            allowed=", ".join(sorted(table.columns)[:20]),
            hint="add the attribute to the catalog, or take it out of the condition",
        )
    column = table[name]
    kind = column.type()
    fits = {
        "string": kind.is_string(),
        "number": kind.is_numeric() and not kind.is_boolean(),
        "boolean": kind.is_boolean(),
        "timestamp": kind.is_timestamp(),
    }
    if not fits[leaf.type]:
        raise ConditionError(
            f"condition on {leaf.attribute!r}: column {name!r} holds {kind}, not a {leaf.type}",
            path=leaf.attribute,
            seen=str(kind),
            allowed=leaf.type,
            hint="correct the attribute's type in the catalog",
        )
    return column


def _known(column: Column) -> Boolean:
    if not _has_nan(column):
        return column.notnull()
    return column.notnull() & (column >= -_LARGEST) & (column <= _LARGEST)


def _has_nan(column: Column) -> bool:
    # PostgreSQL's numeric, a decimal, has NaN as well.
    return bool(column.type().is_floating() or column.type().is_decimal())


def _comparison(leaf: Compare | OneOf, column: Column) -> Boolean:
    """Compare what is not null, with NaN and infinity left out."""
    if leaf.type == "timestamp" and isinstance(leaf, Compare):
        return _at(leaf, column)
    if isinstance(leaf, OneOf):
        values = [_literal(value) for value in leaf.values]
        compared = column.notin(values) if leaf.negated else column.isin(values)
    else:
        compared = _TESTS[leaf.operator](column, _literal(leaf.value))
    if not _has_nan(column):
        return compared
    operator_name = ("$nin" if leaf.negated else "$in") if isinstance(leaf, OneOf) else leaf.operator
    # Engines sort NaN above infinity, and JSON, hence the SDKs, has neither: both are missing.
    if operator_name in ("$gt", "$gte", "$ne", "$nin"):
        compared &= column <= _LARGEST
    if operator_name in ("$lt", "$lte", "$ne", "$nin"):
        compared &= column >= -_LARGEST
    return compared


def _at(leaf: Compare, column: Column) -> Boolean:
    """Compare a time as if its fraction of a second were cut off, without a function call per row."""
    moment = datetime.fromisoformat(str(leaf.value))
    zone = column.type().timezone
    start, end = (_moment(instant, zone) for instant in (moment, moment + _ONE_SECOND))
    if leaf.operator in ("$eq", "$ne"):
        within = (column >= start) & (column < end)
        return within if leaf.operator == "$eq" else ~within
    return _TESTS[_WHOLE[leaf.operator]](column, end if leaf.operator in ("$lte", "$gt") else start)


def _moment(instant: datetime, zone: str | None) -> Column:
    """Return a literal of the column's own type; a column without a zone is in UTC."""
    if zone is None:
        return ibis.literal(instant.replace(tzinfo=None), type="timestamp")
    return ibis.literal(instant.astimezone(UTC), type="timestamp('UTC')")


def _literal(value: Value) -> Column:
    # A fraction in digits is a DECIMAL to DuckDB, whose conversion rounds twice; read from text it is exact.
    return ibis.literal(repr(value)).cast("float64") if isinstance(value, float) else ibis.literal(value)
