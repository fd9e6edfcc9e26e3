"""Rounds: what a background loop does for each tenant, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.telemetry.tracebacks import describe
from core.tenancy.service import list_tenants

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from core.database import TenantRef

ACTIVE = "active"


def for_each_tenant(
    stopping: Event, act: Callable[[TenantRef], object], *, state: str | None = ACTIVE
) -> dict[str, str]:
    """Call ``act`` for each tenant until the process stops.

    An error of one tenant, such as a schema that lacks a migration, does not stop the others.

    Args:
        stopping: is set when the process stops.
        act: receives the tenant.
        state: only tenants in this state; None for all.

    Returns:
        Slug -> error, for each tenant that failed.
    """
    failed: dict[str, str] = {}
    for tenant in list_tenants():
        if stopping.is_set():
            break
        if state is not None and tenant.state != state:
            continue
        try:
            act(tenant)
        except Exception as error:  # noqa: BLE001 - as said above
            failed[tenant.slug] = describe(error)
    return failed
