"""Plans of any shape, run over services that live in memory: a small real implementation, nothing mocked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.errors import BlockedError
from gtm_orchestra.graphs.compiler import compile_plan
from gtm_orchestra.graphs.services import Performed
from gtm_orchestra.plans.model import (
    ErrorHandling,
    Gate,
    Parallelization,
    PlanDefinition,
    Stage,
    Task,
    Waiver,
)
from gtm_orchestra.plans.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence


@dataclass
class InMemory:
    """`RunServices` without a disk. It notes what happened, in order, and does what it is told to.

    Attributes:
        fates: Task → "ok" (default), "degraded", "failed", "rejected" or "timed_out"; gate → an answer.
        work: Task → what is awaited while it is at work.
        visited: Every node, each time the graph came to it.
        log: (node, "visited" | "started" | "ended") in order.
    """

    plan: PlanDefinition
    fates: Mapping[str, str] = field(default_factory=dict)
    work: Mapping[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    kept: dict[str, Outcome] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    at_work: int = 0
    most_at_work: int = 0

    def finished(self, node: str) -> Outcome | None:
        self.visited.append(node)
        self.log.append((node, "visited"))
        return self.kept.get(node)

    def attempts(self, node: str) -> int:
        return self.failures.get(node, 0)

    def unavailable(self, agent: str) -> str:
        return {"absent": "out of office"}.get(agent, "")

    def attempt_started(self, task: Task, agent: str, attempt: int) -> None:
        _ = agent, attempt
        self.log.append((task.task_id, "started"))

    def attempt_failed(self, task: Task, agent: str, attempt: int, error: str) -> None:
        _ = agent, error
        self.failures[task.task_id] = attempt

    def stopped(self) -> str:
        return ""

    def not_taken(self, task: Task) -> str:
        return "its condition does not hold" if self.fates.get(task.task_id) == "untaken" else ""

    def assigned(self, task: Task) -> tuple[str, ...]:
        return (task.agent, *task.substitutes)

    def prepared(self, task: Task) -> Performed | None:
        _ = task
        return None

    async def carry_out(self, task: Task, agent: str, done: Performed) -> Outcome | None:
        _ = task, agent, done
        return None

    def remedy(self, task: Task, ended: Outcome) -> Outcome:
        _ = task
        return ended

    def waivers(self, gate: Gate) -> Mapping[str, Waiver]:
        _ = gate
        return {}

    def is_overdue(self, gate: Gate, waiting: Sequence[str]) -> bool:
        _ = gate, waiting
        return False

    async def perform(self, task: Task, agent: str, *, earlier_error: str) -> Performed:
        _ = agent, earlier_error
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await self.work.get(task.task_id, lambda: asyncio.sleep(0))()
        finally:
            self.at_work -= 1
        match self.fates.get(task.task_id, "ok"):
            case "failed":
                raise ValueError(task.task_id)
            case "rejected":
                raise BlockedError("no")
            case "timed_out":
                raise TimeoutError
            case "degraded":
                return Performed(output=task.task_id, degraded="half of it")
        return Performed(output=task.task_id)

    def describe(self, error: Exception, task: Task) -> str:
        return f"{task.task_id} stopped with {type(error).__name__}"

    async def pause(self, attempt: int) -> None:
        _ = attempt

    def results(self, variables: tuple[str, ...]) -> dict[str, Any]:
        return {variable: {"findings": []} for variable in variables}

    def record(self, outcome: Outcome) -> None:
        self.log.append((outcome.node, "ended"))
        assert outcome.node not in self.kept, f"{outcome.node} ended twice"
        self.kept[outcome.node] = outcome

    def ask(self, gate: Gate) -> Outcome:
        name = self.fates.get(gate.gate_id, "waiting")
        outcome = Outcome.model_validate({"node": gate.gate_id, "name": name})
        if name != "waiting":
            self.record(outcome)
        return outcome


class Bench:
    """Makes plans and runs them."""

    def plan(
        self,
        before: Mapping[str, Sequence[str]],
        *,
        max_concurrent: int = 8,
        max_retries: int = 0,
        **fields: Any,  # noqa: ANN401 - fields of every task
    ) -> PlanDefinition:
        """Return a plan; node → what comes before it. "g…" are merge gates, "q…" approval gates."""
        tasks = tuple(
            Task.model_validate(
                {
                    "task_id": node,
                    "agent": "governance",
                    "kind": "any",
                    "purpose": "",
                    "function": "QA",
                    "output_var": f"of_{node}",
                    "dependencies": tuple(after),
                    **fields,
                }
            )
            for node, after in before.items()
            if node[0] not in "gq"
        )
        gates = tuple(
            Gate(gate_id=node, after=tuple(after), kind="merge" if node[0] == "g" else "approval")
            for node, after in before.items()
            if node[0] in "gq"
        )
        return PlanDefinition(
            plan_id="plan-20261101T090000Z",
            command="any",
            initiative="Any",
            objective="",
            complexity="complex",
            strategy="diamond",
            pattern_rationale="",
            estimated_duration="",
            estimated_cost="",
            inputs={},
            stages=(Stage(stage_id="1", name="all", execution="parallel", tasks=tasks),),
            gates=gates,
            parallelization=Parallelization(max_concurrent=max_concurrent),
            context_passing="",
            error_handling=ErrorHandling(max_retries=max_retries),
        )

    def services(
        self,
        plan: PlanDefinition,
        fates: Mapping[str, str] | None = None,
        work: Mapping[str, Callable[[], Awaitable[object]]] | None = None,
    ) -> InMemory:
        return InMemory(plan, fates or {}, work or {})

    def run(self, services: InMemory) -> dict[str, str]:
        """Return outcome by node. A run that hangs fails after a minute."""

        async def invoke() -> dict[str, Any]:
            graph = compile_plan(services.plan, services)
            async with asyncio.timeout(60):
                state: dict[str, Any] = await graph.ainvoke({"outcomes": {}})
            return state

        outcomes = asyncio.run(invoke())["outcomes"]
        return {node: outcome["name"] for node, outcome in outcomes.items()}


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()
