"""Options that many commands share, and the workspace they open."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gtm_orchestra.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.service.workspace import Workspace

__all__ = [
    "actor_option",
    "as_of_option",
    "emit",
    "json_option",
    "key_option",
    "open_workspace",
    "plain",
    "workspace_option",
]

# What a terminal acts on and JSON leaves as it is, and marks that let text read otherwise than written.
_ACTS = r"\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(rf"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f{_ACTS}]")
_MARK = re.compile(rf"[{_ACTS}]")

workspace_option = click.option(
    "--workspace",
    "-w",
    default=lambda: os.environ.get("GTM_WORKSPACE", "."),
    show_default="$GTM_WORKSPACE, else this folder",
    help="Folder that holds gtm.toml.",
)
actor_option = click.option("--as", "actor", default=None, help="Your handle in gtm.toml [people].")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
key_option = click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="Your private key: sign the decision with it. It is read, and not kept.",
)
as_of_option = click.option(
    "--as-of", default=None, help="The moment that 'now' means, such as 2026-11-01T06:00Z."
)


def open_workspace(
    folder: str,
    *,
    progress: Callable[[str, str, str], None] | None = None,
    ending: Callable[[], str] = lambda: "",
) -> Workspace:
    """Return the workspace in a folder; on standard error, say who has paused it, if somebody has."""
    from gtm_orchestra.service.control import paused_words  # noqa: PLC0415 - keeps --help quick
    from gtm_orchestra.service.workspace import Workspace  # noqa: PLC0415 - keeps --help quick

    if not Path(folder).is_dir():
        raise UsageError(f"there is no folder {folder!r}", hint="check --workspace")
    space = Workspace.open(folder, progress=progress, ending=ending)
    paused = space.halts.paused()
    if paused is not None:
        click.echo(plain(f"gtm: {paused_words(paused)}"), err=True)
    return space


def parse_as_of(text: str | None) -> datetime | None:
    """Return the moment of --as-of, in UTC unless it says otherwise.

    Raises:
        UsageError: Not an ISO date or time.
    """
    if text is None:
        return None
    from gtm_orchestra.config import is_countable  # noqa: PLC0415 - keeps --help quick

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--as-of {text[:40]!r} is no date or time", hint="write it as 2026-11-01 or 2026-11-01T06:00Z"
        ) from error
    if not is_countable(moment):
        raise UsageError(
            f"--as-of {text[:40]!r} is in the year {moment.year}; 1970 to 2199 are allowed",
            hint="write the day on which the data ends",
        )
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def emit(text: str, document: Any, *, as_json: bool) -> None:  # noqa: ANN401 - any JSON value
    """Print a result to standard output: for people, or as one JSON document."""
    if as_json:
        written = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        # They stand inside strings only, where an escape means the same.
        click.echo(_MARK.sub(lambda found: f"\\u{ord(found[0]):04x}", written))
    else:
        click.echo(plain(text))


def plain(text: str) -> str:
    """Return text without terminal control codes: names in data may carry them."""
    return _CONTROL.sub("", text)


def is_terminal() -> bool:
    """Whether progress may redraw its lines."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
