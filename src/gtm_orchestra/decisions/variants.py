"""The variants file: what people see, in a CSV that marketers edit, and what is wrong with it.

All that is in a cell is text, everywhere: nothing of it is ever run, here or later.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gtm_orchestra.config import CHANNELS
from gtm_orchestra.decisions.findings import SEVERITIES, Severity
from gtm_orchestra.decisions.template_tags import tag_faults, tags_of, without_tags
from gtm_orchestra.errors import UsageError
from gtm_orchestra.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "COLUMNS",
    "MAX_BYTES",
    "MAX_ROWS",
    "Variant",
    "VariantFinding",
    "check_variants",
    "read_variants",
    "template",
]

MAX_BYTES = 5_000_000
MAX_ROWS = 10_000
COLUMNS = (
    "variant_id", "channel", "locale", "headline", "body", "cta_text", "cta_url", "asset_url", "status",
    "owner", "fallback_for",
)  # fmt: skip
STATUSES = ("draft", "review", "approved", "retired")

_TEXTS = ("headline", "body", "cta_text")
_URLS = ("cta_url", "asset_url")
_SHOWS_ASSETS = ("web", "in-app", "email", "ads")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_MARKUP = re.compile(r"<\s*/?\s*[a-z!]|\bon[a-z]+\s*=|javascript\s*:|&#", re.IGNORECASE)
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", re.IGNORECASE)
_INSIDE = (
    ".localhost",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".home.arpa",
    ".corp",
    ".test",
    ".invalid",
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One row: its line in the file, and its cells as they stand."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


class VariantFinding(Model):
    """One finding: the line of the file, the column, what is wrong, and the mend."""

    check: str
    severity: Severity
    line: int
    column: str = ""
    variant: str = ""
    says: str
    mend: str


def template() -> str:
    """Return a variants file to begin with: the header, a variant and its fallback."""
    rows = [
        COLUMNS,
        (
            "welcome-new", "web", "en", 'Welcome, {{ first_name | default: "there" }}',
            "Three steps and you are set up.", "Start", "https://www.example.com/start",
            "https://www.example.com/images/start.png", "draft", "growth", "",
        ),
        (
            "welcome-plain", "web", "en", "Welcome", "Have a look around.", "Start",
            "https://www.example.com/start", "https://www.example.com/images/plain.png", "draft", "growth",
            "welcome-new",
        ),
    ]  # fmt: skip
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def read_variants(content: bytes, name: str) -> list[Variant]:
    """Return the rows of a variants file, cells untouched but for blanks around them.

    Raises:
        UsageError: Too large, not UTF-8, no CSV, another header, or a row of another width.
    """
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{name} has {len(content):,} bytes; at most {MAX_BYTES:,} are read",
            hint="put long texts into the delivering system, and name them here",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8", hint="export it as CSV UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Variant] = []
    begins = 1
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header, name)
        begins = reader.line_num + 1
        for row in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise UsageError(
                    f"{name}, line {line}: {len(row)} cells, and the header has {len(header)}",
                    hint="put a text with commas or line breaks in double quotes",
                )
            found.append(Variant(line, {key: cell.strip() for key, cell in zip(header, row, strict=True)}))
            if len(found) > MAX_ROWS:
                raise UsageError(f"{name} has more than {MAX_ROWS:,} rows", hint="split the file by channel")
    except csv.Error as error:
        raise UsageError(
            f"{name}, line {begins}: no CSV ({error})", hint="close each double quote, or export it again"
        ) from error
    if not found:
        raise UsageError(f"{name} has no variants", hint="begin with: gtm variants template")
    return found


def _check_header(header: list[str], name: str) -> None:
    missing = [column for column in COLUMNS if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    twice = [column for column, count in Counter(header).items() if count > 1]
    for columns, what in ((missing, "lacks"), (unknown, "has the unknown"), (twice, "repeats the")):
        if columns:
            noun = "column" if len(columns) == 1 else "columns"
            raise UsageError(
                f"{name} {what} {noun} {', '.join(repr(column[:40]) for column in columns)}",
                hint=f"the header is {','.join(COLUMNS)}; begin with: gtm variants template",
            )


def check_variants(variants: list[Variant]) -> list[VariantFinding]:
    """Return all findings, the worst first, then by line."""
    found = [finding for variant in variants for finding in _row_findings(variant)]
    found += _duplicates(variants)
    found += _fallbacks(variants)
    found += _locales(variants)
    return sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), finding.line))


def _finding(
    variant: Variant, check: str, column: str, says: str, mend: str, severity: Severity = "blocker"
) -> VariantFinding:
    return VariantFinding(
        check=check,
        severity=severity,
        line=variant.line,
        column=column,
        variant=variant["variant_id"][:80],
        says=says,
        mend=mend,
    )


def _row_findings(variant: Variant) -> Iterator[VariantFinding]:
    yield from _required(variant)
    for column in COLUMNS:
        yield from _cell(variant, column)
    for column in _TEXTS:
        yield from _text(variant, column)
    for column in _URLS:
        yield from _url(variant, column)
    if bool(variant["cta_text"]) is not bool(variant["cta_url"]):
        absent = "cta_url" if variant["cta_text"] else "cta_text"
        yield _finding(
            variant, "call-to-action", absent, "a call to action has a text and a URL, and one is missing",
            "fill both, or neither",
        )  # fmt: skip
    if not variant["asset_url"] and variant["channel"] in _SHOWS_ASSETS:
        yield _finding(
            variant, "missing-asset", "asset_url", "there is no asset", "name one, or say that none is meant",
            "warning",
        )  # fmt: skip


def _required(variant: Variant) -> Iterator[VariantFinding]:
    if not _ID.fullmatch(variant["variant_id"]):
        yield _finding(
            variant, "variant-id", "variant_id", "an id is small letters, digits and . _ -, at most 80",
            "rename it, such as welcome-new",
        )  # fmt: skip
    if variant["channel"] not in CHANNELS:
        yield _finding(
            variant, "channel", "channel", "the channel is unknown", f"write one of {', '.join(CHANNELS)}"
        )
    if not variant["locale"]:
        yield _finding(
            variant, "missing-locale", "locale", "there is no locale", "write one, such as en or de-AT"
        )
    elif not _LOCALE.fullmatch(variant["locale"]):
        yield _finding(
            variant, "locale", "locale", "the locale is not of the form en, de-AT or zh-Hant-TW",
            "write language-Script-REGION, of which the language is enough",
        )  # fmt: skip
    if not variant["headline"]:
        yield _finding(variant, "missing-headline", "headline", "there is no headline", "write one")
    if variant["status"] not in STATUSES:
        yield _finding(
            variant, "status", "status", "the status is unknown", f"write one of {', '.join(STATUSES)}"
        )
    if not variant["owner"]:
        yield _finding(variant, "owner", "owner", "nobody owns it", "name who answers for it", "warning")


def _cell(variant: Variant, column: str) -> Iterator[VariantFinding]:
    cell = variant[column]
    if cell[:1] in tuple("=@+-") and not cell.startswith(("- ", "+ ")):
        yield _finding(
            variant, "formula", column, "a spreadsheet would calculate this cell",
            "begin it with a letter or a quotation mark",
        )  # fmt: skip
    if _HIDDEN.search(cell):
        yield _finding(
            variant, "hidden-character", column, "it holds a character that hides or turns text",
            "type the cell again",
        )  # fmt: skip


def _text(variant: Variant, column: str) -> Iterator[VariantFinding]:
    text = variant[column]
    if _MARKUP.search(without_tags(text)):
        yield _finding(
            variant, "markup", column, "it holds markup or script; it is shown letter by letter, never run",
            "write plain text; layout belongs to the template of the channel",
        )  # fmt: skip
    for fault in tag_faults(text):
        yield _finding(variant, "tag", column, fault, "close the tag as the delivering system wants it")
    for tag in tags_of(text):
        if not tag.default:
            yield _finding(
                variant, "tag-without-default", column,
                f"{tag.text[:60]} has no default: people without a value see a hole",
                'add one, such as | default: "there"',
            )  # fmt: skip


def _url(variant: Variant, column: str) -> Iterator[VariantFinding]:
    if not variant[column]:
        return
    says = _url_fault(without_tags(variant[column]))
    if says:
        yield _finding(variant, "url", column, says, "write a public address that begins with https://")


def _url_fault(url: str) -> str:  # noqa: PLR0911 - one line per fault
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError:
        return "it is no URL"
    if parts.scheme != "https":
        return f"its scheme is {parts.scheme[:20] or 'missing'}, not https"
    if parts.username is not None or any(char.isspace() or char == "\\" for char in url):
        return "it holds a user name, a blank or a backslash before the path"
    if not host:
        return "it names no host"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return (
            "its host is a number" if address.is_global else "its host is private: nobody outside can see it"
        )
    if host == "localhost" or host.endswith(_INSIDE):
        return "its host is private: nobody outside can see it"
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        return "its host is no domain name"
    if not _HOST.fullmatch(host) or (port is not None and port not in (443, 8443)):
        return "its host is no domain name, or its port is unusual"
    return ""


def _duplicates(variants: list[Variant]) -> Iterator[VariantFinding]:
    first: dict[tuple[str, str, str], int] = {}
    for variant in variants:
        key = (variant["variant_id"], variant["channel"], variant["locale"])
        if key in first:
            yield _finding(
                variant, "duplicate", "variant_id",
                f"id, channel and locale are those of line {first[key]}", "rename one, or take it out",
            )  # fmt: skip
        first.setdefault(key, variant.line)


def _fallbacks(variants: list[Variant]) -> Iterator[VariantFinding]:
    ids = {variant["variant_id"] for variant in variants}
    for variant in variants:
        target = variant["fallback_for"]
        if target == variant["variant_id"] and target:
            yield _finding(
                variant, "fallback", "fallback_for", "it is its own fallback", "name another variant"
            )
        elif target and target not in ids:
            yield _finding(
                variant, "fallback", "fallback_for", f"there is no variant {target[:80]!r}",
                "name one of this file",
            )  # fmt: skip
    covered = {(variant["fallback_for"], variant["channel"], variant["locale"]) for variant in variants}
    for variant in variants:
        key = (variant["variant_id"], variant["channel"], variant["locale"])
        if not variant["fallback_for"] and key not in covered and variant["status"] != "retired":
            yield _finding(
                variant, "no-fallback", "fallback_for", "nothing in its channel and locale is its fallback",
                "add a row that names it in fallback_for", "warning",
            )  # fmt: skip


def _locales(variants: list[Variant]) -> Iterator[VariantFinding]:
    wanted: dict[str, set[str]] = {}
    has: dict[tuple[str, str], set[str]] = {}
    for variant in variants:
        if variant["locale"]:
            wanted.setdefault(variant["channel"], set()).add(variant["locale"])
            has.setdefault((variant["channel"], variant["variant_id"]), set()).add(variant["locale"])
    said: set[tuple[str, str]] = set()
    for variant in variants:
        key = (variant["channel"], variant["variant_id"])
        missing = wanted.get(variant["channel"], set()) - has.get(key, set())
        if missing and key not in said:
            said.add(key)
            yield _finding(
                variant, "missing-locale", "locale",
                f"it lacks {', '.join(sorted(missing))}, which other variants of its channel have",
                "add the rows, or take the locale out of the channel", "warning",
            )  # fmt: skip
