"""Who refused is left out, whatever else was agreed to; a wish for mail, an illness and a secret are known."""

# ruff: noqa: E501 - rows of exports read best as one line

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gtm_orchestra.warehouse.catalog import is_safe
from gtm_orchestra.warehouse.proposals import Proposal
from gtm_orchestra.warehouse.proposals.consent_words import read_consent
from gtm_orchestra.warehouse.proposals.names import words
from gtm_orchestra.warehouse.proposals.sensitive import names_secret, special_values
from gtm_orchestra.warehouse.proposals.values import read_values

Write = Callable[..., None]
Propose = Callable[[Path], Proposal]

PEOPLE = ["customer_id", "email", "first_name"]


def people(write: Write, folder: Path, more: list[str], cells: Callable[[int], list[object]]) -> None:
    rows = [[1000 + n, f"p{n}@example.com", "Ann", *cells(n)] for n in range(300)]
    write(folder / "customers.csv", [*PEOPLE, *more], rows)


@pytest.mark.parametrize(
    ("states", "granted", "denied"),
    [
        (("Active", "Unsubscribed", "Bounced", "Unconfirmed"), ("active",), ("bounced", "unsubscribed")),
        (("Aktiv", "Abgemeldet", "Unzustellbar", "Unbestätigt"), ("aktiv",), ("abgemeldet", "unzustellbar")),
        (("Inscrit", "Désabonné", "En attente", "Junk"), ("inscrit",), ("désabonné", "junk")),
    ],
)
def test_active_beside_unsubscribed_is_the_state_of_a_mailing_list_and_the_others_are_kept_out(
    tmp_path: Path,
    write: Write,
    propose_folder: Propose,
    states: tuple[str, ...],
    granted: tuple[str, ...],
    denied: tuple[str, ...],
) -> None:
    people(
        write, tmp_path, ["List Status: Briefing", "GDPR Consent", "Unsubscribe Date"],
        lambda n: [states[n % 4], "Yes" if n % 3 else "No", "2025-01-05T10:00:00Z" if n % 4 == 1 else ""],
    )  # fmt: skip
    proposal = propose_folder(tmp_path)
    config = proposal.config
    snapshot = config.consent.snapshots["email-marketing"]
    assert (snapshot.column, snapshot.granted, snapshot.denied) == ("List Status: Briefing", granted, denied)
    assert config.channels["email"].purpose == "email-marketing"
    kept = {name: s.condition for name, s in config.suppressions.items()}
    assert [v.lower() for v in kept["list_status_briefing"]["list_status_briefing"]["$in"]] == list(denied)
    assert kept["unsubscribe_date"] == {"unsubscribe_date": {"$exists": True}}
    assert {s.channels for s in config.suppressions.values()} == {("email",)}
    assert not is_safe(config.attributes["unsubscribe_date"])
    assert not is_safe(config.attributes["list_status_briefing"])
    assert any(s.endswith("; not under email, whose own consent is known") for s in proposal.next_steps), (
        proposal.next_steps
    )


def test_a_state_that_nobody_leaves_by_unsubscribing_is_no_consent(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["Account state"], lambda n: [("Active", "Invited", "Blocked", "Deleted")[n % 4]])
    assert propose_folder(tmp_path).config.consent.snapshots == {}


@pytest.mark.parametrize(
    ("header", "channels"),
    [
        ("SMS opt-out date", ("sales",)),
        ("Abgemeldet am", ("email",)),
        ("Consent withdrawn at", ("web", "in-app", "email", "ads", "sales")),
        ("Date de désinscription", ("email",)),
    ],
)
def test_a_filled_time_of_withdrawal_denies_the_medium_it_speaks_of(
    tmp_path: Path, write: Write, propose_folder: Propose, header: str, channels: tuple[str, ...]
) -> None:
    people(write, tmp_path, [header], lambda n: ["2025-01-05T10:00:00Z" if n % 4 == 1 else ""])
    (kept,) = propose_folder(tmp_path).config.suppressions.values()
    assert kept.channels == channels


@pytest.mark.parametrize(
    ("header", "purpose"),
    [
        ("Receive Review/Abandoned Cart Emails?", "cart-reminders"),
        ("Receive marketing emails", "email-marketing"),
        ("Möchte Angebote per E-Mail erhalten", "email-marketing"),
        ("Recevoir la newsletter", "newsletter"),
        ("Accepts SMS", "sms-marketing"),
        ("Unsubscribe reason", None),
        ("Last email received", None),
        ("Emails received count", None),
    ],
)
def test_a_wish_for_mail_is_an_agreement_to_that_mail(header: str, purpose: str | None) -> None:
    found = read_consent(words(header))
    assert (found.purpose if found is not None else None) == purpose


@pytest.mark.parametrize(
    ("header", "values", "category"),
    [
        ("Skin Concern", ["Psoriasis", "None", "Dryness", "Dullness", "Ageing"], "health"),
        ("Field 7", ["Eczema", "Rosacea", "Dryness", "Dullness", "Redness"], "health"),
        ("Access Requirements", ["Hearing loop", "Other"], "health"),
        ("Notes 2", ["Rollstuhl", "Gebärdensprache", "Parkplatz", "Mittagessen", "Frühstück"], "health"),
        ("accessibility_mode", ["screen_reader", "default", "compact"], "health"),
        ("Department", ["Blinds", "Curtains", "Deafening sales"], None),
        ("Course", ["Health & Safety", "First aid", "Excel"], None),
        ("Skin Concern", ["Dryness", "Dullness"], None),
    ],
)  # fmt: skip
def test_an_illness_or_a_disability_is_found_by_its_word_wherever_it_stands(
    header: str, values: list[str], category: str | None
) -> None:
    assert special_values(values, words(header)) == category


def test_a_secret_is_no_attribute(tmp_path: Path, write: Write, propose_folder: Propose) -> None:
    people(
        write, tmp_path, ["encrypted_password", "field_9", "password_changed_at", "Passwort"],
        lambda n: [f"x{n}", f"$2a$12$abcdefghijklmnopqrstu{n:09d}", "2025-01-05T10:00:00Z", f"p-{n}"],
    )  # fmt: skip
    proposal = propose_folder(tmp_path)
    left = {c.column: c.why_not for c in proposal.unmapped}
    assert set(left) == {"encrypted_password", "field_9", "Passwort"}
    assert left["field_9"] == (
        "a password, token or key (its values have the form of one): it is never taken over"
    )
    assert "password_changed_at" in proposal.config.attributes


@pytest.mark.parametrize("value", ["$argon2id$v=19$m=65536,t=3", "pbkdf2_sha256$600000$abc", "eyJhbGciOiJI.eyJzdWIiOiIx", "sk_live_51Habc"])  # fmt: skip
def test_a_hash_or_a_token_is_told_by_its_form(value: str) -> None:
    assert read_values({value: 1}).form == "secret"


def test_a_token_that_people_use_up_is_no_secret() -> None:
    assert [names_secret(words(h)) for h in ("tokens_used", "reset_password_token", "country_code", "API key")] == [
        False, True, False, True,
    ]  # fmt: skip


def test_a_state_of_consent_is_of_the_time_that_shares_its_name(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write,
        tmp_path,
        ["Postal address book", "Addresses"],
        lambda _: ["", "Address Line 1: Main Street 5, Zip: 1234, Country: United Kingdom"],
    )
    rows = [
        [f"p{n}@example.com", ("subscribed", "unsubscribed")[n % 2], "2025-03-05T10:00:00Z", "2025-01-05T10:00:00Z"]
        for n in range(240)
    ]  # fmt: skip
    write(tmp_path / "contacts.csv", ["Email", "Email Status", "Email Status Date", "Date Added"], rows)
    config = propose_folder(tmp_path).config
    assert config.tables["consents"].columns["at"] == "Email Status Date"
    assert config.attributes["addresses"].sensitivity == "personal"


def test_an_event_happened_before_its_collector_received_it(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["plan"], lambda _: ["pro"])
    rows = [
        [1000 + n % 300, ("login", "export")[n % 2], "2025-01-05T10:00:05Z", "2025-01-05T10:00:00Z"]
        for n in range(900)
    ]
    write(tmp_path / "events.csv", ["user_id", "event_name", "collector_tstamp", "derived_tstamp"], rows)
    columns = propose_folder(tmp_path).config.tables["events"].columns
    assert (columns["time"], columns["loaded_at"]) == ("derived_tstamp", "collector_tstamp")


def test_a_state_of_a_subscription_is_no_region_and_it_starts_when_it_is_activated(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["state"], lambda n: [("CA", "NY", "TX")[n % 3]])
    rows = [
        [f"s{n}", 1000 + n, "pro", ("active", "canceled", "expired")[n % 3], "2025-01-01T00:00:00Z"]
        for n in range(200)
    ]
    write(
        tmp_path / "subscriptions.csv",
        ["subscription_id", "customer_id", "plan_code", "state", "activated_at"],
        rows,
    )
    config = propose_folder(tmp_path).config
    columns = config.tables["subscriptions"].columns
    assert (columns["status"], columns["started_at"]) == ("state", "activated_at")
    assert config.attributes["state"].description == "region"
