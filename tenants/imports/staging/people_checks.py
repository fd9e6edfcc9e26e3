"""Whether the people that an import names are known where many are: a spreadsheet may have taken their leading zeros.

Such a list would double everybody at the facility, so it fails as a whole before anything is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.database import set_local
from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

MANY_THERE = 20
"""People of the source at a facility from which on some must be known."""

MANY_NAMED = 5
"""People whom the import names there from which on some must be known."""

REMEDY = (
    "check the identifiers; if they are new people, run it again with --new-people (API: form field new_people: true)"
)

_STRANGERS = """
WITH named AS MATERIALIZED (
    SELECT DISTINCT facility, patient_key FROM import_staging
    WHERE import_uuid = %(import)s AND kind = 'patients' AND state = 'accepted' AND facility IS NOT NULL AND NOT voided
),
on_record AS MATERIALIZED (
    SELECT source_key, datim_id, voided FROM patients WHERE source = %(source)s AND known_to IS NULL
),
strange AS (
    SELECT n.facility, count(*) AS people
    FROM named AS n LEFT JOIN (SELECT DISTINCT source_key FROM on_record) AS p ON p.source_key = n.patient_key
    GROUP BY n.facility HAVING count(p.source_key) = 0
),
there AS (
    SELECT datim_id, count(DISTINCT source_key) AS people FROM on_record WHERE NOT voided GROUP BY datim_id
)
SELECT s.facility, s.people, t.people FROM strange AS s JOIN there AS t ON t.datim_id = s.facility ORDER BY s.facility
"""


def run(cursor: Cursor[Any], import_uuid: UUID, source: str, *, expected: bool) -> list[str]:
    """See that of the people at each facility some are known.

    Args:
        cursor: of the step's transaction.
        import_uuid: whose staged facts.
        source: the import's.
        expected: whoever imports says that they are new people.

    Returns:
        Notes on facilities with too few people to judge by.

    Raises:
        Invalid: at a facility with many people of the source, none of many whom the import names is known.
    """
    if expected:
        return []
    # The staged rows are fresh: the planner takes them for a few, and nested loops over them would take hours.
    set_local(cursor, enable_nestloop="off")
    problems, notes = [], []
    for code, named, there in cursor.execute(_STRANGERS, {"import": import_uuid, "source": source}).fetchall():
        people = f"none of the {named:,} people of facility {code} in this list is known, though {there:,} people of"
        if named >= MANY_NAMED and there >= MANY_THERE:
            why = "leading zeros may be lost, or the identifiers are of another kind"
            problems.append(FieldError("patient", f"{people} this source are there: {why}", REMEDY))
        else:
            notes.append(f"{people} this source are there: see that the identifiers are right")
    if problems:
        raise Invalid(problems[0].problem, remedy=REMEDY, errors=problems)
    return notes
