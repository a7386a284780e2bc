from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gtm_orchestra.audience.contracts import Finding
from gtm_orchestra.reports.answer import (
    at_a_glance,
    channel_answers,
    effects_line,
    go_label,
    headline,
    next_steps,
    not_understood,
    signers,
    staleness,
    verdict,
)

if TYPE_CHECKING:
    from gtm_orchestra.reports.material import Material


def test_the_headline_names_every_channel_with_its_figure_or_its_reason(material: Material) -> None:
    assert headline(material) == (
        "3 of 5 channels can be personalised for 'PLG Onboarding': Web (31,002 people, before 'EU only', "
        "once profiles are passed on from batch), In-app (30,880 people, before 'EU only'), "
        "Sales (19,870 people, before 'EU only'); "
        "E-mail is blocked because consent integrity for marketing_email is 71.3%, the floor is 95%: "
        "13,712 of 47,812 people have no status that is known, unexpired and provable; "
        "Ads is left out because the constraints say 'no ads pixel'."
    )


def within(material: Material, **reachable: int | None) -> Material:
    found = {channel.replace("_", "-"): people for channel, people in reachable.items()}
    return replace(material, profiles=material.profiles.model_copy(update={"reachable": found}))


def test_reach_is_counted_within_the_constraints_and_says_so(material: Material) -> None:
    counted = within(material, web=20_150, in_app=None, sales=12_000)
    assert [(a.channel, a.reachable, a.counted) for a in channel_answers(counted)] == [
        ("web", "20,150", "within 'EU only'; 31,002 before it"),
        ("in-app", "fewer than 100", "within 'EU only'; 30,880 before it"),
        ("email", "12,904", "before 'EU only'"),
        ("ads", "9,040", "before 'EU only'"),
        ("sales", "12,000", "within 'EU only'; 19,870 before it"),
    ]
    assert headline(counted).startswith(
        "3 of 5 channels can be personalised for 'PLG Onboarding', within 'EU only': Web (20,150 people, "
        "once profiles are passed on from batch), In-app (fewer than 100 people), Sales (12,000 people); "
    )


def test_without_a_constraint_on_people_reach_needs_no_words(material: Material) -> None:
    readings = tuple(c for c in material.objectives.constraints if not c.eligibility)
    free = replace(material, objectives=material.objectives.model_copy(update={"constraints": readings}))
    web = channel_answers(free)[0]
    assert (web.reachable, web.counted) == ("31,002", "")
    assert "Web (31,002 people, once profiles are passed on from batch), In-app (30,880 people)," in headline(
        free
    )


def test_a_channel_that_decides_without_its_attributes_goes_on_one_condition(material: Material) -> None:
    conditions = {a.channel: a.condition for a in channel_answers(material) if a.status == "GO"}
    assert conditions == {
        "web": "2 of them need projects_created_30d, which exists in batch only, not in the browser, "
        "where this channel decides. Until a batch job passes on who is in which profile, everyone sees the "
        "fallback; visitors who are not recognised always do.",
        "in-app": "",
        "sales": "",
    }
    many = ("a", "b", "c", "d")
    activations = tuple(
        a.model_copy(update={"missing_at": many}) if a.channel == "web" else a
        for a in material.activation.activations
    )
    activation = material.activation.model_copy(update={"activations": activations})
    assert channel_answers(replace(material, activation=activation))[0].condition.startswith(
        "they need 4 attributes that exist in batch only, not in the browser, where this channel decides."
    )
    labels = {go_label(a) for a in activations if a.channel == "web"}
    assert labels == {"GO, once passed on from batch", "BLOCKED"}


def test_the_verdict_sorts_channels_into_those_that_may_go_and_those_that_may_not(material: Material) -> None:
    assert verdict(material) == (
        "Web, In-app and Sales can be personalised; E-mail is blocked; Ads was left out as asked."
    )


def test_nothing_going_is_said_as_such(material: Material) -> None:
    none = material.activation.model_copy(
        update={
            "activations": tuple(
                a.model_copy(update={"go": False, "blockers": ("no accepted attribute",)})
                for a in material.activation.activations
            )
        }
    )
    stopped = replace(material, activation=none)

    assert verdict(stopped) == (
        "No channel can be personalised yet; Web, In-app, E-mail and Sales are blocked; Ads was left out "
        "as asked."
    )
    assert channel_answers(stopped)[0].why == "No accepted attribute."


def test_why_a_channel_is_blocked_begins_with_what_stops_most_of_its_profiles(material: Material) -> None:
    blockers = [("no system delivers it", "too few people"), ("no system delivers it",), ("too few people",)]
    web = [a for a in material.activation.activations if a.channel == "web"][: len(blockers)]
    stopped = [a.model_copy(update={"go": False, "blockers": b}) for a, b in zip(web, blockers, strict=True)]
    activation = material.activation.model_copy(update={"activations": tuple(stopped)})
    blocked = replace(material, activation=activation)
    assert channel_answers(blocked)[0].why == "No system delivers it."
    assert "; Web is blocked because no system delivers it" in headline(blocked)


def test_a_blocked_channel_says_its_reach_why_what_mends_it_and_who_decides(material: Material) -> None:
    email = next(a for a in channel_answers(material) if a.channel == "email")

    assert (email.status, email.reachable, email.profiles) == ("BLOCKED", "12,904", ())
    assert email.mend == "Ask the 13,712 people again, or load the missing double-opt-in records."
    assert email.decides == "Priya Nair (privacy lead)"


def test_a_channel_asked_for_and_not_looked_at_is_not_dropped(material: Material) -> None:
    consent = material.consent.model_copy(
        update={"channels": tuple(c for c in material.consent.channels if c.channel != "sales")}
    )
    answers = channel_answers(replace(material, consent=consent))

    assert [a.channel for a in answers] == ["web", "in-app", "email", "ads", "sales"]
    assert (answers[-1].status, answers[-1].why) == ("LEFT OUT", "It was not looked at.")


def test_a_stale_source_says_since_when_and_how_old(material: Material) -> None:
    told = [staleness(t) for t in material.inventory.tables]

    assert told == [
        "",
        "",
        (
            "no new rows since 2025-09-19 04:00 UTC: 42 days old, 48 h allowed, "
            "so stale since 2025-09-21 04:00 UTC"
        ),
        "",
    ]


def test_everything_not_understood_is_listed(material: Material) -> None:
    assert not_understood(material) == (
        (
            "'make it pop'",
            "names no attribute, place, channel or date; write for example 'EU only' or 'no age'.",
        ),
        (
            "the metric 'net promoter score'",
            "gtm.toml has no metric for it; add [metrics.net_promoter_score].",
        ),
    )


def test_the_glance_answers_the_questions_of_a_first_reader(material: Material) -> None:
    told = {g.question: g.answer for g in at_a_glance(material)}

    assert told["Which attribute may not be used, and why?"] == (
        "health_condition: special category (health, GDPR Art. 9): refused; benefit_code: proxy of "
        "health_condition: 97.2% of people with a code have the same condition. And 3 more for other "
        "reasons."
    )
    assert told["What was not understood?"] == (
        "2 parts of the request: 'make it pop' and the metric 'net promoter score'."
    )
    assert told["How big are the profiles?"] == (
        "5 profiles, by people who fit, before consent: Stalled free users 14,310, Active builders 11,960, "
        "New signups 6,120, Team expanders 2,480, Benelux pilots 140."
    )
    assert told["Is it signed?"] == (
        "Draft until signed; the sign-off is recorded beside this file in sign-off.json and by "
        "`gtm approvals list`. It is to be signed by Priya Nair (privacy lead)."
    )


def test_effects_are_said_with_lift_duration_and_power(material: Material) -> None:
    assert effects_line(material) == (
        "Nothing is claimed yet. 4 of 5 profile and metric pairs would show a relative lift of 10% "
        "(power 0.8, 5% holdout), the quickest (Active builders, activation_rate) after 28 days. With "
        "today's people the smallest lift that can be seen is 8% (Active builders, activation_rate)."
    )


def test_an_effect_that_cannot_be_seen_is_said_so(material: Material) -> None:
    never = tuple(m.model_copy(update={"days": None}) for m in material.measurability.measures)
    hopeless = material.measurability.model_copy(update={"measures": never})
    nothing = material.measurability.model_copy(update={"measures": ()})

    assert effects_line(replace(material, measurability=hopeless)) == (
        "Nothing is claimed, and little can be seen: as things are, none of 5 profile and metric pairs would "
        "show a relative lift of 10% (power 0.8, 5% holdout). With today's people the smallest lift that can "
        "be seen is 8% (Active builders, activation_rate)."
    )
    assert effects_line(replace(material, measurability=nothing)) == (
        "Nothing is claimed: no profile has a metric that could show an effect."
    )


def test_named_approvers_sign_in_place_of_the_role(material: Material) -> None:
    named = replace(material, inputs={**material.inputs, "approvers": ["elena", "mara"]})

    assert signers(named) == "Elena Rossi and Mara Lindt"
    assert next_steps(named)[0] == (
        "Decide the 5 open points below: Jonas Weber (data engineer); Mara Lindt (architect); "
        "Priya Nair (privacy lead)."
    )


def test_the_same_finding_from_two_tasks_is_told_once_the_worst_first(material: Material) -> None:
    again = tuple(finding.model_copy() for finding in material.inventory.findings)
    doubled = replace(material, profiles=material.profiles.model_copy(update={"findings": again}))

    ids = [f.finding_id for f in doubled.findings]
    assert len(ids) == len(set(ids))
    assert [f.severity for f in doubled.findings][:2] == ["blocker", "blocker"]


def test_a_blocked_channel_and_the_gap_that_blocks_it_are_one_decision(material: Material) -> None:
    gap = Finding(
        finding_id="consent_gap:mail",
        kind="consent_gap",
        severity="blocker",
        subject="mail",
        message="Consent for 'mail' is sound for 80% of 1,000 people.",
        decides="privacy-lead",
    )
    blocked = Finding(
        finding_id="channel_blocked:email",
        kind="channel_blocked",
        severity="blocker",
        subject="email",
        message=f"The channel 'email' is blocked. {gap.message}",
        evidence={"purpose": "mail"},
        decides="privacy-lead",
    )
    other = blocked.model_copy(update={"message": "The channel 'email' is blocked. No address is mapped."})

    def told(*findings: Finding) -> set[str]:
        consent = material.consent.model_copy(update={"findings": findings})
        return {finding.finding_id for finding in replace(material, consent=consent).open_points}

    assert {"consent_gap:mail", "channel_blocked:email"} & told(gap, blocked) == {"channel_blocked:email"}
    assert told(gap, other) >= {"consent_gap:mail", "channel_blocked:email"}
