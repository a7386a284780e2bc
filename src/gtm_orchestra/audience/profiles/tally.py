"""Counts any number of statements about people, and every combination of them, in one query.

Each statement is one bit of a word; the engine counts people per word. Sizes, overlaps, what is left after
others, and volumes per channel are then sums over a few thousand words. Words stand for combinations of
statements, not for people; none of them leaves this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pyarrow as pa

    from gtm_orchestra.audience.profiles.distributions import Read

__all__ = ["Tally", "tally"]

_BITS = 60  # of a signed 64-bit word, with room to spare


@dataclass(frozen=True)
class Tally:
    """How many people each combination of statements is true of."""

    places: Mapping[str, int]
    words: npt.NDArray[np.int64]
    people: npt.NDArray[np.int64]

    def count(self, every: Collection[str] = (), *, none: Collection[str] = ()) -> int:
        """Return how many people all of the first statements are true of, and none of the others."""
        chosen = np.ones(len(self.people), dtype=bool)
        for name in every:
            chosen &= self._true(name)
        for name in none:
            chosen &= ~self._true(name)
        return int(self.people[chosen].sum())

    def _true(self, name: str) -> npt.NDArray[np.bool_]:
        word, bit = divmod(self.places[name], _BITS)
        return np.asarray((self.words[word] >> np.int64(bit)) & np.int64(1) == 1, dtype=np.bool_)


def tally(table: Any, statements: Mapping[str, Any], *, read: Read) -> Tally:  # noqa: ANN401 - ibis has no types
    """Return how many people each combination of statements is true of.

    Args:
        table: One row per person.
        statements: By name, boolean expressions over the table that are never null.
        read: Runs an expression and returns its rows.
    """
    names = sorted(statements)
    places = {name: at for at, name in enumerate(names)}
    words = {}
    for start in range(0, len(names), _BITS):
        bits = [
            ibis.ifelse(statements[name], ibis.literal(1 << at, "int64"), ibis.literal(0, "int64"))
            for at, name in enumerate(names[start : start + _BITS])
        ]
        words[f"word_{start // _BITS}"] = reduce(add, bits)
    if not words:
        counted = read(table.aggregate(people=table.count()))
        return Tally({}, np.zeros((0, 1), dtype=np.int64), _numbers(counted, "people"))
    per_person = table.select(**words)
    counted = read(per_person.group_by(list(words)).aggregate(people=lambda rows: rows.count()))
    found = np.array([_numbers(counted, name) for name in words], dtype=np.int64)
    return Tally(places, found, _numbers(counted, "people"))


def _numbers(counted: pa.Table, name: str) -> npt.NDArray[np.int64]:
    # pyarrow's own way to numpy loads pandas, which takes a second.
    return np.array(counted[name].to_pylist(), dtype=np.int64)
