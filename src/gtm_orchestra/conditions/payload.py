"""A condition for GrowthBook's SDKs, and a person's row as the attributes that they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.conditions.evaluation import known_value, read_attribute
from gtm_orchestra.conditions.tree import Either, Every, Exists, Negation, leaf_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.conditions.parsing import Schema
    from gtm_orchestra.conditions.tree import Condition, Node

__all__ = ["sdk_attributes", "to_growthbook"]


def to_growthbook(condition: Condition) -> dict[str, object]:
    """Return the condition for a feature rule's `condition` field.

    `$exists` stands beside every comparison: the SDKs disagree on `$lt` of a missing attribute, and hold
    `$ne` of one to be true. The payload is itself a condition of this language.
    """
    return _guarded(condition.root)


def sdk_attributes(attributes: Mapping[str, object], schema: Schema) -> dict[str, object]:
    """Return a person's attributes as the SDKs take them: a new dict without missing values, consent nested.

    Args:
        attributes: By attribute name or column name, as `evaluate` takes them. Names outside the schema,
            such as the person's id, are left out.
        schema: The types; times become text.
    """
    document: dict[str, object] = {}
    for name in sorted(schema):
        value = known_value(read_attribute(attributes, name), schema[name])
        if value is None:
            continue
        *outer, last = name.split(".", 1)
        place = document
        for step in outer:
            place = place.setdefault(step, {})  # type: ignore[assignment]
        place[last] = value
    return document


def _guarded(node: Node) -> dict[str, object]:
    if isinstance(node, Every):
        return {"$and": [_guarded(part) for part in node.parts]}
    if isinstance(node, Either):
        return {"$or": [_guarded(part) for part in node.parts]}
    if isinstance(node, Negation):
        return {"$not": _guarded(node.part)}
    operator, operand = leaf_json(node)
    if isinstance(node, Exists):
        return {node.attribute: {operator: operand}}
    return {node.attribute: {"$exists": True, operator: operand}}
