"""The consent log: every change, one row; the latest counts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from gtm_orchestra.sample.draws import (
    DAY,
    HOUR,
    MISSING,
    Indices,
    id_column,
    label_column,
    stream,
    time_column,
)
from gtm_orchestra.sample.population import PURPOSES, ConsentState, Population, contact_id

__all__ = ["draw_consents"]

STATUSES = ("granted", "denied", "withdrawn")
FORMS = ("signup_form", "cookie_banner", "preference_center", "list_import")
_LIFE = 730 * DAY


def draw_consents(people: Population, start: int, stop: int) -> tuple[pa.Table, int]:
    """Return the log of the records from `start` up to `stop`, shuffled, and how many of its rows are broken.

    A broken row has no person or no time; such a row never decides a status.
    """
    tables = [_log(people, purpose, start, stop) for purpose in PURPOSES]
    rows: dict[str, Indices] = {name: np.concatenate([one[name] for one in tables]) for name in tables[0]}
    rng = stream(people.seed, "consent faults", start)
    count = len(rows["record"])
    extra = max(2, round(0.03 / 0.97 * count))
    order = np.concatenate([np.arange(count), rng.integers(0, count, extra)])
    shuffled = rng.permutation(count + extra)
    order, ordinal = order[shuffled], shuffled - count
    rows = {name: column[order] for name, column in rows.items()}
    table = pa.table(
        {
            "contact_id": id_column(contact_id(rows["record"]), missing=(ordinal >= 0) & (ordinal % 2 == 0)),
            "purpose": label_column(tuple(PURPOSES), rows["purpose"]),
            "status": label_column(STATUSES, rows["status"]),
            "changed_at": time_column(rows["at"], (ordinal >= 0) & (ordinal % 2 == 1)),
            "expires_at": time_column(rows["expires"]),
            "proof": id_column(rows["proof"], "cf-", missing=rows["proof"] < 0),
            "captured_by": label_column(FORMS, rows["form"]),
        }
    )
    return table, extra


def _log(people: Population, purpose: str, start: int, stop: int) -> dict[str, Indices]:
    """Return the latest change of everybody, then earlier opposite ones of some."""
    position = list(PURPOSES).index(purpose)
    rng = stream(people.seed, f"consent log {purpose}", start)
    state = people.consent[purpose][start:stop]
    record = np.flatnonzero(state != ConsentState.NONE) + start
    state = state[record - start]
    created, size = people.created[record], len(record)
    latest = people.now - HOUR
    at = created + 120 + (rng.random(size) * (latest - created - 120)).astype(np.int64)
    # Somebody always changed their mind an hour ago, so that the log is fresh at every size.
    at[np.isin(state, [ConsentState.GRANTED, ConsentState.DENIED]).argmax()] = latest
    yes = np.where(state == ConsentState.UNPROVEN, rng.random(size) < 0.7, state != ConsentState.DENIED)  # noqa: PLR2004  share
    no = 1 + (rng.random(size) < 0.3).astype(np.int64)  # noqa: PLR2004  share
    runs_out = np.maximum(at + _LIFE, people.now + 30 * DAY + rng.integers(0, 300 * DAY, size))
    ran_out = at + (rng.uniform(0.3, 0.9, size) * (people.now - at)).astype(np.int64)
    expires = np.where(yes, np.where(state == ConsentState.EXPIRED, ran_out, runs_out), MISSING)
    proof = np.where(state == ConsentState.UNPROVEN, -1, 800_000_000 + record * len(PURPOSES) + position)
    before = rng.random(size) < 0.12  # noqa: PLR2004  share
    earlier = created + (rng.random(size) * 0.9 * (at - created)).astype(np.int64)
    log = {
        "record": (record, record),
        "purpose": (np.full(size, position), np.full(size, position)),
        "status": (np.where(yes, 0, no), np.where(yes, no, 0)),
        "at": (at, earlier),
        "expires": (expires, np.where(yes, MISSING, earlier + _LIFE)),
        "proof": (proof, 900_000_000 + record * len(PURPOSES) + position),
        "form": (
            np.where(proof < 0, FORMS.index("list_import"), rng.integers(0, 3, size)),
            rng.integers(0, 3, size),
        ),
    }
    return {name: np.concatenate([now, then[before]]) for name, (now, then) in log.items()}
