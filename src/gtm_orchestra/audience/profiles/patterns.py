"""Every pattern a marketer acts on that the data at hand can express, as candidates."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from gtm_orchestra.audience.profiles.buyers import buyers, groups, newcomers, spenders
from gtm_orchestra.audience.profiles.candidates import Candidate, offer
from gtm_orchestra.audience.profiles.deals import deals
from gtm_orchestra.audience.profiles.lifecycle import (
    customers,
    ending_trials,
    former_customers,
    free_users,
    in_sales,
    late_payers,
    leads,
    trials,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.audience.profiles.reading import Clause, Reading

__all__ = ["candidates"]

_STEPS = 3  # of the funnel: who is so far is no beginner
_ONLY_TO_FILL = 90  # said of everybody where the lifecycle says it better


def candidates(reading: Reading) -> tuple[Candidate, ...]:
    """Return every profile that the data can express, by rank."""
    patterns = (
        *(ending_trials, trials, late_payers, free_users, leads, in_sales, customers, former_customers),
        *(deals, _beginners, _steps, newcomers, buyers, spenders, groups, _habits, _general),
    )
    found = [candidate for pattern in patterns for candidate in pattern(reading)]
    return tuple(sorted(found, key=lambda candidate: (candidate.rank, candidate.key)))


def _beginners(reading: Reading) -> Iterator[Candidate]:
    """Give those who started lately and have not taken the first step."""
    if not reading.milestones:
        return
    first = reading.milestones[0]
    # Where the data knows who uses the product, a lead that never signed up is not late with its first step.
    users = reading.users("trial", "free")
    trial, free = reading.stages.get("trial"), reading.stages.get("free")
    noun = "trials" if trial and (free is None or free.attribute != trial.attribute) else "users"
    noun = noun if users else reading.noun
    clauses = (reading.not_reached(first), reading.new())
    yield from offer(
        32,
        f"New {noun} yet to {first.step}",
        f"{noun.capitalize()} that joined lately and have not taken the step that most take first "
        f"({first.step}){first.within}",
        "activation",
        (users, *clauses) if users is not None else clauses,
        parent=f"{noun.capitalize()} yet to {first.step}",
    )


def _steps(reading: Reading) -> Iterator[Candidate]:
    """Give those who took one step of the funnel and are there, but have not taken the next."""
    users, active = reading.users("trial", "free", "customer"), reading.active("usage")
    for at, (before, after) in enumerate(pairwise(reading.milestones[:_STEPS])):
        clauses: tuple[Clause | None, ...] = (reading.reached(before), reading.not_reached(after))
        yield from offer(
            45 + at,
            f"Ready to {after.step}",
            f"People who took the step before ({before.step}){before.within}, are active, and have yet to "
            f"{after.step}{after.within}",
            "activation" if at == 0 else "adoption",
            (*(clause for clause in (users, active) if clause is not None), *clauses),
            parent=f"Active people who {before.done}" if active else f"People who {before.done}",
        )


def _habits(reading: Reading) -> Iterator[Candidate]:
    """Give what can be said of everyone, whatever their lifecycle stage."""
    kind, noun = reading.kind, reading.noun
    if kind == "orders":
        return
    # Where stages are known, whoever is with sales or pays is not one group with those who do not.
    staged = bool(reading.stages)
    anyone = " of any lifecycle stage" if staged else ""
    yield from offer(
        _ONLY_TO_FILL + 3 if staged else 66,
        "Power users" if reading.is_product and kind == "usage" else f"Most engaged {noun}",
        f"{noun.capitalize()}{anyone} whose engagement is recent and high",
        "expansion",
        (reading.active(kind), reading.deep(kind)),
        parent=f"Active {noun}",
    )
    yield from offer(
        _ONLY_TO_FILL + 4 if staged else 67,
        f"Engaged {noun} going quiet",
        f"{noun.capitalize()}{anyone} who did a lot and have not been active lately",
        "retention",
        (reading.quiet(kind), reading.deep(kind)),
        parent=f"Quiet {noun}",
    )
    scored = reading.is_scored(kind)
    never = "never" if reading.tells_never(kind) else "not lately"
    # Leads of a CRM never signed up for anything.
    product = bool({"trial", "free"} & reading.stages.keys())
    users = reading.users("trial", "free", "customer") if product else None
    unseen = (reading.settled(), reading.never(kind))
    yield from offer(
        68 if product or not staged else 85,
        f"{'Signed up' if product else 'On file'}, {'score of 0' if scored else f'{never} active'}",
        f"People on file for a while who {'have a score of 0' if scored else f'were {never} active'}",
        "activation" if product else "acquisition",
        (users, *unseen) if users is not None else unseen,
    )
    # Dormant customers are a profile of their own.
    others = reading.in_stage(*(stage for stage in reading.stages if stage != "customer"))
    apart = "customer" in reading.stages
    yield from offer(
        84,
        f"Dormant {noun}",
        f"{noun.capitalize()}{' that are no customers' if apart else anyone} who have been away for long",
        "winback",
        (others, reading.dormant(kind)) if apart else (reading.dormant(kind),),
    )


def _general(reading: Reading) -> Iterator[Candidate]:
    """Give what is offered only where there is little else to say."""
    kind, noun = reading.kind, reading.noun
    if kind != "orders" and "customer" not in reading.stages and reading.value is not None:
        paid = reading.is_paid_in_full
        yield from offer(
            69,
            f"Best customers by {reading.value_name}" if paid else f"Highest {reading.value_name}",
            f"{noun.capitalize()} of high {reading.value_name}",
            "expansion",
            (reading.high_value(),),
        )
    yield from offer(
        86, f"New {noun}", f"{noun.capitalize()} that joined lately", "activation", (reading.new(),)
    )
    yield from offer(
        90, f"Active {noun}", f"{noun.capitalize()} active lately", "adoption", (reading.active(kind),)
    )
    yield from offer(
        92,
        f"{noun.capitalize()} going quiet",
        f"{noun.capitalize()} active before and not lately",
        "retention",
        (reading.quiet(kind),),
    )
