from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

KILLS = Path(__file__).with_name("effects_kills.py")


def _killed(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(KILLS), *arguments], capture_output=True, text=True, check=False, timeout=900
    )
    return done.stdout + done.stderr


def test_killed_deployments_apply_every_effect_once() -> None:
    """`python tests/crash/effects_kills.py 1000` does more of the same."""
    said = _killed("16")
    assert said.endswith("0 lost, 0 doubled, 0 unreadable\n"), said
    inside = re.search(r"(\d+) \(\d+%\) inside", said)
    assert inside is not None, said
    assert int(inside[1]) >= 12, said


def test_without_idempotency_keys_the_same_kills_apply_effects_twice() -> None:
    said = _killed("16", "--keys-off")
    doubled = re.search(r"(\d+) doubled", said)
    assert doubled is not None, said
    assert int(doubled[1]) >= 1, said
