"""Sending a letter by SMTP, with TLS and time limits. Only jobs send: a request never waits for a mail server."""

from __future__ import annotations

import smtplib
import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from core.errors import Unavailable, phrase
from core.resilience import guarded
from core.resilience.dependencies import MAIL_SERVER
from core.settings import get_settings

if TYPE_CHECKING:
    from email.message import EmailMessage

PORTS: Final = {"smtp": 587, "smtps": 465}


class _AddressNotSupportedError(smtplib.SMTPException):
    """The server takes no address with letters beyond ASCII."""


_OF_THE_LETTER: Final = (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, _AddressNotSupportedError)
"""Errors that concern one letter: the server works."""


def is_configured() -> bool:
    """Return whether this installation sends mail."""
    return get_settings().smtp_url is not None


def send(letter: EmailMessage) -> None:
    """Send a letter.

    ``smtps`` is encrypted from the beginning; ``smtp`` becomes encrypted by STARTTLS, or nothing is sent. Only a server
    on this machine may go without.

    Raises:
        Unavailable: the server does not answer, is not trusted, rejects the letter, or failed so often that it is not
            asked now. The error names nobody.
    """
    address = get_settings().smtp_url
    if address is None:
        detail = "no mail server is configured"
        raise Unavailable(detail, remedy="Set IIT_SMTP_URL.")
    parts = urlsplit(address.get_secret_value())
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        with (
            guarded(MAIL_SERVER, harmless=_OF_THE_LETTER) as call,
            _connected(parts.scheme, host, port, call.timeout) as server,
        ):
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            _hand_over(server, letter)
    except (smtplib.SMTPException, OSError) as error:
        # The server's own words may repeat the recipient's address.
        detail = phrase("the mail server did not take a letter ({kind})", kind=type(error).__name__)
        raise Unavailable(detail, remedy="Check IIT_SMTP_URL and the mail server.") from None


def _hand_over(server: smtplib.SMTP, letter: EmailMessage) -> None:
    try:
        server.send_message(letter)
    except smtplib.SMTPNotSupportedError:
        # A server without STARTTLS or a login raises the same error, but before this: that one is the server's fault.
        raise _AddressNotSupportedError from None


def _connected(scheme: str, host: str, port: int, seconds: float) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=seconds, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=seconds)
    try:
        server.ehlo()
        if server.has_extn("starttls") or not _is_here(host):
            server.starttls(context=ssl.create_default_context())
    except BaseException:
        server.close()
        raise
    return server


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
