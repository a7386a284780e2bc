"""An export of real life in the inventory: strangers, local times, loads, personal columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from tests.warehouse.conftest import load_postgres

from gtm_orchestra.audience.inventory import take_inventory
from gtm_orchestra.config import SourceSettings, TableRole
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.people import people_frame
from gtm_orchestra.warehouse.roles import NEEDED, role_table

if TYPE_CHECKING:
    from tests.warehouse.conftest import Company

    from gtm_orchestra.audience.contracts import AttributeFact, Finding, Inventory, TableFact
    from gtm_orchestra.config import Config

SUBSCRIPTIONS = """
    SELECT * FROM (VALUES
      ('s1', 'a1', 'free', TIMESTAMP '2026-01-01 00:00:00'),
      ('s2', 'a1', 'paid', TIMESTAMP '2026-02-01 00:00:00'),
      ('s3', 'a2', 'free', TIMESTAMP '2026-01-01 00:00:00'),
      (NULL, 'a3', 'paid', TIMESTAMP '2026-01-01 00:00:00')
    ) t(id, account, plan, started)
"""
NEWSLETTER = """
    SELECT * FROM (VALUES
      ('person3@example.com', 'subscribed', '29.06.2026 23:30', NULL),
      ('PERSON4@example.com', 'subscribed', '30.05.2026 11:05', '30.06.2026 13:30'),
      ('stranger@example.com', 'subscribed', '30.05.2026 11:05', NULL),
      ('person1@example.com', 'subscribed', '30.05.2026 11:05', NULL),
      (NULL, 'subscribed', '30.05.2026 11:05', NULL),
      ('person5@example.com', 'subscribed', 'soon', NULL)
    ) t(address, status, "on", gone)
"""
LETTER = {
    "table": "newsletter",
    "person_by": "email",
    "columns": {"person": "address", "status": "status", "at": "on", "withdrawn_at": "gone"},
    "constants": {"purpose": "mail"},
    "formats": {"on": "%d.%m.%Y %H:%M", "gone": "%d.%m.%Y %H:%M"},
}


def changed(company: Company, **roles: dict[str, Any]) -> Config:
    """Return the company's gtm.toml with some of its tables mapped otherwise."""
    tables = company.config().model_dump(by_alias=True, exclude_unset=True)["tables"]
    return company.config(tables=tables | roles)


def inventory_of(company: Company, config: Config) -> Inventory:
    with open_warehouse(config.source, company.root, {}) as warehouse:
        frame = people_frame(warehouse, config, company.as_of)
        return take_inventory(warehouse, config, company.as_of, frame)


def table_of(inventory: Inventory, role: str) -> TableFact:
    return next(table for table in inventory.tables if table.role == role)


def finding_of(inventory: Inventory, finding_id: str) -> Finding | None:
    return next((found for found in inventory.findings if found.finding_id == finding_id), None)


def fact_of(inventory: Inventory, name: str) -> AttributeFact:
    return next(fact for fact in inventory.attributes if fact.name == name)


def attribute(company: Company, name: str, **settings: object) -> Config:
    attributes = company.config().model_dump(exclude_unset=True)["attributes"]
    return company.config(attributes=attributes | {name: {"table": "people", **settings}})


def test_every_role_that_gtm_toml_may_name_is_known() -> None:
    assert set(NEEDED) == set(get_args(TableRole))


def test_subscriptions_are_counted_and_give_their_account_the_latest(company: Company) -> None:
    company.write(subscriptions=SUBSCRIPTIONS)
    role = {"table": "subscriptions", "columns": {"key": "id", "account": "account", "started_at": "started"}}
    config = changed(company, subscriptions=role)
    inventory = inventory_of(company, config)
    table = table_of(inventory, "subscriptions")
    assert (table.rows, table.broken_rows, table.newest, table.cadence_hours) == (4, 1, None, None)
    # Columns as the source has them: neither joined ones nor those that were added to read it.
    assert sorted(field.column for field in inventory.columns if field.table == "accounts") == [
        "id",
        "name",
        "staff",
    ]


def test_rows_of_strangers_are_not_broken_and_say_why_they_count_for_nobody(company: Company) -> None:
    company.write(newsletter=NEWSLETTER)
    inventory = inventory_of(company, changed(company, consents=LETTER))
    table = table_of(inventory, "consents")
    # Broken: one without an address, one without a time. Strangers: one of nobody, one of two records.
    assert (table.rows, table.broken_rows, table.unmatched_rows) == (6, 2, 2)
    found = finding_of(inventory, "unmatched_rows:consents")
    assert found is not None
    assert (found.severity, found.decides, found.message) == (
        "info",
        "",
        (
            "2 of 6 rows of 'newsletter' (33.3%) belong to nobody in the people table: their email is on no "
            "record of 'people', or on several. They are whole, but count for nobody."
        ),
    )
    assert finding_of(inventory_of(company, company.config()), "unmatched_rows:consents") is None


def test_times_without_a_zone_name_their_column_and_the_business_zone(company: Company) -> None:
    company.write(newsletter=NEWSLETTER)
    found = finding_of(inventory_of(company, changed(company, consents=LETTER)), "time_zone:consents")
    assert found is not None
    assert (found.severity, found.decides, found.message, found.mend) == (
        "warning",
        "data-engineer",
        (
            "Times of 'newsletter' have no zone ('gone', 'on'), and tables.consents.time_zone is not set: "
            "they are read as UTC. Business days begin in Europe/Berlin, so they are hours off if these are "
            "local times."
        ),
        "Set tables.consents.time_zone in gtm.toml to 'Europe/Berlin', or to 'UTC' if that is right.",
    )
    for zone in ("UTC", "Europe/Berlin"):
        said = inventory_of(company, changed(company, consents=LETTER | {"time_zone": zone}))
        assert finding_of(said, "time_zone:consents") is None


def test_times_without_a_zone_are_only_mentioned_where_business_days_begin_in_utc(company: Company) -> None:
    company.write(newsletter=NEWSLETTER)
    config = changed(company, consents=LETTER).model_copy(
        update={"workspace": company.config().workspace.model_copy(update={"timezone": "UTC"})}
    )
    found = finding_of(inventory_of(company, config), "time_zone:consents")
    assert found is not None
    assert (found.severity, found.decides) == ("info", "")
    assert found.message.endswith("they are read as UTC. Business days begin in UTC.")


def test_times_with_a_zone_and_times_counted_from_1970_are_not_guessed(company: Company) -> None:
    company.write(
        events="SELECT 'p001' AS person, 1782734400000 AS ms, 'login' AS name",
        accounts="SELECT 'a1' AS id, 'A' AS name, 1 AS staff, '2026-01-01T10:00:00+02:00' AS made",
    )
    config = changed(
        company,
        events={
            "table": "events",
            "columns": {"person": "person", "time": "ms", "name": "name"},
            "formats": {"ms": "epoch-ms"},
            "time_zone": "Europe/Berlin",
        },
        accounts={"table": "accounts", "columns": {"key": "id", "created_at": "made"}},
    )
    inventory = inventory_of(company, config)
    assert {role: table_of(inventory, role).local_times for role in ("events", "accounts")} == {
        "events": (),
        "accounts": (),
    }
    newest = table_of(inventory, "events").newest
    assert newest is not None
    # The zone of the table moves nothing that counts from 1970.
    assert newest.isoformat() == "2026-06-29T12:00:00+00:00"


def test_a_withdrawal_is_read_once_in_the_zone_of_the_table(company: Company) -> None:
    company.write(newsletter=NEWSLETTER)
    config = changed(company, consents=LETTER | {"time_zone": "Europe/Berlin"})
    with open_warehouse(config.source, company.root, {}) as warehouse:
        log = role_table(warehouse, config, "consents")
        assert log is not None
        rows = warehouse.rows(log.table.select(who="address", at=log.time("at"), status="gtm:status"))
    assert {(row["who"], str(row["at"]), row["status"]) for row in rows if row["who"]} >= {
        ("person3@example.com", "2026-06-29 21:30:00", "subscribed"),
        ("PERSON4@example.com", "2026-06-30 11:30:00", "withdrawn"),
    }


LOADS = "TIMESTAMP '2026-06-20 02:00:00' + INTERVAL (CAST(substr(id, 2) AS INTEGER) // {every}) DAY"


@pytest.mark.parametrize(("every", "cadence"), [(10, 24.0), (20, None), (100, None)])
def test_a_cadence_needs_three_loads(company: Company, every: int, cadence: float | None) -> None:
    # Forty people in as many loads as there are blocks: four, two, and a single one.
    rows = "SELECT 'p' || lpad(CAST(i AS VARCHAR), 3, '0') AS id FROM range(0, 40) t(i)"
    columns = "'a' AS email, TIMESTAMP '2026-01-01' + INTERVAL 5 DAY AS created, 'free' AS plan"
    company.write(
        people=f"SELECT *, {columns}, 1.0 AS seats, false AS employee, 'yes' AS newsletter, 'a1' AS account, "  # noqa: S608
        f"{LOADS.format(every=every)} AS loaded FROM ({rows})"
    )
    assert table_of(inventory_of(company, company.config()), "people").cadence_hours == cadence


def test_the_spacing_of_rows_is_no_cadence(company: Company) -> None:
    company.write()
    columns = {"key": "id", "email": "email", "created_at": "created", "account": "account"}
    inventory = inventory_of(company, changed(company, people={"table": "people", "columns": columns}))
    assert (table_of(inventory, "people").newest is None, table_of(inventory, "people").cadence_hours) == (
        False,
        None,
    )
    assert fact_of(inventory, "plan").cadence_hours is None


@pytest.mark.parametrize(
    ("review", "reason"),
    [
        ("proposed", "personal data; accept it one by one in the catalog, with a reason, or leave it out"),
        ("accepted", ""),
    ],
)
def test_personal_data_stays_out_until_a_person_accepts_it(
    company: Company, review: str, reason: str
) -> None:
    company.write()
    fields = {"column": "plan", "type": "string", "sensitivity": "personal", "review": review}
    inventory = inventory_of(company, attribute(company, "postal_code", **fields))
    fact = fact_of(inventory, "postal_code")
    assert (fact.usable, fact.why_not) == (not reason, reason)
    found = finding_of(inventory, "unreviewed:postal_code")
    assert (found.message if found else "") == (
        "Nobody has reviewed 'postal_code' in the catalog: it is personal data, and stays out until a person "
        "has accepted it, with a reason."
        if reason
        else ""
    )


def test_a_switch_about_mail_is_no_address(company: Company) -> None:
    company.write()
    fields = {"column": "employee", "type": "boolean", "sensitivity": "internal", "review": "accepted"}
    inventory = inventory_of(company, attribute(company, "unsubscribed_from_all_email", **fields))
    fact = fact_of(inventory, "unsubscribed_from_all_email")
    assert (fact.personal_data, fact.sensitivity, fact.usable) == ("", "internal", True)
    assert finding_of(inventory, "personal_data:unsubscribed_from_all_email") is None


def test_a_name_alone_says_so(company: Company) -> None:
    company.write()
    fields = {"column": "seats", "type": "number", "sensitivity": "internal"}
    found = finding_of(inventory_of(company, attribute(company, "mobile", **fields)), "personal_data:mobile")
    assert found is not None
    assert found.message == (
        "'mobile' holds personal data (phone), going by its name, but the catalog says its sensitivity is "
        "'internal'."
    )


def test_a_small_number_of_values_is_in_no_message_and_no_evidence(company: Company) -> None:
    company.write()
    fields = {"column": "plan", "type": "string", "coverage": 0.9}
    found = finding_of(inventory_of(company, attribute(company, "goal", **fields)), "low_coverage:goal")
    assert found is not None
    assert found.message == (
        "'goal' is filled for fewer than 100 of 39 people; its SLA is 90%. It is not required, so it stops "
        "nothing."
    )
    assert (found.evidence["filled"], found.evidence["coverage"]) == (None, None)


def test_a_reshaped_export_is_the_same_in_both_engines(company: Company, postgres_url: str) -> None:
    folder = company.write(newsletter=NEWSLETTER, subscriptions=SUBSCRIPTIONS)
    load_postgres(postgres_url, folder)
    role = {"table": "subscriptions", "columns": {"key": "id", "account": "account", "started_at": "started"}}
    config = changed(company, consents=LETTER | {"time_zone": "Europe/Berlin"}, subscriptions=role)
    from_files = inventory_of(company, config)
    from_database = inventory_of(
        company, config.model_copy(update={"source": SourceSettings(url=postgres_url)})
    )
    assert from_files.model_dump(exclude={"engine"}) == from_database.model_dump(exclude={"engine"})


def _created_ahead(people: int, *, on: str) -> str:
    """Give forty people, the first of whom were created in the future."""
    return (
        "SELECT 'p' || lpad(CAST(i AS VARCHAR), 3, '0') AS id, 'p@example.com' AS email, "  # noqa: S608
        f"CASE WHEN i <= {people} THEN TIMESTAMP '{on}' ELSE TIMESTAMP '2026-01-01' END AS created, "
        "TIMESTAMP '2026-06-29 12:00:00' AS loaded, 'free' AS plan, CAST(i AS DOUBLE) AS seats, "
        "false AS employee, 'yes' AS newsletter, 'a1' AS account FROM range(1, 41) t(i)"
    )


def test_times_in_the_future_are_counted_said_and_never_the_newest(company: Company) -> None:
    company.write(people=_created_ahead(7, on="2027-03-01 10:00:00"))
    inventory = inventory_of(company, company.config())
    # One event of July, and one consent: the as-of is the end of June.
    assert {table.role: table.future_rows for table in inventory.tables} == {
        "people": 7,
        "events": 1,
        "identities": 0,
        "consents": 1,
        "accounts": 0,
    }
    found = {name: finding_of(inventory, f"future_times:{name}") for name in ("people", "events", "accounts")}
    assert found["accounts"] is None
    assert found["people"] is not None
    assert found["events"] is not None
    assert (found["events"].severity, found["events"].decides, found["events"].message) == (
        "warning",
        "data-engineer",
        (
            "1 row of 'events' has a time in the future; it is not counted as recent. Often a time zone is "
            "wrong."
        ),
    )
    assert found["people"].message == (
        "7 rows of 'people' have a time in the future; they are not counted as recent, but a profile of new "
        "people takes them in. Often a time zone is wrong."
    )
    assert found["people"].mend == "Check tables.people.time_zone in gtm.toml, and the clocks of the source."
    newest = {table.role: table.newest for table in inventory.tables}
    assert all(at is None or at <= company.as_of for at in newest.values())


def test_a_clock_that_is_minutes_ahead_is_no_future(company: Company) -> None:
    company.write(people=_created_ahead(7, on="2026-06-30 12:14:00"))
    assert finding_of(inventory_of(company, company.config()), "future_times:people") is None


def test_a_stale_table_takes_every_attribute_along_but_those_with_a_longer_sla_of_their_own(
    company: Company,
) -> None:
    company.write()
    tables = company.config().model_dump(by_alias=True, exclude_unset=True)["tables"]
    people = tables["people"] | {"freshness": "12h"}
    fields = {"table": "people", "type": "string", "sensitivity": "none"}
    config = company.config(
        tables=tables | {"people": people},
        attributes={
            "plan": fields | {"column": "plan"},
            "newsletter": fields | {"column": "newsletter"},
            "account": fields | {"column": "account", "freshness": "30d"},
        },
        suppressions={},
    )
    inventory = inventory_of(company, config)
    # Loaded 24 hours ago.
    assert {fact.name: (fact.stale, fact.why_not) for fact in inventory.attributes} == {
        "plan": (True, "older than its freshness SLA"),
        "newsletter": (True, "older than its freshness SLA"),
        "account": (False, ""),
    }
    found = finding_of(inventory, "stale_source:people")
    assert found is not None
    assert found.message == (
        "The newest data of 'people' is 24 hours old; its SLA is 12 hours. Affected: newsletter, plan. "
        "Spared by a longer SLA of their own: account."
    )


@pytest.mark.parametrize(
    ("review", "mend"),
    [
        ("proposed", "Nothing: the catalog says so too, and it is not used."),
        (
            "accepted",
            "Nothing: it was accepted one by one, with a reason; it never travels to a browser.",
        ),
    ],
)
def test_what_is_said_of_personal_data_is_what_becomes_of_it(
    company: Company, review: str, mend: str
) -> None:
    company.write()
    fields = {"column": "plan", "type": "string", "sensitivity": "personal", "review": review}
    inventory = inventory_of(company, attribute(company, "date_of_birth", **fields))
    fact = fact_of(inventory, "date_of_birth")
    found = finding_of(inventory, "personal_data:date_of_birth")
    assert found is not None
    assert (fact.personal_data, fact.usable, found.mend) == ("date of birth", review == "accepted", mend)
