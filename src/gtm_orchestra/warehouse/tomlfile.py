"""gtm.toml edited in place: comments and order stay, and the file is replaced whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tomlkit
from tomlkit.exceptions import TOMLKitError

from gtm_orchestra.errors import ConfigError, ConflictError
from gtm_orchestra.state.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["edit_file", "write_file"]


def write_file(path: Path, text: str, *, check: Callable[[Path], object]) -> None:
    """Write a text file whole or not at all; a link keeps leading to it.

    Args:
        path: What is replaced.
        text: The new content.
        check: Reads the new file and raises if it is not fit; then the old one stays.

    Raises:
        StorageError: The folder cannot be written, or the disk is full.
    """
    replace_file(path.resolve(), text.encode(), check=check)


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

    write_file(path, tomlkit.dumps(document), check=unchanged)
