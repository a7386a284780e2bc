from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.reports.plan_graph import draw_svg, mermaid

NODES = [
    ("1.1", "Clarify goals", "task", "ok"),
    ("1.2", "Take the inventory", "task", "degraded"),
    ("g1", "Data meets goals", "merge-gate", "ok"),
    ("2.1", 'Define "profiles" <b>', "task", ""),
    ("g2", "Sign-off", "approval-gate", "waiting"),
]
EDGES = [("1.1", "g1"), ("1.2", "g1"), ("g1", "2.1"), ("1.2", "2.1"), ("2.1", "g2")]
SVG = "{http://www.w3.org/2000/svg}"


def _boxes(svg: str) -> dict[str, tuple[float, float]]:
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):  # noqa: S314 - drawn here
        *_, last = group.findall(f"{SVG}text")
        found[str(last.text).split(" ")[0]] = (float(last.attrib["x"]), float(last.attrib["y"]))
    return found


def test_each_node_is_a_box_right_of_what_it_depends_on() -> None:
    boxes = _boxes(draw_svg(NODES, EDGES))

    assert set(boxes) == {"1.1", "1.2", "g1", "2.1", "g2"}
    assert all(boxes[start][0] < boxes[end][0] for start, end in EDGES)


def test_no_two_boxes_stand_in_one_place() -> None:
    boxes = _boxes(draw_svg(NODES, EDGES))

    assert len(set(boxes.values())) == len(NODES)


def test_the_drawing_is_the_same_whatever_the_order_of_edges() -> None:
    assert draw_svg(NODES, EDGES) == draw_svg(NODES, list(reversed(EDGES)))


def test_a_state_is_written_and_not_only_coloured() -> None:
    svg = draw_svg(NODES, EDGES)

    assert "1.2 · degraded" in svg
    assert "g2 · approval gate · waiting" in svg


def test_given_levels_are_kept() -> None:
    levels = [["1.1", "1.2"], ["g1"], ["2.1"], ["g2"]]

    assert draw_svg(NODES, EDGES, levels=levels) == draw_svg(NODES, EDGES)


def test_levels_that_lack_a_node_are_refused() -> None:
    with pytest.raises(PlanFormatError) as caught:
        draw_svg(NODES, EDGES, levels=[["1.1"]])
    assert str(caught.value) == (
        "the levels do not hold each node once; leave levels out to have them computed"
    )


def test_a_circle_and_a_stranger_are_refused() -> None:
    with pytest.raises(PlanFormatError) as circle:
        draw_svg(NODES, [*EDGES, ("g2", "1.1")])
    with pytest.raises(PlanFormatError) as stranger:
        draw_svg(NODES, [("1.1", "9.9")])
    with pytest.raises(PlanFormatError) as unknown:
        mermaid(NODES, [("9.9", "1.1")])

    assert str(circle.value) == "the dependencies form a circle; remove one of its edges"
    told = "an edge of the graph names '9.9', which is no node; mend the plan's dependencies"
    assert [str(stranger.value), str(unknown.value)] == [told, told]


def test_an_empty_graph_is_an_empty_picture() -> None:
    assert "<g>" not in draw_svg([], [])


def test_mermaid_text_escapes_what_would_end_a_label() -> None:
    assert mermaid(NODES, EDGES).splitlines() == [
        "flowchart LR",
        '  n0["1.1 Clarify goals<br/>ok"]',
        '  n1["1.2 Take the inventory<br/>degraded"]',
        '  n2{{"g1 Data meets goals<br/>ok"}}',
        '  n3["2.1 Define #quot;profiles#quot; #lt;b#gt;"]',
        '  n4{{"g2 Sign-off<br/>waiting"}}',
        "  n0 --> n2",
        "  n1 --> n3",
        "  n1 --> n2",
        "  n3 --> n4",
        "  n2 --> n3",
    ]
