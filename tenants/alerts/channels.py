"""The channels of a tenant: instances of plugins that notify people of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.plugins import instances, sending

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef, TenantSession
    from core.plugins.sending import PreparedMessage
    from plugins.sdk import Alert

KIND: Final = "alert-channel"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that the tenant has set up.

    Attributes:
        id: the instance.
        name: the tenant's name for it.
        plugin: such as ``slack``.
    """

    id: UUID
    name: str
    plugin: str


def list_channels(session: TenantSession) -> list[Channel]:
    """Return the channels that are enabled."""
    return [Channel(row.id, row.name, row.plugin) for row in instances.list_instances(session, KIND) if row.enabled]


def prepare(tenant: TenantRef, channel_id: UUID, alert: Alert) -> PreparedMessage:
    """Return what the receiver of a channel gets of an alert, described by the plugin and ready to leave.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    return sending.prepare_alert(tenant, channel_id, alert)
