"""Prediction units and their labels, and who is at risk or to be traced on a day."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.expected import FROM_UNREAD, Episodes, episodes, first_from
from tenants.cohort.status import ACTIVE, IIT, NONE, status_at, still_in_care, transitions
from tenants.cohort.timelines import (
    BOOKING_CANCELLED,
    BOOKING_KEPT,
    BOOKING_MISSED,
    BOOKING_SCHEDULED,
    DIED,
    INVALIDATED,
    NO_DAY,
    NO_WORD,
    OPEN_DAY,
    STOPPED,
    TRANSFERRED_OUT,
    BoolArray,
    CodeArray,
    DayArray,
    IntArray,
    Timelines,
    current,
    keep,
    row_key,
    select,
    snapshot,
)
from tenants.cohort.waiting import pending

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.settings import CohortSettings

OUTCOMES: Final = (
    "contact",
    "no contact",
    "died",
    "transferred out",
    "stopped",
    "cancelled",
    "unresolved",
)
(
    CAME,
    NOT_COME,
    COMPETING_DEATH,
    COMPETING_TRANSFER,
    COMPETING_STOP,
    COMPETING_CANCEL,
    UNRESOLVED,
) = range(7)

_STATE_OUTCOMES: Final = (
    (STOPPED, COMPETING_STOP),
    (TRANSFERRED_OUT, COMPETING_TRANSFER),
    (DIED, COMPETING_DEATH),
)
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """(patient, pending expected contact, decision day), one row each.

    Attributes:
        patient: (m,) index into the timelines.
        episode: (m,) index into ``episodes(current(timelines))``: the episode that the unit was drawn from; -1 for a
        unit of ``pending_units``.
        origin: the day that set the expected contact, as known then.
        expected: the expected day, as known then.
        day: the decision day, from origin to expected.
        known_day: the last day whose knowledge the unit may use: take ``snapshot(timelines, patient, known_day)``.
        Decisions are made in the morning of ``day``, so this is the day before, but never before the origin.
        deadline: ``expected + grace + reporting lag``; folds are cut by it.
        label: 1 no contact by expected + grace, 0 a contact, -1 not labelled (competing outcome or unresolved).
        outcome: code in OUTCOMES.
    """

    patient: IntArray
    episode: IntArray
    origin: DayArray
    expected: DayArray
    day: DayArray
    known_day: DayArray
    deadline: DayArray
    label: CodeArray
    outcome: CodeArray

    def __len__(self) -> int:
        return int(self.patient.size)

    def where(self, mask: npt.NDArray[np.bool_] | IntArray) -> Units:
        """The units at a mask or at indices."""
        return Units(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})

    def snapshot(self, timelines: Timelines) -> Timelines:
        """One pseudo-patient per unit, with only what was known at the decision."""
        return snapshot(timelines, self.patient, self.known_day)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """People past their expected contact: ``iit`` beyond grace, otherwise late. Days late count from the expected day.

    ``by_partner``: a contact is not readable, and the partner's own list says that they are in IIT. Their expected day
    is unknown: ``expected`` is NO_DAY and ``days_late`` 0.
    """

    patient: IntArray
    origin: DayArray
    expected: DayArray
    days_late: DayArray
    iit: BoolArray
    by_partner: BoolArray


def units(
    timelines: Timelines,
    rules: CohortSettings,
    complete: npt.ArrayLike,
    *,
    per_episode: int = 1,
    seed: int = 0,
    resolved_only: bool = True,
) -> Units:
    """Return prediction units with labels. Their decision days are drawn over the whole of each interval.

    The draw takes one day per episode and sample, from origin to expected. It gives no unit where the person had
    returned by then, or was not on treatment, as far as was known then. A unit is resolved when its deadline is at or
    before the facility's complete-through date, whether or not the person returned. If a contact or supply after the
    origin is not readable, it is never resolved. The draw depends only on the seed, the patient and the episode, so
    chunks do not change it.

    Args:
        timelines: all versions.
        rules: the tenant's rules.
        complete: complete-through day per facility (index as ``timelines.facilities``), NO_DAY where unknown.
        per_episode: decision days drawn for each episode.
        seed: seed of the draw.
        resolved_only: leave out unresolved units, which otherwise have label -1.
    """
    hindsight = current(timelines)
    episodes_now = episodes(hindsight, rules)
    episode = np.repeat(np.flatnonzero(episodes_now.expected > episodes_now.origin), per_episode)
    sample = np.tile(np.arange(per_episode), episode.size // max(per_episode, 1))
    patient = episodes_now.owner[episode]
    ends = np.asarray(complete, dtype=np.int64)[timelines.facility[patient]] if episode.size else np.zeros(0, np.int64)
    if resolved_only:
        is_due = episodes_now.expected[episode].astype(np.int64) + rules.grace_days + rules.reporting_lag_days <= ends
        episode, sample, patient, ends = (
            episode[is_due],
            sample[is_due],
            patient[is_due],
            ends[is_due],
        )
    origin, expected = (
        episodes_now.origin[episode].astype(np.int64),
        episodes_now.expected[episode].astype(np.int64),
    )
    draw = _uniform(timelines.patient_uuid, patient, origin, expected, sample, seed)
    day = origin + np.floor(draw * (expected - origin + 1)).astype(np.int64)
    known_day = np.maximum(origin, day - 1)
    unit, unit_snapshot = _pending(timelines, rules, episodes_now, patient, episode, day, known_day)
    return labelled(hindsight, rules, unit, ends[unit_snapshot], resolved_only=resolved_only)


def known_on(timelines: Timelines, as_of: int) -> Timelines:
    """Everybody as known on a day, without measurements: the input of :func:`pending_units` and :func:`to_trace`."""
    everyone = np.arange(len(timelines))
    return snapshot(without_measurements(timelines), everyone, np.full(everyone.size, as_of, dtype=np.int32))


def pending_units(
    timelines: Timelines, as_of: int, rules: CohortSettings, day_timelines: Timelines | None = None
) -> Units:
    """Return the units at risk on a day: on treatment, expected that day or later and not yet returned, as known then.

    The units have no label; their ``day`` and ``known_day`` are the day itself. Bookings mode has one unit per pending
    booking, even for one made after an interruption. ``day_timelines`` is a :func:`known_on` of the day to reuse.
    """
    day_snapshot = known_on(timelines, as_of) if day_timelines is None else day_timelines
    day = np.full(len(timelines), as_of, dtype=np.int32)
    episodes_then = episodes(day_snapshot, rules)
    episode = open_episodes(day_snapshot, episodes_then, rules)
    patient = episodes_then.owner[episode]
    open_now = (
        still_in_care(day_snapshot, rules)[patient]
        & (episodes_then.expected[episode] >= as_of)
        & (episodes_then.expected[episode] > episodes_then.origin[episode])
        & (episodes_then.source[episode] != FROM_UNREAD)
    )
    episode, patient = episode[open_now], patient[open_now]
    expected = episodes_then.expected[episode]
    return Units(
        patient=patient,
        episode=np.full(patient.size, -1, dtype=np.int64),
        origin=episodes_then.origin[episode],
        expected=expected,
        day=day[patient],
        known_day=day[patient],
        deadline=(expected + rules.grace_days + rules.reporting_lag_days).astype(np.int32),
        label=np.full(patient.size, -1, dtype=np.int8),
        outcome=np.full(patient.size, UNRESOLVED, dtype=np.int8),
    )


def to_trace(timelines: Timelines, as_of: int, rules: CohortSettings, day_timelines: Timelines | None = None) -> Trace:
    """Return the people who need tracing on a day: past the expected contact, within grace (late) or beyond it (IIT).

    Of the people with an unreadable contact, only those in IIT by the partner's own list are included.
    ``day_timelines`` is a :func:`known_on` of the day to reuse.
    """
    day_snapshot = known_on(timelines, as_of) if day_timelines is None else day_timelines
    waiting_state = pending(day_snapshot, rules)
    origin, expected = waiting_state.origin, waiting_state.expected
    late = np.flatnonzero((expected != NO_DAY) & (expected < as_of))
    moves = transitions(select(day_snapshot, late), rules)
    status = np.full(len(timelines), NONE, dtype=np.int8)
    status[late] = status_at(moves, np.arange(late.size), as_of)
    theirs = waiting_state.word != NO_WORD
    row = np.flatnonzero(((status == ACTIVE) & ~theirs) | (status == IIT))
    return Trace(
        patient=row,
        origin=origin[row],
        expected=np.where(theirs[row], np.int32(NO_DAY), expected[row]),
        days_late=np.where(theirs[row], np.int32(0), as_of - expected[row]).astype(np.int32),
        iit=status[row] == IIT,
        by_partner=theirs[row],
    )


def without_measurements(timelines: Timelines) -> Timelines:
    """The same timelines without observations, which do not bear on expected contacts."""
    rows = timelines.observations
    return replace(timelines, observations=keep(rows, np.zeros(len(rows), dtype=np.bool_)))


def open_episodes(day_snapshot: Timelines, episodes_then: Episodes, rules: CohortSettings) -> IntArray:
    """The episodes that were still pending: each patient's last contact, or every undecided booking."""
    if rules.expected_from == "bookings":
        return np.flatnonzero(day_snapshot.bookings.status[episodes_then.row] == BOOKING_SCHEDULED)
    last = episodes_then.last
    return last[last >= 0]


def _pending(
    timelines: Timelines,
    rules: CohortSettings,
    hindsight: Episodes,
    patient: IntArray,
    episode: IntArray,
    day: IntArray,
    known_day: IntArray,
) -> tuple[Units, IntArray]:
    """Return the drawn units that were pending as far as was known on their day, and their indices in the draw."""
    unit_snapshot = snapshot(without_measurements(timelines), patient, known_day)
    episodes_then = episodes(unit_snapshot, rules)
    if rules.expected_from == "bookings":
        entity = current(timelines).bookings.entity[hindsight.row[episode]]
        match = np.flatnonzero(unit_snapshot.bookings.entity[episodes_then.row] == entity[episodes_then.owner])
        match = match[unit_snapshot.bookings.status[episodes_then.row[match]] == BOOKING_SCHEDULED]
        draw = episodes_then.owner[match]
    else:
        match = episodes_then.last
        draw = np.flatnonzero(match >= 0)
        match = match[draw]
    open_then = (
        still_in_care(unit_snapshot, rules)[draw]
        & (episodes_then.expected[match] >= day[draw])
        & (episodes_then.origin[match] <= day[draw])
    )
    open_then &= episodes_then.source[match] != FROM_UNREAD
    draw, match = draw[open_then], match[open_then]
    expected = episodes_then.expected[match]
    blank = np.full(draw.size, -1, dtype=np.int8)
    pending_units_found = Units(
        patient=patient[draw],
        episode=episode[draw],
        origin=episodes_then.origin[match],
        expected=expected,
        day=day[draw].astype(np.int32),
        known_day=known_day[draw].astype(np.int32),
        deadline=(expected + rules.grace_days + rules.reporting_lag_days).astype(np.int32),
        label=blank,
        outcome=blank,
    )
    return pending_units_found, draw


def labelled(
    hindsight: Timelines,
    rules: CohortSettings,
    unit: Units,
    ends: IntArray,
    *,
    resolved_only: bool,
) -> Units:
    """The units with their outcomes, from everything known now."""
    last_day = unit.expected.astype(np.int64) + rules.grace_days
    came = _answer_day(hindsight, rules, unit).astype(np.int64)
    came = np.where(came == NO_DAY, np.int64(2**40), came)
    outcome = np.where(came <= last_day, CAME, NOT_COME)
    last_known_day = np.where(came <= last_day, came - 1, last_day)
    for code, competing in _STATE_OUTCOMES:
        outcome = np.where(_has_left(hindsight, unit, code, last_known_day), competing, outcome)
    if rules.expected_from == "bookings":
        status = _booking_now(hindsight, rules, unit)[0]
        outcome = np.where((status == BOOKING_CANCELLED) & (outcome == NOT_COME), COMPETING_CANCEL, outcome)
    is_resolved = (unit.deadline <= ends) & ~_unread(hindsight, rules, unit, came)
    is_resolved &= ~_has_left(hindsight, unit, INVALIDATED, last_known_day)
    outcome = np.where(is_resolved, outcome, UNRESOLVED)
    label = np.where(outcome == CAME, 0, np.where(outcome == NOT_COME, 1, -1))
    columns = {f.name: getattr(unit, f.name) for f in fields(unit)}
    columns |= {"label": label.astype(np.int8), "outcome": outcome.astype(np.int8)}
    all_units = Units(**columns)
    return all_units.where(is_resolved) if resolved_only else all_units


def _unread(hindsight: Timelines, rules: CohortSettings, unit: Units, came: IntArray) -> BoolArray:
    """Whether a contact that answers a unit, or its supply, is unreadable, from everything known now."""
    unread = episodes(hindsight, rules).unread
    if not unread.any() and not len(hindsight.gaps):
        return np.zeros(len(unit), dtype=np.bool_)
    gaps = hindsight.gaps
    key = row_key(gaps.owner, gaps.date)
    first = np.searchsorted(key, row_key(unit.patient, unit.origin))
    behind = np.searchsorted(key, row_key(unit.patient, np.minimum(came - 1, OPEN_DAY)), side="right")
    result: BoolArray = unread[unit.episode] | (behind > first)
    return result


def _booking_now(hindsight: Timelines, rules: CohortSettings, unit: Units) -> tuple[CodeArray, DayArray]:
    """Status and due day of each unit's booking as known now."""
    row = episodes(hindsight, rules).row[unit.episode]
    return hindsight.bookings.status[row], hindsight.bookings.due[row]


def _answer_day(hindsight: Timelines, rules: CohortSettings, unit: Units) -> DayArray:
    """The day of the first contact that answers each unit."""
    if rules.expected_from == "contacts":
        return first_from(hindsight, rules, unit.patient, unit.origin, strictly_after=True)
    status, due_day = _booking_now(hindsight, rules, unit)
    was_moved = due_day != unit.expected
    was_missed = (status == BOOKING_MISSED) & ~was_moved
    start = np.where(was_moved, unit.known_day, unit.expected)
    later = first_from(hindsight, rules, unit.patient, start, strictly_after=was_missed | was_moved)
    return np.where((status == BOOKING_KEPT) & ~was_moved, due_day, later)


def _has_left(hindsight: Timelines, unit: Units, code: int, until: IntArray) -> BoolArray:
    """Whether a state with this code began for the unit's patient between the unit's origin and a day."""
    states = hindsight.states
    has_code = states.code == code
    key = row_key(states.owner[has_code], states.date[has_code])
    first = np.searchsorted(key, row_key(unit.patient, unit.origin))
    behind = np.searchsorted(key, row_key(unit.patient, until), side="right")
    result: BoolArray = behind > first
    return result


def _uniform(
    uuids: npt.NDArray[np.object_],
    patient: IntArray,
    origin: IntArray,
    expected: IntArray,
    sample: IntArray,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1) that depend only on the seed, the patient, the episode and the sample (splitmix64)."""
    low = np.fromiter(
        (value.int & 0xFFFFFFFFFFFFFFFF for value in uuids),
        dtype=np.uint64,
        count=uuids.size,
    )
    state = np.full(patient.size, np.uint64(seed % 2**64), dtype=np.uint64)
    for part in (
        low[patient],
        origin.astype(np.uint64),
        expected.astype(np.uint64),
        sample.astype(np.uint64),
    ):
        state = _mixed(state ^ part)
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = state + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return mixed
