"""When each person came on treatment here, and how that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.expected import contact_days, default_days, first_from, latest_art_start, latest_profile
from tenants.cohort.timelines import (
    NO_DAY,
    NO_WORD,
    PICKUP,
    TRANSFERRED_IN,
    BoolArray,
    CodeArray,
    DayArray,
    IntArray,
    Timelines,
)

if TYPE_CHECKING:
    from tenants.cohort.settings import CohortSettings

NEW, FIRST_SEEN, ARRIVED = range(3)
"""The first of ``tenants.cohort.status.REASONS``."""

_NEVER: Final = np.int64(2**31 - 1)


def entry(timelines: Timelines, rules: CohortSettings) -> tuple[DayArray, CodeArray]:
    """The day on which each person came on treatment here, NO_DAY where never, and the reason code.

    The recorded start of ART, unless the person came from elsewhere (then the transfer or the first contact), or no
    contact is recorded near the start (then the records begin later than the treatment did, and the first contact
    counts). A list with a contact that cannot be read is evidence too: what it says stands when a readable contact
    comes later.
    """
    n = len(timelines)
    everyone = np.arange(n)
    art = latest_art_start(timelines).astype(np.int64)
    readable = _first_seen(timelines, rules)
    listed = _first_listed(timelines)
    first = np.minimum(readable, listed)
    moved = _first_state(timelines, TRANSFERRED_IN)
    flagged = latest_profile(timelines, timelines.profiles.transferred_in, 0)
    joined = np.where(flagged, np.minimum(first, moved), moved)
    from_elsewhere = (flagged | ((moved != _NEVER) & (first >= moved))) & ~((art != NO_DAY) & (art > joined))
    joined = np.where(joined == _NEVER, art, joined)

    after_start = first_from(timelines, rules, everyone, art).astype(np.int64)
    near = art + default_days(rules) + rules.grace_days
    covered = (first < art) | (after_start == NO_DAY) | (after_start <= near) | (listed < after_start)
    by_start = np.where(covered, art, after_start)
    unrecorded = _first_unrecorded(timelines, rules, readable, listed)
    unrecorded = np.where(unrecorded == _NEVER, NO_DAY, unrecorded)

    day = np.where(from_elsewhere, joined, np.where(art != NO_DAY, by_start, unrecorded))
    reason = np.where(from_elsewhere, ARRIVED, np.where((art != NO_DAY) & covered, NEW, FIRST_SEEN))
    return day.astype(np.int32), reason.astype(np.int8)


def entered_by_list(timelines: Timelines, rules: CohortSettings, began: DayArray) -> BoolArray:
    """Who came on treatment on a list's day, since nothing earlier of them can be read, (n,).

    Args:
        timelines: a snapshot, or what is known now.
        rules: the tenant's.
        began: from ``entry``.
    """
    if not len(timelines.gaps):
        return np.zeros(len(timelines), dtype=np.bool_)
    listed = np.zeros(len(timelines), dtype=np.bool_)
    owner = timelines.gaps.owner
    listed[owner[timelines.gaps.date == began[owner]]] = True
    other = np.minimum(_first_seen(timelines, rules), _first_state(timelines, TRANSFERRED_IN))
    return np.asarray(listed & (other > began) & (latest_art_start(timelines) != began))


def _first_listed(timelines: Timelines) -> IntArray:
    """The day of the first list that has a contact of each patient that cannot be read."""
    first = np.full(len(timelines), _NEVER, dtype=np.int64)
    np.minimum.at(first, timelines.gaps.owner, timelines.gaps.date.astype(np.int64))
    return first


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


def _first_unrecorded(timelines: Timelines, rules: CohortSettings, first: IntArray, listed: IntArray) -> IntArray:
    """When treatment begins where its start is not recorded."""
    if rules.start_when_missing == "first_contact":
        return np.minimum(first, listed)
    found = np.full(len(timelines), _NEVER, dtype=np.int64)
    if rules.start_when_missing == "first_pickup":
        picked = (timelines.contacts.kind & PICKUP) > 0
        np.minimum.at(
            found,
            timelines.contacts.owner[picked],
            timelines.contacts.date[picked].astype(np.int64),
        )
        # Who is on treatment or in IIT by the partner's own list was given drugs; of other lists nobody knows.
        theirs = timelines.gaps.word != NO_WORD
        np.minimum.at(found, timelines.gaps.owner[theirs], timelines.gaps.date[theirs].astype(np.int64))
    return found


def _first_state(timelines: Timelines, code: int) -> IntArray:
    states = timelines.states
    chosen = states.code == code
    first = np.full(len(timelines), _NEVER, dtype=np.int64)
    np.minimum.at(first, states.owner[chosen], states.date[chosen].astype(np.int64))
    return first
