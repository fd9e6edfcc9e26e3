"""The stream of a tenant's public events."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from core.access import Scope, TenantScope, require
from core.app import draining
from core.errors import FieldError, Invalid, phrase
from core.events.catalogue import public_types
from core.events.stream import MEDIA_TYPE, EventStream, Subscription
from core.identity import Principal

router = APIRouter(prefix="/events", tags=["events"])

EventsRead = Annotated[Principal, Depends(require("events.read"))]
_EXAMPLE = (
    'id: 1041\nevent: risk.scored\ndata: {"id":"0197a5f0-0000-7000-8000-0000000000ff","type":"risk.scored","version":1,'
    '"timestamp":"2026-11-29T03:12:44.120000+00:00","subject":"2026-11-29","data":{},"sequence":1041}\n\n'
)
LAST_ID = 18
"""Most digits of a number."""


@router.get(
    "/stream",
    operation_id="stream_events",
    summary="Get the partner's events as they happen",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events, until the reader leaves.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
        }
    },
)
async def stream_events(
    _: EventsRead,
    scope: TenantScope,
    event: Annotated[
        list[str] | None, Query(description="Only these events.", max_length=100, examples=[["imports.completed"]])
    ] = None,
    wait: Annotated[  # noqa: FBT002 - a query parameter
        bool, Query(description="Wait for further events; false to end after those that are there.")
    ] = True,
    last_event_id: Annotated[
        str | None,
        Header(description="Number of the last event that you have. Default: begin with the next.", examples=["1040"]),
    ] = None,
) -> EventStream:
    """Send the public events in the order of their numbers, each with its number as `id`.

    A reader that reconnects sends the last `id` as `Last-Event-ID`, as browsers do, and misses none. An event `gap`
    says that events between two numbers are no longer stored.
    """
    return stream_of(scope, event or (), last_event_id, wait=wait)


def stream_of(scope: Scope, events: Collection[str], last_event_id: str | None, *, wait: bool) -> EventStream:
    """Return the stream of a caller who may read events.

    Args:
        scope: the caller.
        events: the types to send; all if empty.
        last_event_id: the number of the last event that the reader has, as it sent it.
        wait: whether to wait for further events.

    Raises:
        Invalid: a type is not public, or the number is none (422).
    """
    unknown = sorted(set(events) - set(public_types()))
    if unknown:
        detail = phrase("these are no public events: {names}", names=", ".join(unknown))
        remedy = phrase("Public events are {public}.", public=", ".join(public_types()))
        raise Invalid(detail, errors=[FieldError("query.event", detail, remedy)])
    subscription = Subscription(
        scope.tenant,
        scope.principal.actor,
        _number(last_event_id),
        frozenset(events),
        wait,
        scope.confirm,
        draining.begun,
    )
    return EventStream(subscription)


def _number(text: str | None) -> int | None:
    if text is None or not text.strip():
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LAST_ID):
        detail = "not valid: header.last-event-id"
        remedy = "Send the last id as the stream sent it, or leave the header out."
        raise Invalid(detail, errors=[FieldError("header.last-event-id", "is not the number of an event", remedy)])
    return int(digits)
