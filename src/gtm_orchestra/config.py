"""gtm.toml: what a workspace says about its data, channels, people and policies.

Reading is strict: an unknown field, a missing reference or a wrong type is a `ConfigError` that names the
path inside the file, what was seen and what is allowed. `gtm init` writes the file, people edit it.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from gtm_orchestra.errors import ConfigError
from gtm_orchestra.model import Model

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CHANNELS",
    "AttributeSettings",
    "Channel",
    "ChannelSettings",
    "Config",
    "ConsentSnapshotSettings",
    "KeySettings",
    "MetricSettings",
    "PersonSettings",
    "SuppressionSettings",
    "TableSettings",
    "is_countable",
    "load_config",
    "parse_duration",
]

Channel = Literal["web", "in-app", "email", "ads", "sales"]
CHANNELS: tuple[Channel, ...] = ("web", "in-app", "email", "ads", "sales")

TableRole = Literal[
    "people",
    "events",
    "consents",
    "identities",
    "accounts",
    "membership",
    "opportunities",
    "subscriptions",
    "exposures",
    "outcomes",
]
AttributeType = Literal["string", "number", "boolean", "timestamp"]
Sensitivity = Literal["none", "internal", "personal", "special", "proxy", "unknown"]
ReviewStatus = Literal["proposed", "accepted", "denied"]
Place = Literal["browser", "server", "batch"]
Measure = Literal["count", "days_since_last", "distinct_days"]

_MOST = 100_000
_FIRST_YEAR, _LAST_YEAR = 1969, 2200
_UNITS = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}


def parse_duration(text: str) -> timedelta:
    """Return the length of a duration such as "90m", "24h", "14d" or "2w".

    Raises:
        ValueError: The text is not a positive whole number followed by m, h, d or w.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit() or not 0 < int(number) <= _MOST:
        message = (
            f"{text[:40]!r} is not a duration; write a whole number and m, h, d or w, such as 24h or 14d"
        )
        raise ValueError(message)
    return timedelta(hours=int(number) * _UNITS[unit])


def is_countable(moment: datetime) -> bool:
    """Whether windows before and after a moment still are times that every engine has."""
    return _FIRST_YEAR < moment.year < _LAST_YEAR


Duration = Annotated[str, Field(pattern=r"^[0-9]{1,6}[mhdw]$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class WorkspaceSettings(Model):
    """[workspace]: whose data this is; in which time zone days begin, in which currency money counts."""

    name: str = Field(min_length=1, max_length=200)
    timezone: str = "UTC"
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    as_of: datetime | None = Field(
        default=None, description="The moment an archived extract or a sample ends."
    )

    @field_validator("as_of")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and not is_countable(value):
            message = "as_of must lie between 1970 and 2199"
            raise ValueError(message)
        return value if value is None or value.tzinfo is not None else value.replace(tzinfo=UTC)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"{value!r} is no IANA time zone; write one such as Europe/Berlin"
            raise ValueError(message) from error
        return value


class SourceSettings(Model):
    """[source]: where the customer data lies. Read-only; the password comes from a named variable."""

    url: str = Field(
        min_length=1, description="Folder of Parquet or CSV files, DuckDB file, or database URL."
    )
    password_env: str | None = Field(
        default=None, description="Environment variable that holds the password."
    )
    schema_name: str | None = Field(
        default=None, alias="schema", description="Database schema, if not default."
    )


class TableSettings(Model):
    """[tables.ROLE]: which table plays a role, and which of its columns mean what.

    `columns` maps a meaning (key, person, time, name, email, account, …) to a column name. The meanings
    that a role needs are in `REQUIRED_COLUMNS`.
    """

    table: str = Field(min_length=1)
    columns: dict[str, str]
    time_zone: str | None = Field(default=None, description="Zone of times without one; default: UTC.")
    freshness: Duration | None = Field(default=None, description="SLA: the newest row may be this old.")
    owner: str | None = None
    source_system: str | None = None
    constants: dict[str, str] = Field(
        default_factory=dict,
        description="Meaning → one word for every row, where the table has no such column.",
    )
    formats: dict[str, str] = Field(
        default_factory=dict,
        description="Column → how its text is written: %d.%m.%Y, decimal-comma, decimal-point, epoch-ms.",
    )
    person_by: str | None = Field(
        default=None,
        description="Meaning in the people table that `person` holds instead of the key, such as email.",
    )
    account_by: str | None = Field(
        default=None,
        description="Meaning in the accounts table that `account` holds instead of the key, such as domain.",
    )
    exclude: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Column → words whose rows do not count, such as the states of cancelled orders.",
    )


# Meaning of every column name a role needs; more are optional: people email, created_at, account, loaded_at,
# anonymous; events anonymous, loaded_at, value; consents expires_at, withdrawn_at, proof, channel; accounts
# name; subscriptions account or person, plan, amount, started_at: the latest one's columns are "TABLE.COLUMN"
# of its account or person. A key that a table lacks may be a constant: the event name of a table of orders.
REQUIRED_COLUMNS: dict[str, tuple[str, ...]] = {
    "people": ("key",),
    "events": ("person", "time", "name"),
    "consents": ("person", "purpose", "status", "at"),
    "identities": ("anonymous", "person"),
    "accounts": ("key",),
    "membership": ("person", "account"),
    "opportunities": ("key", "account", "amount"),
    "subscriptions": ("key",),
    "exposures": ("person", "experiment", "variant", "time"),
    "outcomes": ("person", "time", "name"),
}


class ConsentSnapshotSettings(Model):
    """[consent.snapshots.PURPOSE]: current-state consent in a column of the people table (CRM exports).

    Accepted as a snapshot: flagged "not provable at exposure time".
    """

    column: str
    granted: tuple[str, ...] = Field(min_length=1)
    denied: tuple[str, ...] = Field(min_length=1)


class ConsentSettings(Model):
    """[consent]: which words in the consent data mean yes and no, and the floor a channel needs."""

    granted: tuple[str, ...] = ("granted", "subscribed", "opted_in", "true", "yes")
    denied: tuple[str, ...] = ("denied", "withdrawn", "unsubscribed", "objected", "opted_out", "false", "no")
    valid_for: Duration | None = Field(default=None, description="Consent older than this has expired.")
    integrity_floor: Fraction = Field(
        default=0.95, description="Least share of people with a provable status."
    )
    snapshots: dict[str, ConsentSnapshotSettings] = Field(default_factory=dict)
    page: str | None = Field(default=None, description="URL of the consent page, exercised in a browser.")


class ChannelSettings(Model):
    """[channels.CHANNEL]: purpose of processing, system that delivers, how a person is addressed."""

    purpose: str = Field(min_length=1, description="The consent purpose this channel needs.")
    system: str = Field(default="", description="Delivering system, such as HubSpot; empty: not decided.")
    destination: Literal["sdk", "audience", "webhook", "growthbook", "mcp", ""] = ""
    identifier: str | None = Field(
        default=None, description="Attribute that addresses a person, such as email."
    )
    places: tuple[Place, ...] = Field(default=("batch",), description="Where this channel decides.")


class KeySettings(Model):
    """[people.HANDLE.keys.ID]: an Ed25519 key with which this person signs decisions."""

    public: str = Field(max_length=1_000, description="Base64 of its 32 bytes, or PEM.")
    since: date | None = Field(default=None, description="Decisions before this day needed no signature.")
    revoked: date | None = Field(default=None, description="From this day on nothing it signed is accepted.")


class PersonSettings(Model):
    """[people.HANDLE]: a member of staff who may decide things. Who has a key must sign with one."""

    name: str
    roles: tuple[str, ...] = ()
    deputy: str | None = None
    os_user: str | None = None
    away_until: date | None = None
    keys: dict[str, KeySettings] = Field(default_factory=dict)


class AgentSettings(Model):
    """[agents.NAME]: an agent that does not work here, or not now; its substitutes stand in."""

    disabled: bool = False
    away_until: date | None = Field(default=None, description="Out of office up to and with this day.")
    reason: str = ""


class MetricSettings(Model):
    """[metrics.NAME]: a KPI from events or a column of opportunities, over a window after the start."""

    type: Literal["proportion", "mean", "ratio", "revenue", "retention"]
    event: str | None = Field(default=None, description="Event name that counts.")
    sql: str | None = Field(default=None, description="A query that returns person and value.")
    window: Duration = "14d"
    direction: Literal["increase", "decrease"] = "increase"
    target: float | None = None
    unit: str = ""
    winsorise: Fraction | None = None
    owner: str | None = None
    description: str = ""


class SuppressionSettings(Model):
    """[suppressions.NAME]: people who never get a personalised variant, whatever the profile."""

    condition: dict[str, Any]
    reason: str = Field(min_length=1)
    channels: tuple[Channel, ...] = CHANNELS


class AttributeSettings(Model):
    """[attributes.NAME]: an attribute of the catalog. Only an `accepted` one may stand in a rule."""

    table: TableRole
    column: str | None = Field(default=None, description="Column of that table, for a plain attribute.")
    event: str | None = Field(
        default=None, description="Event name ('*' for any), for a behavioural attribute."
    )
    measure: Measure | None = Field(default=None, description="How the events are counted.")
    window: Duration | None = Field(default=None, description="Events within this time before the as-of.")
    type: AttributeType
    description: str = ""
    owner: str | None = None
    cadence: Duration | None = None
    purpose: str | None = None
    consent: str | None = Field(default=None, description="Consent purpose that its use needs, if any.")
    sensitivity: Sensitivity = "unknown"
    sensitivity_note: str = ""
    freshness: Duration | None = Field(default=None, description="SLA: its source may be this old.")
    coverage: Fraction | None = Field(default=None, description="SLA: least share of people with a value.")
    required: bool = False
    available_at: tuple[Place, ...] = ("batch",)
    review: ReviewStatus = "proposed"
    reviewed_by: str | None = None
    reason: str | None = None
    evidence: str = ""
    confidence: Fraction | None = None

    @model_validator(mode="after")
    def _column_or_event(self) -> Self:
        behavioural = self.event is not None or self.measure is not None
        if behavioural == (self.column is not None):
            message = "an attribute has either a column, or an event with a measure"
            raise ValueError(message)
        if behavioural and (self.event is None or self.measure is None or self.table != "events"):
            message = "a behavioural attribute needs event, measure and table = 'events'"
            raise ValueError(message)
        if behavioural and self.measure != "days_since_last" and self.window is None:
            message = f"measure {self.measure!r} needs a window, such as 30d"
            raise ValueError(message)
        return self


class PolicySettings(Model):
    """[policies]: the floors that code enforces."""

    group_minimum: int = Field(default=100, ge=20, description="Smallest group of people that is ever shown.")
    coverage_floor: Fraction = Field(
        default=0.6, description="Coverage an attribute needs without its own SLA."
    )
    holdout: Fraction = 0.05
    sign_off_roles: tuple[str, ...] = ("privacy-lead",)


class Config(Model):
    """The whole of gtm.toml."""

    version: Literal[1] = 1
    workspace: WorkspaceSettings
    source: SourceSettings
    tables: dict[TableRole, TableSettings]
    consent: ConsentSettings = ConsentSettings()
    channels: dict[Channel, ChannelSettings] = Field(default_factory=dict)
    people: dict[str, PersonSettings] = Field(default_factory=dict)
    agents: dict[str, AgentSettings] = Field(default_factory=dict)
    metrics: dict[str, MetricSettings] = Field(default_factory=dict)
    suppressions: dict[str, SuppressionSettings] = Field(default_factory=dict)
    policies: PolicySettings = PolicySettings()
    attributes: dict[str, AttributeSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        if "people" not in self.tables:
            message = "tables.people is missing; without people there is nobody to personalise for"
            raise ValueError(message)
        for role, table in self.tables.items():
            missing = [m for m in REQUIRED_COLUMNS[role] if m not in {**table.columns, **table.constants}]
            if missing:
                message = f"tables.{role}.columns lacks {', '.join(missing)}"
                raise ValueError(message)
        for name, attribute in self.attributes.items():
            if attribute.table not in self.tables:
                message = f"attributes.{name}.table is {attribute.table!r}, which is not in [tables]"
                raise ValueError(message)
        for handle, person in self.people.items():
            if person.deputy is not None and person.deputy not in self.people:
                message = f"people.{handle}.deputy is {person.deputy!r}, who is not in [people]"
                raise ValueError(message)
        return self

    def people_with_role(self, role: str) -> tuple[str, ...]:
        """Return the handles of everyone with a role, in the order of gtm.toml."""
        return tuple(handle for handle, person in self.people.items() if role in person.roles)


def load_config(path: Path) -> Config:
    """Read and check a gtm.toml.

    Raises:
        ConfigError: Missing, not TOML, or not as described here; all findings at once, each with its path.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"no {path.name} in {str(path.parent)!r}",
            hint="run 'gtm init --source PATH_OR_URL' here, or 'gtm demo' for a sample",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name} cannot be read: {error}", hint="check the file and its permissions"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path.name} is not valid TOML: {error}", hint="mend the line that is named"
        ) from error
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        found = [
            _finding(item["loc"], item["msg"])
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigError(
            f"{path.name} has {len(found)} problem{'s' if len(found) > 1 else ''}: " + "; ".join(found),
            hint="docs/gtm-toml.md describes every field",
        ) from error


def _finding(loc: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in loc) or "the file"
    return f"{where}: {message.removeprefix('Value error, ')}"
