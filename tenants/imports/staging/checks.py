"""The rules that facts must satisfy together, checked in the staging table by statements over the whole set.

A rejected event rejects its whole row, except for facilities, which other rows may name too. If the row is a person,
only the wrong fact is rejected. Most files have few wrong rows, and a patient has about twenty events. So the checks
look for problems among patients first, and read the rows only if there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from core.database import set_local
from tenants.imports.slots import COLUMNS
from tenants.imports.staging import meanings, unnamed
from tenants.imports.staging.check_texts import CHECK_TEXTS, before_birth_note

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession

_OWN = """
homes AS (
    SELECT patient_key, count(*) AS places, min(birthdate) AS birthdate FROM (
        SELECT patient_key, facility, min(birthdate) AS birthdate FROM import_staging
        WHERE import_uuid = %(import)s AND kind = 'patients' AND state = 'accepted' GROUP BY patient_key, facility
    ) AS own GROUP BY patient_key
)
"""
"""The people whom the import itself names: the number of their facilities, and their dates of birth."""

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
WHERE s.import_uuid = %(import)s AND s.state IN ('accepted', 'merged') AND s.kind <> 'facilities'
  AND s.file = r.file AND s.line = r.line
"""

# If a row is rejected as a whole for another fact, duplicates of its facts are reinstated; older versions are not.
_REVIVED = """
WITH left_alone AS (
    SELECT kind, facility, source_key FROM import_staging
    WHERE import_uuid = %(import)s AND state IN ('accepted', 'merged') AND kind <> 'facilities' AND seen_on IS NULL
    GROUP BY kind, facility, source_key HAVING bool_and(state = 'merged')
),
next AS (
    SELECT DISTINCT ON (s.kind, s.facility, s.source_key) s.seq
    FROM import_staging AS s
    JOIN left_alone AS l
        ON l.source_key = s.source_key AND l.kind = s.kind AND coalesce(l.facility, '') = coalesce(s.facility, '')
    JOIN import_staging AS f
        ON f.source_key = s.source_key AND f.kind = s.kind AND coalesce(f.facility, '') = coalesce(s.facility, '')
    WHERE s.import_uuid = %(import)s AND s.state = 'merged' AND s.seen_on IS NULL
      AND f.import_uuid = %(import)s AND f.state = 'refused' AND f.known_at IS NOT DISTINCT FROM s.known_at
    ORDER BY s.kind, s.facility, s.source_key, s.known_at DESC NULLS LAST, s.seq
)
UPDATE import_staging AS s SET state = 'accepted' FROM next AS n WHERE s.import_uuid = %(import)s AND s.seq = n.seq
"""

# A key alone is nearly as distinctive as kind, facility and key together, in half the time.
_ARE_REPEATED = """
SELECT EXISTS (
    SELECT FROM import_staging
    WHERE import_uuid = %(import)s AND state = 'accepted' AND kind <> 'facilities' AND seen_on IS NULL
    GROUP BY source_key HAVING count(*) > 1
)
"""

# One record (an encounter's UUID, say) cannot be of two people: the second is rejected. Of one person's rows with one
# key, a newer stamp is a newer version and stands; the same content is a repetition; else only one
# of them can be right, and a row of which something was rejected gives way to one that is whole.
_REPEATED = f"""
WITH repeated AS MATERIALIZED (
    SELECT kind, facility, source_key FROM import_staging
    WHERE import_uuid = %(import)s AND state = 'accepted' AND kind <> 'facilities' AND seen_on IS NULL
    GROUP BY kind, facility, source_key HAVING count(*) > 1
),
faulty AS (
    SELECT DISTINCT file, line FROM import_rejections WHERE import_uuid = %(import)s
),
alike AS (
    SELECT s.*, f.file IS NOT NULL AS faulty,
           ROW(s.digest, s.voided, {", ".join(f"s.{name}" for name in COLUMNS)}) AS said
    FROM import_staging AS s
    JOIN repeated AS r
        ON r.source_key = s.source_key AND r.kind = s.kind AND coalesce(r.facility, '') = coalesce(s.facility, '')
    LEFT JOIN faulty AS f ON f.file = s.file AND f.line = s.line
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.seen_on IS NULL
),
ranked AS (
    SELECT seq, said, known_at, faulty, patient_key, row_number() OVER w AS place,
           first_value(patient_key) OVER w AS first_patient,
           first_value(said) OVER w AS first_said, first_value(known_at) OVER w AS first_known,
           first_value(file) OVER w AS first_file, first_value(line) OVER w AS first_line
    FROM alike
    WINDOW w AS (PARTITION BY kind, facility, source_key ORDER BY known_at DESC NULLS LAST, faulty, seq)
),
judged AS (
    UPDATE import_staging AS s
    SET state = CASE
        WHEN r.patient_key IS DISTINCT FROM r.first_patient THEN 'refused'
        WHEN r.said IS NOT DISTINCT FROM r.first_said OR r.known_at IS DISTINCT FROM r.first_known OR r.faulty
            THEN 'merged' ELSE 'refused' END
    FROM ranked AS r
    WHERE r.place > 1 AND s.import_uuid = %(import)s AND s.seq = r.seq
    RETURNING s.state, s.file, s.line, s.label, r.first_file, r.first_line
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT %(import)s, j.file, j.line, j.label,
       format(%(repeated)s::text, coalesce(f.name, 'file ' || j.first_file), j.first_line), %(keep_one)s::text
FROM judged AS j LEFT JOIN import_files AS f ON f.import_uuid = %(import)s AND f.number = j.first_file
WHERE j.state = 'refused'
"""  # noqa: S608 - constants of the rooms' own

# Rejected events count only as gaps of the import for their people.
_SEEN = """
CREATE TEMPORARY TABLE seen_events ON COMMIT DROP AS
SELECT patient_key, facility, facility_name, min(event_date) FILTER (WHERE state = 'accepted') AS first,
       bool_or(state = 'accepted') AS accepted, bool_or(state = 'accepted' AND kind = 'snapshots') AS listed
FROM import_staging
WHERE import_uuid = %(import)s AND state IN ('accepted', 'refused') AND kind NOT IN ('facilities', 'patients')
GROUP BY patient_key, facility, facility_name
"""

# A wrong event is wrong in its repetitions too; its source has corrected an older version.
_LIKE_JUDGED = """
s.import_uuid = %(import)s AND s.state IN ('accepted', 'merged') AND s.kind = j.kind AND s.source_key = j.source_key
AND coalesce(s.facility, '') = coalesce(j.facility, '') AND s.known_at IS NOT DISTINCT FROM j.known_at
"""

# What the import itself leaves open no other import decides; a status says nothing of whom its own list does not name.
_ARE_OPEN = f"""
WITH {_OWN}
SELECT EXISTS (
    SELECT FROM pg_temp.seen_events AS s LEFT JOIN homes AS h ON h.patient_key = s.patient_key
    WHERE s.accepted AND ((s.facility IS NULL AND s.facility_name IS NULL AND h.places > 1)
       OR (s.listed AND h.patient_key IS NULL))
)
"""  # noqa: S608 - constants of this module

_OPEN = f"""
WITH {_OWN},
judged AS (
    SELECT s.kind, s.facility, s.source_key, s.known_at,
           CASE WHEN h.patient_key IS NULL THEN %(nobody)s::text ELSE %(several)s END AS problem,
           CASE WHEN h.patient_key IS NULL THEN %(give_patient)s::text ELSE %(name_facility)s END AS remedy
    FROM import_staging AS s LEFT JOIN homes AS h ON h.patient_key = s.patient_key
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.kind NOT IN ('facilities', 'patients')
      AND ((s.facility IS NULL AND s.facility_name IS NULL AND h.places > 1)
        OR (s.kind = 'snapshots' AND h.patient_key IS NULL))
),
rejected AS (
    UPDATE import_staging AS s SET state = 'refused' FROM judged AS j WHERE {_LIKE_JUDGED}
    RETURNING s.file, s.line, s.patient_label, j.problem, j.remedy
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT DISTINCT %(import)s::uuid, file, line, patient_label, problem, remedy FROM rejected
"""  # noqa: S608 - constants of this module

_ARE_BEFORE_BIRTH = f"""
WITH {_OWN}
SELECT EXISTS (
    SELECT FROM pg_temp.seen_events AS s JOIN homes AS h ON h.patient_key = s.patient_key WHERE s.first < h.birthdate
)
"""  # noqa: S608 - constants of this module

_BEFORE_BIRTH = f"""
WITH {_OWN},
judged AS (
    SELECT s.kind, s.facility, s.source_key, s.known_at
    FROM import_staging AS s JOIN homes AS h ON h.patient_key = s.patient_key AND s.event_date < h.birthdate
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.kind NOT IN ('facilities', 'patients')
),
rejected AS (
    UPDATE import_staging AS s SET state = 'refused' FROM judged AS j WHERE {_LIKE_JUDGED}
    RETURNING s.file, s.line, s.label
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT DISTINCT %(import)s::uuid, file, line, label, %(before_birth)s::text, %(correct_date)s::text FROM rejected
"""  # noqa: S608 - constants of this module

# Other imports may say when a person was born: a rule that rejects by that would depend on which of them are there.
_BEFORE_BIRTH_ON_RECORD = """
SELECT count(DISTINCT s.patient_key) FROM pg_temp.seen_events AS s
JOIN patients AS p ON p.source_key = s.patient_key AND p.source = %(source)s AND p.known_to IS NULL AND NOT p.voided
WHERE s.first < p.birthdate AND (s.facility IS NULL OR s.facility = p.datim_id)
"""

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
    SELECT w.seq, min(e.first) AS first
    FROM import_staging AS w
    JOIN pg_temp.seen_events AS e
        ON e.patient_key = w.patient_key AND (e.facility IS NULL OR e.facility = w.facility)
    WHERE w.import_uuid = %(import)s AND w.kind = 'patients' AND w.state = 'accepted'
    GROUP BY w.seq
) AS e
WHERE p.import_uuid = %(import)s AND p.seq = e.seq
"""

_COUNTED = f"""
SELECT count(*) FILTER (WHERE state IN ('accepted', 'waiting')),
       count(*) FILTER (WHERE state = 'merged' AND seen_on IS NULL),
       coalesce(bool_or({meanings.HAS_MEANING}), false), coalesce(bool_or({meanings.IS_DEATH}), false)
FROM import_staging WHERE import_uuid = %(import)s AND kind <> 'facilities'
"""  # noqa: S608 - constants of the rooms' own

_FAULTY_ROWS = """
WITH faulty AS (
    SELECT DISTINCT file, line FROM import_rejections WHERE import_uuid = %(import)s
),
kept AS (
    SELECT DISTINCT f.file, f.line FROM faulty AS f JOIN import_staging AS s ON s.file = f.file AND s.line = f.line
    WHERE s.import_uuid = %(import)s AND s.state IN ('accepted', 'merged', 'waiting')
      AND s.kind NOT IN ('facilities', 'unread_contacts')
)
"""
_ROWS_REJECTED = f"""
{_FAULTY_ROWS}
SELECT (SELECT count(*) FROM faulty) - (SELECT count(*) FROM kept), (SELECT count(*) FROM kept)
"""  # noqa: S608 - constants
_ROWS_ACCEPTED = f"""
{_FAULTY_ROWS}
UPDATE import_rejections AS r SET row_accepted = true FROM kept AS k
WHERE r.import_uuid = %(import)s AND r.file = k.file AND r.line = k.line
"""  # noqa: S608 - constants

# Rows that are events repeat their person as well: only the event is counted.
_ROWS_REPEATED = """
SELECT count(*) FROM (
    SELECT s.file, s.line
    FROM (
        SELECT DISTINCT file, line FROM import_staging
        WHERE import_uuid = %(import)s AND kind NOT IN ('facilities', 'unread_contacts') AND seen_on IS NULL
          AND state = 'merged'
    ) AS m
    JOIN import_staging AS s ON s.file = m.file AND s.line = m.line
    WHERE s.import_uuid = %(import)s AND s.kind <> 'facilities' AND s.seen_on IS NULL AND s.state <> 'known'
    GROUP BY s.file, s.line HAVING bool_and(s.state = 'merged')
) AS m
"""

_NOTE = """
UPDATE imports SET staged = %(staged)s, rows_refused = %(rejected)s, rows_in_part = %(in_part)s,
       rows_repeated = %(repeated)s, notes = notes || %(notes)s
WHERE uuid = %(import)s
"""

_TELL = "UPDATE imports SET notes = notes || %(notes)s WHERE uuid = %(import)s"
MEMORY = "64MB"
"""Memory of a sort or hash of a check on the server, before it goes to disk."""


class _Checks:
    """Runs the SQL of one step of the checks of an import."""

    def __init__(self, cursor: Cursor[Any], import_uuid: UUID, source: str) -> None:
        self._cursor = cursor
        self._values: dict[str, Any] = {"import": import_uuid, "source": source, **CHECK_TEXTS}
        self.plan(sort=True)

    def plan(self, *, sort: bool) -> None:
        """Keep the planner from nested loops, and from sorts where a hash is enough.

        The rows are fresh, and only the table's owner may analyse them, so the planner expects few. A nested loop over
        them would take hours, and sorting them all takes several times as long as a hash.
        """
        set_local(self._cursor, work_mem=MEMORY, enable_nestloop="off", enable_sort="on" if sort else "off")

    def do(self, statement: str, **more: object) -> int:
        """Run a statement; return its number of rows."""
        return self._cursor.execute(statement, self._values | more).rowcount

    def place_unnamed(self) -> None:
        """Find the patients of events about people whom the import does not name."""
        unnamed.place(self._cursor, self._values["import"], self._values["source"])

    def all(self, statement: str, **more: object) -> list[tuple[Any, ...]]:
        """All rows that a query returns."""
        return self._cursor.execute(statement, self._values | more).fetchall()

    def ask(self, statement: str) -> tuple[Any, ...]:
        """The one row that a query returns."""
        ((*answers,),) = self._cursor.execute(statement, self._values).fetchall()
        return tuple(answers)


def _repeated_rows(checks: _Checks, *, rejected: bool, differ: bool) -> None:
    checks.plan(sort=False)
    repeated = not differ and checks.ask(_ARE_REPEATED)[0] and checks.do(_REPEATED)
    if repeated or rejected:
        _take_along(checks)


def _patients(checks: _Checks) -> None:
    _see(checks)
    for are_any, reject in ((_ARE_BEFORE_BIRTH, _BEFORE_BIRTH), (_ARE_OPEN, _OPEN)):
        if checks.ask(are_any)[0] and checks.do(reject):
            _take_along(checks)
            checks.do("DROP TABLE pg_temp.seen_events")
            _see(checks)
    if people := checks.ask(_BEFORE_BIRTH_ON_RECORD)[0]:
        checks.do(_TELL, notes=Jsonb([before_birth_note(people)]))
    if checks.ask(unnamed.ARE_UNNAMED)[0]:
        checks.place_unnamed()
    checks.do(_ONE_OF_EACH_PATIENT)
    checks.do(_FIRST_EVENTS)


def _take_along(checks: _Checks) -> None:
    checks.do(_WHOLE_ROWS)
    checks.do(_REVIVED)


def _see(checks: _Checks) -> None:
    checks.plan(sort=False)
    checks.do(_SEEN)
    checks.plan(sort=True)


def _counting(checks: _Checks) -> None:
    staged, merged, meant, died = checks.ask(_COUNTED)
    repeated = checks.ask(_ROWS_REPEATED)[0] if merged else 0
    people = checks.all(meanings.COUNT_MEANINGS) if meant else []
    people += checks.all(meanings.COUNT_SEEN_DEAD, died=died) + checks.all(meanings.COUNT_SEX_CHANGED)
    notes = Jsonb(meanings.sentences(people))
    rejected, in_part = checks.ask(_ROWS_REJECTED)
    if in_part:
        checks.do(_ROWS_ACCEPTED)
    checks.do(_NOTE, notes=notes, staged=staged, rejected=rejected, in_part=in_part, repeated=repeated)


STEPS = ("repeated rows", "patients", "counting")
"""The checks in order: the subject of each step."""


def note(number: int) -> str:
    """The text that an import shows during a step, and after it until the next."""
    return f"checking {STEPS[number]}"


def run_step(
    session: TenantSession, number: int, import_uuid: UUID, source: str, *, rejected: bool = False, differ: bool = False
) -> None:
    """Run one step of ``STEPS`` in the session's transaction.

    Args:
        session: the step's transaction.
        number: number of the step.
        import_uuid: the import.
        source: the import's source.
        rejected: whether a fact may have been rejected before the first step.
        differ: whether it is known that all rows have different keys.
    """
    with session.cursor() as cursor:
        checks = _Checks(cursor, import_uuid, source)
        if number == 0:
            _repeated_rows(checks, rejected=rejected, differ=differ)
        else:
            (_patients, _counting)[number - 1](checks)
