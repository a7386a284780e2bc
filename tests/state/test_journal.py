from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import ConflictError, IntegrityError, StorageError, UsageError
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Entry, Journal, Question, RunRow

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(open_database(tmp_path / "state.db"), lambda: NOW)


def _run(run_id: str = "run-1") -> RunRow:
    return RunRow(run_id, "plan-1", 1, "d" * 64, "define-profiles", "PLG", "running", NOW, NOW, "marco")


def _filled(journal: Journal) -> None:
    journal.start(_run())
    journal.append("run-1", Entry("task.attempt", "1.1", {"agent": "a", "attempt": 1}))
    journal.append("run-1", Entry("task.outcome", "1.1", {"node": "1.1", "name": "ok"}), durable=True)


def _question(status: str = "open") -> Question:
    return Question(
        question_id="run-1/sign-off",
        run_id="run-1",
        node="sign-off",
        kind="approval",
        status=status,  # type: ignore[arg-type]  # a literal
        asked_at=NOW,
        due_at=NOW + timedelta(days=3),
        body={"approvers": ["priya"]},
    )


def test_a_journal_tells_what_happened_in_order(journal: Journal) -> None:
    _filled(journal)
    assert [(r.seq, r.kind, r.node) for r in journal.records("run-1")] == [
        (1, "run.started", ""),
        (2, "task.attempt", "1.1"),
        (3, "task.outcome", "1.1"),
    ]
    assert journal.verify("run-1") == 3


def test_another_process_reads_what_was_written(journal: Journal, tmp_path: Path) -> None:
    _filled(journal)
    other = Journal(open_database(tmp_path / "state.db"), lambda: NOW)
    other.append("run-1", Entry("task.attempt", "1.2", {"agent": "b", "attempt": 1}))
    journal.append("run-1", Entry("task.attempt", "1.3", {"agent": "c", "attempt": 1}))
    assert [r.node for r in journal.records("run-1")] == ["", "1.1", "1.1", "1.2", "1.3"]
    assert journal.verify("run-1") == 5


def test_a_run_of_an_id_is_started_once(journal: Journal) -> None:
    _filled(journal)
    with pytest.raises(ConflictError, match=r"^run 'run-1' exists already; see 'gtm runs list'$"):
        journal.start(_run())
    assert journal.verify("run-1") == 3


def test_a_status_is_written_once(journal: Journal) -> None:
    _filled(journal)
    journal.set_status("run-1", "waiting", why="for priya")
    journal.set_status("run-1", "waiting", why="for priya")
    assert journal.run("run-1").status == "waiting"
    assert [r.body for r in journal.records("run-1") if r.kind == "run.status"] == [
        {"status": "waiting", "why": "for priya"}
    ]


def test_a_question_and_its_event_are_written_together_or_not_at_all(journal: Journal) -> None:
    _filled(journal)
    with pytest.raises(ValueError, match="inf is not representable"):
        journal.append(
            "run-1", Entry("question.asked", "sign-off", {"a": float("inf")}), question=_question()
        )
    assert journal.question_list() == ()
    journal.append("run-1", Entry("question.asked", "sign-off", {}), question=_question(), durable=True)
    assert [q.question_id for q in journal.question_list(status="open")] == ["run-1/sign-off"]
    journal.append("run-1", Entry("decision", "sign-off", {}), question=_question("approved"), durable=True)
    assert journal.question_list(status="open") == ()


_TAMPERINGS = {
    "a body": "update events set body = replace(body, '\"ok\"', '\"no\"') where seq = 3",
    "a time": "update events set at = '2020-01-01T00:00:00+00:00' where seq = 2",
    "a node": "update events set node = '9.9' where seq = 2",
    "a kind": "update events set kind = 'task.attempt_failed' where seq = 2",
    "removed from the middle": "delete from events where seq = 2",
    "a cut tail": "delete from events where seq = 3",
    "a cut tail and its count": (
        "delete from events where seq = 3; update runs set seq = 2, head = "
        "(select hash from events where seq = 2)"
    ),
    "an order": "update events set seq = 9 where seq = 2; update events set seq = 2 where seq = 3",
}


@pytest.mark.parametrize("statement", list(_TAMPERINGS.values()), ids=list(_TAMPERINGS))
def test_a_changed_journal_is_noticed(journal: Journal, tmp_path: Path, statement: str) -> None:
    _filled(journal)
    head = journal.run("run-1").head
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.executescript(statement)
    connection.close()
    with pytest.raises(IntegrityError, match=r"journal"):
        journal.verify("run-1", anchors=[(3, head)])


def _edit(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "state.db") as connection:
        connection.executescript(statement)
    connection.close()


@pytest.mark.parametrize("statement", list(_TAMPERINGS.values())[:6], ids=list(_TAMPERINGS)[:6])
def test_nobody_is_told_of_a_changed_journal_as_if_it_were_whole(
    journal: Journal, tmp_path: Path, statement: str
) -> None:
    _filled(journal)
    _edit(tmp_path, statement)
    with pytest.raises(IntegrityError, match=r"the journal of run-1 (was changed at|ends at) event [23]"):
        journal.records("run-1")


_FORGERIES = {
    "an approval that nobody gave": "update questions set status = 'approved'",
    "other approvers": "update questions set body = replace(body, 'priya', 'marco')",
    "another deadline": "update questions set due_at = '2099-01-01T00:00:00+00:00'",
    "a removed question": "delete from questions",
    "an added question": (
        "insert into questions select 'run-1/more', run_id, node, kind, 'approved', asked_at, due_at, body "
        "from questions"
    ),
}


@pytest.mark.parametrize("statement", list(_FORGERIES.values()), ids=list(_FORGERIES))
def test_a_forged_question_is_noticed(journal: Journal, tmp_path: Path, statement: str) -> None:
    _filled(journal)
    journal.append("run-1", Entry("question.asked", "sign-off", {}), question=_question(), durable=True)
    assert journal.verify("run-1") == 4
    _edit(tmp_path, statement)
    with pytest.raises(IntegrityError, match=r"^the questions of run-1 were changed: run-1/"):
        journal.verify("run-1")


def test_a_decided_question_verifies_until_its_decision_is_changed(journal: Journal, tmp_path: Path) -> None:
    _filled(journal)
    journal.append("run-1", Entry("question.asked", "sign-off", {}), question=_question())
    journal.append("run-1", Entry("decision", "sign-off", {}), question=_question("rejected"), durable=True)
    assert journal.verify("run-1") == 5
    _edit(tmp_path, "update questions set status = 'approved'")
    with pytest.raises(IntegrityError, match="run-1/sign-off is not as the journal says it was asked or dec"):
        journal.verify("run-1")


def test_a_question_is_decided_once_whoever_comes_second(journal: Journal) -> None:
    """Two processes that both read the question as open: the second learns what the first has decided."""
    _filled(journal)
    journal.append("run-1", Entry("question.asked", "sign-off", {}), question=_question())
    journal.append("run-1", Entry("decision", "sign-off", {}), question=_question("rejected"), durable=True)
    message = r"^run-1/sign-off is closed already: rejected; see 'gtm approvals list --all'$"
    with pytest.raises(ConflictError, match=message):
        journal.append("run-1", Entry("decision", "sign-off", {}), question=_question("approved"))
    assert [q.status for q in journal.question_list()] == ["rejected"]
    assert journal.verify("run-1") == 5


@pytest.mark.parametrize(
    ("statement", "seen"),
    [
        ("update runs set status = 'done'", "its status is"),
        ("update runs set revision = 2, digest = 'e'", "its digest and revision are"),
        ("update runs set started_by = 'priya'", "its started_by is"),
    ],
)
def test_a_run_that_says_something_else_than_its_journal_is_noticed(
    journal: Journal, tmp_path: Path, statement: str, seen: str
) -> None:
    _filled(journal)
    journal.set_status("run-1", "waiting")
    _edit(tmp_path, statement)
    with pytest.raises(IntegrityError, match=f"^the row of run-1 was changed: {seen} not what the journal"):
        journal.verify("run-1")


def test_a_row_that_cannot_be_read_is_said_so(journal: Journal, tmp_path: Path) -> None:
    _filled(journal)
    journal.append("run-1", Entry("question.asked", "sign-off", {}), question=_question())
    _edit(tmp_path, "update questions set body = '{'; update runs set as_of = 'yesterday'")
    hint = "in the state database cannot be read; restore .gtm/state.db from a backup$"
    with pytest.raises(IntegrityError, match=f"^question 'run-1/sign-off' {hint}"):
        journal.question_list()
    with pytest.raises(IntegrityError, match=f"^run 'run-1' {hint}"):
        journal.run("run-1")


def test_a_rewritten_chain_is_noticed_by_the_head_that_the_plan_log_holds(
    journal: Journal, tmp_path: Path
) -> None:
    _filled(journal)
    head = journal.run("run-1").head
    other = Journal(open_database(tmp_path / "other.db"), lambda: NOW)
    other.start(_run())
    other.append("run-1", Entry("task.attempt", "1.1", {"agent": "a", "attempt": 1}))
    other.append("run-1", Entry("task.outcome", "1.1", {"node": "1.1", "name": "failed"}))
    assert other.verify("run-1") == 3
    with pytest.raises(IntegrityError, match="the plan log holds another head for event 3 of run-1"):
        other.verify("run-1", anchors=[(3, head)])


def test_what_is_not_there_is_said_so(journal: Journal) -> None:
    with pytest.raises(UsageError, match=r"^no run 'run-9' in this workspace; see 'gtm runs list'$"):
        journal.run("run-9")
    with pytest.raises(UsageError, match=r"^no question 'x'; see 'gtm approvals list'$"):
        journal.question("x")


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="the state database cannot be used: file is not a database"):
        open_database(tmp_path / "state.db")


def test_a_locked_plan_says_who_holds_it(tmp_path: Path) -> None:
    import os  # noqa: PLC0415 - one test needs it

    from gtm_orchestra.errors import BusyError  # noqa: PLC0415 - the same
    from gtm_orchestra.state.locks import held  # noqa: PLC0415 - the same

    with held(tmp_path, "plan-1"):
        with pytest.raises(BusyError) as raised, held(tmp_path, "plan-1"):
            pass
        assert raised.value.message.startswith(f"plan-1 is in use by process {os.getpid()} on ")
    with held(tmp_path, "plan-1"):
        pass
