"""Patterns of a CRM: who is in talks, who bought, who said no, and who has waited without any deal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.audience.profiles.candidates import Candidate, offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gtm_orchestra.audience.profiles.reading import Reading

__all__ = ["deals"]


def deals(reading: Reading) -> Iterator[Candidate]:
    """Give people by their deals. The deals are the record: they count before a label that somebody set."""
    if not reading.deals:
        return
    noun = "leads" if "lead" in reading.stages else reading.noun
    people = reading.in_stage("lead") if "lead" in reading.stages else None
    who = () if people is None else (people,)
    none_won = reading.dealt("won", some=False)
    unwon = () if none_won is None else (none_won,)
    yield from offer(
        22,
        "In talks: an open deal, none won yet",
        "People with whom sales is in talks and who have not bought",
        "conversion",
        (reading.dealt("open", some=True), *unwon),
        parent="People with an open deal",
    )
    yield from offer(
        26,
        "Customers by a won deal",
        "People who have bought before and are not in talks",
        "expansion",
        (reading.dealt("won", some=True), reading.dealt("open", some=False)),
        parent="People with a won deal",
    )
    yield from offer(
        48,
        "Lost deals to win back",
        "People who said no, have never bought and are not in talks",
        "winback",
        (reading.dealt("lost", some=True), *unwon, reading.dealt("open", some=False)),
        parent="People who said no",
    )
    yield from offer(
        62,
        f"{noun.capitalize()} on file without a deal",
        f"{noun.capitalize()} that came in a while ago and have no deal, open, won or lost",
        "acquisition",
        (
            *who,
            reading.settled(),
            reading.dealt("open", some=False),
            *unwon,
            reading.dealt("lost", some=False),
        ),
        parent=f"{noun.capitalize()} on file for a while",
    )
