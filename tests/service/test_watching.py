"""Following a run from another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.runs.conftest import PLAN_ID, Stage

from gtm_orchestra.errors import UsageError
from gtm_orchestra.service.watching import watched
from gtm_orchestra.state.journal import Entry
from gtm_orchestra.state.locks import is_held

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.state.journal import RunRow


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    made.start()
    return made


def _state_of(stage: Stage, row: RunRow) -> str:
    if row.status != "running":
        return row.status
    return "running" if is_held(stage.root / ".gtm" / "locks", f"{PLAN_ID}.run") else "interrupted"


def test_every_event_comes_once_and_in_order_until_the_run_waits(stage: Stage) -> None:
    looks: list[int] = []

    def pause() -> None:
        # Between two looks the run goes on, as it does in another process.
        looks.append(len(stage.calls))
        if len(looks) == 2:
            stage.drive()

    other = Stage(stage.root)
    came = list(
        watched(
            other.journal,
            "run-1",
            state_of=lambda row: "running" if row.status == "running" else row.status,
            pause=pause,
        )
    )
    assert len(looks) == 2
    assert came == list(stage.journal.records("run-1"))
    assert (came[-1].kind, came[-1].body["status"]) == ("run.status", "waiting")


def test_what_happens_while_a_look_is_taken_is_not_missed(stage: Stage) -> None:
    def state_of(row: RunRow) -> str:
        if row.seq == 1:
            stage.drive()
        return row.status

    came = list(watched(Stage(stage.root).journal, "run-1", state_of=state_of, pause=lambda: None))
    assert came == list(stage.journal.records("run-1"))


def test_a_run_that_nobody_drives_is_watched_no_longer_than_two_looks(stage: Stage) -> None:
    stage.journal.append("run-1", Entry("task.attempt", "1.1", {"agent": "a", "attempt": 1}))
    pauses: list[None] = []
    came = list(
        watched(
            stage.journal,
            "run-1",
            state_of=lambda row: _state_of(stage, row),
            pause=lambda: pauses.append(None),
        )
    )
    assert ([r.kind for r in came], len(pauses)) == (["run.started", "task.attempt"], 1)


def test_a_run_that_is_not_there_cannot_be_watched(stage: Stage) -> None:
    with pytest.raises(UsageError, match=r"^no run 'run-9' in this workspace"):
        next(watched(stage.journal, "run-9", state_of=lambda row: row.status, pause=lambda: None))
