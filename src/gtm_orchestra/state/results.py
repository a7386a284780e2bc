"""Small result documents, kept in the state database and written with the outcome that names them.

A result that is a file of its own costs two syncs; here the journal's own sync covers it. It is held in
memory until an entry of the journal names it, and goes into the transaction of that entry: an outcome
never stands without its result, nor a result without anything that names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gtm_orchestra.state.database import prepared, reading, results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MAX_RESULT_BYTES", "ResultTable"]

# Above this, a database page chain is slower than a file, and a journal is no place for it.
MAX_RESULT_BYTES = 32_000


class ResultTable:
    """The results of one state database, by SHA-256."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._held: dict[str, bytes] = {}

    def hold(self, sha256: str, data: bytes) -> None:
        """Keep bytes in memory until an entry that names them is written."""
        self._held[sha256] = data

    def get(self, sha256: str) -> bytes | None:
        """Return the bytes kept under a name as they stand, or None; whether they are right is not asked."""
        held = self._held.get(sha256)
        if held is not None:
            return held
        with reading(self._engine) as execute:
            row = execute(_GET, {"name": sha256}).fetchone()
        return None if row is None else bytes(row[0])

    def write(
        self, execute: Callable[[Any, Mapping[str, object]], Any], bodies: Iterable[Mapping[str, Any]]
    ) -> list[str]:
        """Write what is held and named by entries, in the caller's transaction; return the names."""
        named = [name for body in bodies if (name := str(body.get("output", ""))) in self._held]
        for name in named:
            execute(_FORGET, {"name": name})
            execute(_PUT, {"sha256": name, "data": self._held[name]})
        return named

    def names(self) -> tuple[str, ...]:
        """Return the names of everything that is in the database."""
        with reading(self._engine) as execute:
            return tuple(str(row[0]) for row in execute(_NAMES, {}).fetchall())

    def remove(self, names: Iterable[str]) -> None:
        """Let go of what is kept under these names, for good."""
        with prepared(self._engine, durable=True) as execute:
            for name in names:
                execute(_FORGET, {"name": name})

    def release(self, names: Iterable[str]) -> None:
        """Let go of what was written; after the transaction has been committed."""
        for name in names:
            self._held.pop(name, None)


_GET = sa.select(results.c.data).where(results.c.sha256 == sa.bindparam("name"))
_NAMES = sa.select(results.c.sha256)
_FORGET = results.delete().where(results.c.sha256 == sa.bindparam("name"))
_PUT = results.insert()
