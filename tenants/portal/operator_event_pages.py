"""Pages of events for operators, and the stream that lets their other pages follow what changes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from core.access import OperatorScope, require_operator
from core.app.operator_events_api import operator_stream_of
from core.app.operator_stream import OperatorEventStream
from core.identity import Principal

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]


@router.get("/operators/stream", response_class=StreamingResponse)
async def follow_operator_events(
    _: Reader,
    scope: OperatorScope,
    event: Annotated[list[str] | None, Query(max_length=20)] = None,
    wait: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    last_event_id: Annotated[str | None, Header()] = None,
) -> OperatorEventStream:
    """Send what changes; without `wait=true`, end after the events that are there."""
    return operator_stream_of(scope, event or (), last_event_id, wait=wait)
