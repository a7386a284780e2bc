"""Effects: undo and class, and what must stand before anything reaches an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.plans.checks.findings import Reviewed, ReviewFinding, blocker, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.plans.model import PlanDefinition, Task

__all__ = ["check_deploys", "check_effects", "check_verification"]

_VERIFYING = frozenset({"QA", "governance"})


def check_effects(plan: PlanDefinition, paths: dict[str, str]) -> Iterator[ReviewFinding]:
    """Find effects without an undo, and those of which a lost answer leaves a doubt."""
    for task in plan.tasks:
        for number, effect in enumerate(task.effects):
            path = f"{paths[task.task_id]}.effects[{number}]"
            if not effect.undo.strip():
                yield blocker(
                    f"{path}.undo",
                    f"{effect.action!r} on {effect.target!r} does not say how it is taken back",
                    "write the undo; for an irreversible effect, why that is acceptable",
                )
            if effect.effect_class == "blind":
                yield warning(
                    f"{path}.effect_class",
                    f"{effect.action!r} on {effect.target!r} is blind: if its answer is lost, a person is "
                    "asked whether it happened",
                    "use a target that takes a key or can be read back, if there is one",
                )


def check_deploys(reviewed: Reviewed) -> Iterator[ReviewFinding]:
    """Find deploys that could happen without QA, without governance, or in production without approval."""
    plan = reviewed.plan
    approvals = {gate.gate_id: gate for gate in plan.gates if gate.kind == "approval"}
    for task in plan.tasks:
        where = sorted({effect.environment for effect in task.effects if effect.environment})
        if not where:
            continue
        path = f"{reviewed.paths[task.task_id]}.effects"
        certain = reviewed.certain[task.task_id]
        functions = {reviewed.tasks[node].function for node in certain if node in reviewed.tasks}
        what = f"{task.task_id} changes {' and '.join(where)}"
        if "QA" not in functions:
            yield blocker(
                path,
                f"{what} and could do so without a task of QA having delivered",
                "put one before it, through gates that cannot go without it",
            )
        if "governance" not in functions and not certain & approvals.keys():
            yield blocker(
                path,
                f"{what} and could do so without governance or an approval",
                "put an approval gate or a task of governance before it",
            )
        opened = {approvals[node].environment for node in certain & approvals.keys()}
        if "production" in where and "production" not in opened:
            yield blocker(
                path,
                f"{task.task_id} changes production, and no approval gate before it opens production",
                "write environment: production at the approval gate, and what its approval allows",
            )


def check_verification(reviewed: Reviewed) -> Iterator[ReviewFinding]:
    """Find substitutes who would verify what they have made: the builder does not verify itself."""
    for task in reviewed.plan.tasks:
        if task.function not in _VERIFYING:
            continue
        for built in _verified(reviewed, task):
            for name in task.substitutes:
                if name == built.agent:
                    yield blocker(
                        f"{reviewed.paths[task.task_id]}.substitutes",
                        f"{name!r} makes {built.task_id} and would verify it as the substitute of "
                        f"{task.agent!r}",
                        "name another substitute",
                    )
            if task.agent in built.substitutes:
                yield blocker(
                    f"{reviewed.paths[built.task_id]}.substitutes",
                    f"{task.agent!r} may make {built.task_id} as a substitute and verifies it in "
                    f"{task.task_id}",
                    "name another substitute",
                )


def _verified(reviewed: Reviewed, task: Task) -> list[Task]:
    """Return the tasks whose work a verifying task looks at: whose results it reads, or that it follows."""
    made = [node for variable in task.input for node in reviewed.producers.get(variable, ())]
    nodes = dict.fromkeys([*made, *task.dependencies])
    tasks = [reviewed.tasks[node] for node in nodes if node in reviewed.tasks]
    return [built for built in tasks if built.function not in _VERIFYING]
