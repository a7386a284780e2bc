"""Where a task's work is found: a handler per task kind, registered by decorator.

A handler takes a `TaskContext` and, by keyword, the results of earlier tasks; the parameter's name is their
`output_var` in the plan and its annotation their type; "X | None" says that it can do without. It returns one
typed result::

    @handler("attribute-inventory", agent="customer-data-engineer")
    def attribute_inventory(ctx: TaskContext) -> Inventory: ...

    @handler("profile-definition", agent="personalization-architect")
    def profile_definition(ctx: TaskContext, *, objectives: Objectives, inventory: Inventory) -> Profiles: ...

Handlers are synchronous and run in a thread; they call tools for every fact and keep no state.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel

from gtm_orchestra.errors import BlockedError, ConfigError, PolicyError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.effects import EffectRequest, Receipt
    from gtm_orchestra.plans.model import EffectClass
    from gtm_orchestra.plans.review import Review
    from gtm_orchestra.warehouse.connection import Warehouse

__all__ = [
    "EffectContext",
    "EffectTarget",
    "Handler",
    "HandlerRegistry",
    "TaskContext",
    "Tool",
    "effect",
    "handler",
    "registered_handlers",
]

F = TypeVar("F", bound=Callable[..., BaseModel])
E = TypeVar("E", bound=Callable[..., Any])
T = TypeVar("T", bound=Callable[..., Any])
Effect = Literal["pure", "read", "write"]


@dataclass(frozen=True)
class TaskContext:
    """What a handler may use. Everything that could differ between two runs comes in here.

    Attributes:
        task_id: Such as "2.1".
        agent: Who does it; the substitute's name when the owner could not.
        initiative: The program's name.
        inputs: The command's inputs as given (initiative, channels, metrics, constraints, timeline, …).
        config: gtm.toml.
        as_of: The moment that "now" means; facts are computed as of it.
        open_warehouse: Returns the run's read-only warehouse; opened on first use.
        review_plan: Returns the review of the live plan.
        tools: The registered tools that this task lists in `tools_required`.
        params: What tells this task from its likes, such as the channel of a fan-out.
        earlier_error: Why the attempt before failed, where the plan retries with a modification.
        change: What a person asked to be done otherwise, when the task had failed.
        put_file: Keeps bytes as an artifact of the run and returns their SHA-256.
        previous: Returns the last result of that output_var in an earlier run of this initiative, or None.
        progress: Tells the person who waits one short line.
    """

    task_id: str
    agent: str
    initiative: str
    inputs: Mapping[str, Any]
    config: Config
    root: Path
    as_of: datetime
    open_warehouse: Callable[[], Warehouse]
    put_file: Callable[[str, str, bytes], str]
    review_plan: Callable[[], Review] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    earlier_error: str = ""
    change: str = ""
    tools: Mapping[str, Tool] = field(default_factory=dict)
    previous: Callable[[str], Any | None] = field(default=lambda _name: None)
    progress: Callable[[str], None] = field(default=lambda _line: None)

    def tool(self, name: str) -> Callable[..., Any]:
        """Return a registered tool that this task may use.

        Raises:
            PolicyError: The task does not list it, or nobody has registered it.
        """
        if name not in self.tools:
            raise PolicyError(
                f"task {self.task_id} may not use the tool {name!r}",
                hint="list it in the blueprint's tools of this task, and register it",
            )
        return self.tools[name].function


@dataclass(frozen=True)
class EffectContext:
    """What a target may use.

    Attributes:
        root: The workspace.
        config: gtm.toml.
        artifact: Returns the bytes of a SHA-256 that a request carries.
        environ: Where credentials are looked up.
    """

    root: Path
    config: Config
    artifact: Callable[[str], bytes]
    environ: Mapping[str, str] = field(default_factory=dict)


class EffectTarget(Protocol):
    """A destination of effects. Its calls are synchronous, run in a thread, and raise `EffectError`.

    Attributes:
        effect_class: "keyed": the destination itself drops a key that it has seen. "readable": what is there
            can be read back, and applying the same content twice leaves it there once. "blind": neither.
    """

    @property
    def effect_class(self) -> EffectClass:
        """What the destination can promise."""

    def apply(self, request: EffectRequest, key: str) -> None:
        """Make the change. It may have happened although this raises."""

    def read_back(self, request: EffectRequest, key: str) -> Receipt | None:
        """Return what is live of it, None if nothing is; a blind target returns None."""

    def undo(self, request: EffectRequest, receipt: Receipt | None, key: str) -> None:
        """Take it back; taking back what is not there is no error."""


@dataclass(frozen=True)
class Handler:
    """A registered handler: which earlier results it needs, which it can do without, and what it returns."""

    kind: str
    agent: str
    function: Callable[..., BaseModel]
    needs: Mapping[str, type[BaseModel]]
    returns: type[BaseModel]
    optional: frozenset[str] = frozenset()

    def __call__(self, ctx: TaskContext, results: Mapping[str, Any]) -> BaseModel:
        """Parse the earlier results that it needs and do the work.

        Raises:
            BlockedError: A result that it cannot do without is missing: its arm was waived or not taken.
        """
        missing = [name for name in self.needs if name not in results and name not in self.optional]
        if missing:
            raise BlockedError(
                f"{ctx.task_id} {self.kind} cannot be done without {', '.join(missing)}",
                hint="a gate went on without it; do that task, or take this one out of the plan",
            )
        ready = {
            name: model.model_validate(results[name]) if name in results else None
            for name, model in self.needs.items()
        }
        return self.function(ctx, **ready)


@dataclass(frozen=True)
class Tool:
    """Code that an agent may call, and what it does to the world."""

    name: str
    effect: Effect
    about: str
    function: Callable[..., Any]


class HandlerRegistry(Mapping[str, Handler]):
    """Handlers by task kind, the tools they call, and the targets of their effects.

    A second one of a name is refused unless it says `replace=True`.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler] | None = None,
        tools: Mapping[str, Tool] | None = None,
        targets: Mapping[str, Callable[[EffectContext], EffectTarget]] | None = None,
    ) -> None:
        self._handlers = dict(handlers or {})
        self._tools = dict(tools or {})
        self._targets = dict(targets or {})

    @property
    def targets(self) -> Mapping[str, Callable[[EffectContext], EffectTarget]]:
        """What makes the target of an effect, by action."""
        return self._targets

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The registered tools by name."""
        return self._tools

    def __getitem__(self, kind: str) -> Handler:
        return self._handlers[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)

    def copy(self) -> HandlerRegistry:
        """Return an independent registry: what one workspace registers, another does not see."""
        return HandlerRegistry(self._handlers, self._tools, self._targets)

    def add(self, kind: str, *, agent: str, replace: bool = False) -> Callable[[F], F]:
        """Return a decorator that registers a function for a task kind.

        Raises:
            ConfigError: The kind is taken, or the function lacks the annotations described above.
        """

        def register(function: F) -> F:
            if kind in self._handlers and not replace:
                raise ConfigError(
                    f"task kind {kind!r} already has a handler",
                    hint="choose another kind, or pass replace=True",
                )
            self._handlers[kind] = _described(kind, agent, function)
            return function

        return register

    def tool(self, name: str, *, effect: Effect, replace: bool = False) -> Callable[[T], T]:
        """Return a decorator that registers a function as a tool; its docstring says what it does.

        A handler gets it by `ctx.tool(name)`, if its task lists the name in `tools_required`.

        Raises:
            ConfigError: The name is taken.
        """

        def register(function: T) -> T:
            if name in self._tools and not replace:
                raise ConfigError(
                    f"there is a tool {name!r} already", hint="choose another name, or pass replace=True"
                )
            about = (inspect.getdoc(function) or "").partition("\n")[0]
            self._tools[name] = Tool(name, effect, about, function)
            return function

        return register

    def effect(self, action: str, *, replace: bool = False) -> Callable[[E], E]:
        """Return a decorator that registers what carries out an action: an `EffectTarget` class.

        It is made from an `EffectContext`. A task whose plan declares an effect of this action may ask for it
        in the field `effects` of its result.

        Raises:
            ConfigError: The action is taken.
        """

        def register(target: E) -> E:
            if action in self._targets and not replace:
                raise ConfigError(
                    f"the effect {action!r} already has a target",
                    hint="choose another action, or pass replace=True",
                )
            self._targets[action] = target
            return target

        return register


def _described(kind: str, agent: str, function: Callable[..., BaseModel]) -> Handler:
    hints = typing.get_type_hints(function, localns={"TaskContext": TaskContext})
    returns = hints.pop("return", None)
    names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    optional = frozenset(name for name in names if type(None) in typing.get_args(hints.get(name)))
    needs = {name: _without_none(hints.get(name)) for name in names}
    wrong = [name for name, model in needs.items() if not _is_model(model)]
    if wrong or not _is_model(returns):
        raise ConfigError(
            f"handler {kind!r} must annotate its return and each keyword with a pydantic model; "
            f"lacking: {', '.join([*wrong, *([] if _is_model(returns) else ['return'])])}"
        )
    return Handler(kind, agent, function, typing.cast("dict[str, type[BaseModel]]", needs), returns, optional)


def _without_none(hint: object) -> object:
    """Return what "X | None" allows besides None."""
    kept = [one for one in typing.get_args(hint) if one is not type(None)]
    return kept[0] if len(kept) == 1 and type(None) in typing.get_args(hint) else hint


def _is_model(value: object) -> typing.TypeGuard[type[BaseModel]]:
    return isinstance(value, type) and issubclass(value, BaseModel)


_REGISTRY = HandlerRegistry()
handler = _REGISTRY.add
effect = _REGISTRY.effect


def registered_handlers() -> HandlerRegistry:
    """Return a copy of the registry that the `handler` decorator fills."""
    return _REGISTRY.copy()
