"""Whether a question may leave the house, by the tenant's policy; what was blocked is counted."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final, Literal

from core import metering
from core.metrics import Counter

if TYPE_CHECKING:
    import httpx

    from core.database import TenantSession
    from tenants.knowledge.settings_answers import AnswerSettings

Blocked = Literal["egress_off", "host_not_local", "host_not_named", "personal"]

METER: Final = "knowledge_egress_blocked"
BLOCKED: Final = Counter(
    "iit_knowledge_egress_blocked_total", "Questions that did not leave for a language model, by reason.", ("outcome",)
)


def blocked(policy: AnswerSettings, url: httpx.URL) -> Blocked | None:
    """Return why the policy does not let a question go to an address; None if it does.

    A name is looked up, so call this outside a transaction. A name that has no address, or one outside the private
    networks, is not local.
    """
    if policy.egress == "off":
        return "egress_off"
    if _is_local(url.host):
        return None
    if policy.egress == "local":
        return "host_not_local"
    return None if url.host.lower() in policy.hosts else "host_not_named"


def count_blocked(session: TenantSession, reason: Blocked, key: str) -> None:
    """Count a question that did not leave, with its tenant."""
    metering.record(session, METER, 1, key=key, dimensions={"reason": reason})
    BLOCKED.add(reason)


def _is_local(host: str) -> bool:
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]
    return bool(addresses) and all(_is_private(address) for address in addresses)


def _is_private(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or (address.is_private and not address.is_link_local and not address.is_unspecified)
