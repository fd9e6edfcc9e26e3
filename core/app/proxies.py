"""Headers of reverse proxies: uses X-Forwarded-For, -Proto and -Host only if a trusted proxy sends them.

Anybody can send these headers. So they are removed from every request, and their values are used only if the connection
comes from a declared proxy. ``Forwarded`` (RFC 7239) is removed and never used. A proxy that sets one family of headers
passes the other on, so a client could forge it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from core.errors import Invalid

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
_REMOVED = frozenset({_FOR, _PROTO, _HOST, b"x-forwarded-port", b"x-forwarded-prefix", b"x-real-ip", b"forwarded"})
_HOST_FORM = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_WITH_PORT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}|\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?")


def networks_of(proxies: str) -> tuple[Network, ...]:
    """Return the networks of the setting ``proxies``: addresses and networks, separated by commas.

    Raises:
        Invalid: an entry is neither an address nor a network.
    """
    networks = []
    for part in filter(None, (part.strip() for part in proxies.split(","))):
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            detail = "IIT_PROXIES has an entry that is neither an address nor a network"
            remedy = "Write IP addresses or networks with commas between, such as 10.0.0.5,10.1.0.0/16."
            raise Invalid(detail, remedy=remedy) from None
    return tuple(networks)


class TrustedProxies:
    """Replaces the client's address, the scheme and the host by those that trusted proxies report.

    Args:
        app: the application.
        networks: the networks of the proxies.
    """

    def __init__(self, app: ASGIApp, networks: tuple[Network, ...]) -> None:
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            self._rewrite(scope)
        await self._app(scope, receive, send)

    def _rewrite(self, scope: Scope) -> None:
        values: dict[bytes, list[str]] = {}
        headers = []
        for name, value in scope["headers"]:
            if name in _REMOVED:
                values.setdefault(name, []).extend(part.strip() for part in value.decode("latin-1").split(","))
            else:
                headers.append((name, value))
        scope["headers"] = headers
        client = scope.get("client")
        if not values or client is None or not self._trusts(client[0]):
            return
        address = self._client(values.get(_FOR, ()))
        if address is not None:
            scope["client"] = (address, 0)
        scheme = values.get(_PROTO, [""])[-1].lower()
        if scheme in ("http", "https"):
            scope["scheme"] = scheme
        host = values.get(_HOST, [""])[-1]
        if _HOST_FORM.fullmatch(host):
            scope["headers"] = [pair for pair in headers if pair[0] != b"host"] + [(b"host", host.encode("ascii"))]

    def _client(self, chain: list[str] | tuple[()]) -> str | None:
        """Return the last address that is not a trusted proxy's; the client can forge all before it."""
        address = None
        for part in reversed(chain):
            with_port = _WITH_PORT.fullmatch(part)
            host = (with_port[1] or with_port[2]) if with_port else part
            if _parsed(host) is None:
                return address
            address = host
            if not self._trusts(host):
                return address
        return address

    def _trusts(self, host: str) -> bool:
        address = _parsed(host)
        return address is not None and any(address in network for network in self._networks)


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
