"""The plan log: every revision of a plan, who made it and why; append-only and hash-chained.

`.claude/plans/plan-<ts>.log.jsonl` is the truth; `plan-<ts>.json` beside it is a view for people, rewritten
from the log and the journal. Anchors in the log hold the journal's head, so that neither is cut unnoticed.
"""

from __future__ import annotations

import hashlib
import re
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError
from pydantic_core import to_json

from gtm_orchestra.errors import ConflictError, IntegrityError, PlanFormatError, UsageError
from gtm_orchestra.plans.digest import digest_of
from gtm_orchestra.plans.model import Change, PlanDefinition
from gtm_orchestra.plans.parse import MAX_BYTES, canonical_json, parse_json
from gtm_orchestra.state.files import append_line, cut_back, replace_file, storage_errors
from gtm_orchestra.state.locks import held

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

__all__ = ["Anchor", "PlanStore", "Revision", "ViewState", "without_actuals"]

_DEFAULTS: dict[str, Any] = {
    name: list(value) if isinstance(value, tuple) else value
    for name, field in PlanDefinition.model_fields.items()
    if not field.is_required()
    for value in (field.get_default(call_default_factory=True),)
}
_PLAN_ID = re.compile(r"plan-[0-9]{8}T[0-9]{6}Z(-[0-9]{1,3})?")
_GENESIS = "0" * 64
_LOCK_WAIT_S = 10.0
_KEPT = 16  # logs held in memory; about a megabyte each at the most


@dataclass(frozen=True)
class Revision:
    """One revision of a plan's definition."""

    definition: PlanDefinition
    change: Change
    digest: str

    @property
    def number(self) -> int:
        """Its number; the first is 1."""
        return self.change.revision


@dataclass(frozen=True)
class Anchor:
    """The head of a run's journal at a moment that matters (a gate, a decision, the end)."""

    run_id: str
    seq: int
    head: str


@dataclass(frozen=True)
class ViewState:
    """How the plan file compares with the log."""

    state: Literal["same", "missing", "edited", "unreadable"]
    fields: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class _Verified:
    """The bytes of a log as they were last verified, and what they say; other bytes are verified anew."""

    data: bytes = b""
    entries: tuple[dict[str, Any], ...] = ()
    revisions: tuple[Revision, ...] = ()
    torn: bool = False  # whether more stands behind these bytes: a write that a crash cut short

    @property
    def head(self) -> str:
        """The hash that the next entry goes on from."""
        return str(self.entries[-1]["hash"]) if self.entries else _GENESIS


class PlanStore:
    """The plans of one workspace."""

    def __init__(self, root: Path, locks: Path) -> None:
        self._folder = root / ".claude" / "plans"
        self._locks = locks
        self._verified: dict[str, _Verified] = {}

    def new_id(self, at: datetime) -> str:
        """Return a plan id of this second that no plan has yet."""
        base = f"plan-{at:%Y%m%dT%H%M%SZ}"
        ids = (base, *(f"{base}-{n}" for n in range(2, 1000)))
        return next(plan_id for plan_id in ids if not self._log(plan_id).exists())

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all plans, oldest first."""
        with storage_errors("the plans folder"):
            return tuple(
                sorted(path.name.removesuffix(".log.jsonl") for path in self._folder.glob("plan-*.log.jsonl"))
            )

    def create(self, definition: PlanDefinition, *, change: Callable[[int], Change]) -> Revision:
        """Write the first revision of a plan.

        Raises:
            ConflictError: A plan of this id exists.
        """
        return self._append_revision(definition, change, expected=0)

    def revise(
        self, definition: PlanDefinition, *, expected: int, change: Callable[[int], Change]
    ) -> Revision:
        """Write a further revision, if the plan is still at the revision that the caller has read.

        Raises:
            ConflictError: Somebody else has revised it meanwhile; the message shows both sides.
        """
        return self._append_revision(definition, change, expected=expected)

    def anchor(self, plan_id: str, anchor: Anchor, *, at: datetime) -> None:
        """Write the journal's head into the log; the same head twice is written once."""
        with held(self._locks, plan_id, wait_s=_LOCK_WAIT_S):
            known = self._read(plan_id)
            body = {"run": anchor.run_id, "seq": anchor.seq, "head": anchor.head}
            if not any(entry["kind"] == "anchor" and entry["body"] == body for entry in known.entries):
                self._write(plan_id, known, "anchor", at, body)

    def revisions(self, plan_id: str) -> tuple[Revision, ...]:
        """Return all revisions, the first first.

        Raises:
            UsageError: No such plan.
            IntegrityError: The log does not verify.
        """
        return self._read(plan_id).revisions

    def latest(self, plan_id: str) -> Revision:
        """Return the revision that holds now.

        Raises:
            IntegrityError: The log holds none: it was cut.
        """
        revisions = self.revisions(plan_id)
        if not revisions:
            raise IntegrityError(
                f"{plan_id}.log.jsonl holds no revision: it was cut", hint="restore it from version control"
            )
        return revisions[-1]

    def chain(self, plan_id: str) -> tuple[str, ...]:
        """Return the hash of every entry of the log, the first first; the journal keeps some of them."""
        return tuple(str(entry["hash"]) for entry in self._read(plan_id).entries)

    def revision(self, plan_id: str, number: int) -> Revision:
        """Return one revision.

        Raises:
            IntegrityError: The log does not hold it: it was cut.
        """
        for revision in self.revisions(plan_id):
            if revision.number == number:
                return revision
        raise IntegrityError(
            f"{plan_id}.log.jsonl holds no revision {number}: it was cut",
            hint="restore it from version control",
        )

    def anchors(self, plan_id: str) -> tuple[Anchor, ...]:
        """Return the journal heads that the log holds."""
        found = (e["body"] for e in self._read(plan_id).entries if e["kind"] == "anchor")
        return tuple(Anchor(body["run"], body["seq"], body["head"]) for body in found)

    def heads(self, plan_id: str, run_id: str) -> tuple[tuple[int, str], ...]:
        """Return the heads of one run's journal that the log holds, as `Journal.verify` takes them."""
        return tuple((a.seq, a.head) for a in self.anchors(plan_id) if a.run_id == run_id)

    def log_text(self, plan_id: str) -> list[dict[str, Any]]:
        """Return the verified entries of the log as they stand."""
        return deepcopy(list(self._read(plan_id).entries))

    def view_path(self, plan_id: str) -> Path:
        """Return where the plan file lies."""
        return self._folder / f"{plan_id}.json"

    def write_view(self, plan_id: str, document: dict[str, Any]) -> None:
        """Write the plan file, atomically."""
        # Not synced: what a power cut takes is written anew from log and journal.
        replace_file(self.view_path(plan_id), to_json(document, indent=2) + b"\n", durable=False)

    def view_state(self, plan_id: str) -> ViewState:
        """Say whether the plan file's definition is the log's: a hand-edited file is noticed here."""
        definition = self.latest(plan_id).definition.model_dump(mode="json")
        try:
            seen = self.read_view(plan_id)
        except FileNotFoundError:
            return ViewState("missing")
        except PlanFormatError as error:
            return ViewState("unreadable", error=str(error))
        seen = without_actuals(seen)
        # A plan file of an earlier version lacks the fields that came later: that is no edit.
        fields = tuple(n for n in definition if seen.get(n, _DEFAULTS.get(n)) != definition[n])
        if fields:
            read = _as_read(seen)
            fields = tuple(n for n in fields if read.get(n) != definition[n])
        return ViewState("edited", fields=fields) if fields else ViewState("same")

    def read_view(self, plan_id: str) -> dict[str, Any]:
        """Return the plan file as it stands on disk, parsed strictly.

        Raises:
            FileNotFoundError: There is none.
            PlanFormatError: It cannot be read as a plan.
        """
        path = self.view_path(plan_id)
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
        value = parse_json(data, what=path.name)
        if not isinstance(value, dict):
            raise PlanFormatError(
                f"{path.name} holds no JSON object", hint="restore it with 'gtm plan verify --restore'"
            )
        return value

    def _log(self, plan_id: str) -> Path:
        return self._folder / f"{plan_id}.log.jsonl"

    def _append_revision(
        self, definition: PlanDefinition, change: Callable[[int], Change], expected: int
    ) -> Revision:
        plan_id = definition.plan_id
        with held(self._locks, plan_id, wait_s=_LOCK_WAIT_S):
            known = self._read(plan_id, must_exist=False)
            if len(known.revisions) != expected:
                raise _conflict(plan_id, expected, known.revisions)
            made = Revision(definition, change(expected + 1), digest_of(definition))
            body = {
                "definition": definition.model_dump(mode="json"),
                "change": made.change.model_dump(mode="json"),
                "digest": made.digest,
            }
            # As it stands in the log: whatever is made of it later is made of the same.
            return self._write(plan_id, known, "revision", made.change.at, body).revisions[-1]

    def _write(
        self, plan_id: str, known: _Verified, kind: str, at: datetime, body: dict[str, Any]
    ) -> _Verified:
        """Append an entry; return what the log says with it."""
        path = self._log(plan_id)
        if known.torn:
            cut_back(path, len(known.data))
        first = canonical_json({"at": at.isoformat(), "body": body})[:-1]
        last = canonical_json({"kind": kind, "prev": known.head, "seq": len(known.entries) + 1})[1:]
        line = first + _seal(hashlib.sha256(first + b"," + last).hexdigest()) + last
        # Read as any reader will, before it is written: no log holds a line that cannot be read.
        known = _extended(replace(known, torn=False), known.data + line + b"\n", plan_id)
        if len(known.entries) > 1:
            append_line(path, line)
        else:
            # A log has its first revision from the moment it has a name.
            replace_file(path, line + b"\n")
        self._keep(plan_id, known)
        return known

    def _read(self, plan_id: str, *, must_exist: bool = True) -> _Verified:
        """Return what a log says; what was verified before is not verified again while its bytes stand."""
        if _PLAN_ID.fullmatch(plan_id) is None or not self._log(plan_id).exists():
            if not must_exist and _PLAN_ID.fullmatch(plan_id) is not None:
                return _Verified()
            raise UsageError(f"no plan {plan_id[:80]!r} in this workspace", hint="see 'gtm plan list'")
        path = self._log(plan_id)
        with storage_errors(path.name):
            data = path.read_bytes()
        # What follows the last newline was never acknowledged: a write that a crash cut short.
        whole = data[: data.rfind(b"\n") + 1]
        known = self._verified.get(plan_id, _Verified())
        if not whole.startswith(known.data):
            known = _Verified()
        if len(whole) > len(known.data):
            known = _extended(known, whole, plan_id)
            self._keep(plan_id, known)
        return replace(known, torn=len(whole) < len(data))

    def _keep(self, plan_id: str, known: _Verified) -> None:
        others = [(key, value) for key, value in self._verified.items() if key != plan_id]
        self._verified = dict([*others, (plan_id, known)][-_KEPT:])


def _extended(known: _Verified, data: bytes, plan_id: str) -> _Verified:
    """Return what is known of a log and of the lines behind that: parsed, their chain recomputed."""
    name, head = f"{plan_id}.log.jsonl", known.head
    lines = data[len(known.data) :].split(b"\n")[:-1]
    entries = list(known.entries)
    for number, line in enumerate(lines, start=len(entries) + 1):
        entry = parse_json(line, what=f"{name} line {number}", max_bytes=2 * MAX_BYTES)
        if not isinstance(entry, dict) or entry.get("prev") != head or not _is_sealed(entry, line):
            raise IntegrityError(
                f"{name} was changed at entry {number} of {len(known.entries) + len(lines)}",
                hint="restore the file from version control; 'gtm plan verify' tells when it is whole",
            )
        head = str(entry["hash"])
        entries.append(entry)
    new = entries[len(known.entries) :]
    revisions = tuple(_revision(entry["body"], plan_id) for entry in new if entry["kind"] == "revision")
    return _Verified(data, tuple(entries), known.revisions + revisions)


def _as_read(seen: dict[str, Any]) -> dict[str, Any]:
    """Return a plan file's definition as this version reads it, with what came later inside its tasks."""
    try:
        read = PlanDefinition.model_validate({n: seen[n] for n in PlanDefinition.model_fields if n in seen})
    except ValidationError:
        return seen
    return read.model_dump(mode="json")


def without_actuals(document: dict[str, Any]) -> dict[str, Any]:
    """Return a plan file without the metrics' actual values: the runs know them, nobody plans them."""
    metrics = document.get("success_metrics")
    if not isinstance(metrics, list) or not all(isinstance(metric, dict) for metric in metrics):
        return document
    return {**document, "success_metrics": [{**metric, "actual": None} for metric in metrics]}


def _seal(sha256: str) -> bytes:
    """Return how an entry's hash stands in its line, between the keys before and behind it."""
    return f',"hash":"{sha256}",'.encode()


def _is_sealed(entry: dict[str, Any], line: bytes) -> bool:
    """Whether an entry's hash is that of the rest of the entry."""
    # As this program writes it, the line without the hash is the canonical text of the rest.
    rest = line.replace(_seal(str(entry.get("hash"))), b",")
    if hashlib.sha256(rest).hexdigest() == entry.get("hash"):
        return True
    rest = canonical_json({k: v for k, v in entry.items() if k != "hash"})
    return hashlib.sha256(rest).hexdigest() == entry.get("hash")


def _revision(body: dict[str, Any], plan_id: str) -> Revision:
    try:
        definition = PlanDefinition.model_validate(body["definition"])
        return Revision(definition, Change.model_validate(body["change"]), str(body["digest"]))
    except (ValidationError, KeyError) as error:
        raise IntegrityError(
            f"{plan_id}.log.jsonl holds a revision that this version cannot read",
            hint="use the version that wrote it",
        ) from error


def _conflict(plan_id: str, expected: int, revisions: tuple[Revision, ...]) -> ConflictError:
    if not expected:
        return ConflictError(f"plan {plan_id!r} exists already", hint="see 'gtm plan show'")
    last = revisions[-1].change if revisions else None
    seen = f"revision {len(revisions)} ({last.what!r} by {last.actor})" if last else "no revision"
    return ConflictError(
        f"plan {plan_id!r} is at {seen}; your change was made on revision {expected}",
        hint="read the plan again with 'gtm plan show' and repeat your change",
    )
