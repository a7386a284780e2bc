from __future__ import annotations

import pytest

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.triggers import Facts, Trigger, parse_trigger


def test_a_trigger_fires_at_its_bound_and_not_below() -> None:
    trigger = parse_trigger('blocked("consent") >= 2')
    assert trigger == Trigger("blocked", "consent", ">=", 2.0)
    assert not trigger.holds(Facts({("blocked", "consent"): 1}))
    assert trigger.holds(Facts({("blocked", "consent"): 2}))


def test_a_metric_that_nobody_measured_never_fires() -> None:
    assert not parse_trigger('metric("consent_violations") < 1').holds(Facts({}))
    assert parse_trigger('failures("qa") < 1').holds(Facts({}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "failures(qa) >= 2",
        'failures("qa") == 2',
        'failures("qa") >= two',
        'import("os") >= 1',
        'failures("qa") >= 2 or 1',
        '__import__("os").system("x") > 1',
        'failures("' + "q" * 100 + '") >= 2',
    ],
)
def test_anything_else_is_no_trigger(text: str) -> None:
    with pytest.raises(PlanFormatError) as raised:
        parse_trigger(text)
    assert str(raised.value) == (
        f"{text[:80]!r} is not a trigger; use failures, blocked, sla_missed, metric, breaches, "
        'as in blocked("consent") >= 2'
    )
