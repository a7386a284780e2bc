"""Cancel, pause and ending by signal, as a person at the command line sees them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interfaces.conftest import Said

GTM = Path(sys.executable).with_name("gtm")
ASK = ("define-profiles", "--initiative", "PLG Onboarding", "--channels", "web")


@pytest.fixture
def asked(workspace: Path, gtm: Callable[..., Said]) -> str:
    """Give a run that waits for its sign-off."""
    assert gtm(*ASK).code == 4
    return Workspace.open(workspace).journal.run_list()[-1].run_id


def test_a_cancelled_run_says_what_became_of_it(asked: str, gtm: Callable[..., Said]) -> None:
    said = gtm("runs", "cancel", asked, "--reason", "wrong audience", "--as", "marco")
    assert (said.code, said.out) == (
        0,
        (
            f"{asked}: cancelled. wrong audience\nClosed: {asked}/sign-off\n"
            "Live: publish-drafts on outputs folder of this plan, by 4.1\n"
            f'Next, to take back what is live: gtm runs ripcord {asked} --reason "…"\n'
        ),
    )
    assert f"{asked}  cancelled    define-profiles" in gtm("runs", "list").out
    assert "cancelled by marco (claimed): wrong audience" in gtm("runs", "show", asked).out
    again = json.loads(gtm("runs", "cancel", asked, "--reason", "x", "--as", "marco", "--json").out)
    assert (again["news"], again["why"], len(again["live"])) == (False, "wrong audience", 1)
    resumed = gtm("runs", "resume", asked)
    assert (resumed.code, resumed.err) == (
        2,
        f"gtm: {asked} was cancelled\nnext: run gtm define-profiles again: it starts anew\n",
    )
    answered = gtm("approvals", "approve", f"{asked}/sign-off", "--reason", "ok", "--as", "priya")
    assert answered.code == 7
    assert gtm(*ASK).code == 4
    assert Workspace.open(".").journal.run_list()[-1].run_id == f"{asked.rpartition('.')[0]}.2"


def test_everybody_is_told_of_a_pause_until_it_is_lifted(asked: str, gtm: Callable[..., Said]) -> None:
    assert gtm("pause").out == "nothing is paused\n"
    said = gtm("pause", "--all", "--reason", "audit week", "--as", "marco")
    words = r"paused by marco since \d{4}-\d\d-\d\d \d\d:\d\d UTC: audit week"
    assert re.fullmatch(
        rf'{words}\nNext, to lift it: gtm pause --off --reason "…" --as HANDLE\n', said.out
    ), said
    assert re.search(words, gtm("runs", "list").out)
    assert re.fullmatch(rf"gtm: {words}\n", gtm("plan", "list").err)
    for command in (ASK, ("runs", "resume", asked)):
        refused = gtm(*command)
        assert refused.code == 4
        assert refused.out == ""
        assert 'next: lift it with: gtm pause --off --reason "…" --as HANDLE\n' in refused.err
    state = json.loads(gtm("pause", "--json").out)
    assert (state["paused"], state["by"], state["why"], state["held_up"]) == (
        True,
        "marco",
        "audit week",
        [],
    )
    lifted = gtm("pause", "--off", "--reason", "over", "--as", "priya")
    assert (lifted.code, lifted.out) == (
        0,
        "the pause is lifted; what it held up is not taken up by itself\n",
    )
    assert gtm("runs", "resume", asked).code == 4
    assert gtm("plan", "list").err == ""


def test_a_stranger_pauses_and_cancels_nothing(asked: str, gtm: Callable[..., Said]) -> None:
    for command in (("pause", "--all"), ("pause", "--off"), ("runs", "cancel", asked)):
        said = gtm(*command, "--reason", "because")
        assert said.code == 3
        assert "is nobody in gtm.toml [people]" in said.err
    assert gtm("pause", "--all", "--off", "--reason", "x").code == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_stops_between_tasks_and_goes_on_later(
    workspace: Path, number: signal.Signals
) -> None:
    with subprocess.Popen([GTM, *ASK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = next(line for line in process.stderr if "at work" in line)
        process.send_signal(number)
        out, err = process.stdout.read(), seen + process.stderr.read()
    assert process.returncode == 130, err
    assert "gtm: ending: tasks at work finish, no further one begins; once more ends at once\n" in err
    space = Workspace.open(workspace)
    row = space.journal.run_list()[-1]
    assert out.splitlines()[-1] == f"Next: gtm runs resume {row.run_id}"
    assert f"this process was told to end ({number.name})" in out
    assert space.state_of(row) == "interrupted"
    kinds = Counter(r.kind for r in space.journal.records(row.run_id))
    assert kinds["task.attempt"] == kinds["task.outcome"] >= 1
    assert kinds["task.attempt"] < 9
    done = subprocess.run([GTM, "runs", "resume"], check=False, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    records = space.journal.records(row.run_id)
    assert Counter(r.node for r in records if r.kind == "task.outcome").most_common(1)[0][1] == 1
    assert [r for r in records if r.kind == "task.interrupted"] == []


def test_a_second_signal_ends_at_once_and_nothing_acknowledged_is_lost(workspace: Path) -> None:
    code = (
        "import sys, threading\n"
        "from gtm_orchestra.interfaces.cli.stopping import stoppable\n"
        "with stoppable() as ending:\n"
        "    print('ready', flush=True)\n"
        "    threading.Event().wait(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=workspace
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        first = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert first == "gtm: ending: tasks at work finish, no further one begins; once more ends at once\n"
    assert rest == (
        "\ngtm: stopped at once\nnext: gtm runs resume; the tasks that were at work are done again\n"
    )


def test_the_library_sets_no_signal_handler(workspace: Path, gtm: Callable[..., Said]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    space = Workspace.open(workspace)
    seen = []
    space._progress = lambda *_: seen.append(
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    )
    space.run(space.define_profiles(initiative="PLG", channels="web"))
    assert len(seen) > 9
    # An event loop has a handler of its own for Ctrl-C while it runs; it is not ours, and it goes away.
    assert [handlers for handlers in seen if handlers[1] != before[1]] == []
    gtm("runs", "resume")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_run_that_waits_is_told_and_watched_no_longer(asked: str, gtm: Callable[..., Said]) -> None:
    said = gtm("runs", "watch")
    assert said.code == 4
    assert said.out.splitlines()[0].endswith("  started")
    assert said.out.splitlines()[-1].startswith("Waits for priya: ")
    lines = gtm("runs", "watch", asked, "--json").out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "run.status"


def test_a_task_is_done_again_and_a_run_is_moved_over(
    asked: str, workspace: Path, gtm: Callable[..., Said]
) -> None:
    again = gtm("runs", "resume", "--from", "3.1", "--reason", "new mapping", "--as", "marco")
    assert again.code == 4, again.err
    assert "done again: 3.1, gate-2, 4.1, 4.2, sign-off\n" in again.err
    assert "marco (claimed) let 3.1 activation-mapping be done again" in gtm("runs", "show").out
    view = next((workspace / ".claude" / "plans").glob("plan-*.json"))
    document = json.loads(view.read_text())
    document["stages"][2]["tasks"][0]["purpose"] = "Map them otherwise."
    view.write_text(json.dumps(document))
    assert gtm("plan", "verify", "--adopt", "--reason", "otherwise", "--as", "marco").code == 0
    refused = gtm("runs", "resume")
    assert refused.code == 7
    assert f"gtm runs move {asked} --dry-run" in refused.err
    planned = gtm("runs", "move", "--dry-run")
    assert planned.code == 10
    lines = planned.out.splitlines()
    assert "3.1        done again its purpose changed" in lines
    assert "2.1        kept       nothing that it hangs on has changed" in lines
    assert lines[-1] == "nothing was changed: this was a dry run"
    moved = gtm("runs", "move", "--reason", "otherwise", "--as", "marco")
    assert (moved.code, moved.out.splitlines()[-1]) == (0, f"Next: gtm runs resume {asked}")
    assert gtm("runs", "resume").code == 4
    assert "moved it from revision 1 to 2: otherwise. Kept: 1.1, 1.2" in gtm("runs", "show").out
    assert gtm("plan", "verify").code == 0


def test_a_changed_input_revises_the_plan_and_moves_the_run(asked: str, gtm: Callable[..., Said]) -> None:
    for wrong, words in (("colour=red", "colour cannot be changed"), ("channels", "names no value")):
        said = gtm("runs", "resume", "--input", wrong, "--reason", "r", "--as", "marco")
        assert (said.code, words in said.err) == (2, True), said.err
    same = gtm("runs", "resume", "--input", "channels=web", "--reason", "r", "--as", "marco")
    assert "the inputs are what they were" in same.err
    said = gtm("runs", "resume", "--input", "channels=web,email", "--reason", "also email", "--as", "marco")
    assert said.code == 4, said.err
    assert "1.1        done again the plan's inputs and channels changed\n" in said.err
    row = Workspace.open(".").journal.run_list()[-1]
    assert (row.run_id, row.revision) == (asked, 2)
    assert gtm("plan", "verify").code == 0
