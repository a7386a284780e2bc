"""A profile that could be offered: its name, its statements, and the wider group behind it.

The patterns are in `lifecycle`, `buyers` and `patterns`. A pattern whose signals are missing yields no
candidate. Which candidates become profiles is decided by what is counted: see `selection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gtm_orchestra.warehouse.proposals.names import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gtm_orchestra.audience.contracts import Threshold
    from gtm_orchestra.audience.profiles.reading import Clause

__all__ = ["Candidate", "Phase", "offer"]

Phase = Literal["acquisition", "activation", "conversion", "adoption", "expansion", "retention", "winback"]

_GENERAL = 86
_PARENTS = 100  # a wider group comes after every specific one


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
        stands_alone: It is the values of one column on purpose, because these people need something of their
            own; it is offered though it tells no more than the column.
    """

    key: str
    name: str
    about: str
    phase: Phase
    rank: int
    clauses: tuple[Clause, ...]
    parent: Candidate | None = None
    stands_alone: bool = False

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


def offer(
    rank: int,
    name: str,
    about: str,
    phase: Phase,
    clauses: Sequence[Clause | None],
    *,
    parent: str = "",
    stands_alone: bool = False,
) -> Iterator[Candidate]:
    """Give a candidate if every clause can be said, with the one that lacks the last clause as its parent."""
    said = tuple(clause for clause in clauses if clause is not None)
    if len(said) < len(clauses):
        return
    wider = None
    if parent and len(said) > 1:
        everyone = f"All {parent[0].lower()}{parent[1:]}"
        wider = Candidate(_slug(parent), parent, everyone, phase, _PARENTS + rank, said[:-1])
    yield Candidate(_slug(name), name, about, phase, rank, said, wider, stands_alone)


def _slug(name: str) -> str:
    folded = fold(name)
    kept = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in folded)
    return "-".join(kept.split()) or "profile"
