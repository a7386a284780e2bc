"""Reading JSON that somebody else wrote: bounded, strict, with the place of each fault.

The standard parser accepts duplicate keys, NaN and lone surrogates; a plan with two `environment` keys
would then mean what its last reader saw. Here each is an error.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import PlanFormatError

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["MAX_BYTES", "canonical_json", "check_values", "faults", "parse_json"]

MAX_BYTES = 1_000_000
_MAX_DEPTH = 60
_SHOWN = 20
_MAX_INT = 2**53
_MIN_FIXED = 1e-4  # below it Python writes an exponent, JavaScript only below 1e-6
# A text up to its end, which may be missing: what stands inside is no nesting.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"{[]}"))
_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def parse_json(data: bytes, *, what: str, max_bytes: int = MAX_BYTES) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text.

    Args:
        data: UTF-8 bytes.
        what: Names the text in errors, such as "plan-20261101T090000Z.json".
        max_bytes: Refused above this size, before anything is parsed.

    Raises:
        PlanFormatError: Too large, not UTF-8, not JSON, duplicate key, NaN or Infinity, lone surrogate,
            an integer that JavaScript cannot hold, or nested deeper than 60.
    """
    if len(data) > max_bytes:
        raise PlanFormatError(
            f"{what} has {len(data):,} bytes; {max_bytes:,} are allowed",
            hint="a plan holds no data, only references",
        )
    _check_depth(data, what)
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, what),
            parse_constant=lambda name: _refuse(name, what),
        )
    except UnicodeDecodeError as error:
        raise PlanFormatError(
            f"{what} is not UTF-8 at byte {error.start:,}", hint="save it as UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        raise PlanFormatError(
            f"{what} is not JSON at line {error.lineno:,}, column {error.colno:,}: {error.msg}",
            hint="if it was cut off, restore it with 'gtm plan verify --restore'",
        ) from error
    except ValueError as error:
        # Python refuses to read a number of thousands of digits.
        raise PlanFormatError(
            f"{what} contains an integer beyond 2^53", hint="write it as a string"
        ) from error
    check_values(value, what)
    return value


def canonical_json(value: object) -> bytes:
    """Return the canonical bytes (RFC 8785) of a JSON value: one text for one meaning."""
    try:
        return _ENCODER.encode(_plain(value)).encode()
    except (_NotPlainError, UnicodeEncodeError):
        import rfc8785  # noqa: PLC0415 - keeps `import gtm_orchestra` light

        return rfc8785.dumps(value)  # type: ignore[arg-type]  # the library's recursive type is narrower than object


class _NotPlainError(Exception):
    """Something that the standard encoder does not write as RFC 8785 has it, or not at all."""


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value whose text by the standard encoder, many times faster, is the canonical one.

    Python and JavaScript write numbers of a middling size alike, whole ones aside; keys sort alike in ASCII.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        if all(type(key) is str and key.isascii() for key in value):
            return {key: _plain(item) for key, item in value.items()}
    elif kind is list or kind is tuple:
        return [_plain(item) for item in value]
    elif (kind is int or (kind is float and value.is_integer())) and -_MAX_INT < value < _MAX_INT:
        return int(value)
    elif kind is float and not value.is_integer() and _MIN_FIXED <= abs(value) < _MAX_INT:
        return value
    raise _NotPlainError


def _check_depth(data: bytes, what: str) -> None:
    # Counted before parsing: the parser recurses, and 100,000 brackets would exhaust the stack.
    depth = 0
    for byte in _TEXT.sub(b"", data).translate(None, _NO_BRACKETS):
        depth += 1 if byte in b"{[" else -1
        if depth > _MAX_DEPTH:
            raise PlanFormatError(f"{what} is nested deeper than {_MAX_DEPTH}", hint="flatten it")


def _unique(pairs: list[tuple[str, Any]], what: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise PlanFormatError(
                f"{what} has the key {key[:80]!r} twice in one object", hint="keep one of them"
            )
        seen[key] = value
    return seen


def _refuse(name: str, what: str) -> None:
    raise PlanFormatError(f"{what} contains {name}, which is not JSON", hint="write a number or null")


def faults(error: ValidationError) -> str:
    """Return the first twenty faults of a document, each with its path and without any value."""
    found = [
        f"{'.'.join(map(str, e['loc']))[:200] or 'all of it'}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors(include_input=False, include_url=False)
    ]
    more = f"; and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def check_values(value: object, what: str) -> None:
    """Pass if JSON can hold a parsed value, and every reader reads the same.

    Raises:
        PlanFormatError: Half of a surrogate pair, an integer beyond 2^53, NaN or an infinity.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str):
            if _SURROGATE.search(item):
                raise PlanFormatError(
                    f"{what} contains half of a surrogate pair", hint="write the character itself"
                )
        elif isinstance(item, int) and not isinstance(item, bool) and abs(item) > _MAX_INT:
            raise PlanFormatError(f"{what} contains an integer beyond 2^53", hint="write it as a string")
        elif isinstance(item, float) and not math.isfinite(item):
            raise PlanFormatError(f"{what} contains {item}, which is no number", hint="write a number")
