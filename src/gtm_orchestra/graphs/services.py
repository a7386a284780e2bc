"""What a graph is handed to run with: everything that touches the world stands behind this protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.plans.model import Gate, PlanDefinition, Task
    from gtm_orchestra.plans.outcome import Outcome

__all__ = ["Performed", "RunServices"]


@dataclass(frozen=True)
class Performed:
    """What one successful attempt left: the result document and files, by content."""

    output: str
    artifacts: Mapping[str, str] = field(default_factory=dict)
    degraded: str = ""


class RunServices(Protocol):
    """The run's side of the bargain: journal, handlers, people and clock."""

    @property
    def plan(self) -> PlanDefinition:
        """The revision of the plan that this run executes."""

    def finished(self, node: str) -> Outcome | None:
        """Return how a node ended, if the journal says so and its results are still there."""

    def attempts(self, node: str) -> int:
        """Return how many attempts have failed so far, whatever process made them."""

    def unavailable(self, agent: str) -> str:
        """Return why an agent cannot work now, or ''."""

    def attempt_started(self, task: Task, agent: str, attempt: int) -> None:
        """Journal the start of an attempt."""

    def attempt_failed(self, task: Task, agent: str, attempt: int, error: str) -> None:
        """Journal a failed attempt."""

    async def perform(self, task: Task, agent: str) -> Performed:
        """Do the work once; raises what the handler raises."""

    def describe(self, error: Exception, task: Task) -> str:
        """Return an error in plain words, without any customer's value."""

    async def pause(self, attempt: int) -> None:
        """Wait before the next attempt."""

    def results(self, variables: tuple[str, ...]) -> dict[str, Any]:
        """Return result documents by output_var, of the tasks that delivered."""

    def record(self, outcome: Outcome) -> None:
        """Journal how a node ended; once it returns, a resumed run serves it."""

    def ask(self, gate: Gate) -> Outcome:
        """Return a person's decision on an approval gate; without one, ask and return `waiting`."""
