"""Prediction units and their labels, and who is at risk or to be traced on a day."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.expected import FROM_UNREAD, Episodes, episodes, first_from
from tenants.cohort.status import ACTIVE, IIT, NONE, status_at, still_here, transitions
from tenants.cohort.timelines import (
    CANCELLED,
    DIED,
    INVALIDATED,
    KEPT,
    MISSED,
    NO_DAY,
    NO_WORD,
    OPEN_DAY,
    SCHEDULED,
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
        episode: (m,) index into ``episodes(current(timelines))`` of which the unit was drawn; -1 when serving.
        origin: the day that set the expected contact, as known then.
        expected: the expected day, as known then.
        day: the decision day, from origin to expected.
        known_day: what was known on this day may be used: take ``snapshot(timelines, patient, known_day)``. The
            decision is made on the morning of ``day``: the day before, but never before the contact that set the date.
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
        """The units chosen by a mask or by indices."""
        return Units(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})

    def snapshot(self, timelines: Timelines) -> Timelines:
        """One pseudo-patient per unit, with only what was known when it was decided."""
        return snapshot(timelines, self.patient, self.known_day)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """People past their expected contact: ``iit`` beyond grace, else late. Days late count from the expected day.

    ``by_partner``: a contact cannot be read, and it is the partner's own list that says that they are in IIT. Nobody
    knows when they were expected: ``expected`` is NO_DAY and ``days_late`` 0.
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
    """Prediction units with labels, their decision days drawn over the whole of each interval.

    A day is drawn per episode and sample from origin to expected; where the person had come back by then (or was not on
    treatment) as far as was known, there is no unit. A unit is resolved when its deadline is at or before the
    facility's complete-through date, returned or not; never where a contact or supply after the origin cannot be read.
    The draw depends on the seed, the patient and the episode alone, so it is the same in whatever chunks they come.

    Args:
        timelines: all versions.
        rules: the tenant's settings.
        complete: complete-through day per facility (index as ``timelines.facilities``), NO_DAY where unknown.
        per_episode: decision days drawn for each episode.
        seed: of the draw.
        resolved_only: leave out the unresolved, which else have label -1.
    """
    hindsight = current(timelines)
    known = episodes(hindsight, rules)
    episode = np.repeat(np.flatnonzero(known.expected > known.origin), per_episode)
    sample = np.tile(np.arange(per_episode), episode.size // max(per_episode, 1))
    patient = known.owner[episode]
    ends = np.asarray(complete, dtype=np.int64)[timelines.facility[patient]] if episode.size else np.zeros(0, np.int64)
    if resolved_only:
        due = known.expected[episode].astype(np.int64) + rules.grace_days + rules.reporting_lag_days <= ends
        episode, sample, patient, ends = (
            episode[due],
            sample[due],
            patient[due],
            ends[due],
        )
    origin, expected = (
        known.origin[episode].astype(np.int64),
        known.expected[episode].astype(np.int64),
    )
    drawn = _uniform(timelines.patient_uuid, patient, origin, expected, sample, seed)
    day = origin + np.floor(drawn * (expected - origin + 1)).astype(np.int64)
    known_day = np.maximum(origin, day - 1)
    unit, seen = _pending(timelines, rules, known, patient, episode, day, known_day)
    return _labelled(hindsight, rules, unit, ends[seen], resolved_only=resolved_only)


def known_on(timelines: Timelines, as_of: int) -> Timelines:
    """Everybody as known on a day, without measurements: what :func:`pending_units` and :func:`to_trace` look at."""
    everyone = np.arange(len(timelines))
    return snapshot(_without_measurements(timelines), everyone, np.full(everyone.size, as_of, dtype=np.int32))


def pending_units(timelines: Timelines, as_of: int, rules: CohortSettings, known: Timelines | None = None) -> Units:
    """Who is at risk on a day: on treatment, expected on it or later, not yet returned, as far as was known.

    Unlabelled units with ``day`` and ``known_day`` the day itself. In bookings mode one for each pending booking; one
    made after an interruption is pending like any other. ``known`` is what :func:`known_on` gives, where it is there.
    """
    seen = known_on(timelines, as_of) if known is None else known
    day = np.full(len(timelines), as_of, dtype=np.int32)
    then = episodes(seen, rules)
    chosen = _open_episodes(seen, then, rules)
    patient = then.owner[chosen]
    open_now = (
        still_here(seen, rules)[patient]
        & (then.expected[chosen] >= as_of)
        & (then.expected[chosen] > then.origin[chosen])
        & (then.source[chosen] != FROM_UNREAD)
    )
    chosen, patient = chosen[open_now], patient[open_now]
    expected = then.expected[chosen]
    return Units(
        patient=patient,
        episode=np.full(patient.size, -1, dtype=np.int64),
        origin=then.origin[chosen],
        expected=expected,
        day=day[patient],
        known_day=day[patient],
        deadline=(expected + rules.grace_days + rules.reporting_lag_days).astype(np.int32),
        label=np.full(patient.size, -1, dtype=np.int8),
        outcome=np.full(patient.size, UNRESOLVED, dtype=np.int8),
    )


def to_trace(timelines: Timelines, as_of: int, rules: CohortSettings, known: Timelines | None = None) -> Trace:
    """Who is to be traced on a day: past the expected contact, within grace (late) or beyond it (IIT).

    Of whom a contact cannot be read, only those in IIT by the partner's own list are traced.

    ``known`` is what :func:`known_on` gives, where it is there.
    """
    seen = known_on(timelines, as_of) if known is None else known
    found = pending(seen, rules)
    origin, expected = found.origin, found.expected
    late = np.flatnonzero((expected != NO_DAY) & (expected < as_of))
    moves = transitions(select(seen, late), rules)
    status = np.full(len(timelines), NONE, dtype=np.int8)
    status[late] = status_at(moves, np.arange(late.size), as_of)
    theirs = found.word != NO_WORD
    chosen = np.flatnonzero(((status == ACTIVE) & ~theirs) | (status == IIT))
    return Trace(
        patient=chosen,
        origin=origin[chosen],
        expected=np.where(theirs[chosen], np.int32(NO_DAY), expected[chosen]),
        days_late=np.where(theirs[chosen], np.int32(0), as_of - expected[chosen]).astype(np.int32),
        iit=status[chosen] == IIT,
        by_partner=theirs[chosen],
    )


def _without_measurements(timelines: Timelines) -> Timelines:
    """The same without observations, which say nothing of who is expected when."""
    rows = timelines.observations
    return replace(timelines, observations=keep(rows, np.zeros(len(rows), dtype=np.bool_)))


def _open_episodes(seen: Timelines, known: Episodes, rules: CohortSettings) -> IntArray:
    """The episodes that were still pending: each patient's last contact, or every undecided booking."""
    if rules.expected_from == "bookings":
        return np.flatnonzero(seen.bookings.status[known.row] == SCHEDULED)
    last = known.last
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
    """The drawn decisions that were open as known then, with the expected day of then, and their places in the draw."""
    seen = snapshot(_without_measurements(timelines), patient, known_day)
    then = episodes(seen, rules)
    if rules.expected_from == "bookings":
        entity = current(timelines).bookings.entity[hindsight.row[episode]]
        match = np.flatnonzero(seen.bookings.entity[then.row] == entity[then.owner])
        match = match[seen.bookings.status[then.row[match]] == SCHEDULED]
        draw = then.owner[match]
    else:
        match = then.last
        draw = np.flatnonzero(match >= 0)
        match = match[draw]
    open_then = still_here(seen, rules)[draw] & (then.expected[match] >= day[draw]) & (then.origin[match] <= day[draw])
    open_then &= then.source[match] != FROM_UNREAD
    draw, match = draw[open_then], match[open_then]
    expected = then.expected[match]
    blank = np.full(draw.size, -1, dtype=np.int8)
    found = Units(
        patient=patient[draw],
        episode=episode[draw],
        origin=then.origin[match],
        expected=expected,
        day=day[draw].astype(np.int32),
        known_day=known_day[draw].astype(np.int32),
        deadline=(expected + rules.grace_days + rules.reporting_lag_days).astype(np.int32),
        label=blank,
        outcome=blank,
    )
    return found, draw


def _labelled(
    hindsight: Timelines,
    rules: CohortSettings,
    unit: Units,
    ends: IntArray,
    *,
    resolved_only: bool,
) -> Units:
    """What came of the units, by all that is known now."""
    last_day = unit.expected.astype(np.int64) + rules.grace_days
    came = _came(hindsight, rules, unit).astype(np.int64)
    came = np.where(came == NO_DAY, np.int64(2**40), came)
    outcome = np.where(came <= last_day, CAME, NOT_COME)
    gone = np.where(came <= last_day, came - 1, last_day)
    for code, competing in _STATE_OUTCOMES:
        outcome = np.where(_left(hindsight, unit, code, gone), competing, outcome)
    if rules.expected_from == "bookings":
        status = _booking_now(hindsight, rules, unit)[0]
        outcome = np.where((status == CANCELLED) & (outcome == NOT_COME), COMPETING_CANCEL, outcome)
    resolved = (unit.deadline <= ends) & ~_unread(hindsight, rules, unit, came)
    resolved &= ~_left(hindsight, unit, INVALIDATED, gone)
    outcome = np.where(resolved, outcome, UNRESOLVED)
    label = np.where(outcome == CAME, 0, np.where(outcome == NOT_COME, 1, -1))
    columns = {f.name: getattr(unit, f.name) for f in fields(unit)}
    columns |= {"label": label.astype(np.int8), "outcome": outcome.astype(np.int8)}
    labelled = Units(**columns)
    return labelled.where(resolved) if resolved_only else labelled


def _unread(hindsight: Timelines, rules: CohortSettings, unit: Units, came: IntArray) -> BoolArray:
    """Whether a contact that answers a unit, or the supply that set it, cannot be read, by all that is known now."""
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


def _came(hindsight: Timelines, rules: CohortSettings, unit: Units) -> DayArray:
    """The first contact that answers each unit."""
    if rules.expected_from == "contacts":
        return first_from(hindsight, rules, unit.patient, unit.origin, strictly_after=True)
    status, due = _booking_now(hindsight, rules, unit)
    moved = due != unit.expected
    missed = (status == MISSED) & ~moved
    start = np.where(moved, unit.known_day, unit.expected)
    later = first_from(hindsight, rules, unit.patient, start, strictly_after=missed | moved)
    return np.where((status == KEPT) & ~moved, due, later)


def _left(hindsight: Timelines, unit: Units, code: int, until: IntArray) -> BoolArray:
    """Whether a state of this code began for the unit's patient from the origin of the unit until a day."""
    states = hindsight.states
    chosen = states.code == code
    key = row_key(states.owner[chosen], states.date[chosen])
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
