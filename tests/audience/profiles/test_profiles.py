from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import ibis
import pytest

from gtm_orchestra.audience.contracts import ConstraintReading, Finding, Profile, Profiles
from gtm_orchestra.audience.profiles.tree import FALLBACK, compile_leaves
from gtm_orchestra.conditions import evaluate, parse
from gtm_orchestra.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.audience.profiles.conftest import Company


@pytest.fixture(params=["shop", "contacts", "saas"])
def company(request: pytest.FixtureRequest) -> Company:
    found: Company = request.getfixturevalue(request.param)
    return found


def attributes(company: Company) -> list[dict[str, Any]]:
    """Pull the attribute rows as rules see them: absent when missing, times as text of fixed width."""
    found = []
    for row in company.rows(*company.frame.schema):
        known = {name: value for name, value in row.items() if value is not None}
        found.append({name: _plain(value) for name, value in known.items()})
    return found


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def sizes(profiles: Profiles) -> dict[str, int]:
    return {profile.profile_id: profile.size for profile in profiles.profiles}


def definitions(profiles: Profiles) -> list[dict[str, Any]]:
    """Return what defines each profile and how many it means, without the comparison with other columns."""
    return [profile.model_dump(exclude={"added_over"}) for profile in profiles.profiles]


def changed(company: Company, **parts: object) -> Company:
    raw = company.config.model_dump(by_alias=True)
    return dataclasses.replace(company, config=Config.model_validate(raw | parts), known=[])


def with_column(company: Company, name: str, expression: Callable[[ibis.Table], ibis.Value]) -> Company:
    table = company.frame.table.mutate(**{name: expression(company.frame.table)})
    return dataclasses.replace(company, frame=dataclasses.replace(company.frame, table=table), known=[])


def test_every_shape_of_company_gives_four_to_eight_profiles(company: Company) -> None:
    assert 4 <= len(company.define().profiles) <= 8


def test_a_shop_gets_profiles_about_orders(shop: Company) -> None:
    assert [profile.name for profile in shop.define().profiles] == [
        "New shoppers yet to order",
        "Repeat buyers due for an order",
        "Best customers by lifetime revenue",
        "Regular buyers",
        "One order in the last 365 days",
        "Signed up, never ordered",
    ]


def test_contacts_alone_give_profiles_by_lifecycle_and_activity(contacts: Company) -> None:
    assert [
        profile.name for profile in contacts.define(objectives=contacts.objectives("Lead nurture")).profiles
    ] == [
        "Leads ready for sales",
        "New leads",
        "Warm leads",
        "Active subscribers to win as leads",
        "Leads going quiet",
        "Leads gone cold",
        "On file, never active",
        "Most engaged customers",
    ]


def test_a_product_with_accounts_gets_profiles_about_trials_and_next_steps(saas: Company) -> None:
    names = [profile.name for profile in saas.define(objectives=saas.objectives("PLG Onboarding")).profiles]
    assert names == [
        "Trials ready to buy",
        "Free users ready to upgrade",
        "Stalled trials",
        "Ready to invite a member",
        "Signed up, never active",
        "Trials under way",
        "Users yet to create a project",
    ]


def test_an_onboarding_initiative_starts_with_activation_and_a_retention_one_with_returning(
    shop: Company,
) -> None:
    onboarding = shop.define(objectives=shop.objectives("Welcome new shoppers"))
    retention = shop.define(objectives=shop.objectives("Retention"))
    assert onboarding.profiles[0].name == "New shoppers yet to order"
    assert {profile.lifecycle_stage for profile in retention.profiles[:2]} == {"retention"}


def test_sizes_are_those_counted_again_without_the_engine(company: Company) -> None:
    profiles, people = company.define(), attributes(company)
    schema = company.frame.schema
    again = {
        profile.profile_id: sum(evaluate(parse(profile.eligibility, schema), person) for person in people)
        for profile in profiles.profiles
    }
    assert again == sizes(profiles)


def test_overlaps_are_those_counted_again_without_the_engine(company: Company) -> None:
    profiles, people = company.define(), attributes(company)
    means = {
        profile.profile_id: parse(profile.eligibility, company.frame.schema) for profile in profiles.profiles
    }
    for overlap in profiles.overlaps:
        left, right = means[overlap.left], means[overlap.right]
        assert overlap.people == sum(evaluate(left, one) and evaluate(right, one) for one in people)


def test_everybody_ends_in_exactly_one_leaf_of_the_tree(company: Company) -> None:
    profiles, people = company.define(), attributes(company)
    leaves = [(leaf, parse(raw, company.frame.schema)) for leaf, raw in compile_leaves(profiles.tree)]
    reached = [[leaf for leaf, condition in leaves if evaluate(condition, person)] for person in people]
    assert {len(leaf) for leaf in reached} == {1}
    in_none = sum(leaf == [FALLBACK] for leaf in reached)
    assert profiles.unassigned == (in_none if in_none >= 100 else 0)
    assert {leaf for leaf, _ in leaves} == {FALLBACK, *sizes(profiles)}


def test_the_tree_asks_for_the_first_profile_that_fits(company: Company) -> None:
    profiles, people = company.define(), attributes(company)
    kept_out = (
        parse(profiles.profiles[0].suppression, company.frame.schema)
        if profiles.profiles[0].suppression
        else None
    )
    means = [(p.profile_id, parse(p.eligibility, company.frame.schema)) for p in profiles.profiles]
    leaves = [(leaf, parse(raw, company.frame.schema)) for leaf, raw in compile_leaves(profiles.tree)]
    for person in people:
        first = next((key for key, condition in means if evaluate(condition, person)), FALLBACK)
        if kept_out is not None and evaluate(kept_out, person):
            first = FALLBACK
        assert [leaf for leaf, condition in leaves if evaluate(condition, person)] == [first]


def test_no_count_of_people_is_between_one_and_the_group_minimum(company: Company) -> None:
    profiles = company.define()
    counts = [
        *sizes(profiles).values(),
        *(people for profile in profiles.profiles for people in profile.volume.values()),
        *(overlap.people for overlap in profiles.overlaps),
        profiles.unassigned,
    ]
    nodes = [profiles.tree]
    while nodes:
        node = nodes.pop()
        counts.append(node.people or 0)
        nodes += [child for child in (node.yes, node.no) if child is not None]
    assert not [people for people in counts if 0 < people < 100]


def test_a_leaf_under_the_group_minimum_shows_no_number(saas: Company) -> None:
    staff = sum(row["is_internal"] for row in saas.rows("is_internal"))
    shown = saas.define().tree.yes
    hidden = changed(saas, policies={"group_minimum": staff + 1}).define().tree.yes
    assert shown is not None
    assert hidden is not None
    assert (shown.people, hidden.people) == (staff, None)


def test_the_same_data_gives_the_same_bytes(company: Company) -> None:
    again = dataclasses.replace(company, known=[])
    assert company.define().model_dump_json() == again.define().model_dump_json()


def test_the_order_of_attributes_changes_nothing(company: Company) -> None:
    inventory = company.inventory()
    turned = inventory.model_copy(update={"attributes": inventory.attributes[::-1]})
    names = list(company.config.attributes)[::-1]
    catalog = {name: company.config.attributes[name].model_dump() for name in names}
    other = changed(company, attributes=catalog)
    assert company.define(inventory=inventory) == other.define(inventory=turned)


def test_an_attribute_that_says_nothing_changes_no_profile(shop: Company) -> None:
    without = changed(
        shop,
        attributes={n: a.model_dump() for n, a in shop.config.attributes.items() if n != "favourite_colour"},
    )
    assert "favourite_colour" in shop.config.attributes
    assert definitions(shop.define()) == definitions(without.define(inventory=without.inventory()))


def test_withdrawn_consent_never_lets_a_volume_grow(saas: Company) -> None:
    def fewer(table: ibis.Table) -> ibis.Value:
        return ibis.ifelse(
            table.person_id.right(1).isin(["3", "7"]), "denied", table.consent__personalization
        )

    before = saas.define()
    after = with_column(saas, "consent__personalization", fewer).define()
    assert sizes(before) == sizes(after)
    for left, right in zip(before.profiles, after.profiles, strict=True):
        assert left.volume["web"] > right.volume["web"] or left.volume["web"] == 0
        assert left.volume["email"] == right.volume["email"]
    assert any(profile.volume["web"] for profile in after.profiles)


@pytest.mark.parametrize("status", ["unknown", None])
def test_unknown_consent_counts_as_no(saas: Company, status: str | None) -> None:
    unknown = with_column(saas, "consent__personalization", lambda _: ibis.literal(status, "string"))
    assert {profile.volume["web"] for profile in unknown.define().profiles} == {0}


def test_a_volume_needs_consent_address_and_no_suppression(saas: Company) -> None:
    profiles = saas.define()
    rows = saas.rows(
        *saas.frame.schema, "consent__email_marketing", "addressable__email", "suppressed__staff"
    )
    for profile in profiles.profiles:
        condition = parse(profile.eligibility, saas.frame.schema)
        reached = 0
        for row in rows:
            known = {name: _plain(row[name]) for name in saas.frame.schema if row[name] is not None}
            may = row["consent__email_marketing"] == "granted" and not row["suppressed__staff"]
            reached += evaluate(condition, known) and may and row["addressable__email"]
        assert profile.volume["email"] == (reached if reached >= 100 else 0)


def test_an_attribute_used_under_a_purpose_needs_that_consent_on_every_channel(saas: Company) -> None:
    facts = saas.inventory(days_since_active={"consent": "personalization"})
    before, after = saas.define(), saas.define(inventory=facts)
    assert sizes(before) == sizes(after)
    for left, right in zip(before.profiles, after.profiles, strict=True):
        used = "days_since_active" in right.attributes
        assert (right.volume["email"] < left.volume["email"]) == (used and left.volume["email"] > 0)
        assert right.volume["web"] == left.volume["web"]


def test_an_attribute_whose_consent_nobody_records_is_left_out(saas: Company) -> None:
    found = saas.define(inventory=saas.inventory(seats={"consent": "research"}))
    assert found.excluded["seats"] == "its use needs consent for 'research', for which no status is on record"
    assert not [profile for profile in found.profiles if "seats" in profile.attributes]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"review": "denied", "usable": False}, "denied in the catalog"),
        ({"sensitivity": "special"}, "special category of personal data, refused"),
        (
            {"sensitivity": "proxy", "sensitivity_note": "Cramér's V 0.71 with disability."},
            "stands in for a special category, left out by default: Cramér's V 0.71 with disability",
        ),
        (
            {"usable": False, "why_not": "holds personal data (phone): it selects nobody"},
            "holds personal data (phone): it selects nobody",
        ),
        (
            {"usable": False, "why_not": "its source is 60 h old, allowed are 24 h"},
            "its source is 60 h old, allowed are 24 h",
        ),
        ({"usable": False, "why_not": "coverage 12 %, needed 60 %"}, "coverage 12 %, needed 60 %"),
    ],
)
def test_what_may_not_be_used_is_left_out_with_the_reason(
    saas: Company, facts: Mapping[str, Any], reason: str
) -> None:
    found = saas.define(inventory=saas.inventory(plan=facts))
    assert found.excluded["plan"] == reason
    assert not [profile for profile in found.profiles if "plan" in profile.attributes]
    assert '"plan"' not in found.tree.model_dump_json()


def test_personal_data_that_a_person_accepted_may_stand_in_a_profile_as_the_inventory_says(
    saas: Company,
) -> None:
    accepted = {"personal_data": "postal code", "sensitivity": "personal", "review": "accepted"}
    found = saas.define(inventory=saas.inventory(plan=accepted))
    assert "plan" not in found.excluded
    assert [profile.name for profile in found.profiles if "plan" in profile.attributes]


def test_special_categories_and_proxies_never_stand_in_a_profile(saas: Company) -> None:
    found = saas.define()
    assert {"disability", "font_size"} <= found.excluded.keys()
    text = found.model_dump_json(exclude={"excluded"})
    assert "disability" not in text
    assert "font_size" not in text


def test_a_proxy_is_left_out_with_the_figures_of_the_inventory(saas: Company) -> None:
    proxy = Finding(
        finding_id="proxy:seats",
        kind="proxy",
        severity="warning",
        subject="seats",
        message="'seats' tells 'disability' with an accuracy of 0.93.",
    )
    inventory = saas.inventory().model_copy(update={"findings": (proxy,)})
    assert saas.define(inventory=inventory).excluded["seats"] == (
        "stands in for a special category, left out by default: "
        "'seats' tells 'disability' with an accuracy of 0.93"
    )


def test_an_unreviewed_attribute_makes_a_draft_that_is_not_deployable(saas: Company) -> None:
    found = saas.define(inventory=saas.inventory(seats={"review": "proposed"}))
    drafts = [profile for profile in found.profiles if "seats" in profile.attributes]
    assert {profile.deployable for profile in drafts} == {False}
    assert {profile.why_not for profile in drafts} == {
        "not reviewed yet: seats; accept them with 'gtm catalog review'"
    }
    messages = [finding.message for finding in found.findings if finding.kind == "unreviewed"]
    names = ", ".join(profile.name for profile in drafts)
    assert messages == [f"'seats' stands in 1 draft profile and nobody has accepted it yet: {names}."]


def test_reach_is_counted_within_the_constraints_where_that_tells_of_no_small_group(shop: Company) -> None:
    consented = [
        row for row in shop.rows("country", "consent__newsletter") if row["consent__newsletter"] == "granted"
    ]
    in_country = [row for row in consented if row["country"] in {"DE", "FR"}]
    only = constraint("EU only", eligibility={"country": {"$in": ["DE", "FR"]}})
    minimum = shop.config.policies.group_minimum
    assert shop.define().reachable == {}
    assert shop.define(objectives=shop.objectives(constraints=(only,))).reachable["web"] == len(in_country)
    assert 0 < len(in_country) < len(consented) - minimum

    def reached(first: int) -> int | str | None:
        """Return whom the web reaches of the first people by id, or that it is not said."""
        some = with_column(shop, "country", lambda t: (t.person_id < f"c{first:05}").ifelse("DE", "XX"))
        return some.define(objectives=some.objectives(constraints=(only,))).reachable.get("web", "not said")

    # Some fifty people with consent drop out; some fifty are left; nobody drops out.
    assert [reached(first) for first in (3_900, 100, 4_000)] == ["not said", None, len(consented)]


def constraint(text: str, **fields: object) -> ConstraintReading:
    return ConstraintReading.model_validate(
        {"text": text, "understood": True, "effect": "as it says"} | fields
    )


def test_a_constraint_on_people_holds_for_every_profile(shop: Company) -> None:
    only = constraint("EU only", eligibility={"country": {"$in": ["DE", "FR"]}})
    found = shop.define(objectives=shop.objectives(constraints=(only,)))
    assert {str(profile.eligibility["country"]) for profile in found.profiles} == {"{'$in': ['DE', 'FR']}"}
    everyone = {profile.profile_id: profile for profile in shop.define().profiles}
    assert all(
        profile.size < everyone[profile.profile_id].size
        for profile in found.profiles
        if profile.profile_id in everyone
    )
    assert all(profile.description.endswith(" Within: EU only.") for profile in found.profiles)


def test_everybody_ends_in_one_leaf_under_a_constraint_too(shop: Company) -> None:
    only = constraint("EU only", eligibility={"country": {"$in": ["DE", "FR"]}})
    found, schema = shop.define(objectives=shop.objectives(constraints=(only,))), shop.frame.schema
    leaves = [(leaf, parse(raw, schema)) for leaf, raw in compile_leaves(found.tree)]
    for person in attributes(shop):
        reached = [leaf for leaf, condition in leaves if evaluate(condition, person)]
        assert len(reached) == 1
        assert person["country"] != "US" or reached == [FALLBACK]


def test_a_constraint_takes_attributes_and_channels_out(shop: Company) -> None:
    no_spend = constraint("no spend data", excluded_attributes=("total_spent",))
    no_email = constraint("no e-mail", excluded_channels=("email",))
    found = shop.define(objectives=shop.objectives(constraints=(no_spend, no_email)))
    assert found.excluded == {"total_spent": "excluded by the constraint 'no spend data'"}
    assert {tuple(profile.volume) for profile in found.profiles} == {("web",)}
    assert not [profile for profile in found.profiles if "total_spent" in profile.attributes]


def test_a_constraint_that_cannot_be_checked_leaves_nobody(shop: Company) -> None:
    only = constraint("adults only", eligibility={"age": {"$gte": 18}})
    found = shop.define(objectives=shop.objectives(constraints=(only,)))
    assert found.profiles == ()
    assert found.unassigned == shop.frame.people
    assert [(finding.severity, finding.subject) for finding in found.findings] == [("blocker", "adults only")]
    assert found.findings[0].message.startswith(
        "The constraint 'adults only' cannot be checked on anybody, so no profile is offered: "
    )


def test_a_group_under_the_minimum_is_offered_as_its_parent(saas: Company) -> None:
    strict = changed(saas, policies={"group_minimum": 320})
    found = strict.define(objectives=strict.objectives("PLG Onboarding"))
    small = {finding.subject: finding.message for finding in found.findings if finding.kind == "small_group"}
    assert small["trials-ready-to-buy"] == (
        "'Trials ready to buy' has fewer than 320 people, so it is not offered; "
        "'Trials under way' is offered in its place."
    )
    parent = next(profile for profile in found.profiles if profile.name == "Trials under way")
    assert parent.parent == "Trials ready to buy"
    assert parent.size >= 320
    assert min(sizes(found).values()) >= 320


def test_a_profile_that_repeats_a_column_is_dropped_with_the_figure(saas: Company) -> None:
    table = saas.frame.table
    stuck = (table.plan == "trial") & (table.active_days_30d >= 8) & (table.days_since_active <= 7)
    labelled = with_column(saas, "trial_is_hot", lambda _: ibis.coalesce(stuck, ibis.literal(value=False)))
    frame = dataclasses.replace(labelled.frame, schema={**saas.frame.schema, "trial_is_hot": "boolean"})
    facts = saas.inventory()
    copy = next(fact for fact in facts.attributes if fact.name == "is_internal")
    facts = facts.model_copy(
        update={
            "attributes": (
                *facts.attributes,
                copy.model_copy(update={"name": "trial_is_hot", "usable": True}),
            )
        }
    )
    found = dataclasses.replace(labelled, frame=frame).define(inventory=facts)
    assert "trials-ready-to-buy" not in sizes(found)
    messages = {finding.finding_id: finding.message for finding in found.findings}
    assert messages["redundant:trials-ready-to-buy"] == (
        "'Trials ready to buy' tells hardly more than trial_is_hot = true (Jaccard index 1.00); "
        "it is left out."
    )


def test_what_a_profile_adds_is_said_in_figures_that_hold(saas: Company) -> None:
    found = saas.define()
    hot = next(profile for profile in found.profiles if profile.profile_id == "trials-ready-to-buy")
    rows = saas.rows("plan", "active_days_30d", "days_since_active", "is_internal")
    rows = [row for row in rows if not row["is_internal"]]
    trials = [row for row in rows if row["plan"] == "trial"]
    least = next(t.value for t in hot.thresholds if t.attribute == "active_days_30d")
    hits = [row for row in trials if row["active_days_30d"] >= least and (row["days_since_active"] or 0) <= 7]
    others = 1 - len(hits) / len(trials)
    assert hot.added_over == (
        f"Closest existing column: plan = trial. It finds 100% of these people, and {others:.0%} of those "
        f"it finds are others (Jaccard index {len(hits) / len(trials):.2f})."
    )


def test_too_little_data_gives_fewer_profiles_and_says_what_is_missing(shop: Company) -> None:
    poor = shop.inventory(
        **{
            name: {"usable": False, "why_not": "stale"}
            for name in ("orders_365d", "days_since_order", "total_spent")
        }
    )
    found = shop.define(inventory=poor)
    assert len(found.profiles) < 4
    (message,) = [finding.message for finding in found.findings if finding.kind == "unavailable"]
    assert message == (
        "The people in scope give 1 profile of at least 100 people instead of 4 or more: no usable "
        "attribute says a lifecycle stage, when people were last seen, how much they do, steps they take."
    )


def test_every_profile_is_complete_and_every_condition_is_in_the_language(company: Company) -> None:
    for profile in company.define().profiles:
        condition = parse(profile.eligibility, company.frame.schema)
        assert condition.to_json() == profile.eligibility
        assert condition.attributes == set(profile.attributes)
        assert {threshold.attribute for threshold in profile.thresholds} <= set(profile.attributes)
        assert all(threshold.evidence for threshold in profile.thresholds)
        assert profile.score
        assert round(sum(part.weight for part in profile.score), 6) == 1.0
        assert all(part.low < part.high for part in profile.score)
        assert days(profile.half_life) <= days(profile.decay_window)
        assert profile.fallback
        assert profile.added_over


def days(duration: str) -> int:
    assert duration.endswith("d")
    return int(duration[:-1])


def test_staff_and_bots_move_no_threshold(saas: Company) -> None:
    busy = with_column(
        saas,
        "active_days_30d",
        lambda table: ibis.ifelse(table.suppressed__staff, ibis.literal(30.0), table.active_days_30d),
    )
    assert [cuts(p) for p in saas.define().profiles] == [cuts(p) for p in busy.define().profiles]


def cuts(profile: Profile) -> list[tuple[str, str, float | str]]:
    return [(t.attribute, t.operator, t.value) for t in profile.thresholds]


def test_no_id_or_address_of_a_person_is_in_the_result(company: Company) -> None:
    text = company.define().model_dump_json()
    assert "@example.com" not in text
    assert not [
        row["person_id"] for row in company.rows("person_id")[:200] if f'"{row["person_id"]}"' in text
    ]


def test_figures_are_read_by_the_warehouse_alone(saas: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def barred(*_: object, **__: object) -> None:
        pytest.fail("read past the warehouse, which keeps two tasks from using one connection at a time")

    before, inventory = saas.define(), saas.inventory()
    monkeypatch.setattr(type(saas.frame.table.get_backend()), "to_pyarrow", barred)
    assert saas.define(inventory=inventory) == before


def test_counting_loads_no_pandas(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,visits\na,1\nb,2\n", encoding="utf-8")
    script = """
import sys
from pathlib import Path
from gtm_orchestra.audience.profiles.tally import tally
from gtm_orchestra.config import SourceSettings
from gtm_orchestra.warehouse.connection import open_warehouse

with open_warehouse(SourceSettings(url="."), Path(sys.argv[1]), {}) as warehouse:
    table = warehouse.table("people")
    counted = tally(table, {"often": table.visits > 1}, read=warehouse.to_arrow)
    print(counted.count(["often"]), "pandas" in sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["1", "False"]
