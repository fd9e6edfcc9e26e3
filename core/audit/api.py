"""The API's route to the audit."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from core.access import TenantDb, require
from core.audit.repository import find_events
from core.audit.schemas import AuditEventOut
from core.audit.service import record
from core.identity import Principal
from core.web.days import IsoInstant, check_order
from core.web.paging import Page, PageRequest, long_pages

router = APIRouter(prefix="/audit", tags=["audit"])

AuditRead = Annotated[Principal, Depends(require("audit.read"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"id": int}, "-id", identity=int))]


@router.get("", operation_id="list_audit_events", summary="List who did what, newest first")
def list_audit_events(
    _: AuditRead,
    db: TenantDb,
    paging: Ordered,
    subject_id: Annotated[UUID | None, Query(description="Only acts on this subject.")] = None,
    action: Annotated[str | None, Query(description="Only this action.", examples=["api:patient:read"])] = None,
    actor: Annotated[
        str | None,
        Query(description="Only acts of this actor.", examples=["person:019c2282-2340-72fa-bad3-569c01a5ba50"]),
    ] = None,
    since: Annotated[IsoInstant | None, Query(description="From this instant on.")] = None,
    until: Annotated[IsoInstant | None, Query(description="Before this instant.")] = None,
) -> Page[AuditEventOut]:
    """The tenant's own audit. Reading it is itself recorded."""
    check_order("since", since, "until", until)
    part = find_events(db, paging, subject_id=subject_id, action=action, actor=actor, since=since, until=until)
    record(db, "api:audit:read", "audit", subject_id)
    return Page.of([AuditEventOut.model_validate(event) for event in part.rows], paging, part.total, part.last)
