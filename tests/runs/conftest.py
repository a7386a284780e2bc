"""A real run of the plan that ships: every engine is real, only the handlers' work is small."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import Field

from gtm_orchestra.agents.registry import HandlerRegistry, TaskContext
from gtm_orchestra.config import Config
from gtm_orchestra.content import find_content
from gtm_orchestra.model import Model
from gtm_orchestra.plans.blueprint import Filling, fill, parse_blueprint
from gtm_orchestra.plans.effects import EffectPhase, EffectRequest
from gtm_orchestra.plans.model import Change, PlanDefinition
from gtm_orchestra.plans.review import Review
from gtm_orchestra.policy.decisions import Actor, resolve_actor
from gtm_orchestra.runs.clocks import settle
from gtm_orchestra.runs.driver import Driver, Segment
from gtm_orchestra.runs.ladder import Remedy, RemedyAnswer, give_remedy
from gtm_orchestra.runs.questions import Answer, Decision, decide
from gtm_orchestra.runs.services import Environment
from gtm_orchestra.service.control import Revise, RunControl
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.halts import Halts
from gtm_orchestra.state.journal import Journal, RunRow
from gtm_orchestra.state.ledger import EffectRow, Ledger
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAN_ID = "plan-20261101T090000Z"


class Result(Model):
    """What the small handlers return."""

    findings: tuple[dict[str, Any], ...] = ()
    channels: tuple[dict[str, Any], ...] = ()
    attributes: tuple[dict[str, Any], ...] = ()
    passed: bool | None = None
    breaches: dict[str, int] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    latency_ms: dict[str, float] = Field(default_factory=dict)


GO = Result(channels=({"channel": "web", "go": True, "why": ""},))
CONFIG = Config.model_validate(
    {
        "workspace": {"name": "Small"},
        "source": {"url": "data"},
        "tables": {"people": {"table": "people", "columns": {"key": "id"}}},
        "people": {
            "priya": {"name": "Priya", "roles": ["privacy-lead"], "deputy": "elena"},
            "elena": {"name": "Elena", "roles": ["exec-sponsor"]},
            "marco": {"name": "Marco", "roles": ["personalization-architect"], "os_user": "marco"},
        },
    }
)


@dataclass
class Stage:
    """A workspace to run in, and what its handlers have been asked to do."""

    root: Path
    now: datetime = datetime(2026, 11, 1, 9, tzinfo=UTC)
    calls: list[tuple[str, str]] = field(default_factory=list)
    work: dict[str, Callable[[TaskContext], Result]] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    config: Config = CONFIG
    unavailable: dict[str, str] = field(default_factory=dict)
    ending: str = ""
    open_warehouse: Callable[[], Any] = lambda: pytest.fail("small handlers open no warehouse")

    def __post_init__(self) -> None:
        self.reopen()

    def reopen(self) -> None:
        """Open everything anew, as another process would."""
        self.journal = Journal(open_database(self.root / ".gtm" / "state.db"), lambda: self.now)
        self.plans = PlanStore(self.root, self.root / ".gtm" / "locks")
        self.artifacts = ArtifactStore(self.root / ".gtm" / "artifacts", self.journal.results)
        self.halts = Halts(self.root / ".gtm", self.root / ".gtm" / "locks")
        self.control = RunControl(
            self.journal,
            self.halts,
            self.plans,
            locks=self.root / ".gtm" / "locks",
            actor=lambda claimed: resolve_actor(self.config, claimed=claimed, os_user="guest"),
            revise=Revise(lambda *_: pytest.fail("no command"), lambda *_: pytest.fail("no command")),
            refresh_view=lambda plan_id: self.driver.refresh_view(plan_id),  # noqa: PLW0108 - made later
            clock=lambda: self.now,
        )
        content = find_content("plans", "define-profiles", None)
        self.blueprint = parse_blueprint(content.text, what="define-profiles.yaml")
        handlers = HandlerRegistry()
        for stage in self.blueprint.stages:
            for task in stage.tasks:
                self._register(handlers, task.kind)

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        environment = Environment(
            root=self.root,
            config=self.config,
            journal=self.journal,
            artifacts=self.artifacts,
            handlers=handlers,
            clock=lambda: self.now,
            nonce=lambda: "nonce",
            open_warehouse=self.open_warehouse,
            unavailable=lambda agent: self.unavailable.get(agent, ""),
            review=lambda _plan: Review(passed=True, checked=(), findings=()),
            previous=lambda _run, _variable: None,
            progress=lambda _node, _event, _detail: None,
            sleep=pause,
            stopped=self.control.stopped,
            ending=lambda: self.ending,
        )
        self.driver = Driver(environment, self.plans, self.root / ".gtm" / "locks")

    def _register(self, handlers: HandlerRegistry, kind: str) -> None:
        def work(ctx: TaskContext) -> Result:
            self.calls.append((ctx.task_id, ctx.agent))
            own = self.work.get(kind)
            return own(ctx) if own is not None else GO

        handlers.add(kind, agent="any")(work)

    def go(self, **fields: Any) -> Result:  # noqa: ANN401 - fields of Result
        """Return a result with which every gate says go, but for the fields given."""
        return GO.model_copy(update=fields)

    def definition(self, **changes: Any) -> PlanDefinition:  # noqa: ANN401 - fields of the definition
        filling = Filling(plan_id=PLAN_ID, initiative="PLG", inputs={"initiative": "PLG"}, channels=("web",))
        return fill(self.blueprint, filling).model_copy(update=changes)

    def start(self, run_id: str = "run-1", **changes: Any) -> str:  # noqa: ANN401 - fields of the definition
        """Make a plan and a run of it."""
        revision = self.plans.create(self.definition(**changes), change=self.change("planned"))
        row = RunRow(
            run_id,
            PLAN_ID,
            1,
            revision.digest,
            "define-profiles",
            "PLG",
            "running",
            self.now,
            self.now,
            "marco",
        )
        self.journal.start(row)
        return run_id

    def another_run(self, run_id: str, *, initiative: str = "PLG") -> None:
        """Start a further run of the plan."""
        latest = self.plans.latest(PLAN_ID)
        fields: dict[str, Any] = {"run_id": run_id, "initiative": initiative, "seq": 0, "head": "0" * 64}
        fields |= {"revision": latest.number, "digest": latest.digest}
        self.journal.start(replace(self.journal.run("run-1"), **fields))

    def change(self, what: str) -> Callable[[int], Change]:
        return lambda n: Change(at=self.now, actor="marco", what=what, why="asked for", revision=n)

    def drive(self, run_id: str = "run-1", *, resumed: bool = False, retry: bool = False) -> Segment:
        return asyncio.run(self.driver.drive(run_id, resumed=resumed, retry=retry))

    def decide(self, answer: Answer, *, who: str = "priya", question: str = "run-1/sign-off") -> Segment:
        """Answer a question as a person would and drive on."""
        actor = Actor(who, "claimed")
        decide(
            Decision(question, answer, actor, "read it"),
            journal=self.journal,
            plans=self.plans,
            artifacts=self.artifacts,
            config=self.config,
            clock=lambda: self.now,
        )
        return self.drive(question.partition("/")[0], resumed=True)

    def deploy(self, node: str, environment: str, *, phase: EffectPhase = "recorded", key: str = "k") -> None:
        """Write into ledger and journal that a task of run-1 has changed something."""
        ledger = Ledger(self.journal)
        row = EffectRow(
            key=key,
            run_id="run-1",
            position=0,
            node=node,
            number=1,
            effect_class="keyed",
            undo_class="reversible",
            request=EffectRequest(action=f"publish {key}", target="sdk", environment=environment),
            phase="intended",
        )
        row = ledger.intend(row)
        if phase != "intended":
            ledger.move(row, phase)

    def damage(self, sha256: str = "") -> None:
        """Change what is kept under a name, or everything: files and results in the state database."""
        for path in (self.root / ".gtm" / "artifacts").rglob(sha256 or "*"):
            if path.is_file():
                path.write_bytes(b"damaged")
        with sqlite3.connect(self.root / ".gtm" / "state.db") as connection:
            connection.execute(
                "update results set data = ? where sha256 = ? or ? = ''", (b"damaged", sha256, sha256)
            )
        connection.close()

    def remedy(
        self,
        answer: RemedyAnswer,
        *,
        who: str = "marco",
        number: int = 1,
        question: str = "",
        **more: Any,  # noqa: ANN401 - fields of Remedy
    ) -> Segment:
        """Answer the question about a failed task (default: 2.1), and drive on."""
        question = question or f"run-1/2.1-remedy-{number}"
        give_remedy(
            Remedy(question, answer, Actor(who, "claimed"), "seen to it", **more),
            journal=self.journal,
            plan=self.plans.latest(PLAN_ID).definition,
            config=self.config,
            now=self.now,
        )
        return self.drive(resumed=True)

    def tick(self) -> list[str]:
        """Settle what is due, and return what was done, in words."""
        return [settled.line for settled in settle(self.journal, self.now)]

    def pass_time(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)
