"""The stream of events for pages, whose cookie opens no route under /v1 without a header that a browser cannot send."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from core.access import TenantScope, require
from core.events.api import stream_of
from core.events.stream import EventStream
from core.identity import Principal

router = APIRouter()

Reader = Annotated[Principal, Depends(require("events.read"))]


@router.get("/events", response_class=StreamingResponse)
async def follow_events(
    _: Reader,
    scope: TenantScope,
    event: Annotated[list[str] | None, Query(max_length=100)] = None,
    wait: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventStream:
    """Send the events that happen; without `wait=true`, end after those that are there."""
    return stream_of(scope, event or (), last_event_id, wait=wait)
