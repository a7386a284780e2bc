"""Ending between two tasks: the first signal lets the tasks at work finish, a second one ends at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["stoppable"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AT_ONCE = b"\ngtm: stopped at once\nnext: gtm runs resume; the tasks that were at work are done again\n"
_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stoppable() -> Iterator[Callable[[], str]]:
    """Yield what says why this process is to end, or ''. Only the command line sets signal handlers.

    Whatever a run has acknowledged is on disk by then, so that ending at once loses no more than the tasks
    at work.
    """
    received: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        # Python allows handlers in the main thread only; whoever calls us from another keeps their own.
        yield lambda: ""
        return

    def take(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if received:
            if sys.stderr.isatty():
                os.write(2, _SHOW_CURSOR.encode())
            os.write(2, _AT_ONCE)
            os._exit(130)
        received.append(f"this process was told to end ({name})")
        click.echo(
            "gtm: ending: tasks at work finish, no further one begins; once more ends at once", err=True
        )

    before = {number: signal.signal(number, take) for number in _SIGNALS}
    try:
        yield lambda: received[0] if received else ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
