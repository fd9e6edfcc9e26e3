"""Sending for plugins: the plugin describes a request, the platform sends it, the plugin says what the answer means.

No transaction may be open. An outcome is returned for whatever happens; what to do next is the caller's decision.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import httpx

from core import metering
from core.clock import now
from core.database import require_none, tenant_session
from core.errors import NotFound
from core.outgoing import AddressRejected, AnswerTooLarge, send
from core.plugins import instances, settings_schema
from core.plugins.calls import call
from core.plugins.catalogue import Offer, find_offer
from core.plugins.errors import PluginFailed
from core.plugins.filling import BadRequestError, Filling, fill, foreign_text, hide, storable, without_marks
from core.plugins.instance_models import PluginFailure
from core.plugins.own_messages import gateway_named, letter_of, secrets_of_sms, send_letter, text_of_request
from core.plugins.rates import wait_before
from core.resilience import BreakerOpen, BulkheadFull, DeadlinePassed, Dependency
from plugins.sdk import (
    Alert,
    DeliveryReport,
    Event,
    HttpRequest,
    HttpResponse,
    Outcome,
    Sms,
    failed,
    retry,
    secret,
    sent,
    unknown,
)
from plugins.sdk.http_types import MOST_REQUESTS, MOST_TEXT, Failure
from plugins.sdk.letters import MAIL, SMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.database import TenantRef

RECEIVERS: Final = Dependency(
    "plugin_receivers",
    "Services of others that plugins speak to: channels, gateways, sources. Without one, its messages wait.",
    timeout=15.0,
    at_once=4,
    at_once_per_tenant=4,
    by_instance=True,
)
METER: Final = "plugin_requests"
ACTOR: Final = "system:plugins"
_LARGEST_ANSWER: Final = 65_536
_MOST_HEADERS: Final = 100
_MOST_OUTPUT: Final = 4_000
_NOT_CALLED: Final = timedelta(seconds=30)
_NEVER_LEFT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    ConnectionRefusedError,
    socket.gaierror,
)
_PERSONAL: Final = frozenset({"acts", "reports", "received", "status"})
"""The methods that read what a vendor says of people: nobody stores or shows what a plugin writes about it."""


@dataclass(frozen=True, slots=True)
class UsableInstance:
    """An instance that can be used now, with its secrets.

    Attributes:
        tenant: whose it is.
        instance_id: its id.
        offer: of the plugin.
        settings: as the plugin gets them, with marks in place of the secrets.
        secrets: by name.
        hosts: to which its requests may go; None if to any.
    """

    tenant: TenantRef
    instance_id: UUID
    offer: Offer
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    hosts: Sequence[str] | None

    def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - see the method
        """Call a method of the plugin with the settings as its last argument.

        Raises:
            PluginFailed: see ``core.plugins.calls``. The failure is in the instance's log, without the plugin's own
                words if the method reads what people wrote.
        """
        try:
            return call(self.offer, self.tenant, method, *arguments)
        except PluginFailed as error:
            if method in _PERSONAL:
                log_failure(self.tenant, self.instance_id, method, error.slug)
                detail = f"plugin {self.offer.name!r} failed in {method}"
                raise type(error)(detail) from None
            log_failure(self.tenant, self.instance_id, method, error.detail, getattr(error, "output", ""))
            raise


class NotUsableError(Exception):
    """An instance cannot be used now.

    Attributes:
        reason: ``no_instance``, ``disabled`` or ``plugin_missing``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def send_alert(tenant: TenantRef, instance_id: UUID, alert: Alert) -> Outcome:
    """Tell the receiver of a channel what happened to an alert.

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

    return _perform(tenant, instance_id, "alert-channel", requests, f"{alert.id}-{alert.act}", {})


def send_sms(tenant: TenantRef, instance_id: UUID, sms: Sms, *, to: str, text: str) -> Outcome:
    """Send one message to one phone. The gateway sees neither the phone nor the text.

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

    return _perform(tenant, instance_id, "sms-gateway", requests, sms.id, more)


def send_event(tenant: TenantRef, instance_id: UUID, event: Event) -> Outcome:
    """Send what a listener makes of a public event.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    event = replace(event, data=without_marks(event.data), subject=without_marks(event.subject))

    def requests(opened: UsableInstance) -> Sequence[HttpRequest]:
        described: Sequence[HttpRequest] = opened.call("requests", event, opened.settings)
        return described

    return _perform(tenant, instance_id, "event-listener", requests, event.id, {})


def ask_status(tenant: TenantRef, instance_id: UUID, reference: str) -> DeliveryReport | None:
    """Ask a gateway what became of a message. None if it cannot be asked, or does not say.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    try:
        opened = open_instance(tenant, instance_id, "sms-gateway")
        request = opened.call("status_request", without_marks(reference), opened.settings)
        if request is None:
            return None
        response = send_one(opened, request, str(uuid4()), {})
        report: DeliveryReport | None = (
            None if isinstance(response, Outcome) else opened.call("status", response, opened.settings)
        )
    except (NotUsableError, PluginFailed):
        return None
    return report


def open_instance(tenant: TenantRef, instance_id: UUID, kind: str) -> UsableInstance:
    """Return an instance with its secrets, for one use.

    Raises:
        NotUsableError: there is none of this kind, it is disabled, or its plugin is not there.
        TransactionOpenError: a transaction is open.
    """
    require_none("an instance of a plugin was used")
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        try:
            row = instances.get_instance(session, instance_id)
        except NotFound:
            row = None
        if row is None or row.kind != kind:
            reason = "no_instance"
            raise NotUsableError(reason)
        if not row.enabled:
            reason = "disabled"
            raise NotUsableError(reason)
        secrets, settings, plugin = instances.secrets_of(session, row), row.settings, row.plugin
    offer = find_offer(kind, plugin)
    if offer is None:
        reason = "plugin_missing"
        raise NotUsableError(reason)
    schema = offer.schema
    limited = not offer.first_party or settings_schema.HOSTS in schema
    return UsableInstance(
        tenant,
        instance_id,
        offer,
        settings_schema.with_marks(schema, without_marks(settings), secrets),
        secrets,
        settings_schema.hosts_of(schema, {**settings, **secrets}) if limited else None,
    )


def send_one(
    opened: UsableInstance,
    request: HttpRequest,
    message_id: str,
    more: Mapping[str, str],
    *,
    largest: int = _LARGEST_ANSWER,
) -> HttpResponse | Outcome:
    """Send one request of an instance. Return the response, or the outcome if the request was not sent.

    Args:
        opened: the instance.
        request: as its plugin described it.
        message_id: of the message, the same in every attempt.
        more: secrets of this message alone, by name.
        largest: most bytes of the answer that are read.
    """
    secrets = {**opened.secrets, **more}
    try:
        filled = fill(request, Filling(secrets, opened.hosts, message_id, int(now().timestamp())))
    except BadRequestError as error:
        log_failure(opened.tenant, opened.instance_id, "request", error.reason)
        return failed(error.reason[:MOST_TEXT])
    wait = wait_before(opened.instance_id, opened.offer.per_minute)
    if wait:
        return retry("rate_limited_here", timedelta(seconds=wait))
    _meter(opened)  # before it is sent: an error of the database then costs no outcome
    failure: Failure | None = None
    try:
        answer = send(
            RECEIVERS,
            filled,
            tenant=opened.tenant.id,
            instance=f"{opened.instance_id} {filled.url.host}",
            largest=largest,
            cut=True,
        )
    except (BreakerOpen, BulkheadFull, DeadlinePassed) as error:
        return retry(type(error).__name__, _NOT_CALLED)
    except AddressRejected:
        log_failure(opened.tenant, opened.instance_id, "request", "address_not_allowed")
        return failed("address_not_allowed")
    except AnswerTooLarge:
        failure = "too_large"
    except _NEVER_LEFT:
        failure = "no_connection"
    except httpx.TimeoutException:
        failure = "timeout"
    except (httpx.HTTPError, OSError):
        failure = "bad_answer"
    if failure is not None:
        return HttpResponse(0, failure=failure)
    headers = {
        str(name).lower(): foreign_text(hide(str(value), secrets))
        for name, value in [*answer.headers.items()][:_MOST_HEADERS]
    }
    text = foreign_text(hide(answer.body.decode("utf-8", "replace"), secrets))
    return HttpResponse(answer.status, headers, text)


def log_failure(tenant: TenantRef, instance_id: UUID, operation: str, reason: str, output: str = "") -> None:
    """Write a failure into the instance's log, if the instance is still there."""
    with tenant_session(tenant, actor=ACTOR) as session:
        try:
            instances.get_instance(session, instance_id)
        except NotFound:
            return
        row = PluginFailure(
            instance_id=instance_id,
            operation=operation,
            reason=storable(reason)[:MOST_TEXT],
            output=storable(output)[-_MOST_OUTPUT:],
        )
        session.add(row)


def _perform(
    tenant: TenantRef,
    instance_id: UUID,
    kind: str,
    describe: Any,  # noqa: ANN401 - a function of the instance
    message_id: str,
    more: Mapping[str, str],
) -> Outcome:
    """Have the plugin describe the requests, send them one after another, and return what became of them."""
    try:
        opened = open_instance(tenant, instance_id, kind)
        requests = describe(opened)
    except NotUsableError as error:
        return failed(error.reason)
    except PluginFailed:
        return retry("plugin_failed")
    if len(requests) > MOST_REQUESTS:
        log_failure(tenant, instance_id, "requests", "too_many_requests")
        return failed("too_many_requests")
    outcome, harmless = sent(), True
    for request in requests:
        outcome = _one_outcome(opened, request, message_id, more)
        if outcome.state != "sent":
            break
        harmless = harmless and request.repeatable
    if outcome.state == "retry" and not harmless:
        return unknown(outcome.reason, outcome.reference)  # an earlier request would be sent twice
    return outcome


def _one_outcome(opened: UsableInstance, request: HttpRequest, message_id: str, more: Mapping[str, str]) -> Outcome:
    if request.url.startswith((MAIL, SMS)):
        return _send_own(opened, request, message_id)
    response = send_one(opened, request, message_id, more)
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
            _meter(opened)
            return send_letter(letter_of(request, opened.settings), opened.instance_id, message_id)
        text = text_of_request(request, opened.settings, opened.secrets)
        gateway_id = gateway_named(opened.tenant, text.gateway)
    except BadRequestError as error:
        log_failure(opened.tenant, opened.instance_id, "request", error.reason)
        return failed(error.reason)
    return send_sms(opened.tenant, gateway_id, text.sms(message_id), to=text.to, text=text.text)


def _meter(opened: UsableInstance) -> None:
    with tenant_session(opened.tenant, actor=ACTOR) as session:
        metering.record(session, METER, 1, key=str(uuid4()), dimensions={"plugin": opened.offer.name})
