"""Making a workspace of somebody's own data: propose gtm.toml, and check what it says against the source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from gtm_orchestra.config import SourceSettings
from gtm_orchestra.errors import ConflictError, UsageError
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.proposals import propose, write_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.warehouse.proposals import Proposal

__all__ = ["propose_workspace"]

# Parameters by which drivers take a password in a URL.
_SECRETS = frozenset(
    {
        "password",
        "passwd",
        "pwd",
        "pass",
        "passcode",
        "sslpassword",
        "token",
        "access_token",
        "secret",
        "api_key",
    }
)


def propose_workspace(
    folder: Path,
    source: str,
    *,
    environ: Mapping[str, str],
    password_env: str | None = None,
    name: str | None = None,
    dbt_manifest: Path | None = None,
) -> Proposal:
    """Look at a source, write the gtm.toml that is proposed for it into a folder, and return the proposal.

    Args:
        folder: The new workspace; made if it is not there.
        source: Folder of Parquet or CSV files, DuckDB file, or database URL without a password.
        environ: Where `password_env` is looked up.
        password_env: Environment variable that holds the database password.
        name: Of the workspace; default: the folder's.
        dbt_manifest: A manifest.json of dbt, for owners, descriptions, freshness and tags.

    Raises:
        UsageError: The URL holds a password.
        SourceError: The source cannot be read, or holds nobody.
        ConflictError: There is a gtm.toml already.
    """
    path = folder / "gtm.toml"
    if path.exists():
        raise ConflictError(
            f"{str(path)!r} exists already", hint="choose another folder, or edit the one that is there"
        )
    if "://" not in source and not Path(source).exists():
        raise UsageError(f"there is nothing at {source!r}", hint="check --source")
    settings = SourceSettings(url=_url(folder, source), password_env=password_env)
    with open_warehouse(settings, folder.resolve(), environ) as warehouse:
        proposal = propose(
            warehouse,
            name=name or folder.resolve().name or "workspace",
            source=settings.url,
            dbt_manifest=dbt_manifest,
        )
    config = proposal.config.model_copy(update={"source": settings})
    proposal = proposal.model_copy(update={"config": config})
    write_config(proposal, path)
    return proposal


def _url(folder: Path, source: str) -> str:
    """Return the source as gtm.toml should name it: a URL as it is, a path relative to the workspace."""
    if "://" in source:
        parts = urlsplit(source)
        if parts.password:
            bare = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@"))
            raise UsageError(
                "the source's URL holds a password, and gtm.toml never does",
                hint=f"write --source {urlunsplit(bare)} --password-env DB_PASSWORD, and set that variable",
            )
        secret = sorted(name for name, _ in parse_qsl(parts.query) if name.lower() in _SECRETS)
        if secret:
            raise UsageError(
                f"the source's URL holds a {secret[0]!r}, and gtm.toml never does",
                hint="leave it out, give --password-env DB_PASSWORD, and set that variable",
            )
        return source
    return os.path.relpath(Path(source).resolve(), folder.resolve())
