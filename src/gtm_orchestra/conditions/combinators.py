"""Puts conditions together. The result is a document, so that `parse` checks the whole of it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from gtm_orchestra.conditions.parsing import check_size
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
        return _pushed(document, negated=True)
    guards = [{name: {"$exists": True}} for name in sorted(_compared(document))]
    return {"$and": [*guards, {"$not": document}]}


def _document(condition: Condition | Document) -> dict[str, object]:
    if isinstance(condition, Condition):
        return condition.to_json()
    check_size(condition)
    return dict(condition)


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


def _pushed(document: Document, *, negated: bool) -> dict[str, object]:
    """Push negations down to the statements, each of which then says what it means for missing values."""
    parts = [_entry(key, value, negated=negated) for key, value in document.items()]
    return any_of(*parts) if negated else all_of(*parts)


def _entry(key: str, value: object, *, negated: bool) -> dict[str, object]:
    if not key.startswith("$"):
        stated = value if isinstance(value, Mapping) else {"$eq": value}
        parts = [_statement(key, name, operand, negated=negated) for name, operand in stated.items()]
        return any_of(*parts) if negated else all_of(*parts)
    if key == "$not" and isinstance(value, Mapping):
        return _pushed(value, negated=not negated)
    members = value if isinstance(value, list | tuple) else ()
    if key not in ("$and", "$or", "$nor") or not all(isinstance(part, Mapping) for part in members):
        return {key: value}  # no condition: `parse` says where and why
    inside = negated is not (key == "$nor")
    pushed = [_pushed(part, negated=inside) for part in members]
    return any_of(*pushed) if (key == "$and") is inside else all_of(*pushed)


def _statement(name: str, operator: str, operand: object, *, negated: bool) -> dict[str, object]:
    if operator == "$exists":
        return {name: {"$exists": (operand is True) is not negated}}
    if operator == "$not":
        return _entry(name, operand, negated=not negated)
    if not negated:
        guard = {"$exists": True} if operator in ("$ne", "$nin") else {}
        return {name: {**guard, operator: operand}}
    opposite = {"$exists": True, _OPPOSITES.get(operator, operator): operand}
    return {"$or": [{name: {"$exists": False}}, {name: opposite}]}
