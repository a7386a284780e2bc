"""Pausing everything, cancelling a run, and ending between two tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.runs.conftest import PLAN_ID, Stage

from gtm_orchestra.errors import ConflictError, IntegrityError, PausedError, PolicyError, UsageError
from gtm_orchestra.state.journal import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runs.conftest import Result

    from gtm_orchestra.agents.registry import TaskContext


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    made.start()
    return made


def _pauses_in(stage: Stage, kind: str) -> None:
    """Let somebody pause everything while a task of this kind is at work, from a process of their own."""

    def work(_ctx: TaskContext) -> Result:
        other = Stage(stage.root)
        other.control.pause(reason="the source is being moved", actor="marco")
        return stage.go()

    stage.work[kind] = work


def test_a_pause_lets_the_task_at_work_finish_and_begins_no_further_one(stage: Stage) -> None:
    _pauses_in(stage, "profile-definition")
    segment = stage.drive()
    why = "paused by marco since 2026-11-01 09:00 UTC: the source is being moved"
    assert (segment.status, segment.why) == ("paused", why)
    assert segment.outcomes["2.1"].name == "ok"
    assert {n: o.name for n, o in segment.outcomes.items() if n > "3"} == {
        **dict.fromkeys(["3.1", "3.2", "3.3", "4.1", "4.2", "gate-1", "gate-2", "sign-off"], "waiting"),
        "gate-1": "ok",
    }
    assert segment.outcomes["3.1"].note == why
    assert [task for task, _ in stage.calls if task > "2.1"] == []
    assert stage.journal.run("run-1").status == "paused"
    assert segment.questions == ()


def test_a_pause_outlives_its_process_and_nothing_starts_or_resumes(stage: Stage) -> None:
    stage.control.pause(reason="audit week", actor="marco")
    stage.reopen()
    with pytest.raises(PausedError) as raised:
        stage.control.refuse_if_paused()
    assert str(raised.value) == (
        "paused by marco since 2026-11-01 09:00 UTC: audit week; "
        'lift it with: gtm pause --off --reason "…" --as HANDLE'
    )
    assert raised.value.exit_code == 4


def test_a_lifted_pause_names_what_it_held_up_and_the_run_goes_on(stage: Stage) -> None:
    _pauses_in(stage, "profile-definition")
    stage.drive()
    stage.reopen()
    assert [row.run_id for row in stage.control.lift(reason="moved", actor="marco")] == ["run-1"]
    stage.control.refuse_if_paused()
    stage.calls.clear()
    assert stage.drive(resumed=True).status == "waiting"
    assert [task for task, _ in stage.calls] == ["3.1", "3.2", "3.3", "4.1", "4.2"]


def test_a_second_pause_changes_nothing_and_says_who_was_first(stage: Stage) -> None:
    stage.control.pause(reason="audit week", actor="marco")
    stage.pass_time(hours=1)
    again = stage.control.pause(reason="me too", actor="priya")
    assert (again.by, again.why, len(stage.halts.entries())) == ("marco", "audit week", 1)


def test_a_decision_is_taken_while_everything_is_paused_but_nothing_goes_on_from_it(stage: Stage) -> None:
    stage.drive()
    stage.control.pause(reason="audit week", actor="marco")
    # The sign-off is the last node, so that nothing is left to hold up.
    assert stage.decide("approved").status == "done"


def test_no_question_is_asked_while_everything_is_paused(stage: Stage) -> None:
    _pauses_in(stage, "plan-review")
    segment = stage.drive()
    assert (segment.status, segment.questions) == ("paused", ())
    assert segment.outcomes["4.2"].name == "ok"


def test_a_task_that_waited_for_its_slot_does_not_begin_after_a_pause(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "narrow")
    # Whichever of the three arms is first pauses everything; the others wait for its slot.
    for kind in ("activation-mapping", "measurability", "governance-plan"):
        _pauses_in(stage, kind)
    stage.start(parallelization=stage.definition().parallelization.model_copy(update={"max_concurrent": 1}))
    stage.drive()
    assert len([task for task, _ in stage.calls if task > "3"]) == 1


@pytest.mark.parametrize("what", ["pause", "lift", "cancel"])
def test_only_a_known_person_with_a_reason_has_control(stage: Stage, what: str) -> None:
    def act(who: str | None, why: str) -> None:
        match what:
            case "pause":
                stage.control.pause(reason=why, actor=who)
            case "lift":
                stage.control.lift(reason=why, actor=who)
            case _:
                stage.control.cancel("run-1", reason=why, actor=who)

    with pytest.raises(PolicyError, match=r"^'guest' is nobody in gtm\.toml \[people\]"):
        act(None, "because")
    with pytest.raises(UsageError, match="needs a reason"):
        act("marco", "  ")
    assert stage.halts.entries() == ()
    assert [r.kind for r in stage.journal.records("run-1")] == ["run.started"]


def test_what_is_not_paused_cannot_be_lifted(stage: Stage) -> None:
    with pytest.raises(UsageError) as raised:
        stage.control.lift(reason="go on", actor="marco")
    assert str(raised.value) == "nothing is paused; see 'gtm runs list'"


def test_a_cancelled_run_closes_its_questions_and_is_driven_no_more(stage: Stage) -> None:
    stage.drive()
    done = stage.control.cancel("run-1", reason="wrong audience", actor="marco")
    assert (done.news, done.run.status, done.closed, done.live) == (
        True,
        "cancelled",
        ("run-1/sign-off",),
        (),
    )
    assert stage.journal.question("run-1/sign-off").status == "superseded"
    event = next(r for r in stage.journal.records("run-1") if r.kind == "run.cancelled")
    assert event.body == {"why": "wrong audience", "by": "marco", "identity": "claimed"}
    stage.reopen()
    stage.journal.verify("run-1", anchors=stage.plans.heads(PLAN_ID, "run-1"))
    with pytest.raises(ConflictError) as raised:
        stage.drive(resumed=True)
    assert str(raised.value) == (
        "run-1 was cancelled; see 'gtm runs show'; run the command again for a new run"
    )


def test_to_cancel_again_changes_nothing(stage: Stage) -> None:
    stage.control.cancel("run-1", reason="wrong audience", actor="marco")
    events = len(stage.journal.records("run-1"))
    again = stage.control.cancel("run-1", reason="other", actor="priya")
    assert (again.news, again.why) == (False, "wrong audience")
    assert (len(stage.journal.records("run-1")), len(stage.halts.entries())) == (events, 1)


def test_a_cancellation_that_died_half_way_is_finished_by_the_same_command(stage: Stage) -> None:
    stage.drive()
    body = {"why": "wrong audience", "by": "marco", "identity": "claimed"}
    stage.journal.append("run-1", Entry("run.cancelled", "", body), durable=True)
    stage.reopen()
    done = stage.control.cancel("run-1", reason="again", actor="marco")
    assert (done.run.status, done.closed) == ("cancelled", ("run-1/sign-off",))
    assert stage.halts.cancelled("run-1") is not None


def test_a_run_at_work_stops_once_another_process_cancels_it(stage: Stage) -> None:
    def work(_ctx: TaskContext) -> Result:
        Stage(stage.root).control.cancel("run-1", reason="wrong audience", actor="marco")
        return stage.go()

    stage.work["profile-definition"] = work
    segment = stage.drive()
    assert (segment.status, segment.outcomes["2.1"].name) == ("cancelled", "ok")
    assert [task for task, _ in stage.calls if task > "2.1"] == []
    assert stage.journal.run("run-1").status == "cancelled"


def test_a_run_that_is_cancelled_in_its_last_task_stays_cancelled_and_asks_nobody(stage: Stage) -> None:
    def work(_ctx: TaskContext) -> Result:
        other = Stage(stage.root)
        other.journal.append("run-1", Entry("run.cancelled", "", {"why": "w", "by": "marco"}))
        # As if the notice that the process at work reads had come too late.
        other.journal.set_status("run-1", "cancelled", why="w")
        return stage.go()

    stage.work["plan-review"] = work
    segment = stage.drive()
    assert (segment.status, segment.questions) == ("cancelled", ())
    assert stage.journal.question("run-1/sign-off").status == "superseded"
    stage.journal.verify("run-1")


def test_what_has_ended_cannot_be_cancelled(stage: Stage) -> None:
    stage.drive()
    stage.decide("approved")
    with pytest.raises(ConflictError) as raised:
        stage.control.cancel("run-1", reason="too late", actor="marco")
    assert str(raised.value) == (
        "run-1 has ended already: done; there is nothing to cancel; "
        "'gtm runs ripcord' takes back what it has changed outside"
    )


def test_a_cancelled_run_says_what_is_live(stage: Stage) -> None:
    stage.deploy("4.1", "staging", key="k1")
    stage.deploy("4.1", "staging", key="k2", phase="intended")
    stage.deploy("4.1", "staging", key="k3", phase="undone")
    done = stage.control.cancel("run-1", reason="wrong audience", actor="marco")
    assert [(e.name, e.environment, e.certain) for e in done.live] == [
        ("publish k1 on sdk in staging", "staging", True),
        ("publish k2 on sdk in staging", "staging", False),
    ]


def test_a_process_that_is_told_to_end_finishes_what_is_at_work_and_the_run_can_be_resumed(
    stage: Stage,
) -> None:
    def work(_ctx: TaskContext) -> Result:
        stage.ending = "this process was told to end (SIGTERM)"
        return stage.go()

    stage.work["profile-definition"] = work
    segment = stage.drive()
    assert (segment.status, segment.why) == ("running", "this process was told to end (SIGTERM)")
    assert stage.journal.run("run-1").status == "running"
    assert segment.outcomes["2.1"].name == "ok"
    assert [task for task, _ in stage.calls if task > "2.1"] == []
    stage.ending = ""
    stage.reopen()
    stage.calls.clear()
    assert stage.drive(resumed=True).status == "waiting"
    assert [task for task, _ in stage.calls] == ["3.1", "3.2", "3.3", "4.1", "4.2"]


def test_a_changed_notice_is_noticed(stage: Stage) -> None:
    stage.control.pause(reason="audit week", actor="marco")
    path = stage.root / ".gtm" / "halts.jsonl"
    path.write_bytes(path.read_bytes().replace(b"marco", b"elena"))
    with pytest.raises(IntegrityError, match=r"^halts\.jsonl was changed at entry 1"):
        stage.control.refuse_if_paused()


def test_half_a_notice_counts_for_nothing(stage: Stage) -> None:
    path = stage.root / ".gtm" / "halts.jsonl"
    stage.control.pause(reason="audit week", actor="marco")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    stage.control.lift(reason="over", actor="marco")
    assert [halt.what for halt in stage.halts.entries()] == ["paused", "lifted"]
