"""Gates: policies that can be decided, people that can answer, silence that may revert, waivers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gtm_orchestra.plans.checks.findings import Known, Reviewed, ReviewFinding, blocker, warning
from gtm_orchestra.plans.comparisons import in_words, variable_of
from gtm_orchestra.plans.loops import loop_behind
from gtm_orchestra.plans.model import GatePolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gtm_orchestra.plans.model import Gate, Waiver

__all__ = ["check_gates", "check_waivers"]

_MAY_REVERT = re.compile(r"consent|guardrail", re.IGNORECASE)


def check_gates(reviewed: Reviewed, known: Known) -> Iterator[ReviewFinding]:
    """Find gates that could not be decided, or would do by silence what silence may not do."""
    for number, gate in enumerate(reviewed.plan.gates):
        path = f"gates[{number}]"
        if gate.kind == "merge":
            yield from _policy(reviewed, gate, f"{path}.policy")
        elif gate.policy != GatePolicy():
            yield warning(f"{path}.policy", "an approval gate has no policy: a person decides", "remove it")
        if gate.kind == "approval" and not gate.approvers:
            yield blocker(f"{path}.approvers", f"nobody may decide {gate.gate_id}", "name an approver")
        for approver in gate.approvers:
            if approver not in known.people and not known.roles.get(approver):
                yield blocker(
                    f"{path}.approvers",
                    f"{approver!r} is neither a person nor a role that a person has",
                    f"add {approver!r} to gtm.toml [people], or give somebody that role",
                )
        if gate.silence == "revert" and not _may_revert(reviewed, gate):
            yield blocker(
                f"{path}.silence",
                f"silence at {gate.gate_id} would revert, but neither consent nor a guardrail is at stake",
                "use stop or hold; or say in its criteria which consent or guardrail it guards",
            )
        yield from _own_work(reviewed, gate, path)


def _policy(reviewed: Reviewed, gate: Gate, path: str) -> Iterator[ReviewFinding]:
    for field, wrong, mend in (*_counts(gate), *_reads(reviewed, gate), *_vetoes(reviewed, gate)):
        yield blocker(f"{path}.{field}", wrong, mend)
    if reviewed.optional.issuperset(gate.after):
        yield warning(
            path.removesuffix(".policy"),
            f"every arm of {gate.gate_id} may be left out by its condition; it is a no-go then",
            "add an arm without a condition",
        )


def _counts(gate: Gate) -> Iterator[tuple[str, str, str]]:
    policy, arms = gate.policy, len(gate.after)
    if policy.type == "quorum" and policy.k is None:
        yield "k", f"{gate.gate_id} does not say how many arms are enough", "write k"
    if policy.k is not None and policy.type != "quorum":
        yield "k", f"k is read by a quorum only, not by {policy.type!r}", "remove it"
    elif policy.k is not None and policy.k > arms:
        yield "k", f"{policy.k} of {arms} arms can never deliver", f"write at most {arms}"
    if policy.type == "threshold" and not policy.thresholds:
        yield "thresholds", f"{gate.gate_id} has no threshold", "write one, or another type"
    if policy.type == "veto" and not policy.veto_by:
        yield "veto_by", f"nobody can veto at {gate.gate_id}", "name who may"


def _reads(reviewed: Reviewed, gate: Gate) -> Iterator[tuple[str, str, str]]:
    seen, mend = _seen(reviewed, gate), "let the task that makes it be one of the arms"
    for comparison in gate.policy.thresholds:
        name = variable_of(comparison)
        if name not in seen:
            wrong = f"{in_words(comparison)} reads {name!r}, which no arm of {gate.gate_id} makes"
            yield "thresholds", wrong, mend
    items = gate.policy.items
    if items and items.partition(".")[0] not in seen:
        yield "items", f"{items!r} is made by no arm of {gate.gate_id}", mend


def _vetoes(reviewed: Reviewed, gate: Gate) -> Iterator[tuple[str, str, str]]:
    voices = _voices(reviewed, gate)
    for name in gate.policy.veto_by:
        if name not in voices:
            wrong = f"{name!r} neither does an arm of {gate.gate_id} nor approves one"
            yield "veto_by", wrong, f"name one of {', '.join(sorted(voices)) or 'its arms'}"


def _seen(reviewed: Reviewed, gate: Gate) -> set[str]:
    """Return the variables that a gate's arms make, and those of the loop that ends in it."""
    made = {reviewed.tasks[node].output_var for node in gate.after if node in reviewed.tasks}
    loop = loop_behind(reviewed.plan, gate.gate_id)
    return made | (set(loop.variables) if loop is not None else set())


def _voices(reviewed: Reviewed, gate: Gate) -> set[str]:
    arms = [reviewed.tasks[node] for node in gate.after if node in reviewed.tasks]
    asked = {g.gate_id: g.approvers for g in reviewed.plan.gates if g.kind == "approval"}
    return {task.agent for task in arms} | {name for node in gate.after for name in asked.get(node, ())}


def _may_revert(reviewed: Reviewed, gate: Gate) -> bool:
    plan = reviewed.plan
    texts = [gate.action, gate.on_silence, *gate.criteria]
    texts += [text for trigger in plan.escalation_triggers for text in (trigger.when, trigger.why)]
    return any(_MAY_REVERT.search(text) for text in texts)


def _own_work(reviewed: Reviewed, gate: Gate, path: str) -> Iterator[ReviewFinding]:
    """Find approvers who may have done, as a substitute, what they are asked to approve."""
    if gate.kind != "approval":
        return
    for node in sorted(reviewed.before[gate.gate_id] & reviewed.tasks.keys()):
        for name in reviewed.tasks[node].substitutes:
            if name in gate.approvers:
                yield blocker(
                    f"{path}.approvers",
                    f"{name!r} may do {node} as a substitute and would then approve its own work",
                    "ask somebody else, or name another substitute",
                )


def check_waivers(waivers: Iterable[Waiver]) -> Iterator[ReviewFinding]:
    """Name each arm that was passed by a waiver: whoever signs must know."""
    for waiver in waivers:
        yield warning(
            f"waivers.{waiver.gate}.{waiver.node}",
            f"{waiver.by} passed {waiver.node} at {waiver.gate} although it did not deliver, until "
            f"{waiver.expires_at:%Y-%m-%d}: {waiver.reason}",
            "weigh the reason before you sign",
        )
