"""The address to which Stripe sends its messages."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Request, Response

from billing.payments.event_log import receive
from core.errors import Forbidden, NotFound
from core.errors.problem import responses
from core.web.public_routes import PublicBody, PublicRate, any_query

router = APIRouter(prefix="/hooks", tags=["billing"])

LARGEST: PublicBody = PublicBody(1_048_576)
"""Stripe states no bound. An event carries one object; an invoice with the lines that Stripe puts into it has less."""
RATE = PublicRate(burst=500, per_minute=3000)
"""Stripe sends the events of all partners from few addresses."""


@router.post(
    "/stripe",
    operation_id="receive_stripe_event",
    summary="Receive a message of Stripe",
    dependencies=[Depends(RATE), Depends(LARGEST), Depends(any_query)],
    responses=responses(NotFound, Forbidden),
)
async def post_stripe_event(
    request: Request, stripe_signature: Annotated[str | None, Header(description="Stripe's signature.")] = None
) -> Response:
    """Store a message of Stripe after a check of its signature. A repetition changes nothing.

    It is applied within seconds. The body is as Stripe sends it, at most 1 MiB.
    """
    body = await request.body()
    await run_sync(receive, body, stripe_signature)
    return Response(status_code=200, headers={"Cache-Control": "no-store"})
