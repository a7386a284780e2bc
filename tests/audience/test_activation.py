from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.activation import attributes_of, map_activation
from gtm_orchestra.audience.contracts import (
    Activation,
    ActivationMap,
    ChannelReach,
    ConsentReport,
    ConstraintReading,
    IdentityFact,
    Inventory,
    Objectives,
    Profile,
    Profiles,
    TreeNode,
)
from gtm_orchestra.config import Config

if TYPE_CHECKING:
    from gtm_orchestra.config import Channel

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
CHANNELS: dict[str, dict[str, Any]] = {
    "web": {"purpose": "personalization", "system": "Site", "destination": "sdk", "places": ["browser"]},
    "in-app": {
        "purpose": "personalization",
        "system": "App",
        "destination": "sdk",
        "places": ["browser", "server"],
    },
    "email": {"purpose": "newsletter", "system": "HubSpot", "destination": "audience", "identifier": "email"},
    "ads": {"purpose": "advertising", "places": ["browser"]},
    "sales": {"purpose": "sales", "system": "CRM", "destination": "webhook"},
}


def config(**more: object) -> Config:
    def one(*places: str, sensitivity: str = "none") -> dict[str, object]:
        return {
            "table": "people",
            "column": "x",
            "type": "string",
            "available_at": places,
            "sensitivity": sensitivity,
            "review": "accepted",
        }

    return Config.model_validate(
        {
            "workspace": {"name": "Acme"},
            "source": {"url": "data"},
            "tables": {"people": {"table": "people", "columns": {"key": "id"}}},
            "channels": CHANNELS,
            "attributes": {
                "country": one("browser", "server", "batch"),
                "plan": one("server", "batch"),
                "referrer": one("browser"),
                "domain": one("browser", "server", "batch", sensitivity="personal"),
            },
            **more,
        }
    )


def profile(eligibility: dict[str, Any], **more: Any) -> Profile:  # noqa: ANN401 fields of a profile
    fields = {
        "profile_id": "stalled-trials",
        "name": "Stalled trials",
        "description": "",
        "lifecycle_stage": "trial",
        "eligibility": eligibility,
        "suppression": None,
        "thresholds": (),
        "score": (),
        "half_life": "14d",
        "decay_window": "30d",
        "attributes": attributes_of(eligibility),
        "size": 5_000,
        "share": 0.1,
        "volume": dict.fromkeys(CHANNELS, 1_000),
        "fallback": "the default page",
        "evidence": (),
        "added_over": "",
        "deployable": True,
    }
    return Profile.model_validate(fields | more)


def reach(channel: Channel, **more: Any) -> ChannelReach:  # noqa: ANN401 fields of a reach
    fields = {
        "channel": channel,
        "purpose": CHANNELS[channel]["purpose"],
        "system": "",
        "go": True,
        "why": "fine",
        "reachable": 1_000,
        "integrity": 1.0,
        "integrity_floor": 0.95,
    }
    return ChannelReach.model_validate(fields | more)


def mapped(
    one: Profile,
    *channels: Channel,
    settings: Config | None = None,
    constraints: tuple[ConstraintReading, ...] = (),
    reaches: tuple[ChannelReach, ...] = (),
) -> ActivationMap:
    identity = IdentityFact(records=1, valid_people=1)
    known = {one.channel for one in reaches}
    return map_activation(
        settings or config(),
        objectives=Objectives(
            initiative="PLG",
            goals=(),
            personas=(),
            lifecycle_stages=(),
            channels=channels,
            metrics=(),
            constraints=constraints,
            timeline=None,
        ),
        inventory=Inventory(
            as_of=AS_OF, engine="duckdb", tables=(), attributes=(), identity=identity, columns=(), findings=()
        ),
        consent=ConsentReport(
            purposes=(),
            channels=(*reaches, *(reach(channel) for channel in channels if channel not in known)),
            suppressed={},
            findings=(),
        ),
        profiles=Profiles(
            profiles=(one,), overlaps=(), tree=TreeNode(leaf="x"), unassigned=0, excluded={}, findings=()
        ),
    )


def first(found: ActivationMap) -> Activation:
    return found.activations[0]


def test_what_a_browser_knows_is_passed_as_sdk_attributes() -> None:
    found = first(mapped(profile({"country": "DE"}), "web"))
    assert (found.go, found.decided_at, found.missing_at, found.blockers) == (True, "browser", (), ())
    assert found.payload == ("user_id", "country", "consent.personalization")
    assert found.need == "SDK attributes passed in the browser to Site: country and consent.personalization."


def test_a_browser_has_no_warehouse_columns_so_the_membership_travels() -> None:
    result = mapped(profile({"country": "DE", "plan": "free"}), "web")
    found = first(result)
    assert (found.go, found.missing_at) == (True, ("plan",))
    assert found.payload == ("user_id", "gtm_profile", "consent.personalization")
    assert found.need == (
        "SDK attribute gtm_profile: a batch job writes it to the user record of Site, and the site passes it "
        "in the "
        "browser, because plan is not available there; visitors who are not recognised see the fallback."
    )
    assert [(one.finding_id, one.message) for one in result.findings] == [
        (
            "unavailable:web",
            "web decides in the browser, where plan is not available; 1 of 1 profiles needs it.",
        )
    ]


def test_personal_data_never_travels_in_a_payload_that_a_browser_can_read() -> None:
    found = first(mapped(profile({"domain": "acme.example"}), "web"))
    assert found.missing_at == ("domain",)
    assert found.payload == ("user_id", "gtm_profile", "consent.personalization")


def test_the_place_is_where_fewest_attributes_are_missing() -> None:
    assert first(mapped(profile({"plan": "free"}), "in-app")).decided_at == "server"
    assert first(mapped(profile({"country": "DE"}), "in-app")).decided_at == "browser"


def test_the_suppressions_of_gtm_toml_are_part_of_the_decision() -> None:
    settings = config(suppressions={"staff": {"condition": {"plan": "internal"}, "reason": "our own"}})
    assert first(mapped(profile({"country": "DE"}), "web", settings=settings)).missing_at == ("plan",)


def test_an_export_is_a_file_matched_by_the_channels_identifier_with_removals() -> None:
    found = first(mapped(profile({"plan": "free"}), "email"))
    assert found.payload == ("email", "gtm_profile", "change", "valid_until")
    assert found.need == (
        "File: audience export for import into HubSpot, matched by email; people who leave the profile or "
        "withdraw "
        "consent are sent as removals."
    )
    assert first(mapped(profile({"plan": "free"}), "sales")).need.startswith(
        "Webhook of CRM: one message per change"
    )


def test_an_attribute_that_exists_nowhere_the_channel_can_reach_blocks() -> None:
    found = first(mapped(profile({"referrer": "ad"}), "email"))
    assert not found.go
    assert found.blockers == ("not available in batch: referrer",)


def test_every_blocker_is_named() -> None:
    gap = reach("ads", go=False, why="Consent is sound for 80 % of people.", reachable=0, not_addressable=500)
    one = profile({"country": "DE"}, volume={"ads": 40}, deployable=False, why_not="plan is not reviewed")
    result = mapped(one, "ads", reaches=(gap,))
    found = first(result)
    assert (found.go, found.people, found.system) == (False, 0, "")
    assert found.blockers == (
        "consent: Consent is sound for 80 % of people.",
        "no delivering system is named in [channels.ads]",
        (
            "fewer than 100 people of the profile can be reached on ads after consent and suppression: "
            "nobody with consent has the identifier that ads needs"
        ),
        "the profile is not deployable: plan is not reviewed",
    )
    assert [one.finding_id for one in result.findings] == ["missing_system:ads"]


def test_a_channel_that_a_constraint_takes_out_says_which_one() -> None:
    constraint = ConstraintReading(text="no ads", understood=True, effect="", excluded_channels=("ads",))
    found = first(mapped(profile({"country": "DE"}, volume={}), "ads", constraints=(constraint,)))
    assert found.blockers == (
        "excluded by the constraint 'no ads'",
        "no delivering system is named in [channels.ads]",
    )


def test_a_barred_place_moves_the_decision_or_blocks_it() -> None:
    barred = ConstraintReading(
        text="no pixel",
        understood=True,
        effect="",
        excluded_places={"in-app": ("browser",), "web": ("browser",)},
    )
    assert first(mapped(profile({"country": "DE"}), "in-app", constraints=(barred,))).decided_at == "server"
    assert first(mapped(profile({"country": "DE"}), "web", constraints=(barred,))).blockers == (
        "no place is left where web may decide",
    )


def test_a_channel_that_gtm_toml_does_not_know_blocks() -> None:
    settings = config(channels={})
    assert first(mapped(profile({"country": "DE"}), "web", settings=settings)).blockers[0] == (
        "[channels.web] is missing in gtm.toml"
    )


def test_small_numbers_are_never_shown() -> None:
    found = mapped(profile({"country": "DE"}, volume={"web": 99}), "web")
    assert first(found).people == 0
    assert "99" not in found.model_dump_json()
    assert [one.kind for one in found.findings] == ["small_group"]
