"""gtm.toml edited in place: comments and order stay, and the file is replaced whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tomlkit
from tomlkit.exceptions import TOMLKitError

from gtm_orchestra.errors import ConfigError, ConflictError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["edit_file", "replace_file"]


def replace_file(path: Path, text: str, *, check: Callable[[Path], object]) -> None:
    """Write a text file whole or not at all: into a file beside it, checked, synced, then renamed over it.

    Args:
        path: What is replaced; it keeps its permissions.
        text: The new content.
        check: Reads the new file and raises if it is not fit; then the old one stays.

    Raises:
        StorageError: The folder cannot be written, or the disk is full.
    """
    target = path.resolve()
    beside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
        beside = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        check(beside)
        beside.replace(target)
    except OSError as error:
        raise StorageError(
            f"{path.name} cannot be written in {str(path.parent)!r}: {error.strerror}",
            hint="free space or grant write permission; the old file is unchanged",
        ) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def edit_file(
    path: Path, change: Callable[[tomlkit.TOMLDocument], None], *, check: Callable[[Path], object]
) -> None:
    """Change a TOML file in place, keeping its comments and order.

    Raises:
        ConfigError: The file is missing or not TOML.
        ConflictError: Somebody wrote the file meanwhile.
        StorageError: It cannot be written.
    """
    try:
        before = path.read_bytes()
        document = tomlkit.parse(before.decode("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no {path.name} in {str(path.parent)!r}", hint="run 'gtm init' first") from error
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(
            f"{path.name} cannot be read: {error}", hint="mend the file and try again"
        ) from error
    change(document)

    def unchanged(beside: Path) -> None:
        check(beside)
        if path.read_bytes() != before:
            raise ConflictError(f"{path.name} was changed by somebody else meanwhile", hint="try again")

    replace_file(path, tomlkit.dumps(document), check=unchanged)
