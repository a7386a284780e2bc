"""The contacts table, as an export of a HubSpot-like CRM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtm_orchestra.sample.archetypes import INDEX
from gtm_orchestra.sample.companies import Companies, account_id
from gtm_orchestra.sample.draws import (
    HOUR,
    MISSING,
    Column,
    Flags,
    Indices,
    choose,
    flag_column,
    id_column,
    label_column,
    mark,
    stream,
    time_column,
)
from gtm_orchestra.sample.population import (
    AGES,
    COUNTRIES,
    FUNCTIONS,
    GOALS,
    MODES,
    NEEDS,
    OWN_DOMAIN,
    SOURCES,
    STAGES,
    Population,
    contact_id,
)
from gtm_orchestra.sample.words import (
    FIRST_NAMES,
    LAST_NAMES,
    MAIL_DOMAINS,
    NOTES,
    TITLES,
    UNREADABLE_NUMBERS,
    UNREADABLE_TIMES,
)

__all__ = ["Contacts"]

_PHONES = tuple(f"+1 202 555 01{n:02d}" for n in range(100)) + tuple(
    f"+44 1632 960{n:03d}" for n in range(0, 1000, 5)
)


@dataclass(frozen=True)
class Contacts:
    """What the contacts table holds beyond the population, drawn for all records at once."""

    population: Population
    companies: Companies

    @cached_property
    def deals(self) -> Indices:
        """Opportunities of the record's account."""
        people = self.population
        return np.where(people.account < 0, 0, self.companies.deals[people.account])

    @cached_property
    def score(self) -> Indices:
        """Lead score 0 to 100; -1: none, -2 and below: unreadable."""
        people, rng = self.population, stream(self.population.seed, "score")
        active = np.isin(
            people.kind, [INDEX[name] for name in ("champion", "evaluator", "inviter", "customer")]
        )
        score = np.clip(np.rint(rng.normal(35 + 22 * active, 16)), 0, 100).astype(np.int64)
        everyone = np.ones(people.size, dtype=np.bool_)
        score[mark(rng, everyone, 0.06)] = -1
        unreadable = mark(rng, people.valid & (score >= 0), 0.004, least=2)
        score[unreadable] = -2 - choose(rng, int(unreadable.sum()), (1,) * len(UNREADABLE_NUMBERS))
        return score

    @cached_property
    def note(self) -> Indices:
        """Index of the latest note; -1: none."""
        rng = stream(self.population.seed, "notes")
        note = choose(rng, self.population.size, (1,) * len(NOTES))
        note[~mark(rng, np.ones(self.population.size, dtype=np.bool_), 0.4)] = -1
        return note

    @cached_property
    def note_has_address(self) -> Flags:
        """Notes in which somebody wrote down an e-mail address."""
        people = self.population
        return mark(
            stream(people.seed, "notes with address"), (self.note >= 0) & (people.email_of >= 0), 0.09
        )

    @cached_property
    def _name(self) -> Indices:
        return choose(
            stream(self.population.seed, "names"),
            self.population.size,
            (1,) * (len(FIRST_NAMES) * len(LAST_NAMES)),
        )

    @cached_property
    def _domain(self) -> Indices:
        """Index into the domains: companies first, then mail providers, own, crawler."""
        people, rng = self.population, stream(self.population.seed, "domains")
        companies = len(self.companies.names)
        provider = companies + choose(rng, people.size, (0.5, 0.3, 0.2))
        domain = np.where((people.account >= 0) & (rng.random(people.size) < 0.85), people.account, provider)  # noqa: PLR2004  share
        domain[people.employee] = companies + len(MAIL_DOMAINS)
        domain[people.bot] = companies + len(MAIL_DOMAINS) + 1
        return domain

    @cached_property
    def _domains(self) -> tuple[str, ...]:
        return (*self.companies.domains, *MAIL_DOMAINS, OWN_DOMAIN, "crawl.example")

    def _address(self, owner: Indices, missing: Flags) -> Column:
        name, last = self._name[owner], len(LAST_NAMES)
        parts = [
            label_column([one.lower() for one in FIRST_NAMES], name // last, missing).dictionary_decode(),
            label_column([one.lower() for one in LAST_NAMES], name % last).dictionary_decode(),
            pa.array(owner).cast(pa.string()),
        ]
        local = pc.binary_join_element_wise(*parts, ".")
        domain = label_column(self._domains, self._domain[owner]).dictionary_decode()
        return pc.binary_join_element_wise(local, domain, "@")

    def rows(self, start: int, stop: int) -> pa.Table:
        """Return the records from `start` up to `stop`."""
        people, part = self.population, slice(start, stop)
        record = np.arange(start, stop)
        owner, name = people.email_of[part], self._name[part]
        without = owner < 0
        address = self._address(np.maximum(owner, 0), without)
        spelled = choose(stream(people.seed, "spelling", start), stop - start, (0.5, 0.5))
        second = ~without & (owner != record)
        email = pc.if_else(pa.array(second & (spelled == 0)), pc.utf8_upper(address), address)
        email = pc.if_else(pa.array(second & (spelled == 1)), pc.utf8_capitalize(email), email)
        phone = choose(stream(people.seed, "phone numbers", start), stop - start, (1,) * len(_PHONES))
        return pa.table(
            {
                "hs_object_id": id_column(contact_id(record), missing=people.no_key[part]),
                "email": email,
                "firstname": label_column(FIRST_NAMES, name // len(LAST_NAMES)),
                "lastname": label_column(LAST_NAMES, name % len(LAST_NAMES)),
                "phone": label_column(_PHONES, phone, ~people.has_phone[part]),
                "hs_email_domain": label_column(self._domains, self._domain[np.maximum(owner, 0)], without),
                "jobtitle": self._titles(part),
                "job_function": _optional(FUNCTIONS, people.function[part]),
                "country": _optional(tuple(COUNTRIES), people.country[part]),
                "hs_language": _optional(tuple(one[1] for one in COUNTRIES.values()), people.locale[part]),
                "lifecyclestage": _optional(STAGES, people.stage[part]),
                "createdate": self._created(part),
                "trial_started_at": time_column(people.trial[part]),
                "associatedcompanyid": id_column(
                    account_id(people.account[part]), missing=people.account[part] < 0
                ),
                "num_associated_deals": pa.array(self.deals[part]),
                "hubspotscore": self._scores(part),
                "hs_analytics_source": _optional(SOURCES, people.source[part]),
                "onboarding_goal": _optional(GOALS, people.goal[part]),
                "age_band": _optional(AGES, people.age[part]),
                "health_accommodation": _optional(NEEDS, people.need[part]),
                "ui_mode": _optional(MODES, people.mode[part]),
                "hs_latest_note": self._notes(part, address),
                "bot_suspected": flag_column(people.bot[part]),
                "objected_to_profiling": flag_column(people.objected[part]),
                "synced_at": self._synced(part),
            }
        )

    def _created(self, part: slice) -> Column:
        people = self.population
        bad = people.bad_time[part]
        text = pa.array(people.created[part]).cast(pa.timestamp("s")).cast(pa.string())
        text = pc.binary_join_element_wise(pc.replace_substring(text, " ", "T"), "Z", "")
        wrong = choose(stream(people.seed, "bad times", part.start), len(bad), (1,) * len(UNREADABLE_TIMES))
        return pc.if_else(pa.array(bad), label_column(UNREADABLE_TIMES, wrong).dictionary_decode(), text)

    def _scores(self, part: slice) -> Column:
        score = self.score[part]
        text = pa.array(np.maximum(score, 0), mask=score == -1).cast(pa.string())
        wrong = label_column(UNREADABLE_NUMBERS, np.maximum(-2 - score, 0)).dictionary_decode()
        return pc.if_else(pa.array(score < -1), wrong, text)

    def _notes(self, part: slice, address: Column) -> Column:
        note = _optional(NOTES, self.note[part]).dictionary_decode()
        longer = pc.binary_join_element_wise(note, address, " cc ")
        return pc.if_else(pa.array(self.note_has_address[part]), longer, note)

    def _titles(self, part: slice) -> Column:
        function = self.population.function[part]
        spelling = choose(
            stream(self.population.seed, "titles", part.start), len(function), (5, 3, 2, 2, 1, 2, 1, 1)
        )
        return label_column(TITLES, np.maximum(function, 0) * 8 + spelling, function < 0)

    def _synced(self, part: slice) -> Column:
        people = self.population
        newest = people.now - HOUR
        # The CRM is synced every six hours; a record carries the last sync that touched it.
        back = stream(people.seed, "synced", part.start).integers(0, 40, len(people.created[part]))
        possible = np.maximum(newest - people.created[part], 0) // (6 * HOUR)
        back = np.minimum(back, possible)
        back[:1] = 0
        return time_column(np.where(back < 0, MISSING, newest - back * 6 * HOUR))


def _optional(labels: tuple[str, ...], index: Indices) -> Column:
    return label_column(labels, np.maximum(index, 0), index < 0)
