"""A condition over columns in memory: millions of people at once, with numpy."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gtm_orchestra.conditions.tree import Compare, Either, Every, Exists, Negation, column_of
from gtm_orchestra.errors import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gtm_orchestra.conditions.tree import Condition, Leaf, Node, OneOf, Operator
    from gtm_orchestra.config import AttributeType

__all__ = ["ColumnValues", "Mask", "to_mask"]

Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
Array: TypeAlias = np.ndarray[Any, Any]

_TESTS: dict[Operator, Callable[[Any, Any], Any]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}
_KINDS: dict[AttributeType, str] = {"string": "OTU", "number": "iuf", "boolean": "b", "timestamp": "M"}


@dataclass(frozen=True, slots=True, eq=False)
class ColumnValues:
    """One attribute of all people.

    Attributes:
        values: Numbers, booleans, datetime64 in UTC, or text (objects, StringDType). With `categories`, text
            as whole-number positions in it, the fast form. What stands at a missing place is ignored.
        missing: True where a person lacks the attribute. NaN, infinity and NaT are missing without it.
        categories: The distinct texts, if `values` are positions.
    """

    values: Array
    missing: Mask | None = None
    categories: tuple[str, ...] | None = None

    @classmethod
    def from_arrow(cls, column: Any) -> ColumnValues:  # noqa: ANN401 — pyarrow has no types to name
        """Return the values of a pyarrow array or chunked array; text becomes positions and categories."""
        array = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        kind = str(array.type)
        if kind in ("string", "large_string", "string_view") or kind.startswith("dictionary"):
            encoded = array if kind.startswith("dictionary") else array.dictionary_encode()
            values = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
            return cls(values, missing, tuple(encoded.dictionary.to_pylist()))
        if kind == "bool":
            filled = array.fill_null(False)  # noqa: FBT003 — pyarrow takes it by position only
            return cls(filled.to_numpy(zero_copy_only=False), missing)
        if kind.startswith("decimal"):
            array = array.cast("float64")
        return cls(array.to_numpy(zero_copy_only=False), missing)


def to_mask(condition: Condition, columns: Mapping[str, ColumnValues]) -> Mask:
    """Return whom the condition means, one boolean per row, in the rows' order.

    Args:
        condition: What to evaluate.
        columns: By attribute name or column name; all of equal length.

    Raises:
        ConditionError: A column is missing, or of another type than the attribute.
    """
    return _mask(condition.root, columns)


def _mask(node: Node, columns: Mapping[str, ColumnValues]) -> Mask:
    if isinstance(node, Negation):
        return ~_mask(node.part, columns)
    if isinstance(node, Every | Either):
        join = np.logical_and if isinstance(node, Every) else np.logical_or
        result = _mask(node.parts[0], columns)
        for part in node.parts[1:]:
            # In place: each leaf's array is fresh, and a rule set has hundreds of them.
            join(result, _mask(part, columns), out=result)
        return result
    column = _column(node, columns)
    if isinstance(node, Exists):
        known = _known(node, column)
        return known if node.exists else ~known
    hit = _text(node, column) if node.type == "string" else _plain(node, column.values)
    hit &= _known(node, column)
    return hit


def _column(leaf: Leaf, columns: Mapping[str, ColumnValues]) -> ColumnValues:
    found = columns.get(leaf.attribute) or columns.get(column_of(leaf.attribute))
    if found is None:
        raise ConditionError(
            f"condition on {leaf.attribute!r}: there is no such column",
            path=leaf.attribute,
            seen="no such column",
            allowed=", ".join(sorted(columns)[:20]),
            hint="add the attribute to the columns, or take it out of the condition",
        )
    expected = "iu" if found.categories is not None else _KINDS[leaf.type]
    if found.values.dtype.kind not in expected or (found.categories is not None and leaf.type != "string"):
        raise ConditionError(
            f"condition on {leaf.attribute!r}: the column holds {found.values.dtype}, not a {leaf.type}",
            path=leaf.attribute,
            seen=str(found.values.dtype),
            allowed=leaf.type,
            hint="correct the attribute's type in the catalog",
        )
    return found


def _known(leaf: Leaf, column: ColumnValues) -> Mask:
    known = np.ones(len(column.values), dtype=np.bool_) if column.missing is None else ~column.missing
    if column.values.dtype.kind == "f":
        known &= np.isfinite(column.values)
    elif leaf.type == "timestamp":
        known &= ~np.isnat(column.values)
    return known


def _text(leaf: Compare | OneOf, column: ColumnValues) -> Mask:
    if column.categories is None:
        return _plain(leaf, column.values)
    # Each distinct text is compared once; people then look their category up.
    distinct = np.array(column.categories, dtype=object)
    return _plain(leaf, distinct)[column.values] if len(distinct) else np.zeros(len(column.values), np.bool_)


def _plain(leaf: Compare | OneOf, values: Array) -> Mask:
    if not isinstance(leaf, Compare):
        hit = _listed(leaf, values)
        return ~hit if leaf.negated else hit
    if leaf.type == "timestamp":
        # Fractions of a second are cut off, before 1970 as well.
        return np.asarray(_TESTS[leaf.operator](_seconds(values), _second(leaf)), dtype=np.bool_)
    if leaf.type == "number":
        values = values.astype(np.float64, copy=False)
    return np.asarray(_TESTS[leaf.operator](values, leaf.value), dtype=np.bool_)


def _listed(leaf: OneOf, values: Array) -> Mask:
    if leaf.type == "number":
        return np.isin(values.astype(np.float64, copy=False), np.array(leaf.values, dtype=np.float64))
    wanted = frozenset(leaf.values)
    return np.fromiter((value in wanted for value in values), dtype=np.bool_, count=len(values))


def _seconds(values: Array) -> Array:
    return values.astype("datetime64[s]")


def _second(leaf: Compare) -> np.datetime64:
    return np.datetime64(str(leaf.value).removesuffix("Z"), "s")
