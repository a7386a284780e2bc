"""Where each person's consent stands, per purpose: the latest record of the log, or a snapshot column.

The state is a whole number per person, so that one aggregate finds the latest record: milliseconds since 1970
times eight, plus the state of that record. Of two records at the same time the stricter counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import ibis

from gtm_orchestra.config import parse_duration
from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.values import Column, as_text, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gtm_orchestra.config import Config, ConsentSettings
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.roles import Reading, RoleTable

__all__ = [
    "DENIED",
    "DENIED_PROVED",
    "EXPIRED",
    "EXPIRED_PROVED",
    "GRANTED",
    "SNAPSHOT_DENIED",
    "SNAPSHOT_GRANTED",
    "SNAPSHOT_UNREADABLE",
    "UNREADABLE",
    "UNREADABLE_PROVED",
    "Basis",
    "basis_of",
    "consent_log",
    "merged_state",
    "purposes_of",
    "snapshot_state",
    "status_of",
]

Basis = Literal["log", "snapshot", "none"]

# Of a log record; the stricter is the larger, an odd one has proof.
EXPIRED, EXPIRED_PROVED = 0, 1
GRANTED, GRANTED_PROVED = 2, 3
UNREADABLE, UNREADABLE_PROVED = 4, 5
DENIED, DENIED_PROVED = 6, 7
_STATES = 8
# Of a snapshot column, which proves nothing.
SNAPSHOT_GRANTED, SNAPSHOT_UNREADABLE, SNAPSHOT_DENIED = 8, 9, 10

# A log spells its few words in few ways; with more than this, every row is normalised instead.
_MANY_SPELLINGS = 500

_YES = (GRANTED_PROVED, SNAPSHOT_GRANTED)
_NO = (DENIED, DENIED_PROVED, SNAPSHOT_DENIED)


def purposes_of(config: Config) -> tuple[str, ...]:
    """Return every purpose that a channel or an attribute needs consent for, sorted."""
    needed = {channel.purpose for channel in config.channels.values()}
    needed |= {attribute.consent for attribute in config.attributes.values() if attribute.consent}
    return tuple(sorted(needed))


def basis_of(config: Config, purpose: str) -> Basis:
    """Return what a purpose's consent is known from."""
    if purpose in config.consent.snapshots:
        return "snapshot"
    return "log" if "consents" in config.tables else "none"


def consent_log(reading: Reading, purposes: Sequence[str]) -> ibis.Table | None:
    """Return one row per person: `person_id` and `state:<purpose>`, null without a record up to the as-of.

    A log without a proof column proves itself: each of its rows says who, what, which purpose and when.
    """
    log = reading.role("consents")
    if log is None or not purposes:
        return None
    words, as_of = reading.config.consent, reading.as_of
    at = log.time("at")
    granted, denied = _answers(reading.warehouse, log, words)
    expired = ibis.literal(value=False)
    if log.has("expires_at"):
        expired = ibis.coalesce(log.time("expires_at") <= moment(as_of), expired)
    if words.valid_for is not None:
        expired = expired | (at <= moment(as_of - parse_duration(words.valid_for)))
    state = ibis.cases((denied, DENIED), (granted & expired, EXPIRED), (granted, GRANTED), else_=UNREADABLE)
    proved: Column = ibis.literal(1)
    if log.has("proof"):
        # PostgreSQL casts no boolean to a small number.
        proved = ibis.ifelse(as_text(log.column("proof")).notnull(), 1, 0)
    code = (
        (at.epoch_seconds() * 1000).round().cast("int64") * _STATES
        + state.cast("int64")
        + proved.cast("int64")
    )
    rows = log.table.select(
        person_id=reading.person(log.column("person")),
        purpose=as_text(log.column("purpose")),
        at=at,
        code=code,
    )
    rows = rows.filter(
        rows.person_id.notnull() & (rows.at <= moment(as_of)) & rows.purpose.isin(list(purposes)),
    )
    latest = {f"state:{purpose}": rows.code.max(where=rows.purpose == purpose) for purpose in purposes}
    found = rows.group_by("person_id").aggregate(**latest)
    return found.mutate(**{name: (found[name] % _STATES).cast("int8") for name in latest})


def _answers(warehouse: Warehouse, log: RoleTable, words: ConsentSettings) -> tuple[Column, Column]:
    """Return which rows say yes and which say no, by the spellings that the log has: one look for each."""
    status = as_text(log.column("status"))
    texts = log.table.select(text=status).drop_null().group_by("text").aggregate(rows=lambda t: t.count())
    spelt = [str(row["text"]) for row in warehouse.rows(texts.order_by("text").limit(_MANY_SPELLINGS + 1))]
    if len(spelt) > _MANY_SPELLINGS:
        plain = status.strip().lower()
        return plain.isin([word.lower() for word in words.granted]), plain.isin(
            [w.lower() for w in words.denied]
        )
    yes, no = ({word.lower() for word in answer} for answer in (words.granted, words.denied))
    return (
        status.isin([text for text in spelt if text.strip().lower() in yes]),
        status.isin([text for text in spelt if text.strip().lower() in no]),
    )


def snapshot_state(table: ibis.Table, config: Config, purpose: str, where: str) -> Column:
    """Return the state that a current-state column shows; it proves nothing, and an empty one is null.

    Raises:
        SourceError: The column is not in the people table.
    """
    snapshot = config.consent.snapshots[purpose]
    if snapshot.column not in table.columns:
        raise SourceError(
            f"{where} has no column {snapshot.column!r}, which consent.snapshots.{purpose} names; "
            f"columns there: {', '.join(table.columns)}",
            hint="mend gtm.toml, or run 'gtm init' again",
        )
    word = as_text(table[snapshot.column]).strip().lower()
    yes, no = ([text.lower() for text in words] for words in (snapshot.granted, snapshot.denied))
    state = ibis.cases(
        (word.isin(no), SNAPSHOT_DENIED), (word.isin(yes), SNAPSHOT_GRANTED), else_=SNAPSHOT_UNREADABLE
    )
    return ibis.ifelse(word.notnull(), state.cast("int8"), ibis.null("int8"))


def merged_state(logged: Column, snapshot: Column) -> Column:
    """Return the state known from both: a no in either is a no, else the log counts, else the snapshot."""
    refused = ibis.coalesce(snapshot == SNAPSHOT_DENIED, ibis.literal(value=False))
    logged_no = ibis.coalesce(logged.isin([DENIED, DENIED_PROVED]), ibis.literal(value=False))
    return ibis.ifelse(refused & ~logged_no, snapshot, ibis.coalesce(logged, snapshot)).cast("int8")


def status_of(state: Column) -> Column:
    """Return granted, denied or unknown.

    A yes that has expired, or that a log with a proof column has no proof for, is unknown: nobody is
    personalised for on a consent that cannot be shown. A no needs no proof and does not expire.
    """
    return ibis.cases((state.isin(_YES), "granted"), (state.isin(_NO), "denied"), else_="unknown")
