"""The API's routes of a partner for notices about overdue invoices."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from billing.dunning.service import notices_of
from core.access import TenantScope, require
from core.database import platform_session
from core.identity import Principal

router = APIRouter(prefix="/billing/notices", tags=["billing"])

Reader = Annotated[Principal, Depends(require("billing.read"))]


_NOTICE: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c37",
    "invoice_id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2d41",
    "action": "reminder",
    "taken_on": "2027-04-06",
    "mailed_at": None,
}


class NoticeOut(BaseModel):
    """A step that was taken against an overdue invoice."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _NOTICE})

    id: UUID = Field(description="The notice.")
    invoice_id: UUID = Field(description="The invoice.")
    action: Literal["reminder", "extras_off", "extras_on"] = Field(
        description="`extras_off`: AI answers, SMS and new people are off until the invoice is paid. Care never stops."
    )
    taken_on: date = Field(description="Day of the step.")
    mailed_at: datetime | None = Field(description="When the letter was sent; null: it was not.")


@router.get("", operation_id="list_billing_notices", summary="List notices about overdue invoices")
def list_billing_notices(_: Reader, scope: TenantScope) -> list[NoticeOut]:
    """Return the notices, the newest first."""
    with platform_session() as session:
        return [NoticeOut.model_validate(notice) for notice in notices_of(session, scope.tenant.id)]
