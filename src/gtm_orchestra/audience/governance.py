"""The governance plan: who owns what, how often it is checked, what a change needs, and the data-use drafts.

Every open point ends with a person of gtm.toml, found by role; a role that nobody holds is a finding. The
data-use record is a draft for the privacy lead, not legal advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gtm_orchestra.audience.contracts import DataUse, Finding, GovernancePlan, OwnerDuty, attributes_used
from gtm_orchestra.audience.request.timeline import LEAD_DAYS, working_days
from gtm_orchestra.config import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from gtm_orchestra.audience.contracts import (
        AttributeFact,
        ConsentReport,
        Inventory,
        Objectives,
        Profile,
        Profiles,
        PurposeConsent,
    )
    from gtm_orchestra.config import Channel, Config

__all__ = ["plan_governance"]

# Who answers when nobody in gtm.toml holds the role itself.
_STAND_INS: dict[str, tuple[str, ...]] = {
    "data-engineer": ("customer-data-engineer", "data-eng", "personalization-architect"),
    "legal": ("privacy-lead",),
    "marketing-ops": ("personalization-architect",),
    "personalization-architect": ("marketing-ops",),
    "privacy-lead": ("legal", "exec-sponsor"),
    "testing-lead": ("experimentation", "data-engineer", "personalization-architect"),
}
_LADDER = ("personalization-architect", "privacy-lead", "exec-sponsor")
_DAY = timedelta(days=1)
_DRAFT = "Draft, not legal advice"


@dataclass(frozen=True)
class _Desk:
    """Everything the plan is made from."""

    config: Config
    on: date
    objectives: Objectives
    inventory: Inventory
    consent: ConsentReport
    profiles: Profiles

    def person(self, role: str) -> str:
        """Return the handle of who answers for a role on that day; '' if gtm.toml names nobody at all."""
        roles = (role, *_STAND_INS.get(role, ()), *self.config.policies.sign_off_roles, *_LADDER)
        for one in roles:
            for handle in self.config.people_with_role(one):
                return self.present(handle)
        return self.present(next(iter(self.config.people), ""))

    def present(self, handle: str) -> str:
        """Return the handle itself, or its deputy while it is away."""
        settings = self.config.people.get(handle)
        away = settings is not None and settings.away_until is not None and settings.away_until >= self.on
        return settings.deputy if settings is not None and away and settings.deputy is not None else handle

    def name(self, role: str) -> str:
        """Return the name of who answers for a role."""
        handle = self.person(role)
        return self.config.people[handle].name if handle else f"nobody is named in gtm.toml for {role}"

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that profiles use, sorted."""
        return tuple(
            sorted({name for profile in self.profiles.profiles for name in attributes_used(profile)})
        )

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels asked for that no constraint takes out."""
        gone = {channel for reading in self.objectives.constraints for channel in reading.excluded_channels}
        return tuple(
            one for one in self.objectives.channels if one not in gone and one in self.config.channels
        )


def plan_governance(
    config: Config,
    as_of: datetime,
    *,
    objectives: Objectives,
    inventory: Inventory,
    consent: ConsentReport,
    profiles: Profiles,
) -> GovernancePlan:
    """Return the governance plan for the profiles of an initiative; people are as of the business day."""
    on = as_of.astimezone(ZoneInfo(config.workspace.timezone)).date()
    desk = _Desk(config, on, objectives, inventory, consent, profiles)
    duties = (*_sources(desk), *_attributes(desk), *_purposes(desk), *_profiles(desk), *_deliveries(desk))
    return GovernancePlan(
        duties=duties,
        data_uses=tuple(_data_use(desk, profile) for profile in profiles.profiles),
        checkpoints=tuple(_checkpoints(desk)),
        findings=tuple(_findings(desk, duties)),
    )


# --- duties -----------------------------------------------------------------------------------------------


def _sources(desk: _Desk) -> Iterable[OwnerDuty]:
    used = {desk.config.attributes[name].table for name in desk.attributes if name in desk.config.attributes}
    for fact in desk.inventory.tables:
        if fact.role not in used | {"people", "consents"}:
            continue
        yield OwnerDuty(
            subject=f"source {fact.table}",
            owner=fact.owner,
            role="data-engineer",
            qa_cadence=_cadence(fact.freshness_sla_hours, stale=fact.stale),
            change_checkpoint=(
                "A column renamed, dropped or of another type: run the inventory again; its schema diff is a "
                "revision of this plan."
            ),
        )


def _attributes(desk: _Desk) -> Iterable[OwnerDuty]:
    facts = {fact.name: fact for fact in desk.inventory.attributes}
    for name in desk.attributes:
        fact = facts.get(name)
        sensitive = fact is not None and fact.sensitivity in {"personal", "proxy", "special", "unknown"}
        yield OwnerDuty(
            subject=f"attribute {name}",
            owner=_owner(desk, name, fact),
            role="data-engineer",
            qa_cadence=_cadence(fact.freshness_sla_hours if fact else None, stale=bool(fact and fact.stale)),
            change_checkpoint=(
                f"A change of meaning, source or type needs a new acceptance in the catalog"
                f"{' by ' + desk.name('privacy-lead') if sensitive else ''}; profiles that use it become "
                "drafts."
            ),
        )


def _owner(desk: _Desk, name: str, fact: AttributeFact | None) -> str:
    if fact is not None and fact.owner:
        return fact.owner
    settings = desk.config.attributes.get(name)
    if settings is None:
        return ""
    return settings.owner or desk.config.tables[settings.table].owner or ""


def _purposes(desk: _Desk) -> Iterable[OwnerDuty]:
    for purpose in sorted({desk.config.channels[channel].purpose for channel in desk.channels}):
        floor = desk.config.consent.integrity_floor
        yield OwnerDuty(
            subject=f"consent for {purpose}",
            owner=desk.person("privacy-lead"),
            role="privacy-lead",
            qa_cadence=f"weekly, and before each deploy: integrity of at least {floor:.0%}",
            change_checkpoint=(
                "New wording, a new purpose or a new source of consent: sign-off by the privacy lead."
            ),
        )


def _profiles(desk: _Desk) -> Iterable[OwnerDuty]:
    for profile in desk.profiles.profiles:
        yield OwnerDuty(
            subject=f"profile {profile.profile_id}",
            owner=desk.person("personalization-architect"),
            role="personalization-architect",
            qa_cadence=(
                f"weekly for four weeks after going live, then every {_rhythm(profile)}: size, overlap, "
                "thresholds"
            ),
            change_checkpoint=(
                "A change of eligibility, suppression, score or fallback is a revision of this plan and "
                "voids "
                "the sign-off."
            ),
        )


def _deliveries(desk: _Desk) -> Iterable[OwnerDuty]:
    for channel in desk.channels:
        system = desk.config.channels[channel].system
        yield OwnerDuty(
            subject=f"channel {channel}" + (f" ({system})" if system else ""),
            owner=desk.person("marketing-ops"),
            role="marketing-ops",
            qa_cadence=(
                "after each deploy, then weekly: people sent against people expected, opt-outs removed"
            ),
            change_checkpoint=(
                "Another system, identifier or place of decision: activation mapping runs again."
            ),
        )
    for reading in desk.objectives.metrics:
        if reading.mapped:
            owner = desk.config.metrics[reading.name].owner
            yield OwnerDuty(
                subject=f"metric {reading.name}",
                owner=owner or desk.person("testing-lead"),
                role="testing-lead",
                qa_cadence="weekly: the baseline, counted again",
                change_checkpoint=(
                    "A change of event, window or type restarts every measurement that uses it."
                ),
            )


def _cadence(freshness_hours: float | None, *, stale: bool) -> str:
    if stale:
        return "daily until it is fresh again: freshness, coverage, drift"
    daily = freshness_hours is not None and freshness_hours <= _DAY / timedelta(hours=1)
    return f"{'daily' if daily else 'weekly'}: freshness, coverage, drift"


def _rhythm(profile: Profile) -> str:
    days = parse_duration(profile.decay_window).days
    return f"{min(max(days, 7), 90)} days"


# --- data use ---------------------------------------------------------------------------------------------


def _data_use(desk: _Desk, profile: Profile) -> DataUse:
    by_purpose: dict[str, list[str]] = {}
    for channel in desk.channels:
        by_purpose.setdefault(desk.config.channels[channel].purpose, []).append(channel)
    systems = sorted({desk.config.channels[channel].system for channel in desk.channels} - {""})
    purposes = "; ".join(
        f"{purpose} ({', '.join(channels)})" for purpose, channels in sorted(by_purpose.items())
    )
    return DataUse(
        profile_id=profile.profile_id,
        attributes=attributes_used(profile),
        purpose=purposes or "none: every channel is taken out",
        lawful_basis=f"{_DRAFT}: "
        + ("; ".join(_basis(desk, purpose) for purpose in sorted(by_purpose)) or "none"),
        recipients=tuple(systems),
        retention=(
            f"A person leaves when the eligibility no longer holds, at the latest {profile.decay_window} "
            "after the "
            "last evidence, and is then sent as a removal; how long recipients keep their copies is open."
        ),
        proxies=tuple(_proxies(desk, profile)),
        open_questions=tuple(_questions(desk, profile, sorted(by_purpose), systems)),
    )


def _basis(desk: _Desk, purpose: str) -> str:
    found: PurposeConsent | None = next(
        (one for one in desk.consent.purposes if one.purpose == purpose), None
    )
    if found is None or found.basis == "none":
        return f"{purpose}: none on record"
    if found.basis == "snapshot":
        return (
            f"{purpose}: consent (GDPR Art. 6(1)(a)), a current-state snapshot, not provable at exposure time"
        )
    return f"{purpose}: consent (GDPR Art. 6(1)(a)), from a log with proof"


def _proxies(desk: _Desk, profile: Profile) -> Iterable[str]:
    told = {
        finding.subject: finding.message for finding in desk.inventory.findings if finding.kind == "proxy"
    }
    facts = {fact.name: fact for fact in desk.inventory.attributes}
    for name in attributes_used(profile):
        if name in told:
            yield f"{name}: {told[name]}"
        elif name in facts and facts[name].sensitivity == "proxy":
            yield f"{name}: {facts[name].sensitivity_note or 'marked as a proxy in the catalog'}"


def _questions(
    desk: _Desk, profile: Profile, purposes: Sequence[str], systems: Sequence[str]
) -> Iterable[str]:
    """Return what people still have to answer, each ending with a name."""
    facts = {fact.name: fact for fact in desk.inventory.attributes}
    privacy, legal, marketing = desk.name("privacy-lead"), desk.name("legal"), desk.name("marketing-ops")
    if purposes:
        yield f"Does the wording of the consent for {_listed(purposes)} cover this profile? {privacy}"
    unprovable = [
        f"{one.unprovable:,} for {one.purpose}"
        for one in desk.consent.purposes
        if one.purpose in purposes and one.unprovable >= desk.config.policies.group_minimum
    ]
    if unprovable:
        yield f"May people whose consent cannot be proven be reached ({_listed(unprovable)})? {privacy}"
    for name in attributes_used(profile):
        settings, fact = desk.config.attributes.get(name), facts.get(name)
        if settings is None or fact is None:
            continue
        if settings.purpose is not None and settings.purpose not in purposes:
            yield (
                f"{name} was collected for {settings.purpose}: may it be used for {_listed(purposes)}? "
                f"{privacy}"
            )
        if fact.review != "accepted":
            yield f"May {name}, which nobody has reviewed, be used? {privacy}"
    if any(True for _ in _proxies(desk, profile)):
        yield f"Is the use of a proxy justified, and by what? {privacy}"
    if systems:
        yield f"Is there a data-processing agreement with each recipient ({_listed(systems)})? {legal}"
        yield (
            f"How long do recipients keep people who have left the profile ({_listed(systems)})? {marketing}"
        )


# --- checkpoints and findings -----------------------------------------------------------------------------


def _checkpoints(desk: _Desk) -> Iterable[str]:
    due = desk.objectives.timeline.due if desk.objectives.timeline is not None else None
    signer = desk.name(
        desk.config.policies.sign_off_roles[0] if desk.config.policies.sign_off_roles else "privacy-lead"
    )
    yield (
        f"Sign-off of these drafts by {signer}{_before(desk, due, LEAD_DAYS)}: what is signed is what may be "
        "built."
    )
    yield (
        f"Wiring of the channels, checked on staging with named test people by {desk.name('marketing-ops')}"
        f"{_before(desk, due, LEAD_DAYS // 2)}."
    )
    yield (
        f"Before anything goes live{_before(desk, due, 1)}: consent integrity, freshness and coverage "
        "counted again; "
        f"a miss stops the deploy and asks {desk.name('personalization-architect')}."
    )
    yield (
        "A changed attribute, source, owner or QA cadence is a logged revision of this plan, with its reason."
    )
    yield (
        "A changed definition of a profile, a new channel, purpose or recipient voids the sign-off; "
        f"{signer} decides again."
    )
    yield (
        "Withdrawn consent and objections take effect with the next refresh of each channel; "
        f"{desk.name('privacy-lead')} "
        "sees the count every week."
    )
    yield (
        f"28 days after going live: keep, change or end each profile, by {desk.name('testing-lead')} on the "
        "holdout."
    )


def _before(desk: _Desk, due: date | None, days: int) -> str:
    """Return the date some working days before the due date, or that it is already past."""
    if due is None or due < desk.on:
        return ""
    at = due
    while days > 0:
        at -= _DAY
        days -= at.weekday() < 5  # noqa: PLR2004 Saturday
    if at <= desk.on or working_days(desk.on, at) == 0:
        return ", at once, because the due date leaves no time"
    return f", by {at.day} {at:%B %Y}"


def _findings(desk: _Desk, duties: Sequence[OwnerDuty]) -> Iterable[Finding]:
    for kind in ("source", "attribute", "profile"):
        mine = [duty for duty in duties if duty.subject.split(" ", 1)[0] == kind]
        lacking = [duty.subject.split(" ", 1)[1] for duty in mine if not duty.owner]
        if lacking:
            yield _missing_owner(
                kind,
                f"{len(lacking)} of {len(mine)} {kind}s that the profiles stand on have no owner: "
                f"{_listed(lacking)}.",
                "Name an owner of [people] in gtm.toml."
                if kind != "profile"
                else "Give somebody the role in [people].",
                mine[0].role,
            )
    unknown = sorted({duty.owner for duty in duties if duty.owner and duty.owner not in desk.config.people})
    if unknown:
        yield _missing_owner(
            "unknown",
            f"{_listed(unknown)} own{'s' * (len(unknown) == 1)} something, but nobody of that handle is in "
            "[people].",
            "Add them to [people], or name another owner.",
            "personalization-architect",
        )
    for role in dict.fromkeys((*desk.config.policies.sign_off_roles, *_LADDER)):
        if not desk.config.people_with_role(role):
            signs = role in desk.config.policies.sign_off_roles
            yield Finding(
                finding_id=f"missing_owner:role-{role}",
                kind="missing_owner",
                severity="blocker" if signs else "warning",
                subject=role,
                message=(
                    f"Nobody in gtm.toml has the role {role}, which "
                    f"{'signs off' if signs else 'the ladder asks'}."
                ),
                mend=f"Give somebody in [people] the role {role}.",
                decides="exec-sponsor",
            )
    yield from _absences(desk)


def _absences(desk: _Desk) -> Iterable[Finding]:
    for handle, settings in sorted(desk.config.people.items()):
        if settings.away_until is not None and settings.away_until >= desk.on and settings.deputy is None:
            yield Finding(
                finding_id=f"missing_owner:away-{handle}",
                kind="missing_owner",
                severity="warning",
                subject=handle,
                message=f"{settings.name} is away until {settings.away_until} and has no deputy.",
                mend=f"Name one in [people.{handle}].",
                decides="exec-sponsor",
            )


def _missing_owner(subject: str, message: str, mend: str, decides: str) -> Finding:
    return Finding(
        kind="missing_owner",
        severity="warning" if subject != "unknown" else "info",
        subject=subject,
        message=message,
        mend=mend,
        decides=decides,
    )


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else "nothing"
