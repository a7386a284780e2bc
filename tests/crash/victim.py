"""Defines profiles with a fixed clock and fixed ids; started, killed and started again by tests.

Usage: victim.py WORKSPACE MARKS. A line per event goes to MARKS, so that the test knows where a kill landed.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from gtm_orchestra import Workspace

WORKSPACE, MARKS = sys.argv[1:]
NOW = datetime(2025, 12, 1, 6, tzinfo=UTC)


def main() -> None:
    marks = os.open(MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def mark(node: str, event: str, _detail: str) -> None:
        os.write(marks, f"{node} {event}\n".encode())

    space = Workspace.open(
        WORKSPACE, clock=lambda: NOW, nonce=lambda: "0" * 32, os_user="marco", environ={}, progress=mark
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


if __name__ == "__main__":
    main()
