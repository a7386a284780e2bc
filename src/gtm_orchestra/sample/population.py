"""Who is in the sample: one entry per record of the contacts table, as arrays.

States of a record, used by the manifest in this meaning:

- broken: without key, or with a creation time that cannot be read;
- valid: not broken (keys are unique, so every such record is one valid person);
- internal: valid, and an employee or a bot;
- external: valid and not internal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gtm_orchestra.sample.archetypes import ARCHETYPES, INDEX
from gtm_orchestra.sample.draws import (
    DAY,
    MISSING,
    Flags,
    Indices,
    choose,
    mark,
    share_out,
    stream,
    working_time,
)

__all__ = ["COUNTRIES", "GOALS", "PURPOSES", "ConsentState", "Population", "contact_id", "draw_population"]

OWN_DOMAIN = "fernhollow.example"

COUNTRIES: dict[str, tuple[float, str]] = {
    "DE": (0.14, "de-de"), "FR": (0.11, "fr-fr"), "NL": (0.07, "nl-nl"), "ES": (0.07, "es-es"),
    "IT": (0.06, "it-it"), "SE": (0.04, "sv-se"), "PL": (0.04, "pl-pl"), "IE": (0.03, "en-ie"),
    "US": (0.22, "en-us"), "GB": (0.09, "en-gb"), "CA": (0.05, "en-ca"), "BR": (0.04, "pt-br"),
    "IN": (0.04, "en-in"),
}  # fmt: skip
FUNCTIONS = ("engineering", "product", "marketing", "operations", "sales", "finance")
SOURCES = ("ORGANIC_SEARCH", "PAID_SEARCH", "REFERRALS", "DIRECT_TRAFFIC", "EMAIL_MARKETING", "SOCIAL_MEDIA")
GOALS = ("automate_reporting", "replace_a_tool", "try_with_team", "learn")
AGES = ("18-24", "25-34", "35-44", "45-54", "55+")
NEEDS = ("none", "vision", "motor", "hearing")
MODES = ("standard", "high_contrast", "keyboard_only", "captions")
STAGES = ("subscriber", "lead", "marketingqualifiedlead", "trial", "customer", "churned", "other")

# Purpose → share of valid people without record, with expired, with unproven status; yes among the rest.
PURPOSES: dict[str, tuple[float, float, float, float]] = {
    "personalization": (0.006, 0.005, 0.005, 0.78),
    "email_marketing": (0.060, 0.040, 0.035, 0.62),
    "advertising": (0.008, 0.006, 0.006, 0.38),
    "sales_outreach": (0.007, 0.007, 0.006, 0.47),
}


class ConsentState:
    """What stands on record for one person and purpose."""

    NONE, EXPIRED, UNPROVEN, GRANTED, DENIED = range(5)


@dataclass(frozen=True)
class Population:
    """The drawn records. Arrays have one entry per record; account_* arrays one per account."""

    size: int
    seed: int
    now: int
    no_key: Flags
    bad_time: Flags
    employee: Flags
    bot: Flags
    objected: Flags
    kind: Indices
    account: Indices  # -1: none
    account_customer: Flags
    account_churned: Flags
    created: Indices
    trial: Indices  # MISSING: never started one
    stage: Indices
    country: Indices  # -1: unknown
    locale: Indices
    function: Indices
    source: Indices
    goal: Indices
    age: Indices
    need: Indices
    mode: Indices
    email_of: Indices  # record whose address this one carries; -1: none
    has_phone: Flags
    anonymous: Indices  # ids this person was seen under before being known
    consent: dict[str, Indices]

    @property
    def broken(self) -> Flags:
        """Records without key or with an unreadable creation time."""
        return self.no_key | self.bad_time

    @property
    def valid(self) -> Flags:
        """Everybody else."""
        return ~self.broken

    @property
    def internal(self) -> Flags:
        """Employees and bots among the valid people."""
        return self.valid & (self.employee | self.bot)

    @property
    def external(self) -> Flags:
        """The valid people that are neither."""
        return self.valid & ~(self.employee | self.bot)


def contact_id(record: Indices) -> Indices:
    """Return the CRM's number of a record; spread out as a CRM's are."""
    return 10_100_000_000 + record * 37


def draw_population(size: int, seed: int, now: int) -> Population:
    """Return the records of a company of that size, as of `now` (seconds since 1970 UTC)."""
    everyone = np.ones(size, dtype=np.bool_)
    state = share_out(stream(seed, "broken"), everyone, {1: 0.015, 2: 0.015}, rest=0)
    valid = state == 0
    employee = mark(stream(seed, "employees"), valid, 0.012, least=3)
    bot = mark(stream(seed, "bots"), valid & ~employee, 0.01, least=3)
    account, customer, churned = _accounts(size, seed, everyone & ~employee & ~bot)
    kind = _kinds(size, seed, account, customer, churned)
    kind[employee], kind[bot] = INDEX["employee"], INDEX["bot"]
    created, trial = _starts(size, seed, now, kind)
    country = share_out(
        stream(seed, "country"), everyone, {i: 0.96 * s[0] for i, s in enumerate(COUNTRIES.values())}, rest=-1
    )
    need = share_out(stream(seed, "need"), everyone, {1: 0.09, 2: 0.05, 3: 0.04}, rest=0)
    need[mark(stream(seed, "need not asked"), everyone, 0.08)] = -1
    return Population(
        size=size,
        seed=seed,
        now=now,
        no_key=state == 1,
        bad_time=state == 2,  # noqa: PLR2004  the second label of the line that draws it
        employee=employee,
        bot=bot,
        objected=mark(stream(seed, "objected"), valid & ~employee & ~bot, 0.015),
        kind=kind,
        account=account,
        account_customer=customer,
        account_churned=churned,
        created=created,
        trial=trial,
        stage=_stages(size, seed, kind, account, customer),
        country=country,
        locale=_locales(seed, country),
        function=_with_gaps(seed, "function", size, (0.3, 0.17, 0.2, 0.15, 0.1, 0.08), 0.84),
        source=_with_gaps(seed, "source", size, (0.32, 0.18, 0.14, 0.2, 0.09, 0.07), 0.97),
        goal=_with_gaps(seed, "goal", size, (0.35, 0.25, 0.25, 0.15), 0.34),
        age=_with_gaps(seed, "age", size, (0.12, 0.34, 0.3, 0.16, 0.08), 0.78),
        need=need,
        mode=_modes(seed, need),
        email_of=_addresses(seed, valid, employee, bot),
        has_phone=mark(stream(seed, "phone"), everyone, 0.63),
        anonymous=choose(stream(seed, "anonymous"), size, (0.62, 0.29, 0.09)) * (kind != INDEX["employee"]),
        consent={purpose: _consent(seed, purpose, valid) for purpose in PURPOSES},
    )


def _accounts(size: int, seed: int, candidates: Flags) -> tuple[Indices, Flags, Flags]:
    rng = stream(seed, "accounts")
    count = max(20, size // 8)
    account = np.minimum((count * rng.random(size) ** 1.4).astype(np.int64), count - 1)
    account[~mark(rng, candidates, 0.84)] = -1
    # A fixed rhythm over accounts ordered by size: the share of customers does not hang on who is large.
    turn = (np.arange(count) * 7 + int(rng.integers(20))) % 20
    return account, turn % 4 == 0, turn == 1


def _kinds(size: int, seed: int, account: Indices, customer: Flags, churned: Flags) -> Indices:
    side = np.where(account < 0, 0, customer[account] * 1 + churned[account] * 2)
    kind = np.zeros(size, dtype=np.int64)
    for which in range(3):
        members = side == which
        mix = {position: one.mix[which] for position, one in enumerate(ARCHETYPES) if one.mix[which] > 0}
        drawn = share_out(stream(seed, "kind", which), members, mix, rest=next(iter(mix)))
        kind[members] = drawn[members]
    return kind


def _starts(size: int, seed: int, now: int, kind: Indices) -> tuple[Indices, Indices]:
    rng = stream(seed, "starts")
    low, high = (np.array([one.started[end] for one in ARCHETYPES])[kind] for end in (0, 1))
    start = now - ((low + rng.random(size) * (high - low)) * DAY).astype(np.int64)
    # Not in the last days: there, moving a start would move people between kinds.
    moved = working_time(rng, start, start - 3 * DAY, start + DAY // 2)
    start = np.where(start < now - 9 * DAY, moved, start)
    lead_in = (rng.random(size) ** 3 * 20 * DAY).astype(np.int64)
    started = np.isin(kind, [INDEX["lead"], INDEX["bot"]], invert=True)
    return np.where(started, start - lead_in, start), np.where(started, start, MISSING)


def _stages(size: int, seed: int, kind: Indices, account: Indices, customer: Flags) -> Indices:
    rng = stream(seed, "stages")
    of_kind = np.array([STAGES.index(one.stage) for one in ARCHETYPES])[kind]
    lead = of_kind == STAGES.index("lead")
    of_kind[lead] = choose(rng, int(lead.sum()), (0.35, 0.4, 0.25))
    buys = (account >= 0) & customer[account] & (of_kind == STAGES.index("trial"))
    of_kind[buys] = STAGES.index("customer")
    # The CRM lags: some are still booked under an earlier stage.
    behind = mark(rng, of_kind == STAGES.index("customer"), 0.04)
    of_kind[behind] = STAGES.index("marketingqualifiedlead")
    of_kind[mark(rng, np.ones(size, dtype=np.bool_), 0.012)] = -1
    return of_kind


def _locales(seed: int, country: Indices) -> Indices:
    rng = stream(seed, "locales")
    abroad = rng.random(len(country)) < 1 / 8  # people who use US English wherever they are
    locale = np.where(abroad, list(COUNTRIES).index("US"), country)
    locale[mark(rng, np.ones(len(country), dtype=np.bool_), 0.05)] = -1
    return locale


def _with_gaps(seed: int, name: str, size: int, shares: tuple[float, ...], filled: float) -> Indices:
    everyone = np.ones(size, dtype=np.bool_)
    scale = filled / sum(shares)
    return share_out(
        stream(seed, name), everyone, {i: share * scale for i, share in enumerate(shares)}, rest=-1
    )


def _modes(seed: int, need: Indices) -> Indices:
    rng = stream(seed, "modes")
    mode = np.where(need < 0, 0, need)
    # Nine in ten with a need use the mode made for it; one in fifty without uses one anyway.
    mode[mark(rng, need > 0, 0.1)] = 0
    stray = mark(rng, need <= 0, 0.02)
    mode[stray] = 1 + choose(rng, int(stray.sum()), (0.6, 0.3, 0.1))
    mode[mark(rng, np.ones(len(need), dtype=np.bool_), 0.03)] = -1
    return mode


def _addresses(seed: int, valid: Flags, employee: Flags, bot: Flags) -> Indices:
    rng = stream(seed, "addresses")
    size = len(valid)
    owner = np.arange(size, dtype=np.int64)
    owner[mark(rng, valid & ~employee, 0.045)] = -1
    plain = np.flatnonzero(valid & ~employee & ~bot & (owner >= 0))
    order = rng.permutation(plain)
    pairs = round(0.025 * len(plain))
    # Each of `pairs` addresses stands on a second record; the first tenth also on a third.
    owner[order[pairs : 2 * pairs]] = order[:pairs]
    third = pairs // 10
    owner[order[2 * pairs : 2 * pairs + third]] = order[:third]
    return owner


def _consent(seed: int, purpose: str, valid: Flags) -> Indices:
    none, expired, unproven, granted = PURPOSES[purpose]
    rest = 1 - none - expired - unproven
    shares = {
        ConsentState.EXPIRED: expired,
        ConsentState.UNPROVEN: unproven,
        ConsentState.GRANTED: rest * granted,
        ConsentState.DENIED: rest * (1 - granted),
    }
    return share_out(stream(seed, f"consent {purpose}"), valid, shares, rest=ConsentState.NONE)
