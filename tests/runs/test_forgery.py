"""What somebody writes into the state database by hand is no decision."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import IntegrityError

if TYPE_CHECKING:
    from tests.runs.conftest import Stage


def _edit(stage: Stage, statement: str) -> None:
    with sqlite3.connect(stage.root / ".gtm" / "state.db") as connection:
        connection.execute(statement)
    connection.close()


def test_an_approval_that_nobody_gave_signs_nothing_off(stage: Stage) -> None:
    stage.start()
    assert stage.drive().status == "waiting"
    _edit(stage, "update questions set status = 'approved'")
    with pytest.raises(
        IntegrityError, match=r"^the questions of run-1 were changed: run-1/sign-off is not as"
    ):
        stage.drive(resumed=True)
    assert stage.journal.run("run-1").status == "waiting"


def test_somebody_who_wrote_themselves_among_the_approvers_decides_nothing(stage: Stage) -> None:
    stage.start()
    stage.drive()
    _edit(stage, "update questions set body = replace(body, 'priya', 'marco')")
    with pytest.raises(
        IntegrityError, match=r"^the questions of run-1 were changed: run-1/sign-off is not as"
    ):
        stage.decide("approved", who="marco")
    assert [r.kind for r in stage.journal.records("run-1")].count("decision") == 0


def test_nothing_goes_on_over_a_journal_whose_end_was_cut(stage: Stage) -> None:
    stage.start()
    stage.drive()
    events = stage.journal.run("run-1").seq
    _edit(stage, f"delete from events where seq = {events}")  # noqa: S608 - a number
    message = f"^the journal of run-1 ends at event {events - 1}, but {events} were written; restore"
    with pytest.raises(IntegrityError, match=message):
        stage.drive(resumed=True)
    with pytest.raises(IntegrityError, match=message):
        stage.decide("approved")
