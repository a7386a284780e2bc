"""The plan document: the orchestrator dialect's fields under their own names, and what makes it executable.

`PlanDefinition` is what is to be done; it changes only by a logged revision. `PlanDocument` is the file that
people read: the definition and, behind it, what the runs have done so far.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gtm_orchestra.model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION: Literal["gtm.plan/1"] = "gtm.plan/1"

Pattern = Literal["pipeline", "diamond", "fan-out", "iterative", "conditional", "hierarchical"]
Function = Literal[
    "marketing-ops", "data-eng", "creative", "legal", "privacy", "QA", "governance", "experimentation"
]
ActorKind = Literal["human", "agent", "service"]
OutcomeName = Literal["ok", "degraded", "failed", "skipped", "rejected", "timed_out", "waiting"]
RunStatus = Literal[
    "running",
    "waiting",
    "done",
    "blocked",
    "escalated",
    "rejected",
    "failed",
    "superseded",
    "paused",
    "cancelled",
    "ripped",
]
EffectClass = Literal["keyed", "readable", "blind"]
UndoClass = Literal["reversible", "compensable", "irreversible"]
Silence = Literal["stop", "hold", "revert"]
Variable = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}(\.[a-z][a-z0-9_]{0,63})+$")]

QuestionStatus = Literal[
    "open", "approved", "changes-requested", "rejected", "answered", "superseded", "expired"
]

NodeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=4000)]


class Comparison(Model):
    """A comparison of one figure of a result with a constant; missing or of another type is false."""

    of: Variable = Field(description="output_var.field, further fields behind dots.")
    op: Literal["==", "!=", "<", "<=", ">", ">="]
    value: bool | float | str


class Effect(Model):
    """What a task changes outside the run's own state, and how that is taken back."""

    action: Name
    target: Name
    effect_class: EffectClass
    undo_class: UndoClass
    undo: Text = Field(description="How it is taken back; for an irreversible one: why that is acceptable.")
    environment: str = Field(default="", description="staging, production, or empty: inside the workspace.")


class Task(Model):
    """One piece of work: who does it, from which results, and what it leaves."""

    task_id: NodeId
    agent: Name
    kind: Name = Field(description="Which handler does it.")
    purpose: Text
    function: Function
    input: tuple[Name, ...] = Field(default=(), description="The output_vars of earlier tasks that it reads.")
    known_as: dict[Name, Name] = Field(
        default_factory=dict,
        description="Variable of `input` → the name by which its handler knows it, where that is another; "
        "name.item: one entry of the results that a fan-out made.",
    )
    output_var: Name
    params: dict[str, str] = Field(
        default_factory=dict,
        description="What tells this task from its likes, such as a fan-out's channel.",
    )
    when: Comparison | None = Field(
        default=None,
        description="Done only if this holds; otherwise neither it nor its arm is taken.",
    )
    dependencies: tuple[NodeId, ...] = Field(default=(), description="Tasks and gates that come before.")
    tools_required: tuple[Name, ...] = ()
    skills: tuple[Name, ...] = ()
    substitutes: tuple[Name, ...] = ()
    effects: tuple[Effect, ...] = ()
    timeout_s: int = Field(default=600, ge=1, le=86_400)
    estimated_minutes: float = Field(default=1.0, ge=0)
    estimated_tokens: int = Field(default=0, ge=0)

    def named(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Return results by output_var under the names that the handler knows."""
        named: dict[str, Any] = {}
        for variable, document in results.items():
            name, _, item = self.known_as.get(variable, variable).partition(".")
            if item:
                named.setdefault(name, {})[item] = document
            else:
                named[name] = document
        return named


class Stage(Model):
    """A step of the workflow as people speak of it."""

    stage_id: NodeId
    name: Name
    execution: Literal["sequential", "parallel"]
    included_by: str = Field(
        default="", description="The stage whose included blueprint it comes from; empty for the plan's own."
    )
    tasks: tuple[Task, ...] = Field(min_length=1)


class GatePolicy(Model):
    """How a merge gate decides over its arms. An arm that was not taken is not counted.

    `all`: every arm delivers. `any`: one does. `quorum`: `k` do. `threshold`: at least one delivers, the
    others are left out, and all `thresholds` hold over what was delivered. `veto`: at least one delivers, and
    it goes unless one of `veto_by` says no.
    `thresholds` and `veto_by` hold beside every other type too. A veto is said by an agent (an arm of it did
    not deliver, or its result says ``go: false``) or by a role or person (an approval gate among the arms
    that asks them was answered no).

    With `items`, arms may also deliver a list of things that can be left out one by one: the path
    ``output_var.field`` of a list whose entries carry a name, a go flag and a reason. Entries that are not
    go are excluded; nothing left means no-go.
    """

    type: Literal["all", "any", "quorum", "threshold", "veto"] = "all"
    k: int | None = Field(default=None, ge=1, description="For quorum.")
    thresholds: tuple[Comparison, ...] = ()
    veto_by: tuple[Name, ...] = ()
    deadline: str = Field(
        default="",
        pattern=r"^([0-9]{1,6}[mhdw])?$",
        description="After so long, an arm that still waits for a person counts as not delivered.",
    )
    items: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*\.[a-z0-9_]+)?$")
    item_name: str = "name"


class Gate(Model):
    """A place where the run decides whether to go on: a merge of arms, or a person's approval."""

    gate_id: NodeId
    after: tuple[NodeId, ...] = Field(min_length=1)
    kind: Literal["merge", "approval"]
    policy: GatePolicy = GatePolicy()
    criteria: tuple[Text, ...] = ()
    action: str = Field(default="", description="What an approval allows.")
    approvers: tuple[Name, ...] = Field(
        default=(), description="Handles or roles of [people] who may decide."
    )
    respond_within: str = "2d"
    on_silence: Text = ""
    silence: Silence = Field(
        default="stop",
        description="What everybody's silence means: stop (nothing changes), hold (what is live stays), "
        "revert (only where consent or a guardrail is at stake).",
    )
    environment: str = Field(
        default="", description="What an approval opens; its author alone cannot open production."
    )


class Block(Model):
    """A part of the graph with a shape of its own, declared so that review can compare it with the graph."""

    pattern: Pattern
    tasks: tuple[NodeId, ...]
    gate: NodeId | None = None


class Loop(Model):
    """Tasks that are repeated until a figure is good enough, unrolled to a bounded number of rounds.

    Whoever reads a variable of `variables` gets it from the last round that was taken.
    """

    loop_id: NodeId
    rounds: tuple[tuple[NodeId, ...], ...] = Field(min_length=1, description="The tasks of each round.")
    variables: dict[str, tuple[Name, ...]] = Field(description="Variable → its output_var in each round.")
    until: Comparison = Field(description="Over the variables; once it holds, no further round is taken.")
    gate: NodeId = Field(description="The merge gate behind the last round.")
    on_exhausted: Literal["no-go", "go"] = Field(
        default="no-go", description="What the gate says if the last round has not converged."
    )


class Rung(Model):
    """One step of the escalation ladder: who is asked next when the step before did not help."""

    step: int
    who: Name = Field(description="Role, such as privacy-lead.")
    deputy: str = ""
    respond_within: str = "1d"


class EscalationTrigger(Model):
    """When this holds, the ladder is climbed or the rip-cord pulled, even while retries remain."""

    when: Name
    action: Literal["escalate", "ripcord"]
    why: Text = ""


class SuccessMetric(Model):
    """A figure that says whether the plan worked: how it is computed, and when it is known."""

    name: Name
    unit: Name
    target: float | None = None
    direction: Literal["increase", "decrease"] = "increase"
    query: Text
    known_when: Text
    actual: float | None = None


class DataSource(Model):
    """One table that the plan reads, with the columns it had when the plan was made."""

    role: Name
    table: Name
    columns: dict[str, str]
    owner: str = ""
    freshness: str = ""


class Parallelization(Model):
    """What may run side by side; computed from the graph."""

    max_concurrent: int = Field(ge=1)
    parallel_groups: tuple[tuple[NodeId, ...], ...] = ()


class ErrorHandling(Model):
    """What happens when a task fails. `max_retries: 2` means three attempts."""

    retry_strategy: Literal["same", "with-modification"] = "same"
    max_retries: int = Field(default=2, ge=0, le=10)
    on_exhausted: Literal["ask", "fail"] = Field(
        default="ask", description="When owner and substitutes have failed: ask the ladder, or fail at once."
    )
    fallback_plan: Text = ""
    escalation: Text = ""


class Budgets(Model):
    """Ceilings that are asked about before they are passed."""

    wall_minutes: int = Field(default=60, ge=1)
    tokens: int = Field(default=0, ge=0)
    rows_scanned: int | None = Field(default=None, ge=0)


class PlanDefinition(Model):
    """What is to be done. A change of any field is a revision; see `digest` for what an approval binds."""

    schema_version: Literal["gtm.plan/1"] = SCHEMA_VERSION
    plan_id: Annotated[str, StringConstraints(pattern=r"^plan-[0-9]{8}T[0-9]{6}Z(-[0-9]{1,3})?$")]
    command: Name
    initiative: Name
    objective: Text
    complexity: Literal["orchestration-not-needed", "medium", "complex", "very-complex"]
    strategy: Pattern
    pattern_rationale: Text
    estimated_duration: str
    estimated_cost: str
    inputs: dict[str, Any]
    environments: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    data_sources: tuple[DataSource, ...] = ()
    governance_cadence: dict[str, str] = Field(
        default_factory=dict, description="Subject → how often it is checked."
    )
    settings: dict[str, str] = Field(
        default_factory=dict, description="What gtm.toml says that results hang on: path → value."
    )
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Catalog attribute → SHA-256 of its entry."
    )
    stages: tuple[Stage, ...] = Field(min_length=1)
    blocks: tuple[Block, ...] = ()
    loops: tuple[Loop, ...] = ()
    parallelization: Parallelization
    context_passing: Text
    error_handling: ErrorHandling
    gates: tuple[Gate, ...] = ()
    escalation_ladder: tuple[Rung, ...] = ()
    escalation_triggers: tuple[EscalationTrigger, ...] = ()
    success_metrics: tuple[SuccessMetric, ...] = ()
    success_criteria: tuple[Text, ...] = ()
    deliverables: dict[str, str] = Field(
        default_factory=dict, description="Deliverable → task that produces it."
    )
    budgets: Budgets = Budgets()
    hashes: dict[str, str] = Field(
        default_factory=dict, description="Agents, blueprint, skills, prompts → SHA-256."
    )

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task, in the order of the stages."""
        return tuple(task for stage in self.stages for task in stage.tasks)

    def task(self, task_id: str) -> Task:
        """Return a task by id; KeyError if the plan has none of this id."""
        for task in self.tasks:
            if task.task_id == task_id:
                return task
        raise KeyError(task_id)

    def gate(self, gate_id: str) -> Gate:
        """Return a gate by id; KeyError if the plan has none of this id."""
        for gate in self.gates:
            if gate.gate_id == gate_id:
                return gate
        raise KeyError(gate_id)


class Change(Model):
    """One entry of the change log."""

    at: datetime
    actor: Name
    actor_kind: ActorKind = "human"
    identity: str = Field(default="claimed", description="How the actor is known: claimed, key, token.")
    on_behalf_of: str = ""
    what: Text
    why: Text
    revision: int


class Artifact(Model):
    """A file that a run left, by content."""

    name: str
    media_type: str
    sha256: str
    path: str = ""


class TaskProgress(Model):
    """Where one task or gate stands in the latest run."""

    node: NodeId
    outcome: OutcomeName | Literal["pending", "running"]
    agent: str = ""
    attempts: int = 0
    note: str = ""


class ApprovalRecord(Model):
    """A decision on an approval gate, or the open question."""

    approval_id: str
    gate_id: NodeId
    run_id: str
    status: QuestionStatus
    approvers: tuple[str, ...]
    decided_by: str = ""
    identity: str = ""
    decided_at: datetime | None = None
    reason: str = ""
    binding: str = Field(description="SHA-256 of what the decision is about.")


class Waiver(Model):
    """A person's signed decision to pass a failing arm of a gate, with reason and expiry."""

    gate: NodeId
    node: NodeId = Field(description="The arm that is passed although it did not deliver.")
    by: Name
    identity: str = "claimed"
    reason: Text
    at: datetime
    expires_at: datetime


class Remediation(Model):
    """What happened, what was done about it, by whom, and what is left."""

    at: datetime
    trigger: str
    happened: Text
    done: Text
    by: str
    left: Text


class PlanDocument(Model):
    """`.claude/plans/plan-<ts>.json`: a view for people and tools, never read back as truth."""

    definition: PlanDefinition
    revision: int
    digest: str
    status: RunStatus | Literal["planned"]
    runs: tuple[str, ...] = ()
    progress: tuple[TaskProgress, ...] = ()
    approvals: tuple[ApprovalRecord, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    remediation: tuple[Remediation, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    linked_experiments: tuple[str, ...] = ()
    actuals: dict[str, float] = Field(default_factory=dict, description="Success metric → value so far.")
    change_log: tuple[Change, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the file's content: the definition's fields at the top level, as the dialect has them."""
        document = self.model_dump(mode="json")
        definition, actuals = document.pop("definition"), document.pop("actuals")
        for metric in definition["success_metrics"]:
            metric["actual"] = actuals.get(metric["name"])
        return {**definition, **document}


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the plan file."""
    schema = PlanDocument.model_json_schema()
    definition = schema["$defs"].pop("PlanDefinition")
    schema["properties"] = {**definition["properties"], **schema["properties"]}
    del schema["properties"]["definition"], schema["properties"]["actuals"]
    required = [*definition.get("required", ()), *schema.get("required", ())]
    schema["required"] = [name for name in required if name != "definition"]
    schema["title"] = "Plan"
    return schema
