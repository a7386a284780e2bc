"""The condition language: who is meant, typed, two-valued, and the same in every engine that evaluates it.

`parse` is the only door: it takes JSON that is a subset of GrowthBook's condition syntax and gives an
immutable `Condition`, which compiles to ibis, numpy masks, a GrowthBook payload and an English sentence.
`evaluate` is the reference that all of them must agree with. See docs/conditions.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gtm_orchestra.conditions.combinators import all_of, any_of, negate
from gtm_orchestra.conditions.english import to_english
from gtm_orchestra.conditions.evaluation import evaluate
from gtm_orchestra.conditions.parsing import Schema, parse
from gtm_orchestra.conditions.payload import sdk_attributes, to_growthbook
from gtm_orchestra.conditions.tree import Condition, column_of

if TYPE_CHECKING:
    from gtm_orchestra.conditions.expression import to_ibis
    from gtm_orchestra.conditions.masks import ColumnValues, to_mask

__all__ = [
    "ColumnValues",
    "Condition",
    "Schema",
    "all_of",
    "any_of",
    "column_of",
    "evaluate",
    "negate",
    "parse",
    "sdk_attributes",
    "to_english",
    "to_growthbook",
    "to_ibis",
    "to_mask",
]

# ibis and numpy are loaded with the first name that needs them, so that reading a condition stays cheap.
_LAZY = {"ColumnValues": "masks", "to_ibis": "expression", "to_mask": "masks"}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    # Imported here for the same reason: `importlib` itself is already loaded by the interpreter.
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
