"""A condition for GrowthBook's SDKs, and a person's row as the attributes that they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.conditions.evaluation import known_value, read_attribute
from gtm_orchestra.conditions.tree import Exists, leaf_json, node_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.conditions.parsing import Schema
    from gtm_orchestra.conditions.tree import Condition, Leaf
    from gtm_orchestra.config import AttributeType

__all__ = ["sdk_attributes", "to_growthbook"]


# The SDKs know times as text.
_SDK_TYPES: dict[AttributeType, str] = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "timestamp": "string",
}


def to_growthbook(condition: Condition) -> dict[str, object]:
    """Return the condition for a feature rule's `condition` field.

    `$exists` and `$type` stand beside every comparison. Without them the SDKs disagree: the one for
    JavaScript holds a missing value, and the text "2", to be less than 3; the one for Python does not. Both
    hold `$ne` of a missing value to be true.
    """
    return node_json(condition.root, _guarded)


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


def _guarded(leaf: Leaf) -> dict[str, object]:
    known: dict[str, object] = {"$exists": True, "$type": _SDK_TYPES[leaf.type]}
    if isinstance(leaf, Exists):
        return known if leaf.exists else {"$not": known}
    return known | leaf_json(leaf)
