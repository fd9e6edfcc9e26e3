"""Page of payments: the provider's state, what waits to be sent, its messages, and differences to our ledger."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import func
from sqlmodel import col, select

from billing.console.shell import HOME, Reader, Writer, act_of, render
from billing.console.tenant_view import slugs_of_all
from billing.payments.client import enabled
from billing.payments.differences import CAUSES
from billing.payments.models import ProviderCall, ProviderCursor, ProviderDifference, ProviderEvent
from billing.payments.service import close_difference, retry_call, retry_event
from billing.plans.service import Act
from core.access.pages import Page, PageContext
from core.connections.service import list_connections
from core.database import platform_session
from core.errors import AppError, Conflict, NotFound
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.web.pages import SEE_OTHER

router = APIRouter()

PAYMENTS: Final = f"{HOME}/payments"
SHOWN: Final = 50
OPEN: Final = ("escalated", "mending")


@router.get("/operators/billing/payments")
def show_payments(page: Page, principal: Reader, show: str = "open") -> HTMLResponse:
    """Show whether Stripe answers, what waits for it, its last messages, and where it differs from our ledger."""
    return _payments_page(page, principal, show)


@router.post("/operators/billing/payments/calls/{call_id}/retry", dependencies=[CONTROL_DATABASE])
def post_call_retry(page: Page, principal: Writer, call_id: int) -> Response:
    """Send a call again that Stripe rejected, after its cause was corrected."""
    return _answer(page, principal, "call", lambda act: retry_call(call_id, act=act))


@router.post("/operators/billing/payments/messages/{event_id}/retry", dependencies=[CONTROL_DATABASE])
def post_message_retry(page: Page, principal: Writer, event_id: str) -> Response:
    """Apply a message of Stripe again that could not be applied."""
    return _answer(page, principal, "message", lambda act: retry_event(event_id, act=act))


@router.post("/operators/billing/payments/differences/{difference_id}/close", dependencies=[CONTROL_DATABASE])
def post_difference_close(page: Page, principal: Writer, difference_id: UUID) -> Response:
    """Close a difference that was decided. If it is seen again, it opens again."""
    return _answer(page, principal, "difference", lambda act: close_difference(difference_id, act=act))


def _answer(page: PageContext, principal: Principal, done: str, change: Callable[[Act], object]) -> Response:
    """Change something and return to the page of payments, which shows why if it was rejected."""
    try:
        change(act_of(principal))
    except (Conflict, NotFound) as error:
        return _payments_page(page, principal, "open", error)
    return RedirectResponse(f"{PAYMENTS}?done={done}", SEE_OTHER)


def _payments_page(page: PageContext, principal: Principal, show: str, error: AppError | None = None) -> HTMLResponse:
    with platform_session() as session:
        calls = dict(session.exec(select(ProviderCall.state, func.count()).group_by(ProviderCall.state)).all())
        failed = session.exec(
            select(ProviderCall)
            .where(ProviderCall.state == "failed")
            .order_by(col(ProviderCall.id).desc())
            .limit(SHOWN)
        ).all()
        messages = session.exec(
            select(ProviderEvent).order_by(col(ProviderEvent.received_at).desc()).limit(SHOWN)
        ).all()
        wanted = select(ProviderDifference).order_by(col(ProviderDifference.last_seen_at).desc()).limit(SHOWN)
        if show != "all":
            wanted = wanted.where(col(ProviderDifference.state).in_(OPEN))
        differences = session.exec(wanted).all()
        cursors = {each.name: each for each in session.exec(select(ProviderCursor))}
    return render(
        page,
        principal,
        "billing/payments.html",
        error=error,
        enabled=enabled(),
        calls=calls,
        failed=failed,
        messages=messages,
        differences=differences,
        causes=CAUSES,
        cursors=cursors,
        connections=[each for each in list_connections() if each.target.startswith("stripe")],
        slugs=slugs_of_all(),
        show=show,
        open_states=OPEN,
    )
