"""Connections of other protocols than HTTP to addresses that tenants choose."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from core.database import require_none
from core.outgoing.addresses import AddressRejected, checked_address
from core.resilience import guarded

if TYPE_CHECKING:
    from core.resilience import Dependency


def dial(
    dependency: Dependency, host: str, port: int, *, seconds: float, tenant: object, instance: str
) -> socket.socket:
    """Return a TCP connection to a checked address of the host.

    Args:
        dependency: what is called: its breaker and bulkhead.
        host: a name or an IP address.
        port: of the server.
        seconds: that connecting may take, and later each wait for the server.
        tenant: whose call it is.
        instance: what has a breaker and a bulkhead of its own.

    Raises:
        AddressRejected: the host has an address that may not be called.
        OSError: it has none, or there is no connection.
        BreakerOpen, BulkheadFull, DeadlinePassed: see ``core.resilience.guarded``.
        TransactionOpenError: a transaction is open.
    """
    require_none("a call to another server")
    with guarded(dependency, instance=instance, tenant=tenant, harmless=(AddressRejected,)):
        return socket.create_connection((checked_address(host, port), port), timeout=seconds)
