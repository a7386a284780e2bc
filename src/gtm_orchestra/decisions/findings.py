"""What a check found: how bad it is, where, an example person, and the mend."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from gtm_orchestra.model import Model

__all__ = ["SEVERITIES", "Finding", "Severity", "in_order", "person_words"]

Severity = Literal["blocker", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("blocker", "warning", "note")


class Finding(Model):
    """One finding. `example` is an invented person: attributes that are not named are missing."""

    check: str
    severity: Severity
    feature: str = ""
    rules: tuple[str, ...] = ()
    says: str
    mend: str
    example: dict[str, JsonValue] | None = Field(default=None)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Return findings with the worst first, each once, otherwise in the order given."""
    unique = list({finding.model_dump_json(): finding for finding in findings}.values())
    return sorted(unique, key=lambda finding: SEVERITIES.index(finding.severity))


def person_words(example: dict[str, JsonValue]) -> str:
    """Return an example person in words.

    >>> person_words({"country": "DE", "sessions": 3})
    'country "DE", sessions 3'
    >>> person_words({})
    'somebody of whom no attribute is known'
    """
    said = [f"{name} {_value_words(value)}" for name, value in sorted(example.items())]
    return ", ".join(said) if said else "somebody of whom no attribute is known"


def _value_words(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
