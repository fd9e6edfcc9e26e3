"""Passages for a question: by words and by meaning, in one order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from tenants.knowledge.abbreviations import written_out
from tenants.knowledge.by_meaning import by_meaning
from tenants.knowledge.by_words import by_words
from tenants.knowledge.embedding import embedder
from tenants.knowledge.ranking import blended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from tenants.knowledge.scope import Scope

Method = Literal["hybrid", "text", "vectors"]

CANDIDATES: Final = 50
"""Passages that each of the two orders brings."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    Attributes:
        document_uuid: the version of the document.
        title: of the document.
        url: of the document; empty if it has none.
        version: of the document.
        number: its place in the document, from 1.
        section: the headings above it, in one line.
        page: on which it begins; None where the document has no pages.
        text: to be quoted.
        score: by which it was found; comparable within one question.
        nearness: cosine similarity to the question; None where only words found it.
    """

    document_uuid: UUID
    title: str
    url: str
    version: int
    number: int
    section: str
    page: int | None
    text: str
    score: float
    nearness: float | None


def find(
    session: TenantSession, question: str, scope: Scope, *, limit: int = 8, method: Method = "hybrid"
) -> list[Hit]:
    """Return the passages that answer a question best, best first.

    Args:
        session: of the tenant that asks. The vector of the question is computed in it, so ask with a vector where a
            transaction must be short.
        question: in people's words.
        scope: which passages may answer.
        limit: the most passages.
        method: both orders, or one of them.
    """
    question = written_out(question, scope.language)
    vector = embedder(scope.model).question(question).tolist() if method != "text" else ()
    return find_by(session, question, vector, scope, limit=limit, method=method)


def find_by(
    session: TenantSession,
    question: str,
    vector: Sequence[float],
    scope: Scope,
    *,
    limit: int = 8,
    method: Method = "hybrid",
) -> list[Hit]:
    """Return what ``find`` returns, by a vector of the question that is there already."""
    words = by_words(session, question, scope, CANDIDATES) if method != "vectors" else []
    near = by_meaning(session, vector, scope, CANDIDATES) if method != "text" else []
    order = blended(words, near) if method == "hybrid" else words or near
    return _read(session, scope, order[:limit], dict(near))


_READ: Final = ("document_uuid", "title", "url", "version", "number", "section", "page", "text")


def _read(
    session: TenantSession, scope: Scope, order: Sequence[tuple[str, float]], near: Mapping[str, float]
) -> list[Hit]:
    rows = session.cursor().execute(
        "SELECT p.node_id, p.document_uuid, d.title, d.url, d.version, p.number, p.section, p.page, p.text"
        " FROM data_passages p JOIN knowledge_documents d ON d.uuid = p.document_uuid"
        " WHERE p.node_id = ANY(%s) AND p.model = %s",
        ([key for key, _ in order], scope.model),
    )
    facts = {row[0]: dict(zip(_READ, row[1:], strict=True)) for row in rows}
    return [Hit(**facts[key], score=score, nearness=near.get(key)) for key, score in order if key in facts]
