"""How tools write what they export: prefixes, dialects, keys of other systems; each defect as its rule."""

# ruff: noqa: E501 - rows of exports and next steps read best as one line

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gtm_orchestra.warehouse.catalog import is_safe
from gtm_orchestra.warehouse.proposals import ColumnProposal, Proposal
from gtm_orchestra.warehouse.proposals.business import channels_of, propose_channels
from gtm_orchestra.warehouse.proposals.dialects import MORE_PHRASES
from gtm_orchestra.warehouse.proposals.lexicon import find_concept
from gtm_orchestra.warehouse.proposals.names import words

Write = Callable[..., None]
Propose = Callable[[Path], Proposal]


def column(proposal: Proposal, table: str, name: str) -> ColumnProposal:
    return next(found for found in proposal.columns if (found.table, found.column) == (table, name))


def people(
    write: Write, folder: Path, more: Sequence[str] = (), cells: Callable[[int], list[object]] | None = None
) -> None:
    rows = [[1000 + n, f"p{n}@example.com", "Ann"] + (cells(n) if cells else []) for n in range(300)]
    write(folder / "customers.csv", ["customer_id", "email", "first_name", *more], rows)


@pytest.mark.parametrize(
    ("header", "concept"),
    [
        ("amount_total", "amount"), ("grand_total", "amount"), ("date_order", "order_time"), ("increment_id", "order_id"),
        ("id_order", "order_id"), ("N° facture", "order_id"), ("id_customer", "person_id"), ("write_date", "updated_at"),
        ("État de la commande", "fulfillment_status"), ("How did you hear about us?", "source"), ("SIRET", "vat_id"),
        ("current_period_end", "renews_at"), ("next_billed_at", "renews_at"), ("current_term_end", "renews_at"),
        ("price_id", "plan"), ("Last contacted", "last_contact_at"), ("Next activity date", "planned_at"),
        ("Won deals", "deal_count"), ("billing_period_unit", "billing_interval"), ("OPTIN_TIME", "granted_at"),
        ("CONFIRM_TIME", "confirmed_at"), ("last_sign_in_ip", "ip"), ("$insert_id", "event_id"), ("$email", "email"),
    ],
)  # fmt: skip
def test_a_header_of_a_tool_is_read_in_its_dialect(header: str, concept: str) -> None:
    found = find_concept(words(header))
    assert found is not None
    assert found[0].name == concept


def test_every_dialect_speaks_of_meanings_that_the_lexicon_has() -> None:
    for concept, phrases in MORE_PHRASES.items():
        assert any(
            (found := find_concept(words(phrase))) is not None and found[0].name == concept
            for phrase in phrases
        ), concept


def test_a_prefix_that_every_header_carries_is_no_part_of_its_meaning(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    header = [
        "ID",
        "Name",
        "First name",
        "Email - Work",
        "Label",
        "Person created",
        "Next activity date",
        "Won deals",
    ]
    rows = [
        [n, f"Ann Visser {n}", "Ann", f"p{n}@example.com", ("Customer", "Hot lead", "Cold lead")[n % 3],
         f"2025-01-{n % 28 + 1:02d} 10:00:00", f"2026-12-{n % 28 + 1:02d}", n % 3, 1 + n % 60, "North Packaging B.V."]
        for n in range(300)
    ]  # fmt: skip
    write(
        tmp_path / "people.csv",
        [*(f"Person - {name}" for name in header), "Organization - ID", "Person - Organization"], rows,
    )  # fmt: skip
    write(
        tmp_path / "organizations.csv",
        [f"Organization - {name}" for name in ("ID", "Name", "Country", "Organization created")],
        [[n, f"North Packaging {n}", "Netherlands", f"2024-01-{n % 28 + 1:02d} 10:00:00"] for n in range(1, 61)],
    )  # fmt: skip
    proposal = propose_folder(tmp_path)

    assert proposal.config.tables["people"].columns == {
        "key": "Person - ID",
        "email": "Person - Email - Work",
        "created_at": "Person - Person created",
        "account": "Organization - ID",
    }
    assert proposal.config.tables["accounts"].columns == {
        "key": "Organization - ID",
        "name": "Organization - Name",
        "created_at": "Organization - Organization created",
    }
    attributes = proposal.config.attributes
    assert attributes["name"].sensitivity == "personal"
    assert attributes["label"].description == "stage of the customer lifecycle"
    assert attributes["next_activity_date"].description == "a date that is planned"
    assert attributes["organization"].description == "name of the company"
    assert attributes["won_deals"].description == "number of deals"


def test_consent_to_calls_opens_no_mail(tmp_path: Path, write: Write, propose_folder: Propose) -> None:
    people(write, tmp_path, ["Consent to phone calls"], lambda n: ["Yes" if n % 2 else "No"])
    channels = propose_folder(tmp_path).config.channels
    assert channels["sales"].purpose == "phone-marketing"
    assert channels["email"].purpose == "email-marketing"


@pytest.mark.parametrize(
    ("purpose", "channels"),
    [
        ("phone-marketing", {"sales"}),
        ("sms-marketing", set()),
        ("postal-marketing", set()),
        ("third-party", set()),
        ("marketing_email", {"email"}),
        ("newsletter", {"email"}),
        ("personalization", {"web", "in-app"}),
    ],
)
def test_no_purpose_opens_the_channel_of_another_medium(purpose: str, channels: set[str]) -> None:
    assert channels_of(purpose) == channels
    opened = {
        channel
        for channel, (settings, _, _) in propose_channels([purpose], has_email=True).items()
        if settings["purpose"] == purpose
    }
    assert opened == channels


def test_a_state_of_consent_is_a_snapshot_whatever_it_is_called_and_never_safe_to_target(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    states = ("Subscribed", "Unsubscribed", "No consent", "Archived")
    people(
        write, tmp_path, ["Marketing status", "Email subscription status", "Email opt-out"],
        lambda n: [states[n % 4], ("Double", "Single", "Never", "Unsubscribed")[n % 4], "Yes" if n % 5 else "No"],
    )  # fmt: skip
    config = propose_folder(tmp_path).config
    snapshot = config.consent.snapshots["email-marketing"]
    assert (snapshot.column, snapshot.granted, snapshot.denied) == (
        "Marketing status",
        ("subscribed",),
        ("archived", "no consent", "unsubscribed"),
    )
    assert config.channels["email"].purpose == "email-marketing"
    kept = {name: is_safe(a) for name, a in config.attributes.items() if "status" in name or "opt" in name}
    assert kept == {"marketing_status": False, "email_subscription_status": False, "email_opt_out": False}


def test_a_french_shop_says_consent_in_its_own_words(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write, tmp_path, ["Lettre d'information", "Offres partenaires", "newsletter_date_add"],
        lambda n: [n % 2, n % 3 % 2, "2025-01-05 10:00:00" if n % 2 else "0000-00-00 00:00:00"],
    )  # fmt: skip
    proposal = propose_folder(tmp_path)
    assert {p: s.column for p, s in proposal.config.consent.snapshots.items()} == {
        "newsletter": "Lettre d'information",
        "third-party": "Offres partenaires",
    }
    assert proposal.config.channels["email"].purpose == "newsletter"
    since = proposal.config.attributes["newsletter_date_add"]
    assert since.description == "when it was agreed to"
    assert since.evidence.startswith("named so; 50% filled")


CONTACTS = ["CONTACT ID", "EMAIL", "OPT_IN", "ADDED_TIME", "MODIFIED_TIME"]


def contact(n: int) -> list[object]:
    return [
        1000 + n, f"p{299 - n}@example.com", "true" if n % 4 else "false",
        f"{n % 28 + 1:02d}-05-2025 09:47:08", f"{n % 28 + 1:02d}-06-2025 09:47:08",
    ]  # fmt: skip


def test_a_contact_list_is_the_consent_log_and_its_own_numbers_are_nobodys(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    """Both systems number from the same number on: only the address tells who is who."""
    people(write, tmp_path)
    write(tmp_path / "contacts_brevo.csv", CONTACTS, [contact(n) for n in range(250)])
    proposal = propose_folder(tmp_path)

    consents = proposal.config.tables["consents"]
    assert consents.columns["person"] == "EMAIL"
    assert (consents.person_by, consents.columns["status"], consents.columns["at"]) == (
        "email",
        "OPT_IN",
        "ADDED_TIME",
    )
    assert consents.formats["ADDED_TIME"] == "%d-%m-%Y %H:%M:%S"
    assert column(proposal, "contacts_brevo", "CONTACT ID").why_not == (
        "named like the identifier of a person, but its values are not those that this row refers to"
    )


def test_times_that_cannot_be_used_are_named_with_the_reason(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    rows = [[f"p{n}@example.com", "true", f"0{n % 9 + 1}/0{n % 8 + 1}/2025"] for n in range(250)]
    write(tmp_path / "newsletter.csv", ["email", "opt_in", "added_time"], rows)
    assert propose_folder(tmp_path).tables_without_role["newsletter"] == (
        "it looks like consents, but no usable column says when: 'added_time' (no value tells day from month; "
        "say which in [tables.ROLE.formats], %d/%m/%Y or %m/%d/%Y)"
    )


def test_a_log_of_few_is_filled_up_by_the_column_of_the_people_under_one_purpose(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["Newsletter"], lambda n: ["yes" if n % 3 else "no"])
    write(tmp_path / "contacts_brevo.csv", CONTACTS, [contact(n) for n in range(90)])
    proposal = propose_folder(tmp_path)
    assert {p: s.column for p, s in proposal.config.consent.snapshots.items()} == {"newsletter": "Newsletter"}
    assert (
        "it knows 30% of the people, and 'Newsletter' of people says newsletter for the others: a no in either is a no"
        in proposal.evidence["tables.consents"].text
    )


def product(write: Write, folder: Path, *, members: bool = True) -> None:
    users = [[n, f"p{n}@example.com", f"2025-01-{n % 28 + 1:02d}T10:00:00Z"] for n in range(1, 301)]
    write(folder / "users.csv", ["id", "email", "created_at"], users)
    spaces = [
        [f"ws-{n:04d}", f"Space {n}", "pro" if n % 2 else "free", f"cus_{n:09d}"] for n in range(1, 101)
    ]
    write(folder / "workspaces.csv", ["id", "name", "plan", "stripe_customer_id"], spaces)
    if members:
        rows = [
            [9000 + n, f"ws-{(n - 1) % 100 + 1:04d}", n, "member", f"2025-02-{n % 28 + 1:02d}T10:00:00Z"]
            for n in range(1, 301)
        ]
        write(folder / "workspace_members.csv", ["id", "workspace_id", "user_id", "role", "joined_at"], rows)
    subscriptions = [
        [f"sub_{n}", f"cus_{n:09d}", "active", "price_pro", 2900, "eur", f"2025-03-{n % 28 + 1:02d}"]
        for n in range(1, 81)
    ]
    header = ["id", "customer_id", "status", "price_id", "amount", "currency", "start_date"]
    write(folder / "stripe_subscriptions.csv", header, subscriptions)


def test_members_are_no_accounts_and_billing_finds_accounts_by_its_own_numbers(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    product(write, tmp_path)
    tables = propose_folder(tmp_path).config.tables
    assert {role: settings.table for role, settings in tables.items()} == {
        "people": "users",
        "accounts": "workspaces",
        "membership": "workspace_members",
        "subscriptions": "stripe_subscriptions",
    }
    assert tables["membership"].columns["account"] == "workspace_id"
    assert tables["membership"].columns["person"] == "user_id"
    assert tables["subscriptions"].account_by == "stripe_customer_id"
    assert tables["accounts"].columns["stripe_customer_id"] == "stripe_customer_id"
    assert tables["subscriptions"].columns["account"] == "customer_id"


def test_a_proposal_holds_to_the_doctors_checks_or_says_what_it_took_out(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    """Nothing says who belongs to which workspace: what accounts could tell reaches nobody."""
    product(write, tmp_path, members=False)
    proposal = propose_folder(tmp_path)
    assert not [name for name, a in proposal.config.attributes.items() if a.table == "accounts"]
    assert column(proposal, "workspaces", "plan").why_not == (
        "nothing says who belongs to which account; map tables.people.columns.account, or membership"
    )


def test_a_table_that_people_refer_to_by_its_name_holds_the_accounts(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["clinic_id"], lambda n: [f"C{n % 40:03d}"])
    clinics = [[f"C{n:03d}", f"Clinic {n}", "Berlin"] for n in range(40)]
    write(tmp_path / "clinics.csv", ["clinic_id", "name", "city"], clinics)
    tables = propose_folder(tmp_path).config.tables
    assert tables["accounts"].table == "clinics"
    assert tables["people"].columns["account"] == "clinic_id"


def test_the_currency_is_the_most_frequent_one_with_its_split(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    orders = [
        [f"o{n}", 1000 + n % 250, f"2025-01-{n % 28 + 1:02d}", "9.90", "EUR" if n % 9 < 5 else "GBP"]
        for n in range(450)
    ]
    write(tmp_path / "orders.csv", ["order_id", "customer_id", "order_date", "total", "currency"], orders)
    proposal = propose_folder(tmp_path)
    assert proposal.config.workspace.currency == "EUR"
    split = "the most frequent of orders.currency: EUR 250, GBP 200; amounts are not converted"
    assert f"check [workspace] currency = 'EUR': {split}" in proposal.next_steps


def test_digits_that_nobody_adds_up_are_no_number(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write, tmp_path, ["SIRET", "Custom 7"],
        lambda n: [f"{73282932000074 + n}", f"{4_100_000_000 + n * 7}"],
    )  # fmt: skip
    attributes = propose_folder(tmp_path).config.attributes
    assert [attributes[name].type for name in ("siret", "custom_7")] == ["string", "string"]
    assert not is_safe(attributes["custom_7"])


def test_a_consent_without_a_purpose_opens_nothing_and_is_asked_about(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["GDPR consent"], lambda n: ["Yes" if n % 2 else "No"])
    proposal = propose_folder(tmp_path)
    assert all(channel.purpose != "general" for channel in proposal.config.channels.values())
    assert (
        "say what 'GDPR consent' covers: its name says no purpose, so it opens no channel; where it is what people "
        "agreed to be addressed by, name that purpose under the channel"
    ) in proposal.next_steps
    assert proposal.next_steps[-1] == (
        "define profiles: gtm define-profiles --initiative NAME --channels email (blocked there until consent is known)"
    )


def test_metrics_and_attributes_come_from_what_people_do_not_from_what_libraries_send(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path)
    names = (
        "$pageview",
        "$autocapture",
        "$autocapture",
        "onboarding step completed",
        "shift created",
        "user signed up",
    )
    rows = [
        [f"e{n}", 1000 + n % 300, names[n % 6], f"2025-01-{n % 28 + 1:02d}T10:00:00Z"] for n in range(1200)
    ]
    write(tmp_path / "events.csv", ["uuid", "customer_id", "event", "timestamp"], rows)
    config = propose_folder(tmp_path).config
    assert config.tables["events"].columns["id"] == "uuid"
    assert {name: metric.event for name, metric in config.metrics.items()} == {
        "activation_rate": "shift created",
        "retention": "$pageview",
    }
    assert not [name for name in config.attributes if "autocapture" in name]
    active = config.attributes["days_since_active"]
    assert (active.event, active.measure, active.coverage) == ("*", "days_since_last", 0.0)


def test_a_consent_in_words_that_nobody_knows_is_never_safe(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    words_ = ("Level A", "Level B", "Pending")
    people(write, tmp_path, ["Marketing_Consent__c"], lambda n: [words_[n % 3]])
    config = propose_folder(tmp_path).config
    assert config.consent.snapshots == {}
    asked = config.attributes["marketing_consent_c"]
    assert asked.description == "state of consent for marketing, in words that are not known"
    assert not is_safe(asked)


def test_billing_that_uses_the_accounts_own_keys_is_theirs_whatever_it_calls_them(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["organization_id"], lambda n: [f"org_{n % 60:04d}"])
    orgs = [[f"org_{n:04d}", f"Acme {n}", "growth"] for n in range(60)]
    write(tmp_path / "organizations.csv", ["id", "name", "plan"], orgs)
    rows = [[f"AzZ{n:06d}", f"org_{n:04d}", "active", "growth-EUR", 4900] for n in range(50)]
    write(
        tmp_path / "chargebee_subscriptions.csv",
        ["id", "customer_id", "status", "item_price_id", "mrr"],
        rows,
    )
    subscriptions = propose_folder(tmp_path).config.tables["subscriptions"]
    assert (subscriptions.columns["account"], subscriptions.account_by) == ("customer_id", None)


def test_the_name_of_a_deal_is_read_where_the_table_holds_deals(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["account_id"], lambda n: [f"A{n % 40:03d}"])
    write(tmp_path / "account.csv", ["id", "name"], [[f"A{n:03d}", f"Acme {n}"] for n in range(40)])
    rows = [[f"D{n}", f"A{n % 40:03d}", f"Deal {n}", "Won", 900 + n] for n in range(80)]
    write(tmp_path / "opportunity.csv", ["id", "account_id", "name", "stage_name", "amount"], rows)
    columns = propose_folder(tmp_path).config.tables["opportunities"].columns
    assert columns["name"] == "name"


def test_whole_amounts_of_a_billing_system_are_said_to_be_cents(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    product(write, tmp_path)
    attributes = propose_folder(tmp_path).config.attributes
    assert attributes["subscription_amount"].description == "amount of money in cents"
