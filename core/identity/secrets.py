"""The form of an API key: ``iit_<prefix>_<secret>``. The prefix finds the row, the secret proves it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

FORM = re.compile(r"iit_([0-9a-f]{12})_([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Secret:
    """A new key: shown once as ``plaintext``, kept as ``prefix`` and ``digest``."""

    plaintext: str
    prefix: str
    digest: bytes


def new_secret() -> Secret:
    """A key with 256 random bits."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    return Secret(f"iit_{prefix}_{secret}", prefix, digest_of(secret))


def digest_of(secret: str) -> bytes:
    """What is stored of the secret: SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def split(key: str) -> tuple[str, str] | None:
    """Prefix and secret of a key, None when it has not the form of one."""
    found = FORM.fullmatch(key)
    return (found[1], found[2]) if found else None


def same(secret: str, digest: bytes) -> bool:
    """Whether the secret is the one that ``digest`` was made of, in a time that tells nothing."""
    return hmac.compare_digest(digest_of(secret), digest)
