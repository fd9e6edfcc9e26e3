"""Which tenants may use which third-party plugins: none, until an operator allows it.

A process has a copy of the operator's choices and reads it again after ``FRESH_SECONDS``. It reads nothing while only
first-party plugins are installed: every tenant may use those.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core.audit.platform import record_act
from core.database import look_up, platform_session
from core.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantRef

FRESH_SECONDS: Final = 5.0
_READ: Final = """
SELECT coalesce(jsonb_agg(jsonb_build_array(plugin, tenant_id)), '[]') AS pairs FROM platform.plugin_permissions
"""
_ADD: Final = text(
    "INSERT INTO platform.plugin_permissions (id, plugin, tenant_id, set_by) SELECT :id, :plugin, :tenant, :actor"
    " WHERE NOT EXISTS (SELECT FROM platform.plugin_permissions"
    " WHERE plugin = :plugin AND tenant_id IS NOT DISTINCT FROM CAST(:tenant AS uuid))"
)
_REMOVE: Final = text("DELETE FROM platform.plugin_permissions WHERE plugin = :plugin AND tenant_id = :tenant")
_REMOVE_ALL: Final = text("DELETE FROM platform.plugin_permissions WHERE plugin = :plugin")


@dataclass
class _Copy:
    """The operator's choices as this process last read them.

    Attributes:
        pairs: plugin and tenant, None for all tenants; None if they were never read.
        read_at: monotonic seconds.
    """

    pairs: frozenset[tuple[str, UUID | None]] | None = None
    read_at: float = 0.0


_copy = _Copy()
_reading = Lock()


def is_allowed(plugin: str, tenant_id: UUID) -> bool:
    """Return whether an operator allows a third-party plugin for a tenant. False while that was never read."""
    pairs = _fresh()
    return (plugin, None) in pairs or (plugin, tenant_id) in pairs


def allowed_tenants(plugin: str) -> Sequence[UUID] | None:
    """Return the ids of the tenants that may use a third-party plugin; None for all tenants."""
    pairs = _fresh()
    return None if (plugin, None) in pairs else sorted(each for name, each in pairs if name == plugin and each)


def allow(plugin: str, tenants: Sequence[TenantRef] | None, *, actor: str) -> None:
    """Allow a third-party plugin for some tenants, or for all, those of the future included.

    Args:
        plugin: the name of its entry point.
        tenants: None for all.
        actor: the operator.
    """
    with platform_session() as session:
        for tenant in [None] if tenants is None else tenants:
            tenant_id = None if tenant is None else tenant.id
            values = {"id": uuid7(), "plugin": plugin, "tenant": tenant_id, "actor": actor}
            session.execute(_ADD, values)
            record_act(session, "cli:plugin:allow", actor=actor, tenant_id=tenant_id, detail={"plugin": plugin})
    forget()


def forbid(plugin: str, tenants: Sequence[TenantRef] | None, *, actor: str) -> None:
    """End the use of a third-party plugin by some tenants, or by all. What they have set up with it stays, unused.

    Args:
        plugin: the name of its entry point.
        tenants: None for all: then every earlier permission ends.
        actor: the operator.

    Raises:
        Conflict: it is allowed for all tenants, so that nothing ends for one (409).
    """
    if tenants is not None and allowed_tenants(plugin) is None:
        detail = f"plugin {plugin!r} is allowed for all partners"
        raise Conflict(detail, remedy="Forbid it for all, then allow it for those that may use it.")
    with platform_session() as session:
        for tenant in [None] if tenants is None else tenants:
            tenant_id = None if tenant is None else tenant.id
            session.execute(_REMOVE_ALL if tenant is None else _REMOVE, {"plugin": plugin, "tenant": tenant_id})
            record_act(session, "cli:plugin:forbid", actor=actor, tenant_id=tenant_id, detail={"plugin": plugin})
    forget()


def forget() -> None:
    """Read the choices again when they are next needed."""
    _copy.pairs, _copy.read_at = None, 0.0


def read_now() -> None:
    """Read the choices, with no transaction open. Changes nothing while the control database cannot be read."""
    with _reading:
        _read()


def _fresh() -> frozenset[tuple[str, UUID | None]]:
    if _copy.pairs is None or time.monotonic() - _copy.read_at > FRESH_SECONDS:
        # One thread reads at a time: a caller may have a transaction open, and many callers that each wait for a
        # second connection would take all of the pool.
        first = _copy.pairs is None
        if _reading.acquire(blocking=first):
            try:
                if _copy.pairs is None or not first:
                    _read()
            finally:
                _reading.release()
    return _copy.pairs or frozenset()


def _read() -> None:
    try:
        row = look_up(_READ, ())
    except Unavailable:
        return  # also while the database is behind this version
    pairs = [] if row is None else row["pairs"]
    _copy.pairs = frozenset((plugin, None if tenant is None else UUID(tenant)) for plugin, tenant in pairs)
    _copy.read_at = time.monotonic()
