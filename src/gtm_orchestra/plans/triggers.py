"""When the ladder is climbed: a closed grammar over counts and figures, never `eval`.

::

    trigger   = function "(" '"' name '"' [ "," scope ] ")" operator number
    function  = failures | blocked | sla_missed | breaches | metric | latency
    scope     = run | history
    operator  = "<" | "<=" | ">" | ">="

`failures`, `blocked`, `sla_missed` and `breaches` are counts; `metric` is a measured figure and `latency` a
time in milliseconds, such as ``latency("p95") > 250``. The scope is this run, unless the initiative's history
(all its runs, this one included) is named: counts are then summed, and of a measure the latest known counts.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from gtm_orchestra.errors import PlanFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Facts", "Scope", "Trigger", "parse_trigger"]

Function = Literal["failures", "blocked", "sla_missed", "breaches", "metric", "latency"]
Scope = Literal["run", "history"]
_MEASURED = frozenset({"metric", "latency"})
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_GRAMMAR = re.compile(
    r'([a-z_]+)\(\s*"([A-Za-z0-9_.-]{1,64})"\s*(?:,\s*(run|history)\s*)?\)'
    r"\s*(<=|>=|<|>)\s*(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)"
)


@dataclass(frozen=True)
class Facts:
    """What triggers are asked over: figures by function, name and scope."""

    figures: Mapping[tuple[str, str, str], float]

    def value(self, function: str, name: str, scope: Scope = "run") -> float | None:
        """Return a figure, or None if nobody knows it.

        What this run did not count is 0. A metric or latency that nobody measured, and a history that nobody
        has gathered, are unknown.
        """
        unknown = function in _MEASURED or scope == "history"
        return self.figures.get((function, name, scope), None if unknown else 0.0)


@dataclass(frozen=True)
class Trigger:
    """A parsed trigger."""

    function: str
    name: str
    compare: str
    bound: float
    scope: Scope = "run"

    def holds(self, facts: Facts) -> bool:
        """Whether it fires. What is unknown never fires, whatever it is compared with."""
        value = facts.value(self.function, self.name, self.scope)
        return value is not None and _COMPARE[self.compare](value, self.bound)


def parse_trigger(text: str) -> Trigger:
    """Return a trigger read from its text.

    Raises:
        PlanFormatError: Not in the grammar above.

    >>> parse_trigger('breaches("alert_threshold", history) >= 2').scope
    'history'
    """
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None or match[1] not in get_args(Function):
        raise PlanFormatError(
            f"{text[:80]!r} is not a trigger",
            hint=f'use {", ".join(get_args(Function))}, as in blocked("consent") >= 2',
        )
    return Trigger(
        match[1], match[2], match[4], float(match[5]), "history" if match[3] == "history" else "run"
    )
