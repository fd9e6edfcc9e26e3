"""Page of the business: how it stands, what needs a hand, and what was done."""

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from billing.console import overview
from billing.console.shell import HOME, Reader, Writer, render
from billing.costs import notices
from core.access.pages import Page
from core.database import platform_session
from core.idempotency import CONTROL_DATABASE
from core.identity.people.accounts import list_operators
from core.web.pages import SEE_OTHER

router = APIRouter()


@router.get("/operators/billing")
def show_overview(page: Page, principal: Reader) -> HTMLResponse:
    """Show recurring revenue, usage, what is overdue, the margin, and what needs a hand."""
    return render(
        page,
        principal,
        "billing/overview.html",
        shown=overview.overview(),
        acts=overview.business_acts(),
        people=names_of_operators(),
    )


@router.post("/operators/billing/notices/{notice_id}/seen", dependencies=[CONTROL_DATABASE])
def post_notice_seen(principal: Writer, notice_id: UUID) -> Response:
    """Mark a notice about costs as seen."""
    with platform_session() as session:
        notices.mark_seen(session, notice_id, actor=principal.actor)
    return RedirectResponse(f"{HOME}?done=seen", SEE_OTHER)


def names_of_operators() -> dict[str, str]:
    """Return the names of the operators by actor, for acts that they did."""
    return {f"operator:{each.id}": each.name for each in list_operators()}
