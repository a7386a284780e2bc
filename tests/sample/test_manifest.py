"""Every value of the manifest, counted a second time by SQL over the files."""
# ruff: noqa: S608  the names in the statements are this file's own

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.config import load_config

if TYPE_CHECKING:
    from tests.sample.conftest import Sample

BROKEN = {
    "people": ("contacts", "hs_object_id IS NULL OR TRY_CAST(createdate AS TIMESTAMPTZ) IS NULL"),
    "events": ("events", "(contact_id IS NULL AND anonymous_id IS NULL) OR occurred_at IS NULL"),
    "consents": ("consents", "contact_id IS NULL OR changed_at IS NULL"),
    "identities": ("identities", "contact_id IS NULL OR anonymous_id IS NULL"),
    "accounts": ("accounts", "hs_object_id IS NULL"),
    "membership": ("memberships", "contact_id IS NULL"),
    "opportunities": ("opportunities", "hs_object_id IS NULL"),
    "exposures": ("exposures", "contact_id IS NULL OR exposed_at IS NULL"),
    "outcomes": ("outcomes", "contact_id IS NULL OR occurred_at IS NULL"),
}
PURPOSES = ("advertising", "email_marketing", "personalization", "sales_outreach")
CHANNELS = {
    "web": ("personalization", "true"),
    "in-app": ("personalization", "true"),
    "email": ("email_marketing", "email IS NOT NULL"),
    "ads": ("advertising", "email IS NOT NULL"),
    "sales": ("sales_outreach", "phone IS NOT NULL"),
}


@pytest.mark.parametrize("role", BROKEN)
def test_rows_and_broken_rows_of_each_table_are_as_counted(sample: Sample, role: str) -> None:
    table, broken = BROKEN[role]
    rows, bad = sample.one(f"SELECT count(*), count(*) FILTER ({broken}) FROM {table}")
    counted = sample.manifest.tables[role]
    assert (counted.table, counted.rows, counted.broken_rows) == (table, rows, bad)
    assert sample.truth("broken_rows", role) == {"rows": rows, "broken_rows": bad}
    assert 0.02 <= counted.broken_rows / counted.rows <= 0.07


def test_the_population_is_as_counted(sample: Sample) -> None:
    found = sample.one("""
        SELECT (SELECT count(*) FROM contacts), count(*), count(DISTINCT hs_object_id),
               count(*) FILTER (employee), count(*) FILTER (bot_suspected), count(*) FILTER (external),
               count(associatedcompanyid) FROM valid
    """)
    people = sample.manifest.population
    assert found == (
        people.records,
        people.valid,
        people.valid,
        people.employees,
        people.bots,
        people.external,
        people.people_with_account,
    )
    assert people.records == sample.manifest.people == people.valid + people.broken
    assert people.internal == people.employees + people.bots
    accounts = sample.one("SELECT count(DISTINCT hs_object_id) FROM accounts")
    assert accounts == (people.accounts,)


def test_anonymous_and_stitched_ids_are_as_counted(sample: Sample) -> None:
    found = sample.one("""
        WITH seen AS (SELECT DISTINCT anonymous_id FROM events WHERE anonymous_id IS NOT NULL)
        SELECT (SELECT count(*) FROM seen), count(DISTINCT seen.anonymous_id)
        FROM seen JOIN identities USING (anonymous_id)
        JOIN valid ON valid.hs_object_id = identities.contact_id
    """)
    assert found == (sample.manifest.population.anonymous_ids, sample.manifest.population.stitched_ids)


def test_the_account_usage_sync_stopped_at_the_stated_time_and_nothing_else_is_stale(sample: Sample) -> None:
    truth = sample.truth("stale_source", "accounts")
    newest, age = sample.one("""
        SELECT strftime(max(usage_synced_at), '%Y-%m-%dT%H:%M:%SZ'),
               epoch(any_value(now.moment) - max(usage_synced_at)) / 3600 FROM accounts CROSS JOIN now
    """)
    assert (newest, age) == (truth["newest"], truth["age_hours"])
    assert float(truth["age_hours"]) > float(truth["sla_hours"])
    ages = sample.one("""
        SELECT epoch(now.moment - (SELECT max(synced_at) FROM contacts)) / 3600,
               epoch(now.moment - (SELECT max(occurred_at) FROM events)) / 3600,
               epoch(now.moment - (SELECT max(received_at) FROM events)) / 3600,
               epoch(now.moment - (SELECT max(changed_at) FROM consents)) / 3600 FROM now
    """)
    assert [ages[0], ages[1], ages[3]] == [1, 300 / 3600, 1]
    assert 0 < float(str(ages[2])) < 300 / 3600
    assert len([one for one in sample.manifest.truths if one.kind == "stale_source"]) == 1


def test_late_events_are_as_counted_and_far_from_the_line(sample: Sample) -> None:
    late, soonest, longest_other, newest = sample.one("""
        SELECT count(*) FILTER (received_at - occurred_at > INTERVAL 24 HOUR),
               min(received_at - occurred_at) FILTER (received_at - occurred_at > INTERVAL 24 HOUR)
                   > INTERVAL 24 HOUR + INTERVAL 30 MINUTE,
               max(received_at - occurred_at) FILTER (received_at - occurred_at <= INTERVAL 24 HOUR)
                   < INTERVAL 5 MINUTE,
               strftime(max(occurred_at), '%Y-%m-%dT%H:%M:%SZ')
        FROM events
    """)
    assert (late, newest) == tuple(sample.truth("late_events", "events").values())
    assert soonest
    assert longest_other


def test_no_time_lies_after_the_as_of(sample: Sample) -> None:
    times = [
        (table, column)
        for table, column, kind in sample.con.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
        ).fetchall()
        if kind == "TIMESTAMP WITH TIME ZONE" and column not in {"moment", "expires_at"}
    ]
    assert len(times) > 12
    for table, column in times:
        past = sample.one(f"SELECT max({column}) < any_value(moment) FROM {table} CROSS JOIN now")
        assert past == (True,), column


def test_coverage_of_each_plain_attribute_is_as_counted(sample: Sample) -> None:
    catalog = load_config(sample.folder / "gtm.toml").attributes
    plain = {name: one for name, one in catalog.items() if one.column is not None}
    assert set(plain) == set(sample.manifest.filled)
    for name, one in plain.items():
        column = f"TRY_CAST({one.column} AS DOUBLE)" if one.type == "number" else one.column
        source = (
            "valid"
            if one.table == "people"
            else "valid v JOIN accounts a ON a.hs_object_id = associatedcompanyid"
        )
        (filled,) = sample.one(f"SELECT count({column}) FROM {source}")
        assert filled == sample.manifest.filled[name], name


def test_only_one_attribute_misses_its_coverage_and_clearly_so(sample: Sample) -> None:
    config = load_config(sample.folder / "gtm.toml")
    valid = sample.manifest.population.valid
    share = {name: filled / valid for name, filled in sample.manifest.filled.items()}
    for name, one in config.attributes.items():
        if one.measure != "days_since_last":
            continue
        which = "true" if one.event == "*" else f"event_name = '{one.event}'"
        (seen,) = sample.one(f"""
            SELECT count(DISTINCT hs_object_id) FROM valid JOIN known_event ON person = hs_object_id
            WHERE {which}
        """)
        share[name] = int(str(seen)) / valid
    slack = {
        name: share[name] - (one.coverage if one.coverage is not None else config.policies.coverage_floor)
        for name, one in config.attributes.items()
        if name in share
    }
    assert {name for name, value in slack.items() if value < 0} == {"onboarding_goal"}
    assert {name for name, value in slack.items() if -0.1 < value < 0.02} == set()
    truth = sample.truth("low_coverage", "onboarding_goal")
    found = sample.one("""
        SELECT count(*), count(*) FILTER (external), count(onboarding_goal),
               count(onboarding_goal) FILTER (external) FROM valid
    """)
    assert found == (truth["people"], truth["people_external"], truth["filled"], truth["filled_external"])
    assert truth["coverage"] == int(truth["filled"]) / int(truth["people"])
    assert not config.attributes["onboarding_goal"].required


def test_the_proxy_is_as_strong_as_stated_and_the_only_one(sample: Sample) -> None:
    def strength(column: str) -> tuple[float, int]:
        value, people = sample.one(f"""
            WITH pairs AS (SELECT health_accommodation AS a, CAST({column} AS VARCHAR) AS b FROM valid
                           WHERE a IS NOT NULL AND b IS NOT NULL),
                 cells AS (SELECT a, b, count(*) AS n FROM pairs GROUP BY ALL),
                 rows AS (SELECT a, sum(n) AS na FROM cells GROUP BY a),
                 columns AS (SELECT b, sum(n) AS nb FROM cells GROUP BY b)
            SELECT sqrt((sum(n * n / (na * nb)) - 1)
                        / (least((SELECT count(*) FROM rows), (SELECT count(*) FROM columns)) - 1)),
                   sum(n)
            FROM cells JOIN rows USING (a) JOIN columns USING (b)
        """)
        return float(str(value)), int(str(people))

    truth = sample.truth("proxy", "ui_mode")
    value, people = strength("ui_mode")
    assert (round(value, 6), people) == (truth["cramers_v"], truth["people"])
    assert value > 0.8
    others = (
        "country",
        "lifecyclestage",
        "job_function",
        "age_band",
        "hs_analytics_source",
        "onboarding_goal",
    )
    assert max(strength(column)[0] for column in others) < 0.25


def test_personal_data_and_unreadable_numbers_are_as_counted(sample: Sample) -> None:
    found = sample.one("""
        SELECT count(email), count(phone), count(hs_latest_note),
               count(*) FILTER (regexp_matches(hs_latest_note, '[a-z0-9.]+@[a-z0-9.-]+[.]example')),
               count(*) FILTER (hubspotscore IS NOT NULL AND TRY_CAST(hubspotscore AS DOUBLE) IS NULL),
               count(health_accommodation)
        FROM valid
    """)
    note = sample.truth("personal_data", "latest_note")
    assert found == (
        sample.truth("personal_data", "email")["filled"],
        sample.truth("personal_data", "phone")["filled"],
        note["filled"],
        note["with_address"],
        sample.truth("broken_rows", "lead_score")["unreadable"],
        sample.truth("special_category", "health_accommodation")["filled"],
    )
    assert int(note["with_address"]) > 0


@pytest.mark.parametrize("purpose", PURPOSES)
def test_consent_per_purpose_is_as_counted(sample: Sample, purpose: str) -> None:
    short = purpose == "email_marketing"
    truth = sample.truth("consent_gap" if short else "reach", purpose)
    for suffix, who in (("", "true"), ("_external", "external")):
        found = sample.one(f"""
            SELECT count(*), count(*) FILTER (state <> 'none'), count(*) FILTER (state = 'expired'),
                   count(*) FILTER (state = 'unproven'), count(*) FILTER (state = 'granted'),
                   count(*) FILTER (state = 'denied'), count(*) FILTER (state IN ('granted', 'denied')),
                   count(*) FILTER (state IN ('granted', 'denied')) / count(*)
            FROM state WHERE purpose = '{purpose}' AND {who}
        """)
        names = (
            "people",
            "known",
            "expired",
            "unprovable",
            "granted_provable",
            "denied_provable",
            "sound",
            "integrity",
        )
        assert found == tuple(truth[name + suffix] for name in names)
        integrity = float(truth["integrity" + suffix])
        assert integrity < 0.9 if short else integrity > 0.97
    assert truth["floor"] == load_config(sample.folder / "gtm.toml").consent.integrity_floor


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_reach_of_each_channel_is_as_counted(sample: Sample, channel: str) -> None:
    purpose, addressable = CHANNELS[channel]
    found = sample.one(f"""
        SELECT count(*) FILTER ({addressable}), count(*) FILTER (NOT ({addressable}))
        FROM state
        WHERE purpose = '{purpose}' AND state = 'granted' AND external AND NOT objected_to_profiling
    """)
    assert found == tuple(sample.truth("reach", channel).values())


def test_only_email_is_blocked(sample: Sample) -> None:
    blocked = {one.subject for one in sample.manifest.truths if one.kind == "channel_blocked"}
    assert blocked == {"email"}


def test_the_suppressed_are_as_counted(sample: Sample) -> None:
    found = sample.one("""
        SELECT count(*) FILTER (employee), count(*) FILTER (bot_suspected),
               count(*) FILTER (objected_to_profiling)
        FROM valid
    """)
    names = ("employees", "bots", "objection")
    assert found == tuple(sample.truth("suppressed", name)["people"] for name in names)


def test_duplicate_addresses_differ_in_case_only_and_are_as_counted(sample: Sample) -> None:
    truth = sample.truth("duplicates", "people")
    for suffix, who in (("", "true"), ("_external", "external")):
        found = sample.one(f"""
            SELECT count(*) FILTER (n > 1), coalesce(sum(n - 1) FILTER (n > 1), 0)
            FROM (SELECT count(*) AS n FROM valid WHERE email IS NOT NULL AND {who} GROUP BY lower(email))
        """)
        assert found == (truth["duplicate_emails" + suffix], truth["duplicate_records" + suffix])
    same = sample.one("SELECT count(*) - count(DISTINCT email) FROM valid WHERE email IS NOT NULL")
    assert int(str(same[0])) < int(truth["duplicate_records"]) / 2


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("experiment_lift", "onboarding_checklist"),
        ("experiment_null", "pricing_banner"),
        ("sample_ratio_mismatch", "tour_length"),
        ("delivery_stopped", "reminder_cadence"),
    ],
)
def test_experiments_are_as_counted(sample: Sample, kind: str, name: str) -> None:
    truth = sample.truth(kind, name)
    found = sample.one(f"""
        WITH first AS (
            SELECT contact_id, min(variant) AS variant, count(DISTINCT variant) AS variants,
                   min(exposed_at) AS at
            FROM exposures WHERE experiment = '{name}' AND contact_id IS NOT NULL AND exposed_at IS NOT NULL
            GROUP BY contact_id),
        joined AS (
            SELECT f.*, EXISTS (SELECT 1 FROM outcomes o WHERE o.contact_id = f.contact_id
                                AND o.occurred_at >= f.at
                                AND o.occurred_at < f.at + INTERVAL 14 DAY) AS adopted
            FROM first f JOIN valid v ON v.hs_object_id = f.contact_id)
        SELECT count(*) FILTER (variant = 'control'), count(*) FILTER (variant = 'treatment'),
               count(*) FILTER (variant = 'control' AND adopted),
               count(*) FILTER (variant = 'treatment' AND adopted),
               max(variants)
        FROM joined
    """)
    names = ("control", "treatment", "control_adopted", "treatment_adopted")
    assert found == (*(truth[one] for one in names), 1)


def test_the_planted_effects_are_what_their_names_say(sample: Sample) -> None:
    lift = sample.truth("experiment_lift", "onboarding_checklist")
    assert float(lift["difference"]) == pytest.approx(
        0.06, abs=0.5 / min(int(lift["control"]), int(lift["treatment"])) * 2
    )
    null = sample.truth("experiment_null", "pricing_banner")
    assert float(null["difference"]) == pytest.approx(0, abs=1 / int(null["control"]))
    mismatch = sample.truth("sample_ratio_mismatch", "tour_length")
    share = int(mismatch["treatment"]) / (int(mismatch["treatment"]) + int(mismatch["control"]))
    assert share == pytest.approx(0.42, abs=0.01)


def test_the_stopped_variant_has_no_delivery_from_its_day_on_while_control_goes_on(sample: Sample) -> None:
    truth = sample.truth("delivery_stopped", "reminder_cadence")
    found = sample.one(f"""
        SELECT strftime(max(exposed_at) FILTER (variant = 'treatment'), '%Y-%m-%dT%H:%M:%SZ'),
               strftime(max(exposed_at) FILTER (variant = 'control'), '%Y-%m-%dT%H:%M:%SZ'),
               count(*) FILTER (variant = 'treatment' AND exposed_at >= DATE '{truth["stopped_on"]}'),
               count(DISTINCT contact_id)
                   FILTER (variant = 'control' AND exposed_at < DATE '{truth["stopped_on"]}')
        FROM exposures
        WHERE experiment = 'reminder_cadence' AND contact_id IS NOT NULL AND exposed_at IS NOT NULL
    """)
    assert found == (truth["last_treatment"], truth["last_control"], 0, truth["control_before"])
    assert int(truth["control"]) > int(truth["control_before"])
