"""What a journal says about a run: which nodes have ended, and what has been tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gtm_orchestra.plans.model import Waiver
from gtm_orchestra.plans.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.state.journal import Record

__all__ = ["MAX_INTERRUPTIONS", "History"]

# A task that takes its process down so many times in a row is counted as failing, not tried for ever.
MAX_INTERRUPTIONS = 5


@dataclass
class History:
    """The state of a run, folded from its journal.

    Attributes:
        outcomes: How nodes ended, by node.
        failures: Failed attempts, by task.
        failures_ever: The same, not forgotten when a person asks for another try.
        verdicts_failed: How often a task's own result said that what it checked has failed, by task.
        open_attempts: Attempts that were begun and have no ending: their process died, or is at work.
        interruptions: How often a task's process died in a row, by task.
        escalations: Escalation events' bodies, in order.
        resumed: How often the run was taken up again.
        prepared: What an attempt left whose effects were not all carried out, by task.
        chosen: Who does a task instead, because a person said so, by task.
        changes: What a person asked to be done otherwise, by task.
        waivers: Waivers of this run, in order.
        waits_until: Until when a gate waits for its arms, by gate.
        remedies: The last answer on a task that had failed, by task.
        void: Approvals that must be asked anew, by question.
        stopped: Why no further task may begin: the run was cancelled, or its rip-cord was pulled.
        ripped: Whether it was the rip-cord.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    failures_ever: dict[str, int] = field(default_factory=dict)
    verdicts_failed: dict[str, int] = field(default_factory=dict)
    open_attempts: dict[str, int] = field(default_factory=dict)
    interruptions: dict[str, int] = field(default_factory=dict)
    escalations: list[dict[str, object]] = field(default_factory=list)
    resumed: int = 0
    prepared: dict[str, dict[str, object]] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    waivers: list[Waiver] = field(default_factory=list)
    waits_until: dict[str, str] = field(default_factory=dict)
    remedies: dict[str, dict[str, object]] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)
    stopped: str = ""
    ripped: bool = False

    @classmethod
    def of(cls, records: Iterable[Record]) -> History:
        """Return the history that a run's records tell."""
        history = cls()
        for record in records:
            history.take(record.kind, record.node, record.body)
        return history

    def take(self, kind: str, node: str, body: dict[str, object]) -> None:  # noqa: C901, PLR0912 - one case per kind
        """Take one more event into account."""
        match kind:
            case "task.attempt":
                self.open_attempts[node] = int(str(body["attempt"]))
            case "task.attempt_failed":
                self.open_attempts.pop(node, None)
                self.interruptions.pop(node, None)
                self.failures[node] = self.failures.get(node, 0) + 1
                self.failures_ever[node] = self.failures_ever.get(node, 0) + 1
            case "task.interrupted":
                self.open_attempts.pop(node, None)
                self.interruptions[node] = self.interruptions.get(node, 0) + 1
            case "task.result":
                self.prepared[node] = body
            case "task.outcome" | "gate.outcome":
                self.open_attempts.pop(node, None)
                self.interruptions.pop(node, None)
                self.prepared.pop(node, None)
                self.outcomes[node] = Outcome.model_validate(body)
                if body.get("passed") is False:
                    self.verdicts_failed[node] = self.verdicts_failed.get(node, 0) + 1
            case "run.status" if body["status"] != "running":
                # The segment has ended as it should: what waits for a person was not interrupted.
                self.open_attempts.clear()
            case "gate.waiting":
                self.waits_until[node] = str(body["until"])
            case "waiver":
                self._waive(Waiver.model_validate(body["waiver"]))
            case "question.closed" if body.get("anew"):
                self.void.add(str(body["question_id"]))
            case "decision":
                self._answer(node, body)
            case "run.rewound" | "run.moved":
                self._take_back(body)
            case "run.cancelled" | "ripcord":
                self.stopped = str(body["why"])
                self.ripped = self.ripped or kind == "ripcord"
            case "escalation":
                self.escalations.append(body)
            case "run.resumed":
                self.resumed += 1
                if body.get("retry"):
                    self._forget_failures()

    def _waive(self, waiver: Waiver) -> None:
        self.waivers.append(waiver)
        # The gate decides again, and what was skipped because of it gets another chance.
        self.outcomes = {
            node: o
            for node, o in self.outcomes.items()
            if node != waiver.gate and (o.name != "skipped" or o.untaken)
        }

    def _answer(self, node: str, body: dict[str, object]) -> None:
        """Take a person's answer on a task that has failed into account."""
        if body["answer"] in {"retry", "retry-with-change", "take-substitute", "skip", "abort"}:
            self.remedies[node] = body
        match body["answer"]:
            case "retry" | "retry-with-change":
                self._forget(node)
                self.changes[node] = str(body.get("change", ""))
            case "take-substitute":
                self._forget(node)
                self.chosen[node] = str(body["substitute"])

    def _take_back(self, body: dict[str, Any]) -> None:
        """Let nodes be done afresh, and what was decided on them be asked anew."""
        self.void.update(body["asked_anew"])
        for name in body["nodes"]:
            self._forget(name)
            self.remedies.pop(name, None)
            self.waits_until.pop(name, None)

    def _forget(self, node: str) -> None:
        """Let a node be done afresh."""
        for known in (self.outcomes, self.failures, self.interruptions, self.prepared, self.open_attempts):
            known.pop(node, None)

    def _forget_failures(self) -> None:
        self.outcomes = {node: o for node, o in self.outcomes.items() if o.usable}
        self.failures.clear()
        self.interruptions.clear()
