"""Random histories of patients, and status worked out day by day in plain Python: the rules of the README once more."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

import numpy as np
from hypothesis import strategies as st

from tenants.cohort.expected import default_days
from tenants.cohort.settings import CohortSettings, FixedRule, ScheduleBand, ScheduleRule, UsualIntervalRule
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import (
    CLINICAL,
    DIED,
    INVALIDATED,
    NO_DAY,
    NO_WORD,
    OPEN_DAY,
    PICKUP,
    STOPPED,
    THEIRS_ACTIVE,
    THEIRS_IIT,
    TRANSFERRED_IN,
    TRANSFERRED_OUT,
    Timelines,
)

LAST = 420
"""Histories run from day 0 to this day."""


@dataclass(frozen=True)
class Contact:
    day: int
    appointment: int = NO_DAY
    supply: int = 0
    known_from: int = NO_DAY
    known_to: int = OPEN_DAY


@dataclass(frozen=True)
class State:
    code: int
    day: int
    known_from: int = NO_DAY
    known_to: int = OPEN_DAY


@dataclass(frozen=True)
class Gap:
    """A contact of the list of ``day`` that cannot be read, and the partner's word for the person in it."""

    day: int
    word: int = NO_WORD
    known_from: int = NO_DAY
    known_to: int = OPEN_DAY


@dataclass(frozen=True)
class History:
    contacts: tuple[Contact, ...] = ()
    states: tuple[State, ...] = ()
    art_start: int = NO_DAY
    transferred_in: bool = False
    profile_from: int = NO_DAY
    sex: int = 0
    birth: int = NO_DAY
    gaps: tuple[Gap, ...] = ()


def timelines_of(histories: list[History], facility: list[int] | None = None, facilities: int = 1) -> Timelines:
    contacts = [(p, c) for p, h in enumerate(histories) for c in h.contacts]
    states = [(p, s) for p, h in enumerate(histories) for s in h.states]
    gaps = [(p, g) for p, h in enumerate(histories) for g in h.gaps]
    return make_timelines(
        [UUID(int=i + 1) for i in range(len(histories))],
        facility=facility,
        facilities=[UUID(int=1000 + i) for i in range(facilities)],
        profiles={
            "patient": np.arange(len(histories)),
            "art_start": [h.art_start for h in histories],
            "transferred_in": [h.transferred_in for h in histories],
            "known_from": [h.profile_from for h in histories],
            "sex": [h.sex for h in histories],
            "birth": [h.birth for h in histories],
        },
        contacts={
            "patient": [p for p, _ in contacts],
            "date": [c.day for _, c in contacts],
            "kind": [PICKUP if c.supply else CLINICAL for _, c in contacts],
            "next_appointment": [c.appointment for _, c in contacts],
            "days_supplied": [c.supply for _, c in contacts],
            "known_from": [c.known_from for _, c in contacts],
            "known_to": [c.known_to for _, c in contacts],
        },
        states={
            "patient": [p for p, _ in states],
            "date": [s.day for _, s in states],
            "code": [s.code for _, s in states],
            "known_from": [s.known_from for _, s in states],
            "known_to": [s.known_to for _, s in states],
        },
        gaps={
            "patient": [p for p, _ in gaps],
            "date": [g.day for _, g in gaps],
            "word": [g.word for _, g in gaps],
            "known_from": [g.known_from for _, g in gaps],
            "known_to": [g.known_to for _, g in gaps],
        },
    )


days = st.integers(0, LAST)
rules = st.builds(
    CohortSettings,
    grace_days=st.sampled_from([0, 7, 28]),
    reporting_lag_days=st.sampled_from([0, 7]),
    expected_by=st.sampled_from(["later", "later", "earlier", "appointment", "supply", "stock"]),
    start_when_missing=st.sampled_from(["first_contact", "first_pickup", "never"]),
    rule=st.sampled_from(
        [
            FixedRule(days=30),
            UsualIntervalRule(default_days=30, minimum=1, window=3),
            ScheduleRule(by="contact_number", bands=(ScheduleBand(start=1, days=14), ScheduleBand(start=3, days=60))),
        ]
    ),
)


@st.composite
def contacts(draw: st.DrawFn, day: int) -> Contact:
    kind = draw(st.sampled_from(["appointment", "supply", "both", "neither", "nonsense", "unread"]))
    late = draw(st.sampled_from([0, 0, 0, 5, 40]))
    known = day + late if draw(st.booleans()) else NO_DAY
    if kind == "appointment":
        return Contact(day, appointment=day + draw(st.integers(1, 90)), known_from=known)
    if kind == "both":
        return Contact(day, day + draw(st.integers(1, 90)), draw(st.integers(1, 90)), known_from=known)
    if kind == "unread":
        return Contact(day, supply=900, known_from=known)
    if kind == "supply":
        return Contact(day, supply=draw(st.integers(1, 90)), known_from=known)
    if kind == "nonsense":
        return Contact(day, appointment=day + draw(st.sampled_from([-3, 0, 400, 5000])), supply=-4, known_from=known)
    return Contact(day, known_from=known)


@st.composite
def states(draw: st.DrawFn) -> State:
    day = draw(days)
    known = day + draw(st.sampled_from([0, 0, 10, 60]))
    undone = known + draw(st.integers(1, 100)) if draw(st.integers(0, 3)) == 0 else OPEN_DAY
    code = draw(st.sampled_from([DIED, INVALIDATED, TRANSFERRED_OUT, TRANSFERRED_OUT, TRANSFERRED_IN, STOPPED]))
    return State(code, day, known, undone)


@st.composite
def gaps(draw: st.DrawFn) -> Gap:
    day = draw(days)
    closed = day + draw(st.integers(1, 100)) if draw(st.integers(0, 3)) == 0 else OPEN_DAY
    return Gap(day, draw(st.sampled_from([NO_WORD, THEIRS_ACTIVE, THEIRS_IIT])), day, closed)


@st.composite
def histories(draw: st.DrawFn) -> History:
    when = draw(st.lists(days, max_size=9, unique=True))
    return History(
        contacts=tuple(draw(contacts(day)) for day in when),
        states=tuple(draw(st.lists(states(), max_size=3, unique_by=lambda s: (s.code, s.day)))),
        gaps=tuple(draw(st.lists(gaps(), max_size=2, unique_by=lambda g: g.day))),
        art_start=draw(st.one_of(st.just(NO_DAY), st.integers(-200, LAST))),
        transferred_in=draw(st.integers(0, 4)) == 0,
        profile_from=draw(st.sampled_from([NO_DAY, 50])),
        sex=draw(st.integers(0, 2)),
        birth=draw(st.sampled_from([NO_DAY, -200, -8000, -25000])),
    )


EXITS = [(STOPPED, "stopped"), (TRANSFERRED_OUT, "transferred_out"), (INVALIDATED, "invalid"), (DIED, "died")]


@dataclass
class Walk:
    """One person's status, day after day."""

    history: History
    rules: CohortSettings
    status: str = "none"
    expected: int | None = None
    appointment_day: int = NO_DAY
    until: int = NO_DAY
    doubted: bool = False
    dead: bool = False
    seen: list[int] = field(default_factory=list)
    log: list[tuple[int, str, str]] = field(default_factory=list)

    def run(self) -> list[str]:  # noqa: C901, PLR0912 - one day, rule after rule
        """The status at the end of each day from 0 to LAST."""
        known = [c for c in self.history.contacts if c.known_to == OPEN_DAY]
        contacts = {c.day: c for c in known}
        states = [s for s in self.history.states if s.known_to == OPEN_DAY]
        entry, reason = self.entry(contacts, states)
        others = [*contacts, *(s.day for s in states if s.code == TRANSFERRED_IN)]
        by_list = entry in self.lists() and entry != self.history.art_start and all(day > entry for day in others)
        supposed: int | None = None
        came = [s.day for s in states if s.code == TRANSFERRED_IN]
        care = sorted({*contacts, *came, *([] if entry is None else [entry])})
        out = []
        for day in range(min(-200, entry if entry is not None else 0), LAST + 1):
            today = {s.code for s in states if s.day == day}
            if day == entry:
                self.move(day, "active", reason)
                if by_list:
                    self.doubt(day, day - 1, self.gap_after(day, care))
            waits = max((w for w in (self.expected, supposed) if w is not None), default=None)
            overdue = waits is not None and day == waits + self.rules.grace_days + 1
            if self.status in ("active", "unknown") and entry is not None and day > entry and waits is not None:
                gap = self.gap_after(max((d for d in care if d < day), default=NO_DAY), care)
                if gap is None and not self.doubted:
                    if overdue and self.status == "active":
                        self.move(day, "iit", "interrupted")
                elif day not in care:
                    self.doubt(day, waits, gap)
            entered = entry is not None and day >= entry
            if day in contacts:
                if entered and day > entry:
                    self.move(day, "active", "returned")
                self.expect(contacts[day])
                supposed = None
            elif entered and (day == entry or TRANSFERRED_IN in today):
                supposed = day - 1 if by_list and day == entry else day + default_days(self.rules)
                self.doubted = False
            if entered and day > entry and TRANSFERRED_IN in today:
                self.move(day, "active", "transferred_in")
            for code, name in EXITS:
                if code in today and (code in (DIED, INVALIDATED) or entry is None or entered):
                    self.move(day, name, name)
            if day >= 0:
                out.append(self.status)
        return out

    def entry(self, contacts: dict[int, Contact], states: list[State]) -> tuple[int | None, str]:
        art = None if self.history.art_start == NO_DAY else self.history.art_start
        listed = self.lists()
        first = min((*contacts, *listed), default=None)
        moved = min((s.day for s in states if s.code == TRANSFERRED_IN), default=None)
        came = [d for d in ((first, moved) if self.history.transferred_in else (moved,)) if d is not None]
        elsewhere = self.history.transferred_in or (moved is not None and (first is None or first >= moved))
        if elsewhere and not (art is not None and came and art > min(came)):
            return (min(came) if came else art), "transferred_in"
        if art is not None:
            after = min((d for d in contacts if d >= art), default=None)
            before = first is not None and first < art
            near = art + default_days(self.rules) + self.rules.grace_days
            if before or after is None or after <= near or any(day < after for day in listed):
                return art, "new"
            return after, "first_seen"
        if self.rules.start_when_missing == "first_contact":
            return first, "first_seen"
        if self.rules.start_when_missing == "first_pickup":
            picked = (d for d, c in contacts.items() if c.supply)
            theirs = (g.day for g in self.history.gaps if g.known_to == OPEN_DAY and g.word != NO_WORD)
            return min((*picked, *theirs), default=None), "first_seen"
        return None, "first_seen"

    def lists(self) -> list[int]:
        """The days of lists with a contact that cannot be read."""
        return [g.day for g in self.history.gaps if g.known_to == OPEN_DAY]

    def gap_after(self, last: int, care: list[int]) -> Gap | None:
        """The newest list that ran between the last row of care and the next one and has a contact not to be read."""
        following = min((d for d in care if d > last), default=OPEN_DAY)
        known = [g for g in self.history.gaps if g.known_to == OPEN_DAY and last <= g.day < following]
        return max(known, key=lambda g: g.day, default=None)

    def doubt(self, day: int, waits: int, gap: Gap | None) -> None:
        """A contact or supply cannot be read: what may be said of the person from the day of being late."""
        word, listed = (NO_WORD, NO_DAY) if gap is None else (gap.word, gap.day)
        late = waits + 1
        if word == THEIRS_IIT and day == max(late, listed):
            self.move(day, "iit", "partner_list")
        elif day == (max(late, listed + self.rules.grace_days + 1) if word == THEIRS_ACTIVE else late):
            self.move(day, "unknown", "unread")

    def expect(self, contact: Contact) -> None:
        day, rules = contact.day, self.rules
        self.seen.append(day)
        appointed = contact.appointment != NO_DAY and 0 < contact.appointment - day < rules.longest_ahead_days
        supplied = 1 <= contact.supply <= rules.longest_supply_days
        self.doubted = contact.supply > rules.longest_supply_days and not appointed
        if appointed:
            self.appointment_day = contact.appointment
        supposed = day + self.by_rule(day)
        blank = contact.supply != 0 and not (appointed or supplied or self.doubted)
        supply = contact.supply if supplied else supposed - day if blank else 0
        if supply and rules.expected_by == "stock":
            self.until = max(self.until, day) + supply
        elif supply:
            self.until = max(self.until, day + supply)
        candidates = {"appointment": self.appointment_day, "supply": self.until}
        candidates = {name: when for name, when in candidates.items() if when > day}
        if rules.expected_by == "later" and not (appointed or supplied or self.doubted):
            candidates["rule"] = supposed
        if rules.expected_by in ("later", "earlier"):
            pick = max if rules.expected_by == "later" else min
            self.expected = pick(candidates.values(), default=supposed)
        else:
            first = "appointment" if rules.expected_by == "appointment" else "supply"
            self.expected = candidates.get(first, next(iter(candidates.values()), supposed))

    def by_rule(self, day: int) -> int:
        rule = self.rules.rule
        if isinstance(rule, FixedRule):
            return rule.days
        if isinstance(rule, UsualIntervalRule):
            gaps = [b - a for a, b in pairwise(self.seen)][-rule.window :]
            if len(gaps) < rule.minimum:
                return rule.default_days
            return int(np.clip(np.rint(np.median(gaps)), rule.shortest, rule.longest))
        number = len(self.seen)
        return next((band.days for band in reversed(rule.bands) if band.start <= number), rule.bands[0].days)

    def move(self, day: int, status: str, reason: str) -> None:
        if self.dead or status == self.status:
            return
        self.log.append((day, status, reason))
        self.status, self.dead = status, status in ("died", "invalid")
