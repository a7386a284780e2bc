"""The sample workspace, through the real inventory and the handler of the task."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from gtm_orchestra.agents.personalization_architect import profile_definition
from gtm_orchestra.agents.registry import TaskContext, registered_handlers
from gtm_orchestra.audience.contracts import ConsentReport, Inventory, Objectives, Profiles
from gtm_orchestra.audience.inventory import take_inventory
from gtm_orchestra.config import load_config
from gtm_orchestra.sample.generate import SAMPLE_AS_OF, write_sample
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.people import people_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gtm_orchestra.config import Config


Found: TypeAlias = "tuple[Profiles, Inventory, Config, list[str]]"


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Profiles, Inventory, Config, list[str]]]:
    root: Path = tmp_path_factory.mktemp("sample")
    write_sample(root, people=5_000)
    config = load_config(root / "gtm.toml")
    told: list[str] = []
    with open_warehouse(config.source, root, {}) as warehouse:
        inventory = take_inventory(
            warehouse, config, SAMPLE_AS_OF, people_frame(warehouse, config, SAMPLE_AS_OF)
        )
        context = TaskContext(
            task_id="2.1",
            agent="personalization-architect",
            initiative="PLG Onboarding",
            inputs={},
            config=config,
            root=root,
            as_of=SAMPLE_AS_OF,
            open_warehouse=lambda: warehouse,
            put_file=lambda _name, _type, _bytes: "",
            progress=told.append,
        )
        objectives = Objectives(
            initiative="PLG Onboarding",
            goals=(),
            personas=(),
            lifecycle_stages=(),
            channels=("web", "in-app", "email", "ads", "sales"),
            metrics=(),
            constraints=(),
            timeline=None,
        )
        consent = ConsentReport(purposes=(), channels=(), suppressed={}, findings=())
        profiles = profile_definition(context, objectives=objectives, inventory=inventory, consent=consent)
        yield profiles, inventory, config, told


def test_the_sample_gives_profiles_of_plg_onboarding(
    found: Found,
) -> None:
    names = {profile.name for profile in found[0].profiles}
    assert {
        "Trials weighing a purchase",
        "Trials ready to buy",
        "Stalled trials",
        "Ready to invite a teammate",
    } <= names
    assert 4 <= len(names) <= 8


def test_nothing_that_the_inventory_refuses_stands_in_a_profile_of_the_sample(
    found: Found,
) -> None:
    profiles, inventory, _, _ = found
    refused = {fact.name for fact in inventory.attributes if not fact.usable}
    refused |= {finding.subject for finding in inventory.findings if finding.kind == "proxy"}
    assert {"health_accommodation", "onboarding_goal", "email"} <= profiles.excluded.keys()
    assert refused <= profiles.excluded.keys()
    used = {name for profile in profiles.profiles for name in profile.attributes}
    assert not used & profiles.excluded.keys()


def test_only_accepted_attributes_make_a_profile_deployable(
    found: Found,
) -> None:
    profiles, _, config, _ = found
    for profile in profiles.profiles:
        reviewed = all(config.attributes[name].review == "accepted" for name in profile.attributes)
        assert profile.deployable == (reviewed and any(profile.volume.values()))


def test_the_handler_says_what_it_does_and_is_registered(
    found: Found,
) -> None:
    profiles, _, _, told = found
    assert told[0].startswith("looking for profiles among 4,")
    assert told[1] == f"{len(profiles.profiles)} profiles"
    registered = registered_handlers()["profile-definition"]
    assert registered.agent == "personalization-architect"
    assert list(registered.needs) == ["objectives", "inventory", "consent"]
