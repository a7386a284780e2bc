"""What everybody's silence does to what is live: nothing, or it is taken back, as the gate says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra import Workspace
from gtm_orchestra.content import find_content

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2025, 12, 1, 9, tzinfo=UTC)


def _at(folder: Path, later: timedelta) -> Workspace:
    return Workspace.open(
        folder, clock=lambda: START + later, nonce=lambda: "0" * 32, environ={}, os_user="somebody"
    )


@pytest.mark.parametrize(
    ("silence", "status"), [("stop", "escalated"), ("hold", "escalated"), ("revert", "ripped")]
)
def test_silence_takes_back_only_where_the_gate_says_so(folder: Path, silence: str, status: str) -> None:
    text = find_content("plans", "define-profiles", None).text
    (folder / "plans").mkdir()
    (folder / "plans" / "define-profiles.yaml").write_text(
        text.replace(
            "      on_silence: Nothing is signed and nothing changes; the ladder is asked.",
            f"      on_silence: Consent is at stake, so nobody's answer counts.\n      silence: {silence}",
        )
    )
    space = _at(folder, timedelta(0))
    run = space.run(space.define_profiles(initiative="Trial", channels=["web", "in-app"])).run
    (report,) = folder.glob(f"outputs/**/{run.run_id}/report.html")
    for days in (4, 8):
        ticked = _at(folder, timedelta(days=days)).tick()
    assert [settled.change for settled in ticked.settled] == ["silent"]
    assert [segment.status for segment in ticked.segments] == [status]
    assert report.exists() == (silence != "revert")
    space = _at(folder, timedelta(days=9))
    assert space.verify(run.plan_id).ok
    remediation = space.document(run.plan_id).remediation
    assert [entry.happened for entry in remediation] == (
        ["nobody answered sign-off, and the plan says that silence there takes back what is live"]
        if silence == "revert"
        else []
    )
