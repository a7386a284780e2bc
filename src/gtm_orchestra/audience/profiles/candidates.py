"""Profiles that could be offered: every pattern a marketer acts on that the data at hand can express.

A pattern whose signals are missing yields no candidate. Which candidates become profiles is decided by what
is counted: see `selection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gtm_orchestra.audience.contracts import Threshold
    from gtm_orchestra.audience.profiles.reading import Clause, Reading
    from gtm_orchestra.audience.profiles.signals import Kind, Stage

__all__ = ["Candidate", "Phase", "candidates"]

Phase = Literal["acquisition", "activation", "conversion", "adoption", "expansion", "retention", "winback"]

_GENERAL = 86
_PARENTS = 100  # a wider group comes after every specific one
_NOUNS: dict[Stage, str] = {
    "prospect": "leads",
    "trial": "trials",
    "free": "free users",
    "customer": "customers",
    "at_risk": "customers at risk",
    "churned": "former customers",
}


@dataclass(frozen=True)
class Candidate:
    """A profile that could be offered.

    Attributes:
        key: Its id if it is taken.
        name: As a marketer says it.
        about: What these people are, without the figures.
        phase: The lifecycle stage of the initiative that it belongs to.
        rank: Its place in the order of the decision tree; the more specific comes first.
        clauses: What must all hold.
        parent: Offered in its place when it is too small.
    """

    key: str
    name: str
    about: str
    phase: Phase
    rank: int
    clauses: tuple[Clause, ...]
    parent: Candidate | None = None

    @property
    def is_general(self) -> bool:
        """Whether it says one thing about everyone: offered only where there is little else to say."""
        return _GENERAL <= self.rank < _PARENTS

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The thresholds of all its clauses."""
        return tuple(threshold for clause in self.clauses for threshold in clause.thresholds)

    @property
    def lasts_days(self) -> float | None:
        """After how many days without anything new membership ends; None if it does not end by itself."""
        return min(
            (clause.lasts_days for clause in self.clauses if clause.lasts_days is not None), default=None
        )

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that its clauses read."""
        return frozenset(threshold.attribute for threshold in self.thresholds)


def candidates(reading: Reading) -> tuple[Candidate, ...]:
    """Return every profile that the data can express, by rank."""
    patterns = (
        _trials,
        _free_users,
        _leads,
        _customers,
        _former_customers,
        _newcomers,
        _steps,
        _buyers,
        _habitual_buyers,
        _habits,
    )
    found = [candidate for pattern in patterns for candidate in pattern(reading)]
    return tuple(sorted(found, key=lambda candidate: (candidate.rank, candidate.key)))


def _offer(
    rank: int,
    name: str,
    about: str,
    phase: Phase,
    clauses: Sequence[Clause | None],
    *,
    parent: str = "",
) -> Iterator[Candidate]:
    """Give a candidate if every clause can be said, with the one that lacks the last clause as its parent."""
    said = tuple(clause for clause in clauses if clause is not None)
    if len(said) < len(clauses):
        return
    wider = None
    if parent and len(said) > 1:
        everyone = f"All {parent[0].lower()}{parent[1:]}"
        wider = Candidate(_slug(parent), parent, everyone, phase, _PARENTS + rank, said[:-1])
    yield Candidate(_slug(name), name, about, phase, rank, said, wider)


def _slug(name: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
    return "-".join(kept.split()) or "profile"


def _trials(reading: Reading) -> Iterator[Candidate]:
    trial = reading.in_stage("trial")
    if trial is None:
        return
    usage = reading.kind
    yield from _offer(
        12,
        "Trials ready to buy",
        "Trials that are back often and use the product as much as its keenest quarter",
        "conversion",
        (trial, reading.active(usage), reading.deep(usage)),
        parent="Trials under way",
    )
    yield from _offer(
        10,
        "Trials weighing a purchase",
        "Trials that look into buying more than most do",
        "conversion",
        (trial, reading.active(usage), reading.intends()),
        parent="Trials under way",
    )
    yield from _offer(
        30,
        "Stalled trials",
        "Trials that began, went quiet, and are not yet lost",
        "activation",
        (trial, reading.begun(usage), reading.fading(usage)),
        parent="Trials begun a while ago",
    )
    yield from _offer(
        64,
        "Abandoned trials",
        "Trials that nobody has come back to for long",
        "winback",
        (trial, reading.begun(usage), reading.dormant(usage, never=True)),
        parent="Trials begun a while ago",
    )
    yield from _offer(
        58,
        "Trials in large accounts",
        "Trials in accounts of the largest quarter",
        "expansion",
        (trial, reading.large()),
        parent="Trials",
    )
    yield from _offer(
        70, "Trials under way", "Trials that are being used", "activation", (trial, reading.active(usage))
    )


def _free_users(reading: Reading) -> Iterator[Candidate]:
    free = reading.in_stage("free")
    usage = reading.kind
    yield from _offer(
        14,
        "Free users ready to upgrade",
        "Free users who use the product as much as its keenest quarter",
        "conversion",
        (free, reading.active(usage), reading.deep(usage)),
        parent="Active free users",
    )
    yield from _offer(
        56,
        "Free users in large accounts",
        "Free users in accounts of the largest quarter",
        "expansion",
        (free, reading.large()),
        parent="Free users",
    )
    yield from _offer(
        72,
        "Free users gone quiet",
        "Free users who have not been back lately",
        "retention",
        (free, reading.quiet(usage)),
        parent="Free users",
    )


def _leads(reading: Reading) -> Iterator[Candidate]:
    lead = reading.in_stage("prospect")
    if lead is None:
        return
    kind: Kind = reading.kind
    yield from _offer(
        18,
        "Leads ready for sales",
        "Leads whose engagement is recent and among the highest quarter",
        "conversion",
        (lead, reading.active(kind), reading.deep(kind)),
        parent="Warm leads",
    )
    yield from _offer(
        16,
        "Leads weighing a purchase",
        "Leads that look into buying more than most do",
        "conversion",
        (lead, reading.intends()),
        parent="Leads",
    )
    yield from _offer(
        40, "New leads", "Leads that came in lately", "acquisition", (lead, reading.new()), parent="Leads"
    )
    yield from _offer(
        60,
        "Warm leads",
        "Leads that were in touch lately",
        "acquisition",
        (lead, reading.active(kind)),
        parent="Leads",
    )
    yield from _offer(
        74,
        "Leads gone cold",
        "Leads without any sign of life lately",
        "acquisition",
        (lead, reading.quiet(kind)),
        parent="Leads",
    )


def _customers(reading: Reading) -> Iterator[Candidate]:
    customer = reading.in_stage("customer")
    if customer is None or reading.kind == "orders":
        return
    kind = reading.kind
    keen = "Power users among customers" if kind == "usage" else "Most engaged customers"
    yield from _offer(
        44,
        keen,
        "Customers whose engagement is recent and among the highest quarter",
        "expansion",
        (customer, reading.active(kind), reading.deep(kind)),
        parent="Active customers",
    )
    yield from _offer(
        46,
        "High-value customers going quiet",
        "Customers of the quarter that brings most money, not seen lately",
        "retention",
        (customer, reading.quiet(kind), reading.high_value()),
        parent="Quiet customers",
    )
    yield from _offer(
        48,
        "New customers",
        "Customers who started lately",
        "activation",
        (customer, reading.new()),
        parent="Customers",
    )
    yield from _offer(
        62,
        "Customers going quiet",
        "Customers away longer than usual, not yet for long",
        "retention",
        (customer, reading.fading(kind)),
        parent="Customers",
    )
    yield from _offer(
        76,
        "Dormant customers",
        "Customers who have been away for long",
        "retention",
        (customer, reading.dormant(kind)),
        parent="Customers",
    )
    yield from _offer(
        80, "Active customers", "Customers who were seen lately", "adoption", (customer, reading.active(kind))
    )


def _former_customers(reading: Reading) -> Iterator[Candidate]:
    former = reading.in_stage("churned")
    kind = reading.kind
    yield from _offer(
        20,
        "Former customers back for a look",
        "Former customers who were seen lately",
        "winback",
        (former, reading.active(kind)),
        parent="Former customers",
    )
    yield from _offer(
        50,
        "Former customers worth winning back",
        "Former customers of the quarter that brought most money",
        "winback",
        (former, reading.high_value()),
        parent="Former customers",
    )


def _newcomers(reading: Reading) -> Iterator[Candidate]:
    if not reading.milestones:
        return
    first = reading.milestones[0]
    # Where the data knows who uses the product, a lead that never signed up is not late with its first step.
    users = reading.in_stage("trial", "free")
    trial, free = reading.stages.get("trial"), reading.stages.get("free")
    noun = "trials" if trial and (free is None or free.attribute != trial.attribute) else "users"
    clauses = (reading.new(), reading.not_reached(first))
    yield from _offer(
        32,
        f"New {noun if users else reading.noun} yet to {first.step}",
        f"People who started lately and have not yet taken the step that most take first ({first.step})",
        "activation",
        (users, *clauses) if users is not None else clauses,
        parent=f"New {noun} before buying" if users else f"New {reading.noun}",
    )


def _steps(reading: Reading) -> Iterator[Candidate]:
    """Those who took one step of the funnel and are there, but have not taken the next."""
    for at, (before, after) in enumerate(pairwise(reading.milestones[:6])):
        clauses: tuple[Clause | None, ...] = (reading.reached(before), reading.not_reached(after))
        active = reading.active("usage")
        yield from _offer(
            22 + at,
            f"Ready to {after.step}",
            f"People who took the step before ({before.step}), are active, and have yet to {after.step}",
            "activation" if at == 0 else "adoption",
            (active, *clauses) if active is not None else clauses,
            parent=f"Past the step: {before.step}",
        )


def _buyers(reading: Reading) -> Iterator[Candidate]:
    if reading.kind != "orders":
        return
    yield from _offer(
        34,
        "New shoppers yet to order",
        "People who signed up lately and have not ordered",
        "activation",
        (reading.new(), reading.never("orders")),
        parent="New shoppers",
    )
    yield from _offer(
        36,
        "One-time buyers to bring back",
        "People who ordered once and not again lately",
        "retention",
        (reading.once("orders"), reading.quiet("orders", never=False)),
        parent="One-time buyers",
    )
    yield from _offer(
        38,
        "Repeat buyers due for an order",
        "People who ordered at least twice and are later than usual",
        "retention",
        (reading.repeatedly("orders"), reading.fading("orders")),
        parent="Repeat buyers",
    )


def _habitual_buyers(reading: Reading) -> Iterator[Candidate]:
    if reading.kind != "orders":
        return
    yield from _offer(
        42,
        "Regular buyers",
        "People who ordered lately and as often as the keenest quarter",
        "expansion",
        (reading.active("orders"), reading.deep("orders")),
        parent="Recent buyers",
    )
    yield from _offer(
        35,
        "Big spenders going quiet",
        "The quarter that spends most, without a recent order",
        "retention",
        (reading.quiet("orders", never=False), reading.high_value()),
        parent="Buyers going quiet",
    )
    yield from _offer(
        52,
        "First order just made",
        "People whose only order is recent",
        "adoption",
        (reading.once("orders"), reading.active("orders")),
        parent="One-time buyers",
    )
    yield from _offer(
        64,
        "Signed up, never ordered" if reading.tells_never("orders") else "Signed up, no order lately",
        "People who have been on file for a while without an order",
        "acquisition",
        (reading.settled(), reading.never("orders")),
        parent="Registered for a while",
    )
    yield from _offer(
        82, "Lapsed buyers", "People whose last order is long ago", "winback", (reading.dormant("orders"),)
    )


def _habits(reading: Reading) -> Iterator[Candidate]:
    """What can be said of everyone, whatever their lifecycle stage."""
    kind, noun = reading.kind, reading.noun
    if kind != "orders":
        yield from _offer(
            66,
            "Power users" if kind == "usage" else f"Most engaged {noun}",
            "People whose engagement is recent and among the highest quarter",
            "expansion",
            (reading.active(kind), reading.deep(kind)),
            parent=f"Active {noun}",
        )
        yield from _offer(
            67,
            f"Regular {noun} going quiet",
            "People of the most engaged quarter, not seen lately",
            "retention",
            (reading.quiet(kind, never=False), reading.deep(kind)),
            parent=f"Quiet {noun}",
        )
        never = "never" if reading.tells_never(kind) else "not lately"
        users = reading.in_stage("trial", "free", "customer")
        unseen = (reading.settled(), reading.never(kind))
        yield from _offer(
            68,
            f"Signed up, {never} active" if users else f"On file, {never} active",
            f"People who have been on file for a while and were {never} seen",
            "activation" if users else "acquisition",
            (users, *unseen) if users is not None else unseen,
        )
        yield from _offer(
            84,
            f"Dormant {noun}",
            "People who have been away for long",
            "winback",
            (reading.dormant(kind),),
        )
    yield from _offer(
        69, f"High-value {noun}", "The quarter that brings most money", "expansion", (reading.high_value(),)
    )
    yield from _offer(86, f"New {noun}", "People who started lately", "activation", (reading.new(),))
    yield from _offer(
        90, f"Active {noun}", "People who were seen lately", "adoption", (reading.active(kind),)
    )
    yield from _offer(
        92, f"Fading {noun}", "People away longer than usual", "retention", (reading.fading(kind),)
    )
