"""Who has paused the workspace or cancelled a run, and why: a notice that every process at work reads.

`.gtm/halts.jsonl` is append-only and hash-chained. It is a file, not a table, because it is looked at before
every task: looking costs two microseconds while nothing has changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from gtm_orchestra.errors import IntegrityError, PlanFormatError
from gtm_orchestra.plans.parse import canonical_json, parse_json
from gtm_orchestra.state.files import append_line, storage_errors
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Halt", "Halts"]

_GENESIS = "0" * 64
_LOCK_WAIT_S = 10.0


@dataclass(frozen=True)
class Halt:
    """One notice: the whole workspace was paused or goes on, or a run was cancelled.

    Attributes:
        run_id: Of the cancelled run; empty otherwise.
        identity: How it is known who did it.
        hash: SHA-256 (hex) of the chain up to here; empty before it is written.
    """

    at: datetime
    what: Literal["paused", "lifted", "cancelled"]
    run_id: str
    by: str
    identity: str
    why: str
    hash: str = ""


class Halts:
    """The notices of one workspace."""

    def __init__(self, folder: Path, locks: Path) -> None:
        self._path = folder / "halts.jsonl"
        self._locks = locks
        self._seen: tuple[int, int, int] | None = None
        self._entries: tuple[Halt, ...] = ()

    def write(self, halt: Halt) -> None:
        """Put up a notice, durably."""
        with held(self._locks, "halts", wait_s=_LOCK_WAIT_S):
            entries = self.entries()
            self._cut_torn_tail()
            previous = entries[-1].hash if entries else _GENESIS
            append_line(self._path, canonical_json({**_fields(halt), "hash": _digest(previous, halt)}))

    def entries(self) -> tuple[Halt, ...]:
        """Return every notice, the oldest first.

        Raises:
            IntegrityError: A notice was changed or removed.
        """
        with storage_errors(self._path.name):
            try:
                found = self._path.stat()
            except FileNotFoundError:
                return ()
            seen = (found.st_ino, found.st_size, found.st_mtime_ns)
            if seen != self._seen:
                data = self._path.read_bytes()
                # What follows the last newline was never acknowledged.
                self._entries = _parsed(data[: data.rfind(b"\n") + 1].splitlines())
                self._seen = seen
        return self._entries

    def paused(self) -> Halt | None:
        """Return who has paused everything, and why, unless the pause was lifted."""
        last = next((halt for halt in reversed(self.entries()) if halt.what != "cancelled"), None)
        return last if last is not None and last.what == "paused" else None

    def cancelled(self, run_id: str) -> Halt | None:
        """Return who has cancelled a run, and why."""
        return next((halt for halt in self.entries() if halt.run_id == run_id), None)

    def _cut_torn_tail(self) -> None:
        with storage_errors(self._path.name):
            data = self._path.read_bytes() if self._path.exists() else b""
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with self._path.open("r+b") as handle:
                    handle.truncate(whole)


def _parsed(lines: Iterable[bytes]) -> tuple[Halt, ...]:
    previous, found = _GENESIS, []
    for number, line in enumerate(lines, start=1):
        try:
            entry: Any = parse_json(line, what="halts.jsonl")
            halt = Halt(**{**entry, "at": datetime.fromisoformat(entry["at"])})
        except (PlanFormatError, TypeError, KeyError, ValueError):
            halt = None
        if halt is None or halt.hash != _digest(previous, halt):
            raise IntegrityError(
                f"halts.jsonl was changed at entry {number}", hint="restore .gtm/halts.jsonl from a backup"
            )
        previous = halt.hash
        found.append(halt)
    return tuple(found)


def _fields(halt: Halt) -> dict[str, str]:
    return {**{k: v for k, v in halt.__dict__.items() if k != "hash"}, "at": halt.at.isoformat()}


def _digest(previous: str, halt: Halt) -> str:
    return hashlib.sha256(json.dumps([previous, *_fields(halt).values()]).encode()).hexdigest()
