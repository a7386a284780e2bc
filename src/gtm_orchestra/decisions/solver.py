"""The same questions as `cells` answers, for rule sets with too many cells for a table: by z3.

z3 is an extra (`gtm-orchestra[solver]`), loaded when a rule set needs it. It works on the stretches of
`cells`, so both give the same answers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gtm_orchestra.conditions.tree import Condition, Either, Every, Negation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.conditions.tree import Node, Value
    from gtm_orchestra.decisions.cells import Dimension

__all__ = ["Solver", "UndecidedError"]

_TRUE = re.compile(r"define-fun (\w+) \(\) Bool\s+true\)")
_TIMEOUT_MS = 10_000  # for one question


class UndecidedError(Exception):
    """The question was not answered: the solver is not installed, or gave up."""


class Solver:
    """All questions about some conditions, by a solver that keeps what it has learnt.

    Raises:
        UndecidedError: At construction, if z3 is not installed.
    """

    def __init__(self, conditions: Sequence[Condition], dimensions: Mapping[str, Dimension]) -> None:
        try:
            import z3  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise UndecidedError from error
        self._z3 = z3
        self._dimensions = dimensions
        self._context = z3.Context()
        self._solver = z3.SolverFor("QF_FD", ctx=self._context)
        self._solver.set("timeout", _TIMEOUT_MS)
        self._places: dict[str, list[Any]] = {}
        for number, (name, each) in enumerate(dimensions.items()):
            bits = [z3.Bool(f"a{number}_{at}", self._context) for at in range(len(each.values))]
            self._places[name] = bits
            self._solver.add(z3.Or(*bits), z3.AtMost(*bits, 1))
        self._marks = [z3.Bool(f"c{at}", self._context) for at in range(len(conditions))]
        self._opposites = [z3.Not(mark) for mark in self._marks]
        for mark, condition in zip(self._marks, conditions, strict=True):
            self._solver.add(mark == self._holds(condition.root))

    def is_possible(self, every: Sequence[int], none: Sequence[int]) -> bool:
        """Whether there is somebody whom all conditions of `every` mean and none of `none`.

        Raises:
            UndecidedError: The solver gave up.
        """
        z3 = self._z3
        answer = self._solver.check(*(self._marks[at] for at in every), *(self._opposites[at] for at in none))
        if answer not in (z3.sat, z3.unsat):
            raise UndecidedError
        return bool(answer == z3.sat)

    def find(self, every: Sequence[int], none: Sequence[int]) -> dict[str, Value] | None:
        """Return somebody as `is_possible` asks for; None if there is nobody.

        Raises:
            UndecidedError: The solver gave up.
        """
        if not self.is_possible(every, none):
            return None
        # Asking the model for one truth after the other takes longer than finding it.
        true = set(_TRUE.findall(self._solver.model().sexpr()))
        person: dict[str, Value] = {}
        for number, (name, each) in enumerate(self._dimensions.items()):
            chosen = (at for at in range(len(each.values)) if f"a{number}_{at}" in true)
            value = each.values[next(chosen, 0)]
            if value is not None:
                person[name] = value
        return person

    def _holds(self, node: Node) -> Any:  # noqa: ANN401 - z3 has no types to name
        z3 = self._z3
        if isinstance(node, Negation):
            return z3.Not(self._holds(node.part))
        if isinstance(node, Every | Either):
            if not node.parts:
                return z3.BoolVal(isinstance(node, Every), self._context)
            join = z3.And if isinstance(node, Every) else z3.Or
            return join(*(self._holds(part) for part in node.parts))
        truths = self._dimensions[node.attribute].truths[node]
        bits = [bit for bit, holds in zip(self._places[node.attribute], truths, strict=True) if holds]
        return z3.Or(*bits) if bits else z3.BoolVal(val=False, ctx=self._context)
