"""How signals are distributed over the people in scope: the figures that cuts are taken from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from gtm_orchestra.audience.profiles.signals import Signal

__all__ = ["QUANTILES", "Distribution", "amount_of", "count_values", "fetch", "measure"]

_TIMES = frozenset({"recency", "tenure", "trial_start"})
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Distribution:
    """One signal over the people in scope. A time counts as its age in days at the as-of.

    Attributes:
        people: People in scope.
        filled: Of them, with a value.
        positive: Of them, with a value above zero (for a boolean: true).
        quantiles: 5, 25, 50, 75, 95 %: of a time, over all with a value; of a count or an amount, over those
            above zero, because zeros are people of another kind. Empty for a boolean, and without any.
        once: People whose value is exactly one.
    """

    people: int
    filled: int
    positive: int
    quantiles: tuple[float, ...] = ()
    once: int = 0

    def at(self, share: float) -> float | None:
        """Return a quantile of `QUANTILES`, or None without any value."""
        return self.quantiles[QUANTILES.index(share)] if self.quantiles else None


def fetch(table: Any, expression: Any) -> pa.Table:  # noqa: ANN401 - ibis has no types
    """Run an expression where the table lies and return its rows: aggregates only, never people."""
    return table.get_backend().to_pyarrow(expression)


def amount_of(table: Any, signal: Signal, as_of: datetime) -> Any:  # noqa: ANN401 - ibis has no types
    """Return a signal as a number: a time as its age in days, true as one."""
    column = table[signal.attribute]
    if signal.type == "timestamp":
        return (ibis.literal(as_of.timestamp()) - column.epoch_seconds().cast("float64")) / 86_400.0
    return column.cast("int8").cast("float64") if signal.type == "boolean" else column.cast("float64")


def measure(table: Any, signals: Sequence[Signal], *, as_of: datetime) -> tuple[int, dict[str, Distribution]]:  # noqa: ANN401
    """Return how many people the table holds and, by attribute, how each signal is distributed.

    One aggregate query, whatever the number of signals. A time after the as-of counts as missing.
    """
    amounts: dict[str, Any] = {}
    figures: dict[str, Any] = {"people": table.count()}
    for at, signal in enumerate(signals):
        if signal.role == "stage":
            continue
        amount = amount_of(table, signal, as_of)
        known = amount.notnull() & (amount >= 0)
        amounts[signal.attribute] = at
        figures[f"filled_{at}"] = known.sum()
        figures[f"positive_{at}"] = (known & (amount > 0)).sum()
        figures[f"once_{at}"] = (known & (amount == 1)).sum()
        if signal.type != "boolean":
            base = known if signal.role in _TIMES else known & (amount > 0)
            figures[f"quantiles_{at}"] = amount.quantile(list(QUANTILES), where=base)
    row: Mapping[str, Any] = fetch(table, table.aggregate(**figures)).to_pylist()[0]
    people = int(row["people"])
    found = {
        attribute: Distribution(
            people,
            int(row[f"filled_{at}"] or 0),
            int(row[f"positive_{at}"] or 0),
            tuple(row.get(f"quantiles_{at}") or ()),
            int(row[f"once_{at}"] or 0),
        )
        for attribute, at in amounts.items()
    }
    return people, found


def count_values(table: Any, attribute: str, *, at_least: int, limit: int = 60) -> dict[str, int]:  # noqa: ANN401
    """Return the values of a text attribute that enough people share, most frequent first."""
    counted = (
        table.filter(table[attribute].notnull())
        .group_by(value=table[attribute])
        .aggregate(people=lambda rows: rows.count())
    )
    counted = counted.filter(counted.people >= at_least)
    rows = fetch(table, counted.order_by([counted.people.desc(), counted.value]).limit(limit)).to_pylist()
    return {row["value"]: int(row["people"]) for row in rows}
