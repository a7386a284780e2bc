"""A parsed condition: an immutable, normalised tree, and its canonical JSON.

Two writings that mean the same by order, repetition or nesting give equal trees::

    Node = Compare | OneOf | Exists      a statement about one attribute
         | Every | Either | Negation     statements about statements
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gtm_orchestra.config import AttributeType

__all__ = [
    "Compare",
    "Condition",
    "Either",
    "Every",
    "Exists",
    "Leaf",
    "Negation",
    "Node",
    "OneOf",
    "Operator",
    "Value",
    "column_of",
    "either",
    "every",
    "negation",
]

Value: TypeAlias = str | int | float | bool
Operator = Literal["$eq", "$ne", "$lt", "$lte", "$gt", "$gte"]

# The order in which statements about one attribute stand, in JSON and in the sentence.
_RANK = {
    name: rank
    for rank, name in enumerate(
        ("$exists", "$eq", "$in", "$gt", "$gte", "$lt", "$lte", "$ne", "$nin"),
    )
}


@dataclass(frozen=True, slots=True)
class Compare:
    """One attribute against one value. False for a person without the attribute, whatever the operator."""

    attribute: str
    type: AttributeType
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """One attribute against a sorted list without repetition. False for a person without the attribute."""

    attribute: str
    type: AttributeType
    values: tuple[Value, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether a person has the attribute at all."""

    attribute: str
    type: AttributeType
    exists: bool


@dataclass(frozen=True, slots=True)
class Every:
    """All of two or more statements; never directly inside another `Every`."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of two or more statements; never directly inside another `Either`."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """The opposite of a statement that is neither `Exists` nor itself a `Negation`."""

    part: Node


Leaf: TypeAlias = Compare | OneOf | Exists
Node: TypeAlias = Leaf | Every | Either | Negation


@dataclass(frozen=True, slots=True)
class Condition:
    """Who is meant. Made by `parse`; equal conditions are equal objects with equal hashes."""

    root: Node

    @property
    def attributes(self) -> frozenset[str]:
        """The names of all attributes that the condition reads, consent paths included."""
        return frozenset(leaf.attribute for leaf in leaves(self.root))

    def to_json(self) -> dict[str, object]:
        """Return the canonical document: `parse` of it gives an equal condition, its bytes can be hashed."""
        return node_json(self.root)


def column_of(attribute: str) -> str:
    """Return the people table's column of an attribute; only consent paths differ from their name.

    >>> column_of("country"), column_of("consent.product_email")
    ('country', 'consent__product_email')
    """
    return attribute.replace(".", "__")


def leaves(node: Node) -> Iterator[Leaf]:
    """Give every statement about one attribute, in tree order."""
    if isinstance(node, Every | Either):
        for part in node.parts:
            yield from leaves(part)
    elif isinstance(node, Negation):
        yield from leaves(node.part)
    else:
        yield node


def every(parts: Iterable[Node]) -> Node:
    """Return the normalised conjunction of at least one statement."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Every) else (part,))]
    ordered = _ordered(flat)
    return ordered[0] if len(ordered) == 1 else Every(ordered)


def either(parts: Iterable[Node]) -> Node:
    """Return the normalised disjunction of at least one statement."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Either) else (part,))]
    ordered = _ordered(flat)
    return ordered[0] if len(ordered) == 1 else Either(ordered)


def negation(part: Node) -> Node:
    """Return the normalised opposite of a statement."""
    if isinstance(part, Negation):
        return part.part
    if isinstance(part, Exists):
        return Exists(part.attribute, part.type, not part.exists)
    return Negation(part)


def leaf_json(leaf: Leaf) -> dict[str, object]:
    """Return a leaf's operator and operand as JSON writes them."""
    if isinstance(leaf, Exists):
        return {"$exists": leaf.exists}
    if isinstance(leaf, OneOf):
        return {"$nin" if leaf.negated else "$in": list(leaf.values)}
    return {leaf.operator: leaf.value}


def node_json(node: Node, write: Callable[[Leaf], dict[str, object]] = leaf_json) -> dict[str, object]:
    """Return a statement as a document, each leaf in the operators that `write` gives for it."""
    stated: dict[str, dict[str, object]] = {}
    groups: dict[str, object] = {}
    crowded: list[dict[str, object]] = []  # what would repeat a key of the object with another value
    for part in node.parts if isinstance(node, Every) else (node,):
        if isinstance(part, Leaf):
            operators = stated.setdefault(part.attribute, {})
            added = write(part)
            if any(key in operators and operators[key] != value for key, value in added.items()):
                crowded.append({part.attribute: _plain(added)})
            else:
                operators |= added
            continue
        key, value = _group_json(part, write)
        if key in groups:
            crowded.append({key: value})
        else:
            groups[key] = value
    merged = {name: _plain(operators) for name, operators in stated.items()} | groups
    return merged | {"$and": crowded} if crowded else merged


def _group_json(
    node: Every | Either | Negation, write: Callable[[Leaf], dict[str, object]]
) -> tuple[str, object]:
    if isinstance(node, Negation):
        return "$not", node_json(node.part, write)
    return ("$or" if isinstance(node, Either) else "$and"), [node_json(part, write) for part in node.parts]


def _plain(stated: dict[str, object]) -> object:
    """Write a lone equality as the bare value: `{"country": "DE"}`."""
    return stated["$eq"] if stated.keys() == {"$eq"} else stated


def _ordered(parts: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(sorted(dict.fromkeys(parts), key=_sort_key))


def _sort_key(node: Node) -> tuple[int, str, int, str]:
    text = json.dumps(node_json(node), sort_keys=True)
    if isinstance(node, Leaf):
        return 0, node.attribute, _RANK[next(iter(leaf_json(node)))], text
    return 1, "", 0, text
