"""Results: what the records say became of the people on issued lists, and of those for whom something was done.

A result follows from the records alone, so it can be computed again at any time: a newer import completes it, and the
undoing of an import takes it back.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psycopg import sql

from core.clock import today
from core.database import psycopg_connection
from core.jobs import enqueue
from tenants.cohort.service import cohort_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from core.database import TenantSession

LEARN_JOB: Final = "followup.learn"
DAYS: Final = 400
"""Lists and interventions of this many days are looked at again with each import."""

_LEARN: Final = sql.SQL("""
WITH made AS ({made}),
pending AS (
  SELECT made.uuid, who.uuid AS patient, f.complete_through, made.start,
    coalesce(made.start > made.expected_date + %(grace)s, true) AS was_iit,
    CASE WHEN made.start <= made.expected_date + %(grace)s THEN made.expected_date ELSE made.start END + %(grace)s
      AS window_end,
    coalesce((
      SELECT max(c.contact_date) FROM contacts c
      WHERE c.patient_uuid = who.uuid AND c.contact_date <= made.start AND c.known_from < moment.known
        AND (c.known_to IS NULL OR c.known_to >= moment.known)
        AND (c.contact_date < made.start OR made.expected_date IS NULL OR made.expected_date > made.start
          AND made.expected_date IN (coalesce(c.next_appointment, c.contact_date + c.days_supplied, made.expected_date),
            c.contact_date + c.days_supplied))
    ), made.start - 1) AS origin
  FROM made
  JOIN facilities f ON f.uuid = made.facility_uuid
  LEFT JOIN patient_identities merged ON merged.patient_uuid = made.patient_uuid AND merged.known_to IS NULL
  CROSS JOIN LATERAL (SELECT coalesce(merged.canonical_uuid, made.patient_uuid) AS uuid) who
  CROSS JOIN LATERAL (SELECT (made.start + 1)::timestamp AT TIME ZONE %(zone)s AS known) moment
),
answered AS (
  SELECT pending.*, (
    SELECT min(c.contact_date) FROM contacts c
    WHERE c.patient_uuid = pending.patient AND c.known_to IS NULL AND c.contact_date > pending.origin
  ) AS came FROM pending
),
ended AS (
  SELECT answered.*, gone.state, gone.day, (
    EXISTS (
      SELECT FROM unread_contacts u WHERE u.patient_uuid = answered.patient AND u.known_to IS NULL
        AND u.list_date >= answered.origin AND (answered.came IS NULL OR u.list_date < answered.came)
    ) OR coalesce(gone.state = 'invalid', false)
  ) AS unread
  FROM answered LEFT JOIN LATERAL (
    SELECT s.state, coalesce(s.start_date, (s.known_from AT TIME ZONE %(zone)s)::date) AS day
    FROM patient_states s
    WHERE s.patient_uuid = ANY(ARRAY(
        SELECT answered.patient UNION ALL
        SELECT m.patient_uuid FROM patient_identities m
        WHERE m.canonical_uuid = answered.patient AND m.known_to IS NULL
      )) AND s.known_to IS NULL AND NOT s.voided AND s.state IN ('died', 'transferred_out', 'stopped', 'invalid')
      AND coalesce(s.start_date, (s.known_from AT TIME ZONE %(zone)s)::date)
        BETWEEN answered.origin AND least(answered.came - 1, answered.window_end)
    ORDER BY array_position(ARRAY['invalid', 'died', 'transferred_out', 'stopped'], s.state), 2 LIMIT 1
  ) gone ON true
),
learned AS (
  SELECT uuid, window_end, coalesce(window_end + %(lag)s <= complete_through, false) AND NOT unread AS settled,
    CASE
      WHEN state = 'invalid' THEN 'not_known'
      WHEN state IS NOT NULL THEN state
      WHEN came <= window_end AND NOT was_iit THEN 'returned_in_time'
      WHEN came IS NOT NULL THEN 'returned_late'
      WHEN window_end + %(lag)s <= complete_through AND NOT unread THEN 'iit'
      ELSE 'not_known'
    END AS result,
    CASE WHEN state = 'invalid' THEN NULL WHEN state IS NOT NULL THEN day ELSE came END AS result_on
  FROM ended
)
UPDATE {table} t
SET result = l.result, result_on = l.result_on, window_end = l.window_end, settled = l.settled
FROM learned l
WHERE t.uuid = l.uuid AND (t.result, t.result_on, t.window_end, t.settled)
  IS DISTINCT FROM (l.result, l.result_on, l.window_end, l.settled)
""")
"""The pending contact is the one that the last contact known on the day had set, as in ``tenants.cohort.units``: a
contact before the list that became known after it answers it, too. A list is made in the morning, and the records of
its day come in the evening: a contact on the day itself answers it, unless it is the one that set the expected date."""

_OF_LIST: Final = sql.SQL("""
SELECT e.uuid, e.patient_uuid, e.facility_uuid, e.expected_date, w.as_of AS start
FROM worklist_entries e JOIN worklists w ON w.uuid = e.worklist_uuid WHERE w.uuid = %(list)s
""")
_OF_DAYS: Final = sql.SQL("""
SELECT i.uuid, i.patient_uuid, i.facility_uuid, i.expected_date, i.outcome_date AS start FROM interventions i
WHERE NOT i.voided AND i.outcome IS NOT NULL AND i.outcome_date BETWEEN %(first)s AND %(last)s
""")


def import_finished(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Enqueue a look at all results after an import or its undoing, if there are any. One serves several imports."""
    with session.cursor() as cursor:
        rows = cursor.execute("SELECT EXISTS (SELECT FROM worklists) OR EXISTS (SELECT FROM interventions)").fetchall()
    if rows[0][0]:
        request_learning(session)


def enqueue_learning(session: TenantSession, _due: datetime) -> None:
    """Enqueue the look of a night, which also learns from records that people typed in."""
    import_finished(session, {})


def request_learning(session: TenantSession) -> UUID:
    """Enqueue a look at all results."""
    return enqueue(session, LEARN_JOB, {}, dedupe_key=LEARN_JOB)


def lists_to_learn(session: TenantSession) -> list[UUID]:
    """The issued lists whose results may change, oldest first."""
    with session.cursor() as cursor:
        rows = cursor.execute(
            "SELECT uuid FROM worklists WHERE as_of >= %s ORDER BY as_of, uuid",
            (today(session.tenant.time_zone) - timedelta(days=DAYS),),
        ).fetchall()
    return [row[0] for row in rows]


def learn_list(session: TenantSession, worklist: UUID) -> int:
    """Write the results of the people on a list; return how many changed."""
    return _learn(session, "worklist_entries", _OF_LIST, {"list": worklist})


def learn_interventions(session: TenantSession, first: date, last: date) -> int:
    """Write the results of the interventions that were done in these days; return how many changed."""
    return _learn(session, "interventions", _OF_DAYS, {"first": first, "last": last})


def _learn(session: TenantSession, table: str, rows: sql.SQL, values: Mapping[str, object]) -> int:
    rules = cohort_settings(session)
    zone = session.tenant.time_zone
    terms = {"grace": rules.grace_days, "lag": rules.reporting_lag_days, "zone": zone, **values}
    query = _LEARN.format(made=rows, table=sql.Identifier(table))
    with psycopg_connection(session).cursor() as cursor:
        return cursor.execute(query, terms).rowcount
