"""The review of the attribute catalog: what is safe in bulk, what is sensitive one by one, with a name.

Deny by default: an attribute that nobody has accepted may stand in a draft profile, never in a rule. A
decision is written into gtm.toml with who made it and why; comments and order of the file stay.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gtm_orchestra.config import Config, ReviewStatus, Sensitivity, load_config
from gtm_orchestra.errors import PolicyError, UsageError
from gtm_orchestra.model import Model
from gtm_orchestra.warehouse.tomlfile import edit_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import tomlkit

    from gtm_orchestra.config import AttributeSettings
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = [
    "ReviewRow",
    "accept",
    "deny",
    "example_values",
    "export_csv",
    "import_csv",
    "is_safe",
    "review_rows",
]

Decision = Literal["accept", "deny", "review"]

_SAFE_CONFIDENCE = 0.8
_HARMLESS: frozenset[Sensitivity] = frozenset({"none", "internal"})
_COLUMNS = (
    "name", "source", "type", "description", "sensitivity", "sensitivity_note", "evidence", "confidence",
    "proposed", "review", "reviewed_by", "reason",
)  # fmt: skip
_EDITABLE = frozenset({"review", "reason"})
# A spreadsheet takes a cell that starts with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


class ReviewRow(Model):
    """One attribute of the catalog, as a reviewer sees it."""

    name: str
    source: str = Field(description="role.column, or the event and how it is counted.")
    type: str
    description: str
    sensitivity: Sensitivity
    sensitivity_note: str
    evidence: str
    confidence: float | None
    proposed: Decision = Field(description="accept: safe in bulk; deny: special; review: one by one.")
    why: str = Field(description="Why that is proposed.")
    review: ReviewStatus
    reviewed_by: str | None
    reason: str | None


def is_safe(attribute: AttributeSettings) -> bool:
    """Return whether an attribute may be accepted in bulk: harmless class, high confidence, no free text."""
    return _doubt(attribute) == ""


def _doubt(attribute: AttributeSettings) -> str:
    if attribute.sensitivity not in _HARMLESS:
        return f"sensitivity is {attribute.sensitivity}"
    if attribute.sensitivity_note.lower().startswith("consent"):
        return "it says who consented, which decides whom to address and never whom to target"
    if "free text" in attribute.sensitivity_note.lower() or "free text" in attribute.description.lower():
        return "free text may hold anything"
    if attribute.confidence is None or attribute.confidence < _SAFE_CONFIDENCE:
        seen = "none" if attribute.confidence is None else f"{attribute.confidence:.2f}"
        return f"confidence is {seen}, under {_SAFE_CONFIDENCE:.2f}"
    return ""


def review_rows(config: Config) -> tuple[ReviewRow, ...]:
    """Return one row per attribute, undecided ones first, then in the order of gtm.toml."""
    rows = [_row(name, attribute) for name, attribute in config.attributes.items()]
    return tuple(sorted(rows, key=lambda row: row.review != "proposed"))


def _row(name: str, attribute: AttributeSettings) -> ReviewRow:
    doubt = _doubt(attribute)
    special = attribute.sensitivity == "special"
    event = f"{attribute.measure} of {attribute.event} in {attribute.window or 'all time'}"
    return ReviewRow(
        name=name,
        source=f"{attribute.table}.{attribute.column}" if attribute.column is not None else event,
        type=attribute.type,
        description=attribute.description,
        sensitivity=attribute.sensitivity,
        sensitivity_note=attribute.sensitivity_note,
        evidence=attribute.evidence,
        confidence=attribute.confidence,
        proposed="deny" if special else "review" if doubt else "accept",
        why="special categories are never used" if special else doubt or "harmless, and sure enough",
        review=attribute.review,
        reviewed_by=attribute.reviewed_by,
        reason=attribute.reason,
    )


def example_values(
    warehouse: Warehouse, config: Config, names: Collection[str], *, limit: int = 3
) -> dict[str, str]:
    """Return what a reviewer may see of each attribute's values: the most frequent, or why none are shown.

    Only of a harmless class, only plain texts, and only values that as many rows share as a group must have.

    Raises:
        SourceError: A mapped table cannot be read.
    """
    from gtm_orchestra.warehouse.roles import role_table  # noqa: PLC0415 - imports ibis
    from gtm_orchestra.warehouse.values import as_text  # noqa: PLC0415 - the same

    minimum, found = config.policies.group_minimum, {}
    for name in names:
        attribute = config.attributes[name]
        if attribute.column is None or attribute.type != "string":
            continue
        if attribute.sensitivity not in _HARMLESS:
            found[name] = f"values not shown: sensitivity is {attribute.sensitivity}"
            continue
        role = role_table(warehouse, config, attribute.table)
        if role is None or attribute.column not in role.table.columns:
            continue
        values = role.table.select(value=as_text(role.table[attribute.column])).drop_null()
        counts = values.group_by("value").aggregate(rows=values.count())
        shared = counts.filter(counts["rows"] >= minimum).order_by([counts["rows"].desc(), counts["value"]])
        shown = [str(row["value"]) for row in warehouse.rows(shared.limit(limit))]
        found[name] = (
            f"values: {', '.join(shown)}"
            if shown
            else f"values not shown: none is shared by {minimum:,} rows"
        )
    return found


def accept(
    path: Path, names: Collection[str] = (), *, by: str, reason: str = "", safe: bool = False
) -> tuple[str, ...]:
    """Accept attributes of a gtm.toml and return the names that changed, sorted.

    Args:
        path: The gtm.toml.
        names: What to accept. A sensitive one must come alone, with a reason.
        by: Handle of the person of `[people]` who decides.
        reason: Why; needed for what is not safe.
        safe: Accept everything undecided that `is_safe`, in place of names.

    Raises:
        UsageError: Nothing is named, or a name is not in the catalog.
        PolicyError: The person is unknown; a sensitive one comes in bulk or without reason; a special one.
    """
    config = load_config(path)
    _require_person(config, by)
    if safe == bool(names):
        raise UsageError(
            "name the attributes to accept, or say safe: not both", hint="gtm catalog review lists them"
        )
    if safe:
        names = [n for n, a in config.attributes.items() if a.review == "proposed" and is_safe(a)]
        reason = reason or "safe in bulk"
    for name in sorted(names):
        attribute = _attribute(config, name)
        doubt = _doubt(attribute)
        if attribute.sensitivity == "special":
            raise PolicyError(
                f"{name!r} is of a special category ({attribute.sensitivity_note or 'Art. 9 GDPR'}) "
                "and cannot be accepted",
                hint=f"gtm catalog deny {name}; if the class is wrong, mend sensitivity in gtm.toml first",
            )
        if doubt and (len(names) > 1 or not reason.strip()):
            raise PolicyError(
                f"{name!r} is accepted one by one and with a reason: {doubt}",
                hint=f"gtm catalog accept {name} --reason '…'",
            )
    return _decide(path, config, dict.fromkeys(names, ("accepted", reason)), by)


def deny(path: Path, names: Collection[str], *, by: str, reason: str) -> tuple[str, ...]:
    """Deny attributes of a gtm.toml and return the names that changed, sorted.

    Raises:
        UsageError: Nothing is named, a name is not in the catalog, or the reason is missing.
        PolicyError: The person is unknown.
    """
    config = load_config(path)
    _require_person(config, by)
    if not names:
        raise UsageError("name the attributes to deny", hint="gtm catalog review lists them")
    if not reason.strip():
        raise UsageError("a denial needs a reason", hint="gtm catalog deny NAME --reason '…'")
    for name in sorted(names):
        _attribute(config, name)
    return _decide(path, config, dict.fromkeys(names, ("denied", reason)), by)


def export_csv(config: Config) -> str:
    """Return the catalog as CSV for a spreadsheet: columns review and reason may be edited, then imported.

    A cell that a spreadsheet would take for a formula is written with an apostrophe before it.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in review_rows(config):
        writer.writerow([_guarded(cell) for cell in _cells(row).values()])
    return stream.getvalue()


def import_csv(path: Path, text: str, *, by: str) -> tuple[str, ...]:
    """Take over the decisions of an edited CSV into gtm.toml and return the names that changed, sorted.

    All rows are checked before the file is touched.

    Raises:
        UsageError: Not this CSV, an unknown or repeated name or decision, an edited read-only column.
        PolicyError: The person is unknown, or a decision is not allowed; see `accept`.
    """
    config = load_config(path)
    _require_person(config, by)
    rows = _parsed(text)
    before = {row.name: _cells(row) for row in review_rows(config)}
    problems: list[str] = []
    decisions: dict[str, tuple[str, str]] = {}
    seen: set[str] = set()
    for line, row in rows:
        name = row["name"]
        if name not in before:
            problems.append(f"line {line}: no attribute is named {name[:60]!r}")
            continue
        if name in seen:
            problems.append(f"line {line}: {name!r} stands twice")
            continue
        seen.add(name)
        problems += [
            f"line {line}: {name!r}: column {column!r} is read-only"
            for column in _COLUMNS
            if column not in _EDITABLE and row[column] != before[name][column]
        ]
        if row["review"] not in {"proposed", "accepted", "denied"}:
            problems.append(
                f"line {line}: {name!r}: review is {row['review'][:20]!r}; write accepted, denied or proposed"
            )
        elif (row["review"], row["reason"]) != (before[name]["review"], before[name]["reason"]):
            decisions[name] = (row["review"], row["reason"])
    if problems:
        raise UsageError(
            f"the CSV has {len(problems)} problem{'s' if len(problems) > 1 else ''}: {'; '.join(problems)}",
            hint="mend them, or export again; gtm.toml is unchanged",
        )
    _require_allowed(config, decisions)
    return _decide(path, config, decisions, by)


def _require_allowed(config: Config, decisions: Mapping[str, tuple[str, str]]) -> None:
    """Hold an import to the rules of `accept`: a row is one by one, so it needs its own reason."""
    for name, (review, reason) in sorted(decisions.items()):
        attribute = config.attributes[name]
        if review == "accepted" and attribute.sensitivity == "special":
            raise PolicyError(
                f"{name!r} is of a special category and cannot be accepted", hint="deny it in its row"
            )
        if (review == "denied" or (review == "accepted" and not is_safe(attribute))) and not reason.strip():
            why = "a denial needs one" if review == "denied" else _doubt(attribute)
            raise PolicyError(
                f"{name!r} needs a reason: {why}", hint="write it into the column 'reason' of its row"
            )


def _decide(path: Path, config: Config, decisions: Mapping[str, tuple[str, str]], by: str) -> tuple[str, ...]:
    changed = {
        name: (review, reason.strip())
        for name, (review, reason) in sorted(decisions.items())
        if (config.attributes[name].review, config.attributes[name].reason or "") != (review, reason.strip())
    }
    if not changed:
        return ()

    def write(document: tomlkit.TOMLDocument) -> None:
        attributes = document["attributes"]
        for name, (review, reason) in changed.items():
            entry = attributes[name]
            entry["review"] = review
            for key, value in (("reviewed_by", "" if review == "proposed" else by), ("reason", reason)):
                if value:
                    entry[key] = value
                elif key in entry:
                    del entry[key]

    edit_file(path, write, check=load_config)
    return tuple(changed)


def _require_person(config: Config, by: str) -> None:
    if by not in config.people:
        known = ", ".join(sorted(config.people)) or "nobody"
        raise PolicyError(
            f"{by!r} is not in [people], and may not decide; known: {known}", hint="add them to gtm.toml"
        )


def _attribute(config: Config, name: str) -> AttributeSettings:
    try:
        return config.attributes[name]
    except KeyError:
        from difflib import get_close_matches  # noqa: PLC0415 - only for the message

        close = get_close_matches(name, config.attributes, n=1)
        raise UsageError(
            f"no attribute is named {name!r}",
            hint=(f"did you mean {close[0]!r}? " if close else "") + "gtm catalog review lists them",
        ) from None


def _cells(row: ReviewRow) -> dict[str, str]:
    values = row.model_dump()
    return {column: "" if values[column] is None else str(values[column]) for column in _COLUMNS}


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


def _parsed(text: str) -> list[tuple[int, dict[str, str]]]:
    try:
        # Spreadsheets of some countries save with semicolons.
        head = text.lstrip("\ufeff").split("\n", 1)[0]
        delimiter = ";" if head.count(";") > head.count(",") else ","
        reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter, strict=True)
        header = next(reader, [])
        if tuple(header) != _COLUMNS:
            raise UsageError(
                f"the CSV has the columns {', '.join(header)[:200] or 'none'}, not {', '.join(_COLUMNS)}",
                hint="export it again with 'gtm catalog review --csv FILE' and edit only review and reason",
            )
        found = []
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(_COLUMNS):
                raise UsageError(
                    f"line {reader.line_num} of the CSV has {len(cells)} cells, not {len(_COLUMNS)}",
                    hint="export it again and edit only review and reason",
                )
            found.append((reader.line_num, dict(zip(_COLUMNS, map(_unguarded, cells), strict=True))))
    except csv.Error as error:
        raise UsageError(
            f"this is no CSV: {error}", hint="export it again with 'gtm catalog review --csv FILE'"
        ) from error
    return found
