"""Routes of reports on the quality of the records."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core.access import TenantDb, require
from core.identity import Principal
from core.jobs.schemas import AcceptedJob
from core.web.location import set_job_location
from core.web.paging import Page, PageRequest, long_pages, sorted_pages
from tenants.quality import catalog, service
from tenants.quality.schemas import MeasureDefinition, ReportHead, ReportOut, ReportPost, TrendPoint

router = APIRouter(prefix="/quality", tags=["quality"])

QualityRead = Annotated[Principal, Depends(require("quality.read", confined=True))]
QualityOfImports = Annotated[Principal, Depends(require("quality.read"))]
QualityWrite = Annotated[Principal, Depends(require("quality.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"made_at": datetime}, str(service.NEWEST_FIRST)))]
OrderedPoints = Annotated[PageRequest, Depends(sorted_pages({"data_date": date}))]
"""Page and order of the trend. It needs no cursor: every page computes all points, which are as few as imports or
quarters.
"""
FacilityQuery = Annotated[
    str | None,
    Query(
        description="DATIM id. Default: all facilities together, for callers who reach all of them.",
        max_length=64,
        examples=["SIM001"],
    ),
]


@router.get("/measures", operation_id="list_quality_measures", summary="List the measures and their weights")
def list_quality_measures(_: QualityRead) -> list[MeasureDefinition]:
    """Return the numerator, denominator and weight of every measure, dimension by dimension."""
    weights = {dimension.name: dimension.weight for dimension in catalog.DIMENSIONS}
    return [
        MeasureDefinition(
            name=each.name,
            dimension=each.dimension,
            dimension_weight=weights[each.dimension],
            weight=each.weight,
            about=each.about,
            numerator=each.numerator,
            denominator=each.denominator,
        )
        for each in catalog.MEASURES
    ]


@router.get("/reports", operation_id="list_quality_reports", summary="List reports, newest first unless sorted")
def list_quality_reports(
    _: QualityRead,
    db: TenantDb,
    paging: Ordered,
    facility: FacilityQuery = None,
    import_id: Annotated[UUID | None, Query(description="Only those made after this import.")] = None,
) -> Page[ReportHead]:
    """List reports of one facility, or of all facilities of a run together. Each has its scores, without measures.

    Callers who reach only some facilities get the reports of these.
    """
    reports = service.list_reports(db, paging, facility=facility, import_id=import_id)
    return Page.of([ReportHead.model_validate(row) for row in reports.rows], paging, reports.total, reports.last)


@router.post("/reports", operation_id="make_quality_report", summary="Make a report", status_code=202)
def make_quality_report(_: QualityWrite, db: TenantDb, body: ReportPost, response: Response) -> AcceptedJob:
    """Enqueue a job that measures the records as known then. Every import enqueues one by itself."""
    job_id = service.ask_report(db, body.import_id)
    set_job_location(response, job_id)
    return AcceptedJob(job_id=job_id)


@router.get("/reports/{report_id}", operation_id="get_quality_report", summary="Get a report with its measures")
def get_quality_report(_: QualityRead, db: TenantDb, report_id: UUID) -> ReportOut:
    """Return every share with its numerator and denominator."""
    return ReportOut.model_validate(service.read_report(db, report_id), from_attributes=True)


@router.get("/imports/{import_id}", operation_id="get_import_quality", summary="Get the newest report after an import")
def get_import_quality(_: QualityOfImports, db: TenantDb, import_id: UUID) -> ReportOut:
    """Return the report with the import's rejected rows by problem, and the scores of its facilities."""
    return ReportOut.model_validate(service.report_of_import(db, import_id), from_attributes=True)


@router.get("/trend", operation_id="get_quality_trend", summary="List scores over time, oldest first unless sorted")
def get_quality_trend(
    _: QualityRead,
    db: TenantDb,
    paging: OrderedPoints,
    facility: FacilityQuery = None,
    by: Annotated[Literal["import", "quarter"], Query(description="One point per import or quarter.")] = "quarter",
) -> Page[TrendPoint]:
    """Return the last report of every quarter of data dates, or of every import."""
    points = service.trend(db, facility=facility, by=by)
    if paging.sort is not None and paging.sort.descending:
        points.reverse()
    shown = points[paging.offset : paging.offset + paging.limit]
    return Page.of([TrendPoint.model_validate(point) for point in shown], paging, len(points))
