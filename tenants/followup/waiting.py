"""Who of a list still waits, who rests after an attempt, and how many had one today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from psycopg.types.json import Jsonb

from tenants.followup.outcomes import OUTCOMES
from tenants.records.reach import within_reach_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession

PAGE_SIZE: Final = 20
_WAITING: Final = sql.SQL("""
FROM worklist_entries e
LEFT JOIN patient_identities merged ON merged.patient_uuid = e.patient_uuid AND merged.known_to IS NULL
CROSS JOIN LATERAL (SELECT coalesce(merged.canonical_uuid, e.patient_uuid) AS uuid) who
JOIN facilities f ON f.uuid = e.facility_uuid
JOIN patients p ON p.uuid = who.uuid AND p.known_to IS NULL AND NOT p.voided
LEFT JOIN patient_assignments a ON a.patient_uuid = who.uuid
LEFT JOIN LATERAL (
  SELECT i.outcome, i.outcome_date, i.promised_for, count(*) OVER () AS attempts FROM interventions i
  WHERE i.patient_uuid = ANY(ARRAY(
      SELECT who.uuid UNION ALL
      SELECT m.patient_uuid FROM patient_identities m WHERE m.canonical_uuid = who.uuid AND m.known_to IS NULL
    )) AND NOT i.voided AND i.outcome IS NOT NULL AND {reach_of_attempt}
  ORDER BY i.outcome_date DESC, i.completed_at DESC, i.uuid DESC LIMIT 1
) last ON true
CROSS JOIN LATERAL (
  SELECT coalesce(
    coalesce(last.promised_for, last.outcome_date + (%(rests)s::jsonb ->> last.outcome)::int) > %(day)s, false
  ) AS rests
) rest
WHERE e.worklist_uuid = %(worklist)s AND NOT e.held_out AND {reach_of_entry} AND {reach_of_patient}
  AND (%(facility)s::text IS NULL OR f.datim_id = %(facility)s)
  AND (%(mine)s::uuid IS NULL OR a.person_id IS NULL OR a.person_id = %(mine)s OR a.person_id = ANY(%(covered)s))
  AND (merged.canonical_uuid IS NULL OR NOT EXISTS (
    SELECT FROM worklist_entries o
    LEFT JOIN patient_identities same ON same.patient_uuid = o.patient_uuid AND same.known_to IS NULL
    WHERE o.worklist_uuid = e.worklist_uuid AND (
      o.patient_uuid = who.uuid OR same.canonical_uuid = who.uuid AND o.patient_uuid < e.patient_uuid
    )
  ))
""")
"""People who were merged into another one since the list was issued count as that one, who is listed once."""

_COUNTS: Final = sql.SQL("""
SELECT f.datim_id, f.name, count(*) FILTER (WHERE NOT rest.rests)
{waiting} GROUP BY f.datim_id, f.name ORDER BY f.name, f.datim_id
""")
_DONE: Final = sql.SQL("""
SELECT count(DISTINCT who.uuid) FROM worklists w
JOIN worklist_entries e ON e.worklist_uuid = w.uuid
LEFT JOIN patient_identities merged ON merged.patient_uuid = e.patient_uuid AND merged.known_to IS NULL
CROSS JOIN LATERAL (SELECT coalesce(merged.canonical_uuid, e.patient_uuid) AS uuid) who
JOIN facilities f ON f.uuid = e.facility_uuid
JOIN patients p ON p.uuid = who.uuid AND p.known_to IS NULL AND NOT p.voided
LEFT JOIN patient_assignments a ON a.patient_uuid = who.uuid
WHERE w.as_of = %(as_of)s AND NOT e.held_out AND {reach_of_entry} AND {reach_of_patient}
  AND (%(facility)s::text IS NULL OR f.datim_id = %(facility)s)
  AND (%(mine)s::uuid IS NULL OR a.person_id IS NULL OR a.person_id = %(mine)s OR a.person_id = ANY(%(covered)s))
  AND EXISTS (
    SELECT FROM interventions i WHERE i.patient_uuid = ANY(ARRAY(
      SELECT who.uuid UNION ALL
      SELECT m.patient_uuid FROM patient_identities m WHERE m.canonical_uuid = who.uuid AND m.known_to IS NULL
    )) AND NOT i.voided AND i.outcome IS NOT NULL AND i.outcome_date = %(day)s AND {reach_of_attempt}
  )
""")
"""A list is issued again when its capacity changes: whoever was on an earlier issue of the day counts too."""


@dataclass(frozen=True, slots=True)
class Clinic:
    """A facility's part of a list, and how many people wait there."""

    datim_id: str
    name: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of people on today's lists.

    Attributes:
        day: today in the tenant's time zone.
        clinics: the clinics of both lists, by kind of list.
        done: the number of people on today's lists who had an attempt today, at the chosen facility.
        facility: DATIM id of the chosen facility; None for all.
    """

    day: date
    clinics: Mapping[str, Sequence[Clinic]]
    done: int
    facility: str | None = None

    def waiting(self, kind: str) -> int:
        """The number of people on a list who wait, at the chosen facility."""
        return sum(clinic.waiting for clinic in self.clinics[kind] if self.facility in (None, clinic.datim_id))


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a list that is read.

    Attributes:
        mine: a person: only patients who are assigned to them, to nobody, or to an officer in ``covered``; None for
            all.
        covered: officers who are away, and whose patients count as those of ``mine``.
    """

    day: date
    facility: str | None
    mine: UUID | None
    covered: Sequence[UUID] = ()

    def values(self, worklist_id: UUID | None) -> dict[str, Any]:
        """Return the parameters of the queries."""
        return {
            "worklist": worklist_id,
            "day": self.day,
            "facility": self.facility,
            "mine": self.mine,
            "covered": list(self.covered),
            "rests": Jsonb({outcome.name: outcome.rests for outcome in OUTCOMES.values()}),
            "limit": PAGE_SIZE,
        }


def clinics_of(session: TenantSession, worklist_id: UUID, part: Part) -> list[Clinic]:
    """The clinics of an issued list within reach, by name."""
    with session.cursor() as cursor:
        rows = cursor.execute(_COUNTS.format(waiting=waiting_sql(session)), part.values(worklist_id)).fetchall()
    return [Clinic(*row) for row in rows]


def done_today(session: TenantSession, as_of: date, part: Part) -> int:
    """The number of people on any list of a scored day who had an attempt today."""
    values = {
        "as_of": as_of,
        "day": part.day,
        "facility": part.facility,
        "mine": part.mine,
        "covered": list(part.covered),
    }
    with session.cursor() as cursor:
        count: int = cursor.execute(_DONE.format(**_reach(session)), values).fetchall()[0][0]
    return count


def waiting_sql(session: TenantSession) -> sql.Composable:
    """Entries within reach: of facilities and of patients, since a patient may be elsewhere now. So are attempts."""
    return _WAITING.format(**_reach(session))


def _reach(session: TenantSession) -> dict[str, sql.Composable]:
    return {
        "reach_of_entry": within_reach_sql(session, "e.facility_uuid", "who.uuid"),
        "reach_of_patient": within_reach_sql(session, "p.facility_uuid", "p.uuid"),
        "reach_of_attempt": within_reach_sql(session, "i.facility_uuid", "who.uuid"),
    }
