"""Page of what the installation does now, for operators: requests, jobs, what waits, and the processes."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import require_operator
from core.access.pages import Page
from core.identity import Principal
from core.live.service import live
from tenants.portal import operator_words as words
from tenants.portal.operator_pages import ZONE

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]


@router.get("/operators/live")
def show_live(page: Page, principal: Reader) -> HTMLResponse:
    """Show the rates of the last minute and what waits. The page reads itself again every 5 seconds."""
    return page.render(
        "portal/operators/live.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        live=live(),
        zone=ZONE,
        words=words,
    )
