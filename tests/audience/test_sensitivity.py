from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.audience.sensitivity import signs

if TYPE_CHECKING:
    from gtm_orchestra.config import AttributeType


@pytest.mark.parametrize(
    ("name", "special"),
    [
        ("health_condition", "health"),
        ("dietaryRequirements", "health"),
        ("dietary_needs", "health"),
        ("religion", "religion"),
        ("Ethnicity", "ethnic origin"),
        ("trade_union", "trade union membership"),
        ("customer_health_score", ""),
        ("account_health", ""),
        ("trace_id", ""),
        ("party_size", ""),
        ("union_type", ""),
    ],
)
def test_a_special_category_is_known_by_its_name_and_a_look_alike_is_not(name: str, special: str) -> None:
    assert signs([name]).special == special


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        ("hs_emailAddress2", "email"),
        ("email_opt_out", ""),
        ("hs_email_domain", ""),
        ("firstname", "name"),
        ("company_name", ""),
        ("mobilephone", "phone"),
        ("phone_verified", ""),
        ("date_of_birth", "date of birth"),
        ("age_band", "age"),
        ("page_views", ""),
        ("stage", ""),
        ("zip", ""),
    ],
)
def test_personal_data_is_known_by_name_and_what_is_about_it_is_not(name: str, personal: str) -> None:
    assert signs([name]).personal == personal


@pytest.mark.parametrize(
    ("name", "type_", "personal"),
    [
        ("unsubscribed_from_all_email", "boolean", ""),
        ("phone", "boolean", ""),
        ("mobile", "number", "phone"),
        ("email", "number", ""),
        ("birthday", "timestamp", "date of birth"),
        ("email", "timestamp", ""),
        ("last_name", "string", "name"),
        ("last_seen_email", "string", ""),
    ],
)
def test_a_name_means_only_what_its_type_can_hold(name: str, type_: AttributeType, personal: str) -> None:
    assert signs([name], type_=type_).personal == personal


def test_a_special_category_is_known_by_its_name_in_a_column_of_any_type() -> None:
    types: tuple[AttributeType, ...] = ("boolean", "number", "timestamp", "string")
    assert {signs(["has_disability"], type_=type_).special for type_ in types} == {"health"}


def test_a_text_that_only_says_yes_and_no_is_no_address() -> None:
    assert signs(["unsubscribed_from_all_email"], ["true", "False", ""]).personal == ""
    assert signs(["all_email"], ["true", "maybe"]).personal == "email"


@pytest.mark.parametrize(
    ("values", "personal"),
    [
        (["call anna@example.com back", "b.c@example.co.uk"], "email"),
        (["@handle", "a@b"], ""),
        (["+49 30 901820", "+1 (415) 555-0132"], "phone"),
        (["2026-01-31", "10-20-30"], ""),
        (["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"], "bank account"),
        (["DE88 3704 0044 0532 0130 00", "GB83WEST12345698765432"], ""),
        (["4111 1111 1111 1111", "5500-0000-0000-0004"], "card number"),
        (["4111 1111 1111 1112", "5500-0000-0000-0005"], ""),
        (["10.0.0.1", "192.168.1.254"], "IP address"),
        (["1.2.3.4.5", "999.1.1.1"], ""),
        (["078-05-1120", "219-09-9999"], "identity number"),
    ],
)
def test_values_must_fit_the_pattern_and_its_checksum(values: list[str], personal: str) -> None:
    assert signs(["field"], values).personal == personal


def test_one_value_among_many_is_no_kind() -> None:
    assert signs(["note"], ["a@example.com", *["nothing"] * 200]).personal == ""


def test_values_of_a_list_can_show_a_special_category() -> None:
    found = signs(["group"], ["Catholic", "jewish", "none"])
    assert (found.special, found.by) == ("religion", "values")
    assert signs(["group"], ["catholic", "red", "blue"]).special == ""


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "a@" * 50_000, "1-" * 50_000, "+1 2" * 25_000, "A1 " * 33_000]
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    signs(["note"], [text] * 20)
    assert time.process_time() - started < 1
