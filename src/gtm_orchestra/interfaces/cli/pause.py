"""`gtm pause`: let nothing start or resume, in any process."""

from __future__ import annotations

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    emit,
    json_option,
    open_workspace,
    workspace_option,
)
from gtm_orchestra.service.control import paused_words


@click.command()
@click.option("--all", "every", is_flag=True, help="Pause every run of the workspace.")
@click.option("--off", is_flag=True, help="Lift the pause.")
@click.option("--reason", default="", help="Why; it is shown to everybody.")
@workspace_option
@actor_option
@json_option
def pause(workspace: str, actor: str | None, reason: str, *, every: bool, off: bool, as_json: bool) -> None:
    """Let nothing start or resume: tasks at work finish, no further one begins, whatever process drives it.

    Without options: say whether everything is paused. The pause stays until somebody lifts it.
    """
    if every and off:
        raise UsageError("--all and --off exclude each other", hint="choose one")
    space = open_workspace(workspace)
    control = space.control
    if every:
        paused = control.pause(reason=reason, actor=actor)
        text = f'{paused_words(paused)}\nNext, to lift it: gtm pause --off --reason "…" --as HANDLE'
    elif off:
        held_up = control.lift(reason=reason, actor=actor)
        lines = ["the pause is lifted; what it held up is not taken up by itself"]
        text = "\n".join([*lines, *[f"Next: gtm runs resume {row.run_id}" for row in held_up]])
    else:
        now = control.paused()
        text = paused_words(now) if now is not None else "nothing is paused"
    now = control.paused()
    document = {
        "paused": now is not None,
        "by": now.by if now else None,
        "identity": now.identity if now else None,
        "at": now.at.isoformat() if now else None,
        "why": now.why if now else None,
        "held_up": [row.run_id for row in space.journal.run_list() if row.status == "paused"],
    }
    emit(text, document, as_json=as_json)
