from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.plans.gates import decide_merge, merge_findings
from gtm_orchestra.plans.outcome import Outcome

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition


def _outcomes(**names: str) -> dict[str, Outcome]:
    ids = {"intake": "1.1", "consent": "1.3"}
    return {ids[k]: Outcome.model_validate({"node": ids[k], "name": v}) for k, v in names.items()}


def _channels(**go: bool) -> dict[str, Any]:
    return {
        "consent": {
            "channels": [{"channel": c, "go": g, "why": f"{c} consent is 82 %."} for c, g in go.items()],
            "findings": [],
        }
    }


def test_a_gate_goes_without_the_channel_that_may_not(diamond: PlanDefinition) -> None:
    verdict = decide_merge(
        diamond.gate("gate-1"),
        diamond,
        _outcomes(intake="ok", consent="ok"),
        _channels(web=True, email=False),
    )
    assert (verdict.decision, verdict.why) == ("go", "go without email: email consent is 82 %")
    assert verdict.inputs == {"1.1": "ok", "1.3": "ok"}
    assert verdict.without == {"email": "email consent is 82 %."}


def test_no_channel_left_is_a_no_go(diamond: PlanDefinition) -> None:
    verdict = decide_merge(
        diamond.gate("gate-1"),
        diamond,
        _outcomes(intake="ok", consent="ok"),
        _channels(web=False, email=False),
    )
    assert verdict.decision == "no-go"
    assert verdict.why.startswith("no-go: none of the channels can be used (email: email consent")


def test_an_arm_that_failed_is_a_no_go_even_if_the_other_delivered(diamond: PlanDefinition) -> None:
    verdict = decide_merge(
        diamond.gate("gate-1"), diamond, _outcomes(intake="timed_out", consent="ok"), _channels(web=True)
    )
    assert (verdict.decision, verdict.why) == ("no-go", "no-go: 1.1 timed out")


def test_an_arm_that_never_came_is_missing_not_fine(diamond: PlanDefinition) -> None:
    verdict = decide_merge(diamond.gate("gate-1"), diamond, _outcomes(consent="ok"), _channels(web=True))
    assert (verdict.decision, verdict.inputs) == ("no-go", {"1.1": "missing", "1.3": "ok"})


def test_a_waiting_arm_makes_the_gate_wait(diamond: PlanDefinition) -> None:
    verdict = decide_merge(diamond.gate("gate-1"), diamond, _outcomes(intake="ok", consent="waiting"), {})
    assert (verdict.decision, verdict.why) == ("waiting", "1.3 waits for a person")


def test_a_finding_of_two_arms_stands_once_and_a_disagreement_is_said() -> None:
    def finding(people: int) -> dict[str, Any]:
        return {"finding_id": "stale:accounts", "evidence": {"people": people, "days": 9}}

    merged, contradictions = merge_findings(
        {"inventory": {"findings": [finding(10)]}, "consent": {"findings": [finding(12)]}}
    )
    assert [f["finding_id"] for f in merged] == ["stale:accounts"]
    assert contradictions == ("consent and inventory disagree on people of stale:accounts: 12 against 10",)


@pytest.mark.parametrize(
    "rubbish", [None, 3, [], {"findings": 7}, {"findings": [3, {"severity": "x"}]}, {"channels": {"a": 1}}]
)
def test_a_result_of_another_shape_is_a_no_go_and_never_an_error(
    diamond: PlanDefinition, rubbish: object
) -> None:
    verdict = decide_merge(
        diamond.gate("gate-1"), diamond, _outcomes(intake="ok", consent="ok"), {"consent": rubbish}
    )
    assert (verdict.decision, verdict.why) == ("no-go", "no-go: no channels")


def test_a_channel_whose_go_is_not_said_does_not_go(diamond: PlanDefinition) -> None:
    results = {"consent": {"channels": [{"channel": "web", "go": "yes"}, {"channel": "email", "go": True}]}}
    verdict = decide_merge(diamond.gate("gate-1"), diamond, _outcomes(intake="ok", consent="ok"), results)
    assert (verdict.decision, verdict.why) == ("go", "go without web: no reason given")


def test_evidence_of_another_shape_is_no_contradiction() -> None:
    results = {
        "a": {"findings": [{"finding_id": "x", "evidence": 3}]},
        "b": {"findings": [{"finding_id": "x", "evidence": {"people": 3}}]},
    }
    assert merge_findings(results) == (({"finding_id": "x", "evidence": 3},), ())
