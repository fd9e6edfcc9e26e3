"""Results: what the records say became of the people on issued lists, and of those for whom something was done.

A result follows from the records alone, so it can be computed again at any time: a newer import completes it, and the
undoing of an import takes it back. An import has only the rows computed again of the people whose records it changed,
and of those whose window its facilities' records now cover; a night has all of them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psycopg import sql

from core.clock import now, today
from core.database import psycopg_connection
from core.jobs import enqueue
from tenants.cohort.service import cohort_settings
from tenants.records.identities import connected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from core.database import TenantSession

LEARN_JOB: Final = "followup.learn"
DAYS: Final = 400
"""Lists and interventions of this many days are looked at again."""
_NO_RESULT: Final = ("observations", "encounters")
"""Kinds of records that no result follows from."""

_LEARN: Final = sql.SQL("""
WITH made AS ({made}),
pending AS MATERIALIZED (
  SELECT made.uuid, who.uuid AS patient, f.complete_through, made.start,
    coalesce(made.start > made.expected_date + %(grace)s, true) AS was_iit,
    CASE WHEN made.start <= made.expected_date + %(grace)s THEN made.expected_date ELSE made.start END + %(grace)s
      AS window_end,
    coalesce((
      SELECT max(c.contact_date) FROM contacts c
      WHERE c.patient_uuid = coalesce(counted.canonical_uuid, made.patient_uuid)
        AND c.contact_date <= made.start AND c.known_from < moment.known
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
  LEFT JOIN LATERAL (
    SELECT i.canonical_uuid FROM patient_identities i
    WHERE i.patient_uuid = made.patient_uuid AND i.known_from < moment.known
      AND (i.known_to IS NULL OR i.known_to >= moment.known)
    ORDER BY i.known_from DESC LIMIT 1
  ) counted ON true
),
answered AS MATERIALIZED (
  SELECT pending.*, (
    SELECT min(c.contact_date) FROM contacts c
    WHERE c.patient_uuid = pending.patient AND c.known_to IS NULL AND c.contact_date > pending.origin
  ) AS came FROM pending
),
ended AS MATERIALIZED (
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
learned AS MATERIALIZED (
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
its day come in the evening: a contact on the day itself answers it, unless it is the one that set the expected date.
What had set it is looked up in the record for which contacts counted on the day: a later merge adds another one's.
Without ``MATERIALIZED`` the planner repeats the looks into contacts wherever their result is named."""

_ENTRIES: Final = sql.SQL("""
SELECT e.uuid, e.patient_uuid, e.facility_uuid, e.expected_date, w.as_of AS start
FROM worklist_entries e JOIN worklists w ON w.uuid = e.worklist_uuid
""")
_INTERVENTIONS: Final = sql.SQL("""
SELECT i.uuid, i.patient_uuid, i.facility_uuid, i.expected_date, i.outcome_date AS start FROM interventions i
WHERE NOT i.voided AND i.outcome IS NOT NULL AND i.outcome_date BETWEEN %(first)s AND %(last)s
""")
_OF_LIST: Final = _ENTRIES + sql.SQL("WHERE w.uuid = %(list)s")
_OF_PEOPLE: Final = _ENTRIES + sql.SQL(
    "WHERE e.patient_uuid = ANY(%(people)s) AND w.as_of BETWEEN %(first)s AND %(last)s"
)
_DONE_FOR_PEOPLE: Final = _INTERVENTIONS + sql.SQL("AND i.patient_uuid = ANY(%(people)s)")
_LISTS_DUE: Final = """
SELECT uuid FROM worklists WHERE as_of BETWEEN %(first)s AND %(last)s AND uuid IN (
  SELECT e.worklist_uuid FROM worklist_entries e JOIN facilities f ON f.uuid = e.facility_uuid
  WHERE e.window_end IS NULL OR e.settled IS DISTINCT FROM coalesce(e.window_end + %(lag)s <= f.complete_through, false)
) ORDER BY as_of, uuid
"""
"""Lists with rows that nobody looked at, or whose facility's records now end on the other side of their window."""
_DAYS_DUE: Final = """
SELECT min(i.outcome_date), max(i.outcome_date) FROM interventions i JOIN facilities f ON f.uuid = i.facility_uuid
WHERE NOT i.voided AND i.outcome IS NOT NULL AND i.outcome_date BETWEEN %(first)s AND %(last)s AND (
  i.window_end IS NULL OR i.settled IS DISTINCT FROM coalesce(i.window_end + %(lag)s <= f.complete_through, false)
)
"""
_QUEUE: Final = """
INSERT INTO patients_to_learn (patient_uuid, changed_at)
SELECT who.uuid, %(now)s FROM unnest(%(people)s::uuid[]) AS who (uuid)
WHERE EXISTS (SELECT FROM worklist_entries e WHERE e.patient_uuid = who.uuid)
  OR EXISTS (SELECT FROM interventions i WHERE i.patient_uuid = who.uuid)
ORDER BY who.uuid ON CONFLICT (patient_uuid) DO UPDATE SET changed_at = excluded.changed_at
"""
"""``DO NOTHING`` would lose a change: the look at the earlier one may have read the records before this one commits."""
_NEXT: Final = """
DELETE FROM patients_to_learn WHERE patient_uuid IN (
  SELECT patient_uuid FROM patients_to_learn ORDER BY patient_uuid LIMIT %s FOR UPDATE SKIP LOCKED
) RETURNING patient_uuid
"""


def records_changed(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Queue the patients whose records changed, and those merged with them, if a list or an intervention has them."""
    if payload.get("kind") in _NO_RESULT:
        return
    people, _ = connected(session, payload["patient_ids"])
    if people:
        with session.cursor() as cursor:
            cursor.execute(_QUEUE, {"people": people, "now": now()})


def import_finished(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Enqueue a look at what an import or its undoing changed, if there is anything. One serves several imports."""
    if _any(session):
        request_learning(session)


def enqueue_learning(session: TenantSession, _due: datetime) -> None:
    """Enqueue the look of a night at all results: it also follows the rules, and records that people typed in."""
    if _any(session):
        request_learning(session, whole=True)


def request_learning(session: TenantSession, *, whole: bool = False) -> UUID:
    """Enqueue a look at the results that may have changed, or at all of them."""
    return enqueue(session, LEARN_JOB, {"whole": whole}, dedupe_key=f"{LEARN_JOB}:whole" if whole else LEARN_JOB)


def days_to_learn(session: TenantSession) -> tuple[date, date]:
    """Return the first and the last of the days whose lists and interventions are looked at."""
    last = today(session.tenant.time_zone)
    return last - timedelta(days=DAYS), last


def lists_to_learn(session: TenantSession) -> list[UUID]:
    """The issued lists of these days, oldest first."""
    with session.cursor() as cursor:
        query = "SELECT uuid FROM worklists WHERE as_of BETWEEN %s AND %s ORDER BY as_of, uuid"
        return [row[0] for row in cursor.execute(query, days_to_learn(session)).fetchall()]


def lists_due(session: TenantSession) -> list[UUID]:
    """The lists with rows that may settle, or that nobody looked at, oldest first."""
    with session.cursor() as cursor:
        return [row[0] for row in cursor.execute(_LISTS_DUE, _terms(session)).fetchall()]


def interventions_due(session: TenantSession) -> tuple[date, date] | None:
    """The first and last day of interventions that may settle, or that nobody looked at; None without any."""
    with session.cursor() as cursor:
        ((first, last),) = cursor.execute(_DAYS_DUE, _terms(session)).fetchall()
    return None if first is None else (first, last)


def learn_waiting(session: TenantSession, most: int) -> tuple[int, int]:
    """Take so many patients from the queue, and write the results of their rows; return patients, and rows changed."""
    with session.cursor() as cursor:
        people = [row[0] for row in cursor.execute(_NEXT, (most,)).fetchall()]
    if not people:
        return 0, 0
    values = {"people": people}
    changed = _learn(session, "worklist_entries", _OF_PEOPLE, values)
    return len(people), changed + _learn(session, "interventions", _DONE_FOR_PEOPLE, values)


def learn_list(session: TenantSession, worklist: UUID) -> int:
    """Write the results of the people on a list; return how many changed."""
    return _learn(session, "worklist_entries", _OF_LIST, {"list": worklist})


def learn_interventions(session: TenantSession, first: date, last: date) -> int:
    """Write the results of the interventions that were done in these days; return how many changed."""
    return _learn(session, "interventions", _INTERVENTIONS, {"first": first, "last": last})


def _any(session: TenantSession) -> bool:
    query = (
        "SELECT EXISTS (SELECT FROM score_runs) OR EXISTS (SELECT FROM worklists) OR EXISTS (SELECT FROM interventions)"
    )
    with session.cursor() as cursor:
        return bool(cursor.execute(query).fetchall()[0][0])


def _terms(session: TenantSession) -> dict[str, object]:
    rules = cohort_settings(session)
    first, last = days_to_learn(session)
    zone = session.tenant.time_zone
    return {"grace": rules.grace_days, "lag": rules.reporting_lag_days, "zone": zone, "first": first, "last": last}


def _learn(session: TenantSession, table: str, rows: sql.Composable, values: Mapping[str, object]) -> int:
    query = _LEARN.format(made=rows, table=sql.Identifier(table))
    with psycopg_connection(session).cursor() as cursor:
        return cursor.execute(query, _terms(session) | dict(values)).rowcount
