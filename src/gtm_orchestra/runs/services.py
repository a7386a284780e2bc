"""The run's side of the bargain with its graph: journal, handlers, artifacts, people, clock."""

from __future__ import annotations

import asyncio
import json
import threading
import traceback
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import networkx as nx

from gtm_orchestra.agents.registry import TaskContext
from gtm_orchestra.config import parse_duration
from gtm_orchestra.errors import GtmError
from gtm_orchestra.graphs.services import Performed
from gtm_orchestra.plans.comparisons import compares, in_words, variable_of
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.loops import not_needed, variables_meant
from gtm_orchestra.plans.names import slug
from gtm_orchestra.plans.outcome import FINISHED, Outcome
from gtm_orchestra.plans.parse import canonical_json
from gtm_orchestra.plans.triggers import parse_trigger
from gtm_orchestra.runs.allowances import allowed_effects, approved
from gtm_orchestra.runs.courses import approval_course, ladder_course
from gtm_orchestra.runs.effects import Effects
from gtm_orchestra.runs.escalation import escalation_question, facts_of, fired, moves_figures
from gtm_orchestra.runs.history import MAX_INTERRUPTIONS, History
from gtm_orchestra.runs.ladder import ENDING, ended_by, remedy_question
from gtm_orchestra.runs.live_review import live_review
from gtm_orchestra.runs.questions import approval_question, supersede
from gtm_orchestra.runs.results import performed, result_body
from gtm_orchestra.runs.ripcord import pull
from gtm_orchestra.state.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from gtm_orchestra.agents.registry import HandlerRegistry
    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import EscalationTrigger, Gate, PlanDefinition, Task, Waiver
    from gtm_orchestra.plans.review import Review
    from gtm_orchestra.plans.triggers import Facts
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Journal, Question, RunRow
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["Environment", "JournalServices", "output_folder"]

_NOT_NEEDED = "went on without it"
# How an approval gate ends by its question's status; every other status is a no.
_DECIDED = {
    "approved": ("ok", "approved"),
    "expired": ("timed_out", "expired: nobody answered in time"),
    "superseded": ("skipped", _NOT_NEEDED),
}


@dataclass(frozen=True)
class Environment:
    """What a workspace lends to every run.

    Attributes:
        open_warehouse: Opens a read-only connection; the tasks of a segment share it, see the same data.
        agents: Agent name → why it cannot work now, or ''.
        review: Reviews a plan against what exists.
        previous: (initiative, output_var, before run) → the last earlier result, or None.
        nonce: Returns a fresh random token.
        progress: Told (node, event, detail) as things happen.
        stopped: (run) → why no further task may begin (paused, cancelled elsewhere), or ''.
        ending: Returns why this process is to end (a signal), or ''.
        environ: Where targets of effects look up credentials.
    """

    root: Path
    config: Config
    journal: Journal
    artifacts: ArtifactStore
    handlers: HandlerRegistry
    clock: Callable[[], datetime]
    nonce: Callable[[], str]
    open_warehouse: Callable[[], Warehouse]
    unavailable: Callable[[str], str]
    review: Callable[[PlanDefinition], Review]
    previous: Callable[[RunRow, str], Any | None]
    progress: Callable[[str, str, str], None]
    sleep: Callable[[float], Any] = asyncio.sleep
    stopped: Callable[[str], str] = lambda _run_id: ""
    ending: Callable[[], str] = lambda: ""
    environ: Mapping[str, str] = field(default_factory=dict)


def output_folder(plan: PlanDefinition, run: RunRow) -> str:
    """Return where a run's outputs lie: each run has a folder of its own, so that no signed file changes."""
    return f"outputs/{slug(plan.initiative)}/{plan.plan_id}/{run.run_id}"


class JournalServices:
    """`RunServices` over the journal: what is finished is served; what is done is written, then counts."""

    def __init__(
        self,
        environment: Environment,
        run: RunRow,
        plan: PlanDefinition,
        *,
        authors: Collection[str] = (),
        earlier: Callable[[], tuple[Facts, ...]] = lambda: (),
    ) -> None:
        self._environment = environment
        self._earlier = earlier
        self._authors = authors or (run.started_by,)
        self._effects = Effects(environment, run, plan, self._authors)
        self._run = run
        self._plan = plan
        self._journal = environment.journal
        self.history = History.of(self._journal.records(run.run_id))
        self._documents: dict[str, Any] = {}
        self._opening = threading.Lock()
        self._warehouse: Warehouse | None = None
        self._gates = frozenset(gate.gate_id for gate in plan.gates)
        self._producers = {task.output_var: task.task_id for task in plan.tasks}
        self._close_interrupted()
        # A process may have died between an outcome and the question that it raises.
        self._pull_triggers()

    @property
    def plan(self) -> PlanDefinition:
        """The revision of the plan that this run executes."""
        return self._plan

    def finished(self, node: str) -> Outcome | None:
        """Return how a node ended, if its results are still there and whole."""
        outcome = self.history.outcomes.get(node)
        if outcome is None or outcome.name not in FINISHED or not self._is_whole(outcome):
            return None
        self._environment.progress(node, "served", outcome.name)
        return outcome

    def attempts(self, node: str) -> int:
        """Return how many attempts have failed so far."""
        return self.history.failures.get(node, 0)

    def unavailable(self, agent: str) -> str:
        """Return why an agent cannot work now, or ''."""
        return self._environment.unavailable(agent)

    def attempt_started(self, task: Task, agent: str, attempt: int) -> None:
        """Journal the start of an attempt."""
        self._write("task.attempt", task.task_id, {"agent": agent, "attempt": attempt})
        self._environment.progress(task.task_id, "started", agent)

    def attempt_failed(self, task: Task, agent: str, attempt: int, error: str) -> None:
        """Journal a failed attempt; a trigger may fire even while retries remain."""
        self._write("task.attempt_failed", task.task_id, {"agent": agent, "attempt": attempt, "error": error})
        self._environment.progress(task.task_id, "attempt failed", error)
        self._pull_triggers()

    def stopped(self) -> str:
        """Return why no further work may begin, or ''."""
        environment = self._environment
        return self.history.stopped or environment.stopped(self._run.run_id) or environment.ending()

    def not_taken(self, task: Task) -> str:
        """Return why a task's condition does not hold, or ''."""
        if task.when is not None and not compares(task.when, self.results((variable_of(task.when),))):
            return f"{in_words(task.when)} does not hold"
        names = tuple(
            name for loop in self._plan.loops for names in loop.variables.values() for name in names
        )
        return not_needed(self._plan, task.task_id, self.results(names)) if names else ""

    def assigned(self, task: Task) -> tuple[str, ...]:
        """Return who may do a task, in order."""
        chosen = self.history.chosen.get(task.task_id)
        return (chosen,) if chosen else (task.agent, *task.substitutes)

    def prepared(self, task: Task) -> Performed | None:
        """Return what an attempt left whose effects were not all carried out, if it is still whole."""
        body = self.history.prepared.get(task.task_id)
        if body is None:
            return None
        done = performed(body)
        return done if all(self._is_there(sha) for sha in (done.output, *done.artifacts.values())) else None

    async def carry_out(self, task: Task, agent: str, done: Performed) -> Outcome | None:
        """Carry out a task's effects, each exactly once."""
        if not done.effects:
            return None
        body = result_body(done)
        if self.history.prepared.get(task.task_id) != body:
            # Written before the first intent: a resumed run goes on with this result, not with another.
            self._environment.artifacts.sync()
            self._write("task.result", task.task_id, body, durable=True)
        held = await self._effects.carry_out(task, done.effects)
        return held.model_copy(update={"agent": agent}) if held is not None else None

    def remedy(self, task: Task, ended: Outcome) -> Outcome:
        """Return how a task ends when everybody who may do it has failed: `waiting` for the ladder, or so."""
        asked = [q for q in self._questions("remedy") if q.node == task.task_id]
        if asked and asked[-1].status == "open":
            return Outcome(node=task.task_id, name="waiting", note=f"waits for {asked[-1].question_id}")
        if asked and asked[-1].status == "superseded" and asked[-1].question_id not in self.history.void:
            return Outcome(node=task.task_id, name="skipped", attempts=ended.attempts, note=_NOT_NEEDED)
        last = self.history.remedies.get(task.task_id, {})
        if asked and last.get("question_id") == asked[-1].question_id and last["answer"] in ENDING:
            return ended_by(asked[-1], str(last["answer"]), f"{last['actor']}: {last['reason']}")
        now = self._environment.clock()
        course = ladder_course(self._plan.escalation_ladder, self._environment.config, on=now.date())
        if not course:
            return ended
        question = remedy_question(
            self._run.run_id, task, ended, course=course, number=len(asked) + 1, at=now
        )
        self._ask(question)
        return Outcome(node=task.task_id, name="waiting", note=f"waits for {question.question_id}")

    def waivers(self, gate: Gate) -> Mapping[str, Waiver]:
        """Return the waivers of a gate that have not expired."""
        now = self._environment.clock()
        return {w.node: w for w in self.history.waivers if w.gate == gate.gate_id and w.expires_at > now}

    def is_overdue(self, gate: Gate, waiting: Sequence[str]) -> bool:
        """Whether arms have waited for a person past the gate's deadline; starts its clock if need be."""
        if not gate.policy.deadline:
            return False
        now = self._environment.clock()
        if gate.gate_id not in self.history.waits_until:
            until = now + parse_duration(gate.policy.deadline)
            self._write("gate.waiting", gate.gate_id, {"until": until.isoformat(), "for": list(waiting)})
        return now >= datetime.fromisoformat(self.history.waits_until[gate.gate_id])

    async def perform(self, task: Task, agent: str, *, earlier_error: str) -> Performed:
        """Run the task's handler in a thread and keep its result by content."""
        handler = self._environment.handlers[task.kind]
        files: dict[str, str] = {}
        context = self._context(task, agent, files, earlier_error)
        inputs = task.named(self.results(task.input))
        try:
            result = await asyncio.to_thread(handler, context, inputs)
        except BaseException:
            # Whatever it was, the next attempt starts on a connection of its own.
            self._forget_warehouse()
            raise
        document = result.model_dump(mode="json")
        output = self._environment.artifacts.put_result(canonical_json(document))
        self._documents[output] = document
        return Performed(output=output, artifacts=files, effects=tuple(getattr(result, "effects", ())))

    def close(self) -> None:
        """Close the connection to the customer data; the segment is over."""
        with self._opening:
            warehouse, self._warehouse = self._warehouse, None
        if warehouse is not None:
            warehouse.close()

    def describe(self, error: Exception, task: Task) -> str:
        """Return an error in plain words, never a foreign error's own: they may hold a customer's value."""
        if isinstance(error, GtmError):
            return str(error)
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "gtm_orchestra" in frame.filename] or frames
        where = f" at {ours[-1].filename.rpartition('/')[2]}:{ours[-1].lineno}" if ours else ""
        return f"{task.kind} stopped with {type(error).__name__}{where}"

    async def pause(self, attempt: int) -> None:
        """Wait before the next attempt: 0.2 s, 0.4 s, … at most 5 s."""
        await self._environment.sleep(min(0.1 * 2**attempt, 5.0))

    def results(self, variables: tuple[str, ...]) -> dict[str, Any]:
        """Return result documents by output_var, of the tasks that delivered."""
        meant = variables_meant(self._plan, variables, delivered=lambda v: self._producer(v) is not None)
        found: dict[str, Any] = {}
        for variable, name in meant.items():
            if outcome := self._producer(name):
                found[variable] = self._document(outcome.output)
        return found

    def record(self, outcome: Outcome) -> None:
        """Journal how a node ended, then look whether a trigger fires."""
        document = self._document(outcome.output) if outcome.output else {}
        if isinstance(document.get("passed"), bool):
            outcome = outcome.model_copy(update={"passed": document["passed"]})
        body = outcome.model_dump(mode="json", exclude_defaults=True)
        self._write("gate.outcome" if outcome.node in self._gates else "task.outcome", outcome.node, body)
        if outcome.verdict is not None and "waiting" in outcome.verdict.inputs.values():
            self._close_questions_before(outcome.node)
        self._environment.progress(outcome.node, "ended", outcome.name)
        if moves_figures(document):
            self._pull_triggers()

    def ask(self, gate: Gate) -> Outcome:
        """Return a person's decision on an approval gate; without one, ask and return `waiting`."""
        escalated = [q for q in self._questions("escalation") if q.status != "approved"]
        if escalated:
            return self._held_by_escalation(gate, escalated[0].question_id, escalated[0].status)
        asked = [q for q in self._questions("approval") if q.node == gate.gate_id]
        void = not asked or asked[-1].question_id in self.history.void
        if void and (stopped := self.stopped()):
            return Outcome(node=gate.gate_id, name="waiting", note=stopped)
        if void:
            now = self._environment.clock()
            question = approval_question(
                self._run,
                gate,
                course=approval_course(self._plan, gate, self._environment.config, on=now.date()),
                artifacts=self.artifacts(),
                at=now,
                nonce=self._environment.nonce(),
                number=len(asked) + 1,
                effects=allowed_effects(self._plan, gate, self._results_so_far()),
            )
            self._ask(question)
            return Outcome(node=gate.gate_id, name="waiting", note=f"waits for {question.question_id}")
        question = asked[-1]
        if question.status == "open":
            return Outcome(node=gate.gate_id, name="waiting", note=f"waits for {question.question_id}")
        if question.status == "approved":
            self._check_approval(question, gate)
        name, note = _DECIDED.get(question.status, ("rejected", question.status.replace("-", " ")))
        outcome = Outcome.model_validate({"node": gate.gate_id, "name": name, "note": note})
        self.record(outcome)
        return outcome

    def _check_approval(self, question: Question, gate: Gate) -> None:
        """Pass if the yes still holds: a row that says so is no decision."""
        approved(
            question,
            gate,
            self._journal.records(self._run.run_id),
            run=self._run,
            config=self._environment.config,
            authors=self._authors,
            artifacts=self._environment.artifacts,
            now=self._environment.clock(),
        )

    def _results_so_far(self) -> list[Any]:
        return [self._document(o.output) for o in self.history.outcomes.values() if o.usable and o.output]

    def artifacts(self) -> dict[str, str]:
        """Return every file and result that this run has left so far: name → SHA-256."""
        found: dict[str, str] = {}
        for outcome in self.history.outcomes.values():
            found.update(outcome.artifacts)
            if outcome.output:
                found[f"results/{outcome.output_var}.json"] = outcome.output
        return dict(sorted(found.items()))

    def _close_questions_before(self, gate_id: str) -> None:
        """Close what is asked in arms that a gate has gone on without: an answer would change nothing."""
        graph = dependency_graph(self._plan.tasks, self._plan.gates)
        inside = nx.ancestors(graph, gate_id)
        for question in self._journal.question_list(run_id=self._run.run_id, status="open"):
            if question.node in inside:
                supersede(question, journal=self._journal, why=f"{gate_id} {_NOT_NEEDED}")

    def _ask(self, question: Question) -> None:
        body = {
            "question_id": question.question_id,
            "kind": question.kind,
            "action": question.body["action"],
            "approvers": question.body["approvers"],
            "asked": question.body["asked"],
            "due_at": question.due_at.isoformat(),
        }
        self._environment.artifacts.sync()
        entry = Entry("question.asked", question.node, body)
        self._journal.append(self._run.run_id, entry, durable=True, question=question)
        self._environment.progress(question.node, "asked", ", ".join(question.body["asked"]))

    def _held_by_escalation(self, gate: Gate, question_id: str, status: str) -> Outcome:
        if status == "open":
            return Outcome(node=gate.gate_id, name="waiting", note=f"waits for the escalation {question_id}")
        outcome = Outcome(
            node=gate.gate_id, name="rejected", note=f"the escalation {question_id} was {status}"
        )
        self.record(outcome)
        return outcome

    def _questions(self, kind: str) -> list[Any]:
        return [q for q in self._journal.question_list(run_id=self._run.run_id) if q.kind == kind]

    def _context(self, task: Task, agent: str, files: dict[str, str], earlier_error: str) -> TaskContext:
        environment = self._environment

        def put_file(name: str, _media_type: str, data: bytes) -> str:
            files[name] = environment.artifacts.put(data)
            return files[name]

        folder = output_folder(self._plan, self._run)
        return TaskContext(
            task_id=task.task_id,
            agent=agent,
            initiative=self._plan.initiative,
            inputs={**self._plan.inputs, "_output_folder": folder},
            config=environment.config,
            root=environment.root,
            as_of=self._run.as_of,
            open_warehouse=self._open_warehouse,
            put_file=put_file,
            review_plan=lambda: self._review(task),
            params=task.params,
            earlier_error=earlier_error,
            change=self.history.changes.get(task.task_id, ""),
            tools={n: t for n, t in environment.handlers.tools.items() if n in task.tools_required},
            previous=lambda variable: environment.previous(self._run, variable),
            progress=lambda line: environment.progress(task.task_id, "says", line),
        )

    def _review(self, task: Task) -> Review:
        return live_review(
            self._environment.review(self._plan),
            self._plan,
            task.task_id,
            history=self.history,
            questions=self._journal.question_list(run_id=self._run.run_id),
            records=self._journal.records(self._run.run_id),
        )

    def _open_warehouse(self) -> Warehouse:
        """Return the segment's connection: all tasks see the same data, and the person frame is made once."""
        with self._opening:
            if self._warehouse is None:
                self._warehouse = self._environment.open_warehouse()
            return self._warehouse

    def _forget_warehouse(self) -> None:
        # Not closed: a handler that timed out may still be reading from it in its thread.
        with self._opening:
            self._warehouse = None

    def _write(self, kind: Any, node: str, body: Mapping[str, Any], *, durable: bool = False) -> None:  # noqa: ANN401 - an EventKind
        self._journal.append(self._run.run_id, Entry(kind, node, body), durable=durable)
        self.history.take(kind, node, dict(body))

    def _is_whole(self, outcome: Outcome) -> bool:
        kept = [outcome.output, *outcome.artifacts.values()] if outcome.output else []
        return all(self._environment.artifacts.has(sha256) for sha256 in kept)

    def _is_there(self, sha256: str) -> bool:
        return sha256 in self._documents or self._environment.artifacts.has(sha256)

    def _producer(self, variable: str) -> Outcome | None:
        outcome = self.history.outcomes.get(self._producers.get(variable, ""))
        return outcome if outcome is not None and outcome.usable else None

    def _document(self, sha256: str) -> Any:  # noqa: ANN401 - any JSON document
        if sha256 not in self._documents:
            self._documents[sha256] = json.loads(self._environment.artifacts.get(sha256))
        return self._documents[sha256]

    def _close_interrupted(self) -> None:
        """Note the attempts whose process died. They are no failures, unless it happens again and again."""
        for node, attempt in list(self.history.open_attempts.items()):
            if self.history.interruptions.get(node, 0) + 1 >= MAX_INTERRUPTIONS:
                error = f"its process died {MAX_INTERRUPTIONS} times in a row"
                self._write("task.attempt_failed", node, {"agent": "", "attempt": attempt, "error": error})
            else:
                self._write("task.interrupted", node, {"attempt": attempt})

    def _pull_triggers(self) -> None:
        if not self._plan.escalation_triggers:
            return
        # A result that is gone is made again in this segment, and counted then.
        there = tuple(v for v in self._producers if (o := self._producer(v)) and self._is_there(o.output))
        facts = facts_of(self._plan, self.history, self.results(there), earlier=self._earlier_facts)
        for trigger in fired(self._plan, self.history, facts):
            if trigger.action == "ripcord":
                self._pull_ripcord(trigger)
            else:
                self._escalate(trigger)

    def _pull_ripcord(self, trigger: EscalationTrigger) -> None:
        """Stop the run; once what is at work has ended, the driver takes back what was done."""
        why = trigger.why or f"{trigger.when} holds"
        if not self.history.ripped:
            pull(self._journal, self._run.run_id, why=why, by="gtm", identity="trigger", trigger=trigger.when)
            self.history.take("ripcord", "", {"why": why})
            self._environment.progress("ripcord", "pulled", why)

    @cached_property
    def _earlier_facts(self) -> tuple[Facts, ...]:
        """The figures of the initiative's earlier runs, if a trigger asks for its history."""
        asked = any(parse_trigger(t.when).scope == "history" for t in self._plan.escalation_triggers)
        return self._earlier() if asked else ()

    def _escalate(self, trigger: EscalationTrigger) -> None:
        now = self._environment.clock()
        course = ladder_course(self._plan.escalation_ladder, self._environment.config, on=now.date())
        question = escalation_question(
            self._plan,
            self._run.run_id,
            trigger,
            course=course,
            number=len(self.history.escalations) + 1,
            at=now,
        )
        body = {
            "trigger": trigger.when,
            "action": trigger.action,
            "why": trigger.why,
            "question_id": question.question_id,
            "asked": question.body["asked"],
        }
        self._journal.append(
            self._run.run_id, Entry("escalation", question.node, body), durable=True, question=question
        )
        self.history.take("escalation", question.node, dict(body))
        self._environment.progress(question.node, "escalated", trigger.why or trigger.when)
