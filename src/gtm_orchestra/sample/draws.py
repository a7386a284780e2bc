"""Seeded draws and the few column types that the sample's tables are made of.

Every column has its own stream of random numbers, named after what it draws, so that a new column never
moves an old one. Shares that a planted truth depends on are quotas: the count is exact, only who is in it
is drawn, so that no truth is a matter of luck at any seed.

Times are int64 seconds since 1970 UTC until they are written; `MISSING` stands for none.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DAY",
    "HOUR",
    "MISSING",
    "Column",
    "Flags",
    "Indices",
    "Numbers",
    "choose",
    "flag_column",
    "id_column",
    "label_column",
    "mark",
    "share_out",
    "stream",
    "time_column",
    "working_time",
]

Flags: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.float64]
Column: TypeAlias = Any  # pyarrow has no types

HOUR = 3_600
DAY = 24 * HOUR
MISSING = np.iinfo(np.int64).min


def stream(seed: int, name: str, part: int = 0) -> np.random.Generator:
    """Return the random numbers of one column, and of one part of its rows."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), part])


def choose(rng: np.random.Generator, size: int, shares: Sequence[float]) -> Indices:
    """Return an index into `shares` per row, each row on its own; the shares need not add up to 1."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    found: Indices = np.searchsorted(edges, rng.random(size) * edges[-1], side="right").astype(np.int64)
    return found


def mark(rng: np.random.Generator, candidates: Flags, share: float, *, least: int = 0) -> Flags:
    """Return who is in a quota of exactly `share` (rounded) of the candidates, or `least` if that is more."""
    where = np.flatnonzero(candidates)
    count = min(len(where), max(least, round(share * len(where))))
    chosen = np.zeros(len(candidates), dtype=np.bool_)
    chosen[rng.permutation(where)[:count]] = True
    return chosen


def share_out(
    rng: np.random.Generator, candidates: Flags, shares: Mapping[int, float], *, rest: int
) -> Indices:
    """Return a label per row: exact quotas of the candidates get those of `shares`, everyone else `rest`."""
    where = rng.permutation(np.flatnonzero(candidates))
    labels = np.full(len(candidates), rest, dtype=np.int64)
    edges = np.rint(np.cumsum(list(shares.values())) * len(where)).astype(np.int64)
    start = 0
    for label, end in zip(shares, edges, strict=True):
        labels[where[start:end]] = label
        start = end
    return labels


def working_time(rng: np.random.Generator, when: Indices, begin: Indices, end: Indices) -> Indices:
    """Return times moved to working days and daytime, where that stays between `begin` and `end`."""
    weekday = (when // DAY + 3) % 7  # 0 is Monday: 1 January 1970 was a Thursday
    back = np.where((weekday >= 5) & (rng.random(len(when)) < 0.65), 2 * DAY, 0)  # noqa: PLR2004  Saturday; share
    hour = np.clip(rng.normal(13.5, 3.5, len(when)), 0, 23.99)
    moved = (when - back) // DAY * DAY + (hour * HOUR).astype(np.int64)
    return np.where((moved >= begin) & (moved < end), moved, when)


def label_column(labels: Sequence[str], index: Indices, missing: Flags | None = None) -> Column:
    """Return a text column of one label per row, dictionary-encoded."""
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32), mask=missing), pa.array(labels))


def id_column(numbers: Indices, prefix: str = "", missing: Flags | None = None) -> Column:
    """Return a text column of ids: a prefix and a number."""
    import pyarrow.compute as pc  # noqa: PLC0415  registering its kernels takes 40 ms

    text = pa.array(numbers, mask=missing).cast(pa.string())
    return pc.binary_join_element_wise(prefix, text, "") if prefix else text


def time_column(seconds: Indices, missing: Flags | None = None) -> Column:
    """Return a column of UTC timestamps; `MISSING` and rows in `missing` are null."""
    absent = seconds == MISSING
    if missing is not None:
        absent = absent | missing
    micros = np.where(absent, 0, seconds) * 1_000_000
    return pa.array(micros, mask=absent).cast(pa.timestamp("us", tz="UTC"))


def flag_column(flags: Flags, missing: Flags | None = None) -> Column:
    """Return a column of yes and no."""
    return pa.array(flags, mask=missing)
