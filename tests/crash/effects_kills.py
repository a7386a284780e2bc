"""Kills two processes that deploy to one server, again and again, and counts what the server has applied.

The server loses answers, answers 500 after it has applied, and cuts answers short. After each trial every
effect must have been applied once, every row be recorded and every file readable.

`python tests/crash/effects_kills.py 1000 [SEED]` prints the histogram; `--keys-off` shows what the keys are
for. The test suite does a few of the same.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import effects_victim  # type: ignore[import-not-found]  # beside this script

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["effects_victim", "gtm_orchestra.graphs.compiler", "langsmith.run_helpers", "filelock"]
)
_FAULTY = 0.2
_KILLS_A_TRIAL = 8
_LONGEST_S = 0.06
_LOOK_EVERY_S = 0.001
# What the last line that a process wrote says of the effect that it was at.
PHASES = {
    "intent": "intent",
    "apply": "intent",
    "sent": "sent",
    "applied": "applied",
    "failed": "answer lost",
    "read": "read back",
    "recorded": "recorded",
}


@dataclass
class World:
    """What the server has applied, and what it does to its answers."""

    chance: random.Random
    faulty: float = _FAULTY
    applied: Counter[tuple[str, str]] = field(default_factory=Counter)
    keys: dict[str, Any] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def apply(self, trial: str, name: str, key: str, content: object) -> None:
        with self.lock:
            if key not in self.keys:
                self.keys[key] = content
                self.applied[trial, name] += 1

    def fault(self) -> str:
        with self.lock:
            if self.chance.random() >= self.faulty:
                return ""
            fault = self.chance.choice(["lost", "500 after", "cut"])
            self.faults[fault] += 1
            return fault


class _Handler(BaseHTTPRequestHandler):
    world: World

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, trial, name = self.path.split("/")
        self.world.apply(trial, name, self.headers["Idempotency-Key"], content)
        self._say({"applied": True}, self.world.fault())

    def do_GET(self) -> None:
        key = self.headers["Idempotency-Key"]
        there = key in self.world.keys
        fault = self.world.fault() if self.world.chance.random() < _FAULTY else ""
        self._say({"there": there, "content": self.world.keys.get(key)}, fault)

    def _say(self, document: object, fault: str) -> None:
        data = json.dumps(document).encode()
        if fault == "lost":
            return
        self.send_response(500 if fault == "500 after" else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            # The client was killed while it was speaking.
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


@dataclass
class Tally:
    """What the kills hit, and what they broke."""

    kills: int = 0
    inside: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    unreadable: list[str] = field(default_factory=list)
    runs: int = 0


def trial(number: int, port: int, tally: Tally, chance: random.Random, *, keys: bool) -> str:
    """Kill two writers some times, let them finish, and return the trial's name on the server."""
    name = f"t{number}"
    with tempfile.TemporaryDirectory(prefix="gtm-kill-") as folder:
        workspace = Path(folder) / "w"
        _approve(workspace, port, name)
        for _ in range(_KILLS_A_TRIAL):
            if not _kill_once(workspace, Path(folder), port, name, tally, chance, keys=keys):
                break
        for process in _start_two(workspace, Path(folder), port, name, keys=keys):
            process.join(300)
            if process.exitcode != 0:
                tally.unreadable.append(f"{name}: the last process ended with {process.exitcode}")
        tally.unreadable += _faults_of(workspace, port, name)
    tally.runs += 1
    return name


def _approve(workspace: Path, port: int, name: str) -> None:
    """Write a workspace whose deployment is approved and not begun; keys are made from its run's id."""
    workspace.mkdir()
    space = effects_victim.opened(str(workspace), port, name, keys=True)
    space.start(name)
    space.drive(name)
    space.decide(question=f"{name}/open")


def _start_two(workspace: Path, folder: Path, port: int, name: str, *, keys: bool) -> list[BaseProcess]:
    processes: list[BaseProcess] = []
    for writer in ("a", "b"):
        marks = folder / f"marks-{writer}"
        marks.unlink(missing_ok=True)
        process = _PROCESSES.Process(
            target=effects_victim.deploy, args=(str(workspace), str(marks), port, name), kwargs={"keys": keys}
        )
        process.start()
        processes.append(process)
    return processes


def _kill_once(
    workspace: Path, folder: Path, port: int, name: str, tally: Tally, chance: random.Random, *, keys: bool
) -> bool:
    """Kill both writers at some moment after the first effect; return whether it was inside."""
    processes = _start_two(workspace, folder, port, name, keys=keys)
    marks = [folder / "marks-a", folder / "marks-b"]
    while any(process.is_alive() for process in processes) and not any(_effects(m) for m in marks):
        time.sleep(_LOOK_EVERY_S)
    time.sleep(chance.uniform(0, _LONGEST_S))
    for process in processes:
        process.kill()
    for process in processes:
        process.join()
    return _count(marks, tally)


def _effects(marks: Path) -> list[str]:
    if not marks.exists():
        return []
    return [line for line in marks.read_text().splitlines() if " effect " in line]


def _count(marks: list[Path], tally: Tally) -> bool:
    """Say where the process that held the lock was killed; return whether it was inside the run."""
    tally.kills += 1
    lines = [line for file in marks if file.exists() for line in file.read_text().splitlines()]
    effects = [line for file in marks for line in _effects(file)]
    inside = bool(effects) and not any(line.startswith("- ended") for line in lines)
    if inside:
        tally.inside += 1
        tally.phases[PHASES.get(effects[-1].split()[2], "other")] += 1
    else:
        tally.phases["outside"] += 1
    return inside


def _faults_of(workspace: Path, port: int, name: str) -> list[str]:
    """Return what is wrong with a workspace after its run: history, ledger, plan file."""
    space = effects_victim.opened(str(workspace), port, name, keys=True)
    (row,) = space.journal.run_list()
    faults = []
    space.journal.verify(row.run_id, anchors=space.plans.heads(row.plan_id, row.run_id))
    space.ledger.check(row.run_id, space.journal.records(row.run_id))
    phases = Counter(effect.phase for effect in space.ledger.rows(row.run_id))
    if row.status != "done" or phases != {"recorded": len(effects_victim.TARGETS)}:
        faults.append(f"{name}: {row.status}, {dict(phases)}")
    view = space.plans.view_state(row.plan_id)
    if view.state != "same":
        faults.append(f"{name}: the plan file is {view.state}")
    return faults


def main(kills: int, *, keys: bool, seed: int = 3) -> int:
    """Kill so many times and print what was hit, lost and doubled."""
    chance, tally = random.Random(seed), Tally()  # noqa: S311 - where to kill is no secret
    world = World(random.Random(seed + 1))  # noqa: S311 - nor is what the server does
    handler = type("Handler", (_Handler,), {"world": world})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    while tally.kills < kills:
        name = trial(tally.runs + 1, port, tally, chance, keys=keys)
        counts = [world.applied[name, target] for target in effects_victim.TARGETS]
        tally.lost += sum(count == 0 for count in counts)
        tally.doubled += sum(count > 1 for count in counts)
    server.shutdown()
    _report(tally, world)
    return 1 if tally.lost or tally.doubled or tally.unreadable else 0


def _report(tally: Tally, world: World) -> None:
    share = tally.inside / tally.kills
    lines = [
        f"{tally.kills} kills of two writers in {tally.runs} runs, {tally.inside} ({share:.0%}) inside",
        (
            f"the server lost {world.faults['lost']} answers, answered 500 after applying to "
            f"{world.faults['500 after']}, cut {world.faults['cut']} short"
        ),
        *[f"  {phase:<12} {count:>5}" for phase, count in sorted(tally.phases.items())],
        *[f"  {fault}" for fault in tally.unreadable[:20]],
        f"{tally.lost} lost, {tally.doubled} doubled, {len(tally.unreadable)} unreadable",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    asked, seeded = (*numbers, 1_000, 3)[:2] if len(numbers) != 1 else (numbers[0], 3)
    sys.exit(main(asked, keys="--keys-off" not in sys.argv, seed=seeded))
