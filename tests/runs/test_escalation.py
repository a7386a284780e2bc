from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import SourceError
from gtm_orchestra.plans.model import EscalationTrigger

if TYPE_CHECKING:
    from tests.runs.conftest import Stage

    from gtm_orchestra.agents.registry import TaskContext


def _finding(subject: str) -> dict[str, Any]:
    return {
        "finding_id": f"consent_gap:{subject}",
        "kind": "consent_gap",
        "severity": "blocker",
        "evidence": {},
    }


def _with_gaps(stage: Stage, *purposes: str) -> None:

    result = stage.go(findings=tuple(_finding(p) for p in purposes))
    stage.work["consent-review"] = lambda _ctx: result


def test_one_consent_blocker_does_not_escalate_two_do(stage: Stage) -> None:
    _with_gaps(stage, "email")
    stage.start()
    assert stage.drive().status == "waiting"


def test_two_consent_blockers_go_to_the_ladder_and_hold_the_sign_off(stage: Stage) -> None:
    _with_gaps(stage, "email", "ads")
    stage.start()
    segment = stage.drive()
    assert segment.status == "escalated"
    assert segment.why == (
        "Consent or compliance blocked twice; a person must decide before more is built on it. Asked: marco."
    )
    assert segment.outcomes["4.2"].name == "ok"
    assert segment.outcomes["sign-off"].note == "waits for the escalation run-1/escalation-1"
    remediation = stage.plans.read_view("plan-20261101T090000Z")["remediation"]
    assert [(r["trigger"], r["done"], r["left"]) for r in remediation] == [
        ('blocked("consent") >= 2', "asked", "marco must answer")
    ]
    assert segment.questions[0].body["approvers"] == ["marco", "priya", "elena"]


def test_after_the_ladder_said_go_on_the_sign_off_is_asked(stage: Stage) -> None:
    _with_gaps(stage, "email", "ads")
    stage.start()
    stage.drive()
    segment = stage.decide("approved", who="elena", question="run-1/escalation-1")
    assert segment.status == "waiting"
    assert [q.question_id for q in segment.questions] == ["run-1/sign-off"]
    assert stage.decide("approved").status == "done"
    remediation = stage.plans.read_view("plan-20261101T090000Z")["remediation"]
    assert remediation[0]["done"] == "approved by elena: read it"
    assert remediation[0]["left"] == "nothing"


def test_after_the_ladder_said_stop_nothing_is_signed(stage: Stage) -> None:
    _with_gaps(stage, "email", "ads")
    stage.start()
    stage.drive()
    segment = stage.decide("rejected", question="run-1/escalation-1")
    assert segment.status == "rejected"
    assert segment.why == "sign-off: the escalation run-1/escalation-1 was rejected"


def test_a_required_attribute_below_its_coverage_escalates(stage: Stage) -> None:

    low = {"required": True, "coverage": 0.5, "coverage_sla": 0.8}
    stage.work["attribute-inventory"] = lambda _ctx: stage.go(attributes=(low,))
    stage.start()
    segment = stage.drive()
    assert (segment.status, segment.questions[0].body["trigger"]) == (
        "escalated",
        'sla_missed("coverage") >= 1',
    )


def test_an_attribute_that_is_not_required_does_not(stage: Stage) -> None:

    low = {"required": False, "coverage": 0.5, "coverage_sla": 0.8}
    stage.work["attribute-inventory"] = lambda _ctx: stage.go(attributes=(low,))
    stage.start()
    assert stage.drive().status == "waiting"


def test_a_trigger_fires_while_retries_remain(stage: Stage) -> None:
    left = [2]

    def fails_twice(_ctx: TaskContext) -> Any:  # noqa: ANN401 - a Result

        if left[0]:
            left[0] -= 1
            raise SourceError("away")
        return stage.go()

    stage.work["attribute-inventory"] = fails_twice
    trigger = EscalationTrigger(when='failures("data-eng") >= 2', action="escalate", why="Pulled twice.")
    stage.start(escalation_triggers=(trigger,))
    segment = stage.drive()
    assert segment.outcomes["1.2"].name == "ok"
    assert segment.status == "escalated"
    assert segment.why.startswith("Pulled twice.")


def test_a_trigger_is_acted_on_once(stage: Stage) -> None:
    _with_gaps(stage, "email", "ads")
    stage.start()
    stage.drive()
    stage.reopen()
    stage.drive(resumed=True)
    assert [r.kind for r in stage.journal.records("run-1")].count("escalation") == 1


def _checks(stage: Stage, **verdicts: Any) -> None:  # noqa: ANN401 - fields of Result
    stage.work["measurability"] = lambda _ctx: stage.go(**verdicts)


def test_a_check_that_fails_counts_like_an_attempt_that_fails(stage: Stage) -> None:
    left = [1]

    def fails_once(_ctx: TaskContext) -> Any:  # noqa: ANN401 - a Result
        if left[0]:
            left[0] -= 1
            raise SourceError("away")
        return stage.go(passed=False)

    stage.work["measurability"] = fails_once
    trigger = EscalationTrigger(when='failures("measurability") >= 2', action="escalate", why="Twice.")
    stage.start(escalation_triggers=(trigger,))
    segment = stage.drive()
    assert segment.outcomes["3.2"].name == "ok"
    assert (segment.status, segment.why) == ("escalated", "Twice. Asked: marco.")


def test_a_check_that_passes_does_not(stage: Stage) -> None:
    _checks(stage, passed=True)
    trigger = EscalationTrigger(when='failures("measurability") >= 1', action="escalate")
    stage.start(escalation_triggers=(trigger,))
    assert stage.drive().status == "waiting"


def test_what_a_result_measures_of_itself_is_asked_over(stage: Stage) -> None:
    _checks(stage, latency_ms={"p95": 300.0}, metrics={"consent_violations": 0}, breaches={"alert": 2})
    over = EscalationTrigger(when='latency("p95") > 250', action="escalate", why="Too slow.")
    not_over = EscalationTrigger(when='metric("consent_violations") > 0', action="escalate")
    twice = EscalationTrigger(when='breaches("alert") >= 2', action="escalate", why="Breached.")
    stage.start(escalation_triggers=(over, not_over, twice))
    segment = stage.drive()
    assert [q.body["why"] for q in segment.questions] == ["Too slow.", "Breached."]


def test_counts_over_the_initiative_look_at_its_earlier_runs(stage: Stage) -> None:
    _checks(stage, breaches={"alert": 1})
    trigger = EscalationTrigger(when='breaches("alert", history) >= 2', action="escalate", why="Again.")
    stage.start(escalation_triggers=(trigger,))
    assert stage.drive().status == "waiting"
    stage.another_run("run-2")
    segment = stage.drive("run-2")
    assert (segment.status, segment.why) == ("escalated", "Again. Asked: marco.")


def test_another_initiatives_runs_are_not_counted(stage: Stage) -> None:
    _checks(stage, breaches={"alert": 1})
    trigger = EscalationTrigger(when='breaches("alert", history) >= 2', action="escalate")
    stage.start(escalation_triggers=(trigger,))
    stage.drive()
    stage.another_run("run-2", initiative="Another")
    assert stage.drive("run-2").status == "waiting"


def test_of_a_measure_the_history_knows_the_latest(stage: Stage) -> None:
    _checks(stage, metrics={"violations": 3})
    stage.start()
    stage.drive()
    _checks(stage)
    trigger = EscalationTrigger(when='metric("violations", history) > 2', action="escalate", why="Still.")
    stage.plans.revise(
        stage.definition(escalation_triggers=(trigger,)), expected=1, change=stage.change("a trigger")
    )
    stage.another_run("run-2")
    segment = stage.drive("run-2")
    assert (segment.status, segment.why) == ("escalated", "Still. Asked: marco.")
