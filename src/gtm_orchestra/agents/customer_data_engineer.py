"""Handlers of the customer data engineer: what data there is, and whom it may be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.audience.contracts import ConsentReport, Inventory
from gtm_orchestra.config import CHANNELS

if TYPE_CHECKING:
    from gtm_orchestra.config import Channel

__all__ = ["attribute_inventory", "consent_review"]


@handler("attribute-inventory", agent="customer-data-engineer")
def attribute_inventory(ctx: TaskContext) -> Inventory:
    """Take the inventory, and say what changed in the sources since the last one of this initiative."""
    # The engine is loaded with the first task that needs it, not with the command line.
    from gtm_orchestra.audience.inventory import take_inventory  # noqa: PLC0415
    from gtm_orchestra.audience.inventory_findings import schema_changes  # noqa: PLC0415
    from gtm_orchestra.warehouse.people import people_frame  # noqa: PLC0415

    warehouse = ctx.open_warehouse()
    ctx.progress(f"reading {len(ctx.config.tables)} tables")
    frame = people_frame(warehouse, ctx.config, ctx.as_of)
    ctx.progress(f"counting {len(ctx.config.attributes)} attributes of {frame.people:,} people")
    inventory = take_inventory(warehouse, ctx.config, ctx.as_of, frame)
    before = ctx.previous("inventory")
    if before is None:
        return inventory
    changes = schema_changes(Inventory.model_validate(before), inventory)
    findings = sorted((*inventory.findings, *changes), key=lambda finding: finding.finding_id)
    return inventory.model_copy(update={"findings": tuple(findings)})


@handler("consent-review", agent="customer-data-engineer")
def consent_review(ctx: TaskContext) -> ConsentReport:
    """Review consent for the channels asked for; exercise the consent page if gtm.toml names one."""
    from gtm_orchestra.audience.consent import review_consent  # noqa: PLC0415
    from gtm_orchestra.warehouse.people import people_frame  # noqa: PLC0415

    warehouse = ctx.open_warehouse()
    frame = people_frame(warehouse, ctx.config, ctx.as_of)
    asked = cast("list[Channel]", [name for name in ctx.inputs.get("channels", CHANNELS) if name in CHANNELS])
    ctx.progress(f"reviewing consent of {frame.people:,} people for {', '.join(asked)}")
    report = review_consent(warehouse, ctx.config, ctx.as_of, frame, asked)
    if ctx.config.consent.page is None:
        return report
    from gtm_orchestra.audience.consent_page import exercise_consent_page  # noqa: PLC0415

    ctx.progress("opting in and out on the consent page")
    tried = exercise_consent_page(ctx.config.consent.page, ctx.put_file)
    findings = sorted((*report.findings, *tried), key=lambda finding: finding.finding_id)
    return report.model_copy(update={"findings": tuple(findings)})
