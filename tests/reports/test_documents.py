from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from gtm_orchestra.agents.outputs import write_outputs
from gtm_orchestra.agents.registry import TaskContext, registered_handlers
from gtm_orchestra.reports.contract import contract, contract_yaml
from gtm_orchestra.reports.documents import activation_markdown, eligibility_markdown, governance_markdown
from gtm_orchestra.reports.outputs import build_documents
from gtm_orchestra.reports.schema_table import inventory_csv, schema_csv, schema_markdown
from gtm_orchestra.reports.tables import csv_bytes, csv_cell, markdown_table, prose

if TYPE_CHECKING:
    from gtm_orchestra.reports.material import Material

HOSTILE = '=cmd|"/c calc"!A1 <script>alert(1)</script> \x1b[31m| [x](http://evil.example)'


def hostile(material: Material) -> Material:
    """The same results, with text from outside that tries to be a formula, markup, a link, a colour."""
    facts = tuple(
        fact.model_copy(update={"source": HOSTILE, "why_not": HOSTILE}) if fact.name == "job_title" else fact
        for fact in material.inventory.attributes
    )
    objectives = material.objectives.model_copy(update={"goals": (HOSTILE,)})
    profiles = material.profiles.model_copy(
        update={
            "profiles": tuple(
                p.model_copy(update={"description": HOSTILE, "name": f"{HOSTILE} {p.name}"})
                for p in material.profiles.profiles
            )
        }
    )
    return replace(
        material,
        initiative=HOSTILE,
        objectives=objectives,
        profiles=profiles,
        inventory=material.inventory.model_copy(update={"attributes": facts}),
    )


def test_every_output_is_there_and_none_is_empty(material: Material) -> None:
    assert [d.name for d in build_documents(material)] == [
        "activation-checklist.md",
        "data-use-record.md",
        "eligibility-and-suppression.md",
        "governance-plan.md",
        "inventory.csv",
        "profile-contract.odcs.yaml",
        "profile-schema.csv",
        "profile-schema.html",
        "profile-schema.md",
        "report.html",
    ]
    assert all(len(d.data) > 500 for d in build_documents(material))


def test_no_output_tells_by_subtraction_how_many_are_staff(material: Material) -> None:
    identity = material.inventory.identity
    few = identity.model_copy(update={"valid_people": identity.people - 20, "internal_people": 20})
    inventory = material.inventory.model_copy(update={"identity": few})
    base, without = f"{few.people:,}", f"{few.valid_people:,}"
    texts = [document.data.decode() for document in build_documents(replace(material, inventory=inventory))]
    assert any(base in text for text in texts)
    assert not any(without in text or str(few.valid_people) in text for text in texts)


def test_the_same_results_give_the_same_bytes(material: Material) -> None:
    assert build_documents(material) == build_documents(material)


def test_every_document_says_that_it_is_a_draft_until_signed(material: Material) -> None:
    for document in build_documents(material):
        if document.media_type == "text/markdown":
            assert b"Draft until signed; the sign-off is recorded beside this file" in document.data, (
                document.name
            )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " ="])
def test_no_spreadsheet_runs_a_cell(start: str) -> None:
    assert str(csv_cell(f"{start}SUM(A1)")).startswith("'")


def test_a_negative_number_stays_a_number() -> None:
    assert csv_bytes(("n",), [(-0.5,)]) == b"n\n-0.5\n"


def test_no_text_cell_of_a_csv_can_be_run(material: Material) -> None:
    for data in (schema_csv(hostile(material)), inventory_csv(hostile(material))):
        cells = [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        assert any(cell.startswith("'=cmd") for cell in cells)


def test_text_from_outside_cannot_write_markdown(material: Material) -> None:
    for document in build_documents(hostile(material)):
        if document.media_type == "text/markdown":
            text = document.data.decode()
            assert "<script" not in text, document.name
            assert not re.search(r"(?<!\\)\]\(", text), document.name
            assert "\x1b" not in text, document.name
    assert prose("# a|b") == "\\# a\\|b"


def test_a_table_has_as_many_cells_in_every_row(material: Material) -> None:
    lines = schema_markdown(hostile(material)).decode().splitlines()
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")}

    assert widths == {19}
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"


def test_each_profile_stands_in_english_and_as_its_condition(material: Material) -> None:
    text = eligibility_markdown(material).decode()
    conditions = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]

    for profile in material.profiles.profiles:
        assert profile.eligibility in conditions
        assert material.in_english(profile.eligibility) in text
    assert "Employees and test accounts are no audience." in text


def test_the_checklist_links_profiles_to_channels_and_tools(material: Material) -> None:
    text = activation_markdown(material).decode()

    assert "## E-mail: BLOCKED" in text
    assert "31,002 people can be reached, by GrowthBook SDK (before 'EU only')." in text
    assert "On one condition: 2 of them need projects_created_30d, which exists in batch only" in text
    assert "### Active builders: GO, once passed on from batch, 7,774 people reachable" in text
    assert "### Active builders: GO, 7,654 people reachable" in text
    assert "- [ ] Make available where it is decided (browser): `projects_created_30d`" in text


def test_an_owner_nobody_named_is_shown_as_open(material: Material) -> None:
    assert (
        "| support_tickets | **open:** data engineer | data engineer |"
        in governance_markdown(material).decode()
    )


def test_personal_values_and_small_groups_leave_no_trace(material: Material) -> None:
    for document in build_documents(material):
        text = document.data.decode()
        assert "nobody@example.org" not in text, document.name
        assert not re.search(r"\b(41|57|88|91) people\b", text), document.name
    assert b"DE (14,200); FR (9,310)" in inventory_csv(material)


def test_the_contract_is_read_back_by_the_library_that_wrote_it(material: Material) -> None:
    read = OpenDataContractStandard.from_string(contract_yaml(material).decode())

    assert read == contract(material)
    assert (read.kind, read.apiVersion, read.status) == ("DataContract", "v3.1.0", "draft")
    assert [o.name for o in read.schema_ or []][:2] == ["person_attributes", "new-signup"]


def test_the_contract_says_which_attributes_may_not_be_used(material: Material) -> None:
    properties = (contract(material).schema_ or [])[0].properties or []
    health = next(p for p in properties if p.name == "health_condition")
    custom = {c.property: c.value for c in health.customProperties or []}

    assert health.classification == "restricted"
    assert custom["usable"] is False
    assert custom["whyNot"] == "Special category (health, GDPR Art. 9): refused."


def test_the_handler_keeps_each_file_and_returns_its_digest(material: Material) -> None:
    kept: dict[str, bytes] = {}

    def put_file(name: str, _media_type: str, data: bytes) -> str:
        kept[name] = data
        return sha256(data).hexdigest()

    def open_warehouse() -> None:
        raise AssertionError

    ctx = TaskContext(
        task_id="4.1",
        agent="personalization-architect",
        initiative=material.initiative,
        inputs={**material.inputs, "_output_folder": "outputs/plg-onboarding/plan-1"},
        config=material.config,
        root=Path(),
        as_of=datetime(2025, 10, 31, 6, 0, tzinfo=UTC),
        open_warehouse=open_warehouse,  # type: ignore[arg-type]
        put_file=put_file,
    )
    handler = registered_handlers()["write-outputs"]
    results = {
        name: getattr(material, name).model_dump(mode="json")
        for name in (
            "objectives",
            "inventory",
            "consent",
            "profiles",
            "activation",
            "measurability",
            "governance",
        )
    }
    outputs = handler(ctx, results)

    assert handler.function is write_outputs
    assert handler.agent == "personalization-architect"
    assert outputs.folder == "outputs/plg-onboarding/plan-1"  # type: ignore[attr-defined]
    assert {f.name: f.sha256 for f in outputs.files} == {  # type: ignore[attr-defined]
        name: sha256(data).hexdigest() for name, data in kept.items()
    }
    assert kept["report.html"] == next(d.data for d in build_documents(material) if d.name == "report.html")
