"""`gtm init`, `gtm catalog` and `gtm doctor`: a workspace of your own data."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import (
    actor_option,
    emit,
    json_option,
    open_workspace,
    workspace_option,
)

if TYPE_CHECKING:
    from gtm_orchestra.service.workspace import Workspace
    from gtm_orchestra.warehouse.proposals import Proposal

_SHOWN = 20


@click.command()
@click.argument("folder", metavar="[DIR]", default=".")
@click.option("--source", required=True, help="Folder of Parquet or CSV, DuckDB file, or database URL.")
@click.option("--password-env", default=None, help="Environment variable that holds the database password.")
@click.option("--name", default=None, help="Of the workspace; default: the folder's.")
@click.option("--dbt", default=None, help="dbt's target/manifest.json: owners, descriptions, SLAs, tags.")
@json_option
def init(
    folder: str, source: str, password_env: str | None, name: str | None, dbt: str | None, *, as_json: bool
) -> None:
    """Propose gtm.toml for your own data, each part with its evidence and confidence.

    The source is only read. Nothing that is proposed is in force before you have reviewed it.
    """
    from gtm_orchestra.service.own_data import propose_workspace  # noqa: PLC0415 - heavy

    proposal = propose_workspace(
        Path(folder),
        source,
        environ=os.environ,
        password_env=password_env,
        name=name,
        dbt_manifest=Path(dbt) if dbt else None,
    )
    emit(_proposal_text(folder, proposal), json.loads(proposal.model_dump_json()), as_json=as_json)


def _proposal_text(folder: str, proposal: Proposal) -> str:
    mapped = sum(column.mapped for column in proposal.columns)
    lines = [f"wrote {Path(folder) / 'gtm.toml'}: {mapped} of {len(proposal.columns)} columns are mapped"]
    for role, table in proposal.config.tables.items():
        evidence = proposal.evidence.get(f"tables.{role}")
        why = f" ({evidence.text}; confidence {evidence.confidence:.2f})" if evidence else ""
        lines.append(f"  {role:<14} {table.table}{why}")
    lines += [f"  no role        {table}: {why}" for table, why in proposal.tables_without_role.items()]
    unmapped = proposal.unmapped
    if unmapped:
        lines.append("not mapped:")
        lines += [f"  {c.table}.{c.column}: {c.why_not}" for c in unmapped[:_SHOWN]]
    if len(unmapped) > _SHOWN:
        lines.append(f"  and {len(unmapped) - _SHOWN} more, at the end of gtm.toml")
    lines += ["next:", *[f"  {n}. {step}" for n, step in enumerate(proposal.next_steps, start=1)]]
    return "\n".join(lines)


@click.group()
def catalog() -> None:
    """Review the attribute catalog: only what a person has accepted may stand in a rule."""


@catalog.command("review")
@click.option(
    "--csv", "csv_file", default=None, help="Write the catalog for a spreadsheet: edit, then import."
)
@click.option("--all", "every", is_flag=True, help="Also those that are decided.")
@workspace_option
@json_option
def review(workspace: str, csv_file: str | None, *, every: bool, as_json: bool) -> None:
    """List attributes with what is proposed for each, and why."""
    from gtm_orchestra.state.files import replace_file  # noqa: PLC0415 - keeps --help quick
    from gtm_orchestra.warehouse.catalog import (  # noqa: PLC0415 - the same
        example_values,
        export_csv,
        review_rows,
    )

    space = open_workspace(workspace)
    rows = [row for row in review_rows(space.config) if every or row.review == "proposed"]
    if csv_file:
        replace_file(Path(csv_file), export_csv(space.config).encode())
        click.echo(
            f"wrote {csv_file}; edit review and reason, then: gtm catalog import {csv_file} --as HANDLE"
        )
        return
    safe = sum(row.proposed == "accept" for row in rows)
    with space.open_warehouse() as warehouse:
        examples = example_values(warehouse, space.config, [row.name for row in rows])
    lines = []
    for row in rows:
        lines.append(f"{row.name:<28} {row.proposed:<7} {row.sensitivity:<9} {row.source}: {row.why}")
        said = "; ".join(filter(None, (row.description, examples.get(row.name, ""))))
        lines += [f"    {said}"] if said else []
    lines.append(f"{len(rows)} to decide, {safe} of them safe in bulk: gtm catalog accept --safe --as HANDLE")
    emit("\n".join(lines), [json.loads(row.model_dump_json()) for row in rows], as_json=as_json)


@catalog.command("accept")
@click.argument("names", nargs=-1)
@click.option("--safe", is_flag=True, help="Accept all that is harmless and sure; the rest one by one.")
@click.option("--reason", default="", help="Why; needed for what is not safe.")
@workspace_option
@actor_option
def accept(workspace: str, names: tuple[str, ...], actor: str | None, reason: str, *, safe: bool) -> None:
    """Accept attributes, so that profiles and rules may use them."""
    from gtm_orchestra.warehouse.catalog import accept as accept_attributes  # noqa: PLC0415 - keeps --help quick

    space = open_workspace(workspace)
    changed = accept_attributes(
        space.root / "gtm.toml", names, by=space.known_actor(actor), reason=reason, safe=safe
    )
    click.echo(f"accepted {len(changed)}: {', '.join(changed) or 'nothing was left to accept'}")


@catalog.command("deny")
@click.argument("names", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why.")
@workspace_option
@actor_option
def deny(workspace: str, names: tuple[str, ...], actor: str | None, reason: str) -> None:
    """Deny attributes: they are never used, and reports say why."""
    from gtm_orchestra.warehouse.catalog import deny as deny_attributes  # noqa: PLC0415 - keeps --help quick

    space = open_workspace(workspace)
    changed = deny_attributes(space.root / "gtm.toml", names, by=space.known_actor(actor), reason=reason)
    click.echo(f"denied {len(changed)}: {', '.join(changed) or 'nothing changed'}")


@catalog.command("import")
@click.argument("csv_file")
@workspace_option
@actor_option
def import_(workspace: str, csv_file: str, actor: str | None) -> None:
    """Take over the decisions of an edited CSV; all of them or none."""
    from gtm_orchestra.warehouse.catalog import import_csv  # noqa: PLC0415 - keeps --help quick

    space = open_workspace(workspace)
    try:
        text = sys.stdin.read() if csv_file == "-" else Path(csv_file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{csv_file!r} cannot be read", hint="name the CSV that review --csv wrote"
        ) from error
    changed = import_csv(space.root / "gtm.toml", text, by=space.known_actor(actor))
    click.echo(f"changed {len(changed)}: {', '.join(changed) or 'the CSV says what gtm.toml says'}")


@click.command()
@click.option("--source", is_flag=True, help="Also ask known answers on literal rows inside the data engine.")
@click.option("--show-sql", is_flag=True, help="Print the SQL of those questions.")
@workspace_option
@json_option
def doctor(workspace: str, *, source: bool, show_sql: bool, as_json: bool) -> int:
    """Check that gtm.toml, the source and this machine fit together, and say what connects where."""
    from gtm_orchestra.warehouse.doctor import (  # noqa: PLC0415 - heavy
        check_source,
        check_workspace,
        open_points,
        sql_text,
    )

    space = open_workspace(workspace)
    with space.open_warehouse() as warehouse:
        checks = check_workspace(space.config, warehouse)
        if source or show_sql:
            checks += check_source(warehouse)
        where = warehouse.where
    if show_sql:
        click.echo(sql_text(checks))
        return 0
    wrong = [check for check in checks if not check.ok]
    lines = [f"{'ok  ' if c.ok else 'FAIL'} {c.name}: {c.seen}" + _expected(c.ok, c.expected) for c in checks]
    lines += ["connects to:", *[f"  {line}" for line in _connections(space, where)]]
    lines += [f"open: {point}" for point in open_points(space.config)]
    lines.append(
        f"{len(wrong)} of {len(checks)} checks failed" if wrong else f"all {len(checks)} checks passed"
    )
    document = {"ok": not wrong, "checks": [json.loads(c.model_dump_json()) for c in checks]}
    emit("\n".join(lines), document, as_json=as_json)
    return 2 if wrong else 0


def _expected(ok: bool, expected: str) -> str:  # noqa: FBT001 - a formatting step of one caller
    return "" if ok else f" (expected {expected})"


def _connections(space: Workspace, where: str) -> list[str]:
    found = [f"the source: {where}, read-only"]
    if space.config.consent.page:
        found.append(f"the consent page: {space.config.consent.page}, in a browser")
    return [*found, "nothing else"]
