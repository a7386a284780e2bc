from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
DECISION = ROOT / "docs" / "decisions" / "002-dependencies-and-pins.md"
# Copyleft that reaches our users' code, and licences that are not free.
REFUSED = re.compile(
    r"GPL|General Public|Affero|SSPL|Server Side|Elastic|Business Source|BUSL|Commons Clause|Prosperity",
    re.IGNORECASE,
)
_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


@cache
def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def core() -> list[Requirement]:
    listed = project()["dependencies"]
    assert isinstance(listed, list)
    return [Requirement(text) for text in listed]


def extras() -> dict[str, list[Requirement]]:
    listed = project()["optional-dependencies"]
    assert isinstance(listed, dict)
    return {name: [Requirement(text) for text in texts] for name, texts in listed.items()}


@cache
def pins() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^ \\;]+)", text, re.MULTILINE))


def licence(name: str) -> str:
    """Return the licence of an installed distribution, as an SPDX expression where its metadata allow one."""
    fields = metadata.metadata(name).json
    expression = fields.get("license_expression")
    if expression:
        return str(expression)
    prefix = "License :: OSI Approved :: "
    given = [value.removeprefix(prefix) for value in fields.get("classifier", []) if value.startswith(prefix)]
    if given:
        return " OR ".join(_CLASSIFIERS.get(value, value) for value in given)
    return str(fields.get("license", "")).strip().split("\n")[0][:80]


def closure(roots: list[Requirement]) -> set[str]:
    """Return the names of everything that these bring with them on this platform."""
    found: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(root.name), extra) for root in roots for extra in ("", *root.extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for requirement in map(Requirement, metadata.requires(name) or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                child = canonicalize_name(requirement.name)
                waiting += [(child, inner) for inner in ("", *requirement.extras)]
    return {name for name, _ in found}


def listed() -> dict[str, str]:
    """Return name and licence of each row of the decision's tables."""
    rows = re.findall(r"^\| `([\w.-]+)` \| ([^|]+) \|", DECISION.read_text("utf-8"), re.MULTILINE)
    return {name: words.strip() for name, words in rows}


def test_the_decision_lists_every_dependency_with_its_licence() -> None:
    asked = [*core(), *(requirement for group in extras().values() for requirement in group)]
    names = {canonicalize_name(requirement.name) for requirement in asked} - {"gtm-orchestra"}
    assert listed() == {name: licence(name) for name in names}


def test_nothing_of_the_core_has_a_licence_that_binds_its_users() -> None:
    found = {name: licence(name) for name in sorted(closure(core()))}
    assert {name: words for name, words in found.items() if REFUSED.search(words) or not words} == {}


@pytest.mark.parametrize(
    "words", ["GPL-3.0-only", "LGPL-3.0-only", "AGPL-3.0", "Elastic-2.0", "BUSL-1.1", "SSPL-1.0"]
)
def test_a_licence_that_binds_users_is_recognised(words: str) -> None:
    assert REFUSED.search(words)


def test_everything_that_is_asked_for_is_pinned_within_its_range() -> None:
    asked = [*core(), *(requirement for group in extras().values() for requirement in group)]
    wrong = [
        f"{requirement}: pinned {pins().get(canonicalize_name(requirement.name))}"
        for requirement in asked
        if requirement.name != "gtm-orchestra"
        and not requirement.specifier.contains(
            pins().get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
    ]
    assert wrong == [], "run scripts/pin"


def test_the_lowest_versions_that_are_tested_are_the_floors_of_the_ranges() -> None:
    text = (ROOT / "constraints-lowest.txt").read_text("utf-8")
    tested = dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)$", text, re.MULTILINE))
    floors = {
        canonicalize_name(requirement.name): part.version
        for requirement in [*core(), *extras()["postgres"]]
        for part in requirement.specifier
        if part.operator == ">="
    }
    differing = {
        name: (tested.get(name), floor)
        for name, floor in floors.items()
        if name not in tested or Version(tested[name]) != Version(floor)
    }
    assert differing == {}, (
        "put the floors of pyproject.toml into constraints-lowest.txt, and run make lowest"
    )


def test_everything_that_is_brought_along_is_pinned() -> None:
    everything = [*core(), *(requirement for group in extras().values() for requirement in group)]
    others = [requirement for requirement in everything if requirement.name != "gtm-orchestra"]
    assert sorted(closure(others) - set(pins())) == []


def test_every_pin_has_hashes() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [
        entry.split()[0] for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)
    ] == []


def test_every_range_caps_what_may_break() -> None:
    # Typing stubs and the zone database are data: a new one breaks no call.
    open_ended = [
        requirement.name
        for requirement in [*core(), *(one for group in extras().values() for one in group)]
        if not requirement.name.startswith(("types-", "gtm-orchestra", "tzdata"))
        and not any(part.operator in {"<", "~=", "=="} for part in requirement.specifier)
    ]
    assert open_ended == []


def test_the_installed_versions_are_the_pinned_ones() -> None:
    installed = {str(canonicalize_name(one.name)): one.version for one in metadata.distributions()}
    differing = {
        name: (installed[name], version)
        for name, version in pins().items()
        if name in installed and Version(installed[name]) != Version(version)
    }
    assert differing == {}, "run make again: the environment is older than constraints.txt"
