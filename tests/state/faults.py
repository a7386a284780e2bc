"""Lets the n-th write, sync, rename or commit of a whole small run fail, or kills the process right there.

`python tests/state/faults.py fail|kill|torn|power` does so for n = 1 … all and prints what it hit and what
broke; a number behind it takes each so-manieth only. After each fault a new process must find everything
that was acknowledged, and go on to the outputs of an undisturbed run. `power` instead keeps, beside each
acknowledgement, the image that a power cut would leave: only synced bytes under synced names, and the
database as of its last full sync.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import langsmith.run_helpers  # noqa: F401 - loaded once, before the processes that are forked

import gtm_orchestra.graphs.compiler  # noqa: F401 - the same
from gtm_orchestra.agents.registry import HandlerRegistry, TaskContext
from gtm_orchestra.config import Config
from gtm_orchestra.errors import GtmError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.model import (
    Change,
    ErrorHandling,
    Gate,
    Parallelization,
    PlanDefinition,
    Stage,
    Task,
)
from gtm_orchestra.plans.review import Review
from gtm_orchestra.policy.decisions import Actor
from gtm_orchestra.runs.driver import Driver
from gtm_orchestra.runs.questions import Decision, decide
from gtm_orchestra.runs.services import Environment
from gtm_orchestra.service.inspection import verify_plan
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Journal, RunRow
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
PLAN_ID = "plan-20261101T090000Z"
RUN_ID = "run-1"
CONFIG = Config.model_validate(
    {
        "workspace": {"name": "Small"},
        "source": {"url": "data"},
        "tables": {"people": {"table": "people", "columns": {"key": "id"}}},
        "people": {"priya": {"name": "Priya", "roles": ["privacy-lead"]}},
    }
)


class Result(Model):
    """What a task returns."""

    task: str


def definition() -> PlanDefinition:
    """Return a plan with two arms, a merge gate, a task that writes a file, and a sign-off."""
    after = {"1.1": (), "1.2": (), "2.1": ("merge",)}
    work = tuple(
        Task(
            task_id=task,
            agent="governance",
            kind="work",
            purpose="Does a little.",
            function="governance",
            output_var=f"result_{task.replace('.', '_')}",
            dependencies=before,
        )
        for task, before in after.items()
    )
    return PlanDefinition(
        plan_id=PLAN_ID,
        command="small",
        initiative="Small",
        objective="Show what a fault breaks.",
        complexity="medium",
        strategy="diamond",
        pattern_rationale="Two arms meet in a gate.",
        estimated_duration="0 min",
        estimated_cost="0",
        inputs={"initiative": "Small"},
        stages=(Stage(stage_id="1", name="All", execution="parallel", tasks=work),),
        gates=(
            Gate(gate_id="merge", after=("1.1", "1.2"), kind="merge"),
            Gate(
                gate_id="sign-off", after=("2.1",), kind="approval", approvers=("priya",), action="sign off"
            ),
        ),
        parallelization=Parallelization(max_concurrent=1),
        context_passing="By output_var.",
        error_handling=ErrorHandling(),
    )


def _refused() -> NoReturn:
    raise NotImplementedError


class Small:
    """The stores of a workspace, opened as a new process would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = Journal(open_database(root / ".gtm" / "state.db"), lambda: NOW)
        self.plans = PlanStore(root, root / ".gtm" / "locks")
        self.artifacts = ArtifactStore(root / ".gtm" / "artifacts", self.journal.results)
        handlers = HandlerRegistry()

        @handlers.add("work", agent="any")
        def work(ctx: TaskContext) -> Result:
            if ctx.task_id == "2.1":
                ctx.put_file("report.md", "text/markdown", b"# A report\n")
            return Result(task=ctx.task_id)

        async def at_once(_seconds: float) -> None:
            return

        environment = Environment(
            root=root,
            config=CONFIG,
            journal=self.journal,
            artifacts=self.artifacts,
            handlers=handlers,
            clock=lambda: NOW,
            nonce=lambda: "nonce",
            open_warehouse=_refused,
            unavailable=lambda _agent: "",
            review=lambda _plan: Review(passed=True, checked=(), findings=()),
            previous=lambda _run, _variable: None,
            progress=lambda _node, _event, _detail: None,
            sleep=at_once,
        )
        self.driver = Driver(environment, self.plans, root / ".gtm" / "locks")

    def go_on(self, acknowledged: Callable[[str], object]) -> None:
        """Do what is left of plan, run, question, decision and resume; tell after each what is promised."""
        if PLAN_ID not in self.plans.ids():
            change = Change(at=NOW, actor="marco", what="planned", why="asked for", revision=1)
            self.plans.create(definition(), change=lambda _n: change)
        digest = self.plans.latest(PLAN_ID).digest
        acknowledged(f"planned {digest}")
        if not self.journal.run_list():
            row = RunRow(RUN_ID, PLAN_ID, 1, digest, "small", "Small", "running", NOW, NOW, "marco")
            self.journal.start(row)
        acknowledged("started")
        if not self.journal.question_list():
            self._drive(acknowledged)
        for question in self.journal.question_list(status="open"):
            decision = Decision(question.question_id, "approved", Actor("priya", "claimed"), "read it")
            decide(
                decision,
                config=CONFIG,
                journal=self.journal,
                plans=self.plans,
                artifacts=self.artifacts,
                clock=lambda: NOW,
            )
        acknowledged("decided")
        self._drive(acknowledged)

    def _drive(self, acknowledged: Callable[[str], object]) -> None:
        segment = asyncio.run(self.driver.drive(RUN_ID, resumed=True))
        assert segment.status in {"waiting", "done"}, segment.why
        acknowledged(segment.status)

    def missing(self, promise: str) -> str:
        """Return what of a promise cannot be read here, or ''."""
        words = promise.split()
        match words[0]:
            case "planned":
                kept = PLAN_ID in self.plans.ids() and self.plans.latest(PLAN_ID).digest == words[1]
            case "started":
                kept = bool(self.journal.run_list())
            case "waiting":
                asked = self.journal.question_list(run_id=RUN_ID)
                bound = asked[0].body["binding"]["artifacts"] if asked else {}
                kept = bool(bound) and all(self.artifacts.has(sha256) for sha256 in bound.values())
                kept = kept and bool(self.plans.heads(PLAN_ID, RUN_ID))
            case "decided":
                kept = any(record.kind == "decision" for record in self.journal.records(RUN_ID))
            case _:
                kept = self.journal.run(RUN_ID).status == "done" and self.outputs()["report.md"] != ""
                kept = kept and len(self.plans.heads(PLAN_ID, RUN_ID)) > 1
        return "" if kept else f"{promise!r} was acknowledged and is gone"

    def outputs(self) -> dict[str, str]:
        """Return every output by name: SHA-256; and every outcome."""
        found = {"report.md": ""}
        for path in sorted((self.root / "outputs").rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        for record in self.journal.records(RUN_ID) if self.journal.run_list() else ():
            if record.kind in {"task.outcome", "gate.outcome"}:
                body = {name: value for name, value in record.body.items() if name != "attempts"}
                found[record.node] = json.dumps(body, sort_keys=True)
        return found


# --- faults -------------------------------------------------------------------------------------------------


@dataclass
class Faults:
    """Stands in for the operating system's calls on files of a workspace, and for SQLite's.

    Attributes:
        at: The how-manieth call is hit; 0 for none.
        how: "fail" (the call raises), "kill" (the process dies before it), "torn" (half of a write is done,
            then the process dies), "power" (nothing fails; what is synced is noted).
    """

    root: Path
    at: int
    how: str
    tell: Callable[[str], object] = print
    number: int = 0
    bytes_of: dict[int, bytes] = field(default_factory=dict)
    names_of: dict[int, dict[str, int]] = field(default_factory=dict)
    database: dict[str, bytes] = field(default_factory=dict)

    def install(self) -> None:
        """Replace the calls in this process."""
        for name in ("fsync", "write", "ftruncate"):
            setattr(os, name, self._on_handle(name, getattr(os, name)))
        for name in ("open", "replace", "truncate", "mkdir"):
            setattr(os, name, self._on_path(name, getattr(os, name)))
        _FAULTS.append(self)
        real = sqlite3.dbapi2.connect
        sqlite3.dbapi2.connect = lambda *a, **k: real(*a, **k, factory=_Connection)  # type: ignore[assignment]

    def hit(self, what: str, half: Callable[[], object] | None = None) -> None:
        """Count a call; fail or die if it is the one."""
        if self.how == "power" or (self.how == "torn" and half is None):
            return
        self.number += 1
        if self.number != self.at:
            return
        self.tell(f"hit {what}")
        if self.how == "fail":
            code = errno.ENOSPC if self.at % 2 else errno.EIO
            if what.startswith("sqlite"):
                text = "database or disk is full" if self.at % 2 else "disk I/O error"
                raise sqlite3.OperationalError(text)
            raise OSError(code, os.strerror(code))
        if half is not None and self.how == "torn":
            half()
        os.kill(os.getpid(), signal.SIGKILL)

    def _on_handle(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(handle: int, *rest: Any) -> Any:  # noqa: ANN401 - as the real one
            path = _path_of(handle)
            if self.root not in path.parents and path != self.root:
                return real(handle, *rest)
            half = (lambda: real(handle, rest[0][: len(rest[0]) // 2])) if name == "write" else None
            self.hit(f"{name} {_kind(path)}", half)
            done = real(handle, *rest)
            if name == "fsync":
                self._synced(path, os.fstat(handle).st_ino)
            return done

        return call

    def _on_path(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401 - as the real one
            creates = name != "open" or (rest and rest[0] & os.O_CREAT)
            if creates and self.root in Path(os.fspath(path)).parents:
                self.hit(f"{name} {_kind(Path(os.fspath(path)))}")
            return real(path, *rest, **options)

        return call

    def _synced(self, path: Path, inode: int) -> None:
        if path.is_dir():
            self.names_of[inode] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self.bytes_of[inode] = path.read_bytes()

    def image(self, target: Path) -> None:
        """Write what a power cut would leave now."""
        self._restore(self.root, target)
        folder = target / ".gtm"
        if folder.is_dir():
            for name, data in self.database.items():
                (folder / name).write_bytes(data)

    def _restore(self, source: Path, target: Path) -> None:
        target.mkdir()
        for name, inode in self.names_of.get(source.stat().st_ino, {}).items():
            path = source / name
            if path.is_dir():
                self._restore(path, target / name)
            elif not name.startswith("state.db") and name != ".lock":
                (target / name).write_bytes(self.bytes_of.get(inode, b""))


_FAULTS: list[Faults] = []


class _Cursor(sqlite3.Cursor):
    """Counts what writes."""

    def execute(self, sql: str, *values: Any) -> _Cursor:  # noqa: ANN401 - as the real one
        word = sql.split(maxsplit=1)[0].upper()
        if word in {"INSERT", "UPDATE", "DELETE"}:
            _FAULTS[-1].hit(f"sqlite {word.lower()}")
        super().execute(sql, *values)
        return self


class _Connection(sqlite3.Connection):
    """Counts commits, and notes what a full one has synced."""

    def cursor(self, _factory: Any = None) -> sqlite3.Cursor:  # type: ignore[override]  # noqa: ANN401 - one of ours
        return super().cursor(_Cursor)

    def commit(self) -> None:
        """Commit, if it is not to fail."""
        faults = _FAULTS[-1]
        if self.in_transaction:
            faults.hit("sqlite commit")
        super().commit()
        if super().execute("PRAGMA synchronous").fetchone()[0] == _FULL:
            folder = faults.root / ".gtm"
            faults.database = {
                path.name: path.read_bytes() for path in folder.glob("state.db*") if "shm" not in path.name
            }


_FULL = 2


def _path_of(handle: int) -> Path:
    try:
        return Path(f"/proc/self/fd/{handle}").readlink()
    except OSError:
        return Path("/")


def _kind(path: Path) -> str:
    if path.name.endswith(".tmp"):
        return "temporary file"
    if path.is_dir():
        return "a folder"
    return path.name if path.suffix else path.parent.name


# --- trying -------------------------------------------------------------------------------------------------


def in_process(work: Callable[[Callable[[str], object]], None]) -> tuple[list[str], int]:
    """Do work in a process of its own; return the lines that it told, and how it ended."""
    read, write = os.pipe()
    real_write = os.write
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(read)
            work(lambda line: real_write(write, f"{line}\n".encode()))
            code = 0
        except GtmError as error:
            real_write(write, f"refused {error}\n".encode())
            code = 3
        except BaseException as error:  # noqa: BLE001 - told, and counted as a fault
            real_write(write, f"crashed {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as told:
        lines = told.read().splitlines()
    return lines, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def try_one(root: Path, at: int, how: str, expected: dict[str, str]) -> tuple[str, list[str]]:
    """Let one call fail; return what was hit ('' if none) and what is wrong."""

    def disturbed(tell: Callable[[str], object]) -> None:
        Faults(root, at, how, tell).install()
        Small(root).go_on(tell)

    lines, code = in_process(disturbed)
    hit = next((line.removeprefix("hit ") for line in lines if line.startswith("hit ")), "")
    wrong = [line for line in lines if line.startswith("crashed")]
    wrong += [line for line in lines if line.startswith("refused") and not _is_plain(line)]
    if code not in {0, 3, -signal.SIGKILL}:
        wrong.append(f"ended with {code}")
    promises = [line for line in lines if line.split()[0] in _PROMISES]

    def afterwards(tell: Callable[[str], object]) -> None:
        small = Small(root)
        for promise in promises:
            if lost := small.missing(promise):
                tell(lost)
        small.go_on(lambda _line: None)
        found = Small(root).outputs()
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                tell(f"{name} is not what an undisturbed run leaves")
        seen = verify_plan(small.plans, small.journal, PLAN_ID, root=root, config=CONFIG)
        for line in () if seen.ok else seen.lines:
            tell(f"verify: {line}")

    after, code = in_process(afterwards)
    wrong += [*after, *([f"ended with {code}"] if code and not after else [])]
    return hit, [f"{how} at {at} ({hit}): {line}" for line in wrong]


_PROMISES = {"planned", "started", "waiting", "decided", "done"}


def _is_plain(line: str) -> bool:
    return any(word in line for word in ("No space left", "Input/output error", "disk is full", "disk I/O"))


def undisturbed(folder: Path, how: str) -> tuple[dict[str, str], int]:
    """Return the outputs of a run without a fault, and how many calls it makes."""

    def work(tell: Callable[[str], object]) -> None:
        faults = Faults(folder, 0, how)
        faults.install()
        Small(folder).go_on(lambda _line: None)
        tell(json.dumps([Small(folder).outputs(), faults.number]))

    lines, code = in_process(work)
    assert code == 0, lines
    outputs, calls = json.loads(lines[-1])
    return outputs, calls


def power_cuts(folder: Path) -> list[str]:
    """Return what was acknowledged and would not be found after a power cut at that moment."""
    root, images = folder / "w", folder / "images"
    root.mkdir()
    images.mkdir()

    def work(tell: Callable[[str], object]) -> None:
        faults = Faults(root, 0, "power")
        faults.install()
        kept: list[str] = []

        def acknowledged(promise: str) -> None:
            kept.append(promise)
            faults.image(images / str(len(kept)))
            (images / f"{len(kept)}.json").write_text(json.dumps(kept))

        # The workspace's own folder was there before.
        faults.names_of[root.stat().st_ino] = {}
        Small(root).go_on(acknowledged)
        tell(f"{len(kept)} acknowledgements")

    lines, code = in_process(work)
    wrong = [] if code == 0 else lines
    for image in sorted(path for path in images.iterdir() if path.is_dir()):
        promises = json.loads((images / f"{image.name}.json").read_text())

        def look(tell: Callable[[str], object], image: Path = image, promises: list[str] = promises) -> None:
            small = Small(image)
            for promise in promises:
                if promise == "waiting" and "done" in promises:
                    continue
                if lost := small.missing(promise):
                    tell(lost)
            small.go_on(lambda _line: None)

        told, code = in_process(look)
        wrong += [f"power cut after {promises[-1]!r}: {line}" for line in told]
        wrong += [f"power cut after {promises[-1]!r}: ended with {code}"] if code and not told else []
    return wrong


def main(how: str, step: int = 1) -> int:
    """Try all, or each `step`-th, and print what was hit and what broke."""
    warnings.simplefilter("ignore")
    faults: list[str] = []
    hits: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="gtm-faults-") as name:
        if how == "power":
            faults = power_cuts(Path(name))
        else:
            first = Path(name) / "undisturbed"
            first.mkdir()
            expected, calls = undisturbed(first, how)
            for at in range(1, calls + 1, step):
                root = Path(name) / "w"
                root.mkdir()
                hit, wrong = try_one(root, at, how, expected)
                hits.update([hit] if hit else [])
                faults += wrong
                shutil.rmtree(root)
    lines = [f"  {what:<40} {count:>4}" for what, count in sorted(hits.items())]
    lines += [f"{len(faults)} faults", *[f"  {fault}" for fault in faults[:20]]]
    sys.stdout.write("\n".join([f"{how}: {sum(hits.values())} calls hit", *lines]) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
