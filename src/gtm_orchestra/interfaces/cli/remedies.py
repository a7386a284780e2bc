"""`gtm runs answer|waive|tick`: what a person says of a failed task or a failing gate, and the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, cast

import click

from gtm_orchestra.config import parse_duration
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
from gtm_orchestra.interfaces.cli.story import exit_code_of

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.runs.ladder import RemedyAnswer
    from gtm_orchestra.runs.questions import Answer

_ANSWERS = ("retry", "retry-with-change", "take-substitute", "skip", "abort", "it-happened", "it-did-not")
_DEFAULT_WAIVER = "30d"

reason_option = click.option("--reason", required=True, help="Why; the audit trail keeps it.")
until_option = click.option(
    "--until", default=_DEFAULT_WAIVER, show_default=True, help="When the waiver expires: 30d, or 2026-12-31."
)


@click.command("answer")
@click.argument("question")
@click.argument("answer", type=click.Choice(_ANSWERS))
@click.option("--change", default="", help="What is to be done otherwise, with retry-with-change.")
@click.option("--substitute", default="", help="Who does it, with take-substitute.")
@reason_option
@key_option
@actor_option
@workspace_option
@json_option
def answer_question(  # noqa: PLR0913 - one argument an option
    workspace: str,
    actor: str | None,
    question: str,
    answer: str,
    reason: str,
    *,
    change: str,
    substitute: str,
    key: Path | None,
    as_json: bool,
) -> int:
    """Say what becomes of a task that its owner and its substitutes have failed.

    QUESTION is its id, as `gtm approvals list` prints it. ANSWER: retry (as it is), retry-with-change,
    take-substitute (let the named substitute do it), skip (and waive the gate behind it, for thirty days),
    abort. Of something sent of which nobody can tell whether it arrived: it-happened, it-did-not, abort.
    """
    private = key.read_bytes() if key is not None else None
    with shown_progress(quiet=as_json) as progress, stoppable() as ending:
        space = open_workspace(workspace, progress=progress, ending=ending)
        if space.journal.question(question).kind == "effect":
            segment = space.decide(question, cast("Answer", answer), reason=reason, actor=actor, key=private)
        else:
            segment = space.people.answer(
                question,
                cast("RemedyAnswer", answer),
                reason=reason,
                actor=actor,
                change=change,
                substitute=substitute,
                key=private,
            )
    report(space, segment, as_json=as_json)
    return exit_code_of(segment)


@click.command("waive")
@click.argument("run_id", metavar="RUN")
@click.argument("gate")
@click.option("--arm", required=True, help="The task or gate in which the failing arm ends, such as 3.2.")
@until_option
@reason_option
@key_option
@actor_option
@workspace_option
@json_option
def waive(  # noqa: PLR0913 - one argument an option
    workspace: str,
    actor: str | None,
    run_id: str,
    gate: str,
    arm: str,
    *,
    until: str,
    reason: str,
    key: Path | None,
    as_json: bool,
) -> int:
    """Let a merge gate pass an arm that did not deliver. Only who stands on the plan's ladder may."""
    with shown_progress(quiet=as_json) as progress, stoppable() as ending:
        space = open_workspace(workspace, progress=progress, ending=ending)
        segment = space.people.waive(
            run_id,
            gate,
            arm=arm,
            reason=reason,
            until=_moment(until),
            actor=actor,
            key=key.read_bytes() if key is not None else None,
        )
    report(space, segment, as_json=as_json)
    return exit_code_of(segment)


@click.command("tick")
@workspace_option
@json_option
def tick(workspace: str, *, as_json: bool) -> None:
    """Settle what is due: reminders, deputies, the next rung, deadlines of gates. Call it from cron."""
    with shown_progress(quiet=as_json) as progress, stoppable() as ending:
        ticked = open_workspace(workspace, progress=progress, ending=ending).tick()
    lines = [settled.line for settled in ticked.settled]
    lines += [f"{segment.run.run_id} went on: {segment.status}, {segment.why}" for segment in ticked.segments]
    document = {
        "settled": [
            {"question_id": s.question.question_id, "change": s.change, "why": s.line} for s in ticked.settled
        ],
        "runs": [{"run_id": s.run.run_id, "status": s.status, "why": s.why} for s in ticked.segments],
    }
    emit("\n".join(lines) or "nothing is due", document, as_json=as_json)


def _moment(text: str) -> datetime:
    """Return the moment that "30d" from now means, or the end of a day."""
    try:
        return datetime.now(UTC) + parse_duration(text)
    except ValueError:
        pass
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--until {text[:40]!r} is neither a duration nor a date", hint="write 30d, or 2026-12-31"
        ) from error
    return datetime.combine(day, time.max, tzinfo=UTC)
