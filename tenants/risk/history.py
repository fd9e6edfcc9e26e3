"""What of a person's past bears on the expected contact: how late earlier ones were, and how far apart contacts lie.

Everything is taken from a snapshot, so only from what was known on the decision day. The last ten are laid out as a
matrix, newest first, missing where there were fewer, so that every feature is a sum over columns.
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
class Pending:
    """The expected contact that each row is about.

    Attributes:
        day: (m,) the decision day: what was known on it.
        origin: (m,) the day that set the date.
        expected: (m,) the date.
    """

    day: Ints
    origin: Ints
    expected: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Earlier expected contacts of each row, whose day has passed or that were answered.

    Attributes:
        offsets: (m + 1,) CSR.
        late: signed days late of each; those still unanswered are late as of the decision day.
        back: day on which each was answered; the decision day where it was not.
        recent: (m, DEPTH) the last ten's ``late``, newest first, NaN where there are fewer.
        source: (m,) source code of the pending one.
        others: (m,) other bookings still ahead.
        same_day: (m,) other bookings due on the pending one's day.
    """

    offsets: Ints
    late: Floats
    back: Ints
    recent: Floats
    source: npt.NDArray[np.int8]
    others: Ints
    same_day: Ints

    @property
    def count(self) -> Ints:
        """How many there were."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> Ints:
        """The row of each."""
        return np.repeat(np.arange(self.offsets.size - 1), self.count)


def past(seen: Timelines, known: Episodes, pending: Pending, rules: CohortSettings) -> Past:
    """Split each row's episodes into the pending one and the past."""
    owner = known.owner
    expected, origin = known.expected.astype(np.int64), known.origin.astype(np.int64)
    day = pending.day[owner]
    itself = (origin == pending.origin[owner]) & (expected == pending.expected[owner])
    if rules.expected_from == "contacts":
        itself = np.zeros(len(known), dtype=np.bool_)
        itself[known.last[known.last >= 0]] = True
    answered = known.fulfilled != NO_DAY
    ahead = ~itself & ~answered & (expected >= day)
    gone = ~itself & ~ahead
    rows = len(seen)
    source = np.zeros(rows, dtype=np.int8)
    source[owner[itself]] = known.source[itself]
    others = np.bincount(owner[ahead], minlength=rows)
    same_day = np.bincount(owner[ahead & (expected == pending.expected[owner])], minlength=rows)
    picked = np.flatnonzero(gone)
    if rules.expected_from == "bookings":
        picked = picked[np.lexsort((expected[picked], owner[picked]))]
    back = np.where(answered[picked], known.fulfilled[picked].astype(np.int64), day[picked])
    late = (back - expected[picked]).astype(np.float64)
    offsets = offsets_of(owner[picked], rows)
    return Past(offsets, late, back, last_columns(late, offsets), source, others, same_day)


def last_columns(values: Floats, offsets: Ints, depth: int = DEPTH) -> Floats:
    """The last ``depth`` values of each row of a CSR, newest first, NaN where there are fewer."""
    place = offsets[1:, None] - 1 - np.arange(depth)
    there = place >= offsets[:-1, None]
    out = np.full(place.shape, np.nan)
    out[there] = values[place[there]]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Attendance:
    """Days of contact of each row up to the decision day, each day once (CSR), and the intervals between them."""

    offsets: Ints
    day: Ints
    intervals: Floats
    interval_offsets: Ints
    recent: Floats

    @property
    def owner(self) -> Ints:
        """The row of each day of contact."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))


def attendance(seen: Timelines, rules: CohortSettings) -> Attendance:
    """Contacts, kept bookings among them, and the intervals between them."""
    owner, contact = contact_days(seen, rules)
    day = contact.astype(np.int64)
    rows = len(seen)
    same = owner[1:] == owner[:-1]
    gaps = np.diff(day)[same].astype(np.float64)
    gap_offsets = offsets_of(owner[1:][same], rows)
    return Attendance(offsets_of(owner, rows), day, gaps, gap_offsets, last_columns(gaps, gap_offsets))


def count_between(visits: Attendance, after: Ints, until: Ints) -> Floats:
    """Contacts with ``after < day <= until`` of each row."""
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
    """Index of the last entry of each row where ``mask`` holds; -1 where there is none."""
    marked = np.where(mask, np.arange(mask.size), -1)
    latest = np.maximum.accumulate(marked) if mask.size else marked
    out = np.full(offsets.size - 1, -1, dtype=np.int64)
    some = np.diff(offsets) > 0
    out[some] = latest[offsets[1:][some] - 1]
    return np.where(out >= offsets[:-1], out, -1)
