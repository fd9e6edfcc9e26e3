"""Each patient's state at the end of a day, as known then: the columns from which line lists are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tenants.cohort.expected import latest_art_start, latest_profile
from tenants.cohort.load import limit_of
from tenants.cohort.status import (
    ACTIVE,
    IIT,
    NONE,
    STATUSES,
    STOP,
    by_partner,
    day_known,
    last_transition,
    status_at,
    transitions,
)
from tenants.cohort.timelines import (
    FEMALE,
    MALE,
    NO_DAY,
    PICKUP,
    SEX_NOT_RECORDED,
    VARIABLE_CODES,
    BoolArray,
    IntArray,
    Rows,
    Timelines,
    snapshot,
    to_date,
)
from tenants.cohort.waiting import waiting

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from tenants.cohort.settings import CohortSettings

_SEXES = {FEMALE: "F", MALE: "M"}


@dataclass(frozen=True, slots=True)
class Measured:
    """The latest result of one kind, and its day; both empty where there is none.

    ``censored``: the result is below ``value``, the limit of what can be measured.
    """

    value: float | None = None
    day: date | None = None
    censored: bool = False

    @property
    def shown(self) -> float | str | None:
        """The result as a laboratory writes it: a number, or ``<`` before the limit."""
        return f"<{self.value:g}" if self.censored else self.value


@dataclass(frozen=True, slots=True)
class PersonState:
    """One patient at the end of a day, of what was known then.

    Attributes:
        status: one of ``tenants.cohort.status.STATUSES``.
        status_date: since when; None where the source gives no day.
        status_source: ``records``, or ``partner`` where a contact cannot be read and their own list gives the status.
        restarted: on treatment, and in IIT or stopped when the reporting period began.
        expected_date: the pending (or overdue) expected contact.
        days_supplied: of the last pick-up, days.
        first_regimen, first_line: of the first pick-up that names them.
        regimen_since: first of the unbroken pick-ups with the present regimen.
        viral_load, cd4: copies/mL, cells/mm3; of a result below its limit, the limit, ``censored``.
        who_stage: 1-4. weight: kg.
        pregnancy: 0 none, 1 pregnant, 2 breastfeeding.
    """

    patient_uuid: UUID
    facility_uuid: UUID
    sex: str | None
    birthdate: date | None
    art_start_date: date | None
    transferred_in: bool
    status: str
    status_date: date | None
    status_source: str
    restarted: bool
    last_contact: date | None
    last_pickup: date | None
    days_supplied: int | None
    expected_date: date | None
    regimen: str | None
    line: str | None
    first_regimen: str | None
    first_line: str | None
    regimen_since: date | None
    viral_load: Measured
    cd4: Measured
    who_stage: Measured
    weight: Measured
    pregnancy: Measured


def states(timelines: Timelines, day: int, period_start: int, rules: CohortSettings) -> list[PersonState]:
    """Every patient of these timelines at the end of ``day``, in their order.

    Args:
        timelines: all versions.
        day: day number.
        period_start: first day of the reporting period that ``day`` lies in; says who is restarted.
        rules: the tenant's.
    """
    everyone = np.arange(len(timelines))
    seen = snapshot(timelines, everyone, day)
    moves = transitions(seen, rules)
    now, before = status_at(moves, everyone, day), status_at(moves, everyone, period_start - 1)
    place = last_transition(moves, everyone, day)
    dated = (place >= 0) & day_known(seen, moves, place)
    since = np.where(dated, moves.date[place] if len(moves) else NO_DAY, NO_DAY)
    theirs = by_partner(seen, moves, day, rules)
    restarted = (now == ACTIVE) & ((before == IIT) | (before == STOP))
    # Of whom the partner's word decides nobody knows when they were expected.
    expected = np.where((now == NONE) | theirs, NO_DAY, waiting(seen, rules)[1])
    art_start = latest_art_start(seen)
    sex = latest_profile(seen, seen.profiles.sex, SEX_NOT_RECORDED)
    birth = latest_profile(seen, seen.profiles.birth, NO_DAY)
    arrived = latest_profile(seen, seen.profiles.transferred_in, 0)

    contacts = seen.contacts
    contact = _last(contacts, np.ones(len(contacts), dtype=np.bool_))
    picked = (contacts.kind & PICKUP) > 0
    pickup = _last(contacts, picked)
    told = _last(contacts, picked & (contacts.regimen >= 0))
    lined = _last(contacts, picked & (contacts.line >= 0))
    first = _first(contacts, picked & (contacts.regimen >= 0))
    first_lined = _first(contacts, picked & (contacts.line >= 0))
    since_regimen = _regimen_since(seen, picked, told)
    found = {name: _last(seen.observations, _measured(seen, code)) for name, code in VARIABLE_CODES.items()}

    def measured(name: str, person: int) -> Measured:
        row = int(found[name][person])
        if row < 0:
            return Measured()
        value, on = float(seen.observations.value[row]), to_date(int(seen.observations.date[row]))
        limit = limit_of(value)
        return Measured(value, on) if limit is None else Measured(limit, on, censored=True)

    def on(rows: IntArray, person: int) -> date | None:
        return None if rows[person] < 0 else to_date(int(contacts.date[rows[person]]))

    def text(rows: IntArray, codes: IntArray, texts: tuple[str, ...], person: int) -> str | None:
        return None if rows[person] < 0 else texts[int(codes[rows[person]])]

    regimens, lines = contacts.regimen.astype(np.int64), contacts.line.astype(np.int64)
    return [
        PersonState(
            patient_uuid=seen.patient_uuid[person],
            facility_uuid=seen.facilities[int(seen.facility[person])],
            sex=_SEXES.get(int(sex[person])),
            birthdate=to_date(int(birth[person])),
            art_start_date=to_date(int(art_start[person])),
            transferred_in=bool(arrived[person]),
            status=STATUSES[int(now[person])],
            status_date=to_date(int(since[person])),
            status_source="partner" if theirs[person] else "records",
            restarted=bool(restarted[person]),
            last_contact=on(contact, person),
            last_pickup=on(pickup, person),
            days_supplied=_supplied(seen, int(pickup[person])),
            expected_date=to_date(int(expected[person])),
            regimen=text(told, regimens, seen.regimens, person),
            line=text(lined, lines, seen.lines, person),
            first_regimen=text(first, regimens, seen.regimens, person),
            first_line=text(first_lined, lines, seen.lines, person),
            regimen_since=to_date(int(since_regimen[person])),
            viral_load=measured("viral_load", person),
            cd4=measured("cd4", person),
            who_stage=measured("who_stage", person),
            weight=measured("weight", person),
            pregnancy=measured("pregnancy", person),
        )
        for person in everyone.tolist()
    ]


def _supplied(seen: Timelines, row: int) -> int | None:
    return (int(seen.contacts.days_supplied[row]) or None) if row >= 0 else None


def _measured(seen: Timelines, code: int) -> BoolArray:
    """Rows of a variable that hold a result; a sample that waits for one tells nothing yet."""
    found: BoolArray = (seen.observations.variable == code) & ~np.isnan(seen.observations.value)
    return found


def _last(rows: Rows, mask: BoolArray) -> IntArray:
    """The last row of each patient where ``mask`` holds; -1 where there is none."""
    place = np.where(mask, np.arange(mask.size), -1)
    return _reduced(np.maximum, rows, place, -1)


def _first(rows: Rows, mask: BoolArray) -> IntArray:
    """The first row of each patient where ``mask`` holds; -1 where there is none."""
    place = np.where(mask, np.arange(mask.size), mask.size)
    found = _reduced(np.minimum, rows, place, mask.size)
    return np.where(found == mask.size, -1, found)


def _reduced(function: np.ufunc, rows: Rows, place: IntArray, missing: int) -> IntArray:
    found = np.full(rows.offsets.size - 1, missing, dtype=np.int64)
    some = np.diff(rows.offsets) > 0
    if place.size:
        found[some] = function.reduceat(place, rows.offsets[:-1][some])
    return found


def _regimen_since(seen: Timelines, picked: BoolArray, told: IntArray) -> IntArray:
    """Day of the first of the unbroken pick-ups with each patient's present regimen; NO_DAY where none is known."""
    contacts = seen.contacts
    owner = contacts.owner
    named = picked & (contacts.regimen >= 0)
    present = np.where(told >= 0, contacts.regimen[told] if len(contacts) else -1, -1)
    other = _last(contacts, named & (contacts.regimen != present[owner]))
    since = _first(contacts, named & (np.arange(len(contacts)) > other[owner]))
    return np.where(since >= 0, contacts.date[since] if len(contacts) else NO_DAY, NO_DAY)
