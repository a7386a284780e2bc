from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gtm_orchestra.agents.registry import HandlerRegistry, TaskContext
from gtm_orchestra.errors import BlockedError, ConfigError, PolicyError
from gtm_orchestra.model import Model


class Figure(Model):
    value: int


def _context(registry: HandlerRegistry, *names: str) -> TaskContext:
    def nothing(*_: object) -> Any:  # noqa: ANN401 - never called
        raise AssertionError

    return TaskContext(
        task_id="1.1",
        agent="customer-data-engineer",
        initiative="PLG",
        inputs={},
        config=nothing,  # type: ignore[arg-type]  # not looked at here
        root=Path(),
        as_of=datetime(2026, 11, 1, tzinfo=UTC),
        open_warehouse=nothing,
        put_file=nothing,
        tools={name: registry.tools[name] for name in names},
    )


@pytest.fixture
def registry() -> HandlerRegistry:
    registry = HandlerRegistry()

    @registry.tool("double", effect="pure")
    def double(value: int) -> int:
        """Return twice a value.

        More that nobody lists.
        """
        return 2 * value

    @registry.add("twice", agent="customer-data-engineer")
    def twice(ctx: TaskContext, *, figure: Figure) -> Figure:
        return Figure(value=ctx.tool("double")(figure.value))

    return registry


def test_a_handler_gets_earlier_results_by_name_and_type(registry: HandlerRegistry) -> None:
    assert registry["twice"](_context(registry, "double"), {"figure": {"value": 2}}) == Figure(value=4)
    assert registry.tools["double"].about == "Return twice a value."


def test_a_task_calls_only_the_tools_that_it_lists(registry: HandlerRegistry) -> None:
    with pytest.raises(PolicyError) as raised:
        registry["twice"](_context(registry), {"figure": {"value": 2}})
    assert str(raised.value) == (
        "task 1.1 may not use the tool 'double'; "
        "list it in the blueprint's tools of this task, and register it"
    )


def test_a_name_is_taken_once_unless_it_is_replaced_on_purpose(registry: HandlerRegistry) -> None:
    with pytest.raises(ConfigError, match="task kind 'twice' already has a handler"):
        registry.add("twice", agent="x")(lambda _ctx: Figure(value=1))
    with pytest.raises(ConfigError, match="there is a tool 'double' already"):
        registry.tool("double", effect="read")(print)
    registry.tool("double", effect="read", replace=True)(print)
    assert registry.tools["double"].effect == "read"


def test_what_one_workspace_registers_another_does_not_see(registry: HandlerRegistry) -> None:
    copy = registry.copy()
    copy.tool("another", effect="pure")(print)
    assert "another" not in registry.tools


def test_a_handler_without_types_is_refused(registry: HandlerRegistry) -> None:
    with pytest.raises(ConfigError) as raised:

        @registry.add("untyped", agent="x")
        def untyped(ctx, *, figure):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001 - that is the fault
            return figure

    assert str(raised.value) == (
        "handler 'untyped' must annotate its return and each keyword with a pydantic model; "
        "lacking: figure, return"
    )


def test_a_missing_result_is_a_no_unless_the_handler_can_do_without(registry: HandlerRegistry) -> None:
    @registry.add("perhaps", agent="x")
    def perhaps(ctx: TaskContext, *, figure: Figure | None) -> Figure:
        _ = ctx
        return figure or Figure(value=7)

    assert registry["perhaps"](_context(registry), {}) == Figure(value=7)
    assert registry["perhaps"](_context(registry), {"figure": {"value": 2}}) == Figure(value=2)
    with pytest.raises(BlockedError) as raised:
        registry["twice"](_context(registry), {})
    assert str(raised.value) == (
        "1.1 twice cannot be done without figure; "
        "a gate went on without it; do that task, or take this one out of the plan"
    )
