from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.parse import MAX_BYTES, canonical_json, parse_json

_HOSTILE = {
    b'{"environment": "staging", "environment": "production"}': "p.json has the key 'environment' twice",
    b'{"a": NaN}': "p.json contains NaN, which is not JSON",
    b'{"a": -Infinity}': "p.json contains -Infinity, which is not JSON",
    b'{"a": "\\ud800"}': "p.json contains half of a surrogate pair",
    b'{"\\udfff": 1}': "p.json contains half of a surrogate pair",
    b'{"a": 9007199254740993}': "p.json contains an integer beyond 2^53",
    b"\xff\xfe": "p.json is not UTF-8 at byte 0",
    b'{"a": [1, 2': "p.json is not JSON at line 1, column 12",
    b"": "p.json is not JSON at line 1, column 1",
    b"[" * 100_000: "p.json is nested deeper than 60",
    b" " * (MAX_BYTES + 1): "p.json has 1,000,001 bytes; 1,000,000 are allowed",
}


@pytest.mark.parametrize("data", list(_HOSTILE), ids=range(len(_HOSTILE)))
def test_hostile_text_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(PlanFormatError) as raised:
        parse_json(data, what="p.json")
    assert str(raised.value).startswith(_HOSTILE[data])


def test_brackets_inside_a_text_are_no_nesting() -> None:
    text = "[" * 200 + '"' + "{" * 200
    assert parse_json(json.dumps({"a": text}).encode(), what="p.json") == {"a": text}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=20
    )
)
def test_what_json_writes_is_read_back(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    if any("\ud800" <= char <= "\udfff" for char in text):
        return
    assert parse_json(text.encode(), what="p.json") == value


def _depth_by_bytes(data: bytes) -> int:
    depth = deepest = 0
    inside = escaped = False
    for char in data.decode("latin-1"):
        if inside:
            inside, escaped = (escaped or char != '"'), (char == "\\" and not escaped)
        elif char == '"':
            inside = True
        elif char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
    return deepest


@given(st.lists(st.sampled_from([b"[" * 25, b"]" * 25, b'"', b"\\", b"x", b"\n"]), max_size=20))
@example([b'"', b"\\"])
@example([b'"', b"\\", b'"', b"[" * 25, b"[" * 25, b"[" * 25])
def test_nesting_is_counted_outside_texts_however_they_end(parts: list[bytes]) -> None:
    data = b"?" + b"".join(parts)  # never JSON: only the reason differs
    with pytest.raises(PlanFormatError) as raised:
        parse_json(data, what="p.json")
    too_deep = str(raised.value).startswith("p.json is nested deeper than 60")
    assert too_deep == (_depth_by_bytes(data) > 60)


def test_a_megabyte_of_escaped_quotes_is_refused_at_once() -> None:
    with pytest.raises(PlanFormatError, match=r"^p\.json is not JSON at line 1, column 1: Unterm"):
        parse_json(b'"' + b'\\"' * 499_000, what="p.json")


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e6, 1e6)
    | st.text()
)


@given(
    st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
)
@example(-0.0)
@example(2.0**53)
@example(1e-4)
@example(9.9e-5)
@example(1e16)
@example({"\U0001f600": 1, "\ufb33": 2})
@example('\x00\x1f\x7f\u2028"\\/\b\f\n\r\t')
def test_canonical_bytes_are_those_of_the_standard(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # a narrower type


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", {1: 2}, {"a": {1, 2}}])
def test_what_json_cannot_hold_has_no_canonical_bytes(value: object) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)
