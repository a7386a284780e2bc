"""Puts conditions together. The result is a document, so that `parse` checks the whole of it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from gtm_orchestra.conditions.tree import Condition
from gtm_orchestra.errors import ConditionError

__all__ = ["all_of", "any_of", "negate"]

Document: TypeAlias = Mapping[str, object]

_PAIRS = (("$eq", "$ne"), ("$in", "$nin"), ("$lt", "$gte"), ("$lte", "$gt"))
_OPPOSITES = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}}


def all_of(*conditions: Condition | Document) -> dict[str, object]:
    """Return the document of those whom every condition means.

    Raises:
        ConditionError: No condition is given: that would mean everyone.
    """
    return _joined("$and", conditions)


def any_of(*conditions: Condition | Document) -> dict[str, object]:
    """Return the document of those whom at least one condition means.

    Raises:
        ConditionError: No condition is given.
    """
    return _joined("$or", conditions)


def negate(
    condition: Condition | Document,
    *,
    missing: Literal["excluded", "included"] = "excluded",
) -> dict[str, object]:
    """Return the document of those whom the condition does not mean, with the guards that a negation needs.

    Args:
        condition: Whom to leave out, for example a suppression.
        missing: Who is meant among people who lack an attribute that the condition compares. "excluded":
            nobody, the side to fail on. "included": whoever the condition itself does not mean, so that
            condition and result part all people in two, as the ways of a decision tree do.
    """
    document = _document(condition)
    if missing == "included":
        return _complement(document)
    guards = [{name: {"$exists": True}} for name in sorted(_compared(document))]
    return {"$and": [*guards, {"$not": document}]}


def _document(condition: Condition | Document) -> dict[str, object]:
    return condition.to_json() if isinstance(condition, Condition) else dict(condition)


def _joined(key: str, conditions: tuple[Condition | Document, ...]) -> dict[str, object]:
    if not conditions:
        raise ConditionError.at(
            "",
            seen="no condition",
            allowed="at least one",
            hint="say whom you mean; an empty condition never means everyone",
        )
    documents = [_document(condition) for condition in conditions]
    return documents[0] if len(documents) == 1 else {key: documents}


def _compared(document: object) -> set[str]:
    """The attributes that a document compares with a value, rather than asks only whether they exist."""
    found: set[str] = set()
    if isinstance(document, Mapping):
        for key, value in document.items():
            if not key.startswith("$"):
                found |= set() if isinstance(value, Mapping) and value.keys() == {"$exists"} else {key}
            else:
                for part in value if isinstance(value, list | tuple) else [value]:
                    found |= _compared(part)
    return found


def _complement(document: Document) -> dict[str, object]:
    """Push the negation down to the statements, each of which then says what it means for missing values."""
    parts: list[dict[str, object]] = []
    for key, value in document.items():
        if key.startswith("$"):
            parts.append(_group_complement(key, value))
        elif not isinstance(value, Mapping):
            parts.append(_statement_complement(key, {"$eq": value}))
        else:
            parts += [_statement_complement(key, {name: operand}) for name, operand in value.items()]
    return any_of(*parts)


def _group_complement(key: str, value: object) -> dict[str, object]:
    members = [part for part in value if isinstance(part, Mapping)] if isinstance(value, list | tuple) else []
    if key == "$not" and isinstance(value, Mapping):
        return dict(value)
    if key == "$and":
        return any_of(*(_complement(part) for part in members))
    if key == "$or":
        return all_of(*(_complement(part) for part in members))
    return any_of(*members) if key == "$nor" else {key: value}


def _statement_complement(name: str, stated: dict[str, object]) -> dict[str, object]:
    if "$exists" in stated:
        return {name: {"$exists": stated["$exists"] is not True}}
    ((operator, operand),) = stated.items()
    if operator == "$not":
        return {name: operand}
    opposite = _OPPOSITES.get(operator)
    known = {opposite: operand} if opposite else {"$not": stated}
    return {"$or": [{name: {"$exists": False}}, {name: {"$exists": True, **known}}]}
