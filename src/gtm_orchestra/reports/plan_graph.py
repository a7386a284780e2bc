"""The picture of a plan: layers of boxes as SVG, and the same as mermaid text. Deterministic.

Input is generic, so that a plan, a run or a blueprint can be drawn: nodes with a kind and a status, edges,
and optionally the levels; without them a node stands one level after the last it depends on.
"""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.reports.wording import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["GraphNode", "draw_svg", "mermaid"]

_BOX_W, _BOX_H, _GAP_X, _GAP_Y, _LANE_H, _MARGIN = 188, 62, 56, 22, 10, 16
_LINE_CHARS = 25

# Fill, border and the word that is written: a state is never told by colour alone.
_STATES: dict[str, tuple[str, str]] = {
    "": ("#ffffff", "#4a5568"),
    "pending": ("#ffffff", "#4a5568"),
    "running": ("#e7f0f9", "#1a4f8a"),
    "ok": ("#e6f4ec", "#0b5d3b"),
    "degraded": ("#fdf3dc", "#7a4a00"),
    "waiting": ("#e7f0f9", "#1a4f8a"),
    "skipped": ("#f4f6f9", "#4a5568"),
    "failed": ("#fbe9e5", "#9b2c16"),
    "rejected": ("#fbe9e5", "#9b2c16"),
    "timed_out": ("#fbe9e5", "#9b2c16"),
}
_PLAIN = ("#ffffff", "#4a5568")


class GraphNode(NamedTuple):
    """One box. `kind` is task or holds "gate" (drawn with cut corners) or "question" (rounded)."""

    id: str
    label: str
    kind: str = "task"
    status: str = ""


class _Place(NamedTuple):
    x: float
    y: float
    height: float


Edge = tuple[str, str]


def draw_svg(
    nodes: Iterable[tuple[str, str, str, str]],
    edges: Iterable[Edge],
    *,
    levels: Sequence[Sequence[str]] | None = None,
    title: str = "Plan",
) -> str:
    """Return the graph as a standalone SVG, read from left to right.

    Raises:
        PlanFormatError: An edge names a node that is not there, or the edges form a circle.
    """
    boxes = [GraphNode(*node) for node in nodes]
    links = sorted(set(edges))
    columns = _columns(boxes, links, levels)
    lanes, paths = _with_lanes(columns, links)
    places = _places(_ordered(lanes, paths), {node.id for node in boxes})
    width = len(columns) * (_BOX_W + _GAP_X) - _GAP_X + 2 * _MARGIN if columns else 2 * _MARGIN
    height = max((p.y + p.height for p in places.values()), default=0) + _MARGIN
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(clean(title))}" '
        'font-family="system-ui, sans-serif" font-size="12">'
    )
    parts = [
        opening,
        f"<title>{escape(clean(title))}</title>",
        *(_path([places[name] for name in path]) for path in paths),
        *(_box(node, places[node.id]) for node in boxes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _columns(
    boxes: list[GraphNode], links: list[Edge], levels: Sequence[Sequence[str]] | None
) -> list[list[str]]:
    import networkx as nx  # noqa: PLC0415 - only the drawing needs it

    known = {node.id for node in boxes}
    if len(known) != len(boxes):
        raise PlanFormatError(
            "two boxes of the graph have the same id", hint="give each task and gate its own id"
        )
    strangers = sorted({name for link in links for name in link if name not in known})
    if strangers:
        raise PlanFormatError(
            f"an edge of the graph names {strangers[0]!r}, which is no node",
            hint="mend the plan's dependencies",
        )
    graph = nx.DiGraph(links)
    graph.add_nodes_from(node.id for node in boxes)
    if not nx.is_directed_acyclic_graph(graph):
        raise PlanFormatError("the dependencies form a circle", hint="remove one of its edges")
    rank = {node.id: index for index, node in enumerate(boxes)}
    found = list(nx.topological_generations(graph)) if levels is None else [list(level) for level in levels]
    placed = {name for level in found for name in level}
    if placed != known or sum(len(level) for level in found) != len(known):
        raise PlanFormatError(
            "the levels do not hold each node once", hint="leave levels out to have them computed"
        )
    return [sorted(level, key=rank.__getitem__) for level in found]


def _with_lanes(columns: list[list[str]], links: list[Edge]) -> tuple[list[list[str]], list[list[str]]]:
    """Give an edge that passes levels a lane in each: it runs between the boxes, not behind them."""
    level = {name: index for index, column in enumerate(columns) for name in column}
    lanes = [list(column) for column in columns]
    paths = []
    for number, (start, end) in enumerate(links):
        between = [f"\0{number}.{step}" for step in range(level[start] + 1, level[end])]
        for step, name in enumerate(between, start=level[start] + 1):
            lanes[step].append(name)
        paths.append([start, *between, end])
    return lanes, paths


def _ordered(lanes: list[list[str]], paths: list[list[str]]) -> list[list[str]]:
    """Order each level by where its neighbours stand (barycentre, Sugiyama et al. 1981), twice each way."""
    pairs = [(path[i], path[i + 1]) for path in paths for i in range(len(path) - 1)]
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for left, right in pairs:
        before.setdefault(right, []).append(left)
        after.setdefault(left, []).append(right)
    order = [list(column) for column in lanes]
    for sweep in range(4):
        forward = sweep % 2 == 0
        neighbours: Mapping[str, list[str]] = before if forward else after
        indices = range(1, len(order)) if forward else range(len(order) - 2, -1, -1)
        for index in indices:
            beside = {name: i for i, name in enumerate(order[index - 1 if forward else index + 1])}
            own = {name: i for i, name in enumerate(order[index])}
            order[index].sort(
                key=lambda name: (_centre(neighbours.get(name, []), beside, own[name]), own[name])
            )
    return order


def _sorted_level(
    own: Mapping[str, int], neighbours: Mapping[str, list[str]], beside: Mapping[str, int]
) -> list[str]:
    return sorted(own, key=lambda name: (_centre(neighbours.get(name, []), beside, own[name]), own[name]))


def _centre(names: list[str], places: Mapping[str, int], otherwise: int) -> float:
    found = [places[name] for name in names if name in places]
    return sum(found) / len(found) if found else float(otherwise)


def _places(order: list[list[str]], boxes: set[str]) -> dict[str, _Place]:
    heights = [[_BOX_H if name in boxes else _LANE_H for name in column] for column in order]
    totals = [sum(column) + _GAP_Y * max(0, len(column) - 1) for column in heights]
    tallest = max(totals, default=0)
    places = {}
    for index, column in enumerate(order):
        x, y = _MARGIN + index * (_BOX_W + _GAP_X), _MARGIN + (tallest - totals[index]) / 2
        for name, height in zip(column, heights[index], strict=True):
            places[name] = _Place(x, y, height)
            y += height + _GAP_Y
    return places


def _path(stops: list[_Place]) -> str:
    first, last = stops[0], stops[-1]
    x, y = first.x + _BOX_W, first.y + first.height / 2
    drawn = [f"M{x:g},{y:g}"]
    for stop in stops[1:]:
        to_x, to_y = stop.x, stop.y + stop.height / 2
        half = (to_x - x) / 2
        drawn.append(f"C{x + half:g},{y:g} {to_x - half:g},{to_y:g} {to_x:g},{to_y:g}")
        if stop is not last:
            drawn.append(f"H{to_x + _BOX_W:g}")
        x, y = to_x + _BOX_W, to_y
    tip_x, tip_y = last.x, last.y + last.height / 2
    arrow = f"M{tip_x - 7:g},{tip_y - 4:g}L{tip_x:g},{tip_y:g}L{tip_x - 7:g},{tip_y + 4:g}"
    return f'<path d="{"".join(drawn)}{arrow}" fill="none" stroke="#6b7686" stroke-width="1.4"/>'


def _box(node: GraphNode, place: _Place) -> str:
    fill, border = _STATES.get(node.status, _PLAIN)
    lines = textwrap.wrap(clean(node.label), _LINE_CHARS)[:3] or [clean(node.id)]
    if len(" ".join(lines)) < len(" ".join(clean(node.label).split())):
        lines = [*lines[:1], f"{lines[1][: _LINE_CHARS - 1]}…"] if len(lines) > 1 else lines
    written = [*lines[:2], _kind_line(node)]
    top = place.y + place.height / 2 - (len(written) - 1) * 7.5 + 4
    texts = []
    for index, line in enumerate(written):
        look = (
            'fill="#4a5568" font-size="11"'
            if index == len(written) - 1
            else 'fill="#1b2230" font-weight="600"'
        )
        where = f'x="{place.x + _BOX_W / 2:g}" y="{top + index * 15:g}"'
        texts.append(f'<text {where} text-anchor="middle" {look}>{escape(line)}</text>')
    shape = _shape(node, place)
    return f'<g>{shape} fill="{fill}" stroke="{border}" stroke-width="1.6"/>{"".join(texts)}</g>'


def _kind_line(node: GraphNode) -> str:
    state = node.status.replace("_", " ") or "pending"
    kind = "" if node.kind == "task" else f"{clean(node.kind).replace('_', ' ').replace('-', ' ')} · "
    return f"{clean(node.id)} · {kind}{clean(state)}"


def _shape(node: GraphNode, place: _Place) -> str:
    x, y, w, h = place.x, place.y, _BOX_W, place.height
    if "gate" in node.kind:
        cut = 12
        corners = (
            (x + cut, y),
            (x + w - cut, y),
            (x + w, y + h / 2),
            (x + w - cut, y + h),
            (x + cut, y + h),
            (x, y + h / 2),
        )
        return f'<polygon points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}"'
    radius = h / 2 if "question" in node.kind or "approval" in node.kind else 6
    return f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{radius:g}"'


def mermaid(nodes: Iterable[tuple[str, str, str, str]], edges: Iterable[Edge]) -> str:
    """Return the graph as mermaid flowchart text; labels are escaped, ids are positions."""
    boxes = [GraphNode(*node) for node in nodes]
    index = {node.id: f"n{number}" for number, node in enumerate(boxes)}
    lines = ["flowchart LR"]
    for node in boxes:
        label = _mermaid_text(f"{clean(node.id)} {clean(node.label)}")
        state = f"<br/>{_mermaid_text(node.status.replace('_', ' '))}" if node.status else ""
        left, right = ("{{", "}}") if "gate" in node.kind else ("[", "]")
        lines.append(f'  {index[node.id]}{left}"{label}{state}"{right}')
    for start, end in sorted(set(edges)):
        for name in (start, end):
            if name not in index:
                raise PlanFormatError(
                    f"an edge of the graph names {name!r}, which is no node",
                    hint="mend the plan's dependencies",
                )
        lines.append(f"  {index[start]} --> {index[end]}")
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    # Mermaid's own entities: a quote would end the label, and '#' starts an entity.
    safe = clean(text).replace("#", "#35;").replace('"', "#quot;")
    return safe.replace("<", "#lt;").replace(">", "#gt;")
