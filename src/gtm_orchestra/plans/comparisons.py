"""Comparisons of figures in results: what decides whether a task is taken, a loop ends, a threshold holds."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gtm_orchestra.plans.model import Comparison

__all__ = ["compares", "in_words", "seen_value", "variable_of"]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def variable_of(comparison: Comparison) -> str:
    """Return the output_var that a comparison reads."""
    return comparison.of.partition(".")[0]


def seen_value(comparison: Comparison, results: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return the figure that a comparison is about; None if the results do not hold it.

    Args:
        comparison: Its path is looked up field by field.
        results: Result documents by output_var.
    """
    value: Any = results
    for field in comparison.of.split("."):
        if not isinstance(value, dict) or field not in value:
            return None
        value = value[field]
    return value


def compares(comparison: Comparison, results: Mapping[str, Any]) -> bool:
    """Whether a comparison holds. A missing figure, or one of another type, makes it false, also for `!=`."""
    seen, wanted = seen_value(comparison, results), comparison.value
    if isinstance(seen, bool) or isinstance(wanted, bool):
        same_type = isinstance(seen, bool) and isinstance(wanted, bool)
    elif isinstance(seen, int | float) and isinstance(wanted, int | float):
        same_type = True
    else:
        same_type = isinstance(seen, str) and isinstance(wanted, str)
    return same_type and _COMPARE[comparison.op](seen, wanted)


def in_words(comparison: Comparison) -> str:
    """Return a comparison as a person writes it, such as "quality.score >= 0.8"."""
    value = comparison.value
    shown = f"{value:g}" if isinstance(value, float) and not isinstance(value, bool) else str(value)
    return f"{comparison.of} {comparison.op} {shown}"
