"""Who is asked, and who is asked next: the course of a question, computed when it is asked and kept with it.

A course never ends in nobody: a step whose people do not exist is left out. Whom silence is taken to next is
fixed when the question is asked, so that a later change of gtm.toml cannot hand a decision to somebody else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.policy.decisions import resolve_approvers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import Gate, PlanDefinition, Rung

__all__ = ["Step", "approval_course", "as_body", "ladder_course", "people_of", "steps_of"]


@dataclass(frozen=True)
class Step:
    """One step of a course.

    Attributes:
        who: Handles that are asked.
        within: How long they have, such as "2d".
        why: In which capacity they are asked, in words.
    """

    who: tuple[str, ...]
    within: str
    why: str


def approval_course(plan: PlanDefinition, gate: Gate, config: Config, *, on: date) -> tuple[Step, ...]:
    """Return the course of an approval: its approvers, their deputies, then the ladder above them.

    Silence never hands a decision downwards: of the ladder only the rungs behind the highest one that an
    approver stands on are asked; all of them, if no approver stands on it.

    Raises:
        UsageError: An approver is neither a person nor a role that somebody has.
    """
    approvers = resolve_approvers(config, gate.approvers, on=on)
    above = _above(plan.escalation_ladder, gate.approvers, approvers, config)
    first = Step(approvers, gate.respond_within, "asked to decide")
    return _without_repeats([first, _deputies(first, config), *_rungs(above, config, on=on)])


def ladder_course(ladder: Sequence[Rung], config: Config, *, on: date) -> tuple[Step, ...]:
    """Return the course of a question that goes to the ladder: rung by rung, each with its deputies."""
    return _without_repeats(_rungs(ladder, config, on=on))


def people_of(course: Iterable[Step]) -> tuple[str, ...]:
    """Return everybody on a course, once each, in order."""
    return tuple(dict.fromkeys(handle for step in course for handle in step.who))


def steps_of(body: dict[str, Any]) -> tuple[Step, ...]:
    """Return the course that a question keeps; a single step for one that was asked without a course."""
    kept = body.get("course")
    if kept is None:
        return (Step(tuple(body["approvers"]), "1d", "asked"),)
    return tuple(Step(tuple(step["who"]), step["within"], step["why"]) for step in kept)


def as_body(course: Sequence[Step]) -> dict[str, Any]:
    """Return what a question keeps of its course, standing at its first step."""
    return {
        "course": [asdict(step) | {"who": list(step.who)} for step in course],
        "step": 0,
        "asked": list(course[0].who) if course else [],
    }


def _rungs(ladder: Iterable[Rung], config: Config, *, on: date) -> list[Step]:
    steps = []
    for rung in ladder:
        if config.people_with_role(rung.who) or rung.who in config.people:
            step = Step(resolve_approvers(config, [rung.who], on=on), rung.respond_within, f"as {rung.who}")
            steps += [step, _deputies(step, config)]
    return steps


def _deputies(step: Step, config: Config) -> Step:
    """Return the step at which the deputies of a step's people are asked."""
    found = {deputy: handle for handle in step.who if (deputy := config.people[handle].deputy) is not None}
    who = tuple(deputy for deputy in found if deputy not in step.who)
    names = ", ".join(found[deputy] for deputy in who)
    return Step(who, step.within, f"as deputy of {names}")


def _above(
    ladder: Sequence[Rung], names: Iterable[str], handles: Iterable[str], config: Config
) -> Sequence[Rung]:
    known = {*names, *handles}
    standing = [
        number
        for number, rung in enumerate(ladder, start=1)
        if rung.who in known or set(config.people_with_role(rung.who)) & known
    ]
    return ladder[max(standing, default=0) :]


def _without_repeats(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps that ask somebody who has not been asked before."""
    asked: set[str] = set()
    kept = []
    for step in steps:
        if set(step.who) - asked:
            kept.append(step)
            asked |= set(step.who)
    return tuple(kept)
