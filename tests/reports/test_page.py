from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.audience.contracts import TreeNode
from gtm_orchestra.reports.page import report_html, schema_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from gtm_orchestra.reports.material import Material

HOSTILE = '<img src=x onerror="alert(1)">\x1b[31m{{ 7 * 7 }}'

# The colours behind and of every piece of text, as the browser computed them.
CONTRAST = """
() => {
  const channels = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3)
      .map((v) => v / 255).map((v) => (v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const c = channels(getComputedStyle(n).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest('svg')) continue;
    const a = light(channels(getComputedStyle(node).color)), b = light(behind(node));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.push([walker.currentNode.data.trim().slice(0, 40), ratio]);
  }
  return low;
}
"""

# Text that is cut: in a drawing, beyond its frame; elsewhere, wider than a box that does not scroll.
CUT = """
() => {
  const cut = [];
  for (const text of document.querySelectorAll('figure svg text')) {
    const own = text.getBoundingClientRect(), frame = text.closest('svg').getBoundingClientRect();
    const inside = own.left >= frame.left - 1 && own.right <= frame.right + 1
      && own.top >= frame.top - 1 && own.bottom <= frame.bottom + 1;
    if (own.width > 0 && !inside) cut.push(text.textContent);
  }
  for (const node of document.querySelectorAll('main *:not(svg, svg *)')) {
    if (node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0 && !node.matches('.scroll')
        && getComputedStyle(node).display !== 'inline') cut.push(node.className || node.tagName);
  }
  return cut;
}
"""

EACH_PART = "(open) => document.querySelectorAll('details').forEach((part) => { part.open = open })"


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.ids: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links.update(value or "" for name, value in attrs if name in {"href", "src", "action"})
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _seen(data: bytes) -> _Seen:
    parser = _Seen()
    parser.feed(data.decode())
    return parser


def test_the_report_is_one_file_without_script_or_outside_url(material: Material) -> None:
    for data in (report_html(material), schema_html(material)):
        seen = _seen(data)
        assert not seen.tags & {"script", "link", "iframe", "img", "object", "form", "foreignobject"}
        assert not [name for name in seen.attributes if name.startswith("on")]
        assert all(link.startswith("#") for link in seen.links)
        assert b"http" not in data.replace(b"http-equiv", b"")
        assert b"@import" not in data
        assert b"url(#" not in data.split(b"</style>")[0]


def test_every_link_leads_to_one_place(material: Material) -> None:
    seen = _seen(report_html(material))

    assert len(seen.ids) == len(set(seen.ids))
    assert {link.removeprefix("#") for link in seen.links} <= set(seen.ids)


def test_text_from_outside_is_shown_and_not_run(material: Material) -> None:
    profiles = tuple(
        p.model_copy(update={"name": HOSTILE, "added_over": HOSTILE}) for p in material.profiles.profiles
    )
    hostile = replace(
        material,
        initiative=HOSTILE,
        profiles=material.profiles.model_copy(update={"profiles": profiles}),
        objectives=material.objectives.model_copy(update={"goals": (HOSTILE,)}),
    )
    data = report_html(hostile)

    assert "img" not in _seen(data).tags
    assert b"\x1b" not in data
    assert b"{{ 7 * 7 }}" in data


def test_the_bytes_depend_on_the_results_alone(material: Material) -> None:
    assert report_html(material) == report_html(replace(material, inputs=dict(material.inputs)))
    assert b"Draft until signed; the sign-off is recorded beside this file in sign-off.json" in report_html(
        material
    )


def test_the_first_screen_answers_before_anything_else(material: Material) -> None:
    text = re.sub(r"\s+", " ", " ".join(_seen(report_html(material).split(b"<main>")[1]).text))
    answer, rest = text.split("What happens next", 1)

    for said in (
        "Web, In-app and Sales can be personalised; E-mail is blocked; Ads was left out as asked.",
        "12,904",
        "Consent integrity for marketing_email is 71.3%, the floor is 95%",
        "Priya Nair (privacy lead)",
        "health_condition",
        "no new rows since 2025-09-19 04:00 UTC",
        "'make it pop'",
        "after 28 days",
        "Draft until signed",
    ):
        assert said in answer, said
    assert "gtm approvals approve ID" in rest


def crowded(material: Material) -> Material:
    """The same results with eight profiles of long names, a deep tree and attributes that never end."""
    first = material.profiles.profiles[0]
    profiles = tuple(
        first.model_copy(
            update={"profile_id": f"{first.profile_id}-{i}", "name": f"{i} MW ready to invite the team"}
        )
        for i in range(8)
    )
    tree = TreeNode(leaf="fallback", people=13_000)
    for profile in profiles:
        tree = TreeNode(
            question="Is days_since_the_last_invitation_of_a_teammate_to_a_shared_project at most 30?",
            people=47_000,
            yes=TreeNode(leaf=profile.profile_id, people=6_000),
            no=tree,
        )
    facts = tuple(
        fact.model_copy(update={"name": f"HS_{fact.name}_{'x' * 60}", "source": "y" * 120})
        for fact in material.inventory.attributes
    )
    return replace(
        material,
        profiles=material.profiles.model_copy(update={"profiles": profiles, "tree": tree}),
        inventory=material.inventory.model_copy(
            update={"attributes": (*facts, *material.inventory.attributes)},
        ),
    )


def _open(browser: Browser, data: bytes, *, width: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.set_content(data.decode())
    return page


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_nothing_runs_over_the_edge_and_no_text_is_cut(
    material: Material, browser: Browser, width: int
) -> None:
    results = (material, crowded(material))
    for data in (write(found) for found in results for write in (report_html, schema_html)):
        page = _open(browser, data, width=width)
        for opened in (False, True):
            page.evaluate(EACH_PART, arg=opened)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(CUT) == []
        page.close()


def test_every_text_stands_out_from_its_ground(material: Material, browser: Browser) -> None:
    page = _open(browser, report_html(material), width=1280)
    page.evaluate(EACH_PART, arg=True)
    assert page.evaluate(CONTRAST) == []
    page.close()


def test_no_chart_is_empty(material: Material, browser: Browser) -> None:
    page = _open(browser, report_html(material), width=390)
    page.evaluate(EACH_PART, arg=True)
    drawn = page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => [s.getBoundingClientRect().height > 60,"
        " s.querySelectorAll('path[aria-roledescription]').length > 0, s.textContent.length > 20])"
    )
    assert drawn == [[True, True, True]] * 5
    page.close()


def test_the_answer_per_channel_stands_on_the_first_screen(material: Material, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_content(report_html(material).decode())
    assert page.evaluate("document.querySelector('#channel-sales').getBoundingClientRect().bottom") <= 800
    page.close()


def test_nothing_on_the_page_asks_the_network(material: Material, browser: Browser) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(report_html(material).decode())
    assert asked == []
    page.close()


def test_a_printed_table_is_not_cut_off(material: Material, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 700, "height": 1000})
    page.set_content(report_html(crowded(material)).decode())
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    page.close()


def test_the_depth_is_closed_until_a_link_leads_into_it(material: Material, browser: Browser) -> None:
    page = _open(browser, report_html(crowded(material)), width=1280)
    assert page.evaluate("document.documentElement.scrollHeight") < 7_000
    targets = page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))")
    closed = [
        t for t in targets if page.evaluate(f"document.querySelector('{t}').closest('details') !== null")
    ]
    assert [t for t in targets if t not in closed] == ["#next", "#decisions", "#profiles"]
    for target in closed:
        assert page.evaluate(f"document.querySelector('{target}').closest('details').open") is False
        page.click(f"nav a[href='{target}']")
        page.wait_for_function(f"document.querySelector('{target}').closest('details').open")
        # The line that names the part is still on the screen.
        assert page.evaluate(
            f"document.querySelector('{target}').previousElementSibling.getBoundingClientRect().top >= 0"
        )
    page.close()


def test_a_print_has_every_part_open(material: Material, browser: Browser) -> None:
    page = _open(browser, report_html(material), width=1280)
    shown = "[...document.querySelectorAll('details > div')].map(d => d.checkVisibility())"
    assert not any(page.evaluate(shown))
    page.emulate_media(media="print")
    assert all(page.evaluate(shown))
    page.close()


def test_the_three_figures_of_a_profile_are_told_apart(material: Material) -> None:
    tree = TreeNode(
        question="Signed up less than 7 days ago?",
        people=47_812,
        yes=TreeNode(leaf="new-signup", people=6_120),
        no=TreeNode(
            question="Created 4 projects?", yes=TreeNode(leaf="builders", people=9_001), no=TreeNode(leaf="x")
        ),
    )
    profiles = material.profiles.model_copy(update={"tree": tree})
    data = report_html(replace(material, profiles=profiles))
    text = re.sub(r"\s+", " ", " ".join(_seen(data).text))
    first = material.profiles.profiles[0]
    assert (
        f"So of {first.name}: 6,120 people fit; 3,978 of them are reachable on Web; for 6,120 it is the "
        "first match."
    ) in text
    rows = {
        row.split("</th>")[0].split(">")[-1]: row
        for row in data.decode().split("<tr>")
        if "First match" in row
    }
    assert 'data-label="People who fit: ">11,960<' in rows["Active builders"]
    assert 'data-label="Reachable on Web: ">7,774 · GO, once passed on from batch<' in rows["Active builders"]
    assert 'data-label="Reachable on In-app: ">7,654 · GO<' in rows["Active builders"]
    assert 'data-label="First match: ">9,001<' in rows["Active builders"]
    assert 'data-label="First match: ">not shown<' in rows["Stalled free users"]
