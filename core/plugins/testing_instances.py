"""The test of an instance: a message that says that it is a test, sent as a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from core.clock import now
from core.errors import Conflict
from core.plugins import sending
from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.instance_health import judge
from core.plugins.own_messages import StaffText
from core.plugins.usable_instances import NotUsableError, open_instance
from plugins.sdk import Alert, Event, Outcome, failed, retry, sent

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef

TITLE: Final = "Test of this channel"
TEXT: Final = "Test of this SMS gateway"


def send_test(tenant: TenantRef, instance_id: UUID, kind: str, phone: str | None = None) -> Outcome:
    """Send a test through an instance, and return what became of it.

    An alert channel gets an alert and its end, a listener an event, and a gateway an SMS. An importer or a knowledge
    source is asked where to look.

    Args:
        tenant: whose instance it is.
        instance_id: the instance.
        kind: of the instance.
        phone: the phone of the person who tests a gateway, E.164.

    Raises:
        Conflict: a gateway needs a phone; send a message to a phone of your own (409).
        TransactionOpenError: a transaction is open.
    """
    message_id = str(uuid4())
    if kind == "alert-channel":
        outcome = sending.send_alert(tenant, instance_id, _alert(message_id, "trigger"))
        end = (
            sending.send_alert(tenant, instance_id, _alert(message_id, "resolve")) if outcome.state == "sent" else None
        )
        return end if end is not None and end.state == "failed" else outcome
    if kind == "event-listener":
        event = Event(message_id, "plugins.test", 1, 0, "test", now(), {})
        return sending.send_event(tenant, instance_id, event)
    if kind == "sms-gateway":
        if phone is None:
            detail = "a gateway is tested with a message to a phone"
            raise Conflict(detail, remedy="Send a message to a phone of your own.")
        sms = StaffText(phone, TEXT, "").sms(message_id)
        return sending.send_sms(tenant, instance_id, sms, to=phone, text=TEXT)
    return _look(tenant, instance_id, kind)


def _look(tenant: TenantRef, instance_id: UUID, kind: str) -> Outcome:
    """Ask an importer or a knowledge source where to look."""
    try:
        opened = open_instance(tenant, instance_id, kind)
    except NotUsableError as error:
        return failed(error.reason)
    try:
        opened.call("look", opened.settings, now())
    except PluginBusy:
        return retry("plugin_busy")
    except PluginFailed:
        outcome = failed("plugin_failed")
    else:
        outcome = sent()
    judge(tenant, instance_id, kind, outcome, success_is_news=opened.success_is_news)
    return outcome


def _alert(message_id: str, act: str) -> Alert:
    return Alert(
        id=message_id,
        act="trigger" if act == "trigger" else "resolve",
        key=f"iit-test-{message_id}",
        severity="info",
        title=TITLE,
        text="",
        url="https://example.org/",
        stream="platform",
        facility="",
        count=1,
        occurred_at=now(),
        facts={},
    )
