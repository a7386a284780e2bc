"""Text is read as a value the same way in both engines, and what is no value is missing in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from gtm_orchestra.config import SourceSettings
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse
from gtm_orchestra.warehouse.values import as_boolean, as_number, as_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = {
    "2026-07-01": "2026-07-01 00:00:00",
    "2026-07-01T10:00": "2026-07-01 10:00:00",
    "2026-07-01 10:00:00": "2026-07-01 10:00:00",
    "2026-07-01T10:00:00.5": "2026-07-01 10:00:00.500000",
    "2026-07-01T10:00:00Z": "2026-07-01 10:00:00",
    "2026-07-01T10:00:00+02:00": "2026-07-01 08:00:00",
    "2026-07-01 10:00:00-0530": "2026-07-01 15:30:00",
    "2026-07-01 10:00:00 -0530": None,
    "2026-07-01T10:00Z": None,
    "2024-02-29T10:00:00": "2024-02-29 10:00:00",
    "2026-02-29T10:00:00": None,
    "2026-04-31": None,
    "2026-13-01": None,
    "2026-07-01T25:00:00": None,
    "2026-07-01T10:61:00Z": None,
    "01.07.2026": None,
    "2026-7-1": None,
    "yesterday": None,
    "": None,
}
NUMBERS = {
    "1": 1.0,
    " -2.5 ": -2.5,
    "1e3": 1000.0,
    "1,000": None,
    "n/a": None,
    "": None,
    "0x10": None,
    "1e999": None,
}
BOOLEANS = {"TRUE": True, "yes": True, "1": True, "f": False, "No": False, "maybe": None, "": None}


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    rows = [*TEXTS, *NUMBERS, *BOOLEANS]
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url, autocommit=True) as server, server.cursor() as cursor:
            cursor.execute("CREATE TABLE words (word text)")
            cursor.executemany("INSERT INTO words VALUES (%s)", [(row,) for row in rows])
    else:
        import pyarrow as pa  # noqa: PLC0415 - one engine of two
        import pyarrow.parquet as pq  # noqa: PLC0415

        url = "data"
        (tmp_path / "data").mkdir()
        pq.write_table(pa.table({"word": rows}), tmp_path / "data" / "words.parquet")
    with open_warehouse(SourceSettings(url=url), tmp_path, {}) as warehouse:
        yield warehouse


def test_times(engine: Warehouse) -> None:
    words = engine.table("words")
    for zone, shift in ((None, 0), ("Etc/GMT-1", 1)):
        read = {row["word"]: row["at"] for row in engine.rows(words.mutate(at=as_time(words.word, zone)))}
        for text, expected in TEXTS.items():
            zoned = text.endswith(("Z", "00", "30")) and ("Z" in text or "+" in text or "-0530" in text)
            if expected is None or zoned or not shift:
                assert (str(read[text]) if read[text] else None) == expected, (text, zone)
            else:
                assert str(read[text]) < expected, (text, zone)


def test_numbers_and_booleans(engine: Warehouse) -> None:
    words = engine.table("words")
    found = {
        row["word"]: (row["n"], row["b"])
        for row in engine.rows(words.mutate(n=as_number(words.word), b=as_boolean(words.word)))
    }
    assert {word: found[word][0] for word in NUMBERS} == NUMBERS
    assert {word: found[word][1] for word in BOOLEANS} == BOOLEANS
