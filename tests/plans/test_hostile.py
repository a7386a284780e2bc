"""Plans and blueprints that somebody wrote to do harm are refused in words, in bounded time and memory.

The files are those of benchmarks/plans.py, which reports seconds and megabytes; here the bounds are generous,
because the machine may be busy. They are read in a process of their own, whose memory is limited.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "plans.py"
_MOST_MB = 200
_MOST_S = 20.0
_TOO_LARGE = "the plan would have more than 500 tasks"
_REFUSED = {
    "plan: a circle of 500 tasks": "stages: dependencies run in a circle: t0 → t1 → t2 → t3 → t4 → t5 → t6",
    "plan: a circle of two": "stages: dependencies run in a circle: a → b; remove one of them",
    "plan: 100,000 tasks": "p.json has 11,978,774 bytes; 1,000,000 are allowed",
    "plan: as many tasks as a file can hold": "p.json has 8,000 tasks; 500 are allowed; make two plans of it",
    "plan: nested 100,000 deep": "p.json is nested deeper than 60; flatten it",
    "plan: nested 500,000 deep in lists": "p.json is nested deeper than 60; flatten it",
    "plan: an id twice": "stages: the id 'a' stands twice; give each task and gate an id of its own",
    "plan: a key twice": "p.json has the key 'initiative' twice in one object; keep one of them",
    "plan: 100,000 keys": "p.json is not a plan: plan_id: Field required; command: Field required",
    "plan: NaN": "p.json contains NaN, which is not JSON; write a number or null",
    "plan: infinity": "p.json contains inf, which is no number; write a number",
    "plan: half of a surrogate pair": "p.json contains half of a surrogate pair; write the character itself",
    "plan: wrong types": "p.json is not a plan: initiative: Input should be a valid string; inputs: Input",
    "plan: 500 tasks without a field": "p.json is not a plan: stages.0.tasks.0.task_id: Field required",
    "plan: an integer beyond 2^53": "p.json contains an integer beyond 2^53; write it as a string",
    "plan: an integer of 900,000 digits": "p.json contains an integer beyond 2^53; write it as a string",
    "plan: 2 MB": "p.json has 2,000,009 bytes; 1,000,000 are allowed; a plan holds no data, only references",
    "plan: no object": "p.json holds no JSON object; restore it with --restore",
    "plan: not UTF-8": "p.json is not UTF-8 at byte 7; save it as UTF-8",
    "plan: cut off": "p.json is not JSON at line 1, column",
    "blueprint: a bomb of aliases": "b.yaml uses the alias 'a0' at line 2; write the value out",
    "blueprint: an alias of itself": "b.yaml uses the alias 'a' at line 1; write the value out",
    "blueprint: lists nested 90,000 deep": "b.yaml is nested deeper than 30; flatten it",
    "blueprint: maps nested 60,000 deep": "b.yaml is nested deeper than 30; flatten it",
    "blueprint: blocks nested 90,000 deep": "b.yaml is nested deeper than 30; flatten it",
    "blueprint: 100,000 tasks": "b.yaml has more than 200,000 bytes; make several blueprints of it",
    "blueprint: 2,000 tasks": _TOO_LARGE,
    "blueprint: 500 tasks times 500 channels": _TOO_LARGE,
    "blueprint: a key twice": "b.yaml is not valid YAML at line 11: key 'version' stands twice",
    "blueprint: 40,000 keys": "b.yaml is not a blueprint: blueprint: Field required; version: Field required",
    "blueprint: keys that are lists": "b.yaml is not valid YAML at line 1: key '[]' is no text",
    "blueprint: NaN": "b.yaml contains nan, which is no number; write a number",
    "blueprint: half of a surrogate pair": "b.yaml is not valid YAML at line 11: found invalid Unicode",
    "blueprint: an integer of 100,000 digits": "b.yaml holds a date or number that is none",
    "blueprint: a date that is none": "b.yaml holds a date or number that is none",
    "blueprint: a tag that makes an object": "b.yaml is not valid YAML at line 11: could not determine",
    "blueprint: wrong types": "b.yaml is not a blueprint: blueprint: Input should be a valid string",
    "blueprint: a circle": "the dependencies of any run in a circle: t; remove one of them",
    "blueprint: 2 MB": "b.yaml has more than 200,000 bytes; make several blueprints of it",
    "blueprint: a control character": "b.yaml is not valid YAML: unacceptable character",
    "blueprint: nothing": "b.yaml is not a blueprint: all of it: Input should be a valid dictionary",
}


@pytest.fixture(scope="module")
def read() -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, _SCRIPT, "--hostile"], check=True, capture_output=True, text=True, timeout=120
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {f"{line['kind']}: {line['name']}": line for line in lines}


def test_every_hostile_file_has_its_answer_here(read: dict[str, dict[str, Any]]) -> None:
    assert list(read) == list(_REFUSED)


@pytest.mark.parametrize("name", list(_REFUSED))
def test_a_hostile_file_is_refused_in_words(read: dict[str, dict[str, Any]], name: str) -> None:
    assert read[name]["refused"].startswith(_REFUSED[name])
    assert len(read[name]["refused"]) < 2_000


def test_hostile_files_cost_neither_minutes_nor_gigabytes(read: dict[str, dict[str, Any]]) -> None:
    assert max(line["seconds"] for line in read.values()) < _MOST_S
    assert max(line["mb"] for line in read.values()) < _MOST_MB
