"""The audit in the API's answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class AuditEventOut(BaseModel):
    """One act: its actor, its kind and its subject."""

    model_config = ConfigDict(
        from_attributes=True,
        populate_by_name=True,
        json_schema_extra={
            "example": {
                "id": 1042,
                "occurred_at": "2026-03-02T08:15:00Z",
                "actor": "api_key:019c2291-b3a0-7768-a5f9-23774462ebfc",
                "action": "api:patient:read",
                "subject_type": "patient",
                "subject_id": "019c2282-2340-72fa-bad3-569c01a5ba50",
                "request_id": "019c2272-92e0-780b-9e5f-14b09acd8acd",
                "detail": {"filters": ["facility"]},
            }
        },
    )

    id: int = Field(validation_alias="event_id", description="Grows with time within the tenant; gaps mean nothing.")
    occurred_at: datetime = Field(description="When the transaction of the act began.")
    actor: str = Field(description="Who: the kind and id of the principal.")
    action: str = Field(description="`source:subject:action`.")
    subject_type: str = Field(description="Kind of thing that the act concerns.")
    subject_id: UUID | None = Field(
        validation_alias="subject_uuid", description="Which one; null where the act concerns no single one."
    )
    request_id: str | None = Field(description="The request, as in `X-Request-ID`; null: no request.")
    detail: dict[str, Any] | None = Field(description="Which fields or filters; never a person's data.")
