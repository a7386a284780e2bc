"""A command as one request: inputs in, where the run stands out."""

from __future__ import annotations

from typing import Any

from gtm_orchestra.service.commands import parse_inputs
from gtm_orchestra.service.standing import standing
from gtm_orchestra.service.workspace import Workspace

__all__ = ["perform"]


async def perform(command: str, workspace: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Plan a command in a workspace, run it until a person is needed, and return where it stands.

    Raises:
        GtmError: As `Workspace.plan` and `Workspace.run_async`.
    """
    space = Workspace.open(workspace)
    revision = space.plan(command, parse_inputs(command, inputs))
    return standing(space, await space.run_async(revision))
