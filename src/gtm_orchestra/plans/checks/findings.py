"""What a check finds, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gtm_orchestra.model import Model
from gtm_orchestra.plans.dominance import certain_before, earlier, optional_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import networkx as nx

    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["Known", "ReviewFinding", "Reviewed", "blocker", "warning"]


class ReviewFinding(Model):
    """One thing that review found."""

    path: str = Field(description="Where in the plan, such as stages[0].tasks[1].agent.")
    severity: Literal["warning", "blocker"]
    message: str
    mend: str


@dataclass(frozen=True)
class Known:
    """What exists in the workspace: what the plan's names are compared with."""

    agents: Collection[str]
    kinds: Collection[str]
    tools: Collection[str]
    skills: Collection[str]
    roles: Mapping[str, Collection[str]]
    people: Collection[str]


class Reviewed:
    """A plan with what its checks ask of its graph, computed once. The graph is acyclic.

    Attributes:
        paths: Task → its path in the plan.
        producers: Variable → the task that makes it; a loop's variable → the tasks of all rounds.
        before: Node → all that comes before it.
        optional: The nodes that may not be taken.
        certain: Node → what must have delivered before it is done.
    """

    def __init__(self, plan: PlanDefinition, graph: nx.DiGraph[str]) -> None:
        self.plan = plan
        self.graph = graph
        self.paths = paths(plan)
        self.tasks = {task.task_id: task for task in plan.tasks}
        self.producers: dict[str, tuple[str, ...]] = {}
        for task in plan.tasks:
            self.producers.setdefault(task.output_var, (task.task_id,))
        for loop in plan.loops:
            for variable, names in loop.variables.items():
                made = [self.producers[name][0] for name in names if name in self.producers]
                self.producers.setdefault(variable, tuple(made))
        self.before = earlier(graph)
        self.optional = optional_in(plan, graph)
        self.certain = certain_before(plan, graph, self.optional)

    def is_made_before(self, variable: str, node: str) -> bool:
        """Whether all tasks that may make a variable come before a node."""
        made = self.producers.get(variable, ())
        return bool(made) and self.before[node].issuperset(made)


def paths(plan: PlanDefinition) -> dict[str, str]:
    """Return task → its path in the plan."""
    return {
        task.task_id: f"stages[{i}].tasks[{j}]"
        for i, stage in enumerate(plan.stages)
        for j, task in enumerate(stage.tasks)
    }


def blocker(path: str, message: str, mend: str) -> ReviewFinding:
    """Return a finding that holds the plan up."""
    return ReviewFinding(path=path, severity="blocker", message=message, mend=mend)


def warning(path: str, message: str, mend: str) -> ReviewFinding:
    """Return a finding that people should know and may pass."""
    return ReviewFinding(path=path, severity="warning", message=message, mend=mend)
