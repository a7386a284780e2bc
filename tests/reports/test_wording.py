from __future__ import annotations

import doctest
from datetime import UTC, date, datetime

import pytest

from gtm_orchestra.config import Config, PersonSettings
from gtm_orchestra.reports import tables, wording
from gtm_orchestra.reports.wording import (
    age,
    clean,
    decider,
    number,
    owner_label,
    people,
    percent,
    sentence_inside,
    share_of,
    words,
)

AT = datetime(2025, 10, 31, tzinfo=UTC)


@pytest.mark.parametrize("module", [wording, tables])
def test_every_example_in_a_docstring_holds(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_group_under_the_minimum_is_never_a_number_and_never_a_share() -> None:
    assert [people(n, 100) for n in (0, 1, 99, 100)] == ["0", "fewer than 100", "fewer than 100", "100"]
    assert [share_of(n, 1000, 100) for n in (0, 99, 100)] == ["0%", "under 10%", "10%"]
    assert share_of(5, 50, 100) == "\u2013"


def test_a_share_that_is_not_whole_never_reads_as_all_or_nothing() -> None:
    assert [percent(s) for s in (0.0, 0.0004, 0.9999, 1.0, 0.285)] == [
        "0%",
        "under 0.1%",
        "99.9%",
        "100%",
        "28.5%",
    ]


def test_figures_and_times_read_as_a_person_writes_them() -> None:
    assert [number(v) for v in (0.183, 312_000.0, 1234.56, 4)] == ["0.183", "312,000", "1,235", "4"]
    assert [age(h) for h in (0.3, 3.8, 48, 1010)] == ["18 min", "4 h", "48 h", "42 days"]
    assert words([]) == ""
    assert words(["a", "b", "c"]) == "a, b and c"
    assert sentence_inside("Coverage is low.") == "coverage is low"
    assert sentence_inside("GDPR refuses it.") == "GDPR refuses it"


def test_control_and_bidirectional_characters_are_stripped() -> None:
    assert clean("pl\u202ean\x1b[2J\x00 a\nb") == "plan[2J a b"


def _config(**roles: PersonSettings) -> Config:
    return Config.model_validate(
        {
            "workspace": {"name": "w"},
            "source": {"url": "data"},
            "tables": {"people": {"table": "p", "columns": {"key": "k"}}},
            "people": {handle: settings.model_dump() for handle, settings in roles.items()},
        }
    )


def test_an_owner_is_named_with_a_role_they_hold() -> None:
    config = _config(priya=PersonSettings(name="Priya", roles=("privacy-lead", "legal")))
    assert owner_label("priya", "legal", config) == "Priya (legal)"
    assert owner_label("priya", "data-engineer", config) == "Priya (privacy lead)"
    assert owner_label("nobody", "data-engineer", config) == "nobody (data engineer)"


def test_who_decides_is_a_name_and_an_absence_names_the_deputy() -> None:
    config = _config(
        priya=PersonSettings(
            name="Priya Nair", roles=("privacy-lead",), deputy="tom", away_until=date(2025, 11, 3)
        ),
        tom=PersonSettings(name="Tom Adler"),
    )

    assert decider("privacy-lead", config, AT) == (
        "Priya Nair (privacy lead, away until 2025-11-03, deputy Tom Adler)"
    )
    assert decider("legal", config, AT) == "legal: nobody is named for this role in gtm.toml"
    assert decider("tom", config, AT) == "Tom Adler"
    assert decider("", config, AT) == "nobody needs to decide"
