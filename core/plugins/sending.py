"""Sending for plugins: the plugin describes a request, the platform sends it, the plugin says what the answer means.

No transaction may be open. An outcome is returned for whatever happens; what to do next is the caller's decision.
``prepare_alert`` and ``prepare_sms`` do all that can be done before a request leaves, so that a caller that must first
write that one may have left writes it as late as possible.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.filling import BadRequestError, without_marks
from core.plugins.instance_health import judge
from core.plugins.own_messages import gateway_named, letter_of, secrets_of_sms, send_letter, text_of_request
from core.plugins.rates import wait_before
from core.plugins.request_sender import (
    NOT_CALLED,
    ReadyRequest,
    make_ready,
    meter,
    meter_in,
    send_one,
    send_ready,
)
from core.plugins.usable_instances import NotUsableError, UsableInstance, log_failure, open_instance
from plugins.sdk import (
    Alert,
    DeliveryReport,
    Event,
    HttpRequest,
    Outcome,
    Sms,
    failed,
    retry,
    secret,
    sent,
    unknown,
)
from plugins.sdk.http_types import MOST_REQUESTS, MOST_TEXT
from plugins.sdk.letters import MAIL, SMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from core.database import TenantRef, TenantSession


@dataclass(frozen=True, slots=True)
class PreparedMessage:
    """A message that its plugin has described, and of which nothing has left.

    Attributes:
        tenant, instance_id, kind: the instance.
        outcome: what became of it, if nothing is sent.
        opened: the instance with its secrets; None if it cannot be used.
        requests: in order.
        message_id: the same in every attempt.
        more: secrets of this message alone, by name.
        first: the first request, ready to leave; None if the platform sends it itself, or there is none.
    """

    tenant: TenantRef
    instance_id: UUID
    kind: str
    outcome: Outcome | None = None
    opened: UsableInstance | None = None
    requests: Sequence[HttpRequest] = ()
    message_id: str = ""
    more: Mapping[str, str] = field(default_factory=dict, repr=False)
    first: ReadyRequest | None = field(default=None, repr=False)

    @property
    def repeatable(self) -> bool:
        """Whether a repetition does no harm: nothing is sent, or the receiver recognizes each request."""
        return self.outcome is not None or all(request.repeatable for request in self.requests)

    def count(self, session: TenantSession) -> None:
        """Meter the first request, once a transaction of the tenant commits. ``send`` meters those after it."""
        if self.first is not None:
            meter_in(session, self.first.opened)

    def send(self) -> Outcome:
        """Send the requests one after another, and return what became of them.

        Raises:
            TransactionOpenError: a transaction is open.
        """
        if self.outcome is not None or self.opened is None:
            return self.outcome or sent()
        outcome, harmless = sent(), True
        for request in self.requests:
            first = self.first if request is self.requests[0] else None
            outcome = _one_outcome(self.opened, request, self.message_id, self.more, first)
            if outcome.state != "sent":
                break
            harmless = harmless and request.repeatable
        if outcome.state == "retry" and not harmless:
            return unknown(outcome.reason, outcome.reference)  # an earlier request would be sent twice
        return outcome

    def judge(self, outcome: Outcome) -> None:
        """Count the outcome for the instance's health."""
        if self.opened is not None:
            judge(self.tenant, self.instance_id, self.kind, outcome, success_is_news=self.opened.success_is_news)
        elif outcome.reason == "plugin_missing":  # the others are what the tenant chose
            judge(self.tenant, self.instance_id, self.kind, outcome, success_is_news=False)


def send_alert(tenant: TenantRef, instance_id: UUID, alert: Alert) -> Outcome:
    """Tell the receiver of a channel what happened to an alert.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    return _sent(prepare_alert(tenant, instance_id, alert))


def prepare_alert(tenant: TenantRef, instance_id: UUID, alert: Alert) -> PreparedMessage:
    """Have the plugin of a channel describe what its receiver gets of an alert.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    alert = replace(
        alert,
        id=without_marks(alert.id),
        key=without_marks(alert.key),
        url=without_marks(alert.url),
        reference=without_marks(alert.reference),
        title=without_marks(alert.title),
        text=without_marks(alert.text),
        facility=without_marks(alert.facility),
        facts=without_marks(alert.facts),
    )

    def requests(opened: UsableInstance) -> Sequence[HttpRequest]:
        described: Sequence[HttpRequest] = opened.call("requests", alert, opened.settings)
        return described

    return _prepared(tenant, instance_id, "alert-channel", requests, f"{alert.id}-{alert.act}", {})


def send_sms(tenant: TenantRef, instance_id: UUID, sms: Sms, *, to: str, text: str) -> Outcome:
    """Send one message to one phone. The arguments are those of ``prepare_sms``.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    return _sent(prepare_sms(tenant, instance_id, sms, to=to, text=text))


def prepare_sms(tenant: TenantRef, instance_id: UUID, sms: Sms, *, to: str, text: str) -> PreparedMessage:
    """Have the plugin of a gateway describe one message to one phone. It sees neither the phone nor the text.

    Args:
        tenant: whose gateway it is.
        instance_id: the gateway.
        sms: the message; its ``to``, ``text`` and ``report_url`` become marks.
        to: the phone, E.164.
        text: of the message.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    more = secrets_of_sms(to, text)
    if sms.report_url:  # whoever knows this address can send reports
        more["report_url"] = sms.report_url
    marked = replace(
        sms,
        to=secret("to"),
        text=secret("text"),
        sender=without_marks(sms.sender),
        report_url=secret("report_url") if sms.report_url else "",
    )

    def requests(opened: UsableInstance) -> Sequence[HttpRequest]:
        return [opened.call("request", marked, opened.settings)]

    return _prepared(tenant, instance_id, "sms-gateway", requests, sms.id, more)


def send_event(tenant: TenantRef, instance_id: UUID, event: Event) -> Outcome:
    """Send what a listener makes of a public event.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    event = replace(event, data=without_marks(event.data), subject=without_marks(event.subject))

    def requests(opened: UsableInstance) -> Sequence[HttpRequest]:
        described: Sequence[HttpRequest] = opened.call("requests", event, opened.settings)
        return described

    return _sent(_prepared(tenant, instance_id, "event-listener", requests, event.id, {}))


def ask_status(tenant: TenantRef, instance_id: UUID, reference: str, *, to: str, text: str) -> DeliveryReport | None:
    """Ask a gateway what became of a message. None if it cannot be asked, or does not say.

    Args:
        tenant: whose gateway it is.
        instance_id: the gateway.
        reference: the message, as the gateway named it.
        to: its phone. Answers repeat it, and the plugin must not see it; empty where it is not known any more.
        text: of the message, likewise.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    try:
        opened = open_instance(tenant, instance_id, "sms-gateway")
        request = opened.call("status_request", without_marks(reference), opened.settings)
        if request is None:
            return None
        response = send_one(opened, request, str(uuid4()), secrets_of_sms(to, text))
        report: DeliveryReport | None = (
            None if isinstance(response, Outcome) else opened.call("status", response, opened.settings)
        )
    except (NotUsableError, PluginFailed):
        return None
    return report


def _sent(prepared: PreparedMessage) -> Outcome:
    """Send a message at once, and return what became of it."""
    if prepared.first is not None:
        meter(prepared.first.opened)  # before it is sent: an error of the database then costs no outcome
    outcome = prepared.send()
    prepared.judge(outcome)
    return outcome


def _prepared(
    tenant: TenantRef,
    instance_id: UUID,
    kind: str,
    describe: Callable[[UsableInstance], Sequence[HttpRequest]],
    message_id: str,
    more: Mapping[str, str],
) -> PreparedMessage:
    """Have the plugin describe the requests, and make the first one ready."""
    try:
        opened = open_instance(tenant, instance_id, kind)
    except NotUsableError as error:
        return PreparedMessage(tenant, instance_id, kind, failed(error.reason))
    outcome: Outcome | None = None
    requests: Sequence[HttpRequest] = ()
    first: ReadyRequest | Outcome | None = None
    try:
        requests = describe(opened)
    except PluginBusy:
        outcome = retry("plugin_busy", NOT_CALLED)
    except PluginFailed:
        outcome = retry("plugin_failed")
    if len(requests) > MOST_REQUESTS:
        log_failure(opened.tenant, opened.instance_id, "requests", "too_many_requests")
        outcome = failed("too_many_requests")
    elif requests and not _is_own(requests[0]):
        first = make_ready(opened, requests[0], message_id, more)
    if isinstance(first, Outcome):
        outcome, first = first, None
    return PreparedMessage(tenant, instance_id, kind, outcome, opened, requests, message_id, more, first)


def _is_own(request: HttpRequest) -> bool:
    """Return whether the platform itself sends a message: a letter, or an SMS by a gateway of the tenant."""
    return request.url.startswith((MAIL, SMS))


def _one_outcome(
    opened: UsableInstance, request: HttpRequest, message_id: str, more: Mapping[str, str], first: ReadyRequest | None
) -> Outcome:
    if _is_own(request):
        return _send_own(opened, request, message_id)
    response = send_one(opened, request, message_id, more) if first is None else send_ready(first)
    if isinstance(response, Outcome):
        return response
    arrived = response.failure != "no_connection"
    try:
        outcome: Outcome = opened.call("outcome", response, opened.settings)
    except PluginFailed:
        if request.repeatable or not arrived:
            return retry("plugin_failed")
        return unknown("plugin_failed")  # the receiver may have taken it, whatever the plugin thinks of its answer
    if outcome.state == "retry" and not request.repeatable and arrived and not response.status:
        return unknown(outcome.reason, outcome.reference)
    return replace(outcome, reason=outcome.reason[:MOST_TEXT], reference=outcome.reference[:MOST_TEXT])


def _send_own(opened: UsableInstance, request: HttpRequest, message_id: str) -> Outcome:
    """Send a letter by the platform's mail server, or an SMS by one of the tenant's gateways."""
    wait = wait_before(opened.instance_id, opened.offer.per_minute)
    if wait:
        return retry("rate_limited_here", timedelta(seconds=wait))
    try:
        if request.url.startswith(MAIL):
            meter(opened)
            return send_letter(letter_of(request, opened.settings), opened.instance_id, message_id)
        text = text_of_request(request, opened.settings, opened.secrets)
        gateway_id = gateway_named(opened.tenant, text.gateway)
    except BadRequestError as error:
        log_failure(opened.tenant, opened.instance_id, "request", error.reason)
        return failed(error.reason)
    return send_sms(opened.tenant, gateway_id, text.sms(message_id), to=text.to, text=text.text)
