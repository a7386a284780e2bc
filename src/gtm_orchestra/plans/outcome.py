"""How a task or gate ended. Every one ends in a value: a library's silence is never taken for success."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gtm_orchestra.model import Model
from gtm_orchestra.plans.model import OutcomeName

__all__ = ["FINISHED", "USABLE", "Outcome", "Verdict"]

# A run may serve these from its journal; `waiting` is asked again.
FINISHED: frozenset[str] = frozenset({"ok", "degraded", "failed", "skipped", "rejected", "timed_out"})
# Later tasks may build on these.
USABLE: frozenset[str] = frozenset({"ok", "degraded"})


class Verdict(Model):
    """What a gate decided, from which inputs, in a sentence."""

    decision: Literal["go", "no-go", "waiting"]
    why: str
    inputs: dict[str, str] = Field(description="Node → outcome that the verdict stands on.")
    without: dict[str, str] = Field(default_factory=dict, description="Thing that is left out → why.")
    findings: tuple[dict[str, Any], ...] = ()
    contradictions: tuple[str, ...] = ()
    waived: dict[str, str] = Field(default_factory=dict, description="Arm → who waived it, until when, why.")
    figures: dict[str, bool | int | float | str | None] = Field(
        default_factory=dict, description="Comparison that the policy or its loop makes → the figure seen."
    )


class Outcome(Model):
    """How one task or gate ended in this run."""

    node: str
    name: OutcomeName
    agent: str = ""
    attempts: int = 0
    output_var: str = ""
    output: str = Field(default="", description="SHA-256 of the result document.")
    artifacts: dict[str, str] = Field(default_factory=dict, description="File name → SHA-256.")
    error: str = ""
    note: str = ""
    verdict: Verdict | None = None
    passed: bool | None = Field(default=None, description="What a check's own result says, if anything.")
    untaken: bool = Field(default=False, description="Skipped by its condition, which is no failure.")

    @property
    def usable(self) -> bool:
        """Whether later tasks may build on it."""
        return self.name in USABLE
