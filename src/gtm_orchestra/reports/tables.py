"""Tables as Markdown and CSV, with foreign text escaped for where it is going to be read."""

from __future__ import annotations

import csv
import html
import io
from typing import TYPE_CHECKING

from gtm_orchestra.reports.wording import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Cell", "code", "csv_bytes", "csv_cell", "markdown_table", "prose"]

Cell = str | int | float | bool | None

# A spreadsheet runs a cell that starts with one of these as a formula; a leading tab or line break hides it.
_FORMULA = ("=", "+", "-", "@")


def csv_cell(value: Cell) -> str | int | float:
    r"""Return a cell that no spreadsheet runs: text that looks like a formula gets an apostrophe before it.

    Numbers stay numbers; None becomes empty.

    >>> csv_cell('=HYPERLINK("x")'), csv_cell(-0.5), csv_cell(True)
    ('\'=HYPERLINK("x")', -0.5, 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    text = clean(value).strip()
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return a table as UTF-8 CSV with a header and one line per row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([csv_cell(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def prose(text: str) -> str:
    """Return foreign text for Markdown: no HTML, no link, no table border, no heading."""
    safe = html.escape(clean(text), quote=False).replace("\\", "\\\\")
    for mark in ("|", "[", "]", "`", "*"):
        safe = safe.replace(mark, f"\\{mark}")
    return f"\\{safe}" if safe.startswith(("#", "-", "+", "=")) else safe


def code(text: str) -> str:
    """Return a name as a Markdown code span, or as prose when it holds what some renderer might act on."""
    safe = clean(text)
    if set(safe) & set("<>[]|`"):
        return prose(safe)
    return f"`{safe}`" if safe else ""


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of cells that are already escaped."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
