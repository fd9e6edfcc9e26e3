"""On treatment, interrupted (IIT), died, transferred out or stopped: when each patient passed from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.expected import (
    contact_days,
    default_days,
    first_from,
    latest_art_start,
    latest_profile,
    own_expected,
    running_maximum,
)
from tenants.cohort.settings import CohortSettings
from tenants.cohort.timelines import (
    CANCELLED,
    DIED,
    NO_DAY,
    PICKUP,
    STOPPED,
    TRANSFERRED_IN,
    TRANSFERRED_OUT,
    BoolArray,
    CodeArray,
    DayArray,
    IntArray,
    Timelines,
    current,
    offsets_of,
    row_key,
)

if TYPE_CHECKING:
    import numpy.typing as npt

STATUSES: Final = ("none", "active", "iit", "died", "transferred_out", "stopped")
NONE, ACTIVE, IIT, DEAD, OUT, STOP = range(6)

REASONS: Final = (
    "new",
    "first_seen",
    "transferred_in",
    "returned",
    "interrupted",
    "died",
    "transferred_out",
    "stopped",
)
NEW, FIRST_SEEN, ARRIVED, RETURNED, INTERRUPTED, BY_DEATH, BY_TRANSFER, BY_STOP = range(8)

_NEVER: Final = np.int64(2**31 - 1)
(
    _ENTRY_RANK,
    _IIT_RANK,
    _CONTACT_RANK,
    _ARRIVAL_RANK,
    _STOP_RANK,
    _OUT_RANK,
    _DEATH_RANK,
) = range(7)
_RANKS: Final = 8
_EXITS: Final = (
    (STOPPED, STOP, BY_STOP, _STOP_RANK),
    (TRANSFERRED_OUT, OUT, BY_TRANSFER, _OUT_RANK),
    (DIED, DEAD, BY_DEATH, _DEATH_RANK),
)


@dataclass(frozen=True, slots=True, eq=False)
class Transitions:
    """Changes of status, CSR over patients, in order. Codes index STATUSES and REASONS.

    The last one may lie ahead: the day on which the person will be in IIT unless a contact comes first.
    """

    offsets: IntArray
    date: DayArray
    before: CodeArray
    after: CodeArray
    reason: CodeArray

    def __len__(self) -> int:
        return int(self.date.size)

    @property
    def owner(self) -> IntArray:
        """The patient of each transition."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))


@dataclass(frozen=True, slots=True, eq=False)
class _Care:
    """What bears on expectation, in order: contacts, bookings made, and arrivals of which no contact is recorded."""

    owner: IntArray
    day: IntArray
    expected: IntArray
    waiting: BoolArray


def entry(timelines: Timelines, rules: CohortSettings) -> tuple[DayArray, CodeArray]:
    """The day on which each person came on treatment here, NO_DAY where never, and the reason code.

    The recorded start of ART, unless the person came from elsewhere (then the transfer or the first contact), or no
    contact is recorded near the start (then the records begin later than the treatment did, and the first contact
    counts).
    """
    n = len(timelines)
    everyone = np.arange(n)
    art = latest_art_start(timelines).astype(np.int64)
    first = _first_seen(timelines, rules)
    moved = _first_state(timelines, TRANSFERRED_IN)
    flagged = latest_profile(timelines, timelines.profiles.transferred_in, 0)
    joined = np.where(flagged, np.minimum(first, moved), moved)
    from_elsewhere = (flagged | ((moved != _NEVER) & (first >= moved))) & ~((art != NO_DAY) & (art > joined))
    joined = np.where(joined == _NEVER, art, joined)

    after_start = first_from(timelines, rules, everyone, art).astype(np.int64)
    near = art + default_days(rules) + rules.grace_days
    covered = (first < art) | (after_start == NO_DAY) | (after_start <= near)
    by_start = np.where(covered, art, after_start)
    unrecorded = _first_unrecorded(timelines, rules, first)
    unrecorded = np.where(unrecorded == _NEVER, NO_DAY, unrecorded)

    day = np.where(from_elsewhere, joined, np.where(art != NO_DAY, by_start, unrecorded))
    reason = np.where(from_elsewhere, ARRIVED, np.where((art != NO_DAY) & covered, NEW, FIRST_SEEN))
    return day.astype(np.int32), reason.astype(np.int8)


def transitions(timelines: Timelines, rules: CohortSettings) -> Transitions:
    """Every change of status of these (pseudo-)patients, by the open versions of what is known.

    Day ``expected + grace`` is on treatment, the next one is IIT. Death is final until its record is voided. A
    contact after a transfer out or a stop is a return; one on the same day is not.
    """
    known = current(timelines) if timelines.day is None else timelines
    began, why = entry(known, rules)
    owner, day, rank, status, reason = _candidates(known, rules, began, why)
    order = np.argsort(row_key(owner, day) * _RANKS + rank, kind="stable")
    owner, day, status, reason = owner[order], day[order], status[order], reason[order]
    real = _effective(owner, status)
    owner, day, status, reason = owner[real], day[real], status[real], reason[real]
    before = np.full(status.size, NONE, dtype=np.int8)
    same = owner[1:] == owner[:-1]
    before[1:][same] = status[:-1][same]
    changed = before != status
    return Transitions(
        offsets=offsets_of(owner[changed], len(known)),
        date=day[changed].astype(np.int32),
        before=before[changed],
        after=status[changed],
        reason=reason[changed],
    )


def last_transition(moves: Transitions, patient: npt.ArrayLike, day: npt.ArrayLike) -> IntArray:
    """The transition that holds for each patient on a day; -1 where there is none yet."""
    index = np.asarray(patient, dtype=np.int64)
    days = np.broadcast_to(np.asarray(day, dtype=np.int64), index.shape)
    place = np.searchsorted(row_key(moves.owner, moves.date), row_key(index, days), side="right") - 1
    return np.where(place >= moves.offsets[index], place, -1)


def status_at(moves: Transitions, patient: npt.ArrayLike, day: npt.ArrayLike) -> CodeArray:
    """The status code of each patient at the end of a day."""
    place = last_transition(moves, patient, day)
    found = np.full(place.shape, NONE, dtype=np.int8)
    found[place >= 0] = moves.after[place[place >= 0]]
    return found


def still_here(timelines: Timelines, rules: CohortSettings) -> BoolArray:
    """Who came on treatment and did not die or leave since, (n,): active or in IIT. The table's rules in short."""
    known = current(timelines) if timelines.day is None else timelines
    began, _ = entry(known, rules)
    owner, day = contact_days(known, rules)
    last_seen = began.astype(np.int64)
    if owner.size:
        ends = np.flatnonzero(np.append(owner[1:] != owner[:-1], True))
        last_seen[owner[ends]] = np.maximum(last_seen[owner[ends]], day[ends])
    states = known.states
    holder = states.owner
    arrived = states.code == TRANSFERRED_IN
    np.maximum.at(last_seen, holder[arrived], states.date[arrived].astype(np.int64))
    here = began != NO_DAY
    left = (states.code == STOPPED) | (states.code == TRANSFERRED_OUT)
    here[holder[(states.code == DIED) | (left & (states.date >= last_seen[holder]))]] = False
    return np.asarray(here)


def waiting(timelines: Timelines, rules: CohortSettings) -> tuple[DayArray, DayArray]:
    """The pending expected contact of each (pseudo-)patient: origin and expected day, NO_DAY if none."""
    known = current(timelines) if timelines.day is None else timelines
    began, _ = entry(known, rules)
    care = _care(known, rules, began)
    offsets = offsets_of(care.owner, len(known))
    some = np.diff(offsets) > 0
    last = offsets[1:][some] - 1
    origin = np.full(len(known), NO_DAY, dtype=np.int32)
    expected = np.full(len(known), NO_DAY, dtype=np.int32)
    origin[some] = np.where(care.waiting[last], care.day[last], NO_DAY)
    expected[some] = np.where(care.waiting[last], care.expected[last], NO_DAY)
    return origin, expected


def _first_seen(timelines: Timelines, rules: CohortSettings) -> IntArray:
    """The first contact (in bookings mode, also booking) of each patient."""
    owner, day = contact_days(timelines, rules)
    first = np.full(len(timelines), _NEVER, dtype=np.int64)
    if owner.size:
        starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
        first[owner[starts]] = day[starts]
    if rules.expected_from == "bookings":
        np.minimum.at(first, timelines.bookings.owner, timelines.bookings.booked.astype(np.int64))
    return first


def _first_unrecorded(timelines: Timelines, rules: CohortSettings, first: IntArray) -> IntArray:
    """When treatment begins where its start is not recorded."""
    if rules.start_when_missing == "first_contact":
        return first
    found = np.full(len(timelines), _NEVER, dtype=np.int64)
    if rules.start_when_missing == "first_pickup":
        picked = (timelines.contacts.kind & PICKUP) > 0
        np.minimum.at(
            found,
            timelines.contacts.owner[picked],
            timelines.contacts.date[picked].astype(np.int64),
        )
    return found


def _first_state(timelines: Timelines, code: int) -> IntArray:
    states = timelines.states
    chosen = states.code == code
    first = np.full(len(timelines), _NEVER, dtype=np.int64)
    np.minimum.at(first, states.owner[chosen], states.date[chosen].astype(np.int64))
    return first


def _care(timelines: Timelines, rules: CohortSettings, began: DayArray) -> _Care:
    holder, seen = contact_days(timelines, rules)
    states = timelines.states
    came = states.code == TRANSFERRED_IN
    joined = np.flatnonzero(began != NO_DAY)
    arrived = (
        np.concatenate((joined, states.owner[came])),
        np.concatenate((began[joined], states.date[came])),
    )
    if rules.expected_from == "bookings":
        bookings = timelines.bookings
        made = bookings.status != CANCELLED
        asked = (bookings.owner[made], bookings.booked[made], bookings.due[made])
    else:
        expected, _ = own_expected(timelines, rules)
        asked = (timelines.contacts.owner, timelines.contacts.date, expected)
    owner = np.concatenate((arrived[0], holder, asked[0]))
    day = np.concatenate((arrived[1], seen, asked[1])).astype(np.int64)
    own = np.concatenate((np.full(arrived[0].size + holder.size, NO_DAY), asked[2])).astype(np.int64)
    is_arrival = np.arange(owner.size) < arrived[0].size
    is_care = np.arange(owner.size) < arrived[0].size + holder.size
    order = np.argsort(row_key(owner, day), kind="stable")
    owner, day, own, is_arrival, is_care = (
        owner[order],
        day[order],
        own[order],
        is_arrival[order],
        is_care[order],
    )
    expected_so_far = running_maximum(own, owner).astype(np.int64)
    last_care = running_maximum(np.where(is_care, day, NO_DAY), owner).astype(np.int64)
    if rules.expected_from == "contacts":
        expected_so_far = np.where(
            is_arrival,
            np.maximum(expected_so_far, day + default_days(rules)),
            expected_so_far,
        )
    return _Care(
        owner=owner,
        day=day,
        expected=expected_so_far,
        waiting=expected_so_far > last_care,
    )


def _candidates(
    timelines: Timelines, rules: CohortSettings, began: DayArray, why: CodeArray
) -> tuple[IntArray, IntArray, CodeArray, CodeArray, CodeArray]:
    """Everything that may change a status: owner, day, rank within the day, status, reason."""
    parts: list[tuple[IntArray, IntArray, int, int, CodeArray | int]] = []
    joined = np.flatnonzero(began != NO_DAY)
    parts.append((joined, began[joined].astype(np.int64), _ENTRY_RANK, ACTIVE, why[joined]))

    holder, seen = contact_days(timelines, rules)
    again = (began[holder] != NO_DAY) & (seen > began[holder])
    parts.append((holder[again], seen[again].astype(np.int64), _CONTACT_RANK, ACTIVE, RETURNED))

    states = timelines.states
    owner = states.owner
    back = (states.code == TRANSFERRED_IN) & (began[owner] != NO_DAY) & (states.date > began[owner])
    parts.append(
        (
            owner[back],
            states.date[back].astype(np.int64),
            _ARRIVAL_RANK,
            ACTIVE,
            ARRIVED,
        )
    )
    for code, status, reason, rank in _EXITS:
        left = (states.code == code) & ((code == DIED) | (states.date >= began[owner]))
        parts.append((owner[left], states.date[left].astype(np.int64), rank, status, reason))

    care = _care(timelines, rules, began)
    following = np.full(care.owner.size, _NEVER, dtype=np.int64)
    same = care.owner[1:] == care.owner[:-1]
    following[:-1][same] = care.day[1:][same]
    lost_on = care.expected + rules.grace_days + 1
    lost = care.waiting & (following >= lost_on) & (began[care.owner] != NO_DAY) & (care.day >= began[care.owner])
    parts.append((care.owner[lost], lost_on[lost], _IIT_RANK, IIT, INTERRUPTED))

    sizes = [part[0].size for part in parts]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.repeat(np.array([part[2] for part in parts], dtype=np.int8), sizes),
        np.repeat(np.array([part[3] for part in parts], dtype=np.int8), sizes),
        np.concatenate([np.broadcast_to(np.asarray(part[4], dtype=np.int8), part[0].shape) for part in parts]),
    )


def _effective(owner: IntArray, status: CodeArray) -> BoolArray:
    """Which of the ordered candidates count: nothing after a death, and IIT only of those on treatment."""
    place = np.arange(owner.size)
    first = np.concatenate(([True], owner[1:] != owner[:-1]))[: owner.size]
    start = np.maximum.accumulate(np.where(first, place, 0)) if owner.size else place
    deaths = np.cumsum(status == DEAD)
    earlier = deaths - (status == DEAD)
    alive = earlier == (earlier[start] if owner.size else earlier)
    known = np.maximum.accumulate(np.where(status != IIT, place, -1)) if owner.size else place
    on_treatment = (known >= start) & (status[np.maximum(known, 0)] == ACTIVE) if owner.size else alive
    result: BoolArray = alive & ((status != IIT) | on_treatment)
    return result
