"""Conditional reads: ``ETag``, ``If-None-Match`` and 304, for every GET under /v1.

A row's ETag is its version (``core.web.etag``) and a digest of the answer. The version alone would not do: a patient's
age and a facility's dates change while the version stays. Any other JSON answer in one piece gets a weak ETag, the
digest alone. The read still runs and writes its audit rows before the answer becomes a 304.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Scope

_JSON = b"application/json"
_OF_CONTENT = frozenset({b"content-type", b"content-length"})
_DIGEST_BYTES = 16


class Conditional:
    """The conditions of one request, and the answer that follows from them."""

    def __init__(self, scope: Scope, api: str) -> None:
        self._applies = scope["method"] == "GET" and scope["path"].startswith(api)
        self._asked = _tags(scope) if self._applies else frozenset()

    def delays(self, start: Message) -> bool:
        """Return whether the head of the answer must wait for the first part of the body."""
        if not self._applies or start["status"] != HTTPStatus.OK:
            return False
        return _value(start, b"etag") is not None or (_value(start, b"content-type") or b"").startswith(_JSON)

    def complete(self, start: Message, body: Message) -> tuple[Message, Message]:
        """Return the head and the first part of the body to send: with an ETag, or as 304 without content."""
        if body.get("more_body", False):
            return start, body
        digest = hashlib.blake2b(body.get("body", b""), digest_size=_DIGEST_BYTES).hexdigest().encode()
        version = _value(start, b"etag")
        tag = b'W/"' + digest + b'"' if version is None else version[:-1] + b"." + digest + b'"'
        others = [pair for pair in start["headers"] if pair[0].lower() != b"etag"]
        start["headers"] = [*others, (b"etag", tag)]
        if b"*" not in self._asked and _opaque(tag) not in self._asked:
            return start, body
        headers = [pair for pair in start["headers"] if pair[0].lower() not in _OF_CONTENT]
        return {**start, "status": HTTPStatus.NOT_MODIFIED.value, "headers": headers}, {**body, "body": b""}


def _tags(scope: Scope) -> frozenset[bytes]:
    values = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return frozenset(_opaque(tag.strip()) for tag in values.split(b",") if tag.strip())


def _opaque(tag: bytes) -> bytes:
    """Return the tag without ``W/``: reads compare weakly (RFC 9110, 13.1.2)."""
    return tag.removeprefix(b"W/")


def _value(start: Message, wanted: bytes) -> bytes | None:
    return next((value for name, value in start.get("headers", ()) if name.lower() == wanted), None)
