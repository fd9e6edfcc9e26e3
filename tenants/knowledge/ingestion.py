"""Ingestion: a stored document becomes passages that can be searched, in one transaction at the end.

Until then nothing of it is visible, and its former version answers. So a worker's death at any moment costs only time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core import blobs, metering
from core.clock import now
from core.database import lock_own
from core.errors import NotFound
from tenants.knowledge import indexing, repository, service, serving
from tenants.knowledge.passages import cut
from tenants.knowledge.reading.apart import read_apart
from tenants.knowledge.reading.blocks import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from core.jobs import JobContext, JobEnd
    from tenants.knowledge.indexing import PassageVectors
    from tenants.knowledge.reading.documents import Reading
    from tenants.knowledge.reading.reasons import Reason

INDEX_LOCK: Final = "knowledge:index"
"""Taken while passages are stored, and while those of a former model are deleted."""
METER: Final = "knowledge_pages"
_WORDS_OF_A_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class _Task:
    key: str
    sha256: str
    name: str
    title: str
    models: Sequence[str]


def ingest(context: JobContext, document_id: UUID) -> None:
    """Read, cut, embed and store a document, and finish the job."""
    with context.session() as session:
        task = _begin(session, document_id)
        if task is None:
            context.finish(session)
            return
    try:
        reading = read_apart(_content(context, task))
    except UnreadableError as error:
        with context.session() as session:
            fail(session, document_id, error.reason)
            context.finish(session)
        return
    title = task.title or reading.title or _title_of(task.name)
    passages = cut(reading.blocks)
    context.progress(0, len(passages), "embedding passages")
    embedded: dict[str, PassageVectors] = {}
    missing = task.models
    while missing:
        embedded |= {model: indexing.embed(title, passages, model) for model in missing}
        with context.session() as session:
            missing = _finish(session, document_id, title, reading, embedded)
            if not missing:
                context.finish(session)


def fail(session: TenantSession, document_id: UUID, reason: Reason) -> None:
    """Record that a document cannot be read, if it still waits."""
    row = repository.find(session, document_id, lock=True)
    if row is None or row.state != "waiting":
        return
    row.state, row.failure = "unreadable", reason
    session.add(row)
    session.flush()
    repository.supersede_unreadable(session, row)
    service.announce(session, document_id, "unreadable")


def job_ended(session: TenantSession, end: JobEnd) -> None:
    """Record on a document that its reading was given up, or is tried again."""
    from uuid import UUID

    document_id = UUID(end.payload["document_id"])
    if end.stalled:
        fail(session, document_id, "given_up")
        return
    row = repository.find(session, document_id, lock=True)
    if row is not None and row.failure == "given_up":
        row.state, row.failure = "waiting", None
        session.add(row)


def _begin(session: TenantSession, document_id: UUID) -> _Task | None:
    row = repository.find(session, document_id)
    if row is None or row.state != "waiting" or row.blob_key is None:
        return None
    return _Task(row.blob_key, row.digest.hex(), row.name, row.title, serving.indexing_models(session))


def _content(context: JobContext, task: _Task) -> bytes:
    try:
        return blobs.get(context.tenant, task.key, sha256=task.sha256)
    except NotFound:
        raise UnreadableError("gone") from None


def _finish(
    session: TenantSession, document_id: UUID, title: str, reading: Reading, embedded: Mapping[str, PassageVectors]
) -> Sequence[str]:
    """Store the passages of a document, and supersede its earlier versions at the same moment.

    Returns:
        Models by which it must be embedded before, since the settings were changed meanwhile; nothing is stored then.
    """
    row = repository.find(session, document_id)
    if row is None:  # forgotten meanwhile
        return ()
    service.lock_document(session, row.source_id, row.name)
    with session.cursor() as cursor:
        lock_own(cursor, INDEX_LOCK, shared=True)
    row = repository.find(session, document_id, lock=True)
    if row is None or row.state != "waiting":
        return ()
    models = serving.indexing_models(session)
    if missing := [model for model in models if model not in embedded]:
        return missing
    later = [
        each
        for each in repository.versions(session, row.source_id, row.name)
        if each.version > row.version and each.state == "searchable"
    ]
    row.title, row.language, row.media_type = title, row.language or reading.language, reading.media_type
    row.passages = len(embedded[models[0]].passages)
    if later or row.superseded_at is not None:  # a later one was faster, or its source no longer has it
        row.superseded_at = row.superseded_at or now()
    else:
        repository.supersede_earlier(session, row)
    row.state, row.searchable_at = "searchable", now()
    session.add(row)
    session.flush()
    if row.superseded_at is None:
        for model in models:
            indexing.store(session, row, embedded[model])
    metering.record(session, METER, _pages(reading), key=f"knowledge:{document_id}")
    service.announce(session, document_id, "searchable" if row.superseded_at is None else "superseded")
    return ()


def _pages(reading: Reading) -> int:
    """Return the pages of a document; of one without pages, a page for each 500 words."""
    pages = max((block.page or 0 for block in reading.blocks), default=0)
    words = sum(len(block.text.split()) for block in reading.blocks)
    return pages or -(-words // _WORDS_OF_A_PAGE)


def _title_of(name: str) -> str:
    """Return a title that a file's name suggests."""
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return " ".join(stem.replace("_", " ").replace("-", " ").split()) or name
