"""`gtm variants`: the file of what people see."""

from __future__ import annotations

from pathlib import Path

import click

from gtm_orchestra.interfaces.cli.options import emit, json_option
from gtm_orchestra.interfaces.cli.rules import read_file

_TITLES = {"blocker": "Blockers", "warning": "Warnings", "note": "Notes"}


@click.group()
def variants() -> None:
    """Begin and check the CSV file of what people see."""


@variants.command("template")
def write_template() -> None:
    """Print a variants file to begin with: gtm variants template > variants.csv."""
    from gtm_orchestra.decisions.variants import template  # noqa: PLC0415 - keeps --help quick

    click.echo(template(), nl=False)


@variants.command()
@click.argument("file")
@json_option
def check(file: str, *, as_json: bool) -> int:
    """Check the variants in FILE, a CSV.

    Needs no workspace, changes nothing, connects nowhere. Exit 0: no blocker; 3: at least one.
    """
    from gtm_orchestra.decisions.variants import (  # noqa: PLC0415 - keeps --help quick
        MAX_BYTES,
        check_variants,
        read_variants,
    )

    path = Path(file)
    rows = read_variants(read_file(path, MAX_BYTES, "a variants file"), path.name)
    findings = check_variants(rows)
    counts = {severity: sum(f.severity == severity for f in findings) for severity in _TITLES}
    lines = [f"{path.name}: {len(rows):,} variant{'' if len(rows) == 1 else 's'}"]
    for severity, title in _TITLES.items():
        if counts[severity]:
            lines += ["", f"{title} ({counts[severity]:,})"]
        for each in findings:
            if each.severity == severity:
                where = f"line {each.line}, {each.variant or 'without id'}, {each.column}"
                lines += [f"- [{each.check}] {where}: {each.says}.", f"  Mend: {each.mend}."]
    said = ", ".join(f"{count:,} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items())
    emit(
        "\n".join([*lines, "", f"{said}."]),
        {
            "file": path.name,
            "variants": len(rows),
            "counts": counts,
            "findings": [finding.model_dump(mode="json") for finding in findings],
        },
        as_json=as_json,
    )
    if not counts["blocker"]:
        return 0
    click.echo(
        f"gtm: {counts['blocker']:,} blocker{'' if counts['blocker'] == 1 else 's'} in {path.name}", err=True
    )
    click.echo(f"next: mend them, then gtm variants check {path.name}", err=True)
    return 3
