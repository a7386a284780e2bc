from __future__ import annotations

import pytest
from pydantic import ValidationError

from gtm_orchestra.audience.contracts import Finding


def test_a_finding_is_known_by_its_kind_and_what_it_is_about() -> None:
    found = Finding(kind="drift", severity="info", subject="seats", message="It has shifted.")
    part = found.model_copy(update={"finding_id": "drift:seats:late"})
    assert found.finding_id == "drift:seats"
    assert Finding.model_validate_json(part.model_dump_json()) == part


def test_a_finding_of_no_kind_is_refused() -> None:
    with pytest.raises(ValidationError):
        Finding.model_validate({"kind": "rumour", "severity": "info", "subject": "seats", "message": "?"})
