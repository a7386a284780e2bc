from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import (
    BlockedError,
    BusyError,
    ConflictError,
    PolicyError,
    SourceError,
    UsageError,
)
from gtm_orchestra.plans.model import ErrorHandling
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runs.conftest import Result, Stage

    from gtm_orchestra.agents.registry import TaskContext

FAIL_AT_ONCE = ErrorHandling(on_exhausted="fail")
TASKS = ["1.1", "1.2", "1.3", "2.1", "3.1", "3.2", "3.3", "4.1", "4.2"]


def _fails(stage: Stage, times: int, error: Exception) -> Callable[[TaskContext], Result]:
    left = [times]

    def work(_ctx: TaskContext) -> Result:
        if left[0]:
            left[0] -= 1
            raise error

        return stage.go()

    return work


def test_a_run_ends_at_the_sign_off_and_goes_on_after_it(stage: Stage) -> None:
    stage.start()
    segment = stage.drive()
    assert (segment.status, segment.why) == ("waiting", "sign-off waits for priya")
    assert {node: o.name for node, o in segment.outcomes.items()} == {
        **dict.fromkeys([*TASKS, "gate-1", "gate-2"], "ok"),
        "sign-off": "waiting",
    }
    stage.reopen()
    assert stage.decide("approved").status == "done"
    assert sorted({task for task, _ in stage.calls}) == TASKS
    assert len(stage.calls) == len(TASKS)


def test_what_is_finished_is_served_not_done_again(stage: Stage) -> None:
    stage.start()
    stage.drive()
    before = list(stage.calls)
    stage.reopen()
    assert stage.drive(resumed=True).status == "waiting"
    assert stage.calls == before


def test_a_result_that_is_gone_is_made_again(stage: Stage) -> None:
    stage.start()
    first = stage.drive().outcomes["2.1"].output
    stage.damage()
    stage.calls.clear()
    stage.reopen()
    assert stage.drive(resumed=True).outcomes["2.1"].output == first
    # The small handlers return the same bytes: made again once, they are there for all.
    assert sorted(task for task, _ in stage.calls) == ["1.1", "1.2"]
    assert stage.artifacts.has(first)


def test_two_retries_are_three_attempts_then_the_substitute_does_it(stage: Stage) -> None:
    stage.work["profile-definition"] = _fails(stage, 3, SourceError("the source is away"))
    stage.start()
    outcome = stage.drive().outcomes["2.1"]
    assert (outcome.name, outcome.agent, outcome.attempts) == ("ok", "customer-data-engineer", 4)
    assert outcome.note == "done by the substitute customer-data-engineer"
    assert [agent for task, agent in stage.calls if task == "2.1"] == [
        *["personalization-architect"] * 3,
        "customer-data-engineer",
    ]
    assert stage.pauses == [0.2, 0.4, 0.8]


def test_an_owner_who_is_away_is_stood_in_for_at_once(stage: Stage) -> None:
    stage.unavailable["personalization-architect"] = "out of office"
    stage.start()
    outcome = stage.drive().outcomes["2.1"]
    assert (outcome.agent, outcome.attempts) == ("customer-data-engineer", 1)
    assert outcome.note == (
        "personalization-architect is unavailable: out of office; "
        "done by the substitute customer-data-engineer"
    )


def test_when_the_substitute_fails_too_the_run_says_so_and_skips_the_rest(stage: Stage) -> None:
    stage.work["profile-definition"] = _fails(stage, 99, SourceError("the source is away"))
    stage.start(error_handling=FAIL_AT_ONCE)
    segment = stage.drive()
    assert (segment.status, segment.why) == ("failed", "2.1 failed: the source is away")
    assert segment.outcomes["2.1"].attempts == 6
    assert segment.outcomes["3.1"].note == "not done, because 2.1 failed"
    assert segment.outcomes["4.1"].name == "skipped"
    assert segment.outcomes["sign-off"].name == "skipped"
    assert segment.questions == ()


def test_attempts_are_counted_across_processes(stage: Stage) -> None:
    stage.work["profile-definition"] = _fails(stage, 2, SourceError("away"))
    stage.start()

    class Killed(BaseException):
        pass

    def dies(_ctx: TaskContext) -> Result:
        raise Killed

    attempts = {"n": 0}
    first = stage.work["profile-definition"]

    def third_dies(ctx: TaskContext) -> Result:
        attempts["n"] += 1
        return dies(ctx) if attempts["n"] == 3 else first(ctx)

    stage.work["profile-definition"] = third_dies
    with pytest.raises(BaseException):  # noqa: B017, PT011 - the runtime may wrap what a killed process would be
        stage.drive()
    stage.reopen()
    outcome = stage.drive(resumed=True).outcomes["2.1"]
    assert (outcome.name, outcome.attempts, outcome.agent) == ("ok", 3, "personalization-architect")
    kinds = [r.kind for r in stage.journal.records("run-1") if r.node == "2.1"]
    assert kinds == [
        *["task.attempt", "task.attempt_failed"] * 2,
        "task.attempt",
        "task.interrupted",
        "task.attempt",
        "task.outcome",
    ]


def test_a_task_that_kills_its_process_again_and_again_is_given_up(stage: Stage) -> None:
    class Killed(BaseException):
        pass

    def dies(_ctx: TaskContext) -> Result:
        raise Killed

    stage.work["profile-definition"] = dies
    stage.start(error_handling=FAIL_AT_ONCE)
    for _ in range(31):
        try:
            segment = stage.drive(resumed=True)
            break
        except BaseException as error:  # noqa: BLE001 - what a killed process would be
            assert "Killed" in repr(error)  # noqa: PT017 - it is not expected in the last round
            stage.reopen()
    assert segment.status == "failed"
    assert segment.outcomes["2.1"].error == "all 6 attempts had failed before this process took over"


def test_a_task_that_hangs_times_out(stage: Stage) -> None:
    stages = json.loads(stage.definition().model_dump_json())["stages"]
    stages[1]["tasks"][0].update(timeout_s=1, substitutes=[])

    def hangs(_ctx: TaskContext) -> Result:
        deadline = time.monotonic() + 1.2
        while time.monotonic() < deadline:
            pass
        raise AssertionError

    stage.work["profile-definition"] = hangs
    definition = stage.definition()
    hanging = type(definition).model_validate({**definition.model_dump(mode="json"), "stages": stages})
    no_retries = FAIL_AT_ONCE.model_copy(update={"max_retries": 0})
    stage.start(stages=hanging.stages, error_handling=no_retries)
    segment = stage.drive()
    assert segment.outcomes["2.1"].name == "timed_out"
    assert segment.outcomes["2.1"].error == "no result after 1 s"
    assert segment.outcomes["sign-off"].name == "skipped"


def test_no_channel_left_blocks_the_run(stage: Stage) -> None:

    no = stage.go(channels=({"channel": "web", "go": False, "why": "consent is 40 %"},))
    stage.work["consent-review"] = lambda _ctx: no
    stage.start()
    segment = stage.drive()
    assert segment.status == "blocked"
    assert segment.why == "gate-1: no-go: none of the channels can be used (web: consent is 40 %)"
    assert segment.outcomes["2.1"].name == "skipped"
    assert [task for task, _ in stage.calls if task > "2"] == []


def test_a_no_is_not_retried(stage: Stage) -> None:
    stage.work["plan-review"] = _fails(stage, 99, BlockedError("the ladder is empty"))
    stage.start()
    segment = stage.drive()
    assert (segment.status, segment.why) == ("rejected", "4.2: the ladder is empty")
    assert [task for task, _ in stage.calls].count("4.2") == 1
    assert segment.questions == ()


def test_a_foreign_errors_own_words_are_never_repeated(stage: Stage) -> None:
    stage.work["attribute-inventory"] = _fails(stage, 99, ValueError("could not convert 'ann@example.com'"))
    stage.start(error_handling=FAIL_AT_ONCE)
    segment = stage.drive()
    assert segment.outcomes["1.2"].error.startswith("attribute-inventory stopped with ValueError")
    everything = (stage.root / ".gtm" / "state.db").read_bytes() + b"".join(
        path.read_bytes() for path in (stage.root / ".claude").rglob("*") if path.is_file()
    )
    assert b"ann@example.com" not in everything


def test_what_failed_is_tried_afresh_when_a_person_resumes(stage: Stage) -> None:
    stage.work["profile-definition"] = _fails(stage, 6, SourceError("away"))
    stage.start(error_handling=FAIL_AT_ONCE)
    assert stage.drive().status == "failed"
    stage.reopen()
    stage.calls.clear()
    segment = stage.drive(resumed=True, retry=True)
    assert segment.status == "waiting"
    assert [task for task, _ in stage.calls if task < "2"] == []
    assert segment.outcomes["2.1"].attempts == 1


def test_a_plan_that_has_moved_on_is_not_run(stage: Stage) -> None:
    stage.start()
    changed = stage.definition(channels=("web", "email"))
    stage.plans.revise(changed, expected=1, change=stage.change("added email"))
    with pytest.raises(ConflictError) as raised:
        stage.drive()
    assert str(raised.value) == (
        "run-1 executes revision 1; its plan is at revision 2; "
        "what was approved must be what runs. To see what it would keep: gtm runs move run-1 --dry-run; "
        'to move it over: gtm runs move run-1 --reason "…"; or run gtm define-profiles again for a new run'
    )
    assert stage.calls == []


def test_a_second_process_on_a_plan_is_told_who_is_at_work(stage: Stage) -> None:
    stage.start()
    with (
        held(stage.root / ".gtm" / "locks", "plan-20261101T090000Z.run"),
        pytest.raises(BusyError, match=r"plan-20261101T090000Z\.run is in use by process \d+ on"),
    ):
        stage.drive()


def test_history_verifies_and_the_log_holds_the_journals_head(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.decide("approved")
    anchors = stage.plans.anchors("plan-20261101T090000Z")
    assert len(anchors) == 2
    stage.journal.verify("run-1", anchors=[(a.seq, a.head) for a in anchors])
    row = stage.journal.run("run-1")
    assert (row.seq, row.head) == (anchors[-1].seq, anchors[-1].head)


class TestDecisions:
    def test_a_rejection_ends_the_run(self, stage: Stage) -> None:
        stage.start()
        stage.drive()
        segment = stage.decide("rejected")
        assert (segment.status, segment.why) == ("rejected", "sign-off: rejected")

    def test_changes_requested_end_the_run_unsigned(self, stage: Stage) -> None:
        stage.start()
        stage.drive()
        assert stage.decide("changes-requested").why == "sign-off: changes requested"

    @pytest.mark.parametrize(
        ("who", "message"),
        [
            ("marco", "'marco' is not asked here; it is for priya to decide"),
            ("os:mallory", "'mallory' is nobody in [people]; unknown people decide nothing"),
        ],
    )
    def test_only_those_who_are_asked_decide(self, stage: Stage, who: str, message: str) -> None:
        stage.start()
        stage.drive()
        with pytest.raises(PolicyError) as raised:
            stage.decide("approved", who=who)
        assert str(raised.value).startswith(message)
        assert stage.journal.question("run-1/sign-off").status == "open"

    def test_a_decision_is_taken_once(self, stage: Stage) -> None:
        stage.start()
        stage.drive()
        stage.decide("approved")
        with pytest.raises(ConflictError, match=r"^run-1/sign-off is closed already: approved; "):
            stage.decide("rejected")

    def test_a_plan_that_changed_after_the_question_cannot_be_approved(self, stage: Stage) -> None:
        stage.start()
        stage.drive()
        stage.plans.revise(
            stage.definition(channels=("email",)), expected=1, change=stage.change("other channel")
        )
        with pytest.raises(ConflictError, match="is at revision 2 now; the question is about revision 1"):
            stage.decide("approved")

    def test_a_question_expires(self, stage: Stage) -> None:
        stage.start()
        stage.drive()
        stage.pass_time(days=31)
        with pytest.raises(ConflictError, match="run-1/sign-off has expired on 2026-12-01"):
            stage.decide("approved")

    def test_outputs_that_changed_after_the_question_cannot_be_approved(self, stage: Stage) -> None:
        stage.start()
        output = stage.drive().outcomes["4.1"].output
        stage.damage(output)
        with pytest.raises(ConflictError) as raised:
            stage.decide("approved")
        assert raised.value.message.endswith("are no longer what was asked about")

    def test_a_decision_needs_a_reason(self, stage: Stage) -> None:
        from gtm_orchestra.policy.decisions import Actor  # noqa: PLC0415 - one test needs it
        from gtm_orchestra.runs.questions import Decision, decide  # noqa: PLC0415 - the same

        stage.start()
        stage.drive()
        with pytest.raises(UsageError, match="a decision needs a reason"):
            decide(
                Decision("run-1/sign-off", "approved", Actor("priya", "claimed"), "  "),
                journal=stage.journal,
                plans=stage.plans,
                artifacts=stage.artifacts,
                config=stage.config,
                clock=lambda: stage.now,
            )


class _Connection:
    """Stands for the customer data: counts who opens and closes it."""

    def __init__(self, log: list[str]) -> None:
        self._log = log
        self._log.append("opened")

    def close(self) -> None:
        self._log.append("closed")


def test_the_tasks_of_a_segment_share_one_connection_and_a_failed_attempt_gets_a_new_one(
    stage: Stage,
) -> None:
    log: list[str] = []
    seen: list[object] = []
    stage.open_warehouse = lambda: _Connection(log)
    left = [1]

    def reads(ctx: TaskContext) -> Result:
        seen.append(ctx.open_warehouse())
        if ctx.task_id == "2.1" and left[0]:
            left[0] -= 1
            raise SourceError("away")
        return stage.go()

    for kind in ("objective-intake", "consent-review", "profile-definition", "measurability"):
        stage.work[kind] = reads
    stage.reopen()
    stage.start()
    assert stage.drive().status == "waiting"
    assert len(seen) == 5
    assert len(set(map(id, seen))) == 2
    assert log == ["opened", "opened", "closed"]
