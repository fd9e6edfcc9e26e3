"""Routes of encounters: list, export, read, add, change, void."""

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
from tenants.records.filters import AsOf, EncounterFilter
from tenants.records.permissions import EncountersRead, EncountersWrite, VoidReason
from tenants.records.repository_care import ENCOUNTERS
from tenants.records.schemas_care import EncounterOut, EncounterPatch, EncounterPost

router = APIRouter(prefix="/encounters", tags=["encounters"])

Wanted = Annotated[EncounterFilter, Depends(on_event_loop(EncounterFilter))]
Ordered = Annotated[
    PageRequest, Depends(long_pages({"encounter_datetime": datetime, "known_from": datetime}, "-encounter_datetime"))
]
CHANGES = responses(PreconditionFailed, PreconditionRequired)


@router.get("", summary="List encounters, newest first unless sorted")
def list_encounters(_: EncountersRead, db: TenantDb, paging: Ordered, wanted: Wanted) -> Page[EncounterOut]:
    """Return one page of encounters. The audit records the read of each patient on it."""
    return service.read_list(db, ENCOUNTERS, EncounterOut, wanted, paging)


@router.get(
    "/export",
    summary="Export all encounters that match, oldest first, one JSON object a line",
    responses=RESPONSES,
    response_class=StreamingResponse,
)
def export_encounters(_: EncountersRead, scope: TenantScope, wanted: Wanted) -> StreamingResponse:
    """Stream the encounters in steps. The audit records the read of each patient before their rows are sent."""
    return ndjson(scope, lambda session, cursor: service.export_step(session, ENCOUNTERS, EncounterOut, wanted, cursor))


@router.post("", status_code=201, summary="Add an encounter to a patient", responses=responses(NotFound))
def create_encounter(_: EncountersWrite, db: TenantDb, body: EncounterPost, response: Response) -> EncounterOut:
    """Add an encounter. It is not a contact. Only the visit that it belongs to is one."""
    encounter = service.create(db, ENCOUNTERS, EncounterOut, body)
    set_location(response, f"/v1/encounters/{encounter.id}")
    return _tagged(response, encounter)


@router.get("/{encounter_id}", summary="Get an encounter")
def read_encounter(
    _: EncountersRead, db: TenantDb, encounter_id: UUID, response: Response, as_of: AsOf = None
) -> EncounterOut:
    """Return the encounter as known now, or as known at the end of a day."""
    return _tagged(response, service.read_one(db, ENCOUNTERS, EncounterOut, encounter_id, as_of))


@router.patch("/{encounter_id}", summary="Change what is sent, leave the rest", responses=CHANGES)
def change_encounter(
    _: EncountersWrite, db: TenantDb, encounter_id: UUID, body: EncounterPatch, if_match: IfMatch, response: Response
) -> EncounterOut:
    """Close the open version and add the next one. A request that changes nothing adds no version."""
    return _tagged(response, service.change(db, ENCOUNTERS, EncounterOut, encounter_id, body, if_match))


@router.delete("/{encounter_id}", status_code=204, summary="Void an encounter", responses=CHANGES)
def void_encounter(_: EncountersWrite, db: TenantDb, encounter_id: UUID, if_match: IfMatch, reason: VoidReason) -> None:
    """Void the encounter without deleting it: the history keeps it, with who voided it, when and why."""
    service.void(db, ENCOUNTERS, encounter_id, reason, if_match)


def _tagged(response: Response, encounter: EncounterOut) -> EncounterOut:
    set_etag(response, encounter.version_id)
    return encounter
