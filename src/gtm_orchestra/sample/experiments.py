"""Experiments with planted results: exposures and outcomes.

Nobody is in two of them. All take people that are external and began their trial at least 20 days ago.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gtm_orchestra.sample.draws import (
    DAY,
    HOUR,
    MISSING,
    Flags,
    Indices,
    id_column,
    label_column,
    mark,
    share_out,
    stream,
    time_column,
)
from gtm_orchestra.sample.population import Population, contact_id

__all__ = ["EXPERIMENTS", "OUTCOME", "Arm", "Experiment", "Trials", "draw_trials"]

OUTCOME = "adopted_key_feature"
VARIANTS = ("control", "treatment")
STOPPED_DAYS = 12


@dataclass(frozen=True)
class Experiment:
    """One experiment: share of eligible people, days before the as-of in which people enter, split, rates."""

    name: str
    channel: str
    share: float
    enter: tuple[int, int]
    treated: float
    rates: tuple[float, float]
    stops: bool = False


EXPERIMENTS = (
    Experiment("onboarding_checklist", "in-app", 0.28, (20, 70), 0.5, (0.30, 0.36)),
    Experiment("pricing_banner", "web", 0.24, (20, 70), 0.5, (0.22, 0.22)),
    Experiment("tour_length", "in-app", 0.24, (20, 50), 0.42, (0.25, 0.25)),
    Experiment("reminder_cadence", "email", 0.20, (0, 45), 0.5, (0.25, 0.25), stops=True),
)


@dataclass(frozen=True)
class Arm:
    """People of one arm by first exposure, how many adopted within 14 days of it, and its last exposure."""

    people: int
    adopted: int
    last: int


@dataclass(frozen=True)
class Trials:
    """The two tables, their broken rows, the arms as counted, and who was exposed before the stop."""

    exposures: pa.Table
    outcomes: pa.Table
    broken_exposures: int
    broken_outcomes: int
    arms: dict[str, tuple[Arm, Arm]]
    stop: int
    before_stop: tuple[int, int]


def draw_trials(people: Population) -> Trials:
    """Return exposures and outcomes of all experiments."""
    stop = (people.now - STOPPED_DAYS * DAY) // DAY * DAY
    eligible = people.external & (people.trial != MISSING) & (people.trial <= people.now - 20 * DAY)
    member = share_out(
        stream(people.seed, "layers"), eligible, {i: one.share for i, one in enumerate(EXPERIMENTS)}, rest=-1
    )
    parts, arms, before = [], {}, (0, 0)
    for position, one in enumerate(EXPERIMENTS):
        entry = _entries(people, one, member == position, stop)
        parts.append(entry | {"experiment": np.full(len(entry["record"]), position)})
        arms[one.name] = _arm(entry, 0), _arm(entry, 1)
        if one.stops:
            early = entry["first"] < stop
            before = int((early & (entry["arm"] == 0)).sum()), int((early & (entry["arm"] == 1)).sum())
    entries = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    exposures, broken_exposures = _exposures(people, entries)
    outcomes, broken_outcomes = _outcomes(people, entries, eligible & (member < 0))
    return Trials(exposures, outcomes, broken_exposures, broken_outcomes, arms, stop, before)


def _entries(people: Population, experiment: Experiment, member: Flags, stop: int) -> dict[str, Indices]:
    rng = stream(people.seed, f"experiment {experiment.name}")
    record = np.flatnonzero(member)
    size, everyone = len(record), np.ones(len(record), dtype=np.bool_)
    treated = mark(rng, everyone, experiment.treated)
    low, high = (people.now - days * DAY for days in reversed(experiment.enter))
    begin = np.maximum(low, people.trial[record])
    end = np.maximum(high - 2 * HOUR, begin + 1)
    first = begin + (rng.random(size) * (end - begin)).astype(np.int64)
    if experiment.stops:
        keep = ~treated | (first < stop)
        record, treated, first = record[keep], treated[keep], first[keep]
    adopts = np.zeros(len(record), dtype=np.bool_)
    for arm, rate in enumerate(experiment.rates):
        adopts |= mark(rng, treated == bool(arm), rate)
    within = np.minimum(13 * DAY, people.now - HOUR - first)
    adopted = first + 60 + (rng.random(len(record)) * np.maximum(within - 60, 1)).astype(np.int64)
    latest = np.where(treated & experiment.stops, stop, people.now - HOUR)
    again = first + (rng.random(len(record)) * np.minimum(latest - first, 10 * DAY)).astype(np.int64)
    return {
        "record": record,
        "arm": treated.astype(np.int64),
        "first": first,
        "again": np.where(rng.random(len(record)) < 0.4, again, MISSING),  # noqa: PLR2004  share
        "adopted": np.where(adopts, adopted, MISSING),
    }


def _arm(entry: dict[str, Indices], arm: int) -> Arm:
    mine = entry["arm"] == arm
    if not mine.any():
        return Arm(0, 0, 0)
    last = np.maximum(entry["first"][mine], entry["again"][mine]).max()
    return Arm(int(mine.sum()), int((entry["adopted"][mine] != MISSING).sum()), int(last))


def _exposures(people: Population, entries: dict[str, Indices]) -> tuple[pa.Table, int]:
    seen = entries["again"] != MISSING
    record = np.concatenate([entries["record"], entries["record"][seen]])
    experiment = np.concatenate([entries["experiment"], entries["experiment"][seen]])
    arm = np.concatenate([entries["arm"], entries["arm"][seen]])
    at = np.concatenate([entries["first"], entries["again"][seen]])
    order, ordinal = _in_order_with_broken(people.seed, "broken exposures", at)
    table = pa.table(
        {
            "contact_id": id_column(contact_id(record[order]), missing=(ordinal >= 0) & (ordinal % 2 == 0)),
            "experiment": label_column([one.name for one in EXPERIMENTS], experiment[order]),
            "variant": label_column(VARIANTS, arm[order]),
            "channel": label_column([one.channel for one in EXPERIMENTS], experiment[order]),
            "exposed_at": time_column(at[order], (ordinal >= 0) & (ordinal % 2 == 1)),
        }
    )
    return table, int((ordinal >= 0).sum())


def _outcomes(people: Population, entries: dict[str, Indices], others: Flags) -> tuple[pa.Table, int]:
    rng = stream(people.seed, "other outcomes")
    unexposed = np.flatnonzero(mark(rng, others, 0.2))
    adopts = entries["adopted"] != MISSING
    record = np.concatenate([entries["record"][adopts], unexposed])
    own = people.now - HOUR - (rng.random(len(unexposed)) * 18 * DAY).astype(np.int64)
    at = np.concatenate([entries["adopted"][adopts], own])
    order, ordinal = _in_order_with_broken(people.seed, "broken outcomes", at)
    table = pa.table(
        {
            "contact_id": id_column(contact_id(record[order]), missing=(ordinal >= 0) & (ordinal % 2 == 0)),
            "outcome": label_column([OUTCOME], np.zeros(len(order), dtype=np.int64)),
            "value": pa.array(np.ones(len(order))),
            "occurred_at": time_column(at[order], (ordinal >= 0) & (ordinal % 2 == 1)),
        }
    )
    return table, int((ordinal >= 0).sum())


def _in_order_with_broken(seed: int, name: str, at: Indices) -> tuple[Indices, Indices]:
    """Return rows by time with 3 % repeated as broken ones, and their ordinal: 0 and more if broken."""
    rng = stream(seed, name)
    extra = max(2, round(0.03 / 0.97 * len(at)))
    rows = np.concatenate([np.arange(len(at)), rng.integers(0, len(at), extra)])
    by_time = np.argsort(at[rows], kind="stable")
    return rows[by_time], by_time - len(at)
