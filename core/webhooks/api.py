"""Webhooks over the API: endpoints, their secrets, the log of their deliveries."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core.access import TenantDb, require
from core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.identity import Principal
from core.web.days import IsoInstant, check_order
from core.web.etag import IfMatch, set_etag
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages, sorted_pages
from core.webhooks import deliveries, service
from core.webhooks.models import WebhookEndpoint
from core.webhooks.schemas import (
    DeliveryAttemptOut,
    DeliveryDetail,
    DeliveryOut,
    DeliveryState,
    ExampleIn,
    ReplayIn,
    ReplayOut,
    WebhookIn,
    WebhookOut,
    WebhookSecret,
)

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

WebhooksRead = Annotated[Principal, Depends(require("webhooks.read"))]
WebhooksWrite = Annotated[Principal, Depends(require("webhooks.write"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"created_at": datetime, "url": str}, "created_at"))]
"""Page and order of the list of webhooks. It needs no cursor, because a tenant has at most 20."""
Newest = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, "-created_at"))]
CHANGES = responses(NotFound, PreconditionFailed, PreconditionRequired)


@router.get("", operation_id="list_webhooks", summary="List webhooks, oldest first unless sorted")
def list_webhooks(_: WebhooksRead, db: TenantDb, paging: Ordered) -> Page[WebhookOut]:
    """List the addresses that receive the tenant's events, with their state."""
    rows = service.list_endpoints(db)
    if paging.sort is not None:
        sort = paging.sort
        rows.sort(key=lambda row: (getattr(row, sort.field), row.id), reverse=sort.descending)
    shown = rows[paging.offset : paging.offset + paging.limit]
    return Page.of([WebhookOut.model_validate(row) for row in shown], paging, len(rows))


@router.post(
    "", operation_id="create_webhook", status_code=201, summary="Create a webhook", responses=responses(Conflict)
)
def create_webhook(_: WebhooksWrite, db: TenantDb, body: WebhookIn, response: Response) -> WebhookSecret:
    """Send the tenant's public events to an address from now on. Only this answer shows the secret that signs them."""
    return _secret(response, service.add_endpoint(db, body.url, body.events, source="api"))


@router.get("/{webhook_id}", operation_id="get_webhook", summary="Get a webhook", responses=responses(NotFound))
def get_webhook(_: WebhooksRead, db: TenantDb, webhook_id: UUID, response: Response) -> WebhookOut:
    """Return a webhook without its secret, with its ETag."""
    return _answer(response, service.get_endpoint(db, webhook_id))


@router.put("/{webhook_id}", operation_id="change_webhook", summary="Change a webhook", responses=CHANGES)
def change_webhook(
    _: WebhooksWrite, db: TenantDb, webhook_id: UUID, body: WebhookIn, if_match: IfMatch, response: Response
) -> WebhookOut:
    """Change its address and its events. Deliveries that wait go to the new address."""
    return _answer(response, service.change_endpoint(db, webhook_id, body.url, body.events, if_match, source="api"))


@router.delete(
    "/{webhook_id}", operation_id="delete_webhook", status_code=204, summary="Delete a webhook", responses=CHANGES
)
def delete_webhook(_: WebhooksWrite, db: TenantDb, webhook_id: UUID, if_match: IfMatch) -> None:
    """Delete a webhook, with its deliveries and their log."""
    service.remove_endpoint(db, webhook_id, if_match, source="api")


@router.post(
    "/{webhook_id}/enable", operation_id="enable_webhook", summary="Enable a webhook", responses=responses(NotFound)
)
def enable_webhook(_: WebhooksWrite, db: TenantDb, webhook_id: UUID, response: Response) -> WebhookOut:
    """Send to a disabled webhook again, beginning with what waits. An active one stays as it is."""
    return _answer(response, service.enable_endpoint(db, webhook_id, source="api"))


@router.post(
    "/{webhook_id}/disable", operation_id="disable_webhook", summary="Disable a webhook", responses=responses(NotFound)
)
def disable_webhook(_: WebhooksWrite, db: TenantDb, webhook_id: UUID, response: Response) -> WebhookOut:
    """Send nothing more to a webhook. What waits is sent when it is enabled; events published meanwhile are not."""
    return _answer(response, service.disable_endpoint(db, webhook_id, source="api"))


@router.post(
    "/{webhook_id}/rotate-secret",
    operation_id="rotate_webhook_secret",
    status_code=201,
    summary="Give a webhook a new secret",
    responses=responses(NotFound),
)
def rotate_webhook_secret(_: WebhooksWrite, db: TenantDb, webhook_id: UUID, response: Response) -> WebhookSecret:
    """Create a new secret, shown in this answer only. For 24 hours the one before it signs too."""
    return _secret(response, service.rotate_secret(db, webhook_id, source="api"))


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="list_webhook_deliveries",
    summary="List the deliveries of a webhook, newest first",
    responses=responses(NotFound),
)
def list_webhook_deliveries(
    _: WebhooksRead,
    db: TenantDb,
    webhook_id: UUID,
    paging: Newest,
    state: Annotated[DeliveryState | None, Query(description="Only deliveries in this state.")] = None,
    event: Annotated[str | None, Query(description="Only of this event.", examples=["imports.completed"])] = None,
    since: Annotated[IsoInstant | None, Query(description="From this instant on.")] = None,
    until: Annotated[IsoInstant | None, Query(description="Before this instant.")] = None,
) -> Page[DeliveryOut]:
    """List what was sent and what waits. Deliveries that have ended stay for 30 days."""
    check_order("since", since, "until", until)
    chosen = deliveries.Filter(state, event, since, until)
    part = deliveries.find_deliveries(db, webhook_id, paging, chosen)
    return Page.of([DeliveryOut.model_validate(row) for row in part.rows], paging, part.total, part.last)


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    operation_id="get_webhook_delivery",
    summary="Get a delivery: its body and its attempts",
    responses=responses(NotFound),
)
def get_webhook_delivery(_: WebhooksRead, db: TenantDb, webhook_id: UUID, delivery_id: UUID) -> DeliveryDetail:
    """Return one delivery, with the body and the time, status and duration of each attempt."""
    row = deliveries.get_delivery(db, webhook_id, delivery_id)
    log = [DeliveryAttemptOut.model_validate(attempt) for attempt in deliveries.list_attempts(db, delivery_id)]
    return DeliveryDetail.of(row, deliveries.body_of(row), log)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/resend",
    operation_id="resend_webhook_delivery",
    status_code=202,
    summary="Send a delivery again",
    responses=responses(NotFound),
)
def resend_webhook_delivery(
    _: WebhooksWrite, db: TenantDb, webhook_id: UUID, delivery_id: UUID, response: Response
) -> DeliveryOut:
    """Send a delivery again, with the same `webhook-id` and the whole schedule of retries."""
    row = deliveries.resend(db, webhook_id, delivery_id, source="api")
    set_location(response, _path(webhook_id, delivery_id))
    return DeliveryOut.model_validate(row)


@router.post(
    "/{webhook_id}/replay",
    operation_id="replay_webhook",
    status_code=202,
    summary="Send the deliveries since a time again",
    responses=responses(NotFound),
)
def replay_webhook(_: WebhooksWrite, db: TenantDb, webhook_id: UUID, body: ReplayIn, response: Response) -> ReplayOut:
    """Send the deliveries since a time again, with their `webhook-id`, oldest first; at most 10,000."""
    count = deliveries.replay(db, webhook_id, body.since, source="api")
    set_location(response, f"/v1/webhooks/{webhook_id}/deliveries")
    return ReplayOut(deliveries=count)


@router.post(
    "/{webhook_id}/example",
    operation_id="send_webhook_example",
    status_code=202,
    summary="Send an example to a webhook",
    responses=responses(NotFound),
)
def send_webhook_example(
    _: WebhooksWrite, db: TenantDb, webhook_id: UUID, body: ExampleIn, response: Response
) -> DeliveryOut:
    """Send the example of a public event, signed as a real one; its `subject` is `example`."""
    delivery_id = deliveries.send_example(db, webhook_id, body.event, source="api")
    set_location(response, _path(webhook_id, delivery_id))
    return DeliveryOut.model_validate(deliveries.get_delivery(db, webhook_id, delivery_id))


def _path(webhook_id: UUID, delivery_id: UUID) -> str:
    return f"/v1/webhooks/{webhook_id}/deliveries/{delivery_id}"


def _answer(response: Response, row: WebhookEndpoint) -> WebhookOut:
    set_etag(response, row.version_id)
    return WebhookOut.model_validate(row)


def _secret(response: Response, created: service.EndpointSecret) -> WebhookSecret:
    set_location(response, f"/v1/webhooks/{created.endpoint.id}")
    shown = _answer(response, created.endpoint)
    return WebhookSecret(**shown.model_dump(), secret=created.secret)
