"""What facts must satisfy together: checked in the staging table by statements over the whole set.

Each check is one step of its own. A refused event takes its whole row along (facilities aside, which other rows may
have named too); where the row is a person, only what is wrong is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.imports.slots import COLUMNS

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

_PEOPLE = """
people AS (
    SELECT patient_key, facility, min(birthdate) AS birthdate, bool_or(state = 'accepted') AS staged
    FROM import_staging
    WHERE import_uuid = %(import)s AND kind = 'patients' AND state IN ('accepted', 'known')
    GROUP BY patient_key, facility
),
homes AS (
    SELECT patient_key, min(birthdate) AS birthdate,
           coalesce(min(facility) FILTER (WHERE staged), min(facility)) AS facility,
           coalesce(nullif(count(*) FILTER (WHERE staged), 0), count(*)) AS places
    FROM people GROUP BY patient_key
)
"""

_WHOLE_ROWS = """
WITH broken AS MATERIALIZED (
    SELECT DISTINCT file, line FROM import_staging WHERE import_uuid = %(import)s AND state = 'refused'
),
people AS (
    SELECT DISTINCT b.file, b.line FROM broken AS b JOIN import_staging AS s ON s.file = b.file AND s.line = b.line
    WHERE s.import_uuid = %(import)s AND s.kind = 'patients' AND s.seen_on IS NULL AND s.state IN ('accepted', 'merged')
)
UPDATE import_staging AS s SET state = 'refused'
FROM (SELECT file, line FROM broken EXCEPT SELECT file, line FROM people) AS r
WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.kind <> 'facilities'
  AND s.file = r.file AND s.line = r.line
"""

# Of rows with one key, a newer stamp is a newer version and stands; the same content is a repetition; else only one
# of them can be right.
_REPEATED = f"""
WITH repeated AS MATERIALIZED (
    SELECT kind, facility, source_key FROM import_staging
    WHERE import_uuid = %(import)s AND state = 'accepted' AND kind <> 'facilities' AND seen_on IS NULL
    GROUP BY kind, facility, source_key HAVING count(*) > 1
),
alike AS (
    SELECT s.*, ROW(s.digest, s.voided, {", ".join(f"s.{name}" for name in COLUMNS)}) AS said
    FROM import_staging AS s
    JOIN repeated AS r
        ON r.source_key = s.source_key AND r.kind = s.kind AND coalesce(r.facility, '') = coalesce(s.facility, '')
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.seen_on IS NULL
),
ranked AS (
    SELECT seq, said, known_at, row_number() OVER w AS place,
           first_value(said) OVER w AS first_said, first_value(known_at) OVER w AS first_known,
           first_value(file) OVER w AS first_file, first_value(line) OVER w AS first_line
    FROM alike
    WINDOW w AS (PARTITION BY kind, facility, source_key ORDER BY known_at DESC NULLS LAST, seq)
),
judged AS (
    UPDATE import_staging AS s
    SET state = CASE
        WHEN r.said IS NOT DISTINCT FROM r.first_said OR r.known_at IS DISTINCT FROM r.first_known
            THEN 'merged' ELSE 'refused' END
    FROM ranked AS r
    WHERE r.place > 1 AND s.import_uuid = %(import)s AND s.seq = r.seq
    RETURNING s.state, s.file, s.line, s.label, r.first_file, r.first_line
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT %(import)s, j.file, j.line, j.label,
       format(
           'another row has the same key and says otherwise (%%s, line %%s)',
           coalesce(f.name, 'file ' || j.first_file), j.first_line
       ),
       'keep the row that is right, or name more columns under ''key'' in the mapping'
FROM judged AS j LEFT JOIN import_files AS f ON f.import_uuid = %(import)s AND f.number = j.first_file
WHERE j.state = 'refused'
"""  # noqa: S608 - constants of the rooms' own

_KNOWN_PATIENTS = """
INSERT INTO import_staging
    (import_uuid, seq, kind, state, file, line, facility, patient_key, source_key, digest, birthdate, label, content)
SELECT %(import)s, -row_number() OVER (), 'patients', 'known', 0, 0,
       p.datim_id, p.source_key, p.source_key, '', p.birthdate, '', ''
FROM patients AS p
JOIN (
    SELECT DISTINCT patient_key FROM import_staging
    WHERE import_uuid = %(import)s AND state = 'accepted' AND kind NOT IN ('facilities', 'patients')
) AS k ON k.patient_key = p.source_key
WHERE p.source = %(source)s AND p.known_to IS NULL AND NOT p.voided
  AND NOT EXISTS (
    SELECT FROM import_staging AS s
    WHERE s.import_uuid = %(import)s AND s.kind = 'patients' AND s.state = 'accepted'
      AND s.patient_key = p.source_key AND s.facility = p.datim_id
  )
"""

_UNKNOWN_PATIENTS = f"""
WITH {_PEOPLE},
judged AS (
    SELECT s.seq,
           CASE WHEN h.patient_key IS NULL THEN 'no patient has this identifier'
                WHEN s.facility IS NULL THEN 'patients of several facilities have this identifier'
                ELSE 'no patient of this facility has this identifier' END AS problem,
           CASE WHEN h.patient_key IS NULL THEN
                    'give the row of the patient too, and look in this report whether that row was refused'
                WHEN s.facility IS NULL THEN
                    'name the facility of these rows in the mapping'
                ELSE
                    'correct the facility, or leave it out: the row then takes the facility of its patient'
                END AS remedy
    FROM import_staging AS s
    LEFT JOIN homes AS h ON h.patient_key = s.patient_key
    LEFT JOIN people AS p ON p.patient_key = s.patient_key AND p.facility = s.facility
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.kind NOT IN ('facilities', 'patients')
      AND (
        h.patient_key IS NULL
        OR (s.facility IS NULL AND h.places > 1)
        OR (s.facility IS NOT NULL AND p.patient_key IS NULL)
      )
),
refused AS (
    UPDATE import_staging AS s SET state = 'refused' FROM judged AS j
    WHERE s.import_uuid = %(import)s AND s.seq = j.seq
    RETURNING s.file, s.line, s.patient_label, j.problem, j.remedy
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT DISTINCT %(import)s::uuid, file, line, patient_label, problem, remedy FROM refused
"""  # noqa: S608 - constants of this module

_BEFORE_BIRTH = f"""
WITH {_PEOPLE},
refused AS (
    UPDATE import_staging AS s SET state = 'refused'
    FROM homes AS h
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.kind NOT IN ('facilities', 'patients')
      AND h.patient_key = s.patient_key AND s.event_date < h.birthdate
    RETURNING s.file, s.line, s.label
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT DISTINCT %(import)s::uuid, file, line, label,
       'the date lies before the date of birth of the patient', 'correct one of the two dates'
FROM refused
"""  # noqa: S608 - constants of this module

# A person read from events: a row that is a person stands above them, then the latest day.
_ONE_OF_EACH_PATIENT = """
UPDATE import_staging AS s SET state = 'merged'
FROM (
    SELECT seq, row_number() OVER (
        PARTITION BY patient_key, facility ORDER BY seen_on DESC NULLS FIRST, known_at DESC NULLS LAST, seq DESC
    ) AS place
    FROM import_staging WHERE import_uuid = %(import)s AND kind = 'patients' AND state = 'accepted'
) AS r
WHERE r.place > 1 AND s.import_uuid = %(import)s AND s.seq = r.seq
"""

_FIRST_EVENTS = """
UPDATE import_staging AS p SET first_event = e.first
FROM (
    SELECT patient_key, facility, min(event_date) AS first FROM import_staging
    WHERE import_uuid = %(import)s AND state = 'accepted' AND kind NOT IN ('facilities', 'patients')
    GROUP BY patient_key, facility
) AS e
WHERE p.import_uuid = %(import)s AND p.kind = 'patients' AND p.state = 'accepted'
  AND p.patient_key = e.patient_key AND (e.facility IS NULL OR e.facility = p.facility)
"""

_REFUSED_ROWS = """
UPDATE imports SET
    staged = (
        SELECT count(*) FROM import_staging WHERE import_uuid = %(import)s AND state = 'accepted' AND kind <>
        'facilities'
    ),
    rows_refused = (SELECT count(*) FROM (SELECT DISTINCT file, line FROM import_rejections WHERE import_uuid =
    %(import)s) AS r),
    rows_repeated = (
        SELECT count(*) FROM (
            SELECT s.file, s.line
            FROM (
                SELECT DISTINCT file, line FROM import_staging
                WHERE import_uuid = %(import)s AND kind <> 'facilities' AND state = 'merged'
            ) AS m
            JOIN import_staging AS s ON s.file = m.file AND s.line = m.line
            WHERE s.import_uuid = %(import)s AND s.kind <> 'facilities' AND s.state <> 'known'
            GROUP BY s.file, s.line HAVING bool_and(s.state = 'merged')
        ) AS m
    )
WHERE uuid = %(import)s
"""

MEMORY = "64MB"
"""What a sort or a hash of a check may take on the server before it goes to disk."""

_PLANNED = (
    "SELECT set_config('work_mem', %s, true), set_config('enable_nestloop', 'off', true),"
    " set_config('enable_sort', %s, true)"
)

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("repeated rows", (_REPEATED, _WHOLE_ROWS)),
    ("known patients", (_KNOWN_PATIENTS,)),
    ("dates before birth", (_BEFORE_BIRTH, _WHOLE_ROWS)),
    ("unknown patients", (_UNKNOWN_PATIENTS, _WHOLE_ROWS)),
    ("one row per patient", (_ONE_OF_EACH_PATIENT, _FIRST_EVENTS)),
    ("counting", (_REFUSED_ROWS,)),
)
"""The checks in order: name, and the statements of its step."""


def run_step(session: TenantSession, number: int, *, import_uuid: UUID, source: str) -> None:
    """Run the statements of one step of ``STEPS`` in the session's transaction."""
    values: dict[str, Any] = {"import": import_uuid, "source": source}
    with session.cursor() as cursor:
        # The rows are fresh and not analysed (only their owner may): the planner takes them for a few. A nested loop
        # over them would take hours, and to sort them all takes several times what a hash does.
        cursor.execute(_PLANNED, (MEMORY, "off" if number == 0 else "on"))
        for statement in STEPS[number][1]:
            cursor.execute(statement, values)
