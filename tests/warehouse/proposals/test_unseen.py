"""What exports of companies that nobody has seen brought up: each defect as its rule."""

# ruff: noqa: E501 - rows of exports and next steps read best as one line

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gtm_orchestra.warehouse.proposals import Proposal, config_text
from gtm_orchestra.warehouse.proposals.consent_words import read_consent
from gtm_orchestra.warehouse.proposals.lexicon import is_business_word
from gtm_orchestra.warehouse.proposals.names import words
from gtm_orchestra.warehouse.proposals.sensitive import special_values
from gtm_orchestra.warehouse.proposals.values import read_values

Write = Callable[..., None]
Propose = Callable[[Path], Proposal]

PEOPLE = ["customer_id", "email", "first_name"]


def person(number: int) -> list[object]:
    return [1000 + number, f"p{number}@example.com", "Ann"]


def people(
    write: Write, folder: Path, more: Sequence[str] = (), cells: Callable[[int], list[object]] | None = None
) -> None:
    rows = [person(n) + (cells(n) if cells else []) for n in range(300)]
    write(folder / "customers.csv", [*PEOPLE, *more], rows)


@pytest.mark.parametrize(
    ("header", "values", "category"),
    [
        ("Ernährungsform", ["vegan", "halal"], "religion"),
        ("Régime alimentaire", ["végétarien", "sans gluten"], "health"),
        ("Diet", ["vegan", "vegetarian"], None),
        ("Custom 3", ["Kosher kitchen", "Halal kitchen", "Any"], "religion"),
        ("Category", ["Allergy relief", "Vitamins", "Skin", "Hair"], None),
    ],
)  # fmt: skip
def test_a_faith_or_an_illness_is_told_by_what_somebody_eats(
    header: str, values: list[str], category: str | None
) -> None:
    assert special_values(values, words(header)) == category


def test_a_number_that_is_dialled_is_a_telephone_number() -> None:
    assert read_values({"+442079460101": 1, "+4930231250": 1}).form == "phone"
    assert read_values({"+5": 1, "-3": 1}).form == "number"


@pytest.mark.parametrize(
    ("header", "purpose"),
    [
        ("Opted out of email: Product Updates", "product-updates"),
        ("Opted out of email: Marketing Information", "email-marketing"),
        ("Unsubscribed from all email", "email-marketing"),
        ("Email opt-out: surveys", "surveys"),
        ("Email opt-out", "email-marketing"),
    ],
)
def test_an_opt_out_is_of_the_mail_that_it_names(header: str, purpose: str) -> None:
    found = read_consent(words(header))
    assert found is not None
    assert (found.purpose, found.inverted) == (purpose, True)


def test_a_compound_of_business_words_is_one_and_a_compound_of_others_is_not() -> None:
    assert [is_business_word(word) for word in ("gastbestellung", "warenkorbwert", "kirchensteuer", "kinderwunsch")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_an_opt_out_of_other_mail_keeps_nobody_out_of_marketing(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write, tmp_path, ["Unsubscribed from all email", "Opted out of email: Product Updates"],
        lambda n: ["true" if n % 5 else "false", "true" if n % 3 else "false"],
    )  # fmt: skip
    assert list(propose_folder(tmp_path).config.suppressions) == ["objected_unsubscribed_from_all_email"]


def test_orders_find_people_by_their_key_although_guests_make_it_text(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    orders = [
        [f"o{n}", 1000 + n % 250 if n % 20 else "guest", f"p{n % 250}@example.com", f"2025-01-{n % 28 + 1:02d}", "9.90",
         "cancelled" if n % 10 == 3 else "shipped"]
        for n in range(500)
    ]  # fmt: skip
    write(
        tmp_path / "orders.csv",
        ["order_id", "customer_id", "email", "order_date", "total", "order_status"], orders,
    )  # fmt: skip
    proposal = propose_folder(tmp_path)

    events = proposal.config.tables["events"]
    assert (events.columns["person"], events.person_by) == ("customer_id", None)
    assert events.exclude == {"order_status": ("cancelled",)}
    left_out = "left out: 10% of the rows, which 'order_status' calls 'cancelled'"
    assert (
        f"check [tables.events] exclude: {left_out}; take a word out if these rows count"
        in proposal.next_steps
    )


def test_orders_of_guests_find_people_by_address(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    orders = [
        [f"o{n}", "" if n % 10 else 1000 + n % 250, f"p{n % 250}@example.com", f"2025-01-{n % 28 + 1:02d}", "9.90"]
        for n in range(500)
    ]  # fmt: skip
    write(tmp_path / "orders.csv", ["order_id", "customer_id", "email", "order_date", "total"], orders)
    events = propose_folder(tmp_path).config.tables["events"]
    assert (events.columns["person"], events.person_by) == ("email", "email")


def test_events_happened_when_they_were_received_if_nothing_else_says_when(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    rows = [
        [1000 + n % 300, ("login", "export")[n % 2], f"2025-01-{n % 28 + 1:02d}T10:00:00Z"]
        for n in range(900)
    ]
    write(tmp_path / "events.csv", ["customer_id", "event", "received_at"], rows)
    proposal = propose_folder(tmp_path)
    assert proposal.config.tables["events"].columns["time"] == "received_at"
    assert (
        "no column says when it happened: the time it was received stands for it"
        in proposal.evidence["tables.events"].text
    )


def test_a_trial_that_ends_is_no_cancellation(tmp_path: Path, write: Write, propose_folder: Propose) -> None:
    people(write, tmp_path)
    rows = [
        [f"s{n}", 1000 + n, "pro", "2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z", "2025-01-01T00:00:00Z", ""]
        for n in range(200)
    ]
    header = [
        "subscription_id",
        "customer_id",
        "plan",
        "trial_end",
        "current_period_end",
        "started_at",
        "canceled_at",
    ]
    rows[0][-1] = "2025-02-03T00:00:00Z"
    write(tmp_path / "subscriptions.csv", header, rows)
    columns = propose_folder(tmp_path).config.tables["subscriptions"].columns
    assert columns["ended_at"] == "canceled_at"
    assert columns["trial_end"] == "trial_end"


def test_neighbours_tell_how_a_column_is_written(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write, tmp_path, ["Budget", "Revenue", "Create Date", "Next Date"],
        lambda n: ["1,204" if n % 2 else "377", "$1,200,000", f"03/{n % 28 + 1:02d}/2025 9:05 PM", f"{n % 12 + 1:02d}/05/2025"],
    )  # fmt: skip
    formats = propose_folder(tmp_path).config.tables["people"].formats
    assert formats == {
        "Budget": "decimal-point", "Revenue": "decimal-point", "Create Date": "%m/%d/%Y %I:%M %p", "Next Date": "%m/%d/%Y",
    }  # fmt: skip


def test_neighbours_that_disagree_settle_nothing(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["Budget", "Revenue", "Amount"], lambda _: ["1,204", "1,200.50", "1.200,50"])
    left = {column.column: column.why_not for column in propose_folder(tmp_path).unmapped}
    assert left["Budget"].startswith("no value tells the decimal mark from the thousands mark")


def test_deleted_staff_and_flagged_people_are_kept_out_with_the_evidence(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write, tmp_path, ["customer_group", "deleted_at", "Landing Page", "Email Domain"],
        lambda n: ["Staff" if n < 40 else "Retail", "2025-01-05T10:00:00Z" if n % 30 == 0 else "",
                   "https://www.acme.example/pricing", "acme.example" if n < 50 else f"c{n}.example"],
    )  # fmt: skip
    proposal = propose_folder(tmp_path)
    assert {name: s.condition for name, s in proposal.config.suppressions.items()} == {
        "customer_group": {"customer_group": {"$in": ["Staff"]}},
        "deleted_at": {"deleted_at": {"$exists": True}},
        "own_staff": {"email_domain": "acme.example"},
    }
    assert proposal.evidence["suppressions.own_staff"].text == (
        "the pages in 'Landing Page' are of 'acme.example', and so are these addresses"
    )


def test_local_times_get_the_business_zone_and_it_is_said(german_shop: Path, propose_folder: Propose) -> None:
    proposal = propose_folder(german_shop)
    tables = proposal.config.tables
    assert (tables["events"].time_zone, tables["people"].time_zone) == ("Europe/Berlin", None)
    text = proposal.evidence["tables.events"].text
    assert text.endswith("its times carry no zone: read as Europe/Berlin, the business time zone")
    # Written by a program for programs: nothing says that this is local.
    assert tables["consents"].time_zone is None


def test_a_time_of_consent_is_its_evidence_and_a_modification_time_loads_the_row(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write, tmp_path, ["marketing_opt_in", "marketing_opt_in_at", "Last Modified Date", "newsletter_sent_at"],
        lambda _: ["true", *["2025-01-05T10:00:00Z"] * 3],
    )  # fmt: skip
    config = propose_folder(tmp_path).config
    asked = config.attributes["marketing_opt_in_at"]
    assert (asked.sensitivity, asked.description) == (
        "internal",
        "when marketing was agreed to: evidence of consent",
    )
    assert config.tables["people"].columns["loaded_at"] == "Last Modified Date"
    assert "evidence of consent" not in config.attributes["newsletter_sent_at"].description


@pytest.mark.parametrize(
    ("yes", "pending", "no"),
    [
        ("bestätigt", "unbestätigt", "abgemeldet"),
        ("confirmé", "en attente", "désabonné"),
        ("confirmado", "pendiente", "baja"),
        ("bevestigd", "onbevestigd", "uitgeschreven"),
        ("confirmed", "unconfirmed", "unsubscribed"),
    ],
)
def test_an_address_that_was_never_confirmed_has_not_agreed(
    tmp_path: Path, write: Write, propose_folder: Propose, yes: str, pending: str, no: str
) -> None:
    people(write, tmp_path)
    rows = [[f"p{n}@example.com", (yes, pending, no)[n % 3], "2025-01-05T10:00:00Z"] for n in range(240)]
    write(tmp_path / "newsletter.csv", ["email", "status", "subscribed_at"], rows)
    proposal = propose_folder(tmp_path)
    consent = proposal.config.consent
    assert yes in consent.granted
    assert no in consent.denied
    assert pending not in {*consent.granted, *consent.denied}
    # 160 of 300 people: the pending ones and strangers to the list count as unknown.
    assert proposal.evidence["consent.integrity_floor"].text == "measured: newsletter provable for 53.3%"
    text = config_text(proposal)
    assert "# measured: newsletter provable for 53.3%\nintegrity_floor = 0.95\n" in text
    tomllib.loads(text)


def test_the_next_steps_begin_with_what_would_stop_the_first_run(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["marketing_opt_in"], lambda n: ["true" if n % 2 else ""])
    assert propose_folder(tmp_path).next_steps[:4] == (
        "name a privacy lead: give one of [people] the role privacy-lead; without one nobody can sign off",
        (
            "decide on consent for 'marketing': it is known for 50% of the people, under [consent] integrity_floor (95%), "
            "so email stays blocked; ask first whether what they agreed to covers email, and map where more of it is "
            "kept; only then may the privacy lead set a lower floor: people without a known status are left out in any "
            "case"
        ),
        "name the system that delivers email: system under its channel; without it nothing can be activated there",
        (
            "say where consent for web, in-app, ads and sales is kept, or leave them out of --channels: the data shows none, "
            "so these channels stay blocked"
        ),
    )  # fmt: skip


def test_a_table_without_event_names_is_named_by_itself_and_timed_by_its_one_clock(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    guests = [[f"G-{n}", f"p{n}@example.com", "Ann"] for n in range(300)]
    write(tmp_path / "gasten.csv", ["Gastnummer", "E-mailadres", "Voornaam"], guests)
    stays = [
        [
            f"G-{n % 300}",
            f"{n % 28 + 1:02d}-01-2025 10:15",
            f"{n % 27 + 1:02d}-02-2025",
            f"{n % 26 + 1:02d}-03-2025",
        ]
        for n in range(600)
    ]
    write(tmp_path / "verblijven.csv", ["Gastnummer", "Vastgelegd", "Aankomst", "Vertrek"], stays)
    proposal = propose_folder(tmp_path)
    assert proposal.config.tables["people"].columns["key"] == "Gastnummer"
    events = proposal.config.tables["events"]
    assert (events.columns["time"], events.constants) == ("Vastgelegd", {"name": "verblijven"})
    assert proposal.evidence["tables.events"].confidence == 0.6


def test_a_list_of_opt_ins_is_a_consent_log_and_a_list_of_leavers_is_none(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    rows = [[f"p{n}@example.com", "2025-01-05 10:00:00", "2025-01-05 10:09:00"] for n in range(200)]
    header = ["Email Address", "OPTIN_TIME", "CONFIRM_TIME"]
    write(tmp_path / "subscribed_members_export.csv", header, rows)
    write(tmp_path / "unsubscribed_members_export.csv", header, rows[:50])
    proposal = propose_folder(tmp_path)
    assert proposal.config.tables["consents"].table == "subscribed_members_export"
    assert proposal.config.tables["consents"].constants == {"purpose": "newsletter", "status": "subscribed"}
    assert proposal.tables_without_role == {
        "unsubscribed_members_export": "it lists who left: add it to the log of consent as refusals"
    }


def test_a_list_of_records_is_no_table_of_events(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    rows = [[f"a{n}", 1000 + n, "Main Street", "2025-01-05T10:00:00Z"] for n in range(200)]
    write(tmp_path / "addresses.csv", ["id", "customer_id", "street", "created_at"], rows)
    assert propose_folder(tmp_path).tables_without_role == {"addresses": "no column says what happened"}


def test_a_column_of_current_consent_never_overrules_the_log_of_the_same_mail(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    """The log spells the purpose otherwise than the column does; a withdrawal in the log must hold."""
    people(write, tmp_path, ["email_opt_in"], lambda n: ["true" if n % 3 else "false"])
    write(
        tmp_path / "consents.csv",
        ["customer_id", "purpose", "status", "changed_at"],
        [
            [1000 + n, "email_marketing", "denied" if n % 2 else "granted", f"2025-10-0{n % 9 + 1} 10:00:00"]
            for n in range(300)
        ],
    )
    config = propose_folder(tmp_path).config
    assert config.consent.snapshots == {}
    assert config.channels["email"].purpose == "email_marketing"
