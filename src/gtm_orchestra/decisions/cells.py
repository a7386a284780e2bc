"""Everybody there can be, as cells: people in one cell are told apart by no condition.

Each attribute falls into a few stretches: each value that a condition names, what lies between, before and
after, any other text, and missing. A cell is one stretch of each attribute, and an example person of it is
one value of each. What holds for every cell holds for everybody, so the answers are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gtm_orchestra.conditions.evaluation import evaluate
from gtm_orchestra.conditions.tree import Condition, Either, Every, Negation, OneOf, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gtm_orchestra.conditions.tree import Leaf, Node, Value
    from gtm_orchestra.config import AttributeType

__all__ = ["MAX_CELLS", "Cells", "Dimension", "Mask", "TooManyCellsError", "dimensions_of"]

MAX_CELLS = 4_000_000
Mask = np.ndarray[Any, np.dtype[np.bool_]]


class TooManyCellsError(Exception):
    """The conditions tell more people apart than a table can hold."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One attribute: a value per stretch (None: missing), and for each statement where it holds."""

    name: str
    values: tuple[Value | None, ...]
    truths: Mapping[Leaf, tuple[bool, ...]]


def dimensions_of(
    conditions: Iterable[Condition], *, never_missing: frozenset[str] = frozenset(), bounds: Mapping[str, int]
) -> dict[str, Dimension]:
    """Return the attributes that conditions read, each in as few stretches as they tell apart.

    Args:
        conditions: All that are to be compared.
        never_missing: Attributes that everybody has.
        bounds: Attributes that are whole numbers from 0, with how many there are.
    """
    by_name: dict[str, dict[Leaf, None]] = {}
    for condition in conditions:
        for leaf in leaves(condition.root):
            by_name.setdefault(leaf.attribute, {})[leaf] = None
    found = {}
    for name, stated in sorted(by_name.items()):
        candidates = _candidates(list(stated), bounds.get(name))
        if name not in never_missing:
            candidates.append(None)
        found[name] = _dimension(name, candidates, list(stated))
    return found


def _dimension(name: str, candidates: list[Value | None], stated: list[Leaf]) -> Dimension:
    kept: dict[tuple[bool, ...], Value | None] = {}
    for value in candidates:
        person = {} if value is None else {name: value}
        kept.setdefault(tuple(evaluate(Condition(leaf), person) for leaf in stated), value)
    truths = {leaf: tuple(signature[at] for signature in kept) for at, leaf in enumerate(stated)}
    return Dimension(name, tuple(kept.values()), truths)


def _candidates(stated: list[Leaf], bound: int | None) -> list[Value | None]:
    constants: set[Any] = set()
    for leaf in stated:
        if isinstance(leaf, OneOf):
            constants |= set(leaf.values)
        elif hasattr(leaf, "value"):
            constants.add(leaf.value)
    kind: AttributeType = stated[0].type
    if kind == "boolean":
        return [True, False]
    if bound is not None:
        near = {place + step for place in constants for step in (-1, 0, 1)} | {0, bound - 1}
        return sorted(place for place in near if 0 <= place < bound)
    ordered = sorted(constants)
    if kind == "number":
        return [*ordered, *_between_numbers(ordered)]
    if kind == "timestamp":
        return [*ordered, *_between_times(ordered)]
    other = "other"
    while other in constants:
        other += "_"
    return [*ordered, other]


def _between_numbers(ordered: list[float]) -> list[float]:
    if not ordered:
        return [1]
    found = []
    for low, high in pairwise(ordered):
        middle: float = math.floor((low + high) / 2) if high - low > 1 else low + (high - low) / 2
        if not low < middle < high:
            middle = math.nextafter(low, math.inf)
        if low < middle < high:
            found.append(middle)
    first, last = ordered[0], ordered[-1]
    below = first - 1 if first - 1 < first else math.nextafter(first, -math.inf)
    above = last + 1 if last + 1 > last else math.nextafter(last, math.inf)
    return [*found, *(edge for edge in (above, below) if math.isfinite(edge))]


def _between_times(ordered: list[str]) -> list[str]:
    if not ordered:
        return ["2026-01-01T00:00:00Z"]
    second = timedelta(seconds=1)
    near = {
        (datetime.fromisoformat(text) + step).strftime("%Y-%m-%dT%H:%M:%SZ")
        for text in ordered
        for step in (-second, second)
    }
    return sorted(near - set(ordered))


class Cells:
    """All cells of some conditions, as a table with one axis per attribute.

    Raises:
        TooManyCellsError: At construction.
    """

    def __init__(self, conditions: Sequence[Condition], dimensions: Mapping[str, Dimension]) -> None:
        self._dimensions = list(dimensions.values())
        shape = [len(each.values) for each in self._dimensions]
        if math.prod(shape) > MAX_CELLS or len(shape) > 32:  # noqa: PLR2004 - axes of an array
            raise TooManyCellsError
        self._shape = tuple(shape)
        self._axes = {each.name: axis for axis, each in enumerate(self._dimensions)}
        self._conditions = conditions
        self._masks: dict[int, Mask] = {}
        self._union: tuple[tuple[int, ...], Mask] = ((), self._none())

    def is_possible(self, every: Sequence[int], none: Sequence[int]) -> bool:
        """Whether there is somebody whom all conditions of `every` mean and none of `none`."""
        return bool(self._wanted(every, none).any())

    def find(self, every: Sequence[int], none: Sequence[int]) -> dict[str, Value] | None:
        """Return somebody as `is_possible` asks for; None if there is nobody."""
        wanted = self._wanted(every, none)
        if not wanted.any():
            return None
        flat = np.broadcast_to(wanted, self._shape)
        place = np.unravel_index(int(np.argmax(flat)), self._shape)
        values = {each.name: each.values[int(at)] for each, at in zip(self._dimensions, place, strict=True)}
        return {name: value for name, value in values.items() if value is not None}

    def _wanted(self, every: Sequence[int], none: Sequence[int]) -> Mask:
        wanted: Mask = reduce(np.logical_and, (self._mask(at) for at in every), ~self._none())
        if none:
            wanted = wanted & ~self._any(tuple(none))
        return wanted

    def _any(self, none: tuple[int, ...]) -> Mask:
        known, union = self._union
        if none[: len(known)] != known:
            known, union = (), self._none()
        for at in none[len(known) :]:
            union = union | self._mask(at)
        self._union = (none, union)
        return union

    def _none(self) -> Mask:
        return np.zeros((1,) * len(self._shape), dtype=np.bool_)

    def _mask(self, at: int) -> Mask:
        if at not in self._masks:
            self._masks[at] = self._holds(self._conditions[at].root)
        return self._masks[at]

    def _holds(self, node: Node) -> Mask:
        if isinstance(node, Negation):
            return ~self._holds(node.part)
        if isinstance(node, Every | Either):
            join = np.logical_and if isinstance(node, Every) else np.logical_or
            start = np.full((1,) * len(self._shape), isinstance(node, Every))
            return reduce(join, (self._holds(part) for part in node.parts), start)
        axis = self._axes[node.attribute]
        shape = [1] * len(self._shape)
        shape[axis] = -1
        return np.array(self._dimensions[axis].truths[node], dtype=np.bool_).reshape(shape)
