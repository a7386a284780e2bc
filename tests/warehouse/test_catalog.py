"""The review of the catalog: nothing sensitive in bulk, nothing without a name, nothing half-written."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.config import SourceSettings, load_config
from gtm_orchestra.errors import PolicyError, UsageError
from gtm_orchestra.warehouse.catalog import (
    accept,
    deny,
    example_values,
    export_csv,
    import_csv,
    review_rows,
)
from gtm_orchestra.warehouse.connection import open_warehouse

if TYPE_CHECKING:
    from pathlib import Path

GTM_TOML = """\
version = 1
# kept: a comment of the team
[workspace]
name = "Test"
[source]
url = "data"
[tables.people]
table = "people"
columns = { key = "id" }
[people.ann]
name = "Ann"
[attributes.plan] # kept too
table = "people"
column = "plan"
type = "string"
sensitivity = "internal"
confidence = 0.95
evidence = "=SUM(A1)"
[attributes.email]
table = "people"
column = "email"
type = "string"
sensitivity = "personal"
confidence = 0.95
[attributes.notes]
table = "people"
column = "notes"
type = "string"
sensitivity = "internal"
sensitivity_note = "free text"
confidence = 0.95
[attributes.segment]
table = "people"
column = "segment"
type = "string"
sensitivity = "none"
confidence = 0.5
[attributes.faith]
table = "people"
column = "faith"
type = "string"
sensitivity = "special"
sensitivity_note = "religion"
confidence = 0.95
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "gtm.toml"
    file.write_text(GTM_TOML, encoding="utf-8")
    return file


def test_each_attribute_gets_a_proposed_decision_and_why(path: Path) -> None:
    assert [(row.name, row.proposed, row.why) for row in review_rows(load_config(path))] == [
        ("plan", "accept", "harmless, and sure enough"),
        ("email", "review", "sensitivity is personal"),
        ("notes", "review", "free text may hold anything"),
        ("segment", "review", "confidence is 0.50, under 0.80"),
        ("faith", "deny", "special categories are never used"),
    ]


def test_safe_accepts_only_what_is_harmless_sure_and_no_free_text(path: Path) -> None:
    assert accept(path, safe=True, by="ann") == ("plan",)
    plan = load_config(path).attributes["plan"]
    assert (plan.review, plan.reviewed_by, plan.reason) == ("accepted", "ann", "safe in bulk")
    assert accept(path, safe=True, by="ann") == ()


def test_comments_and_order_of_the_file_stay(path: Path) -> None:
    accept(path, safe=True, by="ann")
    text = path.read_text(encoding="utf-8")
    assert text.replace('review = "accepted"\nreviewed_by = "ann"\nreason = "safe in bulk"\n', "") == GTM_TOML


def test_a_sensitive_attribute_is_accepted_alone_and_with_a_reason(path: Path) -> None:
    assert accept(path, ["email"], by="ann", reason="needed to address people") == ("email",)
    assert load_config(path).attributes["email"].reason == "needed to address people"


@pytest.mark.parametrize(("names", "reason"), [(["email"], ""), (["email", "plan"], "both are needed")])
def test_a_sensitive_attribute_in_bulk_or_without_reason_is_refused(
    path: Path, names: list[str], reason: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        accept(path, names, by="ann", reason=reason)
    assert caught.value.message == "'email' is accepted one by one and with a reason: sensitivity is personal"
    assert path.read_text(encoding="utf-8") == GTM_TOML


def test_a_special_category_cannot_be_accepted_and_can_be_denied(path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        accept(path, ["faith"], by="ann", reason="because")
    assert caught.value.message == "'faith' is of a special category (religion) and cannot be accepted"
    assert deny(path, ["faith"], by="ann", reason="never") == ("faith",)
    assert load_config(path).attributes["faith"].review == "denied"


def test_who_is_not_in_people_may_not_decide(path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        accept(path, safe=True, by="bob")
    assert caught.value.message == "'bob' is not in [people], and may not decide; known: ann"


def test_an_unknown_name_is_refused_with_the_nearest(path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        deny(path, ["plam"], by="ann", reason="x")
    assert (
        str(caught.value)
        == "no attribute is named 'plam'; did you mean 'plan'? gtm catalog review lists them"
    )


def test_a_denial_needs_a_reason(path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        deny(path, ["plan"], by="ann", reason=" ")
    assert caught.value.message == "a denial needs a reason"


def edited(path: Path, row_name: str, /, **cells: str) -> str:
    rows = list(csv.DictReader(io.StringIO(export_csv(load_config(path)))))
    for row in rows:
        if row["name"] == row_name:
            row.update(cells)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def test_an_export_imports_without_change(path: Path) -> None:
    assert import_csv(path, export_csv(load_config(path)), by="ann") == ()
    assert import_csv(path, "\ufeff" + export_csv(load_config(path)), by="ann") == ()
    assert path.read_text(encoding="utf-8") == GTM_TOML


def test_a_cell_that_a_spreadsheet_would_run_is_written_as_text(path: Path) -> None:
    assert ",'=SUM(A1)," in export_csv(load_config(path))
    assert import_csv(path, edited(path, "plan", review="accepted"), by="ann") == ("plan",)
    assert load_config(path).attributes["plan"].evidence == "=SUM(A1)"


def test_decisions_of_a_spreadsheet_are_taken_over(path: Path) -> None:
    text = edited(path, "email", review="accepted", reason="'=needed")
    assert import_csv(path, text, by="ann") == ("email",)
    email = load_config(path).attributes["email"]
    assert (email.review, email.reviewed_by, email.reason) == ("accepted", "ann", "=needed")


@pytest.mark.parametrize(
    ("name", "cells", "message"),
    [
        ("plan", {"name": "plna"}, "the CSV has 1 problem: line 2: no attribute is named 'plna'"),
        (
            "plan",
            {"sensitivity": "none"},
            "the CSV has 1 problem: line 2: 'plan': column 'sensitivity' is read-only",
        ),
        (
            "plan",
            {"review": "yes"},
            "the CSV has 1 problem: line 2: 'plan': review is 'yes'; write accepted, denied or proposed",
        ),
        ("email", {"name": "plan"}, "the CSV has 1 problem: line 3: 'plan' stands twice"),
        ("email", {"review": "accepted"}, "'email' needs a reason: sensitivity is personal"),
        (
            "faith",
            {"review": "accepted", "reason": "x"},
            "'faith' is of a special category and cannot be accepted",
        ),
    ],
)
def test_a_wrong_edit_is_refused_and_nothing_is_written(
    path: Path, name: str, cells: dict[str, str], message: str
) -> None:
    with pytest.raises((UsageError, PolicyError)) as caught:
        import_csv(path, edited(path, name, **cells), by="ann")
    assert caught.value.message == message
    assert path.read_text(encoding="utf-8") == GTM_TOML


def test_another_csv_is_refused(path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        import_csv(path, "a,b\n1,2\n", by="ann")
    assert caught.value.message.startswith("the CSV has the columns a, b, not name, source, type, ")


def test_a_reviewer_sees_values_of_harmless_texts_that_a_group_shares_and_else_why_not(
    tmp_path: Path,
) -> None:
    rows = [f"p{n},{'pro' if n % 3 else 'free'},p{n}@example.com" for n in range(300)]
    rows += [f"q{n},rare,q{n}@example.com" for n in range(20)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/people.csv").write_text("\n".join(["id,plan,email", *rows]), encoding="utf-8")
    (tmp_path / "gtm.toml").write_text(GTM_TOML, encoding="utf-8")
    config = load_config(tmp_path / "gtm.toml")
    with open_warehouse(SourceSettings(url="data"), tmp_path, {}) as warehouse:
        seen = example_values(warehouse, config, ["plan", "email"])
    assert seen == {
        "plan": "values: pro, free",
        "email": f"values not shown: sensitivity is {config.attributes['email'].sensitivity}",
    }
