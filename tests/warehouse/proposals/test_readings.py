"""Names, dates, values and delicate meanings, one column at a time."""

from __future__ import annotations

import pytest

from gtm_orchestra.warehouse.proposals.consent_words import ConsentWords, read_consent
from gtm_orchestra.warehouse.proposals.dates import read_dates, read_epoch
from gtm_orchestra.warehouse.proposals.lexicon import find_concept
from gtm_orchestra.warehouse.proposals.names import slug, words
from gtm_orchestra.warehouse.proposals.sensitive import proxy_category, special_category, special_values
from gtm_orchestra.warehouse.proposals.values import read_values


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("hs_email_optout", ("email", "optout")),
        ("E-Mail Opt-In", ("email", "optin")),
        ("emailOptedOut", ("email", "optedout")),
        ("\ufeffKundennummer", ("kundennummer",)),
        ("properties.firstName", ("firstname",)),
        ("Größe__c", ("grosse",)),
        ("Associated Company IDs", ("associated", "company", "ids")),
    ],
)
def test_headers_of_all_styles_read_alike(header: str, expected: tuple[str, ...]) -> None:
    assert words(header) == expected


def test_a_slug_is_a_catalog_name() -> None:
    assert [slug(h) for h in ("Lifecycle Stage", "3D Views", "Straße", "%%")] == [
        "lifecycle_stage", "a_3d_views", "strasse", "column",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "concept"),
    [
        ("Kundennummer", "person_id"),
        ("Numéro de commande", "order_id"),
        ("Fecha de alta", "created_at"),
        ("Woonplaats", "city"),
        ("associatedcompanyid", "account_id"),
        ("Customer E-mail", "email"),
        ("mrr_usd", "mrr"),
        ("Status", "status"),
    ],
)
def test_names_are_known_in_five_languages_and_dialects(header: str, concept: str) -> None:
    found = find_concept(words(header))
    assert found is not None
    assert found[0].name == concept


@pytest.mark.parametrize("header", ["id", "name", "last product name", "favourite email client", "x"])
def test_a_known_ending_or_a_bare_word_names_nothing(header: str) -> None:
    assert find_concept(words(header)) is None


@pytest.mark.parametrize(
    ("values", "order", "written"),
    [
        (["2024-01-31", "2024-02-01"], "ymd", None),
        (["31.01.2024 10:15", "01.02.2024 09:00"], "dmy", "%d.%m.%Y %H:%M"),
        (["01/02/2024", "03/04/2024"], "ambiguous", None),
        (["13/02/2024", "03/04/2024"], "dmy", "%d/%m/%Y"),
        (["02/13/2024 1:05 PM", "03/04/2024 11:00 AM"], "mdy", "%m/%d/%Y %I:%M %p"),
        (["2024/01/31", "2024/02/01"], "ymd", "%Y/%m/%d"),
        (["3 Jan 2024", "14 Feb 2024"], "dmy", "%d %b %Y"),
        (["31.01.2024 10:15:00 +0100", "01.02.2024 09:00:00 +0100"], "dmy", "%d.%m.%Y %H:%M:%S %z"),
    ],
)
def test_the_format_of_dates_is_read_from_all_values(
    values: list[str], order: str, written: str | None
) -> None:
    found = read_dates(values)
    assert found is not None
    assert (found.order, found.format) == (order, written)


@pytest.mark.parametrize("values", [["13/14/2024", "14/13/2024"], ["A-1", "B-2"], ["1.5", "2.5"], []])
def test_what_contradicts_itself_is_no_date(values: list[str]) -> None:
    assert read_dates(values) is None


def test_one_odd_day_among_many_tells_nothing() -> None:
    found = read_dates([f"{n % 12 + 1:02d}/{n % 12 + 1:02d}/20{n:02d}" for n in range(99)] + ["31/02/2024"])
    assert found is not None
    assert found.order == "ambiguous"


def test_whole_numbers_are_times_in_a_unit_or_none() -> None:
    bounds = [(1_704_067_200, 1_735_689_600), (1_704_067_200_000, 1_735_689_600_000), (1, 900)]
    assert [read_epoch(low, high) for low, high in bounds] == ["s", "ms", None]


@pytest.mark.parametrize(
    ("values", "decimal", "unit"),
    [
        (["12,50", "1.234,00"], ",", ""),
        (["12.50", "1,234.00"], ".", ""),
        (["1.234", "5.678"], None, ""),
        (["1,234", "5,678"], None, ""),
        (["€ 12,50", "€ 3,00"], ",", "EUR"),
        (["0.125", "0.5"], ".", ""),
        (["12", "15"], ".", ""),
    ],
)
def test_the_decimal_mark_is_read_or_said_to_be_open(
    values: list[str], decimal: str | None, unit: str
) -> None:
    found = read_values(dict.fromkeys(values, 1))
    assert (found.form, found.decimal, found.unit) == ("number", decimal, unit)


def test_a_leading_zero_makes_a_code_of_a_number() -> None:
    assert read_values({"01234": 1, "99999": 1}).leading_zero


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["a@example.com", "b@example.org"], "email"),
        (["192.0.2.1", "2001:db8::1"], "ip"),
        (["DE89 3704 0044 0532 0130 00"], "iban"),
        (["4111 1111 1111 1111"], "card"),
        (["+49 170 1234567", "(555) 123-4567"], "phone"),
        (["ja", "nein"], "boolean"),
        (["DE", "FR"], "country"),
        (["EUR", "USD"], "currency"),
        (["https://example.com/a", "/pricing"], "url"),
        (["NO", "YES"], "boolean"),
        (["", " "], "empty"),
        (["Called on Monday, wants a demo of the product next week"], "prose"),
    ],
)
def test_values_speak_for_themselves(values: list[str], form: str) -> None:
    assert read_values(dict.fromkeys(values, 1)).form == form


@pytest.mark.parametrize(
    ("header", "category"),
    [
        ("Konfession", "religion"),
        ("Santé", "health"),
        ("afiliación sindical", "trade union"),
        ("Seksuele geaardheid", "sexual orientation"),
        ("origine ethnique", "ethnicity"),
        ("politische Einstellung", "politics"),
        ("fingerprint_scan", "biometrics"),
        ("health_accommodation", "health"),
    ],
)
def test_special_categories_are_known_in_several_languages(header: str, category: str) -> None:
    assert special_category(words(header)) == category


@pytest.mark.parametrize(
    "header",
    [
        "health_score",
        "Page orientation",
        "party_size",
        "race_distance",
        "credit_union_name",
        "politique de confidentialité",
    ],
)
def test_words_that_only_look_delicate_are_not_special(header: str) -> None:
    assert special_category(words(header)) is None


def test_nationality_is_a_proxy() -> None:
    assert proxy_category(words("Staatsangehörigkeit")) == "ethnicity"


def test_one_word_proves_no_special_category_and_two_do() -> None:
    assert special_values(["Christian", "other"]) is None
    assert special_values(["Christian", "Muslim", "none"]) == "religion"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Email opted out", ConsentWords("email-marketing", inverted=True)),
        ("accepts_marketing", ConsentWords("marketing", inverted=False)),
        ("HasOptedOutOfEmail", ConsentWords("email-marketing", inverted=True)),
        ("Werbeeinwilligung", ConsentWords("marketing", inverted=False)),
        ("objected_to_profiling", ConsentWords("personalization", inverted=True)),
        ("is_subscribed", ConsentWords("general", inverted=False, weak=True)),
        ("privacy_policy_accepted", None),
        ("plan", None),
    ],
)
def test_consent_is_read_with_its_purpose_and_direction(header: str, expected: ConsentWords | None) -> None:
    assert read_consent(words(header)) == expected
