"""Collect the content of the pages of guidelines: an answer with its passages, a document, and the documents in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core.entitlements import Decision
from core.errors import Invalid
from core.web import texts
from tenants.knowledge import answers, repository
from tenants.knowledge.patient_facts import facts_today, suggested_questions
from tenants.knowledge.serving import scope_of
from tenants.portal import knowledge_words as words

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from core.access import Scope
    from core.database import TenantSession
    from tenants.knowledge.answers import Question
    from tenants.knowledge.models import KnowledgeDocument
    from tenants.knowledge.quoting import Quote
    from tenants.knowledge.retrieval import Hit
    from tenants.portal.knowledge_words import Part

COLUMNS_END: Final = "\n| ---"
"""What follows the column headings of a table, which say nothing alone."""
MOST_SUGGESTIONS: Final = 3
MOST_SENTENCES: Final = 4
"""Sentences of an answer that is quoted: more are read in the passages."""


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
        id: under which a reader says whether it helped.
        sentences: each with the numbers of its sources; empty where the guidelines do not answer.
        sources: empty where the guidelines do not answer.
        searched: titles of the documents that were looked through.
        nearest: where the guidelines do not answer: the address and the words of the passages that come nearest.
        facts: of the patient whom the question is about, in words; none of them names anybody.
        is_written: whether a language model wrote the sentences, each checked against its sources.
        is_final: whether no written answer may follow.
        limit: why the partner's plan permits no written answer now, and what to do.
    """

    id: UUID
    sentences: Sequence[tuple[str, Sequence[int]]]
    sources: Sequence[Source]
    searched: Sequence[str]
    nearest: Sequence[tuple[str, str]]
    facts: Sequence[str]
    is_written: bool
    is_final: bool
    limit: Decision | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A passage on the page of its document; ``headings`` are those that the passage before did not have."""

    number: int
    headings: Sequence[tuple[int, str]]
    page: int | None
    parts: Sequence[Part]


def ask(scope: Scope, question: Question) -> Answer:
    """Return what the guidelines say to a question, word for word. No transaction may be open.

    Raises:
        Invalid: it is about a patient whom the reader does not reach.
        Forbidden: it is about a patient, and the reader may not see patients.
    """
    return _shown(scope, question, next(answers.steps(scope, question)))


def complete(scope: Scope, question: Question, stored: UUID) -> Answer:
    """Return the final answer to a question that was asked before. No transaction may be open.

    Raises:
        NotFound: it was not asked.
        Invalid: it is about a patient whom the reader does not reach.
        Forbidden: as ``ask``.
    """
    return _shown(scope, question, answers.complete(scope, question, stored))


def _shown(scope: Scope, question: Question, answer: answers.Answer) -> Answer:
    searched: list[str] = []
    if not answer.quotes:
        with scope.session(readonly=True) as session:
            searched = [row.title for row in answering_documents(session, question.languages)]
    return Answer(
        id=answer.id,
        sentences=_sentences(answer)[:MOST_SENTENCES],
        sources=[_source(quote) for quote in answer.quotes],
        searched=searched,
        nearest=[(_href(each), f"{each.title}: {words.place(each.section, each.page)}") for each in answer.nearest],
        facts=answer.facts,
        is_written=answer.outcome == "written",
        is_final=answer.is_final,
        limit=answer.limit,
    )


def suggestions(session: TenantSession, patient_id: UUID, permissions: Collection[str]) -> list[str] | None:
    """Return questions that a patient's facts suggest, in the reader's language; None if the reader may ask none.

    The page of the patient records the read.
    """
    if "knowledge.read" not in permissions or not set(answers.FACTS_NEED) <= set(permissions):
        return None
    if not answering_documents(session):
        return None
    try:
        facts = facts_today(session, patient_id)
    except Invalid:  # a voided record is shown, and has no facts
        return []
    return suggested_questions(facts, texts.language())[:MOST_SUGGESTIONS]


def _sentences(answer: answers.Answer) -> list[tuple[str, Sequence[int]]]:
    """The written sentences, or those of the passages that answer best."""
    if answer.outcome == "written":
        return [(each.text, each.passages) for each in answer.sentences]
    return [
        (words.sentence(quote.passage.text[each.start : each.end]), (quote.number,))
        for quote in answer.quotes
        for each in quote.sentences
        if each.marked and not quote.passage.text.startswith(COLUMNS_END, each.end)
    ]


def _source(quote: Quote) -> Source:
    passage = quote.passage
    return Source(
        number=quote.number,
        href=_href(passage),
        title=passage.title,
        place=words.place(passage.section, passage.page),
        version=words.version(passage.version, None),
        parts=words.parts(passage.text, [(each.start, each.end) for each in quote.sentences if each.marked]),
    )


def _href(passage: Hit) -> str:
    return f"/guidelines/documents/{passage.document_uuid}#passage-{passage.number}"


def answering_documents(session: TenantSession, languages: Sequence[str] = ()) -> list[KnowledgeDocument]:
    """Return the documents in which a question is searched today, by title: of ``languages``, or as settings say."""
    return repository.searched(session, scope_of(session, texts.language(), languages=languages))


def sections(session: TenantSession, document_id: UUID) -> list[Section]:
    """Return the passages of a document in their order."""
    listed: list[Section] = []
    above: list[str] = []
    for passage in repository.passages(session, document_id):
        headings = passage.section.split(" > ") if passage.section else []
        same = next(
            (place for place, pair in enumerate(zip(above, headings, strict=False)) if pair[0] != pair[1]),
            min(len(above), len(headings)),
        )
        # The first heading is the document's title, which the page has above all.
        new = [(level, text) for level, text in enumerate(headings) if level >= max(same, 1)]
        listed.append(Section(passage.number, new, passage.page, words.parts(passage.text)))
        above = headings
    return listed
