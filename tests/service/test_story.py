"""One run's whole life, each act in a process of its own, and what `gtm runs show` tells of it afterwards.

A diamond with a waiting approval is killed, taken up in another process, approved by a deputy after the
deadline, then ripped. `python tests/service/test_story.py FOLDER` plays it and prints the tale.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gtm_orchestra import Workspace
from gtm_orchestra.sample.generate import write_sample

START = datetime(2025, 12, 1, 9, tzinfo=UTC)
GTM = Path(sys.executable).with_name("gtm")


def _open(folder: Path, later: timedelta, *, die_at: str = "") -> Workspace:
    def progress(node: str, event: str, _detail: str) -> None:
        if die_at and (node, event) == (die_at, "started"):
            os.kill(os.getpid(), signal.SIGKILL)

    ids = iter(f"{n:032x}" for n in range(1, 1000))
    return Workspace.open(
        folder,
        clock=lambda: START + later,
        nonce=lambda: next(ids),
        environ={},
        os_user="nobody",
        progress=progress,
    )


def begin(folder: Path) -> None:
    """Plan and run, and be killed while the profiles are defined."""
    space = _open(folder, timedelta(0), die_at="2.1")
    plan = space.define_profiles(initiative="PLG Onboarding", channels=["web", "in-app"], actor="marco")
    space.run(plan, actor="marco")


def resume(folder: Path) -> None:
    """Take it up an hour later, until a person is needed."""
    space = _open(folder, timedelta(hours=1))
    assert space.resume(space.journal.run_list()[-1].run_id).status == "waiting"


def tick(folder: Path) -> None:
    """Look at the clocks when the approver's time is over."""
    ticked = _open(folder, timedelta(days=4)).tick()
    assert [settled.change for settled in ticked.settled] == ["advanced"]


def approve(folder: Path) -> None:
    """Let the deputy decide."""
    space = _open(folder, timedelta(days=4, hours=2))
    question = space.questions()[-1].question_id
    segment = space.decide(question, "approved", reason="Read it; Priya is ill.", actor="elena")
    assert segment.status == "done", segment.why


def rip(folder: Path) -> None:
    """Pull the rip-cord a day later."""
    space = _open(folder, timedelta(days=5))
    run_id = space.journal.run_list()[-1].run_id
    assert space.ripcord(run_id, reason="The sample was the wrong month.", actor="priya").status == "ripped"


ACTS = {"begin": begin, "resume": resume, "tick": tick, "approve": approve, "rip": rip}


def play(folder: Path) -> str:
    """Play every act in a process of its own, and return what `gtm runs show` says at the end."""
    write_sample(folder, people=2_000, seed=7)
    for act in ACTS:
        ended = subprocess.run(
            [sys.executable, __file__, act, str(folder)], capture_output=True, text=True, check=False
        )
        assert ended.returncode == (-signal.SIGKILL if act == "begin" else 0), (act, ended.stderr)
    told = subprocess.run([GTM, "runs", "show", "-w", folder], capture_output=True, text=True, check=True)
    return told.stdout


def test_the_tale_of_a_run_tells_who_did_what_and_why(tmp_path: Path) -> None:
    folder = tmp_path / "company"
    told = play(folder)
    acts = [
        r"started",
        r"2\.1 profile-definition: personalization-architect at work$",
        r"taken up again",
        r"2\.1 profile-definition was interrupted \(its process ended\); it begins again",
        r"2\.1 profile-definition ok",
        r"gate-2 \(gate\) ok: go: ",
        r"asked priya to sign off the profiles \(sign-off\)",
        r"goes to elena, as deputy of priya: priya did not answer in time",
        r"elena \(claimed\).* approved \(sign-off\).* Reason: Read it; Priya is ill\.",
        r"status done",
        r"priya \(claimed\) pulled the rip-cord .*: The sample was the wrong month\.",
        r"publish-drafts .* was taken back and is gone",
        r"Still live: nothing",
        r"status ripped",
    ]
    position = 0
    for act in acts:
        found = re.compile(act, re.MULTILINE).search(told, position)
        assert found is not None, f"{act!r} does not follow in:\n{told}"
        position = found.start()
    outputs = folder / "outputs"
    assert not [path for path in outputs.rglob("*") if path.name == "report.html"]
    verified = subprocess.run(
        [GTM, "plan", "verify", "-w", folder], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout


if __name__ == "__main__":
    if len(sys.argv) > 2:
        ACTS[sys.argv[1]](Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as name:
            sys.stdout.write(play(Path(name) / "company"))
