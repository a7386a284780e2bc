from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pytest

from gtm_orchestra.sample.generate import write_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gtm_orchestra.sample.manifest import Manifest

_VIEWS = """
CREATE TABLE valid AS
SELECT *, TRY_CAST(createdate AS TIMESTAMPTZ) AS created,
       coalesce(hs_email_domain = 'fernhollow.example', false) AS employee,
       NOT (bot_suspected OR coalesce(hs_email_domain = 'fernhollow.example', false)) AS external
FROM contacts WHERE hs_object_id IS NOT NULL AND TRY_CAST(createdate AS TIMESTAMPTZ) IS NOT NULL;
CREATE TABLE latest AS
SELECT * FROM consents WHERE contact_id IS NOT NULL AND changed_at IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY contact_id, purpose ORDER BY changed_at DESC) = 1;
CREATE TABLE state AS
SELECT v.*, p.purpose,
       CASE WHEN l.status IS NULL THEN 'none' WHEN l.expires_at <= now.moment THEN 'expired'
            WHEN l.proof IS NULL THEN 'unproven' WHEN l.status = 'granted' THEN 'granted'
            ELSE 'denied' END AS state
FROM valid v CROSS JOIN now CROSS JOIN (SELECT DISTINCT purpose FROM consents) p
LEFT JOIN latest l ON l.contact_id = v.hs_object_id AND l.purpose = p.purpose;
CREATE TABLE known_event AS
SELECT contact_id AS person, event_name, occurred_at FROM events
WHERE contact_id IS NOT NULL AND occurred_at IS NOT NULL
UNION ALL
SELECT i.contact_id, e.event_name, e.occurred_at
FROM events e JOIN identities i ON e.anonymous_id = i.anonymous_id
WHERE e.contact_id IS NULL AND i.contact_id IS NOT NULL AND e.occurred_at IS NOT NULL;
"""


class Sample(NamedTuple):
    """A written sample, and a connection that reads its files as tables of the same name."""

    folder: Path
    manifest: Manifest
    con: duckdb.DuckDBPyConnection

    def one(self, sql: str) -> tuple[object, ...]:
        row = self.con.execute(sql).fetchone()
        assert row is not None
        return tuple(row)

    def truth(self, kind: str, subject: str) -> dict[str, float | int | str]:
        (found,) = [one for one in self.manifest.truths if (one.kind, one.subject) == (kind, subject)]
        return found.values


@pytest.fixture(
    scope="session",
    params=[(3_000, 7), (3_000, 1), (5_000, 23), (500, 7), (110_000, 4)],
    ids=lambda given: f"people={given[0]}-seed={given[1]}",
)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    people, seed = request.param
    folder = tmp_path_factory.mktemp("sample")
    manifest = write_sample(folder, people=people, seed=seed)
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        for path in sorted((folder / "data").iterdir()):
            con.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")  # noqa: S608  our own names
        con.execute("CREATE TABLE now AS SELECT CAST(? AS TIMESTAMPTZ) AS moment", [manifest.as_of])
        con.execute(_VIEWS)
        yield Sample(folder, manifest, con)
