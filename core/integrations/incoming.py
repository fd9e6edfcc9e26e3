"""Requests that a vendor sends to an instance of a plugin: verified here, read by the plugin, applied by the rooms.

What they say is published in one transaction, for listeners of the rooms:

- ``plugin.channel_acts``: ``instance_id``; ``acts``: a list of ``plugins.sdk.ChannelAct``.
- ``plugin.sms_reports``: ``instance_id``; ``reports``: a list of ``plugins.sdk.DeliveryReport``.
- ``plugin.sms_received``: ``instance_id``; ``messages``: a list of ``plugins.sdk.IncomingSms``. They contain phones.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from core.clock import now
from core.database import tenant_session
from core.errors import AppError, Forbidden, NotFound, phrase
from core.events import publish
from core.jobs.inbox import first_time
from core.plugins import instances
from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.filling import foreign_text
from core.plugins.instance_health import judge
from core.plugins.signatures import BadSignatureError, verify
from core.plugins.usable_instances import ACTOR, NotUsableError, UsableInstance, open_instance
from core.tenancy import tenant_of_id
from plugins.sdk import IncomingRequest, Signature, retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantRef

_ACTS: Final = "plugin.channel_acts"
_REPORTS: Final = "plugin.sms_reports"
_RECEIVED: Final = "plugin.sms_received"
_KINDS: Final = frozenset({"alert-channel", "sms-gateway"})
"""The kinds whose vendors send requests."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it arrived.

    Attributes:
        url: to which it was sent, with its query, as the vendor knows it.
        headers: names in lower case.
        body: to the byte.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes


def receive(tenant_id: UUID, instance_id: UUID, token: str, raw: RawRequest) -> None:
    """Let the rooms apply what a vendor's request says. A repetition of a signed request changes nothing.

    Raises:
        NotFound: there is no such instance, or the token is another one (404).
        Forbidden: the request is not signed as its vendor signs, or is too old (403).
        PluginFailed: the plugin cannot read it (502).
    """
    tenant, kind = _addressed(tenant_id, instance_id, token)
    try:
        opened = open_instance(tenant, instance_id, kind)
    except NotUsableError:
        raise _not_there() from None
    try:
        signature: Signature | None = opened.call("signature", opened.settings)
        signed = None if signature is None else _verified(opened, signature, raw)
        events = _read(opened, kind, _readable(raw))
    except PluginBusy:
        raise
    except PluginFailed:
        judge(tenant, instance_id, kind, retry("plugin_failed"), success_is_news=opened.success_is_news)
        raise
    with tenant_session(tenant, actor=ACTOR) as session:
        if signed is not None and not first_time(session, f"plugin:{instance_id}", signed):
            return
        for event, payload in events.items():
            publish(session, event, {"instance_id": instance_id, **payload})


def _readable(raw: RawRequest) -> IncomingRequest:
    query = parse_qsl(urlsplit(raw.url).query, keep_blank_values=True)
    return IncomingRequest(
        {name: foreign_text(value) for name, value in raw.headers.items()},
        {foreign_text(name): foreign_text(value) for name, value in query},
        foreign_text(raw.body.decode("utf-8", "replace")),
    )


def _read(opened: UsableInstance, kind: str, request: IncomingRequest) -> dict[str, dict[str, Any]]:
    """Return the events to publish, by name."""
    if kind == "alert-channel":
        acts = opened.call("acts", request, opened.settings)
        return {_ACTS: {"acts": acts}} if acts else {}
    reports = opened.call("reports", request, opened.settings)
    messages = opened.call("received", request, opened.settings)
    events: dict[str, dict[str, Any]] = {_REPORTS: {"reports": reports}} if reports else {}
    return {**events, _RECEIVED: {"messages": messages}} if messages else events


def _addressed(tenant_id: UUID, instance_id: UUID, token: str) -> tuple[TenantRef, str]:
    try:
        tenant = tenant_of_id(tenant_id)
        if tenant.state != "active":
            raise _not_there()
        with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
            row = instances.get_instance(session, instance_id)
            expected, kind = instances.token_of(session, row), row.kind
    except NotFound:
        raise _not_there() from None
    if kind not in _KINDS or not hmac.compare_digest(expected.encode(), token.encode()):
        raise _not_there()
    return tenant, kind


def _verified(opened: UsableInstance, signature: Signature, raw: RawRequest) -> str:
    """Return a name of the signed message, the same for each repetition of it."""
    try:
        secret = opened.secrets.get(signature.secret, "")
        name = verify(signature, secret, raw.headers, raw.body, raw.url, now())
    except BadSignatureError as error:
        detail = phrase("the request is not accepted: {reason}", reason=str(error))
        raise Forbidden(detail, remedy="Check the signing secret in the settings of the instance.") from None
    return hashlib.sha256(name.encode() + b"\0" + raw.body).hexdigest()


def _not_there() -> AppError:
    detail = "nobody receives requests at this address"
    return NotFound(detail)
