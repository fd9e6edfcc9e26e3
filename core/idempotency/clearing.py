"""Removal of stored answers: of expired ones in steps, and of all bodies of a tenant when a person is erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core import telemetry
from core.database import platform_session, psycopg_connection, tenant_session
from core.tenancy.rounds import for_each_tenant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

    from core.database import TenantRef, TenantSession

ACTOR: Final = "system:idempotency"
STEP: Final = 1_000
"""Rows that one transaction removes."""

_REMOVE = (
    "DELETE FROM {table} WHERE key_digest IN"
    " (SELECT key_digest FROM {table} WHERE expires_at <= now() ORDER BY expires_at LIMIT %s)"
)
log = telemetry.get_logger(__name__)


def remove_expired(stopping: Event) -> dict[str, str]:
    """Remove the expired answers of ``platform`` and of each tenant: one round of the loop.

    Returns:
        Slug -> error, for each tenant whose answers could not be removed.
    """
    while not stopping.is_set():
        with platform_session() as session, psycopg_connection(session).cursor() as cursor:
            cursor.execute(_REMOVE.format(table="platform.idempotency_answers"), (STEP,))
            if cursor.rowcount < STEP:
                break
    failed = for_each_tenant(stopping, lambda tenant: _remove(tenant, stopping))
    for slug, error in failed.items():
        log.warning("expired answers were not removed", tenant=slug, error=error)
    return failed


def _remove(tenant: TenantRef, stopping: Event) -> None:
    while not stopping.is_set():
        with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
            cursor.execute(_REMOVE.format(table="idempotency_answers"), (STEP,))
            if cursor.rowcount < STEP:
                return


def forget_bodies(session: TenantSession, payload: Mapping[str, Any]) -> None:  # noqa: ARG001 - of every listener
    """Remove the bodies of the tenant's stored answers, because they may name the person who was erased."""
    with session.cursor() as cursor:
        cursor.execute("UPDATE idempotency_answers SET answer = NULL WHERE answer IS NOT NULL")
