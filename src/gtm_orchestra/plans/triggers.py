"""When the ladder is climbed: a closed grammar over counts and figures, never `eval`.

::

    trigger   = function "(" '"' name '"' ")" operator number
    function  = failures | blocked | sla_missed | metric | breaches
    operator  = "<" | "<=" | ">" | ">="
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from gtm_orchestra.errors import PlanFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Facts", "Trigger", "parse_trigger"]

Function = Literal["failures", "blocked", "sla_missed", "metric", "breaches"]
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_GRAMMAR = re.compile(
    r'([a-z_]+)\("([A-Za-z0-9_.-]{1,64})"\)\s*(<=|>=|<|>)\s*(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)'
)


@dataclass(frozen=True)
class Facts:
    """What triggers are asked over: figures by function and name, for one run."""

    figures: Mapping[tuple[str, str], float]

    def value(self, function: str, name: str) -> float | None:
        """Return a figure; counts that nobody counted are 0, a metric that nobody measured is None."""
        return self.figures.get((function, name), None if function == "metric" else 0.0)


@dataclass(frozen=True)
class Trigger:
    """A parsed trigger."""

    function: str
    name: str
    compare: str
    bound: float

    def holds(self, facts: Facts) -> bool:
        """Whether it fires. An unmeasured metric never fires."""
        value = facts.value(self.function, self.name)
        return value is not None and _COMPARE[self.compare](value, self.bound)


def parse_trigger(text: str) -> Trigger:
    """Return a trigger read from its text.

    Raises:
        PlanFormatError: Not in the grammar above.

    >>> parse_trigger('failures("qa") >= 2').bound
    2.0
    """
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None or match[1] not in get_args(Function):
        raise PlanFormatError(
            f"{text[:80]!r} is not a trigger",
            hint=f'use {", ".join(get_args(Function))}, as in blocked("consent") >= 2',
        )
    return Trigger(match[1], match[2], match[3], float(match[4]))
