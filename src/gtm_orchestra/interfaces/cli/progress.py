"""Progress of a run on standard error: live on a terminal, one plain line per event elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import click

from gtm_orchestra.interfaces.cli.options import is_terminal, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.table import Table

    from gtm_orchestra.plans.model import PlanDefinition

__all__ = ["name_tasks", "shown_progress"]

# Task → what it does, of the plan that is being shown: a number alone tells nobody anything.
_NAMES: dict[str, str] = {}


def name_tasks(plan: PlanDefinition) -> None:
    """Show the tasks of this plan by what they do."""
    _NAMES.clear()
    _NAMES.update({task.task_id: f"{task.task_id} {task.kind}" for task in plan.tasks})


_WORDS = {
    "ok": "done",
    "degraded": "done, degraded",
    "timed_out": "timed out",
}


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Callable[[str, str, str], None]]:
    """Yield the function that a run tells its progress to."""
    if quiet:
        yield lambda _node, _event, _detail: None
    elif is_terminal():
        with _Live() as live:
            yield live.tell
    else:
        yield _Lines().tell


class _Lines:
    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def tell(self, node: str, event: str, detail: str) -> None:
        if event == "started":
            self._started[node] = time.monotonic()
            _line(f"{_name(node):<26} {detail} at work")
        elif event == "ended":
            elapsed = (
                f" after {time.monotonic() - self._started[node]:.1f} s" if node in self._started else ""
            )
            _line(f"{_name(node):<26} {_WORDS.get(detail, detail)}{elapsed}")
        elif event not in {"says", "served"}:
            _line(f"{_name(node):<26} {event}: {detail}")


class _Live:
    """A table that is redrawn: task, agent, state, elapsed."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, str, float, float | None]] = {}

    def __enter__(self) -> Self:
        from rich.console import Console  # noqa: PLC0415 - only on a terminal
        from rich.live import Live  # noqa: PLC0415 - the same

        self._live = Live(
            console=Console(stderr=True), get_renderable=self._table, refresh_per_second=4, transient=False
        )
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def tell(self, node: str, event: str, detail: str) -> None:
        now = time.monotonic()
        agent, state, begun, ended = self._rows.get(node, ("", "", now, None))
        if event == "served":
            return
        if event == "started":
            agent, state, begun, ended = detail, "at work", now, None
        elif event == "says":
            state = detail
        else:
            state, ended = (_WORDS.get(detail, detail) if event == "ended" else f"{event}: {detail}"), now
        self._rows[node] = (agent, state, begun, ended)

    def _table(self) -> Table:
        from rich.table import Table  # noqa: PLC0415 - only on a terminal

        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for node, (agent, state, begun, ended) in self._rows.items():
            elapsed = (ended or time.monotonic()) - begun
            table.add_row(_name(node), agent, plain(state), f"{elapsed:.1f} s" if agent else "")
        return table


def _name(node: str) -> str:
    return _NAMES.get(node, node)


def _line(text: str) -> None:
    click.echo(plain(text), err=True)
