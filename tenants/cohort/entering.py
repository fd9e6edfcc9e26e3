"""The day on which each person came on treatment at the facility, and the evidence for it."""

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
"""Indices of the first reasons in ``tenants.cohort.status.REASONS``."""

_NEVER: Final = np.int64(2**31 - 1)


def entry(timelines: Timelines, rules: CohortSettings) -> tuple[DayArray, CodeArray]:
    """The day on which each person came on treatment at the facility, NO_DAY where never, and the reason code.

    This is the recorded start of ART, with two exceptions. If the person came from elsewhere, it is the transfer or the
    first contact. If no contact lies near the start, the records begin later than the treatment, and it is the first
    contact. A list with an unreadable contact is evidence too: its day stays, even when a readable contact comes later.
    """
    n = len(timelines)
    everyone = np.arange(n)
    art = latest_art_start(timelines).astype(np.int64)
    readable = _first_seen(timelines, rules)
    list_day = _first_listed(timelines)
    first = np.minimum(readable, list_day)
    transfer_day = _first_state(timelines, TRANSFERRED_IN)
    flagged = latest_profile(timelines, timelines.profiles.transferred_in, 0)
    arrival_day = np.where(flagged, np.minimum(first, transfer_day), transfer_day)
    from_elsewhere = (flagged | ((transfer_day != _NEVER) & (first >= transfer_day))) & ~(
        (art != NO_DAY) & (art > arrival_day)
    )
    arrival_day = np.where(arrival_day == _NEVER, art, arrival_day)

    after_start = first_from(timelines, rules, everyone, art).astype(np.int64)
    near = art + default_days(rules) + rules.grace_days
    records_cover_start = (first < art) | (after_start == NO_DAY) | (after_start <= near) | (list_day < after_start)
    by_start = np.where(records_cover_start, art, after_start)
    unrecorded = _first_unrecorded(timelines, rules, readable, list_day)
    unrecorded = np.where(unrecorded == _NEVER, NO_DAY, unrecorded)

    day = np.where(from_elsewhere, arrival_day, np.where(art != NO_DAY, by_start, unrecorded))
    reason = np.where(from_elsewhere, ARRIVED, np.where((art != NO_DAY) & records_cover_start, NEW, FIRST_SEEN))
    return day.astype(np.int32), reason.astype(np.int8)


def entered_by_list(timelines: Timelines, rules: CohortSettings, began: DayArray) -> BoolArray:
    """Return a mask (n,) of people who came on treatment on a list's day: no earlier contact of theirs is readable.

    Args:
        timelines: a snapshot, or what is known now.
        rules: the tenant's rules.
        began: the days from ``entry``.
    """
    if not len(timelines.gaps):
        return np.zeros(len(timelines), dtype=np.bool_)
    by_list = np.zeros(len(timelines), dtype=np.bool_)
    owner = timelines.gaps.owner
    by_list[owner[timelines.gaps.date == began[owner]]] = True
    first_evidence = np.minimum(_first_seen(timelines, rules), _first_state(timelines, TRANSFERRED_IN))
    return np.asarray(by_list & (first_evidence > began) & (latest_art_start(timelines) != began))


def _first_listed(timelines: Timelines) -> IntArray:
    """The day of the first list that has an unreadable contact of each patient."""
    first = np.full(len(timelines), _NEVER, dtype=np.int64)
    np.minimum.at(first, timelines.gaps.owner, timelines.gaps.date.astype(np.int64))
    return first


def _first_seen(timelines: Timelines, rules: CohortSettings) -> IntArray:
    """The first contact of each patient; in bookings mode, the first contact or booking."""
    owner, day = contact_days(timelines, rules)
    first = np.full(len(timelines), _NEVER, dtype=np.int64)
    if owner.size:
        starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
        first[owner[starts]] = day[starts]
    if rules.expected_from == "bookings":
        np.minimum.at(first, timelines.bookings.owner, timelines.bookings.booked.astype(np.int64))
    return first


def _first_unrecorded(timelines: Timelines, rules: CohortSettings, first: IntArray, list_day: IntArray) -> IntArray:
    """The day on which treatment begins where its start is not recorded."""
    if rules.start_when_missing == "first_contact":
        return np.minimum(first, list_day)
    start = np.full(len(timelines), _NEVER, dtype=np.int64)
    if rules.start_when_missing == "first_pickup":
        picked = (timelines.contacts.kind & PICKUP) > 0
        np.minimum.at(
            start,
            timelines.contacts.owner[picked],
            timelines.contacts.date[picked].astype(np.int64),
        )
        # Only a list that says "active" or "IIT" proves that the person received drugs.
        theirs = timelines.gaps.word != NO_WORD
        np.minimum.at(start, timelines.gaps.owner[theirs], timelines.gaps.date[theirs].astype(np.int64))
    return start


def _first_state(timelines: Timelines, code: int) -> IntArray:
    states = timelines.states
    has_code = states.code == code
    first = np.full(len(timelines), _NEVER, dtype=np.int64)
    np.minimum.at(first, states.owner[has_code], states.date[has_code].astype(np.int64))
    return first
