"""Names that must exist: agents, skills, tools, handlers, people, triggers, metrics, deliverables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.checks.findings import Known, ReviewFinding, blocker, warning
from gtm_orchestra.plans.triggers import parse_trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["check_ladder", "check_measures", "check_names"]


def check_names(plan: PlanDefinition, known: Known, paths: dict[str, str]) -> Iterator[ReviewFinding]:
    """Find agents, substitutes, skills, tools and handlers that do not exist."""
    for task in plan.tasks:
        path = paths[task.task_id]
        if task.agent not in known.agents:
            substitutes = [name for name in task.substitutes if name in known.agents]
            if substitutes:
                yield warning(
                    f"{path}.agent",
                    f"agent {task.agent!r} is missing; {substitutes[0]!r} stands in for {task.task_id}",
                    f"add agents/{task.agent}.md",
                )
            else:
                yield blocker(
                    f"{path}.agent",
                    f"agent {task.agent!r} is missing and has no substitute: a critical gap",
                    f"add agents/{task.agent}.md, or name a substitute for the role in the blueprint",
                )
        for what, names, there in (
            ("substitutes", task.substitutes, known.agents),
            ("skills", task.skills, known.skills),
            ("tools_required", task.tools_required, known.tools),
        ):
            for name in names:
                if name not in there:
                    yield warning(
                        f"{path}.{what}", f"{name!r} does not exist", f"add it, or remove it from {what}"
                    )
        if task.kind not in known.kinds:
            yield blocker(
                f"{path}.kind",
                f"no handler does {task.kind!r}",
                f"register one with @handler({task.kind!r}, agent=…)",
            )


def check_ladder(plan: PlanDefinition, known: Known) -> Iterator[ReviewFinding]:
    """Find triggers that cannot be read, and a ladder on which nobody stands."""
    for number, trigger in enumerate(plan.escalation_triggers):
        try:
            parse_trigger(trigger.when)
        except PlanFormatError as error:
            yield blocker(f"escalation_triggers[{number}].when", error.message, error.hint)
    if not plan.escalation_ladder:
        yield blocker("escalation_ladder", "the ladder is empty: nobody would be asked", "add a rung")
        return
    empty = [rung for rung in plan.escalation_ladder if not _has_people(rung.who, known)]
    if len(empty) == len(plan.escalation_ladder):
        roles = ", ".join(repr(rung.who) for rung in empty)
        yield blocker(
            "escalation_ladder",
            f"nobody stands on the ladder: no person has a role of {roles}",
            "give somebody in gtm.toml [people] one of these roles",
        )
        return
    for number, rung in enumerate(plan.escalation_ladder):
        if rung in empty:
            yield warning(
                f"escalation_ladder[{number}].who",
                f"nobody has the role {rung.who!r}; this rung would be passed over",
                f"give somebody in gtm.toml [people] the role {rung.who!r}",
            )


def _has_people(name: str, known: Known) -> bool:
    return name in known.people or bool(known.roles.get(name))


def check_measures(plan: PlanDefinition) -> Iterator[ReviewFinding]:
    """Find metrics that nobody could measure, and deliverables that no task produces."""
    ids = {task.task_id for task in plan.tasks}
    for number, metric in enumerate(plan.success_metrics):
        if not metric.query or not metric.known_when:
            yield blocker(
                f"success_metrics[{number}]",
                f"{metric.name!r} does not say how and when it is known",
                "add both",
            )
    for name, task_id in plan.deliverables.items():
        if task_id not in ids:
            yield blocker(f"deliverables[{name!r}]", f"{task_id!r} is no task of this plan", "name the task")
