"""How people behave: the hidden kinds that the sample's contacts are drawn from.

No column says which kind somebody is: profiles have to be found in behaviour, as in a real company.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ARCHETYPES", "INDEX", "REPEATED_EVENTS", "Archetype"]

REPEATED_EVENTS = (
    "session_started",
    "page_viewed",
    "project_created",
    "teammate_invited",
    "integration_connected",
    "pricing_viewed",
    "docs_viewed",
)


@dataclass(frozen=True)
class Archetype:
    """One hidden kind of person.

    Attributes:
        mix: Share in prospect accounts (and without account), customer accounts, churned accounts.
        started: Days before the as-of at which the trial (for leads: the record) began, from and to.
        active: Days before the as-of between which there are events, from (recent) and to.
        burst: Days after the start in which all events fall; 0: not limited.
        least: Events of each kind of `REPEATED_EVENTS` that everybody has.
        mean: Mean of further events of each kind.
        activates: Share with an `activated` event.
        stage: Lifecycle stage in the CRM.
    """

    name: str
    mix: tuple[float, float, float]
    started: tuple[float, float]
    active: tuple[float, float]
    burst: float
    least: tuple[int, ...]
    mean: tuple[float, ...]
    activates: float
    stage: Literal["lead", "trial", "customer", "churned", "other"]


_NONE = (0, 0, 0, 0, 0, 0, 0)

ARCHETYPES: tuple[Archetype, ...] = (
    Archetype(
        "lead", (0.24, 0, 0), (1, 500), (0, 90), 0,
        _NONE, (0, 0.7, 0, 0, 0, 0.3, 0.2), 0, "lead",
    ),
    Archetype(
        "newcomer", (0.09, 0.05, 0), (0.2, 7), (0, 7), 0,
        (1, 0, 0, 0, 0, 0, 0), (0.6, 0.2, 0.5, 0.1, 0.1, 0.2, 0.4), 0.03, "trial",
    ),
    Archetype(
        "stalled", (0.19, 0, 0), (11, 28), (8, 40), 3,
        (1, 0, 0, 0, 0, 0, 0), (0.3, 0.1, 0.25, 0, 0.03, 0.2, 0.4), 0, "trial",
    ),
    Archetype(
        "explorer", (0.10, 0, 0), (9, 35), (0, 28), 0,
        (1, 0, 1, 0, 0, 0, 0), (1.0, 0.1, 0.8, 0.1, 0.25, 0.2, 0.6), 0.15, "trial",
    ),
    Archetype(
        "champion", (0.10, 0.20, 0), (20, 130), (0, 28), 0,
        (1, 0, 2, 1, 1, 0, 0), (1.6, 0.1, 1.0, 0.9, 0.4, 0.15, 0.35), 0.92, "trial",
    ),
    Archetype(
        "inviter", (0.10, 0.10, 0), (9, 45), (0, 28), 0,
        (1, 0, 0, 2, 0, 0, 0), (0.9, 0.1, 0.4, 1.0, 0.03, 0.2, 0.2), 0.10, "trial",
    ),
    Archetype(
        "evaluator", (0.09, 0, 0), (14, 75), (0, 13), 0,
        (1, 0, 1, 0, 1, 2, 1), (0.8, 0.2, 0.4, 0.1, 0.4, 1.3, 1.0), 0.35, "trial",
    ),
    Archetype(
        "customer", (0, 0.50, 0), (60, 900), (0, 60), 0,
        (1, 0, 0, 0, 0, 0, 0), (1.8, 0.1, 0.9, 0.2, 0.2, 0.1, 0.2), 0.9, "customer",
    ),
    Archetype(
        "dormant", (0.09, 0.15, 0.2), (60, 400), (45, 100), 0,
        (1, 0, 0, 0, 0, 0, 0), (0.6, 0.1, 0.3, 0.1, 0.1, 0.1, 0.1), 0.25, "trial",
    ),
    Archetype(
        "churned", (0, 0, 0.8), (200, 900), (50, 120), 0,
        _NONE, (0.5, 0.1, 0.1, 0, 0, 0.2, 0.1), 0.3, "churned",
    ),
    Archetype(
        "bot", (0, 0, 0), (1, 60), (0, 20), 0,
        (0, 4, 0, 0, 0, 1, 0), (0, 5, 0, 0, 0, 1, 0), 0, "lead",
    ),
    Archetype(
        "employee", (0, 0, 0), (60, 900), (0, 60), 0,
        (2, 0, 0, 0, 0, 0, 0), (2.0, 0.5, 1.0, 0.5, 0.3, 0.2, 0.5), 0.8, "other",
    ),
)  # fmt: skip

INDEX = {kind.name: position for position, kind in enumerate(ARCHETYPES)}
