"""`gtm approvals`: what waits for a person, and their decision."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    emit,
    json_option,
    key_option,
    open_workspace,
    workspace_option,
)
from gtm_orchestra.interfaces.cli.profiles import report
from gtm_orchestra.interfaces.cli.progress import shown_progress
from gtm_orchestra.interfaces.cli.stopping import stoppable
from gtm_orchestra.interfaces.cli.story import exit_code_of, question_line
from gtm_orchestra.runs.questions import binding_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.runs.questions import Answer
    from gtm_orchestra.service.workspace import Workspace
    from gtm_orchestra.state.journal import Question


@click.group()
def approvals() -> None:
    """Decide what waits for you. No agent, chat or service can decide one."""


@approvals.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are closed.")
@workspace_option
@json_option
def list_approvals(workspace: str, *, every: bool, as_json: bool) -> None:
    """List what waits for a person."""
    space = open_workspace(workspace)
    questions = space.questions(every=every)
    lines = [
        f"{q.question_id}  {q.status}  {question_line(q) if q.status == 'open' else ''}" for q in questions
    ]
    text = "\n".join(lines) or "nothing waits for anybody"
    emit(text, [_document(question) for question in questions], as_json=as_json)


@approvals.command("show")
@click.argument("approval")
@workspace_option
@json_option
def show(workspace: str, approval: str, *, as_json: bool) -> None:
    """Show what exactly a yes would be bound to."""
    space = open_workspace(workspace)
    question = space.journal.question(_full_id(space, approval))
    emit(_text(question), _document(question), as_json=as_json)


def _decision(name: str, answer: Answer, line: str) -> None:
    def command(
        workspace: str, actor: str | None, approval: str, reason: str, *, key: Path | None, as_json: bool
    ) -> int:
        private = key.read_bytes() if key is not None else None
        with shown_progress(quiet=as_json) as progress, stoppable() as ending:
            space = open_workspace(workspace, progress=progress, ending=ending)
            segment = space.decide(_full_id(space, approval), answer, reason=reason, actor=actor, key=private)
        report(space, segment, as_json=as_json)
        # A "no" that was recorded as asked for is a success of this command.
        return 0 if segment.status == "rejected" and answer != "approved" else exit_code_of(segment)

    command.__doc__ = line
    decorated: Callable[..., Any] = command
    for decorate in (
        json_option,
        actor_option,
        workspace_option,
        key_option,
        click.option("--reason", required=True, help="Why; the audit trail keeps it."),
        click.argument("approval"),
    ):
        decorated = decorate(decorated)
    approvals.command(name)(decorated)


_decision("approve", "approved", "Approve: sign exactly what was asked about.")
_decision("request-changes", "changes-requested", "Send it back with what must change, as the reason.")
_decision("reject", "rejected", "Reject it.")


@approvals.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--as", "handle", required=True, help="Whose key it is: a handle of gtm.toml [people].")
def keygen(file: Path, handle: str) -> None:
    """Make a key to sign decisions with: the private half in FILE, the public half for gtm.toml printed."""
    from gtm_orchestra.policy.signatures import new_key  # noqa: PLC0415 - cryptography is heavy

    private, public = new_key()
    try:
        handle_of_file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{str(file)!r} exists already", hint="name another file") from error
    except OSError as error:
        raise UsageError(f"{str(file)!r} cannot be written: {error.strerror}") from error
    with os.fdopen(handle_of_file, "wb") as out:
        out.write(private)
    day = datetime.now(UTC).date()
    table = f"[people.{handle}.keys.{handle}-{day}]"
    click.echo(f'{table}\npublic = "{public}"\nsince = {day}')
    click.echo(
        f"The private key is in {file}, readable by you alone; keep it out of the workspace. "
        "Add the lines above to gtm.toml: from then on this person's decisions need --key.",
        err=True,
    )


def _full_id(space: Workspace, text: str) -> str:
    """Return the question meant: its whole id, its run, or "latest" for the only open one."""
    found = [
        q.question_id
        for q in space.questions(every=True)
        if text in {q.question_id, q.run_id} or (text == "latest" and q.status == "open")
    ]
    if len(found) > 1:
        found = [q.question_id for q in space.questions() if q.question_id in found]
    if len(found) != 1:
        is_open = [q.question_id for q in space.questions()]
        closed = [q for q in space.questions(every=True) if q.status != "open"]
        last = f"; the last one, {closed[-1].question_id}, is {closed[-1].status}" if closed else ""
        raise UsageError(
            f"{text[:120]!r} names {len(found) or 'no'} open approval{'s' if len(found) > 1 else ''}",
            hint=f"open are: {', '.join(is_open)}" if is_open else f"nothing waits for anybody{last}",
        )
    return found[0]


def _text(question: Question) -> str:
    lines = [f"{question.question_id}: {question.status}", question_line(question)]
    lines += [f"  - {criterion}" for criterion in question.body.get("criteria", ())]
    binding = question.body.get("binding")
    if binding:
        lines.append("A yes is bound to exactly this, and to nothing else:")
        lines += [
            f"  {name}: {value}" for name, value in binding.items() if name != "artifacts" and value != ""
        ]
        lines += [f"  {sha256[:12]}  {name}" for name, sha256 in binding["artifacts"].items()]
    return "\n".join(lines)


def _document(question: Question) -> dict[str, Any]:
    return {
        "question_id": question.question_id,
        "run_id": question.run_id,
        "kind": question.kind,
        "status": question.status,
        "asked_at": question.asked_at.isoformat(),
        "due_at": question.due_at.isoformat(),
        "binding_sha256": binding_of(question) if question.kind == "approval" else None,
        **question.body,
    }
