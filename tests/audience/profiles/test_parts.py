from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtm_orchestra.audience.profiles.choosing import find_stages, read
from gtm_orchestra.audience.profiles.distributions import Distribution
from gtm_orchestra.audience.profiles.patterns import candidates
from gtm_orchestra.audience.profiles.signals import Signal, read_signals, stage_of
from gtm_orchestra.audience.profiles.tally import tally
from gtm_orchestra.audience.profiles.thresholds import deep_cut, new_cut, nice_days, recency_cuts, upper_cut
from gtm_orchestra.audience.profiles.tree import FALLBACK, Question, compile_leaves, grow
from gtm_orchestra.audience.wording import next_step
from gtm_orchestra.conditions import evaluate, parse
from gtm_orchestra.config import AttributeSettings, AttributeType

if TYPE_CHECKING:
    from tests.audience.profiles.conftest import Company

    from gtm_orchestra.audience.profiles.reading import Reading

SCHEMA: dict[str, AttributeType] = {"plan": "string", "visits": "number", "paid": "boolean"}


def spread(*quantiles: float, people: int = 1_000) -> Distribution:
    return Distribution(people, people, people, quantiles)


def test_active_ends_at_the_median_and_dormant_begins_at_the_upper_quartile() -> None:
    cuts = recency_cuts(spread(0, 3, 9, 62, 200), "usage")
    assert cuts is not None
    assert (cuts.active.value, cuts.dormant.value) == (10, 60)
    assert cuts.active.evidence == "median of 1,000 people with a value: 9 days, rounded to 10 days"
    assert (
        cuts.dormant.evidence == "75th percentile of 1,000 people with a value: 62 days, rounded to 60 days"
    )


def test_a_base_that_is_mostly_away_takes_the_lower_quartile() -> None:
    cuts = recency_cuts(spread(1, 12, 200, 400, 900), "usage")
    assert cuts is not None
    assert cuts.active.evidence == "lower quartile of 1,000 people with a value: 12 days, rounded to 14 days"


def test_a_weekend_is_no_silence() -> None:
    cuts = recency_cuts(spread(0, 0, 1, 2, 5), "usage")
    assert cuts is not None
    assert cuts.active.evidence == (
        "median of 1,000 people with a value: 1 day, kept between 7 and 45 days, rounded to 7 days"
    )


def test_without_values_there_is_no_cut() -> None:
    nothing = Distribution(1_000, 0, 0)
    assert recency_cuts(nothing, "usage") is None
    assert new_cut(nothing, "usage") is None
    assert deep_cut(nothing) is None
    assert upper_cut(nothing) is None


def test_an_amount_is_cut_at_two_digits() -> None:
    cut = upper_cut(spread(1, 20, 80, 1_234.5, 9_000))
    assert cut is not None
    assert cut.value == 1200
    assert cut.evidence == "75th percentile of 1,000 people with a value: 1,234"


def test_often_means_at_least_twice() -> None:
    cut = deep_cut(spread(1, 1, 1, 1, 3))
    assert cut is not None
    assert cut.value == 2


@given(st.floats(min_value=0, max_value=5_000))
def test_rounded_days_grow_with_the_days(days: float) -> None:
    assert 1 <= nice_days(days) <= nice_days(days * 1.5 + 1)


@given(st.lists(st.floats(min_value=0, max_value=4_000), min_size=5, max_size=5).map(sorted))
def test_dormant_is_always_at_least_twice_as_long_as_active(quantiles: list[float]) -> None:
    for kind in ("usage", "orders", "response"):
        cuts = recency_cuts(spread(*quantiles), kind)
        assert cuts is not None
        assert cuts.dormant.value > 1.5 * cuts.active.value


@pytest.mark.parametrize(
    ("event", "step"),
    [
        ("teammate_invited", "invite a teammate"),
        ("Invited Team", "invite a team"),
        ("integration_connected", "connect an integration"),
        ("report_exported", "export a report"),
        ("apiKeyCreated", "create an API key"),
        ("activated", "activate"),
        ("has_integration", "have an integration"),
        ("milestone_7", "reach milestone 7"),
        ("mfa_enabled", "enable an MFA"),
        ("url_shared", "share a URL"),
        ("user_invited", "invite a user"),
    ],
)
def test_an_event_reads_as_a_step(event: str, step: str) -> None:
    assert next_step(event) == step


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        ("marketingqualifiedlead", "lead"),
        ("subscriber", "subscriber"),
        ("Sales Qualified Lead", "in_sales"),
        ("opportunity", "in_sales"),
        ("evangelist", "customer"),
        ("Trialing", "trial"),
        ("PRO", "customer"),
        ("past_due", "past_due"),
        ("Canceled", "churned"),
        ("unsubscribed", None),
        ("DE", None),
    ],
)
def test_values_are_read_as_stages_only_if_they_are_known_words(value: str, stage: str | None) -> None:
    assert stage_of(value) == stage


def test_a_column_named_status_is_no_lifecycle_unless_its_values_say_so() -> None:
    status = Signal("stage", "ticket_state_status", "string")
    assert find_stages([status], {"ticket_state_status": {"open": 500, "solved": 400}}) == {}
    assert find_stages([status], {"ticket_state_status": {"active": 500, "inactive": 400}}) == {}
    mostly_else = {"ticket_state_status": {"trial": 200, "customer": 200, "north": 900}}
    assert find_stages([status], mostly_else) == {}


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("last_name", "string"),
        ("lastmodifieddate", "timestamp"),
        ("newsletter_opt_in", "boolean"),
        ("Receive Review/Abandoned Cart Emails?", "boolean"),
        ("is_customer", "boolean"),
        ("email_status", "string"),
        ("order_id", "number"),
        ("birthday", "timestamp"),
    ],
)
def test_columns_that_say_nothing_about_behaviour_give_no_signal(
    shop: Company, column: str, kind: AttributeType
) -> None:
    fact = shop.inventory().attributes[0].model_copy(update={"name": column, "type": kind})
    settings = AttributeSettings(table="people", column=column, type=kind)
    assert read_signals([fact], {column: settings}) == ()


CONDITIONS: list[dict[str, Any]] = [
    {"plan": "trial"},
    {"visits": {"$gte": 3}},
    {"visits": {"$gt": 1, "$lte": 9}, "plan": {"$in": ["free", "trial"]}},
    {"$or": [{"visits": {"$exists": False}}, {"visits": {"$lt": 2}}]},
    {"paid": False},
    {"paid": {"$exists": True}},
]
PEOPLE = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["free", "trial", "pro"]),
        "visits": st.integers(0, 12).map(float),
        "paid": st.booleans(),
    },
)


@given(
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
    PEOPLE,
)
def test_the_leaves_of_any_tree_part_all_people(
    asked: list[dict[str, Any]], limits: list[bool], person: dict[str, Any]
) -> None:
    questions = [
        Question(f"question {at}?", raw, f"leaf-{at}", None, None, must_hold=limits[at])
        for at, raw in enumerate(asked)
    ]
    leaves = compile_leaves(grow(questions, rest=None))
    reached = [leaf for leaf, raw in leaves if evaluate(parse(raw, SCHEMA), person)]
    expected = FALLBACK
    for question in questions:
        if evaluate(parse(question.condition, SCHEMA), person) != question.must_hold:
            expected = question.leaf
            break
    assert reached == [expected]


def test_a_tree_without_questions_has_no_condition() -> None:
    assert compile_leaves(grow([], rest=500)) == ()


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_any_combination_of_statements_is_counted_as_python_counts_it(rows: list[tuple[bool, ...]]) -> None:
    columns = pa.table({name: [row[at] for row in rows] for at, name in enumerate("abc")})
    table = ibis.duckdb.connect().create_table("t", ibis.memtable(columns))
    # More statements than a word has bits, so that the last ones lie in a second word.
    padding = {f"x{at:02}": ibis.literal(value=False) for at in range(60)}
    statements = padding | {"a": table.a, "y": table.b, "z": table.c}
    counted = tally(table, statements, read=lambda expr: table.get_backend().to_pyarrow(expr))
    assert counted.count() == len(rows)
    assert counted.count(["a", "z"]) == sum(a and c for a, _, c in rows)
    assert counted.count(["y"], none=["a", "x00"]) == sum(b and not a for a, b, _ in rows)


@pytest.mark.parametrize("left_out", ["", "stage", "tenure", "milestone", "recency"])
def test_candidates_of_one_id_always_mean_the_same_people(
    saas: Company, contacts: Company, shop: Company, left_out: str
) -> None:
    for company in (saas, contacts, shop):
        facts = company.inventory().attributes
        signals = [one for one in read_signals(facts, company.config.attributes) if one.role != left_out]
        distributions = {
            signal.attribute: Distribution(1_000, 800, 500, (1.0, 5.0, 20.0, 60.0, 90.0), 100)
            for signal in signals
        }
        plans = {"trial": 400, "free": 400, "customer": 200, "lead": 300, "canceled": 100}
        reading = read(
            signals,
            as_of=datetime(2026, 6, 30, tzinfo=UTC),
            people=1_000,
            distributions=distributions,
            values={signal.attribute: plans for signal in signals if signal.role == "stage"},
        )
        found = candidates(reading)
        everyone = [*found, *(one.parent for one in found if one.parent is not None)]
        by_key = sorted(everyone, key=lambda one: one.key)
        for left, right in pairwise(by_key):
            if left.key == right.key:
                assert [c.condition for c in left.clauses] == [c.condition for c in right.clauses], left.key


def _read(signals: list[Signal]) -> Reading:
    return read(
        signals,
        as_of=datetime(2026, 6, 30, tzinfo=UTC),
        people=1_000,
        distributions={
            s.attribute: Distribution(1_000, 800, 500, (1.0, 5.0, 20.0, 60.0, 90.0), 100) for s in signals
        },
        values={s.attribute: {"trial": 400, "customer": 200} for s in signals if s.role == "stage"},
    )  # fmt: skip


def test_dormant_users_beside_dormant_customers_are_those_that_are_no_customers(saas: Company) -> None:
    signals = list(read_signals(saas.inventory().attributes, saas.config.attributes))
    dormant = [one for one in candidates(_read(signals)) if one.name == "Dormant users"]
    assert [one.about for one in dormant] == ["Users that are no customers who have been away for long"]
    assert any("trial" in str(clause.condition) for clause in dormant[0].clauses)


def test_a_score_says_nothing_of_when_somebody_was_active() -> None:
    signals = [
        Signal("depth", "score_engagement", "number", kind="response"),
        Signal("tenure", "created_at", "timestamp"),
    ]
    names = [one.name for one in candidates(_read(signals))]
    assert "On file, score of 0" in names
    assert not [name for name in names if "lately" in name]
