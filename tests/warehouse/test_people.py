# ruff: noqa: S608 - queries over literals make the tables of these tests
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.warehouse.conftest import Company

    from gtm_orchestra.config import Config


@pytest.fixture
def warehouse(company: Company) -> Iterator[Warehouse]:
    company.write()
    with open_warehouse(company.config().source, company.root, {}) as opened:
        yield opened


def _people(
    warehouse: Warehouse, company: Company, config: Config | None = None
) -> dict[str, dict[str, Any]]:
    frame = people_frame(warehouse, config or company.config(), company.as_of)
    return {row["person_id"]: row for row in warehouse.rows(frame.table)}


def test_a_record_without_key_is_nobody(warehouse: Warehouse, company: Company) -> None:
    frame = people_frame(warehouse, company.config(), company.as_of)
    assert (frame.records, frame.broken, frame.repeated, frame.people) == (40, 1, 0, 39)


def test_empty_text_and_not_a_number_are_missing(warehouse: Warehouse, company: Company) -> None:
    people = _people(warehouse, company)
    assert (people["p002"]["plan"], people["p003"]["plan"]) == (None, "free")
    assert (people["p005"]["seats"], people["p006"]["seats"]) == (None, 6.0)


def test_events_count_by_window_business_day_and_stitched_visitor(
    warehouse: Warehouse, company: Company
) -> None:
    people = _people(warehouse, company)
    names = ("logins_30d", "login_days_30d", "days_since_any")
    # Half past eleven and half past midnight UTC are one day in Berlin.
    assert [people["p001"][name] for name in names] == [2.0, 1.0, 0.0]
    # Only a visitor's event, stitched; the login of July has not happened yet.
    assert [people["p002"][name] for name in names] == [1.0, 1.0, 2.0]
    # Two people claim visitor v2: its login belongs to neither.
    assert [people["p003"][name] for name in names] == [0.0, 0.0, 10.0]
    assert [people["p004"][name] for name in names] == [0.0, 0.0, None]


def test_a_business_day_is_one_of_the_workspace(warehouse: Warehouse, company: Company) -> None:
    people = _people(warehouse, company, company.config(workspace={"name": "x", "timezone": "UTC"}))
    assert people["p001"]["login_days_30d"] == 2.0


def test_the_latest_consent_counts_and_a_tie_is_a_no(warehouse: Warehouse, company: Company) -> None:
    people = _people(warehouse, company)
    assert {name: people[name]["consent__mail"] for name in sorted(people)[:8]} == {
        "p001": "denied",  # withdrawn later
        "p002": "granted",  # granted later, written in another case
        "p003": "denied",  # both at once
        "p004": "unknown",  # older than two years
        "p005": "unknown",  # no proof
        "p006": "unknown",  # a word that means neither
        "p007": "unknown",  # granted after the as-of
        "p008": "unknown",  # for another purpose only
    }
    assert people["p008"]["consent__site"] == "granted"


def test_a_current_state_column_is_a_consent(warehouse: Warehouse, company: Company) -> None:
    people = _people(warehouse, company)
    assert [people[name]["consent__news"] for name in ("p001", "p002", "p003")] == [
        "denied",
        "unknown",
        "granted",
    ]


def test_a_no_in_the_log_is_not_overruled_by_a_yes_in_the_column(company: Company) -> None:
    company.write(
        consents="SELECT 'p003' AS person, 'news' AS purpose, 'denied' AS status, "
        "TIMESTAMP '2026-01-01' AS \"at\", 'form' AS proof"
    )
    config = company.config()
    with open_warehouse(config.source, company.root, {}) as warehouse:
        assert _people(warehouse, company)["p003"]["consent__news"] == "denied"


def test_a_denied_attribute_still_keeps_people_out_but_is_no_column(
    warehouse: Warehouse, company: Company
) -> None:
    people = _people(warehouse, company)
    kept_out = sorted(name for name, row in people.items() if row["suppressed__employees"])
    assert kept_out == ["p010", "p020", "p030"]
    assert "is_employee" not in people["p010"]


def test_people_without_a_usable_address_are_not_addressable(warehouse: Warehouse, company: Company) -> None:
    people = _people(warehouse, company)
    assert [people[name]["addressable__email"] for name in ("p030", "p031", "p032")] == [True, False, False]
    assert all(row["addressable__web"] for row in people.values())


def test_what_the_data_lacks_is_named_with_what_it_may_have_become(
    warehouse: Warehouse, company: Company
) -> None:
    frame = people_frame(warehouse, company.config(), company.as_of)
    assert frame.unavailable == {
        "purchases_30d": "no event is named 'logins'; was it renamed to 'login'?",
        "industry": "table 'people' has no column 'industry'",
    }
    assert "industry" not in frame.schema


def test_of_two_rows_of_one_key_the_newest_counts(company: Company) -> None:
    company.write(
        people="""
        SELECT 'p' || CAST(i % 3 AS VARCHAR) AS id, '' AS email, TIMESTAMP '2026-01-01' AS created,
               TIMESTAMP '2026-06-01' + INTERVAL (i) HOUR AS loaded, CAST(i AS VARCHAR) AS plan,
               CAST(i AS DOUBLE) AS seats, false AS employee, 'yes' AS newsletter, 'a1' AS account
        FROM range(0, 5) t(i)"""
    )
    with open_warehouse(company.config().source, company.root, {}) as warehouse:
        frame = people_frame(warehouse, company.config(), company.as_of)
        assert (frame.people, frame.repeated) == (3, 2)
        plans = {row["person_id"]: row["plan"] for row in warehouse.rows(frame.table)}
    assert plans == {"p0": "3", "p1": "4", "p2": "2"}


_NOBODY = (
    "SELECT 'x' AS id, '' AS email, now()::TIMESTAMP AS created, now()::TIMESTAMP AS loaded, '' AS plan, "
    "1.0 AS seats, false AS employee, '' AS newsletter, '' AS account"
)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (
            f"{_NOBODY} WHERE false",
            (
                "table 'people' is empty: nobody to personalise for; "
                "check the export, or map another table as tables.people in gtm.toml"
            ),
        ),
        (
            f"SELECT * REPLACE ('' AS id) FROM ({_NOBODY})",
            "column 'id' of table 'people' is empty in all 1 rows; map another key in gtm.toml",
        ),
        (
            f"SELECT x.* FROM ({_NOBODY}) x, range(0, 10)",
            (
                "column 'id' of table 'people' is no key: 10 rows share 1 values; "
                "map the column that tells people apart as tables.people.columns.key in gtm.toml"
            ),
        ),
        (
            f"SELECT * RENAME (id AS ids) FROM ({_NOBODY})",
            (
                "table 'people' has no column 'id', which gtm.toml maps as tables.people.columns.key; "
                "columns there: "
                "ids, email, created, loaded, plan, seats, employee, newsletter, account; "
                "was it renamed to 'ids'? mend gtm.toml, or run 'gtm init' again"
            ),
        ),
        (
            f"SELECT * REPLACE (3 AS created) FROM ({_NOBODY})",
            (
                "column 'created' of table 'people' holds integer values, not times; "
                "give it times, such as 2026-01-31T09:30:00Z, or map another column in gtm.toml"
            ),
        ),
        (
            f"SELECT * REPLACE ('soon' AS created) FROM ({_NOBODY})",
            (
                "column 'created' of table 'people' holds text that is no time in any of its 1 values; "
                "export ISO 8601 times, such as 2026-01-31T09:30:00Z, or map another column in gtm.toml"
            ),
        ),
        (
            (
                f"SELECT x.* REPLACE (CAST(i AS VARCHAR) AS id, "
                f"CASE i WHEN 0 THEN '2026-01-01T10:00:00' ELSE '2026-01-01T10:00:00+02:00' END AS created) "
                f"FROM ({_NOBODY}) x, range(0, 3) t(i)"
            ),
            (
                "column 'created' of table 'people' mixes times with a zone (2) and without one (1); "
                "export all of them with a zone, such as 2026-01-31T09:30:00Z"
            ),
        ),
    ],
)
def test_people_that_cannot_be_counted_say_why_and_what_to_do(
    company: Company, people: str, message: str
) -> None:
    company.write(people=people)
    config = company.config()
    with open_warehouse(config.source, company.root, {}) as warehouse, pytest.raises(SourceError) as caught:
        people_frame(warehouse, config, company.as_of)
    assert str(caught.value) == message


def test_a_suppression_that_cannot_be_applied_stops_everything(company: Company) -> None:
    company.write()
    config = company.config(suppressions={"minors": {"condition": {"minor": True}, "reason": "No minors."}})
    with open_warehouse(config.source, company.root, {}) as warehouse, pytest.raises(SourceError) as caught:
        people_frame(warehouse, config, company.as_of)
    assert caught.value.message.startswith("suppressions.minors cannot be applied: ")
    assert caught.value.hint == (
        "mend its condition in gtm.toml; without it the people it names would not be kept out"
    )


def test_text_times_of_one_zone_are_read_in_the_zone_of_the_table(company: Company) -> None:
    company.write(
        people=f"SELECT * REPLACE ('2026-07-01T10:00:00' AS created) FROM ({_NOBODY}) "
        f"UNION ALL SELECT * REPLACE ('y' AS id, '2026-02-30T10:00:00' AS created) FROM ({_NOBODY})"
    )
    raw = company.config().model_dump(by_alias=True)
    raw["tables"]["people"]["time_zone"] = "Europe/Berlin"
    config = company.config(tables=raw["tables"])
    with open_warehouse(config.source, company.root, {}) as warehouse:
        frame = people_frame(warehouse, config, company.as_of)
        signed_up = {row["person_id"]: str(row["signed_up"]) for row in warehouse.rows(frame.table)}
        # The thirtieth of February is broken, not an error of the engine.
        assert (signed_up, frame.broken) == ({"x": "2026-07-01 08:00:00"}, 1)
