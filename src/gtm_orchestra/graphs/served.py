"""What a LangGraph server loads: a request goes in, where the run stands comes out.

The plan's own graph is made anew for every run, so that a server never runs a stale one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from langgraph.graph import END, START, StateGraph

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langgraph.graph.state import CompiledStateGraph

__all__ = ["Request", "served"]


class Request(TypedDict, total=False):
    """The graph's state.

    `workspace` is the folder that holds gtm.toml, `inputs` the command's inputs; `result` is where the run
    stands: status, headline, folder, open questions. Decisions are taken by people, never in this graph.
    """

    workspace: str
    inputs: dict[str, Any]
    result: dict[str, Any]


def served(
    command: str, perform: Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
) -> CompiledStateGraph[Request, None, Request, Request]:
    """Return a one-node graph around `perform(command, workspace, inputs)`."""

    async def node(state: Request) -> Request:
        return {"result": await perform(command, state.get("workspace", "."), state["inputs"])}

    builder = StateGraph(Request)
    builder.add_node(command, node)
    builder.add_edge(START, command)
    builder.add_edge(command, END)
    return builder.compile(name=command)
