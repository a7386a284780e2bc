"""`gtm approvals`: what waits for a person, and their decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    emit,
    json_option,
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
    def command(workspace: str, actor: str | None, approval: str, reason: str, *, as_json: bool) -> int:
        with shown_progress(quiet=as_json) as progress, stoppable() as ending:
            space = open_workspace(workspace, progress=progress, ending=ending)
            segment = space.decide(_full_id(space, approval), answer, reason=reason, actor=actor)
        report(space, segment, as_json=as_json)
        # A "no" that was recorded as asked for is a success of this command.
        return 0 if segment.status == "rejected" and answer != "approved" else exit_code_of(segment)

    command.__doc__ = line
    decorated: Callable[..., Any] = command
    for decorate in (
        json_option,
        actor_option,
        workspace_option,
        click.option("--reason", required=True, help="Why; the audit trail keeps it."),
        click.argument("approval"),
    ):
        decorated = decorate(decorated)
    approvals.command(name)(decorated)


_decision("approve", "approved", "Approve: sign exactly what was asked about.")
_decision("request-changes", "changes-requested", "Send it back with what must change, as the reason.")
_decision("reject", "rejected", "Reject it.")


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
