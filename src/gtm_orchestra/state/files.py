"""Writing files so that a reader never sees half of one, and a power cut loses nothing acknowledged."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gtm_orchestra.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["append_line", "cut_back", "make_folder", "replace_file", "storage_errors", "sync_path"]

_HINTS = {
    errno.ENOSPC: "free some space and run the same command again; nothing was half-written",
    errno.EDQUOT: "free some of your quota and run the same command again; nothing was half-written",
    errno.EROFS: "the workspace is read-only; copy it to a place you can write",
    errno.EACCES: "you may not write there; check the owner of the workspace",
    errno.EPERM: "you may not write there; check the owner of the workspace",
}


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn an operating system error inside the block into a `StorageError` that names what was written."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(
            f"{what} cannot be written or read: {reason}",
            hint=_HINTS.get(error.errno or 0, "check the disk, then run the same command again"),
        ) from error


def replace_file(
    path: Path, data: bytes, *, durable: bool = True, check: Callable[[Path], object] | None = None
) -> None:
    """Put bytes at a path atomically and durably: temporary file, fsync, rename, fsync of the folder.

    A file that is there keeps its permissions. What is not durable is atomic for the living; a power cut may
    leave an empty or torn file.

    Args:
        path: What is replaced.
        data: The new content.
        durable: Whether it must survive a power cut.
        check: Reads the new file beside the old one and raises if it is not fit; then the old one stays.

    Raises:
        StorageError: The folder cannot be written, or the disk is full; the old file stays.
    """
    with storage_errors(path.name):
        make_folder(path.parent)
        # Two threads may replace one file at a time.
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident():x}.tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                if path.exists():
                    os.fchmod(handle, path.stat().st_mode & 0o777)
                _write_all(handle, data)
                if durable:
                    os.fsync(handle)
            finally:
                os.close(handle)
            if check is not None:
                check(temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_path(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Append one line durably: once this returns, it survives a power cut.

    On failure the file is cut back to what it was, so that a full disk leaves no half line behind.
    """
    with storage_errors(path.name):
        make_folder(path.parent)
        is_new = not path.exists()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            try:
                _write_all(handle, line + b"\n")
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        if is_new:
            sync_path(path.parent)


def cut_back(path: Path, size: int) -> None:
    """Cut off what stands behind a file's first `size` bytes; the next append makes it durable."""
    with storage_errors(path.name):
        os.truncate(path, size)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, each with its name synced: a log in a lost folder is lost."""
    if path.is_dir():
        return
    make_folder(path.parent)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.mkdir(exist_ok=True)
    sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Make a file's bytes or a folder's names durable; a synced file without a synced name is lost."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
