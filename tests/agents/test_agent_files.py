from __future__ import annotations

import re
from typing import Any

import jinja2
import jinja2.meta
import pytest
import yaml

from gtm_orchestra.agents import activation, governance, intake, testing_lead
from gtm_orchestra.agents.registry import registered_handlers
from gtm_orchestra.audience.request import model_answers
from gtm_orchestra.content import content_root, find_content

AGENTS = ("customer-data-engineer", "governance", "personalization-architect", "testing-lead")
ROOT = content_root()
BLUEPRINT = yaml.safe_load((ROOT / "plans" / "define-profiles.yaml").read_text(encoding="utf-8"))
TASKS = [task for stage in BLUEPRINT["stages"] for task in stage["tasks"]]
PROMPTS = sorted(path.stem for path in (ROOT / "prompts" / "tasks").glob("*.md"))


def front(kind: str, name: str) -> tuple[dict[str, Any], str]:
    text = find_content(kind, name, None).text  # type: ignore[arg-type]  # a folder of content
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_says_who_it_is_what_it_may_use_and_what_it_returns(name: str) -> None:
    head, body = front("agents", name)
    assert list(head) == ["name", "mandate", "may_use", "skills", "returns"]
    assert head["name"] == name
    assert len(body.split()) < 250, "a marketing team reviews this in a pull request"


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_may_use_what_the_blueprint_gives_it_and_returns_what_it_asks(name: str) -> None:
    head, _ = front("agents", name)
    mine = [task for task in TASKS if task["agent"] == name]
    assert {tool for task in mine for tool in task["tools"]} <= set(head["may_use"])
    assert {skill for task in mine for skill in task.get("skills", [])} <= set(head["skills"])
    assert {task["output"] for task in mine} == set(head["returns"])
    substitute = BLUEPRINT["roles"][name]["substitutes"][0]
    assert f"When you are away, {substitute} stands in" in front("agents", name)[1]


def test_the_handlers_are_registered_for_their_agents() -> None:
    found = registered_handlers()
    assert {
        kind: (found[kind].agent, sorted(found[kind].needs)) for kind in found if kind in _KINDS
    } == _KINDS
    assert all(module.__all__ for module in (activation, governance, intake, testing_lead))


_KINDS = {
    "objective-intake": ("personalization-architect", []),
    "activation-mapping": ("customer-data-engineer", ["consent", "inventory", "objectives", "profiles"]),
    "measurability": ("testing-lead", ["consent", "objectives", "profiles"]),
    "governance-plan": ("governance", ["consent", "inventory", "objectives", "profiles"]),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_template_uses_exactly_its_inputs_and_names_an_answer_that_exists(name: str) -> None:
    head, body = front("prompts", f"tasks/{name}")
    assert {"agent", "inputs", "output", "version", "tests"} <= set(head)
    assert head["agent"] in AGENTS
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 no HTML
    assert jinja2.meta.find_undeclared_variables(environment.parse(body)) == set(head["inputs"])
    assert head["output"] in model_answers.__all__
    assert all(set(test["inputs"]) <= set(head["inputs"]) and test["expect"] for test in head["tests"])


def test_the_governance_skill_is_an_agent_skill_with_a_checklist() -> None:
    head, body = front("prompts", "skills/governance/SKILL")
    assert head["name"] == "governance"
    assert 1 <= len(head["description"]) <= 1024
    assert len(re.findall(r"^- \[ \] .+\.$", body, re.MULTILINE)) == 10
