"""The funnel of follow-up: identified, contacted, reached, returned, kept for six months."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from core import audit
from core.database import psycopg_connection
from core.errors import FieldError, Invalid
from core.identity.people import members
from core.identity.principal import person_of_actor
from core.web.tables import csv_lines
from tenants.followup.outcomes import OUTCOMES
from tenants.records.reach import whole_facility_within_reach_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from core.database import TenantSession

GroupName = Literal["tenant", "facility", "officer"]
ListKind = Literal["at_risk", "to_trace"]
RETAINED_DAYS: Final = 182
"""A person is kept if they are on treatment this many days after their return."""
COLUMNS: Final = (
    "identified", "contacted", "reached", "returned", "retained", "returned_unreached", "retained_due", "unsettled",
)  # fmt: skip
TARGETS: Final = ("reached_target", "reached_attained", "returned_target", "returned_attained")

_FUNNEL: Final = sql.SQL("""
WITH listed AS (
  SELECT DISTINCT ON (who.uuid) who.uuid AS patient, e.facility_uuid, w.as_of, e.result, e.result_on, e.settled,
    a.person_id AS assigned
  FROM worklists w
  JOIN worklist_entries e ON e.worklist_uuid = w.uuid
  LEFT JOIN patient_identities merged ON merged.patient_uuid = e.patient_uuid AND merged.known_to IS NULL
  CROSS JOIN LATERAL (SELECT coalesce(merged.canonical_uuid, e.patient_uuid) AS uuid) who
  LEFT JOIN patient_assignments a ON a.patient_uuid = who.uuid
  WHERE w.as_of BETWEEN %(first)s AND %(last)s AND (%(kind)s::text IS NULL OR w.kind = %(kind)s)
    AND NOT e.held_out AND {reach}
  ORDER BY who.uuid, w.as_of, w.issued_at
),
tried AS (
  SELECT listed.*, f.datim_id, f.name, f.complete_through, made.tried_on, made.reached_on,
    coalesce(made.officer, 'person:' || listed.assigned) AS officer,
    result IN ('returned_in_time', 'returned_late') AS came, result_on + %(days)s AS due_on,
    aim.reached AS aim_reached, aim.returned AS aim_returned
  FROM listed
  JOIN facilities f ON f.uuid = listed.facility_uuid
  LEFT JOIN LATERAL (
    SELECT t.reached, t.returned FROM facility_targets t
    WHERE t.facility_uuid = listed.facility_uuid AND t.month <= listed.as_of ORDER BY t.month DESC LIMIT 1
  ) aim ON true
  CROSS JOIN LATERAL (
    SELECT min(i.outcome_date) AS tried_on,
      min(i.outcome_date) FILTER (WHERE i.outcome = ANY(%(reached)s)) AS reached_on,
      (array_agg(coalesce(i.completed_by, i.created_by) ORDER BY i.outcome_date, i.completed_at, i.uuid))[1] AS officer
    FROM interventions i
    WHERE i.patient_uuid = ANY(ARRAY(
        SELECT listed.patient UNION ALL
        SELECT m.patient_uuid FROM patient_identities m
        WHERE m.canonical_uuid = listed.patient AND m.known_to IS NULL
      )) AND NOT i.voided AND i.outcome IS NOT NULL
      AND i.outcome_date BETWEEN listed.as_of AND listed.as_of + %(days)s
  ) made
),
steps AS (
  SELECT tried.*, coalesce(came AND result_on >= reached_on, false) AS returned,
    coalesce(due_on <= complete_through, false) AS retained_due, (
      SELECT t.to_status = 'active' FROM status_transitions t
      WHERE t.patient_uuid = tried.patient AND t.date <= due_on ORDER BY t.date DESC, t.seq DESC LIMIT 1
    ) AS active_then
  FROM tried
)
SELECT {key} AS key, {name} AS name, count(*) AS identified, count(tried_on) AS contacted, count(reached_on) AS reached,
  count(*) FILTER (WHERE returned) AS returned,
  count(*) FILTER (WHERE returned AND retained_due AND active_then) AS retained,
  count(*) FILTER (WHERE coalesce(came, false) AND NOT returned) AS returned_unreached,
  count(*) FILTER (WHERE returned AND retained_due) AS retained_due,
  count(*) FILTER (WHERE NOT settled) AS unsettled,
  sum(aim_reached) AS reached_target, count(reached_on) FILTER (WHERE aim_reached IS NOT NULL) AS reached_of_target,
  sum(aim_returned) AS returned_target,
  count(*) FILTER (WHERE returned AND aim_returned IS NOT NULL) AS returned_of_target
FROM steps GROUP BY 1, 2 ORDER BY 2 NULLS LAST, 1
""")
"""Each person counts one time in a period, from the first list on which they were."""

_KEYS: Final[dict[GroupName, tuple[str, str]]] = {
    "tenant": ("NULL::text", "NULL::text"),
    "facility": ("datim_id", "name"),
    "officer": ("officer", "NULL::text"),
}


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """The funnel of one group.

    Attributes:
        key: DATIM id of the facility, or the actor; None for the tenant, and for people whom nobody followed.
        name: name of the facility or officer; None where there is none.
        identified: people on lists of the period, without held-out ones.
        contacted: those of them whom somebody tried to reach; ``reached`` those who were spoken with.
        returned: those reached who had a contact on that day or later, by the records.
        retained: those returned who were on treatment six months later, out of ``retained_due``, whose
            six months are over.
        returned_unreached: people with a contact whom nobody had reached before it.
        unsettled: people of whom the records are not complete yet: they may still return.
        reached_target: the people to be reached by the targets of their facilities in the months of their lists; None
            where there is no target. ``reached_of_target`` are those reached at these facilities. So for ``returned``.
    """

    key: str | None
    name: str | None
    identified: int = 0
    contacted: int = 0
    reached: int = 0
    returned: int = 0
    retained: int = 0
    returned_unreached: int = 0
    retained_due: int = 0
    unsettled: int = 0
    reached_target: float | None = None
    reached_of_target: int = 0
    returned_target: float | None = None
    returned_of_target: int = 0

    @property
    def reached_attained(self) -> float | None:
        """The part of the target that was reached, 1 for all of it; None without a target."""
        return self.reached_of_target / self.reached_target if self.reached_target else None

    @property
    def returned_attained(self) -> float | None:
        """The part of the target that is back; None without a target."""
        return self.returned_of_target / self.returned_target if self.returned_target else None


def read_funnel(
    session: TenantSession, first: date, last: date, by: GroupName = "tenant", kind: ListKind | None = None
) -> list[FunnelRow]:
    """The funnel of the people on lists of these days, by group.

    Args:
        session: the tenant's transaction.
        first: the first day of lists.
        last: the last day of lists.
        by: one row for the tenant, or one for each facility or officer. The officer is who tried first, else who
            follows the person.
        kind: only lists of this kind; None for both.

    Raises:
        Invalid: the period ends before it begins.
    """
    if last < first:
        problem = FieldError("last", "is before the first day", "give a later day")
        detail = "the period ends before it begins"
        raise Invalid(detail, errors=[problem])
    key, name = _KEYS[by]
    query = _FUNNEL.format(
        reach=whole_facility_within_reach_sql(session, "e.facility_uuid"), key=sql.SQL(key), name=sql.SQL(name)
    )
    values = {
        "first": first,
        "last": last,
        "kind": kind,
        "days": RETAINED_DAYS,
        "reached": [outcome.name for outcome in OUTCOMES.values() if outcome.reached],
    }
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        rows = [FunnelRow(**row) for row in cursor.execute(query, values).fetchall()]
    audit.record(session, "followup:funnel:read", "followup", None, {"first": str(first), "last": str(last), "by": by})
    return _named(session, rows) if by == "officer" else rows or ([FunnelRow(None, None)] if by == "tenant" else [])


def csv_of(rows: Sequence[FunnelRow]) -> bytes:
    """The funnel as CSV, one row for each group."""
    header = ("key", "name", *COLUMNS, *TARGETS)
    return csv_lines([header, *([getattr(row, column) for column in header] for row in rows)])


def _named(session: TenantSession, rows: Sequence[FunnelRow]) -> list[FunnelRow]:
    """The rows with the officers' names, in their order; programs and people who left have none."""
    people: dict[str, UUID] = {row.key: uuid for row in rows if row.key and (uuid := person_of_actor(row.key))}
    names = members.names_of(session.tenant, set(people.values()))
    named = [replace(row, name=names.get(people[row.key]) if row.key in people else None) for row in rows]
    return sorted(named, key=lambda row: (row.name is None, row.name or "", row.key or ""))
