"""The history of a workspace as an auditor asks for it."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.runs.conftest import PLAN_ID, Result, Stage

from gtm_orchestra.errors import SourceError
from gtm_orchestra.runs.escalation import over_history
from gtm_orchestra.runs.initiative import facts_of_runs
from gtm_orchestra.service.audit import COLUMNS, Audit, trail_csv
from gtm_orchestra.state.journal import RunRow

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.agents.registry import TaskContext

OTHER_PLAN = "plan-20261102T090000Z"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def _audit(stage: Stage) -> Audit:
    stage.reopen()
    return Audit(
        stage.root,
        config=stage.config,
        journal=stage.journal,
        plans=stage.plans,
        artifacts=stage.artifacts,
        halts=stage.halts,
    )


def _other(stage: Stage) -> None:
    """Make a second plan, of another initiative, with a run."""
    definition = stage.definition(plan_id=OTHER_PLAN, initiative="Renewal")
    revision = stage.plans.create(definition, change=stage.change("=2+5 planned"))
    started = stage.now
    row = RunRow(
        *("run-2", OTHER_PLAN, 1, revision.digest, "define-profiles", "Renewal", "running"),
        *(started, started, "marco"),
    )
    stage.journal.start(row)
    stage.drive("run-2")


def _facts(stage: Stage, initiative: str) -> dict[tuple[str, str, str], float]:
    runs = facts_of_runs(initiative, journal=stage.journal, plans=stage.plans, artifacts=stage.artifacts)
    return over_history(runs)


def _fails_once(stage: Stage) -> None:
    left = [1]

    def work(_ctx: TaskContext) -> Result:
        if left:
            left.pop()
            raise SourceError("the source is away")
        return stage.go()

    stage.work["profile-definition"] = work


def test_a_workspace_that_nobody_touched_verifies_as_a_whole(stage: Stage) -> None:
    stage.start()
    stage.drive()
    _other(stage)
    stage.control.pause(reason="audit week", actor="marco")
    checked = _audit(stage).verify()
    assert checked.ok
    assert checked.lines[-1] == "pauses and cancellations: 1, chain whole"
    assert {line.partition(": ")[0] for line in checked.lines[:-1]} == {PLAN_ID, OTHER_PLAN}


def test_every_finding_of_every_plan_is_told_at_once(stage: Stage) -> None:
    stage.start()
    stage.drive()
    _other(stage)
    stage.control.pause(reason="audit week", actor="marco")
    halts = stage.root / ".gtm" / "halts.jsonl"
    halts.write_bytes(halts.read_bytes().replace(b"audit week", b"audit work"))
    log = stage.root / ".claude" / "plans" / f"{PLAN_ID}.log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"asked for", b"asked fro"))
    (stage.root / ".claude" / "plans" / f"{OTHER_PLAN}.log.jsonl").unlink()
    checked = _audit(stage).verify()
    assert not checked.ok
    assert [line.partition("; ")[0] for line in checked.lines] == [
        f"{PLAN_ID}: plan log: {PLAN_ID}.log.jsonl was changed at entry 1 of 2",
        f"run-2: the log of its plan {OTHER_PLAN} is gone",
        "pauses and cancellations: halts.jsonl was changed at entry 1",
    ]


def test_every_event_and_revision_is_one_row(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.decide("approved")
    stage.control.pause(reason="audit week", actor="marco")
    rows = list(_audit(stage).trail())
    log, events = stage.plans.log_text(PLAN_ID), stage.journal.records("run-1")
    assert [row.hash for row in rows[:-1]] == [
        *(entry["hash"] for entry in log),
        *(event.hash for event in events),
    ]
    assert rows[-1].kind == "workspace.paused"
    decision = next(row for row in rows if row.kind == "decision")
    assert (decision.actor, decision.identity, decision.what, decision.why, decision.node) == (
        "priya",
        "claimed",
        "approved",
        "read it",
        "sign-off",
    )
    revision = rows[0]
    assert (revision.kind, revision.actor, revision.what, revision.why) == (
        "plan.revision",
        "marco",
        "planned",
        "asked for",
    )


def test_the_rows_of_one_initiative_since_a_moment(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.pass_time(days=1)
    _other(stage)
    audit = _audit(stage)
    assert {row.plan for row in audit.trail(initiative="Renewal")} == {OTHER_PLAN}
    assert {row.plan for row in audit.trail(since=stage.now)} == {OTHER_PLAN}
    assert list(audit.trail(since=stage.now + timedelta(seconds=1))) == []


def test_no_cell_of_the_csv_is_a_formula(stage: Stage) -> None:
    _other(stage)
    text = trail_csv(_audit(stage).trail()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["what"] == "'=2+5 planned"
    assert [cell for row in rows for cell in row.values() if cell[:1] in "=+-@" and cell] == []


def test_a_runs_figures_tell_what_it_took(stage: Stage) -> None:
    _fails_once(stage)
    stage.start()
    stage.drive()
    stage.pass_time(hours=3)
    stage.decide("approved")
    (one,) = _audit(stage).figures("PLG")
    assert (one.run.status, one.attempts, one.retries, one.interruptions, one.waits) == ("done", 10, 1, 0, 1)
    assert one.decided_after == (timedelta(hours=3),)
    assert (one.breaches, one.escalations) == ((), 0)
    assert _audit(stage).figures("Renewal") == ()


def test_an_initiatives_history_sums_its_runs_and_counts_what_has_fired(stage: Stage) -> None:
    blocker = {"finding_id": "f1", "severity": "blocker", "kind": "consent_gap", "message": ""}
    other = {**blocker, "finding_id": "f2"}
    stage.work["consent-review"] = lambda _ctx: stage.go(findings=(blocker, other))
    _fails_once(stage)
    stage.start()
    assert stage.drive().status == "escalated"
    first = stage.journal.run("run-1")
    values = {**first.__dict__, "run_id": "run-1b", "status": "running", "seq": 0, "head": "0" * 64}
    stage.journal.start(RunRow(**values))
    stage.drive("run-1b")
    facts = _facts(stage, "PLG")
    assert facts["blocked", "consent", "history"] == 4.0
    assert facts["failures", "profile-definition", "history"] == 1.0
    assert _facts(stage, "Renewal") == {}
    assert json.dumps(sorted(key[2] for key in facts)).count("history") == len(facts)
