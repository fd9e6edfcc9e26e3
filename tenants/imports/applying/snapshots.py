"""From the staging table to ``radet_snapshots``; and what a newer list takes back of what an older one said.

A RADET names the status of everybody on it. Where a list says that somebody is on treatment whom an earlier list of the
same source gave as dead, the earlier one was wrong: that death is voided. A transfer or a stop is voided when the newer
list has the person on treatment without a pick-up after it. Absence from a list takes nothing back. In which order the
lists are imported makes no difference; of two lists of one day, the later import is the newer.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from tenants.records.ids import entity_uuid
from tenants.records.models import PatientState
from tenants.records.upsert import UpsertCounts, Upserted, staging, upsert

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from tenants.imports.applying.apply import Terms

_STORE = """
INSERT INTO radet_snapshots AS r
    (patient_uuid, data_date, facility_uuid, source, import_uuid, status, status_date, previous_status, previous_date,
     last_pickup, days_supplied)
SELECT s.patient_uuid, %(data_date)s, s.facility_uuid, %(source)s, %(import)s, s.status, s.status_date,
       s.previous_status, s.previous_date, s.last_pickup, s.days_supplied
FROM jsonb_to_recordset(%(rows)s) AS s (
    patient_uuid uuid, facility_uuid uuid, status text, status_date date, previous_status text, previous_date date,
    last_pickup date, days_supplied int4
)
ON CONFLICT (patient_uuid, data_date) DO UPDATE SET
    facility_uuid = excluded.facility_uuid, source = excluded.source, import_uuid = excluded.import_uuid,
    status = excluded.status, status_date = excluded.status_date, previous_status = excluded.previous_status,
    previous_date = excluded.previous_date, last_pickup = excluded.last_pickup, days_supplied = excluded.days_supplied
WHERE r.import_uuid <= excluded.import_uuid
    AND (r.status, r.status_date, r.previous_status, r.previous_date, r.last_pickup, r.days_supplied)
    IS DISTINCT FROM (excluded.status, excluded.status_date, excluded.previous_status, excluded.previous_date,
                      excluded.last_pickup, excluded.days_supplied)
RETURNING (xmax = 0)
"""

# Stored rows that say the same are the import's too: it names them. Of two imports of one day that which began later
# stands, whichever of them is gone on with last.
_NAME = """
UPDATE radet_snapshots SET import_uuid = %(import)s
WHERE patient_uuid = ANY(%(patients)s) AND data_date = %(data_date)s AND import_uuid < %(import)s
"""

# A list that is given again for its day replaces it at the facilities that it names, unless it names there fewer people
# than it leaves out: then it holds only some rows, corrected ones say. And what this import has stored goes where one
# that began later has replaced the day already.
_FORGET_OTHERS = """
WITH day AS (
    SELECT r.facility_uuid, r.import_uuid FROM radet_snapshots AS r
    WHERE r.data_date = %(data_date)s AND r.source = %(source)s
),
replaced AS (
    SELECT facility_uuid FROM day GROUP BY facility_uuid
    HAVING count(*) FILTER (WHERE import_uuid = %(import)s) >= greatest(
        count(*) FILTER (WHERE import_uuid < %(import)s), 1)
),
later AS (
    SELECT d.facility_uuid FROM day AS d JOIN imports AS i ON i.uuid = d.import_uuid
    WHERE d.import_uuid > %(import)s AND i.state = 'done'
    GROUP BY d.facility_uuid
    HAVING count(*) >= (
        SELECT count(*) FROM day AS o WHERE o.facility_uuid = d.facility_uuid AND o.import_uuid = %(import)s)
)
DELETE FROM radet_snapshots
WHERE data_date = %(data_date)s AND source = %(source)s
  AND ((import_uuid < %(import)s AND facility_uuid IN (SELECT facility_uuid FROM replaced))
       OR (import_uuid = %(import)s AND facility_uuid IN (SELECT facility_uuid FROM later)))
"""

# Only states that a RADET said: what a pharmacy's or a laboratory's file said is not for a status list to take back.
# By the first list that says otherwise, which may have been imported before the one that is at fault.
_CONTRADICTED = """
SELECT min(r.data_date), e.facility_uuid, e.source_key, e.patient_uuid, e.state, e.start_date, e.reason
FROM patient_states AS e
JOIN radet_snapshots AS r ON r.patient_uuid = e.patient_uuid AND r.source = e.source
JOIN imports AS i ON i.uuid = e.import_uuid AND i.format LIKE 'radet-%%'
WHERE e.patient_uuid = ANY(%(patients)s) AND e.known_to IS NULL AND NOT e.voided AND e.source = %(source)s
  AND (r.data_date > e.data_date
       OR (r.data_date = e.data_date AND r.import_uuid = %(import)s AND e.import_uuid < %(import)s))
  AND e.state <> 'transferred_in' AND r.status <> 'unknown' AND e.state <> r.status
  AND (
    e.state = 'died'
    OR (r.status IN ('active', 'active_restart') AND coalesce(r.last_pickup <= e.start_date, true))
  )
GROUP BY e.version_id
ORDER BY 1, e.patient_uuid
"""


def apply_rows(session: TenantSession, terms: Terms, rows: list[tuple[Any, ...]], places: dict[str, UUID]) -> Upserted:
    """Store a chunk of staged snapshots; patients whose earlier states were taken back are among those touched.

    Args:
        session: the step's transaction.
        terms: what the import says of all its facts.
        rows: of the staging table: sequence, facility, patient's key, key, day, first day, stamp, content, personal.
        places: facilities by DATIM id.
    """
    said: list[dict[str, Any]] = []
    for _, datim_id, patient_key, _, _, _, _, encoded, _ in rows:
        patient = entity_uuid("patients", places[datim_id], terms.source, patient_key)
        said.append(orjson.loads(encoded) | {"patient_uuid": patient, "facility_uuid": places[datim_id]})
    patients = [row["patient_uuid"] for row in said]
    values = {
        "data_date": terms.data_date,
        "source": terms.source,
        "import": terms.import_uuid,
        "rows": orjson.dumps(said).decode(),
        "patients": patients,
    }
    with session.cursor() as cursor:
        stored = [row[0] for row in cursor.execute(_STORE, values).fetchall()]
        cursor.execute(_NAME, values)
        contradicted = cursor.execute(_CONTRADICTED, values).fetchall()
    touched: list[UUID] = []
    for day, states in groupby(contradicted, itemgetter(0)):
        touched += _take_back(session, terms, day, [state for _, *state in states])
    inserted = sum(stored)
    return Upserted(
        UpsertCounts(inserted=inserted, updated=len(stored) - inserted, unchanged=len(rows) - len(stored)), touched
    )


def end(session: TenantSession, terms: Terms) -> None:
    """Once all snapshots of a list are stored: whom an earlier one of its day named, and it does not, go."""
    values = {"data_date": terms.data_date, "source": terms.source, "import": terms.import_uuid}
    with session.cursor() as cursor:
        cursor.execute(_FORGET_OTHERS, values)


def _take_back(session: TenantSession, terms: Terms, day: date, states: list[list[Any]]) -> list[UUID]:
    """Void states that the list of a day contradicts; whose they were."""
    with staging(session, PatientState, source=terms.source) as stage:
        for facility, source_key, patient, state, start, reason in states:
            stage.add(
                facility,
                bytes(source_key),
                {"patient_uuid": patient, "state": state, "start_date": start, "reason": reason},
                voided=True,
                void_reason="a newer list of the same source says otherwise",
            )
    return upsert(session, stage, import_uuid=terms.import_uuid, data_date=day).patients
