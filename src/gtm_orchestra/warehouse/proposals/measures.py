"""What the engine measures about every column of a table: figures over all rows, values of a sample.

Values stay in this process and decide forms and types; no proposal repeats one that could be a person's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from gtm_orchestra.warehouse.proposals.dates import DateReading, read_epoch
from gtm_orchestra.warehouse.proposals.names import shared_prefix, without_prefix, words
from gtm_orchestra.warehouse.proposals.neighbours import settle
from gtm_orchestra.warehouse.proposals.values import ValueReading, read_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.proposals.lexicon import Shape

__all__ = ["ColumnMeasure", "TableMeasure", "agreement", "measure_table", "overlap"]

_SAMPLE = 50_000
_EXACT = 1_000_000
_FORMS = 4_000
_VOCABULARY = 60
_NEAR_UNIQUE = 0.9
# How MySQL writes that there is no date.
_ZERO_DATES = ("0000-00-00", "0000-00-00 00:00:00")
PlainType = Literal["boolean", "integer", "number", "timestamp", "date", "string", "other"]


@dataclass(frozen=True, slots=True)
class ColumnMeasure:
    """What one column looks like.

    Attributes:
        table: Name of its table in the source.
        name: As the source writes it.
        words: Of the header.
        type: As the engine has it.
        filled: Rows with a value; a blank text is none.
        distinct: Different values; exact up to a million rows and for near-unique columns, else of a sample.
        low: Smallest value of a number or time.
        high: Largest value of a number or time.
        reading: What the values of a text are.
        vocabulary: Values with their rows in the sample, when they are few.
        epoch: Unit, if whole numbers could be times.
        zoned: A time type that carries its zone.
        settled: What its neighbours told about how it is written; see `neighbours`.
        plain_name: Its name without what every column of the table begins with, such as "Person - ".
    """

    table: str
    name: str
    words: tuple[str, ...]
    type: PlainType
    rows: int
    filled: int
    distinct: int
    low: float | datetime | None = None
    high: float | datetime | None = None
    reading: ValueReading | None = None
    vocabulary: Mapping[str, int] = field(default_factory=dict)
    epoch: str | None = None
    zoned: bool = False
    settled: str = ""
    plain_name: str = ""

    @property
    def unique(self) -> bool:
        """Whether every row has a value and no two rows share one."""
        return self.rows > 0 and self.distinct == self.rows == self.filled

    @property
    def coverage(self) -> float:
        """Share of rows with a value."""
        return self.filled / self.rows if self.rows else 0.0

    @property
    def dates(self) -> DateReading | None:
        """How a text column writes times, if it does."""
        return self.reading.dates if self.reading else None

    @property
    def binary(self) -> bool:
        """Whether the values are two-valued: a boolean, 0 and 1, or words for yes and no."""
        if self.type == "boolean":
            return True
        if self.type == "integer":
            return self.low in {0, 1} and self.high in {0, 1}
        return self.reading is not None and self.reading.form == "boolean"

    @property
    def shape(self) -> Shape | Literal["other"]:
        """The form of the values, as `lexicon.Concept.shapes` speaks of it."""
        if self.filled == 0:
            return "empty"
        if self.type == "string" and self.reading is not None:
            return _TEXT_SHAPES.get(self.reading.form, "text")
        simple: dict[str, Shape] = {
            "boolean": "flag", "integer": "number", "number": "number", "timestamp": "time", "date": "time",
        }  # fmt: skip
        return simple.get(self.type, "other")


_TEXT_SHAPES: dict[str, Shape] = {
    "email": "email", "phone": "phone", "ip": "ip", "url": "url", "uuid": "id", "hash": "id", "iban": "id",
    "card": "id", "date": "time", "number": "number", "boolean": "flag", "prose": "prose",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableMeasure:
    """What one table looks like."""

    name: str
    rows: int
    columns: tuple[ColumnMeasure, ...]

    def column(self, name: str) -> ColumnMeasure:
        """Return a column by its name in the source."""
        return next(column for column in self.columns if column.name == name)


def measure_table(warehouse: Warehouse, name: str) -> TableMeasure:
    """Return the figures of one table and of every column in it.

    Raises:
        SourceError: The table cannot be read.
    """
    from gtm_orchestra.warehouse.values import plain_type  # noqa: PLC0415 - imports ibis

    table = warehouse.table(name)
    types = {column: plain_type(table[column]) for column in table.columns}
    figures = _figures(warehouse, table, types)
    rows = int(figures["rows"])
    sample = _sample(warehouse, table, types, rows)
    columns = []
    prefix = shared_prefix(tuple(types))
    for index, (column, kind) in enumerate(types.items()):
        counts = sample.get(column, Counter())
        filled, distinct = int(figures[f"f{index}"] or 0), len(counts)
        if rows <= _EXACT:
            distinct = int(figures[f"d{index}"] or 0)
        elif kind in {"string", "integer"} and distinct > _NEAR_UNIQUE * sum(counts.values()):
            distinct = _distinct(warehouse, table, column)
        low, high = _bound(figures.get(f"l{index}")), _bound(figures.get(f"h{index}"))
        columns.append(
            ColumnMeasure(
                table=name,
                name=column,
                words=words(without_prefix(column, prefix)),
                plain_name=without_prefix(column, prefix),
                type=kind,  # type: ignore[arg-type]  # plain_type returns the words of PlainType
                rows=rows,
                filled=filled,
                distinct=distinct,
                low=low,
                high=high,
                reading=read_values(_thinned(counts)) if kind == "string" else None,
                vocabulary=dict(sorted(counts.items())) if len(counts) <= _VOCABULARY else {},
                epoch=read_epoch(low, high)
                if kind == "integer" and isinstance(low, float) and isinstance(high, float)
                else None,
                zoned=kind == "timestamp" and table[column].type().timezone is not None,
            )
        )
    return TableMeasure(name, rows, settle(columns))


def _thinned(counts: Counter[str]) -> Mapping[str, int]:
    """Return every n-th of the sorted values: enough to know a form by, in bounded time."""
    step = -(-len(counts) // _FORMS) or 1
    return {value: counts[value] for value in sorted(counts)[::step]}


def overlap(warehouse: Warehouse, child: tuple[str, str], parent: tuple[str, str]) -> tuple[int, int]:
    """Return how many distinct values of a column occur in another, and how many distinct values it has.

    Texts compare without case and blanks: e-mail addresses are typed by hand.

    Args:
        warehouse: Where both lie; the engine does the comparison.
        child: Table and column that may refer.
        parent: Table and column that may be referred to.
    """
    from gtm_orchestra.warehouse.values import as_text  # noqa: PLC0415 - imports ibis

    left, right = (warehouse.table(table)[column] for table, column in (child, parent))
    found = as_text(left).strip().lower().name("v").as_table().drop_null().distinct()
    known = as_text(right).strip().lower().name("v").as_table().drop_null().distinct()
    hits = found.semi_join(known, "v").count()
    return int(warehouse.rows(hits.as_table())[0].popitem()[1]), int(
        warehouse.rows(found.count().as_table())[0].popitem()[1]
    )


def agreement(
    warehouse: Warehouse, child: tuple[str, str, str], parent: tuple[str, str, str]
) -> tuple[int, int]:
    """Return of how many rows with a key of another table an address there is the same, and of how many not.

    Two systems that number from one upwards have the same numbers for other people.

    Args:
        warehouse: Where both lie.
        child: Table, referring column and column of addresses.
        parent: Table, key and column of addresses.
    """
    from gtm_orchestra.warehouse.values import as_text  # noqa: PLC0415 - imports ibis

    left, right = (
        warehouse.table(table)
        .select(
            **{
                f"k{side}": as_text(warehouse.table(table)[key]).strip().lower(),
                f"m{side}": as_text(warehouse.table(table)[mail]).strip().lower(),
            }
        )
        .drop_null()
        for side, (table, key, mail) in (("c", child), ("p", parent))
    )
    both = left.join(right, left["kc"] == right["kp"])
    row = warehouse.rows(
        both.aggregate(same=(both["mc"] == both["mp"]).sum(), other=(both["mc"] != both["mp"]).sum())
    )[0]
    return int(row["same"] or 0), int(row["other"] or 0)


def _figures(warehouse: Warehouse, table: Any, types: Mapping[str, str]) -> dict[str, Any]:  # noqa: ANN401 - ibis table
    from gtm_orchestra.warehouse.values import as_text, as_time  # noqa: PLC0415 - imports ibis

    exact = int(warehouse.rows(table.count().as_table())[0].popitem()[1]) <= _EXACT
    wanted = {"rows": table.count()}
    for index, (name, kind) in enumerate(types.items()):
        column = table[name]
        value = column
        if kind == "string" and column.type().is_string():
            value = as_text(column.strip())
            for zero in _ZERO_DATES:
                value = value.nullif(zero)
        wanted[f"f{index}"] = value.count()
        if exact and kind != "other":
            wanted[f"d{index}"] = value.nunique()
        if kind in {"integer", "number"}:
            wanted[f"l{index}"], wanted[f"h{index}"] = (
                column.min().cast("float64"),
                column.max().cast("float64"),
            )
        elif kind in {"timestamp", "date"}:
            time = as_time(column)
            wanted[f"l{index}"], wanted[f"h{index}"] = time.min(), time.max()
    return warehouse.rows(table.aggregate(**wanted))[0]


def _sample(warehouse: Warehouse, table: Any, types: Mapping[str, str], rows: int) -> dict[str, Counter[str]]:  # noqa: ANN401 - ibis table
    import ibis  # noqa: PLC0415 - heavy

    from gtm_orchestra.warehouse.values import as_text  # noqa: PLC0415 - imports ibis

    wanted = {f"c{i}": as_text(table[c]) for i, (c, kind) in enumerate(types.items()) if kind != "other"}
    names = {f"c{i}": c for i, (c, kind) in enumerate(types.items()) if kind != "other"}
    if not wanted or rows == 0:
        return {}
    picked = table.select(**wanted)
    step = -(-rows // _SAMPLE)
    if step > 1:
        # Every n-th row, not the first ones: exports are sorted by time, and early rows look different.
        numbered = picked.mutate(row_number=ibis.row_number())
        picked = numbered.filter(numbered.row_number % step == 0).drop("row_number")
    found = warehouse.to_arrow(picked)
    counts: dict[str, Counter[str]] = {}
    for short, name in names.items():
        counted: Counter[str] = Counter()
        for pair in found[short].value_counts().to_pylist():
            text = pair["values"]
            if text is not None and text.strip() and text.strip() not in _ZERO_DATES:
                counted[text.strip()] += pair["counts"]
        counts[name] = counted
    return counts


def _distinct(warehouse: Warehouse, table: Any, column: str) -> int:  # noqa: ANN401 - ibis table
    return int(warehouse.rows(table[column].nunique().as_table())[0].popitem()[1])


def _bound(value: object) -> float | datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return float(value) if isinstance(value, (int, float)) else None
