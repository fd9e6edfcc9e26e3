"""Messages that the platform sends in its own ways, described as requests: letters, and SMS by a tenant's gateway."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.sdk.http_types import HttpRequest

MAIL, SMS = "mailto:", "sms:"


def letter(to: Sequence[str], subject: str, text: str) -> HttpRequest:
    """Return the description of a letter, which the platform's mail server sends.

    Its outcome does not pass through :meth:`AlertChannel.outcome`.

    Args:
        to: addresses; at most 10.
        subject: one line.
        text: plain text.
    """
    return HttpRequest("POST", MAIL + ",".join(to), json={"subject": subject, "text": text})


def text_message(to: str, text: str, *, gateway: str = "") -> HttpRequest:
    """Return the description of an SMS to a member of staff, which one of the tenant's gateways sends.

    Its outcome is the gateway's, and does not pass through :meth:`AlertChannel.outcome`.

    Args:
        to: the phone in E.164; may be the mark of a secret.
        text: of the message.
        gateway: name of the gateway's instance; empty if the tenant has only one.
    """
    return HttpRequest("POST", SMS + to, json={"gateway": gateway, "text": text}, repeatable=False)
