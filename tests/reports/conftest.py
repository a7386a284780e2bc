from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.audience.contracts import (
    ActivationMap,
    ConsentReport,
    GovernancePlan,
    Inventory,
    Measurability,
    Objectives,
    Profiles,
)
from gtm_orchestra.config import Config
from gtm_orchestra.reports.material import Material

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

# The results of one run as tasks hand them on: three channels go, e-mail lacks provable consent, ads were
# asked to be left out; one source is stale, one attribute is a special category, one gives it away, one
# group is small.
RESULTS = Path(__file__).parent / "plg_onboarding.json"


@pytest.fixture(scope="session")
def material() -> Material:
    given = json.loads(RESULTS.read_text(encoding="utf-8"))
    return Material(
        initiative=given["inputs"]["initiative"],
        inputs=given["inputs"],
        config=Config.model_validate(given["config"]),
        as_of=datetime.fromisoformat(given["as_of"]),
        objectives=Objectives.model_validate(given["objectives"]),
        inventory=Inventory.model_validate(given["inventory"]),
        consent=ConsentReport.model_validate(given["consent"]),
        profiles=Profiles.model_validate(given["profiles"]),
        activation=ActivationMap.model_validate(given["activation"]),
        measurability=Measurability.model_validate(given["measurability"]),
        governance=GovernancePlan.model_validate(given["governance"]),
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium; absent, CI fails and a laptop skips with the line that installs it.

    For one module only: as long as it lives, its event loop runs, and nothing that blocks may be called.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the extra may not be installed

    names = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
    found = next((name for name in names if Path(name).exists()), None)
    if found is None:
        message = "Chromium is not installed; run: sudo apt-get install -y chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()
