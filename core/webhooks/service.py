"""The endpoints of a tenant: add, list, change, disable, rotate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from sqlmodel import col, select
from uuid_utils.compat import uuid7

from core import audit
from core.clock import now
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.events.catalogue import public_types
from core.outgoing import AddressRejected, parse_url
from core.privacy.sealing import seal
from core.webhooks.dispatch import PURPOSE
from core.webhooks.fan_out import ask
from core.webhooks.models import WebhookEndpoint
from core.webhooks.signing import new_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantSession
    from core.web.etag import ExpectedVersions

MOST_ENDPOINTS: Final = 20
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
    _check(url, events)
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


def stopped_by_failures(endpoints: Sequence[WebhookEndpoint]) -> list[WebhookEndpoint]:
    """Return those that were disabled after their failures, not by a person."""
    return [row for row in endpoints if row.state == "disabled" and row.reason != "person"]


def get_endpoint(
    session: TenantSession, endpoint_id: UUID, *, lock: Literal["publish", "change", "remove"] | None = None
) -> WebhookEndpoint:
    """Return an endpoint of the tenant.

    Args:
        session: a transaction of the tenant.
        endpoint_id: the endpoint.
        lock: lock it as a publisher does, before ``ask``; or to change it; or to remove it.

    Raises:
        NotFound: there is none (404).
    """
    query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
    if lock is not None:
        query = query.with_for_update(read=lock == "publish", key_share=lock != "remove")
    row = session.exec(query.execution_options(populate_existing=lock is not None)).first()
    if row is None:
        detail = "there is no such endpoint"
        raise NotFound(detail)
    return row


def change_endpoint(
    session: TenantSession, endpoint_id: UUID, url: str, events: Sequence[str], seen: ExpectedVersions, *, source: str
) -> WebhookEndpoint:
    """Change an endpoint's address and events. Deliveries that wait go to the new address, now.

    Raises:
        NotFound: there is none (404).
        Invalid: as ``add_endpoint`` (422).
        PreconditionFailed: the caller has seen another version (412).
    """
    _check(url, events)
    _ask_first(session, endpoint_id)
    row = get_endpoint(session, endpoint_id, lock="change")
    seen.check(row.version_id)
    if url != row.url:
        row.failures, row.failing_since, row.paused_until = 0, None, None
    row.url, row.events = url, sorted(set(events))
    _save(session, row)
    audit.record(session, f"{source}:webhook:change", "webhook", endpoint_id, {"events": row.events})
    return row


def remove_endpoint(session: TenantSession, endpoint_id: UUID, seen: ExpectedVersions, *, source: str) -> None:
    """Remove an endpoint with its deliveries and their log.

    Raises:
        NotFound: there is none (404).
        PreconditionFailed: the caller has seen another version (412).
    """
    row = get_endpoint(session, endpoint_id, lock="remove")
    seen.check(row.version_id)
    session.delete(row)
    session.flush()
    audit.record(session, f"{source}:webhook:remove", "webhook", endpoint_id, {})


def enable_endpoint(session: TenantSession, endpoint_id: UUID, *, source: str) -> WebhookEndpoint:
    """Send to a disabled endpoint again, beginning with what waits.

    Raises:
        NotFound: there is none (404).
    """
    _ask_first(session, endpoint_id)
    row = get_endpoint(session, endpoint_id, lock="change")
    if row.state == "active":
        return row
    row.state, row.reason, row.failures, row.failing_since, row.paused_until = "active", None, 0, None, None
    _save(session, row)
    audit.record(session, f"{source}:webhook:enable", "webhook", endpoint_id, {})
    return row


def disable_endpoint(session: TenantSession, endpoint_id: UUID, *, source: str) -> WebhookEndpoint:
    """Send nothing more to an endpoint, by a person's decision. What waits is sent when it is enabled again.

    Raises:
        NotFound: there is none (404).
    """
    row = get_endpoint(session, endpoint_id, lock="change")
    if row.state == "disabled":
        return row
    row.state, row.reason = "disabled", "person"
    _save(session, row)
    audit.record(session, f"{source}:webhook:disable", "webhook", endpoint_id, {"reason": "person"})
    return row


def rotate_secret(session: TenantSession, endpoint_id: UUID, *, source: str) -> EndpointSecret:
    """Give the endpoint a new secret. For 24 hours the old one signs too.

    Raises:
        NotFound: there is none (404).
    """
    row, secret = get_endpoint(session, endpoint_id, lock="change"), new_secret()
    row.sealed_previous, row.previous_until = row.sealed_secret, now() + BOTH_SIGN
    row.sealed_secret = seal(session, PURPOSE, endpoint_id, secret)
    _save(session, row)
    audit.record(session, f"{source}:webhook:rotate", "webhook", endpoint_id, {})
    return EndpointSecret(row, secret)


def _check(url: str, events: Sequence[str]) -> None:
    """Check what a person or a program asks for.

    Raises:
        Invalid: the address is no HTTPS address, or an event is not public (422).
    """
    try:
        parse_url(url)
    except AddressRejected:
        detail = "the address is not an HTTPS address"
        remedy = "Begin it with https://, without a user name, a password or a fragment."
        raise Invalid(detail, errors=[FieldError("url", detail, remedy)]) from None
    unknown = sorted(set(events) - set(public_types()))
    if unknown:
        detail = phrase("these are no public events: {names}", names=", ".join(unknown))
        raise Invalid(detail, errors=[FieldError("events", detail, public_ones())])


def public_ones() -> str:
    """Return the remedy for an event that is not public."""
    return phrase("Public events are {public}.", public=", ".join(public_types()))


def _ask_first(session: TenantSession, endpoint_id: UUID) -> None:
    """Have due deliveries sent once this transaction commits, before it locks the endpoint to change it.

    The dispatcher holds its job's row and then waits for the endpoint's: the other way round would be a deadlock.
    """
    get_endpoint(session, endpoint_id, lock="publish")
    ask(session, endpoint_id)


def _save(session: TenantSession, row: WebhookEndpoint) -> None:
    row.version_id = uuid7()
    session.add(row)
    session.flush()
