"""A person's history: how late earlier contacts were, and how far apart contacts lie.

Everything comes from a snapshot, so only from what was known on the decision day. The last ten contacts form a matrix,
newest first, with missing values where there are fewer, so that every feature is a sum over columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.expected import contact_days
from tenants.cohort.timelines import NO_DAY, Timelines, offsets_of, row_key

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.expected import Episodes
    from tenants.cohort.settings import CohortSettings

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

DEPTH: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class PendingExpectations:
    """The expected contact of each row.

    Attributes:
        day: (m,) the decision day, whose knowledge counts.
        origin: (m,) the day that set the date.
        expected: (m,) the date.
    """

    day: Ints
    origin: Ints
    expected: Ints


@dataclass(frozen=True, slots=True, eq=False)
class PastExpectations:
    """Earlier expected contacts of each row: their day has passed, or they were answered.

    Attributes:
        offsets: (m + 1,) CSR.
        late: signed days late of each; unanswered ones are late as of the decision day.
        answer_day: day of the answer to each; the decision day where there is none.
        recent: (m, DEPTH) ``late`` of the last ten, newest first, NaN where there are fewer.
        source: (m,) the code of what set the pending expected contact, such as FROM_APPOINTMENT.
        other_pending: (m,) number of other bookings still ahead.
        same_day: (m,) number of other bookings due on the day of the pending expected contact.
    """

    offsets: Ints
    late: Floats
    answer_day: Ints
    recent: Floats
    source: npt.NDArray[np.int8]
    other_pending: Ints
    same_day: Ints

    @property
    def count(self) -> Ints:
        """The number of earlier contacts of each row."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> Ints:
        """The row of each earlier contact."""
        return np.repeat(np.arange(self.offsets.size - 1), self.count)


def past(
    snapshots: Timelines, expected_contacts: Episodes, pending: PendingExpectations, rules: CohortSettings
) -> PastExpectations:
    """Split each row's episodes into the pending one and the past."""
    owner = expected_contacts.owner
    expected, origin = expected_contacts.expected.astype(np.int64), expected_contacts.origin.astype(np.int64)
    day = pending.day[owner]
    itself = (origin == pending.origin[owner]) & (expected == pending.expected[owner])
    if rules.expected_from == "contacts":
        itself = np.zeros(len(expected_contacts), dtype=np.bool_)
        itself[expected_contacts.last[expected_contacts.last >= 0]] = True
    is_answered = expected_contacts.fulfilled != NO_DAY
    ahead = ~itself & ~is_answered & (expected >= day)
    is_past = ~itself & ~ahead
    rows = len(snapshots)
    source = np.zeros(rows, dtype=np.int8)
    source[owner[itself]] = expected_contacts.source[itself]
    other_pending = np.bincount(owner[ahead], minlength=rows)
    same_day = np.bincount(owner[ahead & (expected == pending.expected[owner])], minlength=rows)
    picked = np.flatnonzero(is_past)
    if rules.expected_from == "bookings":
        picked = picked[np.lexsort((expected[picked], owner[picked]))]
    answer_day = np.where(is_answered[picked], expected_contacts.fulfilled[picked].astype(np.int64), day[picked])
    late = (answer_day - expected[picked]).astype(np.float64)
    offsets = offsets_of(owner[picked], rows)
    return PastExpectations(offsets, late, answer_day, last_columns(late, offsets), source, other_pending, same_day)


def last_columns(values: Floats, offsets: Ints, depth: int = DEPTH) -> Floats:
    """The last ``depth`` values of each row of a CSR, newest first, NaN where there are fewer."""
    place = offsets[1:, None] - 1 - np.arange(depth)
    exists = place >= offsets[:-1, None]
    out = np.full(place.shape, np.nan)
    out[exists] = values[place[exists]]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Attendance:
    """Days of contact of each row up to the decision day, without repeats (CSR), and the intervals between them."""

    offsets: Ints
    day: Ints
    intervals: Floats
    interval_offsets: Ints
    recent: Floats

    @property
    def owner(self) -> Ints:
        """The row of each day of contact."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))


def attendance(snapshots: Timelines, rules: CohortSettings) -> Attendance:
    """Contacts and kept bookings, with the intervals between them."""
    owner, contact = contact_days(snapshots, rules)
    day = contact.astype(np.int64)
    rows = len(snapshots)
    same = owner[1:] == owner[:-1]
    gaps = np.diff(day)[same].astype(np.float64)
    gap_offsets = offsets_of(owner[1:][same], rows)
    return Attendance(offsets_of(owner, rows), day, gaps, gap_offsets, last_columns(gaps, gap_offsets))


def count_between(visits: Attendance, after: Ints, until: Ints) -> Floats:
    """The number of contacts of each row with ``after < day <= until``."""
    key = row_key(visits.owner, visits.day)
    rows = np.arange(after.size)
    low = np.searchsorted(key, row_key(rows, after), side="right")
    high = np.searchsorted(key, row_key(rows, until), side="right")
    return (high - low).astype(np.float64)


def row_sum(values: Floats, offsets: Ints) -> Floats:
    """Sum of each row of a CSR."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(total[offsets[1:]] - total[offsets[:-1]], dtype=np.float64)


def last_where(mask: npt.NDArray[np.bool_], offsets: Ints) -> Ints:
    """Index of the last entry of each row where ``mask`` is true; -1 where there is none."""
    index_or_minus_one = np.where(mask, np.arange(mask.size), -1)
    latest = np.maximum.accumulate(index_or_minus_one) if mask.size else index_or_minus_one
    out = np.full(offsets.size - 1, -1, dtype=np.int64)
    some = np.diff(offsets) > 0
    out[some] = latest[offsets[1:][some] - 1]
    return np.where(out >= offsets[:-1], out, -1)
