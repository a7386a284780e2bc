"""Retention: the bytes of old runs go, what happened and what was decided stays."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.errors import UsageError
from gtm_orchestra.runs.live import live_effects
from gtm_orchestra.runs.services import output_folder
from gtm_orchestra.service.control import known_with_reason
from gtm_orchestra.state.files import storage_errors
from gtm_orchestra.state.journal import Entry
from gtm_orchestra.state.locks import held
from gtm_orchestra.state.plan_store import Anchor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from gtm_orchestra.policy.decisions import Actor
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.journal import Journal, Record, RunRow
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["Pruning", "Retention"]

# A run that stands at one of these is not waited for. One that has failed can be done anew at any time.
_ENDED = frozenset({"done", "rejected", "superseded", "cancelled", "ripped", "failed", "blocked"})


@dataclass(frozen=True)
class Pruning:
    """What retention removes.

    Attributes:
        runs: The runs whose outputs go.
        artifacts: SHA-256 of what goes from the store; what another run needs is not among it.
        folders: Output folders that go, relative to the workspace.
        kept: Old runs that stay, each with the reason.
    """

    runs: tuple[str, ...]
    artifacts: tuple[str, ...]
    folders: tuple[str, ...]
    kept: dict[str, str]


class Retention:
    """Retention over the runs of one workspace."""

    def __init__(
        self,
        root: Path,
        locks: Path,
        *,
        journal: Journal,
        plans: PlanStore,
        artifacts: ArtifactStore,
        actor: Callable[[str | None], Actor],
        clock: Callable[[], datetime],
    ) -> None:
        self._root = root
        self._locks = locks
        self._journal = journal
        self._plans = plans
        self._artifacts = artifacts
        self._actor = actor
        self._clock = clock

    def planned(self, older_than: timedelta) -> Pruning:
        """Return what `prune` would remove; nothing is touched.

        A run's outputs stay while it is not ended, while it is the latest of its plan or the latest that was
        done, while an approval of it is in force, and while something that it deployed is live.

        Raises:
            UsageError: `older_than` is not positive.
        """
        if older_than.total_seconds() <= 0:
            raise UsageError("nothing is older than no time", hint="write --older-than 365d")
        now = self._clock()
        rows = self._journal.run_list()
        latest = {row.plan_id: row.run_id for row in rows}
        latest_done = {row.plan_id: row.run_id for row in rows if row.status == "done"}
        there = self._artifacts.names()
        going: list[tuple[RunRow, set[str]]] = []
        needed: set[str] = set()
        kept: dict[str, str] = {}
        for row in rows:
            records = self._journal.records(row.run_id)
            named = _named(records) | self._bound(row.run_id)
            is_old = _ended_at(records) < now - older_than
            newest = {latest[row.plan_id], latest_done.get(row.plan_id)}
            why = self._why_kept(row, records, now=now, latest=newest)
            if is_old and not why:
                going.append((row, named & there))
                continue
            needed |= named
            if is_old:
                kept[row.run_id] = why
        # Pruned before, a run has nothing left to go.
        going = [(row, named - needed) for row, named in going if named - needed or self._folder(row)]
        return Pruning(
            runs=tuple(row.run_id for row, _ in going),
            artifacts=tuple(sorted({sha for _, named in going for sha in named})),
            folders=tuple(folder for row, _ in going if (folder := self._folder(row))),
            kept=kept,
        )

    def prune(self, older_than: timedelta, *, reason: str, actor: str | None = None) -> Pruning:
        """Remove what `planned` says; the journal of each run tells of it first, and is never cut.

        Raises:
            BusyError: A process drives a run: what it is about to keep could be what goes.
            PolicyError: gtm.toml does not know this person.
            UsageError: `older_than` is not positive, or no reason.
        """
        who, why = known_with_reason(self._actor(actor), reason, "to prune")
        with ExitStack() as locked:
            for plan_id in self._plans.ids():
                locked.enter_context(held(self._locks, f"{plan_id}.run"))
            found = self.planned(older_than)
            for run_id in found.runs:
                self._tell(run_id, found, who, why)
            with storage_errors("the outputs of old runs"):
                for folder in found.folders:
                    shutil.rmtree(self._root / folder)
            self._artifacts.remove(found.artifacts)
        return found

    def refuse_pruned(self, run_id: str) -> None:
        """Pass for a run whose results have not been pruned: to take it up would do all of it again.

        Raises:
            UsageError: They have.
        """
        told = next((r for r in self._journal.records(run_id) if r.kind == "artifacts.pruned"), None)
        if told is not None:
            raise UsageError(
                f"{run_id} was pruned on {told.at:%Y-%m-%d} by {told.body['by']}: {told.body['why']}",
                hint=f"run gtm {self._journal.run(run_id).command} again for a new run",
            )

    def _tell(self, run_id: str, found: Pruning, actor: Actor, why: str) -> None:
        records = self._journal.records(run_id)
        if any(record.kind == "artifacts.pruned" for record in records):
            return  # An earlier pruning died half way: what it told of is removed now.
        gone = sorted(_named(records) & set(found.artifacts))
        body = {"why": why, "by": actor.handle, "identity": actor.identity, "artifacts": gone}
        self._journal.append(run_id, Entry("artifacts.pruned", "", body), durable=True)
        row = self._journal.run(run_id)
        at = self._journal.records(run_id)[-1].at
        self._plans.anchor(row.plan_id, Anchor(run_id, row.seq, row.head), at=at)

    def _why_kept(
        self, row: RunRow, records: Sequence[Record], *, now: datetime, latest: set[str | None]
    ) -> str:
        if row.status not in _ENDED:
            return f"it is {row.status}"
        if row.run_id in latest:
            return "it is the latest of its plan"
        if any(effect.environment for effect in live_effects(records)):
            return "something that it deployed is live"
        in_force = [
            q
            for q in self._journal.question_list(run_id=row.run_id)
            if q.status == "approved" and q.body.get("binding", {}).get("expires_at", "") > now.isoformat()
        ]
        return f"{in_force[0].question_id} is in force" if in_force else ""

    def _bound(self, run_id: str) -> set[str]:
        return {
            sha256
            for question in self._journal.question_list(run_id=run_id)
            for sha256 in question.body.get("binding", {}).get("artifacts", {}).values()
        }

    def _folder(self, row: RunRow) -> str:
        revisions = self._plans.revisions(row.plan_id)
        plan = next(r.definition for r in revisions if r.number == row.revision)
        folder = output_folder(plan, row)
        return folder if (self._root / folder).is_dir() else ""


def _ended_at(records: Sequence[Record]) -> datetime:
    """Return when a run came to its last event, its pruning aside."""
    return [record.at for record in records if record.kind != "artifacts.pruned"][-1]


def _named(records: Iterable[Record]) -> set[str]:
    """Return every artifact that a run's history names, also of attempts that count no more."""
    found: set[str] = set()
    for record in records:
        if record.kind in {"task.outcome", "task.result"}:
            found.update({record.body.get("output", ""), *record.body.get("artifacts", {}).values()})
        elif record.kind == "artifacts.pruned":
            found.update(record.body["artifacts"])
    return found - {""}
