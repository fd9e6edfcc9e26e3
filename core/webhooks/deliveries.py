"""The log of an endpoint's deliveries: find, resend, replay; and examples."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlmodel import col, select
from uuid_utils.compat import uuid7

from core import audit
from core.clock import now
from core.errors import FieldError, Invalid, NotFound, phrase
from core.events.catalogue import public_types, type_of
from core.events.outbox import envelope
from core.web.keyset import Slice, read_slice
from core.webhooks.fan_out import add_example, ask
from core.webhooks.models import WebhookAttempt, WebhookDelivery
from core.webhooks.service import get_endpoint, public_ones

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.database import TenantSession
    from core.web.paging import PageRequest

MOST_REPLAYED: Final = 10_000
_REPLAY: Final = """
UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, due_at = %s WHERE id IN (
    SELECT id FROM webhook_deliveries WHERE endpoint_id = %s AND created_at >= %s ORDER BY created_at, id LIMIT %s
)
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries to find; None for all.

    Attributes:
        state: ``waiting``, ``delivered`` or ``failed``.
        event: the event's name.
        since: created at this time or later.
        until: created before this time.
    """

    state: str | None = None
    event: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_deliveries(session: TenantSession, endpoint_id: UUID, *, limit: int = 50) -> list[WebhookDelivery]:
    """Return the newest deliveries of an endpoint.

    Raises:
        NotFound: there is no such endpoint (404).
    """
    get_endpoint(session, endpoint_id)
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    newest = query.order_by(col(WebhookDelivery.created_at).desc(), col(WebhookDelivery.id).desc()).limit(limit)
    return list(session.exec(newest))


def find_deliveries(
    session: TenantSession, endpoint_id: UUID, paging: PageRequest, chosen: Filter
) -> Slice[WebhookDelivery]:
    """Return one page of an endpoint's deliveries, in the order of ``created_at``.

    Raises:
        NotFound: there is no such endpoint (404).
    """
    get_endpoint(session, endpoint_id)
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    if chosen.state is not None:
        query = query.where(WebhookDelivery.state == chosen.state)
    if chosen.event is not None:
        query = query.where(WebhookDelivery.event == chosen.event)
    if chosen.since is not None:
        query = query.where(WebhookDelivery.created_at >= chosen.since)
    if chosen.until is not None:
        query = query.where(WebhookDelivery.created_at < chosen.until)
    columns = {"created_at": WebhookDelivery.created_at}
    return read_slice(session, query, paging, columns, WebhookDelivery.id)


def get_delivery(session: TenantSession, endpoint_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """Return a delivery of an endpoint.

    Raises:
        NotFound: the endpoint has no such delivery (404).
    """
    row = session.get(WebhookDelivery, delivery_id)
    if row is None or row.endpoint_id != endpoint_id:
        raise _unknown()
    return row


def endpoint_of(session: TenantSession, delivery_id: UUID) -> UUID:
    """Return the endpoint of a delivery.

    Raises:
        NotFound: there is no such delivery (404).
    """
    row = session.get(WebhookDelivery, delivery_id)
    if row is None:
        raise _unknown()
    return row.endpoint_id


def body_of(row: WebhookDelivery) -> dict[str, Any]:
    """Return what a delivery sends."""
    body: dict[str, Any] = json.loads(row.body)
    return body


def list_attempts(session: TenantSession, delivery_id: UUID) -> list[WebhookAttempt]:
    """Return the attempts of a delivery, oldest first."""
    query = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery_id)
    return list(session.exec(query.order_by(col(WebhookAttempt.at), col(WebhookAttempt.id))))


def last_attempts(session: TenantSession, delivery_ids: Sequence[UUID]) -> dict[UUID, WebhookAttempt]:
    """Return the last attempt of each delivery that had one."""
    attempt = WebhookAttempt
    query = select(attempt).where(col(attempt.delivery_id).in_(delivery_ids)).order_by(col(attempt.at), col(attempt.id))
    return {row.delivery_id: row for row in session.exec(query)}


def resend(session: TenantSession, endpoint_id: UUID, delivery_id: UUID, *, source: str) -> WebhookDelivery:
    """Send a delivery again, now, with the same ``webhook-id`` and the whole schedule.

    Raises:
        NotFound: the endpoint has no such delivery (404).
    """
    row = get_delivery(session, endpoint_id, delivery_id)
    get_endpoint(session, endpoint_id, lock="publish")
    _send_again(session, row)
    audit.record(session, f"{source}:webhook:resend", "webhook", endpoint_id, {"deliveries": 1})
    ask(session, endpoint_id)
    return row


def replay(session: TenantSession, endpoint_id: UUID, since: datetime, *, source: str) -> int:
    """Send the endpoint's deliveries since a time again, oldest first. Return how many, at most 10,000.

    Raises:
        NotFound: there is no such endpoint (404).
    """
    get_endpoint(session, endpoint_id, lock="publish")
    with session.cursor() as cursor:
        count = cursor.execute(_REPLAY, (now(), endpoint_id, since, MOST_REPLAYED)).rowcount
    audit.record(session, f"{source}:webhook:resend", "webhook", endpoint_id, {"deliveries": count})
    ask(session, endpoint_id)
    return count


def send_example(session: TenantSession, endpoint_id: UUID, event: str, *, source: str) -> UUID:
    """Send the example of an event to an endpoint. Return the delivery's id.

    Raises:
        NotFound: there is no such endpoint (404).
        Invalid: the event is not public (422).
    """
    get_endpoint(session, endpoint_id, lock="publish")
    if event not in public_types():
        detail = phrase("{event} is no public event", event=event)
        raise Invalid(detail, errors=[FieldError("event", detail, public_ones())])
    audit.record(session, f"{source}:webhook:resend", "webhook", endpoint_id, {"example": event})
    known = type_of(event)
    return add_example(session, endpoint_id, envelope(known, uuid7(), "example", known.example))


def _send_again(session: TenantSession, row: WebhookDelivery) -> None:
    row.state, row.attempts, row.due_at = "waiting", 0, now()
    session.add(row)
    session.flush()


def _unknown() -> NotFound:
    detail = "there is no such delivery"
    return NotFound(detail)
