"""Register an import as a run of the records: its data date, and the facilities and days that its lists cover."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from core.database import set_local
from core.errors import phrase
from tenants.imports.applying import absent
from tenants.imports.slots import SLOTS
from tenants.records import runs
from tenants.records.ids import entity_uuid

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession
    from tenants.imports.mapping import Mapping
    from tenants.imports.models import Import
    from tenants.records.runs import Run

Coverage = Literal["full", "changes"]

PRECEDENCE: dict[str, int] = {
    "ndr-xml": 50,
    "nmrs-json": 50,
    "fhir-r4": 50,
    "lamisplus-pharmacy": 40,
    "csv": 30,
    "radet-lamisplus": 20,
    "radet-nmrs": 20,
    "lamisplus-verification": 10,
    "lamisplus-missed": 10,
    "missed-appointments": 10,
}
"""The order of kinds of list: of two imports of one day that differ without stamps, the higher number wins."""

FULL = frozenset({"csv", "lamisplus-pharmacy"})
"""Kinds whose lists name everything. A status list covers its own day; documents and worklists have only some."""

_DIGEST = "SELECT coalesce(string_agg(sha256, ' ' ORDER BY sha256), '') FROM import_files WHERE import_uuid = %s"
_STARTS = """
SELECT kind, facility_uuid, CASE WHEN kind = ANY(%(listed)s) THEN facility END, min(event_date) FROM import_staging
WHERE import_uuid = %(import)s AND state = 'accepted' AND (
    kind = ANY(%(listed)s) OR (kind = ANY(%(events)s) AND facility_uuid IS NOT NULL
        AND patient_uuid NOT IN (SELECT patient_uuid FROM patient_keys WHERE wrapped_key IS NULL)))
GROUP BY 1, 2, 3
"""
_LISTED = {"facilities": "facilities", "patients": "patients", "snapshots": "radet_snapshots"}
"""Kinds whose rows name their facility, with their tables."""
_REJECTED = """
SELECT DISTINCT f.uuid, s.patient_key FROM import_staging AS s
LEFT JOIN LATERAL (
    SELECT min(h.facility) AS facility FROM import_staging AS h
    WHERE h.import_uuid = %(import)s AND h.kind = 'patients' AND h.state <> 'known' AND h.patient_key = s.patient_key
) AS p ON s.facility IS NULL
JOIN facilities AS f ON f.datim_id = coalesce(s.facility, p.facility)
WHERE s.import_uuid = %(import)s AND s.patient_key IS NOT NULL
  AND (s.state = 'refused' OR (s.kind = 'unread_contacts' AND s.state = 'accepted'))
  AND NOT EXISTS (
    SELECT FROM import_placements AS g
    WHERE g.import_uuid = %(import)s AND g.patient_key = s.patient_key
      AND g.facility = CASE WHEN s.facility_name IS NULL THEN coalesce(s.facility, '') ELSE '' END
      AND g.facility_name = coalesce(s.facility_name, '')
  )
"""
_RIVALS = """
SELECT count(*) FROM record_runs AS r JOIN imports AS i ON i.uuid = r.import_uuid AND i.rows_read > 0
WHERE r.source = %s AND r.data_date = %s AND r.number <> %s AND r.digest <> %s AND NOT r.undone
"""
RIVAL_NOTE = phrase(
    "another import of this source runs to the same day: where the two differ, the source's stamps decide, then the"
    " kind of list, then the digest of the files; undo the import that is wrong, or give the corrected one its own"
    " data date"
)


def register(session: TenantSession, row: Import, mapping: Mapping) -> Run:
    """Register the import as a run, with what its lists cover. Outside that, absence from a list means nothing.

    Args:
        session: the step's transaction.
        row: the import, after all its rows are checked.
        mapping: the import's mapping.
    """
    if row.data_date is None:
        message = "an import that writes records has a data date"
        raise RuntimeError(message)
    with session.cursor() as cursor:
        files = cursor.execute(_DIGEST, (row.uuid,)).fetchall()[0][0]
    run = runs.register(
        session,
        row.uuid,
        source=row.source,
        data_date=row.data_date,
        kind=row.format,
        precedence=PRECEDENCE.get(row.format, 0),
        digest=hashlib.sha256(files.encode()).hexdigest(),
        lag_days=mapping.assumed_lag_days,
    )
    _cover(session, run, mapping)
    with session.cursor() as cursor:
        rejected_people = cursor.execute(_REJECTED, {"import": row.uuid}).fetchall()
        rivals = cursor.execute(_RIVALS, (run.source, run.data_date, run.number, run.digest)).fetchall()[0][0]
    runs.note_gaps(session, run, [entity_uuid("patients", place, run.source, key) for place, key in rejected_people])
    notes = [RIVAL_NOTE] * bool(rivals) + absent.notes(session, run, mapping)
    row.notes = [*row.notes, *(note for note in notes if note not in row.notes)]
    return run


def _cover(session: TenantSession, run: Run, mapping: Mapping) -> None:
    values: dict[str, Any] = {"import": run.import_uuid, "listed": list(_LISTED), "events": list(SLOTS)}
    with session.cursor() as cursor:
        # The planner expects few rows, because they are new, and would sort them all.
        set_local(cursor, enable_sort="off")
        starts = cursor.execute(_STARTS, values).fetchall()
        set_local(cursor, enable_sort="on")
        codes = sorted({code for _, _, code, _ in starts if code is not None})
        cursor.execute("SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)", (codes,))
        places: dict[str, UUID] = dict(cursor.fetchall())
    full = is_full(run, mapping)
    first: dict[UUID, date] = {}
    by_table: dict[str, dict[UUID, date | None]] = {}
    for kind, facility, _, day in starts:
        if kind in _LISTED:
            continue
        if day is not None:
            first[facility] = min(day, first.get(facility, day))
        by_table.setdefault(kind, {})[facility] = (mapping.covers_from or day) if full else None
    for kind, _, code, _ in starts:
        if kind in _LISTED and code in places:
            # Naming a facility only says that its data run to the run's day; absence means nothing.
            day = (mapping.covers_from or first.get(places[code])) if full and kind != "facilities" else None
            by_table.setdefault(_LISTED[kind], {})[places[code]] = day
    for table, days in by_table.items():
        runs.cover(session, run, table, days)


def is_full(run: Run, mapping: Mapping) -> bool:
    """Whether a run's lists name everything."""
    return (mapping.coverage or ("full" if run.kind in FULL else "changes")) == "full"


def run_of(session: TenantSession, import_uuid: UUID) -> Run:
    """Return the run of an import that writes records.

    Raises:
        RuntimeError: it was never registered.
    """
    run = runs.find(session, import_uuid)
    if run is None:
        message = "an import that writes records is registered as a run before"
        raise RuntimeError(message)
    return run
