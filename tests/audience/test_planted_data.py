"""The inventory and the consent review find what was planted in the sample, exactly, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.audience.consent import review_consent
from gtm_orchestra.audience.inventory import take_inventory
from gtm_orchestra.config import CHANNELS, load_config
from gtm_orchestra.sample.generate import SAMPLE_AS_OF, write_sample
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from gtm_orchestra.audience.contracts import ConsentReport, Finding, Inventory
    from gtm_orchestra.sample.manifest import Manifest, Truth

OURS = {
    *("stale_source", "low_coverage", "consent_gap", "special_category", "proxy", "personal_data"),
    *("duplicates", "broken_rows", "late_events", "future_times", "channel_blocked", "time_zone"),
}


class Planted:
    """What was planted beside what was found."""

    def __init__(self, manifest: Manifest, inventory: Inventory, consent: ConsentReport) -> None:
        self.manifest, self.inventory, self.consent = manifest, inventory, consent

    def truths(self, kind: str) -> dict[str, Truth]:
        return {truth.subject: truth for truth in self.manifest.truths if truth.kind == kind}

    def findings(self, kind: str) -> dict[str, Finding]:
        found = (*self.inventory.findings, *self.consent.findings)
        return {finding.subject: finding for finding in found if finding.kind == kind}


@pytest.fixture(scope="module", params=[1, 2, 3, 7, 11])
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("sample")
    manifest = write_sample(folder, people=3_000, seed=request.param)
    config = load_config(folder / "gtm.toml")
    with open_warehouse(config.source, folder, {}) as warehouse:
        frame = people_frame(warehouse, config, SAMPLE_AS_OF)
        inventory = take_inventory(warehouse, config, SAMPLE_AS_OF, frame)
        consent = review_consent(warehouse, config, SAMPLE_AS_OF, frame, CHANNELS)
    return Planted(manifest, inventory, consent)


def test_every_complete_kind_is_found_where_it_was_planted_and_nowhere_else(planted: Planted) -> None:
    for kind in OURS & set(planted.manifest.complete_kinds):
        assert sorted(planted.findings(kind)) == sorted(planted.truths(kind)), kind


def test_tables_count_what_was_written(planted: Planted) -> None:
    assert {table.role: (table.rows, table.broken_rows) for table in planted.inventory.tables} == {
        role: (table.rows, table.broken_rows) for role, table in planted.manifest.tables.items()
    }


def test_people_and_visitors_count_what_was_drawn(planted: Planted) -> None:
    drawn, counted = planted.manifest.population, planted.inventory.identity
    duplicates = planted.truths("duplicates")["people"].values
    assert counted.model_dump() == {
        "records": drawn.records,
        "valid_people": drawn.external,
        "duplicate_emails": duplicates["duplicate_emails"],
        "duplicate_records": duplicates["duplicate_records"],
        "internal_people": drawn.internal,
        "anonymous_ids": drawn.anonymous_ids,
        "stitched_ids": drawn.stitched_ids,
        "accounts": drawn.accounts,
        "people_with_account": drawn.people_with_account,
    }


def test_the_stale_source_is_as_old_as_planted_and_touches_one_attribute(planted: Planted) -> None:
    truth = planted.truths("stale_source")["accounts"].values
    evidence = planted.findings("stale_source")["accounts"].evidence
    assert [evidence[name] for name in ("newest", "age_hours", "sla_hours", "attributes")] == [
        truth[name] for name in ("newest", "age_hours", "sla_hours", "attribute")
    ]


def test_coverage_links_and_late_events_have_the_planted_figures(planted: Planted) -> None:
    covered, coverage = planted.findings("low_coverage"), planted.truths("low_coverage")
    names = ("people", "filled", "coverage", "sla")
    goal = coverage["onboarding_goal"].values
    assert [covered["onboarding_goal"].evidence[name] for name in names] == [goal[name] for name in names]
    assert covered["onboarding_goal"].severity == "info"
    proxy, link = planted.findings("proxy")["ui_mode"].evidence, planted.truths("proxy")["ui_mode"].values
    assert [proxy[name] for name in ("of", "cramers_v", "people")] == [
        link[name] for name in ("of", "cramers_v", "people")
    ]
    late = planted.findings("late_events")["events"].evidence["late_rows"]
    assert late == planted.truths("late_events")["events"].values["late_rows"]
    unread = planted.findings("broken_rows")["lead_score"].evidence
    score = planted.truths("broken_rows")["lead_score"].values
    assert (unread["unreadable"], unread["filled"]) == (score["unreadable"], score["filled"])


def test_personal_data_is_recognised_by_kind(planted: Planted) -> None:
    found = planted.findings("personal_data")
    for name, truth in planted.truths("personal_data").items():
        evidence = found[name].evidence
        assert (evidence["what"], evidence["filled"]) == (truth.values["what"], truth.values["filled"])
    facts = {fact.name: fact for fact in planted.inventory.attributes}
    assert [facts[name].usable for name in ("email", "phone", "latest_note")] == [False, False, False]


def test_consent_is_counted_per_purpose(planted: Planted) -> None:
    truths = {**planted.truths("consent_gap"), **planted.truths("reach")}
    for purpose in planted.consent.purposes:
        values = truths[purpose.purpose].values
        assert [purpose.people, purpose.known, purpose.expired, purpose.unprovable, purpose.granted] == [
            values[name] for name in ("people", "known", "expired", "unprovable", "granted_provable")
        ]
        assert purpose.integrity == values["integrity"]


def test_each_channel_goes_or_says_why_not_and_whom_it_reaches(planted: Planted) -> None:
    blocked, reach = planted.truths("channel_blocked"), planted.truths("reach")
    assert [channel.channel for channel in planted.consent.channels] == list(CHANNELS)
    for channel in planted.consent.channels:
        assert channel.go is (channel.channel not in blocked)
        values = reach[channel.channel].values
        assert channel.reachable == values["reachable_provable"]
        assert channel.not_addressable == values["not_addressable_provable"]
    suppressed = {name: truth.values["people"] for name, truth in planted.truths("suppressed").items()}
    assert planted.consent.suppressed == suppressed


def test_no_small_group_is_shown_or_left_to_subtraction(planted: Planted) -> None:
    for fact in planted.inventory.attributes:
        shown = [value.people for value in fact.top_values]
        assert min(shown, default=100) >= 100, fact.name
        assert not shown or fact.filled - sum(shown) == 0 or fact.filled - sum(shown) >= 100, fact.name


def test_no_value_of_a_sensitive_attribute_and_no_address_is_in_the_results(planted: Planted) -> None:
    facts = {fact.name: fact for fact in planted.inventory.attributes}
    for name in ("email", "phone", "age_band", "health_accommodation", "latest_note", "ui_mode"):
        assert facts[name].top_values == (), name
    everything: Any = [planted.inventory.model_dump(mode="json"), planted.consent.model_dump(mode="json")]
    assert "@" not in json.dumps(everything)
