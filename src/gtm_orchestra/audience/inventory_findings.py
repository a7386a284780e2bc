"""What stands out in an inventory, in words for a marketing-operations person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.audience.contracts import Finding
from gtm_orchestra.audience.proxies import PROXY_FROM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gtm_orchestra.audience.contracts import AttributeFact, IdentityFact, Inventory, Severity, TableFact
    from gtm_orchestra.audience.proxies import Proxy
    from gtm_orchestra.audience.sensitivity import Signs
    from gtm_orchestra.config import Config

__all__ = ["DRIFT_FROM", "NOT_ACCEPTED", "inventory_findings", "schema_changes"]

# Usual reading of the population stability index: from here on the distribution has shifted.
DRIFT_FROM = 0.25
# Why personal data stays out until somebody has said what it is for.
NOT_ACCEPTED = "personal data; accept it one by one in the catalog, with a reason, or leave it out"
_NOTABLE_SHARE = 0.05
_PRIVACY, _DATA = "privacy-lead", "data-engineer"


def inventory_findings(
    config: Config,
    *,
    tables: Sequence[TableFact],
    attributes: Sequence[AttributeFact],
    identity: IdentityFact,
    unavailable: Mapping[str, str],
    unreadable: Mapping[str, int],
    signs: Mapping[str, Signs],
    proxies: Mapping[str, Proxy],
) -> tuple[Finding, ...]:
    """Return every finding of an inventory, sorted by its id."""
    by_table: dict[str, list[AttributeFact]] = {}
    for fact in attributes:
        by_table.setdefault(fact.table, []).append(fact)
    found: list[Finding] = []
    for table in tables:
        found += _stale(config, table, by_table.get(table.role, []))
        found += _rows(table)
        found += _strangers(config, table)
        found += _times(table)
        found += _local_times(config, table)
    for fact in attributes:
        found += _coverage(config, fact, unavailable)
        found += _sensitive(config, fact, signs.get(fact.name))
        found += _others(config, fact, unreadable.get(fact.name, 0), proxies.get(fact.name))
        found += _unreviewed(fact)
    found += _identity(identity)
    return tuple(sorted(found, key=lambda finding: finding.finding_id))


def _count(people: int, config: Config) -> str:
    """Return a count of people in words that never tell how many are in a small group."""
    least = config.policies.group_minimum
    return f"{people:,}" if people >= least or not people else f"fewer than {least:,}"


def _stale(config: Config, table: TableFact, attributes: Iterable[AttributeFact]) -> Iterator[Finding]:
    known = tuple(attributes)
    behind = [fact for fact in known if fact.stale]
    spared = ", ".join(fact.name for fact in known if not fact.stale) if table.stale else ""
    if table.age_hours is None or not (table.stale or behind):
        return
    slas = [
        sla
        for sla in (
            table.freshness_sla_hours if table.stale else None,
            *(fact.freshness_sla_hours for fact in behind),
        )
        if sla is not None
    ]
    names = ", ".join(fact.name for fact in behind)
    required = any(fact.required for fact in behind)
    owner = config.people[table.owner].name if table.owner in config.people else table.owner
    yield Finding(
        kind="stale_source",
        severity="blocker" if required else "warning",
        subject=table.role,
        message=f"The newest data of {table.table!r} is {table.age_hours:,.0f} hours old; its SLA is "
        f"{min(slas):,.0f} hours."
        + (f" Affected: {names}." if names else " No attribute in use is affected.")
        + (f" Spared by a longer SLA of their own: {spared}." if spared else ""),
        evidence={
            "newest": table.newest.strftime("%Y-%m-%dT%H:%M:%SZ") if table.newest else None,
            "age_hours": table.age_hours,
            "sla_hours": min(slas),
            "attributes": names,
        },
        mend=f"Ask {owner or 'the owner of the source'} to restart its load, or agree on another SLA.",
        decides=_DATA,
    )


def _rows(table: TableFact) -> Iterator[Finding]:
    counts = (
        ("broken_rows", table.broken_rows, "have no key, person, name or readable time, and are left out"),
        ("duplicates", table.duplicate_keys, "repeat the key of another row; the newest row counts"),
    )
    for kind, count, words in counts:
        if count:
            share = count / table.rows
            yield Finding(
                finding_id=f"{kind}:{table.role}" if kind == "broken_rows" else f"{kind}:{table.role}.key",
                kind="broken_rows" if kind == "broken_rows" else "duplicates",
                severity="warning" if share >= _NOTABLE_SHARE else "info",
                subject=table.role,
                message=f"{count:,} of {table.rows:,} rows of {table.table!r} ({share:.1%}) {words}.",
                evidence={"rows": table.rows, kind: count, "share": round(share, 6)},
                mend="Mend the export of this table.",
                decides=_DATA if share >= _NOTABLE_SHARE else "",
            )


def _strangers(config: Config, table: TableFact) -> Iterator[Finding]:
    if table.unmatched_rows:
        by = next(found.person_by for role, found in config.tables.items() if role == table.role)
        people = config.tables["people"].table
        share = table.unmatched_rows / table.rows
        yield Finding(
            kind="unmatched_rows",
            severity="info",
            subject=table.role,
            message=f"{table.unmatched_rows:,} of {table.rows:,} rows of {table.table!r} ({share:.1%}) "
            f"belong to nobody in the people table: their {by} is on no record of {people!r}, or on several. "
            "They are whole, but count for nobody.",
            evidence={"rows": table.rows, "unmatched_rows": table.unmatched_rows, "share": round(share, 6)},
            mend=f"Nothing, if {table.table!r} knows people that {people!r} does not, such as subscribers "
            "without an account; else merge the records that share one.",
        )


def _local_times(config: Config, table: TableFact) -> Iterator[Finding]:
    if table.local_times:
        zone = config.workspace.timezone
        apart = zone != "UTC"
        columns = ", ".join(repr(name) for name in table.local_times)
        yield Finding(
            kind="time_zone",
            severity="warning" if apart else "info",
            subject=table.role,
            message=f"Times of {table.table!r} have no zone ({columns}), and tables.{table.role}.time_zone "
            f"is not set: they are read as UTC. Business days begin in {zone}"
            + (", so they are hours off if these are local times." if apart else "."),
            evidence={"columns": columns, "read_as": "UTC", "business_zone": zone},
            mend=f"Set tables.{table.role}.time_zone in gtm.toml to {zone!r}, or to 'UTC' if that is right."
            if apart
            else f"Set tables.{table.role}.time_zone in gtm.toml to the zone of the source, or to 'UTC'.",
            decides=_DATA if apart else "",
        )


def _times(table: TableFact) -> Iterator[Finding]:
    if table.future_rows:
        rows = f"{table.future_rows:,} {'row' if table.future_rows == 1 else 'rows'} of {table.table!r}"
        have = (
            "has a time in the future; it is"
            if table.future_rows == 1
            else "have a time in the future; they are"
        )
        yield Finding(
            kind="future_times",
            severity="warning",
            subject=table.role,
            message=f"{rows} {have} not counted as recent"
            + (", but a profile of new people takes them in" if table.role == "people" else "")
            + ". Often a time zone is wrong.",
            evidence={"future_rows": table.future_rows, "rows": table.rows},
            mend=f"Check tables.{table.role}.time_zone in gtm.toml, and the clocks of the source.",
            decides=_DATA,
        )
    if table.late_rows:
        share = table.late_rows / table.rows
        yield Finding(
            kind="late_events",
            severity="warning" if share >= _NOTABLE_SHARE else "info",
            subject=table.role,
            message=f"{table.late_rows:,} of {table.rows:,} events ({share:.1%}) arrived more than 24 "
            "hours after "
            "they happened: figures of the last day are still too low.",
            evidence={"late_rows": table.late_rows, "rows": table.rows, "share": round(share, 6)},
            mend="Read figures of the last day with care.",
        )


def _coverage(config: Config, fact: AttributeFact, unavailable: Mapping[str, str]) -> Iterator[Finding]:
    severity: Severity = "blocker" if fact.required else "warning"
    if not fact.available:
        yield Finding(
            kind="unavailable",
            severity=severity,
            subject=fact.name,
            message=f"The catalog lists {fact.name!r}, but the data does not have it: "
            f"{unavailable[fact.name]}.",
            evidence={"required": int(fact.required)},
            mend=f"Mend attributes.{fact.name} in gtm.toml, or take it out.",
            decides=_DATA,
        )
    elif fact.coverage < fact.coverage_sla:
        few = 0 < fact.filled < config.policies.group_minimum
        shown = f"for {_count(fact.filled, config)} of" if few else f"for {fact.coverage:.1%} of"
        yield Finding(
            kind="low_coverage",
            severity="blocker" if fact.required else "info",
            subject=fact.name,
            message=f"{fact.name!r} is filled {shown} {fact.people:,} people; its SLA is "
            f"{fact.coverage_sla:.0%}."
            + ("" if fact.required else " It is not required, so it stops nothing."),
            evidence={
                "people": fact.people,
                "filled": None if few else fact.filled,
                "coverage": None if few else fact.coverage,
                "sla": fact.coverage_sla,
            },
            mend=f"Collect it, or lower attributes.{fact.name}.coverage with its owner.",
            decides=_DATA if fact.required else "",
        )


def _sensitive(config: Config, fact: AttributeFact, signed: Signs | None) -> Iterator[Finding]:
    if fact.sensitivity == "special" or (signed is not None and signed.special):
        yield _special(fact, signed)
    elif fact.personal_data:
        yield _personal(config, fact, signed)


def _special(fact: AttributeFact, signed: Signs | None) -> Finding:
    kind = signed.special if signed is not None and signed.special else "a special category"
    refused = fact.sensitivity == "special"
    denied = fact.review == "denied"
    return Finding(
        kind="special_category",
        severity="info" if denied else "blocker" if refused else "warning",
        subject=fact.name,
        message=f"{fact.name!r} holds data on {kind}, a special category of personal data. "
        + (
            "It is denied in the catalog and never used."
            if denied
            else "It is never used for personalisation."
            if refused
            else "A person accepted it as something else."
        ),
        evidence={
            "category": kind,
            "recognised_by": (signed.by if signed is not None and signed.special else "catalog") or "catalog",
            "people": fact.people,
            "filled": fact.filled,
        },
        mend=""
        if denied
        else f"Set attributes.{fact.name}.review = 'denied' in gtm.toml."
        if refused
        else "Check that decision.",
        decides="" if denied else _PRIVACY,
        waivable=False,
    )


def _personal(config: Config, fact: AttributeFact, signed: Signs | None) -> Finding:
    declared = config.attributes[fact.name].sensitivity
    known = declared == "personal"
    addresses = signed.people if signed is not None else None
    named = signed is not None and signed.by == "name"
    some = f"for {_count(addresses, config)} of" if addresses is not None else "in some of the values of"
    counted = {} if addresses is None else {"with_address": _or_none(addresses, config)}
    return Finding(
        kind="personal_data",
        severity="info" if known else "warning",
        subject=fact.name,
        message=f"{fact.name!r} holds personal data ({fact.personal_data})"
        + (
            f"; {_count(fact.filled, config)} people have a value."
            if known
            else f", going by its name, but the catalog says its sensitivity is {declared!r}."
            if named
            else f" {some} {_count(fact.filled, config)} people with a value, but the catalog says its "
            f"sensitivity is {declared!r}."
        ),
        evidence={
            "what": fact.personal_data,
            "recognised_by": signed.by if signed is not None else "",
            "filled": fact.filled,
            **counted,
        },
        mend="Nothing: it was accepted one by one, with a reason; it never travels to a browser."
        if known and fact.usable
        else "Nothing: the catalog says so too, and it is not used."
        if known
        else f"Set attributes.{fact.name}.sensitivity = 'personal', or deny it.",
        decides="" if known else _PRIVACY,
    )


def _or_none(people: int, config: Config) -> int | None:
    return people if people >= config.policies.group_minimum or not people else None


def _others(config: Config, fact: AttributeFact, unreadable: int, proxy: Proxy | None) -> Iterator[Finding]:
    if proxy is not None:
        words = "Cramér's V" if proxy.measure == "cramers_v" else "correlation ratio"
        yield Finding(
            kind="proxy",
            severity="warning",
            subject=fact.name,
            message=f"{fact.name!r} goes with the special category {proxy.of!r}: {words} "
            f"{proxy.value:.2f} over "
            f"{proxy.people:,} people, where {PROXY_FROM} counts as strong. Selecting by it selects by "
            "the other.",
            evidence={
                "of": proxy.of,
                proxy.measure: proxy.value,
                "people": proxy.people,
                "threshold": PROXY_FROM,
            },
            mend=f"Leave {fact.name!r} out of profiles.",
            decides=_PRIVACY,
        )
    if unreadable:
        yield Finding(
            kind="broken_rows",
            severity="info",
            subject=fact.name,
            message=f"{fact.name!r} has a value that is no {fact.type} for {_count(unreadable, config)} "
            "people; it counts as missing.",
            evidence={"unreadable": unreadable, "filled": fact.filled},
            mend="Mend the values in the source.",
        )
    if fact.drift is not None and fact.drift >= DRIFT_FROM:
        yield Finding(
            kind="drift",
            severity="info",
            subject=fact.name,
            message=f"{fact.name!r} is distributed otherwise among people created in the last 28 days "
            "than before: "
            f"population stability index {fact.drift:.2f}, where {DRIFT_FROM} counts as shifted.",
            evidence={"psi": fact.drift, "threshold": DRIFT_FROM},
            mend="Nothing, if it changes by itself the longer people are here, as a stage or a plan does. If "
            "it is set once, at sign-up: check whether the form changed.",
        )


def _unreviewed(fact: AttributeFact) -> Iterator[Finding]:
    if fact.review == "proposed" and fact.available:
        special = fact.sensitivity == "special"
        yield Finding(
            kind="unreviewed",
            severity="info",
            subject=fact.name,
            message=f"Nobody has reviewed {fact.name!r} in the catalog: "
            + (
                "it may stand in a draft, never in a rule."
                if fact.usable
                else "it is personal data, and stays out until a person has accepted it, with a reason."
                if fact.why_not == NOT_ACCEPTED
                else f"it is not used, and would not be if accepted: {fact.why_not}."
            ),
            mend="Deny it in 'gtm catalog review'."
            if special
            else f"Run 'gtm catalog accept {fact.name}' or 'gtm catalog review'.",
            decides=_PRIVACY if fact.sensitivity in {"personal", "special", "unknown"} else "marketing-ops",
        )


def _identity(identity: IdentityFact) -> Iterator[Finding]:
    if identity.duplicate_emails:
        yield Finding(
            kind="duplicates",
            severity="warning",
            subject="people",
            message=f"{identity.duplicate_emails:,} e-mail addresses stand on more than one record (case "
            "aside): "
            f"{identity.duplicate_records:,} of {identity.records:,} records would vanish if they were "
            "merged. "
            "Until then one person may see two variants.",
            evidence={
                "duplicate_emails": identity.duplicate_emails,
                "duplicate_records": identity.duplicate_records,
            },
            mend="Merge them in the CRM.",
            decides=_DATA,
        )


def schema_changes(before: Inventory, now: Inventory) -> tuple[Finding, ...]:
    """Return which columns came, went or changed type since an earlier inventory."""
    old = {(field.table, field.column): field.type for field in before.columns}
    new = {(field.table, field.column): field.type for field in now.columns}
    used = {fact.source for fact in now.attributes}
    found: list[Finding] = []
    for key in sorted(old.keys() | new.keys()):
        was, is_now = old.get(key), new.get(key)
        if was == is_now:
            continue
        name = ".".join(key)
        what = "is new" if was is None else "is gone" if is_now is None else f"was {was} and is now {is_now}"
        found.append(
            Finding(
                kind="schema_change",
                severity="warning" if was is not None and name in used else "info",
                subject=name,
                message=f"Column {name} {what} since the inventory of {before.as_of:%Y-%m-%d}.",
                evidence={"was": was, "is": is_now},
                mend="Review it for the catalog." if was is None else "Check what reads it.",
                decides=_DATA if was is not None and name in used else "",
            )
        )
    return tuple(found)
