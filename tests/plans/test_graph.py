from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from gtm_orchestra.plans.graph import Crossing, Leaf, Parallel, Series, Shape, critical_path, shape_of


def _graph(edges: list[tuple[str, str]], nodes: str = "") -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes, minutes=1.0)
    graph.add_edges_from(edges)
    for node in graph:
        graph.nodes[node]["minutes"] = 1.0
    return graph


def _nodes(shape: Shape) -> list[str]:
    match shape:
        case Leaf(node):
            return [node]
        case Series(parts):
            return [node for part in parts for node in _nodes(part)]
        case Parallel(arms):
            return [node for arm in arms for node in _nodes(arm)]
        case Crossing(nodes):
            return list(nodes)


def _order(shape: Shape) -> set[tuple[str, str]]:
    """Return every pair that the shape makes wait for each other (a crossing adds none here)."""
    match shape:
        case Series(parts):
            inner = {pair for part in parts for pair in _order(part)}
            names = [_nodes(part) for part in parts]
            across = {
                (a, b)
                for i, first in enumerate(names)
                for second in names[i + 1 :]
                for a in first
                for b in second
            }
            return inner | across
        case Parallel(arms):
            return {pair for arm in arms for pair in _order(arm)}
        case _:
            return set()


def test_crossing_dependencies_are_no_arms() -> None:
    shape = shape_of(_graph([("a", "c"), ("a", "d"), ("b", "d")]))
    assert shape == Crossing(("a", "b", "c", "d"))


def test_a_complete_join_without_a_gate_is_two_parallel_steps() -> None:
    shape = shape_of(_graph([("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")]))
    assert shape == Series((Parallel((Leaf("a"), Leaf("b"))), Parallel((Leaf("c"), Leaf("d")))))


def test_a_shortcut_does_not_change_the_shape() -> None:
    assert shape_of(_graph([("a", "b"), ("b", "c"), ("a", "c")])) == Series((Leaf("a"), Leaf("b"), Leaf("c")))


@given(st.integers(1, 9), st.data())
def test_a_shape_keeps_every_node_once_and_adds_no_waiting(size: int, data: st.DataObject) -> None:
    names = "abcdefghi"[:size]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    graph = _graph(edges, names)
    shape = shape_of(graph)
    assert sorted(_nodes(shape)) == sorted(names)
    closure = {(a, b) for a in graph for b in nx.descendants(graph, a)}
    assert _order(shape) <= closure
    has_crossing = "Crossing" in repr(shape)
    assert has_crossing or _order(shape) == closure


def test_the_critical_path_is_the_longest_by_minutes() -> None:
    graph = _graph([("a", "b"), ("b", "d"), ("a", "c"), ("c", "d")])
    graph.nodes["c"]["minutes"] = 5.0
    assert critical_path(graph) == (("a", "c", "d"), 7.0)
