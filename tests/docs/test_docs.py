"""Every example of README.md and docs/ runs, and every link leads somewhere.

- A `python` block is executed, a `pycon` block is compared with what it shows. The blocks of a page share one
  namespace and one empty folder, in the order of the page.
- A `console` block under a line `<!-- run -->` is executed: each `$ gtm …` line as the installed command, in
  that folder; what follows is compared, `...` standing for anything, a last line `[exit N]` for the exit
  code.
  Without output lines anything may be printed.
- Any other `console` block is not executed; the commands and make targets that it names must exist.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.is_file()]
COMMAND = Path(sys.executable).with_name("gtm")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, the line its text starts on, and whether it is to be run."""

    language: str
    text: str
    line: int
    run: bool


def blocks(page: str) -> list[Block]:
    return [
        Block(
            language=match[1],
            text=match[2],
            line=page.count("\n", 0, match.start(2)) + 1,
            run=page[: match.start()].rstrip().endswith("<!-- run -->"),
        )
        for match in _FENCE.finditer(page)
    ]


def commands(block: Block) -> list[tuple[str, str]]:
    """Return each command of a console block with the output that it shows."""
    found: list[tuple[str, str]] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            command, output = found[-1]
            found[-1] = (command, f"{output}{line}\n")
    return found


def run_command(command: str, want: str, folder: Path) -> str:
    """Run one documented command; return what differs from the page, or nothing."""
    words = shlex.split(command)
    if words[0] != "gtm":
        return f"$ {command}: only gtm commands are run; mark other blocks without <!-- run -->"
    environ = {**os.environ, "COLUMNS": "110", "NO_COLOR": "1"}
    done = subprocess.run(
        [COMMAND, *words[1:]],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environ,
        timeout=300,
    )
    expected_exit = 0
    match = re.search(r"^\[exit (\d+)\]\n\Z", want, re.MULTILINE)
    if match is not None:
        expected_exit, want = int(match[1]), want[: match.start()]
    if done.returncode != expected_exit:
        return f"$ {command}: exit {done.returncode}, not {expected_exit}\n{done.stdout}{done.stderr}"
    if want.strip() and not doctest.OutputChecker().check_output(want, done.stdout, _FLAGS):
        return f"$ {command}: printed\n{done.stdout}\nbut the page shows\n{want}"
    return ""


def run_session(block: Block, namespace: dict[str, object], name: str) -> str:
    """Run a block of `>>>` lines; return what differs from the page, or nothing."""
    said: list[str] = []
    test = doctest.DocTestParser().get_doctest(block.text, namespace, name, name, block.line - 1)
    doctest.DocTestRunner(optionflags=_FLAGS).run(test, out=said.append, clear_globs=False)
    namespace.update(test.globs)
    return "".join(said)


def run_page(text: str, folder: Path, name: str) -> list[str]:
    """Run every example of a page; return what differs from it."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    failures: list[str] = []
    for block in blocks(text):
        if block.language == "python":
            # Line numbers of a traceback are those of the page.
            code = compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)
            exec(code, namespace)  # noqa: S102  (our own pages)
        elif block.language == "pycon":
            failures.append(run_session(block, namespace, name))
        elif block.language == "console" and block.run:
            failures += [run_command(command, want, folder) for command, want in commands(block)]
    return [failure for failure in failures if failure]


@cache
def make_targets() -> frozenset[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


@cache
def gtm_commands() -> frozenset[str]:
    done = subprocess.run([COMMAND, "--help"], check=True, capture_output=True, text=True, timeout=60)
    return frozenset(re.findall(r"^ +([a-z][a-z-]*)(?: |$)", done.stdout, re.MULTILINE))


def unknown_words(text: str) -> list[str]:
    """Return each `$ make TARGET` and `$ gtm COMMAND` of a page that does not exist."""
    found: list[str] = []
    for block in blocks(text):
        for command, _ in commands(block) if block.language == "console" else []:
            words = [word for word in shlex.split(command, comments=True) if "=" not in word]
            known = {"make": make_targets, "gtm": gtm_commands}.get(words[0])
            word = next((word for word in words[1:] if not word.startswith("-")), None)
            if known is not None and word is not None and word not in known():
                found.append(f"$ {command}: there is no {words[0]} {word}")
    return found


def anchors(text: str) -> set[str]:
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    """Return each relative link of a page whose file or heading does not exist."""
    found: list[str] = []
    text = page.read_text(encoding="utf-8")
    for link in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        text_there = target.read_text(encoding="utf-8") if target.suffix == ".md" and target.exists() else ""
        if not target.exists() or (anchor and anchor not in anchors(text_there)):
            found.append(link)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_example_of_a_page_does_what_the_page_says(page: Path, folder: Path) -> None:
    assert run_page(page.read_text(encoding="utf-8"), folder, str(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    assert unknown_words(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_wrong_session_is_found(folder: Path) -> None:
    page = "```python\nx = 2\n```\n\n```pycon\n>>> x + 1\n3\n>>> x\n5\n```\n"
    [failure] = run_page(page, folder, "page.md")
    assert "Expected:\n    5\nGot:\n    2\n" in failure


def test_a_failing_example_is_found_with_its_line(folder: Path) -> None:
    page = "# A\n\n```python\nx = 1\nraise KeyError\n```\n"
    with pytest.raises(KeyError) as caught:
        run_page(page, folder, "page.md")
    assert caught.traceback[-1].lineno == 4


def test_a_block_under_run_is_executed_and_compared(folder: Path) -> None:
    page = "<!-- run -->\n```console\n$ gtm --version\nno such ...\n$ gtm --version\n[exit 5]\n$ rm x\n```\n"
    failures = run_page(page, folder, "page.md")
    assert [failure.split("\n")[0] for failure in failures] == [
        "$ gtm --version: printed",
        "$ gtm --version: exit 0, not 5",
        "$ rm x: only gtm commands are run; mark other blocks without <!-- run -->",
    ]


def test_a_command_that_does_not_exist_is_found() -> None:
    page = "```console\n$ make demo PEOPLE=3\n$ make coffee\n$ gtm --json no-such --x\n```\n"
    assert unknown_words(page) == [
        "$ make coffee: there is no make coffee",
        "$ gtm --json no-such --x: there is no gtm no-such",
    ]


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# The words\n[a](#the-words) [b](#none) [c](page.md) [d](none.md) [e](https://x.example)\n"
    )
    assert dead_links(page) == ["#none", "none.md"]
