"""`gtm audit` at the command line."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.interfaces.conftest import Said


@pytest.fixture
def asked(workspace: Path, gtm: Callable[..., Said]) -> Path:
    """Give a workspace whose run waits for its sign-off."""
    assert gtm("define-profiles", "--initiative", "PLG Onboarding", "--channels", "web").code == 4
    return workspace


def test_the_history_is_verified_exported_and_counted(asked: Path, gtm: Callable[..., Said]) -> None:
    verified = gtm("audit", "verify")
    assert (verified.code, verified.out.splitlines()[-1]) == (0, "verified")
    rows = list(csv.DictReader(io.StringIO(gtm("audit", "export").out)))
    lines = gtm("audit", "export", "--format", "ndjson", "--initiative", "PLG Onboarding").out.splitlines()
    assert [json.loads(line)["hash"] for line in lines] == [row["hash"] for row in rows]
    assert {row["kind"] for row in rows} >= {"plan.revision", "run.started", "task.outcome", "question.asked"}
    assert gtm("audit", "export", "--since", "2199-01-01").out.count("\n") == 1
    counted = json.loads(gtm("audit", "metrics", "--initiative", "PLG Onboarding", "--json").out)
    figures, totals = counted["runs"], counted["totals"]
    assert totals['metric("attribute_coverage")'] == figures[0]["actuals"]["attribute coverage"]
    assert (figures[0]["status"], figures[0]["attempts"], figures[0]["waits"]) == ("waiting", 9, 1)
    assert "attribute coverage" in figures[0]["actuals"]
    table = gtm("audit", "metrics", "--initiative", "PLG Onboarding").out
    assert f"{figures[0]['run_id']}" in table
    assert "all runs together: metric(" in table
    unknown = gtm("audit", "metrics", "--initiative", "PLG")
    assert (unknown.code, unknown.err) == (
        2,
        "gtm: no initiative 'PLG' in this workspace\nnext: known are PLG Onboarding\n",
    )
    log = next((asked / ".claude" / "plans").glob("*.log.jsonl"))
    log.write_bytes(log.read_bytes().replace(b"asked for", b"asked fro"))
    broken = gtm("audit", "verify", "--json")
    assert (broken.code, json.loads(broken.out)["ok"]) == (1, False)


def test_a_dry_pruning_says_what_would_go_and_a_waiting_run_stays(
    asked: Path, gtm: Callable[..., Said]
) -> None:
    assert asked.is_dir()
    planned = gtm("audit", "prune", "--older-than", "1d", "--dry-run")
    assert (planned.code, planned.out) == (0, "0 artifacts and 0 folders would go\n")
    wrong = gtm("audit", "prune", "--older-than", "soon")
    assert (wrong.code, "'soon' is not a duration" in wrong.err) == (2, True)
    refused = gtm("audit", "prune", "--older-than", "1d", "--reason", "R-7")
    assert refused.code == 3
