"""Defines profiles with a fixed clock and fixed ids; started, killed and started again by `kills.py`."""

from __future__ import annotations

import os
import warnings
from datetime import UTC, datetime

from gtm_orchestra import Workspace

NOW = datetime(2025, 12, 1, 6, tzinfo=UTC)


def define_profiles(workspace: str, marks_file: str) -> None:
    """Plan and run in a workspace; a line per event goes to a file: it tells where a kill landed."""
    warnings.simplefilter("ignore")
    marks = os.open(marks_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def mark(node: str, event: str, _detail: str) -> None:
        os.write(marks, f"{node} {event}\n".encode())

    space = Workspace.open(
        workspace, clock=lambda: NOW, nonce=lambda: "0" * 32, os_user="marco", environ={}, progress=mark
    )
    revision = space.define_profiles(
        initiative="PLG Onboarding",
        channels=["web", "in-app", "email", "ads", "sales"],
        metrics=["activation rate", "retention"],
        constraints=["EU only", "no age"],
        timeline="by 15 January",
    )
    segment = space.run(revision)
    os.write(marks, f"- {segment.status}\n".encode())
