"""The test of an instance: a message that says that it is a test, sent as a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from core.clock import now
from core.errors import Conflict
from core.plugins import sending
from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.instance_health import judge
from core.plugins.usable_instances import NotUsableError, open_instance
from plugins.sdk import Alert, Event, Outcome, failed, retry, sent

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef

TITLE: Final = "Test of this channel"


def send_test(tenant: TenantRef, instance_id: UUID, kind: str) -> Outcome:
    """Send a test through an instance, and return what became of it.

    An alert channel gets an alert and its end, and a listener an event. An importer or a knowledge source is asked
    where to look.

    Raises:
        Conflict: a gateway needs a phone; send a message to a phone of your own (409).
        TransactionOpenError: a transaction is open.
    """
    message_id = str(uuid4())
    if kind == "alert-channel":
        outcome = sending.send_alert(tenant, instance_id, _alert(message_id, "trigger"))
        if outcome.state == "sent":
            end = sending.send_alert(tenant, instance_id, _alert(message_id, "resolve"))
            return end if end.state == "failed" else outcome
        return outcome
    if kind == "event-listener":
        event = Event(message_id, "plugins.test", 1, 0, "test", now(), {})
        return sending.send_event(tenant, instance_id, event)
    if kind == "sms-gateway":
        detail = "a gateway is tested with a message to a phone"
        raise Conflict(detail, remedy="Send a message to a phone of your own.")
    try:
        opened = open_instance(tenant, instance_id, kind)
        opened.call("look", opened.settings, now())
    except NotUsableError as error:
        return failed(error.reason)
    except PluginBusy:
        return retry("plugin_busy")
    except PluginFailed:
        outcome = failed("plugin_failed")
    else:
        outcome = sent()
    judge(tenant, instance_id, outcome, success_is_news=opened.success_is_news)
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
