"""What can be made again is made again, with the same bytes: plan file, published outputs, locks."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.runs.conftest import GO, PLAN_ID, Stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runs.conftest import Result

    from gtm_orchestra.agents.registry import TaskContext


def _report(ctx: TaskContext) -> Result:
    ctx.put_file("report.md", "text/markdown", b"# A report\n")
    return GO


def _delete_derived(root: Path) -> None:
    for path in (root / ".claude" / "plans").glob("*.json"):
        path.unlink()
    for folder in (root / ".gtm" / "locks", root / "outputs"):
        shutil.rmtree(folder, ignore_errors=True)


def _derived(root: Path) -> dict[str, bytes]:
    found = [*(root / ".claude" / "plans").glob("*.json"), *(root / "outputs").rglob("*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in found if path.is_file()}


def _signed(root: Path, *, meddle: bool) -> dict[str, bytes]:
    """Run to the end, and return the derived files; with `meddle`, they vanish in the middle of each step."""
    stage = Stage(root)
    stage.work["write-outputs"] = _report

    def vanishing(ctx: TaskContext) -> Result:
        _ = ctx
        if meddle:
            _delete_derived(root)
        return GO

    stage.work["profile-definition"] = vanishing
    stage.start()
    assert stage.drive().status == "waiting"
    if meddle:
        _delete_derived(root)
        stage.reopen()
    assert stage.decide("approved").status == "done"
    return _derived(root)


def test_derived_files_that_vanish_in_the_middle_of_a_run_are_written_again_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    expected = _signed(tmp_path / "left alone", meddle=False)
    assert {path.rpartition("/")[2] for path in expected} == {
        f"{PLAN_ID}.json",
        "report.md",
        "sign-off.json",
    }
    assert _signed(tmp_path / "meddled with", meddle=True) == expected


def test_a_plan_file_that_was_deleted_at_the_end_is_written_again_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    expected = _signed(tmp_path, meddle=False)
    (tmp_path / ".claude" / "plans" / f"{PLAN_ID}.json").unlink()
    shutil.rmtree(tmp_path / ".gtm" / "locks")
    Stage(tmp_path).driver.refresh_view(PLAN_ID)
    assert _derived(tmp_path) == expected


def test_outputs_that_were_deleted_at_the_end_are_published_again_with_the_same_bytes(tmp_path: Path) -> None:
    expected = _signed(tmp_path, meddle=False)
    shutil.rmtree(tmp_path / "outputs")
    assert Stage(tmp_path).drive(resumed=True).status == "done"
    published = {name: data for name, data in expected.items() if name.startswith("outputs/")}
    assert {n: d for n, d in _derived(tmp_path).items() if n.startswith("outputs/")} == published
