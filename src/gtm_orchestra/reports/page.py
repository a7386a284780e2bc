"""The HTML outputs: the report and the schema table, each self-contained, without script or outside URL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gtm_orchestra.audience.request.objectives import shown
from gtm_orchestra.config import CHANNELS
from gtm_orchestra.reports.answer import (
    UNSIGNED,
    at_a_glance,
    channel_answers,
    effects_line,
    go_label,
    next_steps,
    not_understood,
    scope_words,
    signers,
    staleness,
    verdict,
)
from gtm_orchestra.reports.charts import charts
from gtm_orchestra.reports.schema_table import HEADER, schema_rows
from gtm_orchestra.reports.wording import (
    CHANNEL_LABELS,
    age,
    clean,
    decider,
    moment,
    number,
    operator,
    owner_label,
    people,
    percent,
    person,
    role_label,
    share_of,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.audience.contracts import Profile, TreeNode
    from gtm_orchestra.config import Channel
    from gtm_orchestra.reports.material import Material

__all__ = ["report_html", "schema_html"]

_TENFOLD = 10


def report_html(material: Material) -> bytes:
    """Return the report: the answer per channel first, then everything that stands behind it."""
    context = {
        "material": material,
        "objectives": material.objectives,
        "inventory": material.inventory,
        "consent": material.consent,
        "profiles": material.profiles,
        "activation": material.activation,
        "measurability": material.measurability,
        "governance": material.governance,
        "answers": channel_answers(material),
        "verdict": verdict(material),
        "glance": at_a_glance(material),
        "steps": next_steps(material),
        "effects": effects_line(material),
        "not_understood": not_understood(material),
        "rows": schema_rows(material),
        "charts": charts(material),
        "wiring": _wiring(material),
        "duties": _duties(material),
        "questions": sorted({q for use in material.governance.data_uses for q in use.open_questions}),
        "names": {p.profile_id: p.name for p in material.profiles.profiles},
        "scope": scope_words(material),
        "first": _first_matches(material.profiles.tree),
        "gists": _gists(material),
    }
    return _render("report.html.j2", material, context)


@dataclass(frozen=True)
class _Wiring:
    """Profiles that need the same on one channel."""

    channel: Channel
    state: str
    system: str
    need: str
    decided_at: str
    blockers: tuple[str, ...]
    profiles: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class _Duties:
    """Subjects that are owned and checked in the same way."""

    owner: str
    role: str
    qa_cadence: str
    change_checkpoint: str
    subjects: tuple[str, ...]


def _wiring(material: Material) -> tuple[_Wiring, ...]:
    names = {p.profile_id: p.name for p in material.profiles.profiles}
    groups: dict[_Wiring, list[tuple[str, int]]] = {}
    for a in sorted(material.activation.activations, key=lambda a: CHANNELS.index(a.channel)):
        alike = _Wiring(a.channel, go_label(a), a.system, a.need, a.decided_at, a.blockers)
        groups.setdefault(alike, []).append((names.get(a.profile_id, a.profile_id), a.people))
    return tuple(replace(alike, profiles=tuple(found)) for alike, found in groups.items())


def _duties(material: Material) -> tuple[_Duties, ...]:
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for d in material.governance.duties:
        groups.setdefault((d.owner, d.role, d.qa_cadence, d.change_checkpoint), []).append(d.subject)
    return tuple(_Duties(*key, tuple(found)) for key, found in groups.items())


def _first_matches(node: TreeNode) -> dict[str, int | None]:
    """Return by leaf how many people end in it; None where that may not be told."""
    if node.leaf:
        return {node.leaf: node.people}
    ways = [way for way in (node.no, node.yes) if way is not None]
    return {leaf: people for way in ways for leaf, people in _first_matches(way).items()}


def _gists(material: Material) -> dict[str, str]:
    """Return what each closed part of the report says, in a line: the parts are its index."""
    facts, tables = material.inventory.attributes, material.inventory.tables
    channels, pairs = material.consent.channels, material.activation.activations
    measures, duties = material.measurability.measures, material.governance.duties
    asked = (*material.objectives.constraints, *material.objectives.metrics)
    unclear, known = len(not_understood(material)), len(material.findings) - len(material.open_points)
    return {
        "attributes": f"{len(material.barred)} of {len(facts)} may not be used.",
        "consent": f"{sum(c.integrity >= c.integrity_floor for c in channels)} of {len(channels)} channels "
        "are above the floor of their consent integrity.",
        "sources": f"{sum(t.stale for t in tables)} of {len(tables)} sources stale, "
        f"{number(sum(t.broken_rows for t in tables))} broken rows.",
        "activation": f"{sum(a.go for a in pairs)} of {len(pairs)} pairs of profile and channel can go.",
        "measurability": f"{sum(m.days is not None for m in measures)} of {len(measures)} pairs of profile "
        "and metric would show a lift of 10% within a year.",
        "governance": f"{len(duties)} things to own, {sum(not d.owner for d in duties)} without an owner.",
        "known": f"{known} finding{'' if known == 1 else 's'}; nothing here stops the plan.",
        "request": f"{len(asked)} constraints and metrics, {unclear} of the parts not understood.",
        "method": "How it was counted, and what the words mean.",
    }


def _evidence(profile: Profile) -> tuple[str, ...]:
    """Return a profile's evidence without what its thresholds say already."""
    said = tuple(f"{t.attribute} {t.operator} " for t in profile.thresholds)
    return tuple(line for line in profile.evidence if not line.startswith(said)) if said else profile.evidence


def _level(material: Material, metric: str, value: float) -> str:
    settings = material.config.metrics.get(metric)
    return number(value) if settings is None else shown(value, settings)


def _lift(share: float | None) -> str:
    """Return the smallest lift that can be seen; a more than tenfold one is nothing that anybody expects."""
    if share is None:
        return "none"
    return "more than 1,000%" if share > _TENFOLD else percent(share)


def schema_html(material: Material) -> bytes:
    """Return the schema table as a page of its own."""
    return _render("schema.html.j2", material, {"rows": schema_rows(material), "header": HEADER})


def _render(template: str, material: Material, context: dict[str, Any]) -> bytes:
    shared = {
        "initiative": material.initiative,
        "workspace": material.config.workspace.name,
        "as_of": material.as_of,
        "unsigned": UNSIGNED,
        "signers": signers(material),
        "channel_labels": CHANNEL_LABELS,
        **_writers(material),
    }
    text = _environment().get_template(template).render({**shared, **context})
    # Lines that held only template logic are left empty by it; without them the file is a tenth shorter.
    return ("\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n").encode()


def _writers(material: Material) -> dict[str, Callable[..., str | tuple[str, ...]]]:
    """Return the functions that templates write figures with, bound to this workspace's floors and people."""
    minimum = material.minimum

    def volumes(profile: Profile) -> str:
        parts = [f"{CHANNEL_LABELS[c]} {people(n, minimum)}" for c, n in sorted(profile.volume.items())]
        return ", ".join(parts) or "none"

    return {
        "people": lambda count: people(count, minimum),
        "share": lambda count, total: share_of(count, total, minimum),
        "decider": lambda role: decider(role, material.config, material.as_of),
        "person": lambda handle: person(handle, material.config),
        "english": material.in_english,
        "staleness": staleness,
        "volumes": volumes,
        "go_label": go_label,
        "evidence": _evidence,
        "level": lambda name, value: _level(material, name, value),
        "lift": _lift,
        "owner": lambda handle, role: owner_label(handle, role, material.config),
        "operator": operator,
        "age": age,
        "moment": moment,
        "number": number,
        "percent": percent,
        "role_label": role_label,
        "words": words,
        "per_week": lambda rate: people(round(rate), minimum) if rate == 0 or rate >= 1 else "under 1",
    }


def _ticks(text: str) -> Markup:
    """Return text with what stands between backticks as code, everything escaped."""
    parts = [escape(clean(part)) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else p for i, p in enumerate(parts))


@cache
def _environment() -> Environment:
    def finalize(value: object) -> object:
        if value is None:
            return "\u2013"
        return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("gtm_orchestra.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    environment.filters["ticks"] = _ticks
    # Only our own SVG goes through this: its text was escaped by vl-convert.
    environment.filters["drawing"] = Markup
    return environment
