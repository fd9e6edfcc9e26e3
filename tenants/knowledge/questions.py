"""Stored questions and what people say of their answers: what the data team reads to complete the guidelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import or_
from sqlmodel import col, select

from core.clock import now
from core.errors import NotFound
from core.metering import record
from core.web.keyset import read_slice
from tenants.knowledge.models_questions import KnowledgeQuestion
from tenants.knowledge.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.knowledge.retrieval import Hit

Outcome = Literal["quoted", "written", "none"]
Feedback = Literal["useful", "wrong", "missing"]

METER: Final = "knowledge_questions"
NEWEST_FIRST: Final = "-asked_at"
AT_ONCE: Final = 5_000
"""Questions that one batch of retention deletes."""
_NO_QUESTION: Final = "there is no such question"


def store(
    session: TenantSession,
    *,
    text: str,
    language: str,
    facts: Sequence[str],
    outcome: Outcome,
    probability: float,
    model: str,
    passages: Sequence[Hit],
) -> UUID:
    """Store a question, and count it; return its id.

    Args:
        session: the tenant's transaction.
        text: redacted.
        language: of the text.
        facts: of the patient whom it is about, in coarse words.
        outcome: of the search.
        probability: that the passages answer it.
        model: whose vectors found them.
        passages: the first that were found.
    """
    row = KnowledgeQuestion(
        text=text,
        language=language,
        facts=", ".join(facts),
        outcome=outcome,
        probability=probability,
        model=model,
        passages=[
            {"document": str(each.document_uuid), "version": each.version, "number": each.number} for each in passages
        ],
    )
    session.add(row)
    session.flush()
    record(session, METER, 1, key=str(row.uuid), dimensions={"outcome": outcome})
    return row.uuid


def begin_writing(session: TenantSession, question: UUID, text: str) -> bool:
    """Return whether a written answer to a stored question is still due, and note that somebody waits for it.

    Args:
        session: the tenant's transaction.
        question: the stored one.
        text: redacted, as it was stored.

    Raises:
        NotFound: there is no such question with this text.
    """
    query = select(KnowledgeQuestion).where(KnowledgeQuestion.uuid == question, KnowledgeQuestion.text == text)
    row = session.exec(query.with_for_update()).first()
    if row is None:
        raise NotFound(_NO_QUESTION)
    is_due = row.outcome == "quoted" and row.fallback is None
    if is_due:
        row.fallback = "interrupted"  # replaced by what became of it, unless this process ends before
        session.add(row)
    return is_due


def note_outcome(session: TenantSession, question: UUID, outcome: Outcome, fallback: str | None) -> None:
    """Store what became of a written answer."""
    row = session.get(KnowledgeQuestion, question)
    if row is not None:  # else retention or a restore removed it meanwhile
        row.outcome, row.fallback = outcome, fallback
        session.add(row)


def give_feedback(session: TenantSession, question: UUID, feedback: Feedback, note: str | None) -> KnowledgeQuestion:
    """Store what somebody says of an answer, in place of what was said before; return the question.

    Raises:
        NotFound: there is no such question.
    """
    row = get(session, question)
    row.feedback, row.feedback_at = feedback, now()
    row.note = None if note is None else redacted(session, note, row.language).text
    session.add(row)
    return row


def mark_handled(session: TenantSession, question: UUID) -> KnowledgeQuestion:
    """Take a question from the list of open ones; return it.

    Raises:
        NotFound: there is no such question.
    """
    row = get(session, question)
    row.handled_at = row.handled_at or now()
    session.add(row)
    return row


def get(session: TenantSession, question: UUID) -> KnowledgeQuestion:
    """Return a question.

    Raises:
        NotFound: there is no such question.
    """
    row = session.get(KnowledgeQuestion, question)
    if row is None:
        raise NotFound(_NO_QUESTION)
    return row


def read_questions(
    session: TenantSession, paging: PageRequest, *, is_open: bool, feedback: Feedback | None = None
) -> Slice[KnowledgeQuestion]:
    """Return one page of questions.

    Args:
        session: the tenant's transaction.
        paging: the page, ordered by ``asked_at``.
        is_open: only those that the guidelines do not answer, or whose answer is called wrong or incomplete, as long as
            nobody has dealt with them.
        feedback: only those with this feedback.
    """
    statement = select(KnowledgeQuestion)
    if is_open:
        statement = statement.where(
            col(KnowledgeQuestion.handled_at).is_(None),
            or_(
                col(KnowledgeQuestion.outcome) == "none",
                col(KnowledgeQuestion.feedback).in_(("wrong", "missing")),
            ),
        )
    if feedback is not None:
        statement = statement.where(col(KnowledgeQuestion.feedback) == feedback)
    columns: dict[str, Any] = {"asked_at": col(KnowledgeQuestion.asked_at)}
    return read_slice(session, statement, paging, columns, col(KnowledgeQuestion.uuid))


def delete_old(session: TenantSession, before: datetime) -> int:
    """Delete a batch of questions that were asked before an instant; return how many."""
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM knowledge_questions WHERE uuid IN"
            " (SELECT uuid FROM knowledge_questions WHERE asked_at < %s ORDER BY asked_at LIMIT %s)",
            (before, AT_ONCE),
        )
        return cursor.rowcount
