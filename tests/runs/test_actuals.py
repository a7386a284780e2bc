from __future__ import annotations

from gtm_orchestra.runs.actuals import actuals_of

RESULTS = {
    "inventory": {
        "attributes": [
            {"name": "plan", "coverage": 0.9},
            {"name": "country", "coverage": 0.8},
            {"name": "unused", "coverage": 0.1},
        ]
    },
    "profiles": {"profiles": [{"attributes": ["plan"]}, {"attributes": ["plan", "country"]}]},
    "consent": {
        "channels": [
            {"go": True, "integrity": 0.984},
            {"go": True, "integrity": 0.971},
            {"go": False, "integrity": 0.6},
        ]
    },
}


def test_coverage_is_that_of_the_used_attributes_and_integrity_the_lowest_that_goes_ahead() -> None:
    assert actuals_of(RESULTS) == {"attribute coverage": 85.0, "consent integrity": 97.1}


def test_what_is_not_known_yet_has_no_value() -> None:
    assert actuals_of({}) == {}
    assert actuals_of({"consent": {"channels": [{"go": False, "integrity": 0.6}]}}) == {}
