"""Reads the bytes of a features payload, bounded: size, depth, duplicate keys, numbers that JSON lacks."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from gtm_orchestra.errors import UsageError

__all__ = ["MAX_BYTES", "read_document"]

MAX_BYTES = 10_000_000
_MAX_LEVELS = 100  # what reads conditions is recursive


class _DuplicateKeyError(ValueError):
    pass


def read_document(content: bytes, name: str) -> dict[str, Any]:
    """Return the features of a payload file, and its saved groups, as `{"features": …, "savedGroups": …}`.

    Args:
        content: The file. Either the whole answer of a features endpoint, or the features alone.
        name: Of the file, for messages.

    Raises:
        UsageError: Too large, no JSON, a key twice, NaN, or no features in it.
    """
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{name} has {len(content):,} bytes; at most {MAX_BYTES:,} are read",
            hint="give the features payload alone, without exports of anything else",
        )
    document = _parsed(content, name)
    if _levels(document) > _MAX_LEVELS:
        raise _too_deep(name)
    if not isinstance(document, dict):
        raise UsageError(
            f"{name} holds no JSON object",
            hint='save the answer of your features endpoint: {"features": {…}}',
        )
    if "encryptedFeatures" in document and not document.get("features"):
        raise UsageError(
            f"{name} is encrypted; nothing in it can be judged",
            hint="save the payload of a client key without encryption, or decrypt it first",
        )
    features = document.get("features", document if _looks_like_features(document) else None)
    if not isinstance(features, dict) or not features:
        raise UsageError(
            f"{name} holds no features",
            hint='save the answer of your features endpoint: {"features": {"NAME": {"defaultValue": …}}}',
        )
    odd = sorted(key for key, value in features.items() if not isinstance(value, dict))
    if odd:
        raise UsageError(
            f"{name}: feature {odd[0]!r} is no JSON object",
            hint='write it as {"defaultValue": …, "rules": […]}',
        )
    groups = document.get("savedGroups")
    return {
        "features": features,
        "savedGroups": groups if isinstance(groups, dict) and "features" in document else {},
    }


def _looks_like_features(document: dict[str, Any]) -> bool:
    return bool(document) and all(
        isinstance(value, dict) and ("defaultValue" in value or "rules" in value)
        for value in document.values()
    )


def _parsed(content: bytes, name: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8", hint="save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{name} is no complete JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            hint="save the whole answer of the features endpoint again",
        ) from error
    except RecursionError as error:
        raise _too_deep(name) from error
    except _DuplicateKeyError as error:
        raise UsageError(
            f"{name} has the key {error.args[0]!r} twice in one object; which of them counts is not defined",
            hint="take one of them out",
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{name} holds {str(error)[:60]}, which is no JSON number",
            hint="write a number, or null",
        ) from error


def _too_deep(name: str) -> UsageError:
    return UsageError(
        f"{name} is nested deeper than {_MAX_LEVELS} levels",
        hint="flatten its conditions; the rule language has 20 levels",
    )


def _levels(document: object) -> int:
    deepest = 0
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        value, level = waiting.pop()
        deepest = max(deepest, level)
        if level <= _MAX_LEVELS and isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            waiting += [(part, level + 1) for part in inner]
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key[:60])
            seen.add(key)
    return found


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
