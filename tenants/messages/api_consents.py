"""Routes of consent to messages."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import TenantDb, require
from core.errors import NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.messages import consents
from tenants.messages.schemas import ConsentOut, ConsentPost

router = APIRouter(prefix="/patients/{patient_id}/consents", tags=["consents"])

Reader = Annotated[Principal, Depends(require("consents.read", confined=True, by_patient=True))]
Writer = Annotated[Principal, Depends(require("consents.write", confined=True, by_patient=True))]
Ordered = Annotated[PageRequest, Depends(long_pages({"recorded_at": datetime}, "-recorded_at"))]


@router.get(
    "",
    operation_id="list_consents",
    summary="List a patient's decisions about messages, newest first",
    responses=responses(NotFound),
)
def list_consents(_: Reader, db: TenantDb, patient_id: UUID, paging: Ordered) -> Page[ConsentOut]:
    """Return one page of decisions. The newest of each purpose counts. The audit records the read."""
    part = consents.history(db, patient_id, paging)
    return Page.of([consents.shown(row) for row in part.rows], paging, part.total, part.last)


@router.post(
    "",
    operation_id="record_consent",
    status_code=201,
    summary="Record that a patient consents to messages, or withdraws the consent",
    responses=responses(NotFound),
)
def record_consent(_: Writer, db: TenantDb, patient_id: UUID, body: ConsentPost, response: Response) -> ConsentOut:
    """Record a decision. One that repeats the newest decision of the purpose adds nothing."""
    row = consents.decide(db, patient_id, body)
    set_location(response, f"/v1/patients/{patient_id}/consents")
    return consents.shown(row)
