"""Routes of reports that jobs make: ask, list, download, delete; and of their schedules."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import TenantDb, TenantScope, require
from core.identity import Principal
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from core.web.streams import StreamedResponse, file_blocks
from core.web.tables import MEDIA_TYPES
from tenants.reports import files, schedules
from tenants.reports.api import disposition
from tenants.reports.file_schemas import ReportFileOut, ReportFilePost, ScheduleOut, SchedulePost

router = APIRouter(prefix="/reports", tags=["reports"])

ReportsRead = Annotated[Principal, Depends(require("reports.read", confined=True))]
ReportsWrite = Annotated[Principal, Depends(require("reports.write", confined=True))]
Newest = Annotated[PageRequest, Depends(long_pages({"requested_at": datetime}, "-requested_at"))]
Oldest = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}))]
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/files", operation_id="request_report", summary="Make a report in the background", status_code=202)
def request_report(principal: ReportsRead, db: TenantDb, body: ReportFilePost, response: Response) -> ReportFileOut:
    """Enqueue a job that makes the file. It has the facilities that the caller reaches, and no more."""
    report = files.request_file(db, principal, body)
    set_location(response, f"/v1/reports/files/{report.id}")
    return report


@router.get("/files", operation_id="list_reports", summary="List reports, newest first unless sorted")
def list_reports(principal: ReportsRead, db: TenantDb, paging: Newest) -> Page[ReportFileOut]:
    """Return the reports that the caller may download, made or not."""
    part = files.list_files(db, principal.permissions, paging)
    return Page.of([files.shown(row) for row in part.rows], paging, part.total, part.last)


@router.get("/files/{report_id}", operation_id="get_report", summary="Get the state of a report")
def get_report(principal: ReportsRead, db: TenantDb, report_id: UUID) -> ReportFileOut:
    """Return what the report is about, and whether its file is there."""
    return files.shown(files.find(db, principal.permissions, report_id))


@router.get(
    "/files/{report_id}/content", operation_id="download_report", summary="Download the file of a report",
    responses=_CONTENT, response_class=StreamedResponse,
)  # fmt: skip
def download_report(_: ReportsRead, scope: TenantScope, report_id: UUID) -> StreamedResponse:
    """Return the file to callers who may read it now: by its permissions, and by each of its facilities."""
    return sent(scope, report_id)


@router.delete("/files/{report_id}", operation_id="delete_report", summary="Delete a report", status_code=204)
def delete_report(_: ReportsRead, scope: TenantScope, report_id: UUID) -> None:
    """Delete the report and its file. Reports of others need reports.write."""
    files.delete(scope, report_id)


@router.post(
    "/schedules", operation_id="create_report_schedule", summary="Create a schedule of a report, by week or month",
    status_code=201,
)  # fmt: skip
def create_report_schedule(
    principal: ReportsWrite, scope: TenantScope, body: SchedulePost, response: Response
) -> ScheduleOut:
    """Create the schedule. Its reports have the facilities that the caller reaches now, and still reaches then."""
    schedules.check_recipients(scope.tenant, body.recipient_ids)
    with scope.session() as session:
        schedule = schedules.create(session, principal, body)
    set_location(response, f"/v1/reports/schedules/{schedule.id}")
    return schedule


@router.get(
    "/schedules", operation_id="list_report_schedules", summary="List schedules of reports, oldest first unless sorted"
)
def list_report_schedules(principal: ReportsRead, db: TenantDb, paging: Oldest) -> Page[ScheduleOut]:
    """Return the schedules whose reports the caller may read."""
    part = schedules.list_schedules(db, principal.permissions, paging)
    return Page.of([schedules.shown(row) for row in part.rows], paging, part.total, part.last)


@router.get("/schedules/{schedule_id}", operation_id="get_report_schedule", summary="Get a schedule of reports")
def get_report_schedule(principal: ReportsRead, db: TenantDb, schedule_id: UUID) -> ScheduleOut:
    """Return the schedule: which reports are made, and when the next ones are due."""
    return schedules.shown(schedules.find(db, principal.permissions, schedule_id))


@router.delete(
    "/schedules/{schedule_id}", operation_id="delete_report_schedule", summary="End a schedule of reports",
    status_code=204,
)  # fmt: skip
def delete_report_schedule(principal: ReportsWrite, db: TenantDb, schedule_id: UUID) -> None:
    """End it; its reports stay until they expire."""
    schedules.delete(db, principal.permissions, schedule_id)


def sent(scope: TenantScope, report_id: UUID) -> StreamedResponse:
    """The file of a report as an answer."""
    row, stream = files.download(scope, report_id)
    media_type = MEDIA_TYPES.get(row.format, {"pdf": "application/pdf"}.get(row.format, "application/json"))
    headers = disposition(files.name_of(row), row.format)
    return StreamedResponse(scope.while_valid(file_blocks(stream)), media_type=media_type, headers=headers)
