"""Routes of questions to the guidelines: ask, stream, say what an answer was worth, list what is open."""

from collections.abc import Generator
from datetime import datetime
from itertools import chain
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from core import audit, telemetry
from core.access import TenantDb, TenantScope, require
from core.errors import NotFound
from core.errors.database import as_app_error
from core.errors.problem import problem, responses
from core.events.stream import HEADERS, MEDIA_TYPE, frame
from core.idempotency import REPEATABLE
from core.identity import Principal
from core.web.paging import Page, PageRequest, long_pages
from core.web.streams import StreamedResponse
from tenants.knowledge import answers, questions
from tenants.knowledge.answers import Answer, Question
from tenants.knowledge.schemas_ask import FeedbackPut, FeedbackVerdict, KnowledgeAnswer, QuestionPost, StoredQuestion

router = APIRouter(prefix="/knowledge", tags=["knowledge"])

Asker = Annotated[Principal, Depends(require("knowledge.read", confined=True, by_patient=True))]
DataTeam = Annotated[Principal, Depends(require("knowledge.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"asked_at": datetime}, questions.NEWEST_FIRST))]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `quotes` with the passages, `answer` if one may be written, then `end`."
        " The data of the first two is that of an answer. After an error the last event is `problem`.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/ask",
    operation_id="ask_guidelines",
    summary="Find what the guidelines say",
    dependencies=[REPEATABLE],
)
def ask_guidelines(_: Asker, scope: TenantScope, body: QuestionPost) -> KnowledgeAnswer:
    """Return passages of the partner's documents, word for word, or that they do not say it.

    If the settings ask for a written answer, each of its sentences was checked against the passage that it cites.
    """
    return KnowledgeAnswer.of(answers.ask(scope, _question(body)))


@router.post(
    "/ask/stream",
    operation_id="stream_guidelines",
    summary="Find what the guidelines say, step by step",
    dependencies=[REPEATABLE],
    responses=STREAM,
    response_class=StreamingResponse,
)
def stream_guidelines(_: Asker, scope: TenantScope, body: QuestionPost) -> StreamingResponse:
    """Stream the passages as soon as they are there, and the written answer once its sentences are checked."""
    steps = answers.steps(scope, _question(body))
    first = next(steps)  # here, so that its errors get an ordinary answer
    return StreamedResponse(_frames(first, steps), media_type=MEDIA_TYPE, headers=HEADERS)


@router.get("/questions", operation_id="list_questions", summary="List questions that were asked, newest first")
def list_questions(
    _: DataTeam,
    db: TenantDb,
    paging: Ordered,
    *,
    is_open: Annotated[
        bool,
        Query(
            alias="open",
            description="Only those that the guidelines do not answer, or whose answer is called wrong or incomplete,"
            " and that nobody has dealt with.",
        ),
    ] = False,
    feedback: Annotated[FeedbackVerdict | None, Query(description="Only those with this feedback.")] = None,
) -> Page[StoredQuestion]:
    """Return one page of questions. Names, phones and identifiers were removed before they were stored."""
    part = questions.read_questions(db, paging, is_open=is_open, feedback=feedback)
    return Page.of([StoredQuestion.of(row) for row in part.rows], paging, part.total, part.last)


@router.put(
    "/questions/{question_id}/feedback",
    operation_id="set_question_feedback",
    summary="Set what an answer was worth",
    responses=responses(NotFound),
)
def set_question_feedback(_: Asker, db: TenantDb, question_id: UUID, body: FeedbackPut) -> StoredQuestion:
    """Store the feedback in place of an earlier one."""
    row = questions.give_feedback(db, question_id, body.feedback, body.note)
    audit.record(db, "api:knowledge_question:feedback", "knowledge_question", question_id)
    return StoredQuestion.of(row)


@router.post(
    "/questions/{question_id}/handle",
    operation_id="handle_question",
    summary="Remove a question from the open ones",
    responses=responses(NotFound),
)
def handle_question(_: DataTeam, db: TenantDb, question_id: UUID) -> StoredQuestion:
    """Mark a question as dealt with, because the guidelines say it now, or never will."""
    row = questions.mark_handled(db, question_id)
    audit.record(db, "api:knowledge_question:handle", "knowledge_question", question_id)
    return StoredQuestion.of(row)


def _question(body: QuestionPost) -> Question:
    return Question(
        text=body.question,
        language=body.language,
        languages=body.languages,
        sources=body.sources,
        patient=body.patient_id,
        limit=body.limit,
    )


def _frames(first: Answer, following: Generator[Answer]) -> Generator[str]:
    try:
        for answer in chain([first], following):
            name = "quotes" if answer is first else "answer"
            yield frame(name, str(answer.id), KnowledgeAnswer.of(answer).model_dump(mode="json"))
    except Exception as error:
        yield frame("problem", str(first.id), problem(as_app_error(error), telemetry.request_id()))
        raise
    yield frame("end", str(first.id), {})
