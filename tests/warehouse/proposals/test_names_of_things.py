"""Names that put the kind second or the tax at the end, lists in one cell, and channels with a word of their own."""

# ruff: noqa: E501 - rows of exports read best as one line

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gtm_orchestra.warehouse.proposals import Proposal
from gtm_orchestra.warehouse.proposals.business import channels_of, propose_channels
from gtm_orchestra.warehouse.proposals.lexicon import find_concept, is_business_word
from gtm_orchestra.warehouse.proposals.names import words

Write = Callable[..., None]
Propose = Callable[[Path], Proposal]


def people(write: Write, folder: Path, more: list[str], cells: Callable[[int], list[object]]) -> None:
    rows = [[1000 + n, f"p{n}@example.com", "Ann", *cells(n)] for n in range(300)]
    write(folder / "customers.csv", ["customer_id", "email", "first_name", *more], rows)


@pytest.mark.parametrize(
    ("header", "concept"),
    [
        ("Order Total (inc tax)", "amount"),
        ("Gesamtbetrag inkl. MwSt", "amount"),
        ("Subtotal (ex tax)", "subtotal"),
        ("Shipping Cost (inc tax)", "shipping_cost"),
        ("Order tax", "tax"),
        ("Score: Engagement", "lead_score"),
        ("Internal Test Contact", "is_test"),
        ("Contact de test", "is_test"),
    ],
)
def test_a_header_is_read_without_its_tax_and_with_its_kind_second(header: str, concept: str) -> None:
    found = find_concept(words(header))
    assert found is not None
    assert found[0].name == concept


def test_of_two_totals_the_one_with_tax_is_surer() -> None:
    taxed, bare = find_concept(words("Order Total (inc tax)")), find_concept(words("Order Total (ex tax)"))
    assert taxed is not None
    assert bare is not None
    assert taxed[1] > bare[1]


def test_the_plural_of_a_business_word_is_one() -> None:
    assert [is_business_word(word) for word in ("webinars", "attended", "therapies")] == [True, True, False]


def test_a_deal_that_names_only_people_says_what_it_needs(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["Interests"], lambda n: [f"||Finance||Topic {n % 100}||"])
    rows = [[f"d{n}", f"p{n}@example.com", "£895.00", "Open", "2025-01-05T10:00:00Z"] for n in range(200)]
    write(tmp_path / "deals.csv", ["Deal ID", "Contact Email", "Deal Value", "Stage", "Created Date"], rows)
    proposal = propose_folder(tmp_path)
    assert proposal.tables_without_role == {
        "deals": "it looks like opportunities, but lacks an account; it names only people, by 'Contact Email'"
    }
    assert (
        "give deals an account: it names only people, by 'Contact Email'; make a view that adds the key of each person's "
        "company, map that key as account of [tables.people] too, and the view as [tables.opportunities]"
    ) in proposal.next_steps


def test_money_in_groups_of_three_is_thousands_unless_a_neighbour_says_otherwise(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(
        write,
        tmp_path,
        ["Budget", "Weight", "Choices"],
        lambda n: ["£5,000" if n % 2 else "£12,000", "1,204", f"||A||B{n % 90}||"],
    )
    proposal = propose_folder(tmp_path)
    assert proposal.config.tables["people"].formats == {"Budget": "decimal-point"}
    assert proposal.config.attributes["budget"].evidence.endswith(
        "',' parts thousands: money in groups of three digits, never with cents"
    )
    assert {c.column for c in proposal.unmapped} == {"Weight"}
    assert proposal.config.attributes["choices"].description == "several choices of a list"


def test_a_neighbour_with_a_decimal_comma_overrules_the_currency_sign(
    tmp_path: Path, write: Write, propose_folder: Propose
) -> None:
    people(write, tmp_path, ["Budget", "Revenue"], lambda n: ["€5,125" if n % 2 else "€1,250", "1.200,50"])
    assert propose_folder(tmp_path).config.tables["people"].formats["Budget"] == "decimal-comma"


def test_a_channel_with_a_consent_word_of_its_own_needs_that_consent() -> None:
    found = propose_channels(["in_app_messages", "marketing_email", "personalization"], has_email=True)
    assert {channel: settings["purpose"] for channel, (settings, _, _) in found.items()} == {
        "web": "personalization", "in-app": "in_app_messages", "email": "marketing_email", "ads": "ads", "sales": "sales-contact",
    }  # fmt: skip
    assert channels_of("in_app_analytics") == frozenset()
