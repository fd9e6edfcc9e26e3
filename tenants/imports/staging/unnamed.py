"""Place events about people whom their own import does not name: other imports of the source name them.

The order of imports must not matter. So such an event is never rejected for this reason. It enters the record of its
person if the person is known, or else waits. ``tenants.imports.applying.placing`` moves it as imports come or are
undone. An event without a facility belongs to the person's only facility, or to the one of several that its row names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import phrase
from tenants.imports.staging.likeness import folded

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

NOBODY = phrase("no import has named a patient with this identifier yet")
NOT_HERE = phrase("no import has named a patient of this facility with this identifier yet")
SEVERAL = phrase("patients of several facilities have this identifier")
RELEASES = {
    NOBODY: phrase("import the list that names the patient (a RADET, a line list); or correct the identifier"),
    NOT_HERE: phrase("import the list that names the patient there; or correct the facility"),
    SEVERAL: phrase("give the facility of these rows, in a column of the file or in a mapping, and import them again"),
}
"""Why events wait, and what ends it."""

RESOLVED = """
homes AS MATERIALIZED (
    SELECT p.source_key, p.datim_id, p.uuid FROM patients AS p
    WHERE p.source = %(source)s AND p.known_to IS NULL AND NOT p.voided
      AND p.source_key IN (SELECT patient_key FROM events)
),
counted AS (
    SELECT source_key, count(*) AS places, (array_agg(uuid))[1] AS uuid, (array_agg(datim_id))[1] AS datim_id
    FROM homes GROUP BY source_key
),
resolved AS (
    SELECT e.*, coalesce(c.places, 0) AS places,
           CASE WHEN e.facility <> '' THEN t.uuid
                ELSE coalesce(n.uuid, CASE WHEN c.places = 1 THEN c.uuid END) END AS meant,
           CASE WHEN e.facility <> '' THEN t.datim_id
                ELSE coalesce(n.datim_id, CASE WHEN c.places = 1 THEN c.datim_id END) END AS place
    FROM events AS e
    LEFT JOIN counted AS c ON c.source_key = e.patient_key
    LEFT JOIN homes AS t ON t.source_key = e.patient_key AND t.datim_id = e.facility
    LEFT JOIN unnest(%(names)s::text[], %(codes)s::text[]) AS w (name, code) ON w.name = e.facility_name
    LEFT JOIN homes AS n ON n.source_key = e.patient_key AND n.datim_id = w.code AND e.facility = ''
)
"""
"""SQL that finds, for each of ``events`` (patient_key, facility, facility_name; empty for none), the patient whom it is
about.
"""

_FACILITY_NAMES = "SELECT datim_id, name FROM facilities WHERE name <> datim_id"

_UNNAMED = """
WITH own AS (
    SELECT patient_key, facility FROM import_staging
    WHERE import_uuid = %(import)s AND kind = 'patients' AND state = 'accepted' GROUP BY patient_key, facility
),
counted_own AS (SELECT patient_key, count(*) AS places FROM own GROUP BY patient_key)
SELECT {} FROM pg_temp.seen_events AS s
LEFT JOIN counted_own AS h ON h.patient_key = s.patient_key
LEFT JOIN own AS o ON o.patient_key = s.patient_key AND o.facility = s.facility
WHERE (s.facility IS NULL AND h.places IS DISTINCT FROM 1) OR (s.facility IS NOT NULL AND o.patient_key IS NULL)
"""
ARE_UNNAMED = f"SELECT EXISTS ({_UNNAMED.format('')})"
_NAMES_WANTED = "SELECT EXISTS (SELECT FROM pg_temp.seen_events WHERE facility_name IS NOT NULL)"

_RESOLVE = f"""
CREATE TEMPORARY TABLE placed_events ON COMMIT DROP AS
WITH events AS MATERIALIZED (
    {_UNNAMED.format("s.patient_key, coalesce(s.facility, '') AS facility, coalesce(s.facility_name, '') AS facility_name")}
),
{RESOLVED}
SELECT row_number() OVER (ORDER BY meant IS NOT NULL) AS number, * FROM resolved
"""  # noqa: S608, E501 - constants of this module

_OF_PLACED = """
s.import_uuid = %(import)s AND s.kind NOT IN ('facilities', 'patients') AND s.patient_key = e.patient_key
AND coalesce(s.facility, '') = e.facility AND coalesce(s.facility_name, '') = e.facility_name
"""
_WAIT = f"""
UPDATE import_staging AS s SET state = 'waiting' FROM pg_temp.placed_events AS e
WHERE {_OF_PLACED} AND s.state = 'accepted' AND e.meant IS NULL
"""  # noqa: S608 - constants of this module

# A row's facility is as good as its own from here on where its name decided; ``facility_name`` says that it was not.
_GO_BY_NAME = f"""
UPDATE import_staging AS s SET facility = e.place FROM pg_temp.placed_events AS e
WHERE {_OF_PLACED} AND s.state IN ('accepted', 'refused') AND e.facility_name <> '' AND e.meant IS NOT NULL
"""  # noqa: S608 - constants of this module

# Rows of several placements count with one of them; those that wait first.
_NOTE = f"""
INSERT INTO import_placements
    (import_uuid, patient_key, facility, facility_name, patient_uuid, rows, gap, label, source_keys)
WITH events AS MATERIALIZED (
    SELECT e.number, s.file, s.line, s.kind, s.state, s.source_key, s.patient_label
    FROM import_staging AS s JOIN pg_temp.placed_events AS e ON {_OF_PLACED}
    WHERE s.state IN ('accepted', 'waiting', 'refused')
),
counted AS (
    SELECT number, count(*) AS rows FROM (
        SELECT min(number) AS number FROM events WHERE state <> 'refused' AND kind <> 'unread_contacts'
        GROUP BY file, line
    ) AS l GROUP BY number
),
about AS (
    SELECT number, min(patient_label) AS label, bool_or(state = 'refused' OR kind = 'unread_contacts') AS gap,
           array_agg(source_key) FILTER (WHERE state <> 'refused') AS source_keys
    FROM events GROUP BY number
)
SELECT %(import)s, e.patient_key, e.facility, e.facility_name, e.meant, coalesce(c.rows, 0), a.gap, a.label,
       CASE WHEN count(*) OVER (PARTITION BY e.patient_key) > 1 THEN coalesce(a.source_keys, '{{}}') END
FROM pg_temp.placed_events AS e JOIN about AS a USING (number) LEFT JOIN counted AS c USING (number)
"""  # noqa: S608 - constants of this module

# Events find their facility by the patients that the import has, and those put here.
_KNOWN = """
INSERT INTO import_staging
    (import_uuid, seq, kind, state, file, line, facility, patient_key, source_key, digest, label, content)
SELECT %(import)s, -row_number() OVER (), 'patients', 'known', 0, 0, place, patient_key, patient_key, '', '', ''
FROM pg_temp.placed_events WHERE meant IS NOT NULL
"""
_NAMED_ALL = """
DELETE FROM pg_temp.seen_events AS s USING pg_temp.placed_events AS e
WHERE s.patient_key = e.patient_key AND coalesce(s.facility, '') = e.facility
  AND coalesce(s.facility_name, '') = e.facility_name
"""


def codes_by_name(cursor: Cursor[Any]) -> dict[str, list[str]]:
    """The folded ``names`` of facilities on record, and their ``codes``. A name that several have is left out."""
    codes: dict[str, set[str]] = {}
    for code, name in cursor.execute(_FACILITY_NAMES).fetchall():
        codes.setdefault(folded(name), set()).add(code)
    known = {name: min(codes_of_name) for name, codes_of_name in codes.items() if name and len(codes_of_name) == 1}
    return {"names": list(known), "codes": list(known.values())}


def place(cursor: Cursor[Any], import_uuid: UUID, source: str) -> None:
    """Find the people of the events in ``pg_temp.seen_events``; record each placement, or let the events wait.

    Args:
        cursor: a cursor of the step's transaction.
        import_uuid: the import.
        source: the import's source.
    """
    values: dict[str, Any] = {"import": import_uuid, "source": source, "names": [], "codes": []}
    if cursor.execute(_NAMES_WANTED).fetchall()[0][0]:
        values |= codes_by_name(cursor)
    cursor.execute(_RESOLVE, values)
    cursor.execute("ANALYZE pg_temp.placed_events")
    cursor.execute(_WAIT, values)
    cursor.execute(_NOTE, values)
    cursor.execute(_GO_BY_NAME, values)
    cursor.execute(_KNOWN, values)
    cursor.execute(_NAMED_ALL, values)
    cursor.execute("DROP TABLE pg_temp.placed_events")
