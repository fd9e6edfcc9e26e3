"""Moves events from a patient's record back to waiting, when no other import names the person, or several do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.database import set_local
from tenants.imports.slots import MODELS, SLOTS
from tenants.records.chains import chain_parts, rebuild
from tenants.records.known import event_day

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession
    from tenants.records.runs import Run

_CHAINS = sql.SQL("""
CREATE TEMPORARY TABLE leaving_events ON COMMIT DROP AS
SELECT a.import_uuid, a.patient_key, a.facility, a.facility_name, t.*
FROM pg_temp.astray AS a CROSS JOIN LATERAL (
    SELECT o.uuid, o.facility_uuid, o.source_key, o.voided, {columns},
           o.stamps[array_position(o.runs, {number})] AS known_at
    FROM {table} AS o
    WHERE o.patient_uuid = a.patient_uuid AND {number} = ANY(o.runs)
      AND (a.source_keys IS NULL OR o.source_key = ANY(a.source_keys))
) AS t
WHERE a.number = {number}
""")
_WAIT = sql.SQL("""
INSERT INTO import_waiting_facts
    (import_uuid, patient_key, facility, facility_name, kind, source_key, known_at, voided, content, {slots})
SELECT import_uuid, patient_key, facility, facility_name, {kind}, source_key, known_at, voided, '', {columns}
FROM pg_temp.leaving_events ON CONFLICT DO NOTHING
""")
_ENTITIES = "CREATE TEMPORARY TABLE chain_entities ON COMMIT DROP AS SELECT DISTINCT uuid FROM pg_temp.leaving_events"
_UNREAD = (
    """
INSERT INTO import_waiting_facts (import_uuid, patient_key, facility, facility_name, kind, source_key, content)
SELECT a.import_uuid, a.patient_key, a.facility, a.facility_name, 'unread_contacts', a.patient_key,
       convert_to(json_build_object('partner_status', u.partner_status)::text, 'UTF8')
FROM pg_temp.astray AS a JOIN unread_contacts AS u
    ON u.patient_uuid = a.patient_uuid AND u.import_uuid = a.import_uuid
WHERE a.number = %(number)s AND a.gap ON CONFLICT DO NOTHING
""",
    """
DELETE FROM unread_contacts AS u USING pg_temp.astray AS a
WHERE a.number = %(number)s AND a.gap AND u.patient_uuid = a.patient_uuid AND u.import_uuid = a.import_uuid
""",
)
_UNCOVER = sql.SQL("""
DELETE FROM record_coverage AS c
WHERE c.number = {number} AND c.table_name = {name} AND c.facility_uuid = ANY({facilities}::uuid[])
  AND NOT EXISTS (SELECT FROM {table} AS t WHERE t.facility_uuid = c.facility_uuid AND {number} = ANY(t.runs))
""")
_COVER = sql.SQL("""
UPDATE record_coverage AS c SET covers_from = (
    SELECT min({day}) FROM {table} AS t
    WHERE t.facility_uuid = c.facility_uuid AND {number} = ANY(t.runs) AND NOT t.voided)
WHERE c.number = {number} AND c.table_name = {name} AND c.facility_uuid = ANY({facilities}::uuid[])
""")
# For people, a list is complete from its first event at the facility.
_COVER_PEOPLE = """
UPDATE record_coverage AS c SET covers_from = (
    SELECT min(e.covers_from) FROM record_coverage AS e
    WHERE e.number = c.number AND e.facility_uuid = c.facility_uuid AND e.table_name <> ALL(%(of_people)s))
WHERE c.number = %(number)s AND c.table_name = ANY(%(of_people)s) AND c.facility_uuid = ANY(%(facilities)s)
"""
OF_PEOPLE = ["patients", "radet_snapshots"]


def leave(session: TenantSession, run: Run, *, full: bool, covers_from: date | None) -> list[UUID]:
    """Move the events in ``pg_temp.astray`` out of the records of their patients; return their facilities.

    Args:
        session: the step's transaction.
        run: the run that brought the events.
        full: whether the run's lists name everything.
        covers_from: the first day that they cover, if the mapping gives it.
    """
    places: set[UUID] = set()
    with session.cursor() as cursor:
        for kind, slots in SLOTS.items():
            facilities = _leave_table(session, cursor, run, kind, slots)
            if facilities:
                places |= facilities
                _uncover(session, cursor, run, kind, facilities, by_first_event=full and covers_from is None)
        for statement in _UNREAD:
            cursor.execute(statement, {"number": run.number})
        if places and full and covers_from is None:
            cover_people(cursor, run, places)
    return sorted(places)


def _leave_table(session: TenantSession, cursor: Cursor[Any], run: Run, kind: str, slots: dict[str, str]) -> set[UUID]:
    parts: dict[str, sql.Composable] = {
        "table": sql.Identifier(kind),
        "kind": sql.Literal(kind),
        "number": sql.Literal(run.number),
        "columns": sql.SQL(", ").join(map(sql.Identifier, slots)),
        "slots": sql.SQL(", ").join(map(sql.Identifier, slots.values())),
    }
    set_local(cursor, enable_seqscan="off")
    row_count = cursor.execute(_CHAINS.format(**parts)).rowcount
    set_local(cursor, enable_seqscan="on")
    places: set[UUID] = set()
    if row_count:
        cursor.execute(_WAIT.format(**parts))
        cursor.execute(_ENTITIES)
        places = {row[0] for row in cursor.execute("SELECT DISTINCT facility_uuid FROM pg_temp.leaving_events")}
        rebuild(cursor, chain_parts(session, MODELS[kind], run.number))  # type: ignore[arg-type]
    cursor.execute("DROP TABLE pg_temp.leaving_events")
    return places


def _uncover(
    session: TenantSession, cursor: Cursor[Any], run: Run, kind: str, places: Iterable[UUID], *, by_first_event: bool
) -> None:
    parts: dict[str, sql.Composable] = {
        "table": sql.Identifier(kind),
        "name": sql.Literal(kind),
        "number": sql.Literal(run.number),
        "facilities": sql.Literal(sorted(places)),
        "day": event_day(kind, "t", session.tenant.time_zone),
    }
    cursor.execute(_UNCOVER.format(**parts))
    if by_first_event:
        cursor.execute(_COVER.format(**parts))


def cover_people(cursor: Cursor[Any], run: Run, places: Iterable[UUID]) -> None:
    """Set the day from which a run names everybody at these facilities to the day from which it has all events."""
    values = {"number": run.number, "of_people": OF_PEOPLE, "facilities": sorted(places)}
    cursor.execute(_COVER_PEOPLE, values)
