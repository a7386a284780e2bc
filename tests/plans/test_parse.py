from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.parse import MAX_BYTES, parse_json

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
