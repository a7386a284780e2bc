"""Exports as people really hand them over: other languages, other marks, other names for the same things."""

# ruff: noqa: E501, S311 - rows of exports read best as rows; the draws are repeatable, not secret

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.config import SourceSettings
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse
from gtm_orchestra.warehouse.proposals import Proposal, propose

if TYPE_CHECKING:
    from pathlib import Path

Rows = Sequence[Sequence[object]]
Opener = Callable[["Path"], AbstractContextManager[Warehouse]]

FIRST = ("Anna", "Ben", "Clara", "David", "Eva", "Finn", "Greta", "Hans", "Ida", "Jan")
LAST = ("Müller", "Schmidt", "Weber", "Dupont", "García", "Jansen", "Novak", "Rossi")


def write_csv(
    path: Path, header: Sequence[str], rows: Rows, *, mark: str = ",", encoding: str = "utf-8"
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.writer(stream, delimiter=mark)
        writer.writerow(header)
        writer.writerows(rows)


@contextmanager
def opened(folder: Path) -> Iterator[Warehouse]:
    with open_warehouse(SourceSettings(url=str(folder)), folder, {}) as warehouse:
        yield warehouse


def proposed(folder: Path) -> Proposal:
    with opened(folder) as warehouse:
        return propose(warehouse, name="Test", source=str(folder), author="ann")


@pytest.fixture
def write() -> Callable[..., None]:
    """Give a function that writes a CSV file."""
    return write_csv


@pytest.fixture
def propose_folder() -> Callable[[Path], Proposal]:
    """Give a function that proposes from a folder."""
    return proposed


@pytest.fixture
def open_folder() -> Opener:
    """Give a function that opens a folder as a warehouse."""
    return opened


@pytest.fixture(scope="session")
def german_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give customers, orders and newsletter of a shop: semicolons, BOM, decimal commas, 31.12.2024."""
    folder, draw = tmp_path_factory.mktemp("shop"), random.Random(3)
    customers: list[list[object]] = []
    for number in range(240):
        first, last = draw.choice(FIRST), draw.choice(LAST)
        since = datetime(2022, 1, 1) + timedelta(days=draw.randrange(1_000))  # noqa: DTZ001 - exports have no zone
        customers.append([
            f"K{10_000 + number}", first, last, f"{first}.{number}@example.com".lower(),
            draw.choice(["", f"+49 170 {draw.randrange(10**7):07d}"]), f"{draw.randrange(1_000, 99_999):05d}",
            draw.choice(["Berlin", "Köln", "Wien"]), draw.choice(["DE", "DE", "DE", "AT"]), since.strftime("%d.%m.%Y"),
            draw.choice(["ja", "nein", ""]), f"{draw.randrange(200_000) / 100:.2f}".replace(".", ","),
            draw.choice(["Stammkunde", "Neukunde"]),
        ])  # fmt: skip
    header = [
        "Kundennummer", "Vorname", "Nachname", "E-Mail", "Telefon", "PLZ", "Ort", "Land", "Registriert am",
        "Newsletter", "Umsatz gesamt", "Kundengruppe",
    ]  # fmt: skip
    write_csv(folder / "Kunden.csv", header, customers, mark=";", encoding="utf-8-sig")
    orders: list[list[object]] = []
    for number in range(600):
        at = datetime(2024, 1, 1) + timedelta(minutes=draw.randrange(500_000))  # noqa: DTZ001 - as above
        total = f"{draw.randrange(500, 250_000) / 100:,.2f}".translate(str.maketrans(",.", ".,"))
        orders.append([
            f"B-{5_000 + number}", draw.choice(customers)[0], at.strftime("%d.%m.%Y %H:%M"), total, "EUR",
            draw.choice(["bezahlt", "offen", "storniert"]), draw.choice(["PayPal", "Kreditkarte"]),
            draw.randrange(1, 6), draw.choice(["", "SOMMER10"]), "4,90",
        ])  # fmt: skip
    header = [
        "Bestellnummer", "Kundennummer", "Bestelldatum", "Gesamtbetrag", "Währung", "Status", "Zahlungsart",
        "Anzahl Artikel", "Gutscheincode", "Versandkosten",
    ]  # fmt: skip
    write_csv(folder / "Bestellungen.csv", header, orders, mark=";", encoding="utf-8-sig")
    readers: list[list[object]] = []
    for customer in customers[:150]:
        at = datetime(2023, 1, 1) + timedelta(days=draw.randrange(500))  # noqa: DTZ001 - as above
        gone = f"{at + timedelta(days=30)}" if draw.random() < 0.3 else ""
        address = str(customer[3]).upper() if draw.random() < 0.1 else customer[3]
        readers.append([address, "unsubscribed" if gone else "subscribed", f"{at}", gone, "checkout"])
    readers += [
        [f"reader{number}@example.org", "subscribed", "2024-01-01 10:00:00", "", "footer"]
        for number in range(30)
    ]
    header = ["email", "status", "subscribed_at", "unsubscribed_at", "source"]
    write_csv(folder / "newsletter.csv", header, readers)
    return folder


@pytest.fixture(scope="session")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a contact list as a CRM exports it: display names, current-state consent, free text."""
    folder, draw = tmp_path_factory.mktemp("crm"), random.Random(5)
    rows: list[list[object]] = []
    for number in range(260):
        at = datetime(2023, 1, 1) + timedelta(minutes=draw.randrange(500_000))  # noqa: DTZ001 - exports have no zone
        rows.append([
            100 + number * 51, draw.choice(FIRST), draw.choice(LAST), f"c{number}@corp{number % 30}.example",
            draw.choice(["", f"(555) 123-{draw.randrange(10_000):04d}"]), f"Corp {number % 30}",
            draw.choice(["Subscriber", "Lead", "Marketing Qualified Lead", "Customer"]), draw.choice(["New", "Open", ""]),
            draw.choice(["Olga Owner", "Otto Owner"]), draw.choice(["Organic Search", "Paid Social"]),
            at.strftime("%Y-%m-%d %H:%M"), draw.choice(["", at.strftime("%Y-%m-%d %H:%M")]),
            draw.choice(["", "true", "false"]), draw.choice(["Marketing contact", "Non-marketing contact"]),
            draw.randrange(50), draw.choice(["Freely given consent from contact", "Legitimate interest: lead"]),
            draw.choice(["CEO", "Developer"]), draw.choice(["Germany", "France"]), draw.choice(["Christian", "Muslim", ""]),
            draw.choice(["", "Called on Monday and wants a demo of the analytics product next week"]), draw.randrange(100),
        ])  # fmt: skip
    header = [
        "Record ID", "First Name", "Last Name", "Email", "Phone Number", "Company Name", "Lifecycle Stage",
        "Lead Status", "Contact owner", "Original Source", "Create Date", "Last Activity Date", "Email opted out",
        "Marketing contact status", "Number of Pageviews", "Legal basis for processing contact's data", "Job Title",
        "Country/Region", "Custom field 7", "Notes", "HubSpot Score",
    ]  # fmt: skip
    write_csv(folder / "contacts.csv", header, rows)
    return folder


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give accounts, users, subscriptions and events of a software product, with times in milliseconds."""
    folder, draw = tmp_path_factory.mktemp("product"), random.Random(7)
    accounts = [
        [f"acc_{n:04d}", f"Acme {n}", draw.choice(["Software", "Retail"]), draw.choice([5, 20, 100]), f"acme{n}.example",
         f"2023-02-{n % 28 + 1:02d}", draw.choice(["DE", "US"]), draw.randrange(100)]
        for n in range(60)
    ]  # fmt: skip
    header = ["id", "name", "industry", "employees", "domain", "created_at", "country", "health_score"]
    write_csv(folder / "accounts.csv", header, accounts)
    users = [
        [f"usr_{n:05d}", draw.choice(accounts)[0], f"u{n}@x{n % 9}.example", f"{draw.choice(FIRST)} {draw.choice(LAST)}",
         draw.choice(["admin", "member"]), f"2024-{draw.randrange(1, 13):02d}-01T10:00:00Z",
         draw.choice(["true", "false"]), draw.choice(["en", "de"]), draw.choice(["true", "false"])]
        for n in range(300)
    ]  # fmt: skip
    header = [
        "id",
        "account_id",
        "email",
        "name",
        "role",
        "created_at",
        "marketing_opt_in",
        "locale",
        "is_internal",
    ]
    write_csv(folder / "users.csv", header, users)
    subscriptions = [
        [f"sub_{n}", account[0], draw.choice(["free", "pro"]), draw.choice(["active", "canceled"]), draw.randrange(99_900),
         "USD", f"2024-{draw.randrange(1, 13):02d}-01", draw.choice(["month", "year"]), draw.randrange(1, 50)]
        for n, account in enumerate(accounts)
    ]  # fmt: skip
    header = [
        "id",
        "account_id",
        "plan",
        "status",
        "mrr_cents",
        "currency",
        "started_at",
        "billing_interval",
        "seats",
    ]
    write_csv(folder / "subscriptions.csv", header, subscriptions)
    names = ["login", "project_created", "invite_sent", "report_exported"]
    events = [
        [f"ev{n}", draw.choice(users)[0], draw.choice(names), 1_704_067_200_000 + draw.randrange(3 * 10**10), "web",
         '{"page": "/home"}']
        for n in range(2_000)
    ]  # fmt: skip
    header = ["event_id", "user_id", "event", "timestamp", "platform", "properties"]
    write_csv(folder / "events.csv", header, events)
    return folder
