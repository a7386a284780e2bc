"""Who may decide a question. A rule that cannot be evaluated refuses; it is never passed over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.errors import PolicyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from gtm_orchestra.config import Config

__all__ = ["Actor", "may_decide", "resolve_actor", "resolve_approvers"]


@dataclass(frozen=True)
class Actor:
    """Who acts, and how that is known.

    Attributes:
        handle: A handle of gtm.toml [people], or "os:<user>" for somebody who is not in it.
        identity: "claimed" (said on the command line), "os-user" (mapped from the operating system).
    """

    handle: str
    identity: str

    @property
    def known(self) -> bool:
        """Whether gtm.toml knows this person."""
        return not self.handle.startswith("os:")


def resolve_actor(config: Config, *, claimed: str | None, os_user: str) -> Actor:
    """Return who acts: `--as`, else the person whose `os_user` it is, else an unknown one.

    Raises:
        UsageError: `--as` names nobody in [people].
    """
    if claimed is not None:
        if claimed not in config.people:
            raise UsageError(
                f"--as {claimed[:40]!r} is nobody in gtm.toml [people]",
                hint=f"known are {_names(config.people)}",
            )
        return Actor(claimed, "claimed")
    for handle, person in config.people.items():
        if person.os_user == os_user:
            return Actor(handle, "os-user")
    return Actor(f"os:{os_user}", "os-user")


def resolve_approvers(config: Config, names: Iterable[str], *, on: date) -> tuple[str, ...]:
    """Return the handles that may decide: named people, everyone with a named role, deputies of those away.

    Raises:
        UsageError: A name is neither a person nor a role that somebody has.
    """
    handles: dict[str, None] = {}
    for name in names:
        found = (name,) if name in config.people else config.people_with_role(name)
        if not found:
            roles = sorted({role for person in config.people.values() for role in person.roles})
            raise UsageError(
                f"approver {name[:60]!r} is neither a person nor a role in gtm.toml [people]",
                hint=f"known are {_names(config.people)}; roles {_names(roles)}",
            )
        for handle in found:
            handles[handle] = None
            person = config.people[handle]
            if person.away_until is not None and person.away_until >= on and person.deputy is not None:
                handles[person.deputy] = None
    return tuple(handles)


def may_decide(
    actor: Actor, *, approvers: Iterable[str], author: str, environment: str, approved_by_others: int = 0
) -> None:
    """Pass if this actor may decide a question.

    Raises:
        PolicyError: Unknown, not asked, or the only approver of their own change to production.
    """
    approvers = tuple(approvers)
    if not actor.known:
        raise PolicyError(
            f"{actor.handle.removeprefix('os:')!r} is nobody in [people]; unknown people decide nothing",
            hint="say who you are with --as HANDLE, or add your os_user to [people]",
        )
    if actor.handle not in approvers:
        raise PolicyError(
            f"{actor.handle!r} is not asked here",
            hint=f"it is for {_names(approvers)} to decide; whoever that is says --as HANDLE",
        )
    if environment == "production" and actor.handle == author and not approved_by_others:
        raise PolicyError(
            f"{actor.handle!r} made this plan and cannot alone approve it for production",
            hint="ask a second person to approve it first",
        )


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"
