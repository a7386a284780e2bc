"""Whole exports: what is mapped, what stays unknown, and that nothing is mapped wrongly."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.connection import Warehouse
from gtm_orchestra.warehouse.people import people_frame
from gtm_orchestra.warehouse.proposals import Proposal, propose

Propose = Callable[[Path], Proposal]
Opener = Callable[[Path], AbstractContextManager[Warehouse]]
AS_OF = datetime(2025, 1, 1, tzinfo=UTC)


def found(proposal: Proposal, table: str, column: str) -> tuple[str, str, str, str]:
    """Return role, meaning, consent purpose and sensitivity proposed for a column."""
    one = next(c for c in proposal.columns if (c.table, c.column) == (table, column))
    return one.role, one.meaning, one.consent, one.sensitivity


def test_a_german_shop_is_mapped_to_people_orders_and_newsletter(
    german_shop: Path, propose_folder: Propose
) -> None:
    proposal = propose_folder(german_shop)

    assert proposal.mapped_share == 1.0
    tables = proposal.config.tables
    assert tables["people"].columns == {
        "key": "Kundennummer",
        "email": "E-Mail",
        "created_at": "Registriert am",
    }
    assert tables["people"].formats == {"Registriert am": "%d.%m.%Y", "Umsatz gesamt": "decimal-comma"}
    assert tables["events"].constants == {"name": "order_placed"}
    assert tables["events"].columns["person"] == "Kundennummer"
    assert tables["events"].columns["time"] == "Bestelldatum"
    assert tables["events"].columns["value"] == "Gesamtbetrag"
    assert tables["events"].formats["Bestelldatum"] == "%d.%m.%Y %H:%M"
    assert tables["consents"].person_by == "email"
    assert tables["consents"].columns["withdrawn_at"] == "unsubscribed_at"
    assert tables["consents"].constants == {"purpose": "newsletter"}
    # The log knows some; for the others the column counts, under the log's purpose: a no in either is a no.
    assert {p: s.column for p, s in proposal.config.consent.snapshots.items()} == {"newsletter": "Newsletter"}
    assert proposal.config.workspace.currency == "EUR"
    assert proposal.config.workspace.timezone == "Europe/Berlin"
    assert proposal.config.channels["email"].purpose == "newsletter"


def test_a_german_shop_becomes_a_people_frame_with_figures(
    german_shop: Path, propose_folder: Propose, open_folder: Opener
) -> None:
    config = propose_folder(german_shop).config
    with open_folder(german_shop) as warehouse:
        frame = people_frame(warehouse, config, AS_OF)
        rows = warehouse.rows(frame.table)

    assert (frame.people, frame.unavailable) == (240, {})
    assert all(row["umsatz_gesamt"] is not None and row["registriert_am"] is not None for row in rows)
    assert sum(row["order_placed_90d"] for row in rows) > 0
    assert {row["consent__newsletter"] for row in rows} == {"granted", "denied", "unknown"}


def test_a_withdrawal_by_a_reader_known_by_address_only_reaches_the_customer(
    german_shop: Path,
    propose_folder: Propose,
    open_folder: Opener,
) -> None:
    config = propose_folder(german_shop).config
    with open_folder(german_shop) as warehouse:
        frame = people_frame(warehouse, config, AS_OF)
        gone = {
            str(row["email"]).lower()
            for row in warehouse.rows(warehouse.table("newsletter"))
            if row["unsubscribed_at"] is not None
        }
        states = {row["consent__newsletter"] for row in warehouse.rows(frame.table) if row["e_mail"] in gone}

    assert len(gone) > 20
    assert states == {"denied"}


def test_a_crm_list_with_display_names_is_mapped_and_its_opt_out_is_inverted(
    crm: Path, propose_folder: Propose
) -> None:
    proposal = propose_folder(crm)

    assert proposal.mapped_share == 1.0
    assert proposal.config.tables["people"].columns == {
        "key": "Record ID", "email": "Email", "created_at": "Create Date",
    }  # fmt: skip
    snapshot = proposal.config.consent.snapshots["email-marketing"]
    assert (snapshot.column, snapshot.granted, snapshot.denied) == ("Email opted out", ("false",), ("true",))
    assert found(proposal, "contacts", "Email opted out") == ("people", "", "email-marketing", "internal")
    assert found(proposal, "contacts", "Marketing contact status") == ("people", "", "", "internal")
    assert found(proposal, "contacts", "Notes") == ("people", "", "", "unknown")
    assert found(proposal, "contacts", "Contact owner") == ("people", "", "", "personal")


def test_religion_is_found_by_its_values_under_a_name_that_says_nothing(
    crm: Path, propose_folder: Propose
) -> None:
    proposal = propose_folder(crm)

    attribute = proposal.config.attributes["custom_field_7"]
    assert attribute.sensitivity == "special"
    assert attribute.sensitivity_note == "religion, Art. 9 GDPR: most of its values name it"
    assert "deny the special categories: gtm catalog deny custom_field_7" in proposal.next_steps


def test_a_product_is_mapped_with_accounts_subscriptions_and_events(
    product: Path, propose_folder: Propose
) -> None:
    proposal = propose_folder(product)

    assert proposal.mapped_share == 1.0
    tables = proposal.config.tables
    assert {role: t.table for role, t in tables.items()} == {
        "people": "users", "accounts": "accounts", "subscriptions": "subscriptions", "events": "events",
    }  # fmt: skip
    assert tables["people"].columns["account"] == "account_id"
    assert tables["events"].formats == {"timestamp": "epoch-ms"}
    assert tables["subscriptions"].columns["amount"] == "mrr_cents"
    plan = proposal.config.attributes["plan"]
    assert (plan.table, plan.column) == ("accounts", "subscriptions.plan")
    assert proposal.config.attributes["mrr_cents"].description == "monthly recurring revenue in cents"
    assert proposal.config.attributes["account_health_score"].sensitivity == "internal"
    assert proposal.config.metrics["activation_rate"].event == "project_created"
    assert proposal.config.metrics["retention"].event == "login"
    assert proposal.config.suppressions["is_internal"].condition == {"is_internal": True}


def test_the_plan_of_an_accounts_subscription_reaches_its_users(
    product: Path, propose_folder: Propose, open_folder: Opener
) -> None:
    config = propose_folder(product).config
    with open_folder(product) as warehouse:
        frame = people_frame(warehouse, config, AS_OF)
        rows = warehouse.rows(frame.table)

    assert (frame.people, frame.unavailable) == (300, {})
    assert {row["plan"] for row in rows} == {"free", "pro"}
    assert all(row["login_30d"] is not None for row in rows)


def test_the_same_source_gives_the_same_proposal(product: Path, propose_folder: Propose) -> None:
    assert propose_folder(product) == propose_folder(product)


def test_no_value_of_a_person_is_in_a_proposal(crm: Path, propose_folder: Propose) -> None:
    text = propose_folder(crm).model_dump_json()

    assert [
        name for name in ("Anna", "Müller", "corp1.example", "555", "Muslim", "Monday") if name in text
    ] == []


def test_a_date_that_could_be_either_way_round_stays_unmapped_and_says_so(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [[f"c{n}", f"p{n}@example.com", f"{n % 12 + 1:02d}/{n % 11 + 1:02d}/2024"] for n in range(60)]
    write(tmp_path / "customers.csv", ["customer_id", "email", "signup_date"], rows)
    proposal = propose_folder(tmp_path)

    assert [(c.column, c.why_not) for c in proposal.unmapped] == [
        (
            "signup_date",
            "no value tells day from month; say which in [tables.ROLE.formats], %d/%m/%Y or %m/%d/%Y",
        )
    ]
    assert "created_at" not in proposal.config.tables["people"].columns
    assert (
        "say how these are written, under formats of their table: customers.signup_date"
        in proposal.next_steps
    )


@pytest.mark.parametrize(("day_first", "written"), [(True, "%d/%m/%Y"), (False, "%m/%d/%Y")])
def test_one_day_beyond_the_twelfth_tells_which_way_round(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose, *, day_first: bool, written: str
) -> None:
    dates = [(n % 28 + 1, n % 12 + 1) for n in range(60)]
    rows = [
        [f"c{n}", f"p{n}@example.com", f"{d if day_first else m}/{m if day_first else d}/2024"]
        for n, (d, m) in enumerate(dates)
    ]
    write(tmp_path / "customers.csv", ["customer_id", "email", "signup_date"], rows)

    assert propose_folder(tmp_path).config.tables["people"].formats == {"signup_date": written}


def test_an_objection_beside_an_opt_in_keeps_people_out_and_agrees_to_nothing(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [
        [f"c{n}", f"p{n}@example.com", "yes" if n % 3 else "no", "true" if n % 5 else "false"]
        for n in range(60)
    ]
    write(tmp_path / "customers.csv", ["customer_id", "email", "newsletter_opt_in", "email_opt_out"], rows)
    config = propose_folder(tmp_path).config

    assert sorted(config.consent.snapshots) == ["newsletter"]
    suppression = config.suppressions["objected_email_opt_out"]
    assert (suppression.condition, suppression.channels) == ({"email_opt_out": True}, ("email",))


def test_terms_of_use_are_no_consent(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [[f"c{n}", f"p{n}@example.com", "true" if n % 3 else "false"] for n in range(60)]
    write(tmp_path / "users.csv", ["user_id", "email", "terms_accepted"], rows)

    assert propose_folder(tmp_path).config.consent.snapshots == {}


def test_the_address_of_an_owner_is_not_the_address_of_the_person(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [[f"c{n}", "" if n % 2 else f"p{n}@example.com", f"rep{n % 3}@example.org"] for n in range(60)]
    write(tmp_path / "contacts.csv", ["contact_id", "mail", "owner_email"], rows)
    config = propose_folder(tmp_path).config

    assert config.tables["people"].columns["email"] == "mail"
    assert config.attributes["owner_email"].description == "e-mail address of somebody else"


def test_a_column_named_email_without_addresses_is_not_mapped_as_one(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [[f"c{n}", f"Given{chr(65 + n % 26)}", "weekly" if n % 2 else "daily"] for n in range(60)]
    write(tmp_path / "customers.csv", ["customer_id", "first_name", "email"], rows)
    config = propose_folder(tmp_path).config

    assert "email" not in config.tables["people"].columns
    assert config.attributes["email"].sensitivity == "unknown"


def test_a_reference_whose_values_are_no_keys_is_no_link(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    write(
        tmp_path / "customers.csv",
        ["customer_id", "email"],
        [[f"c{n}", f"p{n}@example.com"] for n in range(60)],
    )
    orders = [[f"o{n}", f"x{n}", "2024-01-02", n] for n in range(60)]
    write(tmp_path / "orders.csv", ["order_id", "customer_id", "order_date", "total"], orders)
    proposal = propose_folder(tmp_path)

    assert proposal.tables_without_role == {"orders": "nothing in it refers to 'customers'"}
    assert found(proposal, "orders", "total") == ("", "", "", "internal")


def test_a_source_without_people_says_what_is_missing(
    tmp_path: Path, write: Callable[..., None], open_folder: Opener
) -> None:
    write(tmp_path / "orders.csv", ["order_id", "total"], [[n, n] for n in range(10)])
    with open_folder(tmp_path) as warehouse, pytest.raises(SourceError) as caught:
        propose(warehouse, name="Test")

    assert caught.value.message == (
        f"no table of {str(tmp_path)!r} looks like people: none has a column that tells persons apart "
        "beside names or addresses; tables there: orders"
    )


def test_consent_for_something_else_is_none_for_personalisation(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [[f"c{n}", f"p{n}@example.com", "true" if n % 3 else "false"] for n in range(60)]
    write(tmp_path / "users.csv", ["user_id", "email", "product_updates_opt_in"], rows)
    config = propose_folder(tmp_path).config

    assert sorted(config.consent.snapshots) == ["product-updates"]
    assert {channel: settings.purpose for channel, settings in config.channels.items()} == {
        "web": "personalization",
        "in-app": "personalization",
        "email": "email-marketing",
        "ads": "ads",
        "sales": "sales-contact",
    }


def test_an_export_that_is_not_utf_8_says_how_to_export_it_again(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [[f"K{n}", "Jürgen", f"p{n}@example.com"] for n in range(60)]
    write(tmp_path / "kunden.csv", ["Kundennummer", "Vorname", "E-Mail"], rows, mark=";", encoding="latin-1")
    with pytest.raises(SourceError) as caught:
        propose_folder(tmp_path)

    assert str(caught.value) == (
        "kunden.csv cannot be read as CSV; export it again as comma-separated text in UTF-8"
    )
