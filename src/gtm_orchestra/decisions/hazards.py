"""What a raw GrowthBook condition says that SDKs read differently, or that means more people than it seems.

Works on the document as it stands in the payload, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Hazard", "condition_hazards", "text_operands"]

Kind = Literal["empty", "negation", "comparison"]

_ORDER = ("$lt", "$lte", "$gt", "$gte")
_NEGATIONS = ("$ne", "$nin", "$nini", "$notInGroup", "$notRegex", "$notRegexi", "$vne")


@dataclass(frozen=True, slots=True)
class Hazard:
    """One hazard: its kind, the attribute (empty for a whole condition), and the path inside."""

    kind: Kind
    attribute: str
    path: str


def condition_hazards(condition: Mapping[str, Any]) -> list[Hazard]:
    """Return the hazards of a condition, in its order.

    - `empty`: an empty object or list, which the SDKs take for everyone.
    - `negation`: a negation over an attribute that may be missing; it is true of people without it.
    - `comparison`: an order comparison that holds for 0, without `$exists: true` beside it: the SDK for
      JavaScript takes a missing value for 0, the one for Python takes nobody.
    """
    found: list[Hazard] = []
    _walk(condition, "", frozenset(), found, negated=False)
    return found


def text_operands(condition: object) -> list[str]:
    """Return every text in a condition that is no attribute's name and no operator."""
    if isinstance(condition, str):
        return [condition]
    if isinstance(condition, Mapping):
        return [text for value in condition.values() for text in text_operands(value)]
    if isinstance(condition, list):
        return [text for value in condition for text in text_operands(value)]
    return []


def _walk(
    condition: object, path: str, guarded: frozenset[str], found: list[Hazard], *, negated: bool
) -> None:
    if not isinstance(condition, Mapping):
        return
    if not condition:
        found.append(Hazard("empty", "", path))
        return
    if not negated:  # a guard within a negation guards nothing: it is negated itself
        guarded |= _guards(condition)
    for key, value in condition.items():
        at = f"{path}.{key}" if path else key
        if key in ("$and", "$or", "$nor") and isinstance(value, list):
            if not value and key != "$nor":
                found.append(Hazard("empty", "", at))
            for place, part in enumerate(value):
                _walk(part, f"{at}[{place}]", guarded, found, negated=negated or key == "$nor")
        elif key == "$not":
            _walk(value, at, guarded, found, negated=True)
        elif not key.startswith("$"):
            _attribute(key, value, at, guarded, found, negated=negated)


def _attribute(
    name: str, value: object, path: str, guarded: frozenset[str], found: list[Hazard], *, negated: bool
) -> None:
    if not isinstance(value, Mapping):
        if negated and value is not None and name not in guarded:
            found.append(Hazard("negation", name, path))
        return
    if not value:
        found.append(Hazard("empty", name, path))
        return
    for operator, operand in value.items():
        at = f"{path}.{operator}"
        if operator == "$not":
            _attribute(name, operand, at, guarded, found, negated=True)
            continue
        if name in guarded or operator in ("$exists", "$type"):
            continue
        if operator in _NEGATIONS or negated:
            found.append(Hazard("negation", name, at))
        if operator in _ORDER and _holds_for_zero(operator, operand):
            found.append(Hazard("comparison", name, at))


def _guards(condition: Mapping[str, Any]) -> frozenset[str]:
    names: set[str] = set()
    for key, value in condition.items():
        if key == "$and" and isinstance(value, list):
            for part in value:
                names |= _guards(part) if isinstance(part, Mapping) else frozenset()
        elif isinstance(value, Mapping) and value.get("$exists") is True:
            names.add(key)
    return frozenset(names)


def _holds_for_zero(operator: str, operand: object) -> bool:
    if isinstance(operand, str):
        try:
            operand = float(operand) if operand.strip() else 0.0
        except ValueError:
            return False  # JavaScript compares with NaN: false, as in Python
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        return False
    return {"$lt": operand > 0, "$lte": operand >= 0, "$gt": operand < 0, "$gte": operand <= 0}[operator]
