"""A table with what its columns mean, and the role that is proposed for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.names import plural_free, words
from gtm_orchestra.warehouse.proposals.table_words import TABLE_HINTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.config import TableRole
    from gtm_orchestra.warehouse.proposals.columns import ColumnReading
    from gtm_orchestra.warehouse.proposals.measures import TableMeasure

__all__ = ["KEY_SHARE", "Link", "RoleReading", "TableReading"]

KEY_SHARE = 0.95
# German and Dutch write the number into the word: Gastnummer, Mitgliedsnr.
_NUMBERS = ("nummer", "nr", "kennung", "kenmerk")


@dataclass(frozen=True, slots=True)
class Link:
    """A column whose values occur as keys of another table.

    Attributes:
        column: The referring column.
        to: "key" or the meaning in the people table, such as "email".
        hits: Distinct values that occur there.
        values: Distinct values.
        at: The column referred to, where it is neither the key nor mapped yet.
    """

    column: str
    to: str
    hits: int
    values: int
    at: str = ""

    @property
    def share(self) -> float:
        """Share of distinct values that occur there."""
        return self.hits / self.values if self.values else 0.0

    def words(self, where: str) -> str:
        """Return the link in words, as evidence."""
        there = f"{where}.{self.at}" if self.at else where
        return f"{self.column!r}: {self.hits:,} of {self.values:,} values occur in {there}"


@dataclass(frozen=True, slots=True)
class TableReading:
    """A table with what its columns mean."""

    measure: TableMeasure
    columns: tuple[ColumnReading, ...]

    @property
    def name(self) -> str:
        """Name in the source."""
        return self.measure.name

    def hinted(self, role: str) -> bool:
        """Whether the table's name, in one of five languages, speaks of a role."""
        found = words(self.name)
        joined = {
            *found,
            *(plural_free(word) for word in found),
            "".join(plural_free(word) for word in found),
        }
        return bool(joined & TABLE_HINTS[role])

    def find(self, *concepts: str) -> ColumnReading | None:
        """Return the usable column of the first of these meanings that any has; the surest and fullest."""
        for concept in concepts:
            found = [c for c in self.columns if c.concept == concept and not c.problem]
            if found:
                return max(found, key=lambda c: (c.confidence, c.measure.filled))
        return None

    def has(self, *concepts: str) -> bool:
        """Whether a usable column has one of these meanings."""
        return self.find(*concepts) is not None

    def key(self) -> ColumnReading | None:
        """Return the column that tells the rows apart, by measured uniqueness; names decide a tie."""
        nouns = {plural_free(word) for word in words(self.name)}
        found = []
        for place, column in enumerate(self.columns):
            measure = column.measure
            near = measure.distinct >= KEY_SHARE * max(measure.filled, 1) and measure.coverage >= KEY_SHARE
            shaped = measure.type in {"integer", "string"} and measure.shape in {
                "id",
                "number",
                "text",
                "phone",
            }
            named = bool(
                set(measure.words)
                & {
                    "id",
                    "key",
                    "uuid",
                    "uid",
                    "guid",
                    "nr",
                    "number",
                    "nummer",
                    "no",
                    "numero",
                    "vid",
                    "code",
                    "userid",
                    "kundennummer",
                    "klantnummer",
                    "kundennr",
                    "bestellnummer",
                }
            )
            named |= column.concept.endswith("_id") or any(w.endswith(_NUMBERS) for w in measure.words[-1:])
            if not (near and shaped and named) or column.concept in {
                "sensitive",
                "special",
                "phone",
                "postal_code",
                "vat_id",
                "national_id",
                "external_id",
            }:
                continue
            own = set(measure.words) <= {"id", "key", "uuid", "record"} or bool(
                nouns & {plural_free(w) for w in measure.words}
            )
            found.append((not own, not measure.unique, place, column))
        return min(found, key=lambda item: item[:3])[3] if found else None


@dataclass(frozen=True, slots=True)
class RoleReading:
    """A table in the role that is proposed for it.

    Attributes:
        columns: Meaning → column.
        constants: Meaning → word, for what the table lacks.
        person_by: Meaning in the people table that the person column refers to, if not the key.
        exclude: Column → words whose rows do not count.
        account_by: The same for the account column and the table of accounts.
    """

    role: TableRole
    table: TableReading
    columns: Mapping[str, str]
    evidence: str
    confidence: float
    constants: Mapping[str, str] = field(default_factory=dict)
    person_by: str | None = None
    account_by: str | None = None
    exclude: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
