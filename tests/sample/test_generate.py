from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from gtm_orchestra.config import load_config
from gtm_orchestra.errors import StorageError, UsageError
from gtm_orchestra.sample.generate import SAMPLE_AS_OF, write_sample
from gtm_orchestra.sample.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sample.conftest import Sample


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_people_seed_and_as_of_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample(tmp_path / name, people=800, seed=11)
    one = digests(tmp_path / "one")
    assert one == digests(tmp_path / "two")
    assert sorted(one) == [
        *(
            f"data/{name}.parquet"
            for name in (
                "accounts",
                "consents",
                "contacts",
                "events",
                "exposures",
                "identities",
                "memberships",
                "opportunities",
                "outcomes",
            )
        ),
        "gtm.toml",
        "manifest.json",
    ]


def test_another_seed_gives_other_rows_and_the_same_shares(tmp_path: Path) -> None:
    first, second = (write_sample(tmp_path / str(seed), people=800, seed=seed) for seed in (1, 2))
    same = {
        name for name, digest in digests(tmp_path / "1").items() if digests(tmp_path / "2")[name] == digest
    }
    assert same == {"gtm.toml"}
    assert first.population.valid == second.population.valid
    assert first.filled["onboarding_goal"] == pytest.approx(second.filled["onboarding_goal"], abs=15)


def test_the_manifest_on_disk_is_the_one_returned(sample: Sample) -> None:
    text = (sample.folder / "manifest.json").read_text(encoding="utf-8")
    assert Manifest.model_validate_json(text) == sample.manifest
    assert list(json.loads(text)["tables"]) == sorted(sample.manifest.tables)


def test_another_as_of_moves_everything_with_it(tmp_path: Path) -> None:
    later = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
    manifest = write_sample(tmp_path, people=500, as_of=later)
    (stale,) = (one for one in manifest.truths if one.kind == "stale_source")
    assert (manifest.as_of, stale.values["newest"], stale.values["age_hours"]) == (
        later,
        "2026-02-21T14:30:00Z",
        220,
    )
    assert load_config(tmp_path / "gtm.toml").workspace.as_of == later
    newest = pq.read_table(tmp_path / "data" / "events.parquet").column("occurred_at")
    assert max(time for time in newest.to_pylist() if time) == later - timedelta(minutes=5)


def test_the_default_as_of_is_a_monday_morning() -> None:
    assert SAMPLE_AS_OF.strftime("%A %H:%M %Z") == "Monday 06:00 UTC"


def test_a_sample_that_is_there_is_replaced(tmp_path: Path) -> None:
    write_sample(tmp_path, people=500, seed=1)
    write_sample(tmp_path, people=400, seed=2)
    write_sample(tmp_path / "fresh", people=400, seed=2)
    old = {name: digest for name, digest in digests(tmp_path).items() if not name.startswith("fresh")}
    assert old == digests(tmp_path / "fresh")


def test_a_workspace_that_is_no_sample_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "gtm.toml").write_text("version = 1\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        write_sample(tmp_path)
    assert str(caught.value) == (
        f"{str(tmp_path)!r} holds a workspace that is no sample; "
        "choose another folder; nothing was changed there"
    )
    assert digests(tmp_path).keys() == {"gtm.toml"}


@pytest.mark.parametrize("people", [0, 199, 2_000_001])
def test_too_few_or_too_many_people_are_refused(tmp_path: Path, people: int) -> None:
    with pytest.raises(UsageError) as caught:
        write_sample(tmp_path / "new", people=people)
    assert str(caught.value) == (
        f"a sample of {people:,} people is not possible; ask for 200 to 2,000,000 people"
    )
    assert not (tmp_path / "new").exists()


def test_the_fewest_people_are_possible(tmp_path: Path) -> None:
    manifest = write_sample(tmp_path, people=200)
    assert manifest.population.records == 200
    assert {one.subject for one in manifest.truths if one.kind == "channel_blocked"} == {"email"}


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_sample(tmp_path, seed=-1)
    assert str(caught.value) == "the seed is -1, but must be zero or more; leave it out, or write --seed 7"


def test_an_as_of_without_time_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_sample(tmp_path, as_of=SAMPLE_AS_OF.replace(tzinfo=None))
    assert str(caught.value) == "as_of has no time zone; write it in UTC, such as 2025-12-01T06:00:00Z"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(StorageError) as caught:
        write_sample(tmp_path / "taken", people=500)
    assert str(caught.value) == (
        f"the sample cannot be written to {str(tmp_path / 'taken')!r}: Not a directory; "
        "free some space or choose another folder"
    )


def test_a_write_that_fails_half_way_leaves_no_workspace_and_can_be_repeated(tmp_path: Path) -> None:
    write_sample(tmp_path, people=500)
    blocked = tmp_path / "data" / "outcomes.parquet"
    blocked.unlink()
    blocked.mkdir()
    with pytest.raises(StorageError):
        write_sample(tmp_path, people=500)
    assert not (tmp_path / "gtm.toml").exists()
    blocked.rmdir()
    write_sample(tmp_path, people=500)
    assert load_config(tmp_path / "gtm.toml").workspace.name == "Fernhollow (sample)"
    assert not list(tmp_path.rglob("*.partial"))


def test_readers_see_plain_text_columns(sample: Sample) -> None:
    for path in sorted((sample.folder / "data").iterdir()):
        assert "dictionary" not in str(pq.read_schema(path)), path.name


def test_gtm_toml_names_what_is_in_the_data(sample: Sample) -> None:
    config = load_config(sample.folder / "gtm.toml")
    for role, table in config.tables.items():
        assert (sample.folder / "data" / f"{table.table}.parquet").exists(), role
        known = {name for (name, *_) in sample.con.execute(f"DESCRIBE {table.table}").fetchall()}
        attributes = {one.column for one in config.attributes.values() if one.table == role and one.column}
        assert set(table.columns.values()) | attributes <= known, role
    events = {name for (name,) in sample.con.execute("SELECT DISTINCT event_name FROM events").fetchall()}
    assert {one.event for one in config.attributes.values() if one.event} - {"*"} <= events
    assert {one.event for one in config.metrics.values() if one.event} <= events
    purposes = {name for (name,) in sample.con.execute("SELECT DISTINCT purpose FROM consents").fetchall()}
    assert {one.purpose for one in config.channels.values()} == purposes
    sql = config.metrics["pipeline_amount"].sql
    assert sql is not None
    people, least = sample.one(f"SELECT count(*), min(value) FROM ({sql})")  # noqa: S608  our own query
    assert int(str(people)) > 0
    assert float(str(least)) > 0


def test_gtm_toml_has_somebody_for_every_role_and_a_deputy_for_everybody(sample: Sample) -> None:
    config = load_config(sample.folder / "gtm.toml")
    for role in (
        "privacy-lead",
        "exec-sponsor",
        "personalization-architect",
        "data-engineer",
        "testing-lead",
        "legal",
    ):
        assert config.people_with_role(role), role
    assert all(person.deputy for person in config.people.values())
    owners = {one.owner for one in config.attributes.values() if one.owner is not None}
    assert owners <= set(config.people)
    assert sample.manifest.unreviewed == ("age_band", "health_accommodation", "job_title", "latest_note")


def test_every_address_and_number_is_reserved_for_examples(sample: Sample) -> None:
    (strangers,) = sample.one("SELECT count(*) FROM contacts WHERE NOT ends_with(lower(email), '.example')")
    (sites,) = sample.one("SELECT count(*) FROM accounts WHERE NOT ends_with(domain, '.example')")
    (numbers,) = sample.one("""
        SELECT count(*) FROM contacts
        WHERE NOT regexp_full_match(phone, '[+]1 202 555 01[0-9]{2}|[+]44 1632 960[0-9]{3}')
    """)
    assert (strangers, sites, numbers) == (0, 0, 0)


def test_people_change_their_mind_and_the_last_row_is_not_the_latest(sample: Sample) -> None:
    changed, misleading = sample.one("""
        WITH kept AS (SELECT *, row_number() OVER () AS row FROM consents
                      WHERE contact_id IS NOT NULL AND changed_at IS NOT NULL),
             pairs AS (SELECT count(DISTINCT status = 'granted') AS answers,
                              arg_max(changed_at, row) < max(changed_at) AS misleads
                       FROM kept GROUP BY contact_id, purpose)
        SELECT count(*) FILTER (answers > 1), count(*) FILTER (misleads) FROM pairs
    """)
    assert int(str(changed)) > sample.manifest.people / 4
    assert int(str(misleading)) > sample.manifest.people / 10


def test_known_events_follow_the_record_and_anonymous_ones_precede_it(sample: Sample) -> None:
    (early,) = sample.one("""
        SELECT count(*) FROM events e JOIN valid v ON v.hs_object_id = e.contact_id
        WHERE e.occurred_at < v.created
    """)
    before, stitched = sample.one("""
        SELECT count(*) FILTER (e.occurred_at < i.linked_at), count(*)
        FROM events e JOIN identities i USING (anonymous_id)
        WHERE e.contact_id IS NULL AND i.contact_id IS NOT NULL AND e.occurred_at IS NOT NULL
    """)
    assert early == 0
    assert before == stitched
    assert int(str(stitched)) > 0


def test_weekends_are_quiet(sample: Sample) -> None:
    weekend, week = sample.one("""
        SELECT count(*) FILTER (isodow(occurred_at) > 5) / 2, count(*) FILTER (isodow(occurred_at) <= 5) / 5
        FROM events WHERE contact_id IS NOT NULL
    """)
    assert float(str(weekend)) < 0.75 * float(str(week))


GROUPS = {
    "new sign-up": "signup < 7",
    "stalled trial": "lifecyclestage = 'trial' AND activated = 0 AND signup BETWEEN 8 AND 45 AND active >= 8",
    "exploring": "lifecyclestage = 'trial' AND activated = 0 AND projects > 0 AND active < 8",
    "activated champion": "activated > 0 AND projects > 1 AND invites > 0",
    "team inviter": "invites > 1 AND integrations = 0",
    "evaluating power user": "pricing > 1 AND integrations > 0 AND docs > 0",
    "dormant": "active > 40 AND lifecyclestage = 'trial'",
    "customer": "lifecyclestage = 'customer'",
}


def test_behaviour_tells_groups_apart_that_are_worth_a_profile(sample: Sample) -> None:
    def days(event: str, length: int) -> str:
        return f"count(*) FILTER (event_name = '{event}' AND occurred_at > moment - INTERVAL {length} DAY)"

    found = sample.one(f"""
        WITH counted AS (
            SELECT person, {days("project_created", 30)} AS projects,
                   {days("teammate_invited", 30)} AS invites,
                   {days("integration_connected", 30)} AS integrations,
                   {days("pricing_viewed", 14)} AS pricing,
                   {days("docs_viewed", 14)} AS docs, {days("activated", 180)} AS activated,
                   min(epoch(moment - occurred_at) / 86400) AS active,
                   min(epoch(moment - occurred_at) / 86400) FILTER (event_name = 'signed_up') AS signup
            FROM known_event CROSS JOIN now GROUP BY person)
        SELECT {", ".join(f"count(*) FILTER ({condition})" for condition in GROUPS.values())}
        FROM valid JOIN counted ON person = hs_object_id WHERE external
    """)  # noqa: S608  the names in the statement are this file's own
    external = sample.manifest.population.external
    small = {
        group: people
        for group, people in zip(GROUPS, found, strict=True)
        if int(str(people)) < 0.03 * external
    }
    assert small == {}


def test_broken_consent_rows_lack_a_time_or_a_person(sample: Sample) -> None:
    without_time, without_person = sample.one("""
        SELECT count(*) FILTER (changed_at IS NULL), count(*) FILTER (contact_id IS NULL) FROM consents
    """)
    assert int(str(without_time)) > 0
    assert int(str(without_person)) > 0
