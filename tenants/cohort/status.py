"""Status: when each patient changed between on treatment, interrupted (IIT), gone and unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.entering import ARRIVED, entry
from tenants.cohort.expected import contact_days
from tenants.cohort.timelines import (
    DIED,
    INVALIDATED,
    NO_DAY,
    STOPPED,
    THEIRS_ACTIVE,
    THEIRS_IIT,
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
from tenants.cohort.waiting import care_of, pending

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.waiting import Care

STATUSES: Final = ("none", "active", "iit", "died", "transferred_out", "stopped", "unknown", "invalid")
NONE, ACTIVE, IIT, DEAD, OUT, STOP, UNKNOWN, INVALID = range(8)

REASONS: Final = (
    "new",
    "first_seen",
    "transferred_in",
    "returned",
    "interrupted",
    "died",
    "transferred_out",
    "stopped",
    "unread",
    "invalid",
    "partner_list",
)
(
    RETURNED,
    INTERRUPTED,
    BY_DEATH,
    BY_TRANSFER,
    BY_STOP,
    UNREAD,
    INVALIDATION,
    PARTNER_LIST,
) = range(3, 11)

_NEVER: Final = np.int64(2**31 - 1)
(
    _ENTRY_RANK,
    _IIT_RANK,
    _CONTACT_RANK,
    _ARRIVAL_RANK,
    _STOP_RANK,
    _OUT_RANK,
    _INVALID_RANK,
    _DEATH_RANK,
) = range(8)
_RANKS: Final = 8
_EXITS: Final = (
    (STOPPED, STOP, BY_STOP, _STOP_RANK),
    (TRANSFERRED_OUT, OUT, BY_TRANSFER, _OUT_RANK),
    (INVALIDATED, INVALID, INVALIDATION, _INVALID_RANK),
    (DIED, DEAD, BY_DEATH, _DEATH_RANK),
)
_FOR_GOOD: Final = (DIED, INVALIDATED)
"""States that only voiding ends."""


_Part = tuple["IntArray", "IntArray", int, int, "CodeArray | int"]
"""Candidates for changes of status: owner, day, rank within the day, status, reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Transitions:
    """Changes of status, CSR over patients, in order. Codes index STATUSES and REASONS.

    A patient's last change may lie ahead: the day on which the person will be in IIT unless a contact comes first.
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


def transitions(timelines: Timelines, rules: CohortSettings) -> Transitions:
    """Return every change of status of these (pseudo-)patients, from the open versions of the facts.

    A person is on treatment on day ``expected + grace`` and in IIT on the next. A person with an unreadable contact is
    never called late. From the day after the expected one, the status is then ``unknown``, or the status on the
    partner's own list. Death and an invalidated record are final until voided. A contact after a transfer out or a stop
    is a return; a contact on the same day is not.
    """
    timelines_now = current(timelines) if timelines.day is None else timelines
    began, entry_reason = entry(timelines_now, rules)
    owner, day, rank, status, reason = _candidates(timelines_now, rules, began, entry_reason)
    order = np.argsort(row_key(owner, day) * _RANKS + rank, kind="stable")
    owner, day, status, reason = owner[order], day[order], status[order], reason[order]
    real = _effective(owner, status)
    owner, day, status, reason = owner[real], day[real], status[real], reason[real]
    before = np.full(status.size, NONE, dtype=np.int8)
    same = owner[1:] == owner[:-1]
    before[1:][same] = status[:-1][same]
    is_change = before != status
    return Transitions(
        offsets=offsets_of(owner[is_change], len(timelines_now)),
        date=day[is_change].astype(np.int32),
        before=before[is_change],
        after=status[is_change],
        reason=reason[is_change],
    )


def last_transition(moves: Transitions, patient: npt.ArrayLike, day: npt.ArrayLike) -> IntArray:
    """The transition in force for each patient on a day; -1 where there is none yet."""
    index = np.asarray(patient, dtype=np.int64)
    days = np.broadcast_to(np.asarray(day, dtype=np.int64), index.shape)
    place = np.searchsorted(row_key(moves.owner, moves.date), row_key(index, days), side="right") - 1
    return np.where(place >= moves.offsets[index], place, -1)


def status_at(moves: Transitions, patient: npt.ArrayLike, day: npt.ArrayLike) -> CodeArray:
    """The status code of each patient at the end of a day."""
    place = last_transition(moves, patient, day)
    status = np.full(place.shape, NONE, dtype=np.int8)
    status[place >= 0] = moves.after[place[place >= 0]]
    return status


def day_known(timelines: Timelines, moves: Transitions, place: IntArray) -> BoolArray:
    """Whether the source gives the day of each person's transition at ``place`` (-1: none), in the order of ``place``.

    Args:
        timelines: the snapshot of the transitions.
        moves: its transitions.
        place: index of a transition for each person, from ``last_transition``.
    """
    states = timelines.states
    without_day = ~states.dated
    is_known = np.ones(place.size, dtype=np.bool_)
    if not without_day.any():
        return is_known
    code = np.zeros(max(state for state, *_ in _EXITS) + 1, dtype=np.int64)
    for state, status, *_ in _EXITS:
        code[state] = status
    key = row_key(states.owner, states.date) * len(STATUSES) + code[states.code]
    some = np.flatnonzero(place >= 0)
    row = place[some]
    own = row_key(some, moves.date[row]) * len(STATUSES) + moves.after[row]
    is_known[some] = ~np.isin(own, key[without_day]) | np.isin(own, key[states.dated])
    return is_known


def by_partner(timelines: Timelines, moves: Transitions, day: int, rules: CohortSettings) -> BoolArray:
    """Return a mask (n,) of people whose status on a day is the partner's, because a contact is not readable.

    Args:
        timelines: a snapshot of the day.
        moves: its transitions.
        day: day number.
        rules: the tenant's rules.
    """
    if not len(timelines.gaps):
        return np.zeros(len(timelines), dtype=np.bool_)
    waiting_state = pending(timelines, rules)
    status = status_at(moves, np.arange(len(timelines)), day)
    late = (waiting_state.expected != NO_DAY) & (waiting_state.expected < day)
    active, iit = (
        (status == ACTIVE) & (waiting_state.word == THEIRS_ACTIVE),
        (status == IIT) & (waiting_state.word == THEIRS_IIT),
    )
    return np.asarray(late & (active | iit))


def still_in_care(timelines: Timelines, rules: CohortSettings) -> BoolArray:
    """Return a mask (n,) of people who came on treatment and have neither died nor left: active, in IIT or unknown.

    It applies only the rules of ``transitions`` that decide this.
    """
    timelines_now = current(timelines) if timelines.day is None else timelines
    began, _ = entry(timelines_now, rules)
    owner, day = contact_days(timelines_now, rules)
    last_seen = began.astype(np.int64)
    if owner.size:
        ends = np.flatnonzero(np.append(owner[1:] != owner[:-1], True))
        last_seen[owner[ends]] = np.maximum(last_seen[owner[ends]], day[ends])
    states = timelines_now.states
    holder = states.owner
    arrived = states.code == TRANSFERRED_IN
    np.maximum.at(last_seen, holder[arrived], states.date[arrived].astype(np.int64))
    in_care = began != NO_DAY
    leave = (states.code == STOPPED) | (states.code == TRANSFERRED_OUT)
    is_gone = np.isin(states.code, _FOR_GOOD) | (leave & (states.date >= last_seen[holder]))
    in_care[holder[is_gone]] = False
    return np.asarray(in_care)


def _candidates(
    timelines: Timelines, rules: CohortSettings, began: DayArray, entry_reason: CodeArray
) -> tuple[IntArray, IntArray, CodeArray, CodeArray, CodeArray]:
    """All candidates for changes of status: owner, day, rank within the day, status, reason."""
    parts: list[_Part] = []
    entrant = np.flatnonzero(began != NO_DAY)
    parts.append((entrant, began[entrant].astype(np.int64), _ENTRY_RANK, ACTIVE, entry_reason[entrant]))

    holder, contact_day = contact_days(timelines, rules)
    is_later = (began[holder] != NO_DAY) & (contact_day > began[holder])
    parts.append((holder[is_later], contact_day[is_later].astype(np.int64), _CONTACT_RANK, ACTIVE, RETURNED))

    states = timelines.states
    owner = states.owner
    is_return = (states.code == TRANSFERRED_IN) & (began[owner] != NO_DAY) & (states.date > began[owner])
    parts.append(
        (
            owner[is_return],
            states.date[is_return].astype(np.int64),
            _ARRIVAL_RANK,
            ACTIVE,
            ARRIVED,
        )
    )
    for code, status, reason, rank in _EXITS:
        counts = (states.code == code) & ((code in _FOR_GOOD) | (states.date >= began[owner]))
        parts.append((owner[counts], states.date[counts].astype(np.int64), rank, status, reason))

    care = care_of(timelines, rules, began)
    following = np.full(care.owner.size, _NEVER, dtype=np.int64)
    same = care.owner[1:] == care.owner[:-1]
    following[:-1][same] = care.day[1:][same]
    parts += _overdue(
        care, rules, following, care.waiting & (began[care.owner] != NO_DAY) & (care.day >= began[care.owner])
    )

    sizes = [part[0].size for part in parts]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.repeat(np.array([part[2] for part in parts], dtype=np.int8), sizes),
        np.repeat(np.array([part[3] for part in parts], dtype=np.int8), sizes),
        np.concatenate([np.broadcast_to(np.asarray(part[4], dtype=np.int8), part[0].shape) for part in parts]),
    )


def _overdue(care: Care, rules: CohortSettings, following: IntArray, open_rows: BoolArray) -> list[_Part]:
    """The changes of people who do not come: IIT after grace, or the partner's status if a contact is unreadable."""
    lost_on = care.expected + rules.grace_days + 1
    is_lost = open_rows & ~care.unread & (following >= lost_on)
    parts: list[_Part] = [(care.owner[is_lost], lost_on[is_lost], _IIT_RANK, IIT, INTERRUPTED)]
    unread = open_rows & care.unread
    if not unread.any():
        return parts
    late_on = care.expected + 1
    # The partner's word is valid for the list's day; "on treatment" for as long as grace would be.
    doubted_on = np.where(care.word == THEIRS_ACTIVE, np.maximum(late_on, care.listed + rules.grace_days + 1), late_on)
    theirs_on = np.maximum(late_on, care.listed)
    by_them = unread & (care.word == THEIRS_IIT)
    doubted = unread & (following > doubted_on) & ~(by_them & (theirs_on == late_on))
    theirs = by_them & (following > theirs_on)
    parts.append((care.owner[doubted], doubted_on[doubted], _IIT_RANK, UNKNOWN, UNREAD))
    parts.append((care.owner[theirs], theirs_on[theirs], _IIT_RANK, IIT, PARTNER_LIST))
    return parts


def _effective(owner: IntArray, status: CodeArray) -> BoolArray:
    """Return a mask of the candidates that count, in order.

    None counts after a final status, and one that says late counts only for a person on treatment.
    """
    place = np.arange(owner.size)
    first = np.concatenate(([True], owner[1:] != owner[:-1]))[: owner.size]
    start = np.maximum.accumulate(np.where(first, place, 0)) if owner.size else place
    final = (status == DEAD) | (status == INVALID)
    earlier = np.cumsum(final) - final
    alive = earlier == (earlier[start] if owner.size else earlier)
    late = (status == IIT) | (status == UNKNOWN)
    last_certain = np.maximum.accumulate(np.where(late, -1, place)) if owner.size else place
    on_treatment = (last_certain >= start) & (status[np.maximum(last_certain, 0)] == ACTIVE) if owner.size else alive
    result: BoolArray = alive & (~late | on_treatment)
    return result
