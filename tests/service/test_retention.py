"""Old bytes go; a run that waits is never broken by it, and what was decided stays."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runs.conftest import PLAN_ID, Stage

from gtm_orchestra.errors import BusyError, PolicyError, UsageError
from gtm_orchestra.policy.decisions import resolve_actor
from gtm_orchestra.service.inspection import verify_plan
from gtm_orchestra.service.retention import Pruning, Retention
from gtm_orchestra.state.journal import Entry, RunRow
from gtm_orchestra.state.locks import held

YEAR = timedelta(days=365)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return _stage(tmp_path)


def _stage(root: Path) -> Stage:
    """Give a workspace whose runs leave results and files of their own."""
    made = Stage(root)

    def inventory(ctx: object) -> object:
        assert hasattr(ctx, "put_file")
        data = f"of {made.now.isoformat()}".encode()
        ctx.put_file("inventory.csv", "text/csv", data)
        ctx.put_file("same.csv", "text/csv", b"the same in every run")
        return made.go(findings=({"finding_id": made.now.isoformat(), "severity": "note", "kind": "any"},))

    made.work["attribute-inventory"] = inventory  # type: ignore[assignment]
    return made


def _retention(stage: Stage) -> Retention:
    stage.reopen()
    return Retention(
        stage.root,
        stage.root / ".gtm" / "locks",
        journal=stage.journal,
        plans=stage.plans,
        artifacts=stage.artifacts,
        actor=lambda claimed: resolve_actor(stage.config, claimed=claimed, os_user="guest"),
        clock=lambda: stage.now,
    )


def _prune(stage: Stage) -> Pruning:
    return _retention(stage).prune(YEAR, reason="policy R-7", actor="marco")


def _again(stage: Stage, run_id: str) -> None:
    """Start a further run of the plan."""
    revision = stage.plans.latest(PLAN_ID)
    stage.journal.start(
        RunRow(
            *(run_id, PLAN_ID, revision.number, revision.digest, "define-profiles", "PLG", "running"),
            *(stage.now, stage.now, "marco"),
        )
    )
    stage.drive(run_id)


def _old_and_new(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.decide("approved")
    stage.pass_time(days=400)
    _again(stage, "run-2")
    stage.decide("approved", question="run-2/sign-off")


def _artifacts_of(stage: Stage, run_id: str) -> set[str]:
    records = stage.journal.records(run_id)
    return {
        sha
        for r in records
        if r.kind == "task.outcome"
        for sha in (r.body["output"], *r.body.get("artifacts", {}).values())
    }


def test_an_old_runs_bytes_go_and_its_history_stays(stage: Stage) -> None:
    _old_and_new(stage)
    old, new = _artifacts_of(stage, "run-1"), _artifacts_of(stage, "run-2")
    planned = _retention(stage).planned(YEAR)
    found = _prune(stage)
    assert found == planned
    assert (found.runs, found.kept) == (("run-1",), {})
    assert set(found.artifacts) == old - new
    assert stage.artifacts.names() >= new
    assert not stage.artifacts.names() & (old - new)
    assert [folder.rpartition("/")[2] for folder in found.folders] == ["run-1"]
    assert not (stage.root / found.folders[0]).exists()
    assert stage.journal.question("run-1/sign-off").status == "approved"


def test_what_was_pruned_is_told_as_pruned_and_everything_else_verifies(stage: Stage) -> None:
    _old_and_new(stage)
    _prune(stage)
    stage.reopen()
    checked = verify_plan(stage.plans, stage.journal, PLAN_ID, root=stage.root, config=stage.config)
    assert checked.ok, checked.lines
    assert "outputs of run-1: pruned on 2027-12-06 by marco: policy R-7" in checked.lines
    event = stage.journal.records("run-1")[-1]
    assert (event.kind, event.body["by"], event.body["why"]) == ("artifacts.pruned", "marco", "policy R-7")
    with pytest.raises(UsageError) as raised:
        _retention(stage).refuse_pruned("run-1")
    assert str(raised.value) == (
        "run-1 was pruned on 2027-12-06 by marco: policy R-7; run gtm define-profiles again for a new run"
    )
    _retention(stage).refuse_pruned("run-2")


def test_to_prune_again_changes_nothing(stage: Stage) -> None:
    _old_and_new(stage)
    _prune(stage)
    events = len(stage.journal.records("run-1"))
    assert _prune(stage) == Pruning((), (), (), {})
    assert len(stage.journal.records("run-1")) == events


def test_a_pruning_that_died_half_way_is_finished_by_the_next(stage: Stage) -> None:
    _old_and_new(stage)
    planned = _retention(stage).planned(YEAR)
    body = {"why": "policy R-7", "by": "marco", "identity": "claimed", "artifacts": list(planned.artifacts)}
    stage.journal.append("run-1", Entry("artifacts.pruned", "", body), durable=True)
    found = _prune(stage)
    assert (found.artifacts, found.folders) == (planned.artifacts, planned.folders)
    kinds = [r.kind for r in stage.journal.records("run-1")]
    assert kinds.count("artifacts.pruned") == 1


def test_the_latest_run_of_a_plan_stays_however_old_it_is(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.decide("approved")
    stage.pass_time(days=4_000)
    found = _prune(stage)
    assert (found.runs, found.kept) == ((), {"run-1": "it is the latest of its plan"})


def test_a_run_that_waits_stays_however_old_it_is(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.pass_time(days=4_000)
    _again(stage, "run-2")
    assert _prune(stage).kept == {"run-1": "it is waiting"}


def test_what_is_live_keeps_its_run(stage: Stage) -> None:
    stage.start()
    stage.drive()
    stage.deploy("4.1", "production")
    stage.decide("approved")
    stage.pass_time(days=400)
    _again(stage, "run-2")
    stage.decide("approved", question="run-2/sign-off")
    assert _prune(stage).kept == {"run-1": "something that it deployed is live"}


def test_an_approval_in_force_keeps_its_run(stage: Stage) -> None:
    _old_and_new(stage)
    stage.pass_time(days=20)
    _again(stage, "run-3")
    found = _retention(stage).planned(timedelta(days=10))
    assert found.kept == {"run-2": "it is the latest of its plan"}, found
    stage.decide("approved", question="run-3/sign-off")
    found = _retention(stage).planned(timedelta(days=10))
    assert (found.runs, found.kept) == (("run-1",), {"run-2": "run-2/sign-off is in force"})


def test_nothing_is_pruned_while_a_run_is_driven_or_by_a_stranger(stage: Stage) -> None:
    _old_and_new(stage)
    with (
        held(stage.root / ".gtm" / "locks", f"{PLAN_ID}.run"),
        pytest.raises(BusyError, match="is in use by process"),
    ):
        _prune(stage)
    with pytest.raises(PolicyError, match="'guest' is nobody"):
        _retention(stage).prune(YEAR, reason="policy R-7")
    with pytest.raises(UsageError, match="to prune needs a reason"):
        _retention(stage).prune(YEAR, reason=" ", actor="marco")
    with pytest.raises(UsageError, match="nothing is older than no time"):
        _retention(stage).prune(timedelta(0), reason="all", actor="marco")
    assert _artifacts_of(stage, "run-1") <= stage.artifacts.names()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["wait", "approve", "reject", "cancel", "fail"]),
            st.sampled_from([0, 1, 200, 400]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 600),
)
def test_a_run_that_waits_is_never_broken_by_pruning(runs: list[tuple[str, int]], days: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        stage = _stage(Path(name))
        waiting = []
        for number, (fate, after) in enumerate(runs, start=1):
            run_id = f"run-{number}"
            if fate == "fail":
                stage.work["plan-review"] = lambda _ctx: 1 / 0  # type: ignore[assignment,return-value]
            stage.start() if number == 1 else _again(stage, run_id)
            if number == 1:
                stage.drive()
            stage.work.pop("plan-review", None)
            if fate == "wait":
                waiting.append(run_id)
            elif fate == "cancel":
                stage.control.cancel(run_id, reason="wrong", actor="marco")
            elif fate != "fail":
                answer = "approved" if fate == "approve" else "rejected"
                stage.decide(answer, question=f"{run_id}/sign-off")  # type: ignore[arg-type]
            stage.pass_time(days=after)
        before = {run_id: _artifacts_of(stage, run_id) for run_id in waiting}
        _retention(stage).prune(timedelta(days=days), reason="policy R-7", actor="marco")
        stage.reopen()
        for run_id, needed in before.items():
            assert needed <= stage.artifacts.names()
            stage.calls.clear()
            assert stage.drive(run_id, resumed=True).status == "waiting"
            assert stage.calls == []
        stage.driver.refresh_view(PLAN_ID)
        assert verify_plan(stage.plans, stage.journal, PLAN_ID, root=stage.root, config=stage.config).ok
