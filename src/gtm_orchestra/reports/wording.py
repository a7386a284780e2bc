"""How figures, times, names and foreign text are written in every output.

A figure about fewer people than the group minimum is never written as a number, nor as a share that would
give the number away. Text that comes from data or from people is stripped of control characters here and
escaped where it is placed.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.config import Channel, Config

__all__ = [
    "CHANNEL_LABELS",
    "age",
    "clean",
    "decider",
    "moment",
    "number",
    "operator",
    "owner_label",
    "people",
    "percent",
    "person",
    "role_label",
    "sentence_inside",
    "share_of",
    "sign_off_people",
    "words",
]

CHANNEL_LABELS: dict[Channel, str] = {
    "web": "Web",
    "in-app": "In-app",
    "email": "E-mail",
    "ads": "Ads",
    "sales": "Sales",
}

_CONTROL = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_DAY_H = 24.0
_LEAST, _MOST = 0.001, 99.9
_THOUSAND = 1000


def clean(text: str) -> str:
    r"""Return text without control, bidirectional and invisible characters; line breaks become spaces.

    >>> clean("a\x1b[31m\u202eb")
    'a[31mb'
    """
    spaced = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return "".join(c for c in spaced if unicodedata.category(c) not in _CONTROL)


def people(count: int, minimum: int) -> str:
    """Return a count of people; a group under the minimum is told as such, an empty one as 0.

    >>> people(12345, 100), people(12, 100), people(0, 100)
    ('12,345', 'fewer than 100', '0')
    """
    return f"fewer than {minimum:,}" if 0 < count < minimum else f"{count:,}"


def percent(share: float) -> str:
    """Return a fraction in per cent with at most one decimal; never 100% or 0% for what is only near it.

    >>> percent(0.7112), percent(0.99999), percent(0.00001), percent(1.0)
    ('71.1%', '99.9%', 'under 0.1%', '100%')
    """
    if 0 < share < _LEAST:
        return "under 0.1%"
    shown = round(share * 100, 1)
    if share < 1:
        shown = min(shown, _MOST)
    return f"{shown:g}%"


def share_of(count: int, total: int, minimum: int) -> str:
    """Return a count as a share of a total, without giving away a group under the minimum."""
    if total <= 0:
        return "\u2013"
    if 0 < count < minimum:
        return f"under {percent(minimum / total)}" if minimum < total else "\u2013"
    return percent(count / total)


def number(value: float) -> str:
    """Return a number as a person writes it: thousands separated, at most three significant decimals."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.3g}" if abs(value) < _THOUSAND else f"{value:,.0f}"


_OPERATORS = {
    "$eq": "is",
    "$ne": "is not",
    "$lt": "below",
    "$lte": "at most",
    "$gt": "above",
    "$gte": "at least",
    "$in": "one of",
    "$nin": "none of",
    "<": "below",
    "<=": "at most",
    ">": "above",
    ">=": "at least",
    "=": "is",
    "==": "is",
}


def operator(sign: str) -> str:
    """Return an operator of the condition language in words; one that is not known stays as it is."""
    return _OPERATORS.get(sign, sign)


def age(hours: float) -> str:
    """Return a length of time in the unit a person would use.

    >>> age(0.5), age(30), age(24 * 41.2)
    ('30 min', '30 h', '41 days')
    """
    if hours < 1:
        return f"{round(hours * 60)} min"
    if hours < 3 * _DAY_H:
        return f"{round(hours)} h"
    return f"{round(hours / _DAY_H):,} days"


def moment(at: datetime) -> str:
    """Return a time to the minute, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def words(parts: Iterable[str]) -> str:
    """Return parts joined as in a sentence: a, b and c."""
    listed = list(parts)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else ""


def sentence_inside(text: str) -> str:
    """Return a sentence such that it can go on inside another: no full stop, no capital unless a name's."""
    body = text.strip().rstrip(".")
    keeps_capital = not body[1:2].islower()
    return body if keeps_capital else body[0].lower() + body[1:]


def role_label(role: str) -> str:
    """Return a role of gtm.toml in plain words."""
    return role.replace("-", " ").replace("_", " ")


def person(handle: str, config: Config) -> str:
    """Return the name of a member of staff, or the handle when gtm.toml does not know it."""
    known = config.people.get(handle)
    return known.name if known else handle


def owner_label(handle: str, role: str, config: Config) -> str:
    """Return who owns something, with the role it asks for if they hold it, else with the first they hold."""
    known = config.people.get(handle)
    held = known.roles if known else ()
    shown = role if role in held or not held else held[0]
    return f"{person(handle, config)} ({role_label(shown)})"


def decider(role: str, config: Config, as_of: datetime) -> str:
    """Return who decides by name: everyone with the role, with the deputy of whoever is away.

    A role nobody holds is said to be open, so that the reader sees the gap and not a blank.
    """
    if not role:
        return "nobody needs to decide"
    named = []
    for handle in config.people_with_role(role):
        settings = config.people[handle]
        away = settings.away_until is not None and settings.away_until >= as_of.date()
        deputy = f", deputy {person(settings.deputy, config)}" if settings.deputy and away else ""
        absence = f", away until {settings.away_until}{deputy}" if away else ""
        named.append(f"{settings.name} ({role_label(role)}{absence})")
    if named:
        return words(named)
    if role in config.people:
        return person(role, config)
    return f"{role_label(role)}: nobody is named for this role in gtm.toml"


def sign_off_people(approvers: Iterable[str], config: Config, as_of: datetime) -> str:
    """Return who signs: the approvers that were named, else everyone with a sign-off role of gtm.toml."""
    named = [person(handle, config) for handle in approvers]
    return words(named) if named else words(decider(r, config, as_of) for r in config.policies.sign_off_roles)
