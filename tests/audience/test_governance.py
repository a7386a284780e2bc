from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from gtm_orchestra.audience.contracts import (
    AttributeFact,
    ConsentReport,
    ConstraintReading,
    Finding,
    GovernancePlan,
    IdentityFact,
    Inventory,
    MetricReading,
    Objectives,
    Profile,
    Profiles,
    PurposeConsent,
    TableFact,
    TimelineReading,
    TreeNode,
)
from gtm_orchestra.audience.governance import plan_governance
from gtm_orchestra.config import Config

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
PEOPLE: dict[str, dict[str, Any]] = {
    "petra": {"name": "Petra Novak", "roles": ["privacy-lead", "legal"], "deputy": "elena"},
    "elena": {"name": "Elena Ruiz", "roles": ["exec-sponsor"]},
    "marco": {"name": "Marco Bauer", "roles": ["personalization-architect", "marketing-ops"]},
    "tom": {"name": "Tom Okafor", "roles": ["data-engineer", "testing-lead"]},
}


def config(people: dict[str, dict[str, Any]] | None = None, **more: object) -> Config:
    def one(**fields: object) -> dict[str, object]:
        return {
            "table": "people",
            "column": "x",
            "type": "string",
            "sensitivity": "none",
            "review": "accepted",
        } | fields

    return Config.model_validate(
        {
            "workspace": {"name": "Acme", "timezone": "Europe/Berlin"},
            "source": {"url": "data"},
            "tables": {"people": {"table": "contacts", "columns": {"key": "id"}, "owner": "tom"}},
            "channels": {
                "web": {"purpose": "personalization", "system": "Site"},
                "email": {"purpose": "newsletter", "system": "HubSpot"},
            },
            "metrics": {"activation": {"type": "proportion", "event": "activated"}},
            "people": PEOPLE if people is None else people,
            "attributes": {
                "plan": one(owner="tom", purpose="personalization"),
                "city": one(purpose="billing", sensitivity="proxy", sensitivity_note="Stands in for income."),
                "job": one(review="proposed"),
            },
            **more,
        }
    )


def fact(name: str, **more: Any) -> AttributeFact:  # noqa: ANN401 fields of a fact
    fields = {
        "name": name,
        "table": "people",
        "source": "contacts.x",
        "type": "string",
        "required": False,
        "available": True,
        "people": 5_000,
        "filled": 5_000,
        "coverage": 1.0,
        "coverage_sla": 0.6,
        "sensitivity": "none",
        "review": "accepted",
        "freshness_sla_hours": 24.0,
        "usable": True,
    }
    return AttributeFact.model_validate(fields | more)


PLAN = fact("plan", owner="tom")
CITY = fact("city", sensitivity="proxy", sensitivity_note="Stands in for income.", freshness_sla_hours=None)
JOB = fact("job", review="proposed", stale=True)


def profile(*attributes: str) -> Profile:
    return Profile(
        profile_id="stalled-trials",
        name="Stalled trials",
        description="",
        lifecycle_stage="trial",
        eligibility={"plan": "free"},
        suppression=None,
        thresholds=(),
        score=(),
        half_life="14d",
        decay_window="30d",
        attributes=attributes,
        size=1_000,
        share=0.1,
        volume={},
        fallback="",
        evidence=(),
        added_over="",
        deployable=True,
    )


def plan(
    *attributes: str,
    settings: Config | None = None,
    due: date | None = None,
    facts: tuple[AttributeFact, ...] = (PLAN, CITY, JOB),
    findings: tuple[Finding, ...] = (),
    constraints: tuple[ConstraintReading, ...] = (),
) -> GovernancePlan:
    timeline = TimelineReading(text="x", understood=True, due=due, effect="") if due else None
    purpose = {
        "people": 5_000,
        "known": 4_900,
        "expired": 0,
        "granted": 3_000,
        "denied": 1_900,
        "opt_in_rate": 0.6,
    }
    return plan_governance(
        settings or config(),
        AS_OF,
        objectives=Objectives(
            initiative="PLG",
            goals=(),
            personas=(),
            lifecycle_stages=(),
            channels=("web", "email"),
            metrics=(MetricReading(name="activation", asked="activation", mapped=True),),
            constraints=constraints,
            timeline=timeline,
        ),
        inventory=Inventory(
            as_of=AS_OF,
            engine="duckdb",
            tables=(
                TableFact(role="people", table="contacts", rows=5_000, owner="tom", freshness_sla_hours=24.0),
            ),
            attributes=facts,
            identity=IdentityFact(records=1, valid_people=1),
            columns=(),
            findings=findings,
        ),
        consent=ConsentReport(
            purposes=(
                PurposeConsent.model_validate(
                    purpose
                    | {"purpose": "personalization", "basis": "log", "unprovable": 3, "integrity": 0.98}
                ),
                PurposeConsent.model_validate(
                    purpose
                    | {"purpose": "newsletter", "basis": "snapshot", "unprovable": 4_900, "integrity": 0.0}
                ),
            ),
            channels=(),
            suppressed={},
            findings=(),
        ),
        profiles=Profiles(
            profiles=(profile(*attributes),),
            overlaps=(),
            tree=TreeNode(leaf="x"),
            unassigned=0,
            excluded={},
            findings=(),
        ),
    )


def test_everything_in_use_has_an_owner_a_cadence_and_a_checkpoint() -> None:
    duties = {duty.subject: duty for duty in plan("plan", "city", "job").duties}
    assert {subject: duty.owner for subject, duty in duties.items()} == {
        "source contacts": "tom",
        "attribute city": "tom",
        "attribute job": "tom",
        "attribute plan": "tom",
        "consent for newsletter": "petra",
        "consent for personalization": "petra",
        "profile stalled-trials": "marco",
        "channel web (Site)": "marco",
        "channel email (HubSpot)": "marco",
        "metric activation": "tom",
    }
    assert duties["attribute plan"].qa_cadence == "daily: freshness, coverage, drift"
    assert duties["attribute city"].qa_cadence == "weekly: freshness, coverage, drift"
    assert duties["attribute job"].qa_cadence == "daily until it is fresh again: freshness, coverage, drift"
    assert duties["attribute city"].change_checkpoint == (
        "A change of meaning, source or type needs a new acceptance in the catalog by Petra Novak; "
        "profiles that use it become drafts."
    )
    assert all(duty.qa_cadence and duty.change_checkpoint for duty in duties.values())


def test_a_data_use_is_a_draft_with_purpose_basis_recipients_retention_and_proxies() -> None:
    use = plan("plan", "city").data_uses[0]
    assert use.purpose == "newsletter (email); personalization (web)"
    assert use.lawful_basis == (
        "Draft, not legal advice: newsletter: consent (GDPR Art. 6(1)(a)), a current-state snapshot, not "
        "provable at "
        "exposure time; personalization: consent (GDPR Art. 6(1)(a)), from a log with proof"
    )
    assert use.recipients == ("HubSpot", "Site")
    assert use.retention == (
        "A person leaves when the eligibility no longer holds, at the latest 30d after the last evidence, "
        "and is then "
        "sent as a removal; how long recipients keep their copies is open."
    )
    assert use.proxies == ("city: Stands in for income.",)


def test_every_open_question_ends_with_a_person_of_gtm_toml() -> None:
    questions = plan("plan", "city", "job").data_uses[0].open_questions
    assert questions == (
        "Does the wording of the consent for newsletter and personalization cover this profile? Petra Novak",
        "May people whose consent cannot be proven be reached (4,900 for newsletter)? Petra Novak",
        "city was collected for billing: may it be used for newsletter and personalization? Petra Novak",
        "May job, which nobody has reviewed, be used? Petra Novak",
        "Is the use of a proxy justified, and by what? Petra Novak",
        "Is there a data-processing agreement with each recipient (HubSpot and Site)? Petra Novak",
        "How long do recipients keep people who have left the profile (HubSpot and Site)? Marco Bauer",
    )


def test_a_role_that_nobody_holds_falls_to_a_stand_in_and_is_a_finding() -> None:
    people = {handle: one for handle, one in PEOPLE.items() if handle != "petra"}
    found = plan("plan", settings=config(people))
    assert found.data_uses[0].open_questions[0].endswith("cover this profile? Elena Ruiz")
    assert [(one.finding_id, one.severity, one.message, one.decides) for one in found.findings] == [
        (
            "missing_owner:role-privacy-lead",
            "blocker",
            "Nobody in gtm.toml has the role privacy-lead, which signs off.",
            "exec-sponsor",
        )
    ]


def test_who_is_away_is_represented_by_the_deputy() -> None:
    away = {**PEOPLE, "petra": {**PEOPLE["petra"], "away_until": "2026-11-20"}}
    assert plan("plan", settings=config(away)).data_uses[0].open_questions[0].endswith("? Elena Ruiz")
    back = {**PEOPLE, "petra": {**PEOPLE["petra"], "away_until": "2026-11-19"}}
    assert plan("plan", settings=config(back)).data_uses[0].open_questions[0].endswith("? Petra Novak")


def test_who_is_away_without_a_deputy_is_a_finding() -> None:
    away = {**PEOPLE, "tom": {**PEOPLE["tom"], "away_until": "2026-12-01"}}
    assert [one.message for one in plan("plan", settings=config(away)).findings] == [
        "Tom Okafor is away until 2026-12-01 and has no deputy."
    ]


def test_an_attribute_without_an_owner_is_a_finding_with_who_decides() -> None:
    tables = {"people": {"table": "contacts", "columns": {"key": "id"}}}
    found = plan("plan", "city", settings=config(tables=tables)).findings
    assert [(one.finding_id, one.message, one.decides) for one in found] == [
        (
            "missing_owner:attribute",
            "1 of 2 attributes that the profiles stand on have no owner: city.",
            "data-engineer",
        )
    ]


def test_an_owner_whom_gtm_toml_does_not_know_is_said() -> None:
    found = plan("plan", facts=(fact("plan", owner="data-team"),)).findings
    assert [(one.severity, one.message) for one in found] == [
        ("info", "data-team owns something, but nobody of that handle is in [people].")
    ]


def test_checkpoints_are_set_back_from_the_due_date_in_working_days() -> None:
    steps = plan("plan", due=date(2027, 1, 15)).checkpoints
    assert steps[0] == (
        "Sign-off of these drafts by Petra Novak, by 1 January 2027: what is signed is what may be built."
    )
    assert steps[1].endswith("by Marco Bauer, by 8 January 2027.")
    assert steps[2].startswith("Before anything goes live, by 14 January 2027: ")
    assert (
        plan("plan", due=date(2026, 11, 24))
        .checkpoints[0]
        .startswith("Sign-off of these drafts by Petra Novak, at once, because the due date leaves no time: ")
    )
    assert plan("plan").checkpoints[0].startswith("Sign-off of these drafts by Petra Novak: ")


def test_a_channel_that_a_constraint_takes_out_is_no_recipient() -> None:
    constraint = ConstraintReading(text="no email", understood=True, effect="", excluded_channels=("email",))
    found = plan("plan", constraints=(constraint,))
    assert found.data_uses[0].recipients == ("Site",)
    assert found.data_uses[0].purpose == "personalization (web)"


def test_without_any_people_in_gtm_toml_the_gap_is_said_and_nothing_fails() -> None:
    found = plan("plan", settings=config({}))
    assert found.data_uses[0].open_questions[0].endswith("? nobody is named in gtm.toml for privacy-lead")
    assert "missing_owner:profile" in {one.finding_id for one in found.findings}
