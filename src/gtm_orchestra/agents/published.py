"""Where drafts are published: a folder of the workspace, by content, and gone again when it is taken back."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from gtm_orchestra.agents.registry import EffectContext, effect
from gtm_orchestra.errors import EffectError
from gtm_orchestra.plans.effects import EffectRequest, Receipt
from gtm_orchestra.state.files import replace_file, storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.plans.model import EffectClass

__all__ = ["OutputsFolder"]


@effect("publish-drafts")
class OutputsFolder:
    """Files of a request, under their names, in a folder below `outputs/`.

    The request's content holds `folder` and `files` (name → SHA-256). Putting the same bytes twice leaves
    them there once, so it is readable.
    """

    effect_class: EffectClass = "readable"

    def __init__(self, context: EffectContext) -> None:
        self._context = context

    def apply(self, request: EffectRequest, key: str) -> None:
        """Write every file that is not there as asked."""
        _ = key
        folder = self._folder(request)
        for name, sha256 in sorted(request.content["files"].items()):
            if self._sha256(folder / name) != sha256:
                replace_file(self._inside(folder, name), self._context.artifact(sha256))

    def read_back(self, request: EffectRequest, key: str) -> Receipt | None:
        """Return the files that are there, of those that were asked for; None without a folder."""
        _ = key
        folder = self._folder(request)
        if not folder.is_dir():
            return None
        found = {name: self._sha256(folder / name) for name in request.content["files"]}
        files = {name: sha256 for name, sha256 in found.items() if sha256}
        return Receipt(
            content={"folder": request.content["folder"], "files": files},
            artifacts=tuple(sorted(set(files.values()))),
            reference=request.content["folder"],
        )

    def undo(self, request: EffectRequest, receipt: Receipt | None, key: str) -> None:
        """Remove the folder."""
        _ = receipt, key
        folder = self._folder(request)
        with storage_errors(folder.name):
            if folder.is_dir():
                shutil.rmtree(folder)

    def _folder(self, request: EffectRequest) -> Path:
        outputs = self._context.root / "outputs"
        return self._inside(outputs, str(request.content["folder"]).removeprefix("outputs/"))

    def _inside(self, folder: Path, name: str) -> Path:
        path = (folder / name).resolve()
        if path == folder.resolve() or not path.is_relative_to(folder.resolve()):
            raise EffectError(f"{name[:80]!r} does not lie below {folder.name!r}", sent=False)
        return path

    @staticmethod
    def _sha256(path: Path) -> str:
        with storage_errors(path.name):
            return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
