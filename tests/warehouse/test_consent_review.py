"""Go or no-go per channel, on the small company."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.audience.consent import review_consent
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from tests.warehouse.conftest import Company

    from gtm_orchestra.audience.contracts import ConsentReport
    from gtm_orchestra.config import Config


def _report(company: Company, config: Config) -> ConsentReport:
    with open_warehouse(config.source, company.root, {}) as warehouse:
        frame = people_frame(warehouse, config, company.as_of)
        return review_consent(warehouse, config, company.as_of, frame, ("ads", "sales", "email"))


def test_a_snapshot_is_accepted_and_flagged_as_not_provable(company: Company) -> None:
    company.write()
    report = _report(company, company.config(consent={"integrity_floor": 0.6} | _SNAPSHOTS))
    news = next(purpose for purpose in report.purposes if purpose.purpose == "news")
    assert (news.basis, news.known, news.unprovable, news.granted, news.denied) == (
        "snapshot",
        26,
        26,
        13,
        13,
    )
    assert news.integrity == 26 / 39
    (finding,) = (f for f in report.findings if f.subject == "news")
    assert (finding.severity, finding.message) == (
        "warning",
        (
            "Consent for 'news' is a snapshot of today in one column: accepted, but not provable at exposure "
            "time. It does not say when or how anybody agreed."
        ),
    )


def test_under_the_group_minimum_nobody_is_reached(company: Company) -> None:
    company.write()
    report = _report(company, company.config(consent={"integrity_floor": 0.6} | _SNAPSHOTS))
    ads = report.channels[0]
    assert (ads.go, ads.why, ads.decides) == (
        False,
        "Fewer than 100 people can be reached: too few for a group.",
        "privacy-lead",
    )
    assert ads.mend == "Collect consent for 'news', or 'plan' to address people."


def test_a_channel_that_gtm_toml_does_not_have_says_what_to_add(company: Company) -> None:
    company.write()
    sales = _report(company, company.config()).channels[1]
    assert (sales.go, sales.why, sales.mend) == (
        False,
        "gtm.toml has no [channels.sales]: nobody has said which consent it needs.",
        "Add [channels.sales] with purpose, system and identifier to gtm.toml.",
    )


def test_a_gap_says_how_many_lack_what(company: Company) -> None:
    company.write()
    email = _report(company, company.config(consent={"valid_for": "730d"})).channels[2]
    # Of 39 people: one yes and two noes are sound; p004 has expired, p005 lacks proof, p006 cannot be read.
    assert email.why == (
        "Consent for 'mail' is sound for 7.7% of 39 people, under the floor of 95%: "
        "fewer than 100 have no status, fewer than 100 have expired, fewer than 100 have no proof."
    )


def test_a_purpose_without_any_consent_data_is_not_set_up_and_no_gap(company: Company) -> None:
    company.write()
    channels = {"ads": {"purpose": "ads"}, "email": {"purpose": "mail", "identifier": "email"}}
    report = _report(company, company.config(channels=channels))
    ads = report.channels[0]
    assert (ads.go, ads.why, ads.mend) == (
        False,
        "Nothing in the data says who consented to 'ads'.",
        "Record consent for 'ads' in 'consents', or map a column as consent.snapshots.ads, in gtm.toml.",
    )
    messages = {finding.finding_id: finding.message for finding in report.findings}
    # Of the three blocked channels only the one with data has a gap in it: gaps are what a person may waive.
    assert sorted(messages) == [
        "channel_blocked:ads",
        "channel_blocked:email",
        "channel_blocked:sales",
        "consent_gap:mail",
    ]
    assert messages["channel_blocked:ads"] == f"The channel 'ads' is not set up. {ads.why}"
    assert messages["channel_blocked:sales"].startswith("The channel 'sales' is not set up. gtm.toml has no ")
    assert messages["channel_blocked:email"].startswith(
        "The channel 'email' is blocked. Consent for 'mail' is "
    )
    assert next(p.basis for p in report.purposes if p.purpose == "ads") == "none"


def test_an_empty_snapshot_column_is_not_set_up(company: Company) -> None:
    company.write()
    snapshots = {"snapshots": {"site": {"column": "plan", "granted": ["never"], "denied": ["nowhere"]}}}
    empty = {"snapshots": {"mail": {"column": "nothing", "granted": ["yes"], "denied": ["no"]}}}
    people = "SELECT 'p1' AS id, 'a@example.com' AS email, CAST(NULL AS VARCHAR) AS nothing"
    company.write(people=people)
    tables = {"people": {"table": "people", "columns": {"key": "id", "email": "email"}}}
    channels = {"email": {"purpose": "mail", "identifier": "email"}}
    config = company.config(consent=empty, tables=tables, channels=channels, attributes={}, suppressions={})
    (email,) = (channel for channel in _report(company, config).channels if channel.channel == "email")
    assert (email.why, email.mend) == (
        "Nothing in the data says who consented to 'mail'.",
        "Fill the column 'nothing', or map another one, in gtm.toml.",
    )
    # Words that nobody knows are data, and a gap.
    company.write()
    finding_ids = {f.finding_id for f in _report(company, company.config(consent=snapshots)).findings}
    assert "consent_gap:site" in finding_ids


_SNAPSHOTS = {"snapshots": {"news": {"column": "newsletter", "granted": ["yes"], "denied": ["no"]}}}
