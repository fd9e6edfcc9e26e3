"""A document's passages, embedded and stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tenants.knowledge.embedding import embedder

if TYPE_CHECKING:
    from collections.abc import Sequence

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
class Embedded:
    """The passages of a document with their vectors, a row each."""

    passages: Sequence[Passage]
    vectors: npt.NDArray[np.float32]
    model: str


def embed(title: str, passages: Sequence[Passage], model: str) -> Embedded:
    """Return passages with their vectors. No transaction may be open: a thick guideline takes minutes."""
    import numpy as np

    chosen = embedder(model)
    texts = [passage.searched(title) for passage in passages]
    parts = [chosen.passages(texts[start : start + TOGETHER]) for start in range(0, len(texts), TOGETHER)]
    vectors = np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)
    return Embedded(passages, vectors, model)


def store(session: TenantSession, document: KnowledgeDocument, embedded: Embedded) -> None:
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
                    "[" + ",".join(map(str, vector.tolist())) + "]",
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
