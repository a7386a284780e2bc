"""The architect's last task: write what was found as files a person can read, check and sign."""

from __future__ import annotations

from gtm_orchestra.agents.registry import TaskContext, handler
from gtm_orchestra.audience.contracts import (
    ActivationMap,
    ConsentReport,
    GovernancePlan,
    Inventory,
    Measurability,
    Objectives,
    OutputFile,
    Outputs,
    Profiles,
)
from gtm_orchestra.plans.effects import EffectRequest
from gtm_orchestra.reports.answer import headline
from gtm_orchestra.reports.material import Material
from gtm_orchestra.reports.outputs import build_documents

__all__ = ["write_outputs"]


@handler("write-outputs", agent="personalization-architect")
def write_outputs(
    ctx: TaskContext,
    *,
    objectives: Objectives,
    inventory: Inventory,
    consent: ConsentReport,
    profiles: Profiles,
    activation: ActivationMap,
    measurability: Measurability,
    governance: GovernancePlan,
) -> Outputs:
    """Keep every output as an artifact of the run and return their digests, which the sign-off binds."""
    material = Material(
        initiative=ctx.initiative,
        inputs=ctx.inputs,
        config=ctx.config,
        as_of=ctx.as_of,
        objectives=objectives,
        inventory=inventory,
        consent=consent,
        profiles=profiles,
        activation=activation,
        measurability=measurability,
        governance=governance,
    )
    ctx.progress("drawing charts and writing the report")
    files = tuple(
        OutputFile(
            name=document.name,
            media_type=document.media_type,
            sha256=ctx.put_file(document.name, document.media_type, document.data),
            size=len(document.data),
        )
        for document in build_documents(material)
    )
    folder = str(ctx.inputs["_output_folder"])
    publish = EffectRequest(
        action="publish-drafts",
        target="outputs folder of this plan",
        content={"folder": folder, "files": {file.name: file.sha256 for file in files}},
        artifacts=tuple(sorted({file.sha256 for file in files})),
    )
    return Outputs(folder=folder, files=files, headline=headline(material), effects=(publish,))
