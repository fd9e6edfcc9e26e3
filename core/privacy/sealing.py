"""Secrets of a tenant that wait for a job: sealed with the tenant's key, for one purpose and one thing."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from core.privacy.errors import CannotDecrypt
from core.privacy.tenant_keys import key_ring

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

_NONCE = 12


def seal(session: TenantSession, purpose: str, thing: UUID, text: str) -> str:
    """Return ``text`` sealed for the purpose and the thing, in ASCII."""
    ring, nonce = key_ring(session), os.urandom(_NONCE)
    sealed = nonce + ring.data[ring.newest].encrypt(nonce, text.encode(), _place(session, purpose, thing))
    return f"{ring.newest}.{base64.b64encode(sealed).decode()}"


def unseal(session: TenantSession, purpose: str, thing: UUID, sealed: str) -> str:
    """Return the text that was sealed for the purpose and the thing.

    Raises:
        CannotDecrypt: it was altered, belongs to another purpose, thing or tenant, or its key is gone.
    """
    version, _, encoded = sealed.partition(".")
    try:
        data, key = base64.b64decode(encoded, validate=True), key_ring(session).data[int(version)]
        return key.decrypt(data[:_NONCE], data[_NONCE:], _place(session, purpose, thing)).decode()
    except (InvalidTag, KeyError, ValueError):
        detail = f"a sealed secret for {purpose!r} does not open: it was altered or moved"
        raise CannotDecrypt(detail) from None


def _place(session: TenantSession, purpose: str, thing: UUID) -> bytes:
    return f"sealed|{session.tenant.id}|{purpose}|{thing}".encode()
