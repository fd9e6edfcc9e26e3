"""The pending expected contact of each person, from contacts, bookings and arrivals, readable or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tenants.cohort.entering import entered_by_list, entry
from tenants.cohort.expected import contact_days, default_days, expectations, last_before, running_maximum
from tenants.cohort.timelines import (
    BOOKING_CANCELLED,
    NO_DAY,
    NO_WORD,
    TRANSFERRED_IN,
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

    from tenants.cohort.settings import CohortSettings


@dataclass(frozen=True, slots=True, eq=False)
class Care:
    """The rows that set expected contacts, in order: contacts, bookings, and arrivals without a recorded contact.

    Attributes:
        unread: whether it is unknown what came after the row, because a later contact or the row's supply is not
        readable.
        word: what the partner's list says of the person then: NO_WORD, THEIRS_ACTIVE or THEIRS_IIT.
        listed: the data date of that list.
    """

    owner: IntArray
    day: IntArray
    expected: IntArray
    waiting: BoolArray
    unread: BoolArray
    word: CodeArray
    listed: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PendingContacts:
    """The pending expected contact of each (pseudo-)patient, (n,).

    Attributes:
        origin: the day that set it, NO_DAY if none is pending.
        expected: the expected day, NO_DAY if none is pending.
        word: where a contact is not readable, the partner's own status: NO_WORD, THEIRS_ACTIVE or THEIRS_IIT.
    """

    origin: DayArray
    expected: DayArray
    word: CodeArray


def pending(timelines: Timelines, rules: CohortSettings) -> PendingContacts:
    """The pending expected contact of each (pseudo-)patient, from their last contact, booking or arrival."""
    timelines_now = current(timelines) if timelines.day is None else timelines
    began, _ = entry(timelines_now, rules)
    care = care_of(timelines_now, rules, began)
    offsets = offsets_of(care.owner, len(timelines_now))
    some = np.diff(offsets) > 0
    last = offsets[1:][some] - 1
    waiting_state = PendingContacts(
        np.full(len(timelines_now), NO_DAY, dtype=np.int32),
        np.full(len(timelines_now), NO_DAY, dtype=np.int32),
        np.full(len(timelines_now), NO_WORD, dtype=np.int8),
    )
    waiting_state.origin[some] = np.where(care.waiting[last], care.day[last], NO_DAY)
    waiting_state.expected[some] = np.where(care.waiting[last], care.expected[last], NO_DAY)
    waiting_state.word[some] = care.word[last]
    return waiting_state


def waiting(timelines: Timelines, rules: CohortSettings) -> tuple[DayArray, DayArray]:
    """The pending expected contact of each (pseudo-)patient: origin and expected day, NO_DAY if none."""
    waiting_state = pending(timelines, rules)
    return waiting_state.origin, waiting_state.expected


def care_of(timelines: Timelines, rules: CohortSettings, began: DayArray) -> Care:
    """The rows of care, by the day on which each person came on treatment (``entry``)."""
    states = timelines.states
    came = states.code == TRANSFERRED_IN
    entrant = np.flatnonzero(began != NO_DAY)
    arrived = (
        np.concatenate((entrant, states.owner[came])),
        np.concatenate((began[entrant], states.date[came])),
    )
    build = _care_of_bookings if rules.expected_from == "bookings" else _care_of_contacts
    owner, day, expected, waits, unread = build(timelines, rules, arrived)
    word, list_day = np.zeros(owner.size, dtype=np.int8), np.full(owner.size, NO_DAY, dtype=np.int64)
    gaps = timelines.gaps
    if len(gaps):
        # A person known only by a list is late from the list's day on: its word, or none, decides at once.
        listed_only = np.flatnonzero(entered_by_list(timelines, rules, began))
        place = np.searchsorted(row_key(owner, day), row_key(listed_only, began[listed_only]))
        expected[place], waits[place] = day[place] - 1, True
        row = last_before(gaps, owner, day)
        has_row = row >= 0  # in order of the lists' days, so the latest list wins
        unread[row[has_row]], word[row[has_row]], list_day[row[has_row]] = True, gaps.word[has_row], gaps.date[has_row]
    return Care(owner, day, expected, waits, unread, word, list_day)


_CareColumns = tuple[IntArray, IntArray, IntArray, BoolArray, BoolArray]


def _care_of_contacts(
    timelines: Timelines, rules: CohortSettings, arrived: tuple[IntArray, npt.NDArray[np.integer]]
) -> _CareColumns:
    """Owner, day, expected day, whether the contact is pending, whether the supply is implausible; in order."""
    contacts = timelines.contacts
    expectation = expectations(timelines, rules)
    count = arrived[0].size
    owner = np.concatenate((arrived[0], contacts.owner))
    day = np.concatenate((arrived[1], contacts.date)).astype(np.int64)
    order = np.argsort(row_key(owner, day), kind="stable")
    owner, day = owner[order], day[order]
    is_arrival = order < count
    row = order - count  # of the contact, negative for an arrival
    # Contacts keep their order, so the largest row so far is the last contact's.
    last = np.maximum.accumulate(np.where(is_arrival, -1, row)) if row.size else row
    own = last >= contacts.offsets[owner]
    expected = np.where(own, expectation.day[np.maximum(last, 0)] if len(contacts) else NO_DAY, NO_DAY).astype(np.int64)
    expected = np.where(is_arrival, np.maximum(expected, day + default_days(rules)), expected)
    unread = np.zeros(owner.size, dtype=np.bool_)
    unread[~is_arrival] = expectation.unread[row[~is_arrival]]
    return owner, day, expected, np.ones(owner.size, dtype=np.bool_), unread


def _care_of_bookings(
    timelines: Timelines, rules: CohortSettings, arrived: tuple[IntArray, npt.NDArray[np.integer]]
) -> _CareColumns:
    """Do the same as ``_care_of_contacts`` for bookings: the latest due day so far is pending until a later contact."""
    holder, contact_day = contact_days(timelines, rules)
    bookings = timelines.bookings
    is_active = bookings.status != BOOKING_CANCELLED
    owner = np.concatenate((arrived[0], holder, bookings.owner[is_active]))
    day = np.concatenate((arrived[1], contact_day, bookings.booked[is_active])).astype(np.int64)
    care = arrived[0].size + holder.size
    own = np.concatenate((np.full(care, NO_DAY), bookings.due[is_active])).astype(np.int64)
    order = np.argsort(row_key(owner, day), kind="stable")
    owner, day, own, is_care = owner[order], day[order], own[order], (np.arange(owner.size) < care)[order]
    expected = running_maximum(own, owner).astype(np.int64)
    last_care = running_maximum(np.where(is_care, day, NO_DAY), owner)
    return owner, day, expected, expected > last_care, np.zeros(owner.size, dtype=np.bool_)
