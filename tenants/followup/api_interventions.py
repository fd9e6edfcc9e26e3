"""Routes of interventions: plan, do, end, read and list them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import TenantDb, require
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.event_loop import on_event_loop
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.followup import planning
from tenants.followup.schemas import OutcomePost
from tenants.followup.schemas_interventions import EndPost, InterventionFilter, InterventionOut, InterventionPost

router = APIRouter(prefix="/interventions", tags=["interventions"])

InterventionsRead = Annotated[Principal, Depends(require("attempts.read", confined=True, by_patient=True))]
InterventionsWrite = Annotated[Principal, Depends(require("attempts.write", confined=True, by_patient=True))]
Ordered = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, str(planning.NEWEST_FIRST)))]
Wanted = Annotated[InterventionFilter, Depends(on_event_loop(InterventionFilter))]
REJECTIONS = responses(NotFound, Conflict)


@router.get("", operation_id="list_interventions", summary="List interventions, newest first unless sorted")
def list_interventions(_: InterventionsRead, db: TenantDb, paging: Ordered, wanted: Wanted) -> Page[InterventionOut]:
    """Return one page of interventions, without undone ones. The audit records the read of each patient on it."""
    return planning.read_list(db, wanted, paging)


@router.post(
    "",
    operation_id="plan_intervention",
    status_code=201,
    summary="Plan an intervention for a patient",
    responses=REJECTIONS,
)
def plan_intervention(
    _: InterventionsWrite, db: TenantDb, body: InterventionPost, response: Response
) -> InterventionOut:
    """Plan an intervention. Sending the same `id` again plans nothing, and returns the intervention on record."""
    planned = planning.plan(db, body)
    set_location(response, f"/v1/interventions/{planned.id}")
    return planned


@router.get("/{intervention_id}", operation_id="get_intervention", summary="Get an intervention")
def get_intervention(_: InterventionsRead, db: TenantDb, intervention_id: UUID) -> InterventionOut:
    """Return an intervention. The audit records the read of its patient."""
    return planning.read(db, intervention_id)


@router.post(
    "/{intervention_id}/complete",
    operation_id="complete_intervention",
    summary="Record the outcome of a planned intervention",
    responses=REJECTIONS,
)
def complete_intervention(
    _: InterventionsWrite, db: TenantDb, intervention_id: UUID, body: OutcomePost
) -> InterventionOut:
    """Record the outcome. The intervention is then an attempt too; undoing the attempt makes it a plan again."""
    return planning.complete(db, intervention_id, body)


@router.post(
    "/{intervention_id}/end",
    operation_id="end_intervention",
    summary="End a planned intervention that nobody will do",
    responses=REJECTIONS,
)
def end_intervention(_: InterventionsWrite, db: TenantDb, intervention_id: UUID, body: EndPost) -> InterventionOut:
    """Mark it as failed or cancelled."""
    return planning.end(db, intervention_id, body)
