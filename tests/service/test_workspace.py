from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtm_orchestra.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gtm_orchestra import Workspace

    Opened = Callable[[], Workspace]

REQUEST: dict[str, Any] = {
    "initiative": "PLG Onboarding",
    "channels": ["web", "email"],
    "constraints": ["EU only"],
}


def test_what_the_source_and_the_request_become_is_one_story(opened: Opened, folder: Path) -> None:
    """A run, the same request again, a changed source, and the sign-off of what holds then."""
    space = opened()
    first = space.run(space.define_profiles(**REQUEST))
    assert first.status == "waiting"

    again = opened()
    attached = again.run(again.define_profiles(**REQUEST))
    assert (attached.run.run_id, attached.run.revision) == (first.run.run_id, 1)

    contacts = folder / "data" / "contacts.parquet"
    table = pq.read_table(contacts)
    pq.write_table(table.append_column("lead_source", pa.array(["web"] * table.num_rows)), contacts)
    settings = folder / "gtm.toml"
    settings.write_text(settings.read_text().replace('freshness = "24h"', 'freshness = "12h"', 1))

    changed = opened()
    revision = changed.define_profiles(**REQUEST)
    assert revision.number == 2
    assert revision.change.what == (
        "contacts.lead_source (string) was added; people.freshness: 24h → 12h; "
        "governance_cadence.tables.people: 24h → 12h"
    )
    second = changed.run(revision)
    assert second.run.run_id != first.run.run_id
    findings = changed.result(second.run.run_id, "inventory")["findings"]
    assert [f["subject"] for f in findings if f["kind"] == "schema_change"] == ["contacts.lead_source"]

    assert changed.journal.run(first.run.run_id).status == "superseded"
    with pytest.raises(ConflictError, match="is closed already: superseded"):
        changed.decide(first.questions[0].question_id, "approved", reason="read it", actor="priya")
    with pytest.raises(UsageError, match="was superseded by a later run"):
        changed.resume(first.run.run_id)

    signed = changed.decide(second.questions[0].question_id, "approved", reason="read it", actor="priya")
    assert signed.status == "done"
    assert changed.verify(signed.run.plan_id).ok
    assert first.folder is not None
    assert first.folder.exists()
    assert not (first.folder / "sign-off.json").exists()


def test_after_the_sign_off_no_byte_of_the_outputs_changes(opened: Opened) -> None:
    space = opened()
    segment = space.run(space.define_profiles(**REQUEST))
    assert segment.folder is not None
    before = {path.name: path.read_bytes() for path in segment.folder.iterdir()}
    space.decide(segment.questions[0].question_id, "approved", reason="read it", actor="priya")
    after = {path.name: path.read_bytes() for path in segment.folder.iterdir()}
    assert after.keys() - before.keys() == {"sign-off.json"}
    assert {name: after[name] for name in before} == before


def test_both_patterns_give_the_same_answer(opened: Opened) -> None:
    space = opened()
    diamond = space.run(space.define_profiles(**REQUEST))
    results = {
        name: space.result(diamond.run.run_id, name)
        for name in ("objectives", "inventory", "consent", "profiles", "activation", "governance")
    }
    pipeline = space.run(space.define_profiles(**REQUEST, pattern="pipeline"))
    assert pipeline.run.revision == 2
    for name, result in results.items():
        assert space.result(pipeline.run.run_id, name) == result


def test_inside_an_event_loop_the_blocking_call_says_what_to_await(opened: Opened) -> None:
    async def main() -> None:
        space = opened()
        revision = space.define_profiles(**REQUEST)
        with pytest.raises(UsageError, match="await the same call with _async"):
            space.run(revision)

    asyncio.run(main())


def test_a_preview_keeps_nothing(opened: Opened, folder: Path) -> None:
    definition, review, changes = opened().preview("define-profiles", REQUEST)
    assert (review.passed, changes) == (True, ("a new plan for 'PLG Onboarding'",))
    assert definition.channels == ("web", "email")
    assert not (folder / ".claude").exists()


def test_the_order_of_channels_makes_no_other_plan(opened: Opened) -> None:
    space = opened()
    one = space.define_profiles(initiative="A", channels="email, web")
    other = space.define_profiles(initiative="A", channels=["web", "email"])
    assert (one.digest, one.number) == (other.digest, other.number)


def test_an_undefined_metric_is_refused_when_planning(opened: Opened, folder: Path) -> None:
    with pytest.raises(UsageError, match="net promoter"):
        opened().define_profiles(**REQUEST, metrics=["net promoter score"])
    assert not (folder / ".claude").exists()


def test_a_published_file_that_was_changed_is_noticed_and_written_again(opened: Opened) -> None:
    space = opened()
    segment = space.run(space.define_profiles(**REQUEST))
    assert segment.folder is not None
    report = segment.folder / "report.html"
    good = report.read_bytes()
    report.write_bytes(b"another report")
    (segment.folder / "inventory.csv").unlink()
    checked = space.verify(segment.run.plan_id)
    assert not checked.ok
    assert (
        f"outputs of {segment.run.run_id}: inventory.csv, report.html changed or gone; "
        f"'gtm runs resume {segment.run.run_id}' writes them again as they were"
    ) in checked.lines
    space.resume(segment.run.run_id)
    assert report.read_bytes() == good
    assert space.verify(segment.run.plan_id).ok
