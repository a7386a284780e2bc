"""Which candidates become profiles: large enough, not mostly somebody else's, the goal's first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.audience.contracts import Finding, Objectives
from gtm_orchestra.audience.wording import tokens_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gtm_orchestra.audience.profiles.candidates import Candidate, Phase
    from gtm_orchestra.audience.profiles.tally import Tally

__all__ = ["FEWEST", "MOST", "SHORTLIST", "Choice", "goal_phases", "shortlist", "too_small", "within_bounds"]

FEWEST, MOST, SHORTLIST = 4, 8, 12
_LARGEST = 0.6  # of the people in scope: more is not a segment
_OWN = 0.3  # of its people that no earlier profile already has
_SMALLEST = 0.003  # of the people in scope: less is noise, whatever the group minimum
_ONBOARDING: tuple[Phase, ...] = ("activation", "conversion")
_GOALS: dict[str, tuple[Phase, ...]] = {
    "onboarding": _ONBOARDING,
    "onboard": _ONBOARDING,
    "activation": _ONBOARDING,
    "welcome": ("activation",),
    "trial": _ONBOARDING,
    "plg": _ONBOARDING,
    "adoption": ("adoption", "activation"),
    "engagement": ("adoption", "retention"),
    "conversion": ("conversion",),
    "pipeline": ("conversion", "acquisition"),
    "lead": ("acquisition", "conversion"),
    "leads": ("acquisition", "conversion"),
    "nurture": ("acquisition", "conversion"),
    "acquisition": ("acquisition",),
    "upsell": ("expansion", "conversion"),
    "expansion": ("expansion", "conversion"),
    "upgrade": ("expansion", "conversion"),
    "loyalty": ("retention", "expansion"),
    "retention": ("retention", "winback"),
    "retain": ("retention", "winback"),
    "churn": ("retention", "winback"),
    "renewal": ("retention",),
    "winback": ("winback", "retention"),
    "reactivation": ("winback", "retention"),
    "repurchase": ("retention", "expansion"),
}


@dataclass(frozen=True)
class Choice:
    """A candidate that is taken.

    Attributes:
        candidate: What is offered.
        in_place_of: Name of the group under the minimum that it is offered for; empty if none.
    """

    candidate: Candidate
    in_place_of: str = ""


def goal_phases(objectives: Objectives) -> frozenset[Phase]:
    """Return the phases that the initiative's name and goals speak of; empty if they name none."""
    texts = (objectives.initiative, *objectives.goals)
    words = {word for text in texts for word in (*tokens_of(text), *tokens_of(text.replace("-", "")))}
    return frozenset(phase for word in words for phase in _GOALS.get(word, ()))


def shortlist(
    found: Sequence[Candidate], counted: Tally, *, goals: Collection[Phase], minimum: int, people: int
) -> tuple[list[Choice], list[Candidate]]:
    """Return the candidates worth a closer look, in the order of the tree, and those that are too small.

    A candidate under the minimum is replaced by its parent, which takes its place after the specific ones.

    Args:
        found: The candidates; each one's key, its parent's key and "suppressed" are statements in `counted`.
        counted: People by statement.
        goals: Phases that come first; empty for no preference.
        minimum: Fewest people a group may have to be offered.
        people: People in scope.
    """
    offered: dict[str, Choice] = {}
    small: list[Candidate] = []
    for candidate in found:
        if counted.count([candidate.key]) == 0:
            continue
        if counted.count([candidate.key], none=["suppressed"]) >= minimum:
            in_place_of = offered[candidate.key].in_place_of if candidate.key in offered else ""
            offered[candidate.key] = Choice(candidate, in_place_of)
            continue
        small.append(candidate)
        parent = candidate.parent
        if parent is not None and counted.count([parent.key], none=["suppressed"]) >= minimum:
            own = offered[parent.key].candidate if parent.key in offered else parent
            offered[parent.key] = Choice(own, candidate.name)
    least = max(minimum, int(people * _SMALLEST))
    chosen: list[Choice] = []
    for choice in sorted(offered.values(), key=lambda choice: _order(choice.candidate, goals)):
        taken = [earlier.candidate.key for earlier in chosen]
        size = counted.count([choice.candidate.key], none=["suppressed"])
        fresh = counted.count([choice.candidate.key], none=[*taken, "suppressed"])
        if len(chosen) < SHORTLIST and fresh >= max(least, _OWN * size) and size <= _LARGEST * people:
            chosen.append(choice)
    return chosen, small


def _order(candidate: Candidate, goals: Collection[Phase]) -> tuple[bool, bool, int, str]:
    beside_the_goal = bool(goals) and candidate.phase not in goals
    return (candidate.is_general, beside_the_goal, candidate.rank, candidate.key)


def within_bounds(chosen: Sequence[Choice]) -> list[Choice]:
    """Return at most eight, the general ones only as far as four are not reached without them."""
    specific = [choice for choice in chosen if not choice.candidate.is_general]
    general = [choice for choice in chosen if choice.candidate.is_general]
    return [*specific[:MOST], *general[: max(0, FEWEST - len(specific))]]


def too_small(
    small: Sequence[Candidate], chosen: Sequence[Choice], counted: Tally, *, minimum: int
) -> list[Finding]:
    """Return a finding for each group that is not offered because it is under the minimum."""
    names = {choice.candidate.key: choice.candidate.name for choice in chosen}
    findings = []
    for candidate in small:
        parent = candidate.parent
        around = [
            name
            for key, name in names.items()
            if not counted.count([candidate.key], none=[key, "suppressed"])
        ]
        if parent is not None and parent.key in names:
            instead = f"{names[parent.key]!r} is offered in its place"
        elif around:
            instead = f"its people are part of {around[0]!r}"
        else:
            instead = "its people see what the other profiles or the fallback give them"
        findings.append(
            Finding(
                kind="small_group",
                severity="info",
                subject=candidate.key,
                message=f"{candidate.name!r} has fewer than {minimum:,} people, so it is not offered; "
                f"{instead}.",
                evidence={"group_minimum": minimum},
                mend="Wait until more people belong to it, or personalise for the wider group.",
                waivable=False,
            )
        )
    return findings
