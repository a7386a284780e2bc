"""Writes a sample workspace: data/*.parquet, gtm.toml and manifest.json."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gtm_orchestra.config import Config, load_config
from gtm_orchestra.errors import StorageError, UsageError
from gtm_orchestra.sample.activity import EventCounts, draw_events, draw_identities
from gtm_orchestra.sample.companies import Companies, draw_companies
from gtm_orchestra.sample.consents import draw_consents
from gtm_orchestra.sample.contacts import Contacts
from gtm_orchestra.sample.experiments import Trials, draw_trials
from gtm_orchestra.sample.manifest import Manifest, PeopleCount, TableCount
from gtm_orchestra.sample.population import Population, draw_population
from gtm_orchestra.sample.truths import Written, filled_attributes, planted_truths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gtm_orchestra.sample.draws import Flags

__all__ = ["FEWEST_PEOPLE", "MOST_PEOPLE", "SAMPLE_AS_OF", "write_sample"]

SAMPLE_AS_OF = datetime(2025, 12, 1, 6, 0, tzinfo=UTC)
FEWEST_PEOPLE, MOST_PEOPLE = 200, 2_000_000
_PART = 100_000  # records per row group: about 50 MB at a time


def write_sample(
    folder: Path, *, people: int = 50_000, seed: int = 7, as_of: datetime = SAMPLE_AS_OF
) -> Manifest:
    """Write a sample workspace into a folder, and return what was planted in it.

    The same people, seed and as_of give the same bytes (with the same numpy and pyarrow). There are about six
    events per record. A sample that is already there is replaced.

    Args:
        folder: Is made if it is missing.
        people: Records of the contacts table.
        seed: Zero or more.
        as_of: The moment that "now" means in the data; nothing in it is later.

    Raises:
        UsageError: Too few or too many people, or the folder holds a workspace that is no sample.
        StorageError: The folder cannot be written.
    """
    if not FEWEST_PEOPLE <= people <= MOST_PEOPLE:
        raise UsageError(
            f"a sample of {people:,} people is not possible",
            hint=f"ask for {FEWEST_PEOPLE:,} to {MOST_PEOPLE:,} people",
        )
    if seed < 0:
        raise UsageError(
            f"the seed is {seed}, but must be zero or more", hint="leave it out, or write --seed 7"
        )
    if as_of.tzinfo is None:
        raise UsageError("as_of has no time zone", hint="write it in UTC, such as 2025-12-01T06:00:00Z")
    if (folder / "gtm.toml").exists() and not (folder / "manifest.json").exists():
        raise UsageError(
            f"{str(folder)!r} holds a workspace that is no sample",
            hint="choose another folder; nothing was changed there",
        )
    try:
        return _write(folder, draw_population(people, seed, int(as_of.timestamp())))
    except OSError as error:
        raise StorageError(
            f"the sample cannot be written to {str(folder)!r}: {error.strerror or error}",
            hint="free some space or choose another folder",
        ) from error


def _write(folder: Path, people: Population) -> Manifest:
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    # gtm.toml goes first and comes last: what was cut off in between is no workspace, and is written again.
    for name in ("gtm.toml", "manifest.json"):
        (folder / name).unlink(missing_ok=True)
    companies = draw_companies(people)
    contacts, trials = Contacts(people, companies), draw_trials(people)
    events = EventCounts()
    broken_consents: list[int] = []

    def consent_parts() -> Iterator[pa.Table]:
        for start, stop in _parts(people.size):
            table, broken = draw_consents(people, start, stop)
            broken_consents.append(broken)
            yield table

    rows = {
        "people": _save(data / "contacts.parquet", (contacts.rows(*part) for part in _parts(people.size))),
        "events": _save(
            data / "events.parquet", (draw_events(people, *part, events) for part in _parts(people.size))
        ),
        "consents": _save(data / "consents.parquet", consent_parts()),
    }
    broken = {"people": int(people.broken.sum()), "events": events.broken, "consents": sum(broken_consents)}
    for role, (table, count) in _small_tables(people, companies, trials).items():
        rows[role], broken[role] = _save(data / f"{_FILES[role]}.parquet", iter((table,))), count
    tables = {
        role: TableCount(table=_FILES[role], rows=rows[role], broken_rows=broken[role])
        for role in sorted(rows)
    }
    settings = folder / ".gtm.toml.partial"
    template = resources.files(__package__).joinpath("gtm.toml").read_text(encoding="utf-8")
    as_of = datetime.fromtimestamp(people.now, UTC)
    settings.write_text(template.replace("@AS_OF@", as_of.isoformat()), encoding="utf-8")
    written = Written(people, contacts, trials, tables, events.late, events.newest)
    manifest = _manifest(written, _count_people(people, companies, events), load_config(settings))
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    settings.replace(folder / "gtm.toml")
    return manifest


def _manifest(written: Written, population: PeopleCount, config: Config) -> Manifest:
    return Manifest(
        people=written.people.size,
        seed=written.people.seed,
        as_of=datetime.fromtimestamp(written.people.now, UTC),
        population=population,
        tables=written.tables,
        truths=planted_truths(written),
        filled=filled_attributes(written),
        complete_kinds=(
            "broken_rows",
            "channel_blocked",
            "consent_gap",
            "duplicates",
            "future_times",
            "late_events",
            "low_coverage",
            "personal_data",
            "proxy",
            "special_category",
            "stale_source",
            "time_zone",
        ),
        unreviewed=tuple(sorted(name for name, one in config.attributes.items() if one.review == "proposed")),
    )


_FILES = {
    "people": "contacts",
    "events": "events",
    "consents": "consents",
    "identities": "identities",
    "accounts": "accounts",
    "membership": "memberships",
    "opportunities": "opportunities",
    "exposures": "exposures",
    "outcomes": "outcomes",
}


def _small_tables(
    people: Population, companies: Companies, trials: Trials
) -> dict[str, tuple[pa.Table, int]]:
    return {
        "identities": draw_identities(people),
        "accounts": companies.accounts(),
        "membership": companies.memberships(people),
        "opportunities": companies.opportunities(),
        "exposures": (trials.exposures, trials.broken_exposures),
        "outcomes": (trials.outcomes, trials.broken_outcomes),
    }


def _parts(size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + _PART, size)) for start in range(0, size, _PART))


def _save(path: Path, tables: Iterator[pa.Table]) -> int:
    """Write tables as the row groups of one file, completely or not at all, and return the rows."""
    partial = path.with_name(f".{path.name}.partial")
    rows, writer = 0, None
    try:
        for table in tables:
            if writer is None:
                labels = [one.name for one in table.schema if pa.types.is_dictionary(one.type)]
                # Ids are all different: a dictionary of them is built for nothing. The arrow schema would
                # bring dictionary types back to readers, and they are a matter of writing only.
                writer = pq.ParquetWriter(
                    partial,
                    table.schema,
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=labels,
                    store_schema=False,
                )
            writer.write_table(table, row_group_size=1_000_000)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    partial.replace(path)
    return rows


def _count_people(people: Population, companies: Companies, events: EventCounts) -> PeopleCount:
    seen = np.unique(np.concatenate(events.anonymous_seen))
    of_people = seen[seen < 2 * people.size]
    valid: Flags = people.valid
    return PeopleCount(
        records=people.size,
        broken=int(people.broken.sum()),
        valid=int(valid.sum()),
        internal=int(people.internal.sum()),
        employees=int((people.employee & valid).sum()),
        bots=int((people.bot & valid).sum()),
        external=int(people.external.sum()),
        anonymous_ids=len(seen),
        stitched_ids=int(valid[of_people // 2].sum()),
        accounts=len(companies.names),
        people_with_account=int((valid & (people.account >= 0)).sum()),
    )
