"""What a model may be asked for while profiles are defined, and the built-in answers of the same types.

Each place has a template in prompts/tasks/. A model only words or rewrites; code reads a rewritten constraint
again and checks each figure and name, so that nothing rests on its word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from gtm_orchestra.model import Model

if TYPE_CHECKING:
    from gtm_orchestra.audience.contracts import ConstraintReading, Objectives, Profile

__all__ = [
    "ConstraintRewrite",
    "ObjectiveSummary",
    "ProfileWording",
    "rewrite_constraint",
    "summarise_objectives",
    "word_profile",
]


class ConstraintRewrite(Model):
    """A constraint in one of the forms that code reads, if one says exactly the same."""

    kept: bool = Field(description="Nothing of the constraint is lost, added or guessed.")
    rewritten: str
    lost: str = Field(description="The part that no form can say.")


class ProfileWording(Model):
    """A profile's name and description."""

    name: str
    description: str


class ObjectiveSummary(Model):
    """What the initiative wants, for whom, within which limits: three sentences."""

    summary: str


def rewrite_constraint(reading: ConstraintReading) -> ConstraintRewrite:
    """Return the built-in answer: what was not understood stays as it was written, for a person."""
    if reading.understood:
        return ConstraintRewrite(kept=True, rewritten=reading.text, lost="")
    return ConstraintRewrite(kept=False, rewritten="", lost=reading.text)


def word_profile(profile: Profile) -> ProfileWording:
    """Return the built-in answer: the name and description that were computed with the profile."""
    return ProfileWording(name=profile.name, description=profile.description)


def summarise_objectives(objectives: Objectives) -> ObjectiveSummary:
    """Return the built-in answer: goal, people and limits, from what was read and counted."""
    people = "; ".join(
        f"{persona.name} ({persona.people:,} people)" for persona in objectives.personas if persona.people
    )
    unread = [repr(reading.text) for reading in objectives.constraints if not reading.understood]
    held = sum(1 for reading in objectives.constraints if reading.understood)
    limits = f"{held} constraint{'s are' if held != 1 else ' is'} held by rules"
    if unread:
        limits += f"; not understood: {', '.join(unread)}"
    goal = objectives.goals[0] if objectives.goals else f"Personalise {objectives.initiative}."
    return ObjectiveSummary(summary=f"{goal} For: {people or 'kinds of people are not known yet'}. {limits}.")
