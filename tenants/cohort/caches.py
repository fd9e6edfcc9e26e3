"""The cohort's caches: counts that read the records of everybody within reach."""

from __future__ import annotations

from typing import Final

from core.cache import Cache

_OF_RECORDS: Final = ("records.changed", "records.written", "cohort.rebuilt")

PeriodCounts = list[list[tuple[tuple[str, ...], list[int]]]]
"""For each period its groups: the labels, one for each dimension, and the counts in the order of MEASURES."""

PERIOD_COUNTS: Final = Cache(
    "cohort.period_counts",
    "MER counts of periods, by group; no person's data.",
    PeriodCounts,
    _OF_RECORDS,
)
