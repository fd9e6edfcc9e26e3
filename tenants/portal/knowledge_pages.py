"""Pages of guidelines: ask a question, read the answer beside its passages, and open the document at its section."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from core import audit
from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import AppError, Invalid
from core.idempotency import REPEATABLE
from core.identity import Principal
from core.web.pages import SEE_OTHER
from tenants.knowledge import questions, repository, service
from tenants.knowledge.answers import Question
from tenants.knowledge.questions import Feedback
from tenants.portal import knowledge_view as view
from tenants.portal import knowledge_words as words
from tenants.portal.message_words import language_name

router = APIRouter()

Reader = Annotated[Principal, Depends(require("knowledge.read", confined=True, by_patient=True))]

HOME: Final = "/guidelines"
LONGEST: Final = 500
"""Characters of a question."""


class QuestionForm(BaseModel):
    """The form of a question, as the browser sends it.

    Attributes:
        language: of the documents that may answer; empty: all.
        patient_id: of the patient on whose page the question was asked; empty elsewhere.
    """

    model_config = ConfigDict(extra="ignore")

    question: str = Field(default="", max_length=2 * LONGEST)
    language: str = Field(default="", max_length=10)
    patient_id: UUID | None = None


class OpinionForm(BaseModel):
    """What a reader says of an answer: the button that was pressed, and a note."""

    model_config = ConfigDict(extra="ignore")

    opinion: Feedback
    note: str = Field(default="", max_length=2 * LONGEST)


@router.get("/guidelines")
def show_ask(page: Page, _: Reader, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the form of a question, and what the guidelines are."""
    return _ask_page(page, scope, QuestionForm(), done=words.done(done))


@router.post("/guidelines", dependencies=[REPEATABLE])
def post_question(page: Page, _: Reader, scope: TenantScope, form: Annotated[QuestionForm, Form()]) -> Response:
    """Answer a question from the guidelines. It is in no address: addresses are logged."""
    question = " ".join(form.question.split())
    if not any(map(str.isalpha, question)) or len(question) > LONGEST:
        return _ask_page(page, scope, form, rejected=True)
    with scope.session(readonly=True) as session:
        if not view.answering_documents(session):
            return _ask_page(page, scope, form)
    return _ask_page(page, scope, form, answer=view.ask(scope, _question(form)))


@router.post("/guidelines/questions/{question_id}/written", dependencies=[REPEATABLE])
def post_written(
    page: Page, _: Reader, scope: TenantScope, question_id: UUID, form: Annotated[QuestionForm, Form()]
) -> Response:
    """Show the written answer to a question whose passages are shown already, once its sentences are checked."""
    return _ask_page(page, scope, form, answer=view.complete(scope, _question(form), question_id))


def _question(form: QuestionForm) -> Question:
    chosen = [form.language] if form.language else []
    return Question(" ".join(form.question.split()), languages=chosen, patient=form.patient_id)


@router.post("/guidelines/questions/{question_id}/opinion")
def post_opinion(
    _: Reader, scope: TenantScope, question_id: UUID, form: Annotated[OpinionForm, Form()]
) -> RedirectResponse:
    """Store what a reader says of an answer."""
    with scope.session() as session:
        questions.give_feedback(session, question_id, form.opinion, " ".join(form.note.split())[:LONGEST] or None)
        audit.record(session, "page:knowledge_question:feedback", "knowledge_question", question_id)
    return RedirectResponse(f"{HOME}?done=opinion", SEE_OTHER)


@router.get("/guidelines/documents/{document_id}")
def show_document(page: Page, _: Reader, scope: TenantScope, document_id: UUID) -> HTMLResponse:
    """Show the text of a document. A link to an answer's passage leads to its section."""
    return document_page(page, scope, document_id)


def document_page(page: PageContext, scope: Scope, document_id: UUID, *, error: AppError | None = None) -> HTMLResponse:
    """The page of a document, and what is wrong with what was asked of it."""
    with scope.session(readonly=True) as session:
        document = service.get(session, document_id)
        older = repository.is_out_of_use(session, document)
        return page.render(
            "portal/knowledge/document.html",
            scope.principal,
            status=200 if error is None else error.status,
            partner=scope.tenant.name,
            current=HOME,
            document=document,
            newer=repository.version_in_use(session, document),
            sections=view.sections(session, document_id),
            older=older,
            state=words.state_of(document, older=older),
            failure=words.failure_of(document),
            error=error,
            language_name=language_name,
            words=words,
            may_write=_may_write(scope),
        )


def _may_write(scope: Scope) -> bool:
    return "knowledge.write" in scope.principal.permissions and scope.principal.reach.everything


def _ask_page(
    page: PageContext,
    scope: Scope,
    form: QuestionForm,
    *,
    answer: view.Answer | None = None,
    rejected: bool = False,
    done: str = "",
) -> HTMLResponse:
    with scope.session(readonly=True) as session:
        documents = view.answering_documents(session)
        return page.render(
            "portal/knowledge/ask.html",
            scope.principal,
            status=Invalid.status if rejected else 200,
            partner=scope.tenant.name,
            current=HOME,
            form=form,
            answer=answer,
            documents=documents,
            languages=words.languages(row.language for row in documents),
            language_name=language_name,
            ways=words.ways(HOME) if _may_write(scope) else [],
            done=done,
            rejected=rejected,
            longest=LONGEST,
            words=words,
            may_write=_may_write(scope),
        )
