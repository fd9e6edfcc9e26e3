"""Routes of observations: list, export, read, add, change, void."""

from datetime import datetime
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
from tenants.records.filters import AsOf, ObservationFilter
from tenants.records.permissions import ObservationsRead, ObservationsWrite, VoidReason
from tenants.records.repository_care import OBSERVATIONS
from tenants.records.schemas_care import ObservationOut, ObservationPatch, ObservationPost

router = APIRouter(prefix="/observations", tags=["observations"])

Wanted = Annotated[ObservationFilter, Depends(on_event_loop(ObservationFilter))]
Ordered = Annotated[
    PageRequest, Depends(long_pages({"obs_datetime": datetime, "known_from": datetime}, "-obs_datetime"))
]
CHANGES = responses(PreconditionFailed, PreconditionRequired)


@router.get("", summary="List observations, newest first unless sorted")
def list_observations(_: ObservationsRead, db: TenantDb, paging: Ordered, wanted: Wanted) -> Page[ObservationOut]:
    """Return one page of observations. The audit records the read of each patient on it."""
    return service.read_list(db, OBSERVATIONS, ObservationOut, wanted, paging)


@router.get(
    "/export",
    summary="Export all observations that match, oldest first, one JSON object a line",
    responses=RESPONSES,
    response_class=StreamingResponse,
)
def export_observations(_: ObservationsRead, scope: TenantScope, wanted: Wanted) -> StreamingResponse:
    """Stream the observations in steps. The audit records the read of each patient before their rows are sent."""
    return ndjson(
        scope, lambda session, cursor: service.export_step(session, OBSERVATIONS, ObservationOut, wanted, cursor)
    )


@router.post("", status_code=201, summary="Add an observation to a patient", responses=responses(NotFound))
def create_observation(_: ObservationsWrite, db: TenantDb, body: ObservationPost, response: Response) -> ObservationOut:
    """Add an observation. The value of a known variable must be possible; a sample without a result has no value."""
    observation = service.create(db, OBSERVATIONS, ObservationOut, body)
    set_location(response, f"/v1/observations/{observation.id}")
    return _tagged(response, observation)


@router.get("/{observation_id}", summary="Get an observation")
def read_observation(
    _: ObservationsRead, db: TenantDb, observation_id: UUID, response: Response, as_of: AsOf = None
) -> ObservationOut:
    """Return the observation as known now, or as known at the end of a day."""
    return _tagged(response, service.read_one(db, OBSERVATIONS, ObservationOut, observation_id, as_of))


@router.patch("/{observation_id}", summary="Change what is sent, leave the rest", responses=CHANGES)
def change_observation(
    _: ObservationsWrite,
    db: TenantDb,
    observation_id: UUID,
    body: ObservationPatch,
    if_match: IfMatch,
    response: Response,
) -> ObservationOut:
    """Close the open version and add the next one. A request that changes nothing adds no version."""
    return _tagged(response, service.change(db, OBSERVATIONS, ObservationOut, observation_id, body, if_match))


@router.delete("/{observation_id}", status_code=204, summary="Void an observation", responses=CHANGES)
def void_observation(
    _: ObservationsWrite, db: TenantDb, observation_id: UUID, if_match: IfMatch, reason: VoidReason
) -> None:
    """Void the observation without deleting it: the history keeps it, with who voided it, when and why."""
    service.void(db, OBSERVATIONS, observation_id, reason, if_match)


def _tagged(response: Response, observation: ObservationOut) -> ObservationOut:
    set_etag(response, observation.version_id)
    return observation
