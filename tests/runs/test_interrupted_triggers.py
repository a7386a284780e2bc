from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.runs.conftest import Stage


class Killed(BaseException):
    """What a process that dies would be."""


def test_a_trigger_whose_process_died_before_it_asked_is_pulled_by_the_next_segment(stage: Stage) -> None:
    gaps = [
        {"finding_id": f"consent_gap:{purpose}", "kind": "consent_gap", "severity": "blocker", "evidence": {}}
        for purpose in ("email", "ads")
    ]
    result = stage.go(findings=tuple(gaps))
    stage.work["consent-review"] = lambda _ctx: result

    def dies(node: str, event: str, _detail: str) -> None:
        if (node, event) == ("1.3", "ended"):
            raise Killed

    stage.driver._environment = dataclasses.replace(stage.driver._environment, progress=dies)
    stage.start()
    with pytest.raises(BaseException, match=r"^(Killed\(\))?$|TaskGroup"):
        stage.drive()
    kinds = [record.kind for record in stage.journal.records("run-1")]
    assert (kinds.count("task.outcome"), kinds.count("escalation")) == (3, 0)
    stage.reopen()
    segment = stage.drive(resumed=True)
    assert segment.status == "escalated"
    assert [task for task, _ in stage.calls].count("1.3") == 1


def test_a_result_that_is_gone_does_not_keep_a_trigger_from_being_looked_at(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.damage()
    stage.reopen()
    assert stage.drive(resumed=True).status == "waiting"
