"""Settle people: rebuild their records from all runs, where an import changes what was known before it.

The newest list of a facility changes nothing that was known before. An older list may, and so may undoing a list. Then
steps rebuild the chains of all people at the list's facilities. The queue of these people is ``import_touched``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.clock import now
from core.database.arrays import uuid_array
from tenants.records import runs
from tenants.records.chains import rebuild_of_patients
from tenants.records.folding import refold
from tenants.records.writing import CARE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession
    from tenants.records.runs import Run

SETTLE = "settle"
"""The kind, in the queue, for a person all of whose chains must be rebuilt."""
REFOLD = "refold"
"""The kind, in the queue, for a person whose history may begin on another day, because an earlier fact came."""

_AT_FACILITIES = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT DISTINCT %(import)s::uuid, p.uuid, %(kind)s FROM patients AS p
WHERE p.source = %(source)s AND p.facility_uuid IN (
    SELECT c.facility_uuid FROM record_coverage AS c WHERE c.number = %(number)s)
ON CONFLICT DO NOTHING
"""
_AT = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT DISTINCT %(import)s::uuid, p.uuid, %(kind)s FROM patients AS p
WHERE p.source = %(source)s AND p.facility_uuid = ANY(%(facilities)s::uuid[])
ON CONFLICT DO NOTHING
"""
# The newest data of a facility come from the runs that count.
_REDATE = """
UPDATE facilities AS f SET data_date = d.data_date, updated_at = %(now)s
FROM (
    SELECT c.facility_uuid, max(r.data_date) FILTER (WHERE NOT r.undone) AS data_date
    FROM record_coverage AS c JOIN record_runs AS r ON r.number = c.number
    WHERE c.facility_uuid = ANY(%(facilities)s::uuid[]) GROUP BY c.facility_uuid
) AS d
WHERE d.facility_uuid = f.uuid AND f.data_date IS DISTINCT FROM d.data_date
"""
_TOUCHED = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT DISTINCT import_uuid, patient_uuid, %(kind)s FROM import_touched
WHERE import_uuid = %(import)s AND kind <> 'patients'
ON CONFLICT DO NOTHING
"""
# A clean list of the same kind ends earlier unreadable contacts, for the same day at once. A status list with a later
# pick-up does not: the contacts before it stay unreadable.
_UNREAD = """
UPDATE unread_contacts AS u SET known_to = c.known_to
FROM (
    SELECT o.patient_uuid, o.source, o.list_kind, o.import_uuid, (
        SELECT min(r.data_date)::timestamp AT TIME ZONE %(zone)s
        FROM patient_statements AS s CROSS JOIN LATERAL unnest(s.runs) AS a (run)
        JOIN record_runs AS r ON r.number = a.run
        WHERE s.patient_uuid = o.patient_uuid AND r.source = o.source AND r.kind = o.list_kind AND NOT r.undone
          AND r.data_date >= o.list_date AND NOT EXISTS (
            SELECT FROM unread_contacts AS also
            WHERE also.patient_uuid = o.patient_uuid AND also.import_uuid = r.import_uuid)
          AND NOT EXISTS (
            SELECT FROM radet_list_rows AS l
            WHERE l.patient_uuid = o.patient_uuid AND l.number = r.number AND l.last_pickup > o.list_date)
    ) AS known_to
    FROM unread_contacts AS o WHERE o.patient_uuid = ANY(%(patients)s::uuid[])
) AS c
WHERE u.patient_uuid = c.patient_uuid AND u.source = c.source AND u.list_kind = c.list_kind
  AND u.import_uuid = c.import_uuid AND u.known_to IS DISTINCT FROM c.known_to
RETURNING u.patient_uuid
"""
_WITH_UNREAD = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT DISTINCT %(import)s::uuid, u.patient_uuid, 'unread_contacts' FROM unread_contacts AS u
WHERE u.source = %(source)s AND u.list_kind = %(kind)s AND u.facility_uuid IN (
    SELECT c.facility_uuid FROM record_coverage AS c WHERE c.number = %(number)s)
ON CONFLICT DO NOTHING
"""
_FORGET = """
UPDATE patient_statements AS t SET runs = k.runs, stamps = k.stamps
FROM (
    SELECT s.statement_id, array_agg(a.run ORDER BY a.place) AS runs,
           CASE WHEN s.stamps IS NOT NULL THEN array_agg(a.stamp ORDER BY a.place) END AS stamps
    FROM patient_statements AS s
    CROSS JOIN LATERAL unnest(s.runs, s.stamps) WITH ORDINALITY AS a (run, stamp, place)
    JOIN record_runs AS r ON r.number = a.run AND NOT r.undone
    WHERE s.patient_uuid = ANY(%(patients)s::uuid[]) GROUP BY s.statement_id
) AS k
WHERE k.statement_id = t.statement_id AND k.runs <> t.runs
"""
_UNSAID = """
DELETE FROM patient_statements AS t
WHERE t.patient_uuid = ANY(%(patients)s::uuid[]) AND t.runs IS NOT NULL AND NOT EXISTS (
    SELECT FROM record_runs AS r WHERE r.number = ANY(t.runs) AND NOT r.undone)
"""


def queue(session: TenantSession, run: Run) -> None:
    """Queue the people to settle, after all rows of a run are in the records."""
    other_runs = runs.others(session, run)
    with session.cursor() as cursor:
        if other_runs.are_later:
            queue_all(session, run)
        elif other_runs.exist:
            cursor.execute(_TOUCHED, {"import": run.import_uuid, "kind": REFOLD})
        values = {"import": run.import_uuid, "source": run.source, "kind": run.kind, "number": run.number}
        cursor.execute(_WITH_UNREAD, values)


def queue_all(session: TenantSession, run: Run) -> None:
    """Queue everybody at the run's facilities."""
    values = {"import": run.import_uuid, "source": run.source, "number": run.number, "kind": SETTLE}
    with session.cursor() as cursor:
        cursor.execute(_AT_FACILITIES, values)


def queue_at(session: TenantSession, import_uuid: UUID, source: str, facilities: Sequence[UUID]) -> None:
    """Queue everybody of a source at facilities, to be settled by an import."""
    values = {"import": import_uuid, "source": source, "facilities": uuid_array(facilities), "kind": SETTLE}
    with session.cursor() as cursor:
        cursor.execute(_AT, values)


def redate(session: TenantSession, facilities: Sequence[UUID]) -> None:
    """Recompute the data date of facilities, after an import lost its last event there."""
    if facilities:
        with session.cursor() as cursor:
            cursor.execute(_REDATE, {"facilities": uuid_array(facilities), "now": now()})


def settle(session: TenantSession, patients: Sequence[UUID]) -> None:
    """Rebuild all chains of these people, and fold them again."""
    if not patients:
        return
    for model in CARE:
        rebuild_of_patients(session, model, patients)
    refold(session, patients)
    values = {"patients": uuid_array(patients)}
    with session.cursor() as cursor:
        cursor.execute(_UNSAID, values)
        cursor.execute(_FORGET, values)


def close_unread(session: TenantSession, patients: Sequence[UUID]) -> None:
    """Recompute the end of each unreadable contact of these people."""
    if patients:
        with session.cursor() as cursor:
            cursor.execute(_UNREAD, {"patients": uuid_array(patients), "zone": session.tenant.time_zone})
