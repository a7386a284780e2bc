"""Every policy of a merge gate: what it decides, what it says, and that an independent oracle agrees."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plans.conftest import plan_of, task

from gtm_orchestra.plans.gates import decide_merge
from gtm_orchestra.plans.model import Comparison, Gate, GatePolicy, Loop, Waiver
from gtm_orchestra.plans.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

ARMS = ("3.1", "3.2", "3.3")
AGENTS = dict(zip(ARMS, ("customer-data-engineer", "testing-lead", "governance"), strict=True))


def _waiver(node: str, gate: str = "g") -> Waiver:
    return Waiver(
        gate=gate,
        node=node,
        by="priya",
        reason="Known, and mended next week.",
        at=datetime(2026, 11, 1, 9, tzinfo=UTC),
        expires_at=datetime(2026, 12, 1, 9, tzinfo=UTC),
    )


def _outcome(node: str, state: str) -> Outcome:
    if state == "untaken":
        return Outcome(node=node, name="skipped", untaken=True)
    error = "no result after 600 s" if state == "timed_out" else ""
    return Outcome.model_validate(
        {"node": node, "name": state, "error": error, "agent": AGENTS.get(node, "")}
    )


def _decide(
    policy: dict[str, Any],
    states: Mapping[str, str],
    results: Mapping[str, Any] | None = None,
    *,
    waived: tuple[str, ...] = (),
    overdue: bool = False,
) -> Verdict:
    """Decide a gate "g" over tasks 3.1 to 3.3 and the approval gate "legal", as far as states are given."""
    gate = Gate(gate_id="g", after=tuple(states), kind="merge", policy=GatePolicy.model_validate(policy))
    legal = Gate(gate_id="legal", after=("3.1",), kind="approval", approvers=("legal-lead",))
    plan = plan_of([task(arm, agent=AGENTS[arm]) for arm in ARMS], [legal, gate])
    outcomes = {node: _outcome(node, state) for node, state in states.items() if state != "missing"}
    documents = {
        f"of_{node.replace('.', '_')}": {} for node, o in outcomes.items() if o.usable and node in ARMS
    } | dict(results or {})
    return decide_merge(
        gate, plan, outcomes, documents, waivers={n: _waiver(n) for n in waived}, overdue=overdue
    )


def _states(*names: str) -> dict[str, str]:
    return dict(zip(ARMS, names, strict=True))


_SENTENCES: list[tuple[dict[str, Any], tuple[str, ...], str, str]] = [
    ({"type": "all"}, ("ok", "degraded", "ok"), "go", "go: 3.1, 3.2 and 3.3 delivered"),
    (
        {"type": "all"},
        ("failed", "timed_out", "ok"),
        "no-go",
        "no-go: 3.1 failed; 3.2 timed out (no result after 600 s)",
    ),
    ({"type": "all"}, ("untaken", "ok", "ok"), "go", "go: 3.2 and 3.3 delivered"),
    (
        {"type": "all"},
        ("untaken", "untaken", "untaken"),
        "no-go",
        "no-go: none of its arms was taken (3.1, 3.2 and 3.3)",
    ),
    ({"type": "all"}, ("failed", "waiting", "waiting"), "waiting", "3.2 and 3.3 wait for a person"),
    (
        {"type": "any"},
        ("failed", "ok", "waiting"),
        "go",
        "go without 3.1 (failed) and 3.3 (still waits for a person); 3.2 delivered, and 1 is enough",
    ),
    (
        {"type": "any"},
        ("failed", "skipped", "rejected"),
        "no-go",
        "no-go: none of the arms delivered: 3.1 failed; 3.2 skipped; 3.3 rejected",
    ),
    ({"type": "any"}, ("failed", "waiting", "failed"), "waiting", "3.2 waits for a person"),
    (
        {"type": "quorum", "k": 2},
        ("ok", "ok", "timed_out"),
        "go",
        "go without 3.3: timed out (no result after 600 s); 3.1 and 3.2 delivered, and 2 are enough",
    ),
    (
        {"type": "quorum", "k": 2},
        ("ok", "failed", "missing"),
        "no-go",
        "no-go: 1 of 3 arms delivered, and 2 are needed: 3.2 failed; 3.3 is missing",
    ),
    ({"type": "veto", "veto_by": ["governance"]}, ("ok", "failed", "ok"), "go", "go without 3.2: failed"),
    (
        {"type": "veto", "veto_by": ["governance"]},
        ("ok", "ok", "failed"),
        "no-go",
        "no-go: vetoed, and a veto cannot be out-voted: governance: 3.3 failed",
    ),
    (
        {"type": "any", "veto_by": ["governance"]},
        ("ok", "ok", "waiting"),
        "waiting",
        "3.3 waits for a person",
    ),
]


@pytest.mark.parametrize(("policy", "states", "decision", "why"), _SENTENCES, ids=range(len(_SENTENCES)))
def test_a_verdict_explains_itself_in_a_sentence(
    policy: dict[str, Any], states: tuple[str, ...], decision: str, why: str
) -> None:
    verdict = _decide(policy, _states(*states))
    assert (verdict.decision, verdict.why) == (decision, why)
    shown = {"untaken": "not taken"}
    assert verdict.inputs == {arm: shown.get(s, s) for arm, s in zip(ARMS, states, strict=True)}


def test_an_arm_that_gives_no_answer_in_time_is_left_out() -> None:
    policy = {"type": "quorum", "k": 2, "deadline": "2d"}
    verdict = _decide(policy, _states("waiting", "ok", "ok"), overdue=True)
    assert verdict.why == (
        "go without 3.1: gave no answer within 2d; 3.2 and 3.3 delivered, and 2 are enough"
    )
    assert verdict.without == {"3.1": "gave no answer within 2d"}
    late = _decide({"type": "all", "deadline": "2d"}, _states("waiting", "ok", "ok"), overdue=True)
    assert (late.decision, late.why) == ("no-go", "no-go: 3.1 gave no answer within 2d")


def test_thresholds_are_held_against_the_figures_seen() -> None:
    policy = {
        "type": "threshold",
        "thresholds": [
            {"of": "of_3_1.score", "op": ">=", "value": 0.8},
            {"of": "of_3_2.errors", "op": "==", "value": 0},
        ],
    }
    good = {"of_3_1": {"score": 0.9}, "of_3_2": {"errors": 0}}
    verdict = _decide(policy, _states("ok", "ok", "failed"), good)
    assert (verdict.decision, verdict.why) == (
        "go",
        "go without 3.3: failed; of_3_1.score >= 0.8 holds (0.9); of_3_2.errors == 0 holds (0)",
    )
    assert verdict.figures == {"of_3_1.score >= 0.8": 0.9, "of_3_2.errors == 0": 0}
    bad = {"of_3_1": {"score": 0.7}, "of_3_2": {}}
    verdict = _decide(policy, _states("ok", "ok", "ok"), bad)
    assert (verdict.decision, verdict.why) == (
        "no-go",
        "no-go: of_3_1.score is 0.7, not >= 0.8; of_3_2.errors is missing, not == 0",
    )
    assert verdict.figures == {"of_3_1.score >= 0.8": 0.7, "of_3_2.errors == 0": None}


def test_an_agent_vetoes_by_its_result_whoever_did_the_work() -> None:
    says_no = {"of_3_3": {"go": False}}
    verdict = _decide({"type": "all", "veto_by": ["governance"]}, _states("ok", "ok", "ok"), says_no)
    assert verdict.why == "no-go: vetoed, and a veto cannot be out-voted: governance: 3.3 says no-go"
    gate = Gate(gate_id="g", after=("3.1",), kind="merge", policy=GatePolicy(veto_by=("governance",)))
    plan = plan_of([task("3.1", agent="testing-lead")], [gate])
    by_substitute = Outcome(node="3.1", name="ok", agent="governance")
    verdict = decide_merge(gate, plan, {"3.1": by_substitute}, {"of_3_1": {"go": False}})
    assert verdict.decision == "no-go"


def test_a_role_vetoes_by_answering_no_and_neither_votes_nor_waivers_help() -> None:
    policy = {"type": "any", "veto_by": ["legal-lead"]}
    states = {"3.1": "ok", "3.2": "ok", "legal": "rejected"}
    for waived in ((), ("legal",)):
        verdict = _decide(policy, states, waived=waived)
        assert verdict.why == (
            "no-go: vetoed, and a veto cannot be out-voted: legal-lead: legal was answered no"
        )
    assert _decide({"type": "any"}, states).decision == "go"


def test_a_veto_is_said_at_once_though_others_still_wait() -> None:
    verdict = _decide({"type": "all", "veto_by": ["governance"]}, _states("waiting", "ok", "rejected"))
    assert (verdict.decision, verdict.why) == (
        "no-go",
        "no-go: vetoed, and a veto cannot be out-voted: governance: 3.3 rejected",
    )


def test_a_waived_arm_counts_as_passed_and_the_verdict_says_who_until_when_and_why() -> None:
    verdict = _decide({"type": "all"}, _states("ok", "failed", "ok"), waived=("3.2",))
    assert (verdict.decision, verdict.why) == (
        "go",
        f"go: 3.1 and 3.3 delivered; 3.2 waived by {verdict.waived['3.2']}",
    )
    assert verdict.waived == {"3.2": "priya until 2026-12-01 09:00 UTC: Known, and mended next week"}
    assert verdict.inputs["3.2"] == "failed"


def test_a_waiver_lifts_an_agents_veto_and_covers_its_figure() -> None:
    policy = {
        "type": "threshold",
        "veto_by": ["testing-lead"],
        "thresholds": [{"of": "of_3_2.score", "op": ">=", "value": 1}],
    }
    assert _decide(policy, _states("ok", "failed", "ok")).decision == "no-go"
    assert _decide(policy, _states("ok", "failed", "ok"), waived=("3.2",)).decision == "go"
    assert _decide(policy, _states("ok", "failed", "ok"), waived=("3.1",)).decision == "no-go"


def test_a_waiver_lifts_the_no_that_an_agents_result_says() -> None:
    policy, says_no = {"type": "all", "veto_by": ["governance"]}, {"of_3_3": {"go": False}}
    assert _decide(policy, _states("ok", "ok", "ok"), says_no, waived=("3.3",)).decision == "go"


def test_a_waiver_of_another_gate_and_of_an_arm_that_still_waits_passes_nothing() -> None:
    gate = Gate(gate_id="g", after=("3.1",), kind="merge")
    plan = plan_of([task("3.1")], [gate])
    failed = {"3.1": _outcome("3.1", "failed")}
    other = {"3.1": _waiver("3.1", gate="other")}
    assert decide_merge(gate, plan, failed, {}, waivers=other).decision == "no-go"
    waiting = {"3.1": _outcome("3.1", "waiting")}
    assert decide_merge(gate, plan, waiting, {}, waivers={"3.1": _waiver("3.1")}).decision == "waiting"
    late = decide_merge(gate, plan, waiting, {}, waivers={"3.1": _waiver("3.1")}, overdue=True)
    assert late.decision == "go"


def _loop(scores: list[float | None], on_exhausted: str = "no-go") -> Verdict:
    """Decide the gate of a loop of three rounds; None: the round was not taken."""
    ids = ["2.1-r1", "2.1-r2", "2.1-r3"]
    names = [f"draft_r{n}" for n in (1, 2, 3)]
    loop = Loop.model_validate(
        {
            "loop_id": "2",
            "rounds": [[name] for name in ids],
            "variables": {"draft": names},
            "until": {"of": "draft.score", "op": ">=", "value": 0.8},
            "gate": "g",
            "on_exhausted": on_exhausted,
        }
    )
    gate = Gate(gate_id="g", after=tuple(ids), kind="merge")
    plan = plan_of([task(i, output_var=n) for i, n in zip(ids, names, strict=True)], [gate], [loop])
    outcomes = {
        i: _outcome(i, "untaken" if score is None else "ok") for i, score in zip(ids, scores, strict=True)
    }
    results = {n: {"score": score} for n, score in zip(names, scores, strict=True) if score is not None}
    return decide_merge(gate, plan, outcomes, results)


def test_a_loop_goes_once_it_has_converged_and_is_no_go_when_its_rounds_are_used_up() -> None:
    converged = _loop([0.5, 0.85, None])
    assert (converged.decision, converged.why) == (
        "go",
        "go: 2.1-r1 and 2.1-r2 delivered; draft.score >= 0.8 after round 2",
    )
    assert converged.figures == {"draft.score >= 0.8": 0.85}
    exhausted = _loop([0.5, 0.6, 0.7])
    assert (exhausted.decision, exhausted.why) == (
        "no-go",
        "no-go: draft.score is 0.7 after 3 rounds, not >= 0.8",
    )
    anyway = _loop([0.5, 0.6, 0.7], "go")
    assert (anyway.decision, anyway.why) == (
        "go",
        "go: 2.1-r1, 2.1-r2 and 2.1-r3 delivered; although draft.score is 0.7 after 3 rounds, not >= 0.8",
    )


def test_of_a_loop_the_last_round_counts_and_rounds_contradict_nothing() -> None:
    def result(people: int) -> dict[str, Any]:
        finding = {"finding_id": "stale", "evidence": {"people": people}}
        return {"score": 1, "findings": [finding], "channels": [{"name": "web", "go": people > 1, "why": ""}]}

    names = ("draft_r1", "draft_r2")
    until = Comparison(of="draft.score", op=">=", value=1)
    loop = Loop(
        loop_id="2", rounds=(("2.1-r1",), ("2.1-r2",)), variables={"draft": names}, until=until, gate="g"
    )
    policy = GatePolicy(type="threshold", thresholds=(until,), items="draft.channels")
    gate = Gate(gate_id="g", after=("2.1-r1", "2.1-r2"), kind="merge", policy=policy)
    plan = plan_of([task(f"2.1-r{n}", output_var=f"draft_r{n}") for n in (1, 2)], [gate], [loop])
    outcomes = {node: _outcome(node, "ok") for node in gate.after}
    verdict = decide_merge(gate, plan, outcomes, {"draft_r1": result(1), "draft_r2": result(2)})
    assert (verdict.decision, verdict.without, verdict.contradictions) == ("go", {}, ())
    assert [finding["evidence"]["people"] for finding in verdict.findings] == [2]


_STATE = st.sampled_from(
    ["ok", "degraded", "failed", "skipped", "rejected", "timed_out", "waiting", "untaken", "missing"]
)


@st.composite
def _gates(draw: st.DrawFn) -> dict[str, Any]:
    nodes = [*ARMS, "legal"]
    states = {node: draw(_STATE) for node in nodes}
    policy: dict[str, Any] = {"type": draw(st.sampled_from(["all", "any", "quorum", "threshold", "veto"]))}
    if policy["type"] == "quorum":
        policy["k"] = draw(st.integers(1, 4))
    policy["veto_by"] = draw(
        st.lists(st.sampled_from(["governance", "testing-lead", "legal-lead"]), max_size=2)
    )
    if draw(st.booleans()):
        policy["thresholds"] = [{"of": "of_3_1.score", "op": ">=", "value": 1}]
    return {
        "policy": policy,
        "states": states,
        "scores": {arm: draw(st.sampled_from([0, 1, 2])) for arm in ARMS},
        "go": {arm: draw(st.booleans()) for arm in ARMS},
        "waived": tuple(sorted(draw(st.sets(st.sampled_from(nodes), max_size=2)))),
        "overdue": draw(st.booleans()),
    }


def _oracle(case: dict[str, Any]) -> str:
    """Decide by trying out every answer that may still come, over a verdict for arms that have all ended."""
    open_arms = [n for n, s in case["states"].items() if s == "waiting"]
    if case["overdue"]:
        ended = {n: "failed" if s == "waiting" else s for n, s in case["states"].items()}
        return _ended(case, ended)
    if not open_arms:
        return _ended(case, case["states"])
    # What still waits is left out, and, for whoever may veto, every answer is tried.
    asked = {"3.2": "testing-lead", "3.3": "governance", "legal": "legal-lead"}
    may_veto = [n for n in open_arms if asked.get(n) in case["policy"]["veto_by"]]
    if _vetoed(case, {n: s for n, s in case["states"].items() if n not in open_arms}):
        return "no-go"
    if case["policy"]["type"] not in {"any", "quorum"}:
        return "waiting"
    waived = tuple(n for n in case["waived"] if n not in open_arms)
    ends = [
        {**case["states"], **dict.fromkeys(open_arms, "failed"), **dict(zip(may_veto, answer, strict=True))}
        for answer in product(["failed", "ok", "rejected"], repeat=len(may_veto))
    ]
    sure = all(_ended({**case, "waived": waived}, end) == "go" for end in ends)
    return "go" if sure else "waiting"


def _vetoed(case: dict[str, Any], states: Mapping[str, str]) -> bool:
    by = case["policy"]["veto_by"]
    if "legal-lead" in by and states.get("legal") == "rejected":
        return True
    for agent, arm in (("testing-lead", "3.2"), ("governance", "3.3")):
        if agent not in by or states.get(arm, "untaken") == "untaken" or arm in case["waived"]:
            continue
        if states[arm] not in {"ok", "degraded"} or not case["go"][arm]:
            return True
    return False


def _ended(case: dict[str, Any], states: Mapping[str, str]) -> str:
    policy, waived = case["policy"], case["waived"]
    votes = [s in {"ok", "degraded"} or n in waived for n, s in states.items() if s != "untaken"]
    if not votes or _vetoed(case, states):
        return "no-go"
    enough = {
        "all": all(votes),
        "any": any(votes),
        "quorum": sum(votes) >= policy.get("k", 1),
        "threshold": any(votes),
        "veto": any(votes),
    }[policy["type"]]
    if "thresholds" in policy:
        not_asked = "3.1" in waived or states["3.1"] == "untaken"
        seen = states["3.1"] in {"ok", "degraded"} and case["scores"]["3.1"] >= 1
        enough = enough and (not_asked or seen)
    return "go" if enough else "no-go"


@settings(max_examples=400)
@given(_gates())
def test_a_verdict_is_that_of_an_independent_oracle(case: dict[str, Any]) -> None:
    usable = {n for n, s in case["states"].items() if s in {"ok", "degraded"}}
    results = {
        f"of_{arm.replace('.', '_')}": {"score": case["scores"][arm], "go": case["go"][arm]}
        for arm in ARMS
        if arm in usable
    }
    verdict = _decide(case["policy"], case["states"], results, waived=case["waived"], overdue=case["overdue"])
    assert verdict.decision == _oracle(case)
    first = {"go": ("go: ", "go without "), "no-go": ("no-go: ",), "waiting": tuple(case["states"])}
    assert verdict.why.startswith(first[verdict.decision])
    if verdict.decision == "go":
        taken = {n for n, s in case["states"].items() if s != "untaken"}
        assert set(verdict.without) == taken - usable - set(verdict.waived)
