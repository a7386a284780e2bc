"""Three companies of different shapes, on DuckDB: a shop, a CRM export with nothing else, a SaaS product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from gtm_orchestra.audience.contracts import (
    AttributeFact,
    ConsentReport,
    IdentityFact,
    Inventory,
    Objectives,
    Profiles,
)
from gtm_orchestra.audience.profiles.definition import define_profiles
from gtm_orchestra.config import Config
from gtm_orchestra.warehouse.connection import open_warehouse
from gtm_orchestra.warehouse.people import PeopleFrame, people_frame

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
NO_FINDINGS = ConsentReport(purposes=(), channels=(), suppressed={}, findings=())


@dataclass(frozen=True)
class Company:
    """A dataset with its configuration; `define` gives its profiles after any change of either."""

    root: Path
    config: Config
    frame: PeopleFrame
    known: list[Profiles] = field(default_factory=list)

    def rows(self, *columns: str) -> list[dict[str, Any]]:
        """Return people of this synthetic dataset, one by one, to count them again without the engine."""
        table = self.frame.table.select(*columns)
        rows: list[dict[str, Any]] = table.get_backend().to_pyarrow(table).to_pylist()
        return rows

    def inventory(self, **changed: Mapping[str, Any]) -> Inventory:
        """Return the inventory in the order of the catalog, with some facts changed by attribute."""
        facts = tuple(
            _fact(self.frame, self.config, name, changed.get(name, {})) for name in self.config.attributes
        )
        return Inventory(
            as_of=AS_OF,
            engine="duckdb",
            tables=(),
            attributes=facts,
            identity=IdentityFact(records=self.frame.people, valid_people=self.frame.people),
            columns=(),
            findings=(),
        )

    def objectives(self, initiative: str = "Summer", **changed: Any) -> Objectives:  # noqa: ANN401 - any field
        """Return objectives that ask for every channel of the configuration."""
        asked: dict[str, Any] = {
            "initiative": initiative,
            "goals": (),
            "personas": (),
            "lifecycle_stages": (),
            "channels": tuple(self.config.channels),
            "metrics": (),
            "constraints": (),
            "timeline": None,
        }
        return Objectives(**(asked | changed))

    def define(self, *, objectives: Objectives | None = None, inventory: Inventory | None = None) -> Profiles:
        """Return the profiles of this company; without changes they are computed once."""
        asked = None if objectives or inventory else self.known
        if asked:
            return asked[0]
        found = define_profiles(
            self.frame,
            self.config,
            objectives=objectives or self.objectives(),
            inventory=inventory or self.inventory(),
            consent=NO_FINDINGS,
            as_of=AS_OF,
        )
        if asked is not None:
            asked.append(found)
        return found


def _fact(frame: PeopleFrame, config: Config, name: str, changed: Mapping[str, Any]) -> AttributeFact:
    settings = config.attributes[name]
    column = frame.full[name]
    figures = frame.full.aggregate(filled=column.count(), distinct=column.nunique())
    counted = frame.full.get_backend().to_pyarrow(figures).to_pylist()[0]
    filled, distinct = counted["filled"], counted["distinct"]
    fact = {
        "name": name,
        "table": settings.table,
        "source": settings.column or settings.event or "",
        "type": settings.type,
        "required": settings.required,
        "available": True,
        "people": frame.people,
        "filled": filled,
        "coverage": filled / frame.people,
        "coverage_sla": 0.0,
        "distinct": distinct,
        "sensitivity": settings.sensitivity,
        "review": settings.review,
        "consent": settings.consent,
        "usable": True,
    }
    return AttributeFact(**(fact | dict(changed)))


Opener = Callable[..., Company]


@pytest.fixture(scope="module")
def open_company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Return a function that opens a company from its tables and configuration."""
    with ExitStack() as stack:

        def opened(tables: Mapping[str, pa.Table], raw: Mapping[str, Any]) -> Company:
            root = tmp_path_factory.mktemp("company")
            for name, table in tables.items():
                pyarrow.csv.write_csv(table, root / f"{name}.csv")
            config = Config.model_validate(
                {"workspace": {"name": "Test"}, "source": {"url": "."}} | dict(raw)
            )
            warehouse = stack.enter_context(open_warehouse(config.source, root, {}))
            return Company(root, config, people_frame(warehouse, config, AS_OF))

        yield opened


@pytest.fixture(scope="module")
def shop(open_company: Opener) -> Company:
    return open_company(*shop_data())


@pytest.fixture(scope="module")
def contacts(open_company: Opener) -> Company:
    return open_company(*contact_data())


@pytest.fixture(scope="module")
def saas(open_company: Opener) -> Company:
    return open_company(*saas_data())


def moments(days: np.ndarray[Any, Any]) -> list[datetime | None]:
    """Return the times that many days ago; NaN is no time."""
    start = AS_OF.replace(tzinfo=None)
    return [None if np.isnan(day) else start - timedelta(seconds=int(day * 86_400)) for day in days]


def accepted(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"sensitivity": "none", "review": "accepted"} | fields


def shop_data(people: int = 4_000) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """Customers with a newsletter flag, and their orders."""
    random = np.random.default_rng(11)
    registered = random.uniform(0, 900, people)
    orders = np.where(random.random(people) < 0.3, 0, random.geometric(0.4, people))
    ids = [f"c{number:05}" for number in range(people)]
    buyer = np.repeat(np.arange(people), orders)
    ordered = random.uniform(0, 1, len(buyer)) ** 2 * np.minimum(registered[buyer], 400)
    spent = np.round(np.bincount(buyer, random.lognormal(3.5, 0.6, len(buyer)), people), 2)
    tables = {
        "customers": pa.table(
            {
                "customer_id": ids,
                "email": [f"{name}@example.com" if number % 20 else None for number, name in enumerate(ids)],
                "registered_at": moments(registered),
                "country": random.choice(["DE", "FR", "US"], people, p=[0.5, 0.3, 0.2]),
                "favourite_colour": random.choice(["red", "green", "blue"], people),
                "newsletter": random.choice(["yes", "no", ""], people, p=[0.5, 0.3, 0.2]),
                "total_spent": spent,
            }
        ),
        "orders": pa.table(
            {
                "customer_id": [ids[at] for at in buyer],
                "ordered_at": moments(ordered),
                "kind": ["order_placed"] * len(buyer),
            }
        ),
    }
    config = {
        "tables": {
            "people": {
                "table": "customers",
                "columns": {"key": "customer_id", "email": "email", "created_at": "registered_at"},
            },
            "events": {
                "table": "orders",
                "columns": {"person": "customer_id", "time": "ordered_at", "name": "kind"},
            },
        },
        "consent": {
            "snapshots": {"newsletter": {"column": "newsletter", "granted": ["yes"], "denied": ["no"]}}
        },
        "channels": {
            "email": {"purpose": "newsletter", "identifier": "email"},
            "web": {"purpose": "newsletter"},
        },
        "attributes": {
            "country": accepted(table="people", column="country", type="string"),
            "favourite_colour": accepted(table="people", column="favourite_colour", type="string"),
            "registered_at": accepted(table="people", column="registered_at", type="timestamp"),
            "total_spent": accepted(table="people", column="total_spent", type="number"),
            "orders_365d": accepted(
                table="events", event="order_placed", measure="count", window="365d", type="number"
            ),
            "days_since_order": accepted(
                table="events", event="order_placed", measure="days_since_last", type="number"
            ),
        },
    }
    return tables, config


def contact_data(people: int = 3_000) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """A CRM export: contacts only, consent as it stands today."""
    random = np.random.default_rng(23)
    created = random.uniform(0, 700, people)
    stage = random.choice(
        ["subscriber", "lead", "marketingqualifiedlead", "customer", "Other"],
        people,
        p=[0.2, 0.35, 0.15, 0.25, 0.05],
    )
    quiet = np.where(random.random(people) < 0.15, np.nan, random.exponential(40, people))
    last = np.where(np.isnan(quiet), np.nan, np.minimum(quiet, created))
    table = pa.table(
        {
            "Record ID": np.arange(1, people + 1),
            "Email": [f"p{number}@example.com" for number in range(people)],
            "Lifecycle Stage": stage,
            "Create Date": moments(created),
            "Last Activity Date": moments(last),
            "Marketing emails opened": random.poisson(np.where(np.isnan(quiet), 0.2, 60 / (quiet + 12))),
            "Industry": random.choice(["SOFTWARE", "RETAIL", "HEALTH"], people),
            "Legal basis": random.choice(["opted_in", "opted_out", "unknown"], people, p=[0.6, 0.2, 0.2]),
        }
    )
    config = {
        "tables": {
            "people": {
                "table": "contacts",
                "columns": {"key": "Record ID", "email": "Email", "created_at": "Create Date"},
            }
        },
        "consent": {
            "snapshots": {
                "marketing": {"column": "Legal basis", "granted": ["opted_in"], "denied": ["opted_out"]}
            }
        },
        "channels": {"email": {"purpose": "marketing", "identifier": "email"}},
        "attributes": {
            "lifecycle_stage": accepted(table="people", column="Lifecycle Stage", type="string"),
            "create_date": accepted(table="people", column="Create Date", type="timestamp"),
            "last_activity_date": accepted(table="people", column="Last Activity Date", type="timestamp"),
            "emails_opened": accepted(table="people", column="Marketing emails opened", type="number"),
            "industry": accepted(table="people", column="Industry", type="string"),
        },
    }
    return {"contacts": table}, config


def saas_data(people: int = 4_000) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """Users in accounts with plans and seats, product events, a consent log, staff and a health column."""
    random = np.random.default_rng(37)
    accounts = people // 8
    plan = random.choice(
        ["free", "trial", "pro", "enterprise", "canceled"], accounts, p=[0.3, 0.3, 0.2, 0.1, 0.1]
    )
    account = random.integers(0, accounts, people)
    created = random.uniform(0, 400, people)
    liveliness = random.gamma(0.8, 6, people) * np.where(plan[account] == "canceled", 0.1, 1)
    tables: dict[str, pa.Table] = {}
    ids = [f"u{number:05}" for number in range(people)]
    steps = {"session_started": 1.5, "project_created": 0.25, "member_invited": 0.12, "report_exported": 0.05}
    who, when, what = [], [], []
    for name, rate in steps.items():
        number = random.poisson(liveliness * rate)
        person = np.repeat(np.arange(people), number)
        age = random.beta(0.6, 1.6, len(person)) * np.minimum(created[person], 90)
        who += [ids[at] for at in person]
        when += moments(age)
        what += [name] * len(person)
    tables["events"] = pa.table({"user_id": who, "at": when, "event": what})
    tables["users"] = pa.table(
        {
            "id": ids,
            "email": [f"{name}@example.com" for name in ids],
            "created_at": moments(created),
            "account_id": [f"a{at}" for at in account],
            "is_internal": random.random(people) < 0.03,
            "disability": random.choice(["yes", "no"], people, p=[0.1, 0.9]),
            "font_size": random.choice(["large", "normal"], people, p=[0.15, 0.85]),
        }
    )
    tables["accounts"] = pa.table(
        {"id": [f"a{at}" for at in range(accounts)], "plan": plan, "seats": random.integers(1, 200, accounts)}
    )
    purposes = ("personalization", "email_marketing")
    answered = {purpose: random.random(people) for purpose in purposes}
    tables["consents"] = pa.table(
        {
            "user_id": [name for purpose in purposes for name in ids],
            "purpose": [purpose for purpose in purposes for _ in ids],
            "status": ["granted" if share < 0.7 else "denied" for p in purposes for share in answered[p]],
            "at": moments(np.concatenate([created] * 2)),
        }
    )
    return tables, saas_config()


def saas_config() -> dict[str, Any]:
    count = {"table": "events", "measure": "count", "window": "90d", "type": "number"}
    return {
        "tables": {
            "people": {
                "table": "users",
                "columns": {
                    "key": "id",
                    "email": "email",
                    "created_at": "created_at",
                    "account": "account_id",
                },
            },
            "accounts": {"table": "accounts", "columns": {"key": "id"}},
            "events": {"table": "events", "columns": {"person": "user_id", "time": "at", "name": "event"}},
            "consents": {
                "table": "consents",
                "columns": {"person": "user_id", "purpose": "purpose", "status": "status", "at": "at"},
            },
        },
        "channels": {
            "web": {"purpose": "personalization"},
            "email": {"purpose": "email_marketing", "identifier": "email"},
        },
        "suppressions": {"staff": {"condition": {"is_internal": True}, "reason": "Our own staff."}},
        "attributes": {
            "created_at": accepted(table="people", column="created_at", type="timestamp"),
            "is_internal": accepted(table="people", column="is_internal", type="boolean"),
            "plan": accepted(table="accounts", column="plan", type="string"),
            "seats": accepted(table="accounts", column="seats", type="number"),
            "disability": accepted(table="people", column="disability", type="string", sensitivity="special"),
            "font_size": accepted(table="people", column="font_size", type="string", sensitivity="proxy"),
            "active_days_30d": accepted(
                table="events", event="*", measure="distinct_days", window="30d", type="number"
            ),
            "days_since_active": accepted(
                table="events", event="*", measure="days_since_last", type="number"
            ),
            "projects_90d": accepted(event="project_created", **count),
            "invites_90d": accepted(event="member_invited", **count),
            "exports_90d": accepted(event="report_exported", **count),
        },
    }
