"""The order of profiles as a decision tree: everybody ends in one leaf, the first profile that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.contracts import TreeNode
from gtm_orchestra.conditions import all_of, negate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FALLBACK", "Question", "compile_leaves", "grow"]

FALLBACK = "fallback"


@dataclass(frozen=True)
class Question:
    """One question of the tree, in order.

    Attributes:
        text: The question in words.
        condition: Whom "yes" means.
        leaf: Where "yes" leads: a profile's id, or the fallback. For a negated question, where "no" leads.
        asked: People who reach the question; None if they may not be shown.
        people: People in the leaf; None if they may not be shown.
        must_hold: "No" leads to the leaf, "yes" to the next question: a limit that everybody must be within.
    """

    text: str
    condition: Mapping[str, Any]
    leaf: str
    asked: int | None
    people: int | None
    must_hold: bool = False


def grow(questions: Sequence[Question], *, rest: int | None) -> TreeNode:
    """Return the tree that asks the questions in order; who is left at the end sees the fallback.

    Args:
        questions: First question first.
        rest: People left at the end; None if they may not be shown.
    """
    node = TreeNode(leaf=FALLBACK, people=rest)
    for question in reversed(questions):
        leaf = TreeNode(leaf=question.leaf, people=question.people)
        yes, no = (node, leaf) if question.must_hold else (leaf, node)
        node = TreeNode(
            question=question.text, condition=dict(question.condition), yes=yes, no=no, people=question.asked
        )
    return node


def compile_leaves(tree: TreeNode) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return every leaf, from left to right, with the condition of those who end in it.

    The conditions exclude each other and together mean everyone: a person without an attribute answers "no".
    A tree that is one leaf has no condition, because an empty condition never means everyone.
    """
    return tuple(_leaves(tree, ()))


def _leaves(node: TreeNode, path: tuple[Mapping[str, Any], ...]) -> list[tuple[str, dict[str, Any]]]:
    if node.condition is None or node.yes is None or node.no is None:
        return [(node.leaf, all_of(*path))] if path else []
    opposite = negate(node.condition, missing="included")
    return [*_leaves(node.yes, (*path, node.condition)), *_leaves(node.no, (*path, opposite))]
