"""Requests of plugins: filled with secrets, bounded, metered and sent. The answer contains no secret."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import httpx

from core import metering
from core.clock import now
from core.database import tenant_session
from core.outgoing import AddressRejected, AnswerTooLarge, Request, send
from core.plugins.filling import BadRequestError, Filling, fill, foreign_text, hide
from core.plugins.rates import wait_before
from core.plugins.usable_instances import ACTOR, UsableInstance, log_failure
from core.resilience import BreakerOpen, BulkheadFull, DeadlinePassed, Dependency
from plugins.sdk import HttpRequest, HttpResponse, Outcome, failed, retry
from plugins.sdk.http_types import MOST_TEXT, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

RECEIVERS: Final = Dependency(
    "plugin_receivers",
    "Services of others that plugins speak to: channels, gateways, sources. Without one, its messages wait.",
    timeout=15.0,
    at_once=4,
    at_once_per_tenant=4,
    by_instance=True,
)
METER: Final = "plugin_requests"
_LARGEST_ANSWER: Final = 65_536
_MOST_HEADERS: Final = 100
NOT_CALLED: Final = timedelta(seconds=30)
_NEVER_LEFT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    ConnectionRefusedError,
    socket.gaierror,
)


@dataclass(frozen=True, slots=True)
class ReadyRequest:
    """A request that may be sent now: filled, and counted against the vendor's limit.

    Attributes:
        opened: its instance.
        filled: as it is sent.
        secrets: what it contains, by name.
    """

    opened: UsableInstance
    filled: Request
    secrets: Mapping[str, str]


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
    ready = make_ready(opened, request, message_id, more)
    if isinstance(ready, Outcome):
        return ready
    meter(opened)  # before it is sent: an error of the database then costs no outcome
    return send_ready(ready, largest=largest)


def make_ready(
    opened: UsableInstance, request: HttpRequest, message_id: str, more: Mapping[str, str]
) -> ReadyRequest | Outcome:
    """Return a request that may be sent now, or the outcome if it may not. The arguments are those of ``send_one``."""
    secrets = {**opened.secrets, **more}
    try:
        filled = fill(request, Filling(secrets, opened.hosts, message_id, int(now().timestamp())))
    except BadRequestError as error:
        log_failure(opened.tenant, opened.instance_id, "request", error.reason)
        return failed(error.reason[:MOST_TEXT])
    wait = wait_before(opened.instance_id, opened.offer.per_minute)
    if wait:
        return retry("rate_limited_here", timedelta(seconds=wait))
    return ReadyRequest(opened, filled, secrets)


def send_ready(ready: ReadyRequest, *, largest: int = _LARGEST_ANSWER) -> HttpResponse | Outcome:
    """Send a request that is ready. Return the response, or the outcome if the request was not sent."""
    opened, filled, secrets = ready.opened, ready.filled, ready.secrets
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
        return retry(type(error).__name__, NOT_CALLED)
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


def meter(opened: UsableInstance) -> None:
    """Count one request of an instance."""
    with tenant_session(opened.tenant, actor=ACTOR) as session:
        meter_in(session, opened)


def meter_in(session: TenantSession, opened: UsableInstance) -> None:
    """Count one request of an instance, once a transaction of its tenant commits."""
    metering.record(session, METER, 1, key=str(uuid4()), dimensions={"plugin": opened.offer.name})
