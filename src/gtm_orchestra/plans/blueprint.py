"""A blueprint filled in for one initiative becomes a plan."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gtm_orchestra.errors import PlanFormatError, UsageError
from gtm_orchestra.plans.graph import circle_in, critical_path, dependency_graph, levels, parallel_groups
from gtm_orchestra.plans.model import Parallelization, PlanDefinition, Rung, Stage
from gtm_orchestra.plans.parse import faults
from gtm_orchestra.plans.patterns import blocks_of
from gtm_orchestra.plans.template import Blueprint, Filling, parse_blueprint
from gtm_orchestra.plans.unroll import Unrolled, UnrolledStage, unroll

if TYPE_CHECKING:
    from collections.abc import Mapping

    import networkx as nx

    from gtm_orchestra.plans.model import Task

__all__ = ["Blueprint", "Filling", "fill", "parse_blueprint"]

_NO_ORCHESTRATION = 2
_LONGEST_PATH = 12


def fill(
    blueprint: Blueprint, filling: Filling, included: Mapping[str, Blueprint] | None = None
) -> PlanDefinition:
    """Return the plan of one initiative.

    Args:
        blueprint: The template of the command.
        filling: What the initiative and the workspace say.
        included: Blueprint by name: those that it, or one of them, includes.

    Raises:
        PlanFormatError: It cannot be unrolled (see `unroll`), or its dependencies run in a circle, or a name
            is too long.
        UsageError: The blueprint does not offer the pattern, or a fan-out finds nothing to go over.
    """
    pattern = filling.pattern or blueprint.pattern.default
    if pattern not in blueprint.pattern.reasons:
        raise UsageError(
            f"{blueprint.blueprint} has no pattern {pattern!r}",
            hint=f"choose {', '.join(blueprint.pattern.reasons)}",
        )
    try:
        return _filled(blueprint, filling, pattern, unroll(blueprint, filling, included or {}))
    except ValidationError as error:
        raise PlanFormatError(
            f"{blueprint.blueprint} makes no plan: {faults(error)}", hint="see docs/blueprints.md"
        ) from error


def _filled(blueprint: Blueprint, filling: Filling, pattern: str, made: Unrolled) -> PlanDefinition:
    parts = (blueprint, *made.parts)
    staged = made.stages if pattern != "pipeline" else _one_after_the_other(blueprint, made)
    tasks = [task for stage in staged for task in stage.tasks]
    graph = dependency_graph(tasks, made.gates)
    if circle := circle_in(graph):
        raise PlanFormatError(
            f"the dependencies of {blueprint.blueprint} run in a circle: {circle}", hint="remove one of them"
        )
    by_level = levels(graph)
    stages = tuple(_stage(stage, by_level) for stage in staged)
    words = {"initiative": filling.initiative, "channels": ", ".join(filling.channels)}
    definition = {
        "plan_id": filling.plan_id,
        "command": blueprint.blueprint,
        "initiative": filling.initiative,
        "objective": string.Template(blueprint.objective).safe_substitute(words),
        "complexity": _complexity(len(tasks)),
        "strategy": pattern,
        "pattern_rationale": _rationale(blueprint, pattern, len(tasks)),
        "estimated_duration": _duration(graph, made),
        "estimated_cost": f"up to {blueprint.budgets.tokens:,} tokens"
        if blueprint.budgets.tokens
        else "no model calls",
        "stages": stages,
        "blocks": blocks_of(stages, made.gates, made.loops),
        "loops": tuple(made.loops),
        "parallelization": Parallelization(
            max_concurrent=blueprint.max_concurrent,
            parallel_groups=parallel_groups(graph, (task.task_id for task in tasks)),
        ),
        "context_passing": blueprint.context_passing,
        "error_handling": blueprint.error_handling,
        "gates": tuple(made.gates),
        "escalation_ladder": tuple(
            Rung(step=i, who=r.who, deputy=filling.deputies.get(r.who, ""), respond_within=r.respond_within)
            for i, r in enumerate(blueprint.ladder, start=1)
        ),
        # An included blueprint keeps what it watches and measures; who is asked, the outer one says.
        "escalation_triggers": tuple(dict.fromkeys(t for part in parts for t in part.triggers)),
        "success_metrics": tuple({m.name: m for part in reversed(parts) for m in part.metrics}.values()),
        "success_criteria": tuple(dict.fromkeys(c for part in parts for c in part.success_criteria)),
        "deliverables": _deliverables(blueprint, made),
        "budgets": blueprint.budgets,
        **{name: getattr(filling, name) for name in _AS_FILLED},
    }
    return PlanDefinition.model_validate(definition)


_AS_FILLED = (
    "inputs",
    "environments",
    "channels",
    "data_sources",
    "governance_cadence",
    "settings",
    "attributes",
    "hashes",
)


def _one_after_the_other(blueprint: Blueprint, made: Unrolled) -> list[UnrolledStage]:
    """Return the stages with their tasks in one row, in the blueprint's order; gates stay where they are."""
    gate_ids = {gate.gate_id for gate in made.gates}
    last: tuple[str, ...] = ()
    stages = []
    for stage in made.stages:
        row: list[Task] = []
        for task in stage.tasks:
            if task.when is not None:
                raise UsageError(
                    f"{blueprint.blueprint} cannot be a pipeline: what comes after {task.task_id} would be "
                    "left out with it",
                    hint="take its other pattern",
                )
            kept = tuple(d for d in task.dependencies if d in gate_ids)
            row.append(task.model_copy(update={"dependencies": kept + (() if kept else last)}))
            last = (task.task_id,)
        stages.append(UnrolledStage(stage.stage_id, stage.name, stage.included_by, tuple(row)))
    return stages


def _stage(stage: UnrolledStage, by_level: tuple[tuple[str, ...], ...]) -> Stage:
    ids = {task.task_id for task in stage.tasks}
    side_by_side = any(len(ids & set(level)) > 1 for level in by_level)
    return Stage(
        stage_id=stage.stage_id,
        name=stage.name,
        execution="parallel" if side_by_side else "sequential",
        included_by=stage.included_by,
        tasks=stage.tasks,
    )


def _rationale(blueprint: Blueprint, pattern: str, tasks: int) -> str:
    """Return why this pattern; for one or two steps, why none is needed."""
    reason = blueprint.pattern.reasons[pattern]  # type: ignore[index]  # checked by `fill`
    if tasks > _NO_ORCHESTRATION:
        return reason
    steps = "one step" if tasks == 1 else "two steps"
    return f"Orchestration is not needed: {steps}, which one person or agent can oversee. {reason}"


def _duration(graph: nx.DiGraph[str], made: Unrolled) -> str:
    path, minutes = critical_path(graph)
    if len(path) > _LONGEST_PATH:
        half = _LONGEST_PATH // 2
        path = (*path[:half], "…", *path[-half:])
    rounds = ", if every round is needed" if made.loops else ""
    return f"{minutes:g} min of work along {' → '.join(path)}{rounds}, plus people's answers"


def _deliverables(blueprint: Blueprint, made: Unrolled) -> dict[str, str]:
    """Return deliverable → task: per item of a fan-out, and of a loop the round that is always taken."""
    loops = {task for loop in made.loops for tasks in loop.rounds for task in tasks}
    found: dict[str, str] = {}
    for name, task_id in blueprint.deliverables.items():
        ids = made.ids.get(task_id, {"": task_id})
        if set(ids.values()) <= loops:
            found[name] = next(iter(ids.values()))
        else:
            found |= {f"{name} ({item})" if item else name: final for item, final in ids.items()}
    return found


def _complexity(tasks: int) -> str:
    """Return the ecosystem's word for so many steps."""
    for limit, word in ((_NO_ORCHESTRATION, "orchestration-not-needed"), (5, "medium"), (9, "complex")):
        if tasks <= limit:
            return word
    return "very-complex"
