from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RANDOM_PLANS = Path(__file__).with_name("random_plans.py")
PLANS = 200


def test_every_run_of_a_random_plan_ends_with_every_node_in_an_outcome() -> None:
    """The script says what was covered: what it no longer makes would no longer be tested."""
    done = subprocess.run(
        [sys.executable, str(RANDOM_PLANS), "--plans", str(PLANS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1_500,
    )
    assert re.match(rf"{PLANS} plans, [\d,]+ nodes, 0 faults, ", done.stdout), done.stdout + done.stderr
    covered = {m[1]: int(m[2]) for m in re.finditer(r"^  (\S+(?: \S+)?) +(\d+)$", done.stdout, re.MULTILINE)}
    for kind in ("diamond", "crossing", "conditional", "loop", "wait"):
        assert covered[f"shape {kind}"] >= 20, kind
    for fault in ("raise", "rubbish", "no", "timeout", "die"):
        assert covered[f"fault {fault}"] >= 20, fault
    for end in ("done", "blocked", "failed", "rejected"):
        assert covered[f"ended {end}"] >= 3, end
    for happened in ("clock advanced", "answer skip", "answer retry", "killed"):
        assert covered[happened] >= 3, happened
