"""The API's stream of events for the installation's operators."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from core.access import OperatorScope, PrincipalScope, require_operator
from core.app import draining
from core.app.operator_stream import OperatorEventStream, OperatorSubscription, checked_id, checked_names
from core.events.operator_events import NAMES
from core.events.stream import MEDIA_TYPE
from core.identity import Principal

router = APIRouter(prefix="/operators/events", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
_EXAMPLE = (
    'id: 1764464400000-0\nevent: jobs.dead_letter\ndata: {"job_id":"019c2292-11f9-71c2-9d0e-0b6f5f6f2c33",'
    '"kind":"imports.run","reason":"attempts","tenant":"unity"}\n\n'
)


@router.get(
    "/stream",
    operation_id="stream_operator_events",
    summary="Get what changes in the installation as it happens",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events, until the reader leaves.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
        }
    },
)
async def stream_operator_events(
    _: Reader,
    scope: OperatorScope,
    event: Annotated[
        list[str] | None,
        Query(description=f"Only these events: {', '.join(NAMES)}.", max_length=20, examples=[["jobs.dead_letter"]]),
    ] = None,
    wait: Annotated[  # noqa: FBT002 - a query parameter
        bool, Query(description="Wait for further events; false to end after those that are there.")
    ] = True,
    last_event_id: Annotated[
        str | None,
        Header(
            description="Id of the last event that you have. Default: begin with the next.",
            examples=["1764464400000-0"],
        ),
    ] = None,
) -> OperatorEventStream:
    """Send events of all partners, with no partner's data: after one, ask for the state itself.

    A reader that reconnects sends the last `id` as `Last-Event-ID`, as browsers do. Redis stores the last 1,000 events;
    an event `gap` says that some are no longer there. The stream ends while Redis does not answer.
    """
    return operator_stream_of(scope, event or (), last_event_id, wait=wait)


def operator_stream_of(
    scope: PrincipalScope, events: Collection[str], last_event_id: str | None, *, wait: bool
) -> OperatorEventStream:
    """Return the stream of an operator who may read operations.

    Args:
        scope: the operator.
        events: the names to send; all if empty.
        last_event_id: the id of the last event that the reader has, as it sent it.
        wait: whether to wait for further events.

    Raises:
        Invalid: there is no event of a name, or the id is none (422).
    """
    subscription = OperatorSubscription(
        scope.principal.actor,
        checked_id(last_event_id),
        checked_names(events),
        wait,
        scope.confirm,
        draining.begun,
    )
    return OperatorEventStream(subscription)
