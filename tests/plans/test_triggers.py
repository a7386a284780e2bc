from __future__ import annotations

import pytest

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.triggers import Facts, Trigger, parse_trigger


def test_a_trigger_fires_at_its_bound_and_not_below() -> None:
    trigger = parse_trigger('blocked("consent") >= 2')
    assert trigger == Trigger("blocked", "consent", ">=", 2.0)
    assert not trigger.holds(Facts({("blocked", "consent", "run"): 1}))
    assert trigger.holds(Facts({("blocked", "consent", "run"): 2}))


@pytest.mark.parametrize(
    "text",
    ['metric("consent_violations") < 1', 'latency("p95") < 250', 'breaches("alert_threshold", history) < 1'],
)
def test_what_nobody_measured_or_gathered_never_fires(text: str) -> None:
    assert not parse_trigger(text).holds(Facts({}))
    assert parse_trigger('failures("qa") < 1').holds(Facts({}))


@pytest.mark.parametrize("text", ['breaches("alert", history) >= 2', 'breaches( "alert" ,history ) >= 2'])
def test_a_trigger_over_the_history_does_not_look_at_this_run_alone(text: str) -> None:
    trigger = parse_trigger(text)
    assert trigger == Trigger("breaches", "alert", ">=", 2.0, "history")
    assert not trigger.holds(Facts({("breaches", "alert", "run"): 9, ("breaches", "alert", "history"): 1}))
    assert trigger.holds(Facts({("breaches", "alert", "history"): 2}))
    of_this_run = parse_trigger('breaches("alert", run) >= 2')
    assert of_this_run == parse_trigger('breaches("alert") >= 2')
    assert not of_this_run.holds(Facts({("breaches", "alert", "history"): 2}))


def test_a_latency_is_compared_in_milliseconds() -> None:
    trigger = parse_trigger('latency("p95") > 250')
    assert trigger.holds(Facts({("latency", "p95", "run"): 250.5}))
    assert not trigger.holds(Facts({("latency", "p95", "run"): 250}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "failures(qa) >= 2",
        'failures("qa") == 2',
        'failures("qa") >= two',
        'import("os") >= 1',
        'failures("qa") >= 2 or 1',
        'failures("qa", week) >= 2',
        'failures("qa", "history") >= 2',
        'failures("qa",) >= 2',
        'metric("x") >= nan',
        'metric("x") >= 1e400',
        '__import__("os").system("x") > 1',
        'failures("' + "q" * 100 + '") >= 2',
    ],
)
def test_anything_else_is_no_trigger(text: str) -> None:
    with pytest.raises(PlanFormatError) as raised:
        parse_trigger(text)
    assert str(raised.value) == (
        f"{text[:80]!r} is not a trigger; use failures, blocked, sla_missed, breaches, metric, latency, "
        'as in blocked("consent") >= 2'
    )
