"""GTM Orchestra: go-to-market requests become governed plans that run over your customer data.

`Workspace` is the front door; `HandlerRegistry` and `TaskContext` are for those who add work of their own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gtm_orchestra.agents.registry import HandlerRegistry, TaskContext
    from gtm_orchestra.errors import GtmError
    from gtm_orchestra.service.workspace import Workspace

__all__ = ["GtmError", "HandlerRegistry", "TaskContext", "Workspace", "__version__"]

__version__ = "0.1.0"

# Loaded on first use: importing the package costs a few milliseconds and loads no dependency.
_HOMES = {
    "GtmError": "gtm_orchestra.errors",
    "HandlerRegistry": "gtm_orchestra.agents.registry",
    "TaskContext": "gtm_orchestra.agents.registry",
    "Workspace": "gtm_orchestra.service.workspace",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
