"""How strongly two columns go together, and how far two distributions are apart, from counts alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["correlation_ratio", "cramers_v", "cramers_v_corrected", "stability_index"]

_LEAST_SHARE = 1e-4


def _chi_square(table: np.ndarray) -> tuple[float, float, int, int]:
    """Return chi-square, the total, and how many rows and columns are not empty."""
    seen = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    total = float(seen.sum())
    if total == 0 or min(seen.shape) < 2:  # noqa: PLR2004 - one row or column tells nothing
        return 0.0, total, 1, 1
    expected = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0, keepdims=True) / total
    return float(((seen - expected) ** 2 / expected).sum()), total, seen.shape[0], seen.shape[1]


def cramers_v(table: Sequence[Sequence[int]]) -> float:
    """Return Cramér's V (1946) of a table of counts: 0 for independent, 1 for one deciding the other.

    >>> cramers_v([[50, 0], [0, 50]])
    1.0
    """
    chi2, total, rows, columns = _chi_square(np.asarray(table, dtype=np.float64))
    least = min(rows, columns) - 1
    return math.sqrt(chi2 / total / least) if least else 0.0


def cramers_v_corrected(table: Sequence[Sequence[int]]) -> float:
    """Return Cramér's V with Bergsma's correction (2013): many rare values alone do not look like a link."""
    chi2, total, rows, columns = _chi_square(np.asarray(table, dtype=np.float64))
    if total <= 1 or min(rows, columns) < 2:  # noqa: PLR2004 - one row or column tells nothing
        return 0.0
    phi2 = max(0.0, chi2 / total - (rows - 1) * (columns - 1) / (total - 1))
    least = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    return math.sqrt(phi2 / least) if least > 0 else 0.0


def correlation_ratio(groups: Sequence[tuple[int, float, float]]) -> float:
    """Return the correlation ratio, eta (Pearson 1905), of a number within groups.

    Args:
        groups: Per group the count, the sum and the sum of squares of the number.

    >>> correlation_ratio([(2, 2.0, 2.0), (2, 6.0, 18.0)])
    1.0
    """
    count = sum(n for n, _, _ in groups)
    if count == 0:
        return 0.0
    mean = sum(s for _, s, _ in groups) / count
    total = sum(q for _, _, q in groups) - count * mean**2
    between = sum(n * (s / n - mean) ** 2 for n, s, _ in groups if n)
    return math.sqrt(min(1.0, max(0.0, between / total))) if total > 1e-9 else 0.0  # noqa: PLR2004 - rounding


def stability_index(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Return the population stability index (Siddiqi 2006): under 0.1 stable, from 0.25 on shifted.

    A share of nothing counts as 0.01 %, so that a new or lost value does not make it infinite.
    """
    n, m = sum(before.values()), sum(after.values())
    if not n or not m:
        return 0.0
    index = 0.0
    for name in sorted(before.keys() | after.keys()):
        p, q = (max(_LEAST_SHARE, x.get(name, 0) / total) for x, total in ((before, n), (after, m)))
        index += (q - p) * math.log(q / p)
    return index
