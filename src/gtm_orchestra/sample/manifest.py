"""What was planted in a sample workspace: exact values, counted from the rows that were written.

States of people in these counts:

- broken: a contact without key, or whose creation time cannot be read;
- valid: every other contact. Keys are unique, so each is one person; employees and bots are among them;
- internal: valid, and an employee or a bot;
- external: valid and not internal.

Where a value exists for both, it counts valid people, and its twin with the suffix `_external` counts
external people only. Times are ISO 8601 UTC; shares are fractions; ages are hours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import Field

from gtm_orchestra.audience.contracts import FindingKind
from gtm_orchestra.model import Model

__all__ = ["Manifest", "PeopleCount", "TableCount", "Truth", "TruthKind"]

TruthKind: TypeAlias = (
    FindingKind
    | Literal[
        "experiment_lift",
        "experiment_null",
        "sample_ratio_mismatch",
        "delivery_stopped",
        "suppressed",
        "reach",
    ]
)


class TableCount(Model):
    """Rows of one table; broken: without key (or person), or with a time that is missing or unreadable."""

    table: str
    rows: int
    broken_rows: int


class PeopleCount(Model):
    """Records of the contacts table by state."""

    records: int
    broken: int
    valid: int
    internal: int
    employees: int
    bots: int
    external: int
    anonymous_ids: int = Field(description="Distinct anonymous ids in the events.")
    stitched_ids: int = Field(description="Of those, joined to a valid person by the identities table.")
    accounts: int
    people_with_account: int


class Truth(Model):
    """One planted fact. `kind` and `subject` are those of the finding it leads to, where there is one."""

    kind: TruthKind
    subject: str
    values: dict[str, float | int | str]
    note: str = ""


class Manifest(Model):
    """manifest.json of a sample workspace.

    Attributes:
        complete_kinds: For these kinds, `truths` holds all there are: any other finding of the kind is false.
    """

    version: Literal[1] = 1
    people: int
    seed: int
    as_of: datetime
    population: PeopleCount
    tables: dict[str, TableCount]
    truths: tuple[Truth, ...]
    filled: dict[str, int] = Field(description="Valid people with a readable value, per plain attribute.")
    complete_kinds: tuple[FindingKind, ...]
    unreviewed: tuple[str, ...] = Field(description="Catalog entries of gtm.toml that nobody has reviewed.")
