"""A blueprint is the reviewed template of a command; filled in for one initiative it becomes a plan."""

from __future__ import annotations

import hashlib
import string
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import Field, ValidationError

from gtm_orchestra.config import Duration
from gtm_orchestra.errors import PlanFormatError, UsageError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.graph import critical_path, dependency_graph, levels, parallel_groups
from gtm_orchestra.plans.model import (
    Block,
    Budgets,
    DataSource,
    Effect,
    ErrorHandling,
    EscalationTrigger,
    Function,
    Gate,
    GatePolicy,
    Name,
    NodeId,
    Parallelization,
    Pattern,
    PlanDefinition,
    Rung,
    Stage,
    SuccessMetric,
    Task,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Blueprint", "Filling", "fill", "parse_blueprint"]


class BlueprintTask(Model):
    """A task as the blueprint writes it; what the role settles is added when it is filled in."""

    id: NodeId
    agent: Name
    kind: Name
    purpose: Text
    function: Function
    input: tuple[Name, ...] = ()
    output: Name
    after: tuple[NodeId, ...] = ()
    tools: tuple[Name, ...] = ()
    skills: tuple[Name, ...] = ()
    effects: tuple[Effect, ...] = ()
    minutes: float = 1.0
    timeout_s: int = 600


class BlueprintGate(Model):
    """A gate as the blueprint writes it, at the end of its stage."""

    id: NodeId
    after: tuple[NodeId, ...]
    kind: str
    policy: GatePolicy = GatePolicy()
    criteria: tuple[Text, ...] = ()
    action: str = ""
    approvers: tuple[Name, ...] = ()
    respond_within: Duration = "2d"
    on_silence: Text = ""


class BlueprintStage(Model):
    """A stage as the blueprint writes it."""

    id: NodeId
    name: Name
    tasks: tuple[BlueprintTask, ...] = Field(min_length=1)
    gate: BlueprintGate | None = None


class BlueprintPattern(Model):
    """Which patterns the command can take, and why one would."""

    default: Pattern
    reasons: dict[Pattern, Text]


class Role(Model):
    """Who stands in for an agent."""

    substitutes: tuple[Name, ...] = ()


class BlueprintRung(Model):
    """One step of the ladder, by role."""

    who: Name
    respond_within: Duration = "1d"


class Blueprint(Model):
    """The reviewed template of a command."""

    blueprint: Name
    version: int
    objective: Text
    pattern: BlueprintPattern
    roles: dict[str, Role]
    stages: tuple[BlueprintStage, ...] = Field(min_length=1)
    error_handling: ErrorHandling = ErrorHandling()
    ladder: tuple[BlueprintRung, ...] = ()
    triggers: tuple[EscalationTrigger, ...] = ()
    metrics: tuple[SuccessMetric, ...] = ()
    success_criteria: tuple[Text, ...] = ()
    deliverables: dict[str, str] = Field(default_factory=dict)
    context_passing: Text = ""
    budgets: Budgets = Budgets()
    max_concurrent: int = 4


class Filling(Model):
    """What turns a blueprint into the plan of one initiative."""

    plan_id: str
    initiative: str
    inputs: dict[str, Any]
    channels: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    pattern: Pattern | None = None
    approvers: tuple[str, ...] = Field(default=(), description="Replaces the blueprint's, if given.")
    deputies: dict[str, str] = Field(default_factory=dict, description="Role → deputy of who has it.")
    data_sources: tuple[DataSource, ...] = ()
    governance_cadence: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)
    attributes: dict[str, str] = Field(default_factory=dict)
    hashes: dict[str, str] = Field(default_factory=dict)


def parse_blueprint(text: str, *, what: str) -> Blueprint:
    """Return a blueprint read from YAML.

    Raises:
        PlanFormatError: Not YAML, or not a blueprint; every finding with its path.
    """
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
        return Blueprint.model_validate(raw)
    except yaml.YAMLError as error:
        raise PlanFormatError(
            f"{what} is not valid YAML: {str(error).splitlines()[0]}", hint="mend that line"
        ) from error
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
        )
        raise PlanFormatError(f"{what} is not a blueprint: {found}", hint="see docs/blueprints.md") from error


class _UniqueKeyLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


def fill(blueprint: Blueprint, filling: Filling) -> PlanDefinition:
    """Return the plan of one initiative.

    Raises:
        UsageError: The blueprint does not offer the pattern.
    """
    pattern = filling.pattern or blueprint.pattern.default
    if pattern not in blueprint.pattern.reasons:
        raise UsageError(
            f"{blueprint.blueprint} has no pattern {pattern!r}",
            hint=f"choose {', '.join(blueprint.pattern.reasons)}",
        )
    tasks = [_task(blueprint, task) for stage in blueprint.stages for task in stage.tasks]
    gates = [_gate(stage.gate, filling) for stage in blueprint.stages if stage.gate is not None]
    blocks = _diamonds(tasks, gates)
    if pattern == "pipeline":
        tasks = _serialised(tasks, gates)
        blocks = (Block(pattern="pipeline", tasks=tuple(t.task_id for t in tasks)),)
    graph = dependency_graph(tasks, gates)
    by_id = {task.task_id: task for task in tasks}
    stages = tuple(_stage(stage, by_id, levels(graph)) for stage in blueprint.stages)
    path, minutes = critical_path(graph)
    words = {"initiative": filling.initiative, "channels": ", ".join(filling.channels)}
    return PlanDefinition(
        plan_id=filling.plan_id,
        command=blueprint.blueprint,
        initiative=filling.initiative,
        objective=string.Template(blueprint.objective).safe_substitute(words),
        complexity=_complexity(len(tasks)),
        strategy=pattern,
        pattern_rationale=blueprint.pattern.reasons[pattern],
        estimated_duration=f"{minutes:g} min of work along {' → '.join(path)}, plus people's answers",
        estimated_cost="no model calls"
        if not blueprint.budgets.tokens
        else f"up to {blueprint.budgets.tokens:,} tokens",
        inputs=filling.inputs,
        environments=filling.environments,
        channels=filling.channels,
        data_sources=filling.data_sources,
        governance_cadence=filling.governance_cadence,
        settings=filling.settings,
        attributes=filling.attributes,
        stages=stages,
        blocks=blocks,
        parallelization=Parallelization(
            max_concurrent=blueprint.max_concurrent,
            parallel_groups=parallel_groups(graph, (task.task_id for task in tasks)),
        ),
        context_passing=blueprint.context_passing,
        error_handling=blueprint.error_handling,
        gates=tuple(gates),
        escalation_ladder=tuple(
            Rung(step=i, who=r.who, deputy=filling.deputies.get(r.who, ""), respond_within=r.respond_within)
            for i, r in enumerate(blueprint.ladder, start=1)
        ),
        escalation_triggers=blueprint.triggers,
        success_metrics=blueprint.metrics,
        success_criteria=blueprint.success_criteria,
        deliverables=blueprint.deliverables,
        budgets=blueprint.budgets,
        hashes=filling.hashes,
    )


def _task(blueprint: Blueprint, task: BlueprintTask) -> Task:
    role = blueprint.roles.get(task.agent, Role())
    return Task(
        task_id=task.id,
        agent=task.agent,
        kind=task.kind,
        purpose=task.purpose,
        function=task.function,
        input=task.input,
        output_var=task.output,
        dependencies=task.after,
        tools_required=task.tools,
        skills=task.skills,
        substitutes=role.substitutes,
        effects=task.effects,
        timeout_s=task.timeout_s,
        estimated_minutes=task.minutes,
    )


def _gate(gate: BlueprintGate, filling: Filling) -> Gate:
    return Gate.model_validate(
        {
            "gate_id": gate.id,
            "after": gate.after,
            "kind": gate.kind,
            "policy": gate.policy,
            "criteria": gate.criteria,
            "action": gate.action,
            "approvers": (filling.approvers or gate.approvers) if gate.kind == "approval" else (),
            "respond_within": gate.respond_within,
            "on_silence": gate.on_silence,
        }
    )


def _diamonds(tasks: Iterable[Task], gates: Iterable[Gate]) -> tuple[Block, ...]:
    """Return a block per merge gate: the tasks between the point where its arms part and the gate."""
    merges = {gate.gate_id for gate in gates if gate.kind == "merge"}
    return blocks_of(tasks, gates, merges)


def blocks_of(tasks: Iterable[Task], gates: Iterable[Gate], merges: Iterable[str]) -> tuple[Block, ...]:
    """Return, for each merge gate, the tasks of the parallel arms that meet in it."""
    import networkx as nx  # noqa: PLC0415 - graph already imports it; named here for its dominators

    tasks, gates = tuple(tasks), tuple(gates)
    graph = dependency_graph(tasks, gates)
    ids = {task.task_id for task in tasks}
    start = "\N{NULL}start"
    graph.add_node(start, minutes=0.0)
    graph.add_edges_from(
        (start, node) for node in list(graph) if node != start and graph.in_degree(node) == 0
    )
    dominator = nx.immediate_dominators(graph, start)
    blocks = []
    for gate in sorted(merges):
        parting = str(dominator[gate])
        after, before = nx.descendants(graph, parting), nx.ancestors(graph, gate)
        between = set(after) & set(before)
        inside = [task.task_id for task in tasks if task.task_id in between & ids]
        if inside:
            blocks.append(Block(pattern="diamond", tasks=tuple(inside), gate=gate))
    return tuple(blocks)


def _serialised(tasks: list[Task], gates: list[Gate]) -> list[Task]:
    """Return the tasks one after the other in the blueprint's order; gates stay where they are."""
    gate_ids = {gate.gate_id for gate in gates}
    serial: list[Task] = []
    for task in tasks:
        previous = (serial[-1].task_id,) if serial and not gate_ids & set(task.dependencies) else ()
        kept = tuple(d for d in task.dependencies if d in gate_ids)
        serial.append(task.model_copy(update={"dependencies": kept + previous}))
    return serial


def _stage(stage: BlueprintStage, tasks: Mapping[str, Task], by_level: tuple[tuple[str, ...], ...]) -> Stage:
    ids = {task.id for task in stage.tasks}
    side_by_side = any(len(ids & set(level)) > 1 for level in by_level)
    return Stage(
        stage_id=stage.id,
        name=stage.name,
        execution="parallel" if side_by_side else "sequential",
        tasks=tuple(tasks[task.id] for task in stage.tasks),
    )


def _complexity(tasks: int) -> str:
    """Return the ecosystem's word for so many steps."""
    for limit, word in ((2, "orchestration-not-needed"), (5, "medium"), (9, "complex")):
        if tasks <= limit:
            return word
    return "very-complex"


def content_hash(text: str) -> str:
    """Return the SHA-256 (hex) by which a plan names a content file."""
    return hashlib.sha256(text.encode()).hexdigest()
