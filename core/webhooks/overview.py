"""Deliveries of all tenants, counted for operators: no address, no event, no payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.database import databases, node_session, psycopg_connection, tenant_session
from core.errors import AppError
from core.tenancy import list_tenants

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantRef

# Schemas whose table of endpoints has ever had a row: most tenants have none, and a fleet has thousands.
_USED: Final = """
SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relname = 'webhook_endpoints' AND relkind = 'r' AND pg_relation_size(pg_class.oid) > 0
"""
_COUNTS: Final = """
SELECT (SELECT count(*) FILTER (WHERE state = 'active') FROM webhook_endpoints),
    (SELECT count(*) FILTER (WHERE state = 'disabled') FROM webhook_endpoints),
    count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'delivered'),
    count(*) FILTER (WHERE state = 'failed'), min(created_at) FILTER (WHERE state = 'waiting')
FROM webhook_deliveries
"""


@dataclass(frozen=True, slots=True)
class TenantDeliveries:
    """What one tenant's webhooks did in the last 30 days, and what waits.

    Attributes:
        active: endpoints that receive events.
        disabled: endpoints that do not.
        oldest: when the oldest event that waits was published.
    """

    tenant: TenantRef
    active: int
    disabled: int
    waiting: int
    delivered: int
    failed: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryOverview:
    """The tenants that have webhooks, those that wait longest first; and the slugs of those that did not answer."""

    tenants: list[TenantDeliveries]
    unasked: list[str]


def deliveries_overview(*, actor: str) -> DeliveryOverview:
    """Count the deliveries of every tenant that has webhooks.

    Raises:
        Unavailable: the control database cannot be reached.
    """
    answered: list[TenantDeliveries] = []
    unasked: list[str] = []
    used = {name: _used_schemas(name) for name in databases()}
    for tenant in list_tenants():
        schemas = used.get(tenant.database)
        if schemas is not None and tenant.schema_name not in schemas:
            continue
        counted = None if schemas is None else _count(tenant, actor)
        if counted is None:
            unasked.append(tenant.slug)
        elif counted.active or counted.disabled:
            answered.append(counted)
    answered.sort(key=lambda one: (one.oldest is None, one.oldest, one.tenant.slug))
    return DeliveryOverview(answered, unasked)


def _used_schemas(database: str) -> set[str] | None:
    """Return the schemas that have endpoints; None if the database does not answer."""
    try:
        with node_session(database) as session:
            return {str(row[0]) for row in psycopg_connection(session).execute(_USED).fetchall()}
    except AppError:
        return None


def _count(tenant: TenantRef, actor: str) -> TenantDeliveries | None:
    try:
        with tenant_session(tenant, actor=actor, readonly=True) as session:
            row = session.cursor().execute(_COUNTS).fetchone()
    except AppError:
        return None
    return None if row is None else TenantDeliveries(tenant, *row)
