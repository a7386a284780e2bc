"""How strongly a person belongs to a profile and how fast that fades: weights and half-life from data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

import ibis
import numpy as np

from gtm_orchestra.audience.contracts import ScorePart
from gtm_orchestra.audience.profiles.distributions import amount_of
from gtm_orchestra.audience.profiles.thresholds import nice_days
from gtm_orchestra.audience.wording import in_days
from gtm_orchestra.conditions.english import attribute_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from gtm_orchestra.audience.profiles.distributions import Read
    from gtm_orchestra.audience.profiles.reading import Reading
    from gtm_orchestra.audience.profiles.signals import Signal

    Moments: TypeAlias = npt.NDArray[np.float64]

__all__ = ["Score", "score_profiles", "score_signals"]

_PARTS = 4
_LEAST_EFFECT = 0.2  # a small effect (Cohen, 1988)
_LEAST_SPREAD = 0.002  # an attribute that is the same for all members ranks none of them before another
_DEFAULT_HALF_LIFE = 30
_LONGEST = 180
_STEADY = 7  # days: no profile of states, such as a plan, turns over within a week
# Shares are added as whole numbers: engines add floats in any order, and then the last digits differ.
_STEPS = 10_000
_DECAY = 4  # half-lives until a score is worth a sixteenth


@dataclass(frozen=True)
class Score:
    """A profile's score and its decay, with the reasons."""

    parts: tuple[ScorePart, ...]
    half_life_days: int
    decay_days: int
    reasons: tuple[str, ...]


def score_signals(reading: Reading) -> tuple[Signal, ...]:
    """Return the signals that scores are made of: those the reading chose, each attribute once."""
    chosen = [
        *reading.recency.values(),
        *reading.depth.values(),
        *(milestone.signal for milestone in reading.milestones),
        *(signal for signal in (reading.tenure, reading.value, reading.size, reading.intent) if signal),
    ]
    unique = {signal.attribute: signal for signal in chosen}
    return tuple(unique[name] for name in sorted(unique))


def score_profiles(
    table: Any,  # noqa: ANN401 - ibis has no types
    profiles: Mapping[str, Any],
    reading: Reading,
    *,
    lasting: Mapping[str, float | None],
    as_of: datetime,
    read: Read,
) -> dict[str, Score]:
    """Return the score of each profile, from one aggregate query.

    A weight is how far the members lie from everybody else on an attribute, in standard deviations
    (Cohen's d), as a share of the sum over the attributes that are used; at most four are.

    Args:
        table: People in scope.
        profiles: By key, who belongs to it, as expressions over the table.
        reading: Signals and distributions.
        lasting: By key, after how many days without anything new membership ends by definition, if it does.
        as_of: The moment that ages are counted from.
        read: Runs an expression and returns its rows.
    """
    signals = score_signals(reading)
    scales = {signal.attribute: _scale(signal, reading) for signal in signals}
    keys = sorted(profiles)
    if not keys:
        return {}
    bits = [
        ibis.ifelse(profiles[key], ibis.literal(1 << at, "int64"), ibis.literal(0, "int64"))
        for at, key in enumerate(keys)
    ]
    amounts = {f"amount_{at}": amount_of(table, signal, as_of) for at, signal in enumerate(signals)}
    marked = table.select(combination=reduce(add, bits), **amounts)
    moments = _moments(marked, [scales[signal.attribute] for signal in signals], len(keys), read)
    medians = _medians(marked, signals, keys, read)
    return {
        key: _score(
            [(_effect(moments, at, place), signal) for at, signal in enumerate(signals)],
            _half_life(place, signals, medians),
            scales=scales,
            lasts=lasting[key],
        )
        for place, key in enumerate(keys)
    }


def _moments(marked: Any, scales: Sequence[tuple[float, float]], profiles: int, read: Read) -> Moments:  # noqa: ANN401
    """Return count, sum and sum of squares of each scaled amount, inside and outside each profile."""
    figures: dict[str, Any] = {}
    for at, (low, high) in enumerate(scales):
        share = ((marked[f"amount_{at}"] - low) / (high - low)).clip(0.0, 1.0)
        scaled = (share * _STEPS).round().cast("int64")
        figures |= {f"n_{at}": scaled.count(), f"s_{at}": scaled.sum(), f"q_{at}": (scaled * scaled).sum()}
    rows = read(marked.group_by("combination").aggregate(**figures)) if figures else None
    shape = (profiles, 2, len(scales), 3)
    totals: npt.NDArray[np.int64] = np.zeros(shape, dtype=np.int64)
    if rows is None:
        return totals / 1.0
    for row in rows.to_pylist():
        part = np.array([[int(row[f"{kind}_{at}"] or 0) for kind in "nsq"] for at in range(len(scales))])
        for place in range(profiles):
            totals[place, 0 if row["combination"] >> place & 1 else 1] += part
    return np.asarray(totals / np.array([1.0, _STEPS, _STEPS**2]), dtype=np.float64)


def _medians(
    marked: Any,  # noqa: ANN401 - ibis has no types
    signals: Sequence[Signal],
    keys: Sequence[str],
    read: Read,
) -> Mapping[str, float | None]:
    """Return the median age in days of each time signal among the members of each profile."""
    figures = {}
    for at, signal in enumerate(signals):
        if signal.role in {"recency", "tenure"}:
            amount = marked[f"amount_{at}"]
            for place in range(len(keys)):
                member = (marked.combination & (1 << place)) != 0
                figures[f"median_{place}_{at}"] = amount.quantile(0.5, where=member & (amount >= 0))
    if not figures:
        return {}
    found: Mapping[str, float | None] = read(marked.aggregate(**figures)).to_pylist()[0]
    return found


def _scale(signal: Signal, reading: Reading) -> tuple[float, float]:
    distribution = reading.distributions[signal.attribute]
    if signal.type == "boolean" or not distribution.quantiles:
        return 0.0, 1.0
    low, high = (round(distribution.quantiles[at], 2) for at in (0, -1))
    if distribution.filled > distribution.positive:
        low = min(low, 0.0)
    return (low, high) if high > low else (low, low + 1.0)


def _score(
    found: Sequence[tuple[float | None, Signal]],
    half: tuple[int, str],
    *,
    scales: Mapping[str, tuple[float, float]],
    lasts: float | None,
) -> Score:
    effects = [(effect, signal) for effect, signal in found if effect is not None]
    strong = [pair for pair in effects if abs(pair[0]) >= _LEAST_EFFECT] or effects
    strong.sort(key=lambda pair: (-abs(pair[0]), pair[1].attribute))
    parts = _parts(strong[:_PARTS], scales)
    half_life, why_half = half
    if lasts is None and half_life < _STEADY:
        half_life = _STEADY
        why_half += f"; kept at {in_days(_STEADY)}, because nothing in the profile ends by itself sooner"
    if lasts is not None:
        decay, why_decay = (
            max(1, math.ceil(lasts)),
            "after that, what makes somebody a member no longer counts",
        )
    else:
        decay = _DECAY * half_life
        why_decay = f"{_DECAY} half-lives, when the score is worth a sixteenth"
    half_life = min(half_life, decay)
    reasons = []
    if parts:
        weights = ", ".join(
            f"{attribute_label(part.attribute)} {'low' if part.invert else 'high'} {part.weight:.0%}"
            for part in parts
        )
        reasons.append(f"Score: {weights}; weights by how far members lie from everybody else (Cohen's d).")
    reasons.append(f"Half-life {in_days(half_life)}: {why_half}.")
    reasons.append(f"Decay window {in_days(decay)}: {why_decay}.")
    return Score(parts, half_life, decay, tuple(reasons))


def _effect(moments: Moments, at: int, place: int) -> float | None:
    """Return the standardised difference of members from others; None where it says or ranks nothing."""
    (n_in, s_in, q_in), (n_out, s_out, q_out) = moments[place, 0, at], moments[place, 1, at]
    if not n_in or not n_out:
        return None
    inside, outside = s_in / n_in, s_out / n_out
    spread_in, spread_out = max(q_in / n_in - inside**2, 0.0), max(q_out / n_out - outside**2, 0.0)
    pooled = math.sqrt((spread_in + spread_out) / 2)
    if math.sqrt(spread_in) < _LEAST_SPREAD or pooled == 0:
        return None
    return float((inside - outside) / pooled)


def _parts(
    strong: Sequence[tuple[float, Signal]], scales: Mapping[str, tuple[float, float]]
) -> tuple[ScorePart, ...]:
    total = sum(abs(effect) for effect, _ in strong)
    if not total:
        return ()
    weights = [round(abs(effect) / total, 2) for effect, _ in strong]
    weights[0] = round(1 - sum(weights[1:]), 2)
    return tuple(
        ScorePart(
            attribute=signal.attribute,
            weight=weight,
            low=scales[signal.attribute][0],
            high=scales[signal.attribute][1],
            invert=effect < 0,
        )
        for weight, (effect, signal) in zip(weights, strong, strict=True)
        if weight > 0
    )


def _half_life(place: int, signals: Sequence[Signal], medians: Mapping[str, float | None]) -> tuple[int, str]:
    """Return after how many days the score halves: the median time since members were last seen."""
    for role, words in (("recency", "were last seen"), ("tenure", "started")):
        for at, signal in enumerate(signals):
            median = medians.get(f"median_{place}_{at}")
            if signal.role != role or median is None:
                continue
            days = min(nice_days(median), _LONGEST)
            reason = f"half of the members with a time {words} at most {in_days(median)} ago"
            if median > _LONGEST:
                reason += f"; kept at {in_days(_LONGEST)}, because older evidence says little"
            load_days = math.ceil((signal.cadence_hours or 0) / 24)
            if days < load_days:
                return load_days, f"{reason}, and the source is loaded every {in_days(load_days)}"
            return days, reason
    return _DEFAULT_HALF_LIFE, "the data holds no time that it could be taken from"
