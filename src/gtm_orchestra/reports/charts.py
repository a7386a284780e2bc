"""The report's charts as inline SVG, drawn from Vega-Lite by vl-convert; same figures, same bytes.

Every chart is 400 units wide, so that its text can be read on a telephone and is not huge on a desk.
No state is told by colour alone: bars carry their figure as text, limits are a line of their own shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.config import CHANNELS
from gtm_orchestra.reports.wording import CHANNEL_LABELS, age, clean, people, percent, share_of

if TYPE_CHECKING:
    from gtm_orchestra.audience.contracts import PurposeConsent
    from gtm_orchestra.reports.material import Material

__all__ = ["Chart", "charts", "inline_svg"]

WIDTH = 400
_LABELS = 150
_INK, _MUTED, _GRID = "#1b2230", "#4a5568", "#dfe4ea"
_GOOD, _BAD, _NEUTRAL, _PALE = "#2f6f9f", "#b3401f", "#8a94a3", "#c9d3de"
_AT_MOST = 16
_SHORT = 22

Spec = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """One chart: its SVG, its title, and what it says in words for those who do not see it."""

    name: str
    title: str
    says: str
    svg: str


def charts(material: Material) -> dict[str, Chart]:
    """Return the charts that have something to show, by name; a chart without data is left out."""
    drawn = (
        _coverage(material),
        _freshness(material),
        _consent(material),
        _sizes(material),
        _overlap(material),
    )
    return {chart.name: chart for chart in drawn if chart is not None}


def inline_svg(spec: Spec, name: str) -> str:
    """Return the SVG of a Vega-Lite document, fit to stand inside HTML beside others.

    vl-convert numbers its clip paths over the life of the process, so ids are renumbered under the
    chart's name: otherwise a second run would differ, and two charts on a page would share ids.
    """
    import vl_convert  # noqa: PLC0415 - loads a JavaScript engine

    svg: str = vl_convert.vegalite_to_svg(_styled(spec), vl_version="5.20", show_warnings=False)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    for index, found in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))):
        fresh = f"{name}-{index}"
        svg = svg.replace(f'id="{found}"', f'id="{fresh}"').replace(f"url(#{found})", f"url(#{fresh})")
    return svg.replace("<svg ", '<svg focusable="false" ', 1)


def _styled(spec: Spec) -> Spec:
    text = {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 400,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": WIDTH - _LABELS - 20,
        "padding": {"left": 4, "right": 12, "top": 4, "bottom": 4},
        "background": None,
        **spec,
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": {**text, "gridColor": _GRID, "domainColor": _MUTED, "tickColor": _MUTED},
            "axisY": {
                "labelLimit": 2 * _LABELS,
                "labelFontSize": 11,
                "minExtent": _LABELS,
                "maxExtent": _LABELS,
                "grid": False,
            },
            "legend": {
                **text,
                "orient": "bottom",
                "direction": "horizontal",
                "columns": 2,
                "labelLimit": 170,
            },
            "text": {"fontSize": 12, "color": _INK},
            **spec.get("config", {}),
        },
    }


def _short(text: str) -> str:
    cleaned = clean(text)
    return cleaned if len(cleaned) <= _SHORT else f"{cleaned[: _SHORT - 1]}…"


def _unique(names: list[str]) -> list[str]:
    """Shorten names for an axis; two that would look alike get a number, else their bars would be merged."""
    short = [_short(name) for name in names]
    return [
        s if short.count(s) == 1 else f"{s[: _SHORT - 4]} #{short[: i + 1].count(s)}"
        for i, s in enumerate(short)
    ]


def _limits(rows: list[Spec], value: str, title: str, axis: Spec, top: float) -> Spec:
    """Bars with their figure behind them, and the limit of each as a dark line."""
    y = {"field": "name", "type": "nominal", "sort": None, "title": None}
    x = {"type": "quantitative", "title": title, "scale": {"domain": [0, top]}, "axis": axis}
    return {
        "height": {"step": 24},
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "height": 13},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": value},
                    "color": {
                        "field": "state",
                        "type": "nominal",
                        "title": None,
                        "scale": {"domain": ["within its SLA", "misses its SLA"], "range": [_GOOD, _BAD]},
                    },
                },
            },
            {
                "mark": {"type": "tick", "thickness": 3, "height": 19, "color": _INK, "orient": "vertical"},
                "encoding": {"y": y, "x": {**x, "field": "limit"}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5},
                "encoding": {"y": y, "x": {**x, "field": "at"}, "text": {"field": "text"}},
            },
        ],
    }


def _coverage(material: Material) -> Chart | None:
    facts = [f for f in material.inventory.attributes if f.available and f.people > 0]
    ranked = sorted(facts, key=lambda f: (f.coverage - f.coverage_sla, f.name))[:_AT_MOST]
    if not ranked:
        return None
    floor = material.minimum
    rows = []
    for fact, name in zip(ranked, _unique([f.name for f in ranked]), strict=True):
        shown = min(floor / fact.people, 1.0) if 0 < fact.filled < floor else fact.coverage
        rows.append(
            {
                "name": name,
                "share": round(shown, 3),
                "limit": fact.coverage_sla,
                "at": round(max(shown, fact.coverage_sla), 3),
                "text": share_of(fact.filled, fact.people, floor),
                "state": "within its SLA" if fact.coverage >= fact.coverage_sla else "misses its SLA",
            }
        )
    missed = [f for f in facts if f.coverage < f.coverage_sla]
    says = (
        f"{len(missed)} of {len(facts)} attributes miss their coverage SLA"
        + (f": {', '.join(sorted(clean(f.name) for f in missed))}." if missed else ".")
        + " The dark line is the SLA."
        + (f" The {_AT_MOST} closest to their SLA are drawn." if len(facts) > _AT_MOST else "")
    )
    axis = {"format": ".0%", "tickCount": 5, "values": [0, 0.25, 0.5, 0.75, 1]}
    spec = _limits(rows, "share", "share of people with a value", axis, 1.3)
    return Chart("coverage", "Coverage against its SLA", says, inline_svg(spec, "coverage"))


def _freshness(material: Material) -> Chart | None:
    tables = [
        t
        for t in material.inventory.tables
        if t.age_hours is not None and t.freshness_sla_hours is not None and t.freshness_sla_hours > 0
    ]
    if not tables:
        return None
    ranked = sorted(tables, key=lambda t: (-(t.age_hours or 0) / (t.freshness_sla_hours or 1), t.table))[
        :_AT_MOST
    ]
    drawn_limit = 3.0
    rows = []
    for table, name in zip(ranked, _unique([t.table for t in ranked]), strict=True):
        ratio = max(0.0, (table.age_hours or 0) / (table.freshness_sla_hours or 1))
        shown = round(min(ratio, drawn_limit), 3)
        rows.append(
            {
                "name": name,
                "ratio": shown,
                "limit": 1.0,
                "at": max(shown, 1.0),
                "text": f"{age(max(0.0, table.age_hours or 0))} of {age(table.freshness_sla_hours or 0)}",
                "state": "misses its SLA" if table.stale else "within its SLA",
            }
        )
    stale = sorted(clean(t.table) for t in tables if t.stale)
    says = f"{len(stale)} of {len(tables)} sources with a freshness SLA are stale" + (
        f": {', '.join(stale)}." if stale else "."
    )
    says += " Bars are the age of the newest row; the dark line is the age that is allowed."
    axis = {"values": [0, 1, 2, 3], "labelExpr": "datum.value == 3 ? '3+ \u00d7' : datum.value + ' \u00d7'"}
    spec = _limits(rows, "ratio", "multiples of its SLA", axis, 5.6)
    return Chart("freshness", "Freshness against its SLA", says, inline_svg(spec, "freshness"))


_ANSWERS = ("yes", "no", "expired", "not known")
_ANSWER_COLOURS = (_GOOD, _NEUTRAL, "#d9a441", _PALE)


def _parts(consent: PurposeConsent) -> dict[str, int]:
    unknown = max(0, consent.people - consent.granted - consent.denied - consent.expired)
    return {"yes": consent.granted, "no": consent.denied, "expired": consent.expired, "not known": unknown}


def _consent(material: Material) -> Chart | None:
    by_purpose = {p.purpose: p for p in material.consent.purposes}
    rows: list[Spec] = []
    spoken = []
    for reach in sorted(material.consent.channels, key=lambda c: CHANNELS.index(c.channel)):
        consent = by_purpose.get(reach.purpose)
        if consent is None or consent.people <= 0:
            continue
        label = CHANNEL_LABELS[reach.channel]
        for order, (answer, count) in enumerate(_parts(consent).items()):
            shown = material.minimum if 0 < count < material.minimum else count
            rows.append(
                {"name": label, "answer": answer, "order": order, "share": round(shown / consent.people, 4)}
            )
        yes = share_of(consent.granted, consent.people, material.minimum)
        spoken.append(
            f"{label}: {yes} yes, integrity {percent(consent.integrity)} of {percent(reach.integrity_floor)}"
        )
    if not rows:
        return None
    spec: Spec = {
        "height": {"step": 30},
        "data": {"values": rows},
        "mark": {"type": "bar", "height": 18, "stroke": "#ffffff", "strokeWidth": 1},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "title": None},
            "x": {
                "field": "share",
                "type": "quantitative",
                "stack": "normalize",
                "title": "share of people",
                "axis": {"format": ".0%", "tickCount": 4},
            },
            "order": {"field": "order", "type": "ordinal"},
            "color": {
                "field": "answer",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(_ANSWERS), "range": list(_ANSWER_COLOURS)},
            },
        },
        "config": {"axisY": {"minExtent": 60, "maxExtent": 60, "grid": False}},
        "width": WIDTH - 80,
    }
    return Chart("consent", "Consent by channel", "; ".join(spoken) + ".", inline_svg(spec, "consent"))


def _sizes(material: Material) -> Chart | None:
    profiles = sorted(material.profiles.profiles, key=lambda p: (-p.size, p.profile_id))
    if not profiles:
        return None
    floor = material.minimum
    rows: list[Spec] = []
    sizes: list[Spec] = []
    largest = max(floor, *(p.size for p in profiles))
    for profile, name in zip(profiles, _unique([p.name for p in profiles]), strict=True):
        shown = max(profile.size, floor) if profile.size else 0
        sizes.append({"name": name, "people": shown, "text": people(profile.size, floor)})
        rows += [
            {"name": name, "people": max(count, floor) if count else 0, "channel": CHANNEL_LABELS[channel]}
            for channel, count in sorted(profile.volume.items(), key=lambda item: CHANNELS.index(item[0]))
        ]
    y = {"field": "name", "type": "nominal", "sort": None, "title": None}
    x = {
        "field": "people",
        "type": "quantitative",
        "title": "people",
        "scale": {"domain": [0, round(largest * 1.3)], "nice": False},
        "axis": {"tickCount": 4, "format": "~s"},
    }
    labels = [CHANNEL_LABELS[c] for c in CHANNELS if any(r["channel"] == CHANNEL_LABELS[c] for r in rows)]
    shapes = ["circle", "square", "cross", "diamond", "triangle-up"][: len(labels)]
    hues = ["#0b3c5d", "#7a1f5c", "#8a4b00", "#1d5c2e", "#4b3a8f"][: len(labels)]
    marks: Spec = {
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 0.9},
        "encoding": {
            "y": y,
            "x": x,
            "shape": {
                "field": "channel",
                "type": "nominal",
                "title": None,
                "scale": {"domain": labels, "range": shapes},
            },
            "color": {
                "field": "channel",
                "type": "nominal",
                "title": None,
                "scale": {"domain": labels, "range": hues},
            },
        },
    }
    bars: Spec = {"mark": {"type": "bar", "height": 15, "color": _PALE}, "encoding": {"y": y, "x": x}}
    figures: Spec = {
        "mark": {"type": "text", "align": "left", "dx": 5},
        "encoding": {"y": y, "x": x, "text": {"field": "text"}},
    }
    sized: Spec = {"data": {"values": sizes}, "layer": [bars, figures]}
    spec: Spec = {"height": {"step": 28}, "layer": [sized, marks] if rows else [sized]}
    says = (
        ", ".join(f"{clean(p.name)} {people(p.size, floor)}" for p in profiles)
        + " people fit, before consent (bars); the marks count those of them who are reachable, per channel."
    )
    return Chart("sizes", "People who fit, and of them reachable", says, inline_svg(spec, "sizes"))


def _overlap(material: Material) -> Chart | None:
    profiles = material.profiles.profiles
    if len(profiles) <= 1 or not material.profiles.overlaps:
        return None
    floor = material.minimum
    shared = {frozenset((o.left, o.right)): o.people for o in material.profiles.overlaps}
    names = _unique([f"{i} {p.name}" for i, p in enumerate(profiles, 1)])
    rows: list[Spec] = []
    for row, left in enumerate(profiles):
        for column, right in enumerate(profiles):
            count = (
                left.size if row == column else shared.get(frozenset((left.profile_id, right.profile_id)), 0)
            )
            small = 0 < count < floor
            share = (floor if small else count) / max(left.size, floor)
            text = "" if row == column else "<" if small else "\u2013" if count == 0 else f"{share:.0%}"
            rows.append(
                {"name": names[row], "other": str(column + 1), "share": round(share, 3), "text": text}
            )
    encoding = {
        "y": {"field": "name", "type": "nominal", "sort": None, "title": None},
        "x": {
            "field": "other",
            "type": "nominal",
            "sort": None,
            "title": "fit this profile too",
            "axis": {"orient": "bottom", "labelAngle": 0, "titleLimit": WIDTH},
        },
    }
    spec: Spec = {
        "height": {"step": 28},
        "data": {"values": rows},
        "encoding": encoding,
        "layer": [
            {
                "mark": {"type": "rect", "stroke": "#ffffff"},
                "encoding": {
                    "color": {
                        "field": "share",
                        "type": "quantitative",
                        "legend": None,
                        "scale": {"domain": [0, 1], "range": ["#f3f6f9", "#7fb0d3"], "interpolate": "rgb"},
                    }
                },
            },
            {"mark": {"type": "text", "fontSize": 10}, "encoding": {"text": {"field": "text"}}},
        ],
    }
    return Chart("overlap", "Overlap of the profiles", _overlap_words(material), inline_svg(spec, "overlap"))


def _overlap_words(material: Material) -> str:
    names = {p.profile_id: clean(p.name) for p in material.profiles.profiles}
    pairs = sorted(material.profiles.overlaps, key=lambda o: (-o.people, o.left, o.right))[:3]
    told = [
        f"{names.get(o.left, o.left)} and {names.get(o.right, o.right)} share "
        f"{people(o.people, material.minimum)}"
        for o in pairs
        if o.people
    ]
    if not told:
        return "No two profiles share people."
    return (
        "; ".join(told) + f". A cell is the share of its row's people who also fit its column's profile; "
        f"'<' stands for fewer than {material.minimum:,} people, '\u2013' for none."
    )
