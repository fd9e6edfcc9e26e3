"""Signatures by HMAC: of what the platform sends for a plugin, and of what a vendor sends to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from plugins.sdk import Signature


class BadSignatureError(ValueError):
    """A message is not signed as it must be, or is too old."""


@dataclass(frozen=True, slots=True)
class SignedContent:
    """What a signature is made of.

    Attributes:
        body: to the byte as it is sent.
        url: to which it is sent, with its query.
        timestamp: Unix seconds as the header says them; empty if none is sent.
        message_id: as its header says; empty if none is sent.
    """

    body: bytes
    url: str
    timestamp: str = ""
    message_id: str = ""


def sign(signature: Signature, secret: str, signed: SignedContent) -> str:
    """Return the value of the signature's header."""
    return signature.prefix + _digest(signature, secret, signed)


def headers_of(signature: Signature, secret: str, signed: SignedContent) -> dict[str, str]:
    """Return the headers of a request that is signed."""
    headers = {signature.header: sign(signature, secret, signed)}
    if signature.timestamp_header:
        headers[signature.timestamp_header] = signed.timestamp
    if signature.id_header:
        headers[signature.id_header] = signed.message_id
    return headers


def verify(
    signature: Signature, secret: str, headers: Mapping[str, str], body: bytes, url: str, moment: datetime
) -> str:
    """Check the signature of a message that arrived, and its age. Return the signature, which names the message.

    Args:
        signature: how the vendor signs.
        secret: of the instance.
        headers: of the message, names in lower case.
        body: of the message.
        url: to which the vendor sent it, with its query.
        moment: the time, with a zone.

    Raises:
        BadSignatureError: it is not signed by somebody who knows the secret, or is older or newer than the tolerance.
    """
    timestamp = headers.get(signature.timestamp_header.lower(), "") if signature.timestamp_header else ""
    if signature.timestamp_header:
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:  # noqa: PLR2004 - seconds
            message = "the message has no time"
            raise BadSignatureError(message)
        if abs(int(timestamp) - moment.timestamp()) > signature.tolerance_seconds:
            message = "the message is too old"
            raise BadSignatureError(message)
    message_id = headers.get(signature.id_header.lower(), "") if signature.id_header else ""
    expected = sign(signature, secret, SignedContent(body, url, timestamp, message_id)).encode()
    header = headers.get(signature.header.lower(), "")
    if not secret or not any(hmac.compare_digest(expected, each) for each in _candidates(header)):
        message = "the message is not signed with the secret"
        raise BadSignatureError(message)
    return expected.decode()


def _candidates(header: str) -> Iterator[bytes]:
    """A header may have several signatures, while the vendor changes its secret."""
    for part in {header, *header.split(), *(each.strip() for each in header.split(","))}:
        yield part.encode("utf-8", "replace")


def _digest(signature: Signature, secret: str, signed: SignedContent) -> str:
    parts = {
        b"{body}": signed.body,
        b"{timestamp}": signed.timestamp.encode(),
        b"{id}": signed.message_id.encode(),
        b"{url}": signed.url.encode(),
        b"{form}": _form(signed.body) if "{form}" in signature.text else b"",
    }
    digest = hmac.new(
        _key(signature, secret), _filled(signature.text.encode(), parts), getattr(hashlib, signature.algorithm)
    )
    return digest.hexdigest() if signature.encoding == "hex" else base64.b64encode(digest.digest()).decode()


def _key(signature: Signature, secret: str) -> bytes:
    if signature.key == "text":
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        message = "the secret is no base64"
        raise BadSignatureError(message) from None


def _filled(text: bytes, parts: Mapping[bytes, bytes]) -> bytes:
    """Fill each place once: what is filled in may look like a place."""
    pieces, rest = [], text
    while rest:
        places = [(rest.find(mark), mark) for mark in parts if mark in rest]
        if not places:
            pieces.append(rest)
            break
        at, mark = min(places)
        pieces += [rest[:at], parts[mark]]
        rest = rest[at + len(mark) :]
    return b"".join(pieces)


def _form(body: bytes) -> bytes:
    """Return a form's fields, sorted by name, each name followed by its value."""
    fields = sorted(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return "".join(name + value for name, value in fields).encode()
