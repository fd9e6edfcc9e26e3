"""Page of payments: the provider's state, what waits to be sent, its messages, and differences to our ledger."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import func
from sqlmodel import col, select

from billing.console.shell import HOME, Reader, render
from billing.console.tenant_view import slugs_of_all
from billing.payments.client import enabled
from billing.payments.differences import CAUSES
from billing.payments.models import ProviderCall, ProviderCursor, ProviderDifference, ProviderEvent
from core.access.pages import Page
from core.connections.service import list_connections
from core.database import platform_session

router = APIRouter()

PAYMENTS: Final = f"{HOME}/payments"
SHOWN: Final = 50
OPEN: Final = ("escalated", "mending")


@router.get("/operators/billing/payments")
def show_payments(page: Page, principal: Reader, show: str = "open") -> HTMLResponse:
    """Show whether Stripe answers, what waits for it, its last messages, and where it differs from our ledger."""
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
    )
