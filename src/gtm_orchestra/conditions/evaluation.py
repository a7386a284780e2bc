"""The reference: one condition, one person, plain Python. Every compiler must agree with it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

from gtm_orchestra.conditions.tree import Compare, Either, Every, Exists, Negation, column_of

if TYPE_CHECKING:
    from gtm_orchestra.conditions.tree import Condition, Node, OneOf, Operator, Value
    from gtm_orchestra.config import AttributeType

__all__ = ["evaluate", "known_value", "read_attribute"]

# Both sides are of one type by then: `parse` and `known_value` see to it.
_TESTS: dict[Operator, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}


_EXACT = 2**53  # beyond, a number is a 64-bit float to every SDK and in every compiled form


def evaluate(condition: Condition, attributes: Mapping[str, object]) -> bool:
    """Return whether a person with these attributes is meant.

    An absent name, None, NaN, an infinite number and a value of another type than the attribute's are all
    missing, and a comparison with a missing value is false. A timestamp is a datetime (in UTC if it has no
    zone) or its "YYYY-MM-DDTHH:MM:SSZ" text; fractions of a second are cut off. Consent is read from the flat
    name `consent.<purpose>`, the column `consent__<purpose>`, or a `consent` object, in this order.
    """
    return _holds(condition.root, attributes)


def read_attribute(attributes: Mapping[str, object], name: str) -> object:
    """Return the raw value of an attribute, None if absent."""
    if name in attributes:
        return attributes[name]
    column = column_of(name)
    if column == name:
        return None
    if column in attributes:
        return attributes[column]
    head, tail = name.split(".", 1)
    inner = attributes.get(head)
    return inner.get(tail) if isinstance(inner, Mapping) else None


def known_value(raw: object, kind: AttributeType) -> Value | None:
    """Return a value in the form that conditions compare, None if it is missing or of another type."""
    if kind == "boolean":
        return raw if isinstance(raw, bool) else None
    if kind == "number":
        is_number = isinstance(raw, Real | Decimal) and not isinstance(raw, bool)
        return _finite(cast("float", raw)) if is_number else None
    if kind == "timestamp" and isinstance(raw, datetime):
        moment = raw.astimezone(UTC) if raw.tzinfo else raw
        return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    return raw if isinstance(raw, str) else None


def _finite(raw: float) -> int | float | None:
    if isinstance(raw, int) and abs(raw) <= _EXACT:
        return raw
    try:
        number = float(raw)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _holds(node: Node, attributes: Mapping[str, object]) -> bool:
    if isinstance(node, Every):
        return all(_holds(part, attributes) for part in node.parts)
    if isinstance(node, Either):
        return any(_holds(part, attributes) for part in node.parts)
    if isinstance(node, Negation):
        return not _holds(node.part, attributes)
    value = known_value(read_attribute(attributes, node.attribute), node.type)
    if isinstance(node, Exists):
        return (value is not None) is node.exists
    return value is not None and _compares(node, value)


def _compares(node: Compare | OneOf, value: Value) -> bool:
    if isinstance(node, Compare):
        return _TESTS[node.operator](value, node.value)
    return (value in node.values) is not node.negated
