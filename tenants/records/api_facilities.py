"""Routes of facilities, and of the counts of what is recorded."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import TenantDb
from core.errors.family import Conflict, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.web.etag import IfMatch, set_etag
from core.web.event_loop import on_event_loop
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.records import service_facilities as service
from tenants.records.filters import AsOf, FacilityFilter
from tenants.records.permissions import FacilitiesRead, FacilitiesWrite, StatisticsRead
from tenants.records.schemas import FacilityOut, FacilityPost, FacilityPut, StatisticsOut
from tenants.records.statistics import read_statistics

router = APIRouter()

Ordered = Annotated[PageRequest, Depends(long_pages({"name": str, "datim_id": str}))]


@router.get("/facilities", tags=["facilities"], summary="List facilities, by name unless sorted")
def list_facilities(
    _: FacilitiesRead,
    db: TenantDb,
    paging: Ordered,
    wanted: Annotated[FacilityFilter, Depends(on_event_loop(FacilityFilter))],
) -> Page[FacilityOut]:
    """Return one page of facilities with their data dates. Send `datim_id` to look one up."""
    return service.read_facilities(db, wanted, paging)


@router.post(
    "/facilities", tags=["facilities"], status_code=201, summary="Add a facility", responses=responses(Conflict)
)
def create_facility(_: FacilitiesWrite, db: TenantDb, body: FacilityPost, response: Response) -> FacilityOut:
    """Add a facility before any import names it. Imports add the facilities that they name by themselves."""
    facility = service.create_facility(db, body)
    set_location(response, f"/v1/facilities/{facility.id}")
    return _tagged(response, facility)


@router.get("/facilities/{facility_id}", tags=["facilities"], summary="Get a facility")
def read_facility(_: FacilitiesRead, db: TenantDb, facility_id: UUID, response: Response) -> FacilityOut:
    """Return a facility by its identifier. To look it up by DATIM id, use `GET /v1/facilities?datim_id=`."""
    return _tagged(response, service.read_facility(db, facility_id))


@router.put(
    "/facilities/{facility_id}",
    tags=["facilities"],
    summary="Replace a facility's name and place",
    responses=responses(PreconditionFailed, PreconditionRequired),
)
def change_facility(
    _: FacilitiesWrite, db: TenantDb, facility_id: UUID, body: FacilityPut, if_match: IfMatch, response: Response
) -> FacilityOut:
    """Replace the name and place. The DATIM id cannot change, because imports find the facility by it."""
    return _tagged(response, service.change_facility(db, facility_id, body, if_match))


@router.get("/records/statistics", tags=["records"], summary="Count what is recorded")
def read_record_statistics(_: StatisticsRead, db: TenantDb, as_of: AsOf = None) -> StatisticsOut:
    """Return counts by table, facility, sex, age band and month, as known now or at the end of a day."""
    return read_statistics(db, as_of)


def _tagged(response: Response, facility: FacilityOut) -> FacilityOut:
    set_etag(response, facility.version_id, personal=False)
    return facility
