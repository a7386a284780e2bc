"""`gtm plan`: what is to be done, who changed it, and whether its history verifies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    emit,
    json_option,
    open_workspace,
    workspace_option,
)

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.service.workspace import Workspace


@click.group()
def plan() -> None:
    """Look at plans: what is to be done, who changed it, and whether the history verifies."""


@plan.command("list")
@workspace_option
@json_option
def list_plans(workspace: str, *, as_json: bool) -> None:
    """List every plan."""
    space = open_workspace(workspace)
    latest = [space.plans.latest(plan_id) for plan_id in space.plans.ids()]
    rows = {plan_id: space.journal.run_list(plan_id=plan_id) for plan_id in space.plans.ids()}
    found = [
        {
            "plan_id": revision.definition.plan_id,
            "command": revision.definition.command,
            "initiative": revision.definition.initiative,
            "revision": revision.number,
            "digest": revision.digest,
            "status": rows[revision.definition.plan_id][-1].status
            if rows[revision.definition.plan_id]
            else "planned",
        }
        for revision in latest
    ]
    lines = [
        f"{f['plan_id']}  {f['status']:<10}  {f['command']} for {f['initiative']!r}, revision {f['revision']}"
        for f in found
    ]
    emit(
        "\n".join(lines) or "there are no plans yet; start with 'gtm define-profiles'", found, as_json=as_json
    )


@plan.command("show")
@click.argument("plan_id", metavar="[PLAN]", default="latest")
@workspace_option
@json_option
def show(workspace: str, plan_id: str, *, as_json: bool) -> None:
    """Show a plan: tasks, gates, ladder, progress, approvals and change log."""
    space = open_workspace(workspace)
    found = _plan_id(space, plan_id)
    document = space.document(found)
    lines = [plan_text(document.definition), "", f"status: {document.status}, revision {document.revision}"]
    lines += [f"  {p.node:<10} {p.outcome:<9} {p.note}" for p in document.progress]
    lines += [
        f"approval {a.approval_id}: {a.status} {a.decided_by} {a.reason}".rstrip() for a in document.approvals
    ]
    lines += [f"remediation: {r.happened} Done: {r.done}. Left: {r.left}." for r in document.remediation]
    emit("\n".join(lines), document.as_json(), as_json=as_json)


@plan.command("review")
@click.argument("plan_id", metavar="[PLAN]", default="latest")
@workspace_option
@json_option
def review(workspace: str, plan_id: str, *, as_json: bool) -> int:
    """Check a plan against the planning checklist; all findings at once."""
    space = open_workspace(workspace)
    result = space.review(space.plans.latest(_plan_id(space, plan_id)).definition)
    lines = [f"checked: {line}" for line in result.checked]
    lines += [f"{f.severity}: {f.path}: {f.message}. Mend: {f.mend}" for f in result.findings]
    lines.append("passed" if result.passed else "not passed")
    emit("\n".join(lines), json.loads(result.model_dump_json()), as_json=as_json)
    return 0 if result.passed else 3


@plan.command("graph")
@click.argument("plan_id", metavar="[PLAN]", default="latest")
@click.option("--format", "form", type=click.Choice(["mermaid", "svg"]), default="mermaid", show_default=True)
@click.option("--output", default=None, help="File to write; default: standard output.")
@workspace_option
def graph(workspace: str, plan_id: str, form: str, output: str | None) -> None:
    """Draw a plan's graph."""
    space = open_workspace(workspace)
    text = space.drawing(_plan_id(space, plan_id), form=form)
    if output is None:
        click.echo(text)
        return
    from pathlib import Path  # noqa: PLC0415 - only on this path

    from gtm_orchestra.state.files import replace_file  # noqa: PLC0415 - only on this path

    if not Path(output).parent.is_dir():
        raise UsageError(f"there is no folder {str(Path(output).parent)!r}", hint="make it, or name another")
    replace_file(Path(output), text.encode())
    click.echo(f"written to {output}")


@plan.command("log")
@click.argument("plan_id", metavar="[PLAN]", default="latest")
@workspace_option
@json_option
def log(workspace: str, plan_id: str, *, as_json: bool) -> None:
    """Show who changed a plan, what, and why."""
    space = open_workspace(workspace)
    changes = [revision.change for revision in space.plans.revisions(_plan_id(space, plan_id))]
    lines = [
        f"revision {c.revision}  {c.at:%Y-%m-%d %H:%M:%S}  {c.actor} ({c.identity}): {c.what}  [{c.why}]"
        for c in changes
    ]
    emit("\n".join(lines), [json.loads(change.model_dump_json()) for change in changes], as_json=as_json)


@plan.command("verify")
@click.argument("plan_id", metavar="[PLAN]", default="latest")
@click.option("--restore", is_flag=True, help="Write the plan file anew from the log.")
@click.option("--adopt", is_flag=True, help="Make a revision of what was edited by hand.")
@click.option("--reason", default="", help="Why, for --adopt.")
@workspace_option
@actor_option
@json_option
def verify(
    workspace: str, plan_id: str, actor: str | None, reason: str, *, restore: bool, adopt: bool, as_json: bool
) -> int:
    """Recompute the hash chains of log and journal, and compare the plan file with them."""
    space = open_workspace(workspace)
    found = _plan_id(space, plan_id)
    if restore and adopt:
        raise UsageError("--restore and --adopt exclude each other", hint="choose one")
    if restore:
        space.restore_view(found)
    if adopt:
        space.adopt_view(found, reason=reason, actor=actor)
    checked = space.verify(found)
    text = "\n".join([*checked.lines, "verified" if checked.ok else "NOT verified"])
    emit(text, {"ok": checked.ok, "lines": list(checked.lines)}, as_json=as_json)
    return 0 if checked.ok else 1


@plan.command("diff")
@click.argument("plan_id", metavar="[PLAN]", default="latest")
@click.option("--from", "before", type=int, default=None, help="Revision; default: the one before the last.")
@click.option("--to", "after", type=int, default=None, help="Revision; default: the last.")
@workspace_option
@json_option
def diff(workspace: str, plan_id: str, before: int | None, after: int | None, *, as_json: bool) -> None:
    """Show what changed between two revisions, the sources' schema first."""
    from gtm_orchestra.plans.diff import diff_definitions  # noqa: PLC0415 - keeps --help quick

    space = open_workspace(workspace)
    revisions = {
        revision.number: revision.definition for revision in space.plans.revisions(_plan_id(space, plan_id))
    }
    after = after or max(revisions)
    before = before if before is not None else max(after - 1, 1)
    for number in (before, after):
        if number not in revisions:
            raise UsageError(f"there is no revision {number}", hint=f"there are 1 to {max(revisions)}")
    lines = diff_definitions(revisions[before], revisions[after])
    text = "\n".join(lines) or f"nothing changed between revision {before} and {after}"
    emit(text, list(lines), as_json=as_json)


@plan.command("schema")
def schema() -> None:
    """Print the JSON Schema of the plan document."""
    from gtm_orchestra.plans.model import plan_schema  # noqa: PLC0415 - keeps --help quick

    click.echo(json.dumps(plan_schema(), indent=2))


def plan_text(definition: PlanDefinition) -> str:
    """Return a plan for people: objective, pattern with its reason, tasks by stage, gates, ladder."""
    lines = [
        f"{definition.plan_id}: {definition.objective.strip()}",
        f"pattern: {definition.strategy} ({definition.complexity}). {definition.pattern_rationale.strip()}",
        f"estimated: {definition.estimated_duration}; {definition.estimated_cost}",
    ]
    for stage in definition.stages:
        lines.append(f"stage {stage.stage_id}, {stage.name} ({stage.execution})")
        lines += [f"  {t.task_id} {t.kind} by {t.agent} [{t.function}]: {t.purpose}" for t in stage.tasks]
    for gate in definition.gates:
        who = f", decided by {', '.join(gate.approvers)}" if gate.kind == "approval" else ""
        lines.append(f"gate {gate.gate_id} ({gate.kind}) after {', '.join(gate.after)}{who}")
    ladder = " → ".join(rung.who for rung in definition.escalation_ladder)
    lines.append(f"ladder (who is asked next): {ladder}")
    return "\n".join(lines)


def _plan_id(space: Workspace, text: str) -> str:
    ids = space.plans.ids()
    if text == "latest":
        if not ids:
            raise UsageError("there are no plans yet", hint="start with 'gtm define-profiles'")
        return ids[-1]
    return text
