"""A shop that puts rules on a shelf: one task proposes, a person approves, one task deploys.

The shelf is a destination that we ship to nobody: it counts, and misbehaves as it is told.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gtm_orchestra.agents.registry import EffectContext, HandlerRegistry, TaskContext
from gtm_orchestra.config import Config
from gtm_orchestra.errors import EffectError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.effects import EffectRequest, Receipt
from gtm_orchestra.plans.model import (
    Change,
    Effect,
    ErrorHandling,
    Gate,
    Parallelization,
    PlanDefinition,
    Rung,
    Task,
)
from gtm_orchestra.plans.model import Stage as PlanStage
from gtm_orchestra.plans.review import Review
from gtm_orchestra.policy.decisions import Actor
from gtm_orchestra.runs.driver import Driver, Segment
from gtm_orchestra.runs.questions import Answer, Decision, decide
from gtm_orchestra.runs.services import Environment
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Journal, RunRow
from gtm_orchestra.state.ledger import EffectRow, Ledger
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gtm_orchestra.plans.model import EffectClass, UndoClass

PLAN_ID = "plan-20261101T090000Z"
PEOPLE: dict[str, dict[str, Any]] = {
    "priya": {"name": "Priya", "roles": ["privacy-lead"], "deputy": "elena"},
    "elena": {"name": "Elena", "roles": ["exec-sponsor"]},
    "marco": {"name": "Marco", "roles": ["privacy-lead", "architect"]},
}


def config(**people: dict[str, Any]) -> Config:
    """Return a gtm.toml with these people, or more about them."""
    merged = {handle: {**known, **people.get(handle, {})} for handle, known in PEOPLE.items()}
    return Config.model_validate(
        {
            "workspace": {"name": "Shop"},
            "source": {"url": "data"},
            "tables": {"people": {"table": "people", "columns": {"key": "id"}}},
            "people": merged,
        }
    )


class Proposed(Model):
    proposes: tuple[EffectRequest, ...] = ()


class Deployed(Model):
    effects: tuple[EffectRequest, ...] = ()


class Lost(BaseException):
    """Stands for a process that dies here."""


@dataclass
class Shelf:
    """What is live, by key for a keyed shelf, by target for another one.

    Attributes:
        faults: What the next calls do: "500 after", "500 before", "die after", "die before", "truncate",
            "vanish", "refuse", or "" for what they should.
    """

    effect_class: EffectClass = "keyed"
    live: dict[str, EffectRequest] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    applied: int = 0

    def __call__(self, _context: EffectContext) -> Shelf:
        return self

    def _name(self, request: EffectRequest, key: str) -> str:
        return key if self.effect_class == "keyed" else request.target

    def apply(self, request: EffectRequest, key: str) -> None:
        self.calls.append("apply")
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "die before":
            raise Lost
        if fault == "refuse":
            raise EffectError("the shelf is closed", sent=False)
        if fault == "500 before":
            raise EffectError("the shelf answered 500")
        name = self._name(request, key)
        if self.effect_class == "blind" or name not in self.live or self.live[name] != request:
            self.applied += 1
        if fault != "vanish":
            cut: dict[str, Any] = {"content": {}, "artifacts": ()} if fault == "truncate" else {}
            self.live[name] = request.model_copy(update=cut)
        if fault == "die after":
            raise Lost
        if fault == "500 after":
            raise EffectError("the shelf answered 500")

    def read_back(self, request: EffectRequest, key: str) -> Receipt | None:
        self.calls.append("read")
        if self.effect_class == "blind":
            return None
        found = self.live.get(self._name(request, key))
        if found is None:
            return None
        return Receipt(content=found.content, artifacts=found.artifacts, reference=f"shelf/{found.target}")

    def undo(self, request: EffectRequest, receipt: Receipt | None, key: str) -> None:
        _ = receipt
        self.calls.append("undo")
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "die before":
            raise Lost
        if fault == "500 before":
            raise EffectError("the shelf answered 500")
        self.live.pop(self._name(request, key), None)
        if fault == "die after":
            raise Lost


@dataclass
class Shop:
    """A workspace whose plan deploys, and everything that can be changed about it."""

    root: Path
    now: datetime = datetime(2026, 11, 1, 9, tzinfo=UTC)
    environment: str = "production"
    effect_class: EffectClass = "keyed"
    undo_class: UndoClass = "reversible"
    targets: tuple[str, ...] = ("web",)
    content: dict[str, Any] = field(default_factory=lambda: {"rules": ["a", "b"]})
    proposes: bool = True
    carries: tuple[str, ...] = ()
    gate_environment: str | None = None
    config: Config = field(default_factory=config)
    shelf: Any = field(default_factory=Shelf)
    progress: Callable[[str, str, str], None] = lambda _node, _event, _detail: None
    calls: list[str] = field(default_factory=list)
    work: Callable[[TaskContext], Deployed] | None = None
    ladder: tuple[str, ...] = ("privacy-lead", "exec-sponsor")
    retries: int = 2
    nonces: int = 0
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shelf.effect_class = self.effect_class
        self.reopen()

    def requests(self) -> tuple[EffectRequest, ...]:
        return tuple(
            EffectRequest(
                action="put-rules",
                target=target,
                environment=self.environment,
                content=self.content,
                artifacts=self.carries,
            )
            for target in self.targets
        )

    def reopen(self) -> None:
        """Open everything anew, as another process would."""
        self.journal = Journal(open_database(self.root / ".gtm" / "state.db"), lambda: self.now)
        self.plans = PlanStore(self.root, self.root / ".gtm" / "locks")
        self.artifacts = ArtifactStore(self.root / ".gtm" / "artifacts", self.journal.results)
        self.ledger = Ledger(self.journal)
        handlers = HandlerRegistry()

        @handlers.add("propose", agent="any")
        def propose(ctx: TaskContext) -> Proposed:
            self.calls.append(ctx.task_id)
            ctx.put_file("rules.json", "application/json", b"[]")
            return Proposed(proposes=self.requests() if self.proposes else ())

        @handlers.add("deploy", agent="any")
        def deploy(ctx: TaskContext) -> Deployed:
            self.calls.append(ctx.task_id)
            return self.work(ctx) if self.work else Deployed(effects=self.requests())

        handlers.effect("put-rules")(self.shelf)
        self.environment_of_runs = Environment(
            root=self.root,
            config=self.config,
            journal=self.journal,
            artifacts=self.artifacts,
            handlers=handlers,
            clock=lambda: self.now,
            nonce=self._nonce,
            open_warehouse=lambda: None,  # type: ignore[arg-type, return-value]
            unavailable=lambda _agent: "",
            review=lambda _plan: Review(passed=True, checked=(), findings=()),
            previous=lambda _run, _variable: None,
            progress=self.progress,
            sleep=_at_once,
        )
        self.driver = Driver(self.environment_of_runs, self.plans, self.root / ".gtm" / "locks")

    def _nonce(self) -> str:
        self.nonces += 1
        return f"nonce-{self.nonces}"

    def definition(self) -> PlanDefinition:
        effects = tuple(
            Effect(
                action="put-rules",
                target=target,
                environment=self.environment,
                effect_class=self.effect_class,
                undo_class=self.undo_class,
                undo="take them off the shelf",
            )
            for target in self.targets
        )
        common: dict[str, Any] = {"agent": "governance", "purpose": "Sell.", "function": "marketing-ops"}
        gated = ("1.1", "open") if self.gate_environment != "none" else ("1.1",)
        tasks = (
            Task(task_id="1.1", kind="propose", output_var="proposal", **common),
            Task(
                task_id="2.1", kind="deploy", output_var="live", dependencies=gated, effects=effects, **common
            ),
        )
        gate = Gate(
            gate_id="open",
            after=("1.1",),
            kind="approval",
            action="deploy the rules",
            approvers=("privacy-lead",),
            environment=self.environment if self.gate_environment is None else self.gate_environment,
        )
        plan = PlanDefinition(
            plan_id=PLAN_ID,
            command="sell",
            initiative="Shop",
            objective="Sell.",
            complexity="medium",
            strategy="pipeline",
            pattern_rationale="One after the other.",
            estimated_duration="0 min",
            estimated_cost="0",
            inputs={},
            stages=(PlanStage(stage_id="1", name="All", execution="sequential", tasks=tasks),),
            gates=(gate,) if self.gate_environment != "none" else (),
            parallelization=Parallelization(max_concurrent=2),
            context_passing="By name.",
            error_handling=ErrorHandling(max_retries=self.retries, on_exhausted="fail"),
            escalation_ladder=tuple(Rung(step=n, who=who) for n, who in enumerate(self.ladder, start=1)),
        )
        return plan.model_copy(update=self.changes)

    def start(self, run_id: str = "run-1", *, by: str = "tom", author: str = "tom") -> None:
        """Make the plan, if it is not there, and a run of it."""
        if PLAN_ID not in self.plans.ids():
            self.plans.create(
                self.definition(),
                change=lambda n: Change(at=self.now, actor=author, what="planned", why="asked", revision=n),
            )
        latest = self.plans.latest(PLAN_ID)
        row = RunRow(
            run_id, PLAN_ID, latest.number, latest.digest, "sell", "Shop", "running", self.now, self.now, by
        )
        self.journal.start(row)

    def drive(self, run_id: str = "run-1", *, resumed: bool = False) -> Segment:
        return asyncio.run(self.driver.drive(run_id, resumed=resumed))

    def decide(
        self,
        answer: Answer = "approved",
        *,
        who: str = "priya",
        question: str = "run-1/open",
        reason: str = "read it",
        token: str = "",
    ) -> None:
        """Decide as a person would, and drive nothing."""
        decide(
            Decision(question, answer, Actor(who, "claimed"), reason, token),
            journal=self.journal,
            plans=self.plans,
            artifacts=self.artifacts,
            config=self.config,
            clock=lambda: self.now,
        )

    def sell(self) -> Segment:
        """Go all the way: propose, be approved by priya, deploy."""
        self.start()
        segment = self.drive()
        if segment.status != "waiting":
            return segment
        self.decide()
        return self.drive(resumed=True)

    def phases(self, run_id: str = "run-1") -> list[str]:
        """Return what the journal says of the effects, in order."""
        return [
            str(r.body.get("phase", "intended"))
            for r in self.journal.records(run_id)
            if r.kind.startswith("effect.")
        ]

    def rows(self, run_id: str = "run-1") -> tuple[EffectRow, ...]:
        return self.ledger.rows(run_id)

    def pass_time(self, **duration: float) -> None:
        self.now += timedelta(**duration)


async def _at_once(_seconds: float) -> None:
    return None
