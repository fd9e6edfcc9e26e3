"""What a channel promises of letters and of SMS to staff, which the platform sends in its own ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from plugins.sdk.http_types import HttpRequest, secret
from plugins.sdk.json_types import Json
from plugins.sdk.letters import MAIL, SMS
from plugins.sdk.testing.checks import ContractError

MOST_ADDRESSES = 10
MOST_SMS = 1_000
_MARK = re.compile(r"\{\{secret:(\w+)\}\}")


def is_own_message(request: object) -> bool:
    """Return whether a request describes a letter or an SMS."""
    return isinstance(request, HttpRequest) and request.url.startswith((MAIL, SMS))


def check_own_message(request: HttpRequest, settings: Mapping[str, Json]) -> None:
    """Check a letter or an SMS.

    Args:
        request: made with ``letter`` or ``text_message``.
        settings: of the instance, with marks in place of secrets.

    Raises:
        ContractError: it has no text, or a receiver that is not in the settings.
    """
    body = request.json if isinstance(request.json, Mapping) else {}
    _require(isinstance(body.get("text"), str) and body["text"], "a letter or an SMS needs a text")
    is_letter = request.url.startswith(MAIL)
    receivers = request.url.removeprefix(MAIL).split(",") if is_letter else [request.url.removeprefix(SMS)]
    known = {*_texts(settings), *(secret(name) for name in settings)}
    unknown = [receiver for receiver in receivers if receiver not in known]
    _require(not unknown, f"write only to receivers in the settings, not to {unknown}")
    if is_letter:
        subject = body.get("subject")
        _require(isinstance(subject, str) and subject and subject.isprintable(), "the subject must be one line")
        _require(len(receivers) <= MOST_ADDRESSES, f"write to at most {MOST_ADDRESSES} addresses")
        _require(not _MARK.search(request.url), "an address is no secret: the letter shows it to all receivers")
    else:
        _require(len(body["text"]) <= MOST_SMS, f"an SMS has at most {MOST_SMS} characters")
        _require(isinstance(body.get("gateway"), str), "gateway is the name of a gateway, or empty")
        _require(not request.repeatable, "no gateway recognizes a repeated SMS: make it with text_message")


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ContractError(message)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
