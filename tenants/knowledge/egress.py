"""Whether a question may leave the house, by the tenant's policy; what was blocked is counted."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, Literal

from core import metering
from core.metrics import Counter
from core.outgoing import is_local

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
    if _has_local_addresses(url.host):
        return None
    if policy.egress == "local":
        return "host_not_local"
    return None if _is_named(policy, url) else "host_not_named"


def must_be_local(policy: AnswerSettings, url: httpx.URL) -> bool:
    """Return whether a question may go to an address only as long as it is local: its name may lead elsewhere soon."""
    return policy.egress != "named" or not _is_named(policy, url)


def count_blocked(session: TenantSession, reason: Blocked, key: str) -> None:
    """Count a question that did not leave, with its tenant."""
    metering.record(session, METER, 1, key=key, dimensions={"reason": reason})
    BLOCKED.add(reason)


def _is_named(policy: AnswerSettings, url: httpx.URL) -> bool:
    return url.host.lower() in policy.hosts


def _has_local_addresses(host: str) -> bool:
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    addresses = {str(entry[4][0]).partition("%")[0] for entry in entries}
    return bool(addresses) and all(map(is_local, addresses))
