"""A variants file is read as it stands, and every fault has its line and its mend."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.decisions.template_tags import Tag, tag_faults, tags_of
from gtm_orchestra.decisions.variants import COLUMNS, check_variants, read_variants, template
from gtm_orchestra.errors import UsageError
from gtm_orchestra.interfaces.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.decisions.variants import VariantFinding

SOUND = {
    "variant_id": "new",
    "channel": "web",
    "locale": "en",
    "headline": "Hello",
    "body": "Text",
    "cta_text": "Start",
    "cta_url": "https://www.example.com/start?who={{ contact.id | default: 'x' }}",
    "asset_url": "https://www.example.com/a.png",
    "status": "approved",
    "owner": "growth",
    "fallback_for": "",
}
PLAIN = {**SOUND, "variant_id": "plain", "fallback_for": "new"}


def content(*rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def check(*rows: dict[str, str]) -> list[VariantFinding]:
    return check_variants(read_variants(content(*rows), "v.csv"))


def only(changed: dict[str, str]) -> tuple[str, str, int, str, str]:
    """Return check, severity, line, column and words of the one finding in a changed row."""
    [found] = [each for each in check({**SOUND, **changed}, PLAIN) if each.line == 2]
    return found.check, found.severity, found.line, found.column, found.says


def test_a_sound_file_has_no_finding() -> None:
    assert check(SOUND, PLAIN) == []


def test_the_template_has_no_blocker_and_every_column() -> None:
    rows = read_variants(template().encode(), "v.csv")
    assert tuple(rows[0].cells) == COLUMNS
    assert check_variants(rows) == []


def test_tags_of_liquid_and_hubl_survive_untouched() -> None:
    headline = (
        'Hi {{ first_name | default: "there" }}{% if vip %}!{% endif %} {{ '
        "personalization_token('c.x', 'you') }}"
    )
    [row] = read_variants(content({**SOUND, "headline": headline}), "v.csv")
    assert row["headline"] == headline
    assert check({**SOUND, "headline": headline}, PLAIN) == []


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ('{{ a | default: "x y" }}', "x y"),
        ("{{a|default('x')}}", "x"),
        ("{{- a | upcase | default: 'x' -}}", "x"),
        ("{{ a | default: b }}", "b"),
        ("{{ personalization_token('contact.a', 'x') }}", "x"),
        ("{{ personalization_token('contact.a') }}", None),
        ("{{ a | default: '' }}", ""),
        ("{{ default }}", None),
        ("{{ a }}", None),
    ],
)
def test_a_default_is_read_from_either_language(text: str, default: str | None) -> None:
    assert tags_of(text) == [Tag(text, default)]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("{{ a }", ["a tag begins with {{ and is not closed"]),
        ("a }}", ["a tag ends with }} and was not begun"]),
        ("{% if a", ["a tag begins with {% and is not closed"]),
        ("{% if a %}b", ["{% if %} has no {% endif %}"]),
        ("b{% endfor %}", ["{% endfor %} has no {% for %}"]),
        ("{% if a %}{{ b }}{% else %}c{% endif %}", []),
    ],
)
def test_a_tag_of_a_wrong_form_is_named(text: str, faults: list[str]) -> None:
    assert tag_faults(text) == faults


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"headline": "Hi {{ name }}"},
            (
                "tag-without-default",
                "blocker",
                2,
                "headline",
                "{{ name }} has no default: people without a value see a hole",
            ),
        ),
        (
            {"headline": "Hi {{ name"},
            ("tag", "blocker", 2, "headline", "a tag begins with {{ and is not closed"),
        ),
        (
            {"headline": "<script>alert(1)</script>"},
            (
                "markup",
                "blocker",
                2,
                "headline",
                "it holds markup or script; it is shown letter by letter, never run",
            ),
        ),
        (
            {"body": "<img src=x onerror=alert(1)>"},
            (
                "markup",
                "blocker",
                2,
                "body",
                "it holds markup or script; it is shown letter by letter, never run",
            ),
        ),
        (
            {"cta_text": "javascript:alert(1)"},
            (
                "markup",
                "blocker",
                2,
                "cta_text",
                "it holds markup or script; it is shown letter by letter, never run",
            ),
        ),
        ({"headline": ""}, ("missing-headline", "blocker", 2, "headline", "there is no headline")),
        (
            {"headline": "=1+1"},
            ("formula", "blocker", 2, "headline", "a spreadsheet would calculate this cell"),
        ),
        (
            {"owner": "@SUM(A1)"},
            ("formula", "blocker", 2, "owner", "a spreadsheet would calculate this cell"),
        ),
        (
            {"body": "safe\u202eteg"},
            ("hidden-character", "blocker", 2, "body", "it holds a character that hides or turns text"),
        ),
        ({"status": "live"}, ("status", "blocker", 2, "status", "the status is unknown")),
        ({"owner": ""}, ("owner", "warning", 2, "owner", "nobody owns it")),
        ({"asset_url": ""}, ("missing-asset", "warning", 2, "asset_url", "there is no asset")),
        (
            {"cta_text": ""},
            (
                "call-to-action",
                "blocker",
                2,
                "cta_text",
                "a call to action has a text and a URL, and one is missing",
            ),
        ),
        (
            {"cta_url": ""},
            (
                "call-to-action",
                "blocker",
                2,
                "cta_url",
                "a call to action has a text and a URL, and one is missing",
            ),
        ),
        ({"fallback_for": "new"}, ("fallback", "blocker", 2, "fallback_for", "it is its own fallback")),
        ({"fallback_for": "gone"}, ("fallback", "blocker", 2, "fallback_for", "there is no variant 'gone'")),
    ],
)
def test_a_fault_has_its_line_its_column_and_its_words(
    changed: dict[str, str], expected: tuple[str, str, int, str, str]
) -> None:
    assert only(changed) == expected


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://www.example.com/", "its scheme is http, not https"),
        ("file:///etc/passwd", "its scheme is file, not https"),
        ("javascript:alert(1)", "its scheme is javascript, not https"),
        ("//www.example.com/a", "its scheme is missing, not https"),
        ("https://localhost/a", "its host is private: nobody outside can see it"),
        ("https://LOCALHOST./a", "its host is private: nobody outside can see it"),
        ("https://a.internal/a", "its host is private: nobody outside can see it"),
        ("https://127.0.0.1/a", "its host is private: nobody outside can see it"),
        ("https://10.1.2.3/a", "its host is private: nobody outside can see it"),
        ("https://[::1]/a", "its host is private: nobody outside can see it"),
        ("https://169.254.169.254/latest", "its host is private: nobody outside can see it"),
        ("https://8.8.8.8/a", "its host is a number"),
        ("https://2130706433/a", "its host is no domain name, or its port is unusual"),
        ("https://0x7f.1/a", "its host is no domain name, or its port is unusual"),
        ("https://www.example.com:22/a", "its host is no domain name, or its port is unusual"),
        (
            "https://www.example.com@evil.example.org/a",
            "it holds a user name, a blank or a backslash before the path",
        ),
        (
            "https://www.example.com\\@evil.org/",
            "it holds a user name, a blank or a backslash before the path",
        ),
        ("https:///a", "it names no host"),
        ("https://[::1/a", "it is no URL"),
    ],
)
def test_an_address_that_is_not_public_is_refused(url: str, says: str) -> None:
    assert only({"asset_url": url}) == ("url", "blocker", 2, "asset_url", says)


@pytest.mark.parametrize(
    "url", ["https://www.example.com/ä?b={{ c | default: 'd' }}", "https://münchen.example.de/"]
)
def test_a_public_address_is_fine_with_tags_and_letters_of_any_language(url: str) -> None:
    assert check({**SOUND, "asset_url": url}, PLAIN) == []


def test_an_unknown_channel_id_and_locale_are_named() -> None:
    found = check({**SOUND, "channel": "fax", "variant_id": "New One", "locale": "EN_us"})
    assert [(each.check, each.says) for each in found if each.severity == "blocker"] == [
        ("variant-id", "an id is small letters, digits and . _ -, at most 80"),
        ("channel", "the channel is unknown"),
        ("locale", "the locale is not of the form en, de-AT or zh-Hant-TW"),
    ]


def test_the_same_row_twice_names_the_first_line() -> None:
    [found] = [each for each in check(SOUND, PLAIN, PLAIN) if each.check == "duplicate"]
    assert (found.line, found.says) == (4, "id, channel and locale are those of line 3")


def test_a_variant_without_fallback_or_without_a_locale_of_its_channel_is_a_warning() -> None:
    found = check(SOUND, PLAIN, {**SOUND, "locale": "de"})
    assert [(each.check, each.line, each.says) for each in found] == [
        ("missing-locale", 3, "it lacks de, which other variants of its channel have"),
        ("no-fallback", 4, "nothing in its channel and locale is its fallback"),
    ]


def test_the_line_of_a_finding_is_that_of_the_file_even_after_a_cell_of_several_lines() -> None:
    found = check({**SOUND, "body": "one\ntwo\nthree"}, {**PLAIN, "status": "live"})
    assert [(each.check, each.line) for each in found] == [("status", 5)]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            content(SOUND, columns=COLUMNS[1:]),
            "v.csv lacks column 'variant_id'; the header is "
            + ",".join(COLUMNS)
            + "; begin with: gtm variants template",
        ),
        (
            content(SOUND, columns=(*COLUMNS, "colour")),
            "v.csv has the unknown column 'colour'; the header is "
            + ",".join(COLUMNS)
            + "; begin with: gtm variants template",
        ),
        (content(), "v.csv has no variants; begin with: gtm variants template"),
        (
            content(SOUND) + b"a,b\r\n",
            (
                "v.csv, line 3: 2 cells, and the header has 11; put a text with commas or line "
                "breaks in double quotes"
            ),
        ),
        (
            content(SOUND) + b'"open,',
            "v.csv, line 3: no CSV (unexpected end of data); close each double quote, or export it again",
        ),
        (b"\xff\xfe", "v.csv is not UTF-8; export it as CSV UTF-8"),
        (
            b"x" * 5_000_001,
            (
                "v.csv has 5,000,001 bytes; at most 5,000,000 are read; put long texts into "
                "the delivering system, and name them here"
            ),
        ),
        (content(*[SOUND] * 10_001), "v.csv has more than 10,000 rows; split the file by channel"),
    ],
    ids=["lacks", "unknown", "empty", "width", "quote", "bytes", "large", "rows"],
)
def test_a_file_that_cannot_be_read_says_why(raw: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_variants(raw, "v.csv")
    assert str(caught.value) == message


def test_the_command_ends_with_3_at_a_blocker_and_with_0_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "v.csv"
    path.write_bytes(content({**SOUND, "status": "live"}, PLAIN))
    with pytest.raises(SystemExit) as left:
        main(["variants", "check", str(path)])
    said = capsys.readouterr()
    assert (left.value.code, said.out, said.err) == (
        3,
        (
            "v.csv: 2 variants\n\nBlockers (1)\n- [status] line 2, new, status: the status is unknown.\n"
            "  Mend: write one of draft, review, approved, retired.\n\n1 blocker, 0 warnings, 0 notes.\n"
        ),
        "gtm: 1 blocker in v.csv\nnext: mend them, then gtm variants check v.csv\n",
    )
    path.write_text(template())
    with pytest.raises(SystemExit) as left:
        main(["variants", "check", str(path), "--json"])
    assert (left.value.code, json.loads(capsys.readouterr().out)["findings"]) == (0, [])
    with pytest.raises(SystemExit) as left:
        main(["variants", "template"])
    assert (left.value.code, capsys.readouterr().out) == (0, template())
