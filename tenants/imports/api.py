"""Routes of imports."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile

from core.access import TenantDb, TenantScope, require
from core.idempotency import IN_STEPS
from core.identity import Principal
from core.web.days import IsoDay
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from core.web.streams import StreamedResponse, file_blocks
from core.web.uploads import UploadRoute, upload_limit
from tenants.imports import report, repository, service, uploads
from tenants.imports.examples import CANCELLED, PENDING, UNDOING
from tenants.imports.reading import reader as readers
from tenants.imports.schemas import FormatOut, ImportSummary
from tenants.imports.uploads import DateOrder, Upload

router = APIRouter(tags=["imports"], route_class=UploadRoute)

ImportsRead = Annotated[Principal, Depends(require("imports.read"))]
ImportsWrite = Annotated[Principal, Depends(require("imports.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, "-created_at"))]


def _example(status: int, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {status: {"content": {"application/json": {"example": example}}}}


@router.post(
    "/imports",
    operation_id="create_import",
    summary="Import files",
    status_code=202,
    responses=_example(202, PENDING),
    max_body_size=upload_limit(),
)
def create_import(  # noqa: PLR0913, PLR0917 - FastAPI passes form fields by name
    _: ImportsWrite,
    scope: TenantScope,
    response: Response,
    files: Annotated[list[UploadFile], File(description="One or more files.")],
    mapping: Annotated[str, Form(description="The mapping (YAML), if the format needs one.")] = "",
    format: Annotated[str, Form(description="Format of the files. Default: detected.")] = "",  # noqa: A002
    data_date: Annotated[
        IsoDay | None, Form(description="Date to which the data run; overrides the mapping's.")
    ] = None,
    dates: Annotated[
        DateOrder | None,
        Form(description="What comes first in dates such as 03/04/2024; overrides the mapping's `dates`."),
    ] = None,
    strict: Annotated[bool, Form(description="Import nothing if any row is rejected.")] = False,  # noqa: FBT002
    new_people: Annotated[  # noqa: FBT002
        bool, Form(description="The people are new, even if no person at a facility is known.")
    ] = False,
) -> ImportSummary:
    """Store the files encrypted, and enqueue their import. The same files, sent again while it runs, are one import."""
    upload = Upload(
        [(file.filename or "", file.file) for file in files], mapping, format, data_date, dates, strict, new_people
    )
    summary = ImportSummary.model_validate(uploads.receive(scope, upload))
    set_location(response, f"/v1/imports/{summary.id}")
    return summary


@router.get("/imports", operation_id="list_imports", summary="List imports, newest first unless sorted")
def list_imports(_: ImportsRead, db: TenantDb, paging: Ordered) -> Page[ImportSummary]:
    """All imports of the tenant."""
    part = repository.page(db, paging)
    items = [ImportSummary.model_validate(report.summary(db, row)) for row in part.rows]
    return Page.of(items, paging, part.total, part.last)


@router.get("/imports/formats", operation_id="list_import_formats", summary="List the formats that can be imported")
def list_import_formats(_: ImportsRead) -> list[FormatOut]:
    """Return the values that ``format`` of a new import takes."""
    return [
        FormatOut(name=item.name, description=item.description, mapping_needed=item.mapping_needed)
        for item in readers.formats().values()
    ]


@router.get("/imports/{import_id}", operation_id="get_import", summary="Get an import and how far it is")
def get_import(_: ImportsRead, db: TenantDb, import_id: UUID) -> ImportSummary:
    """Return the import. Its numbers change while it runs."""
    return ImportSummary.model_validate(report.summary(db, service.get(db, import_id)))


@router.delete(
    "/imports/{import_id}",
    operation_id="cancel_import",
    summary="Cancel an import before it writes records",
    responses=_example(200, CANCELLED),
    dependencies=[IN_STEPS],
)
def cancel_import(_: ImportsWrite, scope: TenantScope, import_id: UUID) -> ImportSummary:
    """Cancel an import that is pending, reading or checking. An import in any later state is not cancelled (409).

    If its job has failed for good, the answer says how to resume it.
    """
    return ImportSummary.model_validate(uploads.cancel(scope, import_id))


@router.post(
    "/imports/{import_id}/undo",
    operation_id="undo_import",
    summary="Undo an import that is done",
    status_code=202,
    responses=_example(202, UNDOING),
)
def undo_import(_: ImportsWrite, db: TenantDb, import_id: UUID, response: Response) -> ImportSummary:
    """Undo an import: a job makes the records what they would be without it (state `undoing`, then `undone`).

    An import that is not done, or was made by an earlier release, cannot be undone (409).
    """
    set_location(response, f"/v1/imports/{import_id}")
    return ImportSummary.model_validate(report.summary(db, service.undo(db, import_id)))


@router.get(
    "/imports/{import_id}/rejections.csv",
    operation_id="download_rejections",
    summary="Download the rejected rows as CSV",
    response_class=StreamedResponse,
    responses={
        200: {
            "content": {"text/csv": {"schema": {"type": "string"}}},
            "description": "file, line, field, problem, remedy",
        }
    },
)
def download_rejections(_: ImportsRead, scope: TenantScope, import_id: UUID) -> StreamedResponse:
    """One line per problem, in the order of the files. It names the place, the problem and the remedy, and no value."""
    with scope.session() as session:
        file = report.rejections_file(session, import_id)
    headers = {"Content-Disposition": f'attachment; filename="rejections-{import_id}.csv"'}
    return StreamedResponse(scope.while_valid(file_blocks(file)), media_type="text/csv; charset=utf-8", headers=headers)
