from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.audience.contracts import (
    Activation,
    ActivationMap,
    AttributeFact,
    ChannelReach,
    ConsentReport,
    ConstraintReading,
    DataUse,
    Finding,
    GovernancePlan,
    IdentityFact,
    Inventory,
    Measurability,
    Measure,
    MetricReading,
    Objectives,
    Overlap,
    OwnerDuty,
    Persona,
    Profile,
    Profiles,
    PurposeConsent,
    SchemaField,
    ScorePart,
    TableFact,
    Threshold,
    TimelineReading,
    TreeNode,
    ValueShare,
)
from gtm_orchestra.config import Channel, Config
from gtm_orchestra.reports.material import Material

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

AS_OF = datetime(2025, 10, 31, 6, 0, tzinfo=UTC)
PEOPLE = 47_812

INPUTS = {
    "initiative": "PLG Onboarding",
    "channels": ["web", "in-app", "email", "ads", "sales"],
    "metrics": ["activation rate", "pipeline $", "net promoter score"],
    "constraints": ["EU only", "no ads pixel", "make it pop"],
    "timeline": "by 15 January",
    "approvers": [],
}


def make_config() -> Config:
    return Config.model_validate(
        {
            "workspace": {"name": "Tidepool (sample)", "timezone": "Europe/Berlin", "currency": "EUR"},
            "source": {"url": "data"},
            "tables": {
                "people": {"table": "contacts", "columns": {"key": "contact_id"}, "freshness": "24h"},
                "events": {
                    "table": "product_events",
                    "columns": {"person": "user_id", "time": "at", "name": "event"},
                    "freshness": "24h",
                },
                "consents": {
                    "table": "consents",
                    "columns": {"person": "p", "purpose": "q", "status": "s", "at": "t"},
                },
            },
            "channels": {
                "web": {"purpose": "personalization", "system": "GrowthBook SDK", "places": ["browser"]},
                "in-app": {"purpose": "personalization", "system": "GrowthBook SDK", "places": ["server"]},
                "email": {"purpose": "marketing_email", "system": "HubSpot", "identifier": "email"},
                "ads": {"purpose": "ads", "system": "LinkedIn"},
                "sales": {"purpose": "sales_outreach", "system": "HubSpot"},
            },
            "people": {
                "mara": {"name": "Mara Lindt", "roles": ["architect"]},
                "priya": {"name": "Priya Nair", "roles": ["privacy-lead"], "deputy": "mara"},
                "jonas": {"name": "Jonas Weber", "roles": ["data-engineer"]},
                "elena": {"name": "Elena Rossi", "roles": ["exec-sponsor"]},
            },
            "suppressions": {
                "staff": {
                    "condition": {"is_internal": True},
                    "reason": "Employees and test accounts are no audience.",
                },
            },
            "attributes": {
                "is_internal": {"table": "people", "column": "is_internal", "type": "boolean"},
            },
        }
    )


def _fact(name: str, source: str, coverage: float, **extra: object) -> AttributeFact:
    filled = round(PEOPLE * coverage)
    given: dict[str, object] = {
        "table": "people",
        "type": "string",
        "required": False,
        "available": True,
        "coverage_sla": 0.6,
        "newest": datetime(2025, 10, 31, 2, 10, tzinfo=UTC),
        "age_hours": 3.8,
        "freshness_sla_hours": 24.0,
        "cadence_hours": 24.0,
        "sensitivity": "internal",
        "available_at": ("server", "batch"),
        "owner": "jonas",
        "review": "accepted",
        "usable": True,
        "source_system": "HubSpot",
    }
    return AttributeFact.model_validate(
        given
        | {"name": name, "source": source, "people": PEOPLE, "filled": filled, "coverage": coverage}
        | extra
    )


def make_inventory() -> Inventory:
    attributes = (
        _fact(
            "country",
            "contacts.country",
            0.981,
            required=True,
            coverage_sla=0.95,
            distinct=9,
            small_groups=2,
            top_values=(ValueShare(value="DE", people=14_200), ValueShare(value="FR", people=9_310)),
        ),
        _fact("days_since_signup", "contacts.created_at", 1.0, type="number", required=True),
        _fact(
            "email",
            "contacts.email",
            0.994,
            sensitivity="personal",
            personal_data="email",
            top_values=(ValueShare(value="nobody@example.org", people=140),),
            usable=False,
            why_not="It addresses a person and is not a rule attribute.",
        ),
        _fact(
            "health_condition",
            "contacts.hs_health_condition",
            0.123,
            sensitivity="special",
            usable=False,
            why_not="Special category (health, GDPR Art. 9): refused.",
        ),
        _fact(
            "benefit_code",
            "contacts.benefit_code",
            0.121,
            sensitivity="proxy",
            usable=False,
            sensitivity_note="Predicts health_condition with 97.2 % accuracy.",
            why_not="Proxy of health_condition: 97.2 % of people with a code have the same condition.",
        ),
        _fact("is_internal", "contacts.is_internal", 1.0, type="boolean"),
        _fact(
            "job_title",
            "contacts.jobtitle",
            0.412,
            required=True,
            coverage_sla=0.8,
            usable=False,
            why_not="Coverage 41.2 % is under its SLA of 80 %.",
            owner="",
        ),
        _fact("plan", "contacts.plan", 0.967, distinct=3),
        _fact(
            "projects_created_30d",
            "events project_created, count over 30 days",
            1.0,
            table="events",
            type="number",
            source_system="Segment",
            quantiles=(0.0, 0.0, 1.0, 4.0, 12.0),
            drift=0.04,
        ),
        _fact(
            "days_since_last_seen",
            "events *, days since the last",
            0.873,
            table="events",
            type="number",
            source_system="Segment",
        ),
        _fact(
            "support_tier",
            "support_tickets.tier",
            0.702,
            stale=True,
            newest=datetime(2025, 9, 19, 4, 0, tzinfo=UTC),
            age_hours=1010.0,
            usable=False,
            why_not="Its source has had no new rows since 2025-09-19.",
        ),
    )
    return Inventory(
        as_of=AS_OF,
        engine="duckdb",
        tables=(
            TableFact(
                role="people",
                table="contacts",
                rows=51_630,
                broken_rows=1_504,
                duplicate_keys=312,
                newest=datetime(2025, 10, 31, 2, 10, tzinfo=UTC),
                age_hours=3.8,
                freshness_sla_hours=24.0,
                cadence_hours=24.0,
                owner="jonas",
            ),
            TableFact(
                role="events",
                table="product_events",
                rows=312_440,
                late_rows=4_120,
                newest=datetime(2025, 10, 31, 5, 41, tzinfo=UTC),
                age_hours=0.3,
                freshness_sla_hours=24.0,
                cadence_hours=0.1,
                owner="jonas",
            ),
            TableFact(
                role="accounts",
                table="support_tickets",
                rows=8_210,
                newest=datetime(2025, 9, 19, 4, 0, tzinfo=UTC),
                age_hours=1010.0,
                freshness_sla_hours=48.0,
                stale=True,
                cadence_hours=24.0,
            ),
            TableFact(role="consents", table="consents", rows=120_441),
        ),
        attributes=tuple(sorted(attributes, key=lambda a: a.name)),
        identity=IdentityFact(
            records=51_630,
            valid_people=PEOPLE,
            duplicate_emails=1_201,
            duplicate_records=1_260,
            internal_people=240,
            anonymous_ids=71_002,
            stitched_ids=21_310,
            accounts=2_811,
            people_with_account=30_118,
        ),
        columns=(SchemaField(table="contacts", column="country", type="string"),),
        findings=(
            Finding(
                finding_id="stale_source:support_tickets",
                kind="stale_source",
                severity="warning",
                subject="support_tickets",
                message="support_tickets has had no new rows since 2025-09-19 04:00 UTC; 48 h are allowed.",
                mend="Restart the support export, then run again.",
                decides="data-engineer",
            ),
            Finding(
                finding_id="special_category:health_condition",
                kind="special_category",
                severity="blocker",
                subject="health_condition",
                message="health_condition holds a special category (health); it is refused in every profile.",
                mend="Drop the column from the export, or deny it in the catalog.",
                decides="privacy-lead",
                waivable=False,
            ),
            Finding(
                finding_id="proxy:benefit_code",
                kind="proxy",
                severity="warning",
                subject="benefit_code",
                message="benefit_code predicts health_condition with 97.2 % accuracy.",
                decides="privacy-lead",
            ),
            Finding(
                finding_id="low_coverage:job_title",
                kind="low_coverage",
                severity="warning",
                subject="job_title",
                message="job_title is filled for 41.2 % of people; 80 % are required.",
                mend="Enrich it, or lower its SLA in gtm.toml.",
                decides="architect",
            ),
            Finding(
                finding_id="duplicates:people",
                kind="duplicates",
                severity="info",
                subject="people",
                message="1,201 e-mail addresses stand on more than one record (2,461 records).",
            ),
        ),
    )


def make_consent() -> ConsentReport:
    def purpose(
        name: str, known: int, granted: int, denied: int, expired: int, integrity: float
    ) -> PurposeConsent:
        return PurposeConsent(
            purpose=name,
            basis="log",
            people=PEOPLE,
            known=known,
            expired=expired,
            unprovable=0,
            granted=granted,
            denied=denied,
            integrity=integrity,
            opt_in_rate=granted / PEOPLE,
        )

    def reach(channel: Channel, purpose: str, system: str, reachable: int, integrity: float) -> ChannelReach:
        return ChannelReach(
            channel=channel,
            purpose=purpose,
            system=system,
            go=True,
            why=f"{reachable:,} people can be reached; consent integrity is {integrity:.1%}.",
            reachable=reachable,
            integrity=integrity,
            integrity_floor=0.95,
        )

    email = reach("email", "marketing_email", "HubSpot", 12_904, 0.7132).model_copy(
        update={
            "go": False,
            "why": "Consent integrity for marketing_email is 71.3 %, the floor is 95 %: 13,712 of 47,812 "
            "people have no status that is known, unexpired and provable.",
            "decides": "privacy-lead",
            "mend": "Ask the 13,712 people again, or load the missing double-opt-in records.",
            "not_addressable": 120,
        }
    )
    return ConsentReport(
        purposes=(
            purpose("personalization", 47_300, 31_240, 15_860, 200, 0.985),
            purpose("marketing_email", 36_100, 13_024, 21_076, 2_000, 0.7132),
            purpose("ads", 46_900, 9_100, 37_720, 80, 0.979),
            purpose("sales_outreach", 46_800, 20_100, 26_500, 200, 0.975),
        ),
        channels=(
            reach("web", "personalization", "GrowthBook SDK", 31_002, 0.985),
            reach("in-app", "personalization", "GrowthBook SDK", 30_880, 0.985),
            email,
            reach("ads", "ads", "LinkedIn", 9_040, 0.979),
            reach("sales", "sales_outreach", "HubSpot", 19_870, 0.975),
        ),
        suppressed={"staff": 240, "legal_hold": 12},
        findings=(
            Finding(
                finding_id="consent_gap:marketing_email",
                kind="consent_gap",
                severity="blocker",
                subject="email",
                message="13,712 of 47,812 people have no provable status for marketing_email.",
                evidence={"integrity": 0.7132, "floor": 0.95},
                mend="Ask again, or load the missing double-opt-in records.",
                decides="privacy-lead",
            ),
        ),
    )


def _profile(profile_id: str, name: str, stage: str, size: int, rule: dict[str, object]) -> Profile:
    return Profile(
        profile_id=profile_id,
        name=name,
        description=f"{name}: people the onboarding should treat alike.",
        lifecycle_stage=stage,
        eligibility=rule,
        suppression={"is_internal": True},
        thresholds=(
            Threshold(
                attribute="projects_created_30d",
                operator=">=",
                value=4,
                evidence="75th percentile of 47,812 people with a value.",
            ),
        ),
        score=(
            ScorePart(attribute="projects_created_30d", weight=0.7, low=0, high=12),
            ScorePart(attribute="days_since_last_seen", weight=0.3, low=0, high=30, invert=True),
        ),
        half_life="14d",
        decay_window="30d",
        attributes=tuple(sorted(rule)),
        size=size,
        share=size / PEOPLE,
        volume={
            "web": round(size * 0.65),
            "in-app": round(size * 0.64),
            "email": round(size * 0.27),
            "sales": round(size * 0.41),
        },
        fallback="default onboarding",
        evidence=("Activation is 2.3 times that of everyone else in the last 90 days.",),
        added_over="plan alone puts 61 % of these people in 'free'; the profile separates 3 groups in it.",
        deployable=True,
    )


def make_profiles() -> Profiles:
    profiles = (
        _profile("new-signup", "New signups", "onboarding", 6_120, {"days_since_signup": {"$lt": 7}}),
        _profile(
            "builders",
            "Active builders",
            "activation",
            11_960,
            {"projects_created_30d": {"$gte": 4}, "days_since_last_seen": {"$lt": 7}},
        ),
        _profile(
            "stalled",
            "Stalled free users",
            "at risk",
            14_310,
            {"plan": "free", "days_since_last_seen": {"$gte": 14}},
        ),
        _profile(
            "team-expanders",
            "Team expanders",
            "expansion",
            2_480,
            {"plan": {"$in": ["team", "business"]}, "projects_created_30d": {"$gte": 12}},
        ),
        _profile(
            "benelux-pilots",
            "Benelux pilots",
            "activation",
            140,
            {"country": {"$in": ["BE", "NL", "LU"]}, "plan": "business"},
        ),
    )
    pilots = profiles[-1].model_copy(update={"volume": {"web": 91, "in-app": 88, "email": 0, "sales": 57}})
    return Profiles(
        profiles=(*profiles[:-1], pilots),
        overlaps=(
            Overlap(left="new-signup", right="builders", people=1_870),
            Overlap(left="builders", right="team-expanders", people=2_110),
            Overlap(left="builders", right="benelux-pilots", people=41),
            Overlap(left="stalled", right="new-signup", people=0),
        ),
        tree=TreeNode(
            question="Signed up less than 7 days ago?",
            condition={"days_since_signup": {"$lt": 7}},
            people=PEOPLE,
            yes=TreeNode(leaf="New signups", people=6_120),
            no=TreeNode(
                question="Created 4 projects or more in 30 days?",
                condition={"projects_created_30d": {"$gte": 4}},
                yes=TreeNode(leaf="Active builders", people=11_960),
                no=TreeNode(leaf="default onboarding"),
            ),
        ),
        unassigned=13_101,
        excluded={
            "health_condition": "special category (health)",
            "benefit_code": "proxy of health_condition",
        },
        findings=(
            Finding(
                finding_id="redundant:team-expanders",
                kind="redundant",
                severity="info",
                subject="team-expanders",
                message="Team expanders agrees with plan = 'team' for 88 % of its people.",
            ),
        ),
    )


def make_activation(profiles: Profiles, consent: ConsentReport) -> ActivationMap:
    rows = []
    for profile in profiles.profiles:
        for reach in consent.channels:
            if reach.channel == "ads":
                continue
            volume = profile.volume.get(reach.channel, 0)
            blockers = () if reach.go else (reach.why,)
            small = 0 < volume < 100
            rows.append(
                Activation(
                    profile_id=profile.profile_id,
                    channel=reach.channel,
                    go=reach.go and not small,
                    people=volume,
                    system=reach.system,
                    need="SDK attributes" if reach.channel in {"web", "in-app"} else "List upload by API",
                    payload=("profile_id", *profile.attributes),
                    decided_at="browser" if reach.channel == "web" else "batch",
                    missing_at=("projects_created_30d",)
                    if reach.channel == "web" and "projects_created_30d" in profile.attributes
                    else (),
                    fallback=profile.fallback,
                    blockers=(*blockers, "fewer than 100 people would be reached") if small else blockers,
                )
            )
    return ActivationMap(activations=tuple(rows), findings=())


def make_material() -> Material:
    profiles, consent = make_profiles(), make_consent()
    objectives = Objectives(
        initiative="PLG Onboarding",
        goals=("Raise the share of new people who create a project within 14 days.",),
        personas=(Persona(name="Hands-on builder", description="Uses the product alone.", people=11_960),),
        lifecycle_stages=("onboarding", "activation", "at risk", "expansion"),
        channels=("web", "in-app", "email", "sales"),
        metrics=(
            MetricReading(
                name="activation_rate", asked="activation rate", mapped=True, baseline=0.183, unit="share"
            ),
            MetricReading(name="pipeline", asked="pipeline $", mapped=True, baseline=312_000.0, unit="EUR"),
            MetricReading(
                name="net promoter score",
                asked="net promoter score",
                mapped=False,
                missing="gtm.toml has no metric for it; add [metrics.net_promoter_score].",
            ),
        ),
        constraints=(
            ConstraintReading(
                text="EU only",
                understood=True,
                effect="Every profile asks for country in the 27 member states.",
                eligibility={"country": {"$in": ["DE", "FR"]}},
            ),
            ConstraintReading(
                text="no ads pixel",
                understood=True,
                effect="Ads are left out of this plan.",
                excluded_channels=("ads",),
                note_for="legal",
            ),
            ConstraintReading(
                text="make it pop",
                understood=False,
                effect="names no attribute, place, channel or date; write for example 'EU only' or 'no age'.",
            ),
        ),
        timeline=TimelineReading(
            text="by 15 January",
            understood=True,
            due=datetime(2026, 1, 15, tzinfo=UTC).date(),
            effect="76 days from the data's date; an experiment of 56 days fits.",
        ),
    )
    return Material(
        initiative="PLG Onboarding",
        inputs=INPUTS,
        config=make_config(),
        as_of=AS_OF,
        objectives=objectives,
        inventory=make_inventory(),
        consent=consent,
        profiles=profiles,
        activation=make_activation(profiles, consent),
        measurability=make_measurability(profiles),
        governance=make_governance(profiles),
    )


def make_measurability(profiles: Profiles) -> Measurability:
    seen = {
        "new-signup": (0.12, 41),
        "builders": (0.08, 28),
        "stalled": (0.11, 37),
        "team-expanders": (0.24, 160),
    }
    return Measurability(
        holdout=0.05,
        measures=tuple(
            Measure(
                profile_id=p.profile_id,
                metric="activation_rate",
                people_per_week=p.size / 20,
                people=p.size,
                baseline=0.183,
                detectable=seen.get(p.profile_id, (None, None))[0],
                days=seen.get(p.profile_id, (None, None))[1],
                verdict="A lift of 10 % can be seen in time."
                if p.profile_id in seen
                else "Too few people for any lift below 100 %.",
            )
            for p in profiles.profiles
        ),
        findings=(
            Finding(
                finding_id="not_measurable:benelux-pilots",
                kind="not_measurable",
                severity="warning",
                subject="benelux-pilots",
                message="140 people are too few to see any lift below 100 %.",
            ),
        ),
    )


def make_governance(profiles: Profiles) -> GovernancePlan:
    return GovernancePlan(
        duties=(
            OwnerDuty(
                subject="profiles",
                owner="mara",
                role="architect",
                qa_cadence="monthly",
                change_checkpoint="A new revision and the privacy lead's sign-off.",
            ),
            OwnerDuty(
                subject="support_tickets",
                owner="",
                role="data-engineer",
                qa_cadence="weekly",
                change_checkpoint="A run of the inventory.",
            ),
        ),
        data_uses=tuple(
            DataUse(
                profile_id=p.profile_id,
                attributes=p.attributes,
                purpose="personalization",
                lawful_basis="Consent, GDPR Art. 6(1)(a)",
                recipients=("GrowthBook SDK", "HubSpot"),
                retention=f"{p.decay_window} without new evidence",
                proxies=(),
                open_questions=("Is the retention long enough? Priya Nair",),
            )
            for p in profiles.profiles
        ),
        checkpoints=("Before a change of eligibility: review and sign-off.",),
        findings=(),
    )


@pytest.fixture(scope="session")
def material() -> Material:
    return make_material()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium; absent, CI fails and a laptop skips with the line that installs it."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the extra may not be installed

    names = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
    found = next((name for name in names if Path(name).exists()), None)
    if found is None:
        message = "Chromium is not installed; run: sudo apt-get install -y chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()
