"""What the command line tells of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.interfaces.conftest import Said


def test_a_blocked_run_never_counts_fewer_people_than_the_group_minimum(
    workspace: Path, gtm: Callable[..., Said]
) -> None:
    config = workspace / "gtm.toml"
    text = re.sub(r"group_minimum = \d+", "", config.read_text())
    config.write_text(text.replace("[policies]", "[policies]\ngroup_minimum = 9000"))
    said = gtm("define-profiles", "--initiative", "PLG Onboarding", "--channels", "web,email")
    assert said.code == 3, said.err
    assert "  web     blocked, fewer than 9,000 people in reach: " in said.out
    assert "  email   blocked, fewer than 9,000 people in reach: " in said.out
