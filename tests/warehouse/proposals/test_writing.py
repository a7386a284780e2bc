"""The file that a person reads first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gtm_orchestra.config import load_config
from gtm_orchestra.errors import ConflictError, StorageError
from gtm_orchestra.warehouse.proposals import Proposal, config_text, write_config

Propose = Callable[[Path], Proposal]


@pytest.mark.parametrize("export", ["german_shop", "crm", "product"])
def test_what_is_written_loads_as_what_was_proposed(
    export: str, request: pytest.FixtureRequest, tmp_path: Path, propose_folder: Propose
) -> None:
    proposal = propose_folder(request.getfixturevalue(export))
    write_config(proposal, tmp_path / "gtm.toml")

    assert load_config(tmp_path / "gtm.toml") == proposal.config


def test_evidence_next_steps_and_a_place_for_the_privacy_lead_stand_in_the_file(
    product: Path, propose_folder: Propose
) -> None:
    text = config_text(propose_folder(product))

    for line in (
        '# roles = ["privacy-lead"]',
        "# 'account_id': 60 of 60 values occur in accounts",
        "[tables.events] # confidence 0.95",
        'currency = "USD" # 100% of the values of subscriptions.currency (confidence 0.90)',
    ):
        assert line in text.splitlines()


def test_unmapped_columns_are_listed_with_their_reason(
    tmp_path: Path, write: Callable[..., None], propose_folder: Propose
) -> None:
    rows = [[f"c{n}", f"p{n}@example.com", f"0{n % 9 + 1}/0{n % 8 + 1}/2024"] for n in range(60)]
    write(tmp_path / "customers.csv", ["customer_id", "email", "since\x07"], rows)

    proposal = propose_folder(tmp_path)

    assert config_text(proposal).splitlines()[-2:] == [
        "# 1 of 3 columns stay unmapped:",
        f"#   customers.since : {proposal.unmapped[0].why_not}",
    ]


def test_an_existing_file_is_not_overwritten(tmp_path: Path, crm: Path, propose_folder: Propose) -> None:
    path = tmp_path / "gtm.toml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConflictError) as caught:
        write_config(propose_folder(crm), path)

    assert caught.value.message == f"gtm.toml exists already in {str(tmp_path)!r}"
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_place_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, crm: Path, propose_folder: Propose
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError):
        write_config(propose_folder(crm), tmp_path / "file" / "gtm.toml")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
