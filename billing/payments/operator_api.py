"""The API's routes of payments for the installation's operators."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from billing.payments import service
from billing.plans.service import Act
from core.access import require_operator
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal

router = APIRouter(prefix="/operators/billing/payments", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("business.read"))]
Writer = Annotated[Principal, Depends(require_operator("business.write"))]

_OVERVIEW: dict[str, Any] = {
    "provider": "stripe",
    "breaker": "closed",
    "calls_waiting": 2,
    "calls_failed": 0,
    "oldest_call_at": "2026-11-30T19:00:00Z",
    "events_waiting": 0,
    "events_failed": 0,
    "last_event_at": "2026-11-30T18:59:12Z",
    "differences": 1,
    "mending": 0,
    "reconciled_at": "2026-11-30T02:00:00Z",
    "batch": 812,
}
_DIFFERENCE: dict[str, Any] = {
    "id": "0197c1f0-5a2e-7c41-9d3b-6f8e1a2b3c4d",
    "tenant_id": "0197c1f0-61b7-7d02-8a55-0c9d8e7f6b71",
    "kind": "payment",
    "own_id": "pi_3Q0000000000000000000000",
    "cause": "overpaid",
    "ours": "INV-2026-000042 has NGN 0.00 to pay",
    "theirs": "NGN 1500.00 paid",
    "state": "escalated",
    "first_seen_at": "2026-11-30T02:00:00Z",
    "last_seen_at": "2026-11-30T02:00:00Z",
    "ended_at": None,
    "ended_by": None,
}
_CALL: dict[str, Any] = {
    "id": 4711,
    "tenant_id": "0197c1f0-61b7-7d02-8a55-0c9d8e7f6b71",
    "kind": "customer",
    "own_id": "0197c1f0-61b7-7d02-8a55-0c9d8e7f6b92",
    "state": "waiting",
    "attempts": 1,
    "created_at": "2026-11-30T19:00:00Z",
    "due_at": "2026-11-30T19:00:04Z",
    "ended_at": None,
    "error": "Stripe failed: 503",
}
_EVENT: dict[str, Any] = {
    "id": "evt_1Q0000000000000000000000",
    "type": "checkout.session.completed",
    "object_id": "cs_live_a1b2c3",
    "source": "webhook",
    "times": 2,
    "created_at": "2026-11-30T18:59:10Z",
    "received_at": "2026-11-30T18:59:12Z",
    "state": "applied",
    "attempts": 0,
    "applied_at": "2026-11-30T18:59:15Z",
    "error": None,
}


class PaymentsOverview(BaseModel):
    """The state of the payment provider."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _OVERVIEW})

    provider: str = Field(description="`stripe`, or `manual`: partners pay by bank transfer.", examples=["stripe"])
    breaker: str = Field(description="`closed` while the provider answers this process.")
    calls_waiting: int = Field(description="Writes that the provider has not received yet.")
    calls_failed: int = Field(description="Writes that it rejected: correct the cause, then retry them.")
    oldest_call_at: datetime | None = Field(description="Since when the oldest write waits.")
    events_waiting: int = Field(description="Messages of the provider that are not applied yet.")
    events_failed: int = Field(description="Messages that could not be applied for days.")
    last_event_at: datetime | None = Field(description="When the last message came.")
    differences: int = Field(description="Open differences that a person must decide.")
    mending: int = Field(description="Open differences that mend themselves.")
    reconciled_at: datetime | None = Field(description="When our ledger was last compared with the provider.")
    batch: int | None = Field(description="The last batch of usage that the provider is to receive.")


class PaymentDifferenceOut(BaseModel):
    """A difference between our ledger and the provider."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _DIFFERENCE})

    id: UUID = Field(description="Its id.")
    tenant_id: UUID | None = Field(description="The tenant concerned.")
    kind: str = Field(description="What differs: `usage`, `payment`, `customer`, `subscription`, `meter` or `call`.")
    own_id: str = Field(description="Names our side of it.")
    cause: str = Field(description="Why, as a code.", examples=["overpaid"])
    ours: str = Field(description="What our ledger says.")
    theirs: str = Field(description="What the provider says.")
    state: str = Field(description="`escalated`, `mending`, `mended`, `gone` or `closed`.")
    first_seen_at: datetime = Field(description="When it was first seen.")
    last_seen_at: datetime = Field(description="When it was last seen.")
    ended_at: datetime | None = Field(description="When it ended.")
    ended_by: str | None = Field(description="Who closed it.")


class Differences(BaseModel):
    """Differences between our ledger and the provider."""

    model_config = ConfigDict(json_schema_extra={"example": {"differences": [_DIFFERENCE]}})

    differences: list[PaymentDifferenceOut] = Field(description="Last seen first; at most 200.")


class CallOut(BaseModel):
    """A write that the provider is to receive."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _CALL})

    id: int = Field(description="Its number.")
    tenant_id: UUID | None = Field(description="The tenant concerned.")
    kind: str = Field(description="What it does.", examples=["customer"])
    own_id: str = Field(description="Names our side of it.")
    state: str = Field(description="`waiting`, `done`, `failed` or `dropped`.")
    attempts: int = Field(description="How often it was sent.")
    created_at: datetime = Field(description="When it was planned.")
    due_at: datetime = Field(description="When it is sent next.")
    ended_at: datetime | None = Field(description="When the provider accepted or rejected it.")
    error: str | None = Field(description="Why it waits, or why it was rejected.")


class Calls(BaseModel):
    """Writes that the provider is to receive."""

    model_config = ConfigDict(json_schema_extra={"example": {"calls": [_CALL]}})

    calls: list[CallOut] = Field(description="Newest first; at most 200.")


class EventOut(BaseModel):
    """A message of the provider. Of its content, only what it is about is stored."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _EVENT})

    id: str = Field(description="Its id at the provider.")
    type: str = Field(description="What happened.", examples=["checkout.session.completed"])
    object_id: str | None = Field(description="The object at the provider.")
    source: str = Field(description="`webhook`, or `list` where its webhook was lost.")
    times: int = Field(description="How often it came by webhook.")
    created_at: datetime = Field(description="When the provider made it.")
    received_at: datetime = Field(description="When it first came.")
    state: str = Field(description="`waiting`, `applied`, `ignored` (of no concern) or `failed`.")
    attempts: int = Field(description="Attempts to apply it that failed.")
    applied_at: datetime | None = Field(description="When it was applied.")
    error: str | None = Field(description="Why it is not applied.")


class Events(BaseModel):
    """Messages of the provider."""

    model_config = ConfigDict(json_schema_extra={"example": {"events": [_EVENT]}})

    events: list[EventOut] = Field(description="Newest first; at most 200.")


@router.get("", operation_id="get_payments_overview", summary="Get the state of the payment provider")
def get_overview(_: Reader) -> PaymentsOverview:
    """Return what waits, what was rejected, and when it was last reconciled."""
    return PaymentsOverview.model_validate(service.overview())


@router.get("/differences", operation_id="list_payment_differences", summary="List what differs from the provider")
def list_differences(
    _: Reader, state: Annotated[service.DifferenceState, Query(description="Only those in it.")] = "open"
) -> Differences:
    """Return differences, last seen first."""
    return Differences(
        differences=[PaymentDifferenceOut.model_validate(each) for each in service.list_differences(state)]
    )


@router.get("/calls", operation_id="list_provider_calls", summary="List writes that the provider is to receive")
def list_calls(
    _: Reader, state: Annotated[service.CallState, Query(description="Only those in it.")] = "waiting"
) -> Calls:
    """Return calls, newest first."""
    return Calls(calls=[CallOut.model_validate(each) for each in service.list_calls(state)])


@router.get("/events", operation_id="list_provider_events", summary="List messages of the provider")
def list_events(
    _: Reader, state: Annotated[service.EventState, Query(description="Only those in it.")] = "all"
) -> Events:
    """Return messages, newest first."""
    return Events(events=[EventOut.model_validate(each) for each in service.list_events(state)])


@router.put(
    "/calls/{call_id}/retry",
    operation_id="retry_provider_call",
    summary="Send a rejected write again",
    status_code=204,
    responses=responses(NotFound, Conflict),
)
def retry_call(principal: Writer, call_id: int) -> None:
    """Send a rejected write again, after its cause was corrected."""
    service.retry_call(call_id, act=_act(principal))


@router.put(
    "/events/{event_id}/retry",
    operation_id="retry_provider_event",
    summary="Apply a failed message again",
    status_code=204,
    responses=responses(NotFound),
)
def retry_event(principal: Writer, event_id: str) -> None:
    """Apply a message again that could not be applied."""
    service.retry_event(event_id, act=_act(principal))


@router.put(
    "/differences/{difference_id}/close",
    operation_id="close_payment_difference",
    summary="Close a difference",
    status_code=204,
    responses=responses(NotFound),
)
def close_difference(principal: Writer, difference_id: UUID) -> None:
    """Close a difference that was decided. If it is seen again, it opens again."""
    service.close_difference(difference_id, act=_act(principal))


def _act(principal: Principal) -> Act:
    return Act(actor=principal.actor, source="api")
