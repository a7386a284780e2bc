"""Each effect happens exactly once, a blind one at most once, whatever is lost on the way."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.runs.shop import Deployed, Shop

from gtm_orchestra.errors import BusyError, ConflictError, IntegrityError
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.plans.model import EffectClass


def _dies(shop: Shop) -> None:
    """Drive a run whose process dies at the shelf, and open everything anew."""
    with pytest.raises(BaseException):  # noqa: B017, PT011 - the runtime may wrap what a killed process would be
        shop.drive(resumed=True)
    shop.reopen()


def _waiting(root: Path, **fields: object) -> Shop:
    """Return a shop whose deployment is approved and not begun."""
    shop = Shop(root, **fields)  # type: ignore[arg-type]
    shop.start()
    assert shop.drive().status == "waiting"
    shop.decide()
    return shop


def test_an_approved_effect_is_intended_applied_read_back_and_recorded(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert shop.sell().status == "done"
    assert shop.phases() == ["intended", "applied", "recorded"]
    assert shop.shelf.calls == ["apply", "read"]
    (row,) = shop.rows()
    assert (row.phase, row.allowance) == ("recorded", "run-1/open#0.0")
    assert row.receipt is not None
    assert row.receipt.reference == "shelf/web"


@pytest.mark.parametrize("effect_class", ["keyed", "readable"])
@pytest.mark.parametrize("fault", ["die after", "die before", "500 after", "500 before"])
def test_an_effect_whose_answer_is_lost_happens_once(
    tmp_path: Path, fault: str, effect_class: EffectClass
) -> None:
    shop = _waiting(tmp_path, effect_class=effect_class)
    shop.shelf.faults = [fault]
    if fault.startswith("die"):
        _dies(shop)
    assert shop.drive(resumed=True).status == "done"
    assert shop.shelf.applied == 1
    assert shop.shelf.calls.count("apply") == (1 if fault.endswith("after") else 2)
    assert shop.calls == ["1.1", "2.1"], "what had been done was done again"
    assert [row.phase for row in shop.rows()] == ["recorded"]


def test_a_recorded_effect_is_not_even_looked_at_again(tmp_path: Path) -> None:
    shop = _waiting(tmp_path, targets=("web", "email"))
    shop.shelf.faults = ["", "die before"]
    _dies(shop)
    shop.shelf.calls.clear()
    assert shop.drive(resumed=True).status == "done"
    assert shop.shelf.calls == ["read", "apply", "read"]
    assert shop.shelf.applied == 2


def test_what_was_acknowledged_and_is_not_there_is_a_failure(tmp_path: Path) -> None:
    shop = _waiting(tmp_path, retries=0)
    shop.shelf.faults = ["vanish"]
    segment = shop.drive(resumed=True)
    assert (segment.status, segment.why) == (
        "failed",
        (
            "2.1 failed: put-rules on web in production was acknowledged, but reading back shows nothing of "
            "it; look at the target; the next attempt uses the same key"
        ),
    )


def test_what_is_live_with_other_content_is_an_incident_and_never_adopted(tmp_path: Path) -> None:
    shop = _waiting(tmp_path, retries=0)
    shop.shelf.faults = ["truncate"]
    segment = shop.drive(resumed=True)
    assert segment.status == "failed"
    assert segment.outcomes["2.1"].error == (
        "incident: put-rules on web in production is live with other content than was asked for (rules); "
        "somebody else has changed it; compare the target with the run's files"
    )
    assert [row.phase for row in shop.rows()] == ["failed"]


class TestABlindEffect:
    def test_that_may_have_happened_is_never_sent_twice_by_itself(self, tmp_path: Path) -> None:
        shop = _waiting(tmp_path, effect_class="blind")
        shop.shelf.faults = ["die after"]
        _dies(shop)
        segment = shop.drive(resumed=True)
        assert segment.status == "waiting"
        (question,) = segment.questions
        assert question.body["action"] == "look whether put-rules on web in production happened, and say so"
        for _ in range(7):
            shop.reopen()
            assert shop.drive(resumed=True).status == "waiting"
        assert (shop.shelf.applied, shop.shelf.calls) == (1, ["apply"])
        kinds = [record.kind for record in shop.journal.records("run-1")]
        assert (kinds.count("task.interrupted"), kinds.count("task.attempt_failed")) == (1, 0)

    def test_that_happened_as_a_person_says_is_recorded_as_theirs(self, tmp_path: Path) -> None:
        shop = _waiting(tmp_path, effect_class="blind")
        shop.shelf.faults = ["500 after"]
        question = shop.drive(resumed=True).questions[0]
        shop.decide("it-happened", question=question.question_id, reason="saw it in the inbox")
        assert shop.drive(resumed=True).status == "done"
        assert shop.shelf.calls == ["apply"]
        assert [row.note for row in shop.rows()] == ["it happened, says priya: saw it in the inbox"]

    def test_that_did_not_happen_as_a_person_says_is_sent_again_and_asked_about_again(
        self, tmp_path: Path
    ) -> None:
        shop = _waiting(tmp_path, effect_class="blind")
        shop.shelf.faults = ["500 before", "500 before"]
        first = shop.drive(resumed=True).questions[0]
        shop.decide("it-did-not", question=first.question_id)
        second = shop.drive(resumed=True).questions[0]
        assert second.question_id == "run-1/2.1/effect-1-2"
        assert shop.shelf.calls == ["apply", "apply"]
        shop.decide("it-did-not", question=second.question_id)
        assert shop.drive(resumed=True).status == "done"
        assert shop.shelf.applied == 1

    def test_that_is_given_up_ends_its_task(self, tmp_path: Path) -> None:
        shop = _waiting(tmp_path, effect_class="blind")
        shop.shelf.faults = ["500 before"]
        question = shop.drive(resumed=True).questions[0]
        shop.decide("abort", question=question.question_id, reason="not worth it")
        segment = shop.drive(resumed=True)
        assert (segment.status, segment.outcomes["2.1"].error) == (
            "rejected",
            "put-rules on web in production was given up by priya: not worth it",
        )

    def test_that_cannot_have_reached_anybody_is_tried_again(self, tmp_path: Path) -> None:
        shop = _waiting(tmp_path, effect_class="blind")
        shop.shelf.faults = ["refuse"]
        assert shop.drive(resumed=True).status == "done"
        assert shop.shelf.calls == ["apply", "apply"]


def test_what_the_plan_does_not_declare_is_rejected(tmp_path: Path) -> None:
    shop = _waiting(tmp_path)
    other = shop.requests()[0].model_copy(update={"target": "ads"})
    shop.work = lambda _ctx: Deployed(effects=(*shop.requests(), other))
    segment = shop.drive(resumed=True)
    assert segment.outcomes["2.1"].error == (
        "2.1 asks for 'put-rules' on 'ads' in production, which its plan does not declare (declared: "
        "'put-rules' on 'web'); add the effect to the task in the blueprint, with its class and its undo"
    )
    assert shop.shelf.calls == [], "something was carried out before all was judged"


def test_a_target_of_another_class_than_declared_is_rejected(tmp_path: Path) -> None:
    shop = _waiting(tmp_path)
    shop.shelf.effect_class = "blind"
    assert shop.drive(resumed=True).outcomes["2.1"].error == (
        "'put-rules' is declared as keyed, but its target is blind; "
        "correct the effect's class in the blueprint"
    )


def test_a_task_that_is_done_again_takes_back_what_it_no_longer_asks_for(tmp_path: Path) -> None:
    shop = Shop(tmp_path, environment="", gate_environment="none", targets=("web", "email"))
    shop.start()
    shop.shelf.faults = ["", "die before"]
    with pytest.raises(BaseException):  # noqa: B017, PT011 - as above
        shop.drive()
    # The result is gone, and made again differently: other rules for both.
    for path in (tmp_path / ".gtm" / "artifacts").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    shop.reopen()
    with sqlite3.connect(tmp_path / ".gtm" / "state.db") as connection:
        connection.execute("delete from results")
    connection.close()
    shop.content = {"rules": ["c"]}
    assert shop.drive(resumed=True).status == "done"
    assert sorted(r.content["rules"][0] for r in shop.shelf.live.values()) == ["c", "c"]
    assert [row.phase for row in shop.rows()] == ["undone", "undone", "recorded", "recorded"]


@pytest.mark.parametrize(
    "statement",
    [
        "update effects set phase = 'recorded'",
        "update effects set allowance = null",
        "update effects set request = replace(request, 'web', 'ads')",
        "delete from effects",
    ],
)
def test_a_ledger_that_was_changed_by_hand_is_noticed(tmp_path: Path, statement: str) -> None:
    shop = _waiting(tmp_path)
    shop.shelf.faults = ["die before"]
    _dies(shop)
    with sqlite3.connect(tmp_path / ".gtm" / "state.db") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(IntegrityError, match=r"^the effect ledger of run-1 was changed: put-rules on web"):
        shop.drive(resumed=True)
    assert shop.shelf.applied == 0


def test_of_two_processes_the_second_is_told_who_drives_the_run(tmp_path: Path) -> None:
    shop = _waiting(tmp_path)
    locks = tmp_path / ".gtm" / "locks"
    with (
        held(locks, f"{shop.plans.ids()[0]}.run"),
        pytest.raises(BusyError, match=r"\.run is in use by process \d+ on .*; wait until it has finished$"),
    ):
        shop.drive(resumed=True)
    assert shop.shelf.calls == []


def test_the_same_decision_again_attaches_to_the_first(tmp_path: Path) -> None:
    shop = _waiting(tmp_path)
    events = shop.journal.run("run-1").seq
    shop.decide()
    assert shop.journal.run("run-1").seq == events
    with pytest.raises(ConflictError, match=r"^run-1/open is closed already: approved; "):
        shop.decide("rejected")
    assert shop.drive(resumed=True).status == "done"
    assert shop.drive(resumed=True).status == "done"
    assert shop.shelf.applied == 1


def test_an_effect_is_not_intended_once_the_run_was_stopped_by_another_process(tmp_path: Path) -> None:
    from gtm_orchestra.state.journal import Entry  # noqa: PLC0415 - one test needs it

    shop = _waiting(tmp_path)

    def pulls(_ctx: object) -> Deployed:
        shop.journal.append("run-1", Entry("run.cancelled", "", {"why": "not today", "by": "elena"}))
        return Deployed(effects=shop.requests())

    shop.work = pulls
    segment = shop.drive(resumed=True)
    assert segment.outcomes["2.1"].note == "stopped before its next effect"
    assert (shop.shelf.calls, shop.rows()) == ([], ())
