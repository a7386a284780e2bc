"""Kills define-profiles again and again and says whether anything was lost, done twice or changed.

`python tests/crash/kills.py 200` prints the histogram; the test suite does a few of the same.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import victim  # type: ignore[import-not-found]  # beside this script

from gtm_orchestra.sample.generate import write_sample
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Journal
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from datetime import datetime
    from multiprocessing.process import BaseProcess

# A fork server: each victim starts with the libraries loaded, so that most of its life is the run itself.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [
        "gtm_orchestra.service.workspace",
        "gtm_orchestra.graphs.compiler",
        "gtm_orchestra.warehouse.people",
        "gtm_orchestra.audience.inventory",
        "gtm_orchestra.audience.profiles.definition",
        "gtm_orchestra.reports.outputs",
        "langsmith.run_helpers",
        "statsmodels.stats.power",
        "ibis.backends.duckdb",
    ]
)
TASKS = ("1.1", "1.2", "1.3", "2.1", "3.1", "3.2", "3.3", "4.1", "4.2")


@dataclass
class Tally:
    """What the kills hit, and what they broke."""

    hits: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    outside: int = 0
    faults: list[str] = field(default_factory=list)


def start(workspace: Path, marks: Path) -> BaseProcess:
    """Start the victim in a process that has loaded the libraries but opened nothing."""
    marks.unlink(missing_ok=True)
    process = _PROCESSES.Process(target=victim.define_profiles, args=(str(workspace), str(marks)))
    process.start()
    return process


def finish(workspace: Path, marks: Path) -> None:
    """Run the victim to its end."""
    process = start(workspace, marks)
    process.join(300)
    assert process.exitcode == 0, f"the run ended with {process.exitcode}"


def outputs(workspace: Path) -> dict[str, str]:
    """Return every output and result by name: SHA-256."""
    found = {
        str(path.relative_to(workspace)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((workspace / "outputs").rglob("*"))
        if path.is_file()
    }
    journal = _journal(workspace)
    for row in journal.run_list():
        for record in journal.records(row.run_id):
            if record.kind in {"task.outcome", "gate.outcome"}:
                found[f"{row.run_id}/{record.node}"] = json.dumps(
                    {k: v for k, v in record.body.items() if k != "attempts"}, sort_keys=True
                )
    return found


def check_history(workspace: Path) -> list[str]:
    """Return what is wrong with a workspace's history: a broken chain, an outcome that stands twice."""
    plans, journal = PlanStore(workspace, workspace / ".gtm" / "locks"), _journal(workspace)
    faults = []
    for row in journal.run_list():
        anchors = [(a.seq, a.head) for a in plans.anchors(row.plan_id) if a.run_id == row.run_id]
        journal.verify(row.run_id, anchors=anchors)
        ended = {"task.outcome", "gate.outcome"}
        nodes = Counter(r.node for r in journal.records(row.run_id) if r.kind in ended)
        faults += [f"{node} has {count} outcomes" for node, count in nodes.items() if count > 1]
    if len(journal.run_list()) != 1:
        faults.append(f"{len(journal.run_list())} runs instead of one")
    return faults


def kill_once(template: Path, expected: dict[str, str], task: str, share: float, tally: Tally) -> None:
    """Kill a run while a task is at work (or anywhere, for ""), resume it, and compare everything."""
    with tempfile.TemporaryDirectory(prefix="gtm-kill-") as name:
        workspace = Path(name) / "w"
        shutil.copytree(template, workspace, symlinks=True)
        marks = Path(name) / "marks"
        process = start(workspace, marks)
        _wait_for(process, marks, f"{task} started" if task else "1.1 started")
        time.sleep(share)
        process.kill()
        process.join()
        seen = marks.read_text().splitlines() if marks.exists() else []
        _count(seen, tally)
        finish(workspace, marks)
        tally.faults += check_history(workspace)
        found = outputs(workspace)
        tally.faults += [
            f"{name} differs after a kill in {task or 'any task'}"
            for name in sorted(expected.keys() | found.keys())
            if expected.get(name) != found.get(name)
        ]


def prepare(folder: Path, people: int) -> tuple[Path, dict[str, str]]:
    """Write a workspace and the outputs of an undisturbed run; return both."""
    template, undisturbed = folder / "template", folder / "undisturbed"
    write_sample(template, people=people, seed=7)
    shutil.copytree(template, undisturbed)
    finish(undisturbed, folder / "marks")
    return template, outputs(undisturbed)


def main(kills: int) -> int:
    """Kill so many times, spread over the tasks, and print what was hit."""
    chance = random.Random(1)  # noqa: S311 - where to kill is no secret
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="gtm-kills-") as name:
        template, expected = prepare(Path(name), people=600)
        for number in range(kills):
            kill_once(template, expected, TASKS[number % len(TASKS)], chance.uniform(0, 0.12), tally)
    total = tally.inside + tally.outside
    lines = [
        f"{kills} kills, {tally.inside} ({tally.inside / total:.0%}) between first attempt and last outcome"
    ]
    lines += [f"  {task:<14} {count:>4} {'#' * count}" for task, count in sorted(tally.hits.items())]
    lines += [f"{len(tally.faults)} faults", *[f"  {fault}" for fault in tally.faults[:20]]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if tally.faults else 0


def _wait_for(process: BaseProcess, marks: Path, line: str) -> None:
    while process.is_alive():
        if marks.exists() and f"{line}\n" in marks.read_text():
            return
        os.sched_yield()


def _count(seen: list[str], tally: Tally) -> None:
    """Say what was at work when the kill came."""
    open_tasks: dict[str, None] = {}
    started = ended = False
    for line in seen:
        node, _, event = line.partition(" ")
        if event == "started":
            started, open_tasks[node] = True, None
        elif event == "ended":
            open_tasks.pop(node, None)
            ended = ended or node == "4.2"
    if started and not ended:
        tally.inside += 1
    else:
        tally.outside += 1
    for node in open_tasks or {"between tasks": None}:
        tally.hits[node] += 1


def _journal(workspace: Path) -> Journal:
    return Journal(open_database(workspace / ".gtm" / "state.db"), _never)


def _never() -> datetime:
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
