"""`gtm plan verify` says all that does not agree, and only that."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.runs.conftest import PLAN_ID, Stage

from gtm_orchestra.service.inspection import verify_plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    made.start()
    made.drive()
    return made


def _wrong(stage: Stage) -> list[str]:
    stage.reopen()
    verification = verify_plan(stage.plans, stage.journal, PLAN_ID, root=stage.root, config=stage.config)
    lines = [
        line for line in verification.lines if "chain whole" not in line and "as the log says" not in line
    ]
    assert verification.ok == (not lines)
    return lines


def test_a_plan_that_nobody_touched_verifies_at_every_step(stage: Stage) -> None:
    assert _wrong(stage) == []
    stage.decide("approved")
    assert _wrong(stage) == []


def test_a_state_database_that_is_gone_is_missed(stage: Stage) -> None:
    with sqlite3.connect(stage.root / ".gtm" / "state.db") as connection:
        for table in ("questions", "events", "runs"):
            connection.execute(f"delete from {table}")  # noqa: S608 - a name of ours
    connection.close()
    assert _wrong(stage) == ["journal of run-1: gone, but the plan log tells of it; restore .gtm/state.db"]


def test_a_plan_log_that_was_cut_at_a_line_is_missed_once_the_run_has_ended(stage: Stage) -> None:
    stage.decide("approved")
    log = stage.root / ".claude" / "plans" / f"{PLAN_ID}.log.jsonl"
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    assert _wrong(stage) == [
        (
            "journal of run-1: has seen an entry of the plan log, at event 28, which the log no longer "
            "holds; the log was cut or rewritten; restore it from version control"
        )
    ]


def test_a_revision_that_was_cut_from_the_log_is_missed_by_the_run_that_executed_it(stage: Stage) -> None:
    log = stage.root / ".claude" / "plans" / f"{PLAN_ID}.log.jsonl"
    log.unlink()
    other = stage.definition().model_copy(update={"inputs": {"initiative": "PLG", "timeline": "Q1"}})
    stage.plans.create(other, change=stage.change("planned anew"))
    assert (
        "journal of run-1: executes revision 1, which the plan log does not hold; the log was cut or "
        "rewritten; restore it from version control"
    ) in _wrong(stage)


def test_an_emptied_plan_log_is_said_so(stage: Stage) -> None:
    (stage.root / ".claude" / "plans" / f"{PLAN_ID}.log.jsonl").write_bytes(b"")
    assert _wrong(stage) == [
        f"plan log: {PLAN_ID}.log.jsonl holds no revision: it was cut; restore it from version control"
    ]
