"""The reviewed template of a command, as its YAML says it: read strictly, and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from gtm_orchestra.config import Duration
from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.model import Model
from gtm_orchestra.plans.comparisons import variable_of
from gtm_orchestra.plans.model import (
    Budgets,
    Comparison,
    DataSource,
    Effect,
    ErrorHandling,
    EscalationTrigger,
    Function,
    GatePolicy,
    Name,
    NodeId,
    Pattern,
    Silence,
    SuccessMetric,
    Text,
)
from gtm_orchestra.plans.parse import check_values, faults

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Blueprint", "Filling", "Role", "parse_blueprint"]

MAX_BLUEPRINT_BYTES = 200_000
_MAX_DEPTH = 30
_MAX_ITEMS = 500
Output = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class BlueprintTask(Model):
    """A task as the blueprint writes it; what the role settles is added when it is filled in."""

    id: NodeId
    agent: Name
    kind: Name
    purpose: Text
    function: Function
    input: tuple[Name, ...] = ()
    output: Output
    after: tuple[NodeId, ...] = ()
    when: Comparison | None = Field(
        default=None, description="Done only if this holds over an earlier result."
    )
    params: dict[str, str] = Field(default_factory=dict)
    tools: tuple[Name, ...] = ()
    skills: tuple[Name, ...] = ()
    effects: tuple[Effect, ...] = ()
    minutes: float = Field(default=1.0, ge=0)
    timeout_s: int = Field(default=600, ge=1, le=86_400)


class BlueprintGate(Model):
    """A gate as the blueprint writes it, at the end of its stage."""

    id: NodeId
    after: tuple[NodeId, ...]
    kind: str
    policy: GatePolicy = GatePolicy()
    criteria: tuple[Text, ...] = ()
    action: str = ""
    approvers: tuple[Name, ...] = ()
    respond_within: Duration = "2d"
    on_silence: Text = ""
    silence: Silence = "stop"
    environment: str = ""


class ForEach(Model):
    """A fan-out: the stage's tasks once per name."""

    param: Output = Field(description="Under which name each task gets its own.")
    items: tuple[Name, ...] = Field(default=(), max_length=_MAX_ITEMS)
    source: str = Field(
        default="", alias="from", pattern=r"^(inputs(\.[a-z_]+)+)?$", description="Such as inputs.channels."
    )

    @model_validator(mode="after")
    def _has_one_list(self) -> Self:
        if bool(self.items) == bool(self.source):
            raise ValueError("for_each needs either items or from")
        return self


class Repeat(Model):
    """A loop: the stage's tasks until a figure is good enough, at most so many rounds."""

    max: int = Field(ge=1, le=50)
    until: Comparison
    on_exhausted: Literal["no-go", "go"] = "no-go"


class BlueprintStage(Model):
    """A stage as the blueprint writes it: tasks, once, per name or in rounds; or another blueprint."""

    id: NodeId
    name: Name
    tasks: tuple[BlueprintTask, ...] = ()
    for_each: ForEach | None = None
    repeat: Repeat | None = None
    include: str = Field(default="", description="The blueprint whose stages stand here.")
    alias: str = Field(
        default="",
        alias="as",
        pattern=r"^([a-z][a-z0-9_]{0,30})?$",
        description="What stands before the included blueprint's variables; its name by default.",
    )
    after: tuple[NodeId, ...] = Field(default=(), description="What comes before an included blueprint.")
    gate: BlueprintGate | None = None

    @model_validator(mode="after")
    def _is_one_of_its_kinds(self) -> Self:
        if bool(self.tasks) == bool(self.include):
            raise ValueError("a stage has either tasks or an include")
        if self.include and (self.for_each or self.repeat):
            raise ValueError("an included blueprint is neither repeated nor fanned out; write that inside it")
        if not self.include and (self.alias or self.after):
            raise ValueError("as and after belong to an include; tasks have their own after")
        if self.for_each and self.repeat:
            raise ValueError("a stage has either for_each or repeat; include a blueprint for the other")
        if self.for_each and self.gate is None:
            raise ValueError("for_each needs a gate in which its arms meet")
        if self.repeat and (self.gate is None or self.gate.kind != "merge"):
            raise ValueError("repeat needs a merge gate behind its last round")
        if self.repeat and variable_of(self.repeat.until) not in {task.output for task in self.tasks}:
            raise ValueError(f"no task of this stage makes {variable_of(self.repeat.until)!r}, read by until")
        return self


class BlueprintPattern(Model):
    """Which patterns the command can take, and why one would."""

    default: Pattern
    reasons: dict[Pattern, Text]


class Role(Model):
    """Who stands in for an agent."""

    substitutes: tuple[Name, ...] = ()


class BlueprintRung(Model):
    """One step of the ladder, by role."""

    who: Name
    respond_within: Duration = "1d"


class Blueprint(Model):
    """The reviewed template of a command."""

    blueprint: Name
    version: int
    objective: Text
    pattern: BlueprintPattern
    roles: dict[str, Role]
    stages: tuple[BlueprintStage, ...] = Field(min_length=1)
    error_handling: ErrorHandling = ErrorHandling()
    ladder: tuple[BlueprintRung, ...] = ()
    triggers: tuple[EscalationTrigger, ...] = ()
    metrics: tuple[SuccessMetric, ...] = ()
    success_criteria: tuple[Text, ...] = ()
    deliverables: dict[str, str] = Field(default_factory=dict)
    context_passing: Text = ""
    budgets: Budgets = Budgets()
    max_concurrent: int = 4


class Filling(Model):
    """What turns a blueprint into the plan of one initiative."""

    plan_id: str
    initiative: str
    inputs: dict[str, Any]
    channels: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    pattern: Pattern | None = None
    approvers: tuple[str, ...] = Field(default=(), description="Replaces the blueprint's, if given.")
    deputies: dict[str, str] = Field(default_factory=dict, description="Role → deputy of who has it.")
    data_sources: tuple[DataSource, ...] = ()
    governance_cadence: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)
    attributes: dict[str, str] = Field(default_factory=dict)
    hashes: dict[str, str] = Field(default_factory=dict)


def parse_blueprint(text: str, *, what: str) -> Blueprint:
    """Return a blueprint read from YAML.

    Raises:
        PlanFormatError: Too large, not YAML, nested deeper than 30, with aliases, keys that stand twice or
            values that JSON cannot hold, or not a blueprint; every finding with its path.
    """
    if len(text.encode(errors="replace")) > MAX_BLUEPRINT_BYTES:
        raise PlanFormatError(
            f"{what} has more than {MAX_BLUEPRINT_BYTES:,} bytes", hint="make several blueprints of it"
        )
    try:
        _check_events(text, what)
        raw = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    except yaml.YAMLError as error:
        line = _line(getattr(error, "problem_mark", None))
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PlanFormatError(f"{what} is not valid YAML{line}: {problem}", hint="mend that line") from error
    except ValueError as error:
        # Dates and numbers that look like ones and are none; the message would hold all their digits.
        raise PlanFormatError(
            f"{what} holds a date or number that is none", hint="write it in quotes"
        ) from error
    check_values(raw, what)
    try:
        return Blueprint.model_validate(raw)
    except ValidationError as error:
        raise PlanFormatError(
            f"{what} is not a blueprint: {faults(error)}", hint="see docs/blueprints.md"
        ) from error


def _line(mark: Any) -> str:  # noqa: ANN401 - one of the library's two kinds of marks, or None
    return f" at line {mark.line + 1:,}" if mark is not None else ""


def _check_events(text: str, what: str) -> None:
    # Before anything is built: an alias of an alias of an alias is gigabytes, and building recurses.
    depth = 0
    for event in yaml.parse(text, Loader=_UniqueKeyLoader):
        if isinstance(event, yaml.AliasEvent):
            raise PlanFormatError(
                f"{what} uses the alias {str(event.anchor)[:40]!r}{_line(event.start_mark)}",
                hint="write the value out",
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise PlanFormatError(f"{what} is nested deeper than {_MAX_DEPTH}", hint="flatten it")


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is much faster, where it is there
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {str(key)[:40]!r} is no text", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key[:80]!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return dict(super().construct_mapping(node, deep=deep))
