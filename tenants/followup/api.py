"""Routes of attempts to reach patients."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import TenantDb, require
from core.errors import Conflict, Forbidden, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.event_loop import on_event_loop
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.followup import service
from tenants.followup.outcomes import OUTCOMES
from tenants.followup.schemas import AttemptFilter, AttemptOut, AttemptPost, OutcomeOut

router = APIRouter(prefix="/attempts", tags=["attempts"])

AttemptsRead = Annotated[Principal, Depends(require("attempts.read", confined=True, by_patient=True))]
AttemptsWrite = Annotated[Principal, Depends(require("attempts.write", confined=True, by_patient=True))]
Ordered = Annotated[PageRequest, Depends(long_pages({"recorded_at": datetime}, str(service.NEWEST_FIRST)))]
Wanted = Annotated[AttemptFilter, Depends(on_event_loop(AttemptFilter))]


@router.get("", operation_id="list_attempts", summary="List attempts to reach patients, newest first unless sorted")
def list_attempts(_: AttemptsRead, db: TenantDb, paging: Ordered, wanted: Wanted) -> Page[AttemptOut]:
    """Return one page of attempts, without undone ones. The audit records the read of each patient on it."""
    return service.read_list(db, wanted, paging)


@router.get("/outcomes", operation_id="list_outcomes", summary="List the outcomes that an attempt can have")
def list_outcomes(_: AttemptsRead) -> list[OutcomeOut]:
    """Return every outcome with its meaning."""
    return [
        OutcomeOut(name=outcome.name, meaning=outcome.meaning, reached=outcome.reached, settles=outcome.settles)
        for outcome in OUTCOMES.values()
    ]


@router.post(
    "",
    operation_id="record_attempt",
    status_code=201,
    summary="Record an attempt to reach a patient",
    responses=responses(NotFound, Conflict),
)
def record_attempt(_: AttemptsWrite, db: TenantDb, body: AttemptPost, response: Response) -> AttemptOut:
    """Record an attempt. Sending the same `id` again records nothing, and returns the attempt on record."""
    attempt = service.record(db, body).attempt
    set_location(response, f"/v1/attempts/{attempt.id}")
    return attempt


@router.get("/{attempt_id}", operation_id="get_attempt", summary="Get an attempt")
def get_attempt(_: AttemptsRead, db: TenantDb, attempt_id: UUID) -> AttemptOut:
    """Return an attempt. The audit records the read of its patient."""
    return service.read(db, attempt_id)


@router.delete(
    "/{attempt_id}",
    operation_id="undo_attempt",
    status_code=204,
    summary="Undo an attempt that you recorded today",
    responses=responses(NotFound, Forbidden),
)
def undo_attempt(_: AttemptsWrite, db: TenantDb, attempt_id: UUID) -> None:
    """Undo an attempt: lists and counts leave it out, and the audit keeps it."""
    service.undo(db, attempt_id)
