"""Messages of channels that the platform sends in its own ways: letters, and SMS to staff by a tenant's gateway.

A plugin chooses the words. Whom it writes to is in the settings of its instance, so that a third-party plugin cannot
write to whom it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from core import mail
from core.database import tenant_session
from core.errors import Unavailable
from core.mail.letters import compose
from core.plugins import instances
from core.plugins.filling import BadRequestError, storable
from plugins.sdk import HttpRequest, Outcome, Sms, failed, retry, secret, sent
from plugins.sdk.letters import MAIL, SMS

if TYPE_CHECKING:
    from core.database import TenantRef

ACTOR: Final = "system:plugins"
MOST_ADDRESSES: Final = 10
MOST_SUBJECT: Final = 300
MOST_TEXT: Final = 20_000
MOST_SMS: Final = 1_000
_ADDRESS: Final = re.compile(r"[!#-+\-./0-9:=?A-~]{1,64}@[!#-+\-./0-9:=?A-~]{1,255}")
"""Printable ASCII without what separates or quotes addresses: few mail servers take other letters."""
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_GSM: Final = re.compile(r"[A-Za-z0-9 \r\n@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà]*")
_LETTERS: Final = UUID("3f0c1c2e-6f0b-4f57-9a0e-0f6a2f6f5d55")


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter: addresses, a subject of one line, and plain text."""

    to: tuple[str, ...]
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class StaffText:
    """An SMS to a member of staff.

    Attributes:
        to: the phone, E.164.
        text: of the message.
        gateway: name of the gateway's instance; empty if the tenant has only one.
    """

    to: str
    text: str
    gateway: str

    def sms(self, message_id: str) -> Sms:
        """Return the message as a gateway gets it."""
        is_gsm = _GSM.fullmatch(self.text) is not None
        one, each = (160, 153) if is_gsm else (70, 67)
        segments = 1 if len(self.text) <= one else -(-len(self.text) // each)
        return Sms(message_id, secret("to"), secret("text"), not is_gsm, segments, sender="", report_url="")


def secrets_of_sms(to: str, text: str) -> dict[str, str]:
    """Return what a gateway's request may contain by marks: the phone, its digits without the plus sign, the text."""
    return {"to": to, "to_digits": to.removeprefix("+"), "text": text}


def letter_of(request: HttpRequest, settings: Mapping[str, Any]) -> Letter:
    """Return the letter that a plugin described.

    Raises:
        BadRequestError: it is no letter, or an address is not in the instance's settings.
    """
    addresses = tuple(request.url.removeprefix(MAIL).split(","))
    body = request.json if isinstance(request.json, Mapping) else {}
    subject, text = body.get("subject"), body.get("text")
    if not isinstance(subject, str) or not isinstance(text, str) or len(addresses) > MOST_ADDRESSES:
        raise BadRequestError("bad_letter")
    _require_known(addresses, _ADDRESS, settings, {})
    return Letter(addresses, storable(subject)[:MOST_SUBJECT], storable(text)[:MOST_TEXT])


def send_letter(letter: Letter, instance_id: UUID, message_id: str) -> Outcome:
    """Send a letter. A repeated one has the same Message-ID, by which mail programs recognize it.

    Raises:
        TransactionOpenError: a transaction is open.
    """
    if not mail.is_configured():
        return failed("mail_not_configured")
    letter_id = uuid5(_LETTERS, f"{instance_id} {message_id}")
    try:
        mail.send(compose(", ".join(letter.to), letter.subject, [letter.text], letter_id=letter_id, language="en"))
    except Unavailable:
        return retry("mail_server")
    return sent(str(letter_id))


def text_of_request(request: HttpRequest, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> StaffText:
    """Return the SMS that a plugin described.

    Raises:
        BadRequestError: it is none, or the phone is not in the instance's settings.
    """
    address = request.url.removeprefix(SMS)
    to = next((value for name, value in secrets.items() if address == secret(name)), address)
    body = request.json if isinstance(request.json, Mapping) else {}
    text, gateway = body.get("text"), body.get("gateway", "")
    if not isinstance(text, str) or not text or len(text) > MOST_SMS or not isinstance(gateway, str):
        raise BadRequestError("bad_sms")
    _require_known((to,), _PHONE, settings, secrets)
    return StaffText(to, storable(text), gateway)


def gateway_named(tenant: TenantRef, name: str) -> UUID:
    """Return the tenant's enabled SMS gateway of this name, or its only one if the name is empty.

    Raises:
        BadRequestError: there is none, or there are several.
    """
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        rows = [row for row in instances.list_instances(session, "sms-gateway") if row.enabled]
    fit = [row.id for row in rows if row.name == name or not name]
    if len(fit) != 1:
        raise BadRequestError("several_gateways" if fit else "no_gateway")
    return fit[0]


def _require_known(
    receivers: tuple[str, ...], pattern: re.Pattern[str], settings: Mapping[str, Any], secrets: Mapping[str, str]
) -> None:
    known = {*_texts(settings), *secrets.values()}
    if not all(pattern.fullmatch(receiver) and receiver in known for receiver in receivers):
        raise BadRequestError("receiver_not_in_settings")


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
