"""What a new revision of a plan means for a run under way: per task and gate kept, done again or void.

Pure. A task is kept only if nothing that its result hangs on has changed. A gate that protected something
which is live outside must protect it in the new plan too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import networkx as nx

from gtm_orchestra.plans.comparisons import variable_of
from gtm_orchestra.plans.graph import dependency_graph

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gtm_orchestra.plans.model import Gate, PlanDefinition, Task
    from gtm_orchestra.plans.outcome import Outcome
    from gtm_orchestra.runs.live import LiveEffect

__all__ = ["FATES", "Fate", "Move", "Replan", "replan"]

Fate = Literal["kept", "again", "open", "void"]
FATES: tuple[Fate, ...] = ("kept", "again", "open", "void")

# Every handler may read these, so that a change of one touches every task.
_PLAN_WIDE = (
    "initiative",
    "inputs",
    "channels",
    "environments",
    "data_sources",
    "settings",
    "attributes",
)
# Tools that look at the plan itself.
_REVIEWS = frozenset({"review_plan"})
# An estimate says nothing about the work.
_ESTIMATES = frozenset({"estimated_minutes", "estimated_tokens"})


@dataclass(frozen=True)
class Move:
    """What becomes of one task or gate.

    Attributes:
        fate: kept (its outcome counts), again (its outcome counts no more), open (it has none yet), void (it
            is gone from the plan).
        why: A few words for people.
    """

    node: str
    fate: Fate
    why: str


@dataclass(frozen=True)
class Replan:
    """What a move to another revision does.

    Attributes:
        moves: By node, in the order of the new plan; what is gone from it comes last.
        refusals: Why the run cannot be moved over, each with its mend; empty if it can.
    """

    moves: tuple[Move, ...]
    refusals: tuple[str, ...]

    def nodes(self, *fates: Fate) -> tuple[str, ...]:
        """Return the nodes of some fates, in order."""
        return tuple(move.node for move in self.moves if move.fate in fates)


def replan(
    old: PlanDefinition,
    new: PlanDefinition,
    outcomes: Mapping[str, Outcome],
    live: Iterable[LiveEffect] = (),
) -> Replan:
    """Return what a run of `old` keeps if it goes on as `new`.

    Args:
        old: The revision that the run executes.
        new: The revision that it would execute.
        outcomes: How nodes of the run have ended so far.
        live: What it has changed outside; only what lies in an environment binds.
    """
    graph = dependency_graph(new.tasks, new.gates)
    tasks, gates = ({task.task_id: task for task in new.tasks}, {gate.gate_id: gate for gate in new.gates})
    outside = [effect for effect in live if effect.environment]
    comparison = _Comparison(old, new, outcomes, {effect.node for effect in outside})
    order = tuple(nx.lexicographical_topological_sort(graph))
    # A task hangs on what it reads, never on a gate; whether an approval still counts hangs on the tasks
    # behind it: so the gates come second.
    for name in order:
        if name in tasks:
            comparison.moves[name] = comparison.task(tasks[name])
    for name in order:
        if name in gates:
            comparison.moves[name] = comparison.gate(gates[name], graph)
    there = {task.task_id for task in old.tasks} | {gate.gate_id for gate in old.gates}
    gone = [
        Move(n, "void", "gone from the plan")
        for n in sorted(there - tasks.keys() - gates.keys())
        if n in outcomes
    ]
    moves = (*(comparison.moves[name] for name in (*tasks, *gates)), *gone)
    return Replan(moves, tuple(_refusals(old, new, moves, outside)))


class _Comparison:
    """One revision beside another; fates are found in topological order."""

    def __init__(
        self,
        old: PlanDefinition,
        new: PlanDefinition,
        outcomes: Mapping[str, Outcome],
        deployed: Collection[str],
    ) -> None:
        self._old, self._new, self._outcomes, self._deployed = old, new, outcomes, deployed
        self._tasks = {task.task_id: task for task in old.tasks}
        self._gates = {gate.gate_id: gate for gate in old.gates}
        self._wide = [name for name in _PLAN_WIDE if getattr(old, name) != getattr(new, name)]
        self._made_by: dict[str, tuple[str, ...]] = {task.output_var: (task.task_id,) for task in new.tasks}
        for loop in new.loops:
            for variable, rounds in loop.variables.items():
                made_by = (m for name in rounds for m in self._made_by.get(name, ()))
                self._made_by[variable] = tuple(made_by)
        self.moves: dict[str, Move] = {}

    def task(self, task: Task) -> Move:
        """Return the fate of a task; whatever it reads has one already."""
        name, was = task.task_id, self._tasks.get(task.task_id)
        early = self._not_done(name, known=was is not None)
        if early is not None:
            return early
        why = self._why_again(was, task)
        return Move(name, "again", why) if why else Move(name, "kept", "nothing that it hangs on has changed")

    def _why_again(self, was: Task | None, task: Task) -> str:
        changed, files = _changed(was, task, leave_out=_ESTIMATES), self._changed_files(task)
        if self._wide:
            return f"the plan's {' and '.join(self._wide)} changed"
        if changed or files:
            return f"{' and '.join([*(f'its {field}' for field in changed), *files])} changed"
        if _REVIEWS & set(task.tools_required):
            return "it reviews the plan, which has changed"
        for variable in [*task.input, *([variable_of(task.when)] if task.when else [])]:
            for producer in self._made_by.get(variable, ()):
                if producer in self.moves and self.moves[producer].fate != "kept":
                    return f"{variable}, which it reads, is made anew by {producer}"
        return ""

    def gate(self, gate: Gate, graph: nx.DiGraph[str]) -> Move:
        """Return the fate of a gate; whatever comes before it has one already, and every task."""
        return self._approval(gate, graph) if gate.kind == "approval" else self._merge(gate)

    def _merge(self, gate: Gate) -> Move:
        name, was = gate.gate_id, self._gates.get(gate.gate_id)
        early = self._not_done(name, known=was is not None)
        if early is not None:
            return early
        changed = _changed(was, gate)
        if changed:
            return Move(name, "again", f"its {' and '.join(changed)} changed")
        if [x for x in self._old.loops if x.gate == name] != [x for x in self._new.loops if x.gate == name]:
            return Move(name, "again", "the loop that ends in it changed")
        moved = [node for node in gate.after if self.moves[node].fate != "kept"]
        if moved:
            return Move(name, "again", f"{', '.join(moved)} before it {_is_or_are(moved)} done anew")
        return Move(name, "kept", "every arm is kept")

    def _approval(self, gate: Gate, graph: nx.DiGraph[str]) -> Move:
        """Return the fate of an approval: a yes was given to another plan, so it is asked for anew.

        Only a yes that has been used up stays: everything that it allowed was deployed, and is kept.
        """
        name = gate.gate_id
        early = self._not_done(name, known=name in self._gates)
        if early is not None:
            return early
        behind = nx.descendants(graph, name)
        effects = [
            t for t in self._new.tasks if t.task_id in behind and any(e.environment for e in t.effects)
        ]
        used_up = all(t.task_id in self._deployed and self.moves[t.task_id].fate == "kept" for t in effects)
        before = [node for node in nx.ancestors(graph, name) if self.moves[node].fate != "kept"]
        if effects and used_up and not before and not _changed(self._gates[name], gate):
            return Move(name, "kept", "what it allowed is deployed and kept")
        return Move(name, "again", "it was given to another plan, and is asked for anew")

    def _not_done(self, name: str, *, known: bool) -> Move | None:
        outcome = self._outcomes.get(name)
        if not known:
            return Move(name, "open", "new in the plan")
        if outcome is None:
            return Move(name, "open", "not done yet")
        if not outcome.usable:
            return Move(name, "again", f"it had ended as {outcome.name.replace('_', ' ')}")
        return None

    def _changed_files(self, task: Task) -> list[str]:
        agents = [f"agents/{agent}" for agent in (task.agent, *task.substitutes)]
        skills = [f"prompts/skills/{skill}/SKILL" for skill in task.skills]
        names = [*agents, *skills, f"prompts/tasks/{task.kind}"]
        return [name for name in names if self._old.hashes.get(name) != self._new.hashes.get(name)]


def _refusals(
    old: PlanDefinition, new: PlanDefinition, moves: Sequence[Move], outside: Sequence[LiveEffect]
) -> Iterable[str]:
    fates = {move.node: move for move in moves}
    before, after = _protecting(old), _protecting(new)
    for effect in outside:
        # An effect whose task has not ended yet: the next attempt goes on with it, or takes it back.
        move = fates.get(effect.node) or Move(effect.node, "void", "gone from the plan")
        if move.fate in {"again", "void"}:
            what = "is gone from the plan" if move.fate == "void" else f"is done again ({move.why})"
            yield (
                f"{effect.node} {what}, but {effect.name} {'is' if effect.certain else 'may be'} live: "
                "take it back with 'gtm runs ripcord', or leave the task as it was"
            )
            continue
        for gate, kind in sorted(before.get(effect.node, set()) - after.get(effect.node, set())):
            yield (
                f"{effect.name} is live behind the {kind} gate {gate}, which would no longer stand before "
                f"{effect.node}: put it back, or take the effect back with 'gtm runs ripcord'"
            )


def _protecting(plan: PlanDefinition) -> dict[str, set[tuple[str, str]]]:
    """Return, by task, the gates (id and kind) that every way to it leads through."""
    graph = dependency_graph(plan.tasks, plan.gates)
    start = ""
    graph.add_edges_from([(start, node) for node in list(graph) if not graph.in_degree(node)])
    above = nx.immediate_dominators(graph, start)
    kinds = {gate.gate_id: gate.kind for gate in plan.gates}
    found: dict[str, set[tuple[str, str]]] = {start: set()}
    for node in nx.topological_sort(graph):
        if node != start:
            parent = above[node]
            found[node] = found[parent] | ({(parent, kinds[parent])} if parent in kinds else set())
    return found


def _changed(was: Task | Gate | None, now: Task | Gate, *, leave_out: Collection[str] = ()) -> list[str]:
    if was is None:
        return ["definition"]
    old: dict[str, Any] = was.model_dump()
    return sorted(n for n, value in now.model_dump().items() if n not in leave_out and old[n] != value)


def _is_or_are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
