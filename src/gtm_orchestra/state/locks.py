"""One process at a time: the second is told who is at work."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gtm_orchestra.errors import BusyError
from gtm_orchestra.state.files import make_folder, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["held", "is_held"]


@contextmanager
def held(folder: Path, name: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` inside a folder for the length of the block.

    The operating system frees it when its holder dies, however it dies. A lock that others wait for is held
    for milliseconds, and does not say by whom.

    Raises:
        BusyError: Somebody else holds it for longer than `wait_s` seconds; the message says who.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - keeps `import gtm_orchestra` light

    with storage_errors(f"the lock {name!r}"):
        make_folder(folder)
        holder = folder / f"{name}.holder"
        lock = FileLock(folder / f"{name}.lock", timeout=wait_s)
        try:
            lock.acquire()
        except Timeout as error:
            raise BusyError(
                f"{name} is in use by {_who(holder)}", hint="wait until it has finished"
            ) from error
    try:
        if not wait_s:
            with storage_errors(f"the lock {name!r}"):
                holder.write_text(
                    json.dumps({"pid": os.getpid(), "host": socket.gethostname()}), encoding="utf-8"
                )
        yield
    finally:
        lock.release()


def is_held(folder: Path, name: str) -> bool:
    """Whether some process holds the lock `name` right now. Looks only: nothing is written."""
    with storage_errors(f"the lock {name!r}"):
        try:
            handle = os.open(folder / f"{name}.lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _who(holder: Path) -> str:
    try:
        seen = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {seen['pid']} on {seen['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
