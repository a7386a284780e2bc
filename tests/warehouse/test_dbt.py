"""What dbt says is taken over, cited, and never loosens what the values show."""

# ruff: noqa: E501 - a manifest reads best as the tree it is

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.config import Config
from gtm_orchestra.errors import ConfigError
from gtm_orchestra.warehouse.dbt import apply_manifest, read_manifest
from gtm_orchestra.warehouse.proposals import Evidence, Proposal

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: dict[str, Any] = {
    "nodes": {
        "model.shop.customers": {
            "resource_type": "model",
            "name": "customers",
            "meta": {"owner": "olga@example.com"},
            "depends_on": {"nodes": ["model.shop.stg"]},
            "columns": {
                "PLAN": {"name": "PLAN", "description": "The plan\n they pay for.", "meta": {"sensitivity": "internal"}},
                "email": {"name": "email", "tags": ["public"], "config": {"meta": {"owner": "privacy"}}},
                "shoe": {"name": "shoe", "config": {"meta": {"contains_pii": True}}},
                "faith": {"name": "faith", "tags": ["special-category"]},
            },
        },
        "model.shop.stg": {
            "resource_type": "model",
            "name": "stg",
            "depends_on": {"nodes": ["source.shop.raw.a", "source.shop.raw.b"]},
        },
        "test.shop.x": {"resource_type": "test", "name": "customers"},
    },
    "sources": {
        "source.shop.raw.a": {"resource_type": "source", "name": "a", "freshness": {"error_after": {"count": 6, "period": "hour"}}},
        "source.shop.raw.b": {
            "resource_type": "source", "name": "b", "freshness": {"warn_after": {"count": 2, "period": "day"}, "error_after": None},
        },
    },
}  # fmt: skip


@pytest.fixture
def proposal() -> Proposal:
    attribute = {"table": "people", "type": "string", "evidence": "named so"}
    config = Config.model_validate(
        {
            "workspace": {"name": "Test"},
            "source": {"url": "data"},
            "tables": {"people": {"table": "Customers", "columns": {"key": "id"}}},
            "attributes": {
                "plan": {**attribute, "column": "plan"},
                "email": {**attribute, "column": "email", "sensitivity": "personal"},
                "shoe": {**attribute, "column": "shoe", "sensitivity": "internal"},
                "faith": {**attribute, "column": "faith"},
            },
        }
    )
    evidence = {"tables.people": Evidence(text="3 rows", confidence=0.9)}
    return Proposal(config=config, columns=(), evidence=evidence, tables_without_role={}, next_steps=())


def test_owner_and_freshness_come_from_the_model_and_its_slowest_source(proposal: Proposal) -> None:
    found = apply_manifest(proposal, MANIFEST)

    people = found.config.tables["people"]
    assert (people.owner, people.freshness) == ("olga", "2d")
    assert found.evidence["tables.people"].text == (
        "3 rows; dbt: model.customers, meta.owner; dbt: source.b, freshness.warn_after"
    )


def test_a_description_and_a_class_are_taken_over_and_cited(proposal: Proposal) -> None:
    plan = apply_manifest(proposal, MANIFEST).config.attributes["plan"]

    assert (plan.description, plan.sensitivity, plan.owner) == ("The plan they pay for.", "internal", "olga")
    assert plan.evidence == (
        "named so; dbt: model.customers, column PLAN, description; dbt: model.customers, column PLAN, meta.sensitivity"
    )


def test_dbt_tightens_a_class_and_never_loosens_it(proposal: Proposal) -> None:
    attributes = apply_manifest(proposal, MANIFEST).config.attributes

    assert {name: a.sensitivity for name, a in attributes.items()} == {
        "plan": "internal", "email": "personal", "shoe": "personal", "faith": "special",
    }  # fmt: skip
    assert attributes["email"].sensitivity_note == "dbt says none, the data says personal"
    assert attributes["email"].owner == "privacy"


def test_two_models_of_one_name_say_nothing(proposal: Proposal) -> None:
    double = {
        **MANIFEST,
        "nodes": {**MANIFEST["nodes"], "model.b.customers": MANIFEST["nodes"]["model.shop.customers"]},
    }

    assert apply_manifest(proposal, double).config == proposal.config


@pytest.mark.parametrize(
    ("text", "message"), [("{", "cannot be read as JSON"), ("[]", "is no dbt manifest: it has no nodes")]
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_manifest(tmp_path / "manifest.json")

    assert caught.value.message == f"manifest.json {message}"


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_manifest(tmp_path / "manifest.json")

    assert caught.value.message == f"no dbt manifest at {str(tmp_path / 'manifest.json')!r}"


def test_a_manifest_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")

    assert read_manifest(tmp_path / "manifest.json") == MANIFEST
