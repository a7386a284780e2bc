"""All files of the outputs of define-profiles, as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.reports.documents import (
    activation_markdown,
    data_use_markdown,
    eligibility_markdown,
    governance_markdown,
)
from gtm_orchestra.reports.schema_table import inventory_csv, schema_csv, schema_markdown

if TYPE_CHECKING:
    from gtm_orchestra.reports.material import Material

__all__ = ["Document", "build_documents"]

_MARKDOWN, _HTML, _CSV, _YAML = "text/markdown", "text/html", "text/csv", "application/yaml"


@dataclass(frozen=True)
class Document:
    """One file of the outputs."""

    name: str
    media_type: str
    data: bytes


def build_documents(material: Material) -> tuple[Document, ...]:
    """Return every file, by name; the same results give the same bytes."""
    # jinja2 and the contract's library take 0.2 s to import, which registering the handler need not wait for.
    from gtm_orchestra.reports.contract import contract_yaml  # noqa: PLC0415 - see above
    from gtm_orchestra.reports.page import report_html, schema_html  # noqa: PLC0415 - see above

    return (
        Document("activation-checklist.md", _MARKDOWN, activation_markdown(material)),
        Document("data-use-record.md", _MARKDOWN, data_use_markdown(material)),
        Document("eligibility-and-suppression.md", _MARKDOWN, eligibility_markdown(material)),
        Document("governance-plan.md", _MARKDOWN, governance_markdown(material)),
        Document("inventory.csv", _CSV, inventory_csv(material)),
        Document("profile-contract.odcs.yaml", _YAML, contract_yaml(material)),
        Document("profile-schema.csv", _CSV, schema_csv(material)),
        Document("profile-schema.html", _HTML, schema_html(material)),
        Document("profile-schema.md", _MARKDOWN, schema_markdown(material)),
        Document("report.html", _HTML, report_html(material)),
    )
