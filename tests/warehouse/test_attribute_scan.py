"""Numbers are spread alike whether people are counted per value or sorted by the engine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtm_orchestra.config import load_config
from gtm_orchestra.sample.generate import SAMPLE_AS_OF, write_sample
from gtm_orchestra.warehouse import attribute_scan
from gtm_orchestra.warehouse.attribute_scan import QUANTILES, scan_attributes, value_cells
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from pathlib import Path


def test_few_and_many_values_give_the_same_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample(tmp_path, people=2_000)
    config = load_config(tmp_path / "gtm.toml")
    with open_warehouse(config.source, tmp_path, {}) as warehouse:
        frame = people_frame(warehouse, config, SAMPLE_AS_OF)
        numbers = [name for name, type_ in frame.full_schema.items() if type_ == "number"]
        counted = scan_attributes(warehouse, frame, SAMPLE_AS_OF, shifting=numbers)
        monkeypatch.setattr(attribute_scan, "_FEW_NUMBERS", 0)
        sorted_by_engine = scan_attributes(warehouse, frame, SAMPLE_AS_OF, shifting=numbers)
        values = warehouse.to_arrow(frame.full.select(*numbers))
    assert counted == sorted_by_engine
    for name in numbers:
        known = values.column(name).drop_null().to_numpy()
        expected = [float(f"{q:.6g}") for q in np.quantile(known, QUANTILES)]
        assert list(counted[name].quantiles) == pytest.approx(expected), name
        before, after = counted[name].sides or ({}, {})
        assert sum(before.values()) > sum(after.values()) > 0, name


def test_sides_are_counted_only_for_numbers_that_may_shift(tmp_path: Path) -> None:
    write_sample(tmp_path, people=1_500)
    config = load_config(tmp_path / "gtm.toml")
    with open_warehouse(config.source, tmp_path, {}) as warehouse:
        frame = people_frame(warehouse, config, SAMPLE_AS_OF)
        scans = scan_attributes(warehouse, frame, SAMPLE_AS_OF, shifting=["seats"])
    assert [name for name, scan in scans.items() if scan.sides is not None] == ["seats"]


@pytest.mark.parametrize("few", [512, 0])
def test_people_created_in_the_future_are_neither_recent_nor_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(attribute_scan, "_FEW_NUMBERS", few)
    write_sample(tmp_path, people=1_500)
    config = load_config(tmp_path / "gtm.toml")
    path = tmp_path / "data" / "contacts.parquet"
    people = pq.read_table(path)
    recent = {}
    for name, ahead in (("as it is", 0), ("planted", 300)):
        future = (SAMPLE_AS_OF + timedelta(days=90)).isoformat()
        created = [future] * ahead + people["createdate"].to_pylist()[ahead:]
        at = people.column_names.index("createdate")
        pq.write_table(people.set_column(at, "createdate", pa.array(created)), path)
        with open_warehouse(config.source, tmp_path, {}) as warehouse:
            frame = people_frame(warehouse, config, SAMPLE_AS_OF)
            scan = scan_attributes(warehouse, frame, SAMPLE_AS_OF, shifting=["seats"])["seats"]
            recent[name] = sum((scan.sides or ({}, {}))[1].values())
            value = {cell.recent for cell in value_cells(warehouse, frame, SAMPLE_AS_OF, "country", ())}
            assert (None in value) is bool(ahead)
    assert 0 < recent["planted"] <= recent["as it is"]
