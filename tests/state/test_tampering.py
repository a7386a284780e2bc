"""Whoever changes the history of a plan is noticed: a thousand tamperings, each other than the last."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.runs.shop import PLAN_ID, Shop, config

from gtm_orchestra.plans.parse import canonical_json
from gtm_orchestra.service.inspection import Verification, verify_plan
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Journal
from gtm_orchestra.state.plan_store import PlanStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import sqlalchemy as sa

TAMPERINGS = 1_000
_GENESIS = "0" * 64


def _verify(root: Path, engine: sa.Engine | None = None) -> Verification:
    """Verify as a new process would."""
    opened = engine or open_database(root / ".gtm" / "state.db")
    journal = Journal(opened, lambda: pytest.fail("verifying writes nothing"))
    try:
        return verify_plan(
            PlanStore(root, root / ".gtm" / "locks"), journal, PLAN_ID, root=root, config=config()
        )
    finally:
        opened.dispose()


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two workspaces: one has sold and is done, one waits for its approval."""
    done, waiting = tmp_path_factory.mktemp("done"), tmp_path_factory.mktemp("waiting")
    assert Shop(done).sell().status == "done"
    shop = Shop(waiting)
    shop.start()
    assert shop.drive().status == "waiting"
    for root in (done, waiting):
        assert _verify(root).ok, _verify(root).lines
        with sqlite3.connect(root / ".gtm" / "state.db") as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
    return done, waiting


@dataclass
class Tamperer:
    """Changes one thing in a copy of a workspace."""

    root: Path
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - no secret

    @property
    def log(self) -> Path:
        return self.root / ".claude" / "plans" / f"{PLAN_ID}.log.jsonl"

    @contextlib.contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.root / ".gtm" / "state.db")
        connection.execute("pragma synchronous=off")
        with connection:
            yield connection
        connection.close()

    def lines(self) -> list[bytes]:
        return self.log.read_bytes().splitlines()

    def write(self, lines: list[bytes]) -> None:
        self.log.write_bytes(b"".join(line + b"\n" for line in lines))

    # --- the plan log

    def flip_a_bit_of_the_log(self) -> None:
        data = bytearray(self.log.read_bytes())
        data[self.chance.randrange(len(data))] ^= 1 << self.chance.randrange(8)
        self.log.write_bytes(data)

    def swap_lines_of_the_log(self) -> None:
        lines = self.lines()
        one, other = self.chance.sample(range(len(lines)), 2)
        lines[one], lines[other] = lines[other], lines[one]
        self.write(lines)

    def remove_a_line_of_the_log(self) -> None:
        lines = self.lines()
        del lines[self.chance.randrange(len(lines))]
        self.write(lines)

    def repeat_a_line_of_the_log(self) -> None:
        lines = self.lines()
        lines.insert(self.chance.randrange(len(lines) + 1), self.chance.choice(lines))
        self.write(lines)

    def cut_the_log(self) -> None:
        lines = self.lines()
        self.write(lines[: self.chance.randrange(len(lines))])

    def cut_the_last_bytes_of_the_log(self) -> None:
        data = self.log.read_bytes()
        self.log.write_bytes(data[: -self.chance.randint(1, len(data))])

    def rewrite_the_log(self) -> None:
        """Change the first entry (who, when, why, the plan), and compute every hash anew."""
        entries = [json.loads(line) for line in self.lines()]
        body = entries[0]["body"]
        change = self.chance.choice(["actor", "what", "why", "at", "objective", "entry"])
        if change == "objective":
            body["definition"]["objective"] = f"Other {self.chance.random()}"
        elif change == "entry":
            entries[0]["at"] = f"2020-01-01T00:00:{self.chance.randrange(10, 60)}+00:00"
        elif change == "at":
            body["change"]["at"] = f"2020-01-01T00:00:{self.chance.randrange(10, 60)}Z"
        else:
            body["change"][change] = f"other{self.chance.randrange(1000)}"
        self.write(_chained(entries))

    def rewrite_an_anchor(self) -> None:
        """Let an anchor tell of another event or head, and compute every hash anew."""
        entries = [json.loads(line) for line in self.lines()]
        anchor = self.chance.choice([e["body"] for e in entries if e["kind"] == "anchor"])
        if self.chance.random() < 0.5:
            anchor["seq"] += self.chance.choice([-1, 1])
        else:
            anchor["head"] = f"{self.chance.getrandbits(256):064x}"
        self.write(_chained(entries))

    def remove_an_entry_and_chain_the_rest(self) -> None:
        entries = [json.loads(line) for line in self.lines()]
        del entries[self.chance.randrange(1, len(entries))]
        self.write(_chained(entries))

    # --- the state database

    def flip_a_bit_of_a_row(self) -> None:
        with self.database() as connection:
            table = self.chance.choice(self._filled(connection))
            rowid, column, value = self._cell(connection, table)
            data = bytearray(value.encode())
            data[self.chance.randrange(len(data))] ^= 1 << self.chance.randrange(7)
            connection.execute(
                f"update {table} set {column} = ? where rowid = ?",  # noqa: S608 - names of ours
                (data.decode(errors="replace"), rowid),
            )

    def change_a_cell(self) -> None:
        with self.database() as connection:
            table = self.chance.choice(self._filled(connection))
            rowid, column, value = self._cell(connection, table)
            other = self.chance.choice(["", "marco", "approved", "2020-01-01T00:00:00+00:00", "{}", "[", "0"])
            if other == value:
                other += "x"
            connection.execute(
                f"update {table} set {column} = ? where rowid = ?",  # noqa: S608 - names of ours
                (other, rowid),
            )

    def change_a_number(self) -> None:
        table, column = self.chance.choice(
            [("events", "seq"), ("runs", "seq"), ("runs", "revision"), ("effects", "position")]
        )
        with self.database() as connection:
            table, column = (table, column) if table in self._filled(connection) else ("runs", "seq")
            ((rowid,),) = connection.execute(
                f"select rowid from {table} order by random() limit 1"  # noqa: S608 - names of ours
            ).fetchall()
            connection.execute(
                f"update {table} set {column} = {column} + ? where rowid = ?",  # noqa: S608 - the same
                (self.chance.randint(50, 99), rowid),
            )

    def remove_a_row(self) -> None:
        with self.database() as connection:
            table = self.chance.choice(self._filled(connection))
            rows = connection.execute(f"select rowid from {table}").fetchall()  # noqa: S608 - a name of ours
            connection.execute(
                f"delete from {table} where rowid = ?",  # noqa: S608 - the same
                self.chance.choice(rows),
            )

    def add_a_row(self) -> None:
        with self.database() as connection:
            table, key = self.chance.choice(
                [("questions", "question_id"), ("effects", "key"), ("events", "seq"), ("runs", "run_id")]
            )
            if table not in self._filled(connection):
                table, key = "runs", "run_id"
            columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
            unlike = {key: f"'{self.chance.randrange(100, 999)}'", "allowance": "null"}
            values = ", ".join(unlike.get(column, column) for column in columns)
            connection.execute(
                f"insert into {table} select {values} from {table} limit 1"  # noqa: S608 - names of ours
            )

    def swap_two_events(self) -> None:
        with self.database() as connection:
            ((last,),) = connection.execute("select max(seq) from events").fetchall()
            one = self.chance.randrange(1, last)
            for before, after in ((one, 9_000), (one + 1, one), (9_000, one + 1)):
                connection.execute("update events set seq = ? where seq = ?", (after, before))

    def cut_the_journal(self) -> None:
        """Cut the journal's tail, and let the run's row end where the rest does."""
        with self.database() as connection:
            ((last,),) = connection.execute("select max(seq) from events").fetchall()
            self._end_at(connection, self.chance.randrange(1, last))

    def rewrite_the_journal(self) -> None:
        """Change an event (who, when, what), and compute every hash anew."""
        with self.database() as connection:
            query = "select run_id, seq, at, kind, node, body from events order by seq"
            events = [list(row) for row in connection.execute(query)]
            event = self.chance.choice(events)
            column = self.chance.choice([2, 4, 5])
            if column == 2:
                event[2] = f"2020-01-01T00:00:{self.chance.randrange(10, 60)}+00:00"
            elif column == 4:
                event[4] = f"{event[4]}{self.chance.randrange(10)}"
            else:
                body = {**json.loads(event[5]), "actor": f"other{self.chance.randrange(1000)}"}
                event[5] = canonical_json(body).decode()
            head = _GENESIS
            for run_id, seq, at, kind, node, body in events:
                head = hashlib.sha256(
                    json.dumps([head, run_id, seq, at, kind, node, body]).encode()
                ).hexdigest()
                connection.execute(
                    "update events set at = ?, node = ?, body = ?, hash = ? where seq = ?",
                    (at, node, body, head, seq),
                )
            connection.execute("update runs set head = ?", (head,))

    def remove_the_run(self) -> None:
        with self.database() as connection:
            for table in ("questions", "effects", "events", "runs"):
                connection.execute(f"delete from {table}")  # noqa: S608 - a name of ours

    @staticmethod
    def _end_at(connection: sqlite3.Connection, seq: int) -> None:
        connection.execute("delete from events where seq > ?", (seq,))
        connection.execute(
            "update runs set seq = ?, head = (select hash from events where seq = ?)", (seq, seq)
        )

    def _filled(self, connection: sqlite3.Connection) -> list[str]:
        tables = ["runs", "events", "questions", "effects"]
        return [t for t in tables if connection.execute(f"select 1 from {t}").fetchone()]  # noqa: S608 - ours

    def _cell(self, connection: sqlite3.Connection, table: str) -> tuple[int, str, str]:
        """Return a cell that holds text."""
        columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
        rows = connection.execute(f"select rowid, * from {table}").fetchall()  # noqa: S608 - a name of ours
        cells = [
            (row[0], column, value)
            for row in rows
            for column, value in zip(columns, row[1:], strict=True)
            if isinstance(value, str) and value
        ]
        return self.chance.choice(cells)


def _chained(entries: list[dict[str, Any]]) -> list[bytes]:
    """Return the lines of a log whose every hash is computed anew."""
    head, lines = _GENESIS, []
    for number, entry in enumerate(entries, start=1):
        entry |= {"seq": number, "prev": head}
        rest = {name: value for name, value in entry.items() if name != "hash"}
        head = entry["hash"] = hashlib.sha256(canonical_json(rest)).hexdigest()
        lines.append(canonical_json(entry))
    return lines


_WAYS: tuple[Callable[[Tamperer], None], ...] = (
    Tamperer.flip_a_bit_of_the_log,
    Tamperer.swap_lines_of_the_log,
    Tamperer.remove_a_line_of_the_log,
    Tamperer.repeat_a_line_of_the_log,
    Tamperer.cut_the_log,
    Tamperer.cut_the_last_bytes_of_the_log,
    Tamperer.rewrite_the_log,
    Tamperer.rewrite_an_anchor,
    Tamperer.remove_an_entry_and_chain_the_rest,
    Tamperer.flip_a_bit_of_a_row,
    Tamperer.change_a_cell,
    Tamperer.change_a_number,
    Tamperer.remove_a_row,
    Tamperer.add_a_row,
    Tamperer.swap_two_events,
    Tamperer.cut_the_journal,
    Tamperer.rewrite_the_journal,
    Tamperer.remove_the_run,
)


@pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__.replace("_", " "))
def test_a_history_that_was_tampered_with_never_verifies(
    histories: tuple[Path, Path], tmp_path: Path, way: Callable[[Tamperer], None]
) -> None:
    unnoticed = []
    for number, history in enumerate(histories):
        root = tmp_path / str(number)
        shutil.copytree(history, root)
        whole = {path: path.read_bytes() for path in (Tamperer(root).log, root / ".gtm" / "state.db")}
        engine = open_database(root / ".gtm" / "state.db")
        for seed in range(number, -(-TAMPERINGS // len(_WAYS)), 2):
            engine.dispose()
            for path, data in whole.items():
                path.write_bytes(data)
            way(Tamperer(root, random.Random(seed)))  # noqa: S311 - what is changed is no secret
            if _verify(root, engine).ok:
                unnoticed.append(seed)
        engine.dispose()
    assert unnoticed == []


def test_the_last_anchor_of_a_waiting_run_cannot_be_cut(histories: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(histories[1], tmp_path / "w")
    tamperer = Tamperer(tmp_path / "w")
    tamperer.write(tamperer.lines()[:-1])
    assert _verify(tmp_path / "w").lines[1] == (
        "journal of run-1: ended a segment as waiting, but the plan log does not tell of it; restore it from "
        "version control; after a crash, 'gtm runs resume run-1' writes what is missing"
    )


def test_a_log_that_was_rewritten_from_its_start_is_noticed_by_the_journal(
    histories: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(histories[0], tmp_path / "w")
    Tamperer(tmp_path / "w").rewrite_the_log()
    assert "which the log no longer holds; the log was cut or rewritten" in _verify(tmp_path / "w").lines[1]
