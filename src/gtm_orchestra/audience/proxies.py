"""Attributes that stand in for a special category: whoever selects by one selects by the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.audience.association import correlation_ratio, cramers_v, cramers_v_corrected
from gtm_orchestra.warehouse.attribute_scan import Cell, number_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.config import Config, Sensitivity
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["PROXY_FROM", "Proxy", "find_proxies"]

# From here on an association counts as strong in the usual reading of Cramér's V and of eta.
PROXY_FROM = 0.3


@dataclass(frozen=True)
class Proxy:
    """How strongly an attribute goes with a special category.

    Attributes:
        measure: "cramers_v" or "correlation_ratio".
        people: With a value in both.
    """

    attribute: str
    of: str
    measure: str
    value: float
    people: int


def find_proxies(
    warehouse: Warehouse,
    config: Config,
    frame: PeopleFrame,
    special: Sequence[str],
    cells: Mapping[str, Sequence[Cell]],
    sensitivity: Mapping[str, Sensitivity],
) -> dict[str, Proxy]:
    """Return the strongest link of each usable attribute that reaches `PROXY_FROM`."""
    least = config.policies.group_minimum
    candidates = [name for name in frame.schema if sensitivity[name] != "special" and name not in special]
    numbers = [name for name in candidates if frame.schema[name] == "number"]
    found: list[Proxy] = []
    for of in special:
        for name in candidates:
            if name in cells:
                found += _categorical(name, of, cells[name], least)
        for name, groups in number_groups(warehouse, frame, numbers, of).items():
            ratio, people = correlation_ratio(groups), sum(n for n, _, _ in groups)
            if ratio >= PROXY_FROM and people >= least:
                found.append(Proxy(name, of, "correlation_ratio", round(ratio, 3), people))
    found.sort(key=lambda proxy: (proxy.value, proxy.of))
    return {proxy.attribute: proxy for proxy in found}


def _categorical(name: str, of: str, cells: Sequence[Cell], least: int) -> list[Proxy]:
    known = [cell for cell in cells if cell.others[of] is not None]
    rows = sorted({str(cell.value) for cell in known})
    columns = sorted({str(cell.others[of]) for cell in known})
    table = [[0] * len(columns) for _ in rows]
    for cell in known:
        table[rows.index(str(cell.value))][columns.index(str(cell.others[of]))] += cell.people
    people = sum(map(sum, table))
    # The corrected value decides, so that many rare values alone are no link; the plain one is well known.
    if people < least or cramers_v_corrected(table) < PROXY_FROM:
        return []
    return [Proxy(name, of, "cramers_v", round(cramers_v(table), 6), people)]
