"""The clocks of open questions: half-time reminders, deputies, the ladder, silence."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import IntegrityError, PolicyError

if TYPE_CHECKING:
    from tests.runs.conftest import Stage


def _asked(stage: Stage) -> None:
    stage.start()
    assert stage.drive().status == "waiting"


def test_nothing_is_due_before_half_the_time_is_gone(stage: Stage) -> None:
    _asked(stage)
    stage.pass_time(hours=35)
    assert stage.tick() == []


def test_an_approver_is_reminded_once_then_the_deputy_is_asked_then_silence_is_told(stage: Stage) -> None:
    _asked(stage)
    stage.pass_time(hours=37)
    assert stage.tick() == ["priya was reminded of run-1/sign-off, due 2026-11-04 09:00 UTC"]
    assert stage.tick() == []
    stage.pass_time(hours=36)
    assert stage.tick() == ["sign-off goes to elena, as deputy of priya: priya did not answer in time"]
    stage.pass_time(days=4)
    assert stage.tick() == [
        "nobody has answered run-1/sign-off: Nothing is signed and nothing changes; the ladder is asked"
    ]
    stage.pass_time(days=4)
    assert stage.tick() == []
    segment = stage.drive(resumed=True)
    assert (segment.status, segment.why) == (
        "escalated",
        "Nobody has answered run-1/sign-off, whoever was asked; nothing changes.",
    )


def test_nobody_counts_as_silent_who_was_never_asked(stage: Stage) -> None:
    _asked(stage)
    stage.pass_time(days=20)
    assert stage.tick() == ["sign-off goes to elena, as deputy of priya: priya did not answer in time"]
    (question,) = stage.journal.question_list(status="open")
    assert (question.due_at - stage.now).days == 3


def test_a_deputy_may_decide_once_asked_and_not_before(stage: Stage) -> None:
    _asked(stage)
    with pytest.raises(PolicyError, match="'elena' is not asked here"):
        stage.decide("approved", who="elena")
    stage.pass_time(days=4)
    stage.tick()
    assert stage.decide("approved", who="elena").status == "done"


def test_the_first_asked_may_still_answer_after_the_deadline(stage: Stage) -> None:
    _asked(stage)
    stage.pass_time(days=4)
    stage.tick()
    assert stage.decide("approved", who="priya").status == "done"


def test_what_an_approval_was_bound_to_expires_and_the_run_says_so(stage: Stage) -> None:
    _asked(stage)
    stage.pass_time(days=31)
    assert stage.tick() == ["run-1/sign-off can no longer be answered: what it was bound to expired"]
    segment = stage.drive(resumed=True)
    assert segment.outcomes["sign-off"].name == "timed_out"
    assert segment.status == "failed"


def test_what_the_clock_did_verifies_and_is_anchored_in_the_journal(stage: Stage) -> None:
    _asked(stage)
    stage.pass_time(days=4)
    stage.tick()
    stage.reopen()
    assert stage.journal.verify("run-1") == len(stage.journal.records("run-1"))
    record = stage.journal.records("run-1")[-1]
    assert record.kind == "question.advanced"
    assert record.body["missed"] == "2026-11-04T09:00:00+00:00"
    assert record.body["asked"] == ["elena"]


def test_a_changed_question_is_not_made_true_by_the_clock(stage: Stage) -> None:
    """Settling seals a question anew, so what it seals is compared with the journal first."""
    _asked(stage)
    with sqlite3.connect(stage.root / ".gtm" / "state.db") as connection:
        connection.execute("update questions set body = replace(body, '\"priya\"', '\"marco\"')")
    connection.close()
    stage.pass_time(days=4)
    before = len(stage.journal.records("run-1"))
    with pytest.raises(IntegrityError, match="the questions of run-1 were changed: run-1/sign-off is not as"):
        stage.tick()
    assert len(stage.journal.records("run-1")) == before


def test_a_deadline_that_was_moved_calls_nobody_silent(stage: Stage) -> None:
    _asked(stage)
    with sqlite3.connect(stage.root / ".gtm" / "state.db") as connection:
        connection.execute("update questions set due_at = '2020-01-01T00:00:00+00:00'")
    connection.close()
    with pytest.raises(IntegrityError, match="the questions of run-1 were changed"):
        stage.tick()
