"""A workspace's blueprint that includes another one of the workspace."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests.runs.conftest import CONFIG

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.digest import digest_of
from gtm_orchestra.service.planning import plan_from

if TYPE_CHECKING:
    from pathlib import Path

    from gtm_orchestra.plans.model import PlanDefinition

_TEXT = """
blueprint: {name}
version: 1
objective: Any.
pattern: {{default: pipeline, reasons: {{pipeline: Because.}}}}
roles: {{}}
stages:
- id: "1"
  name: One
  {stage}
"""
_TASK = (
    "tasks: [{id: '1.1', agent: testing-lead, kind: any, purpose: P, function: QA, output: a, "
    "skills: [governance]}]"
)


def _plan(root: Path) -> PlanDefinition:
    return plan_from(
        "outer",
        {"initiative": "PLG"},
        plan_id="plan-20261101T090000Z",
        config=CONFIG,
        root=root,
        sources=(),
        today=date(2026, 11, 1),
    )


def _write(root: Path, name: str, stage: str) -> str:
    (root / "plans").mkdir(exist_ok=True)
    text = _TEXT.format(name=name, stage=stage)
    (root / "plans" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_change_of_an_included_blueprint_or_of_what_it_uses_voids_an_approval(tmp_path: Path) -> None:
    _write(tmp_path, "outer", "include: inner")
    before = _write(tmp_path, "inner", _TASK)
    plan = _plan(tmp_path)
    assert [task.task_id for task in plan.tasks] == ["1.1.1"]
    assert plan.hashes["plans/inner"] == before
    assert {"agents/testing-lead", "prompts/skills/governance/SKILL"} <= plan.hashes.keys()
    after = _write(tmp_path, "inner", _TASK.replace("purpose: P", "purpose: Q"))
    changed = _plan(tmp_path)
    assert changed.hashes["plans/inner"] == after
    assert digest_of(changed) != digest_of(plan)


def test_an_included_blueprint_that_is_not_there_is_named_with_its_file(tmp_path: Path) -> None:
    _write(tmp_path, "outer", "include: inner")
    with pytest.raises(PlanFormatError) as raised:
        _plan(tmp_path)
    assert str(raised.value) == (
        "stage '1' of outer includes 'inner', which is no blueprint; add plans/inner.yaml"
    )


def test_blueprints_that_include_each_other_are_refused_and_not_read_for_ever(tmp_path: Path) -> None:
    _write(tmp_path, "outer", "include: inner")
    _write(tmp_path, "inner", "include: outer")
    with pytest.raises(PlanFormatError, match=r"^blueprints include each other in a circle: outer → inner →"):
        _plan(tmp_path)
