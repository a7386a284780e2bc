"""The words that the data itself uses: attributes, their values, and how many people a condition names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.config import AttributeType
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["MOST_VALUES", "FrameVocabulary", "Vocabulary"]

# An attribute with more values than this holds free text or identifiers, not the words of a segment.
MOST_VALUES = 300


class Vocabulary(Protocol):
    """What words in a constraint are looked up in. Values are used to match words, never shown."""

    @property
    def schema(self) -> Mapping[str, AttributeType]:
        """Return the attributes that conditions may name, with their types."""

    def values(self, attribute: str) -> Mapping[str, int]:
        """Return the values of a string attribute with their people; empty if it has too many to be words."""

    def counts(self, conditions: Sequence[dict[str, Any]]) -> list[int]:
        """Return how many people each condition names."""


class FrameVocabulary:
    """The vocabulary of a people frame, asked of the engine on first use and kept for the task."""

    def __init__(self, warehouse: Warehouse, frame: PeopleFrame) -> None:
        self._warehouse, self._frame = warehouse, frame
        self._values: dict[str, dict[str, int]] = {}

    @property
    def schema(self) -> Mapping[str, AttributeType]:
        """Return the attributes that conditions may name, with their types."""
        return self._frame.schema

    def values(self, attribute: str) -> Mapping[str, int]:
        """Return the values of a string attribute with their people; empty if it has too many to be words."""
        if attribute not in self._values:
            self._values[attribute] = self._ask(attribute)
        return self._values[attribute]

    def counts(self, conditions: Sequence[dict[str, Any]]) -> list[int]:
        """Return how many people each condition names, in one query."""
        from gtm_orchestra.conditions import parse, to_ibis  # noqa: PLC0415 a lookup without counts needs no engine

        if not conditions:
            return []
        table = self._frame.table
        named = [table.count(where=to_ibis(parse(one, self.schema), table)) for one in conditions]
        found = self._warehouse.rows(table.aggregate(**{f"n{at}": one for at, one in enumerate(named)}))[0]
        return [int(found[f"n{at}"]) for at in range(len(conditions))]

    def _ask(self, attribute: str) -> dict[str, int]:
        table = self._frame.table
        if self.schema.get(attribute) != "string":
            return {}
        named = table.select(value=table[attribute]).drop_null()
        counted = (
            named.group_by("value").aggregate(people=named.count()).order_by("value").limit(MOST_VALUES + 1)
        )
        rows = self._warehouse.rows(counted)
        return {} if len(rows) > MOST_VALUES else {row["value"]: row["people"] for row in rows}
