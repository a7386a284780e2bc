"""Translates a GrowthBook condition into the rule language, so that both mean the same people to the letter.

GrowthBook's `$ne` and `$nin` are true of people without the attribute, ours are false; null stands for
"missing". What has no equal in the rule language is named, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from gtm_orchestra.conditions import parse
from gtm_orchestra.errors import ConditionError

if TYPE_CHECKING:
    from gtm_orchestra.config import AttributeType

__all__ = ["ForeignConditionError", "Translator", "infer_types"]

_ORDER = ("$lt", "$lte", "$gt", "$gte")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_TYPES: dict[str, AttributeType] = {"string": "string", "number": "number", "boolean": "boolean"}
_SDK_TYPES: dict[AttributeType, str] = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "timestamp": "string",
}
_GROUPS = ("$inGroup", "$notInGroup", "$savedGroup")
_NO_GROUPS: Mapping[str, Any] = {}
_MOST_LEVELS = 20


class ForeignConditionError(Exception):
    """A condition says something that the rule language cannot; the message says what, in a few words."""


@dataclass(slots=True)
class _Seen:
    """The operands that one attribute is compared with."""

    kinds: set[AttributeType] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    ordered: bool = False


def infer_types(
    conditions: list[Mapping[str, Any]], groups: Mapping[str, Any] = _NO_GROUPS
) -> tuple[dict[str, AttributeType], dict[str, list[str]]]:
    """Return each attribute's type, from what it is compared with, and the attributes of more than one type.

    Text that is ordered and always of the form YYYY-MM-DDTHH:MM:SSZ is a timestamp. An attribute that is only
    asked for its existence is text.

    >>> infer_types([{"plan": "pro", "seats": {"$gt": 3}}, {"plan": 3}])
    ({'seats': 'number'}, {'plan': ['number', 'string']})
    """
    found: dict[str, _Seen] = {}
    for condition in conditions:
        for stated, operator, operand in _statements(condition, 0):
            name = stated or _attribute_key(groups, operand)
            if not name:
                continue
            seen = found.setdefault(name, _Seen())
            seen.ordered |= operator in _ORDER
            if operator in _GROUPS:
                operand = _members(groups, operand)  # noqa: PLW2901 - the group stands for its members
            for value in operand if isinstance(operand, list) else [operand]:
                _vote(seen, operator, value)
    types: dict[str, AttributeType] = {}
    conflicts: dict[str, list[str]] = {}
    for name, seen in sorted(found.items()):
        if len(seen.kinds) > 1:
            conflicts[name] = sorted(seen.kinds)
        elif seen.ordered and seen.texts and all(map(_TIMESTAMP.fullmatch, seen.texts)):
            types[name] = "timestamp"
        else:
            types[name] = next(iter(seen.kinds), "string")
    return types, conflicts


def _attribute_key(groups: Mapping[str, Any], group_id: object) -> str:
    entry = groups.get(group_id) if isinstance(group_id, str) else None
    key = entry.get("attributeKey") if isinstance(entry, Mapping) else None
    return key if isinstance(key, str) else ""


def _members(groups: Mapping[str, Any], group_id: object) -> list[Any]:
    entry = groups.get(group_id) if isinstance(group_id, str) else None
    values = entry.get("values") if isinstance(entry, Mapping) else entry
    return values if isinstance(values, list) else []


def _vote(seen: _Seen, operator: str, value: object) -> None:
    if operator == "$exists":
        return
    if operator == "$type":
        if value in _TYPES:
            seen.kinds.add(_TYPES[str(value)])
    elif isinstance(value, bool):
        seen.kinds.add("boolean")
    elif isinstance(value, int | float):
        seen.kinds.add("number")
    elif isinstance(value, str):
        seen.kinds.add("string")
        seen.texts.append(value)


def _statements(condition: object, level: int) -> Iterator[tuple[str, str, object]]:
    if not isinstance(condition, Mapping) or level > _MOST_LEVELS:
        return
    for key, value in condition.items():
        if key in ("$and", "$or", "$nor") and isinstance(value, list):
            for part in value:
                yield from _statements(part, level + 1)
        elif key == "$not":
            yield from _statements(value, level + 1)
        elif key == "$savedGroup" and isinstance(value, Mapping):
            yield str(value.get("attributeKey", "")), "$savedGroup", value.get("id")
        elif not key.startswith("$"):
            yield from _operators(key, value, level)


def _operators(name: str, value: object, level: int) -> Iterator[tuple[str, str, object]]:
    if not isinstance(value, Mapping):
        yield name, "$eq", value
        return
    for operator, operand in value.items():
        if operator == "$not" and level <= _MOST_LEVELS:
            yield from _operators(name, operand, level + 1)
        elif operator in ("$eq", "$ne", "$in", "$nin", *_ORDER, *_GROUPS, "$exists", "$type"):
            yield name, operator, operand


@dataclass(frozen=True, slots=True)
class Translator:
    """Reads conditions of one payload.

    Attributes:
        types: Of the attributes.
        conflicts: Attributes without one type, and the types they are compared as.
        groups: The payload's saved groups.
    """

    types: Mapping[str, AttributeType]
    conflicts: Mapping[str, list[str]]
    groups: Mapping[str, Any]

    def read(self, condition: Mapping[str, Any]) -> dict[str, Any]:
        """Return the canonical condition of the rule language that means the same people.

        Raises:
            ForeignConditionError: There is none.
        """
        document = self._condition(condition, ())
        try:
            return parse(document, self.types, nullable=()).to_json()
        except ConditionError as error:
            where = f"at {error.path}: " if error.path else ""
            raise ForeignConditionError(f"{where}{error.seen}; the language has {error.allowed}") from error

    def _condition(self, condition: object, visited: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(condition, Mapping):
            raise ForeignConditionError("a condition that is no object")
        if not condition:
            raise ForeignConditionError("an empty condition inside another")
        if len(visited) > _MOST_LEVELS:
            raise ForeignConditionError(f"more than {_MOST_LEVELS} levels")
        return _all([self._entry(key, value, visited) for key, value in condition.items()])

    def _entry(self, key: str, value: object, visited: tuple[str, ...]) -> dict[str, Any]:
        deeper = (*visited, "")
        if key in ("$and", "$or", "$nor"):
            if not isinstance(value, list) or not value:
                raise ForeignConditionError(f"an empty {key}")
            return {key: [self._condition(part, deeper) for part in value]}
        if key == "$not":
            return {"$not": self._condition(value, deeper)}
        if key == "$savedGroup":
            return self._saved_group(value, visited)
        if key.startswith("$"):
            raise ForeignConditionError(f"operator {key}")
        if key in self.conflicts:
            raise ForeignConditionError(
                f"attribute {key!r}, which the payload compares as {' and as '.join(self.conflicts[key])}"
            )
        return self._attribute(key, value)

    def _attribute(self, name: str, value: object) -> dict[str, Any]:
        if isinstance(value, list):
            raise ForeignConditionError(f"equality of {name!r} with a list")
        if not isinstance(value, Mapping):
            return {name: {"$exists": False}} if value is None else {name: {"$eq": value}}
        if not value:
            raise ForeignConditionError(f"no operator on {name!r}")
        if any(not key.startswith("$") for key in value):
            raise ForeignConditionError(f"equality of {name!r} with an object")
        # Beside a comparison, which is false of the missing, a guard says nothing more.
        known = value.get("$exists") is True
        compared = known and any(_is_false_of_missing(key, operand) for key, operand in value.items())
        parts = [
            self._operator(name, key, operand, known=known)
            for key, operand in value.items()
            if not (compared and (key == "$exists" or (key == "$type" and self._is_type(name, operand))))
        ]
        return _all(parts)

    def _is_type(self, name: str, operand: object) -> bool:
        kind = self.types.get(name)
        return kind is not None and _SDK_TYPES[kind] == operand

    def _operator(self, name: str, key: str, operand: object, *, known: bool) -> dict[str, Any]:
        if key in ("$in", "$nin"):
            return self._listed(name, operand, negated=key == "$nin", known=known)
        if key in ("$inGroup", "$notInGroup"):
            return self._listed(name, self._group(operand), negated=key == "$notInGroup", known=known)
        if key in _ORDER:
            return {name: {key: operand}}
        return self._single(name, key, operand, known=known)

    def _single(self, name: str, key: str, operand: object, *, known: bool) -> dict[str, Any]:
        if key in ("$exists", "$type"):
            return self._known(name, key, operand)
        if key not in ("$eq", "$ne", "$not"):
            raise ForeignConditionError(f"operator {key}")
        same = self._attribute(name, operand)
        if key == "$ne":
            return _unequal(name, same, {"$ne": operand}, known=known)
        return same if key == "$eq" else {"$not": same}

    def _known(self, name: str, key: str, operand: object) -> dict[str, Any]:
        if key == "$exists":
            return {name: {"$exists": bool(operand)}}
        if operand == "null":
            return {name: {"$exists": False}}
        if self._is_type(name, operand):
            return {name: {"$exists": True}}
        raise ForeignConditionError(f"$type {operand!r} of {name!r}")

    def _listed(self, name: str, operand: object, *, negated: bool, known: bool) -> dict[str, Any]:
        if not isinstance(operand, list):
            raise ForeignConditionError(f"a list operator of {name!r} without a list")
        values = [value for value in operand if value is not None]
        with_missing = len(values) < len(operand)
        missing, exists = {name: {"$exists": False}}, {name: {"$exists": True}}
        if not negated:
            meant: list[dict[str, Any]] = [
                *([{name: {"$in": values}}] if values else []),
                *([missing] if with_missing else []),
            ]
            return _any(meant) if meant else {"$and": [exists, missing]}
        out: dict[str, Any] = {name: {"$nin": values}} if values else exists
        return out if with_missing or known else _any([missing, out])

    def _group(self, group_id: object) -> object:
        entry = self.groups.get(group_id) if isinstance(group_id, str) else None
        if isinstance(entry, Mapping) and entry.get("type") == "list":
            entry = entry.get("values")
        if not isinstance(entry, list):
            raise ForeignConditionError(f"saved group {group_id!r}, whose list is not in the payload")
        return entry

    def _saved_group(self, reference: object, visited: tuple[str, ...]) -> dict[str, Any]:
        group_id = reference.get("id") if isinstance(reference, Mapping) else None
        entry = self.groups.get(group_id) if isinstance(group_id, str) else None
        if not isinstance(entry, Mapping) or group_id in visited:
            raise ForeignConditionError(f"saved group {group_id!r}, which is not in the payload")
        if entry.get("type") == "condition":
            return self._condition(entry.get("condition"), (*visited, str(group_id)))
        key = cast("Mapping[str, Any]", reference).get("attributeKey", entry.get("attributeKey"))
        if entry.get("type") != "list" or not isinstance(key, str) or key in self.conflicts:
            raise ForeignConditionError(f"saved group {group_id!r} of an unknown kind")
        return self._listed(key, entry.get("values"), negated=False, known=False)


def _is_false_of_missing(operator: str, operand: object) -> bool:
    with_missing = operand is None or (isinstance(operand, list) and None in operand)
    return operator in ("$ne", "$nin", *_ORDER) or (operator in ("$eq", "$in") and not with_missing)


def _unequal(name: str, same: dict[str, Any], other: dict[str, Any], *, known: bool) -> dict[str, Any]:
    if same == {name: {"$exists": False}}:
        return {name: {"$exists": True}}
    if known:
        return {name: other}
    return _any([{name: {"$exists": False}}, {name: other}])


def _all(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _any(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return parts[0] if len(parts) == 1 else {"$or": parts}
