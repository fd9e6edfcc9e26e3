"""A document's passages, embedded and stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tenants.knowledge.embedding import embedder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import numpy as np
    import numpy.typing as npt

    from core.database import TenantSession
    from tenants.knowledge.models import KnowledgeDocument
    from tenants.knowledge.passages import Passage

COPY: Final = """
COPY data_passages (
    node_id, text, metadata_, embedding, model, document_uuid, number, section, page, language, searched, words
) FROM STDIN
"""
"""Writes passages, in this order of their columns."""

TOGETHER: Final = 32
"""Passages that are embedded in one call."""


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """The passages of a document with their vectors, a row each."""

    passages: Sequence[Passage]
    vectors: npt.NDArray[np.float32]
    model: str


def embed(title: str, passages: Sequence[Passage], model: str) -> PassageVectors:
    """Return passages with their vectors. No transaction may be open: a thick guideline takes minutes."""
    return PassageVectors(passages, embed_texts([passage.searched(title) for passage in passages], model), model)


def embed_texts(texts: Sequence[str], model: str) -> npt.NDArray[np.float32]:
    """Return a vector for each text. No transaction may be open."""
    import numpy as np

    chosen = embedder(model)
    parts = [chosen.passages(texts[start : start + TOGETHER]) for start in range(0, len(texts), TOGETHER)]
    return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)


def store(session: TenantSession, document: KnowledgeDocument, embedded: PassageVectors) -> None:
    """Write the passages of a document by one model, in place of those that are there by that model."""
    document.models = sorted({*document.models, embedded.model})
    session.add(document)
    cursor = session.cursor()
    known = dict(
        cursor.execute(
            "SELECT number, node_id FROM data_passages WHERE document_uuid = %s AND model <> %s",
            (document.uuid, embedded.model),
        ).fetchall()
    )
    cursor.execute("DELETE FROM data_passages WHERE document_uuid = %s AND model = %s", (document.uuid, embedded.model))
    with cursor.copy(COPY) as copy:
        for passage, vector in zip(embedded.passages, embedded.vectors, strict=True):
            searched = passage.searched(document.title)
            copy.write_row(
                (
                    known.get(passage.number) or str(uuid4()),
                    passage.text,
                    "{}",
                    _written(vector),
                    embedded.model,
                    document.uuid,
                    passage.number,
                    passage.section,
                    passage.page,
                    document.language,
                    searched,
                    len(searched.split()),
                )
            )


_ADD_MODEL: Final = """
INSERT INTO data_passages (
    node_id, text, metadata_, embedding, model, document_uuid, number, section, page, language, searched, words
)
SELECT DISTINCT ON (p.number) p.node_id, p.text, p.metadata_, v.embedding::vector, %(model)s, p.document_uuid, p.number,
    p.section, p.page, p.language, p.searched, p.words
FROM data_passages p JOIN unnest(%(numbers)s::int[], %(vectors)s::text[]) AS v (number, embedding) USING (number)
WHERE p.document_uuid = %(document)s AND p.model <> %(model)s
ORDER BY p.number, p.model
ON CONFLICT (document_uuid, number, model) DO NOTHING
"""
_NAME_MODEL: Final = """
UPDATE knowledge_documents SET models = models || to_jsonb(%(model)s::text)
WHERE uuid = %(document)s AND NOT models ? %(model)s
"""


def searched_texts(session: TenantSession, document_id: UUID) -> dict[int, str]:
    """Return the texts of a document's passages that are embedded, by number."""
    query = "SELECT DISTINCT ON (number) number, searched FROM data_passages WHERE document_uuid = %s ORDER BY number"
    return dict(session.cursor().execute(query, (document_id,)).fetchall())


def add_model(
    session: TenantSession, document_id: UUID, model: str, vectors: Mapping[int, npt.NDArray[np.float32]]
) -> None:
    """Store the vectors of a document's passages by another model, beside those that are there."""
    values = {
        "document": document_id,
        "model": model,
        "numbers": list(vectors),
        "vectors": [_written(vector) for vector in vectors.values()],
    }
    session.cursor().execute(_ADD_MODEL, values)
    session.cursor().execute(_NAME_MODEL, values)


def _written(vector: npt.NDArray[np.float32]) -> str:
    return "[" + ",".join(map(str, vector.tolist())) + "]"
