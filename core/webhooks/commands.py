"""``iit webhooks``: send a tenant's public events to other systems."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant
from core.database import tenant_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from core.database import TenantSession
    from core.webhooks.service import EndpointSecret

_slug = click.argument("slug")
_endpoint = click.argument("endpoint_id", type=click.UUID)


@click.group()
def webhooks() -> None:
    """Send a tenant's public events to other systems: endpoints, their secrets, deliveries."""


@webhooks.command()
@_slug
@click.argument("url")
@click.option("--event", "events", multiple=True, help="A public event; again for more. All, if none is given.")
@json_option
def add(slug: str, url: str, events: tuple[str, ...], *, as_json: bool) -> None:
    """Send the public events of the tenant SLUG to URL, and show the secret that signs them.

    iit webhooks add my-programme https://emr.example.org/hooks --event imports.completed
    """
    from core.webhooks import service

    with _session(slug) as session:
        created = service.add_endpoint(session, url, events, source="cli")
        _print_secret(created, as_json=as_json)


@webhooks.command("list")
@_slug
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the endpoints of the tenant SLUG, without their secrets."""
    from core.webhooks import service

    with _session(slug) as session:
        rows = [
            {
                "id": row.id,
                "url": row.url,
                "events": " ".join(row.events) or "all",
                "state": row.state if row.reason is None else f"{row.state} ({row.reason})",
                "failures": row.failures,
            }
            for row in service.list_endpoints(session)
        ]
    if as_json:
        print_json({"endpoints": rows})
    else:
        print_table(rows, ("id", "url", "events", "state", "failures"))


@webhooks.command()
@_slug
@_endpoint
def remove(slug: str, endpoint_id: UUID) -> None:
    """Remove an endpoint of the tenant SLUG, with the log of its deliveries."""
    from core.web.etag import ANY_VERSION
    from core.webhooks import service

    with _session(slug) as session:
        service.remove_endpoint(session, endpoint_id, ANY_VERSION, source="cli")
    note(f"removed {endpoint_id}")


@webhooks.command()
@_slug
@_endpoint
def enable(slug: str, endpoint_id: UUID) -> None:
    """Send to a disabled endpoint of the tenant SLUG again."""
    from core.webhooks import service

    with _session(slug) as session:
        service.enable_endpoint(session, endpoint_id, source="cli")
    note(f"enabled {endpoint_id}")


@webhooks.command()
@_slug
@_endpoint
@json_option
def rotate(slug: str, endpoint_id: UUID, *, as_json: bool) -> None:
    """Give an endpoint of the tenant SLUG a new secret. For 24 hours the old one signs too."""
    from core.webhooks import service

    with _session(slug) as session:
        _print_secret(service.rotate_secret(session, endpoint_id, source="cli"), as_json=as_json)


@webhooks.command()
@_slug
@_endpoint
@json_option
def deliveries(slug: str, endpoint_id: UUID, *, as_json: bool) -> None:
    """List the newest deliveries to an endpoint of the tenant SLUG, with their last answer."""
    from core.webhooks.deliveries import list_attempts, list_deliveries

    rows = []
    with _session(slug) as session:
        for row in list_deliveries(session, endpoint_id):
            attempts = list_attempts(session, row.id)
            last = attempts[-1] if attempts else None
            rows.append(
                {
                    "id": row.id,
                    "event": row.event,
                    "event_id": row.event_id,
                    "state": row.state,
                    "attempts": row.attempts,
                    "answer": "-" if last is None else last.status or last.error,
                    "due_at": row.due_at if row.state == "waiting" else None,
                }
            )
    if as_json:
        print_json({"deliveries": rows})
    else:
        print_table(rows, ("id", "event", "event_id", "state", "attempts", "answer", "due_at"))


@webhooks.command()
@_slug
@click.argument("delivery_id", type=click.UUID)
def resend(slug: str, delivery_id: UUID) -> None:
    """Send a delivery of the tenant SLUG again, with the same webhook-id."""
    from core.webhooks import deliveries as log

    with _session(slug) as session:
        log.resend(session, log.endpoint_of(session, delivery_id), delivery_id, source="cli")
    note(f"queued {delivery_id}")


@webhooks.command()
@_slug
@_endpoint
@click.option("--since", type=click.DateTime(), required=True, help="In UTC, such as 2026-11-28T06:00:00.")
def replay(slug: str, endpoint_id: UUID, since: datetime) -> None:
    """Send the deliveries to an endpoint of the tenant SLUG since a time again."""
    from core.webhooks import deliveries as log

    with _session(slug) as session:
        count = log.replay(session, endpoint_id, since.replace(tzinfo=UTC), source="cli")
    note(f"queued {count} deliveries")


@webhooks.command()
@_slug
@_endpoint
@click.argument("event")
def example(slug: str, endpoint_id: UUID, event: str) -> None:
    """Send the example of EVENT to an endpoint of the tenant SLUG."""
    from core.webhooks import deliveries as log

    with _session(slug) as session:
        log.send_example(session, endpoint_id, event, source="cli")
    note(f"queued an example of {event}")


@contextmanager
def _session(slug: str) -> Iterator[TenantSession]:
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        yield session


def _print_secret(created: EndpointSecret, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": created.endpoint.id, "url": created.endpoint.url, "secret": created.secret})
        return
    click.echo(created.secret)
    note(f"endpoint {created.endpoint.id}; the secret is shown only now")
