"""How signals are distributed over the people in scope: the figures that cuts are taken from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import ibis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from gtm_orchestra.audience.profiles.signals import Signal

    Read: TypeAlias = Callable[[ibis.Expr], pa.Table]

__all__ = ["QUANTILES", "Distribution", "amount_of", "count_values", "measure"]

_TIMES = frozenset({"recency", "tenure", "trial_start", "trial_end"})
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Distribution:
    """One signal over the people in scope. A time counts as its age in days at the as-of.

    The end of a trial counts as the days until then.

    Attributes:
        people: People in scope.
        filled: Of them, with a value.
        positive: Of them, with a value above zero (for a boolean: true).
        quantiles: 5, 25, 50, 75, 95 %: of a time, over all with a value; of a count or an amount, over those
            above zero, because zeros are people of another kind. Empty for a boolean, and without any.
            Staff and bots are left aside here, and only here.
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


def amount_of(table: Any, signal: Signal, as_of: datetime) -> Any:  # noqa: ANN401 - ibis has no types
    """Return a signal as a number: a time as its age in days, the end of a trial as days until then."""
    column = table[signal.attribute]
    if signal.type == "timestamp":
        age = (ibis.literal(as_of.timestamp()) - column.epoch_seconds().cast("float64")) / 86_400.0
        return -age if signal.role == "trial_end" else age
    return column.cast("int8").cast("float64") if signal.type == "boolean" else column.cast("float64")


def measure(
    table: Any,  # noqa: ANN401 - ibis has no types
    signals: Sequence[Signal],
    *,
    as_of: datetime,
    read: Read,
    typical: Any = None,  # noqa: ANN401 - the same
) -> tuple[int, dict[str, Distribution]]:
    """Return how many people the table holds and, by attribute, how each signal is distributed.

    One aggregate query, whatever the number of signals. A time after the as-of counts as missing, and so does
    the end of a trial before it.

    Args:
        table: One row per person.
        signals: What is measured; a lifecycle or a group is not.
        as_of: The moment that ages are counted from.
        read: Runs an expression and returns its rows.
        typical: Whom quantiles are taken over, as an expression over the table; None for everybody. Counts
            are of everybody: two counts that differ by a few people would tell how few.
    """
    amounts: dict[str, Any] = {}
    figures: dict[str, Any] = {"people": table.count()}
    for at, signal in enumerate(signals):
        if signal.role in {"stage", "group"}:
            continue
        amount = amount_of(table, signal, as_of)
        known = amount.notnull() & (amount >= 0)
        amounts[signal.attribute] = at
        figures[f"filled_{at}"] = known.sum()
        figures[f"positive_{at}"] = (known & (amount > 0)).sum()
        figures[f"once_{at}"] = (known & (amount == 1)).sum()
        if signal.type != "boolean":
            base = known if signal.role in _TIMES else known & (amount > 0)
            base = base if typical is None else base & typical
            figures[f"quantiles_{at}"] = amount.quantile(list(QUANTILES), where=base)
    row: Mapping[str, Any] = read(table.aggregate(**figures)).to_pylist()[0]
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


def count_values(
    table: Any,  # noqa: ANN401 - ibis has no types
    attribute: str,
    *,
    at_least: int,
    read: Read,
    limit: int = 60,
) -> dict[str, int]:
    """Return the values of a text attribute that enough people share, most frequent first."""
    counted = (
        table.filter(table[attribute].notnull())
        .group_by(value=table[attribute])
        .aggregate(people=lambda rows: rows.count())
    )
    counted = counted.filter(counted.people >= at_least)
    rows = read(counted.order_by([counted.people.desc(), counted.value]).limit(limit)).to_pylist()
    return {row["value"]: int(row["people"]) for row in rows}
