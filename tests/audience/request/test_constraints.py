from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtm_orchestra.audience.request.constraints import read_constraints
from gtm_orchestra.audience.request.vocabulary import FrameVocabulary
from gtm_orchestra.conditions import parse
from gtm_orchestra.config import Channel, Config
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gtm_orchestra.audience.contracts import ConstraintReading

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
EU_TWO = ["DE", "FR"]
ASKED: tuple[Channel, ...] = ("web", "email", "ads")


def attribute(name: str, kind: str = "string", **more: object) -> dict[str, Any]:
    return {
        "table": "people",
        "column": name,
        "type": kind,
        "sensitivity": "none",
        "review": "accepted",
        **more,
    }


CATALOG: dict[str, dict[str, Any]] = {
    "country": attribute("country"),
    "language": attribute("language"),
    "lifecycle_stage": attribute("lifecycle"),
    "plan": attribute("plan"),
    "age_band": attribute("age_band", sensitivity="personal"),
    "birth_year": attribute("birth_year", "number", sensitivity="personal"),
    "account_age_days": attribute("account_age", "number"),
    "postcode_tier": attribute("tier", sensitivity="proxy", sensitivity_note="Stands in for age."),
    "seats": attribute("seats", "number"),
    "is_partner": attribute("is_partner", "boolean"),
    "account_stage": {**attribute("stage"), "table": "accounts"},
}


def company(catalog: dict[str, dict[str, Any]], **more: object) -> Config:
    return Config.model_validate(
        {
            "workspace": {"name": "Acme"},
            "source": {"url": "acme.duckdb"},
            "tables": {
                "people": {"table": "people", "columns": {"key": "id", "account": "account"}},
                "accounts": {"table": "accounts", "columns": {"key": "id"}},
            },
            "channels": {
                "web": {
                    "purpose": "personalization",
                    "system": "site",
                    "destination": "sdk",
                    "places": ["browser"],
                },
                "email": {"purpose": "newsletter", "system": "HubSpot", "destination": "audience"},
                "ads": {
                    "purpose": "advertising",
                    "system": "Ads",
                    "destination": "audience",
                    "places": ["browser"],
                },
            },
            "consent": {
                "snapshots": {
                    purpose: {"column": "plan", "granted": ["free"], "denied": ["pro"]}
                    for purpose in ("personalization", "newsletter", "advertising")
                }
            },
            "attributes": catalog,
            **more,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("acme")
    with duckdb.connect(str(path / "acme.duckdb")) as con:
        con.execute(
            """
            CREATE TABLE people AS SELECT
              'p' || i AS id,
              CASE WHEN i % 5 > 0 THEN 'a' || (i % 40) END AS account,
              [NULL, 'DE', 'FR', 'US', 'CH'][i % 5 + 1] AS country,
              ['de', 'fr', 'it'][i % 3 + 1] AS language,
              ['lead', 'trial', 'trial', 'customer', 'churned'][i % 5 + 1] AS lifecycle,
              ['free', 'pro'][i % 2 + 1] AS plan,
              '18-24' AS age_band, 1980 AS birth_year, 100 AS account_age, 'A' AS tier,
              i % 10 AS seats, i % 4 = 0 AS is_partner
            FROM range(2000) t(i)
            """
        )
        con.execute(
            "CREATE TABLE accounts AS SELECT 'a' || i AS id, "
            "CASE WHEN i % 4 = 0 THEN 'Customer' ELSE 'Prospect' END AS stage FROM range(40) t(i)"
        )
    return path


class Reader:
    """Reads constraints for one workspace."""

    def __init__(self, config: Config, vocabulary: FrameVocabulary) -> None:
        self.config, self.vocabulary = config, vocabulary

    def all(self, *texts: str, channels: tuple[Channel, ...] = ASKED) -> tuple[ConstraintReading, ...]:
        return read_constraints(texts, config=self.config, vocabulary=self.vocabulary, channels=channels)

    def one(self, text: str) -> ConstraintReading:
        readings = self.all(text)
        assert len(readings) == 1, readings
        return readings[0]

    def people(self, text: str) -> int:
        reading = self.one(text)
        assert reading.understood, reading.effect
        assert reading.eligibility is not None
        return self.vocabulary.counts([reading.eligibility])[0]


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[Reader]:
    config = company(CATALOG)
    with open_warehouse(config.source, folder, {}) as warehouse:
        yield Reader(config, FrameVocabulary(warehouse, people_frame(warehouse, config, AS_OF)))


@contextmanager
def without(folder: Path, *names: str, **more: object) -> Iterator[Reader]:
    """Give a reader for a workspace whose catalog lacks some attributes."""
    config = company({name: one for name, one in CATALOG.items() if name not in names}, **more)
    with open_warehouse(config.source, folder, {}) as warehouse:
        yield Reader(config, FrameVocabulary(warehouse, people_frame(warehouse, config, AS_OF)))


def test_eu_only_keeps_people_of_member_states_and_leaves_out_those_without_a_country(reader: Reader) -> None:
    reading = reader.one("EU only")
    assert reading.effect == (
        "Only people in the European Union (800 people): country is one of the 27 countries of the European "
        "Union; "
        "people without a value for country are left out too."
    )
    assert reading.eligibility is not None
    members = reading.eligibility["country"]["$in"]
    assert len(members) == 27
    assert set(EU_TWO) < set(members)
    assert not {"GB", "CH", "NO", "US"} & set(members)
    assert reader.people("EU only") == 800


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("DACH only", 800),
        ("only people in Germany", 400),
        ("only Germany, Austria and Switzerland", 800),
        ("EEA only", 800),
        ("US only", 400),
        ("not in the US", 1_200),
        ("non-EU only", 800),
        ("exclude Switzerland", 1_200),
        ("only trial users", 800),
        ("only people on the free plan", 1_000),
        ("exclude churned users", 1_600),
        ("exclude partners", 1_500),
        ("only trial users in Germany", 400),
        ("exclude trial users in Germany", 1_600),
        ("at least 5 seats", 1_000),
        ("less than 1,000 seats", 2_000),
    ],
)
def test_a_constraint_names_exactly_these_people(reader: Reader, text: str, people: int) -> None:
    assert reader.people(text) == people


def test_existing_customers_are_left_out_by_account(reader: Reader) -> None:
    reading = reader.one("exclude existing customers")
    assert reading.effect == (
        "Leaves out existing customers (400 people): by account, as account_stage says; "
        "people for whom account_stage is not known stay in."
    )
    assert reader.people("exclude existing customers") == 1_600


def test_without_an_account_attribute_customers_are_left_out_by_person_and_the_effect_says_so(
    folder: Path,
) -> None:
    with without(folder, "account_stage") as reader:
        reading = reader.one("exclude existing customers")
    assert reading.understood
    assert reading.note_for == "data-engineer"
    assert reading.effect == (
        "Leaves out existing customers (400 people): by person only, as lifecycle_stage says: colleagues of "
        "a customer "
        "who are none themselves stay in, because no attribute of table 'accounts' says which accounts are "
        "customers."
    )


def test_eu_only_without_a_country_attribute_is_listed_as_not_enforced(folder: Path) -> None:
    with without(folder, "country") as reader:
        reading = reader.one("EU only")
    assert not reading.understood
    assert reading.eligibility is None
    assert reading.note_for == "privacy-lead"
    assert reading.effect == (
        "Understood, but not enforced. It means people in the European Union, but no usable attribute of the "
        "catalog "
        "holds a country; add one to [attributes] (type string, such as DE or Germany), then run again."
    )


def test_a_language_is_never_taken_for_a_country(folder: Path) -> None:
    with without(folder, "country") as reader:
        assert not reader.one("only Germany").understood


def test_no_age_finds_every_way_to_know_it_and_not_the_age_of_an_account(reader: Reader) -> None:
    reading = reader.one("no age")
    assert reading.excluded_attributes == ("age_band", "birth_year", "postcode_tier")
    assert (
        reading.effect == "Not used in any profile, score or payload: age_band, birth_year and postcode_tier."
    )


def test_no_gender_without_such_an_attribute_is_understood(reader: Reader) -> None:
    reading = reader.one("no gender")
    assert (reading.understood, reading.excluded_attributes) == (True, ())
    assert reading.effect == "No attribute of the catalog is about gender, so none can be used."


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("do not use plan", ("plan",)),
        ("don't use plan or seats", ("plan", "seats")),
        ("seats must not be used", ("seats",)),
        ("without lifecycle stage", ("lifecycle_stage",)),
        ("no personal data", ("age_band", "birth_year")),
        ("never use country", ("country",)),
    ],
)
def test_an_attribute_is_excluded_by_its_name(reader: Reader, text: str, names: tuple[str, ...]) -> None:
    reading = reader.one(text)
    assert reading.understood
    assert reading.excluded_attributes == names
    assert reading.eligibility is None


def test_do_not_use_an_unknown_attribute_is_not_understood_and_names_what_is_close(reader: Reader) -> None:
    reading = reader.one("do not use lifecycle_stagge")
    assert not reading.understood
    assert reading.effect.startswith(
        "Not understood, so nothing enforces it; a person has to. "
        "Attributes with a similar name: lifecycle_stage. What can be written: 'EU only', "
    )


def test_no_ads_pixel_takes_ads_out_where_ads_decides_in_the_browser_alone(reader: Reader) -> None:
    reading = reader.one("no ads pixel")
    assert reading.excluded_channels == ("ads",)
    assert reading.effect == (
        "ads is left out, because it needs a pixel here. This contradicts the channels asked for: "
        "ads is taken out, web and email stay."
    )


def test_no_ads_pixel_keeps_an_upload_and_bars_the_browser(folder: Path) -> None:
    ads = {
        "purpose": "advertising",
        "system": "Ads",
        "destination": "audience",
        "places": ["batch", "browser"],
    }
    with without(folder, channels={"ads": ads}) as reader:
        reading = reader.one("no ads pixel")
    assert reading.excluded_channels == ()
    assert reading.excluded_places == {"ads": ("browser",)}
    assert reading.effect == (
        "ads never decides in the browser: audiences go to Ads as a batch upload of consented people, "
        "without a pixel."
    )


def test_a_channel_that_is_taken_out_contradicts_the_channels_asked_for(reader: Reader) -> None:
    assert reader.one("email only").effect == (
        "Only email. This contradicts the channels asked for: web and ads are taken out, email stays."
    )
    assert reader.one("no sales").effect == "sales is left out. It was not asked for, so nothing changes."


def test_employees_are_left_out_by_the_suppression_of_gtm_toml(folder: Path) -> None:
    suppression = {"employees": {"condition": {"is_partner": True}, "reason": "our staff"}}
    with without(folder, suppressions=suppression) as reader:
        reading = reader.one("exclude employees")
    assert reading.understood
    assert (
        "the suppression 'employees' of gtm.toml already leaves them out of every profile" in reading.effect
    )


def test_employees_nobody_can_tell_are_listed_as_not_enforced(reader: Reader) -> None:
    reading = reader.one("exclude employees")
    assert not reading.understood
    assert reading.effect == (
        "Understood, but not enforced. It means your own staff, but neither a suppression nor an attribute "
        "says who "
        "they are; add [suppressions.employees] to gtm.toml."
    )


def test_consent_required_says_for_which_purpose_of_each_channel(reader: Reader) -> None:
    assert reader.one("consent required").effect == (
        "Each channel reaches only people with consent on record for its purpose (web for 'personalization'; "
        "email "
        "for 'newsletter'; ads for 'advertising'); missing, expired or withdrawn consent shows the fallback."
    )


def test_gdpr_goes_to_the_privacy_lead(reader: Reader) -> None:
    assert reader.one("must be GDPR compliant").note_for == "privacy-lead"


@pytest.mark.parametrize(
    "text",
    [
        "EU only except France",
        "EU only unless they are customers",
        "only trial users with a dog",
        "no age for minors",
        "max 2 emails per week",
        "data must stay in the EU",
        "no ads pixel on checkout pages",
        "x" * 5_000,
    ],
)
def test_a_clause_is_understood_as_a_whole_or_not_at_all(reader: Reader, text: str) -> None:
    reading = reader.one(text)
    assert (reading.text, reading.understood, reading.eligibility) == (text, False, None)
    assert (reading.excluded_attributes, reading.excluded_channels) == ((), ())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("EU only; no age\nno ads", [("EU only", True), ("no age", True), ("no ads", True)]),
        ("EU only, no age and no ads pixel", [("EU only", True), ("no age", True), ("no ads pixel", True)]),
        ("no plan or seats, EU only", [("no plan or seats", True), ("EU only", True)]),
        (
            "no age, be kind and brief, EU only",
            [("no age", True), ("be kind and brief", False), ("EU only", True)],
        ),
        ("EU only. No age.", [("EU only", True), ("No age", True)]),
        ("more than 1,000 seats", [("more than 1,000 seats", True)]),
    ],
)
def test_several_constraints_in_one_text_are_parted(
    reader: Reader, text: str, parts: list[tuple[str, bool]]
) -> None:
    assert [(reading.text, reading.understood) for reading in reader.all(text)] == parts


def test_groups_under_the_minimum_are_not_counted_out_loud(reader: Reader) -> None:
    assert "(fewer than 100 people)" in reader.one("only Austria").effect


_PIECES = st.sampled_from(
    [
        *(
            "EU only",
            "no age",
            "exclude customers",
            "no ads pixel",
            "trial users",
            "and",
            "but",
            ",",
            ";",
            ".",
            "\n",
            "&",
        ),
        *(
            "only",
            "except",
            "not in the US",
            "do not use plan",
            "GDPR",
            "emails",
            "1,000 seats",
            "at least",
            "é",
            "|",
            "+",
        ),
    ]
)
_JOINTS = {"and", "but", "plus", "also"}


def words(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.lower()) if word not in _JOINTS]


@given(st.lists(_PIECES, max_size=9).map(" ".join) | st.text(max_size=120))
def test_no_word_of_any_constraint_ever_vanishes(text: str) -> None:
    reader = _FUZZED[0]
    readings = reader.all(text)
    assert words(" ".join(reading.text for reading in readings)) == words(text)
    for reading in readings:
        assert reading.effect
        assert reading.understood or reading.note_for
        if reading.eligibility is not None:
            parse(reading.eligibility, reader.vocabulary.schema)


_FUZZED: list[Reader] = []


@pytest.fixture(autouse=True)
def _share_with_the_generated_test(reader: Reader) -> None:
    _FUZZED[:] = [reader]
