"""API keys as text: ``iit_<prefix>_<secret>``. The prefix finds the row; the secret proves that the caller owns it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

FORM = re.compile(r"iit_([0-9a-f]{12})_([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Secret:
    """A new key. The caller sees ``plaintext`` one time; only ``prefix`` and ``digest`` are stored."""

    plaintext: str
    prefix: str
    digest: bytes


def new_secret() -> Secret:
    """Return a new key with 256 random bits."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    return Secret(f"iit_{prefix}_{secret}", prefix, digest_of(secret))


def digest_of(secret: str) -> bytes:
    """Return the digest of a secret that is stored: SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def split(key: str) -> tuple[str, str] | None:
    """Return the prefix and the secret of a key; None if the text is not a key."""
    match = FORM.fullmatch(key)
    return (match[1], match[2]) if match else None


def same(secret: str, digest: bytes) -> bool:
    """Return whether ``digest`` is the digest of the secret, compared in constant time."""
    return hmac.compare_digest(digest_of(secret), digest)
