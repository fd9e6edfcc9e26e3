"""Routes of visits: list, export, read, add, change, void."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse

from core.access import TenantDb, TenantScope
from core.errors.family import NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.web.etag import IfMatch, set_etag
from core.web.event_loop import on_event_loop
from core.web.location import set_location
from core.web.ndjson import RESPONSES, ndjson
from core.web.paging import Page, PageRequest, long_pages
from tenants.records import service_care as service
from tenants.records.filters import AsOf, VisitFilter
from tenants.records.permissions import VisitsRead, VisitsWrite, VoidReason
from tenants.records.repository_care import VISITS
from tenants.records.schemas_care import VisitOut, VisitPatch, VisitPost

router = APIRouter(prefix="/visits", tags=["visits"])

Wanted = Annotated[VisitFilter, Depends(on_event_loop(VisitFilter))]
Ordered = Annotated[PageRequest, Depends(long_pages({"date_started": date, "known_from": datetime}, "-date_started"))]
CHANGES = responses(PreconditionFailed, PreconditionRequired)


@router.get("", summary="List visits, newest first unless sorted")
def list_visits(_: VisitsRead, db: TenantDb, paging: Ordered, wanted: Wanted) -> Page[VisitOut]:
    """Return one page of visits. The audit records the read of each patient on it."""
    return service.read_list(db, VISITS, VisitOut, wanted, paging)


@router.get(
    "/export",
    summary="Export all visits that match, oldest first, one JSON object a line",
    responses=RESPONSES,
    response_class=StreamingResponse,
)
def export_visits(_: VisitsRead, scope: TenantScope, wanted: Wanted) -> StreamingResponse:
    """Stream the visits in steps. The audit records the read of each patient before their rows are sent."""
    return ndjson(scope, lambda session, cursor: service.export_step(session, VISITS, VisitOut, wanted, cursor))


@router.post("", status_code=201, summary="Add a visit to a patient", responses=responses(NotFound))
def create_visit(_: VisitsWrite, db: TenantDb, body: VisitPost, response: Response) -> VisitOut:
    """Add a visit. It makes the day a contact of the patient, unless its type is laboratory."""
    visit = service.create(db, VISITS, VisitOut, body)
    set_location(response, f"/v1/visits/{visit.id}")
    return _tagged(response, visit)


@router.get("/{visit_id}", summary="Get a visit")
def read_visit(_: VisitsRead, db: TenantDb, visit_id: UUID, response: Response, as_of: AsOf = None) -> VisitOut:
    """Return the visit as known now, or as known at the end of a day."""
    return _tagged(response, service.read_one(db, VISITS, VisitOut, visit_id, as_of))


@router.patch("/{visit_id}", summary="Change what is sent, leave the rest", responses=CHANGES)
def change_visit(
    _: VisitsWrite, db: TenantDb, visit_id: UUID, body: VisitPatch, if_match: IfMatch, response: Response
) -> VisitOut:
    """Close the open version and add the next one. A request that changes nothing adds no version."""
    return _tagged(response, service.change(db, VISITS, VisitOut, visit_id, body, if_match))


@router.delete("/{visit_id}", status_code=204, summary="Void a visit", responses=CHANGES)
def void_visit(_: VisitsWrite, db: TenantDb, visit_id: UUID, if_match: IfMatch, reason: VoidReason) -> None:
    """Void the visit without deleting it: the history keeps it, with who voided it, when and why."""
    service.void(db, VISITS, visit_id, reason, if_match)


def _tagged(response: Response, visit: VisitOut) -> VisitOut:
    set_etag(response, visit.version_id)
    return visit
