"""Finds the handlers that ship, and those that other installed packages offer by entry point."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from gtm_orchestra.agents.registry import registered_handlers

if TYPE_CHECKING:
    from gtm_orchestra.agents.registry import HandlerRegistry

__all__ = ["ENTRY_POINT_GROUP", "load_handlers"]

ENTRY_POINT_GROUP = "gtm_orchestra.handlers"
_MODULES = (
    "activation",
    "customer_data_engineer",
    "governance",
    "intake",
    "outputs",
    "personalization_architect",
    "published",
    "review",
    "testing_lead",
)


def load_handlers() -> HandlerRegistry:
    """Return a registry with our handlers and those of installed packages.

    A package offers a function that takes the registry, under the entry point group `gtm_orchestra.handlers`.
    """
    for name in _MODULES:
        import_module(f"gtm_orchestra.agents.{name}")
    registry = registered_handlers()
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        entry_point.load()(registry)
    return registry
