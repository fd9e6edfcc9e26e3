"""The API's routes of errors for the installation's operators."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.access import require_operator
from core.error_groups import service
from core.identity import Principal

router = APIRouter(prefix="/operators/errors", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
State = Literal["open", "resolved", "ignored"]

_EXAMPLE: dict[str, Any] = {
    "id": "0197c1f0-5a2e-7c41-9d3b-6f8e1a2b3c4d",
    "kind": "KeyError",
    "place": "tenants/risk/scoring.py:88 in score",
    "frames": ["core/jobs/runner.py:210 in _call", "tenants/risk/scoring.py:88 in score"],
    "role": "worker",
    "release": "0.1.0",
    "count": 12,
    "first_seen": "2026-11-28T22:10:00Z",
    "last_seen": "2026-11-29T08:15:00Z",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "request_id": "0197c1f0-61b7-7d02-8a55-0c9d8e7f6a5b",
    "state": "open",
    "state_by": None,
    "state_at": None,
    "reopened": 1,
}


class ErrorGroupOut(BaseModel):
    """Errors of one type that were raised at one place, without any of their values."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _EXAMPLE})

    id: UUID = Field(description="Its id.")
    kind: str = Field(description="The error's type.", examples=["KeyError"])
    place: str = Field(description="File, line and function that raised it, as last seen.")
    frames: list[str] = Field(description="The traceback as last seen, outermost first.")
    role: Literal["api", "worker"] = Field(description="The process that last saw it.")
    release: str = Field(description="The platform's version that last saw it.", examples=["0.1.0"])
    count: int = Field(description="How often it was seen.")
    first_seen: datetime = Field(description="When it was first seen.")
    last_seen: datetime = Field(description="When it was last seen.")
    trace_id: str | None = Field(description="The trace in which it was last seen; null without tracing.")
    request_id: str | None = Field(description="The request in which it was last seen, or that enqueued its job.")
    state: State = Field(description="A `resolved` one opens again when it is seen again; an `ignored` one does not.")
    state_by: str | None = Field(description="Who resolved or ignored it.")
    state_at: datetime | None = Field(description="When it was resolved or ignored.")
    reopened: int = Field(description="How often it was seen again after it had been resolved.")


class ErrorGroups(BaseModel):
    """Groups of errors."""

    model_config = ConfigDict(json_schema_extra={"example": {"errors": [_EXAMPLE]}})

    errors: list[ErrorGroupOut] = Field(description="Last seen first; at most 200.")


class ErrorStateIn(BaseModel):
    """The state that a group of errors gets."""

    model_config = ConfigDict(extra="forbid")

    state: State = Field(
        description="`resolved` until it is seen again; `ignored` for good; `open` again.", examples=["resolved"]
    )


@router.get("", operation_id="list_errors", summary="List unexpected errors, grouped by type and place")
def list_errors(
    _: Reader,
    state: Annotated[Literal["open", "resolved", "ignored", "all"], Query(description="Only those in it.")] = "open",
) -> ErrorGroups:
    """Return the groups, last seen first."""
    groups = service.list_groups(None if state == "all" else state)
    return ErrorGroups(errors=[ErrorGroupOut.model_validate(each) for each in groups])


@router.get("/{error_id}", operation_id="get_error", summary="Get one group of errors")
def get_error(_: Reader, error_id: UUID) -> ErrorGroupOut:
    """Return one group with its traceback."""
    return ErrorGroupOut.model_validate(service.get_group(error_id))


@router.put("/{error_id}", operation_id="set_error_state", summary="Set the state of a group of errors")
def set_error_state(principal: Writer, error_id: UUID, body: ErrorStateIn) -> ErrorGroupOut:
    """Set the state of a group."""
    group = service.set_state(error_id, body.state, actor=principal.actor, source="api")
    return ErrorGroupOut.model_validate(group)
