"""Going back to a task, and moving a run over to a new revision of its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.runs.conftest import PLAN_ID, Stage

from gtm_orchestra.errors import (
    BlockedError,
    BusyError,
    ConflictError,
    IntegrityError,
    PolicyError,
    UsageError,
)
from gtm_orchestra.runs.questions import supersede
from gtm_orchestra.service.inspection import verify_plan
from gtm_orchestra.state.journal import Entry
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.plans.model import PlanDefinition


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    made.start()
    assert made.drive().status == "waiting"
    made.calls.clear()
    return made


def _edited(stage: Stage, task_id: str, **changes: Any) -> PlanDefinition:  # noqa: ANN401 - fields of a task
    document = stage.definition().model_dump(mode="json")
    for part in document["stages"]:
        for task in part["tasks"]:
            if task["task_id"] == task_id:
                task.update(changes)
    return type(stage.definition()).model_validate(document)


def _revise(stage: Stage, **changes: Any) -> None:  # noqa: ANN401 - fields of task 3.1
    changed = _edited(stage, "3.1", **(changes or {"purpose": "Map them otherwise."}))
    stage.plans.revise(changed, expected=1, change=stage.change("mapped otherwise"))


def _verified(stage: Stage) -> bool:
    stage.reopen()
    stage.driver.refresh_view(PLAN_ID)
    return verify_plan(stage.plans, stage.journal, PLAN_ID, root=stage.root, config=stage.config).ok


def test_from_a_task_on_everything_is_done_again_and_asked_anew(stage: Stage) -> None:
    nodes = stage.control.rewind("run-1", "3.1", reason="new mapping table", actor="marco")
    assert nodes == ("3.1", "gate-2", "4.1", "4.2", "sign-off")
    assert stage.journal.question("run-1/sign-off").status == "superseded"
    stage.reopen()
    segment = stage.drive(resumed=True)
    assert [task for task, _ in stage.calls] == ["3.1", "4.1", "4.2"]
    assert [q.question_id for q in segment.questions] == ["run-1/sign-off-2"]
    event = next(r for r in stage.journal.records("run-1") if r.kind == "run.rewound")
    assert event.body == {
        "nodes": list(nodes),
        "from": "3.1",
        "why": "new mapping table",
        "by": "marco",
        "identity": "claimed",
        "asked_anew": ["run-1/sign-off"],
    }
    assert stage.decide("approved", question="run-1/sign-off-2").status == "done"
    assert _verified(stage)


def test_a_yes_does_not_outlive_the_work_that_it_was_about(stage: Stage) -> None:
    assert stage.decide("changes-requested").status == "rejected"
    stage.control.rewind("run-1", "2.1", reason="as asked for", actor="marco")
    segment = stage.drive(resumed=True)
    assert (segment.status, [q.question_id for q in segment.questions]) == (
        "waiting",
        ["run-1/sign-off-2"],
    )


def test_a_rewind_that_died_half_way_asks_again_and_rejects_nothing(stage: Stage) -> None:
    question = stage.journal.question("run-1/sign-off")
    supersede(question, journal=stage.journal, why="3.1 is done again", anew=True)
    stage.reopen()
    segment = stage.drive(resumed=True)
    assert (segment.status, [q.question_id for q in segment.questions]) == (
        "waiting",
        ["run-1/sign-off-2"],
    )
    assert stage.calls == []


def test_an_attempt_that_failed_before_counts_no_more_after_a_rewind(stage: Stage) -> None:
    entry = Entry("task.attempt_failed", "3.1", {"agent": "a", "attempt": 1, "error": "away"})
    stage.journal.append("run-1", entry)
    stage.control.rewind("run-1", "3.1", reason="again", actor="marco")
    assert stage.drive(resumed=True).outcomes["3.1"].attempts == 1


def test_nothing_is_done_again_under_what_is_live(stage: Stage) -> None:
    stage.deploy("4.1", "staging")
    with pytest.raises(BlockedError) as raised:
        stage.control.rewind("run-1", "3.1", reason="again", actor="marco")
    assert str(raised.value) == (
        "publish k on sdk in staging by 4.1 is live: 3.1 cannot be done again under it; "
        'take it back first: gtm runs ripcord run-1 --reason "…"'
    )
    assert stage.journal.question("run-1/sign-off").status == "open"
    # What comes after it may be.
    assert stage.control.rewind("run-1", "4.2", reason="again", actor="marco") == ("4.2", "sign-off")


def test_what_lies_inside_the_workspace_is_no_obstacle(stage: Stage) -> None:
    stage.deploy("4.1", "")
    assert "4.1" in stage.control.rewind("run-1", "3.1", reason="again", actor="marco")


def test_a_rewind_needs_a_task_of_the_plan_and_a_run_that_is_not_over(stage: Stage) -> None:
    with pytest.raises(UsageError, match=r"^'9\.9' is no task or gate of plan-2026"):
        stage.control.rewind("run-1", "9.9", reason="again", actor="marco")
    with pytest.raises(PolicyError, match="'guest' is nobody"):
        stage.control.rewind("run-1", "3.1", reason="again")
    with (
        held(stage.root / ".gtm" / "locks", f"{PLAN_ID}.run"),
        pytest.raises(BusyError, match="is in use by process"),
    ):
        stage.control.rewind("run-1", "3.1", reason="again", actor="marco")
    stage.decide("approved")
    with pytest.raises(ConflictError) as raised:
        stage.control.rewind("run-1", "3.1", reason="again", actor="marco")
    assert str(raised.value) == "run-1 is over: done; run gtm define-profiles again for a new run"


def test_a_moved_run_keeps_what_has_not_changed_and_asks_about_the_new_plan(stage: Stage) -> None:
    _revise(stage)
    with pytest.raises(ConflictError, match="executes revision 1; its plan is at revision 2"):
        stage.drive(resumed=True)
    found = stage.control.move("run-1", reason="new mapping table", actor="marco")
    assert found.nodes("kept") == ("1.1", "1.2", "1.3", "2.1", "3.2", "3.3", "gate-1")
    assert found.nodes("again") == ("3.1", "4.1", "4.2", "gate-2")
    assert found.nodes("open") == ("sign-off",)
    row = stage.journal.run("run-1")
    assert (row.revision, row.digest) == (2, stage.plans.latest(PLAN_ID).digest)
    assert stage.journal.question("run-1/sign-off").status == "superseded"
    stage.reopen()
    segment = stage.drive(resumed=True)
    assert [task for task, _ in stage.calls] == ["3.1", "4.1", "4.2"]
    question = segment.questions[0]
    assert (question.question_id, question.body["binding"]["revision"]) == ("run-1/sign-off-2", 2)
    assert stage.decide("approved", question="run-1/sign-off-2").status == "done"
    assert _verified(stage)
    event = next(r for r in stage.journal.records("run-1") if r.kind == "run.moved")
    assert {name: event.body[name] for name in ("from", "to", "by", "why", "again", "void")} == {
        "from": 1,
        "to": 2,
        "by": "marco",
        "why": "new mapping table",
        "again": ["3.1", "4.1", "4.2", "gate-2"],
        "void": [],
    }
    assert event.body["reasons"]["3.1"] == "its purpose changed"


def test_a_planned_move_changes_nothing(stage: Stage) -> None:
    _revise(stage)
    before = (stage.journal.records("run-1"), stage.journal.run("run-1"))
    assert stage.control.planned_move("run-1").refusals == ()
    assert (stage.journal.records("run-1"), stage.journal.run("run-1")) == before


def test_a_run_at_the_latest_revision_is_not_moved(stage: Stage) -> None:
    with pytest.raises(UsageError) as raised:
        stage.control.move("run-1", reason="why not", actor="marco")
    assert str(raised.value) == (
        "run-1 executes revision 1 already, which is the latest; go on with: gtm runs resume run-1"
    )


def test_a_move_that_would_leave_something_live_without_its_task_is_refused(stage: Stage) -> None:
    stage.deploy("4.1", "production")
    _revise(stage)
    with pytest.raises(BlockedError) as raised:
        stage.control.move("run-1", reason="new mapping table", actor="marco")
    assert str(raised.value).startswith("run-1 cannot be moved: 4.1 is done again (")
    assert stage.journal.run("run-1").revision == 1
    assert stage.journal.question("run-1/sign-off").status == "open"


def test_a_result_of_a_task_that_is_gone_is_no_longer_published(stage: Stage) -> None:
    document = stage.definition().model_dump(mode="json")
    stages = [s for s in document["stages"] if s["stage_id"] != "2"]
    for task in (t for s in stages for t in s["tasks"]):
        task["dependencies"] = [d if d != "2.1" else "gate-1" for d in task["dependencies"]]
    changed = type(stage.definition()).model_validate({**document, "stages": stages})
    stage.plans.revise(changed, expected=1, change=stage.change("no profiles"))
    found = stage.control.move("run-1", reason="no profiles", actor="marco")
    assert [m.why for m in found.moves if m.node == "2.1"] == ["gone from the plan"]
    segment = stage.drive(resumed=True)
    assert segment.status == "waiting"
    assert "2.1" not in segment.outcomes
    assert not any("profiles" in name for name in segment.questions[0].body["binding"]["artifacts"])


def test_a_row_that_was_moved_by_hand_is_noticed(stage: Stage) -> None:
    _revise(stage)
    stage.control.move("run-1", reason="new mapping table", actor="marco")
    stage.journal.verify("run-1")

    entry = Entry("run.resumed", "", {"retry": False})
    stage.journal.move("run-1", entry, revision=1, digest=stage.plans.revisions(PLAN_ID)[0].digest)
    with pytest.raises(IntegrityError, match="its digest and revision are not what the journal says"):
        stage.journal.verify("run-1")
