"""The profile schema table: one row per catalog attribute, as Markdown and CSV; and the inventory as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from gtm_orchestra.audience.contracts import attributes_used
from gtm_orchestra.reports.answer import UNSIGNED
from gtm_orchestra.reports.tables import Cell, code, csv_bytes, markdown_table, prose
from gtm_orchestra.reports.wording import age, clean, moment, number, people, percent, person, share_of, words

if TYPE_CHECKING:
    from gtm_orchestra.audience.contracts import AttributeFact
    from gtm_orchestra.reports.material import Material

__all__ = ["SchemaRow", "inventory_csv", "schema_csv", "schema_markdown", "schema_rows"]


@dataclass(frozen=True)
class SchemaRow:
    """One attribute as the schema table shows it; every field is text, '' where nothing is known."""

    name: str
    type: str
    required: str
    source: str
    system: str
    owner: str
    cadence: str
    coverage: str
    coverage_sla: str
    freshness: str
    newest_day: str
    used_by: tuple[str, ...]
    stale: bool
    freshness_sla: str
    sensitivity: str
    privacy: str
    consent: str
    places: str
    profiles: str
    usable: bool
    why_not: str


HEADER = (
    "Attribute",
    "Type",
    "Required",
    "Source",
    "System",
    "Owner",
    "Refresh cadence",
    "Coverage",
    "Coverage SLA",
    "Newest row",
    "Freshness SLA",
    "Sensitivity",
    "Privacy notes",
    "Consent purpose",
    "Available at",
    "Used by profiles",
    "May be used",
    "Why not",
)


def schema_rows(material: Material) -> tuple[SchemaRow, ...]:
    """Return one row per attribute: those that profiles use first, then by name."""
    used: dict[str, list[str]] = {}
    for profile in material.profiles.profiles:
        for attribute in attributes_used(profile):
            used.setdefault(attribute, []).append(profile.name)
    barred = {b.name: b.why for b in material.barred}
    rows = [_row(material, fact, used.get(fact.name, []), barred) for fact in material.inventory.attributes]
    return tuple(sorted(rows, key=lambda row: (not row.profiles, row.name)))


def _row(material: Material, fact: AttributeFact, used_by: list[str], barred: dict[str, str]) -> SchemaRow:
    notes = [fact.sensitivity_note, f"holds {fact.personal_data}" if fact.personal_data else ""]
    freshness = f"{moment(fact.newest)}{' (stale)' if fact.stale else ''}" if fact.newest else "no time known"
    return SchemaRow(
        name=clean(fact.name),
        type=fact.type,
        required="yes" if fact.required else "no",
        source=clean(fact.source),
        system=clean(fact.source_system),
        owner=person(fact.owner, material.config) if fact.owner else "nobody named",
        cadence=f"every {age(fact.cadence_hours)}" if fact.cadence_hours else "",
        coverage=share_of(fact.filled, fact.people, material.minimum)
        if fact.available
        else "not in the data",
        coverage_sla=percent(fact.coverage_sla),
        freshness=freshness,
        newest_day=f"{fact.newest.astimezone(UTC):%Y-%m-%d}" if fact.newest else "not known",
        stale=fact.stale,
        used_by=tuple(used_by),
        freshness_sla=age(fact.freshness_sla_hours) if fact.freshness_sla_hours is not None else "",
        sensitivity=fact.sensitivity,
        privacy="; ".join(note for note in notes if note),
        consent=fact.consent or fact.purpose or "",
        places=words(fact.available_at),
        profiles=", ".join(used_by),
        usable=fact.name not in barred,
        why_not=barred.get(fact.name, ""),
    )


def _cells(row: SchemaRow) -> tuple[str, ...]:
    only_html = {"newest_day", "stale", "used_by"}
    values = {name: getattr(row, name) for name in SchemaRow.__dataclass_fields__ if name not in only_html}
    values["usable"] = "yes" if row.usable else "no"
    return tuple(values.values())


def schema_markdown(material: Material) -> bytes:
    """Return the schema table as Markdown."""
    rows = []
    for row in schema_rows(material):
        cells = [prose(cell) for cell in _cells(row)]
        rows.append([code(row.name), cells[1], cells[2], code(row.source), *cells[4:]])
    title = f"# Profile schema for {prose(material.initiative)}\n\n{UNSIGNED}\n\n"
    basis = (
        f"One row per attribute, over {material.inventory.identity.people:,} people, as of "
        f"{moment(material.as_of)}. Coverage: share of people with a value. SLA: what gtm.toml demands.\n\n"
    )
    return f"{title}{basis}{markdown_table(HEADER, rows)}".encode()


def schema_csv(material: Material) -> bytes:
    """Return the schema table as CSV that a spreadsheet opens without running anything."""
    return csv_bytes(HEADER, [_cells(row) for row in schema_rows(material)])


INVENTORY_HEADER = (
    "name",
    "table",
    "source",
    "source_system",
    "type",
    "required",
    "available",
    "people",
    "filled",
    "coverage",
    "coverage_sla",
    "distinct",
    "top_values",
    "values_not_shown",
    "quantiles",
    "newest",
    "age_hours",
    "freshness_sla_hours",
    "stale",
    "cadence_hours",
    "sensitivity",
    "sensitivity_note",
    "personal_data",
    "drift_psi",
    "available_at",
    "consent",
    "purpose",
    "owner",
    "review",
    "usable",
    "why_not",
)


def inventory_csv(material: Material) -> bytes:
    """Return every measured figure of every attribute as CSV; values of personal kinds are left out."""
    return csv_bytes(
        INVENTORY_HEADER, [_inventory_row(material, fact) for fact in material.inventory.attributes]
    )


def _inventory_row(material: Material, fact: AttributeFact) -> tuple[Cell, ...]:
    small = 0 < fact.filled < material.minimum
    shows = material.shows_values(fact) and not small
    top = [v for v in fact.top_values if v.people >= material.minimum] if shows else []
    return (
        fact.name,
        fact.table,
        fact.source,
        fact.source_system,
        fact.type,
        fact.required,
        fact.available,
        fact.people,
        people(fact.filled, material.minimum) if small else fact.filled,
        share_of(fact.filled, fact.people, material.minimum) if small else round(fact.coverage, 4),
        fact.coverage_sla,
        fact.distinct if shows else None,
        "; ".join(f"{v.value} ({v.people:,})" for v in top),
        fact.small_groups,
        "; ".join(number(q) for q in fact.quantiles) if shows else "",
        fact.newest.isoformat() if fact.newest else None,
        round(fact.age_hours, 1) if fact.age_hours is not None else None,
        fact.freshness_sla_hours,
        fact.stale,
        round(fact.cadence_hours, 2) if fact.cadence_hours is not None else None,
        fact.sensitivity,
        fact.sensitivity_note,
        fact.personal_data,
        round(fact.drift, 4) if fact.drift is not None else None,
        ", ".join(fact.available_at),
        fact.consent,
        fact.purpose,
        fact.owner,
        fact.review,
        fact.usable,
        fact.why_not,
    )
