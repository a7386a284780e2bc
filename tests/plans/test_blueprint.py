from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import PlanFormatError
from gtm_orchestra.plans.blueprint import parse_blueprint
from gtm_orchestra.plans.graph import Leaf, Parallel, Series, critical_path, dependency_graph, shape_of

if TYPE_CHECKING:
    from gtm_orchestra.plans.model import PlanDefinition


def test_a_diamond_has_two_blocks_that_each_meet_in_a_gate(diamond: PlanDefinition) -> None:
    assert [(block.pattern, block.tasks, block.gate) for block in diamond.blocks] == [
        ("diamond", ("1.1", "1.2", "1.3"), "gate-1"),
        ("diamond", ("3.1", "3.2", "3.3"), "gate-2"),
    ]
    assert diamond.parallelization.parallel_groups == (("1.1", "1.2"), ("3.1", "3.2", "3.3"))
    shape = shape_of(dependency_graph(diamond.tasks, diamond.gates))
    assert isinstance(shape, Series)
    assert shape.parts[0] == Parallel((Leaf("1.1"), Series((Leaf("1.2"), Leaf("1.3")))))


def test_a_pipeline_has_the_same_tasks_and_nothing_side_by_side(
    diamond: PlanDefinition, pipeline: PlanDefinition
) -> None:
    assert [task.task_id for task in pipeline.tasks] == [task.task_id for task in diamond.tasks]
    assert pipeline.parallelization.parallel_groups == ()
    assert all(stage.execution == "sequential" for stage in pipeline.stages)
    graph = dependency_graph(pipeline.tasks, pipeline.gates)
    path, _ = critical_path(graph)
    assert set(path) >= {task.task_id for task in pipeline.tasks}


def test_the_pattern_and_its_reason_stand_in_the_header(
    diamond: PlanDefinition, pipeline: PlanDefinition
) -> None:
    assert diamond.strategy == "diamond"
    assert diamond.pattern_rationale.startswith("What is wanted and what the data can carry are found")
    assert pipeline.pattern_rationale.startswith("One after the other was asked for")


def test_functions_of_the_graph_are_those_that_the_command_names(diamond: PlanDefinition) -> None:
    assert {"data-eng", "legal", "privacy"} <= {task.function for task in diamond.tasks}


def test_the_engineer_stands_in_for_the_architect(diamond: PlanDefinition) -> None:
    assert diamond.task("2.1").substitutes == ("customer-data-engineer",)


def test_a_key_that_stands_twice_in_a_blueprint_is_refused() -> None:
    with pytest.raises(PlanFormatError, match=r"^x\.yaml is not valid YAML at line 3: key 'version' s"):
        parse_blueprint("blueprint: a\nversion: 1\nversion: 2\n", what="x.yaml")


def test_a_blueprint_says_all_that_is_wrong_with_it() -> None:
    with pytest.raises(PlanFormatError) as raised:
        parse_blueprint("blueprint: a\nversion: one\nstages: []\n", what="x.yaml")
    for path in ("version:", "objective:", "pattern:", "stages:"):
        assert path in str(raised.value)
