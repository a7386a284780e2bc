"""A blueprint with a fan-out, a loop, a condition and an include, run to its end: who is handed what."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pydantic import RootModel
from tests.runs.conftest import CONFIG, PLAN_ID

from gtm_orchestra.agents.registry import HandlerRegistry, TaskContext
from gtm_orchestra.model import Model
from gtm_orchestra.plans.blueprint import Filling, fill, parse_blueprint
from gtm_orchestra.plans.model import Change
from gtm_orchestra.plans.review import Known, Review, review_plan
from gtm_orchestra.runs.driver import Driver, Segment
from gtm_orchestra.runs.services import Environment
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Journal, RunRow
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
HEAD = """
version: 1
objective: Any.
pattern: {default: diamond, reasons: {diamond: Because.}}
roles: {}
ladder: [{who: privacy-lead}]
stages:
"""
INNER = f"""
blueprint: polish
{HEAD}
- id: "1"
  name: Until it is good
  repeat: {{max: 3, until: {{of: text.score, op: ">=", value: 0.8}}}}
  tasks:
    - {{id: "1.1", agent: testing-lead, kind: polish, purpose: P, function: creative, output: text,
       input: [facts, text]}}
  gate: {{id: good, after: ["1.1"], kind: merge}}
"""
OUTER = f"""
blueprint: release
{HEAD}
- id: "1"
  name: Facts
  tasks:
    - {{id: "1.1", agent: testing-lead, kind: facts, purpose: P, function: privacy, output: facts}}
- id: "2"
  name: Polish
  include: polish
  as: final
  after: ["1.1"]
- id: "3"
  name: Drafts
  for_each: {{param: channel, from: inputs.channels}}
  tasks:
    - {{id: "3.1", agent: testing-lead, kind: draft, purpose: P, function: creative, output: draft,
       input: [final_text], after: ["2.good"]}}
    - {{id: "3.2", agent: testing-lead, kind: check, purpose: P, function: QA, output: checked,
       input: [draft], after: ["3.1"]}}
  gate: {{id: drafted, after: ["3.2"], kind: merge, policy: {{type: quorum, k: 2}}}}
- id: "4"
  name: Advice
  tasks:
    - {{id: "4.1", agent: testing-lead, kind: advice, purpose: P, function: legal, output: advice,
       after: [drafted], when: {{of: facts.sensitive, op: "==", value: true}}}}
    - {{id: "4.2", agent: testing-lead, kind: report, purpose: P, function: governance, output: report,
       input: [draft], after: [drafted]}}
  gate: {{id: advised, after: ["4.1", "4.2"], kind: merge}}
"""


class Facts(Model):
    sensitive: bool = False


class Text(Model):
    text: str
    score: float = 1.0


class Texts(RootModel[dict[str, Text]]):
    """The results of a fan-out: item → result."""


def _handlers() -> HandlerRegistry:
    handlers = HandlerRegistry()

    @handlers.add("facts", agent="any")
    def facts(_ctx: TaskContext) -> Facts:
        return Facts()

    @handlers.add("polish", agent="any")
    def polish(_ctx: TaskContext, *, facts: Facts, text: Text | None = None) -> Text:
        _ = facts
        return Text(text=f"{text.text if text else ''}!", score=text.score + 0.4 if text else 0.4)

    @handlers.add("draft", agent="any")
    def draft(ctx: TaskContext, *, final_text: Text) -> Text:
        if ctx.params["channel"] == "SMS":
            raise ValueError("too long")
        return Text(text=f"{ctx.params['channel']}{final_text.text}")

    @handlers.add("check", agent="any")
    def check(_ctx: TaskContext, *, draft: Text) -> Text:
        return draft

    @handlers.add("advice", agent="any")
    def advice(_ctx: TaskContext) -> Text:
        return Text(text="advice")

    @handlers.add("report", agent="any")
    def report(_ctx: TaskContext, *, draft: Texts) -> Text:
        return Text(text="; ".join(f"{item}: {one.text}" for item, one in draft.root.items()))

    return handlers


class Shop:
    """A workspace of its own, with the handlers above."""

    def __init__(self, root: Path) -> None:
        self.journal = Journal(open_database(root / ".gtm" / "state.db"), lambda: NOW)
        self.plans = PlanStore(root, root / ".gtm" / "locks")
        self.artifacts = ArtifactStore(root / ".gtm" / "artifacts", self.journal.results)

        async def pause(_seconds: float) -> None:
            pass

        environment = Environment(
            root=root,
            config=CONFIG,
            journal=self.journal,
            artifacts=self.artifacts,
            handlers=_handlers(),
            clock=lambda: NOW,
            nonce=lambda: "nonce",
            open_warehouse=lambda: pytest.fail("nobody reads the source"),
            unavailable=lambda _agent: "",
            review=lambda _plan: Review(passed=True, checked=(), findings=()),
            previous=lambda _run, _variable: None,
            progress=lambda _node, _event, _detail: None,
            sleep=pause,
        )
        self.driver = Driver(environment, self.plans, root / ".gtm" / "locks")
        inputs = {"channels": ["web", "In App", "SMS"]}
        filling = Filling(plan_id=PLAN_ID, initiative="PLG", inputs=inputs)
        inner = parse_blueprint(INNER, what="polish.yaml")
        filled = fill(parse_blueprint(OUTER, what="release.yaml"), filling, {"polish": inner})
        handling = filled.error_handling.model_copy(update={"on_exhausted": "fail"})
        self.plan = filled.model_copy(update={"error_handling": handling})

    def run(self) -> Segment:
        change = Change(at=NOW, actor="marco", what="planned", why="asked for", revision=1)
        revision = self.plans.create(self.plan, change=lambda _number: change)
        row = RunRow("run-1", PLAN_ID, 1, revision.digest, "release", "PLG", "running", NOW, NOW, "marco")
        self.journal.start(row)
        return asyncio.run(self.driver.drive("run-1"))


def test_a_plan_of_every_shape_hands_each_task_what_it_knows_by_its_plain_name(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    segment = shop.run()
    names = {node: "untaken" if o.untaken else o.name for node, o in segment.outcomes.items()}
    assert names == {
        "1.1": "ok",
        "2.1.1-r1": "ok",
        "2.1.1-r2": "ok",
        "2.1.1-r3": "untaken",
        "2.good": "ok",
        "3.1-web": "ok",
        "3.2-web": "ok",
        "3.1-in-app": "ok",
        "3.2-in-app": "ok",
        "3.1-sms": "failed",
        "3.2-sms": "skipped",
        "drafted": "ok",
        "4.1": "untaken",
        "4.2": "ok",
        "advised": "ok",
    }
    assert segment.status == "done"
    assert segment.outcomes["2.good"].note == (
        "go: 2.1.1-r1 and 2.1.1-r2 delivered; final_text.score >= 0.8 after round 2"
    )
    assert segment.outcomes["drafted"].note == (
        "go without 3.2-sms: skipped; 3.2-web and 3.2-in-app delivered, and 2 are enough"
    )
    report = shop.artifacts.get(segment.outcomes["4.2"].output)
    assert report == b'{"score":1,"text":"web: web!!; in-app: In App!!"}'


def test_review_has_nothing_against_it_but_that_a_condition_may_leave_things_out(tmp_path: Path) -> None:
    known = Known(
        agents={"testing-lead"},
        kinds=_handlers(),
        tools=set(),
        skills=set(),
        roles={"privacy-lead": ["priya"]},
        people={"priya"},
    )
    plan = Shop(tmp_path).plan
    assert review_plan(plan, known).findings == ()
    assert sorted(block.pattern for block in plan.blocks) == [
        "conditional",
        "diamond",
        "fan-out",
        "hierarchical",
        "iterative",
    ]
