"""A workspace that an earlier release wrote opens, verifies, and goes on to its end.

Each release adds one to `releases/`, made by `scripts/keep-release`: a run that waits for its sign-off.
"""

from __future__ import annotations

import sqlite3
import tarfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra import Workspace
from gtm_orchestra.interfaces.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.tar.gz"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Workspace]:
    """Give a function that opens the workspace of a release, a day after its run was started."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "ws"
    state = sqlite3.connect(folder / ".gtm" / "state.db")
    started = state.execute("select created_at from runs").fetchone()[0]
    state.close()
    clock = datetime.fromisoformat(started) + timedelta(days=1)
    return lambda: Workspace.open(folder, clock=lambda: clock, environ={}, os_user="somebody")


def test_there_is_a_workspace_of_every_release() -> None:
    assert [path.name for path in RELEASES] == ["workspace-0.1.0.tar.gz"]


def test_a_workspace_of_an_earlier_release_verifies_and_goes_on_to_its_end(
    opened: Callable[[], Workspace],
) -> None:
    space = opened()
    (plan_id,) = space.plans.ids()
    (row,) = space.journal.run_list()
    assert space.verify(plan_id).lines[-1].endswith(".json: as the log says")
    assert space.verify(plan_id).ok
    assert space.document(plan_id).status == "waiting"
    before = _outputs(space)
    assert space.resume(row.run_id).status == "waiting"
    (question,) = space.questions()
    space = opened()
    segment = space.decide(question.question_id, "approved", reason="read it", actor="priya")
    assert segment.status == "done"
    # What was signed is what had been shown: nothing was done again.
    after = _outputs(space)
    assert {name: after[name] for name in before} == before
    assert opened().verify(plan_id).ok


def test_a_workspace_of_an_earlier_release_is_told_on_the_command_line(
    opened: Callable[[], Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    space = opened()
    (row,) = space.journal.run_list()
    for command, words in (
        (("plan", "list"), "waiting     define-profiles for 'PLG Onboarding', revision 1"),
        (("plan", "verify"), "as the log says\nverified\n"),
        (("runs", "show"), f"{row.run_id}: waiting."),
        (("runs", "cancel", row.run_id, "--reason", "old", "--as", "marco"), "cancelled. old"),
        (("plan", "verify"), "as the log says\nverified\n"),
        (("audit", "verify"), "chain whole\nverified\n"),
    ):
        with pytest.raises(SystemExit):
            main([*command, "-w", str(space.root)])
        assert words in capsys.readouterr().out


def _outputs(space: Workspace) -> dict[str, bytes]:
    return {
        str(path.relative_to(space.root)): path.read_bytes()
        for path in sorted((space.root / "outputs").rglob("*"))
        if path.is_file()
    }
