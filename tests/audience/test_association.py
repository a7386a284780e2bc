from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import contingency

from gtm_orchestra.audience.association import (
    correlation_ratio,
    cramers_v,
    cramers_v_corrected,
    stability_index,
)


def test_cramers_v_is_that_of_scipy() -> None:
    table = np.array([[30, 12, 7], [10, 44, 9], [3, 2, 18]])
    assert cramers_v(table.tolist()) == pytest.approx(contingency.association(table, method="cramer"))


def test_many_rare_values_alone_are_no_link() -> None:
    rng = np.random.default_rng(7)
    table = rng.multinomial(400, np.full(150, 1 / 150)).reshape(50, 3)
    assert cramers_v(table.tolist()) > 0.3
    assert cramers_v_corrected(table.tolist()) < 0.15


@pytest.mark.parametrize("table", [[], [[5]], [[5, 3]], [[0, 0], [0, 0]], [[5, 0], [3, 0]]])
def test_one_row_or_column_tells_nothing(table: list[list[int]]) -> None:
    counts = table or [[0]]
    assert (cramers_v(counts), cramers_v_corrected(counts)) == (0.0, 0.0)


def test_the_correlation_ratio_is_the_share_of_variance_between_groups() -> None:
    groups = {
        "algebra": [45, 70, 29, 15, 21],
        "geometry": [40, 20, 30, 42],
        "statistics": [65, 95, 80, 70, 85, 73],
    }
    sums = [(len(g), float(sum(g)), float(sum(x * x for x in g))) for g in groups.values()]
    assert correlation_ratio(sums) == pytest.approx(0.8386, abs=1e-4)
    assert correlation_ratio([]) == 0.0


def test_the_stability_index_is_zero_for_equal_shares_and_finite_for_a_lost_value() -> None:
    assert stability_index({"a": 50, "b": 50}, {"a": 5, "b": 5}) == 0.0
    shifted = (0.8 - 0.5) * math.log(0.8 / 0.5) + (0.2 - 0.5) * math.log(0.2 / 0.5)
    assert stability_index({"a": 50, "b": 50}, {"a": 80, "b": 20}) == pytest.approx(shifted)
    assert stability_index({"a": 50, "b": 50}, {"a": 100}) < 10
    assert stability_index({}, {"a": 1}) == 0.0
