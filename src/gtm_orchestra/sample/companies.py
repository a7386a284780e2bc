"""Accounts, who is a member of them, and their opportunities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gtm_orchestra.sample.draws import (
    DAY,
    HOUR,
    Flags,
    Indices,
    Numbers,
    choose,
    flag_column,
    id_column,
    label_column,
    stream,
    time_column,
)
from gtm_orchestra.sample.population import Population, contact_id
from gtm_orchestra.sample.words import ACCOUNT_ENDINGS, ACCOUNT_STEMS, INDUSTRIES

__all__ = ["SYNC_STOPPED", "Companies", "account_id", "draw_companies"]

# The nightly sync of account usage ran for the last time this long before the as-of.
SYNC_STOPPED = 9 * DAY + 4 * HOUR
PLANS = ("free", "starter", "team", "enterprise")
STAGES = ("appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost")


def account_id(account: Indices) -> Indices:
    """Return the CRM's number of an account."""
    return 7_300_000_000 + account * 53


@dataclass(frozen=True)
class Companies:
    """The accounts as arrays, one entry each; deal_* arrays have one per opportunity."""

    seed: int
    now: int
    names: tuple[str, ...]
    domains: tuple[str, ...]
    industry: Indices
    plan: Indices
    customer: Flags
    seats: Indices
    in_use: Indices
    employees: Indices
    synced: Indices
    created: Indices
    deal_account: Indices
    deal_amount: Numbers
    deal_stage: Indices
    deal_created: Indices

    @property
    def deals(self) -> Indices:
        """Opportunities per account."""
        return np.bincount(self.deal_account, minlength=len(self.names)).astype(np.int64)

    def accounts(self) -> tuple[pa.Table, int]:
        """Return the accounts table, and how many of its rows are broken (without key)."""
        order, broken = _with_broken(self.seed, "broken accounts", len(self.names))
        table = pa.table(
            {
                "hs_object_id": id_column(account_id(order), missing=broken),
                "name": pa.array(self.names).take(pa.array(order)),
                "domain": pa.array(self.domains).take(pa.array(order)),
                "industry": label_column(INDUSTRIES, self.industry[order]),
                "numberofemployees": pa.array(self.employees[order]),
                "plan_tier": label_column(PLANS, self.plan[order]),
                "is_customer": flag_column(self.customer[order]),
                "seats": pa.array(self.seats[order]),
                "seats_in_use": pa.array(self.in_use[order]),
                "createdate": time_column(self.created[order]),
                "usage_synced_at": time_column(self.synced[order]),
            }
        )
        return table, int(broken.sum())

    def memberships(self, people: Population) -> tuple[pa.Table, int]:
        """Return the memberships table, and how many of its rows are broken (without person)."""
        members = np.flatnonzero(people.account >= 0)
        order, broken = _with_broken(self.seed, "broken memberships", len(members))
        record = members[order]
        role = choose(stream(self.seed, "membership roles"), len(record), (0.14, 0.2, 0.66))
        table = pa.table(
            {
                "contact_id": id_column(contact_id(record), missing=broken),
                "company_id": id_column(account_id(people.account[record])),
                "role": label_column(("owner", "admin", "member"), role),
                "joined_at": time_column(people.created[record]),
            }
        )
        return table, int(broken.sum())

    def opportunities(self) -> tuple[pa.Table, int]:
        """Return the opportunities table, and how many of its rows are broken (without key)."""
        order, broken = _with_broken(self.seed, "broken opportunities", len(self.deal_account))
        table = pa.table(
            {
                "hs_object_id": id_column(21_000_000_000 + order * 11, missing=broken),
                "associatedcompanyid": id_column(account_id(self.deal_account[order])),
                "dealstage": label_column(STAGES, self.deal_stage[order]),
                "amount": pa.array(self.deal_amount[order]),
                "deal_currency_code": label_column(("USD",), np.zeros(len(order), dtype=np.int64)),
                "createdate": time_column(self.deal_created[order]),
            }
        )
        return table, int(broken.sum())


def draw_companies(people: Population) -> Companies:
    """Return the accounts that the population's people belong to."""
    seed, now, customer = people.seed, people.now, people.account_customer
    count = len(customer)
    rng = stream(seed, "companies")
    plan = np.where(customer, 1 + choose(rng, count, (0.45, 0.38, 0.17)), 0)
    seats = np.where(customer, np.ceil(rng.lognormal(2.6, 0.7, count)), 1 + rng.integers(0, 5, count)).astype(
        np.int64
    )
    members = np.bincount(people.account[people.account >= 0], minlength=count)
    seats = np.maximum(seats, np.minimum(members, 400))
    ending = choose(rng, count, (1,) * len(ACCOUNT_ENDINGS))
    stem = choose(rng, count, (1,) * len(ACCOUNT_STEMS))
    stopped = now - SYNC_STOPPED
    synced = stopped - rng.integers(0, 3, count) * DAY
    synced[0] = stopped
    deals = np.where(customer, 1 + rng.poisson(0.6, count), rng.poisson(0.25, count))
    deal_account = np.repeat(np.arange(count), deals)
    won = customer[deal_account]
    stage = np.where(won, 3, choose(rng, len(won), (0.35, 0.25, 0.12, 0, 0.28)))
    return Companies(
        seed=seed,
        now=now,
        names=tuple(f"{ACCOUNT_STEMS[s]} {ACCOUNT_ENDINGS[e]} {n}" for n, (s, e) in _numbered(stem, ending)),
        domains=tuple(f"{ACCOUNT_STEMS[s].lower()}-{n}.example" for n, (s, _) in _numbered(stem, ending)),
        industry=ending,
        plan=plan,
        customer=customer,
        seats=seats,
        in_use=np.ceil(seats * rng.beta(3, 2, count)).astype(np.int64),
        employees=np.ceil(rng.lognormal(4, 1.2, count)).astype(np.int64),
        synced=synced,
        created=now - rng.integers(910 * DAY, 1_500 * DAY, count),
        deal_account=deal_account,
        deal_amount=np.round(rng.lognormal(8.6, 0.8, len(won)), -1),
        deal_stage=stage,
        deal_created=now - rng.integers(2 * DAY, 400 * DAY, len(won)),
    )


def _numbered(stem: Indices, ending: Indices) -> enumerate[tuple[int, int]]:
    return enumerate(zip(stem.tolist(), ending.tolist(), strict=True), start=1)


def _with_broken(seed: int, name: str, rows: int) -> tuple[Indices, Flags]:
    """Return which row stands where, 3 % of them a second time without its key: those are the broken ones."""
    rng = stream(seed, name)
    extra = max(2, round(0.03 * rows))
    order = np.concatenate([np.arange(rows), rng.integers(0, rows, extra)])
    broken = np.arange(rows + extra) >= rows
    shuffled = rng.permutation(rows + extra)
    return order[shuffled], broken[shuffled]
