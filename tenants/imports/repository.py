"""The SQL of imports, their files, staged rows and rejected rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from sqlmodel import col, func, select

from core.database import set_local
from core.web.keyset import Slice, read_slice
from tenants.imports.models import UNFINISHED, Import, ImportFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

CLEAR_ROWS = 20_000
EMPTY_ROWS = 100_000
"""Number of an import's rows from which the table is truncated, instead of deleting the rows."""

EMPTY_PATIENCE = "3s"
"""How long truncating waits for the table. A vacuum gives way within this time, because PostgreSQL stops it after a
second.
"""

PART_ROWS = 5_000
MANY_FILES = 20
"""Number of files from which problems are counted over all files together: a folder of patients has thousands."""


def find(session: TenantSession, uuid: UUID, *, lock: bool = False) -> Import | None:
    """An import, or None. With ``lock``, no other process can run a step of it until this transaction ends."""
    statement = select(Import).where(col(Import.uuid) == uuid)
    return session.exec(statement.with_for_update() if lock else statement).one_or_none()


def unfinished(session: TenantSession, content_hash: str) -> Import | None:
    """The newest unfinished import of the same content."""
    statement = (
        select(Import)
        .where(col(Import.content_hash) == content_hash, col(Import.state).in_(UNFINISHED))
        .order_by(col(Import.created_at).desc())
        .limit(1)
    )
    return session.exec(statement).one_or_none()


def done_of(session: TenantSession, content_hash: str, uuids: Sequence[UUID]) -> Import | None:
    """The import among these that is done and has this content."""
    statement = select(Import).where(
        col(Import.uuid).in_(uuids), col(Import.content_hash) == content_hash, col(Import.state) == "done"
    )
    return session.exec(statement.order_by(col(Import.created_at).desc()).limit(1)).one_or_none()


def last_change(session: TenantSession) -> datetime | None:
    """The moment at which the last import or undo of the tenant ended; None before the first."""
    changed = col(Import.state).in_(("done", "undone"))
    return session.exec(select(func.max(Import.finished_at)).where(changed)).one()


def page(session: TenantSession, paging: PageRequest) -> Slice[Import]:
    """One page of imports."""
    return read_slice(session, select(Import), paging, {"created_at": col(Import.created_at)}, col(Import.uuid))


def files(session: TenantSession, uuid: UUID) -> Sequence[ImportFile]:
    """The files of an import, in order."""
    return session.exec(
        select(ImportFile).where(col(ImportFile.import_uuid) == uuid).order_by(col(ImportFile.number))
    ).all()


# A backup may know the rows that an import had read, and the erasure of their key that a restore does not undo.
_IS_STAGED = """
SELECT EXISTS (SELECT FROM import_staging WHERE import_uuid = %(import)s)
   AND NOT EXISTS (SELECT FROM patient_keys WHERE patient_uuid = %(import)s AND wrapped_key IS NULL)
"""


def is_staged(session: TenantSession, uuid: UUID) -> bool:
    """Whether the import has a staged row, and the personal data in its staged rows can be decrypted."""
    with session.cursor() as cursor:
        staged: bool = cursor.execute(_IS_STAGED, {"import": uuid}).fetchall()[0][0]
        return staged


_REJECTIONS = """
SELECT r.file, r.line, r.id, f.name, r.line, r.field, r.problem, r.remedy,
       CASE WHEN r.row_accepted THEN 'accepted' ELSE 'rejected' END
FROM import_rejections AS r JOIN import_files AS f ON f.import_uuid = r.import_uuid AND f.number = r.file
WHERE r.import_uuid = %(import)s AND (r.file, r.line, r.id) > (%(file)s, %(line)s, %(id)s)
ORDER BY r.file, r.line, r.id LIMIT %(rows)s
"""

_NEXT_PART = """
SELECT max(seq) FROM (
    SELECT seq FROM import_staging WHERE import_uuid = %(import)s ORDER BY seq LIMIT %(rows)s
) AS part
"""

# Of a field within a document, its place in lists and archives is left out; of many files, which of them; of a problem
# that several rows have, which other row each of them is at odds with.
_PROBLEMS = r"""
WITH placed AS (
    SELECT r.file, r.row_accepted, r.remedy, f.name, r.problem AS said,
           regexp_replace(r.problem, ' \(.*, line \d+\)$', '') AS problem,
           regexp_replace(regexp_replace(r.field, ' \((in|line|entry) .*\)$', ''), '\[\d+\]', '[]', 'g') AS field,
           (SELECT count(*) FROM import_files AS a WHERE a.import_uuid = r.import_uuid) > %(many)s AS many
    FROM import_rejections AS r JOIN import_files AS f ON f.import_uuid = r.import_uuid AND f.number = r.file
    WHERE r.import_uuid = %(import)s
)
SELECT CASE WHEN count(DISTINCT file) = 1 THEN min(name) ELSE count(DISTINCT file) || ' files' END AS file,
       field, CASE WHEN count(*) = 1 THEN min(said) ELSE problem END AS problem, min(remedy) AS remedy,
       count(*) AS count, row_accepted
FROM placed
GROUP BY CASE WHEN many THEN '' ELSE name END, field, problem, row_accepted
ORDER BY count(*) DESC, 1, field, problem, row_accepted LIMIT 50
"""


def rejections(session: TenantSession, uuid: UUID) -> Iterator[tuple[str, int, str, str, str, str]]:
    """Rejected rows in the order of the files: file, line, field, problem, remedy, outcome; read in parts."""
    values: dict[str, Any] = {"import": uuid, "file": -1, "line": -1, "id": -1, "rows": PART_ROWS}
    with session.cursor() as cursor:
        while rows := cursor.execute(_REJECTIONS, values).fetchall():
            yield from (row[3:] for row in rows)
            values["file"], values["line"], values["id"] = rows[-1][:3]


def problems(session: TenantSession, uuid: UUID) -> list[dict[str, Any]]:
    """The number of times of each problem, the most frequent first."""
    keys = ("file", "field", "problem", "remedy", "count", "row_accepted")
    values: dict[str, Any] = {"import": uuid, "many": MANY_FILES}
    with session.cursor() as cursor:
        return [dict(zip(keys, row, strict=True)) for row in cursor.execute(_PROBLEMS, values).fetchall()]


_LARGE = """
SELECT has_table_privilege('import_staging', 'TRUNCATE')
   AND coalesce((SELECT max(seq) FROM import_staging WHERE import_uuid = %(import)s), 0) >= %(rows)s
"""

# Whose rows are in it besides; and whether a move notes what changes, since its triggers see no TRUNCATE.
_ALONE = """
SELECT NOT EXISTS (SELECT FROM import_staging WHERE import_uuid < %(import)s)
   AND NOT EXISTS (SELECT FROM import_staging WHERE import_uuid > %(import)s)
   AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'import_staging'::regclass AND NOT tgisinternal)
"""


def is_large(session: TenantSession, uuid: UUID) -> bool:
    """Whether ``empty`` is worthwhile, because the import has many rows in the staging table.

    In a schema that is behind the code the role lacks the right to truncate, so the answer is no.
    """
    with session.cursor() as cursor:
        large: bool = cursor.execute(_LARGE, {"import": uuid, "rows": EMPTY_ROWS}).fetchall()[0][0]
        return large


def empty(session: TenantSession, uuid: UUID) -> bool:
    """Truncate the staging table if this import is alone in it; return whether it was truncated.

    Deleting many rows takes about as long as staging them, and leaves the table as large as before. The statement
    waits only briefly for readers of the table, such as a backup.

    Args:
        session: a transaction that has not read the table. Two transactions that have read it and then lock it would
            deadlock.
        uuid: the import.
    """
    try:
        with session.begin_nested(), session.cursor() as cursor:
            set_local(cursor, lock_timeout=EMPTY_PATIENCE)
            cursor.execute("LOCK TABLE import_staging IN ACCESS EXCLUSIVE MODE")
            alone: bool = cursor.execute(_ALONE, {"import": uuid}).fetchall()[0][0]
            if alone:
                cursor.execute("TRUNCATE import_staging")
    except psycopg.errors.LockNotAvailable:
        return False
    return alone


def clear_some(session: TenantSession, uuid: UUID) -> bool:
    """Delete a part of the staged rows; return whether there were any."""
    with session.cursor() as cursor:
        # Two statements, so that the second is a plain range of the primary key whatever the planner believes.
        last = cursor.execute(_NEXT_PART, {"import": uuid, "rows": CLEAR_ROWS}).fetchone()
        if last is None or last[0] is None:
            return False
        cursor.execute("DELETE FROM import_staging WHERE import_uuid = %s AND seq <= %s", (uuid, last[0]))
        return True


def leftovers(session: TenantSession) -> list[UUID]:
    """Ended imports that still have staged rows, after a kill."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT uuid FROM imports AS i WHERE state IN ('done', 'failed', 'cancelled')"
            " AND EXISTS (SELECT FROM import_staging AS s WHERE s.import_uuid = i.uuid)"
        )
        return [row[0] for row in cursor.fetchall()]


_CODES = """
SELECT facility FROM import_staging
WHERE import_uuid = %s AND facility IS NOT NULL AND state IN ('accepted', 'merged', 'known') GROUP BY facility
"""


def facilities(session: TenantSession, uuid: UUID) -> list[UUID]:
    """The facilities at which the import had rows."""
    with session.cursor() as cursor:
        # The planner takes the fresh rows for a few: it would sort them, or read them all again for each facility.
        set_local(cursor, enable_sort="off")
        codes = cursor.execute(_CODES, (uuid,)).fetchall()
        set_local(cursor, enable_sort="on")
        cursor.execute("SELECT uuid FROM facilities WHERE datim_id = ANY(%s)", ([code for (code,) in codes],))
        return [row[0] for row in cursor.fetchall()]


_TO_CONFIRM = """
SELECT DISTINCT ON (h.code) h.code, h.name, h."like", i.uuid
FROM imports AS i CROSS JOIN LATERAL jsonb_to_recordset(i.held_facilities) AS h (code text, name text, "like" text)
WHERE i.held_facilities <> '[]' AND i.state NOT IN ('cancelled', 'undoing', 'undone') AND h.code <> ALL(%s)
  AND NOT EXISTS (SELECT FROM facilities AS f WHERE f.datim_id = h.code)
ORDER BY h.code, i.created_at DESC LIMIT 200
"""


def held_facilities(session: TenantSession, confirmed: Sequence[str]) -> list[dict[str, Any]]:
    """The facilities that imports held back, without those that are confirmed or on record."""
    with session.cursor() as cursor:
        rows = cursor.execute(_TO_CONFIRM, (list(confirmed),)).fetchall()
    return [dict(zip(("code", "name", "like", "import_id"), row, strict=True)) for row in rows]


LET_GO_AT_ONCE = 20_000


def let_go_of_rejections(session: TenantSession, before: datetime) -> int:
    """Delete a batch of rejected rows of imports that ended before an instant; return their number."""
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM import_rejections WHERE id IN (SELECT r.id FROM import_rejections AS r"
            " JOIN imports AS i ON i.uuid = r.import_uuid WHERE i.finished_at < %s LIMIT %s)",
            (before, LET_GO_AT_ONCE),
        )
        return cursor.rowcount
