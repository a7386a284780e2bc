"""`gtm runs`: what has been run, how it went, and taking it up again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    emit,
    json_option,
    open_workspace,
    plain,
    workspace_option,
)
from gtm_orchestra.interfaces.cli.profiles import report
from gtm_orchestra.interfaces.cli.progress import shown_progress
from gtm_orchestra.interfaces.cli.remedies import answer_question, tick, waive
from gtm_orchestra.interfaces.cli.stopping import stoppable
from gtm_orchestra.interfaces.cli.story import exit_code_of, exit_code_of_status, question_line
from gtm_orchestra.interfaces.cli.tale import line_of
from gtm_orchestra.service.control import paused_words

if TYPE_CHECKING:
    from gtm_orchestra.service.workspace import Workspace
    from gtm_orchestra.state.journal import Record, RunRow

_LOOK_EVERY_S = 0.5


@click.group()
def runs() -> None:
    """Look at runs, and take them up again."""


for _command in (answer_question, waive, tick):
    runs.add_command(_command)


@runs.command("list")
@workspace_option
@json_option
def list_runs(workspace: str, *, as_json: bool) -> None:
    """List every run, the newest last."""
    space = open_workspace(workspace)
    rows = space.journal.run_list()
    lines = [
        f"{r.run_id}  {space.state_of(r):<11}  {r.command} for {r.initiative!r}, "
        f"as of {r.as_of:%Y-%m-%d %H:%M} UTC"
        for r in rows
    ]
    lines += [
        f"{state}: gtm runs resume {row.run_id}"
        for row in rows
        if (state := space.state_of(row)) in {"interrupted", "paused"}
    ]
    paused = space.halts.paused()
    lines += [paused_words(paused)] if paused is not None else []
    emit("\n".join(lines) or "nothing has been run", [_document(row) for row in rows], as_json=as_json)


@runs.command("show")
@click.argument("run_id", metavar="[RUN]", default="latest")
@workspace_option
@json_option
def show(workspace: str, run_id: str, *, as_json: bool) -> None:
    """Tell what happened in a run (default: the latest), in order."""
    space = open_workspace(workspace)
    run_id = _run_id(space, run_id)
    row = space.journal.run(run_id)
    records = space.journal.records(run_id)
    plan = next(r for r in space.plans.revisions(row.plan_id) if r.number == row.revision).definition
    lines = [
        f"{row.run_id}: {row.status}. {row.command} for {row.initiative!r}, revision {row.revision}.",
        f"Started by {row.started_by}, data as of {row.as_of:%Y-%m-%d %H:%M} UTC.",
        *[f"{record.at:%Y-%m-%d %H:%M:%S}  {line}" for record in records if (line := line_of(record, plan))],
    ]
    lines += [question_line(q) for q in space.journal.question_list(run_id=run_id, status="open")]
    events = [_event(record) for record in records]
    emit("\n".join(lines), {**_document(row), "events": events}, as_json=as_json)


@runs.command("resume")
@click.argument("run_id", metavar="[RUN]", default="latest")
@workspace_option
@json_option
def resume(workspace: str, run_id: str, *, as_json: bool) -> int:
    """Take a run up again: nothing that is finished runs again; what failed is tried afresh."""
    with shown_progress(quiet=as_json) as progress, stoppable() as ending:
        space = open_workspace(workspace, progress=progress, ending=ending)
        segment = space.resume(_run_id(space, run_id))
    report(space, segment, as_json=as_json)
    return exit_code_of(segment)


@runs.command("watch")
@click.argument("run_id", metavar="[RUN]", default="latest")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line, one line an event.")
def watch(workspace: str, run_id: str, *, as_json: bool) -> int:
    """Follow a run that another process drives, until it ends or waits for a person.

    The exit code is that of where the run stands then.
    """
    space = open_workspace(workspace)
    run_id = _run_id(space, run_id)
    row = space.journal.run(run_id)
    plan = next(r for r in space.plans.revisions(row.plan_id) if r.number == row.revision).definition
    for record in space.watch(run_id, pause=lambda: time.sleep(_LOOK_EVERY_S)):
        if as_json:
            click.echo(json.dumps(_event(record), ensure_ascii=False))
        elif line := line_of(record, plan):
            click.echo(plain(f"{record.at:%Y-%m-%d %H:%M:%S}  {line}"))
    row = space.journal.run(run_id)
    if not as_json:
        for question in space.journal.question_list(run_id=run_id, status="open"):
            click.echo(plain(question_line(question)))
        if space.state_of(row) == "interrupted":
            click.echo(f"no process drives it. Next: gtm runs resume {run_id}")
    return exit_code_of_status(row.status)


@runs.command("cancel")
@click.argument("run_id", metavar="RUN")
@click.option("--reason", required=True, help="Why; the audit trail keeps it.")
@workspace_option
@actor_option
@json_option
def cancel(workspace: str, run_id: str, actor: str | None, reason: str, *, as_json: bool) -> None:
    """End a run: no further task begins, its questions are closed, what is live stays live."""
    space = open_workspace(workspace)
    done = space.cancel(_run_id(space, run_id), reason=reason, actor=actor)
    row = done.run
    lines = [f"{row.run_id}: {'cancelled' if done.news else 'was cancelled before'}. {done.why}"]
    lines += [f"Closed: {question_id}" for question_id in done.closed]
    lines += [
        f"Live{'' if effect.certain else ', perhaps'}: {effect.name}, by {effect.node}"
        for effect in done.live
    ]
    if done.live:
        lines.append(f'Next, to take back what is live: gtm runs ripcord {row.run_id} --reason "…"')
    else:
        lines.append(f"Nothing of it is live. Next: gtm runs show {row.run_id}")
    document = {
        **_document(row),
        "news": done.news,
        "why": done.why,
        "closed": list(done.closed),
        "live": [effect.__dict__ for effect in done.live],
    }
    emit("\n".join(lines), document, as_json=as_json)


def _run_id(space: Workspace, text: str) -> str:
    rows = space.journal.run_list()
    if text != "latest":
        return text
    if not rows:
        raise UsageError("nothing has been run", hint="start with 'gtm define-profiles'")
    return rows[-1].run_id


def _event(record: Record) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "at": record.at.isoformat(),
        "kind": record.kind,
        "node": record.node,
        "body": record.body,
    }


def _document(row: RunRow) -> dict[str, Any]:
    return {**row.__dict__, "created_at": row.created_at.isoformat(), "as_of": row.as_of.isoformat()}
