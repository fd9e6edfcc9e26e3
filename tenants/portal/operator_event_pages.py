"""Pages of events for operators, and the stream that lets their other pages follow what changes."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import HTMLResponse, StreamingResponse

from core.access import OperatorScope, require_operator
from core.access.pages import Page
from core.app.operator_events_api import operator_stream_of
from core.app.operator_stream import OperatorEventStream
from core.database import databases
from core.events.catalogue import event_types
from core.events.lags import newest_events, outbox_lags
from core.identity import Principal
from core.tenancy import describe_tenant, list_tenants
from tenants.portal import operator_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]


Text = Annotated[str, Query(max_length=100)]
MOST = 100


@router.get("/operators/events")
def show_events(page: Page, principal: Reader, event: Text = "", tenant: Text = "") -> HTMLResponse:
    """Show the newest events without what they carry, and how far the outbox of each database is behind."""
    chosen = describe_tenant(tenant).id if tenant else None
    everybody = list_tenants()
    lags = outbox_lags()
    answering = {each.database for each in lags}
    return page.render(
        "portal/operators/events.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        events=newest_events(event=event or None, tenant=chosen, limit=MOST, of=sorted(answering)),
        lags=lags,
        unasked=sorted(set(databases()) - answering),
        slugs={each.id: each.slug for each in everybody},
        types=[(name, name) for name in sorted(event_types())],
        tenants=[(each.slug, each.slug) for each in everybody],
        event=event,
        tenant=tenant,
        here="/operators/events?" + urlencode({"event": event, "tenant": tenant}),
        words=words,
    )


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
