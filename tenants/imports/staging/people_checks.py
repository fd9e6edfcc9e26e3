"""Check that an import of a known facility names known people.

A spreadsheet may have removed the leading zeros of their identifiers. Such a list would add everybody at the facility a
second time, so the import fails as a whole before it writes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import privacy
from core.database import set_local
from core.errors import FieldError, Invalid, phrase
from tenants.imports.staging.stager import bare_number

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession

MANY_THERE = 20
"""Number of people of the source at a facility, from which on an import of it must name some of them."""

MANY_NAMED = 5
"""Number of people whom the import names at the facility, from which on some of them must be known."""

MOST_ZEROS = 8
"""Leading zeros that are tried before a number."""

MOST_TRIED = 2000
"""People of a facility who are not known and whose numbers are tried."""

REMEDY = phrase(
    "check the identifiers; if they are new people, import again and say that the people are new (new_people)"
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

_BARE = """
WITH there AS (
    SELECT datim_id FROM patients WHERE source = %(source)s AND known_to IS NULL AND NOT voided
    GROUP BY datim_id HAVING count(DISTINCT source_key) >= %(many)s
),
named AS (
    SELECT DISTINCT ON (s.facility, s.patient_key) s.facility, s.patient_key, s.personal
    FROM import_staging AS s JOIN there AS t ON t.datim_id = s.facility
    WHERE s.import_uuid = %(import)s AND s.kind = 'patients' AND s.state = 'accepted' AND NOT s.voided
    ORDER BY s.facility, s.patient_key
),
strange AS (
    SELECT n.facility, n.personal, row_number() OVER (PARTITION BY n.facility ORDER BY n.patient_key) AS place
    FROM named AS n WHERE n.personal IS NOT NULL AND n.patient_key NOT IN (
        SELECT source_key FROM patients WHERE source = %(source)s AND known_to IS NULL
    )
)
SELECT facility, personal FROM strange WHERE place <= %(most)s
"""

_PADDED = """
SELECT t.facility, count(DISTINCT t.person)
FROM unnest(%(facilities)s::text[], %(people)s::int[], %(keys)s::bytea[]) AS t (facility, person, key)
JOIN patients AS p ON p.source = %(source)s AND p.source_key = t.key AND p.datim_id = t.facility
WHERE p.known_to IS NULL AND NOT p.voided AND p.source_key NOT IN (
    SELECT patient_key FROM import_staging
    WHERE import_uuid = %(import)s AND kind = 'patients' AND state = 'accepted' AND patient_key IS NOT NULL
)
GROUP BY t.facility HAVING count(DISTINCT t.person) >= %(named)s ORDER BY t.facility
"""


def run(session: TenantSession, cursor: Cursor[Any], import_uuid: UUID, source: str, *, expected: bool) -> list[str]:
    """Check that some people at each facility are known, and that no known people lost their leading zeros.

    Args:
        session: the step's transaction.
        cursor: a cursor of the transaction.
        import_uuid: the import.
        source: the import's source.
        expected: whether the user confirmed that they are new people.

    Returns:
        Notes on facilities with too few people to decide.

    Raises:
        Invalid: at a facility with many people of the source, the import names many people and none is known, or many
            of them would be known with leading zeros.
    """
    if expected:
        return []
    # The staged rows are fresh: the planner takes them for a few, and nested loops over them would take hours.
    set_local(cursor, enable_nestloop="off")
    problems: list[FieldError] = []
    notes: list[str] = []
    for code, named, there in cursor.execute(_STRANGERS, {"import": import_uuid, "source": source}).fetchall():
        people = phrase(
            "none of the {named:,} people of facility {code} in this list is known, though {there:,} people of this"
            " source are there",
            named=named,
            code=code,
            there=there,
        )
        if named >= MANY_NAMED and there >= MANY_THERE:
            problem = phrase("{what}: leading zeros may be lost, or the identifiers are of another kind", what=people)
            problems.append(FieldError("patient", problem, REMEDY))
        else:
            notes.append(phrase("{what}: see that the identifiers are right", what=people))
    problems += _without_zeros(session, cursor, import_uuid, source)
    if problems:
        raise Invalid(problems[0].problem, remedy=REMEDY, errors=problems)
    return notes


def _without_zeros(session: TenantSession, cursor: Cursor[Any], import_uuid: UUID, source: str) -> list[FieldError]:
    """An error for each facility where the import names many recorded people without their leading zeros."""
    values = {"import": import_uuid, "source": source, "many": MANY_THERE, "most": MOST_TRIED, "named": MANY_NAMED}
    strangers = cursor.execute(_BARE, values).fetchall()
    vault = privacy.vault(session)
    facilities, people, keys = [], [], []
    for person, (code, personal) in enumerate(strangers):
        number = bare_number(vault, import_uuid, personal)
        for zeros in range(1, MOST_ZEROS + 1) if number is not None else ():
            facilities.append(code)
            people.append(person)
            keys.append(vault.blind_index("source:patients", f"{'0' * zeros}{number}"))
    if not keys:
        return []
    tried = values | {"facilities": facilities, "people": people, "keys": keys}
    return [
        FieldError(
            "patient",
            phrase(
                "{number:,} people of facility {code} in this list would be known if their identifiers had leading"
                " zeros: a spreadsheet has taken them",
                number=count,
                code=code,
            ),
            REMEDY,
        )
        for code, count in cursor.execute(_PADDED, tried).fetchall()
    ]
