"""What a profile tells beyond a column that already exists, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import ibis

from gtm_orchestra.audience.wording import in_figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gtm_orchestra.audience.contracts import AttributeFact
    from gtm_orchestra.audience.profiles.distributions import Read

__all__ = ["REDUNDANT", "Rival", "find_rivals"]

REDUNDANT = 0.9  # Jaccard index from which on a profile is values of a column under another name
_LIFT = 1.2  # below, a column finds these people hardly more often than anybody
_NEAR = 0.2
_NAMED = 3  # values that a sentence spells out


@dataclass(frozen=True)
class Rival:
    """The single column that comes closest to a profile.

    Attributes:
        says: The column with its values or cut.
        jaccard: People in both, of those in either (Jaccard, 1912).
        precision: Of those the column finds, the share that is in the profile.
        recall: Of the profile, the share that the column finds.
        is_value: The column has it as values; otherwise it is a cut in an amount or a time.
    """

    says: str
    jaccard: float
    precision: float
    recall: float
    is_value: bool

    @property
    def is_the_same(self) -> bool:
        """Whether the profile is values of a column under another name."""
        return self.is_value and self.jaccard >= REDUNDANT

    def sentence(self) -> str:
        """Return what the profile adds over it."""
        near = "" if self.jaccard >= _NEAR else "No existing column comes near. "
        return (
            f"{near}Closest existing column: {self.says}. It finds {self.recall:.0%} of these people, and "
            f"{1 - self.precision:.0%} of those it finds are others (Jaccard index {self.jaccard:.2f})."
        )


@dataclass(frozen=True)
class _Side:
    """People that a column tells apart in one way: how many there are per combination of profiles."""

    says: str
    is_value: bool
    counts: Mapping[int, int]

    @property
    def people(self) -> int:
        return sum(self.counts.values())

    def within(self, profile: int) -> int:
        return sum(people for combination, people in self.counts.items() if combination >> profile & 1)


def find_rivals(
    table: Any,  # noqa: ANN401 - ibis has no types
    profiles: Mapping[str, Any],
    *,
    columns: Sequence[AttributeFact],
    cuts: Mapping[str, Sequence[Any]],
    minimum: int,
    read: Read,
) -> dict[str, Rival]:
    """Return, by profile, the single column that comes closest; none for one that no column comes near.

    One query, whatever the number of profiles and columns.

    Args:
        table: One row per person.
        profiles: By key, who belongs to it, as expressions over the table; at most 60.
        columns: Columns that exist in the source. Text with many values and personal data are for the caller
            to leave out.
        cuts: By number or time column, where it may be cut: numbers, or times as the table compares them.
        minimum: A value shared by fewer people is not looked at.
        read: Runs an expression and returns its rows.
    """
    keys = sorted(profiles)
    compared = sorted(
        (fact for fact in columns if fact.type in {"string", "boolean"} or cuts.get(fact.name)),
        key=lambda fact: fact.name,
    )
    if not keys or not compared:
        return {}
    bits = [
        ibis.ifelse(profiles[key], ibis.literal(1 << at, "int64"), ibis.literal(0, "int64"))
        for at, key in enumerate(keys)
    ]
    values = {f"value_{at}": _value(table[fact.name], fact, cuts) for at, fact in enumerate(compared)}
    marked = table.select(combination=reduce(add, bits), **values)
    groups: list[dict[str | None, dict[int, int]]] = [{} for _ in compared]
    for row in _counted(marked, len(compared), read):
        group = groups[row["at"]].setdefault(row["value"], {})
        group[row["combination"]] = group.get(row["combination"], 0) + row["people"]
    everyone = _Side("", is_value=False, counts=_merged(list(groups[0].values())))
    best: dict[str, Rival] = {}
    for fact, group in zip(compared, groups, strict=True):
        for profile, key in enumerate(keys):
            for side in _sides(fact, group, cuts, profile=profile, minimum=minimum):
                rival = _compare(side, everyone, profile)
                if rival is not None and (key not in best or rival.jaccard > best[key].jaccard):
                    best[key] = rival
    return best


def _value(column: Any, fact: AttributeFact, cuts: Mapping[str, Sequence[Any]]) -> Any:  # noqa: ANN401
    """Return a column as text: its value, or how many of its cuts it reaches."""
    if fact.type == "string":
        return column
    if fact.type == "boolean":
        return column.cast("string").lower()
    reached = [(column >= place).cast("int64") for place in sorted(set(cuts[fact.name]))]
    return reduce(add, reached).cast("string")


def _counted(marked: Any, columns: int, read: Read) -> list[dict[str, Any]]:  # noqa: ANN401 - ibis has no types
    parts = [
        marked.group_by(value=marked[f"value_{at}"], combination=marked.combination)
        .aggregate(people=marked.count())
        .mutate(at=ibis.literal(at, "int64"))
        for at in range(columns)
    ]
    rows: list[dict[str, Any]] = read(ibis.union(*parts) if columns > 1 else parts[0]).to_pylist()
    return rows


def _sides(
    fact: AttributeFact,
    group: Mapping[str | None, Mapping[int, int]],
    cuts: Mapping[str, Sequence[Any]],
    *,
    profile: int,
    minimum: int,
) -> Iterator[_Side]:
    """Give every way in which a column alone could describe a profile."""
    if fact.type in {"string", "boolean"}:
        found = [
            _Side(value, is_value=True, counts=counts)
            for value, counts in group.items()
            if value is not None and sum(counts.values()) >= minimum
        ]
        # The values that find the profile most purely come first; each longer list is one way.
        found.sort(key=lambda side: (-side.within(profile) / side.people, side.says))
        for length in range(1, len(found) + 1):
            named = [side.says for side in found[:length]]
            shown = ", ".join(named[:_NAMED]) + (_others(length - _NAMED))
            merged = _merged([side.counts for side in found[:length]])
            yield _Side(f"{fact.name} = {shown}", is_value=True, counts=merged)
        return
    places = sorted(set(cuts[fact.name]))
    known = {int(value): counts for value, counts in group.items() if value is not None}
    for at, place in enumerate(places):
        shown = in_figures(place) if isinstance(place, int | float) else str(place)[:10]
        high = _merged([counts for reached, counts in known.items() if reached > at])
        low = _merged([counts for reached, counts in known.items() if reached <= at])
        yield _Side(f"{fact.name} from {shown}", is_value=False, counts=high)
        yield _Side(f"{fact.name} below {shown}", is_value=False, counts=low)
    yield _Side(f"{fact.name} missing", is_value=False, counts=group.get(None, {}))


def _others(number: int) -> str:
    if number <= 0:
        return ""
    return " or one other" if number == 1 else f" or {number} others"


def _merged(parts: Sequence[Mapping[int, int]]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for counts in parts:
        for combination, people in counts.items():
            merged[combination] = merged.get(combination, 0) + people
    return merged


def _compare(side: _Side, everyone: _Side, profile: int) -> Rival | None:
    size, both, column = everyone.within(profile), side.within(profile), side.people
    if not both:
        return None
    precision, recall = both / column, both / size
    if precision < _LIFT * size / everyone.people:
        return None
    return Rival(side.says, both / (size + column - both), precision, recall, side.is_value)
