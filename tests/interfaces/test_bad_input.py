"""Every bad input ends in a clear error, and leaves nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interfaces.conftest import Said

    Gtm = Callable[..., Said]

DEFINE = ("define-profiles", "--initiative", "PLG Onboarding", "--channels", "web,email")


def _nothing_was_kept(workspace: Path) -> bool:
    return not (workspace / ".claude").exists() and not (workspace / "outputs").exists()


_REQUESTS = {
    "unknown channel": (
        ("--initiative", "PLG", "--channels", "web,fax"),
        "gtm: --channels 'fax' is unknown; allowed are web, in-app, email, ads, sales",
    ),
    "no channel": (
        ("--initiative", "PLG", "--channels", " , "),
        "gtm: --channels is empty; name at least one of web, in-app, email, ads, sales",
    ),
    "empty initiative": (("--initiative", "", "--channels", "web"), "gtm: the initiative has no name"),
    "path as initiative": (
        ("--initiative", "../../x", "--channels", "web"),
        "gtm: the initiative's name contains U+002F; control characters and / or \\ are not allowed",
    ),
    "control characters": (
        ("--initiative", "a\x07b", "--channels", "web"),
        "gtm: the initiative's name contains U+0007; control characters and / or \\ are not allowed",
    ),
    "long initiative": (
        ("--initiative", "x" * 10_000, "--channels", "web"),
        "gtm: the initiative's name has 10,000 characters; 120 are allowed",
    ),
    "unknown pattern": (
        ("--initiative", "PLG", "--channels", "web", "--pattern", "star"),
        "gtm: --pattern 'star' is unknown; allowed are diamond, pipeline",
    ),
    "unknown approver": (
        ("--initiative", "PLG", "--channels", "web", "--approvers", "mallory"),
        "gtm: approver 'mallory' is neither a person nor a role in gtm.toml [people]",
    ),
    "unknown actor": (
        ("--initiative", "PLG", "--channels", "web", "--as", "mallory"),
        "gtm: --as 'mallory' is nobody in gtm.toml [people]",
    ),
    "as-of that is no date": (
        ("--initiative", "PLG", "--channels", "web", "--as-of", "yesterday"),
        "gtm: --as-of 'yesterday' is no date or time",
    ),
    "as-of before anything was recorded": (
        ("--initiative", "PLG", "--channels", "web", "--as-of", "0001-01-01T00:00+14:00"),
        "gtm: --as-of '0001-01-01T00:00+14:00' is in the year 1; 1970 to 2199 are allowed",
    ),
    "as-of at the end of time": (
        ("--initiative", "PLG", "--channels", "web", "--as-of", "9999-12-31"),
        "gtm: --as-of '9999-12-31' is in the year 9999; 1970 to 2199 are allowed",
    ),
    "bytes that are no text": (
        ("--initiative", "PLG", "--channels", "web", "--constraints", "EU\udcff only"),
        "gtm: argument 7 is not UTF-8",
    ),
    "constraint of a book's length": (
        ("--initiative", "PLG", "--channels", "web", "--constraints", "x" * 3_000),
        "gtm: --constraints: 3,000 characters; 2,000 are allowed",
    ),
}


@pytest.mark.parametrize(("options", "message"), list(_REQUESTS.values()), ids=list(_REQUESTS))
def test_a_request_that_is_not_allowed(
    workspace: Path, gtm: Gtm, options: tuple[str, ...], message: str
) -> None:
    said = gtm("define-profiles", *options)
    assert said.code == 2
    assert said.err.splitlines()[0] == message
    assert said.err.splitlines()[1].startswith("next: ")
    assert said.out == ""
    assert _nothing_was_kept(workspace)


def test_an_initiative_that_differs_in_case_only(workspace: Path, gtm: Gtm) -> None:
    assert gtm(*DEFINE).code == 4
    before = sorted(path.name for path in (workspace / ".claude" / "plans").iterdir())
    said = gtm("define-profiles", "--initiative", "plg onboarding", "--channels", "web")
    assert said.code == 2
    assert said.err.startswith("gtm: the initiative 'PLG Onboarding' exists; 'plg onboarding' would share")
    assert sorted(path.name for path in (workspace / ".claude" / "plans").iterdir()) == before


def _rewrite(workspace: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = workspace / "data" / f"{table}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def _missing(workspace: Path) -> None:
    (workspace / "data" / "contacts.parquet").unlink()


def _no_folder(workspace: Path) -> None:
    shutil.rmtree(workspace / "data")


def _empty_folder(workspace: Path) -> None:
    shutil.rmtree(workspace / "data")
    (workspace / "data").mkdir()


def _unreadable(workspace: Path) -> None:
    (workspace / "data" / "contacts.parquet").write_bytes(b"no Parquet at all")


def _without_key(workspace: Path) -> None:
    _rewrite(workspace, "contacts", lambda table: table.drop_columns(["hs_object_id"]))


def _renamed(workspace: Path) -> None:
    def rename(table: pa.Table) -> pa.Table:
        return table.rename_columns(
            ["life_cycle_stage" if n == "lifecyclestage" else n for n in table.column_names]
        )

    _rewrite(workspace, "contacts", rename)


def _nobody(workspace: Path) -> None:
    _rewrite(workspace, "contacts", lambda table: table.slice(0, 0))


_SOURCES: dict[str, tuple[Callable[[Path], None], str]] = {
    "no folder": (_no_folder, "gtm: the source 'data' does not exist"),
    "an empty folder": (_empty_folder, "gtm: "),
    "a table missing": (
        _missing,
        "gtm: the source is not as gtm.toml maps it: tables.people.table: no such table",
    ),
    "a table unreadable": (_unreadable, "gtm: "),
    "no key column": (
        _without_key,
        "gtm: the source is not as gtm.toml maps it: tables.people.columns.key: no such",
    ),
    "a column renamed": (_renamed, "gtm: the source is not as gtm.toml maps it: attributes."),
    "zero people": (_nobody, "gtm: "),
}


@pytest.mark.parametrize(("break_it", "message"), list(_SOURCES.values()), ids=list(_SOURCES))
def test_a_source_that_is_not_as_mapped(
    workspace: Path, gtm: Gtm, break_it: Callable[[Path], None], message: str
) -> None:
    break_it(workspace)
    said = gtm(*DEFINE)
    assert said.code in {2, 3}, said.err
    assert said.err.startswith(message)
    assert "next: " in said.err
    assert "internal error" not in said.err
    assert "Traceback" not in said.err
    assert _nothing_was_kept(workspace)


def test_a_workspace_without_gtm_toml_says_how_to_get_one(
    tmp_path: Path, gtm: Gtm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = gtm(*DEFINE)
    assert (said.code, said.err.splitlines()[1]) == (
        2,
        "next: run 'gtm init --source PATH_OR_URL' here, or 'gtm demo' for a sample",
    )


def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path, gtm: Gtm) -> None:
    said = gtm("init", str(tmp_path / "w"), "--source", "postgresql://ann:s3cr3t@127.0.0.1:1/shop")
    assert said.code == 2
    assert "the source's URL holds a password" in said.err
    assert "s3cr3t" not in said.err + said.out
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("name", ["password", "PWD", "token"])
def test_a_password_behind_the_question_mark_is_refused_and_not_repeated(
    tmp_path: Path, gtm: Gtm, name: str
) -> None:
    said = gtm("init", str(tmp_path / "w"), "--source", f"postgresql://ann@127.0.0.1:1/shop?{name}=s3cr3t")
    assert said.code == 2
    assert said.err.startswith(f"gtm: the source's URL holds a {name!r}, and gtm.toml never does\n")
    assert "s3cr3t" not in said.err + said.out
    assert not (tmp_path / "w").exists()


def test_a_password_that_somebody_wrote_into_gtm_toml_is_refused_and_not_repeated(
    workspace: Path, gtm: Gtm
) -> None:
    path = workspace / "gtm.toml"
    path.write_text(path.read_text().replace('url = "data"', 'url = "postgresql://a@h/d?password=s3cr3t"'))
    said = gtm(*DEFINE)
    assert (said.code, said.err.splitlines()[0]) == (
        2,
        "gtm: source.url names 'password' behind the question mark",
    )
    assert "s3cr3t" not in said.err + said.out


def test_a_name_from_the_data_cannot_drive_the_terminal(tmp_path: Path, gtm: Gtm) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "\x1b]0;owned\x07\u202ex.csv").write_text("colour,size\nred,1\nblue,2\n")
    said = gtm("init", str(tmp_path / "w"), "--source", str(tmp_path / "data"))
    assert (said.code, "]0;ownedx" in said.err) == (2, True), said.err
    assert not set(said.err) & {"\x1b", "\x07", "\u202e"}


def test_a_wrong_password_is_not_repeated(tmp_path: Path, gtm: Gtm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cr3t")
    said = gtm(
        *("init", str(tmp_path / "w"), "--source", "postgresql://ann@127.0.0.1:1/shop"),
        *("--password-env", "SHOP_PASSWORD"),
    )
    assert said.code == 2
    assert "s3cr3t" not in said.err + said.out


@pytest.mark.parametrize(
    "data",
    [
        b'{"plan_id": "plan',
        b'{"schema_version": 1, "schema_version": 2}',
        b'{"budgets": NaN}',
        b" " * 20_000_000,
    ],
    ids=["truncated", "duplicate keys", "NaN", "20 MB"],
)
def test_a_plan_file_that_cannot_be_read_is_noticed_and_restored(
    workspace: Path, gtm: Gtm, data: bytes
) -> None:
    gtm(*DEFINE)
    path = next((workspace / ".claude" / "plans").glob("*.json"))
    good = path.read_bytes()
    path.write_bytes(data)
    said = gtm("plan", "verify")
    assert said.code == 1
    assert f"{path.name}: unreadable" in said.out
    assert gtm("plan", "verify", "--restore").code == 0
    assert path.read_bytes() == good


def test_an_edited_plan_file_is_adopted_as_a_revision_or_restored(workspace: Path, gtm: Gtm) -> None:
    gtm(*DEFINE)
    path = next((workspace / ".claude" / "plans").glob("*.json"))
    document = json.loads(path.read_text())
    document["error_handling"]["max_retries"] = 1
    path.write_text(json.dumps(document))
    assert "edited in error_handling" in gtm("plan", "verify").out
    assert gtm("plan", "verify", "--adopt").err.startswith("gtm: an adopted edit needs a reason")
    said = gtm("plan", "verify", "--adopt", "--reason", "one retry is enough", "--as", "marco")
    assert said.code == 0
    assert "error_handling.max_retries: 2 → 1  [one retry is enough]" in gtm("plan", "log").out
    document["stages"] = "everything"
    path.write_text(json.dumps(document))
    said = gtm("plan", "verify", "--adopt", "--reason", "x", "--as", "marco")
    assert (said.code, said.err.startswith(f"gtm: {path.name} is not a plan: stages: ")) == (2, True)


def test_an_approval_of_something_edited_afterwards_is_refused(workspace: Path, gtm: Gtm) -> None:
    gtm(*DEFINE)
    path = next((workspace / ".claude" / "plans").glob("*.json"))
    document = json.loads(path.read_text())
    document["error_handling"]["max_retries"] = 1
    path.write_text(json.dumps(document))
    gtm("plan", "verify", "--adopt", "--reason", "one retry is enough", "--as", "marco")
    said = gtm("approvals", "approve", "latest", "--as", "priya", "--reason", "read it")
    assert said.code == 7
    assert "is at revision 2 now; the question is about revision 1" in said.err


def test_a_full_disk_is_said_so_and_the_run_goes_on_after(workspace: Path, gtm: Gtm, tmp_path: Path) -> None:
    """A file-size limit stands for a full disk: the same calls fail half-way, without root's rights."""
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))\n"
        "from gtm_orchestra.interfaces.cli import main\n"
        f"main({list(DEFINE)!r})\n"
    )
    (tmp_path / "limited.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "limited.py")],
        capture_output=True,
        text=True,
        cwd=workspace,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert gtm(*DEFINE).code == 4
    assert gtm("plan", "verify").code == 0


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root writes everywhere")
def test_a_workspace_that_cannot_be_written_says_so(workspace: Path) -> None:
    for path in [workspace, *workspace.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Another user must reach the folder, however deep the runner has put it.
    for parent in workspace.parents:
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)
    command = [str(Path(sys.executable).with_name("gtm")), *DEFINE]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd=workspace, check=False)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "next: " in done.stderr
    assert "Traceback" not in done.stderr
