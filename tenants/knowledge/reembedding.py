"""Passages embedded by another model, while the former one answers.

Each document gets rows of the new model beside those of the former one. When none lacks them, the new model answers
(``serving.serving_model``), and the rows of the former one are deleted in the transaction that saw this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.database import lock_own
from core.jobs import enqueue
from tenants.knowledge import indexing, serving
from tenants.knowledge.ingestion import INDEX_LOCK

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession
    from core.jobs import JobContext

EMBED_JOB: Final = "knowledge.embed"
_LACKING: Final = """
SELECT uuid, count(*) OVER () FROM knowledge_documents
WHERE state = 'searchable' AND jsonb_array_length(models) > 0 AND NOT models ? %s
ORDER BY superseded_at NULLS FIRST, uuid LIMIT 1
"""
_OTHERS: Final = """
SELECT EXISTS (SELECT FROM knowledge_documents WHERE models <> '[]' AND models <> to_jsonb(ARRAY[%s::text]))
"""
_KEEP_ONE: Final = """
UPDATE knowledge_documents SET models = to_jsonb(ARRAY[%(model)s::text])
WHERE models <> '[]' AND models <> to_jsonb(ARRAY[%(model)s::text])
"""


def request_if_needed(session: TenantSession) -> UUID | None:
    """Enqueue the embedding of all passages by the wanted model if some lack it, or have another one too."""
    model = serving.wanted_model(session)
    if not session.cursor().execute(_OTHERS, (model,)).fetchall()[0][0]:
        return None
    return enqueue(session, EMBED_JOB, {}, dedupe_key=EMBED_JOB)


def embed_all(context: JobContext) -> None:
    """Embed by the wanted model what lacks it, document by document; then delete the rows of others, and finish."""
    done = 0
    while True:
        with context.session() as session:
            model = serving.wanted_model(session)
            with session.cursor() as cursor:
                lock_own(cursor, INDEX_LOCK)
            lacking = session.cursor().execute(_LACKING, (model,)).fetchone()
            if lacking is None:
                _keep_only(session, model)
                context.finish(session, result={"model": model, "documents": done})
                return
            document_id, left = lacking
            texts = indexing.searched_texts(session, document_id)
        context.progress(done, done + left, "embedding documents")
        vectors = indexing.embed_texts(list(texts.values()), model)
        with context.session() as session:
            indexing.add_model(session, document_id, model, dict(zip(texts, vectors, strict=True)))
        done += 1


def _keep_only(session: TenantSession, model: str) -> None:
    cursor = session.cursor()
    cursor.execute("DELETE FROM data_passages WHERE model <> %s", (model,))
    cursor.execute(_KEEP_ONE, {"model": model})
