"""Unrolling: fan-outs, loops and included blueprints become plain tasks, gates and variables.

Each stage becomes instances: one, one per item (`2.1-web`), or one per round (`2.1-r1`). A name that a task
uses means its own instance inside the stage, and all instances outside it. An included
blueprint's ids get the stage's id before them (`2.1.1`), its variables the stage's `as` (`checks_consent`); a
name that it does not know itself is looked up in the blueprint around it.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import PlanFormatError, UsageError
from gtm_orchestra.plans.comparisons import variable_of
from gtm_orchestra.plans.model import Comparison, Gate, Loop, Task
from gtm_orchestra.plans.template import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gtm_orchestra.plans.template import Blueprint, BlueprintGate, BlueprintStage, BlueprintTask, Filling

__all__ = ["MAX_DEPTH", "MAX_EDGES", "MAX_TASKS", "Unrolled", "UnrolledStage", "unroll"]

MAX_TASKS = 500
MAX_EDGES = 5_000
MAX_DEPTH = 3


@dataclass(frozen=True)
class UnrolledStage:
    """A stage with its final tasks; `included_by` names the stage whose included blueprint it comes from."""

    stage_id: str
    name: str
    included_by: str
    tasks: tuple[Task, ...]


@dataclass
class Unrolled:
    """What a blueprint has become, and under which ids its own ids are now known."""

    stages: list[UnrolledStage] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    parts: list[Blueprint] = field(default_factory=list)


@dataclass(frozen=True)
class _Instance:
    """One unrolling of a stage: how it is told from the others."""

    item: str = ""
    suffix: str = ""
    variable_suffix: str = ""
    number: int = 0
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Level:
    """One blueprint with its place: prefixes, what its names mean, and the blueprint that includes it."""

    blueprint: Blueprint
    prefix: str
    variable_prefix: str
    around: _Level | None
    entry: tuple[str, ...]
    included_by: str
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    instances: dict[str, tuple[_Instance, ...]] = field(default_factory=dict)
    inner: dict[str, _Level] = field(default_factory=dict)

    def nodes(self, name: str) -> tuple[str, ...]:
        """Return the final ids of a task or gate; a name that nobody knows stays, for review to report."""
        return tuple(self.ids.get(name, {"": f"{self.prefix}{name}"}).values())

    def variable(self, name: str) -> dict[str, str]:
        """Return item → final variable; an unknown name is that of the blueprint around, or stays."""
        if name in self.variables:
            return self.variables[name]
        return self.around.variable(name) if self.around is not None else {"": name}


def unroll(blueprint: Blueprint, filling: Filling, included: Mapping[str, Blueprint]) -> Unrolled:
    """Return a blueprint's stages, gates and loops without any repetition or nesting.

    Args:
        blueprint: What is unrolled.
        filling: Its `inputs` hold the lists that fan-outs go over.
        included: Blueprint by name: those that stages include, and that those include.

    Raises:
        PlanFormatError: An include that is unknown, in a circle or nested too deep; more than 500 tasks or
            5,000 edges; a gate or condition that reads one variable of many.
        UsageError: A fan-out finds no list of names in the inputs.
    """
    counted = _Counted()
    root = _described(blueprint, filling, included, place=_Place(), counted=counted)
    made = Unrolled(ids=root.ids)
    _build(root, filling, made, counted)
    return made


@dataclass
class _Counted:
    tasks: int = 0
    edges: int = 0

    def add(self, *, tasks: int = 0, edges: int = 0) -> None:
        self.tasks += tasks
        self.edges += edges
        for what, seen, allowed in (("tasks", self.tasks, MAX_TASKS), ("edges", self.edges, MAX_EDGES)):
            if seen > allowed:
                raise PlanFormatError(
                    f"the plan would have more than {allowed:,} {what}",
                    hint="go over fewer items, repeat less often, or make two plans of it",
                )


@dataclass(frozen=True)
class _Place:
    prefix: str = ""
    variable_prefix: str = ""
    around: _Level | None = None
    entry: tuple[str, ...] = ()
    included_by: str = ""
    stack: tuple[str, ...] = ()


def _described(
    blueprint: Blueprint,
    filling: Filling,
    included: Mapping[str, Blueprint],
    *,
    place: _Place,
    counted: _Counted,
) -> _Level:
    """Return what the names of a blueprint, and of those it includes, will be."""
    level = _Level(
        blueprint, place.prefix, place.variable_prefix, place.around, place.entry, place.included_by
    )
    stack = (*place.stack, blueprint.blueprint)
    for stage in blueprint.stages:
        if stage.include:
            inner = _included(stage, level, filling, included, stack=stack, counted=counted)
            level.inner[stage.id] = inner
            level.ids |= {f"{stage.id}.{name}": ids for name, ids in inner.ids.items()}
            alias = _alias(stage)
            level.variables |= {f"{alias}_{name}": names for name, names in inner.variables.items()}
        else:
            instances = tuple(_instances(stage, filling))
            counted.add(tasks=len(instances) * len(stage.tasks))
            level.instances[stage.id] = instances
            for task in stage.tasks:
                level.ids[task.id] = {i.item: f"{level.prefix}{task.id}{i.suffix}" for i in instances}
                name = f"{level.variable_prefix}{task.output}"
                level.variables[task.output] = (
                    {"": name}
                    if stage.repeat is not None
                    else {i.item: f"{name}{i.variable_suffix}" for i in instances}
                )
        if stage.gate is not None:
            level.ids[stage.gate.id] = {"": f"{level.prefix}{stage.gate.id}"}
    return level


def _included(
    stage: BlueprintStage,
    level: _Level,
    filling: Filling,
    included: Mapping[str, Blueprint],
    *,
    stack: tuple[str, ...],
    counted: _Counted,
) -> _Level:
    where = f"stage {stage.id!r} of {stack[-1]}"
    if stage.include in stack:
        circle = " → ".join((*stack[stack.index(stage.include) :], stage.include))
        raise PlanFormatError(
            f"blueprints include each other in a circle: {circle}", hint="remove one include"
        )
    if len(stack) > MAX_DEPTH:
        raise PlanFormatError(
            f"{where} includes {stage.include!r}, more than {MAX_DEPTH} blueprints deep",
            hint="include its stages' blueprint higher up",
        )
    if stage.include not in included:
        raise PlanFormatError(
            f"{where} includes {stage.include!r}, which is no blueprint",
            hint=f"add plans/{stage.include}.yaml",
        )
    place = _Place(
        prefix=f"{level.prefix}{stage.id}.",
        variable_prefix=f"{level.variable_prefix}{_alias(stage)}_",
        around=level,
        entry=stage.after,
        included_by=f"{level.prefix}{stage.id}",
        stack=stack,
    )
    return _described(included[stage.include], filling, included, place=place, counted=counted)


def _alias(stage: BlueprintStage) -> str:
    return stage.alias or re.sub(r"[^a-z0-9]+", "_", stage.include.lower()).strip("_")


def _instances(stage: BlueprintStage, filling: Filling) -> Iterator[_Instance]:
    if stage.repeat is not None:
        for number in range(1, stage.repeat.max + 1):
            yield _Instance(f"r{number}", f"-r{number}", f"_r{number}", number)
        return
    if stage.for_each is None:
        yield _Instance()
        return
    items = stage.for_each.items or _listed(stage, filling)
    known: dict[str, str] = {}
    for item in items:
        key = re.sub(r"[^A-Za-z0-9]+", "-", item).strip("-").lower()
        if not key or key in known:
            other = f"would share its id with {known[key]!r}" if key else "has no letter or digit for an id"
            raise PlanFormatError(
                f"stage {stage.id!r} goes over {item[:60]!r}, which {other}", hint="choose another name"
            )
        known[key] = item
        yield _Instance(
            item=key,
            suffix=f"-{key}",
            variable_suffix=f"_{key.replace('-', '_')}",
            params={stage.for_each.param: item},
        )


def _listed(stage: BlueprintStage, filling: Filling) -> tuple[str, ...]:
    """Return the list of the inputs that a fan-out goes over."""
    assert stage.for_each is not None  # noqa: S101 - the caller asks only then
    path = stage.for_each.source
    value: Any = {"inputs": filling.inputs}
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, list | tuple) or not value or not all(isinstance(v, str) for v in value):
        raise UsageError(
            f"stage {stage.id!r} goes over {path}, which holds no list of names",
            hint=f"give {path.removeprefix('inputs.')} at least one name",
        )
    return tuple(value)


def _build(level: _Level, filling: Filling, made: Unrolled, counted: _Counted) -> None:
    """Add the stages, gates and loops of a level and of those inside it, in order."""
    for stage in level.blueprint.stages:
        if stage.include:
            inner = level.inner[stage.id]
            made.parts.append(inner.blueprint)
            _build(inner, filling, made, counted)
        else:
            tasks = tuple(_tasks(level, stage, counted))
            made.stages.append(
                UnrolledStage(f"{level.prefix}{stage.id}", stage.name, level.included_by, tasks)
            )
        if stage.gate is not None:
            made.gates.append(_gate(level, stage, stage.gate, filling, counted))
        if stage.repeat is not None:
            made.loops.append(_loop(level, stage))


def _tasks(level: _Level, stage: BlueprintStage, counted: _Counted) -> Iterator[Task]:
    sinks = _sinks(stage)
    for instance in level.instances[stage.id]:
        for task in stage.tasks:
            made = _Builder(level, stage, instance).task(task, sinks)
            counted.add(edges=len(made.dependencies))
            yield made


@dataclass(frozen=True)
class _Builder:
    """Builds the tasks of one instance of a stage."""

    level: _Level
    stage: BlueprintStage
    instance: _Instance

    def task(self, task: BlueprintTask, sinks: tuple[str, ...]) -> Task:
        """Return a task with its final names."""
        level, instance = self.level, self.instance
        read = self._read(task)
        words = {name: str(value) for name, value in instance.params.items()}
        effects = [
            effect.model_copy(
                update={
                    name: string.Template(getattr(effect, name)).safe_substitute(words)
                    for name in ("action", "target", "undo")
                }
            )
            for effect in task.effects
        ]
        return Task(
            task_id=f"{level.prefix}{task.id}{instance.suffix}",
            agent=task.agent,
            kind=task.kind,
            purpose=string.Template(task.purpose).safe_substitute(words),
            function=task.function,
            input=tuple(read),
            known_as={final: known for final, known in read.items() if final != known},
            output_var=f"{level.variable_prefix}{task.output}{instance.variable_suffix}",
            params={**task.params, **instance.params},
            when=None if task.when is None else self._when(task.when),
            dependencies=self._dependencies(task, sinks),
            tools_required=task.tools,
            skills=task.skills,
            substitutes=_role(level, task.agent).substitutes,
            effects=tuple(effects),
            timeout_s=task.timeout_s,
            estimated_minutes=task.minutes,
        )

    def _dependencies(self, task: BlueprintTask, sinks: tuple[str, ...]) -> tuple[str, ...]:
        own = {t.id for t in self.stage.tasks}
        if self.instance.number > 1:
            # What came before the loop came before its first round; a round that is not needed has then
            # nothing before it that was taken.
            within = tuple(self._own(name) for name in task.after if name in own)
            return within or tuple(self._own(name, back=1) for name in sinks)
        found: dict[str, None] = {}
        for name in task.after:
            found.update(dict.fromkeys((self._own(name),) if name in own else self.level.nodes(name)))
        if not task.after and self.level.around is not None:
            for name in self.level.entry:
                found.update(dict.fromkeys(self.level.around.nodes(name)))
        return tuple(found)

    def _own(self, name: str, *, back: int = 0) -> str:
        suffix = f"-r{self.instance.number - back}" if self.instance.number else self.instance.suffix
        return f"{self.level.prefix}{name}{suffix}"

    def _read(self, task: BlueprintTask) -> dict[str, str]:
        """Return final variable → the name by which the handler knows it."""
        read: dict[str, str] = {}
        for name in task.input:
            own = self._own_variable(name, task)
            if own is not None:
                read |= {own: name} if own else {}
                continue
            found = self.level.variable(name)
            one = list(found) == [""]
            read |= {final: name if one else f"{name}.{item}" for item, final in found.items()}
        return read

    def _own_variable(self, name: str, task: BlueprintTask) -> str | None:
        """Return a variable of this stage's own instance, '' if no round has made it yet, None if of others.

        In a loop a task reads what its own round has made before it, else what the last round made.
        """
        producer = next((t for t in self.stage.tasks if t.output == name), None)
        if producer is None:
            return None
        final = f"{self.level.variable_prefix}{name}"
        if not self.instance.number:
            return f"{final}{self.instance.variable_suffix}"
        round_number = self.instance.number - (producer.id not in _before(self.stage, task.id))
        return f"{final}_r{round_number}" if round_number else ""

    def _when(self, when: Comparison) -> Comparison:
        name, rest = variable_of(when), when.of.partition(".")[2]
        if any(task.output == name for task in self.stage.tasks):
            suffix = f"_r{self.instance.number}" if self.instance.number else self.instance.variable_suffix
            return when.model_copy(update={"of": f"{self.level.variable_prefix}{name}{suffix}.{rest}"})
        return _one(self.level, when, f"a condition of stage {self.stage.id!r}")


def _role(level: _Level, agent: str) -> Role:
    """Return who stands in for an agent: as the blueprint says, or the one around it."""
    if agent in level.blueprint.roles or level.around is None:
        return level.blueprint.roles.get(agent, Role())
    return _role(level.around, agent)


def _before(stage: BlueprintStage, task_id: str) -> set[str]:
    """Return the tasks of the same stage that come before a task."""
    after = {task.id: set(task.after) for task in stage.tasks}
    found: set[str] = set()
    pending = [task_id]
    while pending:
        for name in after.get(pending.pop(), set()) & after.keys() - found:
            found.add(name)
            pending.append(name)
    return found


def _sinks(stage: BlueprintStage) -> tuple[str, ...]:
    """Return the tasks that no other task of the stage waits for."""
    waited = {name for task in stage.tasks for name in task.after}
    return tuple(task.id for task in stage.tasks if task.id not in waited)


def _one(level: _Level, comparison: Comparison, where: str) -> Comparison:
    """Return a comparison with its final variable, of which there must be one."""
    name, rest = variable_of(comparison), comparison.of.partition(".")[2]
    found = level.variable(name)
    if len(found) != 1:
        raise PlanFormatError(
            f"{where} reads {name!r}, of which there is one per item: {', '.join(found.values())}",
            hint="compare the result of a task that reads them all",
        )
    return comparison.model_copy(update={"of": f"{next(iter(found.values()))}.{rest}"})


def _gate(
    level: _Level, stage: BlueprintStage, gate: BlueprintGate, filling: Filling, counted: _Counted
) -> Gate:
    after: dict[str, None] = {}
    for name in gate.after:
        after.update(dict.fromkeys(level.nodes(name)))
    if stage.repeat is not None:
        # The gate reads the figure of every round from its arms.
        wanted = variable_of(stage.repeat.until)
        for task in stage.tasks:
            if task.output == wanted:
                after.update(dict.fromkeys(level.nodes(task.id)))
    counted.add(edges=len(after))
    policy = gate.policy
    thresholds = [
        c.model_copy(update={"of": f"{final}.{c.of.partition('.')[2]}"})
        for c in policy.thresholds
        for final in level.variable(variable_of(c)).values()
    ]
    items = policy.items
    if items:
        whole = Comparison(of=items, op="==", value="")
        items = _one(level, whole, f"the list of gate {gate.id!r}").of
    return Gate.model_validate(
        {
            "gate_id": f"{level.prefix}{gate.id}",
            "after": tuple(after),
            "kind": gate.kind,
            "policy": policy.model_copy(update={"thresholds": tuple(thresholds), "items": items}),
            "criteria": gate.criteria,
            "action": gate.action,
            "approvers": (filling.approvers or gate.approvers) if gate.kind == "approval" else (),
            "respond_within": gate.respond_within,
            "on_silence": gate.on_silence,
            "silence": gate.silence,
            "environment": gate.environment,
        }
    )


def _loop(level: _Level, stage: BlueprintStage) -> Loop:
    assert stage.repeat is not None  # noqa: S101 - the caller asks only then
    assert stage.gate is not None  # noqa: S101 - the blueprint's validation holds it
    instances = level.instances[stage.id]
    until = stage.repeat.until
    return Loop(
        loop_id=f"{level.prefix}{stage.id}",
        rounds=tuple(tuple(level.ids[task.id][i.item] for task in stage.tasks) for i in instances),
        variables={
            f"{level.variable_prefix}{task.output}": tuple(
                f"{level.variable_prefix}{task.output}{i.variable_suffix}" for i in instances
            )
            for task in stage.tasks
        },
        until=until.model_copy(update={"of": f"{level.variable_prefix}{until.of}"}),
        gate=f"{level.prefix}{stage.gate.id}",
        on_exhausted=stage.repeat.on_exhausted,
    )
