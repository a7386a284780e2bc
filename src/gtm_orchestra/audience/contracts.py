"""The typed results that tasks hand to each other. No row of a person is ever in one.

Counts are people unless a field says otherwise; shares are fractions; ages are hours; times are aware.
Every value shown stands for a group of at least `policies.group_minimum` people.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from gtm_orchestra.config import AttributeType, Channel, Place, ReviewStatus, Sensitivity
from gtm_orchestra.model import Model
from gtm_orchestra.plans.effects import EffectRequest

Severity = Literal["info", "warning", "blocker"]
FindingKind = Literal[
    "stale_source",
    "low_coverage",
    "consent_gap",
    "special_category",
    "proxy",
    "personal_data",
    "duplicates",
    "broken_rows",
    "unmatched_rows",
    "late_events",
    "future_times",
    "drift",
    "unreviewed",
    "unavailable",
    "small_group",
    "not_understood",
    "unmapped_metric",
    "schema_change",
    "not_measurable",
    "redundant",
    "channel_blocked",
    "consent_page",
    "time_zone",
    "contradiction",
    "timeline",
    "missing_system",
    "missing_owner",
]


class Finding(Model):
    """Something a person should know: what, how bad, by which figures, what mends it and who decides."""

    kind: FindingKind
    severity: Severity
    subject: str = Field(
        description="What it is about: an attribute, table role, purpose, channel or profile."
    )
    finding_id: str = Field(
        default_factory=lambda found: f"{found['kind']}:{found['subject']}",
        description="Stable across runs on the same data: kind:subject, and a part where there are several.",
    )
    message: str = Field(
        description="One or two sentences for a marketing-operations person, with the figures."
    )
    evidence: dict[str, float | int | str | None] = Field(default_factory=dict)
    mend: str = ""
    decides: str = Field(
        default="", description="Role that decides, such as privacy-lead; '' = nobody needs to."
    )
    waivable: bool = True


# --- objective intake -------------------------------------------------------------------------------------


class ConstraintReading(Model):
    """What a constraint in words was understood as. Nothing is dropped: what is not understood says so."""

    text: str
    understood: bool
    effect: str = Field(description="In plain words; for one not understood: why, and what could be written.")
    eligibility: dict[str, Any] | None = Field(default=None, description="Condition every profile must add.")
    excluded_attributes: tuple[str, ...] = ()
    excluded_channels: tuple[Channel, ...] = ()
    excluded_places: dict[Channel, tuple[Place, ...]] = Field(
        default_factory=dict, description="Where a channel may not decide, such as ads in the browser."
    )
    note_for: str = Field(default="", description="Role that must act on it, such as legal.")


class TimelineReading(Model):
    """What a delivery window in words was understood as."""

    text: str
    understood: bool
    due: date | None = None
    effect: str


class MetricReading(Model):
    """One KPI that was asked for, mapped to [metrics] of gtm.toml or not."""

    name: str
    asked: str
    mapped: bool
    baseline: float | None = Field(
        default=None, description="Today's value over the people in reach, if measured."
    )
    unit: str = ""
    counted: str = Field(default="", description="What the baseline counts: of whom, over which time.")
    missing: str = Field(default="", description="For an unmapped one: what gtm.toml must say.")


class Persona(Model):
    """A kind of person the initiative is for, with the share of people it stands for where data says so."""

    name: str
    description: str
    people: int | None = None
    evidence: str = ""


class Objectives(Model):
    """Result of objective intake."""

    initiative: str
    goals: tuple[str, ...]
    personas: tuple[Persona, ...]
    lifecycle_stages: tuple[str, ...]
    channels: tuple[Channel, ...]
    metrics: tuple[MetricReading, ...]
    constraints: tuple[ConstraintReading, ...]
    timeline: TimelineReading | None
    findings: tuple[Finding, ...] = ()


# --- inventory --------------------------------------------------------------------------------------------


class ValueShare(Model):
    """One value of an attribute and how many people have it; never fewer than the group minimum."""

    value: str
    people: int


class AttributeFact(Model):
    """What one catalog attribute looks like today, over the people table."""

    name: str
    table: str
    source: str = Field(description="table.column, or the event and how it is counted.")
    source_system: str = ""
    type: AttributeType
    required: bool
    available: bool = Field(description="The column, or the event, exists in the data.")
    people: int = Field(description="People looked at (valid, deduplicated).")
    filled: int
    coverage: float
    coverage_sla: float
    distinct: int | None = None
    top_values: tuple[ValueShare, ...] = ()
    small_groups: int = Field(default=0, description="Values suppressed because under the group minimum.")
    quantiles: tuple[float, ...] = Field(default=(), description="5, 25, 50, 75, 95 % of a number.")
    newest: datetime | None = Field(default=None, description="Newest row of its source.")
    age_hours: float | None = None
    freshness_sla_hours: float | None = None
    stale: bool = False
    cadence_hours: float | None = Field(default=None, description="Observed median time between loads.")
    sensitivity: Sensitivity
    sensitivity_note: str = ""
    personal_data: str = Field(
        default="", description="Kind found in names and values, such as email, phone."
    )
    drift: float | None = Field(
        default=None, description="Population stability index, last 28 d against before."
    )
    available_at: tuple[Place, ...] = ()
    consent: str | None = None
    purpose: str | None = None
    owner: str = ""
    review: ReviewStatus = "proposed"
    usable: bool = Field(
        description="May stand in a profile: available, not denied, not special, fresh, covered."
    )
    why_not: str = ""


class TableFact(Model):
    """What one table looks like today."""

    role: str
    table: str
    rows: int
    broken_rows: int = Field(default=0, description="Rows without key, or whose key or time cannot be read.")
    unmatched_rows: int = Field(
        default=0,
        description="Rows whose person, named by an address or the like, is not in the people table.",
    )
    duplicate_keys: int = 0
    future_rows: int = 0
    late_rows: int = Field(default=0, description="Events that arrived more than 24 h after they happened.")
    oldest: datetime | None = None
    newest: datetime | None = None
    age_hours: float | None = None
    freshness_sla_hours: float | None = None
    stale: bool = False
    cadence_hours: float | None = None
    local_times: tuple[str, ...] = Field(
        default=(), description="Columns of times without a zone, where gtm.toml names none: read as UTC."
    )
    owner: str = ""


class IdentityFact(Model):
    """How many records are one person, and how many visitors are known."""

    records: int
    valid_people: int = Field(
        description="People left after broken rows, duplicates and suppressions of staff."
    )
    duplicate_emails: int = Field(default=0, description="Addresses that stand on more than one record.")
    duplicate_records: int = Field(default=0, description="Records that would vanish if those were merged.")
    internal_people: int = 0
    anonymous_ids: int = 0
    stitched_ids: int = 0
    accounts: int = 0
    people_with_account: int = 0

    @property
    def people(self) -> int:
        """Valid people, staff and machines among them: what every share is of.

        Texts name this base alone. Beside it `valid_people` would tell by subtraction how many are internal,
        also where those are too few to be shown.
        """
        return self.valid_people + self.internal_people


class SchemaField(Model):
    """One column as the source has it."""

    table: str
    column: str
    type: str


class Inventory(Model):
    """Result of the attribute inventory."""

    as_of: datetime
    engine: str
    tables: tuple[TableFact, ...]
    attributes: tuple[AttributeFact, ...]
    identity: IdentityFact
    columns: tuple[SchemaField, ...] = Field(description="Every column of every mapped table, sorted.")
    findings: tuple[Finding, ...]


class PurposeConsent(Model):
    """Consent for one purpose over the valid people."""

    purpose: str
    basis: Literal["log", "snapshot", "none"]
    people: int
    known: int = Field(description="People with any status.")
    expired: int
    unprovable: int = Field(description="Status without proof, or from a snapshot.")
    granted: int
    denied: int
    integrity: float = Field(description="Share with a status that is known, unexpired and provable.")
    opt_in_rate: float = Field(description="Share of people with a valid yes: reach, reported, not gated.")


class ChannelReach(Model):
    """May this channel be personalised, and whom does it reach?"""

    channel: Channel
    purpose: str
    system: str
    go: bool
    why: str = Field(description="One sentence with the figures.")
    reachable: int = Field(description="Valid, consented, not suppressed, and addressable on the channel.")
    not_addressable: int = Field(default=0, description="Consented, but without the channel's identifier.")
    integrity: float
    integrity_floor: float
    decides: str = ""
    mend: str = ""


class ConsentReport(Model):
    """Result of the consent review."""

    purposes: tuple[PurposeConsent, ...]
    channels: tuple[ChannelReach, ...]
    suppressed: dict[str, int] = Field(description="People per suppression of gtm.toml.")
    findings: tuple[Finding, ...]


# --- profiles ---------------------------------------------------------------------------------------------


class ScorePart(Model):
    """One summand of a profile's score: weight times (attribute, scaled to 0..1 between low and high)."""

    attribute: str
    weight: float
    low: float
    high: float
    invert: bool = False


class TreeNode(Model):
    """A decision tree: a question with two ways on, or a leaf. Every leaf compiles to a condition."""

    question: str = ""
    condition: dict[str, Any] | None = None
    yes: TreeNode | None = None
    no: TreeNode | None = None
    leaf: str = Field(default="", description="Name of the profile or fallback, for a leaf.")
    people: int | None = None


class Threshold(Model):
    """Where a cut lies and which distribution it comes from."""

    attribute: str
    operator: str
    value: float | str
    evidence: str = Field(description="Such as: 75th percentile of 31,220 people with a value.")


class Profile(Model):
    """An audience profile: a segment of people (a HubSpot list, a Braze segment), not one person's record."""

    profile_id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str
    description: str
    lifecycle_stage: str
    eligibility: dict[str, Any] = Field(description="Condition; see docs/conditions.md.")
    suppression: dict[str, Any] | None = Field(description="Condition of people left out, if any.")
    thresholds: tuple[Threshold, ...]
    score: tuple[ScorePart, ...]
    half_life: str = Field(description="Duration after which the score is worth half, such as 14d.")
    decay_window: str = Field(description="Duration after which membership ends without new evidence.")
    attributes: tuple[str, ...]
    size: int = Field(description="People, before consent.")
    share: float
    volume: dict[Channel, int] = Field(description="People per channel after consent and suppression.")
    fallback: str
    evidence: tuple[str, ...]
    added_over: str = Field(description="What it tells beyond a column that already exists, with figures.")
    deployable: bool
    why_not: str = ""
    parent: str | None = Field(
        default=None, description="For a group offered in place of one that was too small."
    )


def attributes_used(profile: Profile) -> tuple[str, ...]:
    """Return every attribute that a profile reads, sorted: those that select people and those that score."""
    return tuple(sorted({*profile.attributes, *(part.attribute for part in profile.score)}))


class Overlap(Model):
    """People two profiles share, before the order of the decision tree is applied."""

    left: str
    right: str
    people: int


class Profiles(Model):
    """Result of profile definition."""

    profiles: tuple[Profile, ...]
    overlaps: tuple[Overlap, ...]
    tree: TreeNode
    unassigned: int = Field(description="People in no profile: they see the fallback.")
    reachable: dict[Channel, int | None] = Field(
        default={},
        description="People a channel reaches within the constraints; None: fewer than the group minimum. A "
        "channel is missing where no constraint is about people, or so few drop out that the difference "
        "would tell how many.",
    )
    excluded: dict[str, str] = Field(description="Attribute → why it is not used.")
    findings: tuple[Finding, ...]


# --- activation, measurability, governance ----------------------------------------------------------------


class Activation(Model):
    """One profile on one channel: what has to be wired."""

    profile_id: str
    channel: Channel
    go: bool
    people: int
    system: str
    need: str = Field(description="API, webhook, SDK attribute or file that is needed.")
    payload: tuple[str, ...] = Field(description="Fields that travel.")
    decided_at: Place
    missing_at: tuple[str, ...] = Field(
        default=(), description="Attributes not available where it is decided."
    )
    fallback: str
    blockers: tuple[str, ...] = ()


class ActivationMap(Model):
    """Result of activation mapping."""

    activations: tuple[Activation, ...]
    findings: tuple[Finding, ...]


class Measure(Model):
    """Can an effect on this profile be seen, and how long would that take?"""

    profile_id: str
    metric: str
    people_per_week: float = Field(description="New people entering per week; 0 when not measurable.")
    people: int
    baseline: float | None
    detectable: float | None = Field(
        description="Smallest relative lift seen with the people of today, power 0.8."
    )
    days: int | None = Field(
        description="Days until a relative lift of 10 % is seen with power 0.8; None: never."
    )
    verdict: str


class Measurability(Model):
    """Result of the measurability check."""

    holdout: float
    measures: tuple[Measure, ...]
    findings: tuple[Finding, ...]


class OwnerDuty(Model):
    """Who owns what, how often it is looked at, and what a change of it needs."""

    subject: str
    owner: str = Field(description="Handle, or '' when nobody is named.")
    role: str
    qa_cadence: str
    change_checkpoint: str


class DataUse(Model):
    """One profile in the data-use record. A draft for the privacy lead, not legal advice."""

    profile_id: str
    attributes: tuple[str, ...]
    purpose: str
    lawful_basis: str
    recipients: tuple[str, ...]
    retention: str
    proxies: tuple[str, ...]
    open_questions: tuple[str, ...] = Field(description="Each ends with the name of who answers it.")


class GovernancePlan(Model):
    """Result of the governance plan."""

    duties: tuple[OwnerDuty, ...]
    data_uses: tuple[DataUse, ...]
    checkpoints: tuple[str, ...]
    findings: tuple[Finding, ...]


class OutputFile(Model):
    """One file of the outputs, by content."""

    name: str
    media_type: str
    sha256: str
    size: int


class Outputs(Model):
    """Result of writing the outputs: DRAFT until signed; the sign-off binds these digests."""

    folder: str
    files: tuple[OutputFile, ...]
    headline: str = Field(description="The answer in one sentence, for the end of the command.")
    effects: tuple[EffectRequest, ...] = Field(default=(), description="That they are put where people look.")
