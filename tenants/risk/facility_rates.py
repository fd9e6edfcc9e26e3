"""The share of each facility's people who interrupted treatment, as known on earlier days.

Each rate belongs to a **reference day** (every 28th day since 1970-01-01) and comes from a snapshot of that day. A
decision day uses the reference day at or before it, so it sees only what had been resolved and recorded by then.
Training and serving use the same days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from tenants.cohort.expected import episodes
from tenants.cohort.settings import FixedRule
from tenants.cohort.timelines import NO_DAY, TRANSFERRED_IN, Timelines, row_key, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from tenants.cohort.settings import CohortSettings

STEP: Final = 28
"""Days between two reference days."""
WINDOW: Final = 364
"""Length of the window before the reference day, in days. A contact counts if its outcome was due in it."""
PRIOR: Final = 50.0
"""Weight of the tenant's own share in a facility's share, in contacts."""
TENANT_PRIOR: Final = 20.0
TENANT_PRIOR_SHARE: Final = 0.2


def reference_day(day: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The reference day at or before each day."""
    return np.asarray(day, dtype=np.int64) // STEP * STEP


@dataclass(frozen=True, slots=True, eq=False)
class FacilityRates:
    """Counts per reference day and facility; :meth:`at` returns the rates.

    Attributes:
        days: (a,) reference days, rising.
        facilities: UUID of the facility -> its column.
        resolved: (a, f) contacts with a known outcome in the window.
        interrupted: (a, f) how many of them were interruptions.
    """

    days: npt.NDArray[np.int64]
    facilities: dict[UUID, int]
    resolved: npt.NDArray[np.float64]
    interrupted: npt.NDArray[np.float64]

    def at(
        self, day: npt.ArrayLike, facility: npt.NDArray[np.integer], facilities: Sequence[UUID]
    ) -> npt.NDArray[np.float64]:
        """Return the rate of each row's facility; missing (NaN) before the first reference day.

        Args:
            day: (m,) or scalar, decision days.
            facility: (m,) index into ``facilities``.
            facilities: the facilities' UUIDs, as in ``Timelines.facilities``.
        """
        reference_days = np.broadcast_to(reference_day(day), facility.shape)
        row = np.searchsorted(self.days, reference_days, side="right") - 1
        usable = row >= 0
        usable[usable] = self.days[row[usable]] == reference_days[usable]
        row = np.where(usable, row, 0)
        columns = np.array([self.facilities.get(uuid, -1) for uuid in facilities] or [-1], dtype=np.int64)[facility]
        has_rate = usable & (columns >= 0)
        own = np.zeros(facility.shape)
        own_hits = np.zeros(facility.shape)
        if self.days.size == 0:
            return np.full(facility.shape, np.nan)
        own[has_rate] = self.resolved[row[has_rate], columns[has_rate]]
        own_hits[has_rate] = self.interrupted[row[has_rate], columns[has_rate]]
        tenant = self._tenant()[row]
        rate = (own_hits + PRIOR * tenant) / (own + PRIOR)
        return np.where(usable, rate, np.nan)

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "days": self.days.tolist(),
            "facilities": {str(uuid): place for uuid, place in self.facilities.items()},
            "resolved": self.resolved.tolist(),
            "interrupted": self.interrupted.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FacilityRates:
        """Read what :meth:`to_json` wrote."""
        return cls(
            days=np.asarray(value["days"], dtype=np.int64),
            facilities={UUID(text): int(place) for text, place in value["facilities"].items()},
            resolved=np.asarray(value["resolved"], dtype=np.float64),
            interrupted=np.asarray(value["interrupted"], dtype=np.float64),
        )

    def _tenant(self) -> npt.NDArray[np.float64]:
        total, hits = self.resolved.sum(axis=1), self.interrupted.sum(axis=1)
        return np.asarray((hits + TENANT_PRIOR * TENANT_PRIOR_SHARE) / (total + TENANT_PRIOR), dtype=np.float64)


@dataclass(slots=True)
class FacilityCounts:
    """Adds up the counts over chunks of patients.

    Args:
        first: day of the first decision.
        last: day of the last decision.
        rules: the tenant's cohort settings.
    """

    first: int
    last: int
    rules: CohortSettings
    _columns: dict[UUID, int] = field(default_factory=dict)
    _counts: dict[tuple[int, int], list[float]] = field(default_factory=dict)

    @property
    def days(self) -> npt.NDArray[np.int64]:
        """The reference days that cover ``first`` to ``last``."""
        return np.arange(int(reference_day(self.first)), self.last + 1, STEP, dtype=np.int64)

    @property
    def since(self) -> int:
        """The first day whose contacts can affect a count; NO_DAY where the rules look at all contacts.

        A contact counts if it was expected within the window. The contact that set the date lies at most as far back as
        the rules allow.
        """
        if self.rules.expected_from != "contacts" or not isinstance(self.rules.rule, FixedRule):
            return NO_DAY
        if self.rules.expected_by == "stock":  # supply may be left from any earlier pick-up
            return NO_DAY
        ahead = max(self.rules.longest_ahead_days, self.rules.longest_supply_days, self.rules.rule.days)
        first = int(reference_day(self.first)) - WINDOW - self.rules.grace_days - self.rules.reporting_lag_days
        return first - ahead

    def add(self, timelines: Timelines) -> None:
        """Count the contacts of these patients for each reference day, as known on that day."""
        columns = np.array(
            [self._columns.setdefault(uuid, len(self._columns)) for uuid in timelines.facilities], dtype=np.int64
        )
        everyone = np.arange(len(timelines))
        for place, day in enumerate(self.days):
            owner, late = _resolutions(snapshot(timelines, everyone, int(day)), int(day), self.rules)
            column = columns[timelines.facility[owner]]
            total = np.bincount(column, minlength=len(self._columns))
            hits = np.bincount(column[late], minlength=len(self._columns))
            for index in np.flatnonzero(total):
                count = self._counts.setdefault((place, int(index)), [0.0, 0.0])
                count[0] += float(total[index])
                count[1] += float(hits[index])

    def rates(self) -> FacilityRates:
        """Return the rates of everybody counted so far."""
        shape = (self.days.size, max(len(self._columns), 1))
        resolved, interrupted = np.zeros(shape), np.zeros(shape)
        for (place, column), (total, hits) in self._counts.items():
            resolved[place, column], interrupted[place, column] = total, hits
        return FacilityRates(self.days, dict(self._columns), resolved, interrupted)


def _resolutions(
    day_snapshot: Timelines, day: int, rules: CohortSettings
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Owners of the expected contacts resolved in the window before ``day``, and which were interruptions."""
    expected_contacts = episodes(day_snapshot, rules)
    expected = expected_contacts.expected.astype(np.int64)
    limit = expected + rules.grace_days
    deadline = limit + rules.reporting_lag_days
    came = (expected_contacts.fulfilled != NO_DAY) & (expected_contacts.fulfilled <= limit)
    has_left = (
        _left_before(day_snapshot, expected_contacts.owner, expected_contacts.origin.astype(np.int64), limit) & ~came
    )
    counts = (deadline <= day) & (deadline > day - WINDOW) & ~has_left & ~expected_contacts.unread
    return expected_contacts.owner[counts], ~came[counts]


def _left_before(
    day_snapshot: Timelines, owner: npt.NDArray[np.int64], origin: npt.NDArray[np.int64], limit: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether the person died, was transferred out or stopped between the origin and the end of grace."""
    states = day_snapshot.states
    exits = states.code != TRANSFERRED_IN
    key = row_key(states.owner[exits], states.date[exits])
    first = np.searchsorted(key, row_key(owner, origin))
    behind = np.searchsorted(key, row_key(owner, limit), side="right")
    has_left: npt.NDArray[np.bool_] = behind > first
    return has_left
