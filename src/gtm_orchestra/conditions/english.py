"""A condition as one English sentence that a marketer or a privacy lead can sign."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING

from gtm_orchestra.conditions.tree import Compare, Either, Every, Exists, Leaf, Negation, OneOf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.conditions.tree import Condition, Node, Operator, Value
    from gtm_orchestra.config import AttributeType

__all__ = ["attribute_label", "to_english"]

_PHRASES: dict[Operator, str] = {
    "$eq": "is",
    "$ne": "is not",
    "$lt": "is less than",
    "$lte": "is at most",
    "$gt": "is more than",
    "$gte": "is at least",
}
_TIME_PHRASES: dict[Operator, str] = _PHRASES | {
    "$lt": "is before",
    "$lte": "is at or before",
    "$gt": "is after",
    "$gte": "is at or after",
}
_WINDOW = re.compile(r"(.+)_([0-9]+)([mhdw])")
_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
_PLAIN = re.compile(r"[\w+.-]*\w")
_AMBIGUOUS = {"and", "either", "is", "known", "missing", "not", "one", "or"}


def to_english(condition: Condition, labels: Mapping[str, str] | None = None) -> str:
    """Return the condition in words, without a capital or a full stop, complete however long.

    Args:
        condition: What to say.
        labels: Names of attributes for readers; the others are made from the attribute's name.
    """
    return _words(condition.root, labels or {}, inside=False)


def attribute_label(name: str, labels: Mapping[str, str] | None = None) -> str:
    """Return an attribute's name for readers.

    >>> attribute_label("sessions_30d"), attribute_label("consent.product_email")
    ('sessions in 30 days', 'consent for product email')
    """
    if labels and name in labels:
        return labels[name]
    words = name.replace("consent.", "consent for ", 1) if name.startswith("consent.") else name
    if match := _WINDOW.fullmatch(words):
        count = int(match[2])
        unit = _UNITS[match[3]] + ("" if count == 1 else "s")
        words = f"{match[1]} in {count} {unit}"
    return words.replace("_", " ")


def _words(node: Node, labels: Mapping[str, str], *, inside: bool) -> str:
    if isinstance(node, Negation):
        return f"not ({_words(node.part, labels, inside=False)})"
    if isinstance(node, Every):
        text = ", and ".join(_clauses(node.parts, labels))
    elif isinstance(node, Either):
        text = ", or ".join(_words(part, labels, inside=True) for part in node.parts)
    else:
        return f"{attribute_label(node.attribute, labels)} {_predicate(node)}"
    return f"({text})" if inside else text


def _clauses(parts: tuple[Node, ...], labels: Mapping[str, str]) -> list[str]:
    """Say everything about one attribute in one clause: "age is at least 18 and is less than 30"."""
    clauses = []
    for name, group in groupby(parts, key=_subject):
        said = list(group)
        if name is None:
            clauses += [_words(part, labels, inside=True) for part in said]
        else:
            predicates = " and ".join(_predicate(part) for part in said if isinstance(part, Leaf))
            clauses.append(f"{attribute_label(name, labels)} {predicates}")
    return clauses


def _subject(node: Node) -> str | None:
    return node.attribute if isinstance(node, Leaf) else None


def _predicate(leaf: Leaf) -> str:
    if isinstance(leaf, Exists):
        return "is known" if leaf.exists else "is missing"
    if isinstance(leaf, Compare):
        phrases = _TIME_PHRASES if leaf.type == "timestamp" else _PHRASES
        return f"{phrases[leaf.operator]} {_said(leaf.value, leaf.type)}"
    return f"is {'not ' if leaf.negated else ''}one of {_list(leaf)}"


def _list(leaf: OneOf) -> str:
    said = [_said(value, leaf.type) for value in leaf.values]
    return f"{', '.join(said[:-1])} or {said[-1]}"


def _said(value: Value, kind: AttributeType) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return f"{value:,}"
    if kind == "timestamp":
        return f"{value[:10]} {value[11:19]} UTC"
    if _PLAIN.fullmatch(value) and value.lower() not in _AMBIGUOUS:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())
