"""Complete-through dates: the day up to which a facility's records are complete, judged by its reporting volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.timelines import NO_DAY, BoolArray, DayArray, IntArray

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.settings import Completeness

_BIN: Final = 28
_SPARSE: Final = 2.0
_LONGEST_WINDOW: Final = 182


@dataclass(frozen=True, slots=True, eq=False)
class ReportingState:
    """The completeness of each facility's records.

    Attributes:
        through: the complete-through day; NO_DAY where nothing was reported.
        data_day: the day to which the source's data run. ``through`` is never later.
        low_volume: whether the facility has too few contacts of its own and was judged by the pool of small facilities.
        rate: usual contacts per day.
    """

    through: DayArray
    data_day: DayArray
    low_volume: BoolArray
    rate: npt.NDArray[np.float64]

    def stale(self, today: int, rules: Completeness) -> BoolArray:
        """Return a mask of the facilities that never reported, or whose records end too long before ``today``."""
        behind = today - self.through.astype(np.int64)
        return np.asarray((self.through == NO_DAY) | (behind > rules.stale_after_days))


def complete_through(
    facility: npt.ArrayLike, day: npt.ArrayLike, count: npt.ArrayLike, data_day: npt.ArrayLike, rules: Completeness
) -> ReportingState:
    """The complete-through day of each facility, from its number of contacts per day.

    A contact is supported if the window of days that ends with it holds at least ``share`` of the facility's usual
    number. Reporting ends at the last supported contact, or at the data date if chance explains the contacts missing
    since then. Facilities with too few contacts in a usual window form a pool, and take the pool's day. A facility of
    the pool that fell silent improbably long before that day takes an earlier one.

    Args:
        facility: (k,) index of the facility.
        day: (k,) day numbers, in any order.
        count: (k,) contacts reported of that facility and day.
        data_day: (f,) day to which each facility's data run; contacts after it are ignored.
        rules: parameters.
    """
    ends = np.asarray(data_day, dtype=np.int64)
    where, days, counts = _believable(facility, day, count, ends)
    n = ends.size
    through = np.full(n, NO_DAY, dtype=np.int64)
    rate = np.zeros(n)
    small = np.zeros(n, dtype=np.bool_)
    starts = np.searchsorted(where, np.arange(n + 1))
    for index in np.flatnonzero(np.diff(starts)):
        own = slice(starts[index], starts[index + 1])
        rate[index] = _usual_rate(days[own], counts[own], int(ends[index]), rules)
        small[index] = rate[index] * rules.window_days < rules.minimum_contacts
        last = _last_supported(days[own], counts[own], rate[index], rules)
        through[index] = _end_of_reporting(last, int(ends[index]), rate[index], rules)
    if small.any():
        _pool(where, days, counts, ends, rules, small, rate, through)
    return ReportingState(through=through.astype(np.int32), data_day=ends.astype(np.int32), low_volume=small, rate=rate)


def _believable(
    facility: npt.ArrayLike, day: npt.ArrayLike, count: npt.ArrayLike, ends: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Return facility, day and count up to each facility's data date: one row per facility and day, in order."""
    where, days = np.asarray(facility, dtype=np.int64), np.asarray(day, dtype=np.int64)
    counts = np.asarray(count, dtype=np.int64)
    inside = (days <= ends[where]) & (counts > 0) if where.size else np.zeros(0, dtype=np.bool_)
    where, days, counts = where[inside], days[inside], counts[inside]
    order = np.lexsort((days, where))
    return where[order], days[order], counts[order]


def _usual_rate(days: IntArray, counts: IntArray, end: int, rules: Completeness) -> float:
    """Contacts per day in usual times: the median over recent four-week bins in which the facility reported at all.

    Bins that hold next to nothing beside the fullest (strays) are left out, so that a lone late record moves nothing.
    """
    bins = np.bincount((end - days) // _BIN, weights=counts)
    bins_with_data = np.flatnonzero(bins >= max(1.0, 0.1 * np.percentile(bins[bins > 0], 90)))
    recent = bins_with_data[: max(2, rules.reference_days // _BIN)]
    span = bins[recent[0] : recent[-1] + 1]
    bins_per_reporting_bin = span.size / recent.size
    # Where many bins in between are empty the volume is small by nature: the mean over all of them is its rate.
    usual = float(np.median(bins[recent])) if bins_per_reporting_bin < _SPARSE else float(span.mean())
    return usual / _BIN


def _last_supported(days: IntArray, counts: IntArray, rate: float, rules: Completeness) -> int:
    """Return the last day whose trailing window holds its share of the usual number of contacts."""
    window_days = max(float(rules.window_days), rules.minimum_contacts / rate if rate > 0 else float(_LONGEST_WINDOW))
    window = int(min(np.ceil(window_days), max(_LONGEST_WINDOW, rules.window_days)))
    total = np.concatenate(([0], np.cumsum(counts)))
    begin = np.searchsorted(days, days - window, side="right")
    in_window = total[1:] - total[begin]
    need = max(rules.share * rate * window, min(2.0, float(total[-1])))
    supported = np.flatnonzero(in_window >= need)
    return int(days[supported[-1]]) if supported.size else int(days[0])


def _end_of_reporting(last: int, end: int, rate: float, rules: Completeness) -> int:
    """Return the end of the data, or ``last`` if more contacts are missing since then than chance explains."""
    return end if rate * (end - last) <= rules.silence else last


def _pool(
    where: IntArray,
    days: IntArray,
    counts: IntArray,
    ends: IntArray,
    rules: Completeness,
    small: BoolArray,
    rate: npt.NDArray[np.float64],
    through: IntArray,
) -> None:
    """Set the complete-through day of small facilities to their pool's day.

    A facility that fell silent before gets an earlier day.
    """
    pooled = small[where]
    if not pooled.any():
        return
    moments, place = np.unique(days[pooled], return_inverse=True)
    volume = np.bincount(place, weights=counts[pooled]).astype(np.int64)
    end = int(ends[np.unique(where[pooled])].max())
    joint = _usual_rate(moments, volume, end, rules)
    pool_day = _end_of_reporting(_last_supported(moments, volume, joint, rules), end, joint, rules)
    for index in np.flatnonzero(small & (through != NO_DAY)):
        limit = min(pool_day, int(ends[index]))
        own = days[where == index]
        own = own[own <= limit]
        silent = own.size == 0 or rate[index] * (limit - int(own[-1])) > rules.silence
        through[index] = min(int(through[index]), limit) if silent else limit
