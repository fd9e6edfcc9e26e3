"""Endpoints and deliveries of a tenant: add, list, rotate, resend, replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlmodel import col, select
from uuid_utils.compat import uuid7

from core import audit
from core.clock import now
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.events.catalogue import public_types, type_of
from core.events.outbox import envelope
from core.outgoing import AddressRejected, parse_url
from core.privacy.sealing import seal
from core.webhooks.dispatch import PURPOSE
from core.webhooks.fan_out import add_delivery, ask
from core.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from core.webhooks.signing import new_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.database import TenantSession

MOST_ENDPOINTS: Final = 20
MOST_REPLAYED: Final = 10_000
BOTH_SIGN: Final = timedelta(hours=24)
"""How long the secret before the newest signs too."""


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """An endpoint with its secret, which only its creation and a rotation show."""

    endpoint: WebhookEndpoint
    secret: str


def add_endpoint(session: TenantSession, url: str, events: Sequence[str], *, source: str) -> EndpointSecret:
    """Add an endpoint that receives the events, or all public ones if none is named.

    Raises:
        Invalid: the address is no HTTPS address, or an event is not public (422).
        Conflict: the tenant has as many endpoints as it may (409).
    """
    try:
        parse_url(url)
    except AddressRejected:
        detail = "the address is not an HTTPS address"
        raise Invalid(detail, errors=[FieldError("body.url", detail)]) from None
    unknown = sorted(set(events) - set(public_types()))
    if unknown:
        detail = phrase(
            "these are no public events: {names}; public are {public}",
            names=", ".join(unknown),
            public=", ".join(public_types()),
        )
        raise Invalid(detail, errors=[FieldError("body.events", detail)])
    if len(list_endpoints(session)) >= MOST_ENDPOINTS:
        detail = phrase("a partner has at most {most} endpoints", most=MOST_ENDPOINTS)
        raise Conflict(detail, remedy="Remove an endpoint that you no longer use.")
    endpoint_id, secret = uuid7(), new_secret()
    row = WebhookEndpoint(
        id=endpoint_id,
        url=url,
        events=sorted(set(events)),
        sealed_secret=seal(session, PURPOSE, endpoint_id, secret),
        created_by=session.actor,
    )
    session.add(row)
    session.flush()
    audit.record(session, f"{source}:webhook:create", "webhook", endpoint_id, {"events": row.events})
    return EndpointSecret(row, secret)


def list_endpoints(session: TenantSession) -> list[WebhookEndpoint]:
    """Return the tenant's endpoints, oldest first."""
    return list(session.exec(select(WebhookEndpoint).order_by(col(WebhookEndpoint.id))))


def get_endpoint(session: TenantSession, endpoint_id: UUID, *, locked: bool = False) -> WebhookEndpoint:
    """Return an endpoint of the tenant.

    Args:
        session: a transaction of the tenant.
        endpoint_id: the endpoint.
        locked: lock it as a publisher does, before ``ask``.

    Raises:
        NotFound: there is none (404).
    """
    query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
    row = session.exec(query.with_for_update(read=True, key_share=True) if locked else query).first()
    if row is None:
        detail = "there is no such endpoint"
        raise NotFound(detail)
    return row


def remove_endpoint(session: TenantSession, endpoint_id: UUID, *, source: str) -> None:
    """Remove an endpoint with its deliveries and their log.

    Raises:
        NotFound: there is none (404).
    """
    session.delete(get_endpoint(session, endpoint_id))
    session.flush()
    audit.record(session, f"{source}:webhook:remove", "webhook", endpoint_id, {})


def enable_endpoint(session: TenantSession, endpoint_id: UUID, *, source: str) -> None:
    """Send to a disabled endpoint again, beginning with what waits.

    Raises:
        NotFound: there is none (404).
    """
    row = get_endpoint(session, endpoint_id)
    if row.state == "active":
        return
    row.state, row.reason, row.failures, row.failing_since, row.paused_until = "active", None, 0, None, None
    session.add(row)
    session.flush()
    audit.record(session, f"{source}:webhook:enable", "webhook", endpoint_id, {})
    ask(session, endpoint_id)


def rotate_secret(session: TenantSession, endpoint_id: UUID, *, source: str) -> EndpointSecret:
    """Give the endpoint a new secret. For 24 hours the old one signs too.

    Raises:
        NotFound: there is none (404).
    """
    row, secret = get_endpoint(session, endpoint_id), new_secret()
    row.sealed_previous, row.previous_until = row.sealed_secret, now() + BOTH_SIGN
    row.sealed_secret = seal(session, PURPOSE, endpoint_id, secret)
    session.add(row)
    session.flush()
    audit.record(session, f"{source}:webhook:rotate", "webhook", endpoint_id, {})
    return EndpointSecret(row, secret)


def list_deliveries(session: TenantSession, endpoint_id: UUID, *, limit: int = 50) -> list[WebhookDelivery]:
    """Return the newest deliveries of an endpoint.

    Raises:
        NotFound: there is no such endpoint (404).
    """
    get_endpoint(session, endpoint_id)
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    newest = query.order_by(col(WebhookDelivery.created_at).desc(), col(WebhookDelivery.id).desc()).limit(limit)
    return list(session.exec(newest))


def list_attempts(session: TenantSession, delivery_id: UUID) -> list[WebhookAttempt]:
    """Return the attempts of a delivery, oldest first."""
    query = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery_id)
    return list(session.exec(query.order_by(col(WebhookAttempt.at), col(WebhookAttempt.id))))


def resend(session: TenantSession, delivery_id: UUID, *, source: str) -> WebhookDelivery:
    """Send a delivery again, now, with the same ``webhook-id`` and the whole schedule.

    Raises:
        NotFound: there is no such delivery (404).
    """
    row = session.get(WebhookDelivery, delivery_id)
    if row is None:
        detail = "there is no such delivery"
        raise NotFound(detail)
    get_endpoint(session, row.endpoint_id, locked=True)
    _send_again(session, row)
    audit.record(session, f"{source}:webhook:resend", "webhook", row.endpoint_id, {"deliveries": 1})
    ask(session, row.endpoint_id)
    return row


def replay(session: TenantSession, endpoint_id: UUID, since: datetime, *, source: str) -> int:
    """Send the endpoint's deliveries since a time again, oldest first. Return how many, at most 10,000.

    Raises:
        NotFound: there is no such endpoint (404).
    """
    get_endpoint(session, endpoint_id, locked=True)
    query = select(WebhookDelivery).where(
        WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.created_at >= since
    )
    rows = session.exec(query.order_by(col(WebhookDelivery.created_at)).limit(MOST_REPLAYED)).all()
    for row in rows:
        _send_again(session, row)
    audit.record(session, f"{source}:webhook:resend", "webhook", endpoint_id, {"deliveries": len(rows)})
    ask(session, endpoint_id)
    return len(rows)


def send_example(session: TenantSession, endpoint_id: UUID, event: str, *, source: str) -> UUID:
    """Send the example of an event to an endpoint. Return the delivery's id.

    Raises:
        NotFound: there is no such endpoint (404).
        Invalid: the event is not public (422).
    """
    get_endpoint(session, endpoint_id, locked=True)
    if event not in public_types():
        detail = phrase(
            "{event} is no public event; public are {public}", event=event, public=", ".join(public_types())
        )
        raise Invalid(detail, errors=[FieldError("body.event", detail)])
    audit.record(session, f"{source}:webhook:resend", "webhook", endpoint_id, {"example": event})
    known = type_of(event)
    return add_delivery(session, endpoint_id, envelope(known, uuid7(), "example", known.example))


def _send_again(session: TenantSession, row: WebhookDelivery) -> None:
    row.state, row.attempts, row.due_at = "waiting", 0, now()
    session.add(row)
    session.flush()
