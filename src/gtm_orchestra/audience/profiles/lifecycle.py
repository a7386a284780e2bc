"""Patterns of a lifecycle stage: trials, free users, leads, customers, late payers, former customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.audience.profiles.candidates import Candidate, offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.audience.profiles.reading import Reading

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
    trial = reading.in_stage("trial")
    if trial is None:
        return
    usage = reading.kind
    yield from offer(
        12,
        "Trials ready to buy",
        "Trials that are in use and used a lot",
        "conversion",
        (trial, reading.active(usage), reading.deep(usage)),
        parent="Trials under way",
    )
    yield from offer(
        10,
        "Trials weighing a purchase",
        "Trials in use that look into buying more than most do",
        "conversion",
        (trial, reading.active(usage), reading.intends()),
        parent="Trials under way",
    )
    yield from offer(
        30,
        "Stalled trials",
        "Trials that have had the time to get going and are no longer in use",
        "activation",
        (trial, reading.begun(usage), reading.stalled(usage)),
        parent="Trials begun a while ago",
    )
    yield from offer(
        64,
        "Abandoned trials",
        "Trials without any use for long",
        "winback",
        (trial, reading.begun(usage), reading.dormant(usage, never=True)),
        parent="Trials begun a while ago",
    )
    yield from offer(
        58, "Trials in large accounts", "Trials in large accounts", "expansion", (trial, reading.large())
    )
    yield from offer(
        70, "Trials under way", "Trials that are in use", "activation", (trial, reading.active(usage))
    )


def free_users(reading: Reading) -> Iterator[Candidate]:
    """Give users of a free plan."""
    free = reading.in_stage("free")
    usage = reading.kind
    yield from offer(
        14,
        "Free users ready to upgrade",
        "Free users who are active and use the product a lot",
        "conversion",
        (free, reading.active(usage), reading.deep(usage)),
        parent="Active free users",
    )
    yield from offer(
        56,
        "Free users in large accounts",
        "Free users in large accounts",
        "expansion",
        (free, reading.large()),
        parent="Free users",
    )
    yield from offer(
        72,
        "Free users gone quiet",
        "Free users who were active before and have not been back",
        "retention",
        (free, reading.quiet(usage)),
        parent="Free users",
    )


def leads(reading: Reading) -> Iterator[Candidate]:
    """Give leads that are not with sales yet, and subscribers who are no leads yet."""
    lead, subscriber, kind = reading.in_stage("lead"), reading.in_stage("subscriber"), reading.kind
    yield from offer(
        18,
        "Leads ready for sales",
        "Leads not yet with sales whose engagement is recent and high",
        "conversion",
        (lead, reading.active(kind), reading.deep(kind)),
        parent="Warm leads",
    )
    yield from offer(
        16,
        "Leads weighing a purchase",
        "Leads that look into buying more than most do",
        "conversion",
        (lead, reading.intends()),
        parent="Leads",
    )
    yield from offer(
        40, "New leads", "Leads that came in lately", "acquisition", (lead, reading.new()), parent="Leads"
    )
    yield from offer(
        60,
        "Warm leads",
        "Leads that were in touch lately",
        "acquisition",
        (lead, reading.active(kind)),
        parent="Leads",
    )
    yield from offer(
        63,
        "Leads going quiet",
        "Leads that were in touch before and have not been lately",
        "acquisition",
        (lead, reading.quiet(kind)),
        parent="Leads",
    )
    yield from offer(
        65,
        "Leads gone cold",
        "Leads without any sign of life for long",
        "acquisition",
        (lead, reading.dormant(kind, never=True)),
        parent="Leads",
    )
    yield from offer(
        61,
        "Active subscribers to win as leads",
        "Subscribers, no leads yet, who were in touch lately",
        "acquisition",
        (subscriber, reading.active(kind)),
        parent="Subscribers",
    )


def in_sales(reading: Reading) -> Iterator[Candidate]:
    """Give those whom sales works on already and who do not answer."""
    clause = reading.in_stage("in_sales")
    values, deals = reading.values_of("in_sales"), {"opportunity", "openopportunity"}
    nouns = ["Sales-qualified leads"] * bool(values - deals) + ["opportunities"] * bool(values & deals)
    noun = " and ".join(nouns).capitalize()
    yield from offer(
        17,
        f"{noun} going quiet",
        f"{noun}, with sales already, who were in touch before and have not been lately",
        "conversion",
        (clause, reading.quiet(reading.kind)),
        parent=noun,
    )


def customers(reading: Reading) -> Iterator[Candidate]:
    """Give customers by what they do and bring."""
    customer = reading.in_stage("customer")
    if customer is None or reading.kind == "orders":
        return
    kind = reading.kind
    yield from offer(
        44,
        "Power users among customers" if reading.is_product and kind == "usage" else "Most engaged customers",
        "Customers whose engagement is recent and high",
        "expansion",
        (customer, reading.active(kind), reading.deep(kind)),
        parent="Active customers",
    )
    yield from offer(
        46,
        "High-value customers going quiet",
        f"Customers of high {reading.value_name or 'value'} who were active before and have not been lately",
        "retention",
        (customer, reading.quiet(kind), reading.high_value()),
        parent="Quiet customers",
    )
    yield from offer(
        48,
        "New customers",
        "Customers who joined lately",
        "activation",
        (customer, reading.new()),
        parent="Customers",
    )
    yield from offer(
        62,
        "Customers going quiet",
        "Customers who were active before and have not been lately",
        "retention",
        (customer, reading.quiet(kind)),
        parent="Customers",
    )
    yield from offer(
        69,
        f"Best customers by {reading.value_name}",
        f"Customers of high {reading.value_name}",
        "expansion",
        (customer, reading.high_value()),
        parent="Customers",
    )
    yield from offer(
        76,
        "Dormant customers",
        "Customers who have been away for long",
        "retention",
        (customer, reading.dormant(kind)),
        parent="Customers",
    )
    yield from offer(
        80,
        "Active customers",
        "Customers who were active lately",
        "adoption",
        (customer, reading.active(kind)),
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
    former = reading.in_stage("churned")
    kind = reading.kind
    yield from offer(
        20,
        "Former customers back for a look",
        "Former customers who were active lately",
        "winback",
        (former, reading.active(kind)),
        parent="Former customers",
    )
    yield from offer(
        50,
        "Former customers worth winning back",
        f"Former customers of high {reading.value_name or 'value'}",
        "winback",
        (former, reading.high_value()),
        parent="Former customers",
    )
