"""Which addresses outgoing calls may reach."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final, Literal

import httpx

from core.settings import get_settings

_HIDDEN: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "100.64.0.0/10")
)
"""IPv6 addresses that carry an IPv4 address, maybe a private one; and the addresses of carriers' networks."""

_LONGEST_LABEL: Final = 63

Private = bool | Literal["only"]
"""Whether addresses of private networks may be called, or only they."""


class AddressRejected(Exception):  # noqa: N818 - named for what happened
    """An address that may not be called.

    Attributes:
        host: the host, as the URL names it.
    """

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} may not be called")
        self.host = host


def parse_url(address: str) -> httpx.URL:
    """Return the address as a URL if its form may be called: HTTPS, with no password and no fragment.

    Outside production, HTTP to this machine is allowed.

    Raises:
        AddressRejected: it may not be called.
    """
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, UnicodeError):
        raise AddressRejected("") from None
    if not _is_host(url.raw_host.decode()):
        raise AddressRejected(url.host)
    plain = url.scheme == "http" and loopback_allowed() and _is_loopback(url.host)
    if not (url.scheme == "https" or plain) or not url.host or url.userinfo or url.fragment:
        raise AddressRejected(url.host)
    return url


def checked_address(host: str, port: int, *, private: Private = False) -> str:
    """Return an IP address of the host, after a check that all its addresses may be called.

    Args:
        host: a name or an IP address.
        port: to which the call goes.
        private: whether addresses of private networks may be called, but for those of this machine; ``only``: whether
            no others may, see ``is_local``.

    Raises:
        AddressRejected: one of its addresses may not be called, or the host can be no name.
        OSError: it has none.
    """
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label is empty or too long
        raise AddressRejected(host) from None
    addresses = {str(entry[4][0]) for entry in entries}
    for text in addresses:
        plain = text.partition("%")[0]
        if not may_be_called(plain, private=bool(private)) or (private == "only" and not is_local(plain)):
            raise AddressRejected(host)
    return min(addresses, key=lambda text: (":" in text, text))


def is_local(text: str) -> bool:
    """Return whether an IP address is of a private network, or of this machine."""
    address = _unmapped(text)
    return address.is_loopback or (address.is_private and not address.is_link_local and not address.is_unspecified)


def may_be_called(text: str, *, private: bool = False) -> bool:
    """Return whether an IP address may be called: see ``IIT_OUTGOING_NETWORKS``."""
    address = _unmapped(text)
    if any(address in network for network in get_settings().outgoing_allowed_networks()):
        return True
    if address.is_loopback:
        return loopback_allowed()
    if address.is_link_local or address.is_multicast or address.is_unspecified or _is_own(str(address)):
        return False
    return private or (address.is_global and not any(address in network for network in _HIDDEN))


def loopback_allowed() -> bool:
    """Return whether calls may reach this machine: only outside production."""
    return get_settings().environment != "production"


def _unmapped(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; where it is an IPv4 address in the form of IPv6, that one."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_host(host: str) -> bool:
    """Return whether each label of a host has a length that DNS allows."""
    return all(0 < len(label) <= _LONGEST_LABEL for label in host.removesuffix(".").split(".")) or ":" in host


def _is_own(address: str) -> bool:
    """Return whether an interface of this machine has the address: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            bound.bind((address, 0))
    except OSError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
