"""People on the previous list who are missing on this one: sources drop archived and merged people silently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.database import set_local
from core.errors import counted_phrase
from tenants.imports.slots import EVENT_FIELD

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.imports.mapping import Mapping
    from tenants.records.runs import Run

STATUS_LISTS = frozenset({"radet-lamisplus", "radet-nmrs"})
"""Kinds whose lists name everybody, on the day of the list."""

CONTACT_TABLES = ("visits", "dispensations", "appointments")

_CONTACT = """
SELECT FROM {table} AS e JOIN record_coverage AS m
    ON m.number = %(number)s AND m.facility_uuid = e.facility_uuid AND m.table_name = {name}
WHERE e.patient_uuid = s.patient_uuid AND b.number = ANY(e.runs) AND NOT e.voided AND e.{day} >= m.covers_from
"""

# A list of events may cover less than the one before: a person who came only before its first day is not missing.
_ABSENT = sql.SQL("""
WITH complete AS (
    SELECT c.facility_uuid, r.number, r.data_date, r.precedence, r.digest
    FROM record_coverage AS c JOIN record_runs AS r ON r.number = c.number
    WHERE r.source = %(source)s AND r.kind = %(kind)s AND NOT r.undone
      AND (c.covers_from IS NOT NULL OR (%(status)s AND c.table_name = 'radet_snapshots'))
),
before AS (
    SELECT DISTINCT ON (c.facility_uuid) c.facility_uuid, c.number, c.data_date
    FROM complete AS c
    WHERE c.data_date < %(data_date)s
      AND c.facility_uuid IN (SELECT m.facility_uuid FROM complete AS m WHERE m.number = %(number)s)
    ORDER BY c.facility_uuid, c.data_date DESC, c.precedence DESC, c.digest DESC
)
SELECT count(DISTINCT s.source_key), min(b.data_date), max(b.data_date)
FROM before AS b
JOIN patient_statements AS s ON s.facility_uuid = b.facility_uuid AND b.number = ANY(s.runs)
JOIN patients AS p ON p.uuid = s.patient_uuid AND p.known_to IS NULL AND NOT p.voided
WHERE s.source = %(source)s AND NOT s.voided
  AND NOT EXISTS (
    SELECT FROM import_staging AS g
    WHERE g.import_uuid = %(import)s AND g.kind IN ('patients', 'unread_contacts') AND g.state <> 'known'
      AND g.patient_key = s.source_key
  )
  AND (%(status)s OR {contacts})
""").format(
    contacts=sql.SQL(" OR ").join(
        sql.SQL("EXISTS ({})").format(
            sql.SQL(_CONTACT).format(
                table=sql.Identifier(table), name=sql.Literal(table), day=sql.Identifier(EVENT_FIELD[table])
            )
        )
        for table in CONTACT_TABLES
    )
)


def notes(session: TenantSession, run: Run, mapping: Mapping) -> list[str]:
    """Say how many people of the previous list are missing on a list that names everybody at the same facilities.

    Args:
        session: the step's transaction, after the run's coverage is stored and its rows are staged.
        run: the import's run.
        mapping: the import's mapping; its ``coverage`` may say that the list names only some people.
    """
    if mapping.coverage == "changes":
        return []
    values: dict[str, Any] = {
        "import": run.import_uuid,
        "number": run.number,
        "source": run.source,
        "kind": run.kind,
        "data_date": run.data_date,
        "status": run.kind in STATUS_LISTS,
    }
    with session.cursor() as cursor:
        # The planner expects few staged rows, because they are new.
        set_local(cursor, enable_nestloop="off")
        ((people, first, last),) = cursor.execute(_ABSENT, values).fetchall()
        set_local(cursor, enable_nestloop="on")
    if not people:
        return []
    if first == last:
        note = counted_phrase(
            "{count} person of the previous list (to {last}) is not in this one: the records stay as they are; find out"
            " whether the source archived, merged or transferred them",
            "{count} people of the previous list (to {last}) are not in this one: the records stay as they are; find"
            " out whether the source archived, merged or transferred them",
            people,
            last=last,
        )
    else:
        note = counted_phrase(
            "{count} person of the previous list (to days from {first} to {last}) is not in this one: the records stay"
            " as they are; find out whether the source archived, merged or transferred them",
            "{count} people of the previous list (to days from {first} to {last}) are not in this one: the records"
            " stay as they are; find out whether the source archived, merged or transferred them",
            people,
            first=first,
            last=last,
        )
    return [note]
