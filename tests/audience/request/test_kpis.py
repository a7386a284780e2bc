from __future__ import annotations

from typing import Any

import pytest

from gtm_orchestra.audience.request.kpis import check_metrics, find_metric, read_metrics
from gtm_orchestra.config import Config
from gtm_orchestra.errors import UsageError


def config(**metrics: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "workspace": {"name": "Acme"},
            "source": {"url": "data"},
            "tables": {"people": {"table": "people", "columns": {"key": "id"}}},
            "metrics": metrics,
        }
    )


FULL = config(
    activation_rate={"type": "proportion", "event": "activated"},
    demo_rate={"type": "proportion", "event": "demo"},
    pipeline_amount={"type": "revenue"},
    weekly_use={"type": "retention", "event": "session"},
    trial_to_paid={"type": "proportion", "event": "paid"},
)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("activation_rate", "activation_rate"),
        ("Activation Rate", "activation_rate"),
        ("activation", "activation_rate"),
        ("pipeline $", "pipeline_amount"),
        ("pipeline", "pipeline_amount"),
        ("retention", "weekly_use"),
        ("demo", "demo_rate"),
        ("trial to paid", "trial_to_paid"),
        ("rate", None),
        ("churn", None),
        ("", None),
    ],
)
def test_a_kpi_in_words_is_found_by_name_built_in_meaning_or_every_word(asked: str, name: str | None) -> None:
    assert find_metric(asked, FULL) == name


def test_a_kpi_of_another_type_is_not_taken_for_a_built_in_one() -> None:
    assert find_metric("activation rate", config(activation_mails={"type": "mean", "event": "mail"})) is None


def test_a_built_in_kpi_that_is_not_mapped_says_what_gtm_toml_lacks() -> None:
    readings = read_metrics([], config())
    assert [(reading.asked, reading.mapped) for reading in readings] == [
        ("activation rate", False),
        ("pipeline amount", False),
        ("retention", False),
    ]
    assert readings[0].missing == (
        "add [metrics.activation_rate] to gtm.toml with type = 'proportion' and the event that counts as "
        "activated"
    )


def test_a_kpi_that_is_neither_mapped_nor_built_in_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        check_metrics(["activation", "happiness"], FULL)
    assert str(caught.value) == (
        "metric 'happiness' is not in [metrics] of gtm.toml; there: activation_rate, demo_rate, "
        "pipeline_amount, "
        "trial_to_paid, weekly_use; built in: activation rate, pipeline amount, retention; "
        "use one of these, or add [metrics.NAME] to gtm.toml"
    )
    check_metrics(["activation", "retention"], config())
