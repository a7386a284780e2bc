"""Patterns of a lifecycle stage: trials, free users, leads, customers, late payers, former customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from gtm_orchestra.audience.profiles.candidates import Candidate, Phase, offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.audience.profiles.reading import Clause, Reading

# Rank in the tree, name, what these people are, phase, and the clause that sets them apart in their group.
_Pattern: TypeAlias = "tuple[int, str, str, Phase, Clause | None]"

__all__ = [
    "customers",
    "ending_trials",
    "former_customers",
    "free_users",
    "in_sales",
    "late_payers",
    "leads",
    "trials",
]


def ending_trials(reading: Reading) -> Iterator[Candidate]:
    """Give those whose trial ends soon, and of them those who have not begun to use it."""
    ending = reading.ending()
    if ending is None:
        return
    soon = ending.says.removeprefix("trial ")
    name = f"Trials that {soon.replace('ends', 'end')}"
    trial = reading.in_stage("trial")
    under_way = (ending,) if trial is None else (trial, ending)
    if reading.milestones:
        first = reading.milestones[0]
        yield from offer(
            8,
            f"{name}, yet to {first.step}",
            f"Trials about to end without the step that most take first ({first.step}){first.within}",
            "activation",
            (*under_way, reading.not_reached(first)),
            parent=name,
        )
    yield from offer(13, name, "Trials about to end", "conversion", under_way, parent="Trials")


def trials(reading: Reading) -> Iterator[Candidate]:
    """Give trials by what they do."""
    trial, usage = reading.in_stage("trial"), reading.kind
    active, begun = reading.active(usage), reading.begun(usage)
    ready, weighing = (
        "Trials that are in use and used a lot",
        "Trials in use that look into buying more than most do",
    )
    stalled = "Trials that have had the time to get going and are no longer in use"
    yield from _among(
        (trial, active),
        "Trials under way",
        (12, "Trials ready to buy", ready, "conversion", reading.deep(usage)),
        (10, "Trials weighing a purchase", weighing, "conversion", reading.intends()),
    )
    yield from _among(
        (trial, begun),
        "Trials begun a while ago",
        (30, "Stalled trials", stalled, "activation", reading.stalled(usage)),
        (
            64,
            "Abandoned trials",
            "Trials without any use for long",
            "winback",
            reading.dormant(usage, never=True),
        ),
    )
    yield from _among(
        (trial,),
        "",
        (58, "Trials in large accounts", "Trials in large accounts", "expansion", reading.large()),
        (70, "Trials under way", "Trials that are in use", "activation", active),
    )


def free_users(reading: Reading) -> Iterator[Candidate]:
    """Give users of a free plan."""
    free, usage = reading.in_stage("free"), reading.kind
    ready = "Free users who are active and use the product a lot"
    gone = "Free users who were active before and have not been back"
    yield from _among(
        (free, reading.active(usage)),
        "Active free users",
        (14, "Free users ready to upgrade", ready, "conversion", reading.deep(usage)),
    )
    yield from _among(
        (free,),
        "Free users",
        (56, "Free users in large accounts", "Free users in large accounts", "expansion", reading.large()),
        (72, "Free users gone quiet", gone, "retention", reading.quiet(usage)),
    )


def leads(reading: Reading) -> Iterator[Candidate]:
    """Give leads that are not with sales yet, and subscribers who are no leads yet."""
    lead, kind = reading.in_stage("lead"), reading.kind
    active = reading.active(kind)
    ready = "Leads not yet with sales whose engagement is recent and high"
    quiet = "Leads that were in touch before and have not been lately"
    cold, never = "Leads without any sign of life for long", reading.dormant(kind, never=True)
    yield from _among(
        (lead, active),
        "Warm leads",
        (18, "Leads ready for sales", ready, "conversion", reading.deep(kind)),
    )
    weighing = "Leads that look into buying more than most do"
    yield from _among(
        (lead,),
        "Leads",
        (16, "Leads weighing a purchase", weighing, "conversion", reading.intends()),
        (40, "New leads", "Leads that came in lately", "acquisition", reading.new()),
        (60, "Warm leads", "Leads that were in touch lately", "acquisition", active),
        (63, "Leads going quiet", quiet, "acquisition", reading.quiet(kind)),
        (65, "Leads gone cold", cold, "acquisition", never),
    )
    subscribers = "Subscribers, no leads yet, who were in touch lately"
    yield from _among(
        (reading.in_stage("subscriber"),),
        "Subscribers",
        (61, "Active subscribers to win as leads", subscribers, "acquisition", active),
    )


def in_sales(reading: Reading) -> Iterator[Candidate]:
    """Give those whom sales works on already and who do not answer."""
    values, deals = reading.values_of("in_sales"), {"opportunity", "openopportunity"}
    nouns = ["Sales-qualified leads"] * bool(values - deals) + ["opportunities"] * bool(values & deals)
    noun = " and ".join(nouns).capitalize()
    about = f"{noun}, with sales already, who were in touch before and have not been lately"
    yield from _among(
        (reading.in_stage("in_sales"),),
        noun,
        (17, f"{noun} going quiet", about, "conversion", reading.quiet(reading.kind)),
    )


def customers(reading: Reading) -> Iterator[Candidate]:
    """Give customers by what they do and bring."""
    customer, kind, value = reading.in_stage("customer"), reading.kind, reading.value_name
    if customer is None or kind == "orders":
        return
    active, quiet, high = reading.active(kind), reading.quiet(kind), reading.high_value()
    most = (
        "Power users among customers" if reading.is_product and kind == "usage" else "Most engaged customers"
    )
    yield from _among(
        (customer, active),
        "Active customers",
        (44, most, "Customers whose engagement is recent and high", "expansion", reading.deep(kind)),
    )
    worth = f"Customers of high {value or 'value'} who were active before and have not been lately"
    yield from _among(
        (customer, quiet),
        "Quiet customers",
        (46, "High-value customers going quiet", worth, "retention", high),
    )
    gone = "Customers who were active before and have not been lately"
    yield from _among(
        (customer,),
        "Customers",
        (48, "New customers", "Customers who joined lately", "activation", reading.new()),
        (62, "Customers going quiet", gone, "retention", quiet),
        (69, f"Best customers by {value}", f"Customers of high {value}", "expansion", high),
        (
            76,
            "Dormant customers",
            "Customers who have been away for long",
            "retention",
            reading.dormant(kind),
        ),
    )
    yield from _among(
        (customer,), "", (80, "Active customers", "Customers who were active lately", "adoption", active)
    )


def late_payers(reading: Reading) -> Iterator[Candidate]:
    """Give those whose payment is overdue: nothing else is to be sold to them first."""
    yield from offer(
        9,
        "Past-due payers",
        "People whose payment is overdue",
        "retention",
        (reading.in_stage("past_due"),),
        stands_alone=True,
    )


def former_customers(reading: Reading) -> Iterator[Candidate]:
    """Give those who left."""
    worth = f"Former customers of high {reading.value_name or 'value'}"
    back, active = "Former customers who were active lately", reading.active(reading.kind)
    yield from _among(
        (reading.in_stage("churned"),),
        "Former customers",
        (20, "Former customers back for a look", back, "winback", active),
        (50, "Former customers worth winning back", worth, "winback", reading.high_value()),
    )


def _among(group: tuple[Clause | None, ...], parent: str, *patterns: _Pattern) -> Iterator[Candidate]:
    """Give the patterns that one group of people parts into, each offered as the whole group if too small."""
    for rank, name, about, phase, clause in patterns:
        yield from offer(rank, name, about, phase, (*group, clause), parent=parent)
