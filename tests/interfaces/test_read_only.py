"""A workspace that cannot be written can be looked at: as a privacy lead does on a share, or in an audit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gtm_orchestra.service.workspace import Workspace
from gtm_orchestra.state.locks import held

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root writes everywhere"
)
LOOKS = [
    ("plan", "list"),
    ("plan", "show"),
    ("plan", "log"),
    ("plan", "diff"),
    ("plan", "graph"),
    ("plan", "review"),
    ("plan", "verify"),
    ("runs", "list"),
    ("runs", "show"),
    ("approvals", "list"),
    ("approvals", "list", "--all"),
    ("approvals", "show", "latest"),
]


@pytest.fixture(scope="module")
def planned(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a workspace whose profiles wait for a person."""
    folder = tmp_path_factory.mktemp("planned") / "company"
    shutil.copytree(sample, folder)
    # In a process of its own: what is still open here would leave files beside the database.
    assert said(folder, "define-profiles", "--initiative", "PLG", "--channels", "web,email")[0] == 4
    return folder


@pytest.fixture
def frozen(planned: Path, shared: Path) -> Path:
    """Give a copy of it that nobody may write; it lies where another user may come."""
    shutil.copytree(planned, shared / "company")
    return freeze(shared / "company")


def freeze(folder: Path) -> Path:
    """Take every right to write from a folder and what is in it."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def said(folder: Path, *arguments: str, before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Run the command in a folder and return its exit code, what it said and what it complained of."""
    command = [*before, str(Path(sys.executable).with_name("gtm")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    return done.returncode, done.stdout, done.stderr


def look(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command as somebody whom rights bind."""
    other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    return said(folder, *arguments, before=other if os.geteuid() == 0 else ())


@pytest.mark.parametrize("arguments", LOOKS, ids=[" ".join(words) for words in LOOKS])
def test_what_only_looks_says_the_same_where_nothing_can_be_written(
    planned: Path, frozen: Path, arguments: tuple[str, ...]
) -> None:
    there = said(planned, *arguments)
    assert there[0] == 0
    assert look(frozen, *arguments) == there
    assert sorted(path.name for path in (frozen / ".gtm").iterdir()) == ["artifacts", "locks", "state.db"]


def test_what_decides_says_that_it_cannot_be_written(frozen: Path) -> None:
    code, out, err = look(frozen, "approvals", "approve", "latest", "--as", "priya", "--reason", "read it")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "gtm: the state database cannot be used: attempt to write a readonly database",
        "next: the workspace cannot be written; copy it to a place you can write",
    ]
    assert "pending" not in look(frozen, "approvals", "list")[1]


def test_plans_without_a_state_database_can_be_looked_at(planned: Path, shared: Path) -> None:
    """As in a checkout: plans are kept under version control, the state is not."""
    folder = shared / "checkout"
    shutil.copytree(planned, folder, ignore=shutil.ignore_patterns(".gtm", "outputs"))
    freeze(folder)
    code, out, err = look(folder, "plan", "list")
    assert (code, err) == (0, "")
    assert "planned     define-profiles for 'PLG', revision 1" in out
    assert look(folder, "runs", "list") == (0, "nothing has been run\n", "")
    code, out, err = look(folder, "plan", "verify")
    assert (code, out.splitlines()[-1], err) == (1, "NOT verified", "")
    assert "gone, but the plan log tells of it; restore .gtm/state.db" in out
    assert not (folder / ".gtm").exists()
    code, _, err = look(folder, "define-profiles", "--initiative", "New", "--channels", "web")
    assert (code, "cannot be written" in err) == (1, True), err


def _killed_while_it_wrote(folder: Path) -> None:
    """Leave the database as a process that was killed leaves it: its last change in a file beside it."""
    script = (
        "import os, sqlite3, sys\n"
        "con = sqlite3.connect(sys.argv[1])\n"
        "con.execute(\"UPDATE runs SET status = 'running'\")\n"
        "con.commit()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    database = folder / ".gtm" / "state.db"
    subprocess.run([sys.executable, "-c", script, str(database)], check=False)
    assert (database.with_name("state.db-wal")).stat().st_size > 0


def test_an_interrupted_run_is_seen_as_it_was_left(planned: Path, shared: Path) -> None:
    folder = shared / "killed"
    shutil.copytree(planned, folder)
    _killed_while_it_wrote(folder)
    code, out, err = look(freeze(folder), "runs", "list")
    assert (code, err) == (0, "")
    assert "interrupted  define-profiles for 'PLG'" in out


def test_a_database_that_must_be_mended_first_says_so_and_shows_nothing_older(
    planned: Path, shared: Path
) -> None:
    """A copy that left out the shared memory: SQLite cannot tell what is in the file of changes."""
    folder = shared / "copied"
    shutil.copytree(planned, folder)
    _killed_while_it_wrote(folder)
    (folder / ".gtm" / "state.db-shm").unlink()
    assert look(freeze(folder), "runs", "list") == (
        1,
        "",
        (
            "gtm: state.db was left by an interrupted run, and its folder cannot be written to mend it\n"
            "next: copy the workspace to a place you can write, and look at it there\n"
        ),
    )


def test_looking_at_a_run_that_is_under_way_leaves_no_trace_in_its_lock(
    planned: Path, tmp_path: Path
) -> None:
    shutil.copytree(planned, tmp_path / "company")
    space = Workspace.open(tmp_path / "company")
    row = replace(space.journal.run_list()[-1], status="running")
    locks = tmp_path / "company" / ".gtm" / "locks"
    holder = locks / f"{row.plan_id}.run.holder"
    assert space.state_of(row) == "interrupted"
    with held(locks, f"{row.plan_id}.run"):
        holder.write_text("who holds it")
        assert space.state_of(row) == "running"
    assert space.state_of(row) == "interrupted"
    assert holder.read_text() == "who holds it"
