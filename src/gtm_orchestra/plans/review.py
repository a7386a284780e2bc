"""Review: the ecosystem's planning checklist, made executable. All findings at once, each with its mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import networkx as nx
from pydantic import Field

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.graph import Crossing, Parallel, Series, Shape, dependency_graph, shape_of
from gtm_orchestra.plans.patterns import blocks_of
from gtm_orchestra.plans.triggers import parse_trigger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["Known", "Review", "ReviewFinding", "review_plan"]


class ReviewFinding(Model):
    """One thing that review found."""

    path: str = Field(description="Where in the plan, such as stages[0].tasks[1].agent.")
    severity: Literal["warning", "blocker"]
    message: str
    mend: str


class Review(Model):
    """The result of a review; `passed` means no blocker."""

    passed: bool
    checked: tuple[str, ...] = Field(description="What was looked at, in words.")
    findings: tuple[ReviewFinding, ...]


@dataclass(frozen=True)
class Known:
    """What exists in the workspace: what the plan's names are compared with."""

    agents: Collection[str]
    kinds: Collection[str]
    tools: Collection[str]
    skills: Collection[str]
    roles: Mapping[str, Collection[str]]
    people: Collection[str]


_CHECKED = (
    "agents, substitutes, skills and tools exist",
    "dependencies exist and form no circle",
    "declared blocks are the graph's, and each parallel block ends in one gate",
    "every result is produced before it is used, and by one task",
    "every effect has its class and its undo",
    "triggers can be read; the ladder and the approvers are people",
    "metrics say how and when they are known; every deliverable has a task",
)


def review_plan(plan: PlanDefinition, known: Known) -> Review:
    """Return everything that is wrong with a plan, in the order of its fields."""
    graph = dependency_graph(plan.tasks, plan.gates)
    findings = [*_names(plan, known), *_dependencies(plan)]
    if nx.is_directed_acyclic_graph(graph):
        findings += [*_blocks(plan, graph), *_variables(plan, graph)]
    else:
        circle = " → ".join(str(edge[0]) for edge in nx.find_cycle(graph))
        findings.append(_blocker("stages", f"dependencies run in a circle: {circle}", "remove one of them"))
    findings += [*_effects(plan), *_people(plan, known), *_measures(plan)]
    return Review(
        passed=not any(f.severity == "blocker" for f in findings), checked=_CHECKED, findings=tuple(findings)
    )


def _blocker(path: str, message: str, mend: str) -> ReviewFinding:
    return ReviewFinding(path=path, severity="blocker", message=message, mend=mend)


def _warning(path: str, message: str, mend: str) -> ReviewFinding:
    return ReviewFinding(path=path, severity="warning", message=message, mend=mend)


def _paths(plan: PlanDefinition) -> dict[str, str]:
    return {
        task.task_id: f"stages[{i}].tasks[{j}]"
        for i, stage in enumerate(plan.stages)
        for j, task in enumerate(stage.tasks)
    }


def _names(plan: PlanDefinition, known: Known) -> Iterator[ReviewFinding]:
    paths = _paths(plan)
    for task in plan.tasks:
        path = paths[task.task_id]
        if task.agent not in known.agents:
            substitutes = [name for name in task.substitutes if name in known.agents]
            if substitutes:
                yield _warning(
                    f"{path}.agent",
                    f"agent {task.agent!r} is missing; {substitutes[0]!r} stands in for {task.task_id}",
                    f"add agents/{task.agent}.md",
                )
            else:
                yield _blocker(
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
                    yield _warning(
                        f"{path}.{what}", f"{name!r} does not exist", f"add it, or remove it from {what}"
                    )
        if task.kind not in known.kinds:
            yield _blocker(
                f"{path}.kind",
                f"no handler does {task.kind!r}",
                f"register one with @handler({task.kind!r}, agent=…)",
            )


def _dependencies(plan: PlanDefinition) -> Iterator[ReviewFinding]:
    paths = _paths(plan)
    ids = [task.task_id for task in plan.tasks] + [gate.gate_id for gate in plan.gates]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield _blocker("stages", f"the id {name!r} stands twice", "give each task and gate an id of its own")
    for task in plan.tasks:
        for before in task.dependencies:
            if before not in ids:
                yield _blocker(
                    f"{paths[task.task_id]}.dependencies",
                    f"{before!r} is no task or gate of this plan",
                    "correct the id",
                )
    for number, gate in enumerate(plan.gates):
        for before in gate.after:
            if before not in ids:
                yield _blocker(
                    f"gates[{number}].after", f"{before!r} is no task or gate of this plan", "correct the id"
                )


def _blocks(plan: PlanDefinition, graph: nx.DiGraph[str]) -> Iterator[ReviewFinding]:
    merges = [gate.gate_id for gate in plan.gates if gate.kind == "merge"]
    seen = {(block.gate, frozenset(block.tasks)) for block in blocks_of(plan.stages, plan.gates, plan.loops)}
    shape = shape_of(graph)
    has_parallel = any(isinstance(part, Parallel) for part in _walk(shape))
    for number, block in enumerate(plan.blocks):
        if block.pattern == "diamond" and (block.gate, frozenset(block.tasks)) not in seen:
            yield _blocker(
                f"blocks[{number}]",
                f"the dependencies form no diamond of {', '.join(block.tasks)} into {block.gate}",
                "correct the block, or the dependencies",
            )
        if block.pattern == "pipeline" and has_parallel:
            yield _blocker(
                f"blocks[{number}]", "declared a pipeline, but tasks run side by side", "correct the block"
            )
    if any(isinstance(part, Crossing) for part in _walk(shape)):
        yield _warning(
            "stages",
            "some dependencies cross, so that those arms wait for each other level by level",
            "let each arm depend only on itself",
        )
    yield from _unjoined(shape, set(merges) | {g.gate_id for g in plan.gates})


def _unjoined(shape: Shape, gates: set[str]) -> Iterator[ReviewFinding]:
    for part in _walk(shape):
        if not isinstance(part, Series):
            continue
        for first, second in zip(part.parts, part.parts[1:], strict=False):
            if isinstance(first, Parallel) and getattr(second, "node", None) not in gates:
                yield _blocker(
                    "gates", "a parallel block does not end in a gate", "add a merge gate after its arms"
                )
    if isinstance(shape, Parallel) or (isinstance(shape, Series) and isinstance(shape.parts[-1], Parallel)):
        yield _blocker(
            "gates", "the plan ends in a parallel block without a gate", "add a merge gate after its arms"
        )


def _walk(shape: Shape) -> Iterator[Shape]:
    yield shape
    children = shape.parts if isinstance(shape, Series) else shape.arms if isinstance(shape, Parallel) else ()
    for child in children:
        yield from _walk(child)


def _variables(plan: PlanDefinition, graph: nx.DiGraph[str]) -> Iterator[ReviewFinding]:
    paths = _paths(plan)
    producer: dict[str, str] = {}
    for task in plan.tasks:
        if task.output_var in producer:
            yield _blocker(
                f"{paths[task.task_id]}.output_var",
                f"{task.output_var!r} is produced by {producer[task.output_var]} already",
                "give it another name",
            )
        producer.setdefault(task.output_var, task.task_id)
    for task in plan.tasks:
        earlier = nx.ancestors(graph, task.task_id)
        for variable in task.input:
            if producer.get(variable) not in earlier:
                yield _blocker(
                    f"{paths[task.task_id]}.input",
                    f"{variable!r} is not produced before {task.task_id}",
                    "let it depend on the task that produces it",
                )


def _effects(plan: PlanDefinition) -> Iterator[ReviewFinding]:
    paths = _paths(plan)
    for task in plan.tasks:
        for number, effect in enumerate(task.effects):
            if not effect.undo:
                yield _blocker(
                    f"{paths[task.task_id]}.effects[{number}].undo",
                    f"{effect.action!r} on {effect.target!r} does not say how it is taken back",
                    "write the undo; for an irreversible effect, why that is acceptable",
                )


def _people(plan: PlanDefinition, known: Known) -> Iterator[ReviewFinding]:
    for number, trigger in enumerate(plan.escalation_triggers):
        try:
            parse_trigger(trigger.when)
        except PlanFormatError as error:
            yield _blocker(f"escalation_triggers[{number}].when", error.message, error.hint)
    if not plan.escalation_ladder:
        yield _blocker("escalation_ladder", "the ladder is empty: nobody would be asked", "add a rung")
    for number, rung in enumerate(plan.escalation_ladder):
        if not known.roles.get(rung.who):
            yield _warning(
                f"escalation_ladder[{number}].who",
                f"nobody has the role {rung.who!r}; this rung would be passed over",
                f"give somebody in gtm.toml [people] the role {rung.who!r}",
            )
    for number, gate in enumerate(plan.gates):
        for approver in gate.approvers:
            if approver not in known.people and not known.roles.get(approver):
                yield _blocker(
                    f"gates[{number}].approvers",
                    f"{approver!r} is neither a person nor a role that a person has",
                    f"add {approver!r} to gtm.toml [people], or give somebody that role",
                )


def _measures(plan: PlanDefinition) -> Iterator[ReviewFinding]:
    ids = {task.task_id for task in plan.tasks}
    for number, metric in enumerate(plan.success_metrics):
        if not metric.query or not metric.known_when:
            yield _blocker(
                f"success_metrics[{number}]",
                f"{metric.name!r} does not say how and when it is known",
                "add both",
            )
    for name, task_id in plan.deliverables.items():
        if task_id not in ids:
            yield _blocker(f"deliverables[{name!r}]", f"{task_id!r} is no task of this plan", "name the task")
