"""Write three exports as other companies' tools would: a web shop, a contact list, a SaaS product.

    python make_exports.py FOLDER

makes FOLDER/shop, FOLDER/crm and FOLDER/saas, the same bytes on every call; see expected.toml.
All people are invented; domains, telephone numbers and IP addresses are reserved for examples.
"""

# Invented people need the same draw every time, not cryptographic randomness; names are lists of words;
# real exports hold dashes and letters that look like others.
# ruff: noqa: S311, SIM905, RUF001

from __future__ import annotations

import csv
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXPORTED_AT = datetime(2026, 5, 31, 22, 0, tzinfo=UTC)

T = TypeVar("T")
Row = dict[str, str]

GERMAN_FIRST = (
    "Anna Lukas Jürgen Sabine Jörg Käthe Mehmet Ayşe Leon Mia Björn Heike Günther Petra Thomas Nina "
    "Stefan Claudia Felix Lena Uwe Martina Tim Sophie Jan Katharina Fatma Paul Emma Wolfgang"
).split()
GERMAN_LAST = (
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter "
    "Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Yılmaz Huber Gruber"
).split()
ENGLISH_FIRST = (
    "Olivia Liam Priya Noah Emma James Sofia Ethan Grace Mateo Chloe Daniel Aisha Ryan Zoe Marcus Hannah "
    "Victor Naomi Connor Elena Samuel Ruth Omar Julia Peter Ingrid Kofi Mei Tomás"
).split()
ENGLISH_LAST = (
    "Smith Johnson Patel Brown García Davis O'Neill Wilson Anderson Nguyen Taylor Moore Jackson Kim White "
    "Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Okafor Hill Green Adams Baker"
).split()
# fmt: off
MAIL_DOMAINS = (
    "example.com", "example.org", "example.net", "mail.example", "post.example", "freemail.example",
)
# fmt: on


def pick(rng: random.Random, weights: Mapping[T, float]) -> T:
    """Return one of the keys, drawn by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def ascii_of(text: str) -> str:
    """Return a name as it stands in an e-mail address."""
    for letter, plain in {"ä": "ae", "ö": "oe", "ü": "ue", "ş": "s", "ı": "i", "á": "a", "í": "i"}.items():
        text = text.replace(letter, plain)
    return "".join(c for c in text if c.isalnum()).lower()


def before(rng: random.Random, days: float, *, skew: float = 1.0) -> datetime:
    """Return a moment within the last days; a skew over 1 draws it towards the export."""
    moment = EXPORTED_AT - timedelta(days=days * rng.random() ** skew)
    return moment.replace(
        hour=pick(rng, {7: 2, 9: 5, 12: 4, 15: 4, 18: 5, 20: 6, 22: 2}), second=0, microsecond=0
    )


def dirty(rng: random.Random, value: str, share: float, *replacements: str) -> str:
    """Return the value, or for a share of rows one of the replacements."""
    return rng.choice(replacements) if rng.random() < share else value


# ---- The shop: Shopware-like, German headers, decimal comma, one file a table -----------------------

STREETS = ("Lindenallee", "Hauptstr.", "Am Mühlbach", "Schulweg")
GOODS = ("Kaffee", "Tee", "Schokolade", "Gewürze", "Zubehör", "Geschenke")
# fmt: off
DIETS = (
    "vegan", "glutenfrei", "laktosefrei", "halal", "koscher", "für Diabetiker geeignet",
    "keine Nüsse (Allergie)",
)
# fmt: on
REMARKS = (
    "Bitte beim Nachbarn abgeben",
    "ruft immer vormittags an; netter Kontakt",
    "Reklamation vom Frühjahr geklärt,\nGutschein verschickt",
    'will "nur per Mail" kontaktiert werden',
    "Stammkundin seit dem Ladengeschäft",
    "Rechnung immer an die Firma",
)
LAND = {"DE": 78, "AT": 11, "CH": 7, "Deutschland": 3, "": 1}


def german(moment: datetime, *, clock: bool = False) -> str:
    """Return a moment as German shops write it."""
    return moment.strftime("%d.%m.%Y %H:%M" if clock else "%d.%m.%Y")


def comma(amount: float) -> str:
    """Return 1234.5 as 1.234,50."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def shop_customer(rng: random.Random, number: int) -> tuple[Row, str]:
    first, last = rng.choice(GERMAN_FIRST), rng.choice(GERMAN_LAST)
    kind = pick(rng, {"loyal": 14, "occasional": 30, "once": 28, "lapsed": 16, "browser": 8, "trade": 4})
    land = pick(rng, LAND)
    registered = before(rng, 1400 if kind in {"loyal", "lapsed", "trade"} else 800)
    seen = before(rng, 45 if kind in {"loyal", "trade"} else 400, skew=1.3)
    if kind == "lapsed":
        seen = EXPORTED_AT - timedelta(days=rng.randint(300, 700))
    prefix = {"AT": "+43 1 234500", "CH": "+41 44 500 00 "}.get(land, "+49 30 23125")
    guest = kind == "once" and rng.random() < 0.5
    row = {
        "Kundennummer": str(number),
        "Kundengruppe": "Händler" if kind == "trade" else "Endkunden",
        "Anrede": pick(rng, {"Frau": 52, "Herr": 41, "Divers": 1, "": 6}),
        "Vorname": first,
        "Nachname": last,
        "Firma": f"{last} {rng.choice(['GmbH', 'Feinkost', 'Café', 'oHG'])}" if kind == "trade" else "",
        "E-Mail": f"{ascii_of(first)}.{ascii_of(last)}{rng.randint(1, 999)}@{rng.choice(MAIL_DOMAINS)}",
        "Telefon": f"{prefix}{rng.randint(100, 999)}" if rng.random() < 0.45 else "",
        "Straße": f"{rng.choice(STREETS)} {rng.randint(1, 140)}",
        "PLZ": f"{rng.randint(1000, 9999)}" if land in {"AT", "CH"} else f"{rng.randint(1067, 99998):05d}",
        "Ort": rng.choice(("Dresden", "Köln", "Berlin", "Wien", "Zürich", "Görlitz", "Hamburg", "Fürth")),
        "Land": land,
        "Geburtsdatum": german(datetime(1946, 1, 1, tzinfo=UTC) + timedelta(days=rng.randint(0, 22_000))),
        "Sprache": pick(rng, {"de-DE": 90, "en-GB": 10}),
        "Registriert am": german(min(registered, seen), clock=True),
        "Letzte Anmeldung": "" if guest else german(seen, clock=True),
        "Gastbestellung": "ja" if guest else "nein",
        "Aktiv": "1",
        "Anzahl Bestellungen": "0",
        "Gesamtumsatz": "0,00",
        "Bevorzugte Zahlungsart": pick(rng, {"PayPal": 45, "Rechnung": 30, "Kreditkarte": 20, "Vorkasse": 5}),
        "Ernährungspräferenz": rng.choice(DIETS) if rng.random() < 0.28 else "",
        "Interne Bemerkung": rng.choice(REMARKS) if rng.random() < 0.06 else "",
        "Freifeld 2": pick(rng, {"": 88, "A7": 5, "X": 4, "0": 3}),
    }
    if rng.random() > 0.35:
        row["Geburtsdatum"] = ""
    return row, kind


def spoil_shop(rng: random.Random, rows: list[Row]) -> None:
    for row in rng.sample(rows, 90):  # the same person came back as a guest
        row["E-Mail"] = rng.choice(rows)["E-Mail"].title()
    for row in rng.sample(rows, 30):
        row["E-Mail"] = rng.choice(("", "keine@", "test test", "n/a", " "))
    for row in rng.sample(rows, 12):
        row.update({"Vorname": "Test", "Nachname": "Bestellung", "E-Mail": "test@kaffeehof.example"})
    for row in rng.sample(rows, 35):
        row.update({"Kundengruppe": "Mitarbeiter", "E-Mail": f"{ascii_of(row['Vorname'])}@kaffeehof.example"})
    for row in rng.sample(rows, 25):
        row["Registriert am"] = rng.choice(("00.00.0000 00:00", "", "unbekannt"))
    for row in rng.sample(rows, 20):
        row["Geburtsdatum"] = rng.choice(("01.01.1900", "00.00.0000"))
    for row in rng.sample(rows, 15):
        row["Telefon"] = "4,93023E+11"  # what Excel makes of a number
    for row in rng.sample(rows, 60):
        row["Aktiv"] = "0"
    for row in rng.sample(rows, 40):
        row["Ort"] = f"  {row['Ort'].upper()} "


def shop_orders(rng: random.Random, rows: list[Row], kinds: list[str]) -> list[Row]:
    often = {
        "loyal": (5, 11),
        "occasional": (1, 4),
        "once": (1, 1),
        "lapsed": (1, 4),
        "browser": (0, 0),
        "trade": (5, 16),
    }
    orders: list[Row] = []
    for row, kind in zip(rows, kinds, strict=True):
        taste, spent = rng.choice(GOODS), 0.0
        times = rng.randint(*often[kind])
        for _ in range(times):
            day = before(rng, 700, skew=1.4 if kind in {"loyal", "trade"} else 1.0)
            if kind == "lapsed":
                day = EXPORTED_AT - timedelta(days=rng.randint(300, 720))
            amount = round(rng.lognormvariate(5.9 if kind == "trade" else 3.5, 0.5), 2)
            spent += amount
            state = pick(rng, {"Abgeschlossen": 86, "In Bearbeitung": 5, "Storniert": 6, "Retoure": 3})
            orders.append(
                {
                    "Bestellzeit": german(day, clock=True),
                    "Kundennummer": dirty(rng, row["Kundennummer"], 0.02, "", "Gast"),
                    "E-Mail": row["E-Mail"],
                    "Bestellstatus": state,
                    "Zahlungsstatus": "Erstattet" if state == "Retoure" else "Bezahlt",
                    "Zahlungsart": row["Bevorzugte Zahlungsart"],
                    "Gesamtbetrag": dirty(rng, comma(amount), 0.005, "-", ""),
                    "Versandkosten": "0,00" if amount > 49 else "4,90",
                    "Währung": "CHF" if row["Land"] == "CH" else "EUR",
                    "Artikelanzahl": str(max(1, round(amount / 14))),
                    "Hauptkategorie": taste if rng.random() < 0.7 else rng.choice(GOODS),
                    "Gutscheincode": pick(rng, {"": 84, "NEU10": 8, "MAI2026": 5, "FREUNDE15": 3}),
                    "Gerät": pick(rng, {"Mobil": 58, "Desktop": 36, "Tablet": 6}),
                    "utm_source": pick(rng, {"": 40, "newsletter": 25, "google": 22, "instagram": 13}),
                    "Kundenkommentar": dirty(
                        rng, "", 0.02, "Bitte als Geschenk", "Klingel defekt; bitte anrufen"
                    ),
                }
            )
        row["Anzahl Bestellungen"], row["Gesamtumsatz"] = str(times), comma(spent)
    orders.sort(
        key=lambda order: (order["Bestellzeit"][6:10], order["Bestellzeit"][3:5], order["Bestellzeit"])
    )
    return [{"Bestellnummer": f"B{n:06d}"} | order for n, order in enumerate(orders, 20_001)]


def shop_newsletter(rng: random.Random, rows: list[Row], kinds: list[str]) -> list[Row]:
    wishes = {"loyal": 0.8, "occasional": 0.6, "once": 0.4, "lapsed": 0.5, "browser": 0.7, "trade": 0.4}
    entries: list[Row] = []
    strangers = [f"leser{rng.randint(1, 9999)}@{rng.choice(MAIL_DOMAINS)}" for _ in range(350)]
    addresses = [r["E-Mail"] for r, kind in zip(rows, kinds, strict=True) if rng.random() < wishes[kind]]
    for address in [*addresses, *strangers]:
        signed = before(rng, 900)
        state = pick(rng, {"bestätigt": 70, "ausstehend": 13, "abgemeldet": 14, "bounce": 3})
        confirmed = signed + timedelta(minutes=rng.randint(1, 900))
        left = min(confirmed + timedelta(days=rng.randint(2, 400)), EXPORTED_AT)
        entries.append(
            {
                "E-Mail": address.lower(),
                "Status": dirty(rng, state, 0.01, state.upper(), f"{state} "),
                "Angemeldet am": german(signed, clock=True),
                "Bestätigt am": ""
                if state == "ausstehend"
                else german(min(confirmed, EXPORTED_AT), clock=True),
                "Abgemeldet am": german(left, clock=True) if state == "abgemeldet" else "",
                "Quelle": pick(
                    rng, {"Checkout": 55, "Footer": 22, "Gewinnspiel": 12, "Ladengeschäft": 8, "": 3}
                ),
                "IP-Adresse": f"203.0.113.{rng.randint(1, 254)}",
                "Sprache": pick(rng, {"de": 90, "en": 10}),
            }
        )
    return entries


def write_rows(path: Path, rows: Sequence[Row], *, delimiter: str, bom: bool) -> None:
    with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


def write_shop(folder: Path) -> None:
    """Write customers, orders and newsletter sign-ups of a coffee shop."""
    rng = random.Random(41)
    drawn = [shop_customer(rng, number) for number in range(10_001, 13_301)]
    rows, kinds = [row for row, _ in drawn], [kind for _, kind in drawn]
    spoil_shop(rng, rows)
    orders = shop_orders(rng, rows, kinds)
    write_rows(folder / "orders.csv", orders, delimiter=";", bom=True)
    write_rows(folder / "newsletter.csv", shop_newsletter(rng, rows, kinds), delimiter=";", bom=True)
    write_rows(folder / "customers.csv", rows, delimiter=";", bom=True)


# ---- The contact list: HubSpot-like, display names as headers, consent as it stands today ------------

# fmt: off
STAGES = {
    "Subscriber": 20, "Lead": 30, "Marketing Qualified Lead": 15, "Sales Qualified Lead": 7,
    "Opportunity": 6, "Customer": 18, "Evangelist": 1, "Other": 1, "": 2,
}
TITLES = {
    "Marketing Manager": 10, "VP Marketing": 4, "RevOps Lead": 5, "Head of Growth": 4,
    "Sales Director": 6, "Founder": 5, "Demand Generation Specialist": 5, "Product Marketing Manager": 4,
    "marketing mgr": 2, "CEO & Co-Founder": 2, "Student": 2, "": 12,
}
LEGAL = {
    "Legitimate interest – prospect/lead": 34, "Legitimate interest – existing customer": 14,
    "Freely given consent from contact": 26, "Performance of a contract": 5,
    "Freely given consent from contact;Performance of a contract": 3, "Not applicable": 6, "": 12,
}
INDUSTRIES = (
    "COMPUTER_SOFTWARE", "FINANCIAL_SERVICES", "RETAIL", "HOSPITAL_HEALTH_CARE", "EDUCATION_MANAGEMENT",
    "",
)
# fmt: on
PLACES = ("North", "Blue", "Iron", "Clear", "Red", "Hill", "Lake", "Oak")
PAGES = ("", "pricing", "blog/revops", "demo")
# fmt: off
SOURCES = {
    "Organic Search": 30, "Direct Traffic": 18, "Paid Search": 14, "Offline Sources": 14,
    "Email Marketing": 9, "Paid Social": 8, "Referrals": 7,
}
# fmt: on
MESSAGES = (
    "Hi, we'd like a demo for our team of 12. Thanks, call me after 3pm",
    "pricing??",
    "Currently with a competitor, contract ends in Q3.\nPlease follow up.",
    'Saw the "State of RevOps" report; can you share the data?',
)


def american(moment: datetime | None) -> str:
    """Return a moment as a US portal exports it: 03/07/2026 9:05 PM."""
    if moment is None:
        return ""
    return f"{moment:%m/%d/%Y} {moment.hour % 12 or 12}:{moment:%M %p}"


def crm_company(rng: random.Random, number: int) -> Row:
    name = f"{rng.choice(PLACES)}{rng.choice(('gate', 'field', 'bridge', 'stone', 'wave'))} {number}"
    return {
        "Associated Company": f"{name}{rng.choice((', Inc.', ' LLC', ' Ltd', ''))}",
        "Associated Company IDs": str(9_000_000_000 + number * 37),
        "Industry": rng.choice(INDUSTRIES),
        "Company size": pick(rng, {"1-10": 20, "11-50": 30, "51-200": 25, "201-1000": 15, "1000+": 6, "": 4}),
        "Annual Revenue": rng.choice(("", str(rng.randint(2, 900) * 100_000))),
        "Country/Region": pick(
            rng, {"United States": 55, "United Kingdom": 15, "Germany": 10, "Canada": 10, "USA": 4, "": 6}
        ),
        "Email Domain": f"{ascii_of(name)}.example",
    }


def crm_activity(rng: random.Random, stage: str) -> dict[str, int]:
    heat = {"Customer": 3.2, "Opportunity": 3.0, "Sales Qualified Lead": 2.6, "Marketing Qualified Lead": 2.0}
    views = int(rng.lognormvariate(heat.get(stage, 0.7), 0.9))
    sent = rng.randint(0, 60)
    opened = min(sent, int(views * rng.random() * 0.9))
    return {
        "Number of Pageviews": views,
        "Number of Sessions": max(min(views, 1), views // 3),
        "Number of Form Submissions": min(6, views // 12 + (rng.random() < 0.3)),
        "Marketing emails delivered": sent,
        "Marketing emails opened": opened,
        "Marketing emails clicked": int(opened * rng.random() * 0.5),
    }


def crm_contact(rng: random.Random, number: int, company: Row) -> Row:
    first, last = rng.choice(ENGLISH_FIRST), rng.choice(ENGLISH_LAST)
    stage = pick(rng, STAGES)
    activity = crm_activity(rng, stage)
    created = before(rng, 1500)
    active = before(rng, 40 if activity["Number of Pageviews"] > 12 else 600, skew=1.2)
    customer_since = before(rng, 700) if stage in {"Customer", "Evangelist"} else None
    out = pick(rng, {"true": 14, "false": 66, "": 20})
    opened = active if activity["Marketing emails opened"] else None
    consented = {
        "Opted out of email: Marketing Information": out,
        "Opted out of email: Product Updates": pick(rng, {"true": 8, "false": 62, "": 30}),
        "Unsubscribed from all email": "true" if out == "true" and rng.random() < 0.5 else "false",
        "Marketing contact status": pick(rng, {"Marketing contact": 70, "Non-marketing contact": 30}),
        "Legal basis for processing contact's data": pick(rng, LEGAL),
    }
    return {
        "Record ID": str(51_000_000_000 + number * 151),
        "First Name": first,
        "Last Name": last,
        "Email": f"{ascii_of(first)}.{ascii_of(last)}{number % 97}@{company['Email Domain']}",
        "Phone Number": f"+1 {rng.choice((212, 415, 617))}-555-01{rng.randint(0, 99):02d}"
        if rng.random() < 0.4
        else "",
        "Job Title": pick(rng, TITLES),
        "Buying Role": pick(rng, {"": 70, "Decision Maker": 12, "Champion": 10, "End User": 8}),
        **{name: value for name, value in company.items() if name != "Email Domain"},
        "City": rng.choice(("Boston", "New York", "Austin", "London", "Berlin", "Toronto", "")),
        "Preferred language": pick(rng, {"en": 74, "de": 8, "fr": 4, "": 14}),
        "Lifecycle Stage": stage,
        "Lead Status": pick(
            rng, {"New": 30, "Open": 20, "Attempted to contact": 20, "Bad timing": 5, "": 25}
        ),
        "Contact owner": pick(rng, {"Dana Whitfield": 30, "Luis Ortega": 30, "Mara Lindqvist": 20, "": 20}),
        "Create Date": american(min(created, active)),
        "Last Modified Date": american(before(rng, 30)),
        "Last Activity Date": american(active if activity["Number of Pageviews"] else None),
        "Original Source": pick(rng, SOURCES),
        "First Page Seen": f"https://www.fernhill.example/{rng.choice(PAGES)}",
        **{name: str(count) for name, count in activity.items()},
        "Last marketing email open date": american(opened),
        "HubSpot Score": str(min(100, activity["Number of Pageviews"] + rng.randint(0, 25))),
        **consented,
        "Became a Customer Date": american(customer_since),
        "Recent Deal Amount": f"{rng.randint(8, 400) * 125}.00"
        if customer_since or stage == "Opportunity"
        else "",
        "Email Domain": company["Email Domain"],
        "Message": rng.choice(MESSAGES) if rng.random() < 0.05 else "",
    }


def write_crm(folder: Path) -> None:
    """Write one list of contacts of a B2B software vendor."""
    rng = random.Random(42)
    companies = [crm_company(rng, number) for number in range(1, 901)]
    contacts = [crm_contact(rng, number, rng.choice(companies)) for number in range(1, 4_001)]
    for row in rng.sample(contacts, 110):
        row["Email"] = rng.choice(contacts)["Email"].upper()
    for row in rng.sample(contacts, 60):
        row["Email"] = rng.choice(("", "unknown", "noemail@", "-"))
    for row in rng.sample(contacts, 40):
        row.update(
            {"Email": f"{ascii_of(row['First Name'])}@fernhill.example", "Email Domain": "fernhill.example"}
        )
    for row in rng.sample(contacts, 15):
        row.update(
            {"First Name": "Test", "Last Name": "Test", "Email": f"test+{rng.randint(1, 99)}@example.com"}
        )
    for row in rng.sample(contacts, 20):
        row["Number of Pageviews"] = rng.choice(("1,204", "", "2,377"))
    for row in rng.sample(contacts, 25):
        row["Create Date"] = rng.choice(("", "Invalid date"))
    for row in rng.sample(contacts, 30):
        row["Annual Revenue"] = rng.choice(("$1,200,000", "n/a", "unknown"))
    write_rows(folder / "hubspot-crm-exports-all-contacts-2026-05-31.csv", contacts, delimiter=",", bom=False)


# ---- The SaaS product: typed Parquet out of its own database -----------------------------------------

STAMP = pa.timestamp("us", tz="UTC")
# fmt: off
FEATURES = {
    "report_viewed": 30, "dashboard_created": 8, "integration_connected": 3, "teammate_invited": 4,
    "export_downloaded": 6, "alert_configured": 3, "comment_added": 10, "search_performed": 14,
    "upgrade_page_viewed": 4, "help_article_opened": 5,
}
# fmt: on
PRICES = {"starter": 29, "team": 99, "business": 349}

Record = dict[str, object]


def saas_account(rng: random.Random, number: int) -> Record:
    plan = pick(rng, {"free": 38, "trial": 14, "starter": 22, "team": 18, "business": 8})
    created = before(rng, 13 if plan == "trial" else 900, skew=1.0)
    name = f"{rng.choice(ENGLISH_LAST)} {rng.choice(('Labs', 'Logistics', 'Studio', 'Health', 'Foods'))}"
    internal = number <= 4
    return {
        "account_id": f"acc_{number:05d}",
        "name": "Quillmark (internal)" if internal else dirty(rng, name, 0.02, "Test Account", "asdf"),
        "domain": "quillmark.example" if internal else f"{ascii_of(name)}{number}.example",
        "industry": rng.choice(("software", "retail", "healthcare", "education", "logistics", None)),
        "employee_count": rng.choice((None, 4, 12, 30, 80, 240, 1200)),
        "country_code": pick(rng, {"US": 40, "GB": 15, "DE": 18, "FR": 10, "us": 2, "NL": 10}),
        "plan": plan,
        "mrr_cents": PRICES.get(plan, 0) * 100 * rng.randint(1, 6),
        "health_score": round(rng.random() * 100, 1) if rng.random() < 0.8 else None,
        "csm_email": rng.choice(("iris@quillmark.example", "otto@quillmark.example", None)),
        "trial_ends_at": created + timedelta(days=14),
        "is_internal": internal,
        "created_at": created,
    }


def saas_user(rng: random.Random, number: int, account: Record) -> Record:
    first, last = rng.choice(ENGLISH_FIRST), rng.choice(ENGLISH_LAST)
    created = account["created_at"]
    assert isinstance(created, datetime)
    joined = created + (EXPORTED_AT - created) * (rng.random() ** 2 * 0.9)
    opted = pick(rng, {True: 44, False: 34, None: 22})
    return {
        "user_id": f"{rng.getrandbits(48):012x}",
        "account_id": None if rng.random() < 0.01 else account["account_id"],
        "email": f"{ascii_of(first)}.{ascii_of(last)}{number % 61}@{account['domain']}",
        "full_name": f"{first} {last}",
        "phone_e164": f"+4420794601{rng.randint(0, 99):02d}" if rng.random() < 0.15 else None,
        "role": pick(rng, {"member": 60, "admin": 22, "viewer": 16, "owner": 2}),
        "job_function": rng.choice(("marketing", "sales", "engineering", "operations", "finance", None)),
        "signup_source": pick(rng, {"organic": 40, "invite": 30, "google_ads": 18, "partner": 7, None: 5}),
        "locale": pick(rng, {"en-US": 50, "en-GB": 18, "de-DE": 18, "fr-FR": 10, None: 4}),
        "time_zone": rng.choice(("America/New_York", "Europe/London", "Europe/Berlin", None)),
        "created_at": joined,
        "last_seen_at": None,
        "email_verified": rng.random() < 0.9,
        "marketing_opt_in": opted,
        "marketing_opt_in_at": None if opted is None else joined + timedelta(seconds=rng.randint(5, 400)),
        "mfa_enabled": rng.random() < 0.2,
        "is_staff": account["is_internal"],
        "deleted_at": joined + (EXPORTED_AT - joined) * rng.random() if rng.random() < 0.02 else None,
        "_synced_at": EXPORTED_AT - timedelta(minutes=rng.randint(0, 50)),
    }


def saas_properties(rng: random.Random, name: str) -> str | None:
    if rng.random() < 0.05:
        return None
    path = rng.choice(("/home", "/reports", "/settings/billing"))
    extra: dict[str, object] = {"source": rng.choice(("sidebar", "palette", "mail")), "path": path}
    if name == "integration_connected":
        extra = {"integration": rng.choice(("hubspot", "slack", "salesforce"))}
    return json.dumps(extra, sort_keys=True)


def saas_events(rng: random.Random, users: list[Record], plans: Mapping[object, object]) -> list[Record]:
    events: list[Record] = []
    for user in users:
        joined = user["created_at"]
        assert isinstance(joined, datetime)
        paying = plans.get(user["account_id"]) in PRICES
        mood = pick(rng, {"power": 15, "regular": 35, "dormant": 32, "never": 18 if not paying else 6})
        latest = EXPORTED_AT - timedelta(
            days=rng.randint(60, 200) if mood == "dormant" else rng.random() * 12
        )
        if mood != "dormant":
            latest = max(latest, joined + (EXPORTED_AT - joined) * 0.8)
        start = max(joined, EXPORTED_AT - timedelta(days=240))
        for _ in range(0 if latest < start else {"power": 45, "regular": 13, "dormant": 7, "never": 0}[mood]):
            when = start + (latest - start) * rng.random() ** 0.7
            name = pick(rng, FEATURES)
            events.append(
                {
                    "anonymous_id": f"anon-{rng.getrandbits(24):06x}" if rng.random() < 0.04 else None,
                    "user_id": None if rng.random() < 0.03 else user["user_id"],
                    "event": name,
                    "occurred_at_ms": int(when.timestamp()) * 1000,
                    "received_at": when.replace(microsecond=0) + timedelta(seconds=rng.randint(0, 9)),
                    "platform": pick(rng, {"web": 80, "ios": 12, "android": 8}),
                    "properties": saas_properties(rng, name),
                }
            )
        user["last_seen_at"] = latest if mood != "never" and latest > joined else None
    events.sort(key=lambda event: (str(event["received_at"]), str(event["user_id"])))
    return [{"event_id": f"evt_{number:07d}"} | event for number, event in enumerate(events)]


def saas_subscriptions(rng: random.Random, accounts: list[Record]) -> list[Record]:
    rows: list[Record] = []
    for account in accounts:
        created, plan = account["created_at"], str(account["plan"])
        assert isinstance(created, datetime)
        if plan == "free" and rng.random() < 0.6:
            continue
        price = PRICES.get(plan, 0)
        status = {"trial": "trialing", "free": "canceled"}.get(plan) or pick(
            rng, {"active": 92, "past_due": 8}
        )
        ended = created + (EXPORTED_AT - created) * rng.random() if status == "canceled" else None
        rows.append(
            {
                "subscription_id": f"sub_{rng.getrandbits(32):08x}",
                "account_id": account["account_id"],
                "plan": plan if plan in PRICES else "starter",
                "status": status,
                "billing_interval": pick(rng, {"month": 70, "year": 30}),
                "seats": rng.choice((1, 3, 5, 10, 25)),
                "amount": float(price * rng.randint(1, 6)),
                "currency": pick(rng, {"USD": 60, "EUR": 30, "GBP": 10}),
                "trial_end": created + timedelta(days=14),
                "started_at": created,
                "canceled_at": ended,
                "cancel_reason": rng.choice(("too expensive", "missing feature", None)) if ended else None,
            }
        )
    return rows


def write_records(path: Path, rows: Sequence[Record], **types: pa.DataType) -> None:
    columns = {
        name: pa.array(
            [row[name] for row in rows], type=types.get(name, STAMP if name.endswith("_at") else None)
        )
        for name in rows[0]
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def write_saas(folder: Path) -> None:
    """Write accounts, users, subscriptions and events of an analytics product."""
    rng = random.Random(43)
    accounts = [saas_account(rng, number) for number in range(1, 801)]
    sizes = {1: 30, 2: 22, 4: 20, 8: 14, 14: 8}
    users = [
        saas_user(rng, number, account)
        for number, account in enumerate(a for a in accounts for _ in range(pick(rng, sizes)))
    ]
    for user in rng.sample(users, 60):
        user["email"] = str(rng.choice(users)["email"]).capitalize()
    for user in rng.sample(users, 20):
        user.update({"email": "qa+load@quillmark.example", "full_name": "QA Robot"})
    events = saas_events(rng, users, {account["account_id"]: account["plan"] for account in accounts})
    write_records(folder / "accounts.parquet", accounts, employee_count=pa.int32())
    write_records(folder / "users.parquet", users)
    write_records(folder / "subscriptions.parquet", saas_subscriptions(rng, accounts), trial_end=STAMP)
    write_records(folder / "events.parquet", events, occurred_at_ms=pa.int64())


EXPORTS = {"shop": write_shop, "crm": write_crm, "saas": write_saas}


if __name__ == "__main__":
    for export, write in EXPORTS.items():
        (Path(sys.argv[1]) / export).mkdir(parents=True, exist_ok=True)
        write(Path(sys.argv[1]) / export)
