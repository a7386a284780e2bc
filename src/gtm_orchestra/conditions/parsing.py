"""Reads a condition: checks names, types, operators, guards and size, and gives the normalised tree.

What is refused would not mean the same everywhere, or would mean everyone. Every refusal names the path
inside the condition, what was seen, what is allowed, and the next step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias, cast

from gtm_orchestra.conditions.tree import (
    Compare,
    Condition,
    Exists,
    Node,
    OneOf,
    Operator,
    Value,
    either,
    every,
    negation,
)
from gtm_orchestra.errors import ConditionError

if TYPE_CHECKING:
    from gtm_orchestra.config import AttributeType

__all__ = ["MAX_DEPTH", "MAX_LIST", "MAX_NODES", "MAX_TEXT", "Schema", "check_size", "parse"]

Schema: TypeAlias = "Mapping[str, AttributeType]"

MAX_DEPTH = 20  # objects within objects
MAX_NODES = 500  # keys and list members, values of $in and $nin aside
MAX_LIST = 1_000  # values of one $in or $nin
MAX_TEXT = 1_000  # characters of one value
_MAX_WHOLE = 2**53 - 1  # larger whole numbers are rounded by JavaScript

_GROUPS = ("$and", "$or", "$nor", "$not")
_EQUALITY = ("$eq", "$ne")
_ORDER = ("$lt", "$lte", "$gt", "$gte")
_LISTS = ("$in", "$nin")
# Text has no order: engines sort it by UTF-8, by UTF-16 units or by collation. A timestamp's text is ASCII of
# fixed width, which all sort alike.
_OPERATORS: dict[AttributeType, tuple[str, ...]] = {
    "string": (*_EQUALITY, *_LISTS),
    "number": (*_EQUALITY, *_LISTS, *_ORDER),
    "boolean": _EQUALITY,
    "timestamp": (*_EQUALITY, *_ORDER),
}
_FORMS: dict[AttributeType, tuple[str, str]] = {
    "string": ("text", "put the value in quotes"),
    "number": ("a number", "write the value without quotes"),
    "boolean": ("true or false", "write the value without quotes"),
    "timestamp": ("a UTC time", 'write it such as "2026-01-31T00:00:00Z"'),
}
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_YEARS = range(1900, 2200)  # what every engine's timestamps can hold, with room for one second more
_NAME = re.compile(r"[^$.\s][^.]*|consent\.[^.]+")


def parse(
    raw: Mapping[str, object],
    schema: Schema,
    *,
    nullable: Collection[str] | None = None,
) -> Condition:
    """Return the condition that a JSON document states.

    Args:
        raw: The document; it is not changed.
        schema: The type of every attribute that may stand in it; consent as `consent.<purpose>`.
        nullable: The attributes that a person may lack; without it, all of them. A negation over such an
            attribute is refused unless `$exists: true` of it stands beside the negation.

    Raises:
        ConditionError: The document is not in the language, with path, seen, allowed and the next step.

    >>> parse({"country": {"$in": ["FR", "DE", "FR"]}}, {"country": "string"}).to_json()
    {'country': {'$in': ['DE', 'FR']}}
    """
    if not isinstance(raw, Mapping):
        raise _refused("", _kind(raw), "an object", 'write a condition such as {"country": "DE"}')
    check_size(raw)
    reader = _Reader(schema, frozenset(schema if nullable is None else nullable))
    return Condition(reader.conjunction(raw, _Scope()))


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where the reader stands: the path so far, what surely exists here, and whether a negation is above."""

    path: str = ""
    guarded: frozenset[str] = frozenset()
    negated: bool = False

    def at(self, step: str) -> _Scope:
        joined = step if not self.path or step.startswith("[") else f".{step}"
        return _Scope(f"{self.path}{joined}", self.guarded, self.negated)


@dataclass(frozen=True, slots=True)
class _Reader:
    schema: Schema
    nullable: frozenset[str]

    def conjunction(self, raw: object, scope: _Scope) -> Node:
        """Read an object: all of its entries hold."""
        if not isinstance(raw, Mapping):
            raise _refused(
                scope.path, _kind(raw), "an object", 'write a condition such as {"country": "DE"} here'
            )
        if not raw:
            raise _refused(
                scope.path,
                "an empty condition",
                "at least one attribute",
                "say whom you mean; an empty condition never means everyone",
            )
        if not scope.negated:  # a guard within a negation guards nothing: it is negated itself
            scope = _Scope(scope.path, scope.guarded | _guards(raw), negated=False)
        return every(self._entry(key, value, scope.at(key)) for key, value in raw.items())

    def _entry(self, key: str, value: object, scope: _Scope) -> Node:
        if key == "$not":
            return negation(self.conjunction(value, _below_negation(scope)))
        if key in _GROUPS:
            inner = _below_negation(scope) if key == "$nor" else scope
            parts = [self.conjunction(part, inner.at(f"[{at}]")) for at, part in _members(value, scope)]
            if key == "$and":
                return every(parts)
            return either(parts) if key == "$or" else negation(either(parts))
        if key.startswith("$"):
            raise _refused(
                scope.path,
                f"the operator {key!r}",
                f"an attribute's name, or one of {', '.join(_GROUPS)}",
                "put operators on values under an attribute's name",
            )
        return self._attribute(key, value, scope)

    def _attribute(self, name: str, value: object, scope: _Scope) -> Node:
        if name not in self.schema:
            raise _unknown(name, self.schema, scope)
        if not _NAME.fullmatch(name):
            raise _refused(
                scope.path,
                f"the attribute {name!r}",
                "a dot only in consent.<purpose>, where every SDK reads it as a path",
                "rename the attribute in the catalog",
            )
        if isinstance(value, Mapping):
            if not value:
                raise _refused(
                    scope.path, "no operator", "at least one operator", f"say what {name!r} must be"
                )
            return every(self._operator(name, key, part, scope.at(key)) for key, part in value.items())
        return self._compare(name, "$eq", value, scope)

    def _operator(self, name: str, key: str, operand: object, scope: _Scope) -> Node:
        kind = self.schema[name]
        if key == "$exists":
            if not isinstance(operand, bool):
                raise _refused(
                    scope.path, _seen(operand), "true or false", "write true if it must be known, else false"
                )
            return Exists(name, kind, operand)
        if key == "$not":
            return negation(self._attribute(name, operand, _below_negation(scope)))
        if key not in _OPERATORS[kind]:
            allowed = ", ".join(("$exists", "$not", *_OPERATORS[kind]))
            step = "use one of these"
            if kind == "string" and key in _ORDER:
                step = "compare a number or a timestamp instead: engines sort text differently"
            raise _refused(scope.path, f"the operator {key!r} on {name!r} ({kind})", allowed, step)
        if key in _LISTS:
            return self._one_of(name, key, operand, scope)
        return self._compare(name, cast("Operator", key), operand, scope)

    def _compare(self, name: str, operator: Operator, operand: object, scope: _Scope) -> Node:
        self._guard(name, scope, negates=operator == "$ne")
        return Compare(name, self.schema[name], operator, _value(operand, self.schema[name], scope))

    def _one_of(self, name: str, key: str, operand: object, scope: _Scope) -> Node:
        self._guard(name, scope, negates=key == "$nin")
        kind = self.schema[name]
        values = {_value(value, kind, scope.at(f"[{at}]")) for at, value in _members(operand, scope)}
        ordered = cast("list[Value]", sorted(values))
        if len(ordered) == 1:
            return Compare(name, kind, "$ne" if key == "$nin" else "$eq", ordered[0])
        return OneOf(name, kind, tuple(ordered), negated=key == "$nin")

    def _guard(self, name: str, scope: _Scope, *, negates: bool) -> None:
        if (negates or scope.negated) and name in self.nullable and name not in scope.guarded:
            raise _refused(
                scope.path,
                f"a negation over {name!r}, which some people may lack",
                "a negation only where the attribute is known to exist",
                f'write {{"{name}": {{"$exists": true}}}} beside the negation; to mean people without it '
                f'as well, add {{"{name}": {{"$exists": false}}}} in an $or',
            )


def _below_negation(scope: _Scope) -> _Scope:
    return _Scope(scope.path, scope.guarded, negated=True)


def _guards(raw: Mapping[str, object]) -> frozenset[str]:
    """The attributes whose existence an object demands, by itself or through `$and`."""
    found: set[str] = set()
    for key, value in raw.items():
        if key == "$and" and isinstance(value, list | tuple):
            for part in value:
                found |= _guards(part) if isinstance(part, Mapping) else frozenset()
        elif isinstance(value, Mapping) and value.get("$exists") is True:
            found.add(key)
    return frozenset(found)


def _members(raw: object, scope: _Scope) -> enumerate[object]:
    if not isinstance(raw, list | tuple):
        raise _refused(scope.path, _kind(raw), "a list", "write the members between [ and ]")
    if not raw:
        raise _refused(
            scope.path, "an empty list", "at least one member", "list the members, or leave the key out"
        )
    return enumerate(raw)


def _value(raw: object, kind: AttributeType, scope: _Scope) -> Value:
    """Return a checked operand; a whole number is an int whichever way it was written."""
    if kind == "boolean" and isinstance(raw, bool):
        return raw
    if kind == "number" and isinstance(raw, int | float) and not isinstance(raw, bool):
        return _number(raw, scope)
    if kind == "string" and isinstance(raw, str):
        return _text(raw, scope)
    if kind == "timestamp" and isinstance(raw, str):
        return _timestamp(raw, scope)
    allowed, step = _FORMS[kind]
    if raw is None:
        step = 'write {"$exists": false} for people without it'
    elif isinstance(raw, list | tuple):
        step = 'write {"$in": [...]} for one of several values'
    raise _refused(scope.path, _seen(raw), f"{allowed}, because the attribute is a {kind}", step)


def _number(raw: float, scope: _Scope) -> int | float:
    if isinstance(raw, int) and abs(raw) > _MAX_WHOLE:
        step = "make an identifier text in the catalog"
        raise _refused(scope.path, _seen(raw), f"at most {_MAX_WHOLE:,}, which every SDK holds exactly", step)
    if not math.isfinite(raw):
        step = "write a number, or $exists for missing values"
        raise _refused(scope.path, _seen(raw), "a finite number", step)
    return int(raw) if raw == int(raw) and abs(raw) <= _MAX_WHOLE else raw


def _text(raw: str, scope: _Scope) -> str:
    if len(raw) > MAX_TEXT:
        raise _refused(
            scope.path, f"text of {len(raw):,} characters", f"at most {MAX_TEXT:,}", "shorten the value"
        )
    if "\0" in raw or any("\ud800" <= letter <= "\udfff" for letter in raw):
        raise _refused(
            scope.path, "text that is no valid Unicode", "text without NUL and lone surrogates", "retype it"
        )
    return raw


def _timestamp(raw: str, scope: _Scope) -> str:
    allowed = "a UTC time of the form YYYY-MM-DDTHH:MM:SSZ"
    if not _TIMESTAMP.fullmatch(raw):
        raise _refused(scope.path, _seen(raw), allowed, 'write it such as "2026-01-31T00:00:00Z"')
    try:
        year = datetime.fromisoformat(raw).year
    except ValueError:
        year = 0
    if year not in _YEARS:
        raise _refused(
            scope.path,
            _seen(raw),
            f"{allowed}, of the calendar, from {_YEARS[0]} to {_YEARS[-1]}",
            "check day and month",
        )
    return raw


def check_size(raw: Mapping[str, object]) -> None:
    """Refuse a document that is too deep or too large, before anything recursive reads it.

    Raises:
        ConditionError: It is, or a key is no text.
    """
    nodes = 0
    waiting: list[tuple[object, str, int]] = [(raw, "", 1)]
    while waiting:
        value, key, depth = waiting.pop()
        if isinstance(value, Mapping):
            if depth > MAX_DEPTH:
                raise _refused(
                    "", f"more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH}", "flatten the condition"
                )
            for name, part in value.items():
                if not isinstance(name, str):
                    raise _refused("", f"a key that is {_kind(name)}", "keys that are text", "quote the keys")
                waiting.append((part, name, depth + 1))
            nodes += len(value)
        elif isinstance(value, list | tuple):
            is_list = key in _LISTS
            if is_list and len(value) > MAX_LIST:
                seen = f"{len(value):,} values in one {key}"
                step = "make the list an attribute of its own in the catalog"
                raise _refused("", seen, f"at most {MAX_LIST:,}", step)
            nodes += 0 if is_list else len(value)
            # A list's members are not nodes: they are read one by one and may not nest.
            waiting += [] if is_list else [(part, "", depth) for part in value]
        if nodes > MAX_NODES:
            raise _refused("", f"more than {MAX_NODES} parts", f"at most {MAX_NODES}", "split it, or use $in")


def _kind(raw: object) -> str:
    if raw is None:
        return "null"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "text"),
        ((list, tuple), "a list"),
        (Mapping, "an object"),
    )
    return next((name for kind, name in names if isinstance(raw, kind)), f"a {type(raw).__name__}")


def _seen(raw: object) -> str:
    if raw is None or isinstance(raw, list | tuple | Mapping):
        return _kind(raw)
    if isinstance(raw, int) and abs(raw) > _MAX_WHOLE:
        return "a whole number of 16 digits or more"  # Python refuses to print the longest ones
    shown = str(raw).lower() if isinstance(raw, bool) else repr(raw)
    return f"{shown if len(shown) <= 60 else shown[:59] + '…'} ({_kind(raw)})"  # noqa: PLR2004 — a message's width


def _unknown(name: str, schema: Schema, scope: _Scope) -> ConditionError:
    close = get_close_matches(name, sorted(schema), n=1)
    if close:
        step = f"did you mean {close[0]!r}?"
    else:
        step = "add it to the attribute catalog in gtm.toml, or use one of its attributes"
    known = ", ".join(sorted(schema)[:10]) or "none"
    more = f" and {len(schema) - 10:,} more" if len(schema) > 10 else ""  # noqa: PLR2004 — a message's length
    return _refused(scope.path, f"the unknown attribute {name[:80]!r}", f"{known}{more}", step)


def _refused(path: str, seen: str, allowed: str, step: str) -> ConditionError:
    return ConditionError.at(path, seen=seen, allowed=allowed, hint=step)
