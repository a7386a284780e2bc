"""A workspace: a folder with gtm.toml, its plans, its state and its outputs; the library's front door."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gtm_orchestra.audience.request.kpis import check_metrics
from gtm_orchestra.config import is_countable, load_config
from gtm_orchestra.errors import BusyError, ConflictError, IntegrityError, PolicyError, UsageError
from gtm_orchestra.plans.diff import diff_definitions
from gtm_orchestra.plans.model import Change
from gtm_orchestra.plans.names import checked_initiative
from gtm_orchestra.plans.review import Review, review_plan
from gtm_orchestra.policy.decisions import Actor, resolve_actor
from gtm_orchestra.runs.clocks import settle
from gtm_orchestra.runs.driver import Driver, Segment
from gtm_orchestra.runs.projection import project
from gtm_orchestra.runs.questions import Answer, Decision, decide, signed
from gtm_orchestra.runs.services import Environment
from gtm_orchestra.runs.signing import Signer
from gtm_orchestra.service.audit import Audit
from gtm_orchestra.service.commands import CommandInputs, parse_inputs
from gtm_orchestra.service.control import Revise, RunControl
from gtm_orchestra.service.handlers import load_handlers
from gtm_orchestra.service.inspection import Verification, draw, edited_definition, verify_plan
from gtm_orchestra.service.people import (
    People,
    Ticked,
    due_runs,
    settle_for,
    silence_reverts,
    unavailable_because,
)
from gtm_orchestra.service.planning import data_sources_of, known_names, plan_from, refuse_blockers
from gtm_orchestra.service.retention import Retention
from gtm_orchestra.service.starting import run_of, start_run
from gtm_orchestra.state.artifacts import ArtifactStore
from gtm_orchestra.state.halts import Halts
from gtm_orchestra.state.journal import Journal
from gtm_orchestra.state.locks import held, is_held
from gtm_orchestra.state.plan_store import PlanStore, Revision
from gtm_orchestra.state.read_only import open_state

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from gtm_orchestra.agents.registry import HandlerRegistry
    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import PlanDefinition, PlanDocument
    from gtm_orchestra.state.journal import Question, RunRow
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = ["Workspace"]

_LONGEST_CHANGE = 3_900
_NEW_PLAN_WAIT_S = 10.0


class Workspace:
    """One workspace. Two of them in a process are independent; nothing global is touched.

    Clock, randomness, environment and progress are passed in, so that a host decides about each.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], datetime],
        nonce: Callable[[], str],
        environ: Mapping[str, str],
        os_user: str,
        progress: Callable[[str, str, str], None],
        handlers: HandlerRegistry,
        ending: Callable[[], str] = lambda: "",
    ) -> None:
        self.root = root
        self._clock = clock
        self._nonce = nonce
        self._environ = environ
        self._os_user = os_user
        self._progress = progress
        self._handlers = handlers
        self._ending = ending

    @classmethod
    def open(
        cls,
        root: str | os.PathLike[str] = ".",
        *,
        clock: Callable[[], datetime] | None = None,
        nonce: Callable[[], str] | None = None,
        environ: Mapping[str, str] | None = None,
        os_user: str | None = None,
        progress: Callable[[str, str, str], None] | None = None,
        plugins: Iterable[Callable[[HandlerRegistry], None]] = (),
        ending: Callable[[], str] = lambda: "",
    ) -> Self:
        """Open the workspace in a folder that holds gtm.toml.

        Args:
            root: The folder.
            clock: Returns the aware time that "now" means; default: the system's, in UTC.
            nonce: Returns a fresh random token; default: from the system.
            environ: Where credentials are looked up; default: the process's environment.
            os_user: Who is at the keyboard; default: the operating system's user.
            progress: Told (node, event, detail) while a run goes on.
            plugins: Functions that register handlers of your own; see docs/extending.md.
            ending: Returns why the host's process is to end, or ''; asked before each task, so that a run
                stops between tasks and can be resumed.

        Raises:
            ConfigError: gtm.toml is missing or wrong.
        """
        folder = Path(root).resolve()
        handlers = load_handlers()
        for plugin in plugins:
            plugin(handlers)
        workspace = cls(
            folder,
            clock=clock or (lambda: datetime.now(UTC)),
            nonce=nonce or (lambda: secrets.token_hex(16)),
            environ=environ if environ is not None else os.environ,
            os_user=os_user if os_user is not None else _os_user(),
            progress=progress or (lambda _node, _event, _detail: None),
            handlers=handlers,
            ending=ending,
        )
        _ = workspace.config
        return workspace

    @cached_property
    def config(self) -> Config:
        """gtm.toml."""
        return load_config(self.root / "gtm.toml")

    @cached_property
    def plans(self) -> PlanStore:
        """The plan logs of this workspace."""
        return PlanStore(self.root, self._locks)

    @cached_property
    def journal(self) -> Journal:
        """The journal of this workspace's runs."""
        return Journal(open_state(self.root / ".gtm" / "state.db"), self._clock)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Results and files by content."""
        return ArtifactStore(self.root / ".gtm" / "artifacts", self.journal.results)

    @cached_property
    def halts(self) -> Halts:
        """Who has paused the workspace or cancelled a run, and why."""
        return Halts(self.root / ".gtm", self._locks)

    @cached_property
    def control(self) -> RunControl:
        """Control over runs: pause everything, cancel, go back to a task, move over to a new revision."""
        return RunControl(
            self.journal,
            self.halts,
            self.plans,
            locks=self._locks,
            actor=self.actor,
            revise=Revise(self.preview, self.plan),
            refresh_view=self.restore_view,
            clock=self._clock,
        )

    @cached_property
    def people(self) -> People:
        """What people say of a run besides approving it: of a failed task, of a failing gate."""
        return People(
            self.journal,
            self.plans,
            self.config,
            actor=self.actor,
            clock=self._clock,
            nonce=self._nonce,
            drive=lambda run_id: _blocking(self._drive_on(run_id)),
        )

    @cached_property
    def audit(self) -> Audit:
        """The history of this workspace: whether it verifies, as rows, and as figures."""
        return Audit(
            self.root,
            config=self.config,
            journal=self.journal,
            plans=self.plans,
            artifacts=self.artifacts,
            halts=self.halts,
        )

    @cached_property
    def retention(self) -> Retention:
        """Letting go of the bytes of old runs; their history stays."""
        return Retention(
            self.root,
            self._locks,
            journal=self.journal,
            plans=self.plans,
            artifacts=self.artifacts,
            actor=self.actor,
            clock=self._clock,
        )

    def define_profiles(self, *, actor: str | None = None, **inputs: Any) -> Revision:  # noqa: ANN401 - see DefineProfilesInputs
        """Make, or revise, the plan that says which profiles can be personalised for an initiative.

        Args:
            actor: Handle of who asks; default: the operating system's user.
            **inputs: The fields of `DefineProfilesInputs`: initiative, channels, metrics, constraints,
                timeline, pattern, approvers.

        Raises:
            UsageError: An input is not allowed, or the source is not as gtm.toml maps it.
            BlockedError: The plan has blockers.
        """
        return self.plan("define-profiles", parse_inputs("define-profiles", inputs), actor=actor)

    def plan(self, command: str, inputs: CommandInputs, *, actor: str | None = None) -> Revision:
        """Fill a command's blueprint; an initiative's existing plan gets a logged revision."""
        who = self.actor(actor)
        definition, existing = self._fill(command, inputs)
        now, initiative = self._clock(), definition.initiative
        refuse_blockers(self.review(definition))
        if existing is None:
            change = _change(who, now, f"planned {command} for {initiative!r}", "asked for")
            revision = self._create(definition, change)
        elif existing.definition == definition:
            return existing
        else:
            what = "; ".join(diff_definitions(existing.definition, definition))[:_LONGEST_CHANGE]
            change = _change(who, now, what, "the request or the workspace has changed")
            revision = self.plans.revise(definition, expected=existing.number, change=change)
        self._driver.refresh_view(definition.plan_id)
        return revision

    def preview(
        self, command: str, inputs: Mapping[str, Any]
    ) -> tuple[PlanDefinition, Review, tuple[str, ...]]:
        """Return the plan a request would make, its review, and what it would change; nothing is kept."""
        checked = parse_inputs(command, dict(inputs))
        definition, existing = self._fill(command, checked)
        new = (f"a new plan for {definition.initiative!r}",)
        changes = diff_definitions(existing.definition, definition) if existing else new
        return definition, self.review(definition), changes

    def document(self, plan_id: str) -> PlanDocument:
        """Return the plan document as log and journal have it now."""
        return project(self.plans, self.journal, plan_id, artifacts=self.artifacts)

    def drawing(self, plan_id: str, *, form: str = "svg") -> str:
        """Return a plan's graph with its progress: form "svg" or "mermaid"."""
        return draw(self.document(plan_id), form=form)

    def verify(self, plan_id: str) -> Verification:
        """Recompute the chains of a plan's log and its runs' journals, and compare the plan file."""
        return verify_plan(self.plans, self.journal, plan_id, root=self.root, config=self.config)

    def restore_view(self, plan_id: str) -> None:
        """Write the plan file anew from log and journal."""
        self._driver.refresh_view(plan_id)

    def adopt_view(self, plan_id: str, *, reason: str, actor: str | None = None) -> Revision:
        """Make a logged revision of what was edited into the plan file by hand.

        Raises:
            UsageError: Not edited, or no reason.
            BlockedError: The edited plan has blockers.
        """
        if not reason.strip():
            raise UsageError("an adopted edit needs a reason", hint='add --reason "…"')
        definition = edited_definition(self.plans, plan_id)
        refuse_blockers(self.review(definition))
        latest = self.plans.latest(plan_id)
        what = "; ".join(diff_definitions(latest.definition, definition))[:_LONGEST_CHANGE]
        change = _change(self.actor(actor), self._clock(), what, reason.strip())
        revision = self.plans.revise(definition, expected=latest.number, change=change)
        self._driver.refresh_view(plan_id)
        return revision

    def review(self, definition: PlanDefinition) -> Review:
        """Return everything that is wrong with a plan, compared with what exists here."""
        return review_plan(definition, known_names(self.config, self.root, self._handlers))

    def run(
        self, plan: Revision | str, *, as_of: datetime | None = None, actor: str | None = None
    ) -> Segment:
        """Run a plan until it is done or a person is needed. Blocks; inside an event loop use `run_async`."""
        return _blocking(self.run_async(plan, as_of=as_of, actor=actor))

    async def run_async(
        self, plan: Revision | str, *, as_of: datetime | None = None, actor: str | None = None
    ) -> Segment:
        """Run a plan until it is done or a person is needed.

        A run of the same revision that is not finished is taken up, unless another as-of is asked for.

        Args:
            plan: A revision, or a plan's id for its latest.
            as_of: The moment that "now" means in the data; default: gtm.toml's `workspace.as_of`, else now.
            actor: Handle of who starts it.

        Raises:
            PausedError: Somebody has paused everything.
        """
        self.control.refuse_if_paused()
        if as_of is not None and not is_countable(as_of):
            raise UsageError(f"as_of is in the year {as_of.year}; 1970 to 2199 are allowed")
        revision = self.plans.latest(plan) if isinstance(plan, str) else plan
        run_id, attached = await asyncio.to_thread(
            self._start, revision, as_of or self.config.workspace.as_of, self.actor(actor)
        )
        return await self._driver.drive(run_id, resumed=attached)

    def resume(self, run_id: str) -> Segment:
        """Take a run up again: what is finished is served, what failed is tried afresh. Blocks."""
        return _blocking(self.resume_async(run_id))

    async def resume_async(self, run_id: str) -> Segment:
        """Take a run up again: what is finished is served, what failed is tried afresh.

        Raises:
            PausedError: Somebody has paused everything.
            UsageError: It was cancelled, or a later run has superseded it.
        """
        self.control.refuse_if_paused()
        row = self.journal.run(run_id)
        if row.status == "superseded":
            raise UsageError(f"{run_id} was superseded by a later run", hint="see 'gtm runs list'")
        self.retention.refuse_pruned(run_id)
        if row.status == "cancelled":
            raise UsageError(f"{run_id} was cancelled", hint=f"run gtm {row.command} again: it starts anew")
        return await self._driver.drive(run_id, resumed=True, retry=row.status in {"failed", "blocked"})

    def ripcord(self, run_id: str, *, reason: str, actor: str | None = None) -> Segment:
        """Stop a run and take back what it did, the last effect first. Blocks.

        Raises:
            PolicyError: gtm.toml does not know this person.
            UsageError: No reason, or no such run.
            BusyError: Another process drives it; nothing further begins, and that process takes it back.
        """
        if not reason.strip():
            raise UsageError("the rip-cord needs a reason", hint='add --reason "…"; the audit trail keeps it')
        by = self.known_actor(actor)
        identity = self.actor(actor).identity
        return _blocking(self._driver.ripcord(run_id, why=reason.strip(), by=by, identity=identity))

    def decide(
        self,
        question_id: str,
        answer: Answer,
        *,
        reason: str,
        actor: str | None = None,
        key: bytes | None = None,
    ) -> Segment:
        """Take a person's decision and drive the run on. Blocks; inside an event loop use `decide_async`."""
        return _blocking(self.decide_async(question_id, answer, reason=reason, actor=actor, key=key))

    async def decide_async(
        self,
        question_id: str,
        answer: Answer,
        *,
        reason: str,
        actor: str | None = None,
        key: bytes | None = None,
    ) -> Segment:
        """Take a person's decision and drive the run on.

        Args:
            question_id: An open question.
            answer: What they say.
            reason: Why; the audit trail keeps it.
            actor: Handle of who decides.
            key: Their private key (PEM), with which the decision is signed; it is not kept.

        Raises:
            PolicyError: This person may not decide it, or must sign.
            ConflictError: It is closed, or what was asked about has changed.
        """
        settle_for(self.journal, question_id, self._clock(), heads=self.people.heads)
        decision = Decision(question_id, answer, self.actor(actor), reason)
        if key is not None:
            decision = signed(
                decision,
                Signer(key, self._nonce()),
                journal=self.journal,
                config=self.config,
                at=self._clock(),
            )
        question = decide(
            decision,
            journal=self.journal,
            plans=self.plans,
            artifacts=self.artifacts,
            config=self.config,
            clock=self._clock,
        )
        return await self._drive_on(question.run_id)

    async def _drive_on(self, run_id: str) -> Segment:
        """Drive a run on after an answer that stands in its journal already.

        Raises:
            BusyError: Another process drives it; the answer is not lost.
        """
        try:
            return await self._driver.drive(run_id, resumed=True)
        except BusyError as error:
            raise BusyError(
                f"your answer is recorded; {error.message}",
                hint=f"that process goes on with it; if it does not: gtm runs resume {run_id}",
            ) from error

    def tick(self) -> Ticked:
        """Settle what is due on every open question, and drive the runs that go on because of it. Blocks."""
        now = self._clock()
        settled = settle(self.journal, now, heads=self.people.heads)
        if self.control.paused() is not None:
            return Ticked(settled, ())
        reverts, segments = silence_reverts(settled), []
        for run_id in due_runs(self.journal, settled, now):
            why = reverts.get(run_id)
            # A run that another process drives sees for itself what has been settled.
            with suppress(BusyError):
                segments.append(
                    _blocking(
                        self._driver.ripcord(run_id, why=why, by="gtm", identity="clock")
                        if why
                        else self._driver.drive(run_id, resumed=True)
                    )
                )
        return Ticked(settled, tuple(segments))

    def questions(self, *, every: bool = False) -> tuple[Question, ...]:
        """Return the questions that wait for a person; with `every`, the closed ones too."""
        return self.journal.question_list(status=None if every else "open")

    def actor(self, claimed: str | None) -> Actor:
        """Return who acts: the claimed handle, else the person mapped to the operating system's user."""
        return resolve_actor(self.config, claimed=claimed, os_user=self._os_user)

    def state_of(self, row: RunRow) -> str:
        """Return where a run stands; one that nobody drives although it is not finished is "interrupted"."""
        if row.status != "running":
            return row.status
        return "running" if is_held(self._locks, f"{row.plan_id}.run") else "interrupted"

    def known_actor(self, claimed: str | None) -> str:
        """Return the handle of who acts.

        Raises:
            PolicyError: gtm.toml does not know this person.
        """
        actor = self.actor(claimed)
        if not actor.known:
            raise PolicyError(
                f"{actor.handle.removeprefix('os:')!r} is nobody in gtm.toml [people]",
                hint="say who you are with --as HANDLE, or add your os_user to [people]",
            )
        return actor.handle

    def open_warehouse(self) -> Warehouse:
        """Open a read-only connection to the customer data; close it, or use it in a `with`."""
        from gtm_orchestra.warehouse.connection import open_warehouse  # noqa: PLC0415 - ibis is heavy

        return open_warehouse(self.config.source, self.root, self._environ)

    def result(self, run_id: str, output_var: str) -> Any:  # noqa: ANN401 - any JSON document
        """Return one task's result document.

        Raises:
            UsageError: The run has no such result yet.
        """
        for record in reversed(self.journal.records(run_id)):
            if record.kind == "task.outcome" and record.body.get("output_var") == output_var:
                return json.loads(self.artifacts.get(record.body["output"]))
        raise UsageError(f"{run_id} has no result {output_var!r} yet", hint="see 'gtm runs show'")

    @property
    def _locks(self) -> Path:
        return self.root / ".gtm" / "locks"

    @cached_property
    def _driver(self) -> Driver:
        environment = Environment(
            root=self.root,
            config=self.config,
            journal=self.journal,
            artifacts=self.artifacts,
            handlers=self._handlers,
            clock=self._clock,
            nonce=self._nonce,
            open_warehouse=self.open_warehouse,
            unavailable=lambda agent: unavailable_because(agent, self.config, self.root, now=self._clock()),
            review=self.review,
            previous=self._previous_result,
            progress=self._progress,
            stopped=self.control.stopped,
            ending=self._ending,
            environ=self._environ,
        )
        return Driver(environment, self.plans, self._locks)

    def _fill(self, command: str, inputs: CommandInputs) -> tuple[PlanDefinition, Revision | None]:
        """Return the plan that a request makes today, and the revision it would replace, if there is one."""
        known = {self.plans.latest(plan_id).definition.initiative for plan_id in self.plans.ids()}
        initiative = checked_initiative(inputs.initiative, known)
        check_metrics(inputs.model_dump().get("metrics", ()), self.config)
        with self.open_warehouse() as warehouse:
            sources = data_sources_of(self.config, warehouse)
        existing = self._plan_of(command, initiative)
        now = self._clock()
        definition = plan_from(
            command,
            {**inputs.model_dump(mode="json"), "initiative": initiative},
            plan_id=existing.definition.plan_id if existing else self.plans.new_id(now),
            config=self.config,
            root=self.root,
            sources=sources,
            today=now.date(),
        )
        return definition, existing

    def _create(self, definition: PlanDefinition, change: Callable[[int], Change]) -> Revision:
        """Keep the first plan of an initiative; of two processes that make it at once, one.

        Raises:
            ConflictError: Another process was first.
        """
        with held(self._locks, "new-plan", wait_s=_NEW_PLAN_WAIT_S):
            first = self._plan_of(definition.command, definition.initiative)
            if first is not None:
                raise ConflictError(
                    f"{definition.initiative!r} was planned meanwhile, as {first.definition.plan_id}",
                    hint="run the same command again: it goes on with that plan",
                )
            return self.plans.create(definition, change=change)

    def _plan_of(self, command: str, initiative: str) -> Revision | None:
        latest = (self.plans.latest(plan_id) for plan_id in reversed(self.plans.ids()))
        return next(
            (r for r in latest if (r.definition.command, r.definition.initiative) == (command, initiative)),
            None,
        )

    def _start(self, revision: Revision, as_of: datetime | None, actor: Actor) -> tuple[str, bool]:
        """Return the run to drive: an unfinished one of the same revision and as-of, else a new one."""
        run = run_of(revision, as_of, actor, now=self._clock())
        head = self.plans.chain(run.plan_id)[-1]
        return start_run(run, as_of, journal=self.journal, log_head=head, progress=self._progress)

    def _previous_result(self, run: RunRow, output_var: str) -> Any | None:  # noqa: ANN401 - any JSON document
        asked = (run.command, run.initiative)
        ids = [row.run_id for row in self.journal.run_list() if (row.command, row.initiative) == asked]
        for run_id in reversed(ids[: ids.index(run.run_id)]):
            try:
                return self.result(run_id, output_var)
            except (UsageError, IntegrityError):
                # It did not come so far, or its results were cleared away: look at the one before.
                continue
        return None


def _change(actor: Actor, at: datetime, what: str, why: str) -> Callable[[int], Change]:
    return lambda revision: Change(
        at=at, actor=actor.handle, identity=actor.identity, what=what, why=why, revision=revision
    )


def _blocking(segment: Coroutine[Any, Any, Segment]) -> Segment:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(segment)
    segment.close()
    raise UsageError("this call blocks, and an event loop is running", hint="await the same call with _async")


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
