"""A reader of the report finds every planted truth with its right value, and nothing that was not planted."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, TypeAlias, cast, get_args

import pytest

from gtm_orchestra.audience.contracts import (
    ConsentReport,
    Finding,
    FindingKind,
    Inventory,
    Profiles,
)
from gtm_orchestra.sample.generate import write_sample
from gtm_orchestra.service.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gtm_orchestra.config import Channel
    from gtm_orchestra.sample.manifest import Manifest, Truth

Values: TypeAlias = "Mapping[str, float | int | str]"

PEOPLE = 4_000
SEEDS = (1, 2, 3, 7, 11)
RESULTS = ("objectives", "inventory", "consent", "profiles", "activation", "measurability", "governance")
# What a demo asks for; each kind of truth is decided by these tasks, not by the metrics.
REQUEST: dict[str, Any] = {
    "initiative": "PLG Onboarding",
    "channels": "web,in-app,email,ads,sales",
    "constraints": ["EU only", "no age"],
    "timeline": "by 15 January",
}
# (severity, who decides) of the finding that each planted truth leads to.
WEIGHTS = {
    ("broken_rows", "*"): ("info", ""),
    ("channel_blocked", "email"): ("blocker", "privacy-lead"),
    ("consent_gap", "email_marketing"): ("blocker", "privacy-lead"),
    ("duplicates", "people"): ("warning", "data-engineer"),
    ("late_events", "events"): ("info", ""),
    ("low_coverage", "onboarding_goal"): ("info", ""),
    ("personal_data", "age_band"): ("info", ""),
    ("personal_data", "email"): ("info", ""),
    ("personal_data", "latest_note"): ("warning", "privacy-lead"),
    ("personal_data", "phone"): ("info", ""),
    ("proxy", "ui_mode"): ("warning", "privacy-lead"),
    ("special_category", "health_accommodation"): ("blocker", "privacy-lead"),
    ("stale_source", "accounts"): ("warning", "data-engineer"),
}


class Page(HTMLParser):
    """What a reader sees of a page: one text per row, paragraph or block; cells are parted by a bar."""

    _BLOCKS = frozenset({"p", "tr", "h1", "h2", "h3", "li", "div", "figure", "dt", "dd", "section", "svg"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self._parts: list[str] = []
        self._hidden = 0
        self.feed(html)
        text = "".join(self._parts)
        self.lines = tuple(line for raw in text.split("\n") if (line := " ".join(raw.split()).strip("| ")))

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self._hidden += tag in {"style", "script", "svg"}
        if tag in self._BLOCKS:
            self._parts.append("\n")
        elif tag in {"td", "th"}:
            self._parts.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "script", "svg"}
        # A block inside a cell belongs to the row of the cell, one after it does not.
        if tag in self._BLOCKS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._parts.append(data.replace("\n", " "))

    def says(self, *pieces: str) -> bool:
        """Say whether one line holds all pieces, each standing for itself: 12 is not found in 4,120."""
        patterns = [re.compile(rf"(?<![\w,.]){re.escape(piece)}(?![\w]|[,.]\d)") for piece in pieces]
        return any(all(pattern.search(line) for pattern in patterns) for line in self.lines)


class Found:
    """What was planted, what the tasks found, and the report that a reader gets."""

    def __init__(self, manifest: Manifest, results: dict[str, Any], report: str) -> None:
        self.manifest, self.results, self.page = manifest, results, Page(report)
        self.inventory = Inventory.model_validate(results["inventory"])
        self.consent = ConsentReport.model_validate(results["consent"])
        self.profiles = Profiles.model_validate(results["profiles"])
        self.findings = [Finding.model_validate(f) for r in results.values() for f in r.get("findings", ())]

    def of(self, kind: str) -> dict[str, Finding]:
        return {finding.subject: finding for finding in self.findings if finding.kind == kind}

    def truths(self, kind: str) -> dict[str, Values]:
        return {truth.subject: truth.values for truth in self.manifest.truths if truth.kind == kind}

    @property
    def leading_to_findings(self) -> list[Truth]:
        return [truth for truth in self.manifest.truths if truth.kind in get_args(FindingKind)]


def run(folder: Path, *, pattern: str = "diamond") -> tuple[dict[str, Any], dict[str, bytes]]:
    """Define profiles in a sample, and return the result of each task and each file of the outputs."""
    space = Workspace.open(folder)
    segment = space.run(space.define_profiles(**REQUEST, pattern=pattern))
    assert segment.status == "waiting", segment.why
    (row,) = space.journal.run_list()
    outputs = space.result(row.run_id, "outputs")
    files = {one["name"]: space.artifacts.get(one["sha256"]) for one in outputs["files"]}
    return {name: space.result(row.run_id, name) for name in RESULTS}, files


@pytest.fixture(scope="module", params=SEEDS)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("found")
    manifest = write_sample(folder, people=PEOPLE, seed=request.param)
    results, files = run(folder)
    return Found(manifest, results, files["report.html"].decode())


def test_every_planted_truth_is_found_and_no_finding_of_its_kind_is_false(found: Found) -> None:
    assert {truth.kind for truth in found.leading_to_findings} <= set(found.manifest.complete_kinds)
    for kind in found.manifest.complete_kinds:
        ids = sorted(finding.finding_id for finding in found.findings if finding.kind == kind)
        assert ids == sorted(f"{kind}:{subject}" for subject in found.truths(kind))
    assert sorted(found.of("unreviewed")) == list(found.manifest.unreviewed)


def test_every_finding_has_the_planted_figures_and_the_right_weight(found: Found) -> None:
    for truth in found.leading_to_findings:
        finding = found.of(truth.kind)[truth.subject]
        shared = sorted(truth.values.keys() & finding.evidence.keys())
        assert shared, finding.finding_id
        assert [finding.evidence[name] for name in shared] == [truth.values[name] for name in shared]
        weight = WEIGHTS.get((truth.kind, truth.subject)) or WEIGHTS[truth.kind, "*"]
        assert (finding.severity, finding.decides) == weight, finding.finding_id


def test_no_finding_leaves_out_a_figure_that_was_planted(found: Found) -> None:
    """What is counted of everybody is in the evidence; what is counted without staff and bots is not."""
    elsewhere = {
        "stale_source": {"attribute"},
        "late_events": {"newest"},
        "consent_gap": {"granted_provable", "denied_provable", "sound"},
        "personal_data": {"people"},
    }
    for truth in found.leading_to_findings:
        planted = {name for name in truth.values if not name.endswith("_external")}
        finding = found.of(truth.kind)[truth.subject]
        assert planted - finding.evidence.keys() <= elsewhere.get(truth.kind, set()), finding.finding_id


def test_the_inventory_counts_what_was_written(found: Found) -> None:
    drawn, identity = found.manifest.population, found.inventory.identity
    assert (identity.records, identity.valid_people, identity.internal_people) == (
        drawn.records, drawn.external, drawn.internal,
    )  # fmt: skip
    assert (identity.anonymous_ids, identity.stitched_ids) == (drawn.anonymous_ids, drawn.stitched_ids)
    assert (identity.accounts, identity.people_with_account) == (drawn.accounts, drawn.people_with_account)
    assert {table.role: (table.rows, table.broken_rows) for table in found.inventory.tables} == {
        role: (table.rows, table.broken_rows) for role, table in found.manifest.tables.items()
    }
    facts = {fact.name: fact for fact in found.inventory.attributes}
    assert {name: facts[name].filled for name in found.manifest.filled} == found.manifest.filled
    assert {fact.name for fact in facts.values() if fact.stale} == {"seats_in_use"}


def test_consent_and_reach_are_as_planted(found: Found) -> None:
    truths = found.truths("reach") | found.truths("consent_gap")
    for purpose in found.consent.purposes:
        values = truths[purpose.purpose]
        assert [purpose.people, purpose.known, purpose.expired, purpose.unprovable, purpose.granted] == [
            values[name] for name in ("people", "known", "expired", "unprovable", "granted_provable")
        ]
        assert purpose.integrity == values["integrity"]
    for channel in found.consent.channels:
        values = found.truths("reach")[channel.channel]
        assert channel.go is (channel.channel not in found.truths("channel_blocked"))
        assert channel.reachable == values["reachable_provable"]
        assert channel.not_addressable == values["not_addressable_provable"]
    assert found.consent.suppressed == {
        name: values["people"] for name, values in found.truths("suppressed").items()
    }


def test_no_profile_uses_what_was_planted_as_unusable(found: Found) -> None:
    unusable = {
        *("health_accommodation", "ui_mode", "age_band", "email", "phone", "latest_note"),
        *("onboarding_goal", "seats_in_use"),
    }
    assert 4 <= len(found.profiles.profiles) <= 8
    for profile in found.profiles.profiles:
        assert not unusable & set(profile.attributes), profile.profile_id
    assert unusable <= set(found.profiles.excluded)


def counted(count: float | str) -> str:
    """Write a count of people as the report does."""
    return "fewer than 100" if 0 < int(count) < 100 else f"{int(count):,}"


def percent(share: float | str, places: int = 1) -> str:
    return f"{float(share):.{places}%}"


Line: TypeAlias = tuple[str, ...]
CHANNELS = {"web": "Web", "in-app": "In-app", "email": "E-mail", "ads": "Ads", "sales": "Sales"}
MONITORED = {"experiment_lift", "experiment_null", "sample_ratio_mismatch", "delivery_stopped"}


def _broken_rows(v: Values, subject: str) -> list[Line]:
    if "rows" in v:
        return [(subject, f"{v['rows']:,}", f"{v['broken_rows']:,}")]
    return [("info", f"'{subject}'", counted(v["unreadable"]), "no number")]


def _stale_source(v: Values, subject: str) -> list[Line]:
    day, sla, attribute = str(v["newest"])[:10], v["sla_hours"], str(v["attribute"])
    return [
        ("warning", subject, f"{v['age_hours']:.0f} hours", f"{sla} hours", attribute),
        (subject, f"no new rows since {day} 02:00 UTC", f"{sla} h"),
        (attribute, "older than its freshness SLA"),
    ]


def _low_coverage(v: Values, subject: str) -> list[Line]:
    figures = (percent(v["coverage"]), f"{v['people']:,} people", percent(v["sla"], 0))
    return [(subject, *figures), (subject, "below its coverage SLA")]


def _proxy(v: Values, subject: str) -> list[Line]:
    figures = (f"{v['cramers_v']:.2f}", f"{v['people']:,} people")
    return [(subject, str(v["of"]), *figures), (subject, "proxy", "stands in for a special category")]


def _personal_data(v: Values, subject: str) -> list[Line]:
    some = [counted(v["with_address"])] if "with_address" in v else []
    return [(subject, "personal data", str(v["what"]), f"{v['filled']:,}", *some)]


def _consent_gap(v: Values, subject: str) -> list[Line]:
    missing = int(v["people"]) - int(v["known"])
    reasons = (f"{missing:,} have no status", f"{v['expired']:,} have expired")
    return [(subject, percent(v["integrity"]), *reasons, f"{v['unprovable']:,} have no proof")]


def _reach(v: Values, subject: str) -> list[Line]:
    if subject in CHANNELS:
        figures = (counted(v["reachable_provable"]), counted(v["not_addressable_provable"]))
        return [(CHANNELS[subject], *figures)]
    names = ("people", "known", "granted_provable", "expired", "unprovable")
    return [(subject, *(counted(v[name]) for name in names))]


# What lines of the report must hold for a truth of each kind.
TELLING: dict[str, Callable[[Values, str], list[Line]]] = {
    "broken_rows": _broken_rows,
    "stale_source": _stale_source,
    "late_events": lambda v, subject: [(subject, f"{v['late_rows']:,}", "more than 24 hours")],
    "low_coverage": _low_coverage,
    "special_category": lambda _, subject: [
        ("blocker", subject, "special category", "Nobody may overrule this."),
        (subject, "special", "special category of personal data"),
    ],
    "proxy": _proxy,
    "personal_data": _personal_data,
    "duplicates": lambda v, _: [
        ("e-mail addresses", f"{v['duplicate_emails']:,}", f"{v['duplicate_records']:,}"),
    ],
    "channel_blocked": lambda v, subject: [
        (f"{CHANNELS[subject]} BLOCKED",),
        ("blocker", subject, str(v["purpose"]), percent(v["integrity"]), percent(v["floor"], 0)),
    ],
    "consent_gap": _consent_gap,
    "suppressed": lambda v, subject: [(subject, f"{counted(v['people'])} people")],
    "reach": _reach,
}


def test_the_report_shows_every_planted_truth_with_its_value(found: Found) -> None:
    for truth in found.manifest.truths:
        if truth.kind in MONITORED:
            continue
        for line in TELLING[truth.kind](truth.values, truth.subject):
            assert found.page.says(*line), (truth.kind, truth.subject, line)


def test_the_first_screen_says_who_can_be_reached_and_what_blocks_the_rest(found: Found) -> None:
    # In a small sample a channel with consent may still have no profile of a hundred people.
    used = {one["channel"] for one in found.results["activation"]["activations"] if one["go"]}
    assert {"web", "in-app"} <= used
    assert "email" not in used
    for channel, label in CHANNELS.items():
        everyone = found.truths("reach")[channel]["reachable_provable"]
        within = found.profiles.reachable[cast("Channel", channel)]
        assert within is not None
        assert 0 < within < int(everyone)
        at = found.page.lines.index(f"{label} {'GO' if channel in used else 'BLOCKED'}")
        shown = found.page.lines[at + 1]
        hold = "" if channel in used else " on hold: none of them may be addressed while it is blocked"
        assert shown == f"Reachable people: {within:,} within 'EU only'; {everyone:,} before it{hold}"


def test_a_blocked_channel_asks_for_one_decision_not_two(found: Found) -> None:
    gap = found.of("consent_gap")["email_marketing"].message
    asked = [line for line in found.page.lines if line.startswith("blocker") and gap in line]
    assert len(asked) == 1
    assert asked[0].startswith("blocker | email | ")


def test_a_pipeline_finds_what_a_diamond_finds(tmp_path: Path) -> None:
    diamond, pipeline = tmp_path / "diamond", tmp_path / "pipeline"
    for folder in (diamond, pipeline):
        write_sample(folder, people=PEOPLE, seed=7)
    results, files = run(diamond)
    assert run(pipeline, pattern="pipeline") == (results, files)
