"""`gtm rules`: judge rule sets, those that are live included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli.options import emit, json_option

if TYPE_CHECKING:
    from gtm_orchestra.decisions import Finding, Payload

_TITLES = {"blocker": "Blockers", "warning": "Warnings", "note": "Notes"}


@click.group()
def rules() -> None:
    """Judge the rules that decide who sees what, also those that are live today."""


@rules.command()
@click.argument("file")
@click.option("--catalog", default=None, help="A gtm.toml, to judge whether the attributes may be used.")
@json_option
def check(file: str, catalog: str | None, *, as_json: bool) -> int:
    """Check the features payload of a GrowthBook SDK endpoint, saved as FILE.

    Needs no workspace, changes nothing, connects nowhere. Exit 0: no blocker; 3: at least one.
    """
    from gtm_orchestra.config import load_config  # noqa: PLC0415 - keeps --help quick
    from gtm_orchestra.decisions import check_rule_sets, read_document, read_features  # noqa: PLC0415 - the same
    from gtm_orchestra.decisions.features_file import MAX_BYTES  # noqa: PLC0415 - the same

    path = Path(file)
    document = read_document(read_file(path, MAX_BYTES, "the saved answer of a features endpoint"), path.name)
    attributes = load_config(Path(catalog)).attributes if catalog is not None else None
    types = {name: entry.type for name, entry in attributes.items()} if attributes is not None else None
    payload = read_features(document, types=types)
    findings = check_rule_sets(payload.rule_sets, already=payload.findings, catalog=attributes)
    counts = {severity: sum(f.severity == severity for f in findings) for severity in _TITLES}
    emit(
        _report(path.name, payload, findings, counts),
        {
            "file": path.name,
            "features": len(payload.rule_sets),
            "rules": sum(len(each.rules) for each in payload.rule_sets),
            "counts": counts,
            "findings": [finding.model_dump(mode="json") for finding in findings],
        },
        as_json=as_json,
    )
    if not counts["blocker"]:
        return 0
    click.echo(f"gtm: {_count(counts['blocker'], 'blocker')} in {path.name}", err=True)
    click.echo(f"next: mend them, then gtm rules check {path.name}", err=True)
    return 3


def read_file(path: Path, most: int, what: str) -> bytes:
    """Return a file's bytes, one more than allowed at most.

    Raises:
        UsageError: There is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            raise UsageError(
                f"{path.name} has {path.stat().st_size:,} bytes; at most {most:,} are read",
                hint=f"give {what} alone",
            )
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {str(path)!r}", hint=f"give {what}") from error
    except OSError as error:
        raise UsageError(
            f"{str(path)!r} cannot be read: {error.strerror}", hint="check the path and its permissions"
        ) from error
    return content


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _report(name: str, payload: Payload, findings: list[Finding], counts: dict[str, int]) -> str:
    total = sum(len(each.rules) for each in payload.rule_sets)
    lines = [f"{name}: {_count(len(payload.rule_sets), 'feature')}, {_count(total, 'rule')}"]
    for severity, title in _TITLES.items():
        if counts[severity]:
            lines += ["", f"{title} ({counts[severity]:,})"]
            lines += [line for each in findings if each.severity == severity for line in _lines(each)]
    said = ", ".join(_count(counts[severity], severity) for severity in _TITLES)
    return "\n".join([*lines, "", f"{said}."])


def _lines(finding: Finding) -> list[str]:
    from gtm_orchestra.decisions.findings import person_words  # noqa: PLC0415 - keeps --help quick

    where = f"{finding.feature}: " if finding.feature else ""
    lines = [f"- [{finding.check}] {where}{finding.says}."]
    if finding.example is not None:
        lines.append(f"  For example: {person_words(finding.example)}.")
    return [*lines, f"  Mend: {finding.mend}."]
