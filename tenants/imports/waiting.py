"""Rows that wait for people whom no import has named yet: their number, the reasons, and the time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.imports.staging.unnamed import NOBODY, NOT_HERE, RELEASES, SEVERAL

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession

RELEASED = "released"
"""Key in an import's counts: rows of earlier imports that waited for the people whom it names."""

_COUNT = "SELECT coalesce(sum(rows), 0)::bigint FROM import_placements WHERE import_uuid = %s AND patient_uuid IS NULL"
_WHY = """
SELECT label, CASE WHEN facility <> '' THEN 'not here' WHEN EXISTS (
           SELECT FROM patients AS p WHERE p.source = %(source)s AND p.source_key = g.patient_key
             AND p.known_to IS NULL AND NOT p.voided) THEN 'several' ELSE 'nobody' END AS why,
       sum(rows)::bigint, count(DISTINCT patient_key)
FROM import_placements AS g WHERE import_uuid = %(import)s AND patient_uuid IS NULL AND rows > 0
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""
_PROBLEMS = {"nobody": NOBODY, "not here": NOT_HERE, "several": SEVERAL}

LET_GO_AT_ONCE = 1_000
_OLD = """
SELECT g.import_uuid, g.patient_key, g.facility, g.facility_name, g.patient_uuid FROM import_placements AS g
JOIN imports AS i ON i.uuid = g.import_uuid
WHERE (g.patient_uuid IS NULL OR i.state IN ('failed', 'cancelled')) AND i.finished_at < %(before)s
ORDER BY g.import_uuid, g.patient_key LIMIT %(rows)s
"""
_LET_GO = f"""
WITH old AS ({_OLD}),
facts AS (
    DELETE FROM import_waiting_facts AS w USING old AS o
    WHERE (w.import_uuid, w.patient_key, w.facility, w.facility_name)
        = (o.import_uuid, o.patient_key, o.facility, o.facility_name)
),
gone AS (
    DELETE FROM import_placements AS g USING old AS o
    WHERE (g.import_uuid, g.patient_key, g.facility, g.facility_name)
        = (o.import_uuid, o.patient_key, o.facility, o.facility_name)
    RETURNING g.import_uuid, g.rows, g.patient_uuid
),
counted AS (
    UPDATE imports AS i SET rows_refused = i.rows_refused + c.rows
    FROM (
        SELECT import_uuid, sum(rows) AS rows FROM gone WHERE patient_uuid IS NULL GROUP BY import_uuid
    ) AS c
    WHERE i.uuid = c.import_uuid
)
SELECT count(*) FROM gone
"""  # noqa: S608 - constants of this module


def count(session: TenantSession, import_uuid: UUID) -> int:
    """The number of an import's rows that wait."""
    with session.cursor() as cursor:
        rows: int = cursor.execute(_COUNT, (import_uuid,)).fetchall()[0][0]
        return rows


def reasons(session: TenantSession, import_uuid: UUID, source: str) -> list[dict[str, Any]]:
    """Why rows of an import wait, and what releases them: field, problem, remedy, rows and people; most rows first."""
    with session.cursor() as cursor:
        rows = cursor.execute(_WHY, {"import": import_uuid, "source": source}).fetchall()
    return [
        {
            "field": label,
            "problem": _PROBLEMS[why],
            "remedy": RELEASES[_PROBLEMS[why]],
            "rows": number,
            "people": people,
        }
        for label, why, number, people in rows
    ]


def let_go(session: TenantSession, before: datetime) -> int:
    """Reject a batch of rows that still wait, of imports that ended before an instant; return the number of people."""
    with session.cursor() as cursor:
        people: int = cursor.execute(_LET_GO, {"before": before, "rows": LET_GO_AT_ONCE}).fetchall()[0][0]
        return people
