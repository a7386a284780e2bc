"""KPIs in words, mapped to [metrics] of gtm.toml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gtm_orchestra.audience.contracts import MetricReading
from gtm_orchestra.audience.wording import tokens_of
from gtm_orchestra.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gtm_orchestra.config import Config

__all__ = ["BUILT_IN", "check_metrics", "find_metric", "read_metrics"]


@dataclass(frozen=True)
class _Kpi:
    """A KPI that everybody means the same by: its words, its types, and what gtm.toml must say for it."""

    words: frozenset[str]
    types: tuple[str, ...]
    missing: str


BUILT_IN: dict[str, _Kpi] = {
    "activation rate": _Kpi(
        frozenset({"activation", "activate", "activated", "activations"}),
        ("proportion",),
        "add [metrics.activation_rate] to gtm.toml with type = 'proportion' and the event that counts as "
        "activated",
    ),
    "pipeline amount": _Kpi(
        frozenset({"pipeline"}),
        ("revenue", "mean"),
        "add [metrics.pipeline_amount] to gtm.toml with type = 'revenue', and map [tables.opportunities] and "
        "the account of people, or write sql that returns person and value",
    ),
    "retention": _Kpi(
        frozenset({"retention", "retained", "retain"}),
        ("retention",),
        "add [metrics.retention] to gtm.toml with type = 'retention', the event that shows use, and a window",
    ),
}
_FILLERS = frozenset(
    {"rate", "amount", "value", "kpi", "metric", "the", "of", "usd", "eur", "percent", "lift"}
)


def find_metric(asked: str, config: Config) -> str | None:
    """Return the name in [metrics] that a KPI in words stands for, or None.

    A name wins, then a built-in KPI, then the one metric whose name holds every word.
    """
    words = _words(asked)
    names = sorted(config.metrics)
    for name in names:
        if name == asked or (words and _words(name) == words):
            return name
    kpi = _built_in(asked)
    if kpi is not None:
        fitting = [name for name in names if config.metrics[name].type in kpi.types]
        named = [name for name in fitting if kpi.words & set(tokens_of(name))]
        told = [name for name in fitting if kpi.words & set(tokens_of(config.metrics[name].description))]
        only = fitting if len(fitting) == 1 and kpi.types == ("retention",) else []
        return next(iter([*named, *told, *only]), None)
    holding = [name for name in names if words and set(words) <= set(_words(name))]
    return holding[0] if len(holding) == 1 else None


def check_metrics(asked: Iterable[str], config: Config) -> None:
    """Refuse a KPI that is neither in gtm.toml nor built in.

    Raises:
        UsageError: With every such name, and what there is.
    """
    unknown = [name for name in asked if find_metric(name, config) is None and _built_in(name) is None]
    if unknown:
        there = ", ".join(sorted(config.metrics)) or "none"
        raise UsageError(
            f"metric {', '.join(repr(name[:60]) for name in unknown)} is not in [metrics] of gtm.toml; "
            f"there: {there}; built in: {', '.join(BUILT_IN)}",
            hint="use one of these, or add [metrics.NAME] to gtm.toml",
        )


def read_metrics(asked: Iterable[str], config: Config) -> tuple[MetricReading, ...]:
    """Return one reading per KPI asked for, or per built-in KPI when none was; without baselines."""
    wanted = list(dict.fromkeys(name.strip() for name in asked if name.strip())) or list(BUILT_IN)
    return tuple(_reading(name, config) for name in wanted)


def _reading(asked: str, config: Config) -> MetricReading:
    name = find_metric(asked, config)
    if name is not None:
        return MetricReading(name=name, asked=asked, mapped=True, unit=config.metrics[name].unit)
    kpi = _built_in(asked)
    there = ", ".join(sorted(config.metrics)) or "none"
    missing = kpi.missing if kpi is not None else f"no metric of gtm.toml is called that; there: {there}"
    return MetricReading(name=asked, asked=asked, mapped=False, missing=missing)


def _built_in(asked: str) -> _Kpi | None:
    words = set(_words(asked))
    return next((kpi for kpi in BUILT_IN.values() if words and words <= kpi.words), None)


def _words(text: str) -> list[str]:
    found = tokens_of(text)
    return [word for word in found if word not in _FILLERS] or list(found)
