"""Page of webhook deliveries for operators: counts by partner, and the receivers that are not called."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import require_operator
from core.access.pages import Page
from core.connections.service import list_connections
from core.identity import Principal
from core.webhooks.dispatch import RECEIVERS
from core.webhooks.overview import deliveries_overview
from tenants.portal import operator_words as words
from tenants.portal.operator_pages import ZONE

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
IN_ORDER: Final = ("closed", "unused")


@router.get("/operators/webhooks")
def show_deliveries(page: Page, principal: Reader) -> HTMLResponse:
    """Show what waits, arrived and failed for each partner that has webhooks; no address and no event."""
    receivers = [each for each in list_connections() if each.target.partition("/")[0] == RECEIVERS.name]
    shown = deliveries_overview(actor=principal.actor)
    return page.render(
        "portal/operators/webhooks.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        tenants=shown.tenants,
        unasked=shown.unasked,
        breakers=[each for each in receivers if each.state not in IN_ORDER or each.override],
        zone=ZONE,
        words=words,
    )
