"""Dependencies, declared blocks, variables and loops."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gtm_orchestra.plans.checks.findings import Reviewed, ReviewFinding, blocker, paths, warning
from gtm_orchestra.plans.comparisons import in_words, variable_of
from gtm_orchestra.plans.graph import Crossing, Parallel, Series, Shape, shape_of
from gtm_orchestra.plans.patterns import blocks_of
from gtm_orchestra.plans.unroll import MAX_EDGES, MAX_TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.plans.model import Block, Loop, PlanDefinition

__all__ = ["check_blocks", "check_dependencies", "check_loops", "check_size", "check_variables"]

_SHOWN = 12


def check_size(plan: PlanDefinition) -> Iterator[ReviewFinding]:
    """Find a plan that is too large to be looked at further."""
    edges = sum(len(t.dependencies) for t in plan.tasks) + sum(len(g.after) for g in plan.gates)
    for path, what, seen, allowed in (
        ("stages", "tasks", len(plan.tasks), MAX_TASKS),
        ("gates", "gates", len(plan.gates), MAX_TASKS),
        ("stages", "edges", edges, MAX_EDGES),
    ):
        if seen > allowed:
            yield blocker(path, f"{seen:,} {what}; {allowed:,} are allowed", "make two plans of it")


def check_dependencies(plan: PlanDefinition) -> Iterator[ReviewFinding]:
    """Find ids that stand twice or name nothing."""
    where = paths(plan)
    ids = Counter([task.task_id for task in plan.tasks] + [gate.gate_id for gate in plan.gates])
    for name in sorted(name for name, seen in ids.items() if seen > 1):
        yield blocker("stages", f"the id {name!r} stands twice", "give each task and gate an id of its own")
    for task in plan.tasks:
        for before in task.dependencies:
            if before not in ids:
                yield blocker(
                    f"{where[task.task_id]}.dependencies",
                    f"{before!r} is no task or gate of this plan",
                    "correct the id",
                )
    for number, gate in enumerate(plan.gates):
        for before in gate.after:
            if before not in ids:
                yield blocker(
                    f"gates[{number}].after", f"{before!r} is no task or gate of this plan", "correct the id"
                )


def check_blocks(reviewed: Reviewed) -> Iterator[ReviewFinding]:
    """Find blocks that are not the graph's, or not declared, and parallel arms that meet in no gate."""
    plan = reviewed.plan
    shape = shape_of(reviewed.graph)
    seen = {_key(block): block for block in blocks_of(plan.stages, plan.gates, plan.loops)}
    declared = {_key(block) for block in plan.blocks}
    for number, block in enumerate(plan.blocks):
        if block.pattern == "pipeline":
            if any(isinstance(part, Parallel) for part in _walk(shape)):
                yield blocker(
                    f"blocks[{number}]",
                    "declared a pipeline, but tasks run side by side",
                    "correct the block",
                )
        elif _key(block) not in seen:
            yield blocker(
                f"blocks[{number}]",
                f"the dependencies form no {block.pattern} of {_named(block)}",
                "correct the block, or the dependencies",
            )
    for key, block in seen.items():
        if key not in declared and block.pattern != "pipeline":
            yield blocker(
                "blocks", f"the {block.pattern} of {_named(block)} is not declared", "declare the block"
            )
    if any(isinstance(part, Crossing) for part in _walk(shape)):
        yield warning(
            "stages",
            "some dependencies cross, so that those arms wait for each other level by level",
            "let each arm depend only on itself",
        )
    yield from _unjoined(shape, {gate.gate_id for gate in plan.gates})


def _key(block: Block) -> tuple[str, str | None, frozenset[str]]:
    return block.pattern, block.gate, frozenset(block.tasks)


def _named(block: Block) -> str:
    more = len(block.tasks) - _SHOWN
    shown = ", ".join(block.tasks[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
    return shown + (f" into {block.gate}" if block.gate else "")


def _unjoined(shape: Shape, gates: set[str]) -> Iterator[ReviewFinding]:
    for part in _walk(shape):
        if not isinstance(part, Series):
            continue
        for first, second in zip(part.parts, part.parts[1:], strict=False):
            if isinstance(first, Parallel) and getattr(second, "node", None) not in gates:
                yield blocker(
                    "gates", "a parallel block does not end in a gate", "add a merge gate after its arms"
                )
    if isinstance(shape, Parallel) or (isinstance(shape, Series) and isinstance(shape.parts[-1], Parallel)):
        yield blocker(
            "gates", "the plan ends in a parallel block without a gate", "add a merge gate after its arms"
        )


def _walk(shape: Shape) -> Iterator[Shape]:
    pending = [shape]
    while pending:
        part = pending.pop()
        yield part
        children = part.parts if isinstance(part, Series) else part.arms if isinstance(part, Parallel) else ()
        pending += reversed(children)


def check_variables(reviewed: Reviewed) -> Iterator[ReviewFinding]:
    """Find results that two tasks make, that are read before they are made, or that may be missing."""
    plan, where = reviewed.plan, reviewed.paths
    producer: dict[str, str] = {}
    for task in plan.tasks:
        if task.output_var in producer:
            yield blocker(
                f"{where[task.task_id]}.output_var",
                f"{task.output_var!r} is produced by {producer[task.output_var]} already",
                "give it another name",
            )
        producer.setdefault(task.output_var, task.task_id)
    for task in plan.tasks:
        path = where[task.task_id]
        for variable in task.input:
            if not reviewed.is_made_before(variable, task.task_id):
                yield blocker(
                    f"{path}.input",
                    f"{variable!r} is not produced before {task.task_id}",
                    "let it depend on the task that produces it",
                )
            elif "." not in task.known_as.get(variable, "") and not reviewed.certain[
                task.task_id
            ].intersection(reviewed.producers[variable]):
                yield warning(
                    f"{path}.input",
                    f"{variable!r} may be missing in {task.task_id}: "
                    f"{reviewed.producers[variable][0]} may be left out",
                    "let its handler do without it",
                )
        for variable in sorted(task.known_as.keys() - set(task.input)):
            yield blocker(f"{path}.known_as", f"{variable!r} is not among its inputs", "remove it")
        if task.when is not None and not reviewed.is_made_before(variable_of(task.when), task.task_id):
            yield blocker(
                f"{path}.when",
                f"{in_words(task.when)} reads {variable_of(task.when)!r}, which is not produced before "
                f"{task.task_id}",
                "let it depend on the task that produces it",
            )


def check_loops(reviewed: Reviewed) -> Iterator[ReviewFinding]:
    """Find loops whose rounds, variables and gate do not fit together."""
    owner: dict[str, str] = {}
    for number, loop in enumerate(reviewed.plan.loops):
        for wrong, mend in _loop(reviewed, loop, owner):
            yield blocker(f"loops[{number}]", f"loop {loop.loop_id}: {wrong}", mend)


def _loop(reviewed: Reviewed, loop: Loop, owner: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name in (name for names in loop.rounds for name in names):
        if name not in reviewed.tasks:
            yield f"{name!r} is no task of this plan", "correct the id"
        elif name in owner:
            yield f"{name} belongs to {owner[name]} already", "let each task stand in one round"
        owner.setdefault(name, loop.loop_id)
    for first, second in zip(loop.rounds, loop.rounds[1:], strict=False):
        early = [name for name in second if not reviewed.before.get(name, frozenset()) & set(first)]
        if early:
            yield f"{early[0]} does not wait for the round before", "let it depend on that round's last task"
    for variable, made in loop.variables.items():
        yield from _variable(reviewed, loop, variable, made)
    yield from _end(reviewed, loop)


def _variable(
    reviewed: Reviewed, loop: Loop, variable: str, made: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    if len(made) != len(loop.rounds):
        yield f"{variable!r} has {len(made)} names for {len(loop.rounds)} rounds", "name one per round"
        return
    for number, (names, name) in enumerate(zip(loop.rounds, made, strict=True), start=1):
        if name not in {reviewed.tasks[n].output_var for n in names if n in reviewed.tasks}:
            yield f"no task of round {number} makes {name!r}", "correct the variable"


def _end(reviewed: Reviewed, loop: Loop) -> Iterator[tuple[str, str]]:
    gate = next((g for g in reviewed.plan.gates if g.gate_id == loop.gate), None)
    figure = loop.variables.get(variable_of(loop.until))
    if gate is None or gate.kind != "merge":
        yield f"{loop.gate!r} is no merge gate of this plan", "name the gate behind the last round"
    elif figure is None:
        yield f"until reads {variable_of(loop.until)!r}, which no round makes", "read one of its variables"
    else:
        unseen = [name for name in figure if not {*reviewed.producers.get(name, ())} & {*gate.after}]
        if unseen:
            yield f"{gate.gate_id} does not see {unseen[0]!r}", "let it come after the task that makes it"
