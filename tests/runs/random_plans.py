"""Random plans of every shape, run with random faults over the real driver, and what must hold of each.

`python tests/runs/random_plans.py --plans 10000` prints what was covered; the test suite does a few hundred.

A plan nests diamonds, series, crossing dependencies, conditional arms, loops and approval gates. Its tasks
raise, hang, return rubbish, say no, run out of time, or take their process down. People answer early, late,
or not at all before their deputies are asked. Whatever happens: every segment ends with every node in an
outcome or with one of our own errors; nothing that has ended is done again; nothing begins before what it
waits for has ended; a run that is "done" has delivered; a run that waits has somebody to wait for.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import networkx as nx

from gtm_orchestra.agents.registry import HandlerRegistry, TaskContext
from gtm_orchestra.config import Config
from gtm_orchestra.errors import BlockedError, GtmError, SourceError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.model import Change, PlanDefinition
from gtm_orchestra.plans.review import Review
from gtm_orchestra.policy.decisions import Actor
from gtm_orchestra.runs.clocks import settle
from gtm_orchestra.runs.driver import Driver, Segment
from gtm_orchestra.runs.ladder import Remedy, give_remedy
from gtm_orchestra.runs.questions import Decision, decide
from gtm_orchestra.runs.services import Environment
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Journal, RunRow
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.runs.ladder import RemedyAnswer
    from gtm_orchestra.runs.questions import Answer
    from gtm_orchestra.state.journal import Question

PLAN_ID = "plan-20261101T090000Z"
RUN_ID = "run-1"
START = datetime(2026, 11, 1, 9, tzinfo=UTC)
MOST_SEGMENTS = 80
PATIENCE = 40  # segments after which people give everything up, so that each plan ends
AGAIN = frozenset({"retry", "retry-with-change", "take-substitute"})
READY = frozenset({"ok", "degraded", "untaken"})
FAULTS = ("raise", "rubbish", "no", "timeout", "die")
HANGS = 0.02  # of the tasks with faults: each costs more than a second
HANGS_S = 1.2
CONFIG = Config.model_validate(
    {
        "workspace": {"name": "Random"},
        "source": {"url": "data"},
        "tables": {"people": {"table": "people", "columns": {"key": "id"}}},
        "people": {
            "priya": {"name": "Priya", "roles": ["privacy-lead"], "deputy": "elena"},
            "elena": {"name": "Elena", "roles": ["exec-sponsor"]},
            "marco": {"name": "Marco", "roles": ["personalization-architect"]},
        },
    }
)


class Killed(BaseException):
    """What a killed process would be: nothing catches it."""


class Figure(Model):
    """What every task returns."""

    score: float = 0.0
    go: bool = True


@dataclass
class Shape:
    """Builds one random plan."""

    chance: random.Random
    tasks: list[dict[str, Any]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    loops: list[dict[str, Any]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def plan(self) -> PlanDefinition:
        """Return the plan."""
        self.block(self.chance.randint(1, 3), [])
        chance = self.chance
        return PlanDefinition.model_validate(
            {
                "plan_id": PLAN_ID,
                "command": "any",
                "initiative": "Any",
                "objective": "",
                "complexity": "complex",
                "strategy": "diamond",
                "pattern_rationale": "",
                "estimated_duration": "",
                "estimated_cost": "",
                "inputs": {},
                "stages": [{"stage_id": "1", "name": "all", "execution": "parallel", "tasks": self.tasks}],
                "gates": self.gates,
                "loops": self.loops,
                "parallelization": {"max_concurrent": chance.randint(1, 4)},
                "context_passing": "",
                "error_handling": {
                    "max_retries": chance.randint(0, 2),
                    "retry_strategy": chance.choice(["same", "with-modification"]),
                    "on_exhausted": chance.choice(["ask", "ask", "fail"]),
                },
                "escalation_ladder": [
                    {"step": 1, "who": "personalization-architect"},
                    {"step": 2, "who": "privacy-lead"},
                ],
                "escalation_triggers": chance.choice(
                    [[], [{"when": 'failures("qa") >= 3', "action": "escalate", "why": "QA again"}]]
                ),
            }
        )

    def task(self, after: list[str], **fields: Any) -> list[str]:  # noqa: ANN401 - fields of a task
        """Add a task."""
        name = f"t{len(self.tasks) + 1}"
        substitutes = ["testing-lead"] if self.chance.random() < 0.3 else []
        self.tasks.append(
            {
                "task_id": name,
                "agent": "governance",
                "kind": "any",
                "purpose": "",
                "timeout_s": 1,
                "function": self.chance.choice(["QA", "data-eng"]),
                "output_var": f"of_{name}",
                "dependencies": after,
                "substitutes": substitutes,
                **fields,
            }
        )
        return [name]

    def block(self, depth: int, after: list[str]) -> list[str]:
        """Add a block behind `after`; return the nodes behind which the next one stands."""
        kinds = ["task", "series", "diamond", "diamond", "wait", "conditional", "loop", "crossing"]
        kind = self.chance.choice(kinds) if depth else "task"
        self.seen[kind] += 1
        make: dict[str, Callable[[list[str]], list[str]]] = {
            "series": partial(self.series, depth - 1),
            "diamond": partial(self.diamond, depth - 1),
            "wait": self.approval,
            "conditional": self.conditional,
            "loop": self.loop,
            "crossing": self.crossing,
            "task": self.task,
        }
        return make[kind](after)

    def series(self, depth: int, after: list[str]) -> list[str]:
        """Add blocks one after the other."""
        for _ in range(self.chance.randint(2, 3)):
            after = self.block(depth, after)
        return after

    def diamond(self, depth: int, after: list[str]) -> list[str]:
        """Add arms that meet in a gate."""
        after = after or self.task([])
        arms = [self.block(depth, after) for _ in range(self.chance.randint(2, 3))]
        return self.merge([arm[-1] for arm in arms])

    def crossing(self, after: list[str]) -> list[str]:
        """Add four tasks whose dependencies cross."""
        after = after or self.task([])
        left, right = self.task(after), self.task(after)
        return self.merge([*self.task(left), *self.task([*left, *right])])

    def merge(self, after: list[str]) -> list[str]:
        """Add a merge gate of a random policy."""
        chance = self.chance
        name = f"g{len(self.gates) + 1}"
        policy: dict[str, Any] = {"type": chance.choice(["all", "all", "any", "quorum", "threshold", "veto"])}
        if policy["type"] == "quorum":
            policy["k"] = chance.randint(1, len(after))
        if policy["type"] == "threshold" and (arm := next((n for n in after if n[0] == "t"), "")):
            policy["thresholds"] = [{"of": f"of_{arm}.score", "op": ">=", "value": 0.3}]
        if policy["type"] == "veto":
            policy["veto_by"] = ["governance"]
        if chance.random() < 0.3:
            policy["deadline"] = "1d"
        self.gates.append({"gate_id": name, "after": after, "kind": "merge", "policy": policy})
        return [name]

    def approval(self, after: list[str]) -> list[str]:
        """Add an approval gate."""
        after = after or self.task([])
        name = f"g{len(self.gates) + 1}"
        self.gates.append(
            {
                "gate_id": name,
                "after": after,
                "kind": "approval",
                "action": "go on",
                "approvers": ["privacy-lead"],
                "respond_within": "1d",
            }
        )
        return [name]

    def conditional(self, after: list[str]) -> list[str]:
        """Add two arms of which the first is taken by a figure of an earlier task."""
        after = after or self.task([])
        figure = f"of_{self.tasks[self.chance.randrange(len(self.tasks))]['task_id']}.score"
        taken = self.task(after, when={"of": figure, "op": ">=", "value": 0.5})
        if self.chance.random() < 0.5:
            taken = self.task(taken)
        return self.merge([*taken, *self.task(after)])

    def loop(self, after: list[str]) -> list[str]:
        """Add a task that is repeated until its figure is good enough."""
        rounds: list[str] = []
        for _ in range(self.chance.randint(2, 3)):
            after = self.task(after)
            rounds += after
        variable = f"best_{rounds[0]}"
        gate = self.merge(list(rounds))
        self.gates[-1]["policy"] = {"type": "all"}
        self.loops.append(
            {
                "loop_id": f"l{len(self.loops) + 1}",
                "rounds": [[name] for name in rounds],
                "variables": {variable: [f"of_{name}" for name in rounds]},
                "until": {"of": f"{variable}.score", "op": ">=", "value": 0.6},
                "gate": gate[0],
                "on_exhausted": self.chance.choice(["go", "no-go"]),
            }
        )
        return gate


@dataclass
class Trial:
    """One plan, its faults, and the people who answer."""

    root: Path
    seed: int
    now: datetime = START
    covered: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        shape = Shape(self.chance)
        self.plan = shape.plan()
        self.covered.update(f"shape {kind}" for kind in shape.seen.elements())
        self.fates = {task.task_id: self._fates() for task in self.plan.tasks}
        self.scores = {task.task_id: self.chance.random() for task in self.plan.tasks}
        self.graph = dependency_graph(self.plan.tasks, self.plan.gates)
        self._open()

    def _fates(self) -> list[str]:
        if self.chance.random() < 0.6:
            return []
        if self.chance.random() < HANGS:
            return ["hang"]
        return [self.chance.choice(FAULTS) for _ in range(self.chance.choice([1, 1, 2, 3, 9]))]

    def _open(self) -> None:
        """Open everything anew, as another process would."""
        self.journal = Journal(open_database(self.root / ".gtm" / "state.db"), lambda: self.now)
        self.plans = PlanStore(self.root, self.root / ".gtm" / "locks")
        self.artifacts = ArtifactStore(self.root / ".gtm" / "artifacts", self.journal.results)
        handlers = HandlerRegistry()

        @handlers.add("any", agent="any")
        def work(ctx: TaskContext) -> Figure:
            return self._work(ctx.task_id)

        async def pause(_seconds: float) -> None:
            await asyncio.sleep(0)

        self.environment = Environment(
            root=self.root,
            config=CONFIG,
            journal=self.journal,
            artifacts=self.artifacts,
            handlers=handlers,
            clock=lambda: self.now,
            nonce=lambda: "nonce",
            open_warehouse=_nothing_to_open,
            unavailable=lambda _agent: "",
            review=lambda _plan: Review(passed=True, checked=(), findings=()),
            previous=lambda _run, _variable: None,
            progress=lambda _node, _event, _detail: None,
            sleep=pause,
        )
        self.driver = Driver(self.environment, self.plans, self.root / ".gtm" / "locks")

    def _work(self, task_id: str) -> Figure:
        fate = self.fates[task_id].pop(0) if self.fates[task_id] else "ok"
        self.covered[f"fault {fate}"] += 1
        match fate:
            case "raise":
                raise SourceError("the source is away")
            case "rubbish":
                return "rubbish"  # type: ignore[return-value]  # that is the fault
            case "no":
                raise BlockedError("no")
            case "timeout":
                raise TimeoutError
            case "hang":
                time.sleep(HANGS_S)
            case "die":
                raise Killed
        return Figure(score=self.scores[task_id], go=self.scores[task_id] > 0.1)

    def run(self) -> str:
        """Run the plan to its end, and return the run's last status."""
        revision = self.plans.create(
            self.plan,
            change=lambda n: Change(at=self.now, actor="marco", what="planned", why="asked", revision=n),
        )
        row = RunRow(RUN_ID, PLAN_ID, 1, revision.digest, "any", "Any", "running", START, START, "marco")
        self.journal.start(row)
        status = ""
        for number in range(MOST_SEGMENTS):
            try:
                segment = asyncio.run(self.driver.drive(RUN_ID, resumed=number > 0))
            except Killed:
                self.covered["killed"] += 1
                self._open()
                continue
            except GtmError as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                return "error"
            status = segment.status
            self._check(segment)
            if status not in {"waiting", "escalated"}:
                break
            self._people(segment, give_up=number > PATIENCE)
            if self.chance.random() < 0.2:
                self._open()
        else:
            self.faults.append(f"not at an end after {MOST_SEGMENTS} segments, but {status}")
        self._check_history()
        self.covered[f"ended {status}"] += 1
        return status

    def _people(self, segment: Segment, *, give_up: bool) -> None:
        """Let people answer, late, or not at all."""
        if self.chance.random() < 0.4:
            self.now += timedelta(hours=self.chance.choice([1, 13, 25, 60]))
            self.covered.update(f"clock {settled.change}" for settled in settle(self.journal, self.now))
        for question in self.journal.question_list(run_id=RUN_ID, status="open"):
            if give_up or self.chance.random() < 0.6:
                self._answer(question, give_up=give_up)
        _ = segment

    def _answer(self, question: Question, *, give_up: bool) -> None:
        who = self.chance.choice(question.body["approvers"])
        actor = Actor(who, "claimed")
        if question.kind == "remedy":
            options = [*question.body["options"], "retry"]
            answer: RemedyAnswer = "abort" if give_up else self.chance.choice(options)
            self.covered[f"answer {answer}"] += 1
            remedy = Remedy(question.question_id, answer, actor, "said", "otherwise", "testing-lead")
            give_remedy(remedy, journal=self.journal, plan=self.plan, config=CONFIG, now=self.now)
            return
        wanted: Answer = "approved" if self.chance.random() < 0.75 and not give_up else "rejected"
        self.covered[f"answer {wanted}"] += 1
        decide(
            Decision(question.question_id, wanted, actor, "said"),
            journal=self.journal,
            plans=self.plans,
            artifacts=self.artifacts,
            clock=lambda: self.now,
            config=CONFIG,
        )

    def _check(self, segment: Segment) -> None:
        """Check what must hold of every segment."""
        nodes = {*(t.task_id for t in self.plan.tasks), *(g.gate_id for g in self.plan.gates)}
        if set(segment.outcomes) != nodes:
            self.faults.append(f"no outcome for {sorted(nodes - set(segment.outcomes))}")
        ends = [segment.outcomes[n] for n in self.graph if not list(self.graph.successors(n))]
        delivered = all(o.usable or o.untaken for o in ends)
        if (segment.status == "done") != (delivered and not self._escalated(segment)):
            self.faults.append(f"{segment.status}, though its ends are {[o.name for o in ends]}")
        if segment.status in {"waiting", "escalated"} and not segment.questions:
            self.faults.append("it waits, and nobody is asked")
        self.journal.verify(RUN_ID, anchors=self.plans.heads(PLAN_ID, RUN_ID))

    def _escalated(self, segment: Segment) -> bool:
        return any(question.kind == "escalation" for question in segment.questions)

    def _check_history(self) -> None:
        """Check what must hold of the whole run: nothing twice, nothing too early, nothing too often."""
        ended: dict[str, str] = {}
        tried: Counter[str] = Counter()
        most = self.plan.error_handling.max_retries + 1
        for record in self.journal.records(RUN_ID):
            node, body = record.node, record.body
            if record.kind == "decision" and body["answer"] in {
                "retry",
                "retry-with-change",
                "take-substitute",
            }:
                ended.pop(node, None)
                tried.pop(node, None)
            elif record.kind == "waiver":
                ended = {n: o for n, o in ended.items() if n != node and o != "skipped"}
            elif record.kind in {"task.outcome", "gate.outcome"}:
                if node in ended:
                    self.faults.append(f"{node} ended twice")
                ended[node] = "untaken" if body.get("untaken") else body["name"]
            elif record.kind == "task.attempt":
                early = [
                    b
                    for b in self.graph.predecessors(node)
                    if ended.get(b) not in {"ok", "degraded", "untaken"}
                ]
                if node in ended or early:
                    self.faults.append(f"{node} began after its end, or before {early}")
            elif record.kind == "task.attempt_failed":
                tried[node] += 1
                if tried[node] > most * (1 + len(self.plan.task(node).substitutes)):
                    self.faults.append(f"{node} was tried {tried[node]} times")


def _nothing_to_open() -> NoReturn:
    raise NotImplementedError


def trial(seed: int, *, folder: Path) -> Trial:
    """Run the plan of a seed, and return what was covered and what did not hold."""
    root = folder / f"seed-{seed}"
    made = Trial(root, seed)
    try:
        made.run()
    except Exception as error:  # noqa: BLE001 - any other error than ours is a fault
        made.faults.append(f"{type(error).__name__}: {error}")
    shutil.rmtree(root, ignore_errors=True)
    return made


def main() -> None:
    """Run many plans, and print what was covered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--plans", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    covered: Counter[str] = Counter()
    faults: list[str] = []
    nodes = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gtm-random-") as name:
        for seed in range(options.first, options.first + options.plans):
            made = trial(seed, folder=Path(name))
            covered += made.covered
            nodes += nx.number_of_nodes(made.graph)
            faults += [f"seed {seed}: {fault}" for fault in made.faults]
            if made.faults:
                print(faults[-1], file=sys.stderr)  # noqa: T201 - a script
    told = f"{len(faults)} faults, {time.monotonic() - began:.0f} s"
    print(f"{options.plans:,} plans, {nodes:,} nodes, {told}")  # noqa: T201 - a script
    for kind, count in sorted(covered.items()):
        print(f"  {kind:26}{count:>8,}")  # noqa: T201 - a script
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
