"""Merge gates: what the arms delivered becomes one verdict, explained in a sentence."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gtm_orchestra.plans.outcome import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.plans.model import Gate, PlanDefinition, Waiver
    from gtm_orchestra.plans.outcome import Outcome

__all__ = ["decide_merge", "merge_findings"]


def decide_merge(
    gate: Gate,
    plan: PlanDefinition,
    outcomes: Mapping[str, Outcome],
    results: Mapping[str, Any],
    *,
    waivers: Mapping[str, Waiver] = MappingProxyType({}),
    overdue: bool = False,
) -> Verdict:
    """Return a merge gate's verdict.

    Args:
        gate: A gate of kind "merge" of the plan.
        plan: Names the agents, approvers and loops that the policy speaks of.
        outcomes: Of every node in `gate.after`; a missing one counts as not delivered.
        results: Result documents by output_var, of the tasks that delivered.
        waivers: Those that hold now: arm → waiver.
        overdue: The gate's deadline has passed, and what still waits counts as not delivered.
    """
    _ = plan, waivers, overdue
    inputs = {node: outcomes[node].name if node in outcomes else "missing" for node in gate.after}
    waiting = [node for node, name in inputs.items() if name == "waiting"]
    if waiting:
        return Verdict(decision="waiting", why=f"{_list(waiting)} wait for a person", inputs=inputs)
    broken = [node for node in gate.after if node not in outcomes or not outcomes[node].usable]
    findings, contradictions = merge_findings(results)
    if broken:
        why = "no-go: " + "; ".join(f"{node} {inputs[node].replace('_', ' ')}" for node in broken)
        return Verdict(
            decision="no-go", why=why, inputs=inputs, findings=findings, contradictions=contradictions
        )
    kept, left_out = _items(gate, results)
    if gate.policy.items and not kept:
        what = gate.policy.items.partition(".")[2]
        why = (
            f"no-go: none of the {what} can be used ({_reasons(left_out)})"
            if left_out
            else f"no-go: no {what}"
        )
        return Verdict(
            decision="no-go",
            why=why,
            inputs=inputs,
            without=left_out,
            findings=findings,
            contradictions=contradictions,
        )
    why = f"go: {_list(list(inputs))} delivered"
    if left_out:
        why = f"go without {_list(sorted(left_out))}: {_reasons(left_out)}"
    return Verdict(
        decision="go",
        why=why,
        inputs=inputs,
        without=left_out,
        findings=findings,
        contradictions=contradictions,
    )


def merge_findings(results: Mapping[str, Any]) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Return the findings of all arms once each, and a sentence per fact that two arms see differently."""
    merged: dict[str, dict[str, Any]] = {}
    source: dict[str, str] = {}
    contradictions: list[str] = []
    for variable in sorted(results):
        for finding in results[variable].get("findings", ()):
            key = finding["finding_id"]
            if key not in merged:
                merged[key], source[key] = finding, variable
                continue
            seen, now = merged[key].get("evidence", {}), finding.get("evidence", {})
            unequal = sorted(name for name in seen.keys() & now.keys() if seen[name] != now[name])
            contradictions += [
                f"{source[key]} and {variable} disagree on {name} of {key}: {seen[name]} against {now[name]}"
                for name in unequal
            ]
    return tuple(merged[key] for key in sorted(merged)), tuple(contradictions)


def _items(gate: Gate, results: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    if not gate.policy.items:
        return [], {}
    variable, _, field = gate.policy.items.partition(".")
    entries = results.get(variable, {}).get(field, ())
    kept = [str(e[gate.policy.item_name]) for e in entries if e["go"]]
    return kept, {str(e[gate.policy.item_name]): str(e["why"]) for e in entries if not e["go"]}


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _reasons(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reasons[name].rstrip('.')}" for name in sorted(reasons))
