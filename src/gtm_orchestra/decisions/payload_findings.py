"""Findings that only a raw rule shows: what the SDKs read differently, or repair in silence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gtm_orchestra.decisions.findings import Finding
from gtm_orchestra.decisions.hazards import Hazard, condition_hazards, text_operands

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["raw_findings"]

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_STICKY = ("fallbackAttribute", "bucketVersion", "minBucketVersion")
# One place of the hash's 10,000: who falls on it has no arm when the weights end below it.
_EXACT = 0.99e-4


def raw_findings(feature: str, rule_id: str, raw: Mapping[str, Any]) -> list[Finding]:
    """Return the findings of one raw rule."""
    found = _condition_findings(feature, rule_id, raw) + _weight_findings(feature, rule_id, raw)
    addresses = sum(bool(_ADDRESS.fullmatch(text)) for text in text_operands(raw.get("condition")))
    if addresses:
        found.append(
            Finding(
                check="personal-data",
                severity="warning",
                feature=feature,
                rules=(rule_id,),
                says=f"rule {rule_id!r} names {addresses:,} e-mail address{'es' if addresses > 1 else ''}, "
                "which everybody can read who loads the payload in a browser",
                mend="set an attribute such as is_test_user in the app, and name that instead",
            )
        )
    sticky = [name for name in _STICKY if raw.get(name)]
    if sticky:
        found.append(
            Finding(
                check="sticky-buckets",
                severity="note",
                feature=feature,
                rules=(rule_id,),
                says=f"rule {rule_id!r} uses {', '.join(sticky)}: people who were assigned before may keep "
                "another variant than the hash gives them; that is not judged",
                mend="nothing, if it is meant",
            )
        )
    return found


def _condition_findings(feature: str, rule_id: str, raw: Mapping[str, Any]) -> list[Finding]:
    condition = raw.get("condition")
    if not isinstance(condition, Mapping):
        return []
    found: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    for hazard in condition_hazards(condition):
        if (hazard.kind, hazard.attribute) not in seen:
            seen.add((hazard.kind, hazard.attribute))
            found.append(_hazard_finding(feature, rule_id, hazard))
    return found


def _hazard_finding(feature: str, rule_id: str, hazard: Hazard) -> Finding:
    name, where = hazard.attribute, hazard.path or "the top"
    example: dict[str, JsonValue] | None = {}
    if hazard.kind == "empty":
        check = "empty-condition"
        says = f"rule {rule_id!r} has an empty condition at {where}; the SDKs take it for everyone"
        mend = "say whom you mean; for everyone, leave the condition out"
        example = None
    elif hazard.kind == "negation":
        check = "nullable-negation"
        says = f"rule {rule_id!r} has a negation at {where}: people without {name!r} are meant as well"
        mend = (
            f'write {{"{name}": {{"$exists": true}}}} beside it; if they are meant, say so with '
            f'{{"{name}": {{"$exists": false}}}} in an $or'
        )
    else:
        check = "unguarded-comparison"
        says = (
            f"rule {rule_id!r} compares {name!r} at {where} without $exists: for people without it the SDK "
            "for JavaScript says yes and the one for Python says no"
        )
        mend = f'write "$exists": true beside it, within the braces of {name!r}'
    return Finding(
        check=check,
        severity="blocker",
        feature=feature,
        rules=(rule_id,),
        says=says,
        mend=mend,
        example=example,
    )


def _weight_findings(feature: str, rule_id: str, raw: Mapping[str, Any]) -> list[Finding]:
    variations, weights = raw.get("variations"), raw.get("weights")
    if (
        raw.get("force") is not None
        or not isinstance(variations, list)
        or weights is None
        or raw.get("ranges")
    ):
        return []
    says = _weights_say(weights, len(variations))
    if not says:
        return []
    return [
        Finding(
            check="weights",
            severity="blocker",
            feature=feature,
            rules=(rule_id,),
            says=f"rule {rule_id!r} has {says}",
            mend="give one weight per variation, with the sum 1; use coverage to take fewer people",
        )
    ]


def _weights_say(weights: object, count: int) -> str:
    if not isinstance(weights, list) or not all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in weights
    ):
        return "weights that are no list of numbers; the SDKs then split equally"
    shown = " + ".join(f"{each:g}" for each in weights[:6])
    if len(weights) != count:
        return f"{len(weights)} weights for {count} variations; the SDKs then split equally"
    total = math.fsum(weights)
    if min(weights) < 0:
        return f"a negative weight in {shown}; the SDKs do not agree on what that means"
    if not 0.99 <= total <= 1.01:  # noqa: PLR2004 - the SDKs' tolerance
        return f"weights {shown} = {total:g}; the SDKs then ignore them and split equally"
    if abs(total - 1) > _EXACT:
        missing = "some people get no variation" if total < 1 else "the last variation gets less"
        return f"weights {shown} = {total:g}, not 1; {missing}"
    return ""
