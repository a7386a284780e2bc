"""The registry of commands: one input model per command makes options, bodies and slots, and one digest."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import Field, ValidationError, field_validator

from gtm_orchestra.config import CHANNELS, Channel
from gtm_orchestra.errors import UsageError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.model import Pattern

__all__ = ["COMMANDS", "Command", "CommandInputs", "DefineProfilesInputs", "parse_inputs"]

_MAX_TEXT = 2_000


def _split(value: Any) -> Any:  # noqa: ANN401 - whatever a door was given
    """Split a comma-separated text; a list stays one."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class CommandInputs(Model):
    """What every command is asked with."""

    initiative: str = Field(description="Program or campaign name that anchors the effort.")


class DefineProfilesInputs(CommandInputs):
    """The inputs of define-profiles."""

    channels: tuple[Channel, ...] = Field(
        description=f"Comma-separated channels to activate: {', '.join(CHANNELS)}.", min_length=1
    )
    metrics: tuple[str, ...] = Field(
        default=(), description="KPIs, such as activation rate, pipeline amount."
    )
    constraints: tuple[str, ...] = Field(
        default=(), description="Compliance, consent or tooling notes in words."
    )
    timeline: str | None = Field(default=None, max_length=_MAX_TEXT, description="Delivery window in words.")
    pattern: Pattern | None = Field(
        default=None, description="diamond or pipeline; default: the blueprint's."
    )
    approvers: tuple[str, ...] = Field(default=(), description="Handles or roles of [people] that sign off.")

    @field_validator("channels", "metrics", "approvers", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return _split(value)

    @field_validator("channels", mode="after")
    @classmethod
    def _once_in_order(cls, value: tuple[Channel, ...]) -> tuple[Channel, ...]:
        # "email,web" and "web,email" ask for the same, so they make the same digest.
        return tuple(channel for channel in CHANNELS if channel in value)

    @field_validator("constraints", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        return [value] if isinstance(value, str) and value.strip() else value or []

    @field_validator("metrics", "constraints", "approvers", mode="after")
    @classmethod
    def _bounded(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if len(text) > _MAX_TEXT:
                message = f"{len(text):,} characters; {_MAX_TEXT:,} are allowed"
                raise ValueError(message)
        return tuple(text.strip() for text in value if text.strip())


@dataclass(frozen=True)
class Command:
    """A command: what it is called, what it does, and what it is asked with."""

    name: str
    summary: str
    inputs: type[CommandInputs]


COMMANDS: dict[str, Command] = {
    "define-profiles": Command(
        "define-profiles",
        "Say which audience profiles can be personalised on which channels, and what stands in the way.",
        DefineProfilesInputs,
    ),
}


def parse_inputs(command: str, raw: dict[str, Any]) -> CommandInputs:
    """Return a command's inputs, checked.

    Raises:
        UsageError: Not as the input model says; every finding with the option it is about.
    """
    model = COMMANDS[command].inputs
    given = {name: value for name, value in raw.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = [
            _finding(item["loc"], item["type"], item["msg"], given)
            for item in error.errors(include_url=False)
        ]
        raise UsageError(
            "; ".join(dict.fromkeys(filter(None, found))), hint=f"see 'gtm {command} --help'"
        ) from error


def _finding(loc: tuple[int | str, ...], kind: str, message: str, given: dict[str, Any]) -> str:
    option = f"--{str(loc[0]).replace('_', '-')}" if loc else "the request"
    if kind == "missing":
        return f"{option} is missing"
    if kind == "literal_error":
        seen = given.get(str(loc[0]), "")
        if len(loc) > 1 and isinstance(loc[1], int):
            seen = _split(seen)[loc[1]]
        allowed = ", ".join(CHANNELS) if loc[0] == "channels" else "diamond, pipeline"
        near = get_close_matches(str(seen), allowed.split(", "), n=1, cutoff=0.5)
        return f"{option} {str(seen)[:40]!r} is unknown" + (
            f"; did you mean {near[0]!r}?" if near else f"; allowed are {allowed}"
        )
    if kind == "too_short" and _split(given.get(str(loc[0]), "")):
        return ""
    if kind == "too_short":
        return f"{option} is empty; name at least one of {', '.join(CHANNELS)}"
    return f"{option}: {message.removeprefix('Value error, ')}"
