"""The channels of the pictures: one that fails, one that works, and a gateway that is switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.database import tenant_session
from core.plugins import instances
from core.plugins.instance_health import count_failure, count_success
from core.plugins.instances import InstanceIn
from core.plugins.usable_instances import log_failure

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef

ACTOR: Final = "test:1"
FAILING: Final = "Supervisors on call in Lakeside North"
_ADDRESS: Final = "https://integration.lakeside-care-initiative.example.org/alerts/iit-platform"
_INSTANCES: Final[tuple[tuple[str, str, str, dict[str, Any], bool], ...]] = (
    ("alert-channel", "webhook", FAILING, {"url": _ADDRESS, "secret": "whsec_" + "x" * 32}, True),
    ("alert-channel", "email", "Data team", {"to": ["data@lakeside.example.org"]}, True),
    ("sms-gateway", "africastalking", "State gateway", {"username": "iit", "api_key": "x" * 32}, False),
)


def failing_channel(tenant: TenantRef) -> UUID:
    """Return the channel that fails. The first call sets all up; nothing is sent."""
    with tenant_session(tenant, actor=ACTOR) as session:
        known = {row.name: row.id for row in instances.list_instances(session)}
        if FAILING in known:
            return known[FAILING]
        ids = [
            instances.add_instance(session, kind, plugin, InstanceIn(name, settings, enabled), source="cli").id
            for kind, plugin, name, settings, enabled in _INSTANCES
        ]
        count_success(session, ids[1])
        for _ in range(3):
            count_failure(session, ids[0], "server_error")
    log_failure(tenant, ids[0], "requests", "plugin_failed", "Traceback (most recent call last):\nKeyError: 'severity'")
    return ids[0]
