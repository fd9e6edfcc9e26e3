"""Applies staged snapshots to ``radet_snapshots``, which has, for each day, the list that counts.

A RADET has the status of everybody on it. Every list's rows are stored (``radet_list_rows``). Of several lists of one
source and day, the later in their order (precedence, digest) replaces the earlier at the facilities that it names. A
later list that names fewer people of a facility than it leaves out is taken for corrections: it replaces only the rows
of the people whom it names. From the lists that count, ``tenants.records.chains`` derives which states a later list
supersedes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from core.database.arrays import uuid_array
from tenants.imports.applying.lists import run_of
from tenants.records.chains import rebuild_of_patients
from tenants.records.models import PatientState
from tenants.records.upsert import UpsertCounts, UpsertResult

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession
    from tenants.imports.applying.apply import Terms
    from tenants.records.runs import Run

STATES_AT_ONCE = 5_000

_STATUS_COLUMNS = "status, status_date, previous_status, previous_date, last_pickup, days_supplied"
_STORE = f"""
WITH said AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS s (
        patient_uuid uuid, facility_uuid uuid, status text, status_date date, previous_status text, previous_date date,
        last_pickup date, days_supplied int4)
),
stored AS (
    INSERT INTO radet_list_rows (patient_uuid, number, facility_uuid, {_STATUS_COLUMNS})
    SELECT patient_uuid, %(number)s, facility_uuid, {_STATUS_COLUMNS} FROM said
    ON CONFLICT (patient_uuid, number) DO NOTHING
)
SELECT count(*) FILTER (WHERE r.patient_uuid IS NULL),
       count(*) FILTER (WHERE (r.status, r.status_date, r.previous_status, r.previous_date, r.last_pickup,
                               r.days_supplied)
           IS DISTINCT FROM (s.status, s.status_date, s.previous_status, s.previous_date, s.last_pickup,
                             s.days_supplied) AND r.patient_uuid IS NOT NULL)
FROM said AS s LEFT JOIN radet_snapshots AS r ON r.patient_uuid = s.patient_uuid AND r.data_date = %(data_date)s
"""  # noqa: S608 - a constant of this module

# The lists of the day at the facilities of this one, in their order.
_LISTS = """
SELECT r.number FROM record_runs AS r
WHERE r.source = %(source)s AND r.data_date = %(data_date)s AND NOT r.undone
  AND EXISTS (SELECT FROM radet_list_rows AS l WHERE l.number = r.number AND l.facility_uuid = ANY(%(places)s::uuid[]))
ORDER BY r.precedence, r.digest, r.number
"""
_PLACES = "SELECT DISTINCT facility_uuid FROM radet_list_rows WHERE number = %s"
_EMPTY = """
DELETE FROM radet_snapshots
WHERE source = %(source)s AND data_date = %(data_date)s AND facility_uuid = ANY(%(places)s::uuid[])
"""
_REPLACE = """
WITH named AS (
    SELECT facility_uuid, count(*) AS people FROM radet_list_rows WHERE number = %(list)s GROUP BY facility_uuid
),
left_out AS (
    SELECT r.patient_uuid, r.facility_uuid FROM radet_snapshots AS r
    WHERE r.source = %(source)s AND r.data_date = %(data_date)s AND r.facility_uuid = ANY(%(places)s::uuid[])
      AND NOT EXISTS (SELECT FROM radet_list_rows AS l WHERE l.number = %(list)s AND l.patient_uuid = r.patient_uuid)
),
replaced AS (
    SELECT n.facility_uuid FROM named AS n JOIN left_out AS o USING (facility_uuid)
    GROUP BY n.facility_uuid, n.people HAVING n.people >= count(*)
)
DELETE FROM radet_snapshots AS r USING left_out AS o
WHERE r.patient_uuid = o.patient_uuid AND r.data_date = %(data_date)s
  AND o.facility_uuid IN (SELECT facility_uuid FROM replaced)
"""
_LAY = f"""
INSERT INTO radet_snapshots (patient_uuid, data_date, facility_uuid, source, import_uuid, {_STATUS_COLUMNS})
SELECT l.patient_uuid, %(data_date)s, l.facility_uuid, %(source)s, r.import_uuid, {_STATUS_COLUMNS}
FROM radet_list_rows AS l JOIN record_runs AS r ON r.number = l.number
WHERE l.number = %(list)s AND l.facility_uuid = ANY(%(places)s::uuid[])
ON CONFLICT (patient_uuid, data_date) DO UPDATE SET
    facility_uuid = excluded.facility_uuid, source = excluded.source, import_uuid = excluded.import_uuid,
    status = excluded.status, status_date = excluded.status_date, previous_status = excluded.previous_status,
    previous_date = excluded.previous_date, last_pickup = excluded.last_pickup, days_supplied = excluded.days_supplied
"""  # noqa: S608 - a constant of this module

_WITH_STATES = """
SELECT DISTINCT l.patient_uuid FROM radet_list_rows AS l JOIN patient_states AS e ON e.patient_uuid = l.patient_uuid
WHERE l.number = ANY(%s) ORDER BY l.patient_uuid
"""
_TOUCH = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT %s, patient_uuid, 'patient_states' FROM unnest(%s::uuid[]) AS t (patient_uuid) ON CONFLICT DO NOTHING
"""


def apply_rows(session: TenantSession, terms: Terms, contents: list[dict[str, Any]]) -> UpsertResult:
    """Store a chunk of staged snapshots. They count after ``end``.

    Args:
        session: the step's transaction.
        terms: what all facts of the import share.
        contents: contents of the rows (``StagedRow.about``).
    """
    values = {
        "data_date": terms.data_date,
        "number": run_of(session, terms.import_uuid).number,
        "rows": orjson.dumps(contents).decode(),
    }
    with session.cursor() as cursor:
        ((inserted, updated),) = cursor.execute(_STORE, values).fetchall()
    return UpsertResult(UpsertCounts(inserted=inserted, updated=updated, unchanged=len(contents) - inserted - updated))


def end(session: TenantSession, terms: Terms) -> None:
    """Compute what counts for a list's day, and which states it supersedes.

    Call it after all its snapshots are stored.
    """
    run = run_of(session, terms.import_uuid)
    lists = count_day(session, run)
    with session.cursor() as cursor:
        patients = [row[0] for row in cursor.execute(_WITH_STATES, (lists,)).fetchall()]
        for start in range(0, len(patients), STATES_AT_ONCE):
            part = rebuild_of_patients(session, PatientState, patients[start : start + STATES_AT_ONCE])
            cursor.execute(_TOUCH, (terms.import_uuid, uuid_array(part.patients)))


def take_out(session: TenantSession, run: Run) -> None:
    """Remove an undone run from what counts for its day."""
    with session.cursor() as cursor:
        places = [row[0] for row in cursor.execute(_PLACES, (run.number,)).fetchall()]
        cursor.execute("DELETE FROM radet_list_rows WHERE number = %s", (run.number,))
    if places:
        count_day(session, run, places)


def count_day(session: TenantSession, run: Run, at: list[UUID] | None = None) -> list[int]:
    """Compute what counts on a run's day, at ``at`` or the run's facilities; return the numbers of the lists there."""
    with session.cursor() as cursor:
        places = at or [row[0] for row in cursor.execute(_PLACES, (run.number,)).fetchall()]
        values: dict[str, Any] = {"source": run.source, "data_date": run.data_date, "places": uuid_array(places)}
        lists = [row[0] for row in cursor.execute(_LISTS, values).fetchall()]
        cursor.execute(_EMPTY, values)
        for number in lists:
            cursor.execute(_REPLACE, values | {"list": number})
            cursor.execute(_LAY, values | {"list": number})
    return lists
