"""The inline driver: runs one segment of a run in this process, until it is done or a person is needed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gtm_orchestra.errors import BusyError, ConflictError, IntegrityError
from gtm_orchestra.plans.outcome import Outcome
from gtm_orchestra.runs.effects import Effects
from gtm_orchestra.runs.history import History
from gtm_orchestra.runs.initiative import facts_of_runs
from gtm_orchestra.runs.projection import approvals_of, project
from gtm_orchestra.runs.questions import authors_of, supersede
from gtm_orchestra.runs.ripcord import close_questions, pull, pulled, revert, write_done
from gtm_orchestra.runs.services import Environment, JournalServices, output_folder
from gtm_orchestra.runs.status import status_of
from gtm_orchestra.state.files import replace_file
from gtm_orchestra.state.journal import Entry
from gtm_orchestra.state.ledger import Ledger
from gtm_orchestra.state.locks import held
from gtm_orchestra.state.plan_store import Anchor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gtm_orchestra.plans.model import PlanDefinition
    from gtm_orchestra.plans.triggers import Facts
    from gtm_orchestra.state.journal import Question, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["ENDED_BY_HAND", "Driver", "Segment"]

# What a person or a later run has ended stays ended, whatever the process at work still finds.
ENDED_BY_HAND = frozenset({"cancelled", "ripped", "superseded"})


@dataclass(frozen=True)
class Segment:
    """Where a run stands after it was driven.

    Attributes:
        status: A `RunStatus`; "running" where the segment was stopped before its end and can be resumed.
        why: One sentence on the status.
        outcomes: By node; every task and gate of the plan has one.
        questions: What people are asked, and have not answered.
        folder: Where the outputs lie, if there are any.
    """

    run: RunRow
    status: str
    why: str
    outcomes: dict[str, Outcome]
    questions: tuple[Question, ...]
    folder: Path | None


class Driver:
    """Drives runs of one workspace."""

    def __init__(self, environment: Environment, plans: PlanStore, locks: Path) -> None:
        self._environment = environment
        self._plans = plans
        self._locks = locks

    async def drive(self, run_id: str, *, resumed: bool = False, retry: bool = False) -> Segment:
        """Drive a run as far as it goes.

        Args:
            run_id: A run of this workspace.
            resumed: Write into the journal that the run was taken up again.
            retry: A person asks that what failed is tried afresh.

        Raises:
            BusyError: Another process drives it.
            ConflictError: The plan has moved on since the run was started, or the run was ended by hand.
            IntegrityError: The run's journal does not verify, or the graph ended without an outcome for every
                task.
        """
        run = self._environment.journal.run(run_id)
        with held(self._locks, f"{run.plan_id}.run"):
            run = self._environment.journal.run(run_id)
            if resumed:
                self._verify(run)
                if pulled(self._environment.journal.records(run_id)) is not None:
                    return await self._rip(run)
            plan = self._definition(run)
            if resumed:
                self._environment.journal.append(run_id, Entry("run.resumed", "", {"retry": retry}))
            status = self._environment.journal.set_status(run_id, "running", keep=ENDED_BY_HAND)
            if status != "running":
                raise ConflictError(
                    f"{run_id} was {status}", hint="see 'gtm runs show'; run the command again for a new run"
                )
            services = JournalServices(
                self._environment,
                run,
                plan,
                authors=authors_of(self._plans, run),
                earlier=lambda: self._earlier_facts(run),
            )
            try:
                outcomes = await _invoke(plan, services)
            finally:
                services.close()
            if pulled(self._environment.journal.records(run_id)) is not None:
                return await self._rip(run)
            # In a thread, so that other runs of this event loop go on while this one's files are synced.
            return await _to_the_end(
                partial(self._close, run, plan, outcomes, stopped=services.stopped()),
            )

    async def ripcord(self, run_id: str, *, why: str, by: str, identity: str) -> Segment:
        """Pull a run's rip-cord: nothing of it begins any more, and what it did is taken back.

        Raises:
            BusyError: Another process drives the run; the rip-cord is pulled, and that process reverts.
            IntegrityError: The run's journal or its ledger does not verify.
        """
        run = self._environment.journal.run(run_id)
        self._verify(run)
        pull(self._environment.journal, run_id, why=why, by=by, identity=identity)
        try:
            with held(self._locks, f"{run.plan_id}.run"):
                return await self._rip(self._environment.journal.run(run_id))
        except BusyError as error:
            raise BusyError(
                f"the rip-cord of {run_id} is pulled, and no further effect of it begins; {error.message}",
                hint=f"that process takes back what was done; should it die: gtm runs resume {run_id}",
            ) from error

    async def _rip(self, run: RunRow) -> Segment:
        """Take back what a run did, as far as that goes, and write down how far. The run's lock is held."""
        environment, journal = self._environment, self._environment.journal
        plan = self._plans.revision(run.plan_id, run.revision).definition
        record = pulled(journal.records(run.run_id))
        assert record is not None  # noqa: S101 - the caller has seen it
        close_questions(journal, run.run_id)
        effects = Effects(environment, run, plan, ())
        why = str(record.body["why"])
        reverted = await revert(effects, run.run_id, why=why, pause=environment.sleep)
        outcomes = write_done(
            journal, run.run_id, reverted, plan=plan, history=History.of(journal.records(run.run_id))
        )
        journal.set_status(run.run_id, "ripped", why=f"{why.rstrip('.')}; {reverted.sentence}")
        row = journal.run(run.run_id)
        self._plans.anchor(run.plan_id, Anchor(run.run_id, row.seq, row.head), at=environment.clock())
        self.refresh_view(run.plan_id)
        return Segment(row, "ripped", f"{why.rstrip('.')}; {reverted.sentence}", outcomes, (), None)

    def _verify(self, run: RunRow) -> None:
        journal = self._environment.journal
        journal.verify(run.run_id, anchors=self._plans.heads(run.plan_id, run.run_id))
        Ledger(journal).check(run.run_id, journal.records(run.run_id))

    def refresh_view(self, plan_id: str) -> None:
        """Write the plan file anew from the plan log and the journal."""
        document = project(
            self._plans, self._environment.journal, plan_id, artifacts=self._environment.artifacts
        )
        self._plans.write_view(plan_id, document.as_json())

    def _earlier_facts(self, run: RunRow) -> tuple[Facts, ...]:
        environment = self._environment
        return facts_of_runs(
            run.initiative,
            journal=environment.journal,
            plans=self._plans,
            artifacts=environment.artifacts,
            before=run,
        )

    def _definition(self, run: RunRow) -> PlanDefinition:
        revisions = self._plans.revisions(run.plan_id)
        latest = revisions[-1] if revisions else self._plans.latest(run.plan_id)
        if latest.digest != run.digest:
            raise ConflictError(
                f"{run.run_id} executes revision {run.revision}; its plan is at revision {latest.number}",
                hint="what was approved must be what runs. To see what it would keep: "
                f"gtm runs move {run.run_id} --dry-run; to move it over: "
                f'gtm runs move {run.run_id} --reason "…"; or run gtm {run.command} again for a new run',
            )
        return next(r for r in revisions if r.number == run.revision).definition

    def _close(
        self, run: RunRow, plan: PlanDefinition, outcomes: dict[str, Outcome], *, stopped: str
    ) -> Segment:
        """Publish the outputs, write where the run stands, anchor the journal and rewrite the plan file."""
        journal = self._environment.journal
        questions = journal.question_list(run_id=run.run_id, status="open")
        found, why = status_of(plan, outcomes, questions, stopped=stopped)
        folder = self._publish(run, plan, outcomes)
        self._environment.artifacts.sync()
        status = journal.set_status(
            run.run_id, found, why=why, keep=ENDED_BY_HAND, log_head=self._plans.chain(run.plan_id)[-1]
        )
        if status != found:
            why = f"it was {status} while this process was at work"
            for question in questions:
                supersede(question, journal=journal, why=why)
            questions = ()
        row = journal.run(run.run_id)
        self._plans.anchor(run.plan_id, Anchor(run.run_id, row.seq, row.head), at=self._environment.clock())
        self.refresh_view(run.plan_id)
        return Segment(row, status, why, outcomes, questions, folder)

    def _publish(self, run: RunRow, plan: PlanDefinition, outcomes: dict[str, Outcome]) -> Path | None:
        files = {name: sha for o in outcomes.values() if o.usable for name, sha in o.artifacts.items()}
        if not files:
            return None
        folder = self._environment.root / output_folder(plan, run)
        self._environment.artifacts.publish(folder, files)
        signed = [a for a in approvals_of(run, self._environment.journal) if a.decided_by]
        if signed:
            record = {
                "plan_id": run.plan_id,
                "revision": run.revision,
                "digest": run.digest,
                "run_id": run.run_id,
                "decisions": [approval.model_dump(mode="json") for approval in signed],
                "files": dict(sorted(files.items())),
            }
            text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
            replace_file(folder / "sign-off.json", text.encode())
        return folder


async def _to_the_end(work: Callable[[], Segment]) -> Segment:
    """Do blocking work in a thread. Who is cancelled meanwhile holds the run's lock until it has ended."""
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


async def _invoke(plan: PlanDefinition, services: JournalServices) -> dict[str, Outcome]:
    from langsmith.run_helpers import tracing_context  # noqa: PLC0415 - heavy, and only needed to run

    from gtm_orchestra.graphs.compiler import compile_plan  # noqa: PLC0415 - LangGraph is heavy

    graph = compile_plan(plan, services)
    # A tracing variable inherited from a shell would send the run to a server on the Internet.
    with tracing_context(enabled=False):
        state = await graph.ainvoke({"outcomes": {}})
    outcomes = {node: Outcome.model_validate(value) for node, value in state["outcomes"].items()}
    nodes = [task.task_id for task in plan.tasks] + [gate.gate_id for gate in plan.gates]
    silent = [node for node in nodes if node not in outcomes]
    if silent:
        raise IntegrityError(
            f"the run ended without an outcome for {', '.join(silent)}",
            hint="report this; 'gtm runs resume' is safe",
        )
    return {node: outcomes[node] for node in nodes}
