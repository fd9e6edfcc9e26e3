"""Tokens that prove that a page of this server sent a request, not a page of another site (CSRF).

A token is derived from the session's secret, so that nothing is stored and no other session can use it. Each token has
a new mask, so that compressed pages do not reveal it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets

HEADER = "X-CSRF-Token"
FIELD = "csrf_token"
_BYTES = 32
_PURPOSE = b"iit csrf token 1"


def token_of(secret: str) -> str:
    """A token of the session with this secret."""
    mask = secrets.token_bytes(_BYTES)
    return base64.urlsafe_b64encode(mask + _masked(_proof(secret), mask)).decode("ascii")


def is_token_of(token: str, secret: str) -> bool:
    """Return whether the token belongs to the session with this secret."""
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(data) == 2 * _BYTES and hmac.compare_digest(_masked(data[_BYTES:], data[:_BYTES]), _proof(secret))


def _proof(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE, "sha256")


def _masked(data: bytes, mask: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(data, mask, strict=True))
