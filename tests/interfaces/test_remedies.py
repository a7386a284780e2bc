"""`gtm runs answer|waive|tick`, as a person meets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra import Workspace
from gtm_orchestra.errors import PolicyError
from gtm_orchestra.runs.signing import check_signature
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.interfaces.conftest import Said

_ASK = ("define-profiles", "--initiative", "PLG Onboarding", "--channels", "web,in-app")
PRIYA = ("--as", "priya", "--reason", "x")
_AWAY = """
[agents.testing-lead]
disabled = true
reason = "on leave"

[agents.governance]
away_until = 2199-12-31
"""


@pytest.fixture
def stuck(workspace: Path, gtm: Callable[..., Said]) -> tuple[str, Said]:
    """Give a run whose measurability nobody can do, and what the command said."""
    config = workspace / "gtm.toml"
    config.write_text(config.read_text() + _AWAY)
    said = gtm(*_ASK)
    run = gtm("runs", "list").out.split()[0]
    return run, said


def test_a_task_that_nobody_can_do_goes_to_the_ladder_with_the_next_command(stuck: tuple[str, Said]) -> None:
    run, said = stuck
    assert said.code == 5
    assert (
        "testing-lead is unavailable: disabled in gtm.toml: on leave; "
        "governance is unavailable: out of office until 2199-12-31"
    ) in said.out
    assert f'gtm runs answer {run}/3.2-remedy-1 retry --as marco --reason "…"' in said.out


def test_after_the_agents_are_back_retry_brings_the_run_to_its_sign_off(
    workspace: Path, gtm: Callable[..., Said], stuck: tuple[str, Said]
) -> None:
    run, _ = stuck
    config = workspace / "gtm.toml"
    config.write_text(config.read_text().replace(_AWAY, ""))
    said = gtm("runs", "answer", f"{run}/3.2-remedy-1", "retry", "--as", "marco", "--reason", "back again")
    assert said.code == 5, said.err
    said = gtm("runs", "answer", f"{run}/3.3-remedy-1", "retry", "--as", "marco", "--reason", "back again")
    assert said.code == 4, said.err
    story = gtm("runs", "show", run).out
    assert "marco (claimed) said: try again (3.2-remedy-1). Reason: back again" in story
    assert "asked priya to sign off the profiles (sign-off)" in story


def test_skip_says_which_later_task_cannot_do_without_it(
    gtm: Callable[..., Said], stuck: tuple[str, Said]
) -> None:
    run, _ = stuck
    gtm("runs", "answer", f"{run}/3.2-remedy-1", "skip", "--as", "marco", "--reason", "not needed")
    said = gtm("runs", "answer", f"{run}/3.3-remedy-1", "skip", "--as", "marco", "--reason", "not needed")
    assert said.code == 8
    assert "4.1 write-outputs cannot be done without measurability, governance" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("answer", "QUESTION", "retry", "--as", "nobody", "--reason", "x"), 2, "--as 'nobody' is nobody in"),
        (("answer", "QUESTION", "retry", "--as", "marco", "--reason", " "), 2, "an answer needs a reason"),
        (("answer", "nothing", "retry", "--as", "marco", "--reason", "x"), 2, "no question 'nothing'"),
        (
            ("waive", "RUN", "gate-9", "--arm", "3.2", *PRIYA),
            2,
            "'gate-9' is no merge",
        ),
        (
            ("waive", "RUN", "", "--arm", "3.2", *PRIYA),
            2,
            "no waiver: its gate cannot",
        ),
        (
            ("waive", "RUN", "gate-2", "--arm", "3.2", *PRIYA, "--until", "soon"),
            2,
            "--until 'soon' is neither a duration nor a date",
        ),
        (
            (
                "waive",
                "RUN",
                "gate-2",
                "--arm",
                "3.2",
                "--as",
                "priya",
                "--reason",
                "x",
                "--until",
                "2020-01-01",
            ),
            2,
            "the waiver would have expired already",
        ),
    ],
)
def test_what_cannot_be_said_changes_nothing(
    gtm: Callable[..., Said],
    stuck: tuple[str, Said],
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    run, _ = stuck
    before = gtm("runs", "show", run, "--json").out
    words = {"QUESTION": f"{run}/3.2-remedy-1", "RUN": run}
    said = gtm("runs", *(words.get(word, word) for word in arguments))
    assert (said.code, message in said.err) == (code, True), said.err
    assert "next: " in said.err
    assert gtm("runs", "show", run, "--json").out == before


def test_an_approval_is_not_answered_like_a_failed_task(workspace: Path, gtm: Callable[..., Said]) -> None:
    assert workspace.is_dir()
    gtm(*_ASK)
    run = gtm("runs", "list").out.split()[0]
    said = gtm("runs", "answer", f"{run}/sign-off", "retry", *PRIYA)
    assert said.code == 2
    assert "sign-off is no question about a failed task" in said.err


def test_tick_says_that_nothing_is_due(gtm: Callable[..., Said], stuck: tuple[str, Said]) -> None:
    assert stuck[0]
    assert gtm("runs", "tick").out == "nothing is due\n"
    assert json.loads(gtm("runs", "tick", "--json").out) == {"settled": [], "runs": []}


def _key(workspace: Path, gtm: Callable[..., Said], who: str) -> str:
    """Give a person a key, and return the file of its private half."""
    file = workspace.parent / f"{who}.pem"
    said = gtm("approvals", "keygen", str(file), "--as", who)
    config = workspace / "gtm.toml"
    config.write_text(config.read_text() + "\n" + said.out)
    return str(file)


def test_who_has_a_key_signs_answers_and_waivers_too_and_an_audit_checks_them(
    workspace: Path, gtm: Callable[..., Said], stuck: tuple[str, Said]
) -> None:
    run, _ = stuck
    marco, priya = _key(workspace, gtm, "marco"), _key(workspace, gtm, "priya")
    answer = ("runs", "answer", f"{run}/3.2-remedy-1", "skip", "--as", "marco", "--reason", "x")
    waive = ("runs", "waive", run, "gate-2", "--arm", "3.3", *PRIYA)
    for unsigned, who in ((answer, "marco"), (waive, "priya")):
        said = gtm(*unsigned)
        assert (said.code, f"'{who}' signs decisions, and this one is not signed" in said.err) == (3, True)
    said = gtm(*answer, "--key", priya)
    none = "this key is none of those in gtm.toml [people.marco.keys]"
    assert (said.code, none in said.err) == (2, True)
    assert gtm(*answer, "--key", marco).code == 5
    gtm(*waive, "--key", priya)
    verified = gtm("plan", "verify")
    assert (verified.code, f"decisions of {run}: 2 of 2 signed, signatures hold" in verified.out) == (0, True)


def test_a_signed_answer_cannot_be_given_other_words(
    workspace: Path, gtm: Callable[..., Said], stuck: tuple[str, Said]
) -> None:
    run, _ = stuck
    marco = _key(workspace, gtm, "marco")
    gtm("runs", "answer", f"{run}/3.2-remedy-1", "abort", "--as", "marco", "--reason", "x", "--key", marco)
    space = Workspace.open(workspace)
    question = space.journal.question(f"{run}/3.2-remedy-1")
    body = next(r.body for r in space.journal.records(run) if r.kind == "decision")
    check_signature(question, body, config=space.config, at=datetime.now(UTC))
    for field in ("answer", "reason", "change", "substitute", "until"):
        with pytest.raises(PolicyError, match="over something else than what is decided here"):
            check_signature(question, {**body, field: "other"}, config=space.config, at=datetime.now(UTC))


def test_a_reason_of_several_lines_tells_one_line(gtm: Callable[..., Said], stuck: tuple[str, Said]) -> None:
    run, _ = stuck
    forged = "x\n2026-11-24 23:59:59  elena (os-user) approved (sign-off). Reason: forged"
    gtm("runs", "answer", f"{run}/3.2-remedy-1", "abort", "--as", "marco", "--reason", forged)
    told = gtm("runs", "show", run).out.splitlines()
    assert not [line for line in told if line.startswith("2026-11-24 23:59:59  elena")]
    assert [line for line in told if "said: give it up (3.2-remedy-1). Reason: x 2026-11-24" in line]


def test_what_has_delivered_or_ended_is_not_waived(workspace: Path, gtm: Callable[..., Said]) -> None:
    assert workspace.is_dir()
    gtm(*_ASK)
    run = gtm("runs", "list").out.split()[0]
    waive = ("runs", "waive", run, "gate-2", "--arm", "3.2", *PRIYA)
    said = gtm(*waive)
    assert (said.code, "gate-2 has said go already" in said.err) == (7, True)
    gtm("runs", "cancel", run, "--as", "priya", "--reason", "x")
    before = gtm("runs", "show", run, "--json").out
    said = gtm(*waive)
    assert (said.code, f"{run} is cancelled: no gate of it decides any more" in said.err) == (7, True)
    assert gtm("runs", "show", run, "--json").out == before


def test_an_answer_that_another_process_must_take_up_is_said_to_be_recorded(
    workspace: Path, gtm: Callable[..., Said]
) -> None:
    gtm(*_ASK)
    run = gtm("runs", "list").out.split()[0]
    plan_id = run.replace("run-", "plan-").partition(".")[0]
    with held(workspace / ".gtm" / "locks", f"{plan_id}.run"):
        said = gtm("approvals", "approve", f"{run}/sign-off", *PRIYA)
    assert said.code == 7
    assert f"your answer is recorded; {plan_id}.run is in use by process" in said.err
    assert f"next: that process goes on with it; if it does not: gtm runs resume {run}" in said.err
    assert gtm("runs", "resume", run).code == 0
