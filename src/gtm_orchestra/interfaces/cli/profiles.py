"""`gtm define-profiles`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    as_of_option,
    emit,
    json_option,
    open_workspace,
    parse_as_of,
    plain,
    workspace_option,
)
from gtm_orchestra.interfaces.cli.progress import name_tasks, shown_progress
from gtm_orchestra.interfaces.cli.stopping import stoppable
from gtm_orchestra.interfaces.cli.story import exit_code_of, segment_text
from gtm_orchestra.service.standing import standing

if TYPE_CHECKING:
    from gtm_orchestra.runs.driver import Segment
    from gtm_orchestra.service.workspace import Workspace
    from gtm_orchestra.state.plan_store import Revision


@click.command("define-profiles")
@click.option("--initiative", required=True, help='Program or campaign name, such as "PLG Onboarding".')
@click.option("--channels", required=True, help="Comma-separated: web, in-app, email, ads, sales.")
@click.option(
    "--metrics", default=None, help="KPIs: activation rate, pipeline amount, retention, or your own."
)
@click.option("--constraints", multiple=True, help='In words: "EU only; no age; exclude existing customers".')
@click.option("--timeline", default=None, help='Delivery window: "by 15 January", "Q1".')
@click.option("--pattern", default=None, help="diamond (default) or pipeline.")
@click.option("--approvers", default=None, help="Handles or roles that sign off; default: the privacy lead.")
@click.option("--dry-run", is_flag=True, help="Plan and review only; nothing is run or kept.")
@workspace_option
@as_of_option
@actor_option
@json_option
def define_profiles(
    workspace: str,
    as_of: str | None,
    actor: str | None,
    *,
    as_json: bool,
    dry_run: bool,
    **inputs: Any,  # noqa: ANN401 - the options above
) -> int:
    """Say which audience profiles can be personalised on which channels, and what stands in the way.

    A profile is a segment of people, not one person's record. The outputs are drafts until somebody whom
    gtm.toml names has signed them off.
    """
    moment = parse_as_of(as_of)
    inputs["constraints"] = list(inputs["constraints"]) or None
    with shown_progress(quiet=as_json) as progress, stoppable() as ending:
        space = open_workspace(workspace, progress=progress, ending=ending)
        if dry_run:
            return _dry_run(space, inputs, as_json=as_json)
        began = datetime.now(UTC)
        revision = space.define_profiles(actor=actor, **inputs)
        if revision.number > 1 and revision.change.at >= began:
            _tell_revision(revision)
        name_tasks(revision.definition)
        segment = space.run(revision, as_of=moment, actor=actor)
    report(space, segment, as_json=as_json)
    return exit_code_of(segment)


def report(space: Workspace, segment: Segment, *, as_json: bool) -> None:
    """Print what a run of define-profiles has come to."""
    emit(segment_text(space, segment), standing(space, segment), as_json=as_json)


def _tell_revision(revision: Revision) -> None:
    click.echo(f"revision {revision.number} of {revision.definition.plan_id}:", err=True)
    for line in revision.change.what.split("; "):
        click.echo(plain(f"  {line}"), err=True)


def _dry_run(space: Workspace, inputs: dict[str, Any], *, as_json: bool) -> int:
    from gtm_orchestra.interfaces.cli.plans import plan_text  # noqa: PLC0415 - only on this path

    definition, review, changes = space.preview("define-profiles", inputs)
    lines = [plan_text(definition), "", "nothing was kept: this was a dry run"]
    lines += [f"change: {line}" for line in changes]
    document = {
        "definition": definition.model_dump(mode="json"),
        "review": json.loads(review.model_dump_json()),
    }
    emit("\n".join(lines), {**document, "changes": list(changes)}, as_json=as_json)
    return 3 if not review.passed else 10 if changes else 0
