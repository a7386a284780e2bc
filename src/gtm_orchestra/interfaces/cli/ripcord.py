"""`gtm runs ripcord`: stop a run and take back what it did."""

from __future__ import annotations

import click

from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    json_option,
    open_workspace,
    workspace_option,
)
from gtm_orchestra.interfaces.cli.profiles import report
from gtm_orchestra.interfaces.cli.progress import shown_progress
from gtm_orchestra.interfaces.cli.remedies import reason_option

_SOMETHING_IS_LEFT = 5


@click.command("ripcord")
@click.argument("run_id", metavar="RUN")
@reason_option
@workspace_option
@actor_option
@json_option
def ripcord(workspace: str, run_id: str, actor: str | None, reason: str, *, as_json: bool) -> int:
    """Stop a run and take back what it did, the last effect first; then say what is left.

    Exit 5 if something is left that could not be taken back. After a crash, `gtm runs resume RUN` goes on.
    """
    with shown_progress(quiet=as_json) as progress:
        space = open_workspace(workspace, progress=progress)
        if run_id == "latest":
            rows = space.journal.run_list()
            run_id = rows[-1].run_id if rows else run_id
        segment = space.ripcord(run_id, reason=reason, actor=actor)
    report(space, segment, as_json=as_json)
    done = [r for r in space.journal.records(run_id) if r.kind == "ripcord.done"]
    return _SOMETHING_IS_LEFT if done[-1].body["left"] else 0
