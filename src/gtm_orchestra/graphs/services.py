"""What a graph is handed to run with: everything that touches the world stands behind this protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.plans.effects import EffectRequest
    from gtm_orchestra.plans.model import Gate, PlanDefinition, Task, Waiver
    from gtm_orchestra.plans.outcome import Outcome

__all__ = ["Performed", "RunServices"]


@dataclass(frozen=True)
class Performed:
    """What one attempt left: result document and files, by content, and what is still to be done."""

    output: str
    artifacts: Mapping[str, str] = field(default_factory=dict)
    degraded: str = ""
    effects: tuple[EffectRequest, ...] = ()


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

    def stopped(self) -> str:
        """Return why no further work may begin (paused, draining, cancelled, ripped), or ''."""

    def not_taken(self, task: Task) -> str:
        """Return why a task's condition does not hold, or ''."""

    def assigned(self, task: Task) -> tuple[str, ...]:
        """Return who may do a task, in order: its owner and substitutes, or whom a person chose."""

    def prepared(self, task: Task) -> Performed | None:
        """Return what an attempt left whose effects were not all carried out; its work is not done again."""

    async def perform(self, task: Task, agent: str, *, earlier_error: str) -> Performed:
        """Do the work once, told why the attempt before failed; raises what the handler raises."""

    async def carry_out(self, task: Task, agent: str, done: Performed) -> Outcome | None:
        """Carry out a task's effects, each exactly once; return an outcome only where that cannot go on.

        Raises:
            Exception: A destination failed; the attempt has failed, and the next goes on where this ended.
        """

    def remedy(self, task: Task, ended: Outcome) -> Outcome:
        """Return how a task ends when everybody who may do it has failed: `waiting` for the ladder, or so."""

    def describe(self, error: Exception, task: Task) -> str:
        """Return an error in plain words, without any customer's value."""

    async def pause(self, attempt: int) -> None:
        """Wait before the next attempt."""

    def results(self, variables: tuple[str, ...]) -> dict[str, Any]:
        """Return result documents by output_var, of the tasks that delivered."""

    def record(self, outcome: Outcome) -> None:
        """Journal how a node ended; once it returns, a resumed run serves it."""

    def waivers(self, gate: Gate) -> Mapping[str, Waiver]:
        """Return the waivers that hold now: arm → waiver."""

    def is_overdue(self, gate: Gate, waiting: Sequence[str]) -> bool:
        """Whether arms have waited for a person past the gate's deadline; starts its clock if need be."""

    def ask(self, gate: Gate) -> Outcome:
        """Return a person's decision on an approval gate; without one, ask and return `waiting`."""
