"""The journal: what happened in each run, append-only and hash-chained per run.

Attempts, outcomes, gate verdicts, questions and decisions. Durability has one owner, and it is this: a
resumed run invokes its graph again and serves what is finished from here.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from gtm_orchestra.errors import ConflictError, IntegrityError, UsageError
from gtm_orchestra.plans.parse import canonical_json
from gtm_orchestra.state.database import events, prepared, questions, reading, runs
from gtm_orchestra.state.results import ResultTable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from gtm_orchestra.plans.model import QuestionStatus

    # Runs one statement with its values inside a transaction; returns what rows are fetched from.
    _Execute = Callable[[Any, Mapping[str, object]], Any]

__all__ = ["Entry", "EventKind", "Journal", "Question", "Record", "RunRow"]

EventKind = Literal[
    "run.started",
    "run.resumed",
    "run.status",
    "task.attempt",
    "task.attempt_failed",
    "task.interrupted",
    "task.result",
    "task.outcome",
    "gate.waiting",
    "gate.outcome",
    "question.asked",
    "question.reminded",
    "question.advanced",
    "question.silent",
    "question.closed",
    "decision",
    "waiver",
    "escalation",
    "effect.intent",
    "effect.outcome",
    "effect.undo_intent",
    "effect.undone",
    "ripcord",
    "ripcord.done",
    "run.rewound",
    "run.moved",
    "run.cancelled",
    "artifacts.pruned",
]
_GENESIS = "0" * 64
# What the first event of a run keeps of the run's row, so that the row cannot be rewritten unnoticed.
_SEALED_COLUMNS = (
    "plan_id",
    "revision",
    "digest",
    "command",
    "initiative",
    "created_at",
    "as_of",
    "started_by",
)
_RESTORE = "restore .gtm/state.db from a backup"


@dataclass(frozen=True)
class RunRow:
    """One run: which revision of which plan it executes, and where it stands."""

    run_id: str
    plan_id: str
    revision: int
    digest: str
    command: str
    initiative: str
    status: str
    created_at: datetime
    as_of: datetime
    started_by: str
    seq: int = 0
    head: str = _GENESIS


@dataclass(frozen=True)
class Entry:
    """Something that happened, before it is written."""

    kind: EventKind
    node: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """Something that happened, as it stands in the journal."""

    run_id: str
    seq: int
    at: datetime
    kind: EventKind
    node: str
    body: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Question:
    """Something a run asks a person. It is durable, has a clock, a deputy, and says what silence means."""

    question_id: str
    run_id: str
    node: str
    kind: Literal["approval", "escalation", "remedy", "effect"]
    status: QuestionStatus
    asked_at: datetime
    due_at: datetime
    body: dict[str, Any]


class Journal:
    """The journal of one workspace."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self.results = ResultTable(engine)

    @property
    def engine(self) -> sa.Engine:
        """The database, for those who write in the journal's own transactions."""
        return self._engine

    def start(self, run: RunRow, *, log_head: str = "") -> None:
        """Write a new run and its first event; durable.

        Args:
            run: The run.
            log_head: The head of its plan's log: what is cut off or rewritten there later is noticed here.

        Raises:
            ConflictError: A run of this id exists.
        """
        values = {**run.__dict__, "created_at": run.created_at.isoformat(), "as_of": run.as_of.isoformat()}
        try:
            with prepared(self._engine, durable=True) as execute:
                execute(_PUT_RUN, values)
                body = {name: values[name] for name in _SEALED_COLUMNS}
                if log_head:
                    body["log_head"] = log_head
                self._append(execute, run.run_id, [Entry("run.started", "", body)])
        except sa.exc.IntegrityError as error:
            raise ConflictError(f"run {run.run_id!r} exists already", hint="see 'gtm runs list'") from error

    def append(
        self,
        run_id: str,
        *entries: Entry,
        durable: bool = False,
        question: Question | None = None,
        first: Callable[[_Execute], None] | None = None,
    ) -> None:
        """Append what happened, and with it, in one transaction, ask or close a question.

        The entry holds the question's digest, so that the question's own row cannot be rewritten unnoticed. A
        result that is held for an entry (`results`) is written with it. What `first` does with its
        statements is in the same transaction; if it raises, nothing is written.

        Raises:
            ConflictError: The question was closed meanwhile; nothing is written.
        """
        with prepared(self._engine, durable=durable) as execute:
            if first is not None:
                first(execute)
            if question is not None:
                _put_question(execute, question)
                sealed = {"question_id": question.question_id, "question_sha256": _sealed(question)}
                entries = tuple(replace(entry, body={**entry.body, **sealed}) for entry in entries)
            self._append(execute, run_id, entries)
            written = self.results.write(execute, (entry.body for entry in entries))
        self.results.release(written)

    def set_status(
        self, run_id: str, status: str, *, why: str = "", keep: Collection[str] = (), log_head: str = ""
    ) -> str:
        """Write where a run stands, if that is news; durable. Return where it stands then.

        Args:
            run_id: A run of this workspace.
            status: Where it stands.
            why: One sentence on it.
            keep: Statuses that stand, whatever is asked: what a person has ended stays ended.
            log_head: The head of its plan's log, as in `start`.
        """
        with prepared(self._engine, durable=True) as execute:
            now = str(execute(_STATUS_OF_RUN, {"run": run_id}).fetchone()[0])
            if now == status or now in keep:
                return now
            execute(_SET_STATUS, {"run": run_id, "new_status": status})
            body = {"status": status, "why": why, **({"log_head": log_head} if log_head else {})}
            self._append(execute, run_id, [Entry("run.status", "", body)])
            return status

    def move(self, run_id: str, entry: Entry, *, revision: int, digest: str) -> None:
        """Let a run execute another revision of its plan, and write the event that says so; durable."""
        with prepared(self._engine, durable=True) as execute:
            execute(_MOVE_RUN, {"run": run_id, "new_revision": revision, "new_digest": digest})
            self._append(execute, run_id, [entry])

    def run(self, run_id: str) -> RunRow:
        """Return one run.

        Raises:
            UsageError: No such run.
        """
        with reading(self._engine) as execute:
            row = execute(_RUN, {"run": run_id}).fetchone()
        if row is None:
            raise UsageError(f"no run {run_id[:80]!r} in this workspace", hint="see 'gtm runs list'")
        return _run_row(row)

    def run_list(self, *, plan_id: str | None = None) -> tuple[RunRow, ...]:
        """Return runs, the oldest first; of one plan, if named."""
        with reading(self._engine) as execute:
            if plan_id is None:
                found = execute(_RUNS, {}).fetchall()
            else:
                found = execute(_RUNS_OF_PLAN, {"plan": plan_id}).fetchall()
        return tuple(_run_row(row) for row in found)

    def records(self, run_id: str) -> tuple[Record, ...]:
        """Return everything that happened in a run, in order.

        Raises:
            IntegrityError: An event was changed, removed, added or reordered, or the tail was cut.
        """
        with reading(self._engine) as execute:
            return _records(execute, run_id)

    def question_list(self, *, run_id: str | None = None, status: str | None = None) -> tuple[Question, ...]:
        """Return questions, the oldest first."""
        with reading(self._engine) as execute:
            if run_id is None:
                found = execute(_QUESTIONS, {}).fetchall()
            else:
                found = execute(_QUESTIONS_OF_RUN, {"run": run_id}).fetchall()
        asked = (_question(row) for row in found)
        return tuple(question for question in asked if status in (None, question.status))

    def question(self, question_id: str) -> Question:
        """Return one question.

        Raises:
            UsageError: No such question.
        """
        with reading(self._engine) as execute:
            row = execute(_QUESTION, {"question": question_id}).fetchone()
        if row is None:
            raise UsageError(f"no question {question_id[:120]!r}", hint="see 'gtm approvals list'")
        return _question(row)

    def verify(self, run_id: str, *, anchors: Sequence[tuple[int, str]] = ()) -> int:
        """Recompute a run's chain and compare everything with it; return the number of events.

        Args:
            run_id: A run of this workspace.
            anchors: Heads of its chain that are kept elsewhere, as (number of the event, head).

        Raises:
            IntegrityError: An event, the run's own row or a question was changed, added or removed.
        """
        with reading(self._engine) as execute:
            found = _records(execute, run_id)
            row = execute(_RUN, {"run": run_id}).fetchone()
            asked = execute(_QUESTIONS_OF_RUN, {"run": run_id}).fetchall()
        if row is None:
            raise UsageError(f"no run {run_id[:80]!r} in this workspace", hint="see 'gtm runs list'")
        heads = {record.seq: record.hash for record in found}
        for seq, head in anchors:
            if heads.get(seq) != head:
                raise IntegrityError(
                    f"the plan log holds another head for event {seq} of {run_id} than the journal",
                    hint="one of the two was rewritten; restore both from a backup",
                )
        _check_run(dict(zip(runs.c.keys(), row, strict=True)), found)
        _check_questions(run_id, tuple(_question(one) for one in asked), found)
        return len(found)

    def _append(self, execute: _Execute, run_id: str, entries: Sequence[Entry]) -> None:
        row = execute(_HEAD, {"run": run_id}).fetchone()
        seq, head = int(row[0]), str(row[1])
        at = self._clock().isoformat()
        for entry in entries:
            seq += 1
            body = canonical_json(dict(entry.body)).decode()
            head = _digest(head, run_id, seq, at, entry.kind, entry.node, body)
            values = {
                "run_id": run_id,
                "seq": seq,
                "at": at,
                "kind": entry.kind,
                "node": entry.node,
                "body": body,
                "hash": head,
            }
            execute(_INSERT, values)
        execute(_SET_HEAD, {"run": run_id, "new_seq": seq, "new_head": head})


def _put_question(execute: _Execute, question: Question) -> None:
    there = execute(_STATUS_OF_QUESTION, {"question": question.question_id}).fetchone()
    if there is not None and there[0] != "open":
        raise ConflictError(
            f"{question.question_id} is closed already: {there[0]}", hint="see 'gtm approvals list --all'"
        )
    values = {
        **question.__dict__,
        "asked_at": question.asked_at.isoformat(),
        "due_at": question.due_at.isoformat(),
        "body": canonical_json(question.body).decode(),
    }
    execute(_FORGET_QUESTION, {"question": question.question_id})
    execute(_PUT_QUESTION, values)


_HEAD = sa.select(runs.c.seq, runs.c.head).where(runs.c.run_id == sa.bindparam("run"))
_INSERT = events.insert()
_EVENTS = sa.select(events).where(events.c.run_id == sa.bindparam("run")).order_by(events.c.seq)
_PUT_RUN = runs.insert()
_RUN = sa.select(runs).where(runs.c.run_id == sa.bindparam("run"))
_RUNS = sa.select(runs).order_by(runs.c.created_at, runs.c.run_id)
_RUNS_OF_PLAN = _RUNS.where(runs.c.plan_id == sa.bindparam("plan"))
_STATUS_OF_RUN = sa.select(runs.c.status).where(runs.c.run_id == sa.bindparam("run"))
_SET_STATUS = (
    runs.update().where(runs.c.run_id == sa.bindparam("run")).values(status=sa.bindparam("new_status"))
)
_MOVE_RUN = (
    runs.update()
    .where(runs.c.run_id == sa.bindparam("run"))
    .values(revision=sa.bindparam("new_revision"), digest=sa.bindparam("new_digest"))
)
_QUESTIONS = sa.select(questions).order_by(questions.c.asked_at, questions.c.question_id)
_QUESTIONS_OF_RUN = _QUESTIONS.where(questions.c.run_id == sa.bindparam("run"))
_QUESTION = sa.select(questions).where(questions.c.question_id == sa.bindparam("question"))
_PUT_QUESTION = questions.insert()
_STATUS_OF_QUESTION = sa.select(questions.c.status).where(questions.c.question_id == sa.bindparam("question"))
_FORGET_QUESTION = questions.delete().where(questions.c.question_id == sa.bindparam("question"))
_SET_HEAD = (
    runs.update()
    .where(runs.c.run_id == sa.bindparam("run"))
    .values(seq=sa.bindparam("new_seq"), head=sa.bindparam("new_head"))
)


def _digest(previous: str, run_id: str, seq: int, at: str, kind: str, node: str, body: str) -> str:
    return hashlib.sha256(json.dumps([previous, run_id, seq, at, kind, node, body]).encode()).hexdigest()


def _sealed(question: Question) -> str:
    """Return the SHA-256 (hex) of everything that a question's row holds."""
    times = {"asked_at": question.asked_at.isoformat(), "due_at": question.due_at.isoformat()}
    return hashlib.sha256(canonical_json({**question.__dict__, **times})).hexdigest()


def _records(execute: _Execute, run_id: str) -> tuple[Record, ...]:
    head = execute(_HEAD, {"run": run_id}).fetchone()
    found = execute(_EVENTS, {"run": run_id}).fetchall()
    previous = _GENESIS
    for number, (_, seq, at, kind, node, body, sealed) in enumerate(found, start=1):
        previous = _digest(previous, run_id, number, at, kind, node, body)
        if seq != number or sealed != previous:
            raise IntegrityError(f"the journal of {run_id} was changed at event {number}", hint=_RESTORE)
    if head is not None and tuple(head) != (len(found), previous):
        raise IntegrityError(
            f"the journal of {run_id} ends at event {len(found)}, but {head[0]} were written", hint=_RESTORE
        )
    return tuple(_record(row) for row in found)


def _check_run(row: Mapping[Any, Any], found: Sequence[Record]) -> None:
    """Refuse a run's row that says something else than the run's events."""
    said = {**(found[0].body if found else {}), "status": "running"}
    said.pop("log_head", None)
    for record in found:
        if record.kind == "run.status":
            said["status"] = str(record.body["status"])
        elif record.kind == "run.moved":
            said |= {"revision": record.body["to"], "digest": record.body["digest"]}
    wrong = sorted(name for name, value in said.items() if row.get(name) != value)
    if wrong or not found:
        raise IntegrityError(
            f"the row of {row['run_id']} was changed: its {' and '.join(wrong) or 'events'} "
            f"{'are' if len(wrong) != 1 else 'is'} not what the journal says",
            hint=_RESTORE,
        )


def _check_questions(run_id: str, rows: Sequence[Question], found: Sequence[Record]) -> None:
    """Refuse a question that was changed, added or removed after the journal told of it."""
    seals = {
        record.body["question_id"]: record.body["question_sha256"]
        for record in found
        if "question_sha256" in record.body
    }
    seen = {question.question_id: _sealed(question) for question in rows}
    wrong = sorted(name for name in seals.keys() | seen.keys() if seals.get(name) != seen.get(name))
    if wrong:
        raise IntegrityError(
            f"the questions of {run_id} were changed: {', '.join(wrong)} "
            f"{'is' if len(wrong) == 1 else 'are'} not as the journal says it was asked or decided",
            hint=_RESTORE,
        )


@contextmanager
def _stored(what: str) -> Iterator[None]:
    """Turn a row that no version of this program wrote into an `IntegrityError`."""
    try:
        yield
    except (ValueError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{what} in the state database cannot be read", hint=_RESTORE) from error


def _run_row(row: Sequence[Any]) -> RunRow:
    values = dict(zip(runs.c.keys(), row, strict=True))
    with _stored(f"run {values['run_id']!r}"):
        values["created_at"] = datetime.fromisoformat(values["created_at"])
        values["as_of"] = datetime.fromisoformat(values["as_of"])
        return RunRow(**values)


def _record(row: Sequence[Any]) -> Record:
    run_id, seq, at, kind, node, body, sealed = row
    with _stored(f"event {seq} of {run_id!r}"):
        return Record(run_id, seq, datetime.fromisoformat(at), kind, node, json.loads(body), sealed)


def _question(row: Sequence[Any]) -> Question:
    values = dict(zip(questions.c.keys(), row, strict=True))
    with _stored(f"question {values['question_id']!r}"):
        for name in ("asked_at", "due_at"):
            values[name] = datetime.fromisoformat(values[name])
        values["body"] = json.loads(values["body"])
        return Question(**values)
