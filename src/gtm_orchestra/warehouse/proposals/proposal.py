"""A proposed gtm.toml with the evidence behind each part. Nothing is in force before somebody reviews it."""

from __future__ import annotations

from pydantic import Field

from gtm_orchestra.config import AttributeType, Config, Sensitivity
from gtm_orchestra.model import Model

__all__ = ["ColumnProposal", "Evidence", "Proposal"]


class Evidence(Model):
    """Why a part of gtm.toml is proposed, and how sure that is."""

    text: str = Field(description="Figures and names only, never a value of a person.")
    confidence: float = Field(ge=0.0, le=1.0)


class ColumnProposal(Model):
    """What one column of the source is taken for."""

    table: str
    column: str
    role: str = Field(default="", description="Role of its table; '' for a table without one.")
    meaning: str = Field(default="", description="Meaning in [tables.ROLE.columns], if mapped there.")
    attribute: str = Field(default="", description="Name in the attribute catalog, if it stands there.")
    consent: str = Field(default="", description="Purpose whose current state it shows, if it does.")
    type: AttributeType | None = None
    sensitivity: Sensitivity = "unknown"
    evidence: str = ""
    confidence: float = 0.0
    why_not: str = Field(default="", description="Why it stays unmapped; '' if it is mapped.")

    @property
    def mapped(self) -> bool:
        """Whether the proposal uses the column."""
        return bool(self.meaning or self.attribute or self.consent)


class Proposal(Model):
    """What `gtm init` proposes for a source that nobody has described yet."""

    config: Config
    columns: tuple[ColumnProposal, ...] = Field(
        description="Every column of every table, in the source's order."
    )
    evidence: dict[str, Evidence] = Field(description="Path in gtm.toml, such as 'tables.people' → why.")
    tables_without_role: dict[str, str] = Field(description="Table → why it has no role.")
    next_steps: tuple[str, ...] = Field(description="What a person must decide, most important first.")

    @property
    def unmapped(self) -> tuple[ColumnProposal, ...]:
        """Columns that stay unknown, each with the reason."""
        return tuple(column for column in self.columns if not column.mapped)

    @property
    def mapped_share(self) -> float:
        """Share of the source's columns that the proposal uses."""
        return sum(column.mapped for column in self.columns) / len(self.columns) if self.columns else 0.0
