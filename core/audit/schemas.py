"""What the API says about the audit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class AuditEventOut(BaseModel):
    """One act: who did what to which subject."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "event_id": 1042,
                "occurred_at": "2026-03-02T08:15:00Z",
                "actor": "api_key:0197c1f0-0000-7000-8000-000000000000",
                "action": "api:patient:read",
                "subject_type": "patient",
                "subject_uuid": "0197c1f0-0000-7000-8000-000000000001",
                "request_id": "0197c1f0-0000-7000-8000-000000000002",
                "detail": None,
            }
        },
    )

    event_id: int = Field(description="Grows with time within the tenant; gaps mean nothing.")
    occurred_at: datetime = Field(description="When the transaction of the act began.")
    actor: str = Field(description="Who: the kind and id of the principal.")
    action: str = Field(description="`source:subject:action`.")
    subject_type: str
    subject_uuid: UUID | None
    request_id: str | None
    detail: dict[str, Any] | None = Field(description="Which fields or filters; never a person's data.")
