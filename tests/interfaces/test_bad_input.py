"""Every bad input ends in a clear error, and leaves nothing half-written."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
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


def _mixed_zones(workspace: Path) -> None:
    def strip(table: pa.Table) -> pa.Table:
        times = table["createdate"].to_pylist()
        mixed = [time.removesuffix("Z") if time else time for time in times[:300]] + times[300:]
        return table.set_column(table.column_names.index("createdate"), "createdate", pa.array(mixed))

    _rewrite(workspace, "contacts", strip)


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
    "times with a zone and without one": (
        _mixed_zones,
        (
            "gtm: the source is not as gtm.toml maps it: tables.people: column 'createdate' of table "
            "'contacts' mixes times with a zone (1,672) and without one (298); export all of them with a "
            "zone, such as 2026-01-31T09:30:00Z (expected 5 mapped columns, readable as mapped)\n"
        ),
    ),
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


def test_times_in_the_future_stop_nothing_and_stand_in_the_report(workspace: Path, gtm: Gtm) -> None:
    def ahead(table: pa.Table, column: str, time: object) -> pa.Table:
        times = table[column].to_pylist()
        planted = pa.array([time] * 300 + times[300:], table.schema.field(column).type)
        return table.set_column(table.column_names.index(column), column, planted)

    _rewrite(workspace, "contacts", lambda table: ahead(table, "createdate", "2027-03-01T10:00:00Z"))
    later = datetime(2027, 3, 1, tzinfo=UTC)
    _rewrite(workspace, "events", lambda table: ahead(table, "occurred_at", later))
    assert gtm(*DEFINE).code == 4
    report = html.unescape(next(workspace.rglob("report.html")).read_text(encoding="utf-8"))
    for line in (
        (
            "300 rows of 'contacts' have a time in the future; they are not counted as recent, but a profile "
            "of new people takes them in. Often a time zone is wrong."
        ),
        (
            "300 rows of 'events' have a time in the future; they are not counted as recent. Often a time "
            "zone is wrong."
        ),
        "Check tables.people.time_zone in gtm.toml, and the clocks of the source.",
    ):
        assert line in report


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


@pytest.mark.parametrize(
    ("password", "options", "variable"),
    [
        ("s3cr3t-but-wrong", ("--password-env", "SHOP_PASSWORD"), "SHOP_PASSWORD"),
        ("", (), "the variable that source.password_env names"),
    ],
    ids=["wrong", "none"],
)
def test_a_server_that_refuses_the_password_says_which_variable_and_never_the_password(
    *,
    tmp_path: Path,
    gtm: Gtm,
    monkeypatch: pytest.MonkeyPatch,
    guarded_postgres: tuple[str, str],
    password: str,
    options: tuple[str, ...],
    variable: str,
) -> None:
    url, right = guarded_postgres
    init = ("init", str(tmp_path / "w"), "--source", url)
    monkeypatch.setenv("SHOP_PASSWORD", password)
    said = gtm(*init, *options)
    assert (said.code, said.out, said.err) == (
        2,
        "",
        (
            "gtm: PostgreSQL database 'postgres' at the local socket:5432 refused the password of user "
            f"'gtm'\nnext: check {variable}\n"
        ),
    )
    assert not (tmp_path / "w").exists()
    # With the right one the same server answers: it has no tables yet.
    monkeypatch.setenv("SHOP_PASSWORD", right)
    said = gtm(*init, "--password-env", "SHOP_PASSWORD")
    assert (said.code, said.err.splitlines()[0]) == (
        2,
        "gtm: PostgreSQL database 'postgres' at the local socket:5432 has no tables",
    )
    assert right not in said.err + said.out


def test_a_password_for_a_server_that_does_not_answer_is_not_repeated(
    tmp_path: Path, gtm: Gtm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cr3t")
    said = gtm(
        *("init", str(tmp_path / "w"), "--source", "postgresql://ann@127.0.0.1:1/shop"),
        *("--password-env", "SHOP_PASSWORD"),
    )
    assert (said.code, said.out, said.err) == (
        2,
        "",
        (
            "gtm: PostgreSQL database 'shop' at 127.0.0.1:1 does not answer\n"
            "next: check host and port in source.url, and that it is up\n"
        ),
    )


def test_names_in_json_cannot_turn_the_reading_direction(tmp_path: Path, gtm: Gtm) -> None:
    marks = "\u202e\u2066\u200f\u061c\x9b"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people.csv").write_text(
        f"id,col{marks}our\n" + "".join(f"{n},red\n" for n in range(300)), encoding="utf-8"
    )
    said = gtm("init", str(tmp_path / "w"), "--source", str(tmp_path / "data"), "--json")
    assert not set(said.out) & set(marks), said.err
    assert f"col{marks}our" in json.dumps(json.loads(said.out), ensure_ascii=False)


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


def test_a_file_that_may_not_grow_is_said_so_and_the_run_goes_on_after(
    workspace: Path, gtm: Gtm, tmp_path: Path
) -> None:
    """A file-size limit fails the same calls half-way through a file, where a full disk fails before it."""
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


_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
# Runs in a mount namespace of its own: fills a small filesystem up, sees what a command says, and makes room.
_ON_A_SMALL_DISK = """
import json, os, shutil, subprocess, sys
disk, workspace, free, *command = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], check=True)
shutil.copytree(workspace, f"{disk}/company")
os.chdir(f"{disk}/company")

def say(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True)
    return [done.returncode, done.stderr]

room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
with open(f"{disk}/filler", "wb") as filler:
    filler.write(bytes(room - int(free)))
full = say(*command)
left = [name for _, _, names in os.walk(".") for name in names if name.endswith((".tmp", ".new"))]
os.unlink(f"{disk}/filler")
again, verify = say(*command), say(command[0], "plan", "verify")
print(json.dumps({"full": full, "left": left, "again": again, "verify": verify}))
"""


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*_NAMESPACE, "true"], check=False).returncode != 0,
    reason="this system lets no process mount a filesystem of its own",
)
@pytest.mark.parametrize("free", [0, 100_000, 200_000, 400_000])
def test_a_disk_that_is_full_is_said_so_and_the_run_goes_on_after(
    sample: Path, tmp_path: Path, free: int
) -> None:
    """On a filesystem of its own, without root's rights: it fills before the plan, in the run, at its end."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "small.py").write_text(_ON_A_SMALL_DISK)
    done = subprocess.run(
        [
            *(*_NAMESPACE, sys.executable, str(tmp_path / "small.py")),
            *(str(tmp_path / "disk"), str(sample), str(free)),
            *(str(Path(sys.executable).with_name("gtm")), *DEFINE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    code, err = seen["full"]
    assert code == 1
    assert re.sub(r"plan-\d{8}T\d{6}Z", "plan-ID", err.splitlines()[-2]) in {
        "gtm: the lock 'new-plan' cannot be written or read: No space left on device",
        "gtm: plan-ID.log.jsonl cannot be written or read: No space left on device",
        "gtm: the state database cannot be used: database or disk is full",
    }
    assert err.splitlines()[-1] == (
        "next: free some space and run the same command again; nothing was half-written"
    )
    assert seen["left"] == []
    assert seen["again"][0] == 4, seen["again"][1]
    assert seen["verify"] == [0, ""]


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root writes everywhere")
def test_a_workspace_that_cannot_be_written_says_so(sample: Path, shared: Path) -> None:
    workspace = shared / "company"
    shutil.copytree(sample, workspace)
    for path in [workspace, *workspace.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [str(Path(sys.executable).with_name("gtm")), *DEFINE]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd=workspace, check=False)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "next: " in done.stderr
    assert "Traceback" not in done.stderr
