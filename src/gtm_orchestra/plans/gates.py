"""Merge gates: what the arms delivered becomes one verdict, explained in a sentence.

A verdict is reached in this order, and the first no is the answer: vetoes, the policy's count of arms, its
thresholds, its loop's convergence, its list of things. A go of `any` and `quorum` is said as soon as enough
arms have delivered and nobody who may veto is still asked; everything else waits until all arms have ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gtm_orchestra.plans.comparisons import compares, in_words, seen_value, variable_of
from gtm_orchestra.plans.loops import converged_in, loop_behind
from gtm_orchestra.plans.outcome import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gtm_orchestra.plans.model import Comparison, Gate, Loop, PlanDefinition, Waiver
    from gtm_orchestra.plans.outcome import Outcome

__all__ = ["decide_merge", "merge_findings"]

_LONGEST_ERROR = 200


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

    An arm that failed and is waived counts as passed, without a result; a comparison of its figure is then
    not made, nor one of an arm that was not taken. A waiver lifts an agent's veto, never a person's, and
    stands in for no list of things. Of a loop the last round that was taken counts.

    Args:
        gate: A gate of kind "merge" of the plan.
        plan: Names the agents, approvers and loops that the policy speaks of.
        outcomes: Of every node in `gate.after`; a missing one counts as not delivered.
        results: Result documents by output_var, of the tasks that delivered.
        waivers: Those that hold now: arm → waiver.
        overdue: The gate's deadline has passed, and what still waits counts as not delivered.
    """
    arms = _Arms.of(gate, plan, outcomes, results, waivers=waivers, overdue=overdue)
    loop = loop_behind(plan, gate.gate_id)
    convergence = None if loop is None else _convergence(loop, arms, results)
    if loop is not None:
        results = _of_last_round(loop, results)
    findings, contradictions = merge_findings(results)
    kept, left_out = _items(gate, results)
    figures = {in_words(c): _scalar(seen_value(c, results)) for c in gate.policy.thresholds}
    if convergence is not None:
        figures[in_words(convergence.loop.until)] = convergence.seen

    vetoes = _vetoes(arms)
    no = _no_go(arms, results, kept, left_out, convergence)
    early = gate.policy.type in {"any", "quorum"} and not arms.may_veto_yet()
    without = left_out
    if vetoes:
        decision, why = "no-go", f"no-go: vetoed, and a veto cannot be out-voted: {'; '.join(vetoes)}"
    elif arms.waiting and (no or not early):
        waits = "waits" if len(arms.waiting) == 1 else "wait"
        decision, why, without = "waiting", f"{_list(arms.waiting)} {waits} for a person", {}
    elif no:
        decision, why = "no-go", f"no-go: {no}"
    else:
        without = {**arms.failing, **dict.fromkeys(arms.waiting, "still waits for a person"), **left_out}
        decision, why = "go", _go(arms, without, figures, convergence)
    return Verdict.model_validate(
        {
            "decision": decision,
            "why": why,
            "inputs": arms.inputs,
            "without": without,
            "findings": findings,
            "contradictions": contradictions,
            "waived": arms.waived,
            "figures": figures,
        }
    )


def merge_findings(results: Mapping[str, Any]) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Return the findings of all arms once each, and a sentence per fact that two arms see differently.

    What has not the shape of a finding is passed over: a workspace's own handler may return anything.
    """
    merged: dict[str, dict[str, Any]] = {}
    source: dict[str, str] = {}
    contradictions: list[str] = []
    for variable in sorted(results):
        for finding in _entries(results[variable], "findings"):
            if "finding_id" not in finding:
                continue
            key = str(finding["finding_id"])
            if key not in merged:
                merged[key], source[key] = finding, variable
                continue
            seen, now = merged[key].get("evidence"), finding.get("evidence")
            if not isinstance(seen, dict) or not isinstance(now, dict):
                continue
            unequal = sorted(name for name in seen.keys() & now.keys() if seen[name] != now[name])
            contradictions += [
                f"{source[key]} and {variable} disagree on {name} of {key}: {seen[name]} against {now[name]}"
                for name in unequal
            ]
    return tuple(merged[key] for key in sorted(merged)), tuple(contradictions)


@dataclass(frozen=True)
class _Arms:
    """A gate's arms, sorted by how they ended. Those that were not taken stand in `inputs` only."""

    gate: Gate
    inputs: dict[str, str]
    delivered: list[str]
    waived: dict[str, str]
    waiting: list[str]
    failing: dict[str, str]
    asks: Mapping[str, tuple[str, ...]]
    doers: Mapping[str, frozenset[str]]
    refused: frozenset[str]
    says_no: frozenset[str]
    excused: frozenset[str]

    @classmethod
    def of(
        cls,
        gate: Gate,
        plan: PlanDefinition,
        outcomes: Mapping[str, Outcome],
        results: Mapping[str, Any],
        *,
        waivers: Mapping[str, Waiver],
        overdue: bool,
    ) -> _Arms:
        tasks = {task.task_id: task for task in plan.tasks}
        taken = {node: outcomes.get(node) for node in gate.after}
        inputs = {
            node: "missing" if o is None else "not taken" if o.untaken else o.name
            for node, o in taken.items()
        }
        taken = {node: o for node, o in taken.items() if o is None or not o.untaken}
        delivered = [node for node, o in taken.items() if o is not None and o.usable]
        waiting = [n for n, o in taken.items() if o is not None and o.name == "waiting" and not overdue]
        open_arms = [n for n in taken if n not in waiting]
        waived = {
            n: _signed(waivers[n]) for n in open_arms if n in waivers and waivers[n].gate == gate.gate_id
        }
        failing = {
            node: _failure(gate, taken[node])
            for node in open_arms
            if node not in delivered and node not in waived
        }
        return cls(
            gate=gate,
            inputs=inputs,
            delivered=[node for node in delivered if node not in waived],
            waived=waived,
            waiting=waiting,
            failing=failing,
            asks={g.gate_id: g.approvers for g in plan.gates if g.gate_id in taken and g.kind == "approval"},
            doers={
                node: frozenset({tasks[node].agent, o.agent if o is not None else ""}) - {""}
                for node, o in taken.items()
                if node in tasks
            },
            refused=frozenset(node for node, o in taken.items() if o is not None and o.name == "rejected"),
            says_no=frozenset(
                node
                for node in delivered
                if node in tasks and _field(results.get(tasks[node].output_var), "go") is False
            ),
            excused=frozenset(
                tasks[n].output_var for n in gate.after if n in tasks and (n in waived or n not in taken)
            ),
        )

    @property
    def passed(self) -> list[str]:
        """The arms that count for the policy."""
        return [*self.delivered, *self.waived]

    def may_veto_yet(self) -> bool:
        """Whether somebody who may veto has not answered."""
        names = set(self.gate.policy.veto_by)
        return any(
            names & (self.doers.get(node, frozenset()) | set(self.asks.get(node, ())))
            for node in self.waiting
        )

    def excuses(self, comparison: Comparison) -> bool:
        """Whether the arm that the compared figure comes from is waived, or was not taken."""
        return variable_of(comparison) in self.excused


@dataclass(frozen=True)
class _Convergence:
    """What the loop that ends in a gate has come to: the round that converged, or 0."""

    loop: Loop
    converged: int
    rounds: int
    seen: bool | float | str | None
    waived: bool


def _vetoes(arms: _Arms) -> list[str]:
    said = []
    for name in dict.fromkeys(arms.gate.policy.veto_by):
        for node, doers in arms.doers.items():
            if name in doers and node not in arms.waived:
                if node in arms.failing:
                    said.append(f"{name}: {node} {arms.failing[node]}")
                elif node in arms.says_no:
                    said.append(f"{name}: {node} says no-go")
        said += [
            f"{name}: {node} was answered no"
            for node, asked in arms.asks.items()
            if name in asked and node in arms.refused
        ]
    return said


def _no_go(
    arms: _Arms,
    results: Mapping[str, Any],
    kept: list[str],
    left_out: Mapping[str, str],
    convergence: _Convergence | None,
) -> str:
    """Return why the arms as they stand are not enough, or ''."""
    policy = arms.gate.policy
    short = _too_few(arms)
    if short:
        return short
    broken = [c for c in policy.thresholds if not compares(c, results) and not arms.excuses(c)]
    if broken:
        return "; ".join(_missed(c, results) for c in broken)
    if convergence is not None and not convergence.converged and not convergence.waived:
        loop = convergence.loop
        if loop.on_exhausted == "no-go":
            return _unconverged(convergence)
    if policy.items and not kept:
        what = policy.items.partition(".")[2]
        return f"none of the {what} can be used ({_reasons(left_out)})" if left_out else f"no {what}"
    return ""


def _too_few(arms: _Arms) -> str:
    policy = arms.gate.policy
    broken = "; ".join(f"{node} {why}" for node, why in arms.failing.items())
    total = len(arms.passed) + len(arms.failing) + len(arms.waiting)
    if not total:
        return f"none of its arms was taken ({_list(list(arms.inputs))})"
    if policy.type == "all":
        return broken or (f"{_list(arms.waiting)} have not ended" if arms.waiting else "")
    needed = policy.k or 1 if policy.type == "quorum" else 1
    if len(arms.passed) >= needed:
        return ""
    if needed == 1:
        return f"none of the arms delivered: {broken}"
    return f"{len(arms.passed)} of {total} arms delivered, and {needed} are needed: {broken}"


def _go(
    arms: _Arms,
    without: Mapping[str, str],
    figures: Mapping[str, object],
    convergence: _Convergence | None,
) -> str:
    """Return the sentence of a go: what it goes without, or what it stands on."""
    policy = arms.gate.policy
    if without:
        start = f"go without {_left_out(without)}"
    else:
        parts = [f"{_list(arms.delivered)} delivered"] if arms.delivered else []
        start = f"go: {', '.join(parts) or 'every arm is waived'}"
    clauses = [start]
    if policy.type in {"any", "quorum"} and without:
        needed = policy.k or 1 if policy.type == "quorum" else 1
        enough = "is enough" if needed == 1 else "are enough"
        clauses.append(f"{_list(arms.passed)} delivered, and {needed} {enough}")
    clauses += [f"{node} waived by {who}" for node, who in arms.waived.items()]
    thresholds = [in_words(c) for c in policy.thresholds if not arms.excuses(c)]
    clauses += [f"{words} holds ({_shown(figures[words])})" for words in thresholds]
    if convergence is not None:
        words = in_words(convergence.loop.until)
        if convergence.converged:
            clauses.append(f"{words} after round {convergence.converged}")
        else:
            clauses.append(f"although {_unconverged(convergence)}")
    return "; ".join(clauses)


def _of_last_round(loop: Loop, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results with each variable of the loop as its last round has it; rounds may disagree."""
    kept = dict(results)
    for variable, names in loop.variables.items():
        found = [kept.pop(name) for name in names if name in kept]
        if found:
            kept[variable] = found[-1]
    return kept


def _convergence(loop: Loop, arms: _Arms, results: Mapping[str, Any]) -> _Convergence:
    numbers = range(1, len(loop.rounds) + 1)
    converged = next((n for n in numbers if converged_in(loop, n, results)), 0)
    names = loop.variables.get(variable_of(loop.until), ())
    last = next((name for name in reversed(names) if name in results), "")
    seen = seen_value(loop.until, {variable_of(loop.until): results[last]}) if last else None
    in_rounds = {task for tasks in loop.rounds for task in tasks}
    return _Convergence(
        loop, converged, len(loop.rounds), _scalar(seen), waived=bool(in_rounds & set(arms.waived))
    )


def _unconverged(convergence: _Convergence) -> str:
    until = convergence.loop.until
    rounds = f"{convergence.rounds} round{'s' if convergence.rounds > 1 else ''}"
    return f"{until.of} is {_shown(convergence.seen)} after {rounds}, not {_bound(until)}"


def _missed(comparison: Comparison, results: Mapping[str, Any]) -> str:
    seen = _scalar(seen_value(comparison, results))
    return f"{comparison.of} is {_shown(seen)}, not {_bound(comparison)}"


def _bound(comparison: Comparison) -> str:
    return in_words(comparison).removeprefix(f"{comparison.of} ")


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _scalar(value: object) -> bool | float | str | None:
    return value if isinstance(value, bool | int | float | str) else None


def _failure(gate: Gate, outcome: Outcome | None) -> str:
    """Return in words how an arm failed, with its error."""
    if outcome is None:
        return "is missing"
    if outcome.name == "waiting":
        return f"gave no answer within {gate.policy.deadline}" if gate.policy.deadline else "gave no answer"
    words = outcome.name.replace("_", " ")
    error = " ".join(outcome.error.split()).rstrip(".")
    if len(error) > _LONGEST_ERROR:
        error = error[: _LONGEST_ERROR - 1] + "…"
    return f"{words} ({error})" if error else words


def _signed(waiver: Waiver) -> str:
    until = waiver.expires_at.astimezone(UTC)
    return f"{waiver.by} until {until:%Y-%m-%d %H:%M} UTC: {waiver.reason.rstrip('.')}"


def _items(gate: Gate, results: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return the things of a policy's list that go, and those that do not, with their reasons."""
    if not gate.policy.items:
        return [], {}
    variable, _, field = gate.policy.items.partition(".")
    name = gate.policy.item_name
    entries = [e for e in _entries(results.get(variable), field) if name in e]
    left_out = {
        str(e[name]): str(e.get("why", "no reason given")) for e in entries if e.get("go") is not True
    }
    return [str(e[name]) for e in entries if str(e[name]) not in left_out], left_out


def _entries(result: object, field: str) -> Iterable[dict[str, Any]]:
    entries = _field(result, field)
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list | tuple) else ()


def _field(result: object, field: str) -> object:
    return result.get(field) if isinstance(result, dict) else None


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _left_out(reasons: Mapping[str, str]) -> str:
    """Return "email: consent is 82 %", or several as "a (…) and b (…)"."""
    if len(reasons) == 1:
        ((name, why),) = reasons.items()
        return f"{name}: {why.rstrip('.')}"
    return _list([f"{name} ({why.rstrip('.')})" for name, why in reasons.items()])


def _reasons(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reasons[name].rstrip('.')}" for name in sorted(reasons))
