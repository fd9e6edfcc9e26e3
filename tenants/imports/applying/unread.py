"""Apply staged unread contacts to ``unread_contacts``: people who came on an unreadable day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tenants.imports.applying.lists import run_of
from tenants.records.days import start_of_day
from tenants.records.upsert import UpsertCounts, UpsertResult

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.imports.applying.apply import Terms

# A contact with an upper bound from another cell of its row is not missing if the same list has a readable one after
# it. For a pick-up with an unreadable supply the bound is the next day: another row of the same day may give its end.
# The same list again has the same rows, and they are stored too: undoing one of the two imports leaves the other.
_STORE = """
WITH said AS (
    SELECT s.* FROM jsonb_to_recordset(%(rows)s)
        AS s (patient_uuid uuid, facility_uuid uuid, partner_status text, not_after date)
    WHERE s.not_after IS NULL OR NOT EXISTS (
        SELECT FROM dispensations AS e WHERE e.patient_uuid = s.patient_uuid AND e.antiretroviral AND NOT e.voided
          AND (e.date_dispensed >= s.not_after OR (e.date_dispensed = s.not_after - 1
               AND (e.days_supplied > 0 OR e.next_appointment > s.not_after)))
          AND %(number)s = ANY(e.runs)
        UNION ALL
        SELECT FROM visits AS e WHERE e.patient_uuid = s.patient_uuid AND NOT e.voided
          AND (e.date_started >= s.not_after OR (e.date_started = s.not_after - 1 AND e.next_appointment > s.not_after))
          AND %(number)s = ANY(e.runs)
    )
),
stored AS (
    INSERT INTO unread_contacts AS u
        (patient_uuid, source, list_kind, import_uuid, facility_uuid, list_date, partner_status, known_from)
    SELECT s.patient_uuid, %(source)s, i.format, i.uuid, s.facility_uuid, %(data_date)s, s.partner_status,
           %(known_from)s
    FROM said AS s JOIN imports AS i ON i.uuid = %(import)s
    ON CONFLICT (patient_uuid, source, list_kind, import_uuid) DO NOTHING
    RETURNING patient_uuid, source, list_kind, list_date, partner_status, import_uuid
)
SELECT s.patient_uuid, EXISTS (
    SELECT FROM unread_contacts AS o
    WHERE o.patient_uuid = s.patient_uuid AND o.source = s.source AND o.list_kind = s.list_kind
      AND o.list_date = s.list_date AND o.partner_status IS NOT DISTINCT FROM s.partner_status
      AND o.import_uuid <> s.import_uuid
)
FROM stored AS s
"""


def apply_rows(session: TenantSession, terms: Terms, contents: list[dict[str, Any]]) -> UpsertResult:
    """Store a chunk of staged unread contacts, and queue their patients.

    Args:
        session: the step's transaction.
        terms: what all facts of the import share.
        contents: contents of the rows (``StagedRow.about``).
    """
    values = {
        "source": terms.source,
        "data_date": terms.data_date,
        "import": terms.import_uuid,
        "number": run_of(session, terms.import_uuid).number,
        "known_from": start_of_day(session.tenant, terms.data_date),
        "rows": orjson.dumps(contents).decode(),
    }
    with session.cursor() as cursor:
        stored_rows = cursor.execute(_STORE, values).fetchall()
    new = sum(not was_known for _, was_known in stored_rows)
    return UpsertResult(
        UpsertCounts(inserted=new, unchanged=len(contents) - new), [patient for patient, _ in stored_rows]
    )
