"""The SQL of imports: their rows, their cursor, their refused rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlmodel import col, select

from tenants.imports.models import UNFINISHED, Import, ImportFile, ImportRejection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from core.database import TenantSession

CLEAR_ROWS = 20_000


def find(session: TenantSession, uuid: UUID, *, lock: bool = False) -> Import | None:
    """An import; with ``lock``, nobody else takes a step of it until this transaction ends."""
    statement = select(Import).where(col(Import.uuid) == uuid)
    return session.exec(statement.with_for_update() if lock else statement).one_or_none()


def unfinished(session: TenantSession, content_hash: str) -> Import | None:
    """The newest import of the same content that was begun and not finished."""
    statement = (
        select(Import)
        .where(col(Import.content_hash) == content_hash, col(Import.state).in_(UNFINISHED))
        .order_by(col(Import.created_at).desc())
        .limit(1)
    )
    return session.exec(statement).one_or_none()


def page(session: TenantSession, *, offset: int, limit: int) -> tuple[Sequence[Import], int]:
    """Imports, the newest first, and how many there are."""
    total = session.exec(select(func.count()).select_from(Import)).one()
    rows = session.exec(select(Import).order_by(col(Import.created_at).desc(), col(Import.uuid)).offset(offset).limit(limit)).all()
    return rows, int(total)


def files(session: TenantSession, uuid: UUID) -> Sequence[ImportFile]:
    """The files of an import, in order."""
    return session.exec(select(ImportFile).where(col(ImportFile.import_uuid) == uuid).order_by(col(ImportFile.number))).all()


def rejections(session: TenantSession, uuid: UUID) -> Iterator[tuple[str, int, str, str, str]]:
    """Refused rows in the order of the files: file, line, field, problem, remedy; streamed."""
    statement = (
        select(ImportFile.name, ImportRejection.line, ImportRejection.field, ImportRejection.problem, ImportRejection.remedy)
        .join(
            ImportFile,
            (col(ImportFile.import_uuid) == col(ImportRejection.import_uuid)) & (col(ImportFile.number) == col(ImportRejection.file)),
        )
        .where(col(ImportRejection.import_uuid) == uuid)
        .order_by(col(ImportRejection.file), col(ImportRejection.line), col(ImportRejection.id))
    )
    for row in session.exec(statement.execution_options(yield_per=2000)):
        yield tuple(row)


def problems(session: TenantSession, uuid: UUID) -> list[dict[str, Any]]:
    """How often each problem was met, the most frequent first."""
    count = func.count()
    statement = (
        select(ImportFile.name, ImportRejection.field, ImportRejection.problem, func.min(ImportRejection.remedy), count)
        .join(
            ImportFile,
            (col(ImportFile.import_uuid) == col(ImportRejection.import_uuid)) & (col(ImportFile.number) == col(ImportRejection.file)),
        )
        .where(col(ImportRejection.import_uuid) == uuid)
        .group_by(ImportFile.name, ImportRejection.field, ImportRejection.problem)
        .order_by(count.desc(), col(ImportFile.name), col(ImportRejection.field), col(ImportRejection.problem))
        .limit(50)
    )
    keys = ("file", "field", "problem", "remedy", "count")
    return [dict(zip(keys, row, strict=True)) for row in session.exec(statement)]


def clear_some(session: TenantSession, uuid: UUID) -> bool:
    """Delete a part of the staged rows; whether any were left to delete."""
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM import_staging WHERE import_uuid = %(import)s AND seq IN"
            " (SELECT seq FROM import_staging WHERE import_uuid = %(import)s ORDER BY seq LIMIT %(rows)s)",
            {"import": uuid, "rows": CLEAR_ROWS},
        )
        return cursor.rowcount > 0


def leftovers(session: TenantSession) -> list[UUID]:
    """Imports that are over and whose staged rows a kill has left behind."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT uuid FROM imports AS i WHERE state IN ('done', 'failed', 'cancelled')"
            " AND EXISTS (SELECT FROM import_staging AS s WHERE s.import_uuid = i.uuid)"
        )
        return [row[0] for row in cursor.fetchall()]


def facilities(session: TenantSession, uuid: UUID) -> list[UUID]:
    """The facilities whose rows the import had."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT f.uuid FROM import_staging AS s JOIN facilities AS f ON f.datim_id = s.facility"
            " WHERE s.import_uuid = %s AND s.state IN ('accepted', 'merged', 'known')",
            (uuid,),
        )
        return [row[0] for row in cursor.fetchall()]
