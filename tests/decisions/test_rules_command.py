"""`gtm rules check` on a bare file, without a workspace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.interfaces.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SOUND = {"features": {"banner": {"defaultValue": "plain", "rules": [{"id": "r", "force": "v"}]}}}
BROKEN = {
    "features": {"banner": {"defaultValue": "plain", "rules": [{"id": "r", "condition": {}, "force": "v"}]}}
}


def check(capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["rules", "check", str(path), *options])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_a_sound_payload_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps(SOUND))
    assert check(capsys, path) == (
        0,
        "features.json: 1 feature, 1 rule\n\n0 blockers, 0 warnings, 0 notes.\n",
        "",
    )


def test_a_blocker_ends_with_3_and_says_where_what_and_the_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps(BROKEN))
    assert check(capsys, path) == (
        3,
        (
            "features.json: 1 feature, 1 rule\n\nBlockers (1)\n"
            "- [empty-condition] banner: rule 'r' has an empty condition at the top; the SDKs take it for "
            "everyone.\n"
            "  Mend: say whom you mean; for everyone, leave the condition out.\n\n"
            "1 blocker, 0 warnings, 0 notes.\n"
        ),
        "gtm: 1 blocker in features.json\nnext: mend them, then gtm rules check features.json\n",
    )


def test_json_has_the_same_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps(BROKEN))
    code, out, _ = check(capsys, path, "--json")
    assert (code, json.loads(out)) == (
        3,
        {
            "file": "features.json",
            "features": 1,
            "rules": 1,
            "counts": {"blocker": 1, "warning": 0, "note": 0},
            "findings": [
                {
                    "check": "empty-condition",
                    "severity": "blocker",
                    "feature": "banner",
                    "rules": ["r"],
                    "says": "rule 'r' has an empty condition at the top; the SDKs take it for everyone",
                    "mend": "say whom you mean; for everyone, leave the condition out",
                    "example": None,
                }
            ],
        },
    )


def test_a_catalog_judges_the_attributes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.json"
    rule = {"id": "r", "condition": {"mood": "good"}, "force": "v"}
    path.write_text(json.dumps({"features": {"banner": {"defaultValue": "plain", "rules": [rule]}}}))
    catalog = tmp_path / "gtm.toml"
    catalog.write_text(
        '[workspace]\nname = "x"\n[source]\nurl = "."\n'
        '[tables.people]\ntable = "p"\ncolumns = { key = "id" }\n'
    )
    code, out, _ = check(capsys, path, "--catalog", str(catalog))
    assert code == 3
    assert "- [unknown-attribute] attribute 'mood' is not in the catalog.\n" in out


def test_a_file_that_is_not_there_and_one_too_large_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "features.json"
    assert check(capsys, path) == (
        2,
        "",
        f"gtm: there is no file {str(path)!r}\nnext: give the saved answer of a features endpoint\n",
    )
    path.write_bytes(b" " * 20_000_000)
    assert check(capsys, path) == (
        2,
        "",
        (
            "gtm: features.json has 20,000,000 bytes; at most 10,000,000 are read\n"
            "next: give the saved answer of a features endpoint alone\n"
        ),
    )
    assert check(capsys, tmp_path)[2].startswith(f"gtm: {str(tmp_path)!r} cannot be read: ")
