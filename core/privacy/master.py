"""The master key: wraps tenants' keys, and seals the few secrets of the installation that belong to no tenant.

During a rotation, the previous key can still unwrap.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.privacy.errors import CannotDecrypt, MasterKeyMissing
from core.settings import get_settings, master_key
from core.settings.model import decode_master_key

NONCE = 12
KID = 16
"""Length of a key's id."""


def kid(key: bytes) -> str:
    """The id of a master key: 16 hex digits of a hash, which reveal nothing about it."""
    return hashlib.sha256(b"iit master key id\0" + key).hexdigest()[:16]


def current() -> tuple[str, bytes]:
    """The master key that wraps new keys, and its id.

    Raises:
        Invalid: it is not configured, or not 32 bytes in base64.
    """
    key = master_key()
    return kid(key), key


def by_kid(wanted: str) -> bytes:
    """The configured master key with this id.

    Raises:
        MasterKeyMissing: neither the current nor the previous key has it.
    """
    identifier, key = current()
    if identifier == wanted:
        return key
    previous = get_settings().master_key_previous
    if previous is not None:
        key = decode_master_key(previous.get_secret_value())
        if kid(key) == wanted:
            return key
    detail = f"a tenant's key is wrapped by the master key {wanted}, and {identifier} is configured"
    raise MasterKeyMissing(detail)


@lru_cache(maxsize=8)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def seal(key: bytes, plain: bytes, bound_to: str) -> bytes:
    """Nonce and AES-256-GCM ciphertext of ``plain``, which opens only with the same key and the same ``bound_to``."""
    nonce = os.urandom(NONCE)
    return nonce + _cipher(key).encrypt(nonce, plain, bound_to.encode())


def unseal(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    """The plain bytes that ``seal`` encrypted.

    Raises:
        CannotDecrypt: another key, another place, or altered bytes.
    """
    try:
        return _cipher(key).decrypt(sealed[:NONCE], sealed[NONCE:], bound_to.encode())
    except (InvalidTag, ValueError):
        detail = "a wrapped key does not open: it was altered or moved"
        raise CannotDecrypt(detail) from None


def seal_own(plain: bytes, bound_to: str) -> bytes:
    """Seal a secret of the installation, such as that of a person's authenticator app, by the current master key.

    The id of the key comes before the sealed bytes.

    Raises:
        Invalid: no master key is configured.
    """
    identifier, key = current()
    return identifier.encode("ascii") + seal(key, plain, bound_to)


def unseal_own(sealed: bytes, bound_to: str) -> bytes:
    """The secret that ``seal_own`` sealed.

    Raises:
        MasterKeyMissing: it was sealed by a key that is not configured.
        CannotDecrypt: it was altered or moved.
    """
    return unseal(by_kid(sealed[:KID].decode("ascii", "replace")), sealed[KID:], bound_to)


def is_current(sealed: bytes) -> bool:
    """Return whether ``seal_own`` used the current master key."""
    return sealed[:KID] == current()[0].encode("ascii")
