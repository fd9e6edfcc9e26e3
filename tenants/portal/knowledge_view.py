"""Collect the content of the pages of guidelines: an answer with its passages, a document, and the documents in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlmodel import col, select

from core.clock import today
from core.errors import NotFound
from tenants.knowledge.models import KnowledgeDocument
from tenants.knowledge.retrieval import find
from tenants.knowledge.scope import Scope as Passages
from tenants.portal import knowledge_words as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.access import Scope
    from core.database import TenantSession
    from tenants.knowledge.retrieval import Found
    from tenants.portal.knowledge_words import Part

MOST_SOURCES: Final = 4
"""Passages beside an answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """A passage beside an answer.

    Attributes:
        number: by which the answer's sentences name it, from 1.
        href: of the document's page, at the passage.
        place: section and page, in words.
        parts: of its text, with what answers marked.
    """

    number: int
    href: str
    title: str
    place: str
    version: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the guidelines say to a question.

    Attributes:
        id: under which a reader says whether it helped; None if it is not stored.
        sentences: each with the number of its source; empty where the guidelines do not answer.
        sources: empty where the guidelines do not answer.
        searched: titles of the documents that were looked through.
        facts: of the patient whom the question is about, in words; none of them names anybody.
        written: whether a language model wrote the sentences, each checked against its source.
    """

    id: UUID | None
    sentences: Sequence[tuple[str, int]]
    sources: Sequence[Source]
    searched: Sequence[str]
    facts: Sequence[str] = ()
    written: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A passage on the page of its document; ``headings`` are those that the passage before did not have."""

    number: int
    headings: Sequence[tuple[int, str]]
    page: int | None
    parts: Sequence[Part]


def ask(scope: Scope, question: str, *, language: str, languages: Sequence[str]) -> Answer:
    """Return what the guidelines say to a question.

    Args:
        scope: of the reader.
        question: in people's words.
        language: of the question, ISO 639.
        languages: of the documents; empty: all.
    """
    chosen = Passages("e5", today(scope.tenant.time_zone), language, languages)
    with scope.session(readonly=True) as session:
        found = find(session, question, chosen, limit=MOST_SOURCES)
        searched = [
            row.title for row in current_documents(session) if row.state == "searchable" and _reads(row, languages)
        ]
    return Answer(None, [], [_source(number, each) for number, each in enumerate(found, 1)], searched)


def _source(number: int, found: Found, marks: Sequence[tuple[int, int]] = ()) -> Source:
    return Source(
        number=number,
        href=f"/guidelines/documents/{found.document_uuid}#passage-{found.number}",
        title=found.title,
        place=words.place(found.section, found.page),
        version=words.version(found.version, None),
        parts=words.parts(found.text, marks),
    )


def _reads(document: KnowledgeDocument, languages: Sequence[str]) -> bool:
    return not languages or document.language in languages


def current_documents(session: TenantSession) -> list[KnowledgeDocument]:
    """Return the newest version of each document, by title."""
    query = select(KnowledgeDocument).where(col(KnowledgeDocument.superseded_at).is_(None))
    return list(session.exec(query.order_by(col(KnowledgeDocument.title), col(KnowledgeDocument.uuid))))


def older_documents(session: TenantSession, limit: int) -> list[KnowledgeDocument]:
    """Return the versions that are no longer in use, the last replaced first."""
    query = select(KnowledgeDocument).where(col(KnowledgeDocument.superseded_at).is_not(None))
    return list(session.exec(query.order_by(col(KnowledgeDocument.superseded_at).desc()).limit(limit)))


def document(session: TenantSession, document_id: UUID) -> KnowledgeDocument:
    """Return a document.

    Raises:
        NotFound: there is none with this id.
    """
    row = session.get(KnowledgeDocument, document_id)
    if row is None:
        detail = "there is no such document"
        raise NotFound(detail)
    return row


def version_in_use(session: TenantSession, row: KnowledgeDocument) -> UUID | None:
    """Return the id of the version of a document that is in use; None if there is none."""
    query = select(KnowledgeDocument.uuid).where(
        col(KnowledgeDocument.name) == row.name,
        col(KnowledgeDocument.source_id).is_not_distinct_from(row.source_id),
        col(KnowledgeDocument.superseded_at).is_(None),
        col(KnowledgeDocument.state) == "searchable",
    )
    return session.exec(query).first()


_PASSAGES: Final = """
SELECT DISTINCT ON (number) number, section, page, text FROM data_passages
WHERE document_uuid = %s ORDER BY number, model
"""


def sections(session: TenantSession, document_id: UUID) -> list[Section]:
    """Return the passages of a document in their order."""
    found: list[Section] = []
    above: list[str] = []
    for number, section, page, text in session.cursor().execute(_PASSAGES, (document_id,)):
        headings = section.split(" > ") if section else []
        same = next(
            (place for place, pair in enumerate(zip(above, headings, strict=False)) if pair[0] != pair[1]),
            min(len(above), len(headings)),
        )
        # The first heading is the document's title, which the page has above all.
        new = [(level, text) for level, text in enumerate(headings) if level >= max(same, 1)]
        found.append(Section(number, new, page, words.parts(text)))
        above = headings
    return found
