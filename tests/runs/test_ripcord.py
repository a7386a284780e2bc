"""The rip-cord stops a run and takes back what it did, in reverse order, once, whatever dies on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.runs.shop import Deployed, Shop

from gtm_orchestra.errors import BusyError
from gtm_orchestra.plans.model import EscalationTrigger
from gtm_orchestra.runs.projection import project
from gtm_orchestra.runs.ripcord import pull
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.runs.driver import Segment


def _rip(shop: Shop, run_id: str = "run-1") -> Segment:
    import asyncio  # noqa: PLC0415 - only here

    return asyncio.run(shop.driver.ripcord(run_id, why="wrong audience", by="elena", identity="claimed"))


def _sold(root: Path, **fields: Any) -> Shop:  # noqa: ANN401 - fields of a shop
    shop = Shop(root, targets=("web", "email", "ads"), **fields)
    assert shop.sell().status == "done"
    shop.shelf.calls.clear()
    return shop


def test_everything_is_taken_back_in_reverse_order_and_read_back(tmp_path: Path) -> None:
    shop = _sold(tmp_path)
    segment = _rip(shop)
    assert (segment.status, segment.why) == (
        "ripped",
        (
            "wrong audience; taken back: put-rules on ads in production, put-rules on email in production, "
            "put-rules on web in production; left: nothing"
        ),
    )
    assert shop.shelf.live == {}
    assert shop.shelf.calls == ["read", "undo", "read"] * 3
    assert [row.phase for row in shop.rows()] == ["undone"] * 3
    (entry,) = project(shop.plans, shop.journal, shop.plans.ids()[0], artifacts=shop.artifacts).remediation
    assert (entry.by, entry.happened, entry.left) == ("elena", "wrong audience", "nothing")
    assert entry.done.startswith("taken back: put-rules on ads in production")
    view = json.loads((tmp_path / ".claude" / "plans" / f"{shop.plans.ids()[0]}.json").read_text())
    assert (view["status"], view["remediation"][0]["by"]) == ("ripped", "elena")


@pytest.mark.parametrize("dies_at", range(6))
def test_a_revert_that_is_killed_anywhere_is_finished_by_resuming(tmp_path: Path, dies_at: int) -> None:
    shop = _sold(tmp_path)
    shop.shelf.faults = [""] * (dies_at // 2) + ["die before" if dies_at % 2 == 0 else "die after"]
    with pytest.raises(BaseException):  # noqa: B017, PT011 - the runtime may wrap what a killed process would be
        _rip(shop)
    shop.reopen()
    segment = shop.drive(resumed=True)
    assert segment.status == "ripped"
    assert segment.why.endswith("left: nothing")
    assert shop.shelf.live == {}
    assert shop.shelf.calls.count("undo") == (4 if dies_at % 2 == 0 else 3), "undone twice"
    assert [r.kind for r in shop.journal.records("run-1")].count("ripcord") == 1


def test_pulling_it_again_changes_nothing(tmp_path: Path) -> None:
    shop = _sold(tmp_path)
    _rip(shop)
    events, calls = shop.journal.run("run-1").seq, list(shop.shelf.calls)
    assert _rip(shop).status == "ripped"
    assert (shop.journal.run("run-1").seq, shop.shelf.calls) == (events, calls)


def test_what_is_irreversible_is_listed_as_left(tmp_path: Path) -> None:
    shop = _sold(tmp_path, undo_class="irreversible")
    segment = _rip(shop)
    assert segment.why == (
        "wrong audience; nothing could be taken back; left: "
        "put-rules on ads in production (it is irreversible); "
        "put-rules on email in production (it is irreversible); "
        "put-rules on web in production (it is irreversible)"
    )
    assert "undo" not in shop.shelf.calls


def test_what_cannot_be_taken_back_now_is_left_and_taken_back_by_resuming(tmp_path: Path) -> None:
    shop = _sold(tmp_path)
    shop.shelf.faults = ["500 before"] * 3
    segment = _rip(shop)
    assert segment.why.endswith("left: put-rules on ads in production (the shelf answered 500)")
    assert len(shop.shelf.live) == 1
    shop.reopen()
    assert shop.drive(resumed=True).why.endswith("left: nothing")
    assert shop.shelf.live == {}


def test_open_questions_are_closed_and_every_task_has_an_outcome(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.start()
    assert shop.drive().status == "waiting"
    segment = _rip(shop)
    assert segment.questions == ()
    assert shop.journal.question("run-1/open").status == "superseded"
    assert {node: o.name for node, o in segment.outcomes.items()} == {
        "1.1": "ok",
        "2.1": "skipped",
        "open": "skipped",
    }
    assert shop.shelf.calls == []


def test_a_trigger_pulls_it_and_what_was_done_is_taken_back(tmp_path: Path) -> None:
    shop = Shop(tmp_path, targets=("web", "email"), retries=1)
    trigger = EscalationTrigger(
        when='failures("deploy") >= 2', action="ripcord", why="It failed twice while it was half deployed."
    )
    shop.changes = {"escalation_triggers": (trigger,)}
    shop.start()
    shop.drive()
    shop.decide()
    shop.shelf.faults = ["", "500 after", "500 after"]
    shop.work = lambda _ctx: Deployed(effects=shop.requests())
    shop.shelf.faults = ["", "vanish", "vanish"]
    segment = shop.drive(resumed=True)
    assert (segment.status, segment.why) == (
        "ripped",
        (
            "It failed twice while it was half deployed; taken back: put-rules on email in production, "
            "put-rules on web in production; left: nothing"
        ),
    )
    assert shop.shelf.live == {}
    (entry,) = project(shop.plans, shop.journal, shop.plans.ids()[0], artifacts=shop.artifacts).remediation
    assert (entry.trigger, entry.by) == ('failures("deploy") >= 2', "gtm")


def test_a_process_at_work_begins_nothing_further_and_takes_back_what_it_did(tmp_path: Path) -> None:
    shop = Shop(tmp_path, targets=("web", "email"))
    shop.start()
    shop.drive()
    shop.decide()
    apply = shop.shelf.apply

    def somebody_pulls(request: object, key: str) -> None:
        apply(request, key)
        pull(shop.journal, "run-1", why="stop it", by="elena", identity="claimed")

    shop.shelf.apply = somebody_pulls
    segment = shop.drive(resumed=True)
    assert (segment.status, segment.why) == (
        "ripped",
        "stop it; taken back: put-rules on web in production; left: nothing",
    )
    assert (shop.shelf.applied, shop.shelf.live) == (1, {})


def test_pulling_it_on_a_run_that_is_being_driven_says_who_takes_it_back(tmp_path: Path) -> None:
    shop = _sold(tmp_path)
    message = r"^the rip-cord of run-1 is pulled, and no further effect of it begins; .* is in use by process"
    with (
        held(tmp_path / ".gtm" / "locks", f"{shop.plans.ids()[0]}.run"),
        pytest.raises(BusyError, match=message),
    ):
        _rip(shop)
    assert len(shop.shelf.live) == 3
    assert shop.drive(resumed=True).status == "ripped"
    assert shop.shelf.live == {}
