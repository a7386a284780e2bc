"""Where agents, blueprints and prompts lie, and which file wins.

Content is what a marketing team reviews: `agents/*.md`, `plans/*.yaml` and `prompts/**/*.md`. A workspace
may hold folders of the same names; its file of a name wins over ours. `graphs/` is code and never overridden.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from gtm_orchestra.errors import IntegrityError, UsageError

__all__ = ["ContentFile", "ContentKind", "content_names", "content_root", "find_content"]

ContentKind = Literal["agents", "plans", "prompts"]

_SUFFIXES: dict[ContentKind, str] = {"agents": ".md", "plans": ".yaml", "prompts": ".md"}
_WORD = r"[a-z0-9][a-z0-9-]{0,79}"
# Prompts lie in folders (tasks/…, skills/<skill>/SKILL); agents and plans are flat.
_NAMES: dict[ContentKind, re.Pattern[str]] = {
    "agents": re.compile(_WORD),
    "plans": re.compile(_WORD),
    "prompts": re.compile(rf"(?:{_WORD}/){{1,3}}(?:{_WORD}|SKILL)"),
}
_EXAMPLES: dict[ContentKind, str] = {
    "agents": "customer-data-engineer",
    "plans": "define-profiles",
    "prompts": "tasks/name-profile or skills/decision-trees/SKILL",
}
_LARGEST = 1_000_000


@dataclass(frozen=True)
class ContentFile:
    """One content file as it was read.

    Attributes:
        path: Absolute, symbolic links resolved.
        sha256: Of the file's bytes, in hex; a plan's digest holds it.
        text: Decoded from UTF-8.
    """

    path: Path
    sha256: str
    text: str


def content_root() -> Path:
    """Return the folder that holds our agents, graphs, plans and prompts.

    In an installed wheel that is `gtm_orchestra/content`, in a checkout the repository's root.

    Raises:
        IntegrityError: Neither is there; the installation is not whole.
    """
    package = Path(str(files("gtm_orchestra")))
    installed = package / "content"
    if installed.is_dir():
        return installed
    checkout = package.parent.parent
    if (checkout / "plans").is_dir() and (checkout / "agents").is_dir():
        return checkout
    raise IntegrityError(
        f"the content folders are neither in {str(installed)!r} nor in {str(checkout)!r}",
        hint="install gtm-orchestra again",
    )


def find_content(kind: ContentKind, name: str, workspace_root: Path | None) -> ContentFile:
    """Return a content file; the workspace's file of that name wins over ours.

    Args:
        kind: The folder: agents, plans or prompts.
        name: Without its suffix, such as `define-profiles` or `skills/decision-trees/SKILL`.
        workspace_root: The folder that holds gtm.toml; None asks for ours alone.

    Raises:
        UsageError: No such name, the name is no plain one, the file lies outside its folder, is larger than
            1 MB, or is not UTF-8 text.
    """
    if _NAMES[kind].fullmatch(name) is None:
        raise UsageError(
            f"{name[:80]!r} is no name in {kind}/: lower-case letters, digits and '-' are allowed",
            hint=f"write one such as {_EXAMPLES[kind]}",
        )
    for root in _roots(workspace_root):
        folder = root / kind
        path = folder / f"{name}{_SUFFIXES[kind]}"
        if path.is_file():
            return _read(path, folder)
    known = content_names(kind, workspace_root)
    raise UsageError(
        f"there is no {kind}/{name}{_SUFFIXES[kind]} in the workspace and none that ships",
        hint="choose from " + ", ".join(known) if known else f"add the file to {kind}/ in the workspace",
    )


def content_names(kind: ContentKind, workspace_root: Path | None) -> tuple[str, ...]:
    """Return every name that `find_content` finds, sorted, each once."""
    suffix = _SUFFIXES[kind]
    found: set[str] = set()
    for root in _roots(workspace_root):
        folder = root / kind
        paths = (path for path in folder.rglob(f"*{suffix}") if path.is_file())
        names = (path.relative_to(folder).as_posix().removesuffix(suffix) for path in paths)
        found.update(name for name in names if _NAMES[kind].fullmatch(name))
    return tuple(sorted(found))


def _roots(workspace_root: Path | None) -> tuple[Path, ...]:
    ours = content_root()
    return (ours,) if workspace_root is None else (workspace_root, ours)


def _read(path: Path, folder: Path) -> ContentFile:
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()):
        # A link out of the folder would let a shared workspace read any file of whoever runs it.
        raise UsageError(
            f"{str(path)!r} is a link to a file outside {str(folder)!r}",
            hint="put the file itself into the folder",
        )
    try:
        with resolved.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise UsageError(f"{str(path)!r} is larger than {_LARGEST:,} bytes", hint="shorten the file")
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{str(path)!r} is not UTF-8 text: {error.reason}", hint="save it as UTF-8"
        ) from error
    except OSError as error:
        raise UsageError(
            f"{str(path)!r} cannot be read: {error.strerror}", hint="check the file and its permissions"
        ) from error
    return ContentFile(path=resolved, sha256=hashlib.sha256(raw).hexdigest(), text=text)
