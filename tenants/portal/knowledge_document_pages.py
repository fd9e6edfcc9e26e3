"""Pages of the data team: the documents of guidelines, their upload and sources, and the questions left open."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core import audit
from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext, UploadPageRoute
from core.errors import Conflict, FieldError, Invalid
from core.identity import Principal
from core.web.pages import SEE_OTHER
from core.web.paging import Page as ListPage
from core.web.paging import PageRequest, long_pages
from core.web.problem_texts import problem_text, shown_sentence
from core.web.texts import gettext as _
from tenants.knowledge import questions, repository, service, sources
from tenants.knowledge.reading.documents import MOST_BYTES
from tenants.knowledge.reading.languages import LANGUAGES
from tenants.knowledge.service import Draft
from tenants.portal import knowledge_words as words
from tenants.portal.knowledge_pages import HOME, document_page
from tenants.portal.message_words import language_name

router = APIRouter(route_class=UploadPageRoute)

Writer = Annotated[Principal, Depends(require("knowledge.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"asked_at": datetime}, questions.NEWEST_FIRST))]
Text = Annotated[str, Form(max_length=1000)]
DOCUMENTS: Final = f"{HOME}/documents"
SOURCES: Final = f"{HOME}/sources"
ACCEPTED: Final = ".pdf,.docx,.html,.htm,.md,.txt"
MOST_OLDER: Final = 100


@router.get("/guidelines/documents")
def show_documents(page: Page, _principal: Writer, scope: TenantScope, done: str = "", older: str = "") -> HTMLResponse:
    """Show the documents with their states; with ``older``, the versions that are no longer in use."""
    with scope.session(readonly=True) as session:
        source_names = {each.id: words.source_name(each) for each in sources.list_sources(session)}
        documents = repository.out_of_use(session, MOST_OLDER) if older else repository.in_use(session)
        return page.render(
            "portal/knowledge/documents.html",
            scope.principal,
            documents=documents,
            older=bool(older),
            waiting=any(document.state == "waiting" for document in documents),
            source_names=source_names,
            done=words.done(done),
            **shared(scope, DOCUMENTS),
        )


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The form of a document as the browser sends it, without its file."""

    title: str = ""
    language: str = ""
    valid_from: str = ""


def upload_form(title: Text = "", language: Text = "", valid_from: Text = "") -> UploadForm:
    """The form's fields, as text."""
    return UploadForm(" ".join(title.split()), language, valid_from.strip())


@router.get("/guidelines/upload")
def show_upload(page: Page, _principal: Writer, scope: TenantScope) -> HTMLResponse:
    """Show the form of a document."""
    return _upload_page(page, scope, UploadForm())


@router.post("/guidelines/upload", max_body_size=MOST_BYTES + (1 << 20))
def post_upload(
    page: Page,
    _principal: Writer,
    scope: TenantScope,
    form: Annotated[UploadForm, Depends(upload_form)],
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Store a document and enqueue its reading. If the form has errors, show it again with what to correct."""
    try:
        if file is None or not file.filename:
            raise _wrong("file", _("No file was chosen."), _("Choose a file."))
        draft = Draft(service.named("", file.filename), form.title, form.language, valid_from=_day(form.valid_from))
        service.receive(scope.tenant, scope.session, file.file, draft, source="page")
    except Invalid as error:
        return _upload_page(page, scope, form, error)
    return RedirectResponse(f"{DOCUMENTS}?done=added", SEE_OTHER)


@router.post("/guidelines/documents/{document_id}/remove")
def post_removal(page: Page, _principal: Writer, scope: TenantScope, document_id: UUID) -> Response:
    """Remove a document with all its versions."""
    try:
        with scope.session() as session:
            service.forget(session, document_id, source="page")
    except Conflict as error:
        return document_page(page, scope, document_id, error=error)
    return RedirectResponse(f"{DOCUMENTS}?done=removed", SEE_OTHER)


@router.get("/guidelines/sources")
def show_sources(page: Page, _principal: Writer, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the sources, with how the last fetch of each ended and what it brought."""
    return _sources_page(page, scope, done=words.done(done))


@router.post("/guidelines/sources/{guideline_source_id}/fetch")
def post_fetch(page: Page, _principal: Writer, scope: TenantScope, guideline_source_id: UUID) -> Response:
    """Enqueue a fetch of a source."""
    try:
        with scope.session() as session:
            sources.request_fetch(session, guideline_source_id, source="page")
    except Conflict as error:
        return _sources_page(page, scope, error=error)
    return RedirectResponse(f"{SOURCES}?done=fetch", SEE_OTHER)


def _sources_page(page: PageContext, scope: Scope, *, done: str = "", error: Conflict | None = None) -> HTMLResponse:
    with scope.session(readonly=True) as session:
        listed = sources.list_sources(session)
    return page.render(
        "portal/knowledge/sources.html",
        scope.principal,
        status=200 if error is None else error.status,
        sources=listed,
        done=done,
        error=error,
        **shared(scope, SOURCES),
    )


@router.get("/guidelines/questions")
def show_questions(page: Page, _principal: Writer, scope: TenantScope, paging: Ordered, done: str = "") -> HTMLResponse:
    """Show the questions that wait for the data team, newest first."""
    with scope.session(readonly=True) as session:
        part = questions.read_questions(session, paging, is_open=True)
        return page.render(
            "portal/knowledge/questions.html",
            scope.principal,
            questions=part.rows,
            listed=ListPage[dict[str, Any]].of([], paging, part.total, part.last),
            done=words.done(done),
            **shared(scope, f"{HOME}/questions"),
        )


@router.post("/guidelines/questions/{question_id}/settle")
def post_settled(_principal: Writer, scope: TenantScope, question_id: UUID) -> RedirectResponse:
    """Take a question from the open ones."""
    with scope.session() as session:
        questions.mark_handled(session, question_id)
        audit.record(session, "page:knowledge_question:handle", "knowledge_question", question_id)
    return RedirectResponse(f"{HOME}/questions?done=settled", SEE_OTHER)


def _upload_page(page: PageContext, scope: Scope, form: UploadForm, error: Invalid | None = None) -> HTMLResponse:
    return page.render(
        "portal/knowledge/upload.html",
        scope.principal,
        status=200 if error is None else error.status,
        form=form,
        errors=[] if error is None else _problems(error),
        accepted=ACCEPTED,
        megabytes=MOST_BYTES >> 20,
        languages=[("", _("Detect")), *((code, language_name(code)) for code in LANGUAGES)],
        **shared(scope, DOCUMENTS),
    )


def _problems(error: Invalid) -> list[tuple[str, str]]:
    """What to correct: the field, and a text. What concerns no field of the form is said of the file."""
    named = [
        (one.field, " ".join(filter(None, (shown_sentence(one.problem), shown_sentence(one.remedy)))))
        for one in error.errors
    ]
    known = {field.name for field in fields(UploadForm)}
    return [(name if name in known else "file", text) for name, text in named] or [("file", problem_text(error))]


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong("valid_from", _("This is not a day."), _("Write it as YYYY-MM-DD.")) from None


def _wrong(field: str, problem: str, remedy: str) -> Invalid:
    return Invalid(problem, remedy=remedy, errors=[FieldError(field, problem, remedy)])


def shared(scope: Scope, current: str) -> dict[str, Any]:
    """What every page of the data team shows: the ways between them, and the words."""
    return {
        "partner": scope.tenant.name,
        "current": HOME,
        "ways": words.ways(current),
        "words": words,
        "language_name": language_name,
        "zone": ZoneInfo(scope.tenant.time_zone),
    }
