"""Results and files by content: the SHA-256 is the name, so what was signed cannot change unnoticed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gtm_orchestra.errors import IntegrityError
from gtm_orchestra.state.files import replace_file, storage_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ArtifactStore"]


class ArtifactStore:
    """A folder of immutable files, each under its SHA-256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Keep bytes and return their SHA-256 (hex). Keeping the same bytes again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not self.has(sha256):
            replace_file(path, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the bytes of a SHA-256.

        Raises:
            IntegrityError: Not there, or its bytes are not what the name says.
        """
        path = self.path(sha256)
        with storage_errors(f"artifact {sha256[:12]}"):
            if not path.exists():
                raise IntegrityError(
                    f"artifact {sha256[:12]} is missing", hint="resume the run: its task is done again"
                )
            data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise IntegrityError(
                f"artifact {sha256[:12]} was changed on disk", hint="remove it and resume the run"
            )
        return data

    def has(self, sha256: str) -> bool:
        """Whether the bytes are there and are what the name says."""
        path = self.path(sha256)
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256

    def path(self, sha256: str) -> Path:
        """Return where the bytes of a SHA-256 lie."""
        return self._folder / sha256[:2] / sha256

    def publish(self, folder: Path, files: Mapping[str, str]) -> None:
        """Copy files (name → SHA-256) to a folder that people open; unchanged ones are left alone."""
        for name, sha256 in sorted(files.items()):
            data, target = self.get(sha256), folder / name
            with storage_errors(str(target.name)):
                same = target.exists() and target.read_bytes() == data
            if not same:
                replace_file(target, data)
