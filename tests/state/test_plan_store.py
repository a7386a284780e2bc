from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.content import find_content
from gtm_orchestra.errors import ConflictError, IntegrityError, StorageError, UsageError
from gtm_orchestra.plans.blueprint import Filling, fill, parse_blueprint
from gtm_orchestra.plans.model import Change, PlanDefinition
from gtm_orchestra.state.plan_store import Anchor, PlanStore, ViewState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)


def _definition(channels: tuple[str, ...] = ("web",)) -> PlanDefinition:
    content = find_content("plans", "define-profiles", None)
    filling = Filling(
        plan_id="plan-20261101T090000Z", initiative="PLG", inputs={"initiative": "PLG"}, channels=channels
    )
    return fill(parse_blueprint(content.text, what="b"), filling)


def _change(what: str) -> Callable[[int], Change]:
    return lambda revision: Change(at=NOW, actor="marco", what=what, why="asked for", revision=revision)


@pytest.fixture
def store(tmp_path: Path) -> PlanStore:
    return PlanStore(tmp_path, tmp_path / ".gtm" / "locks")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / ".claude" / "plans" / "plan-20261101T090000Z.log.jsonl"


def _filled(store: PlanStore) -> None:
    store.create(_definition(), change=_change("planned"))
    store.revise(_definition(("web", "email")), expected=1, change=_change("added email"))
    store.anchor("plan-20261101T090000Z", Anchor("run-1", 7, "a" * 64), at=NOW)


def test_a_log_keeps_every_revision_with_who_and_why(store: PlanStore) -> None:
    _filled(store)
    revisions = store.revisions("plan-20261101T090000Z")
    assert [(r.number, r.change.actor, r.change.what) for r in revisions] == [
        (1, "marco", "planned"),
        (2, "marco", "added email"),
    ]
    assert revisions[-1].definition.channels == ("web", "email")
    assert store.anchors("plan-20261101T090000Z") == (Anchor("run-1", 7, "a" * 64),)


def test_an_anchor_is_written_once(store: PlanStore, log: Path) -> None:
    _filled(store)
    before = log.read_bytes()
    store.anchor("plan-20261101T090000Z", Anchor("run-1", 7, "a" * 64), at=NOW + timedelta(days=1))
    assert log.read_bytes() == before


def test_a_change_on_an_older_revision_shows_both_sides(store: PlanStore) -> None:
    _filled(store)
    with pytest.raises(ConflictError) as raised:
        store.revise(_definition(), expected=1, change=_change("removed email"))
    assert str(raised.value) == (
        "plan 'plan-20261101T090000Z' is at revision 2 ('added email' by marco); your change was made on "
        "revision 1; read the plan again with 'gtm plan show' and repeat your change"
    )


def _edit(lines: list[bytes], at: int, change: Callable[[dict[str, Any]], None]) -> list[bytes]:
    entry = json.loads(lines[at])
    change(entry)
    return [*lines[:at], json.dumps(entry).encode(), *lines[at + 1 :]]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda lines: _edit(lines, 0, lambda e: e["body"]["change"].update(actor="somebody")),
        lambda lines: _edit(lines, 1, lambda e: e["body"]["definition"].update(initiative="Other")),
        lambda lines: _edit(lines, 1, lambda e: e.update(at="2020-01-01T00:00:00+00:00")),
        lambda lines: _edit(lines, 2, lambda e: e["body"].update(seq=1)),
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [*lines, lines[2]],
    ],
    ids=["actor", "definition", "time", "anchor", "head cut", "middle cut", "order", "repeated"],
)
def test_a_changed_log_is_noticed(
    store: PlanStore, log: Path, tamper: Callable[[list[bytes]], list[bytes]]
) -> None:
    _filled(store)
    lines = log.read_bytes().splitlines()
    log.write_bytes(b"\n".join(tamper(lines)) + b"\n")
    with pytest.raises(IntegrityError, match=r"\.log\.jsonl was changed at entry \d of \d"):
        store.revisions("plan-20261101T090000Z")


def test_half_a_line_was_never_acknowledged_and_is_dropped(store: PlanStore, log: Path) -> None:
    _filled(store)
    with log.open("ab") as handle:
        handle.write(b'{"seq": 4, "kind": "revi')
    assert len(store.revisions("plan-20261101T090000Z")) == 2
    store.revise(_definition(), expected=2, change=_change("removed email"))
    assert len(store.revisions("plan-20261101T090000Z")) == 3


@pytest.mark.parametrize("plan_id", ["../../x", "plan-1", "", "plan-20261101T090001Z"])
def test_a_plan_that_is_not_there_is_said_so(store: PlanStore, plan_id: str) -> None:
    with pytest.raises(UsageError, match=r"^no plan .* in this workspace; see 'gtm plan list'$"):
        store.latest(plan_id)


def test_a_plan_file_that_was_edited_by_hand_is_noticed(store: PlanStore) -> None:
    _filled(store)
    plan_id = "plan-20261101T090000Z"
    assert store.view_state(plan_id) == ViewState("missing")
    document = store.latest(plan_id).definition.model_dump(mode="json")
    store.write_view(plan_id, {**document, "status": "waiting"})
    assert store.view_state(plan_id) == ViewState("same")
    store.write_view(plan_id, {**document, "channels": ["web", "sales"], "objective": "Mine"})
    assert store.view_state(plan_id) == ViewState("edited", fields=("objective", "channels"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"plan_id": "plan-2026', "plan-20261101T090000Z.json is not JSON at line 1"),
        (b'{"a": 1, "a": 2}', "plan-20261101T090000Z.json has the key 'a' twice"),
        (b'{"a": NaN}', "plan-20261101T090000Z.json contains NaN"),
        (b" " * 20_000_000, "plan-20261101T090000Z.json has 1,000,001 bytes; 1,000,000 are allowed"),
    ],
    ids=["truncated", "duplicate key", "NaN", "20 MB"],
)
def test_a_plan_file_that_cannot_be_read_says_why(store: PlanStore, data: bytes, message: str) -> None:
    _filled(store)
    store.view_path("plan-20261101T090000Z").write_bytes(data)
    state = store.view_state("plan-20261101T090000Z")
    assert state.state == "unreadable"
    assert state.error.startswith(message)


_FULL_DISK = """
import pathlib, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from gtm_orchestra.errors import StorageError
from gtm_orchestra.state.files import append_line
path = pathlib.Path(sys.argv[1])
append_line(path, b"first")
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    append_line(path, b"x" * 100)
except StorageError as error:
    print(error.message)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
append_line(path, b"second")
"""


def test_a_write_that_runs_out_of_space_leaves_no_half_line_and_goes_on_after(tmp_path: Path) -> None:
    path = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "log cannot be written or read: File too large\n"
    assert path.read_bytes() == b"first\nsecond\n"


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / ".claude").write_text("a file where the folder should be")
    store = PlanStore(tmp_path, tmp_path / ".gtm" / "locks")
    with pytest.raises(StorageError, match="cannot be written or read: Not a directory"):
        store.create(_definition(), change=_change("planned"))
