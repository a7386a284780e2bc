"""The effect ledger: one row per effect, in the journal's database and in the journal's transactions.

    intended ─► applied ─► recorded ─► undoing ─► undone
        │          │
        └─► failed, unknown (a blind one: nobody can tell whether it happened)

Every step is written together with its event, so that the rows can be recomputed from the journal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import ValidationError

from gtm_orchestra.errors import ConflictError, IntegrityError
from gtm_orchestra.plans.effects import EffectRequest, Receipt, digest_of
from gtm_orchestra.plans.parse import canonical_json
from gtm_orchestra.state.database import database_errors, effects, events
from gtm_orchestra.state.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gtm_orchestra.plans.effects import EffectPhase
    from gtm_orchestra.plans.model import EffectClass, UndoClass
    from gtm_orchestra.state.journal import EventKind, Journal, Record

__all__ = ["EffectRow", "Ledger", "StoppedError"]

_RESTORE = "restore .gtm/state.db from a backup"
_EVENTS: dict[str, EventKind] = {"undoing": "effect.undo_intent", "undone": "effect.undone"}


class StoppedError(Exception):
    """The run was cancelled or its rip-cord pulled: no further effect may begin. Control flow, no error."""


@dataclass(frozen=True)
class EffectRow:
    """Where one effect stands.

    Attributes:
        key: The idempotency key that the destination is given.
        position: Which effect of its run, from 1: they are taken back in the reverse order.
        number: Which effect of its task, from 1.
        allowance: Which effect of which approval it has used up; None where none was needed.
        receipt: What was read back.
    """

    key: str
    run_id: str
    position: int
    node: str
    number: int
    effect_class: EffectClass
    undo_class: UndoClass
    request: EffectRequest
    phase: EffectPhase
    allowance: str | None = None
    receipt: Receipt | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """What it is, for people: action, target, environment."""
        where = f" in {self.request.environment}" if self.request.environment else ""
        return f"{self.request.action} on {self.request.target}{where}"


class Ledger:
    """The effects of one workspace's runs."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def rows(self, run_id: str) -> tuple[EffectRow, ...]:
        """Return the effects of a run, in the order in which they were intended."""
        query = sa.select(effects).where(effects.c.run_id == run_id).order_by(effects.c.position)
        with database_errors(), self._journal.engine.connect() as connection:
            return tuple(_row(values) for values in connection.execute(query).mappings())

    def intend(self, row: EffectRow) -> EffectRow:
        """Write that an effect is about to happen, using up its allowance; durable before it returns.

        Raises:
            StoppedError: The run was cancelled or ripped, perhaps by another process.
            ConflictError: It was intended before, or its approval has been used up.
        """
        position = 0

        def insert(execute: Callable[[Any, Mapping[str, object]], Any]) -> None:
            nonlocal position
            if execute(_STOPPED, {"run": row.run_id}).fetchone() is not None:
                raise StoppedError
            if execute(_PHASE, {"key": row.key}).fetchone() is not None:
                raise ConflictError(
                    f"{row.name} of {row.node} is under way already", hint="see 'gtm runs show'"
                )
            taken = row.allowance and execute(_TAKEN, {"allowance": row.allowance}).fetchone()
            if taken:
                raise ConflictError(
                    f"the approval of {row.name} has been used up: it allows one",
                    hint="run the command again: it asks anew",
                )
            position = int(execute(_COUNT, {"run": row.run_id}).fetchone()[0]) + 1
            execute(_INSERT, _values(replace(row, position=position)))

        # The body is made before the position is known; only the order of the events counts.
        body = {**_body(row), "request_sha256": digest_of(row.request)}
        self._journal.append(row.run_id, Entry("effect.intent", row.node, body), durable=True, first=insert)
        return replace(row, position=position)

    def move(
        self,
        row: EffectRow,
        phase: EffectPhase,
        *,
        receipt: Receipt | None = None,
        note: str = "",
        durable: bool = True,
    ) -> EffectRow:
        """Write that an effect has come to a phase.

        Raises:
            ConflictError: Somebody else has moved it meanwhile; nothing is written.
        """
        moved = replace(row, phase=phase, receipt=receipt or row.receipt, note=note)

        def update(execute: Callable[[Any, Mapping[str, object]], Any]) -> None:
            values = {"the_key": row.key, "seen": row.phase, "now": phase, "said": _receipt(moved)}
            if execute(_MOVE, {**values, "why": note}).rowcount != 1:
                raise ConflictError(
                    f"{row.name} of {row.node} is no longer {row.phase}", hint="resume the run"
                )

        body = {
            "key": row.key,
            "number": row.number,
            "phase": phase,
            "receipt": _receipt(moved),
            "note": note,
        }
        entry = Entry(_EVENTS.get(phase, "effect.outcome"), row.node, {**body, "effect": row.name})
        self._journal.append(row.run_id, entry, durable=durable, first=update)
        return moved

    def check(self, run_id: str, records: Iterable[Record]) -> int:
        """Compare a run's effects with what its journal says; return their number.

        Raises:
            IntegrityError: A row was changed, added or removed.
        """
        told = _told(run_id, records)
        rows = {row.key: row for row in self.rows(run_id)}
        wrong = sorted(key for key in told.keys() | rows.keys() if told.get(key) != rows.get(key))
        if wrong:
            names = sorted({(told.get(key) or rows[key]).name for key in wrong})
            raise IntegrityError(
                f"the effect ledger of {run_id} was changed: {', '.join(names)} "
                f"{'is' if len(names) == 1 else 'are'} not as the journal says",
                hint=_RESTORE,
            )
        return len(rows)


def _told(run_id: str, records: Iterable[Record]) -> dict[str, EffectRow]:
    """Return the effects as the journal tells of them."""
    told: dict[str, EffectRow] = {}
    for record in records:
        body = record.body
        if record.kind == "effect.intent":
            values = {**body, "run_id": run_id, "node": record.node, "position": len(told) + 1}
            told[body["key"]] = _row({**values, "phase": "intended", "receipt": "", "note": ""})
        elif record.kind in {"effect.outcome", "effect.undo_intent", "effect.undone"}:
            receipt = Receipt.model_validate_json(body["receipt"]) if body["receipt"] else None
            told[body["key"]] = replace(
                told[body["key"]], phase=body["phase"], receipt=receipt, note=body["note"]
            )
    return told


def _body(row: EffectRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "number": row.number,
        "effect": row.name,
        "effect_class": row.effect_class,
        "undo_class": row.undo_class,
        "request": _json(row.request),
        "allowance": row.allowance,
    }


def _values(row: EffectRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return {**values, "request": _json(row.request), "receipt": _receipt(row)}


def _json(model: EffectRequest | Receipt) -> str:
    return canonical_json(model.model_dump(mode="json")).decode()


def _receipt(row: EffectRow) -> str:
    return _json(row.receipt) if row.receipt is not None else ""


def _row(values: Mapping[Any, Any]) -> EffectRow:
    known = {name: values[name] for name in _COLUMNS}
    try:
        known["request"] = EffectRequest.model_validate(json.loads(known["request"]))
        known["receipt"] = Receipt.model_validate(json.loads(known["receipt"])) if known["receipt"] else None
    except (ValidationError, ValueError, TypeError, RecursionError) as error:
        raise IntegrityError(
            f"an effect of {values['run_id']!r} in the state database cannot be read", hint=_RESTORE
        ) from error
    return EffectRow(**known)


_COLUMNS = tuple(column.name for column in effects.columns)
_STOPPED = (
    sa.select(events.c.seq)
    .where(events.c.run_id == sa.bindparam("run"))
    .where(events.c.kind.in_([sa.literal_column("'ripcord'"), sa.literal_column("'run.cancelled'")]))
)
_PHASE = sa.select(effects.c.phase).where(effects.c.key == sa.bindparam("key"))
_TAKEN = sa.select(effects.c.key).where(effects.c.allowance == sa.bindparam("allowance"))
_COUNT = sa.select(sa.func.count()).select_from(effects).where(effects.c.run_id == sa.bindparam("run"))
_INSERT = effects.insert()
_MOVE = (
    effects.update()
    .where(effects.c.key == sa.bindparam("the_key"), effects.c.phase == sa.bindparam("seen"))
    .values(phase=sa.bindparam("now"), receipt=sa.bindparam("said"), note=sa.bindparam("why"))
)
