"""Plans to test with, filled from the blueprint that ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.content import find_content
from gtm_orchestra.plans.blueprint import Blueprint, Filling, fill, parse_blueprint

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition

FILLING = Filling(
    plan_id="plan-20261101T090000Z",
    initiative="PLG Onboarding",
    inputs={"initiative": "PLG Onboarding", "channels": ["web", "email"]},
    channels=("web", "email"),
)


@pytest.fixture(scope="session")
def blueprint() -> Blueprint:
    content = find_content("plans", "define-profiles", None)
    return parse_blueprint(content.text, what=content.path.name)


@pytest.fixture
def diamond(blueprint: Blueprint) -> PlanDefinition:
    return fill(blueprint, FILLING)


@pytest.fixture
def pipeline(blueprint: Blueprint) -> PlanDefinition:
    return fill(blueprint, FILLING.model_copy(update={"pattern": "pipeline"}))
