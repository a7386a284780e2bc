"""`gtm demo`: a sample company, and its profiles defined; a tour that needs nobody's data."""

from __future__ import annotations

from pathlib import Path

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import emit, open_workspace
from gtm_orchestra.interfaces.cli.progress import name_tasks, shown_progress
from gtm_orchestra.interfaces.cli.stopping import stoppable
from gtm_orchestra.interfaces.cli.story import exit_code_of, report_path, shown_path
from gtm_orchestra.service.standing import headline_of

_MOST_PEOPLE = 2_000_000


@click.command()
@click.argument("folder", metavar="[DIR]", default="gtm-demo")
@click.option("--people", type=click.IntRange(500, _MOST_PEOPLE), default=50_000, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=7, show_default=True)
def demo(folder: str, people: int, seed: int) -> int:
    """Write a synthetic company into DIR and define its audience profiles.

    Everything in it is made up. What was planted stands in DIR/manifest.json.
    """
    from gtm_orchestra.sample.generate import write_sample  # noqa: PLC0415 - heavy

    root = Path(folder)
    _refuse_foreign(root)
    click.echo(f"writing a sample company of {people:,} people to {folder}", err=True)
    write_sample(root, people=people, seed=seed)
    with shown_progress() as progress, stoppable() as ending:
        space = open_workspace(folder, progress=progress, ending=ending)
        revision = space.define_profiles(
            initiative="PLG Onboarding",
            channels="web,in-app,email,ads,sales",
            metrics="activation rate, pipeline amount, retention",
            constraints=["EU only", "no age"],
            timeline="by 15 January",
        )
        name_tasks(revision.definition)
        segment = space.run(revision)
    path = report_path(segment)
    ready = "ready for your review" if segment.status == "waiting" else segment.why
    emit(
        f"Found: {headline_of(space, segment)} {ready[:1].upper()}{ready[1:]}.\n"
        f"Report: {shown_path(path) if path else 'none'}\n"
        "Next, on your own data: gtm init my-workspace --source PATH_OR_URL",
        None,
        as_json=False,
    )
    # The sign-off is the demo's only open point: what it set out to do is done.
    return 0 if segment.status in {"waiting", "done"} else exit_code_of(segment)


def _refuse_foreign(root: Path) -> None:
    """Pass for a new or empty folder, or an earlier demo."""
    if root.is_dir() and any(root.iterdir()) and not (root / "manifest.json").is_file():
        raise UsageError(
            f"{str(root)!r} holds files that are not a demo's, and a demo would write among them",
            hint="name a new folder: gtm demo DIR",
        )
