"""The actual values of a plan's success metrics, as far as a run has shown them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["READ", "actuals_of"]

READ = frozenset({"profiles", "inventory", "consent"})  # the output_vars that hold an actual value

_PERCENT = 100.0


def actuals_of(results: Mapping[str, Any]) -> dict[str, float]:
    """Return what is known by now: metric → value in the metric's unit, rounded to a tenth.

    Attribute coverage is the mean over the attributes that profiles use; consent integrity is that of the
    channel that goes ahead with the lowest. What is known only later (a lift) is not here.

    Args:
        results: Result documents by output_var.
    """
    # A workspace's own handlers may return other shapes: what is not there is not known.
    found: dict[str, float] = {}
    profiles = results.get("profiles", {}).get("profiles", ())
    used = {name for profile in profiles for name in profile.get("attributes", ())}
    attributes = results.get("inventory", {}).get("attributes", ())
    shares = [a["coverage"] for a in attributes if a.get("name") in used]
    if shares:
        found["attribute coverage"] = round(_PERCENT * sum(shares) / len(shares), 1)
    channels = results.get("consent", {}).get("channels", ())
    going = [c["integrity"] for c in channels if c["go"] and "integrity" in c]
    if going:
        found["consent integrity"] = round(_PERCENT * min(going), 1)
    return found
