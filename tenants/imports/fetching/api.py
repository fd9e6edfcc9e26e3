"""Routes of sources: records that come by themselves."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import TenantDb, require
from core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.identity import Principal
from core.jobs.schemas import AcceptedJob
from core.web.etag import IfMatch, set_etag
from core.web.location import set_job_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.imports.fetching import repository, service
from tenants.imports.fetching.schemas import FetchedFileOut, FetchIn, ImportSourceIn, ImportSourceOut

router = APIRouter(prefix="/import-sources", tags=["imports"])

ImportsRead = Annotated[Principal, Depends(require("imports.read"))]
ImportsWrite = Annotated[Principal, Depends(require("imports.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"fetched_at": datetime}, "-fetched_at"))]
CHANGE = responses(NotFound, PreconditionFailed, PreconditionRequired)


@router.get("", operation_id="list_import_sources", summary="List the sources of records")
def list_import_sources(_: ImportsRead, db: TenantDb) -> list[ImportSourceOut]:
    """Return one source for each instance of an importer, oldest first. `POST /v1/plugin-instances` adds one."""
    return [ImportSourceOut.of(state) for state in service.list_sources(db)]


@router.get("/{source_id}", operation_id="get_import_source", summary="Get a source", responses=responses(NotFound))
def get_import_source(_: ImportsRead, db: TenantDb, source_id: UUID, response: Response) -> ImportSourceOut:
    """Return a source with its schedule, how its last fetch ended, and its ETag."""
    return _answer(response, service.get_source(db, source_id))


@router.put("/{source_id}", operation_id="put_import_source", summary="Change a source", responses=CHANGE)
def put_import_source(
    _: ImportsWrite, db: TenantDb, source_id: UUID, body: ImportSourceIn, if_match: IfMatch, response: Response
) -> ImportSourceOut:
    """Set when a source is fetched, and how its files are imported. Files that were rejected are then tried again."""
    terms = service.Terms(**body.model_dump())
    return _answer(response, service.change_source(db, source_id, terms, source="api", expected=if_match))


@router.post(
    "/{source_id}/fetch",
    operation_id="fetch_import_source",
    summary="Fetch the new files of a source now",
    status_code=202,
    responses=responses(NotFound, Conflict),
)
def fetch_import_source(
    _: ImportsWrite, db: TenantDb, source_id: UUID, body: FetchIn, response: Response
) -> AcceptedJob:
    """Enqueue a fetch. While one waits or runs, it is that one. Each new file becomes an import of its own."""
    job_id = service.request_fetch(db, source_id, source="api", again=body.again)
    set_job_location(response, job_id)
    return AcceptedJob(job_id=job_id)


@router.get(
    "/{source_id}/files",
    operation_id="list_fetched_files",
    summary="List the files of a source that were fetched",
    responses=responses(NotFound),
)
def list_fetched_files(_: ImportsRead, db: TenantDb, source_id: UUID, paging: Ordered) -> Page[FetchedFileOut]:
    """Return what became of each file, the newest first unless sorted."""
    service.get_source(db, source_id)
    part = repository.page_of_files(db, source_id, paging)
    states = repository.file_states(db, part.rows)
    items = [FetchedFileOut.of(row, states[row.id]) for row in part.rows]
    return Page.of(items, paging, part.total, part.last)


def _answer(response: Response, state: service.SourceState) -> ImportSourceOut:
    set_etag(response, state.version, personal=False)
    return ImportSourceOut.of(state)
