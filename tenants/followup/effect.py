"""The effect report: what share of the people on lists returned in time, and whether a list made a difference.

Only a hold-out, drawn at random, can say what a list causes. Without one the report says so: officers choose whom they
try first, and people who answer the phone would have come more often anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final, Literal

from psycopg import sql

from core import audit
from core.errors import FieldError, Invalid
from tenants.records.reach import whole_facility_within_reach_sql

if TYPE_CHECKING:
    from datetime import date

    from core.database import TenantSession

Claim = Literal["causal", "none"]
ENOUGH: Final = 30
"""A group with fewer settled people supports no claim."""
_Z: Final = 1.959963984540054
_GROUPS: Final = sql.SQL("""
WITH listed AS (
  SELECT DISTINCT ON (who.uuid, e.expected_date) who.uuid AS patient, e.held_out, e.result, w.as_of, e.window_end
  FROM worklists w JOIN worklist_entries e ON e.worklist_uuid = w.uuid
  LEFT JOIN patient_identities merged ON merged.patient_uuid = e.patient_uuid AND merged.known_to IS NULL
  CROSS JOIN LATERAL (SELECT coalesce(merged.canonical_uuid, e.patient_uuid) AS uuid) who
  WHERE w.kind = 'at_risk' AND w.as_of BETWEEN %(first)s AND %(last)s AND e.settled
    AND e.result IN ('returned_in_time', 'returned_late', 'iit') AND {reach}
  ORDER BY who.uuid, e.expected_date, w.as_of, w.issued_at
)
SELECT held_out, EXISTS (
    SELECT FROM interventions i WHERE i.patient_uuid = ANY(ARRAY(
        SELECT listed.patient UNION ALL
        SELECT m.patient_uuid FROM patient_identities m WHERE m.canonical_uuid = listed.patient AND m.known_to IS NULL
      )) AND NOT i.voided AND i.outcome IS NOT NULL AND i.outcome_date BETWEEN listed.as_of AND listed.window_end
  ) AS tried, count(*), count(*) FILTER (WHERE result = 'returned_in_time')
FROM listed GROUP BY 1, 2
""")


@dataclass(frozen=True, slots=True)
class Share:
    """The people of a group whose result is settled, those who returned in time, and Wilson's 95 % interval."""

    people: int
    returned: int

    @property
    def value(self) -> float | None:
        """The share who returned in time; None in an empty group."""
        return self.returned / self.people if self.people else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval; everything in an empty group."""
        return wilson(self.people, self.returned / self.people if self.people else 0.0)


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two shares with Newcombe's 95 % interval (1998, method 10)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect report of a period.

    Attributes:
        claim: ``causal`` only if both the shown and the held-out people are enough; else ``none``.
        shown: people whom lists showed, and ``held_out`` those whom chance kept off.
        tried: shown people whom somebody tried to reach within their window, and ``untried`` the others. They differ in
            more than the attempt, so their difference is no effect.
        difference: shown minus held out; None without a claim.
    """

    claim: Claim
    shown: Share
    held_out: Share
    tried: Share
    untried: Share
    difference: Difference | None


def wilson(count: int, share: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share that was seen in ``count`` people; everything in an empty group."""
    if not count:
        return 0.0, 1.0
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(first: Share, second: Share) -> Difference:
    """The difference of two shares of people, first minus second. Both groups have people."""
    (low_1, high_1), (low_2, high_2) = first.interval, second.interval
    share_1, share_2 = first.returned / first.people, second.returned / second.people
    value = share_1 - share_2
    low = value - sqrt((share_1 - low_1) ** 2 + (high_2 - share_2) ** 2)
    high = value + sqrt((high_1 - share_1) ** 2 + (share_2 - low_2) ** 2)
    return Difference(value, low, high)


def read_effect(session: TenantSession, first: date, last: date) -> Effect:
    """The effect report of the lists at risk of these days.

    Each person, with all merged records, counts once for each expected contact. People who died, moved on or stopped
    are left out, and so are all whose result is not settled.

    Raises:
        Invalid: the period ends before it begins.
    """
    if last < first:
        problem = FieldError("last", "is before the first day", "give a later day")
        detail = "the period ends before it begins"
        raise Invalid(detail, errors=[problem])
    query = _GROUPS.format(reach=whole_facility_within_reach_sql(session, "e.facility_uuid"))
    with session.cursor() as cursor:
        rows = cursor.execute(query, {"first": first, "last": last}).fetchall()
    audit.record(session, "followup:effect:read", "followup", None, {"first": str(first), "last": str(last)})

    def group(*, held_out: bool, tried: bool | None = None) -> Share:
        chosen = [row for row in rows if row[0] == held_out and tried in (None, row[1])]
        return Share(sum(row[2] for row in chosen), sum(row[3] for row in chosen))

    shown, unshown = group(held_out=False), group(held_out=True)
    enough = min(shown.people, unshown.people) >= ENOUGH
    return Effect(
        claim="causal" if enough else "none",
        shown=shown,
        held_out=unshown,
        tried=group(held_out=False, tried=True),
        untried=group(held_out=False, tried=False),
        difference=difference(shown, unshown) if enough else None,
    )
