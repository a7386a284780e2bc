"""Exports that nobody tuned the proposals to: the columns' meanings, and the way from them to profiles."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tomllib
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gtm_orchestra.config import Config, load_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EXPECTED = tomllib.loads(Path(__file__).with_name("expected.toml").read_text(encoding="utf-8"))
EXPORTS = ("shop", "crm", "saas")


# What a column means → the words under which [tables.ROLE.columns] may hold it. A word of nobody's but the
# column's own name is a property, which is right for every column that is not something more.
MEANINGS: dict[str, set[str]] = {
    "key": {"people.key", "accounts.key", "subscriptions.key"},
    "person": {"events.person", "consents.person", "outcomes.person"},
    "account": {"people.account", "subscriptions.account"},
    "anonymous": {"events.anonymous"},
    "email": {"people.email", "events.email"},
    "name": {"people.name"},
    "phone": {"people.phone"},
    "company": {"people.company"},
    "country": {"people.country", "accounts.country"},
    "created": {"people.created_at", "accounts.created_at"},
    "loaded": {"people.loaded_at", "events.loaded_at"},
    "lifecycle": {"people.lifecycle", "people.stage"},
    "event key": {"events.key", "events.id"},
    "event time": {"events.time", "outcomes.time"},
    "event name": {"events.name", "outcomes.name"},
    "event property": set(),
    "amount": {"events.value", "events.amount", "outcomes.value", "subscriptions.amount"},
    "currency": {"events.currency", "subscriptions.currency"},
    "consent": {"consents.status"},
    "consent time": {"consents.at", "consents.proof", "consents.confirmed_at"},
    "withdrawn time": {"consents.withdrawn_at"},
    "consent proof": {"consents.proof", "consents.source"},
    "account name": {"accounts.name"},
    "plan": {"subscriptions.plan", "accounts.plan"},
    "subscription status": {"subscriptions.status"},
    "started": {"subscriptions.started_at"},
    "ended": {"subscriptions.ended_at", "subscriptions.canceled_at"},
    "free text": set(),
    "attribute": set(),
}
# Meanings for which a property is not enough: without them the table cannot do its work.
MORE_THAN_A_PROPERTY = {"key", "person", "account", "event time", "event name", "amount", "consent"}
# A class may be stricter than the truth, which costs an attribute; laxer, and it costs a person.
STRICTNESS = {"none": 0, "internal": 1, "proxy": 2, "personal": 2, "special": 3, "unknown": 4}


@dataclass
class Verdict:
    """What became of one column."""

    where: str
    mapped: bool = False
    wrong: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    may_stay_out: bool = False

    @property
    def counts(self) -> bool:
        return self.mapped or bool(self.wrong) or not self.may_stay_out


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return "_".join("".join(c if c.isalnum() else " " for c in plain.lower()).split())


def _judge_meanings(verdict: Verdict, truth: dict[str, Any], column: str, uses: Iterable[str]) -> None:
    right = MEANINGS[truth["is"]]
    for use in uses:
        if use in right:
            verdict.mapped = True
        elif use.split(".", 1)[1] == _slug(column):
            if truth["is"] in MORE_THAN_A_PROPERTY:
                verdict.misses.append(
                    f"only a property of {use.split('.', 1)[0]}, but it is the {truth['is']}"
                )
            else:
                verdict.mapped = True
        else:
            verdict.wrong.append(f"taken as {use}, but it is: {truth['is']}")


def _judge_attribute(verdict: Verdict, truth: dict[str, Any], type_: str, sensitivity: str) -> None:
    types, classes = truth.get("type", []), truth.get("sensitivity", [])
    if not types:
        verdict.misses.append("in the catalog, where it does not belong")
    elif type_ not in types:
        verdict.wrong.append(f"type {type_}, but it is {' or '.join(types)}")
    elif sensitivity in classes:
        verdict.mapped = True
    elif STRICTNESS[sensitivity] < min(STRICTNESS[word] for word in classes):
        verdict.wrong.append(f"sensitivity {sensitivity}, but it is {' or '.join(classes)}")
    else:
        verdict.misses.append(f"sensitivity {sensitivity}, but it is {' or '.join(classes)}")


def _judge_words(
    verdict: Verdict, truth: dict[str, Any], granted: Iterable[str], denied: Iterable[str]
) -> None:
    """Compare which of the column's words grant and deny; a word that is in neither only costs reach."""
    yes, no = {word.lower() for word in granted}, {word.lower() for word in denied}
    truly = truth.get("snapshot")
    if truly is None:
        verdict.wrong.append(f"taken as consent, but it is: {truth['is']}")
        return
    false_yes = yes & {*truly["denied"], *truly.get("never", [])}
    if false_yes:
        verdict.wrong.append(f"{', '.join(sorted(false_yes))} taken as consent")
    if no & set(truly["granted"]):
        verdict.wrong.append(f"{', '.join(sorted(no & set(truly['granted'])))} taken as no consent")
    missing = (set(truly["granted"]) - yes) | (set(truly["denied"]) - no)
    if missing:
        verdict.misses.append(f"{', '.join(sorted(missing))} not known as consent or its refusal")
        verdict.mapped = False
    elif not verdict.wrong:
        verdict.mapped = True


def judge(config: Config, table: str, roles: list[str], column: str, truth: dict[str, Any]) -> Verdict:
    """Return what became of one column of one table of an export."""
    verdict = Verdict(f"{table}.{column}", may_stay_out=bool(truth.get("unknown", False)))
    played = {role: found for role, found in config.tables.items() if found.table == table}
    verdict.wrong += [f"its table plays {role}" for role in played if role not in roles]
    for role, found in played.items():
        uses = [f"{role}.{word}" for word, name in found.columns.items() if name == column]
        _judge_meanings(verdict, truth, column, uses)
        if f"{role}.status" in uses and role == "consents":
            _judge_words(verdict, truth, config.consent.granted, config.consent.denied)
        if role == "people":
            for snapshot in config.consent.snapshots.values():
                if snapshot.column == column:
                    _judge_words(verdict, truth, snapshot.granted, snapshot.denied)
    for attribute in config.attributes.values():
        of = played.get(attribute.table)
        if (of is not None and attribute.column == column) or attribute.column == f"{table}.{column}":
            _judge_attribute(verdict, truth, attribute.type, attribute.sensitivity)
    if verdict.wrong:
        verdict.mapped = False
    elif not verdict.mapped and not verdict.misses:
        verdict.misses.append(f"not mapped; it is: {truth['is']}")
    return verdict


def verdicts(config: Config, export: str) -> list[Verdict]:
    return [
        judge(config, table, truth["roles"], column, of_column)
        for table, truth in EXPECTED[export].items()
        for column, of_column in truth["columns"].items()
    ]


def answered(folder: Path) -> None:
    """Answer what only a person can: who signs, who delivers, which gap in consent is accepted."""
    path = folder / "gtm.toml"
    text = path.read_text(encoding="utf-8")
    text += '\n[people.privacy]\nname = "Petra Vogel"\nroles = ["privacy-lead"]\n'
    text = text.replace("[channels.email]", '[channels.email]\nsystem = "Mail system"', 1)
    text = re.sub(r"^integrity_floor = .*$", "integrity_floor = 0.05", text, count=1, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")


def crm_config(people: str, snapshot: str, attribute: str) -> Config:
    return Config.model_validate(
        tomllib.loads(
            f"""
            [workspace]
            name = "crm"
            [source]
            url = "crm"
            [tables.people]
            table = "contacts"
            columns = {people}
            [consent.snapshots.mail]
            column = "Opted out"
            {snapshot}
            [attributes.a]
            table = "people"
            column = "Diet"
            {attribute}
            """
        )
    )


def test_the_scoring_tells_wrong_from_missed() -> None:
    config = crm_config(
        '{key = "ID", created_at = "Birthday", note = "Note"}',
        'granted = ["true"]\ndenied = ["false"]',
        'type = "string"\nsensitivity = "internal"',
    )
    truths: dict[str, dict[str, Any]] = {
        "ID": {"is": "key"},
        "Birthday": {"is": "attribute", "type": ["timestamp"], "sensitivity": ["personal"]},
        "Note": {"is": "free text"},
        "Opted out": {"is": "consent", "snapshot": {"granted": ["false"], "denied": ["true"]}},
        "Diet": {"is": "attribute", "type": ["string"], "sensitivity": ["special"]},
        "Zip": {"is": "attribute", "type": ["string"], "sensitivity": ["personal"]},
    }
    found = {name: judge(config, "contacts", ["people"], name, truth) for name, truth in truths.items()}
    assert {name: (verdict.mapped, verdict.wrong) for name, verdict in found.items()} == {
        "ID": (True, []),
        "Birthday": (False, ["taken as people.created_at, but it is: attribute"]),
        "Note": (True, []),
        "Opted out": (False, ["true taken as consent", "false taken as no consent"]),
        "Diet": (False, ["sensitivity internal, but it is special"]),
        "Zip": (False, []),
    }
    assert found["Zip"].misses == ["not mapped; it is: attribute"]
    other = judge(config, "contacts", ["accounts"], "ID", {"is": "key"})
    assert other.wrong == ["its table plays people"]


def test_the_exports_are_the_same_bytes_on_every_call_and_small(exports: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("make_exports.py")
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)

    def digests(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    assert digests(exports) == digests(tmp_path)
    for export in EXPORTS:
        size = sum(path.stat().st_size for path in (exports / export).iterdir())
        assert size <= 2 * 1024 * 1024, f"{export}: {size:,} bytes"


@pytest.mark.parametrize(
    "export",
    EXPORTS,
)
def test_nine_tenths_of_an_unseen_exports_columns_are_mapped_and_none_wrongly(
    export: str, proposed: Callable[[str], Path]
) -> None:
    found = verdicts(load_config(proposed(export) / "gtm.toml"), export)
    counted = [verdict for verdict in found if verdict.counts]
    mapped = [verdict for verdict in counted if verdict.mapped]
    wrong = [f"{verdict.where}: {'; '.join(verdict.wrong)}" for verdict in found if verdict.wrong]
    missed = [f"{v.where}: {'; '.join(v.misses)}" for v in counted if not v.mapped and not v.wrong]
    share = len(mapped) / len(counted)
    listing = "\n".join([f"{export}: {len(mapped)} of {len(counted)} mapped ({share:.1%})", *missed])
    print(listing, "wrong:", *wrong, sep="\n")  # noqa: T201  (the list is what a reader runs this for)
    assert wrong == [], listing
    assert share >= 0.9, listing


@pytest.mark.parametrize(
    "export",
    EXPORTS,
)
def test_an_unseen_export_gives_three_to_eight_profiles(
    export: str,
    exports: Path,
    tmp_path: Path,
    gtm: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    folder = tmp_path / export
    result = gtm(tmp_path, "init", export, "--source", str(exports / export))
    assert result.returncode == 0, result.stderr
    answered(folder)
    accepted = gtm(folder, "catalog", "accept", "--safe")
    assert accepted.returncode == 0, accepted.stderr
    defined = gtm(
        *(folder, "define-profiles", "--initiative", "Spring growth", "--channels", "email"),
        *("--as-of", "2026-06-01T06:00Z", "--json"),
    )
    if defined.returncode == 1:
        pytest.fail(f"an internal error is no known gap: {defined.stderr}")
    # 4: only the sign-off is open.
    assert defined.returncode == 4, defined.stderr
    answer = json.loads(defined.stdout)
    text = (Path(answer["folder"]) / "eligibility-and-suppression.md").read_text(encoding="utf-8")
    profiles = [part.splitlines()[0] for part in text.split("\n## ")[1:] if "Identifier: `" in part]
    print(export, *profiles, sep="\n")  # noqa: T201  (the same)
    assert 3 <= len(profiles) <= 8, profiles
