"""Results and files by content: the SHA-256 is the name, so what was signed cannot change unnoticed.

Files and large results are files; small results stand in the state database, where one is given. Whoever
reads asks here and need not know where the bytes lie.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gtm_orchestra.errors import IntegrityError
from gtm_orchestra.state.files import replace_file, storage_errors, sync_path
from gtm_orchestra.state.results import MAX_RESULT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gtm_orchestra.state.results import ResultTable

__all__ = ["ArtifactStore"]


class ArtifactStore:
    """A folder of immutable files, each under its SHA-256, and beside it the small results of a database.

    What is put survives the death of the process at once and a power cut after `sync`. A file that a power
    cut left torn is not what its name says, so it counts as missing and its task is done again.
    """

    def __init__(self, folder: Path, results: ResultTable | None = None) -> None:
        self._folder = folder
        self._results = results
        self._unsynced: dict[Path, None] = {}

    def put(self, data: bytes) -> str:
        """Keep bytes and return their SHA-256 (hex). Keeping the same bytes again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not self.has(sha256):
            replace_file(path, data, durable=False)
        # Also one that was there: the process that put it may not have come to its sync.
        self._unsynced[path] = None
        return sha256

    def put_result(self, data: bytes) -> str:
        """Keep a result document and return its SHA-256 (hex).

        A small one is written with the journal's entry that names it as its `output`, and shares its fate.
        """
        if self._results is None or len(data) > MAX_RESULT_BYTES:
            return self.put(data)
        sha256 = hashlib.sha256(data).hexdigest()
        self._results.hold(sha256, data)
        return sha256

    def sync(self) -> None:
        """Make everything that was put so far survive a power cut; before anybody is told of it."""
        paths = [path for path in list(self._unsynced) if path.exists()]
        with storage_errors("the artifacts"):
            for path in [*paths, *dict.fromkeys(path.parent for path in paths)]:
                sync_path(path)
        for path in paths:
            self._unsynced.pop(path, None)

    def get(self, sha256: str) -> bytes:
        """Return the bytes of a SHA-256.

        Raises:
            IntegrityError: Not there, or its bytes are not what the name says.
        """
        data = self._read(sha256)
        if data is None:
            raise IntegrityError(
                f"artifact {sha256[:12]} is missing", hint="resume the run: its task is done again"
            )
        if hashlib.sha256(data).hexdigest() != sha256:
            raise IntegrityError(
                f"artifact {sha256[:12]} was changed on disk", hint="remove it and resume the run"
            )
        return data

    def has(self, sha256: str) -> bool:
        """Whether the bytes are there and are what the name says."""
        data = self._read(sha256)
        return data is not None and hashlib.sha256(data).hexdigest() == sha256

    def _read(self, sha256: str) -> bytes | None:
        """Return the bytes kept under a name, right or not; right ones, if there are any."""
        small = self._results.get(sha256) if self._results is not None else None
        if small is not None and hashlib.sha256(small).hexdigest() == sha256:
            return small
        with storage_errors(f"artifact {sha256[:12]}"):
            try:
                return self.path(sha256).read_bytes()
            except FileNotFoundError:
                return small

    def names(self) -> frozenset[str]:
        """Return the SHA-256 of everything that is kept."""
        with storage_errors("the artifacts"):
            files = [path.name for path in self._folder.glob("[0-9a-f]*")] if self._folder.is_dir() else []
        return frozenset([*files, *(self._results.names() if self._results is not None else ())])

    def remove(self, names: Iterable[str]) -> None:
        """Let go of what is kept under these names, for good."""
        names = tuple(names)
        if self._results is not None:
            self._results.remove(names)
        with storage_errors("the artifacts"):
            for name in names:
                self.path(name).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Return where the bytes of a SHA-256 lie."""
        return self._folder / sha256

    def publish(self, folder: Path, files: Mapping[str, str]) -> None:
        """Copy files (name → SHA-256) to a folder that people open; unchanged ones are left alone."""
        for name, sha256 in sorted(files.items()):
            data, target = self.get(sha256), folder / name
            with storage_errors(str(target.name)):
                same = target.exists() and target.read_bytes() == data
            if not same:
                replace_file(target, data)
