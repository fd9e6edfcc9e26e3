"""The cohort's caches: counts that read the records of everybody within reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from core.cache import Cache

_OF_RECORDS: Final = ("records.changed", "records.written", "cohort.rebuilt")

PeriodCounts = list[list[tuple[tuple[str, ...], list[int]]]]
"""For each period its groups: the labels, one for each dimension, and the counts in the order of MEASURES."""


@dataclass(frozen=True, slots=True)
class DayStatus:
    """People by status on a day, from what was known then."""

    as_of: date
    patients: int
    statuses: dict[str, int]
    pending: int
    late: int
    iit_to_trace: int


PERIOD_COUNTS: Final = Cache(
    "cohort.period_counts",
    "MER counts of periods, by group; no person's data.",
    PeriodCounts,
    _OF_RECORDS,
)
DAY_STATUS: Final = Cache("cohort.day_status", "People by status on a day; no person's data.", DayStatus, _OF_RECORDS)
