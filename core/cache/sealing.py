"""The form of a stored answer: sealed with the tenant's key, bound to the key under which it is stored."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag

from core.privacy.tenant_keys import key_ring

if TYPE_CHECKING:
    from core.database import TenantSession

_NONCE: Final = 12
_VERSION: Final = struct.Struct(">I")
_HEAD: Final = struct.Struct(">dd")


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer.

    Attributes:
        until: when it ends, in Unix seconds.
        seconds: how long it took to compute.
        content: the answer as JSON.
    """

    until: float
    seconds: float
    content: bytes


def seal(session: TenantSession, key: str, stored: Answer) -> bytes:
    """Return the answer as Redis keeps it under ``key``.

    Raises:
        CannotDecrypt: the tenant has no keys.
    """
    ring, nonce = key_ring(session), os.urandom(_NONCE)
    plain = _HEAD.pack(stored.until, stored.seconds) + zlib.compress(stored.content, 1)
    return _VERSION.pack(ring.newest) + nonce + ring.data[ring.newest].encrypt(nonce, plain, _place(session, key))


def unseal(session: TenantSession, key: str, sealed: bytes) -> Answer | None:
    """Return the answer; None if these bytes were not sealed for this tenant and this key."""
    try:
        (version,) = _VERSION.unpack_from(sealed)
        nonce, rest = sealed[_VERSION.size : _VERSION.size + _NONCE], sealed[_VERSION.size + _NONCE :]
        plain = key_ring(session).data[version].decrypt(nonce, rest, _place(session, key))
        until, seconds = _HEAD.unpack_from(plain)
        return Answer(until, seconds, zlib.decompress(plain[_HEAD.size :]))
    except (struct.error, KeyError, ValueError, InvalidTag, zlib.error):
        return None


def _place(session: TenantSession, key: str) -> bytes:
    return f"cache|{session.tenant.id}|{key}".encode()
