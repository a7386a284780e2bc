"""Catalog entries and mapped columns from what the tables are: every useful column once, under one name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gtm_orchestra.warehouse.proposals.business import channels_of
from gtm_orchestra.warehouse.proposals.consent_words import OTHER_MAIL
from gtm_orchestra.warehouse.proposals.exclusions import OBJECTIONS, Exclusion, exclusion, unsubscribed
from gtm_orchestra.warehouse.proposals.names import fold, slug, words
from gtm_orchestra.warehouse.proposals.proposal import ColumnProposal
from gtm_orchestra.warehouse.proposals.value_words import NO, OUT, YES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gtm_orchestra.warehouse.proposals.columns import ColumnReading
    from gtm_orchestra.warehouse.proposals.readings import RoleReading

__all__ = ["Entries", "describe"]

# Unless the values are its keys, "person_id" is the identifier of something else.
_REFERENCES = frozenset({"person_id", "account_id", "anonymous_id"})
_CONSENT_CONCEPTS = frozenset({"consent", "consent_status"})
_NO_ATTRIBUTE = frozenset({"key", "account", "anonymous", "loaded_at"})
_FIXED = frozenset(
    {
        *(
            "key",
            "person",
            "account",
            "anonymous",
            "email",
            "time",
            "name",
            "at",
            "purpose",
            "proof",
            "value",
        ),
        *(
            "amount",
            "loaded_at",
            "created_at",
            "started_at",
            "expires_at",
            "withdrawn_at",
            "experiment",
            "variant",
        ),
    }
)
# A log of fewer people than consent must be known for is a list of readers, not the record of all.
_FEW_LOGGED = 0.95
_GIVEN_YES, _GIVEN_NO = ("yes", "true", "1"), ("no", "false", "0")


def describe(reading: ColumnReading) -> str:
    """Return what a column is, in a few words for the catalog."""
    unit = f" in {reading.unit}" if reading.unit and reading.unit != "%" else ""
    return (reading.label or reading.concept) + unit


class Entries:
    """Collects what becomes of each column of the mapped tables.

    Attributes:
        attributes: Catalog entries by name.
        snapshots: Consent snapshots by purpose.
        suppressions: People kept out, by name.
        exclusions: Suppression → why it is proposed.
        objections: Purposes whose snapshot says who objected, not who agreed.
        columns: One proposal per column looked at.
        meanings: Role → meaning → column.
        formats: Role → column → how its text is written.
    """

    def __init__(self) -> None:
        self.attributes: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.suppressions: dict[str, dict[str, Any]] = {}
        self.exclusions: dict[str, str] = {}
        self.objections: set[str] = set()
        self.columns: list[ColumnProposal] = []
        self.meanings: dict[str, dict[str, str]] = {}
        self.formats: dict[str, dict[str, str]] = {}

    def add(self, found: RoleReading) -> None:
        """Take in every column of a table with a role."""
        role = found.role
        self.meanings[role] = dict(found.columns)
        self.formats[role] = {}
        back = {column: meaning for meaning, column in found.columns.items()}
        for reading in found.table.columns:
            name = reading.measure.name
            meaning = back.get(name, "")
            attribute = consent = why_not = ""
            usable = bool(reading.concept) and not reading.problem
            if reading.format is not None and (meaning or usable):
                self.formats[role][name] = reading.format
            if role == "people" and usable and (purpose := self._snapshot(reading)):
                consent = purpose
                attribute = self._refusing(found, reading)
            elif role in {"people", "accounts"} and usable and meaning not in _NO_ATTRIBUTE:
                attribute = self._attribute(found, reading)
                self._keep_out(reading, attribute)
            elif not meaning and usable:
                meaning = self._extra(role, reading)
                why_not = "" if meaning else _stranger(reading)
                if role == "subscriptions" and reading.type is not None:
                    attribute = self._joined(found, reading)
            if (
                role == "subscriptions"
                and meaning in {"plan", "amount", "status", "started_at", "ended_at"}
                and not attribute
                and reading.type
            ):
                attribute = self._joined(found, reading)
            if not (attribute or consent or meaning):
                why_not = why_not or reading.problem or _unknown(role, reading)
            self.columns.append(
                _proposed(
                    reading, role=role, meaning=meaning, attribute=attribute, consent=consent, why_not=why_not
                )
            )

    def skip(self, table: str, readings: Sequence[ColumnReading], why: str) -> None:
        """Take in a table without a role: all its columns stay unmapped."""
        self.columns += [
            _proposed(r, why_not=f"its table has no role: {why}")
            for r in readings
            if r.measure.table == table
        ]

    def settle_objections(self, logged: Collection[str], *, covered: float = 1.0) -> dict[str, str]:
        """Keep a column as a snapshot only where nothing better says who agreed.

        A log is the record: a column beside it, spelled otherwise, would overrule a withdrawal that the log
        holds. Where the log knows few people, an agreement in a column is kept under the log's own purpose,
        so that a no in either is a no. And who has not objected has not agreed: beside an opt-in, an opt-out
        only keeps people out.

        Args:
            logged: The purposes of the log.
            covered: Share of the people that the log knows.

        Returns:
            Purpose → column that was kept ("+" before it) or left to the log, for the evidence.
        """
        said: dict[str, str] = {}
        recorded = frozenset[str]().union(*(channels_of(purpose) for purpose in logged))
        for purpose in sorted(self.snapshots):
            if channels_of(purpose) & recorded:
                snapshot = self.snapshots.pop(purpose)
                same = [other for other in sorted(logged) if channels_of(other) & channels_of(purpose)]
                few = covered < _FEW_LOGGED and len(same) == 1 and same[0] not in said
                if few and purpose not in self.objections:
                    self.snapshots[same[0]] = snapshot
                    said[same[0]] = f"+{snapshot['column']}"
                else:
                    said[purpose] = snapshot["column"]
                self.objections.discard(purpose)
        agreed = [*logged, *(purpose for purpose in self.snapshots if purpose not in self.objections)]
        opened = frozenset[str]().union(*(channels_of(purpose) for purpose in agreed))
        for purpose in sorted(self.objections):
            if not channels_of(purpose) or channels_of(purpose) & opened:
                del self.snapshots[purpose]
        return said

    def add_events(self, events: RoleReading, names: Sequence[tuple[str, float]]) -> None:
        """Add how often the most frequent events happened, and how long ago."""
        many = len(names) > 1
        for name, share in names:
            base = slug(name)
            evidence = f"{share:.0%} of the rows of {events.table.name!r}"
            window = "90d" if "name" in events.constants else "30d"
            common = {
                "table": "events",
                "event": name,
                "type": "number",
                "sensitivity": "internal",
                "confidence": 0.9,
                "evidence": evidence,
                "purpose": "personalization",
            }
            self.attributes[self._free(f"{base}_{window}")] = {
                **common,
                "measure": "count",
                "window": window,
                "description": f"how often {name!r} in {window[:-1]} days",
            }
            self.attributes[self._free(f"days_since_{base}")] = {
                **common,
                "measure": "days_since_last",
                "coverage": 0.0,
                "description": f"days since the last {name!r}",
            }
        if many:
            self.attributes[self._free("active_days_30d")] = {
                "table": "events",
                "event": "*",
                "type": "number",
                "sensitivity": "internal",
                "confidence": 0.9,
                "evidence": f"all rows of {events.table.name!r}",
                "purpose": "personalization",
                "measure": "distinct_days",
                "window": "30d",
                "description": "days with any event in 30 days",
            }
            self.attributes[self._free("days_since_active")] = {
                "table": "events",
                "event": "*",
                "type": "number",
                "sensitivity": "internal",
                "confidence": 0.9,
                "evidence": f"all rows of {events.table.name!r}",
                "purpose": "personalization",
                "measure": "days_since_last",
                "coverage": 0.0,
                "description": "days since any event",
            }

    def _free(self, name: str) -> str:
        taken = re.match(r"^(person_id$|consent__|suppressed__|addressable__)", name)
        name = f"{name}_value" if taken else name
        if name not in self.attributes:
            return name
        number = 2
        while f"{name}_{number}" in self.attributes:
            number += 1
        return f"{name}_{number}"

    def _attribute(self, found: RoleReading, reading: ColumnReading) -> str:
        if reading.type is None:
            return ""
        name = slug(reading.measure.plain_name or reading.measure.name)
        if found.role == "accounts" and not name.startswith(("account", "company")):
            name = f"account_{name}"
        name = self._free(name)
        self.attributes[name] = self._settings(reading, found.role, reading.measure.name)
        return name

    def _refusing(self, found: RoleReading, reading: ColumnReading) -> str:
        """Keep out who refused by a column of consent, and return the attribute that says so, if any."""
        if reading.consent is not None and reading.consent.inverted:
            return self._objection(found, reading)
        if unsubscribed(reading, "") is None:
            return ""
        attribute = self._attribute(found, reading)
        self._suppress(unsubscribed(reading, attribute), attribute)
        return attribute

    def _objection(self, found: RoleReading, reading: ColumnReading) -> str:
        """Keep out who objected, on the channels of that purpose: an agreement elsewhere does not undo it."""
        name = self._attribute(found, reading)
        said = reading.consent
        if not name or said is None or said.purpose in OTHER_MAIL:
            return name
        if reading.type == "boolean":
            condition: dict[str, Any] = {name: True}
        elif reading.type == "number":
            condition = {name: 1}
        else:
            condition = {
                name: {"$in": sorted(v for v in reading.measure.vocabulary if fold(v.strip()) in YES)}
            }
            if not condition[name]["$in"]:
                return name
        settings: dict[str, Any] = {"condition": condition, "reason": f"objected: {reading.measure.name}"}
        channels = OBJECTIONS.get(said.purpose)
        if channels:
            settings["channels"] = channels
        self.suppressions[f"objected_{slug(reading.measure.plain_name or reading.measure.name)}"] = settings
        return name

    def _keep_out(self, reading: ColumnReading, attribute: str) -> None:
        """Keep out staff, tests, dead addresses and deleted records where a column says who they are."""
        self._suppress(exclusion(reading, attribute) if attribute else None, attribute)

    def _suppress(self, found: Exclusion | None, attribute: str) -> None:
        if found is None:
            return
        settings: dict[str, Any] = {"condition": found.condition, "reason": found.reason}
        if found.channels:
            settings["channels"] = list(found.channels)
        self.suppressions[attribute] = settings
        self.exclusions[attribute] = found.evidence

    def keep_out_staff(self, domains: ColumnReading, own: str, evidence: str) -> None:
        """Keep out who has an address of the workspace's own domain."""
        name = next(
            (
                name
                for name, settings in self.attributes.items()
                if settings["table"] == "people" and settings.get("column") == domains.measure.name
            ),
            "",
        )
        if name:
            self.suppressions["own_staff"] = {
                "condition": {name: own},
                "reason": f"own staff: {domains.measure.name}",
            }
            self.exclusions["own_staff"] = evidence

    def _joined(self, found: RoleReading, reading: ColumnReading) -> str:
        """Offer a column of the latest subscription as an attribute of its account or person."""
        role = "accounts" if "account" in found.columns else "people"
        name = slug(reading.measure.plain_name or reading.measure.name)
        name = self._free(
            name if name.startswith(("subscription", "plan", "mrr")) else f"subscription_{name}"
        )
        self.attributes[name] = self._settings(reading, role, f"{found.table.name}.{reading.measure.name}")
        return name

    def _settings(self, reading: ColumnReading, role: str, column: str) -> dict[str, Any]:
        # Who never came or ordered has no last time: that is an answer, not a gap.
        never = {"coverage": 0.0} if reading.concept in {"last_activity_at", "last_order_at"} else {}
        return {
            **never,
            "table": role,
            "column": column,
            "type": reading.type,
            "description": describe(reading),
            "purpose": "personalization",
            "sensitivity": reading.sensitivity,
            "sensitivity_note": reading.note,
            "evidence": reading.evidence,
            "confidence": round(reading.confidence, 2),
        }

    def _extra(self, role: str, reading: ColumnReading) -> str:
        """Map a column that its role does not need under its own name, so that nobody wonders later."""
        taken = self.meanings[role]
        if reading.concept == "special" or (
            reading.concept == "generic" and reading.sensitivity == "unknown"
        ):
            return ""
        if reading.concept in _REFERENCES or reading.concept == "free_text":
            return ""
        # The words with a fixed meaning for a role belong to the column that was chosen for it.
        name = slug(reading.measure.plain_name or reading.measure.name)
        while name in taken or name in _FIXED:
            name = f"other_{name}"
        taken[name] = reading.measure.name
        return name

    def _snapshot(self, reading: ColumnReading) -> str:
        """Take a column of current consent as a snapshot; a second one of a purpose is named after itself."""
        said = reading.consent
        if said is None or said.weak:
            return ""
        yes, no = _words(reading)
        if said.inverted:
            yes, no = no, yes
        purpose = said.purpose
        if purpose in self.snapshots and said.inverted:
            # The suppression that goes with it is all that a second objection needs.
            return purpose
        if purpose in self.snapshots:
            purpose = "-".join(words(reading.measure.name))
        if said.inverted:
            self.objections.add(purpose)
        self.snapshots[purpose] = {"column": reading.measure.name, "granted": yes, "denied": no}
        return purpose


def _stranger(reading: ColumnReading) -> str:
    """Return why a column that reads like a reference, or like anything at all, is no property."""
    if reading.concept in _REFERENCES:
        return f"named like the {reading.label}, but its values are not those that this row refers to"
    if reading.concept == "free_text":
        return "free text: it may hold anything"
    return ""


def _unknown(role: str, reading: ColumnReading) -> str:
    """Return why a readable column stays out, and how to take it in."""
    if reading.concept == "special":
        return f"{reading.label}: it is not taken over"
    if reading.concept == "generic":
        what = f"{reading.label}, but its name is not known"
        return f"{what}; to take it in, write it into [tables.{role}.columns]"
    return "neither its name nor its values tell what it is"


def _words(reading: ColumnReading) -> tuple[list[str], list[str]]:
    """Return the words for yes and no as the column writes them, in lower case; the usual ones if unseen."""
    measure = reading.measure
    if measure.type == "boolean":
        return ["true"], ["false"]
    if measure.type == "integer":
        return ["1"], ["0"]
    yes = sorted({value.strip().lower() for value in measure.vocabulary if fold(value.strip()) in YES})
    no = sorted({value.strip().lower() for value in measure.vocabulary if fold(value.strip()) in NO | OUT})
    return yes or list(_GIVEN_YES), no or list(_GIVEN_NO)


def _proposed(reading: ColumnReading, **where: str) -> ColumnProposal:
    return ColumnProposal(
        table=reading.measure.table,
        column=reading.measure.name,
        type=reading.type,
        sensitivity=reading.sensitivity,
        evidence=reading.evidence,
        confidence=round(reading.confidence, 2),
        **where,
    )


def consent_words(readings: Mapping[str, ColumnReading]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words for yes and no that a consent log's status column uses, beyond the usual ones."""
    status = readings.get("status")
    if status is None:
        return (), ()
    yes, no = _words(status)
    return tuple(yes), tuple(no)
