"""Each patient's state at the end of a day, as known then: the source of the columns of line lists."""

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
class Measurement:
    """The latest result of one kind, and its day; both empty where there is none.

    ``censored``: the result is below ``value``, the limit of the measurement.
    """

    value: float | None = None
    day: date | None = None
    censored: bool = False

    @property
    def text_or_number(self) -> float | str | None:
        """The result as laboratories write it: a number, or ``<`` before the limit."""
        return f"<{self.value:g}" if self.censored else self.value


@dataclass(frozen=True, slots=True)
class PersonState:
    """One patient at the end of a day, from what was known then.

    Attributes:
        status: one of ``tenants.cohort.status.STATUSES``.
        status_date: the first day of the status; None where the source gives no day.
        status_source: ``records``, or ``partner`` where a contact is not readable and the partner's list gives the
            status.
        restarted: on treatment, but in IIT or stopped when the reporting period began.
        expected_date: the pending (or overdue) expected contact.
        days_supplied: days of the last pick-up.
        first_regimen, first_line: of the first pick-up that names them.
        regimen_since: first of the unbroken pick-ups with the present regimen.
        viral_load, cd4: copies/mL, cells/mm3; for a result below its limit the limit, ``censored``.
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
    viral_load: Measurement
    cd4: Measurement
    who_stage: Measurement
    weight: Measurement
    pregnancy: Measurement


def states(timelines: Timelines, day: int, period_start: int, rules: CohortSettings) -> list[PersonState]:
    """Return the state of every patient of these timelines at the end of ``day``, in their order.

    Args:
        timelines: all versions.
        day: day number.
        period_start: first day of the reporting period of ``day``; it decides who is restarted.
        rules: the tenant's rules.
    """
    everyone = np.arange(len(timelines))
    day_snapshot = snapshot(timelines, everyone, day)
    moves = transitions(day_snapshot, rules)
    after, before = status_at(moves, everyone, day), status_at(moves, everyone, period_start - 1)
    place = last_transition(moves, everyone, day)
    has_day = (place >= 0) & day_known(day_snapshot, moves, place)
    since = np.where(has_day, moves.date[place] if len(moves) else NO_DAY, NO_DAY)
    theirs = by_partner(day_snapshot, moves, day, rules)
    restarted = (after == ACTIVE) & ((before == IIT) | (before == STOP))
    # Where the partner's word gives the status, the expected day is unknown.
    expected = np.where((after == NONE) | theirs, NO_DAY, waiting(day_snapshot, rules)[1])
    art_start = latest_art_start(day_snapshot)
    sex = latest_profile(day_snapshot, day_snapshot.profiles.sex, SEX_NOT_RECORDED)
    birth = latest_profile(day_snapshot, day_snapshot.profiles.birth, NO_DAY)
    arrived = latest_profile(day_snapshot, day_snapshot.profiles.transferred_in, 0)

    contacts = day_snapshot.contacts
    contact = _last(contacts, np.ones(len(contacts), dtype=np.bool_))
    picked = (contacts.kind & PICKUP) > 0
    pickup = _last(contacts, picked)
    last_named = _last(contacts, picked & (contacts.regimen >= 0))
    lined = _last(contacts, picked & (contacts.line >= 0))
    first = _first(contacts, picked & (contacts.regimen >= 0))
    first_lined = _first(contacts, picked & (contacts.line >= 0))
    since_regimen = _regimen_since(day_snapshot, picked, last_named)
    last_result = {
        name: _last(day_snapshot.observations, _has_result(day_snapshot, code)) for name, code in VARIABLE_CODES.items()
    }

    def measurement(name: str, person: int) -> Measurement:
        row = int(last_result[name][person])
        if row < 0:
            return Measurement()
        value, on = float(day_snapshot.observations.value[row]), to_date(int(day_snapshot.observations.date[row]))
        limit = limit_of(value)
        return Measurement(value, on) if limit is None else Measurement(limit, on, censored=True)

    def on(rows: IntArray, person: int) -> date | None:
        return None if rows[person] < 0 else to_date(int(contacts.date[rows[person]]))

    def text(rows: IntArray, codes: IntArray, texts: tuple[str, ...], person: int) -> str | None:
        return None if rows[person] < 0 else texts[int(codes[rows[person]])]

    regimens, lines = contacts.regimen.astype(np.int64), contacts.line.astype(np.int64)
    return [
        PersonState(
            patient_uuid=day_snapshot.patient_uuid[person],
            facility_uuid=day_snapshot.facilities[int(day_snapshot.facility[person])],
            sex=_SEXES.get(int(sex[person])),
            birthdate=to_date(int(birth[person])),
            art_start_date=to_date(int(art_start[person])),
            transferred_in=bool(arrived[person]),
            status=STATUSES[int(after[person])],
            status_date=to_date(int(since[person])),
            status_source="partner" if theirs[person] else "records",
            restarted=bool(restarted[person]),
            last_contact=on(contact, person),
            last_pickup=on(pickup, person),
            days_supplied=_supply_of(day_snapshot, int(pickup[person])),
            expected_date=to_date(int(expected[person])),
            regimen=text(last_named, regimens, day_snapshot.regimens, person),
            line=text(lined, lines, day_snapshot.lines, person),
            first_regimen=text(first, regimens, day_snapshot.regimens, person),
            first_line=text(first_lined, lines, day_snapshot.lines, person),
            regimen_since=to_date(int(since_regimen[person])),
            viral_load=measurement("viral_load", person),
            cd4=measurement("cd4", person),
            who_stage=measurement("who_stage", person),
            weight=measurement("weight", person),
            pregnancy=measurement("pregnancy", person),
        )
        for person in everyone.tolist()
    ]


def _supply_of(day_snapshot: Timelines, row: int) -> int | None:
    return (int(day_snapshot.contacts.days_supplied[row]) or None) if row >= 0 else None


def _has_result(day_snapshot: Timelines, code: int) -> BoolArray:
    """Rows of a variable with a result. A sample that waits for its result does not count."""
    mask: BoolArray = (day_snapshot.observations.variable == code) & ~np.isnan(day_snapshot.observations.value)
    return mask


def _last(rows: Rows, mask: BoolArray) -> IntArray:
    """The last row of each patient where ``mask`` is true; -1 where there is none."""
    place = np.where(mask, np.arange(mask.size), -1)
    return _reduced(np.maximum, rows, place, -1)


def _first(rows: Rows, mask: BoolArray) -> IntArray:
    """The first row of each patient where ``mask`` is true; -1 where there is none."""
    place = np.where(mask, np.arange(mask.size), mask.size)
    first = _reduced(np.minimum, rows, place, mask.size)
    return np.where(first == mask.size, -1, first)


def _reduced(function: np.ufunc, rows: Rows, place: IntArray, missing: int) -> IntArray:
    result = np.full(rows.offsets.size - 1, missing, dtype=np.int64)
    some = np.diff(rows.offsets) > 0
    if place.size:
        result[some] = function.reduceat(place, rows.offsets[:-1][some])
    return result


def _regimen_since(day_snapshot: Timelines, picked: BoolArray, last_named: IntArray) -> IntArray:
    """Day of the first of the unbroken pick-ups with each patient's present regimen; NO_DAY where none is known."""
    contacts = day_snapshot.contacts
    owner = contacts.owner
    has_regimen = picked & (contacts.regimen >= 0)
    present = np.where(last_named >= 0, contacts.regimen[last_named] if len(contacts) else -1, -1)
    last_other = _last(contacts, has_regimen & (contacts.regimen != present[owner]))
    since = _first(contacts, has_regimen & (np.arange(len(contacts)) > last_other[owner]))
    return np.where(since >= 0, contacts.date[since] if len(contacts) else NO_DAY, NO_DAY)
