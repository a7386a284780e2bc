from __future__ import annotations

import pytest

from gtm_orchestra.errors import UsageError
from gtm_orchestra.plans.names import checked_initiative, slug

_REFUSED = {
    "": "the initiative has no name",
    "   ": "the initiative has no name",
    "../../x": "the initiative's name contains U+002F; control characters and / or \\ are not allowed",
    "a\\b": "the initiative's name contains U+005C; control characters and / or \\ are not allowed",
    "a\x1b[31mb": "the initiative's name contains U+001B; control characters and / or \\ are not allowed",
    "a\u202eb": "the initiative's name contains U+202E; control characters and / or \\ are not allowed",
    "x" * 10_000: "the initiative's name has 10,000 characters; 120 are allowed",
    "...": "the initiative's name '...' has no letter or digit",
}


@pytest.mark.parametrize("name", list(_REFUSED), ids=range(len(_REFUSED)))
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        checked_initiative(name)
    assert raised.value.message == _REFUSED[name]


def test_a_name_that_differs_in_case_only_is_refused_with_the_one_that_exists() -> None:
    with pytest.raises(UsageError) as raised:
        checked_initiative("plg onboarding", ["PLG Onboarding"])
    assert str(raised.value) == (
        "the initiative 'PLG Onboarding' exists; 'plg onboarding' would share its folder; "
        'write --initiative "PLG Onboarding" for the same program, or choose other words'
    )


def test_the_same_name_is_the_same_initiative() -> None:
    assert checked_initiative("  PLG Onboarding ", ["PLG Onboarding"]) == "PLG Onboarding"


def test_letters_of_every_script_are_kept_in_a_folder() -> None:
    assert slug("Über-Onboarding 日本") == "über-onboarding-日本"
