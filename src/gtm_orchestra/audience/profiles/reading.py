"""The signals of one dataset with their cuts, as clauses that profiles are put together from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gtm_orchestra.audience.contracts import Threshold
from gtm_orchestra.audience.profiles.signals import CURRENCIES, Kind, Signal, Stage
from gtm_orchestra.audience.wording import event_words, in_days, in_figures, in_money, number_of
from gtm_orchestra.conditions.english import attribute_label as _label
from gtm_orchestra.warehouse.proposals.names import words as header_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gtm_orchestra.audience.profiles.distributions import Distribution
    from gtm_orchestra.audience.profiles.thresholds import (
        Cut,
        RecencyCuts,
    )

__all__ = ["Clause", "Group", "Milestone", "Reading", "StageValues", "shown_amount"]

_NEARLY_ALL = 0.95  # a condition that so many meet tells nobody apart
_UNITS = CURRENCIES | {"cents", "cent", "pence", "minor"}
_TRADE = frozenset(
    {"trade", "wholesale", "wholesaler", "reseller", "resellers", "dealer", "dealers", "distributor"}
    | {"handler", "haendler", "handel", "grosshandel", "wiederverkaufer", "revendeur", "revendeurs"}
    | {"grossiste", "mayorista", "distribuidor", "groothandel"}
)
_JUST_DAYS = 30  # a first order is news for so long
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Clause:
    """One statement of a profile.

    Attributes:
        condition: In the condition language.
        says: How a marketer says it.
        thresholds: The cuts in it.
        lasts_days: For how long it stays true without anything new; None for ever.
    """

    condition: Mapping[str, Any]
    says: str
    thresholds: tuple[Threshold, ...]
    lasts_days: float | None = None


@dataclass(frozen=True)
class StageValues:
    """Which values of which attribute mean a lifecycle stage, and how many people have one of them."""

    attribute: str
    values: tuple[str, ...]
    people: int


@dataclass(frozen=True)
class Group:
    """A value of a customer group that enough people share."""

    attribute: str
    value: str
    people: int

    @property
    def is_trade(self) -> bool:
        """Whether these people buy to sell on."""
        return bool(_TRADE & set(header_words(self.value)))


@dataclass(frozen=True)
class Milestone:
    """A step that people take or have not taken yet.

    Attributes:
        signal: The attribute that tells.
        reached: How many people have taken it.
        step: What one does, in the infinitive.
        done: What one has done, in the past tense.
    """

    signal: Signal
    reached: int
    step: str
    done: str = ""

    @property
    def within(self) -> str:
        """Over which time it is looked for: nothing, or " within 90 days"."""
        window = self.signal.window_days
        return f" within {in_days(window)}" if window else ""


@dataclass(frozen=True)
class Reading:
    """What can be said about the people of one dataset."""

    as_of: datetime
    people: int
    distributions: Mapping[str, Distribution]
    stages: Mapping[Stage, StageValues]
    recency: Mapping[Kind, Signal]
    depth: Mapping[Kind, Signal]
    tenure: Signal | None = None
    trial_start: Signal | None = None
    value: Signal | None = None
    size: Signal | None = None
    intent: Signal | None = None
    guest: Signal | None = None
    deals: Mapping[str, Signal] = field(default_factory=dict)
    milestones: tuple[Milestone, ...] = ()
    trial_end: Signal | None = None
    lifetime: Mapping[Kind, Signal] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    currency: str = ""
    subscribers: bool = False
    recency_cuts: Mapping[Kind, RecencyCuts] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What people here mostly do: order, use, or respond."""
        present = [*self.depth, *(signal.kind for signal in self.recency.values() if signal.kind is not None)]
        return present[0] if present else "response"

    @property
    def noun(self) -> str:
        """What the people are called where no lifecycle stage names them."""
        if "orders" in self.depth or any(signal.kind == "orders" for signal in self.recency.values()):
            return "shoppers"
        counted = any(signal.event is not None for signal in (*self.depth.values(), *self.recency.values()))
        return "users" if counted or self.milestones else "contacts"

    @property
    def is_product(self) -> bool:
        """Whether use of a product is recorded; visits of a website and scores are not that."""
        signals = (*self.depth.values(), *self.recency.values())
        return any(signal.event is not None and signal.kind == "usage" for signal in signals)

    def values_of(self, stage: Stage) -> frozenset[str]:
        """Return the values that mean a stage, in lower case without punctuation."""
        found = self.stages.get(stage)
        return frozenset(_bare(value) for value in found.values) if found is not None else frozenset()

    def users(self, *stages: Stage) -> Clause | None:
        """Return "has one of these stages", or None if no stage says so or nearly everybody has one."""
        return self.in_stage(*stages) if self._share(stages) < _NEARLY_ALL else None

    def _share(self, stages: Sequence[Stage]) -> float:
        known = [self.stages[stage] for stage in stages if stage in self.stages]
        people = sum(part.people for part in known if part.attribute == known[0].attribute)
        return people / self.people if self.people else 0.0

    def in_stage(self, *stages: Stage) -> Clause | None:
        """Return "has one of these lifecycle stages", for those that one attribute tells apart."""
        known = [self.stages[stage] for stage in stages if stage in self.stages]
        if not known:
            return None
        attribute = known[0].attribute
        values = sorted(value for part in known if part.attribute == attribute for value in part.values)
        people = sum(part.people for part in known if part.attribute == attribute)
        condition: dict[str, Any] = {attribute: values[0] if len(values) == 1 else {"$in": values}}
        shown = " or ".join(filter(None, (", ".join(values[:-1]), values[-1])))
        threshold = Threshold(
            attribute=attribute,
            operator="$eq" if len(values) == 1 else "$in",
            value=shown,
            evidence=f"{people:,} of {self.people:,} people have it",
        )
        return Clause(condition, f"{_label(attribute)} is {shown}", (threshold,))

    def active(self, kind: Kind) -> Clause | None:
        """Return "was there lately"."""
        return self._within(self.recency.get(kind), self._recency_cut(kind, "active"))

    def quiet(self, kind: Kind) -> Clause | None:
        """Return "has not been there lately, but not for long either": between two cuts."""
        return self._between(kind, "quiet")

    def stalled(self, kind: Kind) -> Clause | None:
        """Return "no longer active, and not yet dormant"."""
        return self._between(kind, "active")

    def dormant(self, kind: Kind, *, never: bool = False) -> Clause | None:
        """Return "has been away for long", or never was there at all if `never` says so."""
        cut = self._recency_cut(kind, "dormant")
        return self._beyond(self.recency.get(kind), cut, never=never)

    def _between(self, kind: Kind, which: str) -> Clause | None:
        signal = self.recency.get(kind)
        after, until = self._recency_cut(kind, which), self._recency_cut(kind, "dormant")
        left, right = self._beyond(signal, after, never=False), self._within(signal, until)
        if signal is None or after is None or until is None or left is None or right is None:
            return None
        condition = _joined(left.condition, right.condition)
        says = f"{_since(signal)} {after.value:,.0f} to {in_days(until.value)} ago"
        return Clause(condition, says, (*left.thresholds, *right.thresholds), right.lasts_days)

    def never(self, kind: Kind) -> Clause | None:
        """Return "has never been seen", where a missing value says so, or a count of zero does."""
        if kind == "orders" and kind in self.lifetime:
            return self.none(kind)
        signal = self.recency.get(kind)
        if signal is not None and signal.never_is_null:
            missing = self.people - self.distributions[signal.attribute].filled
            threshold = _threshold(
                signal, "$exists", "false", f"{missing:,} of {self.people:,} people have no value"
            )
            return Clause({signal.attribute: {"$exists": False}}, _never(signal), (threshold,))
        return self.none(kind)

    def tells_never(self, kind: Kind) -> bool:
        """Return whether "never" can be told from "not lately", which a count within a window cannot."""
        recency = self.recency.get(kind)
        counted = kind == "orders" and kind in self.lifetime
        return counted or bool(recency and recency.never_is_null)

    def is_scored(self, kind: Kind) -> bool:
        """Return whether only a score of no time says how active people are: it tells nothing of when."""
        depth = self.depth.get(kind)
        if depth is None or kind in self.recency or depth.event is not None or depth.window_days is not None:
            return False
        return "score" in header_words(depth.attribute)

    def just(self, kind: Kind) -> Clause | None:
        """Return "was there a short time ago": within a month, whatever still counts as active."""
        cut = self._recency_cut(kind, "active")
        if cut is not None and cut.value > _JUST_DAYS:
            cut = replace(cut, value=_JUST_DAYS, evidence=f"{cut.evidence}, cut at {in_days(_JUST_DAYS)}")
        return self._within(self.recency.get(kind), cut)

    def dealt(self, state: str, *, some: bool) -> Clause | None:
        """Return "has a deal in this state" (open, won, lost), or that there is none."""
        signal = self.deals.get(state)
        if signal is None:
            return None
        distribution = self.distributions[signal.attribute]
        people = distribution.positive if some else distribution.filled - distribution.positive
        threshold = _threshold(
            signal, "$gte" if some else "$eq", int(some), f"{people:,} of {self.people:,} people"
        )
        says = f"{'at least one' if some else 'no'} {state} deal"
        return Clause({signal.attribute: {"$gte": 1} if some else 0}, says, (threshold,))

    def no_guest(self) -> tuple[Clause, ...]:
        """Return "has an account", where guests who never signed up are on file too; else nothing."""
        if self.guest is None:
            return ()
        no = False if self.guest.type == "boolean" else 0
        filled = self.distributions[self.guest.attribute].filled
        threshold = _threshold(self.guest, "$eq", str(no).lower(), f"{filled:,} people with a value")
        return (Clause({self.guest.attribute: no}, "not a guest", (threshold,)),)

    def new(self) -> Clause | None:
        """Return "started lately"."""
        cut = self.cuts.get(self.tenure.attribute) if self.tenure else None
        return self._within(self.tenure, cut)

    def settled(self) -> Clause | None:
        """Return "did not start lately"."""
        cut = self.cuts.get(self.tenure.attribute) if self.tenure else None
        return self._beyond(self.tenure, cut, never=False)

    def begun(self, kind: Kind) -> Clause | None:
        """Return "has had the time to go quiet": the trial, or else the person, began before that."""
        cut = self._recency_cut(kind, "active")
        return self._beyond(self.trial_start or self.tenure, cut, never=False)

    def ending(self) -> Clause | None:
        """Return "the trial ends within days"."""
        signal = self.trial_end
        cut = self.cuts.get(signal.attribute) if signal else None
        if signal is None or cut is None:
            return None
        ends = [(self.as_of + timedelta(days=days)).strftime(_STAMP) for days in (0, cut.value)]
        thresholds = tuple(
            _threshold(signal, operator, end, cut.evidence)
            for operator, end in zip(("$gte", "$lte"), ends, strict=True)
        )
        condition = {signal.attribute: {"$gte": ends[0], "$lte": ends[1]}}
        return Clause(condition, f"trial ends within {in_days(cut.value)}", thresholds, cut.value)

    def in_group(self, group: Group) -> Clause:
        """Return "belongs to this customer group"."""
        evidence = f"{group.people:,} of {self.people:,} people have it"
        threshold = Threshold(attribute=group.attribute, operator="$eq", value=group.value, evidence=evidence)
        return Clause(
            {group.attribute: group.value}, f"{_label(group.attribute)} is {group.value}", (threshold,)
        )

    def deep(self, kind: Kind) -> Clause | None:
        """Return "among the most engaged quarter"."""
        return self._from(self.depth.get(kind))

    def high_value(self) -> Clause | None:
        """Return "among the quarter that brings most money"."""
        return self._from(self.value)

    def large(self) -> Clause | None:
        """Return "in an account of the largest quarter"."""
        return self._from(self.size)

    def intends(self) -> Clause | None:
        """Return "shows interest in buying more than most do"."""
        return self._from(self.intent)

    @property
    def is_paid_in_full(self) -> bool:
        """Whether the amount of money is what somebody brought in over all the time."""
        return self.value is not None and self.value.lifetime

    @property
    def value_name(self) -> str:
        """What the amount of money is called."""
        if self.value is None:
            return ""
        return "lifetime revenue" if self.value.lifetime else _amount_label(self.value)

    def counted_over(self, kind: Kind) -> str:
        """Return over which time orders are counted: "in all", or "in the last 90 days"."""
        signal = self.lifetime.get(kind) or self.depth.get(kind)
        return _over(signal) if signal is not None else ""

    def none(self, kind: Kind) -> Clause | None:
        """Return "not once"; in all if there is such a count, or else within the window of the other."""
        return self._counted(self.lifetime.get(kind) or self.depth.get(kind), "$eq", 0)

    def once(self, kind: Kind) -> Clause | None:
        """Return "exactly once", over the same time."""
        return self._counted(self.lifetime.get(kind) or self.depth.get(kind), "$eq", 1)

    def repeatedly(self, kind: Kind) -> Clause | None:
        """Return "at least twice", over the same time."""
        return self._counted(self.lifetime.get(kind) or self.depth.get(kind), "$gte", 2)

    def reached(self, milestone: Milestone) -> Clause:
        """Return "has taken this step"."""
        return self._step(milestone, taken=True)

    def not_reached(self, milestone: Milestone) -> Clause:
        """Return "has not taken this step yet"."""
        return self._step(milestone, taken=False)

    def _recency_cut(self, kind: Kind, which: str) -> Cut | None:
        cuts = self.recency_cuts.get(kind)
        if cuts is None:
            return None
        return {"active": cuts.active, "quiet": cuts.quiet, "dormant": cuts.dormant}[which]

    def _within(self, signal: Signal | None, cut: Cut | None) -> Clause | None:
        if signal is None or cut is None:
            return None
        operator, value = ("$gte", self._day(cut)) if signal.type == "timestamp" else ("$lte", cut.value)
        threshold = _threshold(signal, operator, value, cut.evidence)
        says = f"{_since(signal)} at most {in_days(cut.value)} ago"
        return Clause({signal.attribute: {operator: value}}, says, (threshold,), cut.value)

    def _beyond(self, signal: Signal | None, cut: Cut | None, *, never: bool) -> Clause | None:
        if signal is None or cut is None:
            return None
        operator, value = ("$lt", self._day(cut)) if signal.type == "timestamp" else ("$gt", cut.value)
        threshold = _threshold(signal, operator, value, cut.evidence)
        says = f"{_since(signal)} more than {in_days(cut.value)} ago"
        condition: dict[str, Any] = {signal.attribute: {operator: value}}
        if never and signal.never_is_null:
            condition = {"$or": [condition, {signal.attribute: {"$exists": False}}]}
            says += " or never"
        return Clause(condition, says, (threshold,))

    def _from(self, signal: Signal | None) -> Clause | None:
        cut = self.cuts.get(signal.attribute) if signal is not None else None
        if signal is None or cut is None:
            return None
        threshold = _threshold(signal, "$gte", cut.value, cut.evidence)
        amount = self._amount(signal, cut.value)
        says = f"{_amount_label(signal)} at least {amount}"
        return Clause({signal.attribute: {"$gte": cut.value}}, says, (threshold,), signal.window_days)

    def _counted(self, signal: Signal | None, operator: str, value: int) -> Clause | None:
        if signal is None:
            return None
        distribution = self.distributions[signal.attribute]
        zero = distribution.filled - distribution.positive
        people = {0: zero, 1: distribution.once}.get(value, distribution.positive - distribution.once)
        threshold = _threshold(
            signal, operator, value, f"{people:,} of {distribution.filled:,} people with a value"
        )
        condition = {signal.attribute: value if operator == "$eq" else {operator: value}}
        least = "at least " if operator == "$gte" else ""
        if signal.kind == "orders":
            orders = f"{number_of(value)} order{'' if value == 1 else 's'}"
            never = signal.lifetime and not value
            says = "no orders so far" if never else f"{least}{orders} {_over(signal)}"
        else:
            says = f"{_label(signal.attribute)} {least}{value}"
        return Clause(condition, says, (threshold,), signal.window_days if value else None)

    def _step(self, milestone: Milestone, *, taken: bool) -> Clause:
        signal = milestone.signal
        people = milestone.reached if taken else self.people - milestone.reached
        evidence = f"{people:,} of {self.people:,} people"
        says = f"{'has' if taken else 'no'} {_label(signal.attribute)}"
        if signal.event is not None:
            says = f"has{'' if taken else ' not'} {milestone.done}{milestone.within}"
        condition: dict[str, Any]
        if signal.type == "timestamp" or signal.measure == "days_since_last":
            condition = {signal.attribute: {"$exists": taken}}
            return Clause(condition, says, (_threshold(signal, "$exists", str(taken).lower(), evidence),))
        if signal.type == "boolean":
            condition = {signal.attribute: taken}
            return Clause(condition, says, (_threshold(signal, "$eq", str(taken).lower(), evidence),))
        condition = {signal.attribute: {"$gte": 1} if taken else 0}
        if signal.event is None:
            says = f"{_label(signal.attribute)}: {'at least 1' if taken else 'none'}"
        threshold = _threshold(signal, "$gte" if taken else "$eq", int(taken), evidence)
        return Clause(condition, says, (threshold,), signal.window_days if taken else None)

    def _day(self, cut: Cut) -> str:
        return (self.as_of - timedelta(days=cut.value)).strftime(_STAMP)

    def _amount(self, signal: Signal, value: float) -> str:
        return shown_amount(signal, value, self.currency)


def _threshold(signal: Signal, operator: str, value: float | str, evidence: str) -> Threshold:
    return Threshold(attribute=signal.attribute, operator=operator, value=value, evidence=evidence)


def _since(signal: Signal) -> str:
    """Return what the time of a signal is the time of."""
    if signal.role == "trial_start":
        return "trial started"
    if signal.role == "tenure":
        return "joined"
    if signal.event not in {None, "*"} and signal.kind == "usage":
        return f"last {event_words(str(signal.event))}"
    if signal.event is None and signal.type == "timestamp":
        label = _label(signal.attribute)
        label = re.sub(r"^(?:hs )?(.*?)(?: at| on| date| time)?$", r"\1", label)
        return label if label.startswith("last ") and label != "last activity" else "last active"
    words = {"orders": "last order", "response": "last response"}
    return words.get(signal.kind or "usage", "last active")


def _never(signal: Signal) -> str:
    """Return that a time is missing because it never came."""
    if signal.event == "*":
        return "never active"
    if signal.event is not None:
        return f"no {event_words(signal.event)} on record"
    since = _since(signal)
    return "never active" if since == "last active" else f"no {since.removeprefix('last ')} on record"


def _over(signal: Signal) -> str:
    if signal.lifetime:
        return "in all"
    return f"in the last {in_days(signal.window_days)}" if signal.window_days else "on record"


def _amount_label(signal: Signal) -> str:
    """Return the name of an amount without its unit, which stands beside the number."""
    label = _label(signal.attribute)
    return " ".join(word for word in label.split() if word not in _UNITS) if signal.money else label


def shown_amount(signal: Signal, value: float, currency: str) -> str:
    """Return an amount for readers: money with its currency, in whole units of it."""
    if not signal.money:
        return in_figures(value)
    return in_money(value / signal.money, signal.currency or currency)


def _bare(value: str) -> str:
    return re.sub(r"[^a-z0-9]", "", value.lower())


def _joined(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Return one statement about one attribute out of two."""
    ((attribute, operators),) = left.items()
    return {attribute: {**operators, **right[attribute]}}
