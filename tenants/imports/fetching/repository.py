"""The SQL of fetching."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlmodel import col, select

from core.clock import today
from core.plugins.instance_models import PluginInstance
from core.web.keyset import read_slice
from tenants.imports.fetching.models import FetchedFile, ImportSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantSession
    from core.web.keyset import Slice
    from core.web.paging import PageRequest

KIND: Final = "importer"
FORGET_AT_ONCE: Final = 1_000
_STATES: Final = """
SELECT f.id, CASE WHEN f.import_uuid IS NULL THEN 'rejected' WHEN i.uuid IS NULL OR i.state = 'done' THEN 'imported'
    WHEN i.state = 'failed' THEN 'rejected' WHEN i.state IN ('cancelled', 'undone') THEN i.state ELSE 'importing' END,
    CASE WHEN i.state = 'failed' THEN i.error ELSE '' END
FROM fetched_files f LEFT JOIN imports i ON i.uuid = f.import_uuid WHERE f.id = ANY(%s)
"""
_REJECTED: Final = """
SELECT f.instance_id, count(*) FROM fetched_files f LEFT JOIN imports i ON i.uuid = f.import_uuid
WHERE f.import_uuid IS NULL OR i.state = 'failed' GROUP BY 1
"""
_FORGET_REJECTED: Final = """
DELETE FROM fetched_files f WHERE instance_id = %s AND (
    import_uuid IS NULL OR EXISTS (SELECT FROM imports i WHERE i.uuid = f.import_uuid AND i.state = 'failed'))
"""
_ADD: Final = """
INSERT INTO import_sources
    (instance_id, mapping, strict, cron, active, basis, next_run, problem, failures, files_seen, files_fetched,
    files_waiting, created_at)
VALUES (%s, '', false, %s, true, %s, %s, '', 0, 0, 0, 0, now()) ON CONFLICT DO NOTHING
"""
_FORGET: Final = """
DELETE FROM fetched_files WHERE id IN (SELECT id FROM fetched_files WHERE seen_on < %s LIMIT 1000)
"""


@dataclass(frozen=True, slots=True)
class FileState:
    """What became of a fetched file.

    Attributes:
        state: ``importing``, ``imported``, ``rejected``, ``cancelled`` or ``undone``.
        error: what its import found wrong; empty otherwise.
    """

    state: str
    error: str


def instances(session: TenantSession) -> list[PluginInstance]:
    """Return the instances of importers, oldest first."""
    query = select(PluginInstance).where(PluginInstance.kind == KIND)
    return list(session.exec(query.order_by(col(PluginInstance.id))))


def sources(session: TenantSession) -> dict[UUID, ImportSource]:
    """Return the stored sources by instance."""
    return {row.instance_id: row for row in session.exec(select(ImportSource)).all()}


def add_source(session: TenantSession, instance_id: UUID, cron: str, basis: str, next_run: datetime) -> None:
    """Add a source with these times and no terms, if there is none yet."""
    with session.cursor() as cursor:
        cursor.execute(_ADD, (instance_id, cron, basis, next_run))


def locked(session: TenantSession, instance_id: UUID) -> ImportSource | None:
    """Return a stored source, locked."""
    query = select(ImportSource).where(ImportSource.instance_id == instance_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def known_files(session: TenantSession, instance_id: UUID) -> dict[str, FetchedFile]:
    """Return the files of a source that were fetched or rejected before, by name."""
    rows = session.exec(select(FetchedFile).where(FetchedFile.instance_id == instance_id)).all()
    return {row.name: row for row in rows}


def known_file(session: TenantSession, instance_id: UUID, name: str) -> FetchedFile | None:
    """Return a file of a source that was fetched or rejected before."""
    query = select(FetchedFile).where(FetchedFile.instance_id == instance_id, FetchedFile.name == name)
    return session.exec(query).first()


def mark_seen(session: TenantSession, instance_id: UUID, names: Sequence[str]) -> None:
    """Record that a source lists these files today."""
    day = today(session.tenant.time_zone)
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE fetched_files SET seen_on = %s WHERE instance_id = %s AND seen_on < %s AND name = ANY(%s)",
            (day, instance_id, day, list(names)),
        )


def failed_imports(session: TenantSession, uuids: Sequence[UUID]) -> set[UUID]:
    """Return those of the imports that failed."""
    with session.cursor() as cursor:
        rows = cursor.execute(
            "SELECT uuid FROM imports WHERE uuid = ANY(%s) AND state = 'failed'", (list(uuids),)
        ).fetchall()
    return {row[0] for row in rows}


def file_states(session: TenantSession, files: Sequence[FetchedFile]) -> dict[UUID, FileState]:
    """Return what became of files, by their ids."""
    with session.cursor() as cursor:
        rows = cursor.execute(_STATES, ([file.id for file in files],)).fetchall()
    return {row[0]: FileState(row[1], row[2] or "") for row in rows}


def rejected_counts(session: TenantSession) -> dict[UUID, int]:
    """Return the number of rejected files of each source that has some."""
    with session.cursor() as cursor:
        return dict(cursor.execute(_REJECTED).fetchall())


def page_of_files(session: TenantSession, instance_id: UUID, paging: PageRequest) -> Slice[FetchedFile]:
    """Return files of a source."""
    statement = select(FetchedFile).where(FetchedFile.instance_id == instance_id)
    columns: dict[str, Any] = {"fetched_at": col(FetchedFile.fetched_at)}
    return read_slice(session, statement, paging, columns, col(FetchedFile.id))


def newest_files(session: TenantSession, instance_id: UUID, most: int) -> list[FetchedFile]:
    """Return the newest files of a source, the newest first."""
    query = select(FetchedFile).where(FetchedFile.instance_id == instance_id)
    newest = query.order_by(col(FetchedFile.fetched_at).desc(), col(FetchedFile.id).desc())
    return list(session.exec(newest.limit(most)))


def forget_rejected(session: TenantSession, instance_id: UUID) -> None:
    """Forget the rejected files of a source, so that the next fetch tries them again."""
    with session.cursor() as cursor:
        cursor.execute(_FORGET_REJECTED, (instance_id,))


def forget_unseen(session: TenantSession, before: datetime) -> int:
    """Forget a batch of files that no source has listed since an instant; return how many. For retention."""
    with session.cursor() as cursor:
        return cursor.execute(_FORGET, (before.date(),)).rowcount
