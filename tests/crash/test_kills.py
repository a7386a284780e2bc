from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

KILLS = Path(__file__).with_name("kills.py")


def test_a_killed_run_resumes_to_the_same_bytes() -> None:
    """A kill in each task; `python tests/crash/kills.py 200` does more of the same."""
    done = subprocess.run(
        [sys.executable, str(KILLS), "9"], capture_output=True, text=True, check=False, timeout=1_500
    )
    assert done.stdout.endswith("0 faults\n"), done.stdout + done.stderr
    hit = set(re.findall(r"^  (\d\.\d) ", done.stdout, re.MULTILINE))
    assert len(hit) >= 5, done.stdout
