"""Counts the planted truths on the drawn arrays, not on the shares they were drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from gtm_orchestra.sample.companies import SYNC_STOPPED
from gtm_orchestra.sample.draws import HOUR, MISSING, Flags, Indices
from gtm_orchestra.sample.experiments import EXPERIMENTS, STOPPED_DAYS, Trials
from gtm_orchestra.sample.manifest import TableCount, Truth
from gtm_orchestra.sample.population import PURPOSES, ConsentState, Population

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.sample.contacts import Contacts

__all__ = ["Written", "cramers_v", "filled_attributes", "planted_truths"]

_FLOOR = 0.95
_CHANNELS = {
    "web": ("personalization", "none"),
    "in-app": ("personalization", "none"),
    "email": ("email_marketing", "email"),
    "ads": ("advertising", "email"),
    "sales": ("sales_outreach", "phone"),
}


@dataclass(frozen=True)
class Written:
    """Everything that was drawn and written, for counting."""

    people: Population
    contacts: Contacts
    trials: Trials
    tables: dict[str, TableCount]
    late_events: int
    newest_event: int


def planted_truths(written: Written) -> tuple[Truth, ...]:
    """Return every planted truth, by kind and subject."""
    found = [
        *_sources(written),
        *_attributes(written),
        *_consent(written.people),
        *_reach(written.people),
        *_suppressed(written.people),
        *_duplicates(written.people),
        *_experiments(written.trials),
    ]
    return tuple(sorted(found, key=lambda one: (one.kind, one.subject)))


def filled_attributes(written: Written) -> dict[str, int]:
    """Return how many valid people have a readable value, per attribute of the catalog that is a column."""
    people, contacts = written.people, written.contacts
    filled = {
        "acquisition_source": people.source >= 0,
        "age_band": people.age >= 0,
        "bot_suspected": people.valid,
        "country": people.country >= 0,
        "created_at": people.valid,
        "deals": people.valid,
        "email": people.email_of >= 0,
        "email_domain": people.email_of >= 0,
        "health_accommodation": people.need >= 0,
        "is_customer": people.account >= 0,
        "job_function": people.function >= 0,
        "job_title": people.function >= 0,
        "latest_note": contacts.note >= 0,
        "lead_score": contacts.score >= 0,
        "lifecycle_stage": people.stage >= 0,
        "locale": people.locale >= 0,
        "objected_to_profiling": people.valid,
        "onboarding_goal": people.goal >= 0,
        "phone": people.has_phone,
        "plan": people.account >= 0,
        "seats": people.account >= 0,
        "seats_in_use": people.account >= 0,
        "trial_started_at": people.trial != MISSING,
        "ui_mode": people.mode >= 0,
    }
    return {name: int((flag & people.valid).sum()) for name, flag in filled.items()}


def cramers_v(left: Indices, right: Indices) -> float:
    """Return Cramér's V (1946), without bias correction, of two label arrays.

    >>> cramers_v(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
    1.0
    """
    _, row = np.unique(left, return_inverse=True)
    _, column = np.unique(right, return_inverse=True)
    shape = int(row.max()) + 1, int(column.max()) + 1
    seen = (
        np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    )
    expected = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0, keepdims=True) / seen.sum()
    chi2 = float(((seen - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi2 / seen.sum() / (min(shape) - 1)))


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _both(people: Population, /, **flags: Flags) -> dict[str, int]:
    """Return how many valid people each flag holds for, and how many external ones."""
    counted = {name: int((flag & people.valid).sum()) for name, flag in flags.items()}
    return counted | {f"{name}_external": int((flag & people.external).sum()) for name, flag in flags.items()}


def _sources(written: Written) -> Iterator[Truth]:
    now = written.people.now
    yield Truth(
        kind="stale_source",
        subject="accounts",
        values={
            "newest": _time(now - SYNC_STOPPED),
            "age_hours": round(SYNC_STOPPED / HOUR, 4),
            "sla_hours": 24,
            "attribute": "seats_in_use",
        },
        note="plan, is_customer and seats come from the same table, with an SLA of 30 days: not stale.",
    )
    for role, table in written.tables.items():
        yield Truth(
            kind="broken_rows",
            subject=role,
            values={"rows": table.rows, "broken_rows": table.broken_rows},
        )
    yield Truth(
        kind="late_events",
        subject="events",
        values={"late_rows": written.late_events, "newest": _time(written.newest_event)},
        note="Received more than 24 hours after they happened; all others within four minutes.",
    )


def _attributes(written: Written) -> Iterator[Truth]:
    people, contacts = written.people, written.contacts
    everyone = _both(people, people=people.valid)
    goal = _both(people, filled=people.goal >= 0)
    yield Truth(
        kind="low_coverage",
        subject="onboarding_goal",
        values=everyone
        | goal
        | {
            "coverage": goal["filled"] / everyone["people"],
            "coverage_external": goal["filled_external"] / everyone["people_external"],
            "sla": 0.6,
        },
        note="Not required: a note, no reason to stop.",
    )
    yield Truth(
        kind="special_category",
        subject="health_accommodation",
        values=everyone | _both(people, filled=people.need >= 0),
    )
    both = people.valid & (people.need >= 0) & (people.mode >= 0)
    yield Truth(
        kind="proxy",
        subject="ui_mode",
        values={
            "of": "health_accommodation",
            "cramers_v": round(cramers_v(people.need[both], people.mode[both]), 6),
            "people": int(both.sum()),
        },
        note="Over valid people with a value in both columns.",
    )
    address, unreadable = people.email_of >= 0, contacts.score < -1
    yield Truth(
        kind="personal_data", subject="email", values=_both(people, filled=address) | {"what": "email"}
    )
    yield Truth(
        kind="personal_data",
        subject="age_band",
        values=_both(people, filled=people.age >= 0) | {"what": "age"},
    )
    yield Truth(
        kind="personal_data",
        subject="phone",
        values=_both(people, filled=people.has_phone) | {"what": "phone"},
    )
    yield Truth(
        kind="personal_data",
        subject="latest_note",
        values=_both(people, filled=contacts.note >= 0, with_address=contacts.note_has_address)
        | {"what": "email"},
    )
    yield Truth(
        kind="broken_rows",
        subject="lead_score",
        values=_both(people, unreadable=unreadable, filled=contacts.score >= 0),
        note="Valid people whose number cannot be read; it counts as missing, the row as valid.",
    )


def _consent(people: Population) -> Iterator[Truth]:
    for purpose in PURPOSES:
        state = people.consent[purpose]
        sound = (state == ConsentState.GRANTED) | (state == ConsentState.DENIED)
        values = _both(
            people,
            people=people.valid,
            known=state != ConsentState.NONE,
            expired=state == ConsentState.EXPIRED,
            unprovable=state == ConsentState.UNPROVEN,
            granted_provable=state == ConsentState.GRANTED,
            denied_provable=state == ConsentState.DENIED,
            sound=sound,
        )
        integrity = values["sound"] / values["people"]
        external = values["sound_external"] / values["people_external"]
        figures = {"integrity": integrity, "integrity_external": external, "floor": _FLOOR}
        if integrity < _FLOOR:
            yield Truth(kind="consent_gap", subject=purpose, values=values | figures)
            for channel, (needs, _) in _CHANNELS.items():
                if needs == purpose:
                    yield Truth(
                        kind="channel_blocked", subject=channel, values={"purpose": purpose} | figures
                    )
        else:
            yield Truth(kind="reach", subject=purpose, values=values | figures)


def _reach(people: Population) -> Iterator[Truth]:
    for channel, (purpose, identifier) in _CHANNELS.items():
        has = {"email": people.email_of >= 0, "phone": people.has_phone, "none": people.valid}[identifier]
        willing = people.external & ~people.objected & (people.consent[purpose] == ConsentState.GRANTED)
        yield Truth(
            kind="reach",
            subject=channel,
            values={
                "reachable_provable": int((willing & has).sum()),
                "not_addressable_provable": int((willing & ~has).sum()),
            },
            note="External, not objected, consent granted, unexpired, with proof; with or without address.",
        )


def _suppressed(people: Population) -> Iterator[Truth]:
    for name, flag in (("employees", people.employee), ("bots", people.bot), ("objection", people.objected)):
        yield Truth(kind="suppressed", subject=name, values={"people": int((flag & people.valid).sum())})


def _duplicates(people: Population) -> Iterator[Truth]:
    def shared(among: Flags) -> tuple[int, int]:
        records = np.bincount(people.email_of[among & (people.email_of >= 0)])
        return int((records > 1).sum()), int((records[records > 1] - 1).sum())

    (emails, extra), (emails_external, extra_external) = shared(people.valid), shared(people.external)
    yield Truth(
        kind="duplicates",
        subject="people",
        values={
            "duplicate_emails": emails,
            "duplicate_records": extra,
            "duplicate_emails_external": emails_external,
            "duplicate_records_external": extra_external,
        },
        note="The same address in other case on another record of a valid person.",
    )


def _experiments(trials: Trials) -> Iterator[Truth]:
    for one in EXPERIMENTS:
        control, treatment = trials.arms[one.name]
        values: dict[str, float | int | str] = {
            "control": control.people,
            "treatment": treatment.people,
            "control_adopted": control.adopted,
            "treatment_adopted": treatment.adopted,
        }
        if one.stops:
            values |= {
                "stopped_on": _time(trials.stop)[:10],
                "days_ago": STOPPED_DAYS,
                "last_treatment": _time(treatment.last),
                "last_control": _time(control.last),
                "control_before": trials.before_stop[0],
                "treatment_before": trials.before_stop[1],
            }
            yield Truth(kind="delivery_stopped", subject=one.name, values=values)
            continue
        if one.treated != 0.5:  # noqa: PLR2004  an even split is the design of every experiment
            yield Truth(kind="sample_ratio_mismatch", subject=one.name, values=values | {"designed": 0.5})
            continue
        rates = (control.adopted / max(control.people, 1), treatment.adopted / max(treatment.people, 1))
        kind = "experiment_lift" if one.rates[0] != one.rates[1] else "experiment_null"
        yield Truth(
            kind="experiment_lift" if kind == "experiment_lift" else "experiment_null",
            subject=one.name,
            values=values
            | {"difference": rates[1] - rates[0], "lift": rates[1] / rates[0] - 1 if rates[0] else 0.0},
        )
