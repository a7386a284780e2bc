"""Patterns of shops: who bought once, again, much, not yet, and not for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.audience.profiles.candidates import Candidate, offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.audience.profiles.reading import Reading

__all__ = ["buyers", "groups", "newcomers", "spenders"]


def newcomers(reading: Reading) -> Iterator[Candidate]:
    """Give those who signed up and have not ordered."""
    if reading.kind != "orders":
        return
    subscribers = " (on e-mail: the subscribers among them)" if reading.subscribers else ""
    certain = reading.tells_never("orders")
    over = "" if certain else f" {reading.counted_over('orders')}"
    yield from offer(
        34,
        "New shoppers yet to order" if certain else "New shoppers without a recent order",
        f"People who signed up lately and have not ordered{over}{subscribers}",
        "activation",
        (*reading.no_guest(), reading.new(), reading.never("orders")),
        parent="New shoppers",
    )
    yield from offer(
        53,
        "Signed up, never ordered" if certain else "Signed up, no order lately",
        f"People on file for a while without an order{over}{subscribers}",
        "acquisition",
        (*reading.no_guest(), reading.settled(), reading.never("orders")),
    )
    if reading.tenure is None:
        yield from offer(
            53,
            "On file, never ordered" if certain else "On file, no order lately",
            f"People on file without an order{over}{subscribers}",
            "acquisition",
            (reading.never("orders"),),
        )


def buyers(reading: Reading) -> Iterator[Candidate]:
    """Give buyers by how often they ordered, over the time that the data counts, and how lately."""
    if reading.kind != "orders":
        return
    over = reading.counted_over("orders")
    once, active, quiet = reading.once("orders"), reading.active("orders"), reading.quiet("orders")
    if "orders" in reading.lifetime:
        yield from offer(
            36,
            "One-time buyers to bring back",
            "People who ordered once and not again since",
            "retention",
            (once, quiet),
            parent="One-time buyers",
        )
        yield from offer(
            52,
            "First order just made",
            "People whose only order is recent",
            "adoption",
            (once, reading.just("orders")),
            parent="One-time buyers",
        )
    else:
        # Whoever ordered once in a window may have ordered before it.
        yield from offer(
            52, f"One order {over}", f"People who ordered once {over}, and maybe before", "retention", (once,)
        )
    yield from offer(
        38,
        "Repeat buyers due for an order",
        f"People with at least two orders {over}, none of them lately",
        "retention",
        (reading.repeatedly("orders"), quiet),
        parent="Repeat buyers",
    )
    yield from offer(
        42,
        "Regular buyers",
        "People whose last order is recent and who order a lot",
        "expansion",
        (active, reading.deep("orders")),
        parent="Recent buyers",
    )
    yield from offer(
        82, "Lapsed buyers", "People whose last order is long ago", "winback", (reading.dormant("orders"),)
    )


def spenders(reading: Reading) -> Iterator[Candidate]:
    """Give those who brought most money."""
    if reading.kind != "orders" or reading.value is None:
        return
    spent = reading.value_name
    yield from offer(
        35,
        "Big spenders going quiet",
        f"People of high {spent} who ordered before and have not lately",
        "retention",
        (reading.quiet("orders"), reading.high_value()),
        parent="Buyers going quiet",
    )
    yield from offer(
        41,
        f"Best customers by {spent}" if reading.is_paid_in_full else f"Highest {spent}",
        f"People of high {spent}",
        "expansion",
        (reading.high_value(),),
    )


def groups(reading: Reading) -> Iterator[Candidate]:
    """Give customer groups that need content of their own, trade customers first."""
    for group in reading.groups:
        label = group.attribute.replace("_", " ")
        yield from offer(
            28 if group.is_trade else 78,
            f"Trade customers ({group.value})" if group.is_trade else f"{label.capitalize()}: {group.value}",
            "People who buy for a trade" if group.is_trade else f"One {label}",
            "expansion",
            (reading.in_group(group),),
            stands_alone=True,
        )
