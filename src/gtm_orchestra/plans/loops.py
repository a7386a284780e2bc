"""Unrolled loops: whether a round is needed, and which round's result a variable means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gtm_orchestra.plans.comparisons import compares, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gtm_orchestra.plans.model import Loop, PlanDefinition

__all__ = ["converged_in", "loop_behind", "not_needed", "variables_meant"]


def loop_behind(plan: PlanDefinition, gate_id: str) -> Loop | None:
    """Return the loop that ends in a gate, if one does."""
    return next((loop for loop in plan.loops if loop.gate == gate_id), None)


def converged_in(loop: Loop, number: int, results: Mapping[str, Any]) -> bool:
    """Whether the loop's figure was good enough after round `number` (the first is 1)."""
    seen = {
        variable: results[names[number - 1]]
        for variable, names in loop.variables.items()
        if names[number - 1] in results
    }
    return compares(loop.until, seen)


def not_needed(plan: PlanDefinition, task_id: str, results: Mapping[str, Any]) -> str:
    """Return why a task of a later round need not be done, or ''; `results` are those by output_var."""
    for loop in plan.loops:
        for number, tasks in enumerate(loop.rounds, start=1):
            if task_id not in tasks:
                continue
            enough = next((n for n in range(1, number) if converged_in(loop, n, results)), 0)
            if enough:
                return f"{in_words(loop.until)} after round {enough}"
    return ""


def variables_meant(
    plan: PlanDefinition, variables: Iterable[str], *, delivered: Callable[[str], bool]
) -> dict[str, str]:
    """Return variable → the output_var that holds it: for a loop's variable that of the last round taken."""
    rounds = {variable: names for loop in plan.loops for variable, names in loop.variables.items()}
    meant = {}
    for variable in variables:
        names = rounds.get(variable, (variable,))
        meant[variable] = next((name for name in reversed(names) if delivered(name)), names[-1])
    return meant
