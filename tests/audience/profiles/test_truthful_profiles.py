"""Names and sentences of profiles say no more than their conditions do, on exports as others write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from tests.audience.profiles.conftest import (
    AS_OF,
    Company,
    Opener,
    accepted,
    contact_data,
    moments,
    saas_data,
    shop_data,
)

from gtm_orchestra.audience.profiles.choosing import read
from gtm_orchestra.audience.profiles.distributions import Distribution
from gtm_orchestra.audience.profiles.signals import Signal, read_signals
from gtm_orchestra.audience.profiles.thresholds import ending_cut, recency_cuts, upper_cut
from gtm_orchestra.audience.wording import in_figures
from gtm_orchestra.config import AttributeSettings, AttributeType

if TYPE_CHECKING:
    from gtm_orchestra.audience.contracts import Profile, Profiles


def defined(company: Company, initiative: str) -> Profiles:
    return company.define(objectives=company.objectives(initiative))


def named(company: Company, name: str, initiative: str = "Summer") -> Profile:
    (profile,) = [one for one in defined(company, initiative).profiles if one.name == name]
    return profile


def names(company: Company, initiative: str = "Summer") -> list[str]:
    return [one.name for one in defined(company, initiative).profiles]


@pytest.fixture(scope="module")
def german_shop(open_company: Opener) -> Company:
    """Open a shop whose customers carry their number of orders, their revenue and a customer group."""
    tables, config = shop_data()
    random = np.random.default_rng(5)
    customers, ids = tables["customers"], tables["customers"]["customer_id"].to_pylist()
    buyers, orders = np.unique(tables["orders"]["customer_id"].to_pylist(), return_counts=True)
    counted = dict(zip(buyers.tolist(), orders.tolist(), strict=True))
    groups = random.choice(["Endkunden", "Händler", "Mitarbeiter"], len(ids), p=[0.9, 0.06, 0.04])
    renamed = {"registered_at": "Registriert am", "total_spent": "Gesamtumsatz"}
    tables["customers"] = (
        customers.rename_columns([renamed.get(name, name) for name in customers.column_names])
        .append_column("Anzahl Bestellungen", pa.array([counted.get(one, 0) for one in ids]))
        .append_column("Kundengruppe", pa.array(groups))
    )
    config["tables"]["people"]["columns"]["created_at"] = "Registriert am"
    attributes = {name: config["attributes"][name] for name in ("country", "days_since_order")}
    attributes |= {
        "orders_90d": config["attributes"]["orders_365d"] | {"window": "90d"},
        "registriert_am": accepted(table="people", column="Registriert am", type="timestamp"),
        "anzahl_bestellungen": accepted(table="people", column="Anzahl Bestellungen", type="number"),
        "gesamtumsatz": accepted(table="people", column="Gesamtumsatz", type="number"),
        "kundengruppe": accepted(table="people", column="Kundengruppe", type="string"),
    }
    return open_company(
        tables, config | {"attributes": attributes, "workspace": {"name": "Laden", "currency": "EUR"}}
    )


@pytest.fixture(scope="module")
def funnel(open_company: Opener) -> Company:
    """Open a CRM export with every stage from subscriber to customer, and a score."""
    tables, config = contact_data(5_000)
    random = np.random.default_rng(6)
    stages = ["Subscriber", "Lead", "Sales Qualified Lead", "Opportunity", "Customer"]
    contacts = tables["contacts"]
    stage = pa.array(random.choice(stages, contacts.num_rows, p=[0.2, 0.3, 0.1, 0.15, 0.25]))
    contacts = contacts.set_column(contacts.column_names.index("Lifecycle Stage"), "Lifecycle Stage", stage)
    score = contacts["Marketing emails opened"].to_numpy() + random.integers(0, 9, contacts.num_rows)
    tables["contacts"] = contacts.append_column("HubSpot Score", pa.array(score))
    attributes = {n: a for n, a in config["attributes"].items() if n != "emails_opened"}
    attributes["hubspot_score"] = accepted(table="people", column="HubSpot Score", type="number")
    return open_company(tables, config | {"attributes": attributes})


@pytest.fixture(scope="module")
def product(open_company: Opener) -> Company:
    """Open a product with trials about to end, late payers, security settings and scores of accounts."""
    tables, config = saas_data(6_000)
    random = np.random.default_rng(7)
    accounts, users = tables["accounts"], tables["users"]
    plan = np.array(accounts["plan"].to_pylist())
    paying, number = np.isin(plan, ["pro", "enterprise"]), len(plan)
    late = paying & (random.random(number) < 0.3)
    status = np.where(late, "past_due", np.where(plan == "trial", "trialing", "active"))
    ends = np.where(plan == "trial", random.uniform(-14, 0, number), 200.0)
    cents = np.where(paying, random.integers(1, 99, number) * 1_000, 0)
    tables["accounts"] = (
        accounts.append_column("subscription_status", pa.array(status))
        .append_column("trial_ends_at", pa.array(moments(ends)))
        .append_column("mrr_cents", pa.array(cents))
        .append_column("health_score", pa.array(random.uniform(0, 100, number)))
    )
    tables["users"] = users.append_column("mfa_enabled", pa.array(random.random(users.num_rows) < 0.3))
    config["attributes"] |= {
        "mfa_enabled": accepted(table="people", column="mfa_enabled", type="boolean"),
        "subscription_status": accepted(table="accounts", column="subscription_status", type="string"),
        "account_trial_ends_at": accepted(table="accounts", column="trial_ends_at", type="timestamp"),
        "account_mrr_cents": accepted(table="accounts", column="mrr_cents", type="number"),
        "account_health_score": accepted(table="accounts", column="health_score", type="number"),
    }
    return open_company(tables, config)


def test_a_first_order_is_the_only_one_of_all(german_shop: Company) -> None:
    once = [
        one
        for one in defined(german_shop, "Retention").profiles
        if one.name in {"One-time buyers to bring back", "First order just made"}
    ]
    assert once
    for profile in once:
        assert profile.eligibility["anzahl_bestellungen"] == 1
        assert "one order in all; " in profile.description


def test_without_a_count_of_all_orders_the_window_is_said(shop: Company) -> None:
    found = names(shop)
    assert "One-time buyers to bring back" not in found
    assert "First order just made" not in found
    assert named(shop, "One order in the last 365 days").description == (
        "People who ordered once in the last 365 days, and maybe before: one order in the last 365 days."
    )
    assert named(shop, "Repeat buyers due for an order").description.startswith(
        "People with at least two orders in the last 365 days, none of them lately: "
    )


def test_the_best_customers_are_told_by_revenue_in_the_currency_of_the_workspace(
    german_shop: Company,
) -> None:
    best = named(german_shop, "Best customers by lifetime revenue")
    assert re.fullmatch(
        r"People of high lifetime revenue: gesamtumsatz at least EUR [0-9,]+\.00\.", best.description
    )


def test_trade_customers_are_a_profile_although_a_column_tells_them(german_shop: Company) -> None:
    trade = named(german_shop, "Trade customers (Händler)")
    assert trade.profile_id == "trade-customers-handler"
    assert trade.eligibility == {"kundengruppe": "Händler"}
    assert not [name for name in names(german_shop) if "Endkunden" in name or "Mitarbeiter" in name]


def test_people_without_an_order_are_the_subscribers_to_win_by_mail(german_shop: Company) -> None:
    never = named(german_shop, "Signed up, never ordered")
    assert never.eligibility["anzahl_bestellungen"] == 0
    assert never.description.startswith(
        "People on file for a while without an order (on e-mail: the subscribers among them): "
    )
    assert never.volume["email"] > 0


def test_few_shoppers_are_left_to_the_fallback(german_shop: Company) -> None:
    assert defined(german_shop, "Summer").unassigned < 0.25 * german_shop.frame.people


def test_leads_for_sales_are_with_sales_neither_yet_nor_too_early(funnel: Company) -> None:
    assert named(funnel, "Leads ready for sales").eligibility["lifecycle_stage"] == "Lead"
    with_sales = named(funnel, "Sales-qualified leads and opportunities going quiet")
    assert with_sales.eligibility["lifecycle_stage"] == {"$in": ["Opportunity", "Sales Qualified Lead"]}


def test_without_product_use_nobody_is_a_power_user(funnel: Company, saas: Company) -> None:
    assert "Most engaged customers" in names(funnel)
    assert not [name for name in names(funnel) if "Power" in name]
    assert "Power users among customers" in names(saas)


def test_quiet_lies_between_two_cuts_and_dormant_begins_where_it_ends(funnel: Company) -> None:
    quiet = named(funnel, "Customers going quiet", "Retention")
    dormant = named(funnel, "Dormant customers", "Retention")
    times = quiet.eligibility["last_activity_date"]
    assert set(times) == {"$gte", "$lt"}
    assert dormant.eligibility["last_activity_date"] == {"$lt": times["$gte"]}
    shorter, longer = [(AS_OF - datetime.fromisoformat(times[operator])).days for operator in ("$lt", "$gte")]
    assert quiet.description == (
        "Customers who were active before and have not been lately: lifecycle stage is Customer; "
        f"last active {shorter} to {longer} days ago."
    )
    shared = {(one.left, one.right): one.people for one in defined(funnel, "Retention").overlaps}
    assert shared["customers-going-quiet", "dormant-customers"] == 0


def test_a_week_is_not_quiet() -> None:
    cuts = recency_cuts(Distribution(1_000, 1_000, 1_000, (0, 0, 1, 3, 9)), "usage")
    assert cuts is not None
    assert (cuts.active.value, cuts.quiet.value, cuts.dormant.value) == (7, 14, 30)
    assert cuts.quiet.evidence == (
        "median of 1,000 people with a value: 1 day, kept between 7 and 45 days, rounded to 7 days; "
        "nobody is quiet within 14 days"
    )


def test_dormant_begins_within_a_quarter_however_long_most_are_away() -> None:
    cuts = recency_cuts(Distribution(1_000, 1_000, 1_000, (1, 9, 200, 500, 900)), "usage")
    assert cuts is not None
    assert cuts.dormant.evidence == (
        "75th percentile of 1,000 people with a value: 500 days, at the latest 90 days, rounded to 90 days"
    )


def test_whoever_signed_in_has_not_ordered() -> None:
    signals = [
        Signal("depth", "orders", "number", kind="orders", lifetime=True),
        Signal("recency", "last_login", "timestamp", kind="usage"),
    ]
    spread = Distribution(1_000, 900, 800, (1, 5, 20, 60, 90), 100)
    reading = read(
        signals,
        as_of=AS_OF,
        people=1_000,
        distributions={signal.attribute: spread for signal in signals},
        values={},
    )
    assert reading.active("usage") is not None
    assert reading.active("orders") is None


def test_staff_and_what_most_people_are_make_no_customer_group() -> None:
    counts = {"Endkunden": 700, "Mitarbeiter": 150, "Händler": 150}
    reading = read(
        [Signal("group", "kundengruppe", "string")],
        as_of=AS_OF,
        people=1_000,
        distributions={},
        values={"kundengruppe": counts},
    )
    assert [(group.value, group.is_trade) for group in reading.groups] == [("Händler", True)]


def test_security_and_settings_are_no_steps(product: Company) -> None:
    found = defined(product, "PLG Onboarding").profiles
    assert not [one for one in found if "mfa_enabled" in one.attributes or "MFA" in one.name]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("mfa_enabled", "boolean"),
        ("email_verified", "boolean"),
        ("has_api_key", "boolean"),
        ("password_set", "boolean"),
        ("verified_at", "timestamp"),
        ("account_health_score", "number"),
        ("churn_risk_score", "number"),
        ("marketing_emails_delivered", "number"),
        ("num_associated_deals", "number"),
    ],
)
def test_settings_and_scores_of_somebody_else_are_nothing_a_person_did(
    shop: Company, column: str, kind: AttributeType
) -> None:
    fact = shop.inventory().attributes[0].model_copy(update={"name": column, "type": kind})
    settings = AttributeSettings(table="people", column=column, type=kind)
    assert read_signals([fact], {column: settings}) == ()


@pytest.mark.parametrize(
    "event", ["mfa_enabled", "password_reset", "api_key_created", "export_failed", "email_verified"]
)
def test_technical_events_are_no_steps(shop: Company, event: str) -> None:
    settings = AttributeSettings(table="events", event=event, measure="count", window="90d", type="number")
    fact = shop.inventory().attributes[0].model_copy(update={"name": f"{event}_90d", "type": "number"})
    assert read_signals([fact], {fact.name: settings}) == ()


def test_an_account_is_not_engaged_in_the_place_of_its_people(shop: Company) -> None:
    fact = shop.inventory().attributes[0].model_copy(update={"name": "logins", "type": "number"})
    own = AttributeSettings(table="people", column="logins", type="number")
    assert [signal.role for signal in read_signals([fact], {"logins": own})] == ["depth"]
    assert read_signals([fact], {"logins": own.model_copy(update={"table": "accounts"})}) == ()


def test_steps_come_after_what_the_lifecycle_says_of_trials(product: Company) -> None:
    found = names(product, "PLG Onboarding")
    steps = [at for at, name in enumerate(found) if name.startswith("Ready to ")]
    trials = [at for at, name in enumerate(found) if name.startswith(("Trials that end", "Trials ready"))]
    assert trials
    assert steps
    assert max(trials) < min(steps)


def test_a_trial_about_to_end_is_a_profile(product: Company) -> None:
    ending = named(product, "Trials that end within 7 days", "Conversion")
    ends = ending.eligibility["account_trial_ends_at"]
    assert datetime.fromisoformat(ends["$gte"]) == AS_OF
    assert datetime.fromisoformat(ends["$lte"]) == AS_OF + timedelta(days=7)
    assert ending.decay_window == "7d"


def test_late_payers_are_a_profile_although_a_column_tells_them(product: Company) -> None:
    late = named(product, "Past-due payers")
    assert late.eligibility == {"subscription_status": "past_due"}
    assert late.description == "People whose payment is overdue: subscription status is past_due."


def test_the_end_of_a_trial_is_within_a_week() -> None:
    cut = ending_cut(Distribution(900, 230, 230, (0.5, 2, 9, 11, 13)))
    assert cut is not None
    assert cut.value == 7
    assert cut.evidence == (
        "median of 230 people whose trial is yet to end: 9 days, kept between 3 and 7 days, rounded to 7 days"
    )
    assert ending_cut(Distribution(900, 0, 0)) is None


def test_cents_are_said_as_money(product: Company) -> None:
    best = named(product, "Best customers by account mrr", "Upsell")
    (cut,) = [threshold for threshold in best.thresholds if threshold.attribute == "account_mrr_cents"]
    assert isinstance(cut.value, int | float)
    assert best.description.endswith(f"account mrr at least USD {cut.value / 100:,.2f}.")
    assert re.search(r": USD [0-9,]+\.[0-9]{2}$", cut.evidence)


def test_a_condition_that_keeps_nearly_everybody_in_is_not_written(open_company: Opener) -> None:
    tables, config = saas_data()
    plans = tables["accounts"]["plan"].to_pylist()
    kept = pa.array(["free" if one == "canceled" else one for one in plans])
    tables["accounts"] = tables["accounts"].set_column(1, "plan", kept)
    step = named(open_company(tables, config), "Ready to invite a member", "PLG Onboarding")
    assert "plan" not in step.attributes


def test_no_figure_has_an_exponent(product: Company) -> None:
    cut = upper_cut(Distribution(9, 9, 9, (1, 2, 3, 49_523.0, 9e9)))
    assert cut is not None
    assert cut.evidence == "75th percentile of 9 people with a value: 49,523"
    assert [in_figures(value) for value in (4.95e4, 1e21, 0.000012, 12.5)] == [
        "49,500",
        "1,000,000,000,000,000,000,000",
        "0.000012",
        "12.5",
    ]
    text = product.define().model_dump_json(include={"profiles", "findings"})
    assert not re.search(r"[0-9]e[+-][0-9]", text)


@pytest.mark.parametrize("minimum", [100, 1_000])
def test_how_few_are_kept_out_cannot_be_told_from_any_two_numbers(product: Company, minimum: int) -> None:
    raw = product.config.model_dump(by_alias=True) | {"policies": {"group_minimum": minimum}}
    company = Company(product.root, type(product.config).model_validate(raw), product.frame)
    everybody = company.frame.people
    staff = sum(row["is_internal"] for row in company.rows("is_internal"))
    assert 100 < staff < 1_000
    found = company.define()
    assert f"of {everybody:,} people" in found.model_dump_json()
    assert f"{everybody - staff:,}" not in found.model_dump_json()
    asked, node = [], found.tree
    while node.no is not None:
        asked.append(node.people)
        node = node.no
    assert asked[:2] == [everybody, everybody - staff if staff >= minimum else everybody]
