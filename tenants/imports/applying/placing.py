"""Moves events of people whom their own import does not name, when imports of the source come or are undone.

Which patient such an event belongs to follows from who is on record (``staging.unnamed``). After each import and each
undoing, events whose placement no longer agrees with the records move: from a patient's record back to waiting, or from
waiting into a record. They stay facts of the import that brought them. The running import settles the people concerned
(``settling``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from tenants.imports.applying import settling
from tenants.imports.applying.entering import enter
from tenants.imports.applying.leaving import leave
from tenants.imports.applying.lists import is_full
from tenants.imports.mapping import check_mapping
from tenants.imports.slots import COLUMNS
from tenants.imports.staging.unnamed import RESOLVED, codes_by_name
from tenants.records import runs
from tenants.records.locks import lock_for_import

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

AT_ONCE = 500
"""Number of placements that move in one transaction."""

_ARE_ANY = "SELECT EXISTS (SELECT FROM import_placements WHERE import_uuid = %(import)s)"
_ARE_ANY_OF_ALL = (
    "SELECT EXISTS (SELECT FROM import_placements), EXISTS (SELECT FROM import_placements WHERE facility_name <> '')"
)
_KEEP = sql.SQL("""
INSERT INTO import_waiting_facts
    (import_uuid, patient_key, facility, facility_name, kind, source_key, known_at, voided, content, {slots})
SELECT import_uuid, patient_key, CASE WHEN facility_name IS NULL THEN coalesce(facility, '') ELSE '' END,
       coalesce(facility_name, ''), kind, source_key, known_at, voided, content, {slots}
FROM import_staging WHERE import_uuid = {import_uuid} AND state = 'waiting'
ON CONFLICT DO NOTHING
""").format(slots=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), import_uuid=sql.Placeholder())
_GAPS = """
INSERT INTO record_gaps (patient_uuid, number)
SELECT DISTINCT patient_uuid, %(number)s::int FROM import_placements
WHERE import_uuid = %(import)s AND gap AND patient_uuid IS NOT NULL
ON CONFLICT DO NOTHING
"""

# A patient whom a person voided, or who was erased, keeps the events in the record.
_ASTRAY = f"""
CREATE TEMPORARY TABLE astray ON COMMIT DROP AS
WITH events AS MATERIALIZED (
    SELECT g.import_uuid, r.number, g.patient_key, g.facility, g.facility_name, g.patient_uuid, g.rows, g.gap,
           g.source_keys
    FROM import_placements AS g
    JOIN record_runs AS r ON r.import_uuid = g.import_uuid AND r.source = %(source)s AND NOT r.undone
    JOIN imports AS i ON i.uuid = g.import_uuid AND (i.state = 'done' OR i.uuid = %(import)s)
),
{RESOLVED}
SELECT * FROM resolved AS a
WHERE meant IS DISTINCT FROM patient_uuid
  AND NOT EXISTS (
    SELECT FROM patients AS v WHERE v.uuid = a.patient_uuid AND v.known_to IS NULL AND v.voided
      AND v.voided_by <> 'source')
  AND NOT EXISTS (SELECT FROM patient_keys AS k WHERE k.patient_uuid = a.patient_uuid AND k.wrapped_key IS NULL)
ORDER BY number, patient_key, facility, facility_name LIMIT %(rows)s
"""  # noqa: S608 - a constant of another module
_WHOSE = """
SELECT a.import_uuid, i.mapping, coalesce(sum(a.rows) FILTER (WHERE a.meant IS NOT NULL AND a.patient_uuid IS NULL), 0)
FROM pg_temp.astray AS a JOIN imports AS i ON i.uuid = a.import_uuid
GROUP BY a.import_uuid, a.number, i.mapping ORDER BY a.number
"""
_MOVE = """
UPDATE import_placements AS g SET patient_uuid = a.meant FROM pg_temp.astray AS a
WHERE (g.import_uuid, g.patient_key, g.facility, g.facility_name)
    = (a.import_uuid, a.patient_key, a.facility, a.facility_name)
"""
_FORGET_GAPS = """
DELETE FROM record_gaps AS r USING pg_temp.astray AS a
WHERE r.patient_uuid = a.patient_uuid AND r.number = a.number AND NOT EXISTS (
    SELECT FROM import_placements AS g
    WHERE g.import_uuid = a.import_uuid AND g.patient_uuid = a.patient_uuid AND g.gap)
"""
_TOUCH = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT %(import)s, u.uuid, %(kind)s FROM (
    SELECT patient_uuid AS uuid FROM pg_temp.astray UNION SELECT meant FROM pg_temp.astray
) AS u WHERE u.uuid IS NOT NULL
ON CONFLICT DO NOTHING
"""
_DATED = """
UPDATE facilities AS f SET data_date = r.data_date, updated_at = now()
FROM record_runs AS r JOIN record_coverage AS c ON c.number = r.number
WHERE r.number = %s AND f.uuid = c.facility_uuid AND f.data_date < r.data_date
"""
_FORGET = (
    "DELETE FROM import_placements WHERE import_uuid = %s",
    "DELETE FROM import_waiting_facts WHERE import_uuid = %s",
)


@dataclass(frozen=True, slots=True)
class PlacementCounts:
    """The numbers of placements and rows that one transaction moved.

    Attributes:
        placements: number of placements; 0: all agree with the records.
        released: rows of earlier imports that waited, and are in the records now.
    """

    placements: int = 0
    released: int = 0


def note_gaps(session: TenantSession, import_uuid: UUID, number: int) -> None:
    """Record the people whom the import does not name itself, and of whom it had a rejected row."""
    with session.cursor() as cursor:
        cursor.execute(_GAPS, {"import": import_uuid, "number": number})


def keep(session: TenantSession, import_uuid: UUID, number: int) -> None:
    """Store the import's waiting events, after all its other events are in the records."""
    with session.cursor() as cursor:
        if not cursor.execute(_ARE_ANY, {"import": import_uuid}).fetchall()[0][0]:
            return
        cursor.execute(_KEEP, (import_uuid,))
        cursor.execute(_DATED, (number,))


def forget(session: TenantSession, import_uuid: UUID) -> None:
    """Delete the placements and waiting events of an import that is undone."""
    with session.cursor() as cursor:
        for statement in _FORGET:
            cursor.execute(statement, (import_uuid,))


def move(session: TenantSession, import_uuid: UUID, source: str) -> PlacementCounts:
    """Move the next placements of a source that do not agree with the records.

    Args:
        session: the step's transaction.
        import_uuid: the import that is being applied or undone; it settles the people.
        source: name of the import's source.
    """
    lock_for_import(session)
    values: dict[str, Any] = {
        "import": import_uuid, "source": source, "names": [], "codes": [], "rows": AT_ONCE, "kind": settling.SETTLE,
    }  # fmt: skip
    with session.cursor() as cursor:
        ((are_any, by_name),) = cursor.execute(_ARE_ANY_OF_ALL).fetchall()
        if not are_any:
            return PlacementCounts()
        if by_name:
            values |= codes_by_name(cursor)
        placement_count = cursor.execute(_ASTRAY, values).rowcount
        owners = cursor.execute(_WHOSE).fetchall() if placement_count else []
        if placement_count:
            cursor.execute("ANALYZE pg_temp.astray")
    released = 0
    for uuid, mapping, rows in owners:
        _move_of(session, import_uuid, uuid, mapping)
        released += int(rows) if uuid != import_uuid else 0
    with session.cursor() as cursor:
        if placement_count:
            cursor.execute(_MOVE)
            cursor.execute(_FORGET_GAPS)
            cursor.execute(_TOUCH, values)
            for uuid, *_ in owners:
                run = _run(session, uuid)
                cursor.execute(_GAPS, {"import": uuid, "number": run.number})
        cursor.execute("DROP TABLE pg_temp.astray")
    return PlacementCounts(placement_count, released)


def _move_of(session: TenantSession, import_uuid: UUID, owner_uuid: UUID, encoded: dict[str, Any]) -> None:
    """Move the events of one import, and queue the people whose records the moved events change."""
    run, mapping = _run(session, owner_uuid), check_mapping(encoded)
    full = is_full(run, mapping)
    facilities_left = leave(session, run, full=full, covers_from=mapping.covers_from)
    if facilities_left and full:
        settling.queue_at(session, import_uuid, run.source, facilities_left)
    settling.redate(session, facilities_left)
    entered = enter(session, run, full=full, covers_from=mapping.covers_from)
    if entered and full and runs.others(session, run).are_later:
        settling.queue_at(session, import_uuid, run.source, entered)
    with session.cursor() as cursor:
        cursor.execute(_DATED, (run.number,))


def _run(session: TenantSession, import_uuid: UUID) -> runs.Run:
    run = runs.find(session, import_uuid)
    if run is None:
        message = "an import whose events are placed has a run"
        raise RuntimeError(message)
    return run
