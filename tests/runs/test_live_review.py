from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.plans.outcome import Outcome
from gtm_orchestra.plans.review import Review
from gtm_orchestra.runs.history import History
from gtm_orchestra.runs.live_review import live_review

if TYPE_CHECKING:
    from tests.runs.conftest import Stage

PASSED = Review(passed=True, checked=(), findings=())


def _review(stage: Stage, history: History, *, without_decisions: bool = False) -> list[tuple[str, str]]:
    records = stage.journal.records("run-1")
    review = live_review(
        PASSED,
        stage.definition(),
        "4.2",
        history=history,
        questions=stage.journal.question_list(run_id="run-1"),
        records=[r for r in records if not (without_decisions and r.kind == "decision")],
    )
    assert review.passed == (not review.findings)
    return [(finding.path, finding.message) for finding in review.findings]


def test_a_plan_whose_tasks_have_delivered_may_be_signed(stage: Stage) -> None:
    stage.start()
    stage.drive()
    assert _review(stage, History.of(stage.journal.records("run-1"))) == []


def test_a_task_that_has_not_delivered_blocks_the_signature(stage: Stage) -> None:
    stage.start()
    stage.drive()
    history = History.of(stage.journal.records("run-1"))
    history.outcomes["3.2"] = Outcome(node="3.2", name="timed_out")
    del history.outcomes["gate-2"]
    assert _review(stage, history) == [
        ("progress.3.2", "3.2 is timed out"),
        ("progress.gate-2", "gate-2 is not done"),
    ]


def test_an_approval_that_the_journal_does_not_hold_blocks_it(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.decide("approved")
    history = History.of(stage.journal.records("run-1"))
    assert _review(stage, history) == []
    assert _review(stage, history, without_decisions=True) == [
        (
            "approvals.run-1/sign-off",
            "run-1/sign-off counts as approved, but the journal holds no such decision",
        )
    ]
