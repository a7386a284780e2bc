"""What becomes of a task when everybody who may do it has failed, and of a gate that one arm fails."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.errors import ConflictError, PolicyError, SourceError, UsageError
from gtm_orchestra.plans.model import Waiver
from gtm_orchestra.policy.decisions import Actor
from gtm_orchestra.runs.courses import ladder_course, people_of
from gtm_orchestra.runs.ladder import waive

if TYPE_CHECKING:
    from tests.runs.conftest import Stage

    from gtm_orchestra.agents.registry import TaskContext


def _fails_until(stage: Stage, calls: int, kind: str = "profile-definition") -> None:
    left = [calls]

    def work(ctx: TaskContext) -> Any:  # noqa: ANN401 - a Result
        stage.seen.append((ctx.agent, ctx.earlier_error, ctx.change))
        if left[0]:
            left[0] -= 1
            raise SourceError("the source is away")
        return stage.go()

    stage.work[kind] = work


def test_a_task_that_all_have_failed_goes_to_the_first_rung_and_nothing_behind_it_is_given_up(
    stage: Stage,
) -> None:
    _fails_until(stage, 99)
    stage.start()
    segment = stage.drive()
    assert (segment.status, segment.why) == ("escalated", "2.1: the source is away. Asked: marco.")
    assert segment.outcomes["2.1"].note == "waits for run-1/2.1-remedy-1"
    assert segment.outcomes["3.1"].name == "waiting"
    question = segment.questions[0]
    assert question.body["action"] == (
        "say what becomes of 2.1 profile-definition, which has failed: the source is away"
    )
    assert question.body["options"] == ["retry", "retry-with-change", "take-substitute", "skip", "abort"]
    assert question.due_at - question.asked_at == timedelta(days=1)


def test_it_is_asked_once_however_often_the_run_is_taken_up(stage: Stage) -> None:
    _fails_until(stage, 99)
    stage.start()
    stage.drive()
    stage.reopen()
    assert stage.drive(resumed=True).status == "escalated"
    assert [r.kind for r in stage.journal.records("run-1")].count("question.asked") == 1
    assert len(stage.seen) == 6


def test_retry_tries_again_as_often_as_at_first(stage: Stage) -> None:
    _fails_until(stage, 6)
    stage.start()
    stage.drive()
    segment = stage.remedy("retry")
    assert segment.status == "waiting"
    assert (segment.outcomes["2.1"].name, segment.outcomes["2.1"].attempts) == ("ok", 1)


def test_a_retry_that_fails_again_is_asked_again(stage: Stage) -> None:
    _fails_until(stage, 99)
    stage.start()
    stage.drive()
    segment = stage.remedy("retry")
    assert [q.question_id for q in segment.questions] == ["run-1/2.1-remedy-2"]
    assert stage.remedy("abort", number=2).status == "failed"


def test_a_change_reaches_the_next_attempt(stage: Stage) -> None:
    _fails_until(stage, 6)
    stage.start()
    stage.drive()
    assert stage.remedy("retry-with-change", change="read last week's extract").status == "waiting"
    assert stage.seen[-1] == ("personalization-architect", "", "read last week's extract")


def test_with_modification_hands_the_error_of_the_attempt_before_over(stage: Stage) -> None:
    _fails_until(stage, 1)
    handling = stage.definition().error_handling.model_copy(update={"retry_strategy": "with-modification"})
    stage.start(error_handling=handling)
    stage.drive()
    assert [error for _, error, _ in stage.seen] == ["", "the source is away"]


def test_the_substitute_does_it_when_a_person_says_so(stage: Stage) -> None:
    _fails_until(stage, 6)
    stage.start()
    stage.drive()
    segment = stage.remedy("take-substitute", substitute="customer-data-engineer")
    assert segment.outcomes["2.1"].agent == "customer-data-engineer"
    assert segment.outcomes["2.1"].note == "done by the substitute customer-data-engineer"


def test_skip_waives_the_gate_in_which_the_arm_ends(stage: Stage) -> None:
    _fails_until(stage, 99, "measurability")
    stage.start()
    segment = stage.drive()
    assert segment.outcomes["gate-2"].name == "waiting"
    question = segment.questions[0].question_id
    segment = stage.remedy("skip", question=question)
    assert segment.status == "waiting"
    assert segment.outcomes["3.2"].note == "skipped by marco: seen to it"
    verdict = segment.outcomes["gate-2"].verdict
    assert verdict is not None
    assert verdict.decision == "go"
    assert list(verdict.waived) == ["3.2"]


def test_abort_fails_the_run_and_says_who_gave_it_up(stage: Stage) -> None:
    _fails_until(stage, 99)
    stage.start()
    stage.drive()
    segment = stage.remedy("abort")
    assert (segment.status, segment.why) == ("failed", "2.1 failed: the source is away")
    assert segment.outcomes["2.1"].note == "given up by marco: seen to it"
    assert segment.outcomes["3.1"].note == "not done, because 2.1 failed"


def test_other_arms_run_on_while_a_failed_task_waits_for_a_person(stage: Stage) -> None:
    _fails_until(stage, 99, "measurability")
    stage.start()
    segment = stage.drive()
    assert {n: segment.outcomes[n].name for n in ("3.1", "3.2", "3.3")} == {
        "3.1": "ok",
        "3.2": "waiting",
        "3.3": "ok",
    }


def test_without_anybody_on_the_ladder_it_fails_at_once(stage: Stage) -> None:
    _fails_until(stage, 99)
    stage.start(escalation_ladder=())
    assert stage.drive().status == "failed"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"who": "nobody-here"}, "'nobody-here' is not asked here"),
        ({"answer": "retry-with-change"}, "what should be done otherwise is not said"),
        ({"answer": "take-substitute", "substitute": "governance"}, "'governance' is no substitute of 2.1"),
        ({"answer": "approve-it"}, "'approve-it' cannot be answered here"),
    ],
)
def test_an_answer_that_cannot_be_taken_changes_nothing(
    stage: Stage, more: dict[str, Any], message: str
) -> None:
    _fails_until(stage, 99)
    stage.start()
    stage.drive()
    before = len(stage.journal.records("run-1"))
    with pytest.raises((UsageError, PolicyError)) as raised:
        stage.remedy(**{"answer": "retry", **more})
    assert raised.value.message == message
    assert len(stage.journal.records("run-1")) == before


def test_of_two_answers_the_second_is_told_that_it_is_closed(stage: Stage) -> None:
    _fails_until(stage, 6)
    stage.start()
    stage.drive()
    stage.remedy("retry")
    with pytest.raises(ConflictError, match="is closed already: answered"):
        stage.remedy("retry", who="elena")


def _waiver(stage: Stage, **changes: Any) -> Waiver:  # noqa: ANN401 - fields of Waiver
    fields = {
        "gate": "gate-2",
        "node": "3.2",
        "by": "priya",
        "reason": "measured by hand",
        "at": stage.now,
        "expires_at": stage.now + timedelta(days=2),
    }
    return Waiver.model_validate({**fields, **changes})


def _write(stage: Stage, waiver: Waiver, who: str = "priya") -> None:
    plan = stage.plans.latest("plan-20261101T090000Z").definition
    ladder = people_of(ladder_course(plan.escalation_ladder, stage.config, on=stage.now.date()))
    stage.journal.append(
        "run-1", waive(waiver, Actor(who, "claimed"), ladder=ladder, plan=plan), durable=True
    )


def _no_go_at_gate_2(stage: Stage) -> None:
    _fails_until(stage, 99, "measurability")
    stage.start(error_handling=stage.definition().error_handling.model_copy(update={"on_exhausted": "fail"}))
    segment = stage.drive()
    assert (segment.status, segment.why) == ("failed", "3.2 failed: the source is away")


def test_a_waiver_lets_the_gate_decide_again_and_what_it_held_back_is_done(stage: Stage) -> None:
    _no_go_at_gate_2(stage)
    _write(stage, _waiver(stage))
    segment = stage.drive(resumed=True)
    assert segment.status == "waiting"
    assert segment.outcomes["4.1"].name == "ok"
    assert segment.outcomes["3.2"].name == "failed"


def test_a_waiver_that_has_expired_waives_nothing(stage: Stage) -> None:
    _no_go_at_gate_2(stage)
    _write(stage, _waiver(stage))
    stage.pass_time(days=3)
    assert stage.drive(resumed=True).outcomes["gate-2"].name == "rejected"


@pytest.mark.parametrize(
    ("changes", "who", "message"),
    [
        ({"gate": "sign-off"}, "priya", "'sign-off' is no merge gate of this plan"),
        ({"node": "1.1"}, "priya", "'1.1' is no arm of gate-2"),
        ({"reason": " "}, "priya", "a waiver needs a reason"),
        ({}, "os:guest", "'guest' is nobody in [people]; unknown people decide nothing"),
    ],
)
def test_a_waiver_that_is_none_is_refused(
    stage: Stage, changes: dict[str, Any], who: str, message: str
) -> None:
    _no_go_at_gate_2(stage)
    with pytest.raises((UsageError, PolicyError)) as raised:
        _write(stage, _waiver(stage, **changes), who)
    assert raised.value.message == message


def test_a_waiver_that_would_have_expired_already_is_refused(stage: Stage) -> None:
    _no_go_at_gate_2(stage)
    with pytest.raises(UsageError, match="would have expired already"):
        _write(stage, _waiver(stage, expires_at=stage.now))


def test_the_plan_file_tells_what_failed_what_was_done_and_who_waived(stage: Stage) -> None:
    _fails_until(stage, 99, "measurability")
    stage.start()
    question = stage.drive().questions[0].question_id
    open_now = stage.plans.read_view("plan-20261101T090000Z")["remediation"]
    assert [(r["happened"], r["done"], r["left"]) for r in open_now] == [
        ("3.2 failed: the source is away", "asked", "marco must answer")
    ]
    stage.remedy("skip", question=question)
    view = stage.plans.read_view("plan-20261101T090000Z")
    assert [(r["done"], r["by"], r["left"]) for r in view["remediation"]] == [
        ("skip by marco: seen to it", "marco", "nothing")
    ]
    assert [(w["gate"], w["node"], w["by"], w["reason"]) for w in view["waivers"]] == [
        ("gate-2", "3.2", "marco", "seen to it")
    ]


def test_a_question_in_an_arm_that_the_gate_went_without_is_closed(stage: Stage) -> None:
    _fails_until(stage, 99, "measurability")
    gates = tuple(
        g.model_copy(update={"policy": g.policy.model_copy(update={"type": "quorum", "k": 2})})
        if g.gate_id == "gate-2"
        else g
        for g in stage.definition().gates
    )
    stage.start(gates=gates)
    segment = stage.drive()
    assert segment.status == "waiting"
    assert [q.question_id for q in segment.questions] == ["run-1/sign-off"]
    closed = stage.journal.question("run-1/3.2-remedy-1")
    assert closed.status == "superseded"
    stage.reopen()
    segment = stage.drive(resumed=True)
    assert (segment.status, segment.outcomes["3.2"].name) == ("waiting", "skipped")
    assert segment.outcomes["3.2"].note == "went on without it"
    assert stage.decide("approved").status == "done"
    assert stage.journal.verify("run-1") == len(stage.journal.records("run-1"))


def test_a_gate_with_a_deadline_goes_without_what_still_waits(stage: Stage) -> None:
    _fails_until(stage, 99, "measurability")
    gates = tuple(
        g.model_copy(update={"policy": g.policy.model_copy(update={"type": "veto", "deadline": "6h"})})
        if g.gate_id == "gate-2"
        else g
        for g in stage.definition().gates
    )
    stage.start(gates=gates)
    assert stage.drive().outcomes["gate-2"].name == "waiting"
    stage.pass_time(hours=5)
    assert stage.drive(resumed=True).outcomes["gate-2"].name == "waiting"
    stage.pass_time(hours=1)
    segment = stage.drive(resumed=True)
    assert segment.outcomes["gate-2"].name == "ok"
    assert segment.outcomes["gate-2"].note.startswith("go without 3.2: ")
    assert segment.status == "waiting"
