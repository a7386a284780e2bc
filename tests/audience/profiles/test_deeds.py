"""What is a person's own deed, what is ours, and how both are said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.audience.profiles.conftest import AS_OF

from gtm_orchestra.audience.profiles.choosing import read
from gtm_orchestra.audience.profiles.distributions import Distribution
from gtm_orchestra.audience.profiles.patterns import candidates
from gtm_orchestra.audience.profiles.signals import Signal, read_signals, stage_of
from gtm_orchestra.audience.wording import next_step, past_step
from gtm_orchestra.config import AttributeSettings, AttributeType

if TYPE_CHECKING:
    from tests.audience.profiles.conftest import Company

    from gtm_orchestra.audience.profiles.candidates import Candidate
    from gtm_orchestra.audience.profiles.reading import Reading

SPREAD = Distribution(1_000, 900, 600, (0, 3, 90, 200, 400))


def roles(company: Company, **columns: tuple[str, AttributeType]) -> dict[str, str]:
    """Return the signal of each column: catalog name → (header, type)."""
    fact = company.inventory().attributes[0]
    settings = {
        name: AttributeSettings(table="people", column=column, type=kind)
        for name, (column, kind) in columns.items()
    }
    facts = [
        fact.model_copy(update={"name": name, "type": kind, "distinct": 2})
        for name, (_, kind) in columns.items()
    ]
    return {signal.attribute: signal.role for signal in read_signals(facts, settings)}


def reading(*signals: Signal, **values: dict[str, int]) -> Reading:
    return read(
        signals,
        as_of=AS_OF,
        people=1_000,
        distributions={signal.attribute: SPREAD for signal in signals},
        values=values,
    )


def offered(found: Reading) -> dict[str, Candidate]:
    return {candidate.name: candidate for candidate in candidates(found)}


def test_a_call_by_sales_is_no_sign_of_life_of_the_person_called(shop: Company) -> None:
    last: tuple[str, AttributeType] = ("Last activity date", "timestamp")
    crm: dict[str, Any] = {
        "next_activity_date": ("Person - Next activity date", "timestamp"),
        "done_activities": ("Person - Done activities", "number"),
        "last_contacted": ("Last contacted", "timestamp"),
    }
    assert roles(shop, last_activity_date=last) == {"last_activity_date": "recency"}
    assert roles(shop, last_activity_date=last, **crm) == {}


@pytest.mark.parametrize("event", ["$autocapture", "$pageleave", "$identify", "$feature_flag_called"])
def test_what_a_library_sends_by_itself_is_no_step_and_no_use(shop: Company, event: str) -> None:
    settings = AttributeSettings(table="events", event=event, measure="count", window="30d", type="number")
    fact = shop.inventory().attributes[0].model_copy(update={"name": "a", "type": "number"})
    assert read_signals([fact], {"a": settings}) == ()


def test_labels_and_deals_of_a_crm_are_its_stages(shop: Company) -> None:
    assert [stage_of(label) for label in ("Customer", "Hot lead", "Cold lead")] == [
        "customer",
        "lead",
        "lead",
    ]
    assert roles(
        shop,
        label=("Person - Label", "string"),
        open_deals=("Person - Open deals", "number"),
        won_deals=("Won deals", "number"),
        is_guest=("is_guest", "number"),
    ) == {"label": "stage", "open_deals": "open_deals", "won_deals": "won_deals", "is_guest": "guest"}


def test_deals_tell_who_is_in_talks_who_bought_and_who_said_no() -> None:
    found = offered(
        reading(
            Signal("open_deals", "open_deals", "number"),
            Signal("won_deals", "won_deals", "number"),
            Signal("lost_deals", "lost_deals", "number"),
        )
    )
    conditions = {
        name: {key: value for clause in candidate.clauses for key, value in clause.condition.items()}
        for name, candidate in found.items()
    }
    assert conditions == {
        "In talks: an open deal, none won yet": {"open_deals": {"$gte": 1}, "won_deals": 0},
        "Customers by a won deal": {"won_deals": {"$gte": 1}, "open_deals": 0},
        "Lost deals to win back": {"lost_deals": {"$gte": 1}, "won_deals": 0, "open_deals": 0},
    }


def test_a_first_order_is_news_for_a_month_and_a_guest_never_signed_up() -> None:
    found = offered(
        reading(
            Signal(
                "recency", "days_since_order", "number",
                kind="orders", event="order_placed", measure="days_since_last",
            ),
            Signal("depth", "orders", "number", kind="orders", lifetime=True),
            Signal("tenure", "created_at", "timestamp"),
            Signal("guest", "is_guest", "number"),
        )
    )  # fmt: skip
    first = found["First order just made"]
    assert [clause.says for clause in first.clauses] == ["one order in all", "last order at most 30 days ago"]
    assert first.clauses[1].thresholds[0].evidence.endswith(", cut at 30 days")
    assert [clause.says for clause in found["Signed up, never ordered"].clauses] == [
        "not a guest",
        "joined more than 14 days ago",
        "no orders so far",
    ]


def test_a_step_is_said_as_what_somebody_has_done() -> None:
    def step(attribute: str, event: str) -> Signal:
        return Signal(
            "milestone", attribute, "number", event=event, measure="days_since_last", table="events"
        )

    found = offered(
        read(
            (
                step("a", "onboarding step completed"),
                step("b", "shift swapped"),
                Signal("recency", "any", "number", kind="usage", event="*", measure="days_since_last"),
            ),
            as_of=AS_OF,
            people=1_000,
            distributions={
                "a": Distribution(1_000, 700, 700, (0, 3, 20, 60, 200)),
                "b": Distribution(1_000, 300, 300, (0, 3, 20, 60, 200)),
                "any": Distribution(1_000, 900, 900, (0, 3, 20, 60, 200)),
            },
            values={},
        )
    )
    ready = found["Ready to swap a shift"]
    assert [clause.says for clause in ready.clauses] == [
        "last active at most 21 days ago",
        "has completed an onboarding step",
        "has not swapped a shift",
    ]
    assert ready.parent is not None
    assert ready.parent.name == "Active people who completed an onboarding step"


def test_verbs_are_said_in_both_tenses() -> None:
    assert [next_step("shift_swapped"), past_step("shift_swapped")] == ["swap a shift", "swapped a shift"]
