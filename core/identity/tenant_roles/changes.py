"""Changes of a tenant's own roles, which take effect in every process with its next request.

The roles are in the tenant's schema and their version in ``platform``: two transactions, maybe two servers. So a change

1. commits the mark ``settled = false``: from now on no process caches the roles;
2. locks the row of the version, then the roles, writes them, and commits them;
3. commits a higher version with ``settled = true``.

If a process dies after step 1 or 2, the mark stays. Requests then read the roles each time, until ``settle_all``
settles them. ``settle_all`` takes both locks, so it never settles while a change is running.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core.clock import now
from core.database import DEFAULT_DATABASE, TenantRef, lock_own, platform_session, tenant_session
from core.database.joining import apart
from core.errors import Conflict
from core.identity.tenant_roles.compiled import OwnRolesVersion
from core.identity.tenants import USABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event
    from uuid import UUID

    from sqlmodel import Session

    from core.database import TenantSession

LOCK: Final = "roles"
_ATTEMPTS: Final = 20
_MARK = text(
    "INSERT INTO platform.role_versions AS v (tenant_id, version, settled, changed_at) VALUES (:tenant, 1, false, :now)"
    " ON CONFLICT (tenant_id) DO UPDATE SET settled = false, changed_at = :now"
)
_ENSURE = text(
    "INSERT INTO platform.role_versions (tenant_id, version, settled, changed_at) VALUES (:tenant, 0, false, :now)"
    " ON CONFLICT DO NOTHING"
)
_VERSION = text("SELECT version, settled FROM platform.role_versions WHERE tenant_id = :tenant")
_HOLD = text("SELECT 1 FROM platform.role_versions WHERE tenant_id = :tenant FOR SHARE")
_TAKE = text("SELECT settled FROM platform.role_versions WHERE tenant_id = :tenant FOR UPDATE")
_TAKE_UNSETTLED = text(
    "SELECT 1 FROM platform.role_versions WHERE tenant_id = :tenant AND NOT settled FOR UPDATE SKIP LOCKED"
)
_SETTLE = text(
    "UPDATE platform.role_versions SET version = version + 1, settled = true, changed_at = :now"
    " WHERE tenant_id = :tenant"
)
_UNSETTLED = text(
    "SELECT t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.state, t.time_zone"  # noqa: S608 - a constant
    " FROM platform.role_versions v JOIN platform.tenants t ON t.id = v.tenant_id"
    f" WHERE NOT v.settled AND {USABLE} ORDER BY v.changed_at"
)


@contextmanager
def changing(
    tenant: TenantRef, *, actor: str, request_id: str | None = None
) -> Iterator[tuple[Session, TenantSession]]:
    """Open the transactions of one change: of ``platform``, and of the tenant, which commits first.

    Raises:
        Conflict: other changes came first in every attempt (409).
    """
    for _ in range(_ATTEMPTS):
        with apart(DEFAULT_DATABASE):
            _mark(tenant.id)  # others must see the mark before the change
        with platform_session() as platform:
            if platform.execute(_TAKE, {"tenant": tenant.id}).scalar_one():
                continue  # another change settled between our mark and our lock: mark again
            with tenant_session(tenant, actor=actor, request_id=request_id) as session:
                lock_own(session.cursor(), LOCK)
                yield platform, session
            _settle(platform, tenant.id)
        return
    detail = "the roles of the tenant are being changed by others"
    raise Conflict(detail, remedy="Try again.")


def roles_at(tenant_id: UUID) -> OwnRolesVersion:
    """The present version of the tenant's own roles."""
    with platform_session() as platform:
        row = platform.execute(_VERSION, {"tenant": tenant_id}).first()
    return OwnRolesVersion(None) if row is None else OwnRolesVersion(row.version, settled=row.settled)


def hold_roles(platform: Session, tenant_id: UUID) -> None:
    """Lock the tenant's roles against change and deletion until the transaction of ``platform`` ends."""
    platform.execute(_ENSURE, {"tenant": tenant_id, "now": now()})
    platform.execute(_HOLD, {"tenant": tenant_id})


def settle(tenant: TenantRef) -> bool:
    """Settle an interrupted change. Return False if there is none, or if another process has the lock of the roles."""
    with platform_session() as platform:
        if platform.execute(_TAKE_UNSETTLED, {"tenant": tenant.id}).first() is None:
            return False
        with tenant_session(tenant, actor="system:roles") as session:
            lock_own(session.cursor(), LOCK)  # a change whose connection broke may still be committing
        _settle(platform, tenant.id)
    return True


def settle_all(stopping: Event) -> None:
    """Settle the roles of every tenant whose change was interrupted: one round of the loop."""
    with platform_session() as platform:
        tenants = [TenantRef.of(row) for row in platform.execute(_UNSETTLED).mappings()]
    for tenant in tenants:
        if stopping.is_set():
            return
        settle(tenant)


def _mark(tenant_id: UUID) -> None:
    with platform_session() as platform:
        platform.execute(_MARK, {"tenant": tenant_id, "now": now()})


def _settle(platform: Session, tenant_id: UUID) -> None:
    platform.execute(_SETTLE, {"tenant": tenant_id, "now": now()})
