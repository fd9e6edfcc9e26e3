"""Pages of imports: upload, progress and report, rejected rows, cancel, undo, today's list, and the history."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext, UploadPageRoute
from core.clock import today
from core.database import TenantSession
from core.errors import AppError, Conflict, FieldError, Invalid, NotFound
from core.idempotency import IN_STEPS
from core.identity import Principal
from core.jobs.repository import get_job
from core.jobs.schemas import JobOut
from core.web.pages import SEE_OTHER
from core.web.paging import Page as ListPage
from core.web.paging import PageRequest, long_pages
from core.web.problem_texts import problem_text, shown_sentence
from core.web.stored_texts import shown_stored
from core.web.streams import StreamedResponse, file_blocks
from core.web.texts import gettext as _
from core.web.uploads import upload_limit
from tenants.imports import report, repository, service, uploads
from tenants.imports.mapping import MAX_MAPPING_BYTES
from tenants.imports.reading import reader as readers
from tenants.imports.uploads import DateOrder, Upload
from tenants.portal import data_words
from tenants.portal.programme_view import newest_periods
from tenants.risk.jobs import request_scoring, scoring_job
from tenants.risk.staleness import latest_day_to_score

router = APIRouter(route_class=UploadPageRoute)

ImportsRead = Annotated[Principal, Depends(require("imports.read"))]
ImportsWrite = Annotated[Principal, Depends(require("imports.write"))]
RiskScore = Annotated[Principal, Depends(require("risk.score"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, "-created_at"))]
Choice = Annotated[str, Form(max_length=60)]
Files = Annotated[list[UploadFile] | None, File()]
MappingFile = Annotated[UploadFile | None, File()]

DATA: Final = "/data"
ACCEPTED: Final = ".csv,.tsv,.txt,.gz,.xlsx,.xlsm,.json,.ndjson,.xml,.zip"
_ORDERS: Final[dict[str, DateOrder]] = {"day-first": "day-first", "month-first": "month-first"}
_FIELDS: Final = {"files": "files", "format": "format", "data_date": "data_date", "dates": "dates"}


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The form of an upload as the browser sends it, without its files."""

    format: str = ""
    data_date: str = ""
    dates: str = ""
    strict: bool = False
    new_people: bool = False


def upload_form(
    format: Choice = "",  # noqa: A002 - the field's name
    data_date: Choice = "",
    dates: Choice = "",
    strict: Choice = "",
    new_people: Choice = "",
) -> UploadForm:
    """The form's fields, as text."""
    return UploadForm(format, data_date.strip(), dates, bool(strict), bool(new_people))


@router.get("/data/upload")
def show_upload(page: Page, _principal: ImportsWrite, scope: TenantScope) -> HTMLResponse:
    """Show the form of an upload."""
    return _upload_page(page, scope, UploadForm())


@router.post("/data/upload", max_body_size=upload_limit())
def post_upload(
    page: Page,
    _principal: ImportsWrite,
    scope: TenantScope,
    form: Annotated[UploadForm, Depends(upload_form)],
    files: Files = None,
    mapping_file: MappingFile = None,
) -> Response:
    """Store the files and enqueue their import. If the form has errors, show it again with what to correct."""
    try:
        upload = _upload(form, files or [], mapping_file)
        summary = uploads.receive(scope, upload)
    except Invalid as error:
        return _upload_page(page, scope, form, error)
    return RedirectResponse(f"/data/imports/{summary.id}", SEE_OTHER)


@router.get("/data/imports")
def show_history(page: Page, _principal: ImportsRead, scope: TenantScope, paging: Ordered) -> HTMLResponse:
    """Show the imports, newest first."""
    with scope.session() as session:
        part = repository.page(session, paging)
        summaries = [report.summary(session, row) for row in part.rows]
    listed = ListPage[dict[str, Any]].of([], paging, part.total, part.last)
    return page.render(
        "portal/data/history.html",
        scope.principal,
        partner=scope.tenant.name,
        current=DATA,
        imports=summaries,
        listed=listed,
        words=data_words,
        zone=ZoneInfo(scope.tenant.time_zone),
    )


@router.get("/data/imports/{import_id}")
def show_import(page: Page, _principal: ImportsRead, scope: TenantScope, import_id: UUID) -> HTMLResponse:
    """Show an import: its progress while it runs, then its report."""
    return _import_page(page, scope, import_id)


@router.get("/data/imports/{import_id}/progress")
def show_progress(page: Page, _principal: ImportsRead, scope: TenantScope, import_id: UUID) -> HTMLResponse:
    """Return the part of the import's page that changes while it runs."""
    return _import_page(page, scope, import_id, template="portal/data/import_report.html")


@router.get("/data/imports/{import_id}/rejections.csv")
def download_rejections(_principal: ImportsRead, scope: TenantScope, import_id: UUID) -> StreamedResponse:
    """Download the rejected rows as CSV in the reader's language: place, problem and remedy, and no value."""
    with scope.session() as session:
        file = report.rejections_file(session, import_id, shown_stored)
    headers = {"Content-Disposition": f'attachment; filename="rejections-{import_id}.csv"'}
    return StreamedResponse(scope.while_valid(file_blocks(file)), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/data/imports/{import_id}/cancel", dependencies=[IN_STEPS])
def post_cancel(page: Page, _principal: ImportsWrite, scope: TenantScope, import_id: UUID) -> Response:
    """Cancel an import that has not begun to write records."""
    try:
        uploads.cancel(scope, import_id)
    except Conflict as error:
        return _import_page(page, scope, import_id, error=error)
    return _to(import_id)


@router.post("/data/imports/{import_id}/undo")
def post_undo(page: Page, _principal: ImportsWrite, scope: TenantScope, import_id: UUID) -> Response:
    """Undo an import that is done."""
    try:
        with scope.session() as session:
            service.undo(session, import_id)
    except Conflict as error:
        return _import_page(page, scope, import_id, error=error)
    return _to(import_id)


@router.post("/data/imports/{import_id}/list", dependencies=[IN_STEPS])
def post_list(_reader: ImportsRead, _principal: RiskScore, scope: TenantScope, import_id: UUID) -> Response:
    """Enqueue the scoring of the newest day that the records reach, from which today's lists are made."""
    with scope.session() as session:
        service.get(session, import_id)
        request_scoring(session, latest_day_to_score(session))
    return _to(import_id)


def _to(import_id: UUID) -> RedirectResponse:
    return RedirectResponse(f"/data/imports/{import_id}", SEE_OTHER)


def _upload(form: UploadForm, files: list[UploadFile], mapping_file: UploadFile | None) -> Upload:
    """The upload that a form describes.

    Raises:
        Invalid: there is no file, the mapping file is too large, or the day is not valid.
    """
    chosen = [(file.filename or "", file.file) for file in files if file.filename]
    if not chosen:
        raise _wrong("files", _("No file was chosen."), _("Choose one or more files."))
    mapping = ""
    if mapping_file is not None and mapping_file.filename:
        content = mapping_file.file.read(MAX_MAPPING_BYTES + 1)
        mapping = content.decode("utf-8", "replace") or " "
    return Upload(
        chosen,
        mapping,
        form.format,
        _day(form.data_date),
        _ORDERS.get(form.dates),
        form.strict,
        form.new_people,
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong("data_date", _("This is not a day."), _("Write it as YYYY-MM-DD.")) from None


def _wrong(field: str, problem: str, remedy: str) -> Invalid:
    return Invalid(problem, remedy=remedy, errors=[FieldError(field, problem, remedy)])


def _upload_page(page: PageContext, scope: Scope, form: UploadForm, error: Invalid | None = None) -> HTMLResponse:
    formats = list(readers.formats().values())
    return page.render(
        "portal/data/upload.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current=DATA,
        form=form,
        errors=[] if error is None else _problems(error),
        formats=[("", _("Detect")), *((each.name, shown_stored(each.description)) for each in formats)],
        dates=data_words.DATES,
        accepted=ACCEPTED,
        today=today(scope.tenant.time_zone),
        megabytes=upload_limit() >> 20,
    )


def _problems(error: AppError) -> list[tuple[str, str]]:
    """The problems of the form: the field to correct, and a text. Any other field is a key of the mapping."""
    if not error.errors:
        return [("files", problem_text(error))]
    return [
        (
            _FIELDS.get(problem.field, "mapping_file"),
            " ".join(
                [
                    *([] if problem.field in (*_FIELDS, "mapping") else [f"{problem.field}:"]),
                    shown_sentence(problem.problem),
                    shown_sentence(problem.remedy),
                ]
            ),
        )
        for problem in error.errors
    ]


def _import_page(
    page: PageContext,
    scope: Scope,
    import_id: UUID,
    *,
    template: str = "portal/data/import.html",
    error: AppError | None = None,
) -> HTMLResponse:
    with scope.session() as session:
        row = service.get(session, import_id)
        summary = report.summary(session, row)
        working = summary.state in data_words.WORKING
        job = _job(session, summary.job_id) if working else None
        ended = summary.state in data_words.ENDED
        scoring = scoring_job(session, latest_day_to_score(session)) if ended else None
        changed_at = repository.last_change(session)
        periods = newest_periods(session) if ended else []
    return page.render(
        template,
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current=DATA,
        summary=summary,
        working=working,
        live="events.read" in scope.principal.permissions and scope.principal.reach.everything,
        job=job,
        scoring=scoring,
        ended=ended,
        list_in_work=scoring is not None and scoring.state in ("queued", "running"),
        list_made=_is_after(scoring, changed_at) and scoring is not None and scoring.state == "done",
        list_lacks_it=summary.state == "done" and not _is_after(scoring, row.finished_at),
        periods=periods,
        rejected=data_words.problem_rows(summary.problems, accepted=False),
        noted=data_words.problem_rows(summary.problems, accepted=True),
        counts=data_words.count_rows(summary),
        error=error,
        words=data_words,
        zone=ZoneInfo(scope.tenant.time_zone),
        permissions=scope.principal.permissions,
    )


def _is_after(job: JobOut | None, moment: datetime | None) -> bool:
    """Whether a job was enqueued after a moment."""
    return job is not None and (moment is None or job.created_at > moment)


def _job(session: TenantSession, job_id: UUID | None) -> JobOut | None:
    """The job that works on an import; None if there is none."""
    if job_id is None:
        return None
    try:
        return get_job(session, job_id)
    except NotFound:
        return None
