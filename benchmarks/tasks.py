"""What a task costs here beside bare LangGraph with AsyncSqliteSaver: CPU, stored bytes, runs per second.

Both execute the same shape: two tasks side by side, a merge gate, one task, two side by side, a gate, one
task, and so on. A task does nothing and returns its own name. A run of ours does everything that a real one
does: plan log, run lock, journal (two events a task), a result file per task, merge gates, two triggers,
anchor, plan file. The bare one compiles its graph per run and keeps each outcome in its state, behind a
reducer; its saver runs at `synchronous=NORMAL` with a write-ahead log. The two take turns in one process,
so that a busy machine slows both; CPU is that of all threads.

Stored bytes are the lengths of the files a run leaves behind: the state database after its write-ahead log
was written back and truncated (no VACUUM), less an empty one; result files; the plan log. The plan file is
a view, is rewritten rather than added to, and stands in a column of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langsmith.run_helpers import tracing_context

from gtm_orchestra.agents.registry import HandlerRegistry, TaskContext
from gtm_orchestra.config import Config
from gtm_orchestra.model import Model
from gtm_orchestra.plans.model import (
    Change,
    ErrorHandling,
    EscalationTrigger,
    Gate,
    Parallelization,
    PlanDefinition,
    Stage,
    Task,
)
from gtm_orchestra.plans.review import Review
from gtm_orchestra.runs.driver import Driver
from gtm_orchestra.runs.services import Environment
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Entry, Journal, RunRow
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

SIZES = (6, 48, 300)
GOAL_BYTES = 3_000
GOAL_RUNS = 2.0
CONCURRENCY = 10
NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
CONFIG = Config.model_validate(
    {
        "workspace": {"name": "Bench"},
        "source": {"url": "data"},
        "tables": {"people": {"table": "people", "columns": {"key": "id"}}},
        "people": {"priya": {"name": "Priya", "roles": ["privacy-lead"]}},
    }
)


def shape(tasks: int) -> dict[str, tuple[str, ...]]:
    """Return node → what comes before it; tasks are t1…, gates g1…. `tasks` is a multiple of three."""
    before: dict[str, tuple[str, ...]] = {}
    last: tuple[str, ...] = ()
    for n in range(0, tasks, 3):
        left, right, gate, after = f"t{n + 1}", f"t{n + 2}", f"g{n // 3 + 1}", f"t{n + 3}"
        before |= {left: last, right: last, gate: (left, right), after: (gate,)}
        last = (after,)
    return before


# --- ours ---------------------------------------------------------------------------------------------------


class Nothing(Model):
    """What a task that does nothing returns; each its own, so that no file is shared."""

    task: str
    findings: tuple[str, ...] = ()


class FullJournal(Journal):
    """A journal that syncs every event, also those that a real one leaves to the write-ahead log."""

    def append(self, run_id: str, *entries: Entry, **options: Any) -> None:  # noqa: ANN401 - those of a journal
        """Append, always durably."""
        super().append(run_id, *entries, **{**options, "durable": True})


def definition(tasks: int, plan_id: str) -> PlanDefinition:
    """Return the plan of the shape."""
    before = shape(tasks)
    work = tuple(
        Task(
            task_id=node,
            agent="governance",
            kind="nothing",
            purpose="Does nothing, as fast as it can.",
            function="governance",
            output_var=f"result_{node}",
            dependencies=after,
        )
        for node, after in before.items()
        if node.startswith("t")
    )
    gates = tuple(
        Gate(gate_id=node, after=after, kind="merge") for node, after in before.items() if node[0] == "g"
    )
    return PlanDefinition(
        plan_id=plan_id,
        command="bench",
        initiative="Bench",
        objective="Say what a task costs.",
        complexity="complex",
        strategy="diamond",
        pattern_rationale="Two arms meet in a gate.",
        estimated_duration="0 min",
        estimated_cost="0",
        inputs={"initiative": "Bench"},
        stages=(Stage(stage_id="1", name="All", execution="parallel", tasks=work),),
        gates=gates,
        parallelization=Parallelization(max_concurrent=4),
        context_passing="By output_var.",
        error_handling=ErrorHandling(),
        escalation_triggers=(
            EscalationTrigger(when='blocked("consent") >= 2', action="escalate"),
            EscalationTrigger(when='sla_missed("coverage") >= 1', action="escalate"),
        ),
    )


def _nothing_to_open() -> NoReturn:
    raise NotImplementedError


class Ours:
    """A workspace's stores and driver."""

    def __init__(self, root: Path, journal: type[Journal] = Journal) -> None:
        self.root = root
        self._engine = open_database(root / ".gtm" / "state.db")
        self._journal = journal(self._engine, lambda: NOW)
        self._plans = PlanStore(root, root / ".gtm" / "locks")
        handlers = HandlerRegistry()

        @handlers.add("nothing", agent="any")
        def nothing(ctx: TaskContext) -> Nothing:
            return Nothing(task=f"{number(ctx)}/{ctx.task_id}")

        def number(_ctx: TaskContext) -> int:
            return self._made

        self._made = 0
        environment = Environment(
            root=root,
            config=CONFIG,
            journal=self._journal,
            artifacts=ArtifactStore(root / ".gtm" / "artifacts", self._journal.results),
            handlers=handlers,
            clock=lambda: NOW,
            nonce=lambda: "nonce",
            open_warehouse=_nothing_to_open,
            unavailable=lambda _agent: "",
            review=lambda _plan: Review(passed=True, checked=(), findings=()),
            previous=lambda _run, _variable: None,
            progress=lambda _node, _event, _detail: None,
        )
        self._driver = Driver(environment, self._plans, root / ".gtm" / "locks")

    async def run(self, tasks: int) -> None:
        """Plan, start a run, and drive it to its end."""
        self._made += 1
        await self.drive(await asyncio.to_thread(self._plan, tasks, self._made))

    def plan(self, tasks: int) -> PlanDefinition:
        """Write a plan's log."""
        self._made += 1
        return self._plan(tasks, self._made)

    def _plan(self, tasks: int, made: int) -> PlanDefinition:
        plan_id = f"plan-20261101T{made // 900:06}Z-{made % 900 + 1}"
        change = Change(at=NOW, actor="priya", what="planned", why="asked for", revision=1)
        return self._plans.create(definition(tasks, plan_id), change=lambda _n: change).definition

    async def drive(self, plan: PlanDefinition) -> None:
        """Start a run of a plan, and drive it to its end."""
        run_id, digest = f"{plan.plan_id}/1", self._plans.latest(plan.plan_id).digest
        row = RunRow(run_id, plan.plan_id, 1, digest, "bench", "Bench", "running", NOW, NOW, "priya")
        await asyncio.to_thread(self._journal.start, row)
        segment = await self._driver.drive(run_id)
        assert segment.status == "done", segment.why

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


# --- bare LangGraph -----------------------------------------------------------------------------------------


class BareState(TypedDict):
    """Outcomes by node."""

    outcomes: Annotated[dict[str, dict[str, str]], lambda left, right: {**left, **right}]


class BareNode(Protocol):
    """What LangGraph calls."""

    async def __call__(self, state: BareState) -> dict[str, Any]:
        """Return an update of the state."""


class Bare:
    """LangGraph alone, its saver on a file; without one it keeps nothing, which is the most it can do."""

    def __init__(self, saver: AsyncSqliteSaver | None) -> None:
        self._saver = saver
        self._made = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, synchronous: str = "NORMAL") -> AsyncIterator[Bare]:
        """Open a saver as its own documentation does, with a write-ahead log."""
        async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
            await saver.setup()
            await saver.conn.execute("PRAGMA journal_mode=WAL")
            await saver.conn.execute(f"PRAGMA synchronous={synchronous}")
            yield cls(saver)

    async def run(self, tasks: int) -> None:
        """Compile, and run to the end."""
        self._made += 1
        before = shape(tasks)
        builder = StateGraph(BareState)
        for node, after in before.items():
            builder.add_node(node, _bare_node(node))
            builder.add_edge(list(after) if len(after) > 1 else (after[0] if after else START), node)
        last = set(before) - {node for after in before.values() for node in after}
        for node in sorted(last):
            builder.add_edge(node, END)
        graph = builder.compile(checkpointer=self._saver)
        with tracing_context(enabled=False):
            state = await graph.ainvoke(
                {"outcomes": {}}, {"configurable": {"thread_id": str(self._made)}, "max_concurrency": 4}
            )
        assert len(state["outcomes"]) == len(before)


def _bare_node(name: str) -> BareNode:
    async def node(state: BareState) -> dict[str, Any]:
        _ = state
        return {"outcomes": {name: {"node": name, "name": "ok"}}}

    return node


# --- what is measured ---------------------------------------------------------------------------------------


async def ours_cpu_s(ours: Ours, tasks: int, runs: int) -> tuple[float, float]:
    """Return CPU seconds of all threads per task: of the run, and of writing its plan."""
    gc.collect()
    before = time.process_time()
    plans = [ours.plan(tasks) for _ in range(runs)]
    planned = time.process_time()
    for plan in plans:
        await ours.drive(plan)
    return (time.process_time() - planned) / runs / tasks, (planned - before) / runs / tasks


async def bare_cpu_s(bare: Bare, tasks: int, runs: int) -> float:
    """Return CPU seconds of all threads per task."""
    gc.collect()
    before = time.process_time()
    for _ in range(runs):
        await bare.run(tasks)
    return (time.process_time() - before) / runs / tasks


async def measure_cpu(folder: Path, rounds: int) -> None:
    """Print CPU per task by size."""
    print(f"CPU per task, one run at a time, {rounds} rounds by turns; milliseconds; goal: ratio <= 1")
    print(f"{'tasks':>6}{'ours':>9}{'bare':>9}{'ratio':>8}{'median':>8}{'':>8}{'planning, once a plan':>24}")
    per_run: dict[int, tuple[float, float]] = {}
    async with Bare.open(folder / "bare.db") as bare:
        ours = Ours(folder / "ours")
        for tasks in SIZES:
            runs = max(1, 36 // tasks)
            await ours.run(tasks)
            await bare.run(tasks)
            seen = [
                (*await ours_cpu_s(ours, tasks, runs), await bare_cpu_s(bare, tasks, runs))
                for _ in range(rounds)
            ]
            mine, planning, theirs = (min(column) for column in zip(*seen, strict=True))
            median = statistics.median(run / peer for run, _, peer in seen)
            met = "met" if median <= 1 else "MISSED"
            figures = f"{mine * 1000:>9.2f}{theirs * 1000:>9.2f}{mine / theirs:>8.2f}{median:>8.2f}"
            print(f"{tasks:>6}{figures}{met:>8}{planning * 1000:>24.2f}")
            per_run[tasks] = (mine * tasks * 1000, theirs * tasks * 1000)
        ours.close()
    print("what limits it, from 6 and 48 tasks: a run's own cost, and what each further task adds")
    for name, small, large in zip(("ours", "bare"), per_run[6], per_run[48], strict=True):
        each = (large - small) / 42
        print(f"  {name}: {small - 6 * each:.1f} ms a run and {each:.2f} ms a task")


def stored(root: Path) -> dict[str, int]:
    """Return bytes of a workspace's files by kind."""
    with sqlite3.connect(root / ".gtm" / "state.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    plans, artifacts = root / ".claude" / "plans", root / ".gtm" / "artifacts"
    return {
        "database": (root / ".gtm" / "state.db").stat().st_size,
        "results": sum(p.stat().st_size for p in artifacts.rglob("*") if p.is_file()),
        "plan log": sum(p.stat().st_size for p in plans.glob("*.log.jsonl")),
        "plan file": sum(p.stat().st_size for p in plans.glob("*.json")),
    }


async def measure_bytes(folder: Path) -> None:
    """Print stored bytes per task by size."""
    print(f"Stored bytes per task; goal: <= {GOAL_BYTES:,} without the plan file, slope flat")
    kinds = ("database", "results", "plan log", "plan file")
    print(f"{'tasks':>6}" + "".join(f"{kind:>11}" for kind in kinds) + f"{'ours':>9}{'bare':>9}")
    ours_bytes: dict[int, float] = {}
    for tasks in SIZES:
        runs = max(2, 600 // tasks)
        root = folder / f"bytes-{tasks}"
        ours = Ours(root)
        empty = {**dict.fromkeys(kinds, 0), "database": stored(root)["database"]}
        for _ in range(runs):
            await ours.run(tasks)
        ours.close()
        per_task = {kind: (stored(root)[kind] - empty[kind]) / runs / tasks for kind in kinds}
        ours_bytes[tasks] = sum(per_task.values()) - per_task["plan file"]
        path = folder / f"bare-bytes-{tasks}.db"
        async with Bare.open(path) as bare:
            for _ in range(runs):
                await bare.run(tasks)
        print(
            f"{tasks:>6}"
            + "".join(f"{per_task[kind]:>11,.0f}" for kind in kinds)
            + f"{ours_bytes[tasks]:>9,.0f}{path.stat().st_size / runs / tasks:>9,.0f}"
            + (" met" if ours_bytes[tasks] <= GOAL_BYTES else " MISSED")
        )
    slope = (ours_bytes[300] - ours_bytes[48]) / ours_bytes[48]
    print(f"from 48 to 300 tasks a task's bytes change by {slope:+.1%}")


async def runs_per_s(run: Callable[[int], Awaitable[None]], runs: int) -> float:
    """Return runs of six tasks per second, ten at a time."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one() -> None:
        async with slots:
            await run(6)

    gc.collect()
    before = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(runs)))
    return runs / (time.perf_counter() - before)


async def count_syncs(run: Callable[[int], Awaitable[None]]) -> int:
    """Return how often a run of six tasks calls fsync; SQLite's own calls are not among them."""
    real, calls = os.fsync, 0

    def counted(fd: Any) -> None:  # noqa: ANN401 - a number, or what has one
        nonlocal calls
        calls += 1
        real(fd)

    os.fsync = counted
    try:
        await run(6)
    finally:
        os.fsync = real
    return calls


async def measure_runs(folder: Path, rounds: int, runs: int) -> None:
    """Print runs per second of six tasks."""
    print(
        f"Runs of six tasks per second, {CONCURRENCY} at a time, {rounds} rounds of {runs} by turns;"
        f" goal: >= {GOAL_RUNS} x bare NORMAL"
    )
    async with (
        Bare.open(folder / "normal.db") as normal,
        Bare.open(folder / "full.db", "FULL") as full,
    ):
        ours, ours_full = Ours(folder / "as-shipped"), Ours(folder / "all-full", FullJournal)
        kinds = {
            "bare, NORMAL": normal.run,
            "ours, as shipped": ours.run,
            "ours, all FULL": ours_full.run,
            "bare, FULL": full.run,
            "bare, no saver": Bare(None).run,
        }
        rates: dict[str, list[float]] = {name: [] for name in kinds}
        for run in kinds.values():
            await runs_per_s(run, CONCURRENCY)
        syncs = await count_syncs(ours.run)
        for _ in range(rounds):
            for name, run in kinds.items():
                rates[name].append(await runs_per_s(run, runs))
        ours.close()
        ours_full.close()
    for name, seen in rates.items():
        ratios = [a / b for a, b in zip(seen, rates["bare, NORMAL"], strict=True)]
        ratio = statistics.median(ratios)
        met = "" if name != "ours, as shipped" else (" met" if ratio >= GOAL_RUNS else " MISSED")
        print(f"{name:18}{max(seen):>8.0f} best{statistics.median(seen):>8.0f} median{ratio:>8.2f} x{met}")
    print(
        f"what limits it: {syncs} syncs of files and folders a run, 2 of the journal, and LangGraph itself:"
        " no run is faster than one that keeps nothing"
    )


def main() -> None:
    """Measure, and print goal against measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=40, help="per round, where runs per second are measured")
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="gtm-bench-") as name:
        asyncio.run(measure_cpu(Path(name), options.rounds))
        asyncio.run(measure_bytes(Path(name)))
        asyncio.run(measure_runs(Path(name), max(3, options.rounds // 2), options.runs))


if __name__ == "__main__":
    main()
