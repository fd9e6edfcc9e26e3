"""Patients' timelines as columns (numpy, CSR over patients), and snapshots of what was known on a day.

Days are ``int32`` since 1970-01-01. Every fact has an event day and the days between which it was known, ``known_from
<= day < known_to``. Rows of one patient lie together, in order of their event day. No database is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

NO_DAY: Final = -(2**31)
"""A day that is not recorded."""
OPEN_DAY: Final = 2**31 - 1
"""``known_to`` of a version that is still open."""

CLINICAL: Final = 1
PICKUP: Final = 2

SEX_NOT_RECORDED: Final = 0
FEMALE: Final = 1
MALE: Final = 2

BOOKING_SCHEDULED: Final = 0
BOOKING_KEPT: Final = 1
BOOKING_MISSED: Final = 2
BOOKING_CANCELLED: Final = 3
BOOKING_STATUSES: Final = ("scheduled", "kept", "missed", "cancelled")

DIED: Final = 1
TRANSFERRED_OUT: Final = 2
TRANSFERRED_IN: Final = 3
STOPPED: Final = 4
INVALIDATED: Final = 5
STATE_CODES: Final[Mapping[str, int]] = {
    "died": DIED,
    "transferred_out": TRANSFERRED_OUT,
    "transferred_in": TRANSFERRED_IN,
    "stopped": STOPPED,
    "invalid": INVALIDATED,
}

NO_WORD: Final = 0
THEIRS_ACTIVE: Final = 1
THEIRS_IIT: Final = 2
WORD_CODES: Final[Mapping[str, int]] = {"active": THEIRS_ACTIVE, "active_restart": THEIRS_ACTIVE, "iit": THEIRS_IIT}
"""Codes of the partner's status for a person with an unreadable contact; any other word, or none, is NO_WORD."""

VARIABLES: Final = (
    "viral_load",
    "cd4",
    "who_stage",
    "arv_adherence",
    "pregnancy",
    "weight",
    "height",
)
"""Observed variables in the order of their codes; units: copies/mL, cells/mm3, 1-4, ADHERENCE, PREGNANCY, kg, cm."""
VARIABLE_CODES: Final[Mapping[str, int]] = {name: code for code, name in enumerate(VARIABLES)}
ADHERENCE: Final[Mapping[str, float]] = {"poor": 0.0, "fair": 1.0, "good": 2.0}
PREGNANCY: Final[Mapping[str, float]] = {
    "none": 0.0,
    "pregnant": 1.0,
    "breastfeeding": 2.0,
}

IntArray = npt.NDArray[np.int64]
DayArray = npt.NDArray[np.int32]
CodeArray = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
UuidArray = npt.NDArray[np.object_]

_EPOCH: Final = date(1970, 1, 1)
_SHIFT: Final = 2**33


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of facts, CSR over patients: patient ``i`` has rows ``offsets[i]:offsets[i + 1]``, in order of event day."""

    offsets: IntArray
    known_from: DayArray
    known_to: DayArray

    def __len__(self) -> int:
        return int(self.known_from.size)

    @property
    def owner(self) -> IntArray:
        """The patient of each row."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))


@dataclass(frozen=True, slots=True, eq=False)
class Profiles(Rows):
    """Versions of a patient's profile: sex code, day of birth, day of ART start, whether transferred in."""

    sex: CodeArray
    birth: DayArray
    art_start: DayArray
    transferred_in: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Contacts(Rows):
    """One row per patient, day and version: kind bits (CLINICAL, PICKUP), days supplied (0: not recorded).

    ``regimen`` and ``line`` index ``Timelines.regimens`` and ``Timelines.lines`` (-1: not recorded). ``assumed`` is
    true where the source gave no stamp of when the fact was known.
    """

    date: DayArray
    kind: CodeArray
    days_supplied: DayArray
    next_appointment: DayArray
    regimen: DayArray
    line: DayArray
    assumed: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Bookings(Rows):
    """Booked appointments, in order of the booking day. ``entity`` numbers the booking across its versions."""

    booked: DayArray
    due: DayArray
    status: CodeArray
    entity: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class States(Rows):
    """Deaths, transfers, stops and invalidated records: code (DIED, ...) and day.

    ``dated`` is false where the source gives no day: then ``date`` is the day on which the state was learned.
    """

    date: DayArray
    code: CodeArray
    dated: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Gaps(Rows):
    """Unreadable contacts of a partner's list: the list's day, and its status for the person."""

    date: DayArray
    word: CodeArray


@dataclass(frozen=True, slots=True, eq=False)
class Observations(Rows):
    """Measurements: variable code (VARIABLES), day, value (NaN: a sample without a result)."""

    date: DayArray
    variable: CodeArray
    value: FloatArray


R = TypeVar("R", bound=Rows)


@dataclass(frozen=True, slots=True, eq=False)
class Timelines:
    """The timelines of some patients (or of pseudo-patients: a patient as known on a day).

    Attributes:
        patient_uuid: (n,) UUIDs.
        facility: (n,) index into ``facilities``.
        facilities: UUIDs of the facilities.
        regimens: texts of the regimen codes.
        lines: texts of the regimen line codes.
        day: (n,) the day of each pseudo-patient's snapshot; None if the timelines have all versions.
    """

    patient_uuid: UuidArray
    facility: DayArray
    facilities: tuple[UUID, ...]
    profiles: Profiles
    contacts: Contacts
    bookings: Bookings
    states: States
    gaps: Gaps
    observations: Observations
    regimens: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    day: DayArray | None = None

    def __len__(self) -> int:
        return int(self.patient_uuid.size)


def day_number(value: date) -> int:
    """The day number of a date."""
    return (value - _EPOCH).days


def to_date(day: int) -> date | None:
    """The date of a day number; None where it is not recorded or open."""
    return None if day in (NO_DAY, OPEN_DAY) else _EPOCH + timedelta(days=int(day))


def date_of(day: int) -> date:
    """The date of a day number that is recorded and not open.

    Raises:
        LookupError: it is not.
    """
    value = to_date(day)
    if value is None:
        raise LookupError
    return value


def offsets_of(owner: npt.NDArray[Any], patients: int) -> IntArray:
    """CSR offsets for rows by their sorted owners."""
    return np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=patients)))).astype(np.int64)


def take(rows: R, index: npt.NDArray[Any], offsets: IntArray) -> R:
    """The rows at ``index``, with new offsets."""
    columns = {f.name: getattr(rows, f.name)[index] for f in fields(rows) if f.name != "offsets"}
    return type(rows)(offsets=offsets, **columns)


def keep(rows: R, mask: BoolArray) -> R:
    """The rows where ``mask`` is true, of the same patients."""
    offsets = np.concatenate(([0], np.cumsum(mask)))[rows.offsets].astype(np.int64)
    return take(rows, np.flatnonzero(mask), offsets)


def current(timelines: Timelines) -> Timelines:
    """The open versions of all facts, whatever their event day."""

    def open_rows(rows: R) -> R:
        return keep(rows, rows.known_to == OPEN_DAY)

    return replace(
        timelines,
        profiles=open_rows(timelines.profiles),
        contacts=open_rows(timelines.contacts),
        bookings=open_rows(timelines.bookings),
        states=open_rows(timelines.states),
        gaps=open_rows(timelines.gaps),
        observations=open_rows(timelines.observations),
    )


def select(timelines: Timelines, patient_index: npt.ArrayLike) -> Timelines:
    """The timelines of some of the patients, with all versions."""
    index = np.asarray(patient_index, dtype=np.int64)

    def rows_of(rows: R) -> R:
        row, owner = _ranges(rows.offsets[index], rows.offsets[index + 1])
        return take(rows, row, offsets_of(owner, index.size))

    return replace(
        timelines,
        patient_uuid=timelines.patient_uuid[index],
        facility=timelines.facility[index],
        profiles=rows_of(timelines.profiles),
        contacts=rows_of(timelines.contacts),
        bookings=rows_of(timelines.bookings),
        states=rows_of(timelines.states),
        gaps=rows_of(timelines.gaps),
        observations=rows_of(timelines.observations),
        day=None if timelines.day is None else timelines.day[index],
    )


def snapshot(timelines: Timelines, patient_index: npt.ArrayLike, day: npt.ArrayLike) -> Timelines:
    """Return one pseudo-patient per (patient, day), with only the facts known at the end of that day.

    A row counts when ``known_from <= day < known_to`` and its event day is not after the day. An ART start or birth
    after the day is not recorded yet. A booking before its due day is ``scheduled``, because its outcome, from a later
    file, is not known yet. It is cancelled if a version made after the booking day says so.

    Args:
        timelines: all versions.
        patient_index: (m,) indices of patients, in any order; repeats are allowed.
        day: (m,) or scalar, day numbers.
    """
    index = np.asarray(patient_index, dtype=np.int64)
    days = np.broadcast_to(np.asarray(day, dtype=np.int32), index.shape)
    profiles, profile_day = _known_rows(timelines.profiles, index, days, "known_from")
    contacts, _ = _known_rows(timelines.contacts, index, days, "date")
    bookings, booking_day = _known_rows(timelines.bookings, index, days, "booked")
    states, _ = _known_rows(timelines.states, index, days, "date")
    gaps, _ = _known_rows(timelines.gaps, index, days, "date")
    observations, _ = _known_rows(timelines.observations, index, days, "date")
    undecided = (bookings.due > booking_day) & (bookings.known_from <= bookings.booked)
    return replace(
        timelines,
        patient_uuid=timelines.patient_uuid[index],
        facility=timelines.facility[index],
        profiles=replace(
            profiles,
            birth=np.where(profiles.birth <= profile_day, profiles.birth, np.int32(NO_DAY)),
            art_start=np.where(profiles.art_start <= profile_day, profiles.art_start, np.int32(NO_DAY)),
        ),
        contacts=contacts,
        bookings=replace(bookings, status=np.where(undecided, np.int8(BOOKING_SCHEDULED), bookings.status)),
        states=states,
        gaps=gaps,
        observations=observations,
        day=np.array(days),
    )


def _ranges(starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """All integers of the ranges ``starts:ends``, one range after another, and the index of the range of each."""
    counts = np.maximum(ends - starts, 0)
    owner = np.repeat(np.arange(counts.size), counts)
    first = np.cumsum(counts) - counts
    return np.arange(owner.size) + (starts - first)[owner], owner


def row_key(owner: IntArray, day: npt.NDArray[Any]) -> IntArray:
    """A number that orders rows by patient, then by day, so that one ``searchsorted`` serves all patients."""
    return owner.astype(np.int64) * _SHIFT + day.astype(np.int64)


def _known_rows(rows: R, index: IntArray, days: DayArray, event: str) -> tuple[R, DayArray]:
    """For each (patient, day), the rows known on that day; and for each row, the day of its pseudo-patient."""
    if len(rows) == 0:  # most timelines have no bookings or gaps
        none = np.zeros(0, dtype=np.int64)
        return take(rows, none, np.zeros(index.size + 1, dtype=np.int64)), days[:0]
    keys = row_key(rows.owner, getattr(rows, event))
    ends = np.searchsorted(keys, row_key(index, days), side="right")
    row, owner = _ranges(rows.offsets[index], ends)
    at = days[owner]
    is_known = (rows.known_from[row] <= at) & (at < rows.known_to[row])
    owner = owner[is_known]
    return take(rows, row[is_known], offsets_of(owner, index.size)), at[is_known]
