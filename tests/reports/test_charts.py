from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from gtm_orchestra.audience.contracts import Profiles, TreeNode
from gtm_orchestra.reports.charts import charts, inline_svg

if TYPE_CHECKING:
    from gtm_orchestra.reports.material import Material

CLIPPED = {
    "data": {"values": [{"a": "x", "b": 3}]},
    "mark": {"type": "bar", "clip": True},
    "encoding": {"y": {"field": "a", "type": "nominal"}, "x": {"field": "b", "type": "quantitative"}},
}


def test_every_chart_of_the_report_is_drawn(material: Material) -> None:
    assert list(charts(material)) == ["coverage", "freshness", "consent", "sizes", "overlap"]


def test_a_second_drawing_in_the_same_process_is_the_same_to_the_byte() -> None:
    assert inline_svg(CLIPPED, "a") == inline_svg(CLIPPED, "a")


def test_two_charts_on_a_page_share_no_id() -> None:
    first, second = (set(re.findall(r'id="([^"]+)"', inline_svg(CLIPPED, name))) for name in ("a", "b"))

    assert first == {"a-0"}
    assert second == {"b-0"}
    assert "url(#a-0)" in inline_svg(CLIPPED, "a")


def test_another_process_draws_the_same_bytes(material: Material) -> None:
    code = f"from gtm_orchestra.reports.charts import inline_svg; print(inline_svg({CLIPPED!r}, 'a'), end='')"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert other.stdout == inline_svg(CLIPPED, "a")
    assert charts(material) == charts(material)


def test_a_chart_is_plain_drawing_and_reaches_nothing(material: Material) -> None:
    named = material.inventory.attributes[0].model_copy(
        update={"name": "<script>alert(1)</script>", "coverage": 0.01}
    )
    facts = (named, *material.inventory.attributes[1:])
    hostile = replace(material, inventory=material.inventory.model_copy(update={"attributes": facts}))
    for chart in charts(hostile).values():
        tags = {element.tag for element in ET.fromstring(chart.svg).iter()}  # noqa: S314 - drawn here
        assert tags <= {"svg", "rect", "g", "path", "line", "text", "defs", "clipPath"}, chart.name
        assert "http" not in chart.svg, chart.name


def test_a_group_under_the_minimum_is_not_drawn_to_scale(material: Material) -> None:
    tiny = material.profiles.profiles[-1].model_copy(
        update={"size": 37, "share": 37 / 47_812, "volume": {"web": 21}}
    )
    other = tiny.model_copy(update={"size": 83, "volume": {"web": 77}})
    drawn = [
        charts(
            replace(
                material,
                profiles=material.profiles.model_copy(update={"profiles": (profile,), "overlaps": ()}),
            )
        )
        for profile in (tiny, other)
    ]

    assert drawn[0]["sizes"] == drawn[1]["sizes"]
    assert "fewer than 100" in drawn[0]["sizes"].svg


def test_nothing_to_show_gives_no_empty_chart(material: Material) -> None:
    none = Profiles(
        profiles=(), overlaps=(), tree=TreeNode(leaf="default"), unassigned=47_812, excluded={}, findings=()
    )

    assert list(charts(replace(material, profiles=none))) == ["coverage", "freshness", "consent"]


def test_two_long_names_that_begin_alike_keep_a_bar_each(material: Material) -> None:
    first, second = material.inventory.attributes[:2]
    same = "hs_analytics_first_conversion_date_"
    facts = (first.model_copy(update={"name": f"{same}a"}), second.model_copy(update={"name": f"{same}b"}))
    svg = charts(replace(material, inventory=material.inventory.model_copy(update={"attributes": facts})))[
        "coverage"
    ].svg

    assert "hs_analytics_first #1" in svg
    assert "hs_analytics_first #2" in svg
