"""For whom we wait, and until when: contacts, bookings and arrivals in order, and what of them cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tenants.cohort.entering import entered_by_list, entry
from tenants.cohort.expected import contact_days, default_days, expectations, last_before, running_maximum
from tenants.cohort.timelines import (
    CANCELLED,
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
    """What bears on expectation, in order: contacts, bookings made, and arrivals of which no contact is recorded.

    Attributes:
        unread: whether what comes after the row cannot be known: a contact, or the row's supply, cannot be read.
        word: what the partner's list says of the person then: NO_WORD, THEIRS_ACTIVE or THEIRS_IIT.
        listed: the day of that list.
    """

    owner: IntArray
    day: IntArray
    expected: IntArray
    waiting: BoolArray
    unread: BoolArray
    word: CodeArray
    listed: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """The pending expected contact of each (pseudo-)patient, (n,).

    Attributes:
        origin: the day that set it, NO_DAY if none is pending.
        expected: the expected day, NO_DAY if none is pending.
        word: where a contact cannot be read, what the partner's own list says: NO_WORD, THEIRS_ACTIVE or THEIRS_IIT.
    """

    origin: DayArray
    expected: DayArray
    word: CodeArray


def pending(timelines: Timelines, rules: CohortSettings) -> Waiting:
    """Whom each (pseudo-)patient's last contact, booking or arrival lets us wait for."""
    known = current(timelines) if timelines.day is None else timelines
    began, _ = entry(known, rules)
    care = care_of(known, rules, began)
    offsets = offsets_of(care.owner, len(known))
    some = np.diff(offsets) > 0
    last = offsets[1:][some] - 1
    found = Waiting(
        np.full(len(known), NO_DAY, dtype=np.int32),
        np.full(len(known), NO_DAY, dtype=np.int32),
        np.full(len(known), NO_WORD, dtype=np.int8),
    )
    found.origin[some] = np.where(care.waiting[last], care.day[last], NO_DAY)
    found.expected[some] = np.where(care.waiting[last], care.expected[last], NO_DAY)
    found.word[some] = care.word[last]
    return found


def waiting(timelines: Timelines, rules: CohortSettings) -> tuple[DayArray, DayArray]:
    """The pending expected contact of each (pseudo-)patient: origin and expected day, NO_DAY if none."""
    found = pending(timelines, rules)
    return found.origin, found.expected


def care_of(timelines: Timelines, rules: CohortSettings, began: DayArray) -> Care:
    """The rows of care of what is known, by the day on which each person came on treatment (``entry``)."""
    states = timelines.states
    came = states.code == TRANSFERRED_IN
    joined = np.flatnonzero(began != NO_DAY)
    arrived = (
        np.concatenate((joined, states.owner[came])),
        np.concatenate((began[joined], states.date[came])),
    )
    build = _care_of_bookings if rules.expected_from == "bookings" else _care_of_contacts
    owner, day, expected, waits, unread = build(timelines, rules, arrived)
    word, listed = np.zeros(owner.size, dtype=np.int8), np.full(owner.size, NO_DAY, dtype=np.int64)
    gaps = timelines.gaps
    if len(gaps):
        # Who is known by a list alone is late from its day on: the list's word, or none, decides at once.
        listed_only = np.flatnonzero(entered_by_list(timelines, rules, began))
        place = np.searchsorted(row_key(owner, day), row_key(listed_only, began[listed_only]))
        expected[place], waits[place] = day[place] - 1, True
        row = last_before(gaps, owner, day)
        here = row >= 0  # in order of the lists' days: the latest list has the last word
        unread[row[here]], word[row[here]], listed[row[here]] = True, gaps.word[here], gaps.date[here]
    return Care(owner, day, expected, waits, unread, word, listed)


_CareColumns = tuple[IntArray, IntArray, IntArray, BoolArray, BoolArray]


def _care_of_contacts(
    timelines: Timelines, rules: CohortSettings, arrived: tuple[IntArray, npt.NDArray[np.integer]]
) -> _CareColumns:
    """Owner, day, expected day, whether it is waited for, whether the supply cannot be believed; in order."""
    contacts = timelines.contacts
    told = expectations(timelines, rules)
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
    expected = np.where(own, told.day[np.maximum(last, 0)] if len(contacts) else NO_DAY, NO_DAY).astype(np.int64)
    expected = np.where(is_arrival, np.maximum(expected, day + default_days(rules)), expected)
    unread = np.zeros(owner.size, dtype=np.bool_)
    unread[~is_arrival] = told.unread[row[~is_arrival]]
    return owner, day, expected, np.ones(owner.size, dtype=np.bool_), unread


def _care_of_bookings(
    timelines: Timelines, rules: CohortSettings, arrived: tuple[IntArray, npt.NDArray[np.integer]]
) -> _CareColumns:
    """As ``_care_of_contacts``, of bookings: the latest due day so far is waited for until a contact after it."""
    holder, seen = contact_days(timelines, rules)
    bookings = timelines.bookings
    made = bookings.status != CANCELLED
    owner = np.concatenate((arrived[0], holder, bookings.owner[made]))
    day = np.concatenate((arrived[1], seen, bookings.booked[made])).astype(np.int64)
    care = arrived[0].size + holder.size
    own = np.concatenate((np.full(care, NO_DAY), bookings.due[made])).astype(np.int64)
    order = np.argsort(row_key(owner, day), kind="stable")
    owner, day, own, is_care = owner[order], day[order], own[order], (np.arange(owner.size) < care)[order]
    expected = running_maximum(own, owner).astype(np.int64)
    last_care = running_maximum(np.where(is_care, day, NO_DAY), owner)
    return owner, day, expected, expected > last_care, np.zeros(owner.size, dtype=np.bool_)
