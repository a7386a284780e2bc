"""Looking at plans: the document, its drawing, whether its history verifies, and hand-edited files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.errors import IntegrityError, PlanFormatError, PolicyError, UsageError
from gtm_orchestra.plans.graph import dependency_graph
from gtm_orchestra.plans.model import Waiver
from gtm_orchestra.plans.reading import definition_from
from gtm_orchestra.runs.allowances import checked_decision
from gtm_orchestra.runs.history import History
from gtm_orchestra.runs.questions import authors_of
from gtm_orchestra.runs.services import output_folder
from gtm_orchestra.runs.signing import check_waiver
from gtm_orchestra.state.ledger import Ledger
from gtm_orchestra.state.plan_store import without_actuals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import PlanDefinition, PlanDocument
    from gtm_orchestra.state.journal import Journal, Record, RunRow
    from gtm_orchestra.state.plan_store import PlanStore, Revision

__all__ = ["Verification", "draw", "edited_definition", "verify_plan"]

# A segment that ends in one of these has its end in the plan log, as an anchor.
_ANCHORED = frozenset({"waiting", "escalated", "failed", "blocked", "rejected", "done", "ripped"})


@dataclass(frozen=True)
class Verification:
    """Whether log, journal and plan file agree, with a line on each."""

    ok: bool
    lines: tuple[str, ...]


def verify_plan(
    plans: PlanStore, journal: Journal, plan_id: str, *, root: Path, config: Config
) -> Verification:
    """Recompute every chain of a plan and its runs. Works offline, and says all findings at once."""
    lines: list[str] = []
    ok = True
    try:
        plans.latest(plan_id)
        revisions, anchors = plans.revisions(plan_id), plans.anchors(plan_id)
        lines.append(f"plan log: {len(revisions)} revision(s), {len(anchors)} anchor(s), chain whole")
    except (IntegrityError, PlanFormatError) as error:
        return Verification(ok=False, lines=(f"plan log: {error}",))
    try:
        rows = journal.run_list(plan_id=plan_id)
    except IntegrityError as error:
        return Verification(ok=False, lines=(*lines, f"journal: {error}"))
    for run_id in sorted({anchor.run_id for anchor in anchors} - {row.run_id for row in rows}):
        ok = False
        lines.append(f"journal of {run_id}: gone, but the plan log tells of it; restore .gtm/state.db")
    for row in rows:
        try:
            lines.append(_verified(plans, journal, row, revisions))
            lines += _check_decisions(plans, journal, row, config)
        except (IntegrityError, PolicyError) as error:
            ok = False
            lines.append(f"journal of {row.run_id}: {error}")
            if isinstance(error, IntegrityError):
                # What a changed journal tells of files is not asked.
                continue
        pruned = _pruned(row, journal)
        changed = _changed_files(root, row, journal, revisions) if not pruned else []
        if pruned:
            lines.append(f"outputs of {row.run_id}: {pruned}")
        if changed:
            ok = False
            lines.append(
                f"outputs of {row.run_id}: {', '.join(changed)} changed or gone; "
                f"'gtm runs resume {row.run_id}' writes them again as they were"
            )
    view = plans.view_state(plan_id)
    name = plans.view_path(plan_id).name
    if view.state == "same":
        lines.append(f"{name}: as the log says")
    else:
        ok = False
        what = f" in {', '.join(view.fields)}" if view.fields else f": {view.error}" if view.error else ""
        lines.append(
            f"{name}: {view.state}{what}; 'gtm plan verify {plan_id} --restore' writes it anew"
            + (", '--adopt --reason …' makes a revision of the edit" if view.state == "edited" else "")
        )
    return Verification(ok=ok, lines=tuple(lines))


def _check_decisions(plans: PlanStore, journal: Journal, row: RunRow, config: Config) -> list[str]:
    """Return a line on effects and signed decisions of a run, if it has any.

    Raises:
        IntegrityError: The ledger is not as the journal says, or a decision is not about what was asked.
        PolicyError: Somebody decided who may not, or did not sign as they must.
    """
    records = journal.records(row.run_id)
    lines = []
    count = Ledger(journal).check(row.run_id, records)
    if count:
        lines.append(f"effects of {row.run_id}: {count}, as the journal says")
    authors = authors_of(plans, row)
    answered = [
        q
        for q in journal.question_list(run_id=row.run_id)
        if q.status in {"approved", "changes-requested", "rejected", "answered"}
    ]
    tokens = [
        bool(checked_decision(q, records, config=config, authors=authors).body.get("token")) for q in answered
    ]
    for record in records:
        if record.kind == "waiver" and "token" in record.body:
            waiver, token = Waiver.model_validate(record.body["waiver"]), str(record.body["token"])
            check_waiver(row.run_id, waiver, token, config=config, at=record.at, audit=True)
            tokens.append(bool(token))
    if any(tokens):
        lines.append(f"decisions of {row.run_id}: {sum(tokens)} of {len(tokens)} signed, signatures hold")
    return lines


def _verified(plans: PlanStore, journal: Journal, row: RunRow, revisions: Sequence[Revision]) -> str:
    """Return a line on a run whose journal, questions and anchors are whole.

    Raises:
        IntegrityError: One of them is not.
    """
    heads = plans.heads(row.plan_id, row.run_id)
    count = journal.verify(row.run_id, anchors=heads)
    records = journal.records(row.run_id)
    _check_log(row, revisions, heads, records, plans.chain(row.plan_id))
    return f"journal of {row.run_id}: {count} events, chain whole, {len(heads)} anchor(s) match"


def _pruned(row: RunRow, journal: Journal) -> str:
    """Return when and by whom a run's outputs were removed, or ''."""
    told = next((record for record in journal.records(row.run_id) if record.kind == "artifacts.pruned"), None)
    return f"pruned on {told.at:%Y-%m-%d} by {told.body['by']}: {told.body['why']}" if told else ""


def _changed_files(root: Path, row: RunRow, journal: Journal, revisions: Sequence[Revision]) -> list[str]:
    """Return the published files of a run that are not what the journal says was written."""
    plan = next((r.definition for r in revisions if r.number == row.revision), None)
    if plan is None or row.status not in {"waiting", "escalated", "done"}:
        return []
    folder = root / output_folder(plan, row)
    history = History.of(journal.records(row.run_id))
    files = {n: sha for o in history.outcomes.values() if o.usable for n, sha in o.artifacts.items()}
    return [
        name
        for name, sha256 in sorted(files.items())
        if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != sha256
    ]


def _check_log(
    row: RunRow,
    revisions: Sequence[Revision],
    heads: Sequence[tuple[int, str]],
    records: Sequence[Record],
    chain: Sequence[str],
) -> None:
    """Refuse a plan log that has lost what a run was made of, what the journal has seen, or a segment's end.

    Raises:
        IntegrityError: The log was cut or rewritten.
    """
    if (row.revision, row.digest) not in {(r.number, r.digest) for r in revisions}:
        raise IntegrityError(
            f"executes revision {row.revision}, which the plan log does not hold",
            hint="the log was cut or rewritten; restore it from version control",
        )
    seen = next((r for r in records if r.body.get("log_head", chain[-1]) not in chain), None)
    if seen is not None:
        raise IntegrityError(
            f"has seen an entry of the plan log, at event {seen.seq}, which the log no longer holds",
            hint="the log was cut or rewritten; restore it from version control",
        )
    ends = [r for r in records if r.kind == "run.status" and r.body["status"] in _ANCHORED]
    if ends and not any(seq >= ends[-1].seq for seq, _ in heads):
        raise IntegrityError(
            f"ended a segment as {ends[-1].body['status']}, but the plan log does not tell of it",
            hint="restore it from version control; after a crash, "
            f"'gtm runs resume {row.run_id}' writes what is missing",
        )


def edited_definition(plans: PlanStore, plan_id: str) -> PlanDefinition:
    """Return the definition that somebody wrote into the plan file by hand.

    Raises:
        UsageError: The file was not edited.
        PlanFormatError: It cannot be read as a plan.
    """
    state = plans.view_state(plan_id)
    if state.state == "unreadable":
        raise PlanFormatError(state.error, hint=f"restore it with 'gtm plan verify {plan_id} --restore'")
    if state.state != "edited":
        raise UsageError(f"{plan_id}.json was not edited", hint="there is nothing to adopt")
    document = without_actuals(plans.read_view(plan_id))
    definition = definition_from(document, what=f"{plan_id}.json")
    if definition.plan_id != plan_id:
        raise UsageError(
            f"{plan_id}.json says it is {definition.plan_id!r}", hint="the plan_id cannot be changed"
        )
    return definition


def draw(document: PlanDocument, *, form: str) -> str:
    """Return the drawing of a plan with its progress: form "svg" or "mermaid"."""
    from gtm_orchestra.reports.plan_graph import draw_svg, mermaid  # noqa: PLC0415 - only to draw

    plan = document.definition
    graph = dependency_graph(plan.tasks, plan.gates)
    status = {progress.node: progress.outcome for progress in document.progress}
    nodes = [
        *((t.task_id, t.kind, "task", status.get(t.task_id, "pending")) for t in plan.tasks),
        *(
            (g.gate_id, g.action or "merge", f"{g.kind} gate", status.get(g.gate_id, "pending"))
            for g in plan.gates
        ),
    ]
    edges = sorted(graph.edges)
    if form == "mermaid":
        return mermaid(nodes, edges)
    return draw_svg(nodes, edges)
