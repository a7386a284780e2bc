"""`gtm audit`: whether the history verifies, its rows for an auditor, its figures, and retention."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from gtm_orchestra.config import parse_duration
from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    emit,
    json_option,
    open_workspace,
    parse_as_of,
    workspace_option,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.runs.initiative import RunFigures
    from gtm_orchestra.service.workspace import Workspace


@click.group()
def audit() -> None:
    """Look at the history: does it verify, who did what and why, in which figures; and let old bytes go."""


@audit.command("verify")
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option("--all", "every", is_flag=True, help="Every plan and run of the workspace (the default).")
@workspace_option
@json_option
def verify(workspace: str, plan_id: str | None, *, every: bool, as_json: bool) -> int:
    """Recompute every hash chain of logs and journals, offline; exit 1 with every finding."""
    if every and plan_id is not None:
        raise UsageError("--all and a plan exclude each other", hint="choose one")
    space = open_workspace(workspace)
    checked = space.audit.verify(plan_id)
    text = "\n".join([*checked.lines, "verified" if checked.ok else "NOT verified"])
    emit(text, {"ok": checked.ok, "lines": list(checked.lines)}, as_json=as_json)
    return 0 if checked.ok else 1


@audit.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), default="csv", show_default=True)
@click.option("--initiative", default=None, help="Only the plans and runs of this initiative.")
@click.option("--since", default=None, help="Only what happened at or after this moment, such as 2026-11-01.")
@workspace_option
def export(workspace: str, form: str, initiative: str | None, since: str | None) -> None:
    """Print one row per revision, event, pause and cancellation; no row holds a customer's value.

    Columns: at, plan, run, seq, kind, node, actor, identity, what, why, and hash, that of its chain up to
    there.
    """
    from gtm_orchestra.service.audit import trail_csv  # noqa: PLC0415 - only on this path

    moment = parse_as_of(since)
    space = open_workspace(workspace)
    if initiative is not None:
        _known(space, initiative)
    rows = space.audit.trail(initiative=initiative, since=moment)
    if form == "csv":
        sys.stdout.write(trail_csv(rows).decode())
    else:
        for row in rows:
            click.echo(json.dumps(asdict(row), ensure_ascii=False))


@audit.command("metrics")
@click.option("--initiative", required=True, help='Program or campaign name, such as "PLG Onboarding".')
@workspace_option
@json_option
def metrics(workspace: str, initiative: str, *, as_json: bool) -> None:
    """Show what an initiative's runs have come to: metrics, breaches, retries, waits, decisions."""
    space = open_workspace(workspace)
    _known(space, initiative)
    figures = space.audit.figures(initiative)
    totals = space.audit.totals(initiative)
    counted = ", ".join(f"{name} {value:g}" for name, value in totals.items() if value)
    lines = [*_table(figures), f"all runs together: {counted or 'nothing counted'}"]
    document = {"runs": [_figures(one) for one in figures], "totals": totals}
    emit("\n".join(lines), document, as_json=as_json)


@audit.command("prune")
@click.option("--older-than", required=True, help="How long ago a run must have ended: 365d, 52w.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--reason", default="", help="Why; the audit trail keeps it.")
@workspace_option
@actor_option
@json_option
def prune(
    workspace: str, actor: str | None, older_than: str, reason: str, *, dry_run: bool, as_json: bool
) -> int:
    """Remove results and outputs of old runs. Journal and plan log stay, and still verify.

    What an unfinished run needs stays, and so do the latest run of each plan, approvals in force, and what
    is live.
    """
    try:
        age = parse_duration(older_than)
    except ValueError as error:
        raise UsageError(f"--older-than: {error}") from error
    space = open_workspace(workspace)
    retention = space.retention
    found = retention.planned(age) if dry_run else retention.prune(age, reason=reason, actor=actor)
    done = "would go" if dry_run else "removed"
    lines = [f"{run_id}: its results and outputs {done}" for run_id in found.runs]
    lines += [f"{run_id} stays: {why}" for run_id, why in found.kept.items()]
    lines.append(f"{len(found.artifacts):,} artifacts and {len(found.folders):,} folders {done}")
    document = {**asdict(found), "dry_run": dry_run}
    emit("\n".join(lines), document, as_json=as_json)
    return 10 if dry_run and found.runs else 0


def _known(space: Workspace, initiative: str) -> None:
    known = sorted({space.plans.latest(plan_id).definition.initiative for plan_id in space.plans.ids()})
    if initiative not in known:
        raise UsageError(
            f"no initiative {initiative[:80]!r} in this workspace",
            hint=f"known are {', '.join(known) or 'none'}",
        )


def _table(figures: Iterable[RunFigures]) -> list[str]:
    lines = [
        f"{'run':<28} {'status':<11} attempts  retries  interrupted  breaches  waits  decided after (median)"
    ]
    for one in figures:
        after = (
            _span(median(after.total_seconds() for after in one.decided_after)) if one.decided_after else "-"
        )
        lines.append(
            f"{one.run.run_id:<28} {one.run.status:<11} {one.attempts:>8}  {one.retries:>7}  "
            f"{one.interruptions:>11}  {len(one.breaches):>8}  {one.waits:>5}  {after}"
        )
        lines += [f"  {name}: {value:g}" for name, value in sorted(one.actuals.items())]
        lines += [f"  breached: {trigger}" for trigger in one.breaches]
    return lines


def _figures(one: RunFigures) -> dict[str, Any]:
    return {
        "run_id": one.run.run_id,
        "command": one.run.command,
        "status": one.run.status,
        "as_of": one.run.as_of.isoformat(),
        "actuals": one.actuals,
        "breaches": list(one.breaches),
        "escalations": one.escalations,
        "attempts": one.attempts,
        "retries": one.retries,
        "interruptions": one.interruptions,
        "waits": one.waits,
        "decided_after_s": [after.total_seconds() for after in one.decided_after],
    }


def _span(seconds_in_all: float) -> str:
    minutes, seconds = divmod(int(seconds_in_all), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n)[:20] or "0 s"
