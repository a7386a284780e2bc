"""GrowthBook's hash over millions of ids at once, to the bit: FNV-1a over UTF-16 code units.

Version 2 is the hash of the seed and the id, hashed again as decimal text, in 10,000 places; version 1 is the
hash of the id and the seed, in 1,000 places.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtm_orchestra.decisions.rule_set import BUCKETS

__all__ = ["Units"]

Array = np.ndarray[Any, Any]

_START = np.uint32(0x811C9DC5)
_PRIME = np.uint32(0x01000193)
_SPLIT = 100_000  # a 32-bit number is at most 42,949 times this
_LOW_DIGITS = 5
_ASCII = 128


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The values of one unit, ready to be hashed.

    Attributes:
        known: Who has a value that can be hashed: text that is not empty, a number that is not 0.
        codes: UTF-16 code units, one row per place in the text, one column per person; bytes if ASCII.
        lengths: Code units per person.
    """

    known: Array
    codes: Array
    lengths: Array

    @classmethod
    def from_arrow(cls, column: Any) -> Units:  # noqa: ANN401 - pyarrow has no types to name
        """Return the units of a pyarrow array of text or numbers; nulls have none, as have true and false."""
        array = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
        text = _as_text(array)
        raw = text.cast(pa.large_binary())
        offsets = np.frombuffer(raw.buffers()[1], dtype=np.int64)[raw.offset : raw.offset + len(raw) + 1]
        data = raw.buffers()[2]
        content = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, np.uint8)
        known = np.asarray(text.is_valid().to_numpy(zero_copy_only=False)) & (np.diff(offsets) > 0)
        used = content[offsets[0] : offsets[-1]] if len(raw) else content[:0]
        if len(used) and used.max() >= _ASCII:
            return cls(known, *_utf16(text))
        lengths = np.where(known, np.diff(offsets), 0)
        return cls(known, _matrix(content, offsets[:-1], lengths), lengths)

    def take(self, rows: Array) -> Units:
        """Return the units of some people, by position."""
        return Units(self.known[rows], self.codes[:, rows], self.lengths[rows])

    def places(self, seed: str, hash_version: int) -> Array:
        """Return each person's place on the hash, from 0 to 9,999 (version 1: 999); -1 without a value."""
        size = np.uint32(BUCKETS[hash_version])
        tail = _code_units(seed)
        if hash_version == 1:
            hashed = self._hashed(np.full(len(self.known), _START))
            for code in tail:
                hashed = (hashed ^ code) * _PRIME
        else:
            start = _START
            with np.errstate(over="ignore"):
                for code in tail:
                    start = (start ^ code) * _PRIME
            hashed = _again(self._hashed(np.full(len(self.known), start)))
        found = (hashed % size).astype(np.int32)
        found[~self.known] = -1
        return found

    def _hashed(self, state: Array) -> Array:
        shortest = int(self.lengths.min()) if len(self.lengths) else 0
        for at, codes in enumerate(self.codes):
            following = np.bitwise_xor(state, codes)
            following *= _PRIME
            if at < shortest:
                state = following
            else:
                np.copyto(state, following, where=self.lengths > at)
        return state


def _as_text(array: Any) -> Any:  # noqa: ANN401 - pyarrow has no types to name
    """Return text as JavaScript's String() gives it; null where there is nothing to hash."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return pa.nulls(len(array), pa.large_string())
    if pa.types.is_integer(kind):
        return pc.if_else(pc.equal(array, 0), None, array).cast(pa.large_string())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.array([_number_text(value) for value in array.to_pylist()], pa.large_string())
    return array.cast(pa.large_string())


def _number_text(value: Any) -> str | None:  # noqa: ANN401 - a float or a Decimal
    if value is None or value == 0 or not np.isfinite(float(value)):
        return None
    number = float(value)
    # Within these bounds JavaScript writes all digits; beyond, its exponents differ from Python's.
    if number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    if not 1e-4 <= abs(number) < 1e16:  # noqa: PLR2004 - where Python changes to exponents
        message = "a unit holds fractions below 0.0001 or numbers beyond 10^16; make it text in the catalog"
        raise ValueError(message)
    return repr(number)


def _code_units(text: str) -> Array:
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype=np.uint16).astype(np.uint32)


def _matrix(content: Array, starts: Array, lengths: Array) -> Array:
    longest = int(lengths.max()) if len(lengths) else 0
    if not len(content):
        return np.zeros((0, len(starts)), np.uint8)
    if not longest:
        return np.zeros((0, len(starts)), np.uint8)
    last = len(content) - 1
    return np.stack([content[np.minimum(starts + at, last)] for at in range(longest)])


def _utf16(text: Any) -> tuple[Array, Array]:  # noqa: ANN401 - pyarrow has no types to name
    encoded = [(value or "").encode("utf-16-le") for value in text.to_pylist()]
    lengths = np.array([len(each) // 2 for each in encoded], dtype=np.int64)
    content = np.frombuffer(b"".join(encoded), dtype=np.uint16)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    return _matrix(content, starts, lengths), lengths


@cache
def _heads() -> Array:
    """The state after the decimal text of every number that a 32-bit number can begin with."""
    numbers = np.arange(2**32 // _SPLIT + 1, dtype=np.uint32)
    state = np.full(len(numbers), _START)
    for power in (10_000, 1_000, 100, 10, 1):
        digit = (numbers // np.uint32(power)) % np.uint32(10) + np.uint32(48)
        np.copyto(state, (state ^ digit) * _PRIME, where=numbers >= (power if power > 1 else 0))
    return state


def _again(numbers: Array) -> Array:
    """Return the hash of each number's decimal text."""
    head, low = np.divmod(numbers, np.uint32(_SPLIT))
    state = _heads()[head]
    state[head == 0] = _START
    short = head == 0
    any_short = bool(short.any())
    for power in (10_000, 1_000, 100, 10, 1):
        digit = low // np.uint32(power)
        low = low - digit * np.uint32(power)
        digit += np.uint32(48)
        following = np.bitwise_xor(state, digit)
        following *= _PRIME
        if any_short and power > 1:
            # A number without a head has no zeros in front.
            np.copyto(state, following, where=~short | (numbers >= power))
        else:
            state = following
    return state
