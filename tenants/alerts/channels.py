"""The channels of a tenant: instances of plugins that notify people of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.plugins import instances, sending
from core.plugins.errors import PluginFailed
from core.plugins.usable_instances import NotUsableError, open_instance

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef, TenantSession
    from plugins.sdk import Alert, Outcome

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


def is_repeatable(tenant: TenantRef, channel_id: UUID, alert: Alert) -> bool:
    """Return whether the receiver recognizes a repetition of the message, as the plugin says of its requests.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    try:
        opened = open_instance(tenant, channel_id, KIND)
        return all(request.repeatable for request in opened.call("requests", alert, opened.settings))
    except NotUsableError:
        return True  # nothing was sent, and nothing will be
    except PluginFailed:
        return False  # the next call of the plugin may succeed, and send


def send(tenant: TenantRef, channel_id: UUID, alert: Alert) -> Outcome:
    """Notify the receiver of a channel what happened to an alert.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    return sending.send_alert(tenant, channel_id, alert)
