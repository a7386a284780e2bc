"""How many records are one person, and how many visitors are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gtm_orchestra.audience.contracts import IdentityFact
from gtm_orchestra.warehouse.behaviour import stitches
from gtm_orchestra.warehouse.roles import Reading, role_table
from gtm_orchestra.warehouse.values import as_key

if TYPE_CHECKING:
    from datetime import datetime

    from gtm_orchestra.config import Config
    from gtm_orchestra.warehouse.connection import Warehouse
    from gtm_orchestra.warehouse.people import PeopleFrame

__all__ = ["identity_fact", "internal_suppressions"]

# Staff and machines are no audience; a person who objected is a person all the same.
_INTERNAL = re.compile(
    r"(^|[^a-z])(employees?|staff|internal|bots?|crawlers?|tests?|testers?|robots?)([^a-z]|$)"
)


def internal_suppressions(config: Config) -> tuple[str, ...]:
    """Return the suppressions whose name says that they keep out staff, testers or machines."""
    return tuple(name for name in config.suppressions if _INTERNAL.search(name.lower()))


def identity_fact(warehouse: Warehouse, config: Config, as_of: datetime, frame: PeopleFrame) -> IdentityFact:
    """Count records, valid people, shared addresses and stitched visitors."""
    full = frame.full
    internal = full.count().cast("int64") * 0
    names = internal_suppressions(config)
    if names:
        flag = full[f"suppressed__{names[0]}"]
        for name in names[1:]:
            flag |= full[f"suppressed__{name}"]
        internal = flag.sum()
    counted = warehouse.rows(full.aggregate(internal=internal, with_account=full["account:"].count()))[0]
    emails, extra = _duplicate_emails(warehouse, frame)
    anonymous, stitched = _visitors(warehouse, config, as_of, frame)
    return IdentityFact(
        records=frame.records,
        valid_people=frame.people - int(counted["internal"]),
        duplicate_emails=emails,
        duplicate_records=extra,
        internal_people=int(counted["internal"]),
        anonymous_ids=anonymous,
        stitched_ids=stitched,
        accounts=_accounts(warehouse, config),
        people_with_account=int(counted["with_account"]),
    )


def _duplicate_emails(warehouse: Warehouse, frame: PeopleFrame) -> tuple[int, int]:
    """Return how many addresses stand on several records, case aside, and how many records are extra."""
    rows = frame.full.select(address=frame.full["email:"].strip().lower())
    shared = rows.drop_null().group_by("address").aggregate(records=lambda t: t.count())
    shared = shared.filter(shared.records > 1)
    found = warehouse.rows(shared.aggregate(emails=shared.count(), extra=(shared.records - 1).sum()))[0]
    return int(found["emails"]), int(found["extra"] or 0)


def _visitors(warehouse: Warehouse, config: Config, as_of: datetime, frame: PeopleFrame) -> tuple[int, int]:
    """Return distinct anonymous ids in the events, and how many of them belong to one valid person."""
    events = role_table(warehouse, config, "events")
    if events is None or not events.has("anonymous"):
        return 0, 0
    ids = events.table.select(visitor=as_key(events.column("anonymous"))).drop_null().distinct()
    owners = stitches(Reading(warehouse, config, as_of, native=False))
    if owners is None:
        return int(warehouse.rows(ids.aggregate(visitors=ids.count()))[0]["visitors"]), 0
    joined = ids.left_join(owners, ids.visitor == owners.anonymous)
    known = joined.left_join(frame.full, joined.stitched == frame.full.person_id).select(
        "visitor", owner=frame.full.person_id
    )
    found = warehouse.rows(known.aggregate(visitors=known.count(), stitched=known.owner.count()))[0]
    return int(found["visitors"]), int(found["stitched"])


def _accounts(warehouse: Warehouse, config: Config) -> int:
    accounts = role_table(warehouse, config, "accounts")
    if accounts is None:
        return 0
    key = as_key(accounts.column("key"))
    return int(warehouse.rows(accounts.table.aggregate(accounts=key.nunique()))[0]["accounts"])
