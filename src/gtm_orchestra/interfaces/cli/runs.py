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
from gtm_orchestra.interfaces.cli.ripcord import ripcord
from gtm_orchestra.interfaces.cli.stopping import stoppable
from gtm_orchestra.interfaces.cli.story import exit_code_of, exit_code_of_status, question_line
from gtm_orchestra.interfaces.cli.tale import IDENTITIES, line_of
from gtm_orchestra.service.control import paused_words
from gtm_orchestra.service.watching import watched

if TYPE_CHECKING:
    from gtm_orchestra.runs.replan import Replan
    from gtm_orchestra.service.workspace import Workspace
    from gtm_orchestra.state.journal import Record, RunRow

_LOOK_EVERY_S = 0.5


_STATUS_WORDS = {
    "ripped": "ripped (stopped, and what it did was taken back)",
    "escalated": "escalated (the ladder is asked)",
    "superseded": "superseded by a later run",
}


@click.group()
def runs() -> None:
    """Look at runs, and take them up again."""


for _command in (answer_question, waive, tick, ripcord):
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
    plan = space.plans.revision(row.plan_id, row.revision).definition
    lines = [
        f"{row.run_id}: {_STATUS_WORDS.get(row.status, row.status)}.",
        f"{row.command} for the initiative {row.initiative!r}, revision {row.revision} of its plan.",
        f"Started by {row.started_by}, data as of {row.as_of:%Y-%m-%d %H:%M} UTC. All times are UTC.",
        IDENTITIES,
        *[f"{record.at:%Y-%m-%d %H:%M:%S}  {line}" for record in records if (line := line_of(record, plan))],
    ]
    lines += [question_line(q) for q in space.journal.question_list(run_id=run_id, status="open")]
    events = [_event(record) for record in records]
    emit("\n".join(lines), {**_document(row), "events": events}, as_json=as_json)


@runs.command("resume")
@click.argument("run_id", metavar="[RUN]", default="latest")
@click.option("--from", "node", default=None, help="Do this task or gate and everything behind it again.")
@click.option("--input", "inputs", multiple=True, help="NAME=VALUE: revise the plan and move the run over.")
@click.option("--reason", default="", help="Why, for --from and --input.")
@workspace_option
@actor_option
@json_option
def resume(
    workspace: str,
    actor: str | None,
    run_id: str,
    node: str | None,
    inputs: tuple[str, ...],
    reason: str,
    *,
    as_json: bool,
) -> int:
    """Take a run up again: nothing that is finished runs again; what failed is tried afresh."""
    with shown_progress(quiet=as_json) as progress, stoppable() as ending:
        space = open_workspace(workspace, progress=progress, ending=ending)
        run_id = _run_id(space, run_id)
        if inputs:
            found = space.control.change_inputs(run_id, _named(inputs), reason=reason, actor=actor)
            click.echo(plain("\n".join(_move_lines(found))), err=True)
        if node is not None:
            again = space.control.rewind(run_id, node, reason=reason, actor=actor)
            click.echo(f"done again: {', '.join(again)}", err=True)
        segment = space.resume(run_id)
    report(space, segment, as_json=as_json)
    return exit_code_of(segment)


@runs.command("move")
@click.argument("run_id", metavar="[RUN]", default="latest")
@click.option("--dry-run", is_flag=True, help="Only say what would be kept, done again or void.")
@click.option("--reason", default="", help="Why; the audit trail keeps it.")
@workspace_option
@actor_option
@json_option
def move(workspace: str, actor: str | None, run_id: str, reason: str, *, dry_run: bool, as_json: bool) -> int:
    """Move an unfinished run over to the latest revision of its plan; what has not changed is kept.

    Approvals were given to the old revision: they are asked for anew. It is refused if something that is
    live would lose the gate that protects it.
    """
    space = open_workspace(workspace)
    run_id = _run_id(space, run_id)
    if dry_run:
        found = space.control.planned_move(run_id)
        lines = [*_move_lines(found), *[f"refused: {why}" for why in found.refusals]]
        lines.append("nothing was changed: this was a dry run")
        code = 3 if found.refusals else 10
    else:
        found = space.control.move(run_id, reason=reason, actor=actor)
        lines, code = [*_move_lines(found), f"Next: gtm runs resume {run_id}"], 0
    document = {
        **_document(space.journal.run(run_id)),
        "moves": [one.__dict__ for one in found.moves],
        "refusals": list(found.refusals),
    }
    emit("\n".join(lines), document, as_json=as_json)
    return code


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
    plan = space.plans.revision(row.plan_id, row.revision).definition

    def pause() -> None:
        time.sleep(_LOOK_EVERY_S)

    for record in watched(space.journal, run_id, state_of=space.state_of, pause=pause):
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
    done = space.control.cancel(_run_id(space, run_id), reason=reason, actor=actor)
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


def _named(texts: tuple[str, ...]) -> dict[str, str]:
    named = dict(text.partition("=")[::2] for text in texts)
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise UsageError(f"--input {wrong[0][:60]!r} names no value", hint="write --input NAME=VALUE")
    return {name.strip().replace("-", "_"): value for name, value in named.items()}


def _move_lines(found: Replan) -> list[str]:
    words = {"kept": "kept", "again": "done again", "open": "to do", "void": "void"}
    return [f"{move.node:<10} {words[move.fate]:<10} {move.why}" for move in found.moves]


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
