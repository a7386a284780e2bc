"""What was acknowledged is there after any fault, and the run goes on; `faults.py` does the work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).with_name("faults.py")


def _faults(*how: str) -> tuple[str, dict[str, int]]:
    done = subprocess.run(
        [sys.executable, str(FAULTS), *how], capture_output=True, text=True, check=False, timeout=900
    )
    hits = re.findall(r"^  (\S.*?) +(\d+)$", done.stdout, re.MULTILINE)
    return done.stdout + done.stderr, {what: int(count) for what, count in hits}


@pytest.mark.parametrize("how", ["fail", "kill"])
def test_whatever_call_fails_or_is_the_last_nothing_acknowledged_is_lost_and_the_run_goes_on(
    how: str,
) -> None:
    """Each fourth write, sync, rename or commit, from the plan to the resume behind the decision.

    `python tests/state/faults.py fail` and `kill` try each.
    """
    told, hits = _faults(how, "4")
    assert "\n0 faults\n" in told, told
    assert sum(hits.values()) >= 30, told


def test_half_a_write_is_never_taken_for_a_whole_one() -> None:
    told, hits = _faults("torn")
    assert told.endswith("\n0 faults\n"), told
    assert hits["write plan-20261101T090000Z.log.jsonl"] >= 2, told


def test_a_power_cut_after_an_acknowledgement_takes_nothing_of_it() -> None:
    """Only synced bytes under synced names are left, and the database as of its last full sync."""
    told, _ = _faults("power")
    assert told.endswith("\n0 faults\n"), told
