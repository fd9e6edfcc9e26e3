"""What each size of a list catches: of the people who interrupted, those who would have been on a list of that size.

The weeks count whose outcomes are known. Of each, the last scored day is taken, and a list is made of it for every
size, of the scores alone: no prediction counts that was made after the expected day by a model that knew it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlmodel import col, delete, select

from core.clock import now
from core.tenancy import settings as tenant_settings
from tenants.cohort.repository import complete_days
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import NO_DAY, day_number, to_date
from tenants.followup.effect import wilson
from tenants.followup.models_results import ListPlaces
from tenants.risk.accuracy import judged
from tenants.risk.settings import RiskSettings

if TYPE_CHECKING:
    from core.database import TenantSession

SIZES: Final = (5, 10, 15, 20, 25, 30, 40, 50, 75, 100)
SMALLEST: Final = 5
LARGEST: Final = 100
WEEKS: Final = 26
MOST_PATIENTS: Final = 5_000
"""Of a larger tenant, the same patients are drawn each time, by a hash."""
_BEST: Final = """
WITH people AS MATERIALIZED (
  SELECT uuid FROM patients WHERE known_to IS NULL AND NOT voided
  ORDER BY hashtextextended(uuid::text, 21), uuid LIMIT %(most)s
), days AS (
  SELECT DISTINCT ON (date_trunc('week', as_of)) as_of FROM score_runs
  WHERE state = 'done' AND as_of > %(since)s AND as_of <= %(until)s ORDER BY date_trunc('week', as_of), as_of DESC
), placed AS (
  SELECT p.patient_uuid, p.as_of, p.expected_date, p.prediction_timestamp, p.model_uuid,
    row_number() OVER (PARTITION BY p.as_of, p.facility_uuid ORDER BY p.rank, p.uuid) AS place
  FROM days JOIN predictions p ON p.as_of = days.as_of
  WHERE p.kind = 'at_risk' AND NOT p.stale AND p.expected_date - p.as_of <= %(horizon)s
)
SELECT DISTINCT ON (placed.patient_uuid, placed.expected_date)
  placed.patient_uuid, placed.as_of, placed.expected_date, placed.place
FROM people JOIN placed ON placed.patient_uuid = people.uuid LEFT JOIN models m ON m.uuid = placed.model_uuid
WHERE placed.expected_date <= %(until)s AND (
  (placed.prediction_timestamp AT TIME ZONE %(zone)s)::date <= placed.expected_date
  OR m.trained_through < placed.as_of
)
ORDER BY placed.patient_uuid, placed.expected_date, placed.place, placed.as_of
"""


@dataclass(frozen=True, slots=True)
class Places:
    """The best places that people had on the lists of the weeks.

    Attributes:
        first: the first and ``last`` the last of the days whose lists count; None without any.
        people: place from 1 -> pending contacts whose best place it was; ``interrupted`` those of them who missed it.
        patients: the patients who interrupted, each counted once.
    """

    first: date | None
    last: date | None
    people: dict[int, int]
    interrupted: dict[int, int]
    patients: int


@dataclass(frozen=True, slots=True)
class Catch:
    """What lists of a size catch.

    Attributes:
        size: people of each facility.
        listed: pending contacts that would have been on a list, and ``caught`` those of them who interrupted.
        interrupted: all who interrupted.
        low, high: Wilson's 95 % interval of the share caught. A patient with several counts as one observation.
    """

    size: int
    listed: int
    caught: int
    interrupted: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The part of those who interrupted that a list of this size catches."""
        return self.caught / self.interrupted if self.interrupted else 0.0


def read_places(session: TenantSession) -> Places:
    """The best places of the resolved weeks, as they were last counted: after the last import, or last night."""
    # Two looks that end together leave a row each, until the next one.
    row = session.exec(select(ListPlaces).order_by(col(ListPlaces.measured_at).desc())).first()
    if row is None:
        return Places(None, None, {}, {}, 0)
    people = {place: count for place, count, _ in row.places}
    interrupted = {place: missed for place, _, missed in row.places if missed}
    return Places(row.first, row.last, people, interrupted, row.patients)


def store(session: TenantSession) -> None:
    """Count the best places of the resolved weeks with the tenant's horizon, and store them for the page."""
    places = count_places(session, tenant_settings.get(session, RiskSettings).horizon_days)
    counts = [[place, count, places.interrupted.get(place, 0)] for place, count in sorted(places.people.items())]
    session.exec(delete(ListPlaces))
    row = ListPlaces(measured_at=now(), first=places.first, last=places.last, places=counts, patients=places.patients)
    session.add(row)
    session.flush()


def catch_of(places: Places, size: int) -> Catch:
    """What lists of ``size`` people of each facility catch."""
    listed, caught = (
        sum(count for place, count in part.items() if place <= size) for part in (places.people, places.interrupted)
    )
    interrupted = sum(places.interrupted.values())
    share = caught / interrupted if interrupted else 0.0
    low, high = wilson(places.patients, share)
    return Catch(size, listed, caught, interrupted, low, high)


def count_places(session: TenantSession, horizon: int) -> Places:
    """Count the best places of the resolved weeks: of each pending contact, as far as its outcome is certain."""
    rules, complete = cohort_settings(session), complete_days(session)
    known = complete[complete != NO_DAY]
    until = to_date(int(known.max()) - rules.grace_days - rules.reporting_lag_days) if known.size else None
    rows = []
    if until is not None:
        values = {
            "most": MOST_PATIENTS,
            "since": until - timedelta(weeks=WEEKS),
            "until": until,
            "horizon": horizon,
            "zone": session.tenant.time_zone,
        }
        with session.cursor() as cursor:
            rows = cursor.execute(_BEST, values).fetchall()
    day, expected = (np.array([day_number(row[at]) for row in rows], dtype=np.int32) for at in (1, 2))
    outcomes = judged(session, rules, complete, [row[0] for row in rows], day, expected)
    certain = [(rows[row], label == 1) for row, label in zip(outcomes.row, outcomes.label, strict=True) if label >= 0]
    days = [row[1] for row, _ in certain]
    return Places(
        min(days, default=None),
        max(days, default=None),
        dict(Counter(row[3] for row, _ in certain)),
        dict(Counter(row[3] for row, interrupted in certain if interrupted)),
        len({row[0] for row, interrupted in certain if interrupted}),
    )
