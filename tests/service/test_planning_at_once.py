"""Two processes that ask for the same program at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.service.conftest import NOW

from gtm_orchestra import Workspace
from gtm_orchestra.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path


def test_an_initiative_keeps_one_plan_though_two_processes_make_it_at_once(
    folder: Path, opened: Callable[[], Workspace]
) -> None:
    others: list[str] = []

    def clock() -> datetime:
        # Asked for after it was looked whether there is a plan: here the other process comes in between.
        if not others:
            others.append("on its way")
            made = opened().define_profiles(initiative="PLG", channels="web")
            others[0] = made.definition.plan_id
        return NOW.replace(hour=7)

    slow = Workspace.open(folder, clock=clock, environ={}, os_user="somebody")
    with pytest.raises(ConflictError) as raised:
        slow.define_profiles(initiative="PLG", channels="web")
    assert raised.value.message == f"'PLG' was planned meanwhile, as {others[0]}"
    assert opened().plans.ids() == (others[0],)
