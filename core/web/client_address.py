"""The network address of a client, as limits count it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def address_of(scope: MutableMapping[str, Any]) -> str:
    """Return the client's address. For IPv6 it is the /64 network, because one client usually has all of it."""
    client = scope.get("client")
    host = str(client[0]) if client else ""
    if ":" in host:
        try:
            return str(ipaddress.ip_network(f"{host.partition('%')[0]}/64", strict=False))
        except ValueError:
            return host
    return host
