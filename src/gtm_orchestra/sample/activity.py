"""The events table and the identities that join anonymous visitors to known people."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from gtm_orchestra.sample.archetypes import ARCHETYPES, INDEX, REPEATED_EVENTS
from gtm_orchestra.sample.draws import (
    DAY,
    HOUR,
    MISSING,
    Indices,
    choose,
    id_column,
    label_column,
    stream,
    time_column,
    working_time,
)
from gtm_orchestra.sample.population import Population, contact_id

__all__ = ["EVENTS", "EventCounts", "draw_events", "draw_identities"]

EVENTS = (*REPEATED_EVENTS, "signed_up", "activated", "upgraded")
SIGNED_UP, ACTIVATED, UPGRADED = range(len(REPEATED_EVENTS), len(EVENTS))
_SEEN_ON_THE_WEB = ("page_viewed", "pricing_viewed", "docs_viewed")
_MEMORY = 365 * DAY  # the event store keeps a year
_NEWEST = 300  # seconds before the as-of
_LATE_FROM, _LATE_TO = 25 * HOUR, 72 * HOUR


@dataclass
class EventCounts:
    """What was written to the events table so far."""

    rows: int = 0
    broken: int = 0
    late: int = 0
    newest: int = MISSING
    anonymous_seen: list[Indices] = field(default_factory=list)


@dataclass(frozen=True)
class _Happened:
    """Events: which record (-1: a stranger), under which visitor number (-1: none), what and when."""

    record: Indices
    visitor: Indices
    what: Indices
    when: Indices

    @classmethod
    def together(cls, *parts: _Happened) -> _Happened:
        return cls(
            *(np.concatenate([getattr(one, name) for one in parts]) for name in cls.__dataclass_fields__)
        )

    def take(self, rows: Indices) -> _Happened:
        return _Happened(self.record[rows], self.visitor[rows], self.what[rows], self.when[rows])


def draw_events(people: Population, start: int, stop: int, counts: EventCounts) -> pa.Table:
    """Return the events of the records from `start` up to `stop`, and of strangers, and add to `counts`.

    In the order in which they were received.
    """
    record = np.arange(start, stop)
    happened = _Happened.together(
        _repeated(people, record),
        _milestones(people, record),
        _before_known(people, record),
        _strangers(people, record),
    )
    rng = stream(people.seed, "event faults", start)
    rows = len(happened.when)
    broken = max(2, round(0.03 / 0.97 * rows))
    happened = _Happened.together(happened, happened.take(rng.integers(0, rows, broken)))
    ordinal = np.arange(rows + broken) - rows
    no_key, no_time = (ordinal >= 0) & (ordinal % 2 == 0), (ordinal >= 0) & (ordinal % 2 == 1)
    late = (ordinal < 0) & (happened.when < people.now - 4 * DAY) & (rng.random(len(ordinal)) < 0.015)  # noqa: PLR2004  share
    delay = np.where(late, rng.integers(_LATE_FROM, _LATE_TO, len(late)), rng.integers(5, 240, len(late)))
    received = happened.when + delay
    order = np.argsort(received, kind="stable")
    table = pa.table(
        {
            "event_id": pa.array(counts.rows + np.arange(len(order))),
            "contact_id": id_column(
                contact_id(happened.record[order]), missing=(no_key | (happened.record < 0))[order]
            ),
            "anonymous_id": id_column(
                _visitor_id(happened.visitor[order]), "v-", missing=(no_key | (happened.visitor < 0))[order]
            ),
            "event_name": label_column(EVENTS, happened.what[order]),
            "occurred_at": time_column(happened.when[order], no_time[order]),
            "received_at": time_column(received[order]),
        }
    )
    counts.rows += len(order)
    counts.broken += broken
    counts.late += int(late.sum())
    counts.newest = max(counts.newest, int(happened.when.max()))
    counts.anonymous_seen.append(np.unique(happened.visitor[happened.visitor >= 0]))
    return table


def draw_identities(people: Population) -> tuple[pa.Table, int]:
    """Return the identities table, one row per stitched visitor, and how many of its rows are broken."""
    record = np.repeat(np.arange(people.size), people.anonymous)
    first = np.cumsum(people.anonymous) - people.anonymous
    visitor = record * 2 + (np.arange(len(record)) - first[record])
    rng = stream(people.seed, "broken identities")
    extra = max(2, round(0.03 * len(record)))
    again = rng.integers(0, len(record), extra)
    record, visitor = np.concatenate([record, record[again]]), np.concatenate([visitor, visitor[again]])
    ordinal = np.arange(len(record)) - (len(record) - extra)
    order = rng.permutation(len(record))
    table = pa.table(
        {
            "anonymous_id": id_column(
                _visitor_id(visitor[order]), "v-", missing=((ordinal >= 0) & (ordinal % 2 == 0))[order]
            ),
            "contact_id": id_column(
                contact_id(record[order]), missing=((ordinal >= 0) & (ordinal % 2 == 1))[order]
            ),
            "linked_at": time_column(people.created[record[order]]),
        }
    )
    return table, extra


def _visitor_id(visitor: Indices) -> Indices:
    return 400_000_000 + visitor * 19


def _repeated(people: Population, record: Indices) -> _Happened:
    rng = stream(people.seed, "events", int(record[0]))
    kind = people.kind[record]
    least, mean = (np.array([getattr(one, name) for one in ARCHETYPES]) for name in ("least", "mean"))
    counts = least[kind] + rng.poisson(mean[kind])
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    row, what = cell // len(REPEATED_EVENTS), cell % len(REPEATED_EVENTS)
    begin, end = _active(people, record)
    when = begin[row] + (rng.random(len(row)) * (end - begin)[row]).astype(np.int64)
    when = working_time(rng, when, begin[row], end[row])
    who = record[row]
    on_web = np.isin(what, [EVENTS.index(name) for name in _SEEN_ON_THE_WEB])
    seen = on_web & (people.anonymous[who] > 0) & (rng.random(len(who)) < 0.4)  # noqa: PLR2004  share
    return _Happened(who, np.where(seen, who * 2, -1), what, when)


def _active(people: Population, record: Indices) -> tuple[Indices, Indices]:
    """Return from and to when each record has events."""
    kind = people.kind[record]
    recent, far = (np.array([one.active[end] for one in ARCHETYPES])[kind] for end in (0, 1))
    burst = np.array([one.burst for one in ARCHETYPES])[kind]
    anchor = np.where(people.trial[record] == MISSING, people.created[record], people.trial[record])
    begin = np.maximum(anchor, people.now - (far * DAY).astype(np.int64))
    end = people.now - _NEWEST - (recent * DAY).astype(np.int64)
    end = np.where(burst > 0, np.minimum(end, anchor + (burst * DAY).astype(np.int64)), end)
    return begin, np.maximum(end, begin + 1)


def _milestones(people: Population, record: Indices) -> _Happened:
    rng = stream(people.seed, "milestones", int(record[0]))
    kind, trial = people.kind[record], people.trial[record]
    started = trial >= people.now - _MEMORY
    share = np.array([one.activates for one in ARCHETYPES])[kind]
    activated = trial + (rng.uniform(0.3, 8.5, len(record)) * DAY).astype(np.int64)
    activates = started & (rng.random(len(record)) < share) & (activated < people.now - _NEWEST)
    upgraded = trial + (rng.uniform(10, 60, len(record)) * DAY).astype(np.int64)
    upgrades = started & (kind == INDEX["customer"])
    # Somebody always works right now, so that the events are fresh at every size.
    awake = (np.cumsum(kind == INDEX["newcomer"]) == 1) & (kind == INDEX["newcomer"])
    found = [
        (started, SIGNED_UP, trial),
        (activates, ACTIVATED, activated),
        (upgrades, UPGRADED, upgraded),
        (awake, REPEATED_EVENTS.index("session_started"), np.full(len(record), people.now - _NEWEST)),
    ]
    return _Happened.together(*(_known(record[who], what, when[who]) for who, what, when in found))


def _known(record: Indices, what: int, when: Indices) -> _Happened:
    return _Happened(record, np.full(len(record), -1), np.full(len(record), what), when)


def _before_known(people: Population, record: Indices) -> _Happened:
    rng = stream(people.seed, "before known", int(record[0]))
    created, visits = people.created[record], people.anonymous[record]
    count = np.where(created >= people.now - _MEMORY, visits + rng.poisson(0.5 * visits), 0)
    row = np.repeat(np.arange(len(record)), count)
    visitor = record[row] * 2 + np.where(visits[row] > 1, rng.integers(0, 2, len(row)), 0)
    when = created[row] - 60 - (rng.random(len(row)) * 10 * DAY).astype(np.int64)
    return _Happened(np.full(len(row), -1), visitor, _web_events(rng, len(row)), when)


def _strangers(people: Population, record: Indices) -> _Happened:
    rng = stream(people.seed, "strangers", int(record[0]))
    count = 1 + rng.poisson(0.8, max(1, len(record) // 10))
    visitor = 2 * people.size + record[0] + np.repeat(np.arange(len(count)), count)
    when = people.now - _NEWEST - 1 - (rng.random(len(visitor)) * 60 * DAY).astype(np.int64)
    return _Happened(np.full(len(visitor), -1), visitor, _web_events(rng, len(visitor)), when)


def _web_events(rng: np.random.Generator, size: int) -> Indices:
    found = np.array([EVENTS.index(name) for name in _SEEN_ON_THE_WEB])
    return found[choose(rng, size, (0.7, 0.15, 0.15))]
