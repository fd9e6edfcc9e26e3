"""The SQL of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import false, func, not_, or_
from sqlmodel import col, select

from core.clock import now, today
from core.plugins.instance_models import PluginInstance
from core.web.keyset import read_slice
from tenants.knowledge.models import KnowledgeDocument, KnowledgePassage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime

    from sqlalchemy import ColumnElement

    from core.database import TenantSession
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.knowledge.scope import Scope

KIND: Final = "rag-source"
SHARED: Final = UUID("5ea5ed00-0000-4000-8000-000000000001")
"""The source of the documents that the operator shares with all tenants."""

_SUPERSEDE: Final = """
UPDATE knowledge_documents SET superseded_at = coalesce(superseded_at, %(moment)s),
    valid_until = CASE WHEN %(until)s::date IS NULL THEN NULL ELSE least(valid_until, %(until)s) END
WHERE source_id IS NOT DISTINCT FROM %(source)s AND name = %(name)s AND version < %(version)s
    AND (superseded_at IS NULL OR valid_until IS NOT NULL)
"""
_SUPERSEDE_UNREADABLE: Final = """
UPDATE knowledge_documents SET superseded_at = %(moment)s
WHERE source_id IS NOT DISTINCT FROM %(source)s AND name = %(name)s AND version < %(version)s
    AND superseded_at IS NULL AND state = 'unreadable'
"""
_WITHDRAW: Final = """
UPDATE knowledge_documents SET superseded_at = coalesce(superseded_at, %(moment)s), valid_until = NULL
WHERE source_id = %(source)s AND (superseded_at IS NULL OR valid_until IS NOT NULL) AND NOT name = ANY(%(names)s)
RETURNING uuid
"""
_WITHDRAW_ORPHANS: Final = """
UPDATE knowledge_documents d SET superseded_at = coalesce(superseded_at, %(moment)s), valid_until = NULL
WHERE source_id <> %(shared)s AND (superseded_at IS NULL OR valid_until IS NOT NULL)
    AND NOT EXISTS (SELECT FROM plugin_instances i WHERE i.id = d.source_id)
RETURNING uuid
"""
_NEWEST: Final = """
SELECT DISTINCT ON (name) name, mark, digest, title, language, superseded_at IS NULL, state
FROM knowledge_documents WHERE source_id = %s ORDER BY name, version DESC
"""
_COUNTS: Final = """
SELECT source_id, count(*) FILTER (WHERE state = 'searchable'), count(*) FILTER (WHERE state = 'waiting'),
    count(*) FILTER (WHERE state = 'unreadable'), max(created_at)
FROM knowledge_documents WHERE superseded_at IS NULL GROUP BY source_id
"""
_SEARCHED: Final = """
SELECT count(*) FROM knowledge_documents d WHERE {documents} AND EXISTS (
    SELECT FROM data_passages p WHERE p.document_uuid = d.uuid AND p.model = %(model)s
)
"""
_OLD: Final = """
SELECT uuid, blob_key FROM knowledge_documents
WHERE superseded_at < %s AND (valid_until IS NULL OR valid_until < %s) ORDER BY superseded_at LIMIT 100
"""


def find(session: TenantSession, document_id: UUID, *, lock: bool = False) -> KnowledgeDocument | None:
    """Return a version of a document."""
    query = select(KnowledgeDocument).where(KnowledgeDocument.uuid == document_id)
    query = query.with_for_update() if lock else query
    return session.exec(query.execution_options(populate_existing=True)).first()


def versions(session: TenantSession, source_id: UUID | None, name: str) -> list[KnowledgeDocument]:
    """Return the versions of a document, the newest first."""
    column = col(KnowledgeDocument.source_id)
    same_source = column.is_(None) if source_id is None else column == source_id
    query = select(KnowledgeDocument).where(same_source, KnowledgeDocument.name == name)
    return list(session.exec(query.order_by(col(KnowledgeDocument.version).desc())))


def page(
    session: TenantSession, paging: PageRequest, *, state: str | None = None, superseded: bool = False
) -> Slice[KnowledgeDocument]:
    """Return documents.

    Args:
        session: a transaction of the tenant.
        paging: the request's page.
        state: only those of this state; None: all.
        superseded: also earlier versions.
    """
    statement = select(KnowledgeDocument)
    if state is not None:
        statement = statement.where(KnowledgeDocument.state == state)
    if not superseded:
        statement = statement.where(col(KnowledgeDocument.superseded_at).is_(None))
    columns: dict[str, Any] = {"created_at": col(KnowledgeDocument.created_at)}
    return read_slice(session, statement, paging, columns, col(KnowledgeDocument.uuid))


def current(session: TenantSession) -> list[KnowledgeDocument]:
    """Return the documents that were not superseded, by name."""
    query = select(KnowledgeDocument).where(col(KnowledgeDocument.superseded_at).is_(None))
    return list(session.exec(query.order_by(KnowledgeDocument.name, col(KnowledgeDocument.version))))


def in_use(session: TenantSession) -> list[KnowledgeDocument]:
    """Return the versions that are in use, or wait to be, or cannot be read, by title."""
    query = select(KnowledgeDocument).where(_in_use(session))
    return list(session.exec(query.order_by(col(KnowledgeDocument.title), col(KnowledgeDocument.uuid))))


def out_of_use(session: TenantSession, limit: int) -> list[KnowledgeDocument]:
    """Return the versions that are no longer in use, the last replaced first."""
    query = select(KnowledgeDocument).where(not_(_in_use(session)))
    return list(session.exec(query.order_by(col(KnowledgeDocument.superseded_at).desc()).limit(limit)))


def is_out_of_use(session: TenantSession, row: KnowledgeDocument) -> bool:
    """Return whether a version is no longer in use."""
    day = today(session.tenant.time_zone)
    return row.superseded_at is not None and (row.valid_until is None or row.valid_until <= day)


def _in_use(session: TenantSession) -> ColumnElement[bool]:
    still = func.coalesce(col(KnowledgeDocument.valid_until) > today(session.tenant.time_zone), false())
    return or_(col(KnowledgeDocument.superseded_at).is_(None), still)


def searched(session: TenantSession, scope: Scope) -> list[KnowledgeDocument]:
    """Return the documents in which a question is searched, by title."""
    return [
        row
        for row in in_use(session)
        if row.state == "searchable"
        and (row.valid_from is None or row.valid_from <= scope.day)
        and (not scope.languages or row.language in scope.languages)
        and (not scope.sources or row.source_id in scope.sources)
    ]


def count_searched(session: TenantSession, scope: Scope) -> int:
    """Return in how many documents a question is searched: those that have passages."""
    row = session.cursor().execute(_SEARCHED.format(documents=scope.documents), scope.values).fetchone()
    return 0 if row is None else int(row[0])


def version_in_use(session: TenantSession, row: KnowledgeDocument) -> UUID | None:
    """Return the version of a document that is in use; None if there is none."""
    query = select(KnowledgeDocument.uuid).where(
        col(KnowledgeDocument.name) == row.name,
        col(KnowledgeDocument.source_id).is_not_distinct_from(row.source_id),
        col(KnowledgeDocument.superseded_at).is_(None),
        col(KnowledgeDocument.state) == "searchable",
    )
    return session.exec(query).first()


def passages(session: TenantSession, document_id: UUID) -> list[KnowledgePassage]:
    """Return the passages of a document in their order, each one time."""
    model = session.exec(
        select(col(KnowledgePassage.model)).where(KnowledgePassage.document_uuid == document_id)
    ).first()
    query = select(KnowledgePassage).where(
        KnowledgePassage.document_uuid == document_id, KnowledgePassage.model == model
    )
    return list(session.exec(query.order_by(col(KnowledgePassage.number))))


def supersede_earlier(session: TenantSession, document: KnowledgeDocument) -> None:
    """Put a document in place of its earlier versions: today, or on the first day on which it applies."""
    ahead = document.valid_from is not None and document.valid_from > today(session.tenant.time_zone)
    until: date | None = document.valid_from if ahead else None
    values = {
        "moment": now(),
        "until": until,
        "source": document.source_id,
        "name": document.name,
        "version": document.version,
    }
    session.cursor().execute(_SUPERSEDE, values)


def supersede_unreadable(session: TenantSession, document: KnowledgeDocument) -> None:
    """Put a document that cannot be read in place of earlier versions that could not be read either."""
    values = {
        "moment": now(),
        "source": document.source_id,
        "name": document.name,
        "version": document.version,
    }
    session.cursor().execute(_SUPERSEDE_UNREADABLE, values)


def withdraw_absent(session: TenantSession, source_id: UUID, names: Collection[str]) -> list[UUID]:
    """Supersede the documents of a source that it no longer has, and return them."""
    values = {"moment": now(), "source": source_id, "names": list(names)}
    return [row[0] for row in session.cursor().execute(_WITHDRAW, values)]


def withdraw_orphans(session: TenantSession) -> list[UUID]:
    """Supersede the documents of sources that were removed, and return them."""
    return [row[0] for row in session.cursor().execute(_WITHDRAW_ORPHANS, {"moment": now(), "shared": SHARED})]


def newest_by_name(session: TenantSession, source_id: UUID) -> dict[str, tuple[Any, ...]]:
    """Return mark, digest, title, language, whether it is current, and the state of a source's newest versions."""
    return {name: tuple(facts) for name, *facts in session.cursor().execute(_NEWEST, (source_id,))}


def set_mark(session: TenantSession, source_id: UUID, name: str, mark: str) -> None:
    """Record under which mark a source lists the current version of a document."""
    session.cursor().execute(
        "UPDATE knowledge_documents SET mark = %s WHERE source_id = %s AND name = %s AND superseded_at IS NULL",
        (mark, source_id, name),
    )


def counts(session: TenantSession) -> dict[UUID | None, tuple[int, int, int, datetime]]:
    """Return how many current documents of each source are searchable, waiting and unreadable, and the last time."""
    return {row[0]: row[1:] for row in session.cursor().execute(_COUNTS).fetchall()}


def instances(session: TenantSession) -> list[PluginInstance]:
    """Return the instances of plugins that are sources of documents, oldest first."""
    query = select(PluginInstance).where(PluginInstance.kind == KIND)
    return list(session.exec(query.order_by(col(PluginInstance.id))))


def waiting(session: TenantSession) -> Sequence[UUID]:
    """Return the documents that wait to be read."""
    query = select(col(KnowledgeDocument.uuid)).where(KnowledgeDocument.state == "waiting")
    return session.exec(query).all()


def take_old(session: TenantSession, before: datetime) -> list[str]:
    """Delete a batch of versions that were superseded before an instant; return the key of each file, or ''."""
    cursor = session.cursor()
    rows = cursor.execute(_OLD, (before, before.date())).fetchall()
    cursor.execute("DELETE FROM knowledge_documents WHERE uuid = ANY(%s)", ([row[0] for row in rows],))
    return [row[1] or "" for row in rows]
