"""The history of a workspace: whether it verifies, as rows for an auditor, and as figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import IntegrityError
from gtm_orchestra.reports.tables import csv_bytes
from gtm_orchestra.runs.escalation import over_history
from gtm_orchestra.runs.initiative import facts_of_runs, run_figures
from gtm_orchestra.service.inspection import Verification, verify_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from gtm_orchestra.config import Config
    from gtm_orchestra.runs.initiative import RunFigures
    from gtm_orchestra.state.artifacts import ArtifactStore
    from gtm_orchestra.state.halts import Halts
    from gtm_orchestra.state.journal import Journal, Record
    from gtm_orchestra.state.plan_store import PlanStore

__all__ = ["COLUMNS", "Audit", "TrailRow", "trail_csv"]

COLUMNS = ("at", "plan", "run", "seq", "kind", "node", "actor", "identity", "what", "why", "hash")
# Where an event's body says who did it, what it was, and why; the first that is there counts.
_WHO = ("actor", "by", "started_by", "agent")
_WHAT = ("answer", "name", "error", "status", "effect", "trigger", "question_id", "from", "attempt")
_WHY = ("reason", "why", "note")


@dataclass(frozen=True)
class TrailRow:
    """One event or revision, flat. `hash` is that of its chain up to here."""

    at: str
    plan: str
    run: str
    seq: int
    kind: str
    node: str
    actor: str
    identity: str
    what: str
    why: str
    hash: str


class Audit:
    """The history of one workspace."""

    def __init__(
        self,
        root: Path,
        *,
        config: Config,
        journal: Journal,
        plans: PlanStore,
        artifacts: ArtifactStore,
        halts: Halts,
    ) -> None:
        self._root = root
        self._config = config
        self._journal = journal
        self._plans = plans
        self._artifacts = artifacts
        self._halts = halts

    def verify(self, plan_id: str | None = None) -> Verification:
        """Recompute every chain of a plan and its runs, or of all; offline, with every finding at once."""
        if plan_id is not None:
            return verify_plan(self._plans, self._journal, plan_id, root=self._root, config=self._config)
        lines: list[str] = []
        ok = True
        for known in self._plans.ids():
            found = verify_plan(self._plans, self._journal, known, root=self._root, config=self._config)
            ok = ok and found.ok
            lines += [f"{known}: {line}" for line in found.lines]
        without = [row for row in self._journal.run_list() if row.plan_id not in self._plans.ids()]
        lines += [f"{row.run_id}: the log of its plan {row.plan_id} is gone; restore it" for row in without]
        try:
            lines.append(f"pauses and cancellations: {len(self._halts.entries())}, chain whole")
        except IntegrityError as error:
            ok = False
            lines.append(f"pauses and cancellations: {error}")
        return Verification(ok=ok and not without, lines=tuple(lines))

    def trail(self, *, initiative: str | None = None, since: datetime | None = None) -> Iterator[TrailRow]:
        """Yield one row per revision, anchor, event, pause and cancellation: plan by plan, in order.

        No row holds a customer's value: neither does any of what it is made of.

        Args:
            initiative: Only its plans and runs; pauses belong to all.
            since: Only what happened at or after this moment.

        Raises:
            IntegrityError: A chain does not verify; see `verify`.
        """
        bound = since.isoformat() if since is not None else ""
        for row in self._rows(initiative):
            if row.at >= bound:
                yield row

    def figures(self, initiative: str) -> tuple[RunFigures, ...]:
        """Return the figures of an initiative's runs, the oldest first."""
        return tuple(
            run_figures(row, self._journal.records(row.run_id), self._artifacts)
            for row in self._journal.run_list()
            if row.initiative == initiative
        )

    def totals(self, initiative: str) -> dict[str, float]:
        """Return what an initiative's runs come to together, as triggers count it: ``failures("qa")`` → 2."""
        runs = facts_of_runs(initiative, journal=self._journal, plans=self._plans, artifacts=self._artifacts)
        total = sorted(over_history(runs).items())
        return {f'{function}("{name}")': value for (function, name, _), value in total}

    def _rows(self, initiative: str | None) -> Iterator[TrailRow]:
        for plan_id in self._plans.ids():
            if initiative not in {None, self._plans.latest(plan_id).definition.initiative}:
                continue
            for entry in self._plans.log_text(plan_id):
                yield _log_row(plan_id, entry)
            for run in self._journal.run_list(plan_id=plan_id):
                for record in self._journal.records(run.run_id):
                    yield _event_row(plan_id, record)
        for number, halt in enumerate(self._halts.entries(), start=1):
            yield TrailRow(
                at=halt.at.isoformat(),
                plan="",
                run=halt.run_id,
                seq=number,
                kind=f"workspace.{halt.what}",
                node="",
                actor=halt.by,
                identity=halt.identity,
                what=halt.what,
                why=halt.why,
                hash=halt.hash,
            )


def trail_csv(rows: Iterator[TrailRow]) -> bytes:
    """Return rows as CSV for a spreadsheet: no cell can be run as a formula."""
    return csv_bytes(COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows))


def _log_row(plan_id: str, entry: dict[str, Any]) -> TrailRow:
    body = entry["body"]
    change = body.get("change", {})
    return TrailRow(
        at=entry["at"],
        plan=plan_id,
        run=str(body.get("run", "")),
        seq=entry["seq"],
        kind=f"plan.{entry['kind']}",
        node="",
        actor=change.get("actor", "gtm"),
        identity=change.get("identity", ""),
        what=change.get("what", f"journal at event {body.get('seq')}: {body.get('head')}"),
        why=change.get("why", ""),
        hash=entry["hash"],
    )


def _event_row(plan_id: str, record: Record) -> TrailRow:
    body = {**record.body, **record.body.get("waiver", {})}
    return TrailRow(
        at=record.at.isoformat(),
        plan=plan_id,
        run=record.run_id,
        seq=record.seq,
        kind=record.kind,
        node=record.node,
        actor=_first(body, _WHO) or "gtm",
        identity=str(body.get("identity", "")),
        what=_first(body, _WHAT),
        why=_first(body, _WHY),
        hash=record.hash,
    )


def _first(body: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((str(body[name]) for name in names if body.get(name) not in (None, "")), "")
