"""The gateway that sends messages: a plugin instance, which the platform calls while no transaction is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import NotFound
from core.plugins import instances, sending
from plugins.sdk import Sms, secret
from tenants.messages.segments import size_of

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef, TenantSession
    from core.plugins.sending import PreparedMessage
    from plugins.sdk import DeliveryReport
    from tenants.messages.settings import MessageSettings


def gateway_of(session: TenantSession, settings: MessageSettings) -> UUID | None:
    """Return the gateway that sends messages: the chosen one, else the tenant's only enabled one; None for none."""
    if not settings.active:
        return None
    if settings.gateway is not None:
        return settings.gateway
    enabled = [row.id for row in instances.list_instances(session, "sms-gateway") if row.enabled]
    return enabled[0] if len(enabled) == 1 else None


def name_of(session: TenantSession, gateway: UUID | None) -> str:
    """Return the plugin of a gateway, such as ``termii``, which its messages' prices depend on; empty if it is gone."""
    try:
        return "" if gateway is None else instances.get_instance(session, gateway).plugin
    except NotFound:
        return ""


def report_address(session: TenantSession, gateway: UUID) -> str:
    """Return the address to which the gateway sends reports; empty if the installation has no public address."""
    try:
        return instances.incoming_url(session, instances.get_instance(session, gateway))
    except NotFound:
        return ""


def prepare(
    tenant: TenantRef, gateway: UUID, message_id: UUID, *, to: str, text: str, report_url: str
) -> PreparedMessage:
    """Return one message as its gateway gets it, described by the plugin and ready to leave.

    Args:
        tenant: the tenant.
        gateway: the plugin instance.
        message_id: the message, the same in every attempt.
        to: the phone in E.164.
        text: what it says.
        report_url: where the gateway sends reports; empty if nowhere.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    size = size_of(text)
    sms = Sms(
        id=str(message_id),
        to=secret("to"),
        text=secret("text"),
        unicode=size.unicode,
        segments=size.segments,
        sender="",
        report_url=report_url,
    )
    return sending.prepare_sms(tenant, gateway, sms, to=to, text=text)


def ask(tenant: TenantRef, gateway: UUID, reference: str, *, to: str, text: str) -> DeliveryReport | None:
    """Ask the gateway what became of a message; None if it cannot be asked, or says nothing.

    Args:
        tenant: the tenant.
        gateway: the plugin instance.
        reference: the message, as the gateway named it.
        to: its phone, which the plugin does not see in the answer; empty if it does not open any more.
        text: of the message, likewise.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    return sending.ask_status(tenant, gateway, reference, to=to, text=text)
